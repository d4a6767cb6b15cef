"""What a model sees of a video, to look at: an animation, a video, or a sheet of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from i3d.errors import UsageError
from i3d.pictures.shown_frames import ClipFrames, ShownFrame
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from i3d.pictures.animation import PictureWriter
    from i3d.progress import Progress
    from i3d.video.ahead import ClipReader
    from i3d.video.frames import Frame
    from i3d.video.info import ClipInfo

PreviewFormat: TypeAlias = Literal["gif", "webp", "apng", "mp4", "png"]

__all__ = ["Preview", "PreviewFormat", "write_preview"]

MAX_KEPT = 500
"""So many frames are kept while nobody knows how many there are: 75 MB at 224x224, 20 seconds."""

SHEET_FRAMES = 20
"""Frames on a sheet, where nobody says how many."""

MAX_SHEET_FRAMES = 500
"""A sheet of so many frames of 224x224 takes 90 MB while it is drawn, twice over."""


@dataclass(frozen=True)
class Preview:
    """What a preview shows."""

    clip: ClipInfo
    """What the model would see."""
    num_frames: int
    """Frames in the file."""
    one_in: int
    """Of how many frames of the clip one was taken; 0 for a sheet of some at equal distances."""
    num_left_out: int
    """Frames of those that were taken that the format cannot show, so close are they."""


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
        path: Where to; a file that is there is overwritten. A failure may leave half a file.
        reader: The clip; its frames are taken.
        format_name: `gif`; `webp` or `apng`, without loss; `mp4` (H.264); `png`, a sheet.
        every: Show the first frame and every `every`th from there, at least 1. None: all, but of
            more than 500 in a GIF, WebP or animated PNG every second, fourth, ...; 20 on a sheet.
        original: For a sheet: the clip's first frame, (height, width, 3) uint8 BGR, upright, before
            it was cut.
        progress: Who wants to know.

    Returns:
        What it shows.

    Raises:
        UsageError: A sheet would show more than 500 frames; or as `ClipReader.frames` says.
        VideoError: The video can't be decoded, or its span holds no frame.
        OSError: The file can't be written.
    """
    frames = ClipFrames(reader, progress)
    if format_name == "png":
        if original is None:
            raise ValueError("a sheet shows the original, too")
        return _write_sheet(path, reader, frames, every, original)
    shown: Iterable[ShownFrame]
    if every is None and format_name != "mp4":
        shown, one_in = frames.thinned(MAX_KEPT)
    else:
        one_in = every or 1
        shown = frames.every(one_in)
    with _open_writer(path, format_name, reader.size) as writer:
        num_frames, start = 0, 0.0
        for frame in shown:
            if num_frames == 0:
                start = frame.seconds
            writer.write(frame.image, frame.seconds - start)
            num_frames += 1
        clip = frames.info
        writer.finish(clip.end_seconds - start)
    num_left_out = getattr(writer, "num_left_out", 0)  # a video leaves none out
    return Preview(clip, num_frames - num_left_out, one_in, num_left_out)


def _open_writer(
    path: Path, format_name: PreviewFormat, size: int
) -> AbstractContextManager[PictureWriter]:
    if format_name == "gif":
        from i3d.pictures.gif import GifWriter

        return GifWriter(path, size, size)
    if format_name == "webp":
        from i3d.pictures.webp import WebpWriter

        return WebpWriter(path, size, size)
    if format_name == "apng":
        from i3d.pictures.apng import ApngWriter

        return ApngWriter(path, size, size)
    from i3d.pictures.mp4 import VideoWriter

    return VideoWriter(path, size, size)


def _write_sheet(
    path: Path, reader: ClipReader, frames: ClipFrames, every: int | None, original: Frame
) -> Preview:
    from i3d.pictures.sheet import SheetFacts, draw_sheet

    if every is None:
        kept, one_in = frames.thinned(MAX_KEPT)
        if frames.last is not None and kept[-1] is not frames.last:
            kept.append(frames.last)
        if one_in > 1 or len(kept) > SHEET_FRAMES:
            one_in = 0
            places = np.linspace(0, len(kept) - 1, SHEET_FRAMES).round().astype(int)
            kept = [kept[place] for place in places]
    else:
        kept, one_in = [], every
        for frame in frames.every(every):
            if len(kept) == MAX_SHEET_FRAMES:
                raise UsageError(
                    f"A sheet shows at most {MAX_SHEET_FRAMES} frames, and --every {every} asks "
                    "for more.",
                    hint="Give a higher number, or a shorter part of the video.",
                )
            kept.append(frame)
    facts = SheetFacts(reader.video, frames.info, reader.recipe, reader.size, one_in)
    draw_sheet(kept, original, facts).save(path, "PNG")
    return Preview(facts.clip, len(kept), one_in, 0)
