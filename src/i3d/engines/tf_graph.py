"""Reads a TensorFlow graph for what a signature does not say.

Works on `tf.Graph` objects by their attributes alone, so nothing is imported here.
"""

from __future__ import annotations

from typing import Any

SCALING_OPS = frozenset(
    {"Add", "AddV2", "BiasAdd", "Div", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
    | {"Mul", "RealDiv", "Sub"}
)
"""Operations that change the range of pixels. Casts, pads, transposes, pools do not."""

_PASSED_THROUGH = frozenset({"Identity", "Squeeze", "Reshape", "StopGradient"})


def find_step_logits(output: Any) -> Any | None:
    """Find the logits before the last mean over time.

    Walks back from the output through operations that only rename or reshape, to a mean over
    axis 1 of (batch, steps, labels), or over axes 1, 2 and 3 of (batch, steps, 1, 1, labels).

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
    rank = steps.shape.rank
    if rank == 3 and axes == [1]:
        return steps
    if rank == 5 and axes == [1, 2, 3] and list(steps.shape)[2:4] == [1, 1]:
        return steps
    return None


def find_scaling(pixels: Any) -> list[str] | None:
    """Find what changes the range of the pixels before the first 3-D convolution.

    Args:
        pixels: The signature's input tensor.

    Returns:
        Names of the operations of `SCALING_OPS` on a way from the input to a Conv3D that meets no
        other Conv3D before, in alphabetic order; None where no Conv3D follows from the input.
    """
    leads_to_convolution: dict[Any, bool] = {}
    todo = [pixels.op]
    order = []
    while todo:  # every operation that the pixels reach before a convolution
        op = todo.pop()
        if op.name in leads_to_convolution:
            continue
        leads_to_convolution[op.name] = op.type == "Conv3D"
        order.append(op)
        if op.type != "Conv3D":
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
