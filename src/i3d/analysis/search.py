"""Kept scores asked for a label: in which of the videos is it likely, and when?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.analysis.prediction import mean_scores
from i3d.analysis.results import TimelineSettings
from i3d.analysis.timeline import make_timeline
from i3d.errors import unknown_name
from i3d.models.labels import find_labels

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.analysis.scores import ScoreStore, VideoScores


@dataclass(frozen=True)
class Hit:
    """A label in a video."""

    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    path: str
    """The video."""
    model: str
    """Name of the model that says so."""
    peak_score: float
    """Highest probability of the label at any moment, averaged over a second, in [0, 1]."""
    peak_seconds: float
    """When that is."""
    probability: float
    """Of the label in the video as a whole, as `i3d classify` gives it."""


@dataclass(frozen=True)
class Search:
    """What was found in a folder of kept scores."""

    hits: tuple[Hit, ...]
    """By label; of each the videos with the highest peaks, highest first."""
    num_videos: int
    """How many kept scores were looked at."""
    damaged: tuple[Path, ...]
    """Files that can't be read."""
    renamed: dict[str, str]
    """What models are called now whose name stood for other weights when their scores were kept,
    by what they were called then. Their scores were not looked at."""


def search_scores(
    store: ScoreStore, pattern: str | None = None, *, top: int = 5, min_score: float = 0.1
) -> Search:
    """Find the videos in which labels are likely.

    Args:
        store: The kept scores.
        pattern: Which labels, as for `i3d.models.labels.find_labels`; None for all.
        top: How many videos to give for each label.
        min_score: Peaks below this are left out.

    Returns:
        The hits; labels in the order in which the first video's model has them.

    Raises:
        UnknownNameError: No model of the kept scores has such a label.
        OutputError: The folder can't be read.
    """
    found: dict[str, list[Hit]] = {}
    known: dict[str, None] = {}
    damaged: list[Path] = []
    renamed: dict[str, str] = {}
    num_videos = 0
    for path, scores in store:
        if scores is None:
            damaged.append(path)
            continue
        if scores.name_now is not None:
            renamed[scores.model.name] = scores.name_now
            continue
        num_videos += 1
        known.update(dict.fromkeys(scores.labels))
        for hit in _hits(scores, pattern, min_score):
            found.setdefault(hit.label, []).append(hit)
    if num_videos and pattern is not None and not find_labels(tuple(known), pattern):
        raise unknown_name("label", pattern, known)
    hits = [
        hit
        for label in known
        for hit in sorted(
            found.get(label, []), key=lambda hit: (-hit.peak_score, -hit.probability, hit.path)
        )[:top]
    ]
    return Search(tuple(hits), num_videos, tuple(damaged), renamed)


def _hits(scores: VideoScores, pattern: str | None, min_score: float) -> list[Hit]:
    wanted = [label for _, label in find_labels(scores.labels, pattern)]
    if not wanted:
        return []
    timeline = make_timeline(scores, TimelineSettings(labels=tuple(dict.fromkeys(wanted))))
    means = mean_scores(scores.step_logits)
    edges = timeline.edges_seconds
    hits = []
    for track in timeline.tracks:
        peak = max(track.scores)
        if peak < min_score:
            continue
        step = track.scores.index(peak)
        hits.append(
            Hit(
                label=track.label,
                label_index=track.label_index,
                path=scores.video.path,
                model=scores.model.name,
                peak_score=peak,
                peak_seconds=(edges[step] + edges[step + 1]) / 2,
                probability=float(means.probabilities[track.label_index]),
            )
        )
    return hits
