"""Finds a model: from a name, a folder or a web address to a SavedModel directory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.catalog import CATALOG, DEFAULT_MODEL, get_model
from i3d.errors import ModelLoadError, UnknownNameError
from i3d.progress import NO_PROGRESS
from i3d.sources.tfhub import fetch_from_tfhub, handle_of

if TYPE_CHECKING:
    from i3d.catalog import ModelSpec
    from i3d.progress import Progress


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine."""

    name: str
    """Its name in the catalogue, or the path or URL that was given."""
    directory: Path
    """A folder that holds `saved_model.pb`; its content is not checked yet."""
    spec: ModelSpec | None
    """Its record in the catalogue; None for a model of the user's own."""


def find_model(model: str = DEFAULT_MODEL, *, progress: Progress = NO_PROGRESS) -> LocalModel:
    """Find a model, and fetch it where it is not on this machine yet.

    Args:
        model: A name in the catalogue, a SavedModel directory, or a TensorFlow Hub handle
            (`https://tfhub.dev/deepmind/i3d-kinetics-400/1`). A name in the catalogue wins over a
            folder of the same name: write `./NAME` for the folder.
        progress: Who wants to know about a download.

    Returns:
        The model's place on this machine.

    Raises:
        UnknownNameError: There is no model of that name, and no such folder.
        ModelLoadError: `model` is a file.
        TransferError: A download failed, or its cache can't be written.
    """
    if model in CATALOG:
        spec = get_model(model)
        if spec.packaged_dir is not None:
            data = Path(str(resources.files("i3d"))) / "data"
            return LocalModel(model, data / spec.packaged_dir, spec)
        return LocalModel(model, fetch_from_tfhub(handle_of(spec), progress=progress), spec)
    if "://" in model:
        return LocalModel(model, fetch_from_tfhub(model, progress=progress), None)
    directory = Path(os.path.expanduser(model))  # noqa: PTH111  (leaves `~nobody` as it is)
    if os.path.isdir(directory):  # noqa: PTH112  (no error on a name that is too long)
        return LocalModel(model, directory, None)
    if os.path.exists(directory):  # noqa: PTH110  (the same)
        raise ModelLoadError(
            f"The model {model} is a file, and a model is a folder.",
            hint="Give the folder that holds saved_model.pb and variables/.",
        )
    if "/" in model or "\\" in model:
        raise UnknownNameError(
            f"There is no model folder {model}.",
            hint=f"Check the path, or choose one of: {', '.join(CATALOG)}.",
        )
    get_model(model)
    raise AssertionError(model)  # get_model raises for a name that is not in the catalogue


def fingerprint(directory: Path) -> str:
    """Identify a model by the names and contents of its files.

    Args:
        directory: A model's folder.

    Returns:
        `sha256:` and the SHA-256, in hexadecimal, of the lines `DIGEST  NAME` (digest of the
        content, two spaces, path below the folder with forward slashes) of its files in the order
        of their names, as `sha256sum` prints them.

    Raises:
        ModelLoadError: A file can't be read.
    """
    total = hashlib.sha256()
    try:
        files = {
            path.relative_to(directory).as_posix(): path
            for path in directory.rglob("*")
            if path.is_file()
        }
        for name in sorted(files):
            digest = hashlib.sha256(files[name].read_bytes()).hexdigest()
            total.update(f"{digest}  {name}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise ModelLoadError(
            f"The model in {directory} cannot be read: {error.strerror or error}.",
            hint="Check the permissions of its files.",
        ) from error
    return f"sha256:{total.hexdigest()}"
