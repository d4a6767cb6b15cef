"""Reads TensorFlow checkpoints without TensorFlow.

A checkpoint of TensorFlow 1 or 2, also the one in a SavedModel's `variables/`, is a table of
names (`PREFIX.index`) and the numbers themselves (`PREFIX.data-00000-of-00001`, ...). TensorFlow's
sources describe both (core/util/tensor_bundle, core/protobuf/tensor_bundle.proto); the table is
LevelDB's (its doc/table_format.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from i3d.engines.wire_format import GarbledMessageError
from i3d.errors import CheckpointError
from i3d.files.checksums import crc32c
from i3d.models.checkpoint_index import (
    MAX_INDEX_BYTES,
    DamagedError,
    Tensor,
    UnsupportedError,
    read_index,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK_BYTES = 2**20
"""How much of a tensor is held in memory while its checksum is computed."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose index was read and whose data files are there and long enough.

    The tensors' bytes are read when they are asked for.
    """

    prefix: Path
    """Path of its files without `.index` and `.data-...`."""
    tensors: Mapping[str, Tensor]
    """By name, in the order of the index."""
    num_shards: int
    """Number of its data files."""

    def read(self, name: str) -> NDArray[Any]:
        """Read one tensor.

        Args:
            name: Its name in the checkpoint.

        Returns:
            An array of its own, of the tensor's shape and type, little-endian.

        Raises:
            CheckpointError: There is no such tensor, its type is none of NumPy's, its bytes are
                missing, or they do not have the CRC-32C that the index claims.
        """
        import numpy as np

        if name not in self.tensors:
            raise CheckpointError(f"The checkpoint {self.prefix} has no tensor named {name!r}.")
        tensor = self.tensors[name]
        # TensorFlow, once imported, adds its bfloat16 to NumPy's types.
        if tensor.dtype not in np.sctypeDict or tensor.dtype == "bfloat16":
            raise CheckpointError(
                f"The tensor {name} of the checkpoint {self.prefix} is of {_type(tensor)}, which "
                "i3d does not read."
            )
        data = b"".join(self._chunks(tensor))
        if len(data) < tensor.num_bytes or crc32c(data) != tensor.crc32c:
            raise CheckpointError(
                f"The tensor {name} of the checkpoint {self.prefix} is damaged: its bytes are not "
                "those that the checkpoint's index describes.",
                hint="Fetch the model again.",
            )
        flat = np.frombuffer(data, np.dtype(tensor.dtype).newbyteorder("<"))
        return flat.reshape(tensor.shape).copy()

    def checksums(self, names: Iterable[str] | None = None) -> dict[str, int | None]:
        """Compute the CRC-32C of tensors' bytes as they are on the disk, a piece at a time.

        Args:
            names: Names of tensors of this checkpoint; None for all.

        Returns:
            Name -> CRC-32C, or None where the bytes are missing. Tensors of strings and variants
            are left out: their checksums follow other rules.

        Raises:
            CheckpointError: A data file cannot be read.
        """
        chosen = self.tensors.keys() if names is None else set(names)
        tensors = [self.tensors[name] for name in chosen if self.tensors[name].has_plain_bytes]
        found: dict[str, int | None] = {}
        for tensor in sorted(tensors, key=lambda tensor: (tensor.shard, tensor.offset)):
            crc, num_bytes = 0, 0
            for chunk in self._chunks(tensor):
                crc = crc32c(chunk, crc)
                num_bytes += len(chunk)
            found[tensor.name] = crc if num_bytes == tensor.num_bytes else None
        return found

    def _chunks(self, tensor: Tensor) -> Iterator[bytes]:
        """The bytes of a tensor, as many as there are of them."""
        path = _data_file(self.prefix, tensor.shard, self.num_shards)
        remaining = tensor.num_bytes
        try:
            with path.open("rb") as file:
                file.seek(tensor.offset)
                while remaining:
                    chunk = file.read(min(remaining, CHUNK_BYTES))
                    if not chunk:
                        return
                    remaining -= len(chunk)
                    yield chunk
        except OSError as error:
            raise _unreadable(path, error) from error


def open_checkpoint(prefix: Path) -> Checkpoint:
    """Read the index of a checkpoint, and see that its data files are there.

    Args:
        prefix: Path of its files without `.index` and `.data-...`, see `checkpoint_prefix`.

    Returns:
        The checkpoint. Its tensors' bytes are not looked at, see `Checkpoint.checksums`.

    Raises:
        CheckpointError: The index or a data file is missing or unreadable, the index is damaged,
            a data file is shorter than the index says, or the checkpoint is one that i3d does not
            read (an index compressed otherwise than by Snappy, big-endian numbers, variables stored
            in slices).
    """
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file():
        raise CheckpointError(
            f"There is no checkpoint at {prefix}: {index.name} is missing.",
            hint="A checkpoint is a file NAME.index with one or more NAME.data-... beside it.",
        )
    try:
        with index.open("rb") as file:
            table = file.read(MAX_INDEX_BYTES + 1)
    except OSError as error:
        raise _unreadable(index, error) from error
    try:
        num_shards, tensors = read_index(table)
    except (DamagedError, GarbledMessageError) as error:
        raise CheckpointError(
            f"The checkpoint index {index} is damaged: {error}.", hint="Fetch the model again."
        ) from error
    except UnsupportedError as error:
        message = f"The checkpoint {prefix} {error}, which i3d does not read."
        raise CheckpointError(message) from error
    checkpoint = Checkpoint(prefix, tensors, num_shards)
    _check_data_files(checkpoint)
    return checkpoint


def checkpoint_prefix(directory: Path) -> Path | None:
    """Find the checkpoint in a folder.

    Args:
        directory: A SavedModel's folder, or one that holds exactly one NAME.index with its
            NAME.data-... files, as DeepMind's do.

    Returns:
        The checkpoint's path without `.index`, for `open_checkpoint`; None where the folder holds
        no checkpoint, or several, or cannot be read.
    """
    variables = directory / "variables" / "variables"
    if variables.with_name("variables.index").is_file():
        return variables
    try:
        files = [path.name for path in directory.iterdir()]
    except OSError:
        return None
    stems = [
        file.removesuffix(".index")
        for file in files
        # macOS puts ._NAME beside NAME where it unpacks archives to foreign file systems.
        if file.endswith(".index") and not file.startswith(".")
    ]
    stems = [stem for stem in stems if any(file.startswith(f"{stem}.data-") for file in files)]
    return directory / stems[0] if len(stems) == 1 else None


def num_parameters(checkpoint: Checkpoint, names: Iterable[str] | None = None) -> int:
    """Count the numbers in a checkpoint's float tensors.

    Args:
        checkpoint: Any checkpoint.
        names: The tensors to count; None for all, an optimizer's state among them.
    """
    tensors = checkpoint.tensors
    chosen = tensors.values() if names is None else [tensors[name] for name in names]
    return sum(math.prod(tensor.shape) for tensor in chosen if tensor.is_float)


def _check_data_files(checkpoint: Checkpoint) -> None:
    """See that the data files are there and whole."""
    ends: dict[int, int] = {}
    for tensor in checkpoint.tensors.values():
        ends[tensor.shard] = max(ends.get(tensor.shard, 0), tensor.offset + tensor.num_bytes)
    for shard, end in sorted(ends.items()):
        path = _data_file(checkpoint.prefix, shard, checkpoint.num_shards)
        if not path.is_file():
            raise CheckpointError(
                f"The checkpoint {checkpoint.prefix} is incomplete: {path.name} is missing.",
                hint="Put all files of the checkpoint into one folder.",
            )
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error) from error
        if size < end:
            raise CheckpointError(
                f"The checkpoint file {path} is cut off: it has {size} of {end} bytes.",
                hint="Fetch the model again.",
            )


def _data_file(prefix: Path, shard: int, num_shards: int) -> Path:
    return prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{num_shards:05d}")


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint file {path} cannot be read: {error.strerror or error}.",
        hint="Check the file and its permissions.",
    )


def _type(tensor: Tensor) -> str:
    return tensor.dtype if tensor.dtype.startswith("type ") else f"type {tensor.dtype}"
