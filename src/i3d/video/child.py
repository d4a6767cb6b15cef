"""The process that decodes (`i3d.video.worker`), as the one that started it sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import i3d
from i3d.errors import DecoderNotStartedError
from i3d.video import messages

_START_SECONDS = 60.0
"""Time to start in, which has nothing to do with any video: 0.2 seconds where nobody else works."""

_STOP_SECONDS = 2.0
"""Time to stop a decoder half-way; one that takes longer is killed."""

_PIPE_BYTES = 2**20
"""Room for 6 frames of 224 x 224 in place of less than one, where Linux gives it: frames come 15 to
25 % faster. More than that is refused to most users."""

# `python -m` would import what it needs from the current folder, which holds anybody's files.
_PROGRAM = (
    "import sys; sys.path[:] = filter(None, sys.path); import i3d.video.worker as w; w.main()"
)


class ChildDiedError(Exception):
    """Nothing comes from it any more."""


class Child:
    """A running process, and who looks whether it still does something.

    Args:
        timeout_seconds: After so long a silence it is killed.

    Raises:
        DecoderNotStartedError: The system does not start it.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.was_silent = False
        """It was killed for its silence."""
        self._timeout_seconds = timeout_seconds
        self._is_ready = False
        self._wait: object | None = None
        """Is another object for each message that is waited for."""
        self._has_ended = threading.Event()
        if not sys.executable:
            raise not_started("nobody knows where Python is")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                # Ctrl-C is for this process, also before that one can say so.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise not_started(error.strerror or str(error)) from error
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        _enlarge(self._answers)
        try:
            threading.Thread(target=self._watch, name="i3d-watch", daemon=True).start()
        except RuntimeError as error:
            self.end()
            raise not_started(str(error)) from error

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._has_ended.is_set() and self._process.poll() is None

    @property
    def how_it_ended(self) -> str:
        """The signal that ended it, or its exit code."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"exit code {code:#x}" if (code or 0) > 255 else f"exit code {code}"
        try:
            return f"signal {-code}, {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    def begin(self, request: str) -> None:
        """Have it take a request, as soon as it is ready.

        Raises:
            ChildDiedError: It is gone.
            BrokenMessageError: It says something else.
        """
        if not self._is_ready:
            self._expect(messages.READY)
            self._is_ready = True
        self._ask(request)
        self._expect(messages.TAKEN)

    def answer(self) -> tuple[bytes, bytes]:
        """Wait for the next message.

        Raises:
            ChildDiedError: It is gone.
            BrokenMessageError: That was no message.
        """
        self._wait = object()
        try:
            found = messages.receive(self._answers)
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            raise ChildDiedError from error
        except BaseException:  # Ctrl-C: what comes next may begin half-way through a message
            self._process.kill()
            raise
        finally:
            self._wait = None
        if found is None:
            raise ChildDiedError
        return found

    def stop(self) -> None:
        """Have it stop half-way; one that does not is killed."""
        limit = threading.Timer(_STOP_SECONDS, self._process.kill)
        limit.daemon = True
        try:
            limit.start()
            self._ask(json.dumps({"stop": True}))
            while self.answer()[0] not in messages.LAST:
                pass
        except (ChildDiedError, messages.BrokenMessageError, RuntimeError):  # no more threads
            self.end()
        finally:
            limit.cancel()

    def end(self) -> None:
        """Kill it, and wait until it is gone. Safe to call twice, and from another thread."""
        self._has_ended.set()
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers):
            if self._wait is None:  # else whoever reads from it sees its end
                with suppress(OSError):
                    stream.close()

    def _ask(self, request: str) -> None:
        try:
            self._requests.write(request.encode("ascii") + b"\n")
            self._requests.flush()
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            raise ChildDiedError from error

    def _expect(self, kind: bytes) -> None:
        found, _ = self.answer()
        if found != kind:
            raise messages.BrokenMessageError(f"{found!r} in place of {kind!r}")

    def _watch(self) -> None:
        """Kill it where somebody waits for it in vain.

        Steps are counted, not seconds: while this process is stopped (Ctrl-Z), nobody is silent.
        """
        step = min(self._timeout_seconds / 4, 1.0)
        wait, silence = None, 0.0
        while not self._has_ended.wait(step):
            silence = silence + step if wait is not None and wait is self._wait else 0.0
            wait = self._wait
            if silence >= (self._timeout_seconds if self._is_ready else _START_SECONDS):
                self.was_silent = True
                self._process.kill()
                return


def not_started(reason: str) -> DecoderNotStartedError:
    """Say why there is no process; a clause."""
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


def _enlarge(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # the user's pipes have had their share
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
