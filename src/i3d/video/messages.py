"""What a process that decodes tells the one that asked: messages over a pipe.

A message is one byte that says its kind, four bytes of length, and that much content. Frames are
raw pixels behind their time and number; all else is JSON. Nothing is unpickled: whatever takes
over the decoder can send wrong pictures, and no more.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any, get_type_hints

import i3d.errors
from i3d.errors import I3DError, UsageError, VideoError
from i3d.video.info import VideoInfo

if TYPE_CHECKING:
    from typing_extensions import Buffer  # seen by type checkers only; in collections.abc from 3.12

_HEAD = struct.Struct("<cI")
FRAME_HEAD = struct.Struct("<dq")
"""Time in seconds, number among the decoded frames."""

READY = b"r"
"""The process has started, and waits for a video."""
TAKEN = b"a"
"""It begins with the video that it was asked for: if it dies now, then of that one."""
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

LAST = frozenset({END, FAILURE, BUG})
"""After one of these nothing follows for this video."""

_NOT_WHAT_IT_SHOULD_BE = (ValueError, LookupError, TypeError, RecursionError)
"""What reading JSON of another kind raises; the last, brackets within brackets without end."""

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
        Its kind and its content; None at the end of the pipe, be it within a message.

    Raises:
        BrokenMessageError: It is too long to be one.
        OSError: The pipe can't be read.
    """
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    if length > MAX_CONTENT:
        raise BrokenMessageError("a message that is too long")
    content = stream.read(length)
    return None if len(content) < length else (kind, content)


def error_as_json(error: I3DError) -> bytes:
    """Write an error so that `error_from_json` gives it back."""
    fields = {"hint": error.hint, "details": error.details, "message": error.message}
    return json.dumps({"kind": type(error).__name__, **fields}).encode("ascii")


def error_from_json(content: bytes) -> I3DError:
    """Read an error: one that a video, or what was asked of it, can cause.

    Raises:
        BrokenMessageError: It is none of these.
    """
    try:
        data = json.loads(content)
        kind: Any = getattr(i3d.errors, str(data["kind"]), None)
        if not (isinstance(kind, type) and issubclass(kind, (VideoError, UsageError))):
            raise BrokenMessageError("an error of no known kind")
        error: I3DError = kind(
            str(data["message"]),
            hint=None if data["hint"] is None else str(data["hint"]),
            details=tuple(str(line) for line in data["details"]),
        )
    except _NOT_WHAT_IT_SHOULD_BE as problem:
        raise BrokenMessageError("an error that says nothing") from problem
    return error


def info_from_json(content: bytes, path: str) -> VideoInfo:
    """Read what is known of a video.

    Args:
        content: What was sent.
        path: The video that was asked for.

    Raises:
        BrokenMessageError: It says something else.
    """
    try:
        data = {**json.loads(content), "path": path}
        for name, kind in get_type_hints(VideoInfo).items():
            value = data[name]
            if not isinstance(value, kind) and not (kind is float and type(value) is int):
                raise TypeError(name)
        return VideoInfo(**data)
    except _NOT_WHAT_IT_SHOULD_BE as problem:
        raise BrokenMessageError("something else than is known of a video") from problem
