"""A model that is not on this machine yet: its sources in order, until one of them works."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from i3d.errors import (
    CacheError,
    DownloadError,
    EngineNotInstalledError,
    I3DError,
    ModelLoadError,
    TransferError,
    unknown_name,
)
from i3d.files.addresses import NETWORK_HINT, is_offline
from i3d.models.catalog import CACHE_SOURCES, CONVERTED_SOURCES
from i3d.models.folders import scratch_folder, shown_name
from i3d.models.inspect import check_and_install
from i3d.models.local_caches import candidates, copy_from_cache
from i3d.models.remote import fetch_address, fetch_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from i3d.models.catalog import ModelSpec
    from i3d.models.store import InstalledModel
    from i3d.progress import Progress

    Fill: TypeAlias = Callable[[Path], str | None]
    """Gives the address, where one is found on the way."""
    Steps: TypeAlias = dict[str, tuple[str, Fill]]


def fetch_model(
    spec: ModelSpec, *, source: str | None = None, progress: Progress
) -> InstalledModel:
    """Fetch a model of the catalogue from the first of its sources that works, and install it.

    Args:
        spec: The model.
        source: Try this source alone.
        progress: Receives progress updates.

    Raises:
        UnknownNameError: The model has no such source.
        UsageError: I3D_TIMEOUT makes no sense.
        TransferError: No source worked; `details` has a line for each, then what helps with some.
        CacheError: Our cache can't be written, whatever the source.
        EngineNotInstalledError: TensorFlow can't be imported, whatever the source.
    """
    steps = _steps(spec, progress)
    if source is not None:
        if source not in steps:
            raise unknown_name(f"source of {spec.name}", source, steps)
        steps = {source: steps[source]}
    failures: dict[str, I3DError] = {}
    for name, (location, fill) in steps.items():
        is_filling = False
        try:
            with progress.task(f"fetching {spec.name} from {name}"), scratch_folder() as scratch:
                is_filling = True  # a disk that is full now may be so by the fault of this source
                place_found = fill(scratch) or location
                is_filling = False
                return _install(scratch, spec.name, spec, name, place_found, progress)
        except EngineNotInstalledError:
            raise  # the next source would meet it, too
        except (TransferError, ModelLoadError) as error:
            if isinstance(error, CacheError) and not is_filling:
                raise  # the same
            failures[name] = error
    full = [error for error in failures.values() if isinstance(error, CacheError)]
    # That nothing lies in other programs' caches says nothing of the disk.
    others = set(failures) - set(CACHE_SOURCES)
    if full and all(isinstance(failures[name], CacheError) for name in others):
        raise full[0]
    raise _none_works(spec, steps, failures)


def _none_works(spec: ModelSpec, steps: Steps, failures: dict[str, I3DError]) -> TransferError:
    """Name each source with its reason, and what helps with those that can be helped."""
    lines = [
        f"{name:<16} {shown_name(steps[name][0])}: {error.clause}"
        for name, error in failures.items()
    ]
    hints = (
        error.hint
        for error in failures.values()
        if isinstance(error, (DownloadError, CacheError)) and not is_offline()
    )
    lines += dict.fromkeys(hint for hint in hints if hint not in (None, NETWORK_HINT))
    count = f"none of its {len(steps)} sources" if len(steps) > 1 else "its source did not"
    error = TransferError(
        f"{spec.name} cannot be fetched: {count} work{'s' if len(steps) > 1 else ''}.",
        details=tuple(lines),
        hint=_ways_on(spec, steps),
    )
    error.__cause__ = list(failures.values())[-1]
    return error


def fetch_own(address: str, *, progress: Progress) -> InstalledModel:
    """Fetch a model that is not in the catalogue from an address, and install it under that.

    Raises:
        UsageError: It is not a web address, or I3D_TIMEOUT makes no sense.
        TransferError: It does not give a model.
        CacheError: Our cache can't be written.
        ModelLoadError: It does not give a model that i3d can run.
        EngineNotInstalledError: TensorFlow can't be imported.
    """
    name = shown_name(address)
    try:
        with progress.task(f"fetching {name}"), scratch_folder() as scratch:
            fetch_address(address, scratch, progress)
            return _install(scratch, address, None, "url", address, progress)
    except DownloadError as error:
        raise TransferError(
            f"The model {name} cannot be fetched: {error.reason}.",
            hint=f"{(error.hint or 'Check the address.').removesuffix('.')}; or give a folder or "
            "an archive that holds the model: --model DIR",
        ) from error
    except (CacheError, EngineNotInstalledError):
        raise
    except (TransferError, ModelLoadError) as error:
        kind = TransferError if isinstance(error, TransferError) else ModelLoadError
        raise kind(f"The model {name} was fetched, but {error.clause}.", hint=error.hint) from error


def _steps(spec: ModelSpec, progress: Progress) -> Steps:
    """Source name -> where it is, and what fills a folder with it."""
    steps: Steps = {}
    for name, folder in candidates(spec).items():
        steps[name] = (str(folder), partial(copy_from_cache, folder))
    for source in spec.sources:
        steps[source.name] = (source.url, partial(fetch_source, source, progress=progress))
    return steps


def _install(
    scratch: Path, name: str, spec: ModelSpec | None, source: str, location: str, progress: Progress
) -> InstalledModel:
    with progress.task(f"checking {shown_name(name)}"):
        converted = source in CONVERTED_SOURCES
        return check_and_install(
            scratch, name, spec, source=source, location=location, converted=converted
        )


def _ways_on(spec: ModelSpec, steps: Steps) -> str:
    """The ways on: by hand, a mirror, the model that ships with i3d."""
    archives = [source for source in spec.sources if source.kind == "archive"]
    by_hand = shown_name((archives or spec.sources)[-1].url)
    variables = ", ".join(
        source.base_variable for source in spec.sources if source.name in steps
    ) or ", ".join(source.base_variable for source in spec.sources)
    offline = "Unset I3D_OFFLINE, if it was not meant; or " if is_offline() else ""
    first = "download" if offline else "Download"
    what = "FILE" if archives else "FOLDER"
    return (
        f"{offline}{first} {by_hand} on another machine and run: i3d model import {what}; or name "
        f"a mirror in {variables}; or use the model that ships with i3d: --model camera-motion"
    )
