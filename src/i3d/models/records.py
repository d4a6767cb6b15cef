"""What `model.json` says of a model in the cache: where it came from, and what its files are."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """It has the layers of a published checkpoint, and weights that nobody published."""

    @property
    def title(self) -> str:
        """Its name, with ` (unofficial)` where it is that."""
        return f"{self.name} (unofficial)" if self.unofficial else self.name


def record_from_json(text: str) -> ModelRecord:
    """Read a record.

    Raises:
        ValueError: It is damaged, of another version, a field is missing or of another type, or
            it names files outside its folder.
    """
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError("not a record of this version")
    values: dict[str, Any] = {}
    for field in fields(ModelRecord):
        value = data.get(field.name)
        if field.name == "input_range":
            values[field.name] = _range_from_json(value)
        elif field.name == "files":
            values[field.name] = _files_from_json(value)
        elif field.name in data and _is_a(value, str(field.type)):
            values[field.name] = value
        else:
            raise ValueError(f"{field.name} is missing or of another type")
    return ModelRecord(**values)


def _is_a(value: object, annotation: str) -> bool:
    """Tell whether a value is of a type, such as `int | None`; True and False are no `int`."""
    kind = "None" if value is None else type(value).__name__
    return kind in annotation.split(" | ")


def _range_from_json(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("a range has two ends")
    low, high = value
    if not all(_is_a(end, "int | float") and abs(end) <= sys.float_info.max for end in value):
        raise ValueError("a range has finite ends")
    return float(low), float(high)


def _files_from_json(value: object) -> dict[str, FileRecord]:
    if not isinstance(value, dict) or "saved_model.pb" not in value:
        raise ValueError("no files of a model")
    files = {}
    for name, file in value.items():
        if not isinstance(file, dict) or Path(name).anchor or ".." in Path(name).parts:
            raise ValueError("a file without a size, or outside the folder")
        num_bytes, sha256 = file.get("num_bytes"), file.get("sha256")
        if type(num_bytes) is not int or num_bytes < 0 or not isinstance(sha256, str):
            raise ValueError("a size or digest is none")
        files[name] = FileRecord(num_bytes, sha256)
    return files


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
