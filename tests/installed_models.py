"""Puts models into i3d's cache without TensorFlow, as if they had been fetched."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from i3d.models.catalog import CATALOG, DEFAULT_MODEL
from i3d.models.folders import MODEL, scratch_folder
from i3d.models.inspect import read_weights
from i3d.models.labels import LABEL_LISTS
from i3d.models.records import ModelRecord, record_files
from i3d.models.store import install

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.models.store import InstalledModel

LOCATION = "https://example.org/model.tar.gz"


def write_module(checkpoint: Path, directory: Path) -> Path:
    """Write a folder with a Hub module's files, a checkpoint's tensors, and a graph that is none.

    Its data are links to the checkpoint's files where the disk has links: use `change_byte`.
    """
    (directory / "variables").mkdir(parents=True)
    for path in checkpoint.glob("model.ckpt.*"):
        target = directory / "variables" / path.name.replace("model.ckpt", "variables")
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    (directory / "saved_model.pb").write_bytes(b"no graph")
    (directory / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return directory


def write_small_module(directory: Path) -> Path:
    """Write a folder that looks like a model, of a few bytes."""
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"no graph")
    (directory / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(100))
    return directory


def install_copy(
    folder: Path, name: str = DEFAULT_MODEL, *, source: str = "gcs", location: str = LOCATION
) -> InstalledModel:
    """Install a copy of a folder in the cache of this test, with a record that is right."""
    spec = CATALOG.get(name)
    weights = read_weights(folder)
    record = ModelRecord(
        name=name,
        source=source,
        location=location,
        installed_at="2026-01-02T03:04:05Z",
        i3d_version="0.1.0",
        converted=False,
        num_labels=400 if spec is None else LABEL_LISTS[spec.label_list],
        num_parameters=None if weights is None else weights.num_parameters,
        input_range=(-1.0, 1.0),
        input_range_reason="nothing rescales the pixels",
        receptive_field=107,
        stride=8,
        weights=None if weights is None else weights.fingerprint,
        checkpoint=None if weights is None else weights.identification.checkpoint,
        files=record_files(folder),
    )
    with scratch_folder() as scratch:
        shutil.copytree(folder, scratch / MODEL)
        return install(scratch, record)


def change_byte(path: Path, offset: int = -1) -> None:
    """Flip a bit of one byte, of this file and of none that is linked to it."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.unlink()
    path.write_bytes(data)
