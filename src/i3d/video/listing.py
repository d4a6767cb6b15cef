"""Folders, patterns and lists of names to the videos that they mean."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING

from i3d.errors import I3DError, UsageError, VideoDecodeError, VideoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2t"),
    *(".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".nut", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm"),
    *(".wmv", ".y4m"),
)
"""Files in a folder that are taken for videos, whatever the case of their suffix.

The usual ones of those that `ffmpeg -h demuxer=NAME` and `-h muxer=NAME` name for formats of video,
and .divx, .qt and .rmvb, which freedesktop's shared-mime-info names. A `.ts` may be a program in
TypeScript: that is told when it is opened.
"""

_MAX_NAME = 2**15
"""No path is longer: 4096 bytes on Linux, 32,767 characters on Windows."""

_MAX_LIST = 2**27
"""No list is longer: 128 MiB, more than a million paths of 100 bytes. What a program writes without
an end (`yes`) would take all memory."""

_OF_WINDOWS = frozenset({"desktop.ini", "thumbs.db"})
"""Hidden files that Windows puts into folders of pictures."""

_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
"""What marks a folder on Windows that is another one in truth."""


IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Files that are taken for a single picture, whatever the case of their suffix."""


@dataclass(frozen=True)
class Listed:
    """A video that was asked for, or a folder in which none could be looked for."""

    path: str
    """The path as it was given; of what was found in a folder, the folder's as it was given and the
    way from there."""
    error: I3DError | None = None
    """Why there is nothing to open."""


def list_videos(
    paths: Sequence[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[Listed]:
    """Find the videos that paths mean.

    A path that is no folder is passed on as it is, whatever its name. A folder is searched, with
    all folders in it: files with one of `VIDEO_SUFFIXES` are videos; with `include`, those that it
    matches are, and no others. Hidden files and folders (their names start with a dot) are left
    out, links to folders are not followed. What has such a name and can't be opened, such as a
    broken link, is in the list.

    Where no such file is found, folders of images are looked for: the folder itself, if it holds at
    least two images, which is then one video; else each topmost folder in it that holds at least
    two images and no other files; else the folder itself, if it holds an image. So pictures beside
    videos are never taken for a video, unless their folder is given by name. With `include` no
    folders of images are looked for: `*.jpg` means each of them for itself.

    Args:
        paths: Files, folders, and names of anything else.
        include: Patterns of the files to look for, such as `*_front.mp4`. `*`, `?` and `[...]` are
            as in a shell, but `*` matches `/` as well; upper and lower case are the same. A pattern
            with a `/` in it is for the way from the given folder (`day 1/*`), another one for the
            name.
        exclude: Patterns of files to leave out, and of folders not to look into.

    Returns:
        The videos: those of a folder in natural order of names (`img2` before `img10`), files and
        folders mixed. A path that comes twice is there once. A folder that can't be read, or holds
        no videos, is an entry with an error.
    """
    found: dict[str, Listed] = {}
    wanted = _Wanted(include, exclude)
    for path in paths:
        is_folder = os.path.isdir(path)  # noqa: PTH112  (pathlib takes "" for the current folder)
        for listed in _search(path, wanted) if is_folder else [Listed(path)]:
            # pathlib leaves `..` alone: behind a link it is not the folder that it looks like.
            key = os.path.normcase(str(Path(listed.path))) if listed.path else ""
            found.setdefault(key, listed)
    return list(found.values())


def read_list(source: str) -> list[str]:
    """Read the names of videos from a file.

    One on each line, or each ended by a NUL where there is one (`find -print0`). Empty lines are
    skipped, and nothing else means anything: a `#` or a space may start a name. Names that are not
    absolute are taken from the current folder, not from that of the list.

    Args:
        source: A file of UTF-8 (bytes that are not become lone surrogates, as in all names), or of
            UTF-16 with a byte order mark (Windows PowerShell); `-` for standard input.

    Returns:
        The names as they stand there, at least one.

    Raises:
        UsageError: The file is missing, unreadable, a folder, empty, larger than any list, or no
            list of names.
    """
    shown = "standard input" if source == "-" else source
    try:
        if source != "-":
            with Path(source).open("rb") as file:
                data = _read_list(file)
        elif sys.stdin is None:  # closed by the shell: `<&-`
            raise UsageError("The list cannot be read: standard input is closed.")
        else:
            data = _read_list(sys.stdin.buffer)
    except OSError as error:
        raise UsageError(
            f"The list {shown} cannot be read: {error.strerror or error}.",
            hint="Give a text file with the name of a video on each line.",
        ) from error
    names = _names(data) if _is_list(data) else None
    if names is None:
        raise UsageError(
            f"{shown} is not a list of names.".replace("standard", "Standard", 1),
            hint="Give a text file with the name of a video on each line.",
        )
    if not names:
        raise UsageError(
            f"The list {shown} names no videos.", hint="Put the name of a video on each line."
        )
    return names


def _read_list(file: IO[bytes]) -> bytes:
    """Read a file, or no more than shows that it is no list."""
    data = file.read(_MAX_NAME)
    return data + file.read(_MAX_LIST) if _is_list(data) else data


def _is_list(data: bytes) -> bool:
    """Tell names from other data, such as a video: that has zeros one after the other."""
    if len(data) > _MAX_LIST:
        return False
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\0" in data:
        return b"\0\0" not in data and not data.startswith(b"\0")
    return all(len(line) < _MAX_NAME for line in data.split(b"\n"))


def _names(data: bytes) -> list[str] | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if "\0" in text:
        return [name for name in text.split("\0") if name]
    return [name for name in (line.removesuffix("\r") for line in text.split("\n")) if name]


class _Wanted:
    """Which files and folders are looked for; see `list_videos`."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self.include = [_pattern(text) for text in include]
        self._exclude = [_pattern(text) for text in exclude]

    def is_left_out(self, way: str) -> bool:
        """Tell whether a file or folder does not count.

        Args:
            way: The names from the given folder to it, with a `/` in between.
        """
        return _matches(way, self._exclude)

    def is_video(self, way: str) -> bool:
        """Tell whether a file that is not left out is a video, by its name."""
        return _matches(way, self.include) if self.include else way.lower().endswith(VIDEO_SUFFIXES)


def _pattern(text: str) -> str:
    return text.replace(os.sep, "/").rstrip("/").casefold()


def _matches(way: str, patterns: list[str]) -> bool:
    whole = way.casefold()
    name = whole.rpartition("/")[2]
    return any(fnmatchcase(whole if "/" in one else name, one) for one in patterns)


@dataclass(frozen=True)
class _Place:
    """A file or a folder that the search comes to."""

    path: str
    way: str
    """Names from the folder that was given, with a `/` in between; empty for itself."""
    is_folder: bool
    is_in_images: bool = False
    """It lies in a folder of images, and is none of its own."""


def _search(folder: str, wanted: _Wanted) -> list[Listed]:
    """Find the videos in a folder, or its folders of images; see `list_videos`."""
    found: list[tuple[str, Listed]] = []
    has_image = False
    waiting = [_Place(folder, "", is_folder=True)]
    while waiting:  # no recursion: folders may lie deeper in each other than Python calls
        place = waiting.pop()
        if not place.is_folder:
            found.append(("video", Listed(place.path)))
            continue
        try:
            entries = [
                entry
                for entry in _entries(place.path)
                if not wanted.is_left_out(_way(place, entry))
            ]
        except OSError as error:
            found.append(("error", Listed(place.path, _unreadable(place.path, error))))
            continue
        files = [entry for entry in entries if not _is_folder(entry)]
        images = [] if wanted.include else [entry for entry in files if _is_image(entry)]
        has_image = has_image or (not place.way and bool(images))
        holds_images = len(images) > 1 and (not place.way or len(images) == len(files))
        if holds_images and not place.is_in_images:
            found.append(("images", Listed(place.path)))
        is_in_images = holds_images or place.is_in_images
        for entry in sorted(entries, key=lambda entry: natural_order(entry.name), reverse=True):
            way, is_folder = _way(place, entry), _is_folder(entry)
            if (is_folder and not _is_link(entry)) or (not is_folder and wanted.is_video(way)):
                waiting.append(_Place(entry.path, way, is_folder, is_in_images))
    kinds = {kind for kind, _ in found}
    kind = "video" if "video" in kinds else "images"
    listed = [one for what, one in found if what in ("error", kind)]
    if kind not in kinds and has_image:
        return [Listed(folder), *listed]
    return listed or [Listed(folder, _no_videos(folder, has_patterns=bool(wanted.include)))]


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, without what systems hide there."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name.lower() not in _OF_WINDOWS:
                yield entry


def _way(place: _Place, entry: os.DirEntry[str]) -> str:
    return f"{place.way}/{entry.name}" if place.way else entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    if _JUNCTION is None:
        return False
    info = entry.stat(follow_symlinks=False)
    return bool(getattr(info, "st_reparse_tag", 0) == _JUNCTION)


def _is_image(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.name.lower().endswith(IMAGE_SUFFIXES) and entry.is_file()
    except OSError:
        return False


def _unreadable(folder: str, error: OSError) -> VideoDecodeError:
    return VideoDecodeError(
        f"The folder {folder} cannot be read: {error.strerror or error}.",
        hint="Check its permissions and the disk that it is on.",
    )


def _no_videos(folder: str, *, has_patterns: bool) -> VideoNotFoundError:
    if has_patterns:
        return VideoNotFoundError(
            f"The folder {folder} holds no files of the names that were asked for.",
            hint="Check the patterns of --include and --exclude.",
        )
    return VideoNotFoundError(
        f"The folder {folder} holds no videos.",
        hint=f"Looked for {', '.join(suffix[1:] for suffix in VIDEO_SUFFIXES)}, and for folders of "
        "images. Other files are found with --include '*.SUFFIX'.",
    )


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Give a sort key that puts `img2` before `img10`, with numbers of any length.

    Args:
        name: The name of a file.
    """
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    key = [(1, int(part), "") if i % 2 else (0, 0, part.casefold()) for i, part in enumerate(parts)]
    return [*key, (2, 0, name)]  # names that differ only in case or zeros: a fixed order
