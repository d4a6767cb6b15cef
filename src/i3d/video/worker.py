"""A process that decodes videos for another one (`i3d.video.isolated`).

It takes a line of JSON for each video on standard input, and answers with messages
(`i3d.video.messages`) on standard output. It ends when its input does, also while a decoder hangs.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from i3d.errors import I3DError, VideoDecodeError
from i3d.video import messages
from i3d.video.frames import to_clip_frame
from i3d.video.reader import VideoReader

if TYPE_CHECKING:
    from typing_extensions import Buffer  # seen by type checkers only; in collections.abc from 3.12


def main() -> None:
    """Decode what is asked for until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked
    with suppress(OSError):  # Linux: this one is to go first where memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(_NobodyListensError):
        _Worker(_answers()).run()
    os._exit(0)


class _NobodyListensError(Exception):
    """Who asked is gone."""


class _StoppedError(Exception):
    """Who asked has had enough."""


class _Worker:
    """Answers one request after the other.

    Args:
        answers: Where to.
    """

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._told = 0.0
        """When something was sent last."""

    def run(self) -> None:
        """Work until nobody asks any more, which ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._tell(messages.READY)
        while True:
            request = self._requests.get()
            if "stop" not in request:
                self._tell(messages.TAKEN)
                self._answer(request)

    def _listen(self) -> None:
        """Pass requests on; end the process with its input, whatever it does just then."""
        for line in sys.stdin.buffer:
            self._requests.put(json.loads(line))
        os._exit(0)

    def _answer(self, request: dict[str, Any]) -> None:
        """Decode one video; another request ends it early."""
        try:
            self._decode(request)
        except I3DError as error:
            self._tell(messages.FAILURE, messages.error_as_json(error))
        except MemoryError:
            failure = VideoDecodeError(
                f"There is not enough memory to decode {request['path']}.",
                hint="Make its pictures smaller, or let fewer programs run.",
            )
            self._tell(messages.FAILURE, messages.error_as_json(failure))
        except _NobodyListensError:
            raise
        except BaseException:  # noqa: BLE001  (told where it can be reported)
            text = traceback.format_exc().encode("utf-8", "backslashreplace")
            self._tell(messages.BUG, text)
        else:
            self._tell(messages.END)

    def _decode(self, request: dict[str, Any]) -> None:
        tick_seconds: float = request["tick_seconds"]

        def tick() -> None:
            if not self._requests.empty():
                raise _StoppedError
            if time.monotonic() - self._told > tick_seconds:
                self._tell(messages.TICK)

        with suppress(OSError, TypeError):  # TypeError: it has none
            os.chdir(request["folder"])
        with VideoReader(request["path"], **request["options"], on_frame=tick) as reader:
            self._tell(messages.INFO, _info(reader))
            with suppress(_StoppedError):
                for frame in reader:
                    image = to_clip_frame(frame.image, size=request["size"], crop=request["crop"])
                    head = messages.FRAME_HEAD.pack(frame.seconds, frame.index)
                    self._tell(messages.FRAME, head, np.ascontiguousarray(image).data)
            self._tell(messages.INFO, _info(reader))

    def _tell(self, kind: bytes, *content: Buffer) -> None:
        try:
            messages.send(self._answers, kind, *content)
        except OSError as error:
            raise _NobodyListensError from error
        self._told = time.monotonic()


def _answers() -> IO[bytes]:
    """Standard output, out of reach of libraries: what they print goes to standard error."""
    # Where there is no standard error, its number would be given to the next file.
    while (spare := os.open(os.devnull, os.O_WRONLY)) < 3:
        pass
    os.close(spare)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _info(reader: VideoReader) -> bytes:
    return json.dumps(asdict(reader.info)).encode("ascii")
