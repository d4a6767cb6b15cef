"""The models that i3d keeps: one folder each, whole or not there at all.

`<cache>/models/NAME/` holds a SavedModel and `model.json`, the record of where it came from and
what its files are. A folder without a record is none of ours: it is neither used nor replaced.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from i3d.engines.prepared import forget_prepared
from i3d.errors import CacheError, ModelNotInstalledError
from i3d.files.cache import models_dir
from i3d.files.whole import write_whole
from i3d.models.catalog import CATALOG, name_of_weights
from i3d.models.folders import (
    MODEL,
    cannot_read,
    cannot_write,
    folder_of,
    scratch_folder,
    shown_name,
    take_away,
)
from i3d.models.records import (
    RECORD,
    ModelRecord,
    fingerprint,
    record_files,
    record_from_json,
    record_to_json,
    sha256_of,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MODEL",
    "InstalledModel",
    "ModelRecord",
    "cannot_write",
    "check_place",
    "find_by_name",
    "folder_of",
    "install",
    "installed_models",
    "open_installed",
    "record_files",
    "remove",
    "scratch_folder",
]

_MAX_RECORD_BYTES = 1_000_000
"""A record of the catalogue's models has 2 kB; each file that a model holds adds 130 bytes."""

ARCHIVE_PREFIX = "sha256:"
"""What the names of models from archives begin with; the SHA-256 of the archive follows."""

_OVERTAKEN = (errno.ENOTEMPTY, errno.EEXIST)
"""Another process put its model there just now."""

_MAX_ATTEMPTS = 10
"""How often to clear the way, where locks don't work and others install the same model just now."""


@dataclass(frozen=True)
class InstalledModel:
    """A model in the cache."""

    directory: Path
    record: ModelRecord

    def damage(self) -> tuple[str, ...]:
        """Compare all files with the record, byte by byte.

        Returns:
            A clause for each file that is missing, unreadable or changed; empty for a whole model.
        """
        problems = []
        for name, file in self.record.files.items():
            path = self.directory / name
            try:
                if not path.is_file():
                    problems.append(f"{name} is missing")
                elif path.stat().st_size != file.num_bytes:
                    problems.append(
                        f"{name} has {path.stat().st_size} bytes instead of {file.num_bytes}"
                    )
                elif sha256_of(path) != file.sha256:
                    problems.append(f"{name} has changed")
            except (OSError, ValueError) as error:  # ValueError: a name that no file can have
                reason = getattr(error, "strerror", None) or error
                problems.append(f"{name} cannot be read ({reason})")
        return tuple(problems)

    @property
    def num_bytes(self) -> int:
        """Size of the files, as recorded."""
        return sum(file.num_bytes for file in self.record.files.values())


def open_installed(name: str) -> InstalledModel | None:
    """Find a model in the cache, without looking at its files.

    Args:
        name: A name in the catalogue, a whole address, or an archive's `sha256:...`.

    Returns:
        The model; None where there is none, or no record of it that can be read.

    Raises:
        CacheError: The folder is there, and can't be read.
    """
    if name in CATALOG:
        rename_by_weights()
    return _open(folder_of(name)) or _open_misnamed(name)


def _open_misnamed(name: str) -> InstalledModel | None:
    """Find a model in the place of another name, from which it could not be moved."""
    for other in CATALOG:
        directory = folder_of(other)
        record = _read_record(directory)
        if record is not None and name_of_weights(other, record.checkpoint) == name:
            return InstalledModel(directory, replace(record, name=name))
    return None


def rename_by_weights() -> tuple[str, ...]:
    """Give models that have the name of other weights their own, see `name_of_weights`.

    Where the cache can't be written they stay, and `open_installed` finds them where they are.

    Returns:
        A sentence for each model that was renamed.
    """
    notes = []
    for name in CATALOG:
        directory = folder_of(name)
        record = _read_record(directory)
        right = None if record is None else name_of_weights(name, record.checkpoint)
        if record is None or right is None:
            continue
        target = folder_of(right)
        with suppress(OSError, CacheError):
            _check_ours(target, right)
            renamed = replace(record, name=right, folder=target.name)
            write_whole(directory / RECORD, record_to_json(renamed).encode())
            there = _open(target)
            if there is not None and not there.damage():  # the same weights, under their name
                grave = take_away(directory)
                if grave is not None:
                    shutil.rmtree(grave, ignore_errors=True)
            else:
                _put(directory, target)
            notes.append(
                f"The {name} in the cache has the weights {record.checkpoint}, and is called "
                f"{right} now."
            )
    return tuple(notes)


def find_by_name(name: str) -> InstalledModel | None:
    """Find a model in the cache also by its address without the query, as `i3d model list` says it.

    Returns:
        The model of that name or address, else the only one that is shown so, else None.

    Raises:
        CacheError: The folder is there, and can't be read.
    """
    model = open_installed(name)
    if model is not None or "://" not in name:
        return model
    alike = [other for other in installed_models() if other.record.name == name]
    return alike[0] if len(alike) == 1 else None


def installed_models() -> list[InstalledModel]:
    """All models in the cache, by name, but for folders that can't be read.

    Raises:
        CacheError: The cache can't be read.
    """
    root = models_dir()
    try:
        folders = [path for path in root.iterdir() if not path.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise cannot_read(root, error) from error
    found = []
    for folder in folders:
        with suppress(CacheError):
            model = _open(folder)
            if model is not None:
                found.append(model)
    return sorted(found, key=lambda model: model.record.name)


def _open(directory: Path) -> InstalledModel | None:
    try:
        record = record_from_json(_read_small_file(directory / RECORD).decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_read(directory, error) from error
    except ValueError:
        return None  # damaged, or of another version of i3d: as good as not there
    # A copy of a model's folder under another name is not the model of that name; nor is what has
    # the weights of another name and could not be renamed.
    is_its_name = record.folder == directory.name
    if not is_its_name or name_of_weights(directory.name, record.checkpoint) is not None:
        return None
    return InstalledModel(directory, record)


def _read_record(directory: Path) -> ModelRecord | None:
    """The record of a model; None where it can't be read."""
    try:
        return record_from_json(_read_small_file(directory / RECORD).decode())
    except (OSError, ValueError):
        return None


def _read_small_file(path: Path) -> bytes:
    """Read a record; ValueError for what is no plain file, such as a pipe, or is too large."""
    status = path.stat()  # first, for opening a pipe waits for whoever writes to it
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_RECORD_BYTES:
        raise ValueError(path)
    with path.open("rb") as file:
        return file.read(_MAX_RECORD_BYTES)


def check_place(name: str) -> None:
    """See that a model may be put under its name, before it is fetched.

    Args:
        name: A name in the catalogue, a whole address, or an archive's `sha256:...`.

    Raises:
        CacheError: Something is there that i3d did not put there.
    """
    _check_ours(folder_of(name), name)


def _check_ours(directory: Path, name: str) -> None:
    if os.path.lexists(directory) and not os.path.lexists(directory / RECORD):
        label = shown_name(name)
        raise CacheError(
            f"{directory}, the place of {label}, holds something that i3d did not make.",
            hint=f"Move it away, and if it is a model, import it from there: i3d model import DIR; "
            f"or remove it: i3d model remove {label}",
        )


def install(scratch: Path, record: ModelRecord) -> InstalledModel:
    """Make a model visible under its name, in place of one that may be there.

    Args:
        scratch: Holds the SavedModel in the folder `MODEL`, which is moved.
        record: What it is, and in which folder it is to be; the one of its name by default.

    Raises:
        CacheError: The cache can't be written, or something is in the way that is not i3d's.
    """
    if not record.folder:
        record = replace(record, folder=folder_of(record.name).name)
    target, staged = models_dir() / record.folder, scratch / MODEL
    _check_ours(target, record.name)
    try:
        _remove_any(staged / RECORD)
        with (staged / RECORD).open("w", encoding="utf-8", newline="\n") as file:
            file.write(record_to_json(record))
            file.flush()
            os.fsync(file.fileno())
        _put(staged, target)
    except OSError as error:
        raise cannot_write(target.parent, error) from error
    return InstalledModel(target, record)


def _put(staged: Path, target: Path) -> None:
    """Rename a folder, in place of one that may be there; that one stays if it fails."""
    for attempts_left in range(_MAX_ATTEMPTS, -1, -1):
        grave = take_away(target)
        try:
            staged.rename(target)
        except BaseException as error:
            if grave is not None:
                _bring_back(grave, target)
            is_overtaken = isinstance(error, OSError) and error.errno in _OVERTAKEN
            if not is_overtaken or not attempts_left:
                raise
        else:
            if grave is not None:
                shutil.rmtree(grave, ignore_errors=True)
            return


def _bring_back(grave: Path, target: Path) -> None:
    """Put a folder back that was taken away, unless another process put one there meanwhile."""
    try:
        (grave / target.name).rename(target)
    except OSError as error:
        if error.errno not in _OVERTAKEN:
            return  # whoever needs it finds it in its grave, for a day
    shutil.rmtree(grave, ignore_errors=True)


def _remove_any(path: Path) -> None:
    """Remove a file or a folder that may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove(name: str) -> None:
    """Remove a model from the cache, damaged or not, or whatever is in its place.

    Args:
        name: A name in the catalogue, an address, or what `ModelRecord.name` says.

    Raises:
        ModelNotInstalledError: There is no such model in the cache.
        CacheError: The cache can't be written.
    """
    directory = folder_of(name)
    if not os.path.lexists(directory / RECORD):
        model = find_by_name(name)
        directory = directory if model is None else model.directory
    is_a_models_name = name in CATALOG or "://" in name or name.startswith(ARCHIVE_PREFIX)
    if not is_a_models_name or not os.path.lexists(directory):
        raise ModelNotInstalledError(
            f"The model {shown_name(name)} is not in the cache.", hint="See what is: i3d model list"
        )
    record = _read_record(directory)
    try:
        grave = take_away(directory)
    except OSError as error:
        raise cannot_write(directory.parent, error) from error
    if grave is not None:
        shutil.rmtree(grave, ignore_errors=True)
    if record is not None:
        forget_prepared(fingerprint(record.files))
