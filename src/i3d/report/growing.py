"""A file of results that grows at its end, each piece on the disk before the next."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, BinaryIO

from i3d.errors import I3DError, OutputError
from i3d.files.whole import write_through
from i3d.report.known import cannot_read, cannot_write, foreign_file
from i3d.report.locking import NEW_FILE, open_locked, sync, sync_folder, take_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from i3d.analysis.results import Outcome
    from i3d.report.known import Known
    from i3d.report.layouts import Layout

_READ_BYTES = 2**20


class GrowingFile:
    """A file of results, open and locked for one process.

    What is torn at its end is cut off when it is opened, and of two results of one video the first
    goes. A file that was made here and has nothing in it is removed by `close`.

    Args:
        path: The file; where a link points, not the link.
        layout: How results stand in it.
        shown: Its name in messages.
        again: The old results count for nothing, and go when the first new one is on the disk.
        keep_empty: An empty file that was there before stays.

    Raises:
        UsageError: It is no regular file, or not such a file of results.
        OutputError: It can't be read or written, or another process writes to it.
    """

    def __init__(
        self, path: Path, layout: Layout, shown: str, *, again: bool, keep_empty: bool = True
    ) -> None:
        self.known: dict[str, Known] = {}
        """The results that were there when it was opened, or read again."""
        self._path = path
        self._new = path.with_name(f".{path.name}.i3d-new")
        self._layout = layout
        self.shown = shown
        """Its name in messages."""
        self._spans: dict[str, tuple[int, int]] = {}
        self._handle, was_made = open_locked(path, shown)
        self._is_torn = False
        self._is_ours_alone = was_made or not keep_empty
        try:
            with suppress(OSError):  # what a killed run left
                self._new.unlink(missing_ok=True)
            self._size = os.fstat(self._handle).st_size
            self._starts_over = again and self._size > 0
            if self._starts_over:
                self._check_beginning()
            else:
                self._read()
        except BaseException:
            self.close()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether it holds no results that count."""
        return self._starts_over or self._size <= len(self._layout.head)

    def append(self, outcome: Outcome) -> None:
        """Add a video's results; they are on the disk when this returns.

        Raises:
            OutputError: They can't be written. Nothing of them is in the file then, or a torn end,
                which the next one to open it cuts off.
        """
        block = self._layout.text(outcome).encode()
        if self._starts_over:
            self._replace(lambda file: file.write(self._layout.head + block))
            self._starts_over = False
            return
        is_first = self._size == 0
        if is_first:
            block = self._layout.head + block
        try:
            if self._is_torn:  # by a write that failed, when it could not be cut off
                self._cut()
            is_alone = os.fstat(self._handle).st_size == self._size
            if is_alone:
                self._write(block)
                is_alone = self._path.stat().st_size == self._size
            if is_first:
                sync_folder(self._path.parent)
        except FileNotFoundError:
            is_alone = False
        except OSError as error:
            raise cannot_write(self.shown, error) from error
        if not is_alone:
            raise OutputError(
                f"{self.shown} was changed or removed by somebody else while results were written "
                "to it.",
                hint="Run it again, and leave the file alone meanwhile.",
            )

    def drop(self, keys: Collection[str]) -> None:
        """Take results out that were there when the file was opened, if any are among these.

        Raises:
            OutputError: It can't be written; the file is as it was.
        """
        gone = [self._spans[key] for key in keys if key in self._spans]
        if gone:
            self._take_out(gone)

    def reread(self) -> None:
        """Read the file again: `known` is all that it holds now.

        Raises:
            UsageError, OutputError: As when it was opened.
        """
        self.known, self._spans = {}, {}
        self._read()

    def blocks(self) -> Iterator[bytes]:
        """What the file holds of each video in `known`, in the order of the file.

        Raises:
            OutputError: It can't be read.
        """
        with self._reader() as file:
            for start, end in sorted(self._spans.values()):
                file.seek(start)
                yield file.read(end - start)

    def remove(self) -> None:
        """Close the file and remove it.

        Raises:
            OutputError: It can't be removed.
        """
        self._is_ours_alone = False
        try:
            if os.name != "nt":  # while it is locked: whoever opens it now finds it gone
                self._path.unlink()
            self.close()
            if os.name == "nt":
                self._path.unlink()
        except OSError as error:
            raise cannot_write(self.shown, error) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._handle < 0:
            return
        handle, self._handle = self._handle, -1
        try:
            if self._is_ours_alone and os.fstat(handle).st_size == 0:
                with suppress(OSError):  # Windows keeps files that are open
                    self._path.unlink()
        finally:
            os.close(handle)

    def _check_beginning(self) -> None:
        with self._reader() as file:
            if not self._layout.begins(file):
                raise foreign_file(self.shown, self._layout.name)

    def _read(self) -> None:
        """Read the results, and cut off what is torn."""
        size = 0
        repeated = []
        with self._reader() as file:
            for block in self._layout.blocks(file, self.shown):
                key = block.known.path
                if key in self._spans:
                    repeated.append(self._spans.pop(key))
                    del self.known[key]  # so that both have the order of the file
                self.known[key] = block.known
                self._spans[key] = (block.start, block.end)
                size = block.end
            if not size:
                file.seek(0)
                head = file.read(len(self._layout.head))
                size = len(head) if head == self._layout.head else 0
        if size < self._size:
            self._size = size
            try:
                self._cut()
            except OSError as error:
                raise cannot_write(self.shown, error) from error
        if repeated:
            self._take_out(repeated)

    @contextmanager
    def _reader(self) -> Iterator[BinaryIO]:
        try:
            with open(self._handle, "rb", closefd=False) as file:
                file.seek(0)
                yield file
        except I3DError:  # some of them are OSErrors, too
            raise
        except OSError as error:
            raise cannot_read(self.shown, error) from error

    def _write(self, block: bytes) -> None:
        """Write at the end, all or nothing: one write, unless the system takes less."""
        rest = block
        try:
            while rest:  # a full disk takes a part, and gives its reason at the second try
                rest = rest[os.write(self._handle, rest) :]
            sync(self._handle)
        except BaseException:
            self._is_torn = True
            with suppress(OSError):
                self._cut()
            raise
        self._size += len(block)

    def _cut(self) -> None:
        """Cut off what is behind the last whole result."""
        os.ftruncate(self._handle, self._size)
        sync(self._handle)
        self._is_torn = False

    def _take_out(self, gone: Collection[tuple[int, int]]) -> None:
        """Write the file anew, without some parts of it."""
        ends = dict(gone)

        def copy(file: IO[bytes]) -> None:
            position = 0
            with self._reader() as old:
                for start in [*sorted(ends), self._size]:
                    old.seek(position)
                    while chunk := old.read(min(start - position, _READ_BYTES)):
                        file.write(chunk)
                        position += len(chunk)
                    position = ends.get(start, position)

        self._replace(copy)
        self.reread()

    def _replace(self, write: Callable[[IO[bytes]], object]) -> None:
        """Put a new file in the place of this one, with its permissions."""
        new = self._new
        try:
            new.unlink(missing_ok=True)
            handle = os.open(new, NEW_FILE, 0o666)
            try:
                with open(handle, "wb", closefd=False) as file:
                    write(file)
                    write_through(file)
                with suppress(OSError):  # some disks know no permissions
                    new.chmod(stat.S_IMODE(os.fstat(self._handle).st_mode))
                take_lock(handle)
                if os.name == "nt":  # where files that are open can't be renamed
                    os.close(handle)
                    os.close(self._handle)
                    handle = self._handle = -1
                new.replace(self._path)
            except BaseException:
                if handle >= 0:
                    os.close(handle)
                new.unlink(missing_ok=True)
                raise
            if handle < 0:
                handle, _ = open_locked(self._path, self.shown)
            else:
                os.close(self._handle)
            self._handle = handle
            self._size = os.fstat(handle).st_size
            sync_folder(self._path.parent)
        except I3DError:
            raise
        except OSError as error:
            raise cannot_write(self.shown, error) from error
