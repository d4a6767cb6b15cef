"""Reads a TensorFlow graph for what a signature does not say.

Works on `tf.Graph` objects by their attributes alone, so nothing is imported here.
"""

from __future__ import annotations

from typing import Any

SCALING_OPS = frozenset(
    {"Add", "AddN", "AddV2", "BiasAdd", "Div", "DivNoNan", "Mul", "RealDiv", "Sub"}
    | {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
)
"""Operations that change the range of pixels. Casts, pads, transposes, pools do not."""

_SHAPE_OPS = frozenset({"Rank", "Shape", "ShapeN", "Size"})
"""What follows them is arithmetic on sizes, not on pixels."""

_PASSED_THROUGH = frozenset({"Identity", "Squeeze", "Reshape", "StopGradient"})


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


def find_scaling(pixels: Any) -> list[str] | None:
    """Find what changes the range of the pixels before the first 3-D convolution.

    Args:
        pixels: The signature's input tensor.

    Returns:
        Names of the operations of `SCALING_OPS` on a way from the input to a Conv3D that meets no
        other Conv3D before, in alphabetic order; None where no Conv3D follows from the input.
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
    return sorted(
        op.name for op in order if op.type in SCALING_OPS and leads_to_convolution[op.name]
    )


def _constant(tensor: Any) -> list[int] | None:
    """The value of a constant integer tensor as a list; None where it is not constant."""
    from tensorflow import get_static_value

    value = get_static_value(tensor)
    return None if value is None else [int(item) for item in value.ravel()]
