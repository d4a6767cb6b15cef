"""The operations of a TensorFlow graph, read from the bytes of its description (a GraphDef).

TensorFlow's sources describe the messages (core/framework/graph.proto, node_def.proto,
attr_value.proto, tensor.proto).
"""

from __future__ import annotations

import math
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

from i3d.engines.saved_model import read_shape
from i3d.engines.wire_format import as_bytes, as_text, fields, map_entry, numbers

if TYPE_CHECKING:
    from i3d.engines.saved_model import Shape

Tensor: TypeAlias = tuple[str, int]
"""An operation's name, and which of its outputs."""


def tensor_of(name: str) -> Tensor:
    """`input_frames:0`, or without a number where that is 0."""
    node, _, number = name.partition(":")
    return node, int(number or 0)


class Node:
    """An operation (NodeDef)."""

    def __init__(self, message: bytes) -> None:
        self.name = self.kind = ""
        self.inputs: list[Tensor] = []
        self._entries: list[bytes] = []
        for number, value in fields(message):
            if number == 1:
                self.name = as_text(value)
            elif number == 2:
                self.kind = as_text(value)
            elif number == 3 and not as_bytes(value).startswith(b"^"):  # that only orders
                self.inputs.append(tensor_of(as_text(value)))
            elif number == 5:
                self._entries.append(as_bytes(value))

    @cached_property
    def _attributes(self) -> dict[str, dict[int, bytes | int]]:
        """Name -> the fields of an AttrValue, by their numbers."""
        entries = dict(map(map_entry, self._entries))
        return {name: dict(fields(value)) for name, value in entries.items()}

    def value(self, name: str, number: int) -> bytes:
        """A text (2), a shape (7), a tensor (8) or a list (1); empty where it has its default."""
        return as_bytes(self._attributes.get(name, {}).get(number, b""))

    def numbers(self, name: str) -> list[int]:
        """A list of integers; empty where it has its default."""
        return numbers(self.value(name, 1), 3)

    def flag(self, name: str, *, default: bool) -> bool:
        """A truth value. Defaults may have been left out of the file."""
        return bool(self._attributes[name].get(5)) if name in self._attributes else default

    @cached_property
    def shapes(self) -> list[Shape | None]:
        """Those of its outputs, as TensorFlow found them when the model was saved."""
        listed = fields(self.value("_output_shapes", 1))
        return [read_shape(as_bytes(value)) for number, value in listed if number == 7]


class GraphDef:
    """The operations of a graph (GraphDef), each after its inputs unless there are loops."""

    def __init__(self, message: bytes) -> None:
        listed = [Node(as_bytes(value)) for number, value in fields(message) if number == 1]
        self.nodes = {node.name: node for node in listed}
        sources = {node.name: [name for name, _ in node.inputs] for node in listed}
        try:
            self.order = [self.nodes[name] for name in TopologicalSorter(sources).static_order()]
        except CycleError:
            self.order = listed

    def shape(self, tensor: Tensor) -> Shape | None:
        """The sizes of a tensor, None for those that are free; None where their number is."""
        shapes = self.nodes[tensor[0]].shapes
        return shapes[tensor[1]] if tensor[1] < len(shapes) else None

    def constant(self, tensor: Tensor) -> list[int] | None:
        """The value of a constant tensor of integers as a list; None where it is not constant."""
        node = self.nodes[tensor[0]]
        content = node.value("value", 8)
        if node.kind != "Const" or not content:
            return None
        parts = dict(fields(content))  # a TensorProto
        count = product(read_shape(as_bytes(parts.get(2, b""))) or ()) or 0
        raw = as_bytes(parts.get(4, b""))
        if raw:
            size = len(raw) // max(count, 1)
            return [
                int.from_bytes(raw[i : i + size], "little", signed=True)
                for i in range(0, size * count, size)
            ]
        listed = [*numbers(content, 7), *numbers(content, 10)] or [0]  # of 32 bits, of 64
        return [*listed, *listed[-1:] * (count - len(listed))]  # the last one fills the rest


def product(sizes: Shape) -> int | None:
    """The product of sizes; None where one is free."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None
