"""What a page about a video shows: pictures along the timeline, and a video to play."""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

from PIL import Image

from i3d.errors import I3DError, OutputError
from i3d.progress import NO_PROGRESS
from i3d.video.frames import shrink, to_rgb
from i3d.video.reader import VideoReader
from i3d.video.timing import ASSUMED_FPS, MAX_SANE_FPS

if TYPE_CHECKING:
    from i3d.progress import Progress
    from i3d.video.frames import Frame
    from i3d.video.info import ClipInfo

MAX_STILLS = 60
"""More would not fit side by side on a wide screen."""

STILL_HEIGHT = 128
"""Height of a still in pixels: twice what it is shown at, for screens with fine pixels."""

COPY_SIDE = 426
"""Longer side of a small copy in pixels: 426x240 for most videos."""

MAX_COPY_BYTES = 3 * 2**20
"""A copy that was not asked for is left out if it is larger: the page stays below 5 MB."""

_PLAYED_BY_BROWSERS = frozenset({".mp4", ".m4v", ".webm", ".mov", ".ogv"})
"""Suffixes of files that browsers play, if they know the codecs. The page finds out."""

MediaChoice: TypeAlias = Literal["auto", "link", "embed", "none"]


@dataclass(frozen=True)
class Still:
    """A picture out of a video."""

    seconds: float
    """When it is shown."""
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True)
class Playable:
    """A video that a page plays."""

    url: str | None
    """Where it is, as a page beside `folder` links to it; None if `mp4` holds it."""
    mp4: bytes | None
    """A small copy."""
    offset_seconds: float
    """What is added to the player's time for the time since the video's first picture: where a copy
    begins; below 0 for a file whose pictures start after its clock, as those of some recorders."""


def take_stills(
    path: str,
    clip: ClipInfo,
    *,
    count: int = MAX_STILLS,
    image_fps: float = ASSUMED_FPS,
    progress: Progress = NO_PROGRESS,
) -> tuple[Still, ...]:
    """Take pictures at about equal distances out of the part of a video that a model saw.

    Args:
        path: The video.
        clip: That part.
        count: How many; fewer if there are fewer frames.
        image_fps: Frame rate of a folder of images.
        progress: Receives progress updates.

    Returns:
        The pictures, upright, sorted by time.

    Raises:
        VideoError: The video is missing or can't be decoded.
    """
    length = max(clip.end_seconds - clip.start_seconds, 1 / MAX_SANE_FPS)
    stills = []
    with (
        progress.task("taking pictures", count) as advance,
        VideoReader(
            path,
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
            fps=min(count / length, clip.fps, MAX_SANE_FPS),
            max_frames=count,
            image_fps=image_fps,
        ) as reader,
    ):
        for frame in reader:
            stills.append(_still(frame.image, frame.seconds))
            advance(1)
    return tuple(stills)


def find_playable(
    path: str,
    clip: ClipInfo,
    choice: MediaChoice,
    folder: Path,
    *,
    image_fps: float = ASSUMED_FPS,
    progress: Progress = NO_PROGRESS,
) -> Playable | None:
    """Find what a page plays.

    Args:
        path: The video.
        clip: The part of it that the page is about; a copy holds that alone.
        choice: `link`: the video where it lies. `embed`: a small copy. `none`: nothing. `auto`: a
            link to what browsers play, else a copy, if it is small enough for a page.
        folder: Where the page will lie.
        image_fps: Frame rate of a folder of images.
        progress: Receives progress updates.

    Returns:
        What it plays; None for nothing.

    Raises:
        VideoError: The video is missing or can't be decoded.
        OutputError: A copy was asked for and can't be made.
    """
    linkable = Path(path).is_file()
    if choice == "auto" and linkable and Path(path).suffix.lower() in _PLAYED_BY_BROWSERS:
        choice = "link"
    if choice == "none" or (choice == "link" and not linkable):
        return None
    if choice == "link":
        from i3d.pictures.sound import first_picture_seconds

        return Playable(_link(Path(path), folder), None, 0.0 - first_picture_seconds(path))
    limit = MAX_COPY_BYTES if choice == "auto" else None
    try:
        mp4 = _small_copy(path, clip, limit, image_fps, progress)
    except OSError as error:
        if isinstance(error, I3DError) and not isinstance(error, OutputError):
            raise  # the video is missing, say
        if choice == "auto":
            return None  # the page works without
        if isinstance(error, OutputError) and not error.strerror:
            raise  # no encoder
        raise OutputError(
            f"No copy of {path} can be made for the page: {error.strerror or error}.",
            hint="Make room for temporary files (their folder is TMPDIR), or leave the copy out: "
            "--video none.",
        ) from error
    return None if mp4 is None else Playable(None, mp4, clip.start_seconds)


def _still(image: Frame, seconds: float) -> Still:
    height, width = image.shape[:2]
    # A panorama would be wider than the page.
    small_height = min(STILL_HEIGHT, height, max(1, 4 * STILL_HEIGHT * height // width))
    small_width = max(1, round(width * small_height / height))
    picture = Image.fromarray(to_rgb(shrink(image, small_width, small_height)))
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=75)
    return Still(seconds, small_width, small_height, jpeg.getvalue())


def _link(path: Path, folder: Path) -> str:
    """The address of a file, as seen from a folder."""
    try:
        relative = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # another drive
        return path.resolve().as_uri()
    # A name with a colon before the first slash would be taken for a scheme.
    parts = relative.replace(os.sep, "/")
    return quote(os.fsencode(parts if parts.startswith("..") else f"./{parts}"))


def _small_copy(
    path: str, clip: ClipInfo, limit: int | None, image_fps: float, progress: Progress
) -> bytes | None:
    """Encode a part of a video, small; None if it exceeds the limit, in bytes."""
    from i3d.pictures.mp4 import VideoWriter

    start, end = clip.start_seconds, clip.end_seconds
    with (
        tempfile.TemporaryDirectory(prefix="i3d-") as folder,
        VideoReader(path, start_seconds=start, end_seconds=end, image_fps=image_fps) as reader,
        progress.task("making a copy to play") as advance,
    ):
        target = Path(folder) / "copy.mp4"
        frames = iter(reader)
        first = next(frames)
        width, height = _copy_size(first.image)
        source = path if Path(path).is_file() else None
        with VideoWriter(
            target,
            width,
            height,
            source=source,
            start_seconds=start,
            end_seconds=end,
        ) as writer:
            for number, frame in enumerate(chain([first], frames)):
                writer.write(to_rgb(shrink(frame.image, width, height)), frame.seconds - start)
                advance(1)
                if limit is not None and number % 100 == 99 and target.stat().st_size > limit:
                    return None
            writer.finish(end - start)
        if limit is not None and target.stat().st_size > limit:
            return None
        return target.read_bytes()


def _copy_size(image: Frame) -> tuple[int, int]:
    """Width and height of a copy: even, and no larger than the original."""
    height, width = image.shape[:2]
    scale = min(1.0, COPY_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
