"""Video files, animated GIFs and folders of images to frames: the only decoder in i3d.

Decoding is OpenCV's, with the FFmpeg that its wheels bring along. What a container claims is
not believed: frames are counted as they come, times are the frames' own timestamps, and the
rotation that phones write into the file is applied here, once, with OpenCV's own switched off.
"""

from __future__ import annotations

import math
import os
import re
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from i3d.containers import explain_undecodable
from i3d.errors import UsageError, VideoDecodeError, VideoNotFoundError, VideoTooShortError
from i3d.results import VideoInfo
from i3d.sampling import FrameThinner
from i3d.transforms import FloatClip, Frame, rotate, scale_pixels, to_clip_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self  # seen by type checkers only; in typing from 3.11 on

ASSUMED_FPS = 25.0
"""Frame rate of a video that does not say, and of a folder of images: what I3D was trained on."""

MAX_SANE_FPS = 1000.0
"""Headers that claim more are wrong: WebM files without a rate come out as 1000 or 2000
(opencv/opencv#21006)."""

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Files in a folder that are taken for frames, whatever the case of their suffix."""

REENCODE_HINT = "If it plays elsewhere, re-encode it: ffmpeg -i FILE -c:v libx264 fixed.mp4"


@dataclass(frozen=True)
class TimedFrame:
    """A decoded frame and its place in the video."""

    index: int
    """Position among the decoded frames, from 0."""
    seconds: float
    """Time since the first frame."""
    image: Frame
    """(height, width, 3) uint8 BGR, upright."""


class _Source(Protocol):
    """Something that gives frames one after the other."""

    width: int
    height: int
    rotation_degrees: int
    fps_from_header: float | None
    num_frames_from_header: int | None
    num_frames_damaged: int

    def skip(self) -> float | None:
        """Advance to the next frame; its container timestamp in seconds, None at the end."""

    def image(self) -> Frame | None:
        """The pixels of the frame that `skip` reached; None where they can't be had."""

    def close(self) -> None:
        """Release the file."""


class VideoReader:
    """Reads a video frame by frame, in bounded memory.

    Use it as a context manager and iterate over it once:

        with VideoReader("clip.avi", start_seconds=2, fps=25) as reader:
            for frame in reader:
                ...
        print(reader.info.num_frames_decoded)

    Args:
        path: A video file, an animated GIF, or a folder of images (in natural order of their
            names: `img2.png` before `img10.png`).
        start_seconds: First moment wanted, counted from the video's first frame, at least 0.
        end_seconds: First moment not wanted any more; None for the end of the video.
        fps: Thin denser videos to this rate by timestamp, never duplicating a frame; None for
            every frame.
        max_frames: Stop after this many frames; 0 for all.
        image_fps: Frame rate of a folder of images, which can't say.

    Raises:
        UsageError: A number is out of its range, or `end_seconds` is not after `start_seconds`.
        VideoNotFoundError: There is no such file or folder.
        VideoDecodeError: It is not a regular file, may not be read, is empty, or holds no video
            that can be decoded; a folder holds no images.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        fps: float | None = None,
        max_frames: int = 0,
        image_fps: float = ASSUMED_FPS,
    ) -> None:
        _check_span(start_seconds, end_seconds, max_frames)
        for name, rate in (("fps", fps), ("image_fps", image_fps)):
            if rate is not None and not 0 < rate < math.inf:
                raise UsageError(f"{name} must be above 0, not {rate:g}.")
        self.path = os.fspath(path)
        self._start = start_seconds
        self._end = math.inf if end_seconds is None else end_seconds
        self._max_frames = max_frames
        self._thinner = FrameThinner(fps)
        self._source, nominal_fps = _open(self.path, image_fps)
        self._clock = _Clock(nominal_fps)
        self._exhausted = False
        self._iterated = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. Safe to call twice; `info` stays readable."""
        self._source.close()

    @property
    def info(self) -> VideoInfo:
        """What is known of the video by now; complete once the iteration has ended."""
        source = self._source
        declared, decoded = source.num_frames_from_header, self._clock.num_frames
        return VideoInfo(
            path=self.path,
            width=source.width,
            height=source.height,
            rotation_degrees=source.rotation_degrees,
            fps=self._clock.fps,
            fps_from_header=source.fps_from_header,
            num_frames_from_header=declared,
            num_frames_decoded=decoded,
            duration_seconds=self._clock.end_seconds,
            ended_early=self._exhausted and self._is_short(),
            num_frames_damaged=source.num_frames_damaged,
        )

    def _is_short(self) -> bool:
        """Whether less was decoded than the header claims, in frames and in time.

        Decoders differ by a frame or two in good files (B-frames at the end, edit lists), and the
        count of a file with a variable frame rate is a guess: both must fall short by 2 %.
        """
        source, decoded = self._source, self._clock.num_frames
        declared, fps = source.num_frames_from_header, source.fps_from_header
        if declared is None or decoded >= min(declared - 2, 0.98 * declared):
            return False
        return fps is None or self._clock.end_seconds < 0.98 * declared / fps

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give the frames of the span, once.

        Raises:
            RuntimeError: The reader was iterated over before.
            VideoDecodeError: Not one frame can be decoded.
            VideoTooShortError: The video ends before the span starts, or no frame falls into it.
        """
        if self._iterated:
            raise RuntimeError("a VideoReader can be iterated over once; open another one")
        self._iterated = True
        num_given = 0
        while self._max_frames == 0 or num_given < self._max_frames:
            timestamp = self._source.skip()
            if timestamp is None:
                self._exhausted = True
                break
            seconds = self._clock.tick(timestamp)
            if seconds >= self._end:
                break
            if not (self._thinner.keeps(seconds) and seconds >= self._start):
                continue
            image = self._source.image()
            if image is None:
                continue
            num_given += 1
            yield TimedFrame(self._clock.num_frames - 1, seconds, image)
        if num_given == 0:
            raise self._no_frames()

    def _no_frames(self) -> VideoDecodeError | VideoTooShortError:
        if self._clock.num_frames == 0:
            return VideoDecodeError(f"No frame of {self.path} can be decoded.", hint=REENCODE_HINT)
        length = self._clock.end_seconds
        if self._start >= length:
            return VideoTooShortError(
                f"{self.path} ends after {length:.2f} seconds, before the requested start at "
                f"{self._start:g} seconds.",
                hint=f"Choose a start below {length:.2f}.",
            )
        return VideoTooShortError(
            f"{self.path} has no readable frame between {self._start:g} and {self._end:g} seconds.",
            hint="Ask for a longer span.",
        )


def check_video(path: str | os.PathLike[str]) -> None:
    """Make sure that a video can be read, by decoding its first frame.

    Args:
        path: A video file, an animated GIF, or a folder of images.

    Raises:
        VideoNotFoundError: There is no such file or folder.
        VideoDecodeError: Nothing can be decoded.
    """
    with VideoReader(path, max_frames=1) as reader:
        for _ in reader:
            return


def load_video(
    path: str | os.PathLike[str],
    max_frames: int = 0,
    size: int = 224,
    *,
    fps: float | None = None,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
) -> FloatClip:
    """Load a video as the TensorFlow Hub tutorial's `load_video` does, to the pixel.

    Every frame is cut to its centre square (origin `x // 2 - side // 2`), resized bilinearly,
    turned from BGR to RGB and scaled to [0, 1]. I3D itself was trained on [-1, 1]: see the README.

    Args:
        path: A video file, an animated GIF, or a folder of images.
        max_frames: Load at most this many frames; 0 for all.
        size: Height and width of the clip in pixels.
        fps: Thin denser videos to this rate by timestamp; None for every frame.
        start_seconds: First moment wanted.
        end_seconds: First moment not wanted any more; None for the end of the video.

    Returns:
        (T, size, size, 3) float32 RGB in [0, 1], 0.6 MB a frame at 224: for long videos, iterate
        over a `VideoReader`.

    Raises:
        UsageError: A number is out of its range.
        VideoNotFoundError: There is no such file or folder.
        VideoDecodeError: Nothing can be decoded.
        VideoTooShortError: No frame falls into the span.
    """
    if size < 1:
        raise UsageError(f"The size of a clip must be at least 1 pixel, not {size}.")
    with VideoReader(
        path,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        fps=fps,
        max_frames=max_frames,
    ) as reader:
        frames = [to_clip_frame(frame.image, size=size) for frame in reader]
    return scale_pixels(np.stack(frames), (0.0, 1.0))


class _Clock:
    """Turns a container's timestamps into times that start at 0 and only grow.

    Timestamps are missing in some files, stand still, jump or start anew in others (an AVI with
    B-frames may end on a frame stamped 0). A frame's time is its timestamp less the first one;
    where that makes no sense, the distance to the timestamp before counts; where that makes no
    sense either, the frame comes one typical interval after the one before.
    """

    MAX_GAP_SECONDS = 3600.0
    """A longer silence between two frames is a broken timestamp, not a slow video."""

    def __init__(self, fps_from_header: float | None) -> None:
        self._nominal = 1.0 / (fps_from_header or ASSUMED_FPS)
        self._origin = 0.0
        self._previous = 0.0
        self._intervals: list[float] = []  # of the first frames: enough for a median
        self._seconds = 0.0
        self.num_frames = 0

    def tick(self, timestamp: float) -> float:
        """Take the next frame's timestamp in seconds; give its time since the first frame."""
        if self.num_frames == 0:
            self._origin = timestamp if math.isfinite(timestamp) else 0.0
        else:
            self._seconds += self._interval(timestamp)
        if math.isfinite(timestamp):
            self._previous = timestamp
        self.num_frames += 1
        return self._seconds

    def _interval(self, timestamp: float) -> float:
        since_first = timestamp - self._origin - self._seconds
        since_previous = timestamp - self._previous
        for interval in (since_first, since_previous):
            if 0 < interval < self.MAX_GAP_SECONDS:
                if len(self._intervals) < 1000:
                    self._intervals.append(interval)
                return interval
        return self._typical_interval()

    @property
    def fps(self) -> float:
        """Mean frame rate of the frames so far; the nominal one before the second frame."""
        if self.num_frames < 2 or self._seconds <= 0:
            return 1.0 / self._nominal
        return (self.num_frames - 1) / self._seconds

    @property
    def end_seconds(self) -> float:
        """End of the last frame: its time and one typical interval."""
        return self._seconds + self._typical_interval() if self.num_frames else 0.0

    def _typical_interval(self) -> float:
        return median(self._intervals) if self._intervals else self._nominal


class _FileSource:
    """A video file, through OpenCV's FFmpeg."""

    num_frames_damaged = 0

    def __init__(self, path: Path, shown_path: str) -> None:
        # An absolute path is never taken for a protocol ("concat:") or an option. Only FFmpeg is
        # asked: OpenCV would otherwise try "image sequence" and read a photo's neighbours.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            self._capture.release()
            raise VideoDecodeError(f"{shown_path} {explain_undecodable(path)}.", hint=REENCODE_HINT)
        # OpenCV turned frames the wrong way in 4.6 and ignored the rotation in 4.11
        # (opencv/opencv#22088, #26876): take the angle from it and turn the frames here.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        angle = round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.rotation_degrees = angle if angle in (90, 180, 270) else 0
        size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.width, self.height = size[::-1] if self.rotation_degrees in (90, 270) else size
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps_from_header: float | None = fps if 0 < fps <= MAX_SANE_FPS else None
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # OpenCV works out a missing count as duration times rate, so it is no better than the rate.
        sane_count = self.fps_from_header is not None and 0 < count < 2**53
        self.num_frames_from_header: int | None = int(count) if sane_count else None

    def skip(self) -> float | None:
        if not self._capture.grab():
            return None
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def image(self) -> Frame | None:
        ok, image = self._capture.retrieve()
        if not ok or image is None:
            return None
        return rotate(np.asarray(image, dtype=np.uint8), self.rotation_degrees)

    def close(self) -> None:
        self._capture.release()


class _FolderSource:
    """A folder of images, in natural order of their names, at a frame rate that is given."""

    rotation_degrees = 0  # OpenCV applies the EXIF orientation of a photo as it decodes it

    def __init__(self, path: Path, shown_path: str, fps: float) -> None:
        try:
            names = [entry for entry in path.iterdir() if _is_image(entry)]
        except OSError as error:
            raise VideoDecodeError(
                f"The folder {shown_path} cannot be read: {error.strerror or error}.",
                hint="Check its permissions.",
            ) from error
        if not names:
            raise VideoDecodeError(
                f"The folder {shown_path} contains no images.",
                hint="Give a video file, or a folder of numbered images "
                f"({', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES)}).",
            )
        self._paths = sorted(names, key=_natural_order)
        self._next = 0
        self._fps = fps
        self.fps_from_header: float | None = None
        self.num_frames_from_header: int | None = len(self._paths)
        self.num_frames_damaged = 0
        first = next((image for image in map(_read_image, self._paths) if image is not None), None)
        if first is None:
            raise VideoDecodeError(
                f"None of the {len(names)} images in {shown_path} can be read.",
                hint="Check that they open in an image viewer.",
            )
        self.height, self.width = first.shape[:2]

    def skip(self) -> float | None:
        if self._next == len(self._paths):
            return None
        self._next += 1
        return (self._next - 1) / self._fps

    def image(self) -> Frame | None:
        image = _read_image(self._paths[self._next - 1])
        if image is None:
            self.num_frames_damaged += 1
        return image

    def close(self) -> None:
        self._paths = self._paths[: self._next]


def _open(path: str, image_fps: float) -> tuple[_Source, float | None]:
    """Open a path, or say in one sentence why not. Gives the frame rate to assume, too."""
    if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE):
        raise VideoNotFoundError(
            f"{path} is a web address, and i3d reads local files only.",
            hint="Download the video first, then give the file.",
        )
    location = Path(path)
    try:
        mode = location.stat().st_mode
        if stat.S_ISDIR(mode):
            return _FolderSource(location, path, image_fps), image_fps
        if not stat.S_ISREG(mode):
            raise VideoDecodeError(
                f"{path} is {_kind_of(mode)}, not a video file.",
                hint="Write the video to a file first, then give that file.",
            )
        with location.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise VideoDecodeError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            hint="Check the file's permissions and the disk that it is on.",
        ) from error
    if empty:
        raise VideoDecodeError(
            f"{path} is empty (0 bytes).", hint="Copy or download the video again."
        )
    source = _FileSource(location, path)
    return source, source.fps_from_header


def _not_found(path: str) -> VideoNotFoundError:
    location = Path(path)
    if not location.parent.is_dir():
        return VideoNotFoundError(
            f"There is no video {path}: its folder does not exist.", hint="Check the path."
        )
    try:
        names = [entry.name for entry in location.parent.iterdir()]
    except OSError:
        names = []
    matches = get_close_matches(location.name, names, n=1, cutoff=0.75)
    hint = f"Did you mean {location.parent / matches[0]}?" if matches else "Check the path."
    return VideoNotFoundError(f"There is no video {path}.", hint=hint)


def _kind_of(mode: int) -> str:
    kinds = (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((kind for is_kind, kind in kinds if is_kind(mode)), "not a regular file")


def _is_image(entry: Path) -> bool:
    name = entry.name
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".") and entry.is_file()


def _natural_order(entry: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts `img2` before `img10`, with numbers of any length."""
    parts = re.split(r"([0-9]+)", entry.name)
    key = [(1, int(part), "") if part.isdigit() else (0, 0, part.casefold()) for part in parts]
    return [*key, (2, 0, entry.name)]  # names that differ only in case or zeros: a fixed order


def _read_image(path: Path) -> Frame | None:
    """Decode an image to (height, width, 3) uint8 BGR; None where it can't be read."""
    try:
        data = np.fromfile(path, dtype=np.uint8)  # cv2.imread can't open every name on Windows
    except OSError:
        return None
    if data.size == 0:
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # larger than OpenCV's limit of 2**30 pixels
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _check_span(start_seconds: float, end_seconds: float | None, max_frames: int) -> None:
    if not 0 <= start_seconds < math.inf:
        raise UsageError(f"The start must be at least 0 seconds, not {start_seconds:g}.")
    if end_seconds is not None and not end_seconds > start_seconds:
        raise UsageError(
            f"The end must come after the start: {end_seconds:g} is not above {start_seconds:g}."
        )
    if max_frames < 0:
        raise UsageError(f"The number of frames must not be negative: {max_frames}.")
