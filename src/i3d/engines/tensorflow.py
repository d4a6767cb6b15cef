"""The TensorFlow engine: loads a SavedModel through TensorFlow Hub and runs its signature.

Takes modules in TensorFlow 1 Hub format (empty tag set, `tfhub_module.pb`, signature `default`),
as I3D on TensorFlow Hub is, and TensorFlow 2 SavedModels with one 5-D video input and a 2-D
output, as MoViNet is. TensorFlow is imported on the first call, silently: set
`TF_CPP_MIN_LOG_LEVEL=0` to hear it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.engines.base import Clip, ModelContract, Pixels, Precision, StepLogits
from i3d.engines.input_range import choose_input_range
from i3d.engines.saved_model import read_signature
from i3d.engines.tensorflow_graph import (
    before_softmax,
    find_step_logits,
    find_temporal_field,
    rescales_pixels,
)
from i3d.engines.tensorflow_import import first_line, import_tensorflow
from i3d.errors import EngineError, ModelLoadError
from i3d.video.frames import scale_pixels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TensorFlowEngine:
    """A SavedModel in TensorFlow; see `i3d.engines.base.Engine`."""

    name = "tensorflow"
    precision: Precision = "float32"
    fallback_reason: str | None = None
    bytes_per_frame = 5_000_000

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
        if num_frames == 0:
            raise _too_short(num_frames)
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
            raise _too_short(num_frames)
        return np.asarray(logits.reshape(-1, logits.shape[-1]), dtype=np.float32)


def _too_short(num_frames: int) -> EngineError:
    return EngineError(
        f"A clip of {num_frames} frames is too short for the model: it gives no output.",
        hint="Use more frames: I3D needs 9.",
    )


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
    found = read_signature(model_dir)
    tf, hub = import_tensorflow()
    # On newer GPUs TensorFlow rounds to 10 bits by itself, and says so nowhere.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        module = hub.load(str(model_dir))
        signatures = dict(module.signatures)
    except Exception as error:  # a damaged model can raise anything
        raise ModelLoadError(
            f"TensorFlow cannot load the model in {model_dir}: {first_line(error)}",
            hint="The model may be incomplete or damaged: fetch it again.",
        ) from error
    if found.key not in signatures:
        raise ModelLoadError(
            f"TensorFlow finds no signature {found.key} in the model in {model_dir}.",
            hint="The model may be incomplete or damaged: fetch it again.",
        )
    signature = signatures[found.key]
    pixels, output = signature.inputs[0], signature.structured_outputs[found.output_name]
    steps, field, rescales = None, None, None
    if found.is_tf1:  # a whole graph; TensorFlow 2 models hide in functions
        output = before_softmax(output)  # a softmax of probabilities would be a second one
        steps = find_step_logits(output)
        rescales = rescales_pixels(pixels)
        if steps is not None:
            field = find_temporal_field(pixels, steps)
    input_range, reason = choose_input_range(is_tf1=found.is_tf1, rescales=rescales)
    contract = ModelContract(
        signature=found.key,
        input_name=found.input_name,
        output_name=found.output_name,
        num_labels=found.num_labels,
        size=found.size,
        input_range=input_range,
        input_range_reason=reason,
        has_steps=steps is not None,
        receptive_field=None if field is None else field.receptive_field,
        stride=None if field is None else field.stride,
        padding=None if field is None else field.padding,
    )
    if found.is_tf1:
        function = signature.prune(pixels, output if steps is None else steps)
    else:
        # The module must stay alive: its variables die with it.
        def function(clip: Any, _keep: Any = module) -> Any:
            return signature(**{found.input_name: clip})[found.output_name]

    return TensorFlowEngine(function, contract, tf.__version__)
