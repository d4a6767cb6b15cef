"""The clip that a model sees, decoded in a thread of its own."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from i3d.errors import VideoTooLongError
from i3d.loader import VideoReader
from i3d.progress import NO_PROGRESS
from i3d.sampling import ASSUMED_FPS
from i3d.transforms import Frame, to_clip_frame

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from typing_extensions import Self  # seen by type checkers only; in typing from 3.11 on

    from i3d.engines.base import Clip
    from i3d.progress import Progress
    from i3d.recipes import Recipe
    from i3d.results import VideoInfo

MAX_FRAMES = 1500
"""Most frames that one pass may hold, one minute at 25 fps. All of them go through the network at
once, and I3D takes 4 to 5 MB a frame in TensorFlow (measured on 79 to 632 frames): 7 GB. OpenVINO
takes half of that."""

FRAMES_AHEAD = 256
"""So many frames are decoded ahead of whoever takes them: 38 MB at 224 x 224."""

_POLL_SECONDS = 0.2
"""A wait without an end could not be interrupted on Windows."""

_Message: TypeAlias = "tuple[Frame, float, int] | Exception | None"
"""A frame, its time in seconds and its number; what went wrong; or the end."""


class _NothingYet:
    """No message has been taken yet."""


@dataclass(frozen=True)
class DecodedClip:
    """A clip and where it came from."""

    path: str | os.PathLike[str]
    """The video."""
    recipe: Recipe
    """Which of its frames were used, and how they were cut."""
    end_seconds: float | None
    """First moment that was not wanted any more; None for the end of the video."""
    frames: Clip
    """(T, size, size, 3) uint8 RGB."""
    times: tuple[float, ...]
    """Of each frame, in seconds since the video's first one."""
    video: VideoInfo
    """What is known of the video after it was decoded."""


class ClipReader:
    """Decodes a video to the clip that a model sees.

    Decoding begins at once, in a thread of its own: while a model is loaded, or runs on the video
    before. Use it as a context manager, or call `close`.

    Args:
        path: A video file, an animated GIF, or a folder of images.
        recipe: Which frames are used, and how they are cut.
        size: Height and width of the clip in pixels; kept as an attribute.
        start_seconds: First moment wanted.
        end_seconds: First moment not wanted any more; None for the end of the video.
        max_frames: Use at most this many frames (after thinning); 0 for all.
        image_fps: Frame rate of a folder of images.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        recipe: Recipe,
        size: int,
        *,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        max_frames: int = 0,
        image_fps: float = ASSUMED_FPS,
    ) -> None:
        self._path = path
        self._recipe = recipe
        self.size = size
        self._options: dict[str, Any] = {
            "start_seconds": start_seconds,
            "end_seconds": end_seconds,
            "fps": recipe.fps,
            "max_frames": max_frames,
            "image_fps": image_fps,
        }
        self._reader: VideoReader | None = None
        self._first: _Message | _NothingYet = _NothingYet()
        self._messages: queue.Queue[_Message] = queue.Queue(FRAMES_AHEAD)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="i3d-decode", daemon=True)
        self._thread.start()

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
        """Stop decoding. Safe to call twice."""
        self._is_closed.set()
        self._thread.join(timeout=2)

    def wait(self) -> None:
        """Wait for the first frame: the video can be read, as far as that tells.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
        """
        self._take_first()

    def read(self, progress: Progress = NO_PROGRESS) -> DecodedClip:
        """Wait for the clip; can be called once.

        Args:
            progress: Who wants to know.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video is missing, can't be decoded, or its span holds no frame or more
                than `MAX_FRAMES`.
        """
        message = self._take_first()
        total = None if self._reader is None else self._reader.info.num_frames_from_header
        frames: Clip = np.empty((_capacity(total), self.size, self.size, 3), np.uint8)
        times: list[float] = []
        with progress.task(f"decoding {self._path}", total) as advance:
            num_decoded = 0
            while message is not None:
                if isinstance(message, Exception):
                    raise message
                image, seconds, index = message
                if len(times) == MAX_FRAMES:
                    raise self._too_long(seconds)
                if len(times) == len(frames):
                    frames = np.concatenate([frames, np.empty_like(frames)])
                frames[len(times)] = image
                times.append(seconds)
                advance(index + 1 - num_decoded)
                num_decoded = index + 1
                message = self._next()
        return DecodedClip(
            path=self._path,
            recipe=self._recipe,
            end_seconds=self._options["end_seconds"],
            frames=frames[: len(times)],
            times=tuple(times),
            video=cast("VideoReader", self._reader).info,
        )

    def _take_first(self) -> _Message:
        if isinstance(self._first, _NothingYet):
            self._first = self._next()
        if isinstance(self._first, Exception):
            raise self._first
        return self._first

    def _next(self) -> _Message:
        while True:
            try:
                return self._messages.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue

    def _too_long(self, seconds: float) -> VideoTooLongError:
        return VideoTooLongError(
            f"{self._path} has more than the {MAX_FRAMES} frames that i3d can classify at once: "
            f"they reach {seconds:.0f} seconds into it.",
            hint="Choose a part of it with --start and --end, or fewer frames with --max-frames "
            "or a lower --fps.",
        )

    def _work(self) -> None:
        """Decode; what goes wrong is raised where the clip is waited for."""
        try:
            with VideoReader(self._path, **self._options) as self._reader:
                for frame in self._reader:
                    image = to_clip_frame(frame.image, size=self.size, crop=self._recipe.crop)
                    if not self._tell((image, frame.seconds, frame.index)):
                        return
            self._tell(None)
        except Exception as error:  # noqa: BLE001  (bugs, too)
            self._tell(error)

    def _tell(self, message: _Message) -> bool:
        """Put a message into the queue; False where nobody wants it any more."""
        while not self._is_closed.is_set():
            try:
                self._messages.put(message, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def _capacity(total: int | None) -> int:
    """For how many frames to make room: it grows, and what is not used costs nothing."""
    return min(MAX_FRAMES, 256 if total is None else total + 2)
