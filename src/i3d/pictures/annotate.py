"""Draws a video's timeline on its pictures, and writes the result."""

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
    """FFmpeg's name of the codec of the sound in the source; None without sound."""
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
    """Write a copy of a video with its timeline drawn on each picture.

    Every picture is kept, upright and at its own time, and so is the sound. The memory needed does
    not depend on the video's length.

    Args:
        video_path: A video file, an animated GIF, or a folder of images. Frames of other sizes are
            fitted into the size of the first.
        timeline: What is drawn: see `i3d.pictures.overlay.Overlay`.
        target_path: The new file: an MP4 with H.264 and AAC or MP3. A failure leaves none.
        top: How many labels are listed, at least 1; with 1, only the segment's.
        font: A TrueType file for labels with other characters than ASCII.
        start_seconds: The first moment written; it becomes 0.
        end_seconds: The first moment not written; None for the end of the video.
        image_fps: Frame rate of a folder of images.
        progress: Receives progress updates.

    Returns:
        What was written.

    Raises:
        UsageError: A number is out of its range, or the font can't be used.
        VideoNotFoundError: The video does not exist.
        VideoDecodeError: It can't be decoded.
        VideoTooShortError: The span holds no frame.
        OutputError: The target can't be written, or no encoder of H.264 is available.
    """
    source = video_path if Path(video_path).is_file() else None
    expected = timeline.video.duration_seconds
    end = expected if end_seconds is None else min(end_seconds, expected)
    with (
        VideoReader(
            video_path, start_seconds=start_seconds, end_seconds=end_seconds, image_fps=image_fps
        ) as reader,
        progress.task(f"annotating {video_path}", _num_frames(timeline, start_seconds, end)) as (
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
        UsageError: The file is not a font, or can't be read.
    """
    Lettering(10, path)


def _num_frames(timeline: Timeline, start: float, end: float) -> int:
    """About how many frames a span holds."""
    return max(1, round((end - start) * timeline.video.fps))


def _fitted(image: Frame, width: int, height: int) -> Frame:
    """Fit a frame into a size, keeping its proportions, with black bars."""
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
