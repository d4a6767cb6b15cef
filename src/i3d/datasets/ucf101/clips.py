"""The folder that clips are kept in, and whether a file in it is a whole clip.

There are no published checksums of the clips, so the files themselves are checked.
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import CacheError, ClipNotFetchedError, I3DError, VideoError
from i3d.files.cache import ucf101_dir
from i3d.files.whole import FULL_DISK
from i3d.video.containers import explain_undecodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from i3d.datasets.ucf101.data import Clip


@dataclass(frozen=True)
class LocalClip:
    """A clip's file on this machine."""

    path: Path
    """The file."""
    num_frames_from_header: int | None
    """Number of frames that the file declares; None if it declares none."""


def clips_dir() -> Path:
    """The folder of fetched clips in the cache, which may not exist yet."""
    return ucf101_dir() / "clips"


def find_clip(clip: Clip, directory: Path | None = None) -> Path | None:
    """Find a clip that was fetched before.

    Args:
        clip: Which one.
        directory: Where to look, the cache by default.

    Returns:
        Its file; None where there is none, or not a whole one.
    """
    path = (directory or clips_dir()) / clip.file_name
    return path if is_file(path) and damage(path) is None else None


def is_file(path: Path) -> bool:
    """Tell whether there is a file of that name; False also in a folder that is closed to us."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises in a closed folder)


def local_path(clip: Clip) -> Path:
    """Give the file of a clip in the cache.

    Raises:
        ClipNotFetchedError: It is not there, or not whole.
        CacheError: The cache can't be read.
    """
    here = local_clips([clip]).get(clip)
    if here is None:
        raise ClipNotFetchedError(
            f"{clip.file_name} is not on this machine.",
            hint=f"Fetch it: i3d ucf fetch {clip.name}",
        )
    return here.path


def local_clips(clips: Iterable[Clip]) -> dict[Clip, LocalClip]:
    """Find those of several clips that are in the cache.

    Args:
        clips: Which ones.

    Raises:
        CacheError: The cache can't be read.
    """
    folder = clips_dir()
    try:
        names = {entry.name for entry in os.scandir(folder)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CacheError(
            f"The folder {folder} cannot be read: {error.strerror or error}.",
            hint="Mend its permissions, or choose another one in I3D_CACHE_DIR.",
        ) from error
    paths = {clip: find_clip(clip) for clip in clips if clip.file_name in names}
    return {
        clip: LocalClip(path, _num_frames_from_header(path))
        for clip, path in paths.items()
        if path is not None
    }


def damage(path: Path) -> str | None:
    """Find damage from a clip's header and size alone; takes microseconds.

    An AVI file declares its own size (RIFF). Longer files are accepted, as some programs add
    padding.

    Args:
        path: A file.

    Returns:
        A clause about the file ("is cut off: ..."); None if nothing is wrong.
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
    """Find damage by decoding the whole clip; takes a tenth of a second.

    Args:
        path: A file.

    Returns:
        A clause about the file; None where all frames that its header declares can be decoded, but
        for a few at the end: decoders differ by one or two, and up to 2 % may be missing.
        Damage inside a frame goes unnoticed, as FFmpeg conceals it.
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


def _num_frames_from_header(path: Path) -> int | None:
    """Read the number of frames that an AVI file declares (the main header's dwTotalFrames)."""
    try:
        with path.open("rb") as file:
            head = file.read(52)
    except OSError:
        return None
    # RIFF size "AVI ", LIST size "hdrl", "avih" size, then 4-byte fields: the fifth
    if len(head) < 52 or head[24:28] != b"avih":
        return None
    (count,) = struct.unpack("<I", head[48:52])
    return int(count) or None


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn the system's errors about a folder that is written to into CacheError."""
    try:
        yield
    except I3DError:  # ours are OSErrors, too
        raise
    except OSError as error:
        elsewhere = "choose another folder in I3D_CACHE_DIR, or with i3d ucf fetch --to DIR."
        if error.errno in FULL_DISK:
            raise CacheError(
                f"The disk of the folder {folder} is full.", hint=f"Make room, or {elsewhere}"
            ) from error
        raise CacheError(
            f"The folder {folder} cannot be made or written: {error.strerror or error}.",
            hint=elsewhere[:1].upper() + elsewhere[1:],
        ) from error
