"""The TensorFlow engine: loads a SavedModel through TensorFlow Hub and runs its signature.

Takes modules in TensorFlow 1 Hub format (empty tag set, `tfhub_module.pb`, signature `default`),
as I3D on TensorFlow Hub is, and TensorFlow 2 SavedModels with one 5-D video input and a 2-D
output, as MoViNet is. TensorFlow is imported on the first call, silently: set
`TF_CPP_MIN_LOG_LEVEL=0` to hear it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.engines.base import Clip, ModelContract, Pixels, StepLogits
from i3d.engines.tf_graph import (
    before_softmax,
    find_scaling,
    find_step_logits,
    find_temporal_field,
)
from i3d.engines.tf_import import first_line, import_tensorflow, is_usable_path
from i3d.errors import EngineError, ModelLoadError
from i3d.transforms import scale_pixels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

I3D_TRAINING_RANGE = (-1.0, 1.0)
"""README of google-deepmind/kinetics-i3d: pixels "rescaled between -1 and 1"."""

HUB_IMAGE_RANGE = (0.0, 1.0)
"""What TensorFlow Hub's common signatures for images prescribe, and MoViNet wants
(tensorflow.org/hub/common_signatures/images)."""


class TensorFlowEngine:
    """A SavedModel in TensorFlow; see `i3d.engines.base.Engine`."""

    name = "tensorflow"

    def __init__(self, function: Any, contract: ModelContract, version: str) -> None:
        self._function = function
        self.contract = contract
        self.version = version

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        """Run the model on one clip; see `i3d.engines.base.Engine.step_logits`."""
        return self._run(lambda: scale_pixels(clip, input_range), clip.shape)

    def run(self, pixels: Pixels) -> StepLogits:
        """Run the model on pixels as it wants them; see `i3d.engines.base.Engine.run`."""
        return self._run(lambda: pixels, pixels.shape)

    def _run(self, make_pixels: Callable[[], Pixels], shape: tuple[int, ...]) -> StepLogits:
        """Run the model; `make_pixels` lets go of pixels once TensorFlow has its copy of them."""
        tf, _ = import_tensorflow()
        num_frames, height, width, _ = shape
        try:
            logits = self._function(tf.constant(make_pixels()[np.newaxis])).numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise EngineError(
                f"A clip of {num_frames} frames does not fit into memory.",
                hint="Classify a part of the video: --start, --end or --max-frames.",
            ) from error
        except (tf.errors.OpError, ValueError) as error:
            raise EngineError(
                f"The model cannot run on a clip of {num_frames} frames of "
                f"{width} x {height} pixels: {first_line(error)}",
                hint="Check what the model expects of its input.",
            ) from error
        if logits.ndim == 5:  # (1, S, 1, 1, labels)
            logits = logits[:, :, 0, 0]
        if logits.size == 0:
            raise EngineError(
                f"A clip of {num_frames} frames is too short for the model: it gives no output.",
                hint="Use more frames: I3D needs 9.",
            )
        return np.asarray(logits.reshape(-1, logits.shape[-1]), dtype=np.float32)


def version() -> str:
    """TensorFlow's version.

    Raises:
        EngineNotInstalledError: TensorFlow or TensorFlow Hub can't be imported.
    """
    return str(import_tensorflow()[0].__version__)


def load(model_dir: Path) -> TensorFlowEngine:
    """Load a SavedModel directory into TensorFlow.

    Raises:
        EngineNotInstalledError: TensorFlow or TensorFlow Hub can't be imported.
        ModelLoadError: The directory holds no SavedModel, a damaged one, or one that does not
            turn a video into logits.
    """
    if not (model_dir / "saved_model.pb").is_file():
        raise ModelLoadError(
            f"{model_dir} is not a TensorFlow model: it has no saved_model.pb.",
            hint="Give the folder that holds saved_model.pb and variables/.",
        )
    if not is_usable_path(model_dir):
        raise ModelLoadError(
            f"TensorFlow cannot load the model in {model_dir}: the path is not UTF-8.",
            hint="Rename the folder.",
        )
    tf, hub = import_tensorflow()
    try:
        module = hub.load(str(model_dir))
        signatures = dict(module.signatures)
    except Exception as error:  # a damaged model can raise anything
        raise ModelLoadError(
            f"TensorFlow cannot load the model in {model_dir}: {first_line(error)}",
            hint="The model may be incomplete or damaged: fetch it again.",
        ) from error
    key, signature = _choose_signature(signatures, model_dir)
    input_name, pixels = _video_input(signature)
    output_name, output = _logits_output(signature, model_dir)
    # TensorFlow 1 graphs, Hub modules or not, come whole; TensorFlow 2 models hide in functions.
    is_graph = hasattr(signature, "prune")
    scaling = find_scaling(pixels)
    if is_graph:  # a softmax of probabilities would be a second one
        output = before_softmax(output)
    steps = find_step_logits(output) if is_graph else None
    field = None if steps is None else find_temporal_field(pixels, steps)
    input_range, reason = _input_range(scaling, is_graph=is_graph)
    contract = ModelContract(
        signature=key,
        input_name=input_name,
        output_name=output_name,
        num_labels=output.shape[-1],
        size=_fixed_size(pixels, model_dir),
        input_range=input_range,
        input_range_reason=reason,
        has_steps=steps is not None,
        receptive_field=None if field is None else field.receptive_field,
        stride=None if field is None else field.stride,
    )
    if is_graph:
        function = signature.prune(pixels, output if steps is None else steps)
    else:
        # The module must stay alive: its variables die with it.
        def function(clip: Any, _keep: Any = module) -> Any:
            return signature(**{input_name: clip})[output_name]

    return TensorFlowEngine(function, contract, tf.__version__)


def _choose_signature(signatures: dict[str, Any], model_dir: Path) -> tuple[str, Any]:
    """Pick the signature that takes one video: `default`, `serving_default`, or any other."""
    order = sorted(signatures, key=lambda key: (key != "default", key != "serving_default", key))
    for key in order:
        if len(_inputs(signatures[key])) == 1 and _rank(_video_input(signatures[key])[1]) == 5:
            return key, signatures[key]
    if not signatures:
        problem = "it has no signatures"
    else:
        listing = "; ".join(f"{key} takes {_describe(signatures[key])}" for key in order)
        problem = f"no signature of it takes one 5-D video and nothing else ({listing})"
    raise ModelLoadError(
        f"The model in {model_dir} cannot classify videos: {problem}.",
        hint="i3d runs models whose one input is (batch, frames, height, width, 3).",
    )


def _inputs(signature: Any) -> dict[str, Any]:
    """Name -> TensorSpec of a signature's inputs."""
    specs: dict[str, Any] = signature.structured_input_signature[1]
    return specs


def _video_input(signature: Any) -> tuple[str, Any]:
    """The name and the graph's tensor of a signature's first input."""
    name = next(iter(_inputs(signature)))
    return name, signature.inputs[0]


def _rank(tensor: Any) -> int | None:
    rank: int | None = tensor.shape.rank
    return rank


def _describe(signature: Any) -> str:
    specs = _inputs(signature)
    return ", ".join(f"{name} {spec.shape}" for name, spec in specs.items()) or "nothing"


def _logits_output(signature: Any, model_dir: Path) -> tuple[str, Any]:
    """The name and tensor of the 2-D output: `default`, `logits`, or the only one there is."""
    outputs = signature.structured_outputs
    flat = [
        name for name, tensor in outputs.items() if _rank(tensor) == 2 and tensor.dtype.is_floating
    ]
    named = [name for name in ("default", "logits") if name in flat]
    if not named and len(flat) != 1:
        found = ", ".join(f"{name} {tensor.shape}" for name, tensor in outputs.items())
        raise ModelLoadError(
            f"The model in {model_dir} cannot classify videos: it has "
            f"{'no' if not flat else 'more than one'} output of shape (batch, labels) ({found}).",
            hint="i3d runs models with one such output, or one that is called default or logits.",
        )
    name = (named or flat)[0]
    tensor = outputs[name]
    if tensor.shape[-1] is None:
        raise ModelLoadError(
            f"The model in {model_dir} does not say how many labels it has: its output {name} is "
            f"{tensor.shape}.",
            hint="Save it with a fixed length of its output.",
        )
    return name, tensor


def _fixed_size(pixels: Any, model_dir: Path) -> int | None:
    batch, num_frames, height, width, channels = list(pixels.shape)
    fits = batch in (1, None) and num_frames is None and channels in (3, None) and height == width
    if not fits or pixels.dtype.name != "float32":
        raise ModelLoadError(
            f"The model in {model_dir} takes an input of shape {pixels.shape} and type "
            f"{pixels.dtype.name}, and i3d feeds (batch, any number of frames, size, size, 3) "
            "as float32.",
            hint="Save it with a free number of frames and a square RGB input of float32.",
        )
    size: int | None = height
    return size


def _input_range(scaling: list[str] | None, *, is_graph: bool) -> tuple[tuple[float, float], str]:
    """Decide which range a model wants from what stands before its first convolution."""
    if not is_graph:
        return HUB_IMAGE_RANGE, "a TensorFlow 2 SavedModel: the Hub's convention for images"
    if scaling is None:
        return HUB_IMAGE_RANGE, "no 3-D convolution was found: the Hub's convention for images"
    if scaling:
        return HUB_IMAGE_RANGE, f"the model rescales its input itself ({scaling[0]})"
    return (
        I3D_TRAINING_RANGE,
        "nothing rescales the pixels before the first convolution: the range of I3D's training",
    )
