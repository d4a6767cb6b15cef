"""Files that are not whole yet, and what is needed to continue them in another run."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import filelock

from i3d.errors import CacheError
from i3d.files.download.attempts import size_text
from i3d.files.download.disk import CHUNK_BYTES, PREFIX, common_folder, copy_whole, explained
from i3d.files.whole import write_through

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.files.download.answers import Answer

ABANDONED_SECONDS = 7 * 86_400.0
"""Nobody continues a download a week later; until then it saves the user the time."""


class Partial:
    """A file being filled; made by `open_partial`.

    Attributes:
        num_bytes: How many bytes it holds.
        total: How many it will hold, None where the server did not say it.
        was_resumed: What it holds was not brought by one single answer.
    """

    def __init__(self, path: Path, url: str, *, is_shared: bool, resumes_unvalidated: bool) -> None:
        self._path = path
        self._notes = path.with_suffix(".json")
        # What is written down must not hold the password or the key that an address may hold.
        self._address = _digest(url)
        self._is_shared = is_shared
        self._resumes_unvalidated = resumes_unvalidated
        self._etag: str | None = None
        self._last_modified: str | None = None
        self.total: int | None = None
        self.num_bytes = 0
        self.was_resumed = False
        with explained(path.parent):
            if is_shared and self._read_notes():
                # Unbuffered would be slower, and what a killed process had not flushed is missing
                # at the end only.
                self._file = path.open("ab")
                self.num_bytes = self._file.tell()
                # Where all is there but its name, the last byte is asked for again: the server is
                # to say that it is still the same file, and there is no range of no bytes.
                if self.total is not None:
                    self._shorten(min(self.num_bytes, max(0, self.total - 1)))
            else:
                self._file = path.open("wb" if is_shared else "xb")

    def conditions(self) -> dict[str, str]:
        """Give the headers that ask for the rest of the file; none if it must be asked for whole.

        The rest is only of use if it is the rest of the same file. The server checks that
        (`If-Range`), or the digest of the whole will show it.
        """
        validator = self._etag or self._last_modified
        if not self.num_bytes or (validator is None and not self._resumes_unvalidated):
            return {}
        conditions = {"Range": f"bytes={self.num_bytes}-"}
        if validator is not None:
            conditions["If-Range"] = validator
        return conditions

    def is_continued_by(self, answer: Answer) -> bool:
        """Whether an answer 206 is the rest of this file; if so, it will be taken for it."""
        if answer.content_range is None:
            return False
        first, _, total = answer.content_range
        if first != self.num_bytes:
            return False
        if self.total is not None and total is not None and total != self.total:
            return False
        for kept, now in (
            (self._etag, answer.etag),
            (self._last_modified, answer.last_modified),
        ):
            if kept is not None and now is not None and kept != now:
                return False
        self.was_resumed = True
        if self.total is None:
            self.total = total
        if self.total is None and answer.body_bytes is not None:
            self.total = first + answer.body_bytes
        return True

    def restart(self, answer: Answer | None = None) -> None:
        """Throw away what is there; an answer, if given, will bring the whole file."""
        with self._writing():
            self._shorten(0)
            self.was_resumed = False
            self._etag = self._last_modified = self.total = None
            if answer is not None:
                self._etag = answer.etag
                self._last_modified = answer.last_modified
                self.total = answer.body_bytes
            if self._is_shared:
                notes = {
                    "address": self._address,
                    "etag": self._etag,
                    "last_modified": self._last_modified,
                    "total": self.total,
                }
                self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def check_room(self, num_bytes: int) -> None:
        """Raise CacheError if the disk has no room for so many more bytes."""
        folder = self._path.parent
        try:
            free = shutil.disk_usage(folder).free
        except OSError:  # some network drives do not tell
            return
        if num_bytes > free:
            self.discard()
            raise CacheError(
                f"The disk of the folder {folder} is too full: the download takes "
                f"{size_text(num_bytes)}, and {size_text(free)} are free.",
                hint="Make room, or choose a folder on another disk in I3D_CACHE_DIR.",
            )

    def write(self, chunk: bytes) -> None:
        """Append bytes. CacheError: they cannot be written; nothing is left then."""
        with self._writing():
            self._file.write(chunk)
        self.num_bytes += len(chunk)

    def read(self) -> Iterator[bytes]:
        """Read back what was written."""
        with self._writing():
            self._file.flush()
        with explained(self._path.parent), self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def become(self, target: Path) -> None:
        """Give the file its final name. CacheError: it cannot have it; nothing is left then."""
        with self._writing():
            write_through(self._file)
            self._file.close()
        try:
            with explained(common_folder(self._path, target)):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._path.replace(target)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    copy_whole(self._path, target)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove it."""
        with suppress(OSError):
            self._file.close()
        for path in (self._path, self._notes):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Keep it for another run, if that one can continue it."""
        with suppress(OSError):
            self._file.close()
        if not (self._is_shared and self.conditions()):
            self.discard()

    def _shorten(self, num_bytes: int) -> None:
        self._file.flush()
        self._file.truncate(num_bytes)
        self._file.seek(num_bytes)
        self.num_bytes = num_bytes

    def _read_notes(self) -> bool:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            size = self._path.stat().st_size
        except (OSError, ValueError, RecursionError):
            return False
        if not isinstance(notes, dict) or notes.get("address") != self._address:
            return False
        total = notes.get("total")
        self.total = total if isinstance(total, int) and total >= size else None
        if self.total is None and total is not None:
            return False
        for name in ("etag", "last_modified"):
            value = notes.get(name)
            if not isinstance(value, str):
                value = None
            setattr(self, f"_{name}", value)
        self.was_resumed = size > 0
        return True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with explained(self._path.parent):
                yield
        except CacheError:
            self.discard()
            raise


@contextmanager
def open_partial(folder: Path, url: str, *, resumes_unvalidated: bool) -> Iterator[Partial]:
    """Open the unfinished file of an address, or a private one where another process has that.

    Args:
        folder: Where it is, or will be; made if it is missing.
        url: Names the file.
        resumes_unvalidated: The whole file's digest will be checked, so that it may be continued
            even if the server has no means to say that it is still the same.

    Returns:
        A context manager that gives the file. At its end the file is gone, unless another run can
        continue it.

    Raises:
        CacheError: The folder cannot be written.
    """
    key = _digest(url)[:32]
    shared = folder / f"{PREFIX}{key}.part"
    lock_file = shared.with_suffix(".lock")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(lock_file, timeout=0)
    is_shared = True
    try:
        lock.acquire()
        # Who had it before removes the file at its end. Where that happened between our opening
        # and locking it, a third one would lock a new file: what we hold then excludes nobody.
        is_shared = lock_file.exists()
    except (OSError, NotImplementedError, RuntimeError):  # busy, or a drive without locks
        is_shared = False
    try:
        _remove_abandoned(folder, our_lock=lock_file)
        path = shared if is_shared else folder / f"{PREFIX}{key}-{secrets.token_hex(8)}.part"
        partial = Partial(path, url, is_shared=is_shared, resumes_unvalidated=resumes_unvalidated)
        try:
            yield partial
        finally:
            partial.close()
    finally:
        if lock.is_locked:
            if is_shared and os.name != "nt":  # Windows removes it when it is released
                with suppress(OSError):
                    lock_file.unlink()
            lock.release()


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()


def _remove_abandoned(folder: Path, *, our_lock: Path) -> None:
    for path in folder.glob(f"{PREFIX}*"):
        # One that can't be looked at, locked or removed is left for another time.
        with suppress(OSError, NotImplementedError):
            if path == our_lock or time.time() - path.stat().st_mtime <= ABANDONED_SECONDS:
                continue
            if path.suffix in (".part", ".json"):
                path.unlink()
            elif path.suffix == ".lock":  # may be old and yet held
                with filelock.FileLock(path, timeout=0):
                    path.unlink()
