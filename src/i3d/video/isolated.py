"""Decoding in a process of its own, so that a crash or a hang of the decoder is survived."""

from __future__ import annotations

import json
import math
import os
import threading
from typing import TYPE_CHECKING

import numpy as np

from i3d.errors import DecoderCrashedError, DecoderTimeoutError, VideoDecodeError
from i3d.video import messages
from i3d.video.child import Child, ChildDiedError, not_started
from i3d.video.decoding import REENCODE_HINT
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    from collections.abc import Generator

    from i3d.video.frames import Frame
    from i3d.video.info import VideoInfo
    from i3d.video.recipes import Recipe

DECODE_TIMEOUT_SECONDS = 60.0
"""After so long a silence a decoder is taken to hang. It gives a sign of life every half second
while it decodes at all; opening a file on a slow disk takes seconds."""

_NUM_STARTS = 3
"""So often in a row a process may die before it takes a video: who ends processes for want of
memory may have chosen it."""

_TICK_SECONDS = 0.5
"""While frames are decoded that nobody wants, a sign of life is given so often."""


class DecodeProcess:
    """Decodes videos, one after the other, in a child process.

    The process is started when it is needed, and again after it died. For one thread at a time;
    only `close` may be called from another one.

    Args:
        timeout_seconds: After so long a silence it is taken to hang.
    """

    def __init__(self, *, timeout_seconds: float = DECODE_TIMEOUT_SECONDS) -> None:
        self.info: VideoInfo | None = None
        """What is known of the last video by now; complete once all frames were given."""
        self._timeout_seconds = timeout_seconds
        self._child: Child | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        """Held to start a child, and to close: no child is started after that."""

    def close(self) -> None:
        """End the process. Safe to call twice; frames that are waited for come to an end."""
        with self._lock:
            self._is_closed = True
        if self._child is not None:
            self._child.end()

    def frames(
        self,
        path: str | os.PathLike[str],
        recipe: Recipe,
        size: int,
        *,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        fps: float | None = None,
        max_frames: int = 0,
        image_fps: float = ASSUMED_FPS,
    ) -> Generator[tuple[Frame, float, int], None, None]:
        """Decode a video, as `i3d.video.reader.VideoReader` and `to_clip_frame` do.

        Args:
            path: A video file, an animated GIF, or a folder of images.
            recipe: How its frames are cut.
            size: Their height and width in pixels.
            start_seconds: First moment wanted.
            end_seconds: First moment not wanted any more; None for the end of the video.
            fps: Thin denser videos to this rate; None for every frame.
            max_frames: Stop after this many frames; 0 for all.
            image_fps: Frame rate of a folder of images.

        Yields:
            (size, size, 3) uint8 RGB, read-only; the frame's time in seconds; its number among the
            decoded ones. Nothing more after `close`.

        Raises:
            UsageError: A number is out of its range.
            DecoderCrashedError: The process died of this video.
            DecoderTimeoutError: It stood still.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
            DecoderNotStartedError: No process can be started.
        """
        shown = os.fspath(path)
        self.info = None
        options = {
            "start_seconds": start_seconds,
            "end_seconds": end_seconds,
            "fps": fps,
            "max_frames": max_frames,
            "image_fps": image_fps,
        }
        request = {
            "path": shown,
            "folder": _current_folder(),
            "size": size,
            "crop": recipe.crop,
            "options": options,
            "tick_seconds": min(_TICK_SECONDS, self._timeout_seconds / 4),
        }
        child = self._begin(json.dumps(request))
        if child is None:
            return
        kind = messages.TAKEN
        try:
            while kind not in messages.LAST:
                kind, content = child.answer()
                if kind == messages.FRAME:
                    yield _frame(content, size)
                else:
                    self._hear(kind, content, shown)
        except (ChildDiedError, messages.BrokenMessageError) as error:
            child.end()
            kind = messages.END
            if not self._is_closed:
                raise self._death(shown, child, error) from error
        finally:
            if kind not in messages.LAST:  # the caller has had enough
                child.stop()

    def _begin(self, request: str) -> Child | None:
        """Have a child take a request; None where this was closed meanwhile.

        One that died since its last video is not the fault of this one: another gets it.
        """
        for _ in range(_NUM_STARTS):
            with self._lock:
                if self._is_closed:
                    return None
                if self._child is None or not self._child.is_alive:
                    if self._child is not None:
                        self._child.end()
                    self._child = Child(self._timeout_seconds)
                child = self._child
            try:
                child.begin(request)
            except (ChildDiedError, messages.BrokenMessageError):
                child.end()
                if child.was_silent:
                    break
            else:
                return child
        if self._is_closed:
            return None
        raise not_started(
            "it does not answer" if child.was_silent else f"it ends with {child.how_it_ended}"
        )

    def _hear(self, kind: bytes, content: bytes, shown: str) -> None:
        """Take a message that is no frame."""
        if kind == messages.INFO:
            self.info = messages.info_from_json(content, shown)
        elif kind == messages.FAILURE:
            raise messages.error_from_json(content)
        elif kind == messages.BUG:
            raise _bug(shown, content)
        elif kind not in (messages.TICK, messages.END):
            raise messages.BrokenMessageError(f"a message of no known kind, {kind!r}")

    def _death(self, shown: str, child: Child, error: Exception) -> VideoDecodeError:
        if child.was_silent:
            return DecoderTimeoutError(
                f"Decoding {shown} stood still for {self._timeout_seconds:g} seconds, and was "
                "given up.",
                hint="Copy the file to a faster disk, or wait longer: --timeout.",
            )
        if isinstance(error, messages.BrokenMessageError):
            reason, hint = f"it sent {error}", REENCODE_HINT
        else:
            reason, hint = child.how_it_ended, REENCODE_HINT
            if reason.endswith("SIGKILL"):
                hint = f"Memory may have run out. {hint}"
        return DecoderCrashedError(f"The decoder crashed on {shown} ({reason}).", hint=hint)


def _frame(content: bytes, size: int) -> tuple[Frame, float, int]:
    start = messages.FRAME_HEAD.size
    if len(content) != start + size * size * 3:
        raise messages.BrokenMessageError("a frame of another size")
    seconds, index = messages.FRAME_HEAD.unpack_from(content)
    if not math.isfinite(seconds):
        raise messages.BrokenMessageError("a frame without a time")
    return np.frombuffer(content, np.uint8, offset=start).reshape(size, size, 3), seconds, index


def _bug(shown: str, content: bytes) -> DecoderCrashedError:
    """A bug must be told, and yet be no more than one video that failed."""
    lines = [line for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    return DecoderCrashedError(
        f"Decoding {shown} met a bug: {lines[-1].strip() if lines else 'it says nothing'}.",
        hint="Please report it, if you can with the file.",
        details=tuple(lines),
    )


def _current_folder() -> str | None:
    """What relative paths start from: it may have changed since the child was started."""
    try:
        return os.getcwd()  # noqa: PTH109  (as text, for JSON)
    except OSError:  # it was removed
        return None
