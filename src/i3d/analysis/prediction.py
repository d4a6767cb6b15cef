"""An engine and a clip to scores: mean over the steps, softmax, top-k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from i3d.analysis.results import Prediction, Score
from i3d.engines.base import Float64Array, softmax
from i3d.errors import ModelOutputError, UsageError
from i3d.video.recipes import MIN_FRAMES
from i3d.video.timing import loop_indices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.scores import VideoScores
    from i3d.engines.base import Clip, Engine, StepLogits


@dataclass(frozen=True)
class MeanScores:
    """What a model says of a video as a whole."""

    logits: Float64Array
    """(labels,) mean of the step logits over time."""
    probabilities: Float64Array
    """(labels,) softmax of `logits`; they sum to 1."""


class Predictor:
    """Runs a model on clips.

    Args:
        engine: A loaded model.
        labels: Names of the model's outputs, in their order.

    Raises:
        UsageError: There are not as many labels as outputs.
    """

    def __init__(self, engine: Engine, labels: Sequence[str]) -> None:
        if len(labels) != engine.contract.num_labels:
            raise UsageError(
                f"There are {len(labels)} labels, but the model has {engine.contract.num_labels} "
                "outputs.",
                hint="Give a label file with one line for each output, in their order.",
            )
        self.engine = engine
        self.labels = tuple(labels)

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        """Run the model on a clip.

        Clips of fewer than 9 frames are looped until they have 9 (see
        `i3d.video.recipes.MIN_FRAMES`).

        Args:
            clip: (T, size, size, 3) uint8 RGB, T >= 1.
            input_range: What black (0) and white (255) are fed as.

        Returns:
            (S, labels) float32, finite, S >= 1.

        Raises:
            ModelOutputError: The model's output is not finite.
            EngineError: The engine could not run the model.
        """
        if len(clip) < MIN_FRAMES:
            clip = clip[loop_indices(len(clip), MIN_FRAMES)]
        steps = self.engine.step_logits(clip, input_range)
        if not np.isfinite(steps).all():
            raise ModelOutputError(
                f"The model gave {np.count_nonzero(~np.isfinite(steps))} outputs of {steps.size} "
                "that are not finite numbers.",
                hint="Its weights may be damaged, or it expects another range: --input-range.",
            )
        return steps


def mean_scores(step_logits: StepLogits) -> MeanScores:
    """Average the logits over time, then turn them into probabilities.

    Args:
        step_logits: (S, labels) finite.
    """
    logits = step_logits.mean(axis=0, dtype=np.float64)
    return MeanScores(logits, softmax(logits))


def best_scores(scores: MeanScores, labels: Sequence[str], top: int) -> tuple[Score, ...]:
    """Name the best labels.

    Args:
        scores: What `mean_scores` gave.
        labels: Names of the model's outputs.
        top: How many, at least 1; more than there are labels gives all of them.

    Returns:
        The best, best first; equal probabilities stay in the order of the label list.

    Raises:
        UsageError: `top` is below 1.
    """
    if top < 1:
        raise UsageError(f"The number of labels to show must be at least 1, not {top}.")
    return tuple(
        Score(
            rank=rank,
            label=labels[i],
            label_index=int(i),
            probability=float(scores.probabilities[i]),
            logit=float(scores.logits[i]),
        )
        for rank, i in enumerate(top_indices(scores.logits, top), start=1)
    )


def rank_of(scores: MeanScores, label_index: int) -> int:
    """Give the place of a label among all of them, as `best_scores` would.

    Args:
        scores: What `mean_scores` gave.
        label_index: Position in the model's output.

    Returns:
        1 for the best.
    """
    order = top_indices(scores.logits, len(scores.logits))
    return int(np.flatnonzero(order == label_index)[0]) + 1


def top_indices(values: Float64Array, count: int) -> npt.NDArray[np.intp]:
    """Positions of the largest values, largest first; ties in the order of their positions.

    Args:
        values: (n,) finite.
        count: How many; more than n gives all n.
    """
    return np.argsort(-values, kind="stable")[:count]


def predict(scores: VideoScores, top: int = 5) -> Prediction:
    """Name the most likely labels of a video.

    Args:
        scores: What the model says of it.
        top: How many labels to give, at least 1; more than there are gives all.

    Returns:
        The prediction, which says what made it.

    Raises:
        UsageError: `top` is below 1.
    """
    means = mean_scores(scores.step_logits)
    return Prediction(
        video=scores.video,
        clip=scores.clip,
        scores=best_scores(means, scores.labels, top),
        num_steps=len(scores.step_logits),
        recipe=scores.recipe,
        model=scores.model,
        engine=scores.engine,
        warnings=scores.warnings,
    )
