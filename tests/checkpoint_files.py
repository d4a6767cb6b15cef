"""Writes TensorFlow checkpoints without TensorFlow, also with the tensors of DeepMind's I3D.

The weights are random numbers, so their opinions mean nothing. On demand they have the checksums of
a published checkpoint, so that i3d takes them for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np

from i3d.models.deepmind import published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TYPE_NUMBERS = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "complex64": 8,
    "int64": 9, "bool": 10, "uint16": 17, "complex128": 18, "float16": 19, "uint32": 22,
    "uint64": 23,
}  # fmt: skip


def write_checkpoint(
    directory: Path,
    like: str = "rgb_imagenet",
    *,
    seed: int = 0,
    name: str = "model.ckpt",
    scope: str | None = None,
    momentum: bool | None = None,
    published_checksums: bool = False,
    changes: Mapping[str, NDArray[Any] | None] | None = None,
    extra: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """Write a checkpoint of I3D with the names and shapes of one that DeepMind published.

    Args:
        directory: A folder; it is made where it is missing.
        like: The published checkpoint.
        seed: The same seed gives the same weights on every machine.
        name: What the files are called; `variables` in a folder `variables` for a SavedModel.
        scope: What the names begin with ("RGB/inception_i3d/"); None for the published scope.
        momentum: Add an optimizer's state, `NAME/Momentum`; None for where the published
            checkpoint has it, which is the Kinetics-600 one.
        published_checksums: Choose the lowest bits of some weights so that every tensor has the
            CRC-32C of the published one.
        changes: Canonical name -> other numbers, or None to leave the tensor out.
        extra: More tensors, by their names in the file.

    Returns:
        The path of the files without `.index` and `.data-...`.
    """
    checkpoint = published()[like]
    weights = random_weights(like, seed)
    if published_checksums:
        for canonical, (crc32c, _) in checkpoint.tensors.items():
            weights[canonical] = with_crc32c(weights[canonical], crc32c)
    for canonical, numbers in (changes or {}).items():
        if numbers is None:
            del weights[canonical]
        else:
            weights[canonical] = numbers
    scope = checkpoint.prefix if scope is None else scope
    tensors = {scope + canonical: numbers for canonical, numbers in weights.items()}
    if like == "rgb_scratch_kin600" if momentum is None else momentum:
        # Of what was trained: not of batch norm's statistics.
        tensors |= {
            f"{key}/Momentum": np.zeros_like(numbers)
            for key, numbers in tensors.items()
            if "/moving_" not in key
        }
    directory.mkdir(parents=True, exist_ok=True)
    return write_bundle(directory / name, tensors | dict(extra or {}))


def random_weights(like: str = "rgb_imagenet", seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Draw weights for the network; canonical name -> numbers, in the published shapes.

    Activations keep a spread of about 1 from layer to layer, as in `inception_i3d`.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, (_, shape) in published()[like].tensors.items():
        if name.endswith("/w"):
            # 1.7: the standard deviation behind the ReLU of a normal distribution is 1 / 1.7.
            gain = 2.0 if name.startswith("Logits") else 1.7
            numbers = random.standard_normal(shape, np.float32)
            numbers *= np.float32(gain / math.sqrt(math.prod(shape[:-1])))
            if not name.startswith("Conv3d_1a_7x7"):
                numbers -= numbers.mean((0, 1, 2, 3), keepdims=True)
        elif name.endswith("/moving_variance"):
            numbers = random.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            numbers = random.normal(0, 0.3, shape).astype(np.float32)
        weights[name] = numbers
    return weights


def write_bundle(
    prefix: Path, tensors: Mapping[str, NDArray[Any]], *, num_shards: int = 1, **options: int | None
) -> Path:
    """Write tensors as a checkpoint, in turn to each of the data files; give the prefix.

    Options are those of `index_table`.
    """
    entries = []
    sizes = [0] * num_shards
    paths = [
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{num_shards:05d}")
        for shard in range(num_shards)
    ]
    files = [path.open("wb") for path in paths]
    for i, name in enumerate(sorted(tensors, key=str.encode)):
        numbers = np.asarray(tensors[name])
        data = numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()
        shard = i % num_shards
        number = TYPE_NUMBERS[numbers.dtype.name]
        crc32c = google_crc32c.value(data)
        entries.append(Entry(name, number, numbers.shape, shard, sizes[shard], len(data), crc32c))
        files[shard].write(data)
        sizes[shard] += len(data)
    for file in files:
        file.close()
    index = index_table(index_entries(entries, num_shards=num_shards), **options)
    prefix.with_name(f"{prefix.name}.index").write_bytes(index)
    return prefix


@dataclass(frozen=True)
class Entry:
    """One tensor, as the index describes it."""

    name: str
    type_number: int
    shape: Sequence[int]
    shard: int
    offset: int
    num_bytes: int
    crc32c: int

    def message(self) -> bytes:
        """A BundleEntryProto."""
        sizes = b"".join(_bytes(2, _number(1, size)) for size in self.shape)
        return (
            _number(1, self.type_number)
            + _bytes(2, sizes)
            + _number(3, self.shard)
            + _number(4, self.offset)
            + _number(5, self.num_bytes)
            + b"\x35"
            + _masked(self.crc32c).to_bytes(4, "little")
        )


def index_entries(
    entries: Iterable[Entry], *, num_shards: int = 1, big_endian: bool = False
) -> list[tuple[bytes, bytes]]:
    """Keys and values of an index: its header and the tensors."""
    header = _number(1, num_shards) + _number(2, int(big_endian)) + _bytes(3, _number(1, 1))
    return [(b"", header), *((entry.name.encode(), entry.message()) for entry in entries)]


def index_table(
    entries: Iterable[tuple[bytes, bytes]],
    *,
    block_bytes: int = 2**18,
    compression: int = 0,
    snappy_tag: int | None = None,
) -> bytes:
    """Write keys and values, sorted already, as a table.

    Args:
        entries: Keys and values.
        block_bytes: Size from which on a block is closed (TensorFlow's: 256 KiB).
        compression: The type that the blocks claim to be of: 0 none, 2 zstd.
        snappy_tag: Compress the blocks, see `snappy`; None writes them as they are.
    """
    blocks: list[list[tuple[bytes, bytes]]] = [[]]
    size = 0
    for key, value in entries:
        if size > block_bytes:
            blocks.append([])
            size = 0
        blocks[-1].append((key, value))
        size += len(key) + len(value)
    last_keys = [block[-1][0] for block in blocks]
    if b"" < last_keys[-1] < b"\xff":  # what LevelDB does with the last one: shorter, not less
        last_keys[-1] = bytes([last_keys[-1][0] + 1])
    written = [block_of(block) for block in blocks]
    if snappy_tag is None:
        return table_of_blocks(written, last_keys, compression)
    compressed = [snappy(block, snappy_tag) for block in written]
    return table_of_blocks(compressed, last_keys, 1, lambda block: snappy(block, snappy_tag))


def table_of_blocks(
    blocks: list[bytes],
    last_keys: list[bytes],
    compression: int = 0,
    compress: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Put blocks together to a table, with their checksums.

    Args:
        blocks: As they are stored.
        last_keys: The last key of each.
        compression: Their type.
        compress: What is done to the block of their places.
    """
    table = b""
    handles = []
    # The last one is for statistics, and empty.
    for block in [*blocks, block_of([]) if compress is None else compress(block_of([]))]:
        handles.append(varint(len(table)) + varint(len(block)))
        table += with_trailer(block, compression)
    index = block_of(list(zip(last_keys, handles, strict=False)), restart_interval=1)
    index = index if compress is None else compress(index)
    footer = handles[-1] + varint(len(table)) + varint(len(index))
    return (
        table
        + with_trailer(index, 0 if compress is None else compression)
        + footer.ljust(40, b"\0")
        + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
    )


def block_of(entries: Iterable[tuple[bytes, bytes]], *, restart_interval: int = 16) -> bytes:
    """Write keys and values as a block; a key is written as what differs from the one before."""
    block = b""
    restarts = [0]
    previous = b""
    for i, (key, value) in enumerate(entries):
        num_shared = 0
        if i % restart_interval == 0:
            restarts += [len(block)] if i else []
        else:
            while previous[num_shared : num_shared + 1] == key[num_shared : num_shared + 1] != b"":
                num_shared += 1
        new = key[num_shared:]
        block += varint(num_shared) + varint(len(new)) + varint(len(value)) + new + value
        previous = key
    return block + b"".join(n.to_bytes(4, "little") for n in [*restarts, len(restarts)])


def snappy(data: bytes, tag: int) -> bytes:
    """Compress a block with literals and one kind of copies.

    Args:
        data: The block.
        tag: 0: literals alone; 1, 2, 3: copies with offsets of 1, 2 and 4 bytes.
    """
    longest, farthest = {0: (0, 0), 1: (11, 2**11), 2: (64, 2**16), 3: (64, 2**32)}[tag]
    out, literal, position = varint(len(data)), b"", 0
    seen: dict[bytes, int] = {}
    while position < len(data):
        start = seen.get(data[position : position + 4], position)
        seen[data[position : position + 4]] = position
        offset, length = position - start, 0
        while length < longest and data[start + length : start + length + 1] == (
            data[position + length : position + length + 1] or None
        ):
            length += 1  # a copy may overlap what it makes
        if length < 4 or not 0 < offset < farthest:
            literal += data[position : position + 1]
            position += 1
            continue
        out += _literal(literal)
        literal = b""
        if tag == 1:
            out += bytes([1 | (length - 4) << 2 | offset >> 8 << 5, offset & 255])
        else:
            out += bytes([tag | (length - 1) << 2]) + offset.to_bytes(
                2 if tag == 2 else 4, "little"
            )
        position += length
    return out + _literal(literal)


def _literal(content: bytes) -> bytes:
    """Bytes as they are; the length of longer ones follows their first byte."""
    if not content:
        return b""
    if len(content) <= 60:
        return bytes([len(content) - 1 << 2]) + content
    size = (len(content) - 1).to_bytes(4, "little").rstrip(b"\0")
    return bytes([59 + len(size) << 2]) + size + content


def with_trailer(block: bytes, compression: int = 0) -> bytes:
    """Put a block's type and checksum behind it."""
    block += bytes([compression])
    return block + _masked(google_crc32c.value(block)).to_bytes(4, "little")


def with_crc32c(numbers: NDArray[np.float32], crc32c: int) -> NDArray[np.float32]:
    """Change the four lowest bits of the last 16 numbers so that all have a given CRC-32C.

    The checksum is linear: each bit that is flipped flips a set of its bits, whatever the others
    are. Which bits to flip is a system of 32 equations over {0, 1} in 64 unknowns.
    """
    data = bytearray(numbers.astype("<f4").tobytes())
    bits = [(number, bit) for number in range(16) for bit in range(4)]
    solved: dict[int, tuple[int, int]] = {}  # highest bit -> (what changes, by which flips)
    for i, (number, bit) in enumerate(bits):
        flipped = bytearray(64)
        flipped[4 * number] = 1 << bit
        change = google_crc32c.value(bytes(flipped)) ^ google_crc32c.value(bytes(64))
        flips = 1 << i
        while change:
            highest = change.bit_length()
            if highest not in solved:
                solved[highest] = (change, flips)
                break
            change ^= solved[highest][0]
            flips ^= solved[highest][1]
    wanted = google_crc32c.value(bytes(data)) ^ crc32c
    flips = 0
    while wanted:
        change, by = solved[wanted.bit_length()]
        wanted ^= change
        flips ^= by
    for i, (number, bit) in enumerate(bits):
        if flips >> i & 1:
            data[len(data) - 64 + 4 * number] ^= 1 << bit
    return np.frombuffer(bytes(data), "<f4").reshape(numbers.shape)


def varint(number: int) -> bytes:
    """Write a number as protocol buffers and tables do: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded) + bytes([number])


def _masked(crc32c: int) -> int:
    return ((crc32c >> 15 | crc32c << 17) + 0xA282EAD8) % 2**32


def _number(field: int, number: int) -> bytes:
    """A field of a protocol buffer; zeros are not written."""
    return varint(field << 3) + varint(number) if number else b""


def _bytes(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content
