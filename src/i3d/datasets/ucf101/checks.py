"""Is this file a whole clip? Nobody publishes checksums of the clips, so they are looked at."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from i3d.errors import VideoError
from i3d.video.containers import explain_undecodable

if TYPE_CHECKING:
    from pathlib import Path

MAX_CLIP_BYTES = 64 * 2**20
"""A larger file is no clip of UCF101: the longest has 1776 frames, the mean is 0.5 MB."""


def damage(path: Path) -> str | None:
    """Say what is wrong with a clip, from its header and its size alone: microseconds.

    An AVI file says its own size (RIFF); a file that is longer than that is let pass, for some
    programs add padding.

    Args:
        path: A file.

    Returns:
        A clause about the file ("is cut off: ..."); None where nothing is wrong.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
            num_bytes = file.seek(0, 2)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if num_bytes == 0:
        return "is empty"
    if head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        return explain_undecodable(path)
    (declared,) = struct.unpack("<I", head[4:8])
    if num_bytes < declared + 8:
        return f"is cut off: it has {num_bytes} of the {declared + 8} bytes that its header says"
    return None


def decoding_damage(path: Path) -> str | None:
    """Say what is wrong with a clip, by decoding all of it: a tenth of a second.

    Args:
        path: A file.

    Returns:
        A clause about the file; None where all frames that its header declares can be decoded, but
        for a few at the end: decoders of good files differ by one or two, and 2 % are let pass.
        Damage inside a frame is not seen, for FFmpeg conceals it.
    """
    from i3d.video.reader import VideoReader

    try:
        with VideoReader(path) as reader:
            for _ in reader:
                pass
            info = reader.info
    except VideoError as error:
        return error.message.removeprefix(f"{path} ").removesuffix(".")
    if info.ended_early:
        return (
            f"is damaged: {info.num_frames_decoded} of the {info.num_frames_from_header} frames "
            "that its header declares can be decoded"
        )
    return None


def num_frames_from_header(path: Path) -> int | None:
    """Read the number of frames that an AVI file declares (the main header's dwTotalFrames).

    Args:
        path: A file.

    Returns:
        The number; None where the file is no AVI, or can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(52)
    except OSError:
        return None
    # RIFF size "AVI ", LIST size "hdrl", "avih" size, then 4-byte fields: the fifth
    if len(head) < 52 or head[:4] != b"RIFF" or head[8:12] != b"AVI " or head[24:28] != b"avih":
        return None
    (count,) = struct.unpack("<I", head[48:52])
    return int(count) or None
