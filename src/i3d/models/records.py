"""What `model.json` says of a model in the cache: where it came from, and what its files are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from i3d.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD = "model.json"
SCHEMA = "i3d.model/1"


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when the model was installed."""

    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelRecord:
    """Where an installed model came from and what it is; the content of `model.json`."""

    name: str
    """Name in the catalogue; the address, without a password and what follows its `?`; or
    `sha256:` and the digest of the archive's content."""
    source: str
    """`tfhub`, `pypi`, `gcs`, `kaggle`, `deepmind`, `tfhub-cache`, `kagglehub-cache`, `url`,
    `archive` or `import`."""
    location: str
    """The URL, without a password and what follows its `?`, or the path it came from."""
    installed_at: str
    """Date and time, ISO 8601, UTC."""
    i3d_version: str
    converted: bool
    """Whether it was a checkpoint and i3d made the SavedModel."""
    num_labels: int
    num_parameters: int | None
    """Numbers in the model's tensors; None where they can't be read."""
    input_range: tuple[float, float]
    """What the model wants for black and white, see `i3d.engines.base.ModelContract`."""
    input_range_reason: str
    receptive_field: int | None
    """Frames that one step of the output sees; None where the graph does not tell."""
    stride: int | None
    """Frames from one step of the output to the next; None where the graph does not tell."""
    weights: str | None
    """Fingerprint of the weights; None where they can't be read."""
    checkpoint: str | None
    """The published checkpoint that the weights equal; None for none."""
    files: dict[str, FileRecord]
    """Path below the folder, with forward slashes -> the file."""
    folder: str = ""
    """Name of its folder in the cache, by which a copy of the folder is known for what it is;
    `i3d.models.store.install` writes the one that belongs to `name` where there is none."""


@dataclass(frozen=True)
class ModelInfo:
    """The model that made a result."""

    name: str
    """Name in the catalogue, or the path or URL that was given."""
    fingerprint: str
    """`sha256:` and 64 hexadecimal digits over the names and contents of the model's files."""
    num_labels: int
    """Length of the model's output."""
    label_list: str
    """Where the labels come from: a packaged list, a file, or `index` for bare numbers."""
    source: str = "folder"
    """Where it came from: a source of the catalogue (`tfhub`, `deepmind`), `url`, `archive`,
    `import`, `packaged`, or `folder` for one of the user's own."""
    weights: str | None = None
    """`sha256:` over the names, shapes and CRC-32C of the model's tensors: equal for equal weights,
    in whatever format they are stored. None where they can't be read."""
    checkpoint: str | None = None
    """Which of DeepMind's published checkpoints the weights are, tensor by tensor
    (`rgb_scratch`); None for none of them."""
    unofficial: bool = False
    """It has the layers of a published checkpoint, and unpublished weights."""

    @property
    def title(self) -> str:
        """Its name, with ` (unofficial)` where it is that."""
        return f"{self.name} (unofficial)" if self.unofficial else self.name


def record_from_json(text: bytes) -> ModelRecord:
    """Read a record.

    Raises:
        ValueError: It is damaged, of another version, a field is missing or of another type, or
            it names files outside its folder.
    """
    try:
        data = msgspec.json.decode(text, type=dict[str, Any])
        record = msgspec.convert(data, ModelRecord)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not a record") from error
    is_outside = any(Path(name).anchor or ".." in Path(name).parts for name in record.files)
    if data.get("schema") != SCHEMA or "saved_model.pb" not in record.files or is_outside:
        raise ValueError("not a record of this version, or of other files than a model's")
    return record


def record_to_json(record: ModelRecord) -> str:
    """Write a record."""
    data = {"schema": SCHEMA, **asdict(record)}
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def record_files(directory: Path) -> dict[str, FileRecord]:
    """Sizes and digests of all files of a folder but the record, by their names.

    Raises:
        ModelLoadError: A file can't be read.
    """
    try:
        files = {
            path.relative_to(directory).as_posix(): path
            for path in directory.rglob("*")
            if path.is_file() and path.relative_to(directory).parts[0] != RECORD
        }
        return {
            name: FileRecord(files[name].stat().st_size, sha256_of(files[name]))
            for name in sorted(files)
        }
    except OSError as error:
        raise ModelLoadError(
            f"The model in {directory} cannot be read: {error.strerror or error}.",
            hint="Check the permissions of its files.",
        ) from error


def fingerprint(files: Mapping[str, FileRecord]) -> str:
    """Identify a model by the names and contents of its files.

    Args:
        files: What `record_files` gave.

    Returns:
        `sha256:` and the SHA-256, in hexadecimal, of the lines `DIGEST  NAME` (digest of the
        content, two spaces, path below the folder with forward slashes) of its files in the order
        of their names, as `sha256sum` prints them.
    """
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{files[name].sha256}  {name}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{total.hexdigest()}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
