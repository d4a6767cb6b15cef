"""A process that decodes videos for another one (`i3d.video.isolated`).

It reads pickled requests from standard input, and writes pickled answers to standard output. It
ends when its input does, even if a decoder hangs.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from i3d.errors import DecoderCrashedError, I3DError, VideoDecodeError
from i3d.video.frames import to_clip_frame
from i3d.video.reader import VideoReader

TICK = "tick"
"""The answer of a decoder that is at work."""

_TICK_SECONDS = 0.1
"""How often that is sent while nothing else is: when frames are decoded that are not wanted."""


def main() -> None:
    """Decode what is asked for until the process that asks is gone.

    For each request, (path, size, crop, options of `VideoReader`), the answers are: its
    `VideoInfo`, (frame, seconds, index) of each frame, the final `VideoInfo`, and at last None, or
    the error that ended it. The first None, before any request, means ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides
    with suppress(OSError):  # Linux: where memory runs out, this process is killed first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    answers = _Answers()
    with suppress(OSError):  # the process that asks is gone
        answers.send(None)
        while True:
            answers.send(_decode(answers, *requests.get()))
    os._exit(0)


class _Answers:
    """Sends answers."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what libraries print goes to standard error
        self._sent = 0.0

    def send(self, answer: object) -> None:
        pickle.dump(answer, self._stream, protocol=5)
        self._stream.flush()
        self._sent = time.monotonic()

    def tick(self) -> None:
        """Give a sign of life if nothing was sent for a while."""
        if time.monotonic() - self._sent > _TICK_SECONDS:
            self.send(TICK)


def _listen(requests: queue.SimpleQueue[Any]) -> None:
    """Pass requests on; end the process at the end of its input, even if it is busy."""
    with suppress(EOFError):
        while True:
            requests.put(pickle.load(sys.stdin.buffer))
    os._exit(0)


def _decode(
    answers: _Answers, path: str, size: int, crop: Any, options: dict[str, Any]
) -> I3DError | None:
    """Decode a video; return what went wrong."""
    try:
        with VideoReader(path, **options, on_frame=answers.tick) as reader:
            answers.send(reader.info)
            for frame in reader:
                image = to_clip_frame(frame.image, size=size, crop=crop)
                answers.send((image, frame.seconds, frame.index))
            answers.send(reader.info)
    except I3DError as error:
        return error
    except MemoryError:
        return VideoDecodeError(
            f"There is not enough memory to decode {path}.",
            hint="Make its pictures smaller, or let fewer programs run.",
        )
    except Exception as error:  # noqa: BLE001  (a bug costs one video, too)
        return DecoderCrashedError(
            f"Decoding {path} met a bug: {type(error).__name__}: {error}.",
            hint="Please report it, if you can with the file.",
            details=tuple(traceback.format_exc().splitlines()),
        )
    return None
