"""A file of which only parts are here, as `zipfile` wants to read it."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Parts(io.RawIOBase):
    """A file of which some parts are here, and others are fetched when they are read.

    Args:
        num_bytes: The size of the whole file.
        parts: What is here: first byte -> content.
        fetch: Gives `num_bytes` from `start`; None: reading what is not here is an error.

    Attributes:
        parts: The same, with what was fetched.
        fetch: The same; can be set later.
    """

    def __init__(
        self,
        num_bytes: int,
        parts: dict[int, bytes],
        fetch: Callable[[int, int], bytes] | None,
    ) -> None:
        self._num_bytes = num_bytes
        self._position = 0
        self.parts = parts
        self.fetch = fetch

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, which may lie behind the end. OSError: it lies before the start."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._num_bytes}[whence]
        if base + offset < 0:
            raise OSError("before the start of the file")  # what a real file says to zipfile
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where the next read starts."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read. BadZipFile: some of it is not here, and not to be fetched."""
        start = self._position
        left = max(0, self._num_bytes - start)
        wanted = left if size < 0 else min(size, left)
        for first, part in self.parts.items():
            if first <= start and start + wanted <= first + len(part):
                break
        else:
            if self.fetch is None:
                raise zipfile.BadZipFile("its parts contradict each other")
            first, part = start, self.fetch(start, wanted)
            self.parts[first] = part
        self._position += wanted
        return part[start - first : start - first + wanted]
