"""Reads an OpenVINO graph for what a signature does not say.

The same rules as in `i3d.engines.tensorflow_graph`, which reads TensorFlow's graphs; the two must
find the same in the same model. OpenVINO turns (batch, frames, height, width, channels) into
(batch, channels, frames, height, width) for its convolutions, so time is followed from axis to axis
here.

Works on OpenVINO's objects by their methods alone, so nothing is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from i3d.engines.field import NotUnderstoodError, TemporalField, Window

_SCALING_OPS = frozenset({"Add", "BatchNormInference", "Divide", "Multiply", "Subtract"})
"""Operations that change the range of pixels. Conversions, pads, transposes, pools do not."""

_SHAPE_OPS = frozenset({"ShapeOf", "Rank"})
"""What follows them is arithmetic on sizes, not on pixels."""

_PASSED_THROUGH = frozenset({"Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})

_ELEMENTWISE = (
    _SCALING_OPS
    | {"Abs", "Ceiling", "Clamp", "Convert", "Elu", "Erf", "Exp", "Floor", "Gelu", "HSigmoid"}
    | {"HSwish", "Identity", "Log", "Maximum", "Minimum", "Mish", "Negative", "PRelu", "Power"}
    | {"Relu", "Selu", "Sigmoid", "SoftPlus", "Sqrt", "SquaredDifference", "Swish", "Tanh"}
)
"""Operations of which each element depends on the elements at its own place only."""

_WINDOWS = frozenset({"AvgPool", "Convolution", "GroupConvolution", "MaxPool"})
_REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"})


@dataclass(frozen=True)
class _Place:
    """What a tensor holds of the frames."""

    axis: int
    """Its time axis."""
    window: Window


def before_softmax(output: Any) -> Any:
    """Find the logits of a model that gives probabilities.

    Args:
        output: The tensor (`openvino.Output`) that is the model's output, (batch, labels).

    Returns:
        What goes into the last softmax, where the output is one; else the output itself.
    """
    found = output
    while _kind(found) in _PASSED_THROUGH:
        found = _inputs(found)[0]
    return _inputs(found)[0] if _kind(found) in {"LogSoftmax", "Softmax"} else output


def find_step_logits(output: Any, num_labels: int) -> tuple[Any, list[int]] | None:
    """Find the logits before the last mean over time.

    Walks back from the output through operations that only move or reshape, to a mean over an
    axis of free length of a tensor that has but one other axis that is longer than 1, the labels'.

    Args:
        output: The tensor that is the model's output, (batch, labels).
        num_labels: Length of the output.

    Returns:
        The tensor whose mean it is, and the order of its axes in which the steps come before the
        labels; None where the graph is not of this form.
    """
    while _kind(output) in _PASSED_THROUGH:
        output = _inputs(output)[0]
    if _kind(output) != "ReduceMean":
        return None
    steps, axes = _inputs(output)[0], _constant(_inputs(output)[1])
    shape = _shape(steps)
    if axes is None or shape is None or len(shape) not in (3, 5):
        return None
    axes = [axis % len(shape) for axis in axes]
    time = [axis for axis in range(1, len(shape)) if shape[axis] is None]
    if len(time) != 1 or time[0] not in axes or 0 in axes:
        return None
    kept = [axis for axis in range(1, len(shape)) if axis not in axes]
    labels = [axis for axis in kept if shape[axis] == num_labels][:1]
    rest = [axis for axis in range(1, len(shape)) if axis not in (*time, *labels)]
    if not labels or any(shape[axis] != 1 for axis in rest):
        return None
    return steps, [0, *time, *labels, *rest]


def rescales_pixels(pixels: Any) -> bool | None:
    """Tell whether a graph changes the range of the pixels before the first 3-D convolution.

    Args:
        pixels: The input tensor.

    Returns:
        Whether one of the operations that change it lies on a way from the input to a 3-D
        convolution that meets no other before; None where no 3-D convolution follows.
    """
    leads: dict[str, bool] = {}

    def look(tensor: Any) -> bool:
        """Whether a convolution follows; each operation is looked at once."""
        reached = False
        for consumer in tensor.get_target_inputs():
            node = consumer.get_node()
            name = node.get_friendly_name()
            if name not in leads:
                leads[name] = False  # until it is known: graphs have no circles
                if _is_convolution_3d(node):
                    leads[name] = True
                elif node.get_type_name() not in _SHAPE_OPS:
                    for out in node.outputs():
                        leads[name] = look(out) or leads[name]
                    if leads[name] and node.get_type_name() in _SCALING_OPS:
                        scaling.append(name)
            reached = reached or leads[name]
        return reached

    scaling: list[str] = []
    return bool(scaling) if look(pixels) else None


def find_temporal_field(nodes: list[Any], pixels: Any, steps: Any) -> TemporalField | None:
    """Find how many frames a step depends on, and how far apart the steps are.

    Args:
        nodes: The operations of the graph, each behind its inputs.
        pixels: The input tensor, (batch, frames, height, width, channels).
        steps: The step logits, as `find_step_logits` gives them.

    Returns:
        The field; None where the graph does something on the way that is not understood.
    """
    places: dict[str, _Place | None] = {}  # by operation; None: does not depend on the pixels
    start, goal = (tensor.get_node().get_friendly_name() for tensor in (pixels, steps))
    for node in nodes:
        name = node.get_friendly_name()
        sources = [_inputs_name(value) for value in node.input_values()]
        if name == start:
            places[name] = _Place(1, Window(first=0, last=0, stride=1))
        elif node.get_type_name() in _SHAPE_OPS:
            places[name] = None
        elif any(source not in places for source in sources):
            continue  # behind what is not understood
        elif all(places[source] is None for source in sources):
            places[name] = None
        else:
            try:
                places[name] = _pass_through(node, [places[source] for source in sources])
            except NotUnderstoodError:
                continue
        if name == goal:
            break
    place = places.get(goal)
    return None if place is None else place.window.field


def _pass_through(node: Any, inputs: list[_Place | None]) -> _Place:
    """What an operation's output holds of the frames, given what its inputs do."""
    kind, values = node.get_type_name(), node.input_values()
    ranks = {len(_known_shape(v)) for v, place in zip(values, inputs, strict=True) if place}
    reached = [place for place in inputs if place is not None]
    axes = {place.axis for place in reached}
    if len(ranks) != 1 or len(axes) != 1:
        raise NotUnderstoodError
    rank, axis = ranks.pop(), axes.pop()
    rank_after = len(_known_shape(node.output(0)))
    if kind in _ELEMENTWISE or kind in {"Concat", "MatMul"}:
        if kind == "Concat" and node.get_attributes()["axis"] % rank == axis:
            raise NotUnderstoodError
        if rank_after != rank or (kind == "MatMul" and axis >= rank - 2):
            raise NotUnderstoodError
        return _Place(axis, Window.around([place.window for place in reached]))
    if inputs[0] is None or len(reached) > 1:  # such as a filter of pixels
        raise NotUnderstoodError
    window = inputs[0].window
    if kind in _WINDOWS:
        return _Place(axis, _slide(node, axis, window))
    if kind == "Pad":
        return _Place(axis, _pad(node, axis, window))
    return _Place(_moved(node, axis, rank), window)


def _moved(node: Any, axis: int, rank: int) -> int:
    """Where time is behind an operation that mixes no frames."""
    kind = node.get_type_name()
    if kind in {"LogSoftmax", "Softmax"}:
        if node.get_attributes()["axis"] % rank == axis:
            raise NotUnderstoodError
        return axis
    if kind not in {"Squeeze", "Transpose", "Unsqueeze"} | _REDUCTIONS:
        raise NotUnderstoodError
    values = node.input_values()
    axes = _constant(values[1]) if len(values) > 1 else None
    if not axes:
        raise NotUnderstoodError
    places = rank + len(axes) if kind == "Unsqueeze" else rank
    axes = [place % places for place in axes]
    if kind == "Transpose":
        return axes.index(axis)
    if kind == "Unsqueeze":
        left = [place for place in range(places) if place not in axes]
        return left[axis]
    if axis in axes:
        raise NotUnderstoodError
    if kind in _REDUCTIONS and node.get_attributes()["keep_dims"]:
        return axis
    return axis - sum(place < axis for place in axes)


def _slide(node: Any, axis: int, window: Window) -> Window:
    """Through a convolution or a pool, of (batch, channels, ...)."""
    attributes = node.get_attributes()
    i = axis - 2
    if i < 0 or i >= len(attributes["strides"]):
        raise NotUnderstoodError
    stride, dilation = attributes["strides"][i], attributes.get("dilations", [1] * (i + 1))[i]
    if "kernel" in attributes:
        size = attributes["kernel"][i]
    else:
        kernel = _known_shape(node.input_value(1))
        size = kernel[len(kernel) - len(attributes["strides"]) + i]
    if size is None:
        raise NotUnderstoodError
    padding = attributes["auto_pad"]
    if padding not in {"explicit", "same_upper", "valid"}:
        raise NotUnderstoodError
    before = attributes["pads_begin"][i] if padding == "explicit" else 0
    return window.slide(size, stride, dilation, before=before, is_same=padding == "same_upper")


def _pad(node: Any, axis: int, window: Window) -> Window:
    """Through padding by constants; by mirrored frames only of other axes than time."""
    before, after = (_constant(node.input_value(i)) for i in (1, 2))
    if before is None or after is None:
        raise NotUnderstoodError
    if node.get_attributes()["pad_mode"] != "constant" and (before[axis] or after[axis]):
        raise NotUnderstoodError
    return window.pad(before[axis])


def _is_convolution_3d(node: Any) -> bool:
    if node.get_type_name() not in {"Convolution", "GroupConvolution"}:
        return False
    rank = node.get_input_partial_shape(0).rank
    return bool(rank.is_static and rank.get_length() == 5)


def _kind(tensor: Any) -> str:
    return str(tensor.get_node().get_type_name())


def _inputs(tensor: Any) -> list[Any]:
    return list(tensor.get_node().input_values())


def _inputs_name(tensor: Any) -> str:
    return str(tensor.get_node().get_friendly_name())


def _shape(tensor: Any) -> list[int | None] | None:
    """The sizes of a tensor, None for those that are free; None where their number is."""
    shape = tensor.get_partial_shape()
    if shape.rank.is_dynamic:
        return None
    return [dim.get_length() if dim.is_static else None for dim in shape]


def _known_shape(tensor: Any) -> list[int | None]:
    shape = _shape(tensor)
    if shape is None:
        raise NotUnderstoodError
    return shape


def _constant(tensor: Any) -> list[int] | None:
    """The value of a constant integer tensor as a list; None where it is not constant."""
    node = tensor.get_node()
    if node.get_type_name() != "Constant":
        return None
    return [int(item) for item in node.get_data().ravel()]
