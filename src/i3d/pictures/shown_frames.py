"""Which of a clip's frames a preview shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.video.info import ClipInfo
from i3d.video.recipes import MIN_FRAMES
from i3d.video.timing import loop_indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.progress import Progress
    from i3d.video.ahead import ClipReader
    from i3d.video.frames import Frame


@dataclass(frozen=True)
class ShownFrame:
    """A frame as the model sees it."""

    image: Frame
    """(size, size, 3) uint8 RGB."""
    seconds: float
    """Time since the video's first frame."""
    number: int
    """Its place among the video's frames, from 0."""


class ClipFrames:
    """A clip's frames as they come, once, and afterwards what clip that was.

    Args:
        reader: Gives the frames.
        progress: Who wants to know.
    """

    def __init__(self, reader: ClipReader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._first_seconds = 0.0
        self._last: ShownFrame | None = None
        self._num_frames = 0

    def every(self, step: int) -> Iterator[ShownFrame]:
        """Give the first frame, and every `step`th from there, as they come.

        Raises:
            UsageError: A number is out of its range; as `ClipReader.frames` says.
            VideoError: The video can't be decoded, or its span holds no frame.
        """
        for index, frame in enumerate(self._all()):
            if index % step == 0:
                yield frame

    def thinned(self, limit: int) -> tuple[list[ShownFrame], int]:
        """Keep all frames; where there are more than `limit`, every second, fourth, ... of them.

        Returns:
            The frames, and 1, 2, 4, ...: of how many one was kept.

        Raises:
            UsageError: A number is out of its range; as `ClipReader.frames` says.
            VideoError: The video can't be decoded, or its span holds no frame.
        """
        kept: list[ShownFrame] = []
        step = 1
        for index, frame in enumerate(self._all()):
            if index % step:
                continue
            if len(kept) == limit:
                kept = kept[::2]
                step *= 2
                if index % step:
                    continue
            kept.append(frame)
        return kept, step

    @property
    def last(self) -> ShownFrame | None:
        """The last frame that came; None before the first."""
        return self._last

    @property
    def info(self) -> ClipInfo:
        """What clip it was, when all frames have come: as results of a model say it."""
        assert self._last is not None  # there is no clip without a frame
        last, count, video = self._last.seconds, self._num_frames, self._reader.video
        fps = (count - 1) / (last - self._first_seconds) if count > 1 else video.fps
        span_end = self._reader.end_seconds
        return ClipInfo(
            num_frames=count,
            num_frames_fed=len(loop_indices(count, MIN_FRAMES)),
            start_seconds=self._first_seconds,
            # A thinned clip's last frame stands for no time after the video, or after the span.
            end_seconds=min(
                last + 1.0 / fps,
                video.duration_seconds,
                math.inf if span_end is None else span_end,
            ),
            fps=fps,
        )

    def _all(self) -> Iterator[ShownFrame]:
        with self._progress.task("making the preview") as advance:
            for image, seconds, number in self._reader.frames():
                if self._num_frames == 0:
                    self._first_seconds = seconds
                self._num_frames += 1
                self._last = ShownFrame(image, seconds, number)
                yield self._last
                advance(1)
