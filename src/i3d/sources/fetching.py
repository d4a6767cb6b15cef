"""A model that is not on this machine yet: its sources in order, until one of them works."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from i3d.download import is_offline
from i3d.download.attempts import shown
from i3d.errors import (
    CacheError,
    DownloadError,
    EngineNotInstalledError,
    I3DError,
    ModelLoadError,
    TransferError,
    UnknownNameError,
)
from i3d.names import unknown_name
from i3d.sources.cache import MODEL, scratch_folder
from i3d.sources.inspection import inspect_model
from i3d.sources.installed import InstalledModel, install
from i3d.sources.local_caches import candidates, copy_from_cache
from i3d.sources.remote import fetch_address, fetch_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from i3d.catalog import ModelSpec
    from i3d.progress import Progress

    Fill: TypeAlias = Callable[[Path], None]
    Steps: TypeAlias = dict[str, tuple[str, Fill]]


def source_names(spec: ModelSpec) -> tuple[str, ...]:
    """What `--source` takes for a model, in the order in which the sources are tried."""
    return (*candidates(spec), *(source.name for source in spec.sources))


def fetch_model(
    spec: ModelSpec, *, source: str | None = None, progress: Progress
) -> InstalledModel:
    """Fetch a model of the catalogue from the first of its sources that works, and install it.

    Args:
        spec: The model.
        source: Try this source alone.
        progress: Who wants to know.

    Raises:
        UnknownNameError: The model has no such source.
        TransferError: No source worked; `details` has a line for each.
        CacheError: Our cache can't be written, whatever the source.
        EngineNotInstalledError: TensorFlow can't be imported, whatever the source.
    """
    steps = _steps(spec, progress)
    if source is not None:
        if source not in steps:
            raise _unknown_source(spec, source)
        steps = {source: steps[source]}
    tried = []
    errors: list[I3DError] = []
    for name, (location, fill) in steps.items():
        try:
            return _install_from(
                fill, spec.name, spec=spec, source=name, location=location, progress=progress
            )
        except (CacheError, EngineNotInstalledError):
            raise  # the next source would meet it, too
        except (TransferError, ModelLoadError) as error:
            tried.append(f"{name:<16} {_place(location)}: {clause(error)}")
            errors.append(error)
    count = f"none of its {len(steps)} sources" if len(steps) > 1 else "its source did not"
    raise TransferError(
        f"{spec.name} cannot be fetched: {count} work{'s' if len(steps) > 1 else ''}.",
        details=tuple(tried),
        hint=_ways_on(spec, steps),
    ) from errors[-1]


def fetch_own(address: str, *, progress: Progress) -> InstalledModel:
    """Fetch a model that is not in the catalogue from an address, and install it under that.

    Raises:
        UsageError: The address is neither `http://` nor `https://`.
        TransferError: It does not give a model.
        ModelLoadError: What it gives is no model that i3d can run.
        EngineNotInstalledError: TensorFlow can't be imported.
    """
    try:
        return _install_from(
            lambda scratch: fetch_address(address, scratch, progress),
            shown(address),
            spec=None,
            source="url",
            location=address,
            progress=progress,
        )
    except DownloadError as error:
        raise TransferError(
            f"The model {shown(address)} cannot be fetched: {error.reason}.",
            hint="Check the address and the network, or give a folder or an archive that holds "
            "the model: --model DIR",
        ) from error
    except CacheError:
        raise
    except TransferError as error:
        raise TransferError(
            f"The model {shown(address)} was fetched, but {clause(error)}.", hint=error.hint
        ) from error
    except EngineNotInstalledError:
        raise
    except ModelLoadError as error:
        raise ModelLoadError(
            f"The model {shown(address)} was fetched, but it cannot be used: {error.message}",
            hint=error.hint,
        ) from error


def _steps(spec: ModelSpec, progress: Progress) -> Steps:
    """Source name -> where it is, and what fills a folder with it."""
    steps: Steps = {}
    for name, folder in candidates(spec).items():
        steps[name] = (str(folder), partial(copy_from_cache, folder))
    for source in spec.sources:
        steps[source.name] = (
            source.url,
            partial(fetch_source, source, progress=progress),
        )
    return steps


def _install_from(
    fill: Fill,
    name: str,
    *,
    spec: ModelSpec | None,
    source: str,
    location: str,
    progress: Progress,
) -> InstalledModel:
    with scratch_folder() as scratch:
        fill(scratch)
        with progress.task(f"checking {name}"):
            record = inspect_model(
                scratch / MODEL,
                name,
                spec=spec,
                source=source,
                location=shown(location),
                converted=source == "deepmind",
            )
        return install(scratch, record)


def _place(location: str) -> str:
    """An address without its query, which says nothing, and without a password."""
    return shown(location).partition("?")[0]


def _unknown_source(spec: ModelSpec, source: str) -> UnknownNameError:
    return unknown_name(f"source of {spec.name}", source, source_names(spec))


def _ways_on(spec: ModelSpec, steps: Steps) -> str:
    """The three ways on: by hand, a mirror, the model that ships with i3d."""
    by_hand = next(shown(source.url) for source in spec.sources if source.name == "kaggle")
    variables = ", ".join(
        source.base_variable for source in spec.sources if source.name in steps
    ) or ", ".join(source.base_variable for source in spec.sources)
    offline = "Unset I3D_OFFLINE, if it was not meant; or " if is_offline() else ""
    first = "download" if offline else "Download"
    return (
        f"{offline}{first} {by_hand} on another machine and run: i3d model import FILE; or name a "
        f"mirror in {variables}; or use the model that ships with i3d: --model camera-motion"
    )


def clause(error: I3DError) -> str:
    """What an error says, to go behind a colon: small first letter, no full stop."""
    text = error.reason if isinstance(error, DownloadError) else error.message
    first = text.partition(" ")[0]
    is_plain_word = first[1:].islower()  # not "TensorFlow"
    return (first[:1].lower() + text[1:] if is_plain_word else text).removesuffix(".")
