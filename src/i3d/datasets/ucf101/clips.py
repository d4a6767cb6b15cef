"""The folder that clips are kept in."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.checks import damage, num_frames_from_header
from i3d.datasets.ucf101.names import LocalClip
from i3d.errors import CacheError, ClipNotFetchedError, I3DError
from i3d.files.cache import ucf101_dir
from i3d.files.whole import FULL_DISK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from i3d.datasets.ucf101.names import Clip


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
    """Tell whether there is a file of that name; False also where nobody may look."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises where a folder is closed)


def local_path(clip: Clip) -> Path:
    """Give the file of a clip in the cache.

    Raises:
        ClipNotFetchedError: It is not there, or not whole.
        CacheError: The cache can't be read.
    """
    path = find_clip(clip)
    if path is None:
        try:
            (clips_dir() / clip.file_name).stat()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _unreadable(clips_dir(), error) from error
        raise ClipNotFetchedError(
            f"{clip.file_name} is not on this machine.",
            hint=f"Fetch it: i3d ucf fetch {clip.name}",
        )
    return path


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
        raise _unreadable(folder, error) from error
    found = {}
    for clip in clips:
        path = folder / clip.file_name
        if clip.file_name in names and is_file(path) and damage(path) is None:
            found[clip] = LocalClip(path, num_frames_from_header(path))
    return found


def _unreadable(folder: Path, error: OSError) -> CacheError:
    return CacheError(
        f"The folder {folder} cannot be read: {error.strerror or error}.",
        hint="Mend its permissions, or choose another one in I3D_CACHE_DIR.",
    )


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
