"""Files that one process writes to at a time, and what it writes on the disk.

The lock is on the file itself. The system frees it when the process ends, in whatever way.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from i3d.errors import I3DError, OutputError
from i3d.files.whole import write_through
from i3d.report.known import cannot_write

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)

NEW_FILE = _FLAGS | os.O_CREAT | os.O_EXCL
"""Flags for a file that must not be there yet."""

_MAX_TRIES = 100
"""How often a file is opened that others remove or replace meanwhile."""

_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
"""What systems say where another process holds the lock. What else they say means that the disk, a
network drive for one, can't lock."""

if sys.platform == "win32":
    import msvcrt

    _FAR_BYTE = 2**31 - 2
    """The last byte that the C library can lock: what is locked can't be read by others."""

    def take_lock(handle: int) -> bool:
        """Lock an open file for this process, or tell that another one has.

        A lock ends when the file is closed, or its process ends in whatever way.

        Args:
            handle: A file that is open for writing.

        Returns:
            False where somebody else holds the lock; True also where the disk can't lock.
        """
        position = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _FAR_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in _HELD
        finally:
            os.lseek(handle, position, os.SEEK_SET)
        return True

else:
    import fcntl

    def take_lock(handle: int) -> bool:
        """Lock an open file for this process, or tell that another one has.

        A lock ends when the file is closed, or its process ends in whatever way.

        Args:
            handle: A file that is open for writing.

        Returns:
            False where somebody else holds the lock; True also where the disk can't lock.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _HELD
        return True


def open_locked(path: Path, shown: str) -> tuple[int, bool]:
    """Open a file and lock it.

    Returns:
        Its handle, and whether it was made.

    Raises:
        OutputError: It can't be opened, or is locked.
    """
    try:
        for _ in range(_MAX_TRIES):
            was_made = False
            try:
                handle = os.open(path, _FLAGS)
            except FileNotFoundError:
                try:
                    handle = os.open(path, NEW_FILE, 0o666)
                except FileExistsError:
                    continue  # another process was faster
                was_made = True
            if not take_lock(handle):
                os.close(handle)
                raise OutputError(
                    f"Another i3d writes to {shown} at this moment.",
                    hint="Wait until it is done, or give another file.",
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle, was_made
            os.close(handle)  # before it was locked, its last owner removed or replaced it
    except I3DError:
        raise
    except OSError as error:
        raise cannot_write(shown, error) from error
    raise cannot_write(shown, OSError(errno.ESTALE, "the file is not the same twice"))


def sync(handle: int) -> None:
    """Have on the disk what was written to a file.

    Raises:
        OSError: It can't be written.
    """
    with open(handle, "ab", closefd=False) as file:
        write_through(file)


def sync_folder(folder: Path) -> None:
    """Have a new name in a folder on the disk, where the system can do that."""
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
