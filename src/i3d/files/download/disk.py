"""The disk that a download is written to: what goes wrong there in words, and whole files."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import CacheError
from i3d.files.whole import FULL_DISK, write_through

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = ".i3d-"
"""How the names of all files start that are made here: hidden, and told from a user's own."""

CHUNK_BYTES = 2**20
"""How much of a file is read at once."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn the system's errors about a folder into CacheError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise CacheError(
                f"The disk of the folder {folder} is full.",
                hint="Make room, or choose a folder on another disk in I3D_CACHE_DIR.",
            ) from error
        raise CacheError(
            f"The folder {folder} cannot be written: {error.strerror or error}.",
            hint="Choose another one in I3D_CACHE_DIR.",
        ) from error


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file to another filesystem, where it gets its name when it is whole."""
    private = target.with_name(f"{PREFIX}{secrets.token_hex(8)}.part")
    try:
        with source.open("rb") as reader, private.open("xb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK_BYTES)
            write_through(writer)
        private.replace(target)
    finally:
        with suppress(OSError):
            private.unlink(missing_ok=True)


def common_folder(path: Path, target: Path) -> Path:
    """The folder to name where `path` can't become `target`: the target's may be a private one.

    Returns:
        The lowest folder that holds both, but for a root.
    """
    try:
        common = Path(os.path.commonpath([path.absolute(), target.absolute()]))
    except ValueError:  # two drives of Windows
        return target.parent
    return target.parent if common == common.parent else common
