"""Reads a TensorFlow graph for what a signature does not say.

Works on `tf.Graph` objects by their attributes alone, so nothing is imported here.
"""

from __future__ import annotations

import math
from typing import Any

from i3d.engines.field import NotUnderstoodError, TemporalField, Window

SCALING_OPS = frozenset(
    {"Add", "AddN", "AddV2", "BiasAdd", "Div", "DivNoNan", "Mul", "RealDiv", "Sub"}
    | {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
)
"""Operations that change the range of pixels. Casts, pads, transposes, pools do not."""

_SHAPE_OPS = frozenset({"Rank", "Shape", "ShapeN", "Size"})
"""What follows them is arithmetic on sizes, not on pixels."""

_PASSED_THROUGH = frozenset({"Identity", "Squeeze", "Reshape", "StopGradient"})

_ELEMENTWISE = (
    (SCALING_OPS - {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
    | {"Abs", "Cast", "CheckNumerics", "ClipByValue", "Elu", "Erf", "Exp", "Identity", "LeakyRelu"}
    | {"Log", "Maximum", "Minimum", "Neg", "Pow", "PreventGradient", "Relu", "Relu6", "Rsqrt"}
    | {"Selu", "Sigmoid", "Softplus", "Sqrt", "Square", "SquaredDifference", "StopGradient", "Tanh"}
)
"""Operations of which each element depends on the elements at its own place only."""

_JOINTS = _ELEMENTWISE | {"BatchMatMulV2", "ConcatV2"}
"""Operations of which more than one input may depend on the pixels."""

_WINDOWS = frozenset({"AvgPool3D", "Conv3D", "MaxPool3D"})
_REDUCTIONS = frozenset({"Max", "Mean", "Min", "Prod", "Sum"})
_PADS = frozenset({"MirrorPad", "Pad", "PadV2"})
_BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})


def before_softmax(output: Any) -> Any:
    """Find the logits of a model that gives probabilities.

    Args:
        output: The signature's output tensor, (batch, labels).

    Returns:
        What goes into the last softmax, where the output is one; else the output itself.
    """
    op = output.op
    while op.type == "Identity":
        op = op.inputs[0].op
    return op.inputs[0] if op.type == "Softmax" else output


def find_step_logits(output: Any) -> Any | None:
    """Find the logits before the last mean over time.

    Walks back from the output through operations that only rename or reshape, to a mean over
    axis 1 of (batch, steps, labels) or (batch, steps, 1, 1, labels), in the latter perhaps over
    axes 2 and 3 too. The number of steps must not be fixed: a mean over a fixed number of things
    is one over crops, or over members of an ensemble.

    Args:
        output: The signature's output tensor, (batch, labels).

    Returns:
        The tensor whose mean it is; None where the graph is not of this form.
    """
    op = output.op
    while op.type in _PASSED_THROUGH:
        op = op.inputs[0].op
    if op.type != "Mean":
        return None
    steps, axes = op.inputs[0], _constant(op.inputs[1])
    if axes is None or steps.shape.rank not in (3, 5):
        return None
    shape = list(steps.shape)
    axes = sorted(axis % len(shape) for axis in axes)
    if shape[1] is not None or shape[-1] != output.shape[-1]:
        return None
    if axes == [1] and shape[2:-1] in ([], [1, 1]):
        return steps
    return steps if axes == [1, 2, 3] and shape[2:-1] == [1, 1] else None


def rescales_pixels(pixels: Any) -> bool | None:
    """Tell whether a graph changes the range of the pixels before the first 3-D convolution.

    Args:
        pixels: The signature's input tensor.

    Returns:
        Whether an operation of `SCALING_OPS` lies on a way from the input to a Conv3D that meets
        no other Conv3D before; None where no Conv3D follows from the input.
    """
    leads_to_convolution: dict[str, bool] = {}
    todo = [pixels.op]
    order = []
    while todo:  # every operation that the pixels reach before a convolution
        op = todo.pop()
        if op.name in leads_to_convolution:
            continue
        leads_to_convolution[op.name] = op.type == "Conv3D"
        order.append(op)
        if op.type != "Conv3D" and op.type not in _SHAPE_OPS:
            todo.extend(consumer for tensor in op.outputs for consumer in tensor.consumers())
    changed = True
    while changed:  # carry "leads to a convolution" back, until nothing changes
        changed = False
        for op in order:
            following = (consumer for tensor in op.outputs for consumer in tensor.consumers())
            if not leads_to_convolution[op.name] and any(
                leads_to_convolution.get(consumer.name, False) for consumer in following
            ):
                leads_to_convolution[op.name] = changed = True
    if not leads_to_convolution[pixels.op.name]:
        return None
    return any(op.type in SCALING_OPS and leads_to_convolution[op.name] for op in order)


def find_temporal_field(pixels: Any, steps: Any) -> TemporalField | None:
    """Find how many frames a step depends on, and how far apart the steps are.

    Follows the frames from the input through convolutions, pools and operations that leave time
    alone; where branches meet, the frames of all of them count.

    Args:
        pixels: The signature's input tensor, (batch, frames, height, width, channels).
        steps: The step logits, as `find_step_logits` gives them.

    Returns:
        The field; None where the graph does something on the way that is not understood: it moves
        the time axis, cuts it or sums over it, has functions or loops, or another data format than
        NDHWC.
    """
    windows: dict[str, Window | None] = {}  # by operation; None: does not depend on the pixels
    not_understood: set[str] = set()
    for op in pixels.graph.get_operations():  # an operation stands behind its inputs
        sources = {tensor.op.name for tensor in op.inputs}
        if op is pixels.op:
            windows[op.name] = Window(first=0, last=0, stride=1)
        elif op.type in _SHAPE_OPS:
            windows[op.name] = None
        elif sources & not_understood or not sources <= windows.keys():
            not_understood.add(op.name)
        elif all(windows[name] is None for name in sources):
            windows[op.name] = None
        else:
            try:
                windows[op.name] = _pass_through(op, [windows[t.op.name] for t in op.inputs])
            except NotUnderstoodError:
                not_understood.add(op.name)
    window = windows.get(steps.op.name)
    if window is None:
        return None
    return window.field


def _pass_through(op: Any, inputs: list[Window | None]) -> Window:
    """The window of an operation's output, given those of its inputs.

    Raises:
        NotUnderstoodError: The operation is not one that is followed.
    """
    data, *others = inputs
    if op.type not in _JOINTS and (data is None or any(others)):  # such as a filter of pixels
        raise NotUnderstoodError
    if data is not None and op.type in _WINDOWS:
        return _slide(op, data)
    if data is not None and op.type in _PADS:
        return _pad(op, data)
    reached = [window for window in inputs if window is not None]
    ranks = {t.shape.rank for t, window in zip(op.inputs, inputs, strict=True) if window}
    if None in ranks or len(ranks) > 1 or not _keeps_time(op, ranks.pop()):
        raise NotUnderstoodError
    return Window.around(reached)


def _slide(op: Any, window: Window) -> Window:
    """Through a convolution or a pool."""
    if op.get_attr("data_format") != b"NDHWC":
        raise NotUnderstoodError
    stride = op.get_attr("strides")[1]
    if op.type == "Conv3D":
        size, dilation = op.inputs[1].shape[0], op.get_attr("dilations")[1]
    else:
        size, dilation = op.get_attr("ksize")[1], 1
    if size is None:
        raise NotUnderstoodError
    return window.slide(size, stride, dilation, is_same=op.get_attr("padding") == b"SAME")


def _pad(op: Any, window: Window) -> Window:
    """Through padding by constants; by mirrored frames only of other axes than time."""
    paddings = _constant(op.inputs[1])
    if paddings is None or (op.type == "MirrorPad" and any(paddings[2:4])):
        raise NotUnderstoodError
    return window.pad(paddings[2])


def _keeps_time(op: Any, rank: int) -> bool:  # noqa: PLR0911  (a rule for each kind)
    """Whether an operation mixes no frames and leaves time on axis 1.

    Args:
        op: The operation.
        rank: That of its inputs that depend on the pixels.
    """
    output = op.outputs[0].shape
    if op.type in _ELEMENTWISE:
        return bool(output.rank == rank)
    if op.type == "BatchMatMulV2":  # works on the last two axes
        return bool(output.rank == rank > 3)
    if op.type in _BATCH_NORMS:
        return not op.get_attr("is_training")
    if op.type == "Reshape":
        before, after = list(op.inputs[0].shape), list(output) if output.rank else []
        rest = [math.prod(shape[2:]) for shape in (before, after) if None not in shape[2:]]
        return before[:2] == after[:2] and len(rest) == 2 and rest[0] == rest[1]
    axes = _axes(op, rank)
    if not axes:
        return False
    if op.type == "Transpose":
        return axes[:2] == [0, 1]
    if op.type in _REDUCTIONS and op.get_attr("keep_dims"):
        return 1 not in axes
    if op.type in {"ConcatV2", "Softmax"}:
        return 1 not in axes
    return min(axes) > 1  # the axes that come or go stand behind time


def _axes(op: Any, rank: int) -> list[int] | None:
    """The axes, from 0, that an operation works on; None where that is not known."""
    if op.type in {"ExpandDims", "Transpose"} | _REDUCTIONS:
        axes = _constant(op.inputs[1])
    elif op.type == "ConcatV2":
        axes = _constant(op.inputs[-1])
    elif op.type == "Squeeze":
        axes = op.get_attr("squeeze_dims")
    else:
        axes = [-1] if op.type == "Softmax" else None
    places = rank + 1 if op.type == "ExpandDims" else rank
    return None if axes is None else [axis % places for axis in axes]


def _constant(tensor: Any) -> list[int] | None:
    """The value of a constant integer tensor as a list; None where it is not constant."""
    from tensorflow import get_static_value

    value = get_static_value(tensor)
    return None if value is None else [int(item) for item in value.ravel()]
