"""Reads timed frames from a path, and the tutorial's clip.

What a container claims is not trusted: frames are counted as they come, and times are the frames'
own timestamps, corrected where they make no sense.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from i3d.errors import UsageError, VideoDecodeError, VideoTooShortError
from i3d.video.decoding import REENCODE_HINT, open_decoder
from i3d.video.frames import FloatClip, Frame, scale_pixels, to_clip_frame
from i3d.video.info import VideoInfo
from i3d.video.timing import ASSUMED_FPS, MAX_SANE_FPS, FrameClock, FrameThinner, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self  # seen by type checkers only; in typing from 3.11 on

_ROUNDING_SECONDS = 1e-6
"""Frames this close before a border count as on it: 5/24 has no exact float."""


@dataclass(frozen=True)
class TimedFrame:
    """A decoded frame and its place in the video."""

    index: int
    """Position among the decoded frames, from 0."""
    seconds: float
    """Time since the first frame."""
    image: Frame
    """(height, width, 3) uint8 BGR, upright."""


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
        end_seconds: First moment not wanted; None for the end of the video.
        fps: Thin denser videos to this rate by timestamp, never duplicating a frame; None for
            every frame.
        max_frames: Stop after this many frames; 0 for all.
        image_fps: Frame rate of a folder of images, which does not say.
        on_frame: Called for each frame that is decoded, whether or not it is wanted.

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
        on_frame: Callable[[], None] = lambda: None,
    ) -> None:
        _check_span(start_seconds, end_seconds, max_frames)
        for name, rate in (("fps", fps), ("image_fps", image_fps)):
            if rate is not None and not 0 < rate <= MAX_SANE_FPS:
                raise UsageError(f"{name} must be above 0 and at most 1000, not {rate:g}.")
        self.path = os.fspath(path)
        self._start = start_seconds
        self._end = math.inf if end_seconds is None else end_seconds
        self._max_frames = max_frames
        self._thinner = None if fps is None else FrameThinner(fps)
        self._decoder = open_decoder(self.path, image_fps=image_fps)
        self._clock = FrameClock(self._decoder.nominal_fps)
        self._on_frame = on_frame
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
        self._decoder.close()

    @property
    def info(self) -> VideoInfo:
        """Facts about the video so far; complete once the iteration has ended."""
        decoder = self._decoder
        return VideoInfo(
            path=self.path,
            width=decoder.width,
            height=decoder.height,
            rotation_degrees=decoder.rotation_degrees,
            fps=self._clock.fps,
            fps_from_header=decoder.fps_from_header,
            num_frames_from_header=decoder.num_frames_from_header,
            num_frames_decoded=self._clock.num_frames - decoder.num_frames_damaged,
            duration_seconds=self._duration(),
            ended_early=self._exhausted and (decoder.is_cut_off or self._is_short()),
            num_frames_damaged=decoder.num_frames_damaged,
        )

    def _duration(self) -> float:
        decoded = self._clock.end_seconds
        declared, fps = self._decoder.num_frames_from_header, self._decoder.nominal_fps
        if self._exhausted or declared is None or fps is None:
            return decoded
        return max(decoded, declared / fps)

    def _is_short(self) -> bool:
        """Whether less was decoded than the header claims, in frames and in time.

        Decoders differ by a frame or two in good files (B-frames at the end, edit lists), and the
        count of a file with a variable frame rate is a guess: both must fall short by 2 %.
        """
        decoded = self._clock.num_frames
        declared, fps = self._decoder.num_frames_from_header, self._decoder.fps_from_header
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
        for frame in self._chosen():
            yield frame
            num_given += 1
            if num_given == self._max_frames:
                return
        if num_given == 0:
            raise self._no_frames()

    def _chosen(self) -> Iterator[TimedFrame]:
        """The frames of the span, thinned: each as soon as no later one can take its place."""
        best: TimedFrame | None = None
        for seconds in self._times():
            place = Place.FIRST if self._thinner is None else self._thinner.place(seconds)
            if seconds >= self._end - _ROUNDING_SECONDS:
                if place is Place.BETTER:
                    best = None  # its slot's frame lies outside the span
                break
            if place is Place.FIRST and best is not None:
                yield best
                best = None
            # Which frames are kept must not depend on where the span starts: only now ask.
            if place is Place.WORSE or seconds < self._start - _ROUNDING_SECONDS:
                continue
            image = self._decoder.image()
            if image is None:
                continue
            best = TimedFrame(self._clock.num_frames - 1, seconds, image)
            if self._thinner is None:
                yield best
                best = None
        if best is not None:
            yield best

    def _times(self) -> Iterator[float]:
        """Advance frame by frame to the end of the video; the time of each."""
        while True:
            timestamp = self._decoder.skip()
            if timestamp is None:
                self._exhausted = True
                return
            self._on_frame()
            yield self._clock.tick(timestamp)

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
        span = (
            f"from {self._start:g} seconds on"
            if self._end == math.inf
            else f"between {self._start:g} and {self._end:g} seconds"
        )
        return VideoTooShortError(
            f"{self.path} has no readable frame {span}.",
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
        end_seconds: First moment not wanted; None for the end of the video.

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


def _check_span(start_seconds: float, end_seconds: float | None, max_frames: int) -> None:
    if not 0 <= start_seconds < math.inf:
        raise UsageError(f"The start must be at least 0 seconds, not {start_seconds:g}.")
    if end_seconds is not None and not end_seconds > start_seconds:
        raise UsageError(
            f"The end must come after the start: {end_seconds:g} is not above {start_seconds:g}."
        )
    if max_frames < 0:
        raise UsageError(f"The number of frames must not be negative: {max_frames}.")
