"""Decoding in a process of its own, so that a crash or a hang of the decoder is survived."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from i3d.errors import (
    DecoderCrashedError,
    DecoderNotStartedError,
    DecoderTimeoutError,
    VideoDecodeError,
)
from i3d.video.decoding import REENCODE_HINT
from i3d.video.info import VideoInfo
from i3d.video.worker import TICK

if TYPE_CHECKING:
    from collections.abc import Generator

    from i3d.video.frames import Frame
    from i3d.video.recipes import Recipe

DECODE_TIMEOUT_SECONDS = 60.0
"""A decoder that is silent for so long is taken to hang. It gives a sign of life every tenth of a
second while it decodes at all; opening a file on a slow disk takes seconds."""

_START_SECONDS = 60.0
"""Time to start in, which has nothing to do with any video: 0.2 seconds on an idle machine."""

_PIPE_BYTES = 2**20
"""Room for 6 frames of 224 x 224 in place of less than one, where Linux gives it: frames come 15 to
25 % faster. More than that is refused to most users."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; import i3d.video.worker as w; w.main()"
"""Imports the same i3d. `python -m` would import what it needs from the current folder."""


class _DiedError(Exception):
    """The process has ended, or sent something else than an answer."""


class DecodeProcess:
    """Decodes videos, one after the other, in a child process.

    The process is started when it is needed, and again after it died or a video was left before its
    end. For one thread at a time; only `close` may be called from another one. What the process
    sends is unpickled: it has the rights of this one, and is trusted as much.

    Args:
        timeout_seconds: A decoder that is silent for so long is taken to hang, and killed.
    """

    def __init__(self, *, timeout_seconds: float = DECODE_TIMEOUT_SECONDS) -> None:
        self.info: VideoInfo | None = None
        """Facts about the last video so far; complete once all frames were given."""
        self._timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._num_waits = 0
        """Odd while an answer is waited for."""
        self._was_silent = False
        self._is_closed = False
        self._lock = threading.Lock()
        """Held to start a process, and to close: none is started after that."""

    def close(self) -> None:
        """End the process. Safe to call twice; frames that are waited for come to an end."""
        with self._lock:
            self._is_closed = True
        if self._process is not None:
            _end(self._process)

    def frames(
        self, path: str | os.PathLike[str], recipe: Recipe, size: int, **options: Any
    ) -> Generator[tuple[Frame, float, int], None, None]:
        """Decode a video, as `i3d.video.reader.VideoReader` and `to_clip_frame` do.

        Args:
            path: A video file, an animated GIF, or a folder of images.
            recipe: How its frames are cut.
            size: Their height and width in pixels.
            **options: Those of `VideoReader`.

        Yields:
            (size, size, 3) uint8 RGB; the frame's time in seconds; its number among the decoded
            ones. Nothing more after `close`.

        Raises:
            UsageError: A number is out of its range.
            DecoderCrashedError: The process died of this video.
            DecoderTimeoutError: It stood still.
            VideoError: The video is missing or can't be decoded, or its span holds no frame.
            DecoderNotStartedError: No process can be started.
        """
        shown = os.fspath(path)
        self.info = None
        process = self._started()
        if process is None:
            return
        has_ended = False
        try:
            _ask(process, (shown, size, recipe.crop, options))
            while not has_ended:
                answer = self._answer(process)
                if isinstance(answer, tuple):
                    yield answer
                elif isinstance(answer, VideoInfo):
                    self.info = answer
                elif answer != TICK:
                    has_ended = True
                    if answer is not None:
                        raise answer
        except _DiedError as error:
            if not self._is_closed:
                raise self._death(shown, process) from error
        finally:
            if not has_ended:  # the caller has had enough, or the process is gone
                _end(process)

    def _started(self) -> subprocess.Popen[bytes] | None:
        """Give a process that is ready; None where this was closed meanwhile.

        Raises:
            DecoderNotStartedError: It can't be started.
        """
        with self._lock:
            if self._is_closed:
                return None
            if self._process is not None and self._process.poll() is None:
                return self._process
            try:
                process = self._process = _start()
            except OSError as error:
                raise _not_started(error.strerror or str(error)) from error
        self._was_silent = False
        limit = max(self._timeout_seconds, _START_SECONDS)
        threading.Thread(target=self._watch, args=(process, limit), daemon=True).start()
        try:
            self._answer(process)
        except _DiedError as error:
            _end(process)
            if self._is_closed:
                return None
            silent = self._was_silent
            reason = "it does not answer" if silent else f"it ends with {_how_it_ended(process)}"
            raise _not_started(reason) from error
        return process

    def _answer(self, process: subprocess.Popen[bytes]) -> Any:
        """Wait for the next answer."""
        self._num_waits += 1
        try:
            return pickle.load(cast("IO[bytes]", process.stdout))
        except Exception as error:  # a dying process may send anything
            raise _DiedError from error
        finally:
            self._num_waits += 1

    def _watch(self, process: subprocess.Popen[bytes], limit: float) -> None:
        """Kill a process that is waited for in vain.

        Steps are counted, not seconds: while this process is stopped (Ctrl-Z), nothing is silent.

        Args:
            process: The process.
            limit: How long it may take to start, in seconds.
        """
        step = min(self._timeout_seconds / 4, 1.0)
        first = last = self._num_waits
        silence = 0.0
        while process.poll() is None:
            time.sleep(step)
            now = self._num_waits
            silence = silence + step if now == last and now % 2 else 0.0
            last = now
            if silence >= (limit if now <= first + 1 else self._timeout_seconds):
                self._was_silent = True
                process.kill()

    def _death(self, shown: str, process: subprocess.Popen[bytes]) -> VideoDecodeError:
        _end(process)
        if self._was_silent:
            return DecoderTimeoutError(
                f"Decoding {shown} stood still for {self._timeout_seconds:g} seconds, and was "
                "given up.",
                hint="Copy the file to a faster disk, or wait longer: --timeout.",
            )
        reason, hint = _how_it_ended(process), REENCODE_HINT
        if reason.endswith("SIGKILL"):
            hint = f"Memory may have run out. {hint}"
        return DecoderCrashedError(f"The decoder crashed on {shown} ({reason}).", hint=hint)


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _PROGRAM.format(path=[str(folder) for folder in sys.path if folder]),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if sys.stderr is None else None,
        start_new_session=True,  # Ctrl-C is for this process
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # the user's pipes have had their share
            fcntl.fcntl(cast("IO[bytes]", process.stdout), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _ask(process: subprocess.Popen[bytes], request: object) -> None:
    stdin = cast("IO[bytes]", process.stdin)
    try:
        pickle.dump(request, stdin)
        stdin.flush()
    except (OSError, ValueError) as error:  # ValueError: closed by another thread
        raise _DiedError from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and wait until it is gone. Safe to call twice, and from another thread."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            cast("IO[bytes]", stream).close()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """The signal that ended a process, or its exit code."""
    code = process.returncode
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code:#x}" if code > 255 else f"exit code {code}"


def _not_started(reason: str) -> DecoderNotStartedError:
    return DecoderNotStartedError(
        f"A process that decodes videos cannot be started: {reason}.",
        hint="Check the limits on memory and processes, or classify the videos one by one.",
    )
