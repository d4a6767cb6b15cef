"""Black against white: answers that DeepMind's weights must give, known without any download.

The Fréchet distance between black and white clips has no variance in it. It is the squared distance
between the mean logits of two clips: a function of the weights, the graph and the range of the
pixels, and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from i3d.errors import ModelOutputError
from i3d.video.recipes import CLIP_SIZE

if TYPE_CHECKING:
    from i3d.engines.base import Clip, Engine, Float64Array, StepLogits
    from i3d.progress import Progress

KNOWN_CHECKPOINT = "rgb_scratch"
"""The published checkpoint that the distances belong to; TensorFlow Hub's module holds it."""

PUBLISHED_RANGE = (-1.0, 1.0)
"""The values that black and white were fed as."""

DISTANCES = {10: 569.2296, 15: 133.7031, 16: 152.9175, 30: 151.2565}
"""Number of frames -> published distance: README of JunyaoHu/common_metrics_on_video_quality, which
ran TensorFlow Hub's module. It has all lengths from 10 to 30. These are an even, an odd and a
whole number of strides, for padding differs between them, and one with three steps."""

TOLERANCE = 0.01
"""Largest relative difference from a published distance that still counts as equal. For these
lengths the module differs by 0.16 % at most; fed [0, 1], by 11 % at least."""


@dataclass(frozen=True)
class KnownAnswer:
    """Black against white clips of one length."""

    num_frames: int
    published_distance: float
    distance: float
    """Squared distance between the mean logits of the two clips, here."""

    @property
    def difference(self) -> float:
        """Between the two distances, as a fraction of the published one."""
        return abs(self.distance / self.published_distance - 1)


@dataclass(frozen=True)
class KnownAnswers:
    """Black against white clips, run here."""

    input_range: tuple[float, float]
    """The values that black and white were fed as: what the model's graph is taken to want."""
    rows: tuple[KnownAnswer, ...]
    tolerance: float = TOLERANCE
    """Largest relative difference that counts as equal."""

    @property
    def worst(self) -> KnownAnswer:
        """The one that is furthest from what was published."""
        return max(self.rows, key=lambda row: row.difference)

    @property
    def agrees(self) -> bool:
        """Whether all differences are within the tolerance."""
        return self.worst.difference <= self.tolerance

    @property
    def problem(self) -> str:
        """How the worst differs, as a clause."""
        fed, published = (
            f"[{low:g}, {high:g}]" for low, high in (self.input_range, PUBLISHED_RANGE)
        )
        return (
            f"it does not give the known answers: black and white are {self.worst.distance:.1f} "
            f"apart in {self.worst.num_frames} frames fed {fed}, and the published distance is "
            f"{self.worst.published_distance:.1f}, fed {published}"
        )


def compare_known_answers(engine: Engine, progress: Progress) -> KnownAnswers:
    """Run black and white clips as `i3d classify` would.

    Args:
        engine: A model with the weights of `KNOWN_CHECKPOINT`.
        progress: Receives progress updates.

    Raises:
        EngineError: The model can't be run, or gives outputs that are not finite.
    """
    input_range = engine.contract.input_range
    rows = []
    with progress.task("running black and white clips"):
        for num_frames, published in DISTANCES.items():
            black, white = (
                mean_logits(engine.step_logits(_plain_clip(num_frames, value), input_range))
                for value in (0, 255)
            )
            distance = float(((white - black) ** 2).sum())
            rows.append(KnownAnswer(num_frames, published, distance))
    return KnownAnswers(input_range, tuple(rows))


def _plain_clip(num_frames: int, value: int) -> Clip:
    """Frames of one grey value: (num_frames, 224, 224, 3) uint8."""
    return np.full((num_frames, CLIP_SIZE, CLIP_SIZE, 3), value, np.uint8)


def mean_logits(steps: StepLogits) -> Float64Array:
    """Average step logits over time: (S, labels) to (labels,).

    Raises:
        ModelOutputError: They are not finite.
    """
    logits: Float64Array = steps.mean(axis=0, dtype=np.float64)
    if not np.isfinite(logits).all():
        raise ModelOutputError("The model gave outputs that are not finite numbers.")
    return logits
