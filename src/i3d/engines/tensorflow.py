"""The TensorFlow engine: loads a SavedModel through TensorFlow Hub and runs its signature.

Takes modules in TensorFlow 1 Hub format (empty tag set, `tfhub_module.pb`, signature `default`),
as I3D on TensorFlow Hub is, and TensorFlow 2 SavedModels with one 5-D video input and a 2-D
output, as MoViNet is. TensorFlow is imported on the first call, silently: set
`TF_CPP_MIN_LOG_LEVEL=0` to hear it.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.engines.base import (
    Clip,
    ModelContract,
    Pixels,
    Precision,
    StepLogits,
    cannot_run,
    too_short,
)
from i3d.engines.graphs import read_model
from i3d.errors import EngineNotInstalledError, ModelLoadError
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
        if shape[0] == 0:
            raise too_short(0)
        try:
            logits = self._function(tf.constant(make_pixels()[np.newaxis])).numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise cannot_run(shape, None) from error
        except (tf.errors.OpError, ValueError) as error:
            raise cannot_run(shape, first_line(error)) from error
        if logits.ndim == 5:  # (1, S, 1, 1, labels)
            logits = logits[:, :, 0, 0]
        if logits.size == 0:
            raise too_short(shape[0])
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
    found = read_model(model_dir)
    tf, hub = import_tensorflow()
    # On newer GPUs TensorFlow rounds to 10 bits by itself, and says so nowhere.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        module = hub.load(str(model_dir))
        signature = module.signatures[found.signature.key]
        if found.signature.is_tf1:
            steps = signature.graph.get_tensor_by_name(found.output_tensor)
            function = signature.prune(signature.inputs[0], steps)
        else:
            # The module must stay alive: its variables die with it.
            def function(clip: Any, _keep: Any = module) -> Any:
                named = {found.signature.input_name: clip}
                return signature(**named)[found.signature.output_name]

    except Exception as error:  # a damaged model can raise anything
        raise ModelLoadError(
            f"TensorFlow cannot load the model in {model_dir}: {first_line(error)}",
            hint="The model may be incomplete or damaged: fetch it again.",
        ) from error
    return TensorFlowEngine(function, found.contract, tf.__version__)


def import_tensorflow() -> tuple[Any, Any]:
    """Import tensorflow and tensorflow_hub silently; set `TF_CPP_MIN_LOG_LEVEL=0` to hear them.

    Returns:
        The modules `tensorflow` and `tensorflow_hub`.

    Raises:
        EngineNotInstalledError: One of them can't be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The note on oneDNN that TensorFlow prints whatever the log level is (tensorflow#100442) goes
    # to file descriptor 2: the command line closes that around this call.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tensorflow_hub: "pkg_resources is deprecated"
            import tensorflow as tf
            import tensorflow_hub
    except Exception as error:  # protobuf raises TypeError for code that is older than itself
        hint = "Install i3d again: pip install --upgrade --force-reinstall i3d"
        if isinstance(error, ImportError) and (error.name or str(error)) == "pkg_resources":
            hint = 'setuptools 82 removed it: pip install "setuptools<82"'
        elif isinstance(error, FileNotFoundError):  # absl: no usable temporary directory
            hint = "Name a folder for temporary files in TMPDIR."
        raise EngineNotInstalledError(
            f"TensorFlow cannot be imported: {first_line(error)}", hint=hint
        ) from error
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        logging.getLogger("absl").setLevel(logging.ERROR)
    return tf, tensorflow_hub


def is_usable_path(directory: Path) -> bool:
    """Tell whether TensorFlow can use a folder: its paths are UTF-8."""
    try:
        str(directory.absolute()).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_NOT_THE_REASON = (
    "Graph execution error",
    "Detected at node",
    "File ",
    "Node: ",
    "[[{{node",
    "<stack traces",
)


def first_line(error: BaseException) -> str:
    """Find what an error of TensorFlow's says.

    Returns:
        The first line that says what went wrong, with a full stop; TensorFlow puts where it went
        wrong in front of it. The error's class where it says nothing.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = (line for line in lines if line and not line.startswith(_NOT_THE_REASON))
    line = next(reasons, type(error).__name__)
    return line if line.endswith((".", "!", "?")) else f"{line}."
