"""The index of a checkpoint: a table (LevelDB's) of names and descriptions (protocol buffers).

Nothing here touches the disk. A damaged index is refused: blocks carry checksums, lengths are
checked, and memory is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.engines.saved_model import TYPES, dtype_name, read_shape
from i3d.engines.wire_format import GarbledMessageError, as_bytes, as_number, fields, varint
from i3d.files.checksums import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.engines.saved_model import Shape

MAX_INDEX_BYTES = 8 * 2**20
"""Longest index that is read, compressed and decompressed: a bound on the work. I3D's takes 14 kB,
one of 100,000 tensors about 5 MB."""

MAX_TENSORS = 100_000
"""Most tensors that a checkpoint may have: with `MAX_NAME_BYTES`, a bound on memory, because an
index can hold long names in few bytes."""

MAX_NAME_BYTES = 1024
"""Longest name of a tensor. I3D's have up to 70 characters."""

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
            raise DamagedError("the name of a tensor is not text") from error
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
    sizes: Shape | None = ()
    for number, value in fields(message):
        if number in numbers:
            numbers[number] = as_number(value)
        elif number == 2:
            sizes = read_shape(as_bytes(value))
        elif number == 7:
            raise UnsupportedError("stores variables in slices")
    data_type, shard, offset, num_bytes, masked = numbers.values()
    dtype = dtype_name(data_type)
    itemsize = _NUM_BYTES.get(dtype)
    shape = tuple(size for size in sizes or () if size is not None)
    if sizes is None or len(shape) != len(sizes):
        raise DamagedError("the shape of a tensor is unknown")
    if shard >= num_shards or max(offset, num_bytes) >= 2**63 or masked >= 2**32:
        raise DamagedError(f"the place of {name!r} makes no sense")
    if itemsize and num_bytes != itemsize * math.prod(shape):
        raise DamagedError(f"the size of {name!r} does not fit its shape")
    return Tensor(name, dtype, shape, shard, offset, num_bytes, _unmasked(masked))


def _entries_of_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give (key, value) of a table, in the order of the keys."""
    if len(table) > MAX_INDEX_BYTES:
        raise DamagedError(f"it is longer than {MAX_INDEX_BYTES // 2**20} MB")
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != _TABLE_MAGIC:
        raise DamagedError("it does not end as an index does (it is cut off, or no index at all)")
    _, _, position = _handle(footer, 0)  # of blocks with statistics, which checkpoints lack
    offset, size, _ = _handle(footer, position)
    room = MAX_INDEX_BYTES
    for _, handle in _entries_of_block(_block(table, offset, size, room)):
        offset, size, _ = _handle(handle, 0)
        block = _block(table, offset, size, room)
        room -= len(block)
        yield from _entries_of_block(block)


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
    """Read where a block lies: its offset, its size, and the position after both."""
    offset, position = varint(data, position)
    size, position = varint(data, position)
    return offset, size, position


def _unmasked(crc: int) -> int:
    """Undo what LevelDB does to the checksums that it stores."""
    rotated = (crc - _CRC_MASK) % 2**32
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def decompress(data: bytes, max_bytes: int) -> bytes:
    """Decompress a block of Snappy's (google/snappy, format_description.txt).

    That is the decompressed length as a varint, then elements. The two lowest bits of an element's
    first byte are its tag: 0 is a literal, 1, 2 and 3 are copies of bytes before, with an offset of
    1 byte (and 3 bits), 2 or 4 bytes.

    Args:
        data: The whole block.
        max_bytes: Refuse a block that declares more than this, before anything is decompressed.

    Raises:
        GarbledMessageError: The block is damaged, or declares more than `max_bytes`. The message is
            a clause.
    """
    num_bytes, position = varint(data, 0)
    if num_bytes > max_bytes:
        raise GarbledMessageError(f"a compressed block declares {num_bytes} bytes")
    out = bytearray()
    while position < len(data):
        tag = data[position]
        kind, high_bits = tag & 3, tag >> 2
        position += 1
        if kind == 0:
            length = high_bits + 1
            if high_bits >= 60:  # the length is in the next 1 to 4 bytes
                size_end = position + high_bits - 59
                length = int.from_bytes(data[position:size_end], "little") + 1
                position = size_end
            literal = data[position : position + length]
            position += length
            if position > len(data):
                raise GarbledMessageError("a compressed block is cut off")
            out += literal
        else:
            size = (0, 1, 2, 4)[kind]
            offset = int.from_bytes(data[position : position + size], "little")
            position += size
            if position > len(data):
                raise GarbledMessageError("a compressed block is cut off")
            length = high_bits + 1
            if kind == 1:
                length = (high_bits & 7) + 4
                offset |= high_bits >> 3 << 8
            if not 0 < offset <= len(out):
                raise GarbledMessageError("a compressed block copies what it does not hold")
            start = len(out) - offset
            pattern = bytes(out[start : start + length])  # shorter where the copy overlaps itself
            out += (pattern * (length // len(pattern) + 1))[:length]
        if len(out) > num_bytes:
            raise GarbledMessageError("a compressed block holds more than it declares")
    if len(out) != num_bytes:
        raise GarbledMessageError("a compressed block holds less than it declares")
    return bytes(out)
