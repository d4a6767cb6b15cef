"""What a SavedModel says of its signatures, read from its file without TensorFlow.

Which signature takes a video, which of its outputs are the logits, and what the input insists on:
one rule for all engines. The messages are described in TensorFlow's sources
(core/protobuf/saved_model.proto, meta_graph.proto).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from i3d.engines.wire_format import (
    GarbledMessageError,
    as_bytes,
    as_number,
    as_text,
    fields,
    map_entry,
)
from i3d.errors import ModelLoadError

if TYPE_CHECKING:
    from pathlib import Path

Shape: TypeAlias = tuple[int | None, ...]
"""None for a size that is free."""

TYPES = {
    # Number in core/framework/types.proto: NumPy's name, bytes per number (0: it varies).
    1: ("float32", 4),
    2: ("float64", 8),
    3: ("int32", 4),
    4: ("uint8", 1),
    5: ("int16", 2),
    6: ("int8", 1),
    7: ("string", 0),
    8: ("complex64", 8),
    9: ("int64", 8),
    10: ("bool", 1),
    14: ("bfloat16", 2),
    17: ("uint16", 2),
    18: ("complex128", 16),
    19: ("float16", 2),
    21: ("variant", 0),
    22: ("uint32", 4),
    23: ("uint64", 8),
}
"""TensorFlow's data types (core/framework/types.proto)."""

_FLOATS = ("bfloat16", "float16", "float32", "float64")


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a signature."""

    name: str
    """Its name in the graph (`input_frames:0`), which need not be its name in the signature."""
    dtype: str
    """NumPy's name of its type."""
    shape: Shape | None
    """None where not even the number of dimensions is known."""


@dataclass(frozen=True)
class VideoSignature:
    """The signature that turns a video into logits."""

    key: str
    """Its name."""
    input_name: str
    """Name of its only input."""
    input_tensor: str
    """What the input is called in the graph."""
    output_name: str
    """Name of its output of shape (batch, labels); may be the input's as well."""
    output_tensor: str
    """What that output is called in the graph."""
    num_labels: int
    """Length of that output."""
    size: int | None
    """Height and width that the input insists on; None where it takes any."""
    is_tf1: bool
    """The graph is one of TensorFlow 1, which comes whole; those of TensorFlow 2 are functions."""
    graph: bytes = field(default=b"", repr=False, compare=False)
    """The graph itself (a GraphDef)."""


_Tensors: TypeAlias = "dict[str, TensorInfo]"
_Signatures: TypeAlias = "dict[str, tuple[_Tensors, _Tensors]]"
"""Key -> inputs and outputs, by their names in the signature."""


@dataclass(frozen=True)
class _MetaGraph:
    tags: frozenset[str]
    signatures: _Signatures
    is_tf1: bool
    graph: bytes


def dtype_name(number: int) -> str:
    """NumPy's name of TensorFlow's data type of a number; `type 11` for rarer ones."""
    return TYPES.get(number, (f"type {number}", 0))[0]


def read_signature(model_dir: Path) -> VideoSignature:
    """Find the signature of a SavedModel that turns a video into logits.

    That is `default`, else `serving_default`, else the first by name, which takes one 5-D input
    and nothing else; of its outputs the 2-D one of floats that is called `default` or `logits`, or
    the only one there is.

    Args:
        model_dir: The folder that holds saved_model.pb.

    Raises:
        ModelLoadError: There is no SavedModel, a damaged one, or one that takes no videos.
    """
    meta_graph = _read_meta_graph(model_dir)
    key = _choose_signature(meta_graph.signatures, model_dir)
    inputs, outputs = meta_graph.signatures[key]
    ((input_name, pixels),) = inputs.items()
    output_name, num_labels = _choose_output(outputs, model_dir)
    return VideoSignature(
        key=key,
        input_name=input_name,
        input_tensor=pixels.name,
        output_name=output_name,
        output_tensor=outputs[output_name].name,
        num_labels=num_labels,
        size=_fixed_size(pixels, model_dir),
        is_tf1=meta_graph.is_tf1,
        graph=meta_graph.graph,
    )


def _choose_signature(signatures: _Signatures, model_dir: Path) -> str:
    order = sorted(signatures, key=lambda key: (key != "default", key != "serving_default", key))
    for key in order:
        inputs = list(signatures[key][0].values())
        if len(inputs) == 1 and inputs[0].shape is not None and len(inputs[0].shape) == 5:
            return key
    listing = "; ".join(f"{key} takes {_describe(signatures[key][0])}" for key in order)
    problem = f"no signature of it takes one 5-D video and nothing else ({listing})"
    raise ModelLoadError(
        f"The model in {model_dir} cannot classify videos: "
        f"{problem if signatures else 'it has no signatures'}.",
        hint="i3d runs models whose one input is (batch, frames, height, width, 3).",
    )


def _choose_output(outputs: _Tensors, model_dir: Path) -> tuple[str, int]:
    """The name and the length of the output that holds the logits."""
    flat = {
        name: tensor.shape[1]
        for name, tensor in outputs.items()
        if tensor.shape is not None and len(tensor.shape) == 2 and tensor.dtype in _FLOATS
    }
    named = [name for name in ("default", "logits") if name in flat]
    if not named and len(flat) != 1:
        raise ModelLoadError(
            f"The model in {model_dir} cannot classify videos: it has "
            f"{'no' if not flat else 'more than one'} output of shape (batch, labels) "
            f"({_describe(outputs)}).",
            hint="i3d runs models with one such output, or one that is called default or logits.",
        )
    name = [*named, *flat][0]
    num_labels = flat[name]
    if not num_labels:
        raise ModelLoadError(
            f"The model in {model_dir} does not say how many labels it has: its output {name} is "
            f"{outputs[name].shape}.",
            hint="Save it with a fixed length of its output.",
        )
    return name, num_labels


def _describe(tensors: _Tensors) -> str:
    return ", ".join(f"{name} {tensor.shape}" for name, tensor in tensors.items()) or "nothing"


def _fixed_size(pixels: TensorInfo, model_dir: Path) -> int | None:
    batch, num_frames, height, width, channels = pixels.shape or (0,) * 5
    fits = batch in (1, None) and num_frames is None and channels in (3, None) and height == width
    if not fits or pixels.dtype != "float32":
        raise ModelLoadError(
            f"The model in {model_dir} takes an input of shape {pixels.shape} and type "
            f"{pixels.dtype}, and i3d feeds (batch, any number of frames, size, size, 3) "
            "as float32.",
            hint="Save it with a free number of frames and a square RGB input of float32.",
        )
    return height


def _read_meta_graph(model_dir: Path) -> _MetaGraph:
    """The graph that is run: of a Hub module the one without tags, else the only one."""
    file = model_dir / "saved_model.pb"
    if not file.is_file():
        raise ModelLoadError(
            f"{model_dir} is not a TensorFlow model: it has no saved_model.pb.",
            hint="Give the folder that holds saved_model.pb and variables/.",
        )
    try:
        str(model_dir.absolute()).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ModelLoadError(
            f"The model in {model_dir} cannot be loaded: the path is not UTF-8.",
            hint="Rename the folder.",
        ) from error
    is_hub_module = (model_dir / "tfhub_module.pb").exists()
    try:
        found = [
            _meta_graph(as_bytes(value))
            for number, value in fields(file.read_bytes())
            if number == 2
        ]
    except OSError as error:
        raise ModelLoadError(
            f"The model in {model_dir} cannot be read: {error.strerror or error}.",
            hint="Mend the permissions of its files.",
        ) from error
    except GarbledMessageError as error:
        raise damaged(model_dir, error) from error
    if is_hub_module:
        found = [meta_graph for meta_graph in found if not meta_graph.tags]
    if len(found) != 1:
        raise ModelLoadError(
            f"The model in {model_dir} cannot be run: it holds {len(found)} graphs to choose from.",
            hint="Save it with one graph.",
        )
    return found[0]


def damaged(model_dir: Path, error: Exception) -> ModelLoadError:
    """The sentence about a damaged saved_model.pb."""
    return ModelLoadError(
        f"The model in {model_dir} cannot be read: its saved_model.pb is damaged ({error}).",
        hint="The model may be incomplete or damaged: fetch it again.",
    )


def _meta_graph(message: bytes) -> _MetaGraph:
    """Read a MetaGraphDef."""
    tags: set[str] = set()
    signatures: _Signatures = {}
    is_tf1, graph = True, b""
    for number, value in fields(message):
        if number == 1:
            tags |= {as_text(tag) for field, tag in fields(as_bytes(value)) if field == 4}
        elif number == 2:
            graph = as_bytes(value)
        elif number == 5:
            key, content = map_entry(as_bytes(value))
            # Of these, one initializes the graph, and one trains it.
            if not key.startswith("__saved_model_"):
                signatures[key] = (_tensors(content, 1), _tensors(content, 2))
        elif number == 7:  # the objects of a module of TensorFlow 2
            is_tf1 = False
    return _MetaGraph(frozenset(tags), signatures, is_tf1, graph)


def _tensors(signature: bytes, index: int) -> _Tensors:
    """Read the inputs (1) or outputs (2) of a SignatureDef, sorted by name."""
    entries = sorted(
        map_entry(as_bytes(value)) for number, value in fields(signature) if number == index
    )
    found = {}
    for name, content in entries:
        parts = dict(fields(content))  # a TensorInfo
        found[name] = TensorInfo(
            name=as_text(parts.get(1, b"")),
            dtype=dtype_name(as_number(parts.get(2, 0))),
            shape=read_shape(as_bytes(parts.get(3, b""))),
        )
    return found


def read_shape(message: bytes) -> Shape | None:
    """Read a TensorShapeProto; None where not even the number of sizes is known."""
    sizes: list[int | None] = []
    for number, value in fields(message):
        if number == 2:
            size = as_number(dict(fields(as_bytes(value))).get(1, 0))
            sizes.append(size if size < 2**63 else None)  # -1, as a number of 64 bits
        elif number == 3 and value:
            return None
    return tuple(sizes)
