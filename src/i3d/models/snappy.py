"""Decompresses Snappy blocks, as Google's own builds of TensorFlow write them into indexes.

The format is described in google/snappy, format_description.txt: the decompressed length as a
varint, then elements. The two lowest bits of an element's first byte are its tag: 0 is a literal,
1, 2 and 3 are copies of bytes before, with an offset of 1 byte (and 3 bits), 2 or 4 bytes.
"""

from __future__ import annotations

from i3d.engines.wire_format import GarbledMessageError, varint


def decompress(data: bytes, max_bytes: int) -> bytes:
    """Decompress one block.

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
