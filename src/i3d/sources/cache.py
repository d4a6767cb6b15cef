"""The folder `models` in the cache: names in it, private folders, locks."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.download.attempts import shown
from i3d.errors import CacheError, ModelLoadError
from i3d.paths import models_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.progress import Progress

MODEL = "model"
"""Where in a scratch folder the SavedModel is put together."""

CHECKPOINT = "checkpoint"
"""Where in a scratch folder a checkpoint is downloaded to."""

_SCRATCH_PREFIX = ".fetching-"
_REMOVED_PREFIX = ".removed-"

ABANDONED_SECONDS = 24 * 3600
"""Age at which a folder that a killed run left is nobody's any more."""

LOCK_SECONDS = 1800
"""How long to wait for another process that fetches the same model, before fetching it twice. Half
an hour for 50 MB: 28 kB a second."""


def folder_of(name: str) -> Path:
    """The folder that a model has, or would have, in the cache.

    Args:
        name: A name in the catalogue; for anything else, such as an address, the folder is named
            by its SHA-1, as TensorFlow Hub's client does. A user name and password in an address
            do not count.
    """
    name = shown(name)
    if name.replace("-", "").isalnum() and name.isascii():
        return models_dir() / name
    return models_dir() / hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder in the cache, on the same disk as where the model will go.

    It is gone after the block, but for what `install` took from it.

    Raises:
        CacheError: The cache can't be written.
    """
    root = models_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=root))
    except OSError as error:
        raise cannot_write(root, error) from error
    try:
        yield folder
    except ModelLoadError as error:
        error.message = _without_folder(error.message, folder)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_folder(message: str, scratch: Path) -> str:
    """Leave a scratch folder, which is gone when the message is read, out of it."""
    for folder in (scratch / MODEL, scratch / CHECKPOINT):
        message = message.replace(f"{folder}{os.sep}", "").replace(f" in {folder}", "")
    return message


def _remove_abandoned(root: Path) -> None:
    """Remove what killed runs left, once it is too old to be of one that still runs."""
    for prefix in (_SCRATCH_PREFIX, _REMOVED_PREFIX):
        for folder in root.glob(f"{prefix}*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


def move_away(directory: Path) -> None:
    """Take a folder out of sight in one step, then delete it."""
    if not os.path.lexists(directory):
        return
    grave = Path(tempfile.mkdtemp(prefix=_REMOVED_PREFIX, dir=directory.parent))
    try:
        directory.rename(grave / directory.name)
    finally:
        shutil.rmtree(grave, ignore_errors=True)


@contextmanager
def lock(name: str, progress: Progress) -> Iterator[None]:
    """Let one process at a time fetch a model; the others wait.

    The system frees the lock of a process that dies. Where it can't lock (some network disks),
    or the other one takes longer than `LOCK_SECONDS`, both go on: each has a folder of its own.

    Raises:
        CacheError: The cache can't be written.
    """
    import filelock

    folder = models_dir() / ".locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(models_dir(), error) from error
    file_lock = filelock.FileLock(folder / f"{folder_of(name).name}.lock")
    try:
        file_lock.acquire(blocking=False)
    except filelock.Timeout:
        with (
            progress.task(f"waiting for another i3d that fetches {name}"),
            suppress(filelock.Timeout),
        ):
            file_lock.acquire(timeout=LOCK_SECONDS)
    except PermissionError as error:
        raise cannot_write(models_dir(), error) from error
    except (OSError, NotImplementedError):
        pass  # this disk can't lock
    try:
        yield
    finally:
        file_lock.release()


def cannot_write(folder: Path, error: OSError) -> CacheError:
    """The sentence for a cache that can't be written."""
    return CacheError(
        f"The cache folder {folder} cannot be written: {error.strerror or error}.",
        hint="Make room or mend its permissions, or choose another one in I3D_CACHE_DIR.",
    )


def cannot_read(folder: Path, error: OSError) -> CacheError:
    """The sentence for a cache that can't be read."""
    return CacheError(
        f"The cache folder {folder} cannot be read: {error.strerror or error}.",
        hint="Mend its permissions, or choose another one in I3D_CACHE_DIR.",
    )
