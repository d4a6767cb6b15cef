"""What goes wrong with files and disks, for real."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from i3d.files.cache import downloads_dir, models_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOBODY = 65534


def flip_byte(path: Path, offset: int) -> None:
    """Change one byte of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


@contextmanager
def small_filesystem(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a filesystem of its own, which is soon full, on a new folder; skip where none may."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("needs Linux and the right to mount")
    folder.mkdir()
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """Let the system refuse to write larger files, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """Take all permissions from a file or folder; and from the user, who may be root."""
    if os.name == "nt":
        pytest.skip("POSIX permissions")
    mode = stat.S_IMODE(path.stat().st_mode)
    is_root = os.geteuid() == 0
    path.chmod(0)
    try:
        if is_root:
            os.seteuid(_NOBODY)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(mode)


def entries_of_the_cache() -> set[str]:
    """Names of the models in the cache, and of anything that a fetch should have removed."""
    entries = [*models_dir().glob("*"), *downloads_dir().glob("*")]
    return {entry.name for entry in entries} - {".locks"}
