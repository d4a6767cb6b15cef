"""What is known to happen in a clip of UCF101, set beside what a model says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from i3d.analysis.prediction import mean_scores, predict, rank_of
from i3d.analysis.results import TrueLabel, Truth
from i3d.datasets.ucf101.data import clip_of, load_index

if TYPE_CHECKING:
    from i3d.analysis.results import Prediction
    from i3d.analysis.scores import VideoScores


def predict_with_truth(scores: VideoScores, top: int = 5) -> Prediction:
    """Name the most likely labels of a video, and its true ones where it is a clip of UCF101.

    Args:
        scores: What the model says of it.
        top: How many labels to give, at least 1; more than there are gives all.

    Returns:
        As `i3d.analysis.prediction.predict`, with `truth` for a video that has a clip's name.

    Raises:
        UsageError: `top` is below 1.
    """
    prediction = predict(scores, top)
    clip = clip_of(scores.video.path)
    if clip is None:
        return prediction
    means = mean_scores(scores.step_logits)
    labels = tuple(
        TrueLabel(
            label=fitting.label,
            relation=fitting.relation,
            rank=rank_of(means, scores.labels.index(fitting.label)),
            probability=float(means.probabilities[scores.labels.index(fitting.label)]),
        )
        for fitting in load_index().category_of(clip).labels
        if fitting.label in scores.labels
    )
    return replace(prediction, truth=Truth("UCF101", clip.name, clip.category, labels))
