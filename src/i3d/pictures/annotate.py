"""A video with its timeline drawn on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from i3d.pictures.lettering import Lettering
from i3d.pictures.mp4 import VideoWriter
from i3d.pictures.overlay import Overlay
from i3d.progress import NO_PROGRESS
from i3d.video.frames import resize, to_rgb
from i3d.video.reader import VideoReader
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    import os

    from i3d.analysis.results import Timeline
    from i3d.progress import Progress
    from i3d.video.frames import Frame

__all__ = ["Annotated", "annotate", "check_font"]


@dataclass(frozen=True)
class Annotated:
    """What was written."""

    num_frames: int
    duration_seconds: float
    audio_codec: str | None
    """FFmpeg's name of the codec of the sound in the source; None where there is no sound."""
    is_audio_copied: bool
    """Whether the sound is the source's own; else it is encoded as AAC."""
    warnings: tuple[str, ...]
    """Clauses about what is not as it was in the source."""


def annotate(
    video_path: str,
    timeline: Timeline,
    target_path: str | os.PathLike[str],
    *,
    top: int = 1,
    font: str | None = None,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    image_fps: float = ASSUMED_FPS,
    progress: Progress = NO_PROGRESS,
) -> Annotated:
    """Write a video once more, with what its timeline says drawn on each picture.

    Every picture is kept, at its own time, upright, and the sound with them. The memory that it
    takes does not depend on the video's length.

    Args:
        video_path: A video file, an animated GIF, or a folder of images. Where images or frames
            differ in size, they are fitted into the size of the first.
        timeline: What is drawn: see `i3d.pictures.overlay.Overlay`.
        target_path: Where to: an MP4 with H.264 and AAC or MP3. Where it fails, none is left.
        top: How many labels are listed, at least 1; 1 for that of the segment alone.
        font: A TrueType file for labels in other letters than those of ASCII.
        start_seconds: The first moment written; it becomes 0.
        end_seconds: The first moment not written any more; None for the end of the video.
        image_fps: Frame rate of a folder of images.
        progress: Told of every picture that is written.

    Returns:
        What was written.

    Raises:
        UsageError: A number is out of its range, or the font can't be used.
        VideoNotFoundError: There is no such video.
        VideoDecodeError: It can't be decoded.
        VideoTooShortError: The span holds no frame.
        OutputError: The target can't be written, or nothing encodes H.264 here.
    """
    source = video_path if Path(video_path).is_file() else None
    expected = timeline.video.duration_seconds
    end = expected if end_seconds is None else min(end_seconds, expected)
    with (
        VideoReader(
            video_path, start_seconds=start_seconds, end_seconds=end_seconds, image_fps=image_fps
        ) as reader,
        progress.task(f"writing {video_path} anew", _num_frames(timeline, start_seconds, end)) as (
            advance
        ),
    ):
        frames = iter(reader)
        first = next(frames)
        height, width = first.image.shape[:2]
        overlay = Overlay(
            timeline,
            width,
            height,
            start_seconds=start_seconds,
            end_seconds=end,
            top=top,
            font=font,
        )
        with VideoWriter(
            target_path,
            width,
            height,
            source=source,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
        ) as writer:
            num_frames = 0
            for frame in chain([first], frames):
                image = to_rgb(_fitted(frame.image, width, height))
                overlay.draw(image, frame.seconds)
                writer.write(image, frame.seconds - start_seconds)
                num_frames += 1
                advance(1)
            end = reader.info.duration_seconds
            if end_seconds is not None:
                end = min(end, end_seconds)
            writer.finish(end - start_seconds)
    problem = writer.sound_problem
    return Annotated(
        num_frames,
        end - start_seconds,
        None if writer.sound is None else writer.sound.codec,
        writer.sound is not None and writer.sound.is_copied,
        () if problem is None else (f"its sound is not kept: {problem}",),
    )


def check_font(path: str | None) -> None:
    """Make sure that a font can be used, before the work starts.

    Raises:
        UsageError: The file is no font, or can't be read.
    """
    Lettering(10, path)


def _num_frames(timeline: Timeline, start: float, end: float) -> int:
    """About how many frames a span holds."""
    return max(1, round((end - start) * timeline.video.fps))


def _fitted(image: Frame, width: int, height: int) -> Frame:
    """Bring a frame to a size, in its own proportions, with black beside it."""
    own_height, own_width = image.shape[:2]
    if (own_height, own_width) == (height, width):
        return image
    scale = min(width / own_width, height / own_height)
    new_width, new_height = max(1, round(own_width * scale)), max(1, round(own_height * scale))
    left, top = (width - new_width) // 2, (height - new_height) // 2
    right, bottom = width - new_width - left, height - new_height - top
    small = resize(image, new_width, new_height)
    framed = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return np.asarray(framed, np.uint8)
