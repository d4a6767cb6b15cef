"""The values that i3d hands out. All of them are frozen, and none of them holds pixels.

A result says what made it: the file, the frames that were used, the preprocessing, the model
with the fingerprint of its weights, and the engine. Times are seconds from the video's first
frame; spans are half-open, [start, end).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i3d.engines.base import EngineInfo
    from i3d.errors import I3DError
    from i3d.models.records import ModelInfo
    from i3d.video.info import ClipInfo, FileInfo, RecipeInfo, VideoInfo


@dataclass(frozen=True)
class Score:
    """What the model thinks of one label."""

    rank: int
    """1 is the best."""
    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    probability: float
    """Softmax over all labels of the mean logits, in [0, 1]."""
    logit: float
    """The mean of the step logits, before the softmax."""


@dataclass(frozen=True)
class TrueLabel:
    """A label that fits what is known to happen in a video, and what the model thinks of it."""

    label: str
    """Name of the label."""
    relation: str
    """`exact`: the label is the category. `broader`: the category is a part of the label. `near`:
    something alike."""
    rank: int
    """Place of the label among all labels of the model, 1 is the best."""
    probability: float
    """As in `Score`."""


@dataclass(frozen=True)
class Truth:
    """What is known to happen in a video, because it is a clip of a data set."""

    dataset: str
    """`UCF101`."""
    clip: str
    """Name of the clip, without a suffix."""
    category: str
    """Its category in the data set."""
    labels: tuple[TrueLabel, ...]
    """The labels of the model that fit the category, `exact` ones first; empty where none does."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one video."""

    video: VideoInfo
    clip: ClipInfo
    scores: tuple[Score, ...]
    """The best labels, best first; equal probabilities are in the order of the label list."""
    num_steps: int
    """Number of steps of the network's output that were averaged."""
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting this result."""
    truth: Truth | None = None
    """What is known to happen in the video, where it is a clip of UCF101 by its name."""


@dataclass(frozen=True)
class Track:
    """What the model thinks of one label, step by step."""

    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    scores: tuple[float, ...]
    """(S,) probabilities, smoothed as the timeline says, in [0, 1]."""


@dataclass(frozen=True)
class Segment:
    """A span of a video in which one thing happens."""

    start_seconds: float
    """Its first moment."""
    end_seconds: float
    """The first moment after it."""
    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    mean_score: float
    """Mean of the label's score over the segment's steps, in [0, 1]."""
    peak_score: float
    """Highest of them."""
    peak_seconds: float
    """The middle of the step that it is reached in."""


@dataclass(frozen=True)
class TimelineSettings:
    """How step logits become segments."""

    labels: tuple[str, ...] | None = None
    """Labels to follow, each for itself; None for the best of all at each moment."""
    min_score: float = 0.5
    """A segment's score reaches this somewhere, and does not fall below half of it."""
    min_duration_seconds: float = 1.0
    """Nothing shorter is a segment; of a video that is shorter itself, what lasts from its start to
    its end."""
    smooth_seconds: float = 1.0
    """The logits of each step are averaged over so much time around it."""


@dataclass(frozen=True)
class Timeline:
    """When what happens in one video."""

    video: VideoInfo
    clip: ClipInfo
    edges_seconds: tuple[float, ...]
    """(S + 1,) step i of the network's output stands for the time from edge i to edge i + 1."""
    tracks: tuple[Track, ...]
    """The labels that are followed; or those of segments, longest in total first, then those with
    the highest scores."""
    segments: tuple[Segment, ...]
    """By their start. Empty where nothing was confident."""
    settings: TimelineSettings
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting this result."""


@dataclass(frozen=True)
class Outcome:
    """What became of one video out of several: either a prediction or an error is set."""

    path: str
    prediction: Prediction | None = None
    error: I3DError | None = None
    file: FileInfo | None = None
    """Which file it was; None if not asked for, or unreadable."""
    settings: str | None = None
    """SHA-256 over all that decides the result besides the file, in hexadecimal; None if not
    asked for."""
