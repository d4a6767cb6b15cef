"""From a video's step logits to what happens in it as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from i3d.predictor import best_scores, mean_scores, rank_of
from i3d.results import Prediction, TrueLabel, Truth
from i3d.ucf101 import clip_of, load_index

if TYPE_CHECKING:
    from i3d.predictor import MeanScores
    from i3d.scores import VideoScores


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
        truth=_truth(scores.video.path, means, scores.labels),
    )


def _truth(path: str, means: MeanScores, labels: tuple[str, ...]) -> Truth | None:
    """What is known to happen in a video that has the name of a clip of UCF101."""
    clip = clip_of(path)
    if clip is None:
        return None
    return Truth(
        dataset="UCF101",
        clip=clip.name,
        category=clip.category,
        labels=tuple(
            TrueLabel(
                label=fitting.label,
                relation=fitting.relation,
                rank=rank_of(means, labels.index(fitting.label)),
                probability=float(means.probabilities[labels.index(fitting.label)]),
            )
            for fitting in load_index().category(clip.category).labels
            if fitting.label in labels
        ),
    )
