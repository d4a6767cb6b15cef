"""What animated GIF, WebP and PNG have in common: pictures with times, written as they come.

Pillow's own writers of animations hold all pictures, and merge equal ones. Here Pillow compresses
single pictures, and the containers are put together around them, so that memory does not grow with
the number of pictures and each of them keeps its time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from typing_extensions import Self

    from i3d.video.frames import Frame

Box: TypeAlias = "tuple[int, int, int, int]"
"""Left, top, width and height in pixels."""


class PictureWriter(Protocol):
    """Somebody who writes pictures with their times: an animation, or `i3d.pictures.mp4`."""

    def write(self, image: Frame, seconds: float) -> None:
        """Add a picture, (height, width, 3) uint8 RGB; times grow from 0."""

    def finish(self, end_seconds: float) -> None:
        """Say when the last picture ends, and write what is left."""


class AnimationWriter(ABC):
    """Writes an animation that is repeated for ever; use it as a context manager.

    Each picture is shown until the next one's time. Times are rounded to the format's clock, not
    durations, so that nothing drifts.

    Args:
        path: The file; one that was there is overwritten. What `finish` did not make whole is no
            animation, and stays for the caller to remove.
        width: Of the pictures in pixels.
        height: Of the pictures in pixels.

    Raises:
        OSError: The file can't be written; as in all methods.
    """

    TICKS: ClassVar[int]
    """Units per second of the format's clock."""
    MIN_TICKS: ClassVar[int]
    """Browsers (Chromium, Firefox) show pictures of up to 0.01 seconds for 0.1 seconds, so
    that fast animations would crawl. Pictures that would be shown for less than this are left
    out."""
    MAX_TICKS: ClassVar[int]
    """The longest duration that the format can say; longer ones are cut to it."""
    STEP: ClassVar[int] = 1
    """Pictures start at multiples of so many pixels."""

    def __init__(self, path: str | os.PathLike[str], width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.num_written = 0
        """Pictures that are part of the file."""
        self.num_left_out = 0
        """Pictures that came too soon after the one before."""
        self._previous: Frame | None = None
        self._waiting: tuple[Box, bytes] | None = None
        self._tick = 0
        self._file = Path(path).open("wb")  # noqa: SIM115  (closed in __exit__)
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def write(self, image: Frame, seconds: float) -> None:
        """Add a picture.

        Args:
            image: (height, width, 3) uint8 RGB; kept until the next one comes.
            seconds: When it is shown, since the first picture's time, which is 0.

        Raises:
            ValueError: The picture has another size.
        """
        if image.shape != (self.height, self.width, 3):
            raise ValueError(f"a picture of {self.width}x{self.height}, not {image.shape}")
        tick = round(seconds * self.TICKS)
        if self._waiting is not None:
            if tick - self._tick < self.MIN_TICKS:
                self.num_left_out += 1
                return
            self._put_waiting(tick)
        box = self._changed_box(image)
        left, top, width, height = box
        self._waiting = box, self._encode(image[top : top + height, left : left + width], box)
        self._previous = image
        self._tick = tick

    def finish(self, end_seconds: float) -> None:
        """Write what is left: then the file is whole.

        Args:
            end_seconds: When the last picture ends.

        Raises:
            RuntimeError: No picture was written.
        """
        if self._waiting is None:
            raise RuntimeError("an animation has at least one picture")
        self._put_waiting(max(round(end_seconds * self.TICKS), self._tick + self.MIN_TICKS))
        self._end()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self._file.close()
            return
        try:
            self._file.close()
        except OSError:  # a full disk: what went wrong before is told
            return

    def _put_waiting(self, next_tick: int) -> None:
        assert self._waiting is not None  # the callers looked
        box, encoded = self._waiting
        self._put(encoded, box, min(next_tick - self._tick, self.MAX_TICKS))
        self.num_written += 1

    def _changed_box(self, image: Frame) -> Box:
        """The part of a picture that is not the same as in the one before; at least one pixel."""
        if self._previous is None:
            return 0, 0, self.width, self.height
        changed = np.any(image != self._previous, axis=2)
        if not changed.any():
            return 0, 0, 1, 1
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        left = int(columns[0]) // self.STEP * self.STEP
        top = int(rows[0]) // self.STEP * self.STEP
        return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top

    @abstractmethod
    def _begin(self) -> None:
        """Write what stands before the first picture."""

    @abstractmethod
    def _encode(self, part: Frame, box: Box) -> bytes:
        """Compress the changed part of a picture."""

    @abstractmethod
    def _put(self, encoded: bytes, box: Box, ticks: int) -> None:
        """Write a compressed picture that is shown for so many ticks."""

    @abstractmethod
    def _end(self) -> None:
        """Write what stands behind the last picture."""
