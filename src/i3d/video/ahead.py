"""Decodes the frames that a model sees in a thread of their own."""

from __future__ import annotations

import queue
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from i3d.video.frames import Frame, to_clip_frame
from i3d.video.identity import NotWantedError, describe_file, glance
from i3d.video.reader import VideoReader
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from typing_extensions import Self  # seen by type checkers only; in typing from 3.11 on

    from i3d.video.info import FileInfo, VideoInfo
    from i3d.video.isolated import DecodeProcess
    from i3d.video.recipes import Recipe

FRAMES_AHEAD = 256
"""How many frames are decoded ahead: 38 MB at 224 x 224."""

_POLL_SECONDS = 0.2
"""On Windows, a wait without a limit cannot be interrupted."""

ClipFrame: TypeAlias = "tuple[Frame, float, int]"
"""A frame, (size, size, 3) uint8 RGB; its time in seconds since the video's first one; its number
among the decoded ones."""

_Message: TypeAlias = "ClipFrame | Exception | None"
"""A frame; what went wrong; or the end."""


class ClipReader:
    """Decodes a video to the frames that a model sees.

    Decoding begins at once, in a thread of its own: while a model is loaded, or runs on what was
    decoded before. Use it as a context manager, or call `close`.

    Args:
        path: A video file, an animated GIF, or a folder of images.
        recipe: Which frames are used, and how they are cut; kept as an attribute.
        size: Height and width of the frames in pixels; kept as an attribute.
        start_seconds: First moment wanted.
        end_seconds: First moment not wanted; None for the end of the video.
        max_frames: Use at most this many frames (after thinning); 0 for all.
        image_fps: Frame rate of a folder of images.
        process: Decode in this process, and survive its death; None for this one.
        identify: Read the file once more, for its checksum.
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
        process: DecodeProcess | None = None,
        identify: bool = False,
    ) -> None:
        self.path = path
        self.recipe = recipe
        self.size = size
        self.end_seconds = end_seconds
        self.file: FileInfo | None = None
        """Which file it is, once all frames were taken or the video has failed; None where that was
        not asked for, or the file has changed since it was decoded."""
        self._options: dict[str, Any] = {
            "start_seconds": start_seconds,
            "end_seconds": end_seconds,
            "fps": recipe.fps,
            "max_frames": max_frames,
            "image_fps": image_fps,
        }
        self.process = process
        """The process that decodes; None for this one."""
        self._identify = identify
        self._source: VideoReader | DecodeProcess | None = None
        self._peeked: list[_Message] = []
        """The first message, once `wait` has taken it."""
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

    def close(self) -> bool:
        """Stop decoding. Safe to call twice.

        Returns:
            Whether it has stopped: it may hang within the decoder.
        """
        self._is_closed.set()
        self._thread.join(timeout=2)
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the first frame: the video can be read, as far as that tells.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
        """
        if not self._peeked:
            self._peeked.append(self._next())
        if isinstance(self._peeked[0], Exception):
            raise self._peeked[0]

    def frames(self) -> Iterator[ClipFrame]:
        """Give the frames as they are decoded; can be called once.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
        """
        self.wait()
        message = self._peeked[0]
        while message is not None:
            if isinstance(message, Exception):
                raise message
            yield message
            message = self._next()

    @property
    def video(self) -> VideoInfo:
        """Facts about the video so far, after `wait`; complete when all frames were taken."""
        return cast("VideoInfo", None if self._source is None else self._source.info)

    def _next(self) -> _Message:
        while True:
            with suppress(queue.Empty):
                return self._messages.get(timeout=_POLL_SECONDS)

    def _work(self) -> None:
        """Decode; what goes wrong is raised where the frames are waited for."""
        error: Exception | None = None
        before = glance(self.path) if self._identify else None
        try:
            with closing(self._decoded()) as frames:
                for frame in frames:
                    if not self._tell(frame):
                        return
        except Exception as problem:  # noqa: BLE001  (bugs, too)
            error = problem
        try:
            if before is not None:
                self.file = describe_file(self.path, since=before, is_wanted=self._is_wanted)
        except NotWantedError:
            return
        except Exception as problem:  # noqa: BLE001  (the same)
            error = error or problem
        self._tell(error)

    def _is_wanted(self) -> bool:
        return not self._is_closed.is_set()

    def _decoded(self) -> Generator[ClipFrame, None, None]:
        if self.process is not None:
            self._source = self.process
            frames = self.process.frames(self.path, self.recipe, self.size, **self._options)
            with closing(frames):
                yield from frames
            return
        with VideoReader(self.path, **self._options) as reader:
            self._source = reader
            for frame in reader:
                image = to_clip_frame(frame.image, size=self.size, crop=self.recipe.crop)
                yield image, frame.seconds, frame.index

    def _tell(self, message: _Message) -> bool:
        """Put a message into the queue; False once this is closed."""
        while not self._is_closed.is_set():
            with suppress(queue.Full):
                self._messages.put(message, timeout=_POLL_SECONDS)
                return True
        return False
