"""Finds the videos that folders, patterns and lists of names mean."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import I3DError, UsageError, VideoDecodeError, VideoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2t"),
    *(".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".nut", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm"),
    *(".wmv", ".y4m"),
)
"""Suffixes of videos in folders, in any case.

The usual ones of those that `ffmpeg -h demuxer=NAME` and `-h muxer=NAME` name for formats of video,
and .divx, .qt and .rmvb, which freedesktop's shared-mime-info names. A `.ts` may be a program in
TypeScript: that is told when it is opened.
"""

_MAX_NAME = 2**15
"""No path is longer: 4096 bytes on Linux, 32,767 characters on Windows."""

_MAX_LIST = 2**27
"""Lists are shorter: 128 MiB is more than a million paths of 100 bytes. A video that is given by
mistake is not read to its end."""

_OF_WINDOWS = frozenset({"desktop.ini", "thumbs.db"})
"""Hidden files that Windows puts into folders of pictures."""

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Suffixes of pictures, in any case."""


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

    A path that is not a folder is passed on as it is. A folder is searched, with all folders in it:
    files with one of `VIDEO_SUFFIXES` are videos; with `include`, those that it matches are, and no
    others. Hidden files and folders (their names start with a dot) are left out, links to folders
    are not followed. What has such a name and can't be opened, such as a broken link, is in the
    list.

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
            # pathlib keeps `..`: after a link it is not the folder that it looks like.
            key = os.path.normcase(str(Path(listed.path))) if listed.path else ""
            found.setdefault(key, listed)
    return list(found.values())


def read_list(source: str) -> list[str]:
    """Read the names of videos from a file.

    One on each line, or each ended by a NUL if there is one (`find -print0`). Empty lines are
    skipped. Nothing else has a meaning: a `#` or a space may start a name. Names that are not
    absolute start from the current folder, not from that of the list.

    Args:
        source: A file of UTF-8 (bytes that are not become lone surrogates, as in all names), or of
            UTF-16 with a byte order mark (Windows PowerShell); `-` for standard input.

    Returns:
        The names as they are written there, at least one.

    Raises:
        UsageError: The file is missing, unreadable, a folder, empty, larger than any list, or not a
            list of names.
    """
    shown = "standard input" if source == "-" else source
    hint = "Give a text file with the name of a video on each line."
    try:
        if source != "-":
            with Path(source).open("rb") as file:
                data = file.read(_MAX_LIST)
        elif sys.stdin is None:  # closed by the shell: `<&-`
            raise UsageError("The list cannot be read: standard input is closed.")
        else:
            data = sys.stdin.buffer.read(_MAX_LIST)
    except OSError as error:
        raise UsageError(
            f"The list {shown} cannot be read: {error.strerror or error}.", hint=hint
        ) from error
    names = _names(data)
    if names is None:
        shown = shown.replace("standard", "Standard") if source == "-" else shown
        raise UsageError(f"{shown} is not a list of names.", hint=hint)
    if not names:
        raise UsageError(
            f"The list {shown} names no videos.", hint="Put the name of a video on each line."
        )
    return names


def _names(data: bytes) -> list[str] | None:
    """The names in a list; None if it is something else, such as a video."""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = data.decode("utf-16")
        else:
            text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        names = text.split("\0")
    else:
        names = [name.removesuffix("\r") for name in text.split("\n")]
    is_list = len(data) < _MAX_LIST and "\0\0" not in text and not text.startswith("\0")
    if not is_list or any(len(name) > _MAX_NAME for name in names):
        return None
    return [name for name in names if name]


class _Wanted:
    """Which files and folders are looked for; see `list_videos`."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self.include = [_pattern(text) for text in include]
        self._exclude = [_pattern(text) for text in exclude]

    def is_looked_at(self, start: str, name: str) -> bool:
        """Tell whether a file or folder counts: not hidden, not excluded.

        Args:
            start: The folders from the given one to it, each with a `/` after it.
            name: Its own name.
        """
        is_hidden = name.startswith(".") or name.lower() in _OF_WINDOWS
        return not is_hidden and not _matches(start + name, self._exclude)

    def is_video(self, way: str) -> bool:
        """Tell whether a file that is looked at is a video, by its way from the given folder."""
        return _matches(way, self.include) if self.include else way.lower().endswith(VIDEO_SUFFIXES)


def _pattern(text: str) -> str:
    return text.replace(os.sep, "/").rstrip("/").casefold()


def _matches(way: str, patterns: list[str]) -> bool:
    whole = way.casefold()
    name = whole.rpartition("/")[2]
    return any(fnmatchcase(whole if "/" in one else name, one) for one in patterns)


def _search(folder: str, wanted: _Wanted) -> list[Listed]:
    """Find the videos in a folder, or its folders of images; see `list_videos`."""
    found: list[tuple[str, str, Listed]] = []
    has_image = False
    images_below: str | None = None  # the topmost folder of images that the walk is in
    errors: list[OSError] = []
    for path, folders, names in os.walk(folder, onerror=errors.append):
        way = path[len(folder) :].replace(os.sep, "/").strip("/")
        start = f"{way}/" if way else ""
        inside = os.path.join(path, "")  # noqa: PTH118  (pathlib would drop a leading ./)
        folders[:] = [name for name in folders if wanted.is_looked_at(start, name)]
        files = [name for name in names if wanted.is_looked_at(start, name)]
        for name in files:
            if wanted.is_video(start + name):
                found.append(("video", start + name, Listed(inside + name)))
        images = [] if wanted.include else [name for name in files if _is_image(inside + name)]
        has_image = has_image or (not way and bool(images))
        if images_below is None or not path.startswith(images_below):
            images_below = None
            if len(images) > 1 and (not way or len(images) == len(files)):
                found.append(("images", way, Listed(path)))
                images_below = inside
    for error in errors:
        path = str(error.filename)
        way = path[len(folder) :].replace(os.sep, "/").strip("/")
        found.append(("error", way, Listed(path, unreadable(f"The folder {path}", error))))
    kinds = {kind for kind, _, _ in found}
    kind = "video" if "video" in kinds else "images"
    found.sort(key=lambda one: [natural_order(part) for part in one[1].split("/")])
    listed = [one for what, _, one in found if what in ("error", kind)]
    if kind not in kinds and has_image:
        return [Listed(folder), *listed]
    return listed or [Listed(folder, _no_videos(folder, has_patterns=bool(wanted.include)))]


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMAGE_SUFFIXES) and os.path.isfile(path)  # noqa: PTH113  (no error)


def unreadable(what: str, error: Exception) -> VideoDecodeError:
    """Say that a file or folder can't be read, and why."""
    return VideoDecodeError(
        f"{what} cannot be read: {getattr(error, 'strerror', None) or error}.",
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
