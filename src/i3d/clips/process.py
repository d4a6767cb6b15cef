"""Decoding in a process of its own, so that a crash or a hang of the decoder is survived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

import i3d
from i3d.clips import messages
from i3d.decoders import REENCODE_HINT
from i3d.errors import DecoderCrashedError, DecoderNotStartedError, DecoderTimeoutError
from i3d.sampling import ASSUMED_FPS

if TYPE_CHECKING:
    from collections.abc import Generator

    from i3d.recipes import Recipe
    from i3d.results import VideoInfo
    from i3d.transforms import Frame

DECODE_TIMEOUT_SECONDS = 60.0
"""After so long a silence a decoder is taken to hang. It gives a sign of life every half second
while it decodes at all; opening a file on a slow disk takes seconds."""

_STOP_SECONDS = 2.0
"""Time to stop a decoder half-way; one that takes longer is killed."""

# `python -m` would import what it needs from the current folder, which holds anybody's files.
_PROGRAM = (
    "import sys; sys.path[:] = filter(None, sys.path); import i3d.clips.worker as w; w.main()"
)

_LAST = frozenset({messages.END, messages.FAILURE, messages.BUG})


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
        self._child: _Child | None = None
        self._is_closed = False

    def close(self) -> None:
        """End the process. Safe to call twice; frames that are waited for come to an end."""
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
        """Decode a video, as `i3d.loader.VideoReader` and `to_clip_frame` do.

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
            decoded ones.

        Raises:
            UsageError: A number is out of its range.
            DecoderCrashedError: The process died of this video.
            DecoderTimeoutError: It stood still.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
            DecoderNotStartedError: No process can be started.
        """
        shown = os.fspath(path)
        self.info = None
        child = self._started()
        options = {
            "start_seconds": start_seconds,
            "end_seconds": end_seconds,
            "fps": fps,
            "max_frames": max_frames,
            "image_fps": image_fps,
        }
        kind = b""
        try:
            child.ask({"path": shown, "size": size, "crop": recipe.crop, "options": options})
            while True:
                kind, content = child.answer()
                if kind == messages.FRAME:
                    yield _frame(content, size)
                elif kind == messages.INFO:
                    self.info = messages.info_from_json(content)
                elif kind == messages.END:
                    return
                elif kind == messages.FAILURE:
                    raise messages.error_from_json(content)
                elif kind == messages.BUG:
                    raise _bug(shown, content)
        except (_ChildDiedError, messages.BrokenMessageError) as error:
            child.end()
            kind = messages.END
            if not self._is_closed:
                raise self._death(shown, child) from error
        finally:
            if kind not in _LAST:  # the caller has had enough
                child.stop()

    def _started(self) -> _Child:
        if self._child is None or not self._child.is_alive:
            if self._child is not None:
                self._child.end()
            self._child = _Child(self._timeout_seconds)
            try:
                kind, _ = self._child.answer()
            except (_ChildDiedError, messages.BrokenMessageError) as error:
                self._child.end()
                raise _not_started(f"it ends with {self._child.how_it_ended}") from error
            if kind != messages.READY:
                raise _not_started("it does not say that it is ready")
        return self._child

    def _death(self, shown: str, child: _Child) -> DecoderCrashedError | DecoderTimeoutError:
        if child.was_silent:
            return DecoderTimeoutError(
                f"Decoding {shown} stood still for {self._timeout_seconds:g} seconds, and was "
                "given up.",
                hint="Copy the file to a faster disk, or wait longer: --timeout.",
            )
        return DecoderCrashedError(
            f"The decoder crashed on {shown} ({child.how_it_ended}).", hint=REENCODE_HINT
        )


class _ChildDiedError(Exception):
    """Nothing comes from it any more."""


class _Child:
    """A running process, and who looks whether it still does something.

    Args:
        timeout_seconds: After so long a silence it is killed.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.was_silent = False
        """It was killed for its silence."""
        self._timeout_seconds = timeout_seconds
        self._waiting_since: float | None = None
        self._has_ended = threading.Event()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
            )
        except OSError as error:
            raise _not_started(error.strerror or str(error)) from error
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        threading.Thread(target=self._watch, name="i3d-watch", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._has_ended.is_set() and self._process.poll() is None

    @property
    def how_it_ended(self) -> str:
        """The signal that ended it, or its exit code."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {-code}, {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    def ask(self, request: dict[str, Any]) -> None:
        """Send a request.

        Raises:
            _ChildDiedError: It is gone.
        """
        try:
            self._requests.write(json.dumps(request).encode("ascii") + b"\n")
            self._requests.flush()
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            raise _ChildDiedError from error

    def answer(self) -> tuple[bytes, bytes]:
        """Wait for the next message.

        Raises:
            _ChildDiedError: It is gone.
            BrokenMessageError: That was no message.
        """
        self._waiting_since = time.monotonic()
        try:
            found = messages.receive(self._answers)
        except (OSError, ValueError) as error:
            raise _ChildDiedError from error
        finally:
            self._waiting_since = None
        if found is None:
            raise _ChildDiedError
        return found

    def stop(self) -> None:
        """Have it stop half-way; one that does not is killed."""
        limit = threading.Timer(_STOP_SECONDS, self._process.kill)
        limit.daemon = True
        limit.start()
        try:
            self.ask({"stop": True})
            while self.answer()[0] not in _LAST:
                pass
        except (_ChildDiedError, messages.BrokenMessageError):
            self.end()
        finally:
            limit.cancel()

    def end(self) -> None:
        """Kill it, and wait until it is gone. Safe to call twice, and from another thread."""
        self._has_ended.set()
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers):
            if self._waiting_since is None:  # else whoever reads from it sees its end
                with suppress(OSError):
                    stream.close()

    def _watch(self) -> None:
        """Kill it where somebody waits for it in vain."""
        while not self._has_ended.wait(min(self._timeout_seconds / 4, 1.0)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._timeout_seconds:
                self.was_silent = True
                self._process.kill()
                return


def _frame(content: bytes, size: int) -> tuple[Frame, float, int]:
    start = messages.FRAME_HEAD.size
    if len(content) != start + size * size * 3:
        raise messages.BrokenMessageError("a frame of another size")
    seconds, index = messages.FRAME_HEAD.unpack_from(content)
    return np.frombuffer(content, np.uint8, offset=start).reshape(size, size, 3), seconds, index


def _bug(shown: str, content: bytes) -> DecoderCrashedError:
    """A bug must be told, and yet be no more than one video that failed."""
    lines = [line for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    return DecoderCrashedError(
        f"Decoding {shown} met a bug: {lines[-1].strip() if lines else 'it says nothing'}.",
        hint="Please report it, if you can with the file.",
        details=tuple(lines),
    )


def _not_started(reason: str) -> DecoderNotStartedError:
    return DecoderNotStartedError(
        f"A process that decodes videos cannot be started: {reason}.",
        hint="Check the memory and the number of processes that are allowed, or classify the "
        "videos one by one.",
    )


def _environment() -> dict[str, str]:
    """This one's, in which the same i3d is found, wherever it was imported from."""
    home = Path(i3d.__file__).parent.parent
    environment = dict(os.environ)
    if home.name not in ("site-packages", "dist-packages"):
        others = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(home), *([others] if others else [])])
    return environment
