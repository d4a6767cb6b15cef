"""The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), read only.

A message may come from anywhere, so nothing in it is believed: every length is checked. The
library `protobuf` would need TensorFlow's descriptions of its messages, which come with an import
of all of TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Field: TypeAlias = "int | bytes"
"""The value of a field: a number, or the bytes of a text, a message or packed numbers."""


class GarbledMessageError(Exception):
    """The bytes are not a message; says why, in a clause."""


def fields(message: bytes) -> Iterator[tuple[int, Field]]:
    """Give (number, value) of the fields of a message.

    Raises:
        GarbledMessageError: It is none.
    """
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        value: Field
        if wire_type == 0:
            value, position = varint(message, position)
        else:
            if wire_type == 2:
                size, position = varint(message, position)
            elif wire_type in (1, 5):
                size = 8 if wire_type == 1 else 4
            else:
                raise GarbledMessageError("a description in it is garbled")
            if position + size > len(message):
                raise GarbledMessageError("a description in it is cut off")
            value = message[position : position + size]
            if wire_type != 2:
                value = int.from_bytes(value, "little")
            position += size
        yield number, value


def as_number(value: Field) -> int:
    """The value of a field that must be a number, unsigned.

    Raises:
        GarbledMessageError: It is none.
    """
    if isinstance(value, bytes):
        raise GarbledMessageError("a description in it is garbled")
    return value


def as_bytes(value: Field) -> bytes:
    """The value of a field that must be bytes, or a message.

    Raises:
        GarbledMessageError: It is a number.
    """
    if isinstance(value, int):
        raise GarbledMessageError("a description in it is garbled")
    return value


def as_text(value: Field) -> str:
    """The value of a field that must be a text.

    Raises:
        GarbledMessageError: It is none.
    """
    try:
        return as_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise GarbledMessageError("a name in it is not text") from error


def map_entry(message: bytes) -> tuple[str, bytes]:
    """The key and the value of an entry of a map.

    Raises:
        GarbledMessageError: It is none.
    """
    parts = dict(fields(message))
    return as_text(parts.get(1, b"")), as_bytes(parts.get(2, b""))


def numbers(message: bytes, index: int) -> list[int]:
    """The numbers of a repeated field, packed or not, as signed ones of 64 bits.

    Raises:
        GarbledMessageError: It holds something else.
    """
    found = []
    for number, value in fields(message):
        if number == index and isinstance(value, int):
            found.append(value)
        elif number == index and isinstance(value, bytes):
            position = 0
            while position < len(value):
                item, position = varint(value, position)
                found.append(item)
    return [number - 2**64 if number >= 2**63 else number for number in found]


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, 64 bits at most.

    Returns:
        The number, and the position after it.

    Raises:
        GarbledMessageError: There is none.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value < 2**64:
                return value, position
            break
    raise GarbledMessageError("a number in it is cut off or too large")
