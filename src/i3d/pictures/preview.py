"""What a model sees of a video, to look at: an animation, a video, or a sheet of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from i3d.errors import UsageError
from i3d.progress import NO_PROGRESS
from i3d.video.info import ClipInfo
from i3d.video.recipes import MIN_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.progress import Progress
    from i3d.video.ahead import ClipReader
    from i3d.video.frames import Frame

PreviewFormat: TypeAlias = Literal["gif", "webp", "apng", "mp4", "png"]

__all__ = ["Preview", "PreviewFormat", "write_preview"]

MAX_KEPT = 500
"""Frames that are shown where `every` is not given: 75 MB at 224x224, 20 seconds."""

MAX_ASKED = 1000
"""Most frames of an animation: they are held in memory twice, 300 MB at 224x224."""

SHEET_FRAMES = 20
"""Frames on a sheet where `every` is not given."""

MAX_SHEET_FRAMES = 500
"""Most frames on a sheet. Drawing so many of 224x224 takes 90 MB, twice over."""


@dataclass(frozen=True)
class ShownFrame:
    """A frame as the model sees it."""

    image: Frame
    """(size, size, 3) uint8 RGB."""
    seconds: float
    """Time since the video's first frame."""
    number: int
    """Its index among the video's frames, from 0."""


@dataclass(frozen=True)
class Preview:
    """What a preview shows."""

    clip: ClipInfo
    """What the model would see."""
    num_frames: int
    """Frames in the file."""
    one_in: int
    """One frame was taken of so many of the clip's; 0 for a sheet of some at equal distances."""
    num_left_out: int
    """Taken frames that are too close to each other for the format."""


def write_preview(
    path: Path,
    reader: ClipReader,
    format_name: PreviewFormat,
    *,
    every: int | None = None,
    original: Frame | None = None,
    progress: Progress = NO_PROGRESS,
) -> Preview:
    """Write what a model sees of a video.

    In an animation each frame is shown until the next one's time, the last until the clip's end.
    WebP and animated PNG hold the very pixels that a model is fed; so does a sheet.

    Args:
        path: The file; an existing one is overwritten. A failure may leave half a file.
        reader: The clip; its frames are taken.
        format_name: `gif`; `webp` or `apng`, without loss; `mp4` (H.264); `png`, a sheet.
        every: Show the first frame and every `every`th from there, at least 1. None: all, but of
            more than 500 in a GIF, WebP or animated PNG every second, fourth, ...; 20 on a sheet.
        original: For a sheet: the clip's first frame, (height, width, 3) uint8 BGR, upright, before
            it was cut.
        progress: Receives progress updates.

    Returns:
        What it shows.

    Raises:
        UsageError: A sheet would show more than 500 frames, or an animation more than 1000; or as
            `ClipReader.frames` says.
        VideoError: The video can't be decoded, or its span holds no frame.
        OSError: The file can't be written.
    """
    frames = _ClipFrames(reader, progress)
    if format_name == "mp4":
        return _write_video(path, frames, every or 1)
    if every is None:
        kept, one_in = frames.thinned(MAX_KEPT)
    else:
        is_sheet = format_name == "png"
        what, limit = ("A sheet", MAX_SHEET_FRAMES) if is_sheet else ("An animation", MAX_ASKED)
        kept, one_in = [], every
        for frame in frames.every(every):
            if len(kept) == limit:
                raise UsageError(
                    f"{what} shows at most {limit} frames, and --every {every} asks for more.",
                    hint="Give a higher number, a shorter part of the video, or write an .mp4.",
                )
            kept.append(frame)
    if format_name != "png":
        from i3d.pictures.animation import write_animation

        start, clip = kept[0].seconds, frames.info
        shown = [(frame.image, frame.seconds - start) for frame in kept]
        left_out = write_animation(path, shown, clip.end_seconds - start, format_name)
        return Preview(clip, len(kept) - left_out, one_in, left_out)
    if original is None:
        raise ValueError("a sheet shows the original, too")
    if every is None:
        if kept[-1] is not frames.last:
            kept.append(frames.last)
        if one_in > 1 or len(kept) > SHEET_FRAMES:
            one_in = 0
            chosen = np.linspace(0, len(kept) - 1, SHEET_FRAMES).round().astype(int)
            kept = [kept[index] for index in chosen]
    from i3d.pictures.sheet import SheetFacts, draw_sheet

    facts = SheetFacts(reader.video, frames.info, reader.recipe, reader.size, one_in)
    draw_sheet(kept, original, facts).save(path, "PNG")
    return Preview(facts.clip, len(kept), one_in, 0)


def _write_video(path: Path, frames: _ClipFrames, every: int) -> Preview:
    from i3d.pictures.mp4 import VideoWriter

    size = frames.reader.size
    with VideoWriter(path, size, size) as writer:
        num_frames = 0
        for frame in frames.every(every):
            writer.write(frame.image, frame.seconds - frames.first.seconds)
            num_frames += 1
        writer.finish(frames.info.end_seconds - frames.first.seconds)
    return Preview(frames.info, num_frames, every, 0)


class _ClipFrames:
    """Gives a clip's frames as they come, once, and then says what clip that was.

    Args:
        reader: Gives the frames.
        progress: Receives progress updates.
    """

    first: ShownFrame
    last: ShownFrame
    """The latest frame so far."""

    def __init__(self, reader: ClipReader, progress: Progress) -> None:
        self.reader = reader
        self._progress = progress
        self._num_frames = 0

    def every(self, step: int) -> Iterator[ShownFrame]:
        """Give the first frame, and every `step`th from there, as they come.

        Raises:
            UsageError: A number is out of its range; as `ClipReader.frames` says.
            VideoError: The video can't be decoded, or its span holds no frame.
        """
        with self._progress.task("making the preview") as advance:
            for image, seconds, number in self.reader.frames():
                self.last = ShownFrame(image, seconds, number)
                if self._num_frames == 0:
                    self.first = self.last
                self._num_frames += 1
                if (self._num_frames - 1) % step == 0:
                    yield self.last
                advance(1)

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
        for index, frame in enumerate(self.every(1)):
            if index % step == 0 and len(kept) == limit:
                kept = kept[::2]
                step *= 2
            if index % step == 0:
                kept.append(frame)
        return kept, step

    @property
    def info(self) -> ClipInfo:
        """What clip it was, as results of a model describe it, once all frames have come."""
        start, last, count = self.first.seconds, self.last.seconds, self._num_frames
        video, span_end = self.reader.video, self.reader.end_seconds
        fps = (count - 1) / (last - start) if count > 1 else video.fps
        return ClipInfo(
            num_frames=count,
            num_frames_fed=max(count, MIN_FRAMES),
            start_seconds=start,
            # A thinned clip's last frame stands for no time after the video, or after the span.
            end_seconds=min(
                last + 1.0 / fps,
                video.duration_seconds,
                math.inf if span_end is None else span_end,
            ),
            fps=fps,
        )
