"""SavedModels to OpenVINO: the way from pixels to step logits, cut out of the graph."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.engines.base import ModelContract
from i3d.engines.input_range import choose_input_range
from i3d.engines.openvino_graph import (
    before_softmax,
    find_step_logits,
    find_temporal_field,
    rescales_pixels,
)
from i3d.errors import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.engines.saved_model import VideoSignature


def convert(ov: Any, model_dir: Path, signature: VideoSignature) -> tuple[Any, ModelContract]:
    """Read a SavedModel, and cut the way from its pixels to its step logits out of it."""
    model = _read(model_dir, signature)
    pixels = model.inputs[0]
    output = model.outputs[0].get_node().input_value(0)
    steps, field, rescales = None, None, None
    if signature.is_tf1:  # as in TensorFlow, where the others hide in functions
        output = before_softmax(output)
        steps = find_step_logits(output, signature.num_labels)
        rescales = rescales_pixels(pixels)
        if steps is not None:
            field = find_temporal_field(model.get_ordered_ops(), pixels, steps[0])
    input_range, reason = choose_input_range(is_tf1=signature.is_tf1, rescales=rescales)
    contract = ModelContract(
        signature=signature.key,
        input_name=signature.input_name,
        output_name=signature.output_name,
        num_labels=signature.num_labels,
        size=signature.size,
        input_range=input_range,
        input_range_reason=reason,
        has_steps=steps is not None,
        receptive_field=None if field is None else field.receptive_field,
        stride=None if field is None else field.stride,
        padding=None if field is None else field.padding,
    )
    if steps is not None:
        output = ov.opset1.transpose(steps[0], np.array(steps[1], dtype=np.int64)).output(0)
    cut = ov.Model([ov.opset1.result(output)], [pixels.get_node()], "i3d")
    cut.reshape({0: [1, -1, signature.size or -1, signature.size or -1, 3]})
    _simplify(cut)
    return cut, contract


def _read(model_dir: Path, signature: VideoSignature) -> Any:
    """Read the part of a SavedModel from the signature's input to its output.

    Both are found by what they are called in the graph: OpenVINO calls its own inputs and outputs
    by the names in signatures, which may be those of several tensors.
    """
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("tf")
    graph = frontend.load(str(model_dir))
    places = []
    for tensor in (signature.input_tensor, signature.output_tensor):
        places.append(graph.get_place_by_tensor_name(tensor))
        if places[-1] is None:
            raise RuntimeError(f"OpenVINO finds no tensor {tensor}")
    graph.override_all_inputs(places[:1])
    graph.override_all_outputs(places[1:])
    model = frontend.convert(graph)
    if (len(model.inputs), len(model.outputs)) != (1, 1):  # a port that an operation does not have
        raise RuntimeError(f"OpenVINO finds no way to the tensor {signature.output_tensor}")
    return model


def _simplify(model: Any) -> None:
    """Do once what compiling does each time: fold batch norm into convolutions, and the like.

    It saves a third of the time of compiling I3D. OpenVINO's converter does the same, through the
    same function, which is not a public one.
    """
    with suppress(ImportError, AttributeError):
        from openvino._offline_transformations import apply_moc_transformations

        apply_moc_transformations(model, cf=True)


@contextmanager
def unsupported(model_dir: Path) -> Iterator[None]:
    """Tell in i3d's words what OpenVINO raises: UnsupportedModelError.

    Args:
        model_dir: The model that it reads.
    """
    from openvino import frontend

    try:
        yield
    except (
        RuntimeError,  # all that the rest of OpenVINO raises
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    ) as error:
        raise UnsupportedModelError(
            f"OpenVINO cannot run the model in {model_dir}: {reason_of(error)}.",
            reason=reason_of(error),
            hint="Use --engine tensorflow.",
        ) from error


def reason_of(error: BaseException) -> str:
    """What an error of OpenVINO's says, in one line; it puts where it was raised in front."""
    text = str(error).strip()
    missing = re.search(
        r"No (?:translator|conversion rule) found for operation(?:s|\(s\)): (.+)",
        text,
        re.IGNORECASE,
    )
    if missing:
        return f"it has no translation of {missing[1].strip().rstrip('.')}"
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not re.match(r"(Exception from|Check ')", line)]
    line = lines[-1] if lines else type(error).__name__
    return line[:200].rstrip(".")
