"""The folder `models` in the cache: names in it, private folders, locks."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import CacheError, ModelLoadError
from i3d.files.addresses import shown
from i3d.files.cache import downloads_dir, models_dir
from i3d.files.whole import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.progress import Progress

MODEL = "model"
"""Where in a scratch folder the SavedModel is put together."""

CHECKPOINT = "checkpoint"
"""Where in a scratch folder a checkpoint is downloaded to."""

UNPACKED = "unpacked"
"""Where in a scratch folder an archive is unpacked."""

_REMOVED_PREFIX = ".removed-"

LOCK_SECONDS = 600
"""How long to wait for another process that fetches the same model, before fetching it as well.
The system frees the lock of a process that died, so its holder is at work, or stopped by Ctrl-Z.
Ten minutes are enough for 51 MB at 85 kB a second; on a slower line it is downloaded twice."""


def shown_name(name: str) -> str:
    """A model's name as it may be shown and kept.

    An address loses its user name and password, and its query and fragment, which may hold a token.
    """
    return re.split(r"[?#]", shown(name), maxsplit=1)[0] if "://" in name else name


def folder_of(name: str) -> Path:
    """The folder that a model has, or would have, in the cache.

    Args:
        name: A name in the catalogue; for anything else, such as an address, the folder is named
            by its SHA-1, as TensorFlow Hub's client does. A user name and password in an address
            do not count; its query does.
    """
    name = shown(name)
    if name.replace("-", "").isalnum() and name.isascii():
        return models_dir() / name
    return models_dir() / hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder in the cache, on the same disk as where the model will go.

    It is gone after the block, but for what `install` took from it. What a killed process leaves
    is removed by the next one on this machine.

    Raises:
        CacheError: The cache can't be written.
    """
    root = models_dir()
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(private_folder(root, _REMOVED_PREFIX))
        except OSError as error:
            raise cannot_write(root, error) from error
        try:
            yield folder
        except (ModelLoadError, CacheError) as error:
            error.message = _without_folder(error.message, folder)
            raise


def _without_folder(message: str, scratch: Path) -> str:
    """Leave a scratch folder, which is gone when the message is read, out of it."""
    for folder in (scratch / MODEL, scratch / CHECKPOINT):
        message = message.replace(f"{folder}{os.sep}", "").replace(f" in {folder}", "")
    for folder in (scratch / UNPACKED, scratch / CHECKPOINT, scratch):
        message = message.replace(str(folder), str(scratch.parent))
    return message


def take_away(directory: Path) -> Path | None:
    """Take a folder out of sight in one step.

    Returns:
        The hidden folder that it is in now, under its name, for the caller to delete; None where
        there was nothing.

    Raises:
        OSError: It can't be moved, and is where it was.
    """
    if not os.path.lexists(directory):
        return None
    grave = Path(tempfile.mkdtemp(prefix=_REMOVED_PREFIX, dir=directory.parent))
    try:
        directory.rename(grave / directory.name)
    except BaseException as error:
        shutil.rmtree(grave, ignore_errors=True)
        if isinstance(error, FileNotFoundError):
            return None  # another process was faster
        raise
    return grave


@contextmanager
def lock(name: str, progress: Progress) -> Iterator[None]:
    """Let one process at a time fetch a model; the others wait.

    The system frees the lock of a process that dies. Where it can't lock (some network disks),
    or the other one takes longer than `LOCK_SECONDS`, both go on: each has a folder of its own.

    Args:
        name: The model's name or address.
        progress: Told when another process has to be waited for.

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
        label = shown_name(name)
        progress.note(f"Waiting for another i3d that fetches {label}. (Ctrl-C to stop.)")
        with (
            progress.task(f"waiting for another i3d that fetches {label}"),
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


def make_downloads_dir() -> Path:
    """Make the folder of unfinished downloads, which the next run goes on with.

    Raises:
        CacheError: The cache can't be written.
    """
    folder = downloads_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


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
