"""The file that pictures and sound come from, as FFmpeg sees it: when it starts, its colours.

Pictures are decoded by `i3d.video.decoding`, never here. A file is opened through Python, and
FFmpeg may open nothing by itself: a playlist in disguise leads nowhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame

_READ_BYTES = 2**18
"""How much is read at once: PyAV's 32 KiB take a call of Python each."""

_MAX_PACKETS = 500
"""A video without a picture in so many packets gets none at all."""


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """Open a file for reading.

    Raises:
        OSError: It can't be read.
        av.FFmpegError: It is no file that FFmpeg knows.
    """
    with Path(path).absolute().open("rb") as file:
        # No protocol has this name: what the file's contents point to is not opened.
        container: Any = av.open(
            file, options={"protocol_whitelist": "none"}, buffer_size=_READ_BYTES
        )
        with container:
            yield container


def first_picture_seconds(path: str | os.PathLike[str]) -> float:
    """When a video's first picture is shown, on the container's own clock.

    What `i3d.video.timing.FrameClock` calls 0. Broadcasts start at any time, and some recorders
    start the pictures after the sound.

    Raises:
        OSError: The file can't be read.
        av.FFmpegError: It is no file that FFmpeg knows.
    """
    with opened(path) as container:
        picture = first_picture(container)
        if picture is not None and picture.time is not None:
            return float(picture.time)
        stream = container.streams.video[0] if container.streams.video else None
        if stream is None or stream.start_time is None or stream.time_base is None:
            return 0.0
        return float(stream.start_time * stream.time_base)


def picture_delay_seconds(path: str | os.PathLike[str]) -> float:
    """When a video's first picture is shown, on the clock of a player; 0 where nobody knows.

    Chromium plays a file by the container's own clock.
    """
    try:
        return first_picture_seconds(path)
    except (OSError, av.FFmpegError):
        return 0.0


def first_picture(container: InputContainer) -> VideoFrame | None:
    """Decode the first picture of a file; None where it has none."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    for number, packet in enumerate(container.demux(stream)):
        try:
            pictures = packet.decode()
        except av.FFmpegError:  # damaged; OpenCV goes on to the next, too
            continue
        if pictures:
            return pictures[0]
        if number == _MAX_PACKETS:
            break
    return None
