"""What a process that decodes tells the one that asked: messages over a pipe.

A message is one byte that says its kind, four bytes of length, and that much content. Frames are
raw pixels behind their time and number; all else is JSON. Nothing is unpickled: whatever takes
over the decoder can send wrong pictures, and no more.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any

import i3d.errors
from i3d.errors import I3DError
from i3d.results import VideoInfo

if TYPE_CHECKING:
    from typing_extensions import Buffer  # seen by type checkers only; in collections.abc from 3.12

_HEAD = struct.Struct("<cI")
FRAME_HEAD = struct.Struct("<dq")
"""Time in seconds, number among the decoded frames."""

READY = b"r"
"""The process has started, and waits for a video."""
FRAME = b"f"
"""`FRAME_HEAD`, then (size, size, 3) bytes RGB."""
INFO = b"i"
"""What is known of the video by now: JSON."""
TICK = b"t"
"""It is still at work."""
END = b"e"
"""All frames were sent; nothing follows for this video."""
FAILURE = b"x"
"""An error of ours: JSON. Nothing follows for this video."""
BUG = b"b"
"""The text of a traceback. Nothing follows for this video."""

MAX_CONTENT = 2**28
"""No message is longer: a frame of 9459 x 9459 pixels."""


class BrokenMessageError(Exception):
    """What came through the pipe is no message."""


def send(stream: IO[bytes], kind: bytes, *content: Buffer) -> None:
    """Write a message.

    Args:
        stream: The pipe.
        kind: One byte.
        content: Its parts, one behind the other.

    Raises:
        OSError: Nobody reads any more.
    """
    stream.write(_HEAD.pack(kind, sum(memoryview(part).nbytes for part in content)))
    for part in content:
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Read a message.

    Args:
        stream: The pipe.

    Returns:
        Its kind and its content; None at the end of the pipe.

    Raises:
        BrokenMessageError: It is cut off, or too long to be one.
        OSError: The pipe can't be read.
    """
    head = stream.read(_HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise BrokenMessageError("cut off")
    kind, length = _HEAD.unpack(head)
    if length > MAX_CONTENT:
        raise BrokenMessageError("too long")
    content = stream.read(length)
    if len(content) < length:
        raise BrokenMessageError("cut off")
    return kind, content


def error_as_json(error: I3DError) -> bytes:
    """Write an error so that `error_from_json` gives it back."""
    fields = {"hint": error.hint, "details": error.details, "message": error.message}
    return json.dumps({"kind": type(error).__name__, **fields}).encode("ascii")


def error_from_json(content: bytes) -> I3DError:
    """Read an error.

    Raises:
        BrokenMessageError: It is none of ours.
    """
    try:
        data = json.loads(content)
        kind: Any = getattr(i3d.errors, str(data["kind"]), None)
        if not (isinstance(kind, type) and issubclass(kind, I3DError)):
            raise BrokenMessageError("no error of ours")
        error: I3DError = kind(
            str(data["message"]),
            hint=None if data["hint"] is None else str(data["hint"]),
            details=tuple(str(line) for line in data["details"]),
        )
    except (ValueError, LookupError, TypeError) as problem:
        raise BrokenMessageError("no error") from problem
    return error


def info_from_json(content: bytes) -> VideoInfo:
    """Read what is known of a video.

    Raises:
        BrokenMessageError: It says something else.
    """
    try:
        return VideoInfo(**json.loads(content))
    except (ValueError, TypeError) as problem:
        raise BrokenMessageError("not what is known of a video") from problem
