"""The models that i3d keeps: one folder each, whole or not there at all.

`<cache>/models/NAME/` holds a SavedModel and `model.json`, the record of where it came from and
what its files are. A folder without a record is none of ours and is never used.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import ModelNotInstalledError
from i3d.paths import models_dir
from i3d.sources.cache import (
    MODEL,
    cannot_read,
    cannot_write,
    folder_of,
    move_away,
    scratch_folder,
)
from i3d.sources.records import (
    RECORD,
    ModelRecord,
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
    "folder_of",
    "install",
    "installed_models",
    "open_installed",
    "record_files",
    "remove",
    "scratch_folder",
]

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
            except OSError as error:
                problems.append(f"{name} cannot be read ({error.strerror or error})")
        return tuple(problems)

    @property
    def num_bytes(self) -> int:
        """Size of the files, as recorded."""
        return sum(file.num_bytes for file in self.record.files.values())


def open_installed(name: str) -> InstalledModel | None:
    """Find a model in the cache, without looking at its files.

    Returns:
        The model; None where there is none, or no record of it that can be read.

    Raises:
        CacheError: The folder is there, and can't be read.
    """
    return _open(folder_of(name))


def installed_models() -> list[InstalledModel]:
    """All models in the cache, by name.

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
    found = [model for folder in folders if (model := _open(folder)) is not None]
    return sorted(found, key=lambda model: model.record.name)


def _open(directory: Path) -> InstalledModel | None:
    try:
        text = (directory / RECORD).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise cannot_read(directory, error) from error
    try:
        return InstalledModel(directory, record_from_json(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # damaged, or of another version of i3d: as good as not there


def install(scratch: Path, record: ModelRecord) -> InstalledModel:
    """Make a model visible under its name, in place of one that may be there.

    Args:
        scratch: Holds the SavedModel in the folder `MODEL`, which is moved.
        record: What it is.

    Raises:
        CacheError: The cache can't be written.
    """
    target, staged = folder_of(record.name), scratch / MODEL
    try:
        with (staged / RECORD).open("w", encoding="utf-8", newline="\n") as file:
            file.write(record_to_json(record))
            file.flush()
            os.fsync(file.fileno())
        _put(staged, target)
    except OSError as error:
        raise cannot_write(target.parent, error) from error
    return InstalledModel(target, record)


def _put(staged: Path, target: Path) -> None:
    """Rename a folder, in place of one that may be there."""
    for attempts_left in range(_MAX_ATTEMPTS, -1, -1):
        move_away(target)
        try:
            staged.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not attempts_left:
                raise
        else:
            return


def remove(name: str) -> None:
    """Remove a model from the cache, damaged or not.

    Args:
        name: A name in the catalogue, an address, or what `ModelRecord.name` says.

    Raises:
        ModelNotInstalledError: There is no such model in the cache.
        CacheError: The cache can't be written.
    """
    directory = folder_of(name)
    if not os.path.lexists(directory):
        raise ModelNotInstalledError(
            f"The model {name} is not in the cache.", hint="See what is: i3d model list"
        )
    try:
        move_away(directory)
    except OSError as error:
        raise cannot_write(directory.parent, error) from error
