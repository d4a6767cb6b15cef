"""What an engine is: something that turns a clip into step logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from i3d.errors import EngineError

Clip: TypeAlias = npt.NDArray[np.uint8]
"""(T, height, width, 3) uint8 RGB."""

Pixels: TypeAlias = npt.NDArray[np.float32]
"""(T, height, width, 3) float32 RGB, in the range that the model wants."""

StepLogits: TypeAlias = npt.NDArray[np.float32]
"""(S, labels) float32."""

Float64Array: TypeAlias = npt.NDArray[np.float64]
"""float64, of any shape."""

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]
"""The arithmetic of an engine."""


@dataclass(frozen=True)
class EngineInfo:
    """The engine that ran the model."""

    name: str
    """`openvino` or `tensorflow`."""
    version: str
    """Version of the engine's package."""
    precision: str = "float32"
    """The arithmetic that it computed in."""
    fallback_reason: str | None = None
    """Why it ran and not the faster engine; None where it was asked for, or is the faster one."""

    @property
    def text(self) -> str:
        """`openvino 2026.4.1`, followed by the precision if that is not float32."""
        precision = "" if self.precision == "float32" else f" {self.precision}"
        return f"{self.name} {self.version}{precision}"


@dataclass(frozen=True)
class ModelContract:
    """What a model's signature and graph say about its input and output."""

    signature: str
    """Name of the signature that is run."""
    input_name: str
    """Name of the signature's input."""
    output_name: str
    """Name of the signature's output."""
    num_labels: int
    """Length of the output."""
    size: int | None
    """Height and width that the input insists on; None where it takes any."""
    input_range: tuple[float, float]
    """Values that the model wants for black and white."""
    input_range_reason: str
    """How `input_range` was found, in words."""
    has_steps: bool
    """Whether the logits before the last mean over time were found: then S = ceil(T / 8) - 1 for
    I3D, else S = 1."""
    receptive_field: int | None
    """Number of neighbouring frames that one step's logits depend on: 107 for I3D. None where the
    graph has no steps, or does something on the way to them that i3d does not understand."""
    stride: int | None
    """Number of frames from one step to the next: 8 for I3D. None where `receptive_field` is."""
    padding: int | None
    """Number of places before a clip's first frame that its first step's window reaches, where the
    clip's length is a multiple of the stride. None where `receptive_field` is."""


class Engine(Protocol):
    """A loaded model."""

    name: str
    """Name in the registry."""
    version: str
    """Version of the package that runs the model."""
    precision: Precision
    """The arithmetic that it computes in."""
    fallback_reason: str | None
    """Why it was taken and not a faster one, as a sentence without its full stop; None where it
    was asked for, or is the fastest."""
    bytes_per_frame: int
    """Memory that a run takes for each frame of a clip of 224 x 224 pixels: measured with I3D."""
    contract: ModelContract

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        """Run the model on one clip.

        Args:
            clip: (T, height, width, 3) uint8 RGB.
            input_range: The values that pixel values 0 and 255 are scaled to.

        Returns:
            (S, labels) float32: the logits of each time step. Not checked for finiteness.

        Raises:
            EngineError: The engine could not run the model on this clip.
        """

    def run(self, pixels: Pixels) -> StepLogits:
        """Run the model on pixels that are already in the range that it wants.

        For comparisons with reference inputs, which are published as floats; `step_logits` is
        this after `i3d.video.frames.scale_pixels`.

        Args:
            pixels: (T, height, width, 3) float32 RGB.

        Returns:
            (S, labels) float32: the logits of each time step. Not checked for finiteness.

        Raises:
            EngineError: The engine could not run the model on these pixels.
        """


def too_short(num_frames: int) -> EngineError:
    """The error about a clip that gives no step at all."""
    return EngineError(
        f"A clip of {num_frames} frames is too short for the model: it gives no output.",
        hint="Use more frames: I3D needs 9.",
    )


def cannot_run(shape: tuple[int, ...], reason: str | None) -> EngineError:
    """The error about a clip that a model can't run on.

    Args:
        shape: The clip's.
        reason: Why not, as a clause; None where it does not fit into memory.
    """
    num_frames, height, width, _ = shape
    if reason is None:
        return EngineError(
            f"A clip of {num_frames} frames does not fit into memory.",
            hint="Classify a part of the video: --start, --end or --max-frames.",
        )
    return EngineError(
        f"The model cannot run on a clip of {num_frames} frames of {width} x {height} pixels: "
        f"{reason.removesuffix('.')}.",
        hint="Check what the model expects of its input.",
    )


def describe_engine(engine: Engine) -> EngineInfo:
    """Say which engine runs the model."""
    return EngineInfo(engine.name, engine.version, engine.precision, engine.fallback_reason)


def softmax(logits: Float64Array) -> Float64Array:
    """Turn logits into probabilities, in float64 and without overflow.

    Args:
        logits: (labels,) finite.

    Returns:
        (labels,) float64 in [0, 1] that sum to 1.
    """
    powers = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits))
    return np.asarray(powers / powers.sum())
