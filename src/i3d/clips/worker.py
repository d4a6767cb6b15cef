"""A process that decodes videos for another one (`i3d.clips.process`).

It takes a line of JSON for each video on standard input, and answers with messages
(`i3d.clips.messages`) on standard output. It ends when its input does, also while a decoder hangs.
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

from i3d.clips import messages
from i3d.errors import I3DError
from i3d.loader import VideoReader
from i3d.transforms import to_clip_frame

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_SECONDS = 0.5
"""While frames are decoded that nobody wants, a sign of life is given so often."""


def main() -> None:
    """Decode what is asked for until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked
    with suppress(OSError):  # Linux: this one is to go first where memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # What libraries print must not get between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    with suppress(OSError):  # nobody reads any more
        messages.send(answers, messages.READY)
        while True:
            request = requests.get()
            if "stop" not in request:
                _answer(request, answers, lambda: not requests.empty())
    os._exit(0)


def _listen(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass requests on; end the process with its input, whatever it does just then."""
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)


def _answer(request: dict[str, Any], answers: IO[bytes], is_stopped: Callable[[], bool]) -> None:
    """Decode one video; another request ends it early."""
    try:
        _decode(request, answers, is_stopped)
    except I3DError as error:
        messages.send(answers, messages.FAILURE, messages.error_as_json(error))
    except OSError:
        raise
    except BaseException:  # noqa: BLE001  (told where it can be reported)
        text = traceback.format_exc().encode("utf-8", "backslashreplace")
        messages.send(answers, messages.BUG, text)


def _decode(request: dict[str, Any], answers: IO[bytes], is_stopped: Callable[[], bool]) -> None:
    told = time.monotonic()

    def tick() -> None:
        nonlocal told
        if time.monotonic() - told > TICK_SECONDS:
            told = time.monotonic()
            messages.send(answers, messages.TICK)

    with VideoReader(request["path"], **request["options"], on_frame=tick) as reader:
        messages.send(answers, messages.INFO, _info(reader))
        for frame in reader:
            image = to_clip_frame(frame.image, size=request["size"], crop=request["crop"])
            head = messages.FRAME_HEAD.pack(frame.seconds, frame.index)
            messages.send(answers, messages.FRAME, head, np.ascontiguousarray(image).data)
            told = time.monotonic()
            if is_stopped():
                break
        messages.send(answers, messages.INFO, _info(reader))
    messages.send(answers, messages.END)


def _info(reader: VideoReader) -> bytes:
    return json.dumps(asdict(reader.info)).encode("ascii")
