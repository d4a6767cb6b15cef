"""What an evaluation found, and what follows from it: accuracies, categories, confusions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.analysis.results import TrueLabel
    from i3d.datasets.targets import Settings
    from i3d.datasets.ucf101.data import Clip
    from i3d.errors import I3DError

CONFIDENCE = 0.95
"""Confidence of the intervals around accuracies."""


@dataclass(frozen=True)
class Guess:
    """One of the labels that a model holds most likely."""

    label: str
    probability: float
    """As in `i3d.analysis.results.Score`."""


@dataclass(frozen=True)
class ClipResult:
    """What a model said of one clip."""

    clip: Clip
    labels: tuple[TrueLabel, ...]
    """The labels that count for its category, and where they came; at least one."""
    best: tuple[Guess, ...]
    """The 5 most likely labels, best first; fewer where the model has fewer."""
    sha256: str
    """Of the clip's file, in hexadecimal."""
    num_bytes: int
    """Size of the clip's file."""
    warnings: tuple[str, ...] = ()
    """As in `i3d.analysis.results.Prediction`."""
    resumed: bool = False
    """Whether it was taken from an earlier run."""

    @property
    def best_label(self) -> TrueLabel:
        """Of the labels that count the one that came first."""
        return min(self.labels, key=lambda label: label.rank)

    @property
    def top1(self) -> bool:
        """Whether a label that counts is the most likely."""
        return self.best_label.rank == 1

    @property
    def top5(self) -> bool:
        """Whether a label that counts is among the 5 most likely."""
        return self.best_label.rank <= 5

    @property
    def predicted(self) -> str:
        """The most likely label."""
        return self.best[0].label


@dataclass(frozen=True)
class ClipFailure:
    """A clip that could not be fetched or classified. It is in no accuracy."""

    clip: Clip
    error: I3DError


@dataclass(frozen=True)
class LeftOut:
    """A category without a label that counts."""

    category: str
    num_clips: int
    """How many of the chosen clips are in it; a sample is taken of the others."""


@dataclass(frozen=True)
class Accuracy:
    """How many of how many clips were right."""

    num_right: int
    num_clips: int
    """At least 1."""

    @property
    def fraction(self) -> float:
        """The share that was right, in [0, 1]."""
        return self.num_right / self.num_clips

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares the true one lies with 95 % confidence, in [0, 1].

        The score interval of E. B. Wilson, Probable Inference, the Law of Succession, and
        Statistical Inference, Journal of the American Statistical Association 22 (1927), pages 209
        to 212. It takes clips as independent. Clips of one group of UCF101 show the same people in
        the same place, so the truth may lie further out.
        """
        n, share = self.num_clips, self.fraction
        z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        scale = 1 + z * z / n
        centre = (share + z * z / (2 * n)) / scale
        half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        low = 0.0 if self.num_right == 0 else centre - half
        high = 1.0 if self.num_right == n else centre + half
        return low, high


@dataclass(frozen=True)
class CategoryResult:
    """The results of one category."""

    category: str
    labels: tuple[str, ...]
    """The labels that count for it."""
    top1: Accuracy
    top5: Accuracy


@dataclass(frozen=True)
class Confusion:
    """Clips of one category that were taken for the same wrong thing."""

    category: str
    predicted: str
    """The label that came first and does not count for the category."""
    count: int


@dataclass(frozen=True)
class Evaluation:
    """How a model did on clips of UCF101, with one recipe."""

    settings: Settings
    results: tuple[ClipResult, ...]
    """In the order in which the clips were asked for."""
    failures: tuple[ClipFailure, ...]
    """In the same order."""
    left_out: tuple[LeftOut, ...]
    """By name."""

    @property
    def num_clips(self) -> int:
        """How many clips were classified: those that accuracies are about."""
        return len(self.results)

    @property
    def num_resumed(self) -> int:
        """How many of them were taken from an earlier run."""
        return sum(result.resumed for result in self.results)

    @property
    def top1(self) -> Accuracy | None:
        """How often a right label was the most likely; None where no clip was classified."""
        return _top1(self.results) if self.results else None

    @property
    def top5(self) -> Accuracy | None:
        """How often one was among the 5 most likely; None where no clip was classified."""
        return _top5(self.results) if self.results else None

    @property
    def mean_category_top1(self) -> float | None:
        """Mean of the categories' top-1 accuracies, each counting the same; None without any."""
        return fmean(row.top1.fraction for row in self.categories) if self.results else None

    @property
    def mean_category_top5(self) -> float | None:
        """Mean of the categories' top-5 accuracies, each counting the same; None without any."""
        return fmean(row.top5.fraction for row in self.categories) if self.results else None

    @property
    def categories(self) -> tuple[CategoryResult, ...]:
        """Each category of which a clip was classified, by name."""
        clips: dict[str, list[ClipResult]] = {}
        for result in self.results:
            clips.setdefault(result.clip.category, []).append(result)
        return tuple(
            CategoryResult(
                category=category,
                labels=tuple(label.label for label in clips[category][0].labels),
                top1=_top1(clips[category]),
                top5=_top5(clips[category]),
            )
            for category in sorted(clips, key=_by_name)
        )

    @property
    def confusions(self) -> tuple[Confusion, ...]:
        """What categories were taken for, most frequent first, then by name."""
        counts = Counter(
            (result.clip.category, result.predicted) for result in self.results if not result.top1
        )
        found = [Confusion(category, label, count) for (category, label), count in counts.items()]
        return tuple(
            sorted(found, key=lambda row: (-row.count, _by_name(row.category), row.predicted))
        )


@dataclass(frozen=True)
class Disagreement:
    """How far several evaluations differ in what they say of the same clips."""

    num_clips: int
    """Clips that all of them classified."""
    num_different: int
    """Those of them whose most likely label is not the same in all."""


def compare(evaluations: Sequence[Evaluation]) -> Disagreement:
    """Count on how many clips evaluations disagree about the most likely label."""
    answers = [
        {result.clip: result.predicted for result in evaluation.results}
        for evaluation in evaluations
    ]
    if not answers:
        return Disagreement(0, 0)
    common = [clip for clip in answers[0] if all(clip in others for others in answers[1:])]
    return Disagreement(
        num_clips=len(common),
        num_different=sum(len({answer[clip] for answer in answers}) > 1 for clip in common),
    )


def _top1(results: Sequence[ClipResult]) -> Accuracy:
    return _accuracy(result.top1 for result in results)


def _top5(results: Sequence[ClipResult]) -> Accuracy:
    return _accuracy(result.top5 for result in results)


def _accuracy(verdicts: Iterable[bool]) -> Accuracy:
    known = list(verdicts)
    return Accuracy(sum(known), len(known))


def _by_name(category: str) -> tuple[str, str]:
    """UCF101's official order of its categories, which ignores case."""
    return category.casefold(), category
