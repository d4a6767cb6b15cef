"""What `model.json` says of a model in the cache: where it came from, and what its files are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from i3d.errors import ModelLoadError

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
    """Name in the catalogue, or the address or file that was given."""
    source: str
    """`tfhub`, `gcs`, `kaggle`, `deepmind`, `tfhub-cache`, `kagglehub-cache`, `url`, `archive` or
    `import`."""
    location: str
    """The URL or path it came from."""
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


def record_from_json(text: str) -> ModelRecord:
    """Read a record.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It is damaged, of another version, or
            names files outside its folder.
    """
    data: dict[str, Any] = json.loads(text)
    if data.pop("schema") != SCHEMA:
        raise ValueError(text)
    data = {field.name: data[field.name] for field in fields(ModelRecord)}
    low, high = data["input_range"]
    data["input_range"] = (float(low), float(high))
    files = {name: FileRecord(**file) for name, file in data["files"].items()}
    if any(Path(name).anchor or ".." in Path(name).parts for name in files):
        raise ValueError(text)
    if "saved_model.pb" not in files:
        raise ValueError(text)
    data["files"] = files
    return ModelRecord(**data)


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
            if path.is_file()
        }
        files.pop(RECORD, None)
        return {
            name: FileRecord(files[name].stat().st_size, sha256_of(files[name]))
            for name in sorted(files)
        }
    except OSError as error:
        raise ModelLoadError(
            f"The model in {directory} cannot be read: {error.strerror or error}.",
            hint="Check the permissions of its files.",
        ) from error


def fingerprint(files: dict[str, FileRecord]) -> str:
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
