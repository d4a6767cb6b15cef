"""Finds a model: from a name, a folder, an archive or an address to a SavedModel directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import (
    ModelLoadError,
    ModelNotInstalledError,
    TransferError,
    UnknownNameError,
    UsageError,
)
from i3d.files.cache import package_data_dir
from i3d.models.catalog import CATALOG, DEFAULT_MODEL, get_model
from i3d.models.folders import lock, shown_name
from i3d.models.inspect import read_weights
from i3d.models.records import fingerprint, record_files
from i3d.models.store import (
    ARCHIVE_PREFIX,
    InstalledModel,
    check_place,
    find_by_name,
    open_installed,
    rename_by_weights,
)
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from i3d.models.catalog import ModelSpec
    from i3d.models.records import FileRecord, ModelRecord
    from i3d.progress import Progress


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine."""

    name: str
    """Its name in the catalogue, or the path or URL that was given."""
    directory: Path
    """A folder that holds `saved_model.pb`; its content is not checked yet."""
    spec: ModelSpec | None
    """Its record in the catalogue; None for a model of the user's own."""
    record: ModelRecord | None = None
    """Where it came from; None for a packaged model and for a folder of the user's own."""
    notes: tuple[str, ...] = ()
    """Sentences about it that a user should read."""

    @cached_property
    def files(self) -> Mapping[str, FileRecord]:
        """Its files. Those of a folder of the user's own are all read, once.

        Raises:
            ModelLoadError: One can't be read.
        """
        return record_files(self.directory) if self.record is None else self.record.files

    @property
    def fingerprint(self) -> str:
        """What its files are; see `fingerprint` in `i3d.models.records`."""
        return fingerprint(self.files)

    @property
    def source(self) -> str:
        """Where it came from: the record's source, `packaged`, or `folder`."""
        if self.record is not None:
            return self.record.source
        return "folder" if self.spec is None else "packaged"


def find_model(model: str = DEFAULT_MODEL, *, progress: Progress = NO_PROGRESS) -> LocalModel:
    """Find a model, and fetch it where it is not on this machine yet, or is damaged.

    Args:
        model: A name in the catalogue, a SavedModel directory, an archive that holds one, or an
            address: an archive's, a TensorFlow Hub handle
            (`https://tfhub.dev/deepmind/i3d-kinetics-400/1`), a model's page on Kaggle. A name in
            the catalogue wins over a folder of the same name: write `./NAME` for the folder.
        progress: Who wants to know about a download.

    Returns:
        The model's place on this machine. What was fetched is compared with its record on every
        call, byte by byte.

    Raises:
        UsageError: What looks like an address is none on the web, or I3D_TIMEOUT makes no sense.
        UnknownNameError: There is no model of that name, and no such file or folder.
        TransferError: It could not be fetched, or the cache can't be written, or holds something
            in the model's place that is not i3d's.
        ModelLoadError: What the archive or address gives can't be used.
        EngineNotInstalledError: A model was fetched and can't be checked without TensorFlow.
    """
    if model in CATALOG:
        spec = get_model(model)
        if spec.packaged_dir is not None:
            return LocalModel(model, packaged_folder(spec), spec)
        renamed = rename_by_weights()
        try:
            installed, notes = _installed_or_fetched(
                model, lambda: _fetching().fetch_model(spec, progress=progress), progress
            )
        except (TransferError, ModelLoadError) as error:
            error.details = (*renamed, *error.details, *_others_of_its_labels(spec))
            raise
        notes = (*renamed, *notes, *_doubts(spec, installed.record))
        return LocalModel(model, installed.directory, spec, installed.record, notes)
    if "://" in model:
        _check_address(model)
        installed, notes = _installed_or_fetched(
            model, lambda: _fetching().fetch_own(model, progress=progress), progress
        )
        return LocalModel(shown_name(model), installed.directory, None, installed.record, notes)
    path = _path(model)
    if os.path.isdir(path):  # noqa: PTH112  (no error on a name that is too long)
        return LocalModel(model, Path(path), None)
    if os.path.isfile(path):  # noqa: PTH113  (the same)
        from i3d.models.importing import import_archive

        installed = import_archive(Path(path), progress=progress)
        return LocalModel(model, installed.directory, None, installed.record)
    if os.path.exists(path):  # noqa: PTH110  (the same)
        raise UnknownNameError(
            f"{model} is neither a file nor a folder, and no model.",
            hint=f"Give a model's folder or archive, or choose one of: {', '.join(CATALOG)}.",
        )
    if "/" in model or "\\" in model:
        raise UnknownNameError(
            f"There is no model folder {model}.",
            hint=f"Check the path, or choose one of: {', '.join(CATALOG)}.",
        )
    get_model(model)
    raise AssertionError(model)  # get_model raises for a name that is not in the catalogue


def _fetching() -> ModuleType:
    """Imported when something is to be fetched: most runs find their model in the cache."""
    from i3d.models import fetch as fetching

    return fetching


def _check_address(address: str) -> None:
    from i3d.models.remote import check_address

    check_address(address)


def fetch_again(
    model: str, *, source: str | None = None, force: bool = False, progress: Progress = NO_PROGRESS
) -> LocalModel:
    """Fetch a model also where it is on this machine already.

    Args:
        model: A name in the catalogue, or an address.
        source: Take it from this source alone. One that came from it, and is whole, is kept.
        force: Fetch it also then.
        progress: Who wants to know.

    Raises:
        UsageError: It is not one that can be fetched, or it has only one source, or I3D_TIMEOUT
            makes no sense.
        UnknownNameError: It has no such source.
        TransferError: It could not be fetched, or the cache can't be written. The one that was
            there before stays.
        ModelLoadError: What an address gives can't be used.
        EngineNotInstalledError: It can't be checked without TensorFlow.
    """
    spec = CATALOG.get(model)
    if spec is None and "://" not in model and not os.path.exists(_path(model)):  # noqa: PTH110
        get_model(model)
    if (spec is None and "://" not in model) or (spec is not None and not spec.sources):
        raise UsageError(
            f"{model} is on this machine and not fetched from anywhere.",
            hint="Models that can be fetched: "
            + ", ".join(name for name, entry in CATALOG.items() if entry.sources),
        )
    if spec is None:
        if source is not None:
            raise UsageError(f"{shown_name(model)} is an address, and has no other source.")
        _check_address(model)
        check_place(model)
        with lock(model, progress):
            installed = _fetching().fetch_own(model, progress=progress)
        return LocalModel(shown_name(model), installed.directory, None, installed.record)
    check_place(model)
    with lock(model, progress):
        present = open_installed(model)
        keep = not force and present is not None and present.record.source == source
        if present is not None and keep and not present.damage():
            installed = present
        else:
            installed = _fetching().fetch_model(spec, source=source, progress=progress)
    notes = _doubts(spec, installed.record)
    return LocalModel(model, installed.directory, spec, installed.record, notes)


def find_installed(model: str = DEFAULT_MODEL) -> LocalModel:
    """Find a model that is on this machine already, damaged or not; nothing is fetched.

    Args:
        model: As for `find_model`, or what `ModelRecord.name` says; an archive's path is not
            taken.

    Raises:
        UnknownNameError: There is no model of that name, and no such folder.
        ModelNotInstalledError: It would have to be fetched.
        CacheError: The cache can't be read.
    """
    spec = CATALOG.get(model)
    if spec is not None and spec.packaged_dir is not None:
        return LocalModel(model, packaged_folder(spec), spec)
    is_kept = "://" in model or model.startswith(ARCHIVE_PREFIX)
    if spec is None and not is_kept:
        if os.path.isfile(_path(model)):  # noqa: PTH113
            raise UnknownNameError(
                f"{model} is a file, and not a model's folder.",
                hint="To install a model from an archive: i3d model import FILE",
            )
        return find_model(model)
    installed = find_by_name(model)
    name = shown_name(model)
    if installed is None:
        raise ModelNotInstalledError(
            f"The model {name} is not on this machine.",
            hint="See what is: i3d model list"
            if model.startswith(ARCHIVE_PREFIX)
            else f"Fetch it: i3d model fetch {name}",
            details=() if spec is None else _others_of_its_labels(spec),
        )
    notes = () if spec is None else _doubts(spec, installed.record)
    return LocalModel(name, installed.directory, spec, installed.record, notes)


def packaged_folder(spec: ModelSpec) -> Path:
    """The folder of a model that ships with i3d."""
    assert spec.packaged_dir is not None
    return package_data_dir() / spec.packaged_dir


def _path(model: str) -> str:
    """A path that was given as a model, with `~` replaced; `~nobody` and nothing stay."""
    return os.path.expanduser(model)  # noqa: PTH111


def _installed_or_fetched(
    name: str, fetch: Callable[[], InstalledModel], progress: Progress
) -> tuple[InstalledModel, tuple[str, ...]]:
    """Give the installed model if it is whole; else fetch it, one process at a time."""
    installed = open_installed(name)
    if installed is not None and not installed.damage():
        return installed, ()
    notes: tuple[str, ...] = ()
    check_place(name)
    with lock(name, progress):
        installed = open_installed(name)
        problems = () if installed is None else installed.damage()
        if installed is not None and not problems:
            return installed, ()  # another process was faster
        try:
            fetched = fetch()
        except (TransferError, ModelLoadError) as error:
            if installed is not None:
                error.details = (
                    f"The one in {installed.directory} is damaged: {'; '.join(problems)}.",
                    *error.details,
                )
            raise
        if problems:
            label = shown_name(name)
            notes = (f"{label} was damaged ({'; '.join(problems)}) and was fetched again.",)
        return fetched, notes


def _others_of_its_labels(spec: ModelSpec) -> tuple[str, ...]:
    """Say which models on this machine know the same labels."""
    return tuple(
        f"{other.name} is on this machine, and knows the same labels: --model {other.name}"
        for other in CATALOG.values()
        if other != spec and other.label_list == spec.label_list and open_installed(other.name)
    )


def unofficial(name: str, model: str) -> str:
    """The sentence about a model that has I3D's layers, and weights that nobody published.

    Args:
        name: What it is called, with where it came from.
        model: What `i3d model verify` takes for it.
    """
    return (
        f"{name} is unofficial: it has the layers of I3D, and weights that DeepMind did not "
        f"publish. More: i3d model verify {model}"
    )


def _doubts(spec: ModelSpec, record: ModelRecord) -> tuple[str, ...]:
    """What a user should know of a model of the catalogue whose weights are not its name's."""
    if spec.checkpoint is None or record.checkpoint is not None:
        return ()
    return (unofficial(f"{record.name} (from {record.source})", record.name),)


__all__ = [
    "LocalModel",
    "fetch_again",
    "find_installed",
    "find_model",
    "fingerprint",
    "packaged_folder",
    "read_weights",
    "record_files",
    "unofficial",
]
