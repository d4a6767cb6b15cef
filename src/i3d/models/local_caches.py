"""Models that other programs left on this machine: TensorFlow Hub's client and kagglehub.

They are copied, not used in place: the first lives in the system's temporary folder by default,
which systems clean file by file (tensorflow/hub#896), so what is found there is checked first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import TransferError
from i3d.models.catalog import CACHE_SOURCES
from i3d.models.folders import MODEL, cannot_write
from i3d.models.records import RECORD

if TYPE_CHECKING:
    from i3d.models.catalog import ModelSpec


def tfhub_cache_folder(handle: str) -> Path:
    """Where TensorFlow Hub's client keeps a module: `$TFHUB_CACHE_DIR`, else the temporary folder.

    Args:
        handle: The module's address.

    Returns:
        The folder, which is named by the SHA-1 of the address, as the client does
        (tensorflow_hub/compressed_module_resolver.py). It may not exist.

    Raises:
        FileNotFoundError: There is no temporary folder that can be written.
    """
    root = os.environ.get("TFHUB_CACHE_DIR") or os.path.join(  # noqa: PTH118
        tempfile.gettempdir(), "tfhub_modules"
    )
    folder = Path(os.path.expanduser(root))  # noqa: PTH111  (leaves `~nobody` as it is)
    return folder / hashlib.sha1(handle.encode()).hexdigest()


def kagglehub_cache_folder(handle: str) -> Path:
    """Where kagglehub keeps a model: `$KAGGLEHUB_CACHE`, else `~/.cache/kagglehub`.

    Args:
        handle: OWNER/MODEL/FRAMEWORK/VARIATION/VERSION.
    """
    root = os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    return Path(os.path.expanduser(root)) / "models" / handle  # noqa: PTH111


def candidates(spec: ModelSpec) -> dict[str, Path]:
    """Where a model of the catalogue may lie on this machine: source name -> folder."""
    tfhub_cache, kagglehub_cache = CACHE_SOURCES
    found = {}
    if spec.hub_handle is not None:
        with suppress(FileNotFoundError):  # no temporary folder, so no cache in it
            found[tfhub_cache] = tfhub_cache_folder(spec.hub_handle)
    if spec.kaggle_handle is not None:
        found[kagglehub_cache] = kagglehub_cache_folder(spec.kaggle_handle)
    return found


def copy_from_cache(folder: Path, scratch: Path) -> None:
    """Copy a model that another program keeps.

    Args:
        folder: Where it may be.
        scratch: A folder that gets the copy, in `MODEL`.

    Raises:
        TransferError: It is not there, half deleted, unreadable, or of another user, who could put
            any program in a temporary folder that all share. The message is a clause.
        CacheError: Our own cache can't be written.
    """
    reason = why_not(folder)
    if reason is not None:
        raise TransferError(reason)
    copy_model(folder, scratch)


def why_not(folder: Path) -> str | None:
    """Tell, in a clause, why a folder of another program's cache cannot be used."""
    try:
        if not folder.is_dir():
            return "not there"
        if hasattr(os, "geteuid") and folder.stat().st_uid not in (os.geteuid(), 0):
            return "it belongs to another user, so it is not trusted"
        missing = [
            name
            for name in ("saved_model.pb", "variables/variables.index")
            if not (folder / name).is_file()
        ]
        if not list(folder.glob("variables/variables.data-*")):
            missing.append("variables/variables.data-*")
    except OSError as error:  # this folder, or one above it, is closed to us
        return f"it cannot be read: {error.strerror or error}"
    return f"half deleted: {', '.join(missing)} missing" if missing else None


def copy_model(folder: Path, scratch: Path) -> None:
    """Copy a model's folder, with the permissions of files made here; links become files.

    A record of i3d's in it, `model.json`, is left out: the copy gets its own.

    Args:
        folder: The model.
        scratch: A folder that gets the copy, in `MODEL`.

    Raises:
        TransferError: A part of it can't be read, or is neither a file nor a folder, or our cache
            lies in it. The message is a clause.
        CacheError: Our own cache can't be written.
    """
    if folder.resolve() in scratch.resolve().parents:
        raise TransferError("i3d's cache lies in it, and a folder cannot be copied into itself")
    for parent, folders, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        target = scratch / MODEL / Path(parent).relative_to(folder)
        if Path(parent) == folder and RECORD in folders:
            folders.remove(RECORD)
        try:
            target.mkdir()
            for name in sorted(names):
                if Path(parent) == folder and name == RECORD:
                    continue
                (target / name).write_bytes(_read(Path(parent, name)))
        except TransferError:
            raise
        except OSError as error:
            raise cannot_write(scratch.parent, error) from error


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise TransferError(f"{path.name} is neither a file nor a folder")
    try:
        return path.read_bytes()
    except OSError as error:
        raise TransferError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _refuse_unreadable(error: OSError) -> None:
    """Stop `os.walk`, which passes over what it cannot read."""
    name = Path(os.fsdecode(error.filename)).name
    raise TransferError(f"{name} cannot be read: {error.strerror or error}") from error
