"""Animated PNG without loss: the pixels are those that were given.

The container is described in the third edition of the PNG specification (W3C).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image

from i3d.pictures.animation import AnimationWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.pictures.animation import Box
    from i3d.video.frames import Frame

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2
"""Colour type: red, green and blue, without a palette."""


class ApngWriter(AnimationWriter):
    """Writes an animated PNG; see `AnimationWriter`."""

    TICKS = 1000
    MIN_TICKS = 11
    MAX_TICKS = 65_535_000

    def _begin(self) -> None:
        self._sequence = 0
        header = struct.pack(">2I5B", self.width, self.height, 8, _RGB, 0, 0, 0)
        self._file.write(_SIGNATURE + _chunk(b"IHDR", header))
        self._counts_at = self._file.tell()
        self._put_counts(0)

    def _encode(self, part: Frame, box: Box) -> bytes:  # noqa: ARG002  (its place is not needed)
        buffer = io.BytesIO()
        Image.fromarray(part).save(buffer, "PNG")
        return b"".join(_image_data(buffer.getvalue()))

    def _put(self, encoded: bytes, box: Box, ticks: int) -> None:
        left, top, width, height = box
        # Duration as a fraction of 16 bits each: whole milliseconds up to 65 seconds.
        numerator, denominator = (ticks, 1000) if ticks < 2**16 else (ticks // 1000, 1)
        control = struct.pack(
            ">5I2H2B", self._number(), width, height, left, top, numerator, denominator, 0, 0
        )
        self._file.write(_chunk(b"fcTL", control))
        if self.num_written == 0:
            self._file.write(_chunk(b"IDAT", encoded))
        else:
            self._file.write(_chunk(b"fdAT", struct.pack(">I", self._number()) + encoded))

    def _end(self) -> None:
        self._file.write(_chunk(b"IEND", b""))
        self._file.seek(self._counts_at)
        self._put_counts(self.num_written)

    def _put_counts(self, num_pictures: int) -> None:
        self._file.write(_chunk(b"acTL", struct.pack(">2I", num_pictures, 0)))  # 0: for ever

    def _number(self) -> int:
        self._sequence += 1
        return self._sequence - 1


def _image_data(png: bytes) -> Iterator[bytes]:
    place = len(_SIGNATURE)
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        if png[place + 4 : place + 8] == b"IDAT":
            yield png[place + 8 : place + 8 + size]
        place += 12 + size


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
