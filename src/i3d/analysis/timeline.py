"""From a video's step logits to its timeline: when does what happen.

1. The logits are averaged over a window of time around each step, and turned into probabilities.
2. A label is *on* from where it rises to half of the minimal score until it falls below that, if it
   reaches the minimal score in between and lasts long enough. Two limits, so that it does not
   flicker where it hovers around one of them.
3. Of the labels that are on at a step, the one with the highest score has it. Labels that were
   asked for stand each for themselves.
4. What one label has for too short a time, or where it does not reach the minimal score any more,
   goes to the next best.
"""

from __future__ import annotations

import heapq
import math
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from i3d.analysis.results import Segment, Timeline, TimelineSettings, Track
from i3d.errors import UsageError, similar_names, unknown_name
from i3d.models.labels import find_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.analysis.scores import EdgeTimes, VideoScores
    from i3d.engines.base import StepLogits
    from i3d.errors import UnknownNameError

StepScores: TypeAlias = npt.NDArray[np.float64]
"""(S, labels) probabilities: those of all labels of a model sum to 1 at each step."""
StepFlags: TypeAlias = npt.NDArray[np.bool_]
"""(S, labels) whether a label is on at a step."""

SAME_TIME_SECONDS = 1e-6
"""Times that differ by less are equal: sums of frame times carry rounding errors, and frames are at
least a millisecond apart (`i3d.video.timing.MAX_SANE_FPS`)."""

_NOBODY = -1


def make_timeline(
    scores: VideoScores, settings: TimelineSettings | None = None, *, top: int = 5
) -> Timeline:
    """Say when what happens in a video.

    A video that is shorter than `min_duration_seconds` can have one segment, from its start to its
    end. With a window (`smooth_seconds`) of twice its length, each step says what
    `i3d.analysis.prediction.predict` says of the whole.

    Args:
        scores: What the model says of the video.
        settings: How step logits become segments; None for the defaults.
        top: How many labels to give step by step, at least 1. Those of all segments are among
            them, also where these are more. Means nothing where the settings name labels.

    Returns:
        The timeline, which says what made it. It has no segments where nothing was confident.

    Raises:
        UsageError: A setting makes no sense, or `top` is below 1.
        UnknownNameError: The model does not know one of the settings' labels.
    """
    settings = settings or TimelineSettings()
    check_settings(settings)
    if top < 1:
        raise UsageError(f"The number of labels to show must be at least 1, not {top}.")
    asked = None if settings.labels is None else _positions(settings.labels, scores.labels)
    edges = scores.edges_seconds
    probabilities = _smoothed(scores.step_logits, edges, settings.smooth_seconds)
    if asked is None:
        candidates = np.flatnonzero(probabilities.max(axis=0) >= settings.min_score)
    else:
        candidates = np.asarray(asked, dtype=np.intp)
    shortest = min(settings.min_duration_seconds, float(edges[-1] - edges[0]))
    of_candidates = probabilities[:, candidates]
    on = _lasting_runs(of_candidates, edges, settings.min_score, shortest)
    if asked is None:
        on = _Contest(
            on, of_candidates, edges, min_score=settings.min_score, shortest=shortest
        ).winners()
    segments = [
        _segment(scores.labels, int(label), start, stop, probabilities, edges)
        for flags, label in zip(on.T, candidates, strict=True)
        for start, stop in _runs(flags)
    ]
    # Sorting is stable: segments that start together stay in the order of the labels.
    segments.sort(key=lambda segment: segment.start_seconds)
    shown = asked if asked is not None else _most_seen(segments, probabilities, top)
    return Timeline(
        video=scores.video,
        clip=scores.clip,
        edges_seconds=tuple(edges.tolist()),
        tracks=tuple(
            Track(scores.labels[label], label, tuple(probabilities[:, label].tolist()))
            for label in shown
        ),
        segments=tuple(segments),
        settings=settings,
        recipe=scores.recipe,
        model=scores.model,
        engine=scores.engine,
        warnings=scores.warnings,
    )


def check_settings(settings: TimelineSettings) -> None:
    """Make sure that settings make sense; whether a model knows the labels is not looked at.

    Raises:
        UsageError: One of them does not.
    """
    if not 0 < settings.min_score <= 1:
        raise UsageError(
            f"The minimal score must be above 0 and at most 1, not {settings.min_score:g}.",
            hint="It is a probability: 0.5 is 50 %.",
        )
    for name, seconds in (
        ("shortest duration of a segment", settings.min_duration_seconds),
        ("time to smooth over", settings.smooth_seconds),
    ):
        if not 0 <= seconds < math.inf:
            raise UsageError(
                f"The {name} must be a number of seconds from 0, not {seconds:g}.",
                hint="0 switches it off.",
            )
    if settings.labels is not None and not settings.labels:
        raise UsageError("There is no label to follow.", hint="Name one, or follow all of them.")


def follow_labels(
    patterns: Iterable[str], labels: Sequence[str], *, listing: str | None = None
) -> tuple[str, ...]:
    """Find the labels that people mean.

    Args:
        patterns: Of each, what it means is the first of these that there is: the label of that
            name; those of that name but for upper and lower case; those that it matches as in
            `i3d.models.labels.find_labels`, as a part of a label or as a shell pattern for a whole
            one.
        labels: The labels of the model.
        listing: A command that lists them, for the hint of the error.

    Returns:
        Names of labels, none of them twice, in the order of the patterns and of the model.

    Raises:
        UnknownNameError: A pattern means no label.
        UsageError: A pattern is empty.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if not pattern.strip():
            raise UsageError("A label to follow is empty.", hint="Name one, or a part of it.")
        if pattern in labels:
            found[pattern] = None
            continue
        folded = pattern.casefold()
        matches = [label for label in labels if label.casefold() == folded]
        matches = matches or [label for _, label in find_labels(tuple(labels), pattern)]
        if not matches:
            raise _unknown_label(pattern, labels, listing)
        found |= dict.fromkeys(matches)
    return tuple(found)


def _positions(wanted: Sequence[str], labels: Sequence[str]) -> list[int]:
    """The positions of labels in the model's output: all of them where several have one name."""
    found: dict[int, None] = {}
    for name in wanted:
        positions = [i for i, label in enumerate(labels) if label == name]
        if not positions:
            raise _unknown_label(name, labels, None)
        found |= dict.fromkeys(positions)
    return list(found)


def _unknown_label(name: str, labels: Sequence[str], listing: str | None) -> UnknownNameError:
    error = unknown_name("label", name, labels, listing=listing)
    if listing is None and len(labels) > 20 and not similar_names(name, labels):
        # They are too many for a message.
        error.hint = f"There are {len(labels)}, from {labels[0]!r} to {labels[-1]!r}."
    return error


def _smoothed(step_logits: StepLogits, edges: EdgeTimes, seconds: float) -> StepScores:
    """Probabilities, after the logits were averaged over so much time around each step."""
    logits = step_logits.astype(np.float64)
    if seconds > 0:
        middles = (edges[:-1] + edges[1:]) / 2
        reach = seconds / 2 + SAME_TIME_SECONDS
        first = np.searchsorted(middles, middles - reach, "left")
        after = np.searchsorted(middles, middles + reach, "right")
        sums = np.zeros((len(logits) + 1, logits.shape[1]))
        np.cumsum(logits, axis=0, out=sums[1:])
        np.subtract(sums[after], sums[first], out=logits)
        logits /= (after - first)[:, None]
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each connected run of true flags."""
    changes = np.flatnonzero(np.diff(flags, prepend=False, append=False)).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


def _lasting_runs(
    scores: StepScores, edges: EdgeTimes, min_score: float, shortest: float
) -> StepFlags:
    """Where labels are on: connected runs of at least half of the minimal score that reach it.

    Runs that are too short are left out here: they can't become segments, and would only take
    steps away from those that can.
    """
    on = np.zeros(scores.shape, np.bool_)
    for column in range(scores.shape[1]):
        of_label = scores[:, column]
        for start, stop in _runs(of_label >= min_score / 2):
            lasts = edges[stop] - edges[start] > shortest - SAME_TIME_SECONDS
            if lasts and of_label[start:stop].max() >= min_score:
                on[start:stop, column] = True
    return on


class _Contest:
    """Labels that are on at the same time, of which one has each step.

    The shortest of the runs that can't be segments is taken away, until there are none: those
    that are too short, and those that never reach the minimal score, because another label has the
    steps in which it was reached. Of runs of the same length
    the one with the lower mean score goes first, then the earlier one. Each step of it goes to the
    next best label that is on there, else to none; a label that has lost a step does not get it
    back, so that there is an end.

    Args:
        on: Where labels are on.
        scores: Their scores.
        edges: The times of the steps.
        min_score: What a segment reaches.
        shortest: What a segment lasts, in seconds.
    """

    def __init__(
        self,
        on: StepFlags,
        scores: StepScores,
        edges: EdgeTimes,
        *,
        min_score: float,
        shortest: float,
    ) -> None:
        self._on = on
        self._scores = scores
        self._min_score = min_score
        self._shortest = shortest
        self._edges = edges.tolist()
        self._sums = np.vstack([np.zeros(on.shape[1]), np.cumsum(scores, axis=0)])
        order = np.argsort(np.where(on, -scores, np.inf), axis=1, kind="stable")
        self._rivals = [
            row[:count][::-1].tolist()
            for row, count in zip(order, np.count_nonzero(on, axis=1), strict=True)
        ]
        """Of each step, the labels that still want it, the best at the end."""
        self._stops: dict[int, tuple[int, int]] = {}
        """Start of each run -> its end, and whose it is."""
        self._starts: dict[int, int] = {}
        """End of each run -> its start."""
        self._queue: list[tuple[int, float, int, int, int]] = []

    def winners(self) -> StepFlags:
        """Where each label has what is on: at most one at each step."""
        for run in self._owned(0, len(self._rivals)):
            self._add(*run)
        while self._queue:
            *_, start, stop, label = heapq.heappop(self._queue)
            if self._stops.get(start) == (stop, label):  # else it has grown since
                self._take_away(start, stop)
        owned = np.zeros_like(self._on)
        for start, (stop, label) in self._stops.items():
            if label != _NOBODY:
                owned[start:stop, label] = True
        return owned

    def _owned(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Start, end and owner of the runs between two steps."""
        found = []
        owners = [rivals[-1] if rivals else _NOBODY for rivals in self._rivals[start:stop]]
        for label, group in groupby(owners):
            found.append((start, start + sum(1 for _ in group), label))
            start = found[-1][1]
        return found

    def _add(self, start: int, stop: int, label: int) -> None:
        self._stops[start] = (stop, label)
        self._starts[stop] = start
        if label == _NOBODY:
            return
        seconds = self._edges[stop] - self._edges[start]
        is_short = seconds < self._shortest - SAME_TIME_SECONDS
        if is_short or self._scores[start:stop, label].max() < self._min_score:
            mean = (self._sums[stop, label] - self._sums[start, label]) / (stop - start)
            # Rounded, so that equal ones are equal.
            ticks = round(seconds / SAME_TIME_SECONDS)
            heapq.heappush(self._queue, (ticks, round(float(mean), 9), start, stop, label))

    def _take_away(self, start: int, stop: int) -> None:
        """Give each step of a run to the next best, and join what belongs together then."""
        for rivals in self._rivals[start:stop]:
            rivals.pop()
        runs = self._owned(start, stop)
        del self._stops[start], self._starts[stop]
        if start in self._starts:  # the run before it
            before = self._starts.pop(start)
            runs.insert(0, (before, *self._stops.pop(before)))
        if stop in self._stops:  # the run after it
            end, label = self._stops.pop(stop)
            del self._starts[end]
            runs.append((stop, end, label))
        for label, group in groupby(runs, key=lambda run: run[2]):
            joined = list(group)
            self._add(joined[0][0], joined[-1][1], label)


def _segment(
    labels: Sequence[str], label: int, start: int, stop: int, scores: StepScores, edges: EdgeTimes
) -> Segment:
    inside = scores[start:stop, label]
    peak = start + int(inside.argmax())
    return Segment(
        start_seconds=float(edges[start]),
        end_seconds=float(edges[stop]),
        label=labels[label],
        label_index=label,
        mean_score=float(inside.mean()),
        peak_score=float(inside.max()),
        peak_seconds=float(edges[peak] + edges[peak + 1]) / 2,
    )


def _most_seen(segments: Sequence[Segment], scores: StepScores, top: int) -> list[int]:
    """The labels of segments, longest in total first, then those with the highest peaks."""
    seconds = np.zeros(scores.shape[1])
    for segment in segments:
        seconds[segment.label_index] += segment.end_seconds - segment.start_seconds
    count = max(top, np.count_nonzero(seconds))
    # Rounded, so that equal ones are equal, and stay in the order of the labels.
    order = np.lexsort((-np.round(scores.max(axis=0), 9), -np.round(seconds, 6)))
    found: list[int] = order[:count].tolist()
    return found
