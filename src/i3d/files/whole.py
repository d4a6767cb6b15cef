"""Private folders, in which things are put together before they get their names.

What a killed process leaves behind is removed by the next one on the same machine.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from i3d.errors import CacheError, I3DError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

FULL_DISK = frozenset(
    code for name in ("ENOSPC", "EDQUOT") if (code := getattr(errno, name, None)) is not None
)
"""Error numbers for a full disk, or a used-up quota."""

_NO_FSYNC = frozenset({errno.EINVAL, errno.ENOSYS, getattr(errno, "ENOTSUP", errno.EINVAL)})
"""Error numbers of disks without `fsync`, such as some network drives."""

PREFIX = ".fetching-"
"""How the names of private folders start: hidden, and different from a user's own."""

ABANDONED_SECONDS = 24 * 3600
"""Age at which a folder is taken for one that a killed run left, where its lock can't tell."""

_IN_USE = "in-use"
"""A file in each private folder; it is locked while the folder's process lives."""


@contextmanager
def private_folder(root: Path, *abandoned: str) -> Iterator[Path]:
    """Make a private folder on the disk that its contents will go to.

    It is removed after the block, with all that was not moved out of it.

    Args:
        root: The folder to make it in; made where it is missing.
        abandoned: Prefixes of the names of other folders that killed runs leave there.

    Raises:
        OSError: It can't be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    for prefix in (PREFIX, *abandoned):
        _remove_abandoned(root, prefix)
    folder, in_use = _make(root)
    try:
        yield folder
    finally:
        in_use.release()  # before the folder goes: Windows keeps files that are open
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn the system's errors about a folder that is written to into CacheError."""
    try:
        yield
    except I3DError:  # some of ours are OSErrors, too
        raise
    except OSError as error:
        if error.errno in FULL_DISK:
            raise CacheError(
                f"The disk of the folder {folder} is full.",
                hint="Make room, or choose a folder on another disk in I3D_CACHE_DIR.",
            ) from error
        raise CacheError(
            f"The folder {folder} cannot be written: {error.strerror or error}.",
            hint="Choose another one in I3D_CACHE_DIR.",
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file under a private name, and rename it when it is on the disk.

    Args:
        path: The file; its folder is made where it is missing. One that was there is replaced.
        content: All of it.

    Raises:
        OSError: It can't be written; nothing is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    private = path.with_name(f".i3d-{secrets.token_hex(8)}")
    try:
        with private.open("xb") as file:
            file.write(content)
            write_through(file)
        take_place(private, path)
    finally:
        with suppress(OSError):
            private.unlink(missing_ok=True)


def take_place(private: Path, path: Path) -> None:
    """Give a file that is whole its name; it keeps the permissions of one that was there.

    Raises:
        OSError: It can't be renamed.
    """
    with suppress(OSError):  # there was none, or the disk knows no permissions
        private.chmod(path.stat().st_mode & 0o777)
    private.replace(path)


def _remove_abandoned(root: Path, prefix: str) -> None:
    """Remove what killed runs left: those of this machine, and what is too old to be in use."""
    for folder in root.glob(f"{prefix}*"):
        with suppress(OSError):
            is_old = time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
            if is_old or (folder.name.startswith(_own_prefix()) and _is_left(folder)):
                shutil.rmtree(folder, ignore_errors=True)


def write_through(file: IO[bytes]) -> None:
    """Wait until what was written is on the disk.

    Raises:
        OSError: It can't be written.
    """
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _make(root: Path) -> tuple[Path, BaseFileLock]:
    """Make a private folder, and lock the file in it that marks it as in use."""
    import filelock

    while True:
        folder = Path(tempfile.mkdtemp(prefix=_own_prefix(), dir=root))
        in_use = filelock.FileLock(folder / _IN_USE)
        try:
            in_use.acquire(blocking=False)
        except filelock.Timeout:
            continue  # before it was locked, another process took it for a killed one's
        except (OSError, NotImplementedError):
            pass  # this disk can't lock: its age will tell
        return folder, in_use


def _own_prefix() -> str:
    """Give the prefix of private folders made on this machine.

    On a shared disk, locks may not reach other machines.
    """
    host = hashlib.sha1(platform.node().encode("utf-8", "surrogateescape")).hexdigest()
    return f"{PREFIX}{host[:8]}-"


def _is_left(folder: Path) -> bool:
    """Tell whether the process that made a private folder is gone, by trying its lock."""
    import filelock

    if not (folder / _IN_USE).is_file():  # just made, or on a disk that can't lock
        return False
    in_use = filelock.FileLock(folder / _IN_USE)
    try:
        in_use.acquire(blocking=False)
    except (OSError, NotImplementedError):  # filelock.Timeout is an OSError
        return False
    in_use.release()
    return True
