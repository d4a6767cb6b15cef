"""Models that were fetched by hand: archives, folders and checkpoints on this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import (
    CacheError,
    EngineNotInstalledError,
    ModelLoadError,
    TransferError,
    UsageError,
)
from i3d.models.catalog import CATALOG, get_model
from i3d.models.checkpoints import checkpoint_prefix
from i3d.models.convert import write_saved_model
from i3d.models.folders import MODEL, lock, scratch_folder
from i3d.models.inspect import inspect_model, read_weights
from i3d.models.local_caches import copy_model
from i3d.models.package_index import read_package_weights
from i3d.models.records import sha256_of
from i3d.models.remote import convert_checkpoint, unpack_model
from i3d.models.store import ARCHIVE_PREFIX, InstalledModel, check_place, install, open_installed
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from i3d.models.catalog import ModelSpec, Source
    from i3d.progress import Progress


_HINT = "Give a folder that holds saved_model.pb and variables/, or an archive of one."


def import_model(
    path: str | Path, *, name: str | None = None, progress: Progress = NO_PROGRESS
) -> InstalledModel:
    """Install a model of the catalogue that was fetched by hand.

    Args:
        path: An archive (as TensorFlow Hub and Kaggle give it), a SavedModel's folder, or the
            folder of one of DeepMind's checkpoints.
        name: Which model it is; None finds that out from its tensors.
        progress: Who wants to know.

    Raises:
        UsageError: The path is empty.
        UnknownNameError: There is no model of that name.
        ModelLoadError: It is missing, damaged, or not that model.
        CacheError: Our cache can't be written, or something is in the model's place that is not
            i3d's.
        EngineNotInstalledError: TensorFlow can't be imported.
    """
    if not os.fspath(path):
        raise UsageError("There is no file or folder without a name.", hint=_HINT)
    path = Path(path)
    spec = None if name is None else _importable(get_model(name))
    try:
        with scratch_folder() as scratch, progress.task(f"importing {path.name}"):
            converted = _fill(path, scratch)
            spec = spec or _which(scratch / MODEL)
            record = inspect_model(
                scratch / MODEL,
                spec.name,
                spec=spec,
                source="import",
                location=str(path.absolute()),
                converted=converted,
            )
            return install(scratch, record)  # in one step, so that it needs no lock
    except (CacheError, EngineNotInstalledError):
        raise
    except (ModelLoadError, TransferError) as error:
        raise _cannot_use(path, error, f"{_HINT[:-1]}, or the folder of a checkpoint.") from error


def import_archive(path: Path, *, progress: Progress = NO_PROGRESS) -> InstalledModel:
    """Unpack an archive that holds any SavedModel, once: `--model FILE`.

    Args:
        path: The archive, a plain file; it is known again by its content.
        progress: Who wants to know.

    Raises:
        ModelLoadError: It is no archive, damaged, or holds no model that i3d can run.
        CacheError: Our cache can't be written, or something is in the model's place that is not
            i3d's.
        EngineNotInstalledError: TensorFlow can't be imported.
    """
    try:
        name = f"{ARCHIVE_PREFIX}{sha256_of(path)}"
    except OSError as error:
        raise ModelLoadError(
            f"The model {path} cannot be read: {error.strerror or error}.",
            hint="Check the permissions of the file.",
        ) from error
    installed = open_installed(name)
    if installed is not None and not installed.damage():
        return installed
    check_place(name)
    with lock(name, progress):
        installed = open_installed(name)
        if installed is not None and not installed.damage():
            return installed  # another process was faster
        return _unpack_and_install(path, name, progress)


def _unpack_and_install(path: Path, name: str, progress: Progress) -> InstalledModel:
    try:
        with scratch_folder() as scratch, progress.task(f"unpacking {path.name}"):
            unpack_model(path, scratch)
            record = inspect_model(
                scratch / MODEL,
                name,
                spec=None,
                source="archive",
                location=str(path.absolute()),
                converted=False,
            )
            return install(scratch, record)
    except (CacheError, EngineNotInstalledError):
        raise
    except (ModelLoadError, TransferError) as error:
        raise _cannot_use(path, error, _HINT) from error


def _fill(path: Path, scratch: Path) -> bool:
    """Put a SavedModel into the folder; tell whether it was converted from a checkpoint."""
    try:
        mode = path.stat().st_mode
        is_folder = stat.S_ISDIR(mode)
        names = sorted(entry.name for entry in path.iterdir()) if is_folder else None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelLoadError("There is no such file or folder.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelLoadError(f"It cannot be read: {reason}.") from error
    if not is_folder and not stat.S_ISREG(mode):
        raise ModelLoadError("It is neither a file nor a folder.")
    if names is None:
        source = _package_source(path)
        if source is not None:
            write_saved_model(read_package_weights(path, source), scratch / MODEL)
            return True
        unpack_model(path, scratch)
        return False
    if "saved_model.pb" in names:
        copy_model(path, scratch)
        return False
    if checkpoint_prefix(path) is None:
        raise ModelLoadError(_why_no_checkpoint(names))
    convert_checkpoint(path, scratch)
    return True


def _package_source(path: Path) -> Source | None:
    """The package of the catalogue that a file is, by its SHA-256."""
    size = path.stat().st_size
    for spec in CATALOG.values():
        for source in spec.sources:
            package = source.package
            if package and package.num_bytes == size and package.sha256 == sha256_of(path):
                return source
    return None


def _why_no_checkpoint(names: list[str]) -> str:
    """Say what a folder without a model lacks."""
    indexes = [name for name in names if name.endswith(".index")]
    data = [name for name in names if ".data-" in name]
    if indexes and data:
        return "It holds several checkpoints, or parts of different ones."
    if indexes:
        return f"It holds {indexes[0]} without its .data-... file."
    if data:
        return f"It holds {data[0]} without its .index file."
    return "It holds neither saved_model.pb nor a TensorFlow checkpoint."


def _which(directory: Path) -> ModelSpec:
    """Find out from its tensors which model of the catalogue a folder holds."""
    weights = read_weights(directory)
    if weights is not None:
        found = weights.identification
        for spec in CATALOG.values():
            if found.checkpoint is not None and found.checkpoint == spec.checkpoint:
                return spec
        for spec in CATALOG.values():
            if found.is_unofficial and found.is_network_of(spec.checkpoint):
                return spec
    raise ModelLoadError(
        "It is none of the models that i3d knows by name.",
        hint="Use it where it lies: --model DIR",
    )


def _importable(spec: ModelSpec) -> ModelSpec:
    if spec.packaged_dir is not None:
        raise ModelLoadError(
            f"{spec.name} ships with i3d and is not to be replaced.",
            hint="Use a model of your own where it lies: --model DIR",
        )
    return spec


def _cannot_use(path: Path, error: ModelLoadError | TransferError, hint: str) -> ModelLoadError:
    return ModelLoadError(
        f"The model {path} cannot be used: {error.clause}.", hint=error.hint or hint
    )
