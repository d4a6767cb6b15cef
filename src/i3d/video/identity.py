"""Identifies a video file: its checksum, its size, its date."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import VideoDecodeError
from i3d.video.decoding import images_in
from i3d.video.info import FileInfo
from i3d.video.listing import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable


class NotWantedError(Exception):
    """The checksum is not wanted any more."""


def describe_file(
    path: str | os.PathLike[str],
    *,
    since: tuple[int, str] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> FileInfo:
    """Read a video once, for its checksum.

    Args:
        path: A video file, or a folder of images.
        since: What `glance` said before something else read it: it must be the same file still.
        is_wanted: Asked between two parts of the file.

    Raises:
        VideoDecodeError: It can't be read, or was written to or replaced meanwhile.
        NotWantedError: `is_wanted` said no.
    """
    digest = hashlib.sha256()
    try:
        before = since or _looks(path)
        for file in _files(path):
            with file.open("rb") as stream:
                if file != Path(path):
                    name = os.fsencode(file.name)
                    digest.update(b"%d %d " % (len(name), os.fstat(stream.fileno()).st_size) + name)
                while chunk := stream.read(2**20):
                    if not is_wanted():
                        raise NotWantedError
                    digest.update(chunk)
        after = _looks(path)
    except VideoDecodeError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(os.fspath(path), error) from error
    if before != after:
        raise VideoDecodeError(
            f"{os.fspath(path)} was changed while it was read.",
            hint="Run it again when the file is whole.",
        )
    return FileInfo(digest.hexdigest(), *after)


def glance(path: str | os.PathLike[str]) -> tuple[int, str] | None:
    """Size and date of a file as in `FileInfo`, without reading it.

    Args:
        path: A video file, or a folder of images.

    Returns:
        None if it does not exist or can't be accessed.
    """
    try:
        return _looks(path)
    except (OSError, ValueError, VideoDecodeError):
        return None


def looks_like(path: str | os.PathLike[str], known: FileInfo) -> bool:
    """Tell whether a file has the size and the date that it had, without reading it.

    Args:
        path: A video file, or a folder of images.
        known: What it was.
    """
    return glance(path) == (known.num_bytes, known.modified)


def _looks(path: str | os.PathLike[str]) -> tuple[int, str]:
    """Size and date."""
    infos = [file.stat() for file in _files(path)]
    return sum(info.st_size for info in infos), _date(max(info.st_mtime_ns for info in infos))


def _files(path: str | os.PathLike[str]) -> list[Path]:
    location = Path(path)
    mode = location.stat().st_mode
    if stat.S_ISDIR(mode):
        return images_in(location, os.fspath(path))
    if not stat.S_ISREG(mode):  # to read a pipe may wait forever
        raise VideoDecodeError(
            f"{os.fspath(path)} is not a regular file.", hint="Give a video file."
        )
    return [location]


def _date(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
