"""The index of a checkpoint: a table (LevelDB's) of names and descriptions (protocol buffers).

Nothing here touches the disk. An index may come from anywhere, so nothing in it is believed: every
offset and every count is checked, and the work and the memory are bounded by its length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.engines.saved_model import TYPES, dtype_name
from i3d.engines.wire_format import as_bytes, as_number, fields, varint
from i3d.files.checksums import crc32c
from i3d.models.snappy import decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_INDEX_BYTES = 8 * 2**20
"""Longest index that is read, compressed and decompressed: a bound on the work. I3D's takes 14 kB,
one of 100,000 tensors about 5 MB."""

MAX_TENSORS = 100_000
"""Most tensors that a checkpoint may have: with `MAX_NAME_BYTES`, a bound on memory, because an
index can hold long names in few bytes."""

MAX_NAME_BYTES = 1024
"""Longest name of a tensor. I3D's have up to 70 characters."""

MAX_DIMENSIONS = 32
"""Most dimensions that a shape may have: NumPy's limit before 2.0."""

_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5
_CRC_MASK = 0xA282EAD8
_UNCOMPRESSED, _SNAPPY = 0, 1
"""Types of blocks. TensorFlow as released compresses none; Google's own builds do."""

_NUM_BYTES = dict(TYPES.values())
_FLOATS = {"float16", "bfloat16", "float32", "float64"}


@dataclass(frozen=True)
class Tensor:
    """One tensor, as the index describes it."""

    name: str
    dtype: str
    """NumPy's name (`float32`); `bfloat16`, `string`, `variant`, or `type 11` for rarer ones."""
    shape: tuple[int, ...]
    shard: int
    """Number of the data file that holds it, from 0."""
    offset: int
    """Where its bytes begin in the data file."""
    num_bytes: int
    crc32c: int
    """CRC-32C that its bytes should have (the index holds it masked, this is the plain one)."""

    @property
    def is_float(self) -> bool:
        """It holds real numbers, as weights do."""
        return self.dtype in _FLOATS

    @property
    def has_plain_bytes(self) -> bool:
        """Its bytes are just its numbers. Those of strings are not, and have another checksum."""
        return _NUM_BYTES.get(self.dtype) != 0


class DamagedError(Exception):
    """Its message is a clause: why the index is damaged."""


class UnsupportedError(Exception):
    """Its message is a clause about the checkpoint: what i3d does not read."""


def read_index(table: bytes) -> tuple[int, dict[str, Tensor]]:
    """Read an index file: the number of data files, and the tensors by their names."""
    num_shards = None
    tensors: dict[str, Tensor] = {}
    for key, value in _entries_of_table(table):
        if num_shards is None:
            if key:
                raise DamagedError("its header is missing")
            num_shards = _header(value)
            continue
        if key.startswith(b"\0"):  # the bytes of a slice; no name begins so
            raise UnsupportedError("stores variables in slices")
        try:
            name = key.decode()
        except UnicodeDecodeError as error:
            raise DamagedError("the name of a tensor is no text") from error
        if len(tensors) == MAX_TENSORS:
            raise DamagedError(f"it has more than {MAX_TENSORS} tensors")
        tensors[name] = _tensor(name, value, num_shards)
    if num_shards is None:
        raise DamagedError("it is empty")
    return num_shards, tensors


def _header(message: bytes) -> int:
    """Read a BundleHeaderProto: the number of data files."""
    num_shards, endianness = 0, 0
    for number, value in fields(message):
        if number == 1:
            num_shards = as_number(value)
        elif number == 2:
            endianness = as_number(value)
    if endianness != 0:
        raise UnsupportedError("holds big-endian numbers")
    if not 1 <= num_shards <= MAX_TENSORS:
        raise DamagedError(f"it counts {num_shards} data files")
    return num_shards


def _tensor(name: str, message: bytes, num_shards: int) -> Tensor:
    """Read a BundleEntryProto."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}  # data type, shard, offset, size, checksum
    shape: tuple[int, ...] = ()
    for number, value in fields(message):
        if number in numbers:
            numbers[number] = as_number(value)
        elif number == 2:
            shape = _shape(as_bytes(value))
        elif number == 7:
            raise UnsupportedError("stores variables in slices")
    data_type, shard, offset, num_bytes, masked = numbers.values()
    dtype = dtype_name(data_type)
    itemsize = _NUM_BYTES.get(dtype)
    if shard >= num_shards or max(offset, num_bytes) >= 2**63 or masked >= 2**32:
        raise DamagedError(f"the place of {name!r} makes no sense")
    if itemsize and num_bytes != itemsize * math.prod(shape):
        raise DamagedError(f"the size of {name!r} does not fit its shape")
    return Tensor(name, dtype, shape, shard, offset, num_bytes, _unmasked(masked))


def _shape(message: bytes) -> tuple[int, ...]:
    """Read a TensorShapeProto."""
    shape: list[int] = []
    for number, value in fields(message):
        if number == 2:
            sizes = [as_number(size) for field, size in fields(as_bytes(value)) if field == 1]
            shape.append(sizes[-1] if sizes else 0)
            if len(shape) > MAX_DIMENSIONS or shape[-1] >= 2**63:
                raise DamagedError("the shape of a tensor makes no sense")
        elif number == 3 and value:
            raise DamagedError("the shape of a tensor is unknown")
    return tuple(shape)


def _entries_of_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give (key, value) of a table, in the order of the keys."""
    if len(table) > MAX_INDEX_BYTES:
        raise DamagedError(f"it is longer than {MAX_INDEX_BYTES // 2**20} MB")
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != _TABLE_MAGIC:
        raise DamagedError("it does not end as an index does (it is cut off, or no index at all)")
    _, _, position = _handle(footer, 0)  # of blocks with statistics, which checkpoints lack
    offset, size, _ = _handle(footer, position)
    previous: bytes | None = None
    block_end, room = 0, MAX_INDEX_BYTES
    for _, handle in _entries_of_block(_block(table, offset, size, room)):
        offset, size, _ = _handle(handle, 0)
        if offset < block_end:  # else a short file could hold endless work
            raise DamagedError("its blocks overlap")
        block_end = offset + size
        block = _block(table, offset, size, room)
        room -= len(block)
        for key, value in _entries_of_block(block):
            if previous is not None and key <= previous:
                raise DamagedError("its entries are not sorted")
            previous = key
            yield key, value


def _block(table: bytes, offset: int, size: int, max_bytes: int) -> bytes:
    """Cut a block out of a table, check it as it is stored, and decompress it where it needs that.

    Args:
        table: The whole file.
        offset: Where the block begins.
        size: Its length as it is stored.
        max_bytes: How much a compressed one may decompress to.
    """
    end = offset + size
    if end + _BLOCK_TRAILER_BYTES > len(table) - _FOOTER_BYTES:
        raise DamagedError("a block lies outside the file")
    claimed = int.from_bytes(table[end + 1 : end + _BLOCK_TRAILER_BYTES], "little")
    if crc32c(table[offset : end + 1]) != _unmasked(claimed):
        raise DamagedError("the checksum of a block is wrong")
    if table[end] == _UNCOMPRESSED:
        return table[offset:end]
    if table[end] == _SNAPPY:
        return decompress(table[offset:end], max_bytes)
    raise UnsupportedError("has an index that is compressed in another way than Snappy's")


def _entries_of_block(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give (key, value) of a block; a key is stored as what differs from the one before."""
    num_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * num_restarts
    if end < 0:
        raise DamagedError("a block is too short")
    key, position = b"", 0
    while position < end:
        num_shared, position = varint(block, position)
        num_new, position = varint(block, position)
        num_value, position = varint(block, position)
        value_start = position + num_new
        value_end = value_start + num_value
        if num_shared > len(key) or value_end > end or num_shared + num_new > MAX_NAME_BYTES:
            raise DamagedError("the length of an entry makes no sense")
        key = key[:num_shared] + block[position:value_start]
        yield key, block[value_start:value_end]
        position = value_end


def _handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Read where a block lies: its offset, its size, and the position behind both."""
    offset, position = varint(data, position)
    size, position = varint(data, position)
    return offset, size, position


def _unmasked(crc: int) -> int:
    """Undo what LevelDB does to the checksums that it stores."""
    rotated = (crc - _CRC_MASK) % 2**32
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
