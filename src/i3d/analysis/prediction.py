"""Step logits to an answer: mean over the steps, softmax, top-k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from i3d.analysis.results import Prediction, Score
from i3d.engines.base import Float64Array, softmax
from i3d.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.scores import VideoScores
    from i3d.engines.base import StepLogits


@dataclass(frozen=True)
class MeanScores:
    """What a model says of a video as a whole."""

    logits: Float64Array
    """(labels,) mean of the step logits over time."""
    probabilities: Float64Array
    """(labels,) softmax of `logits`; they sum to 1."""


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
