"""All that a run of the benchmark found, and the targets that it was to reach."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.measurements import ratios, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measurements import (
        Batch,
        Comparison,
        Engines,
        Length,
        LongVideo,
        StartUp,
    )

SCHEMA = "i3d.benchmark/2"

PROBABILITY_TOLERANCE = 1e-4
"""Largest difference of a probability from the tutorial's that counts as the same answer."""

LOGIT_TOLERANCE = 1e-4
"""Largest difference of a step's logit from one pass over the whole video that counts as the same:
several times what engines differ by from one length of clips to another."""

LIGHT_COMMANDS = ("i3d --help", "i3d labels", "i3d ucf list")
"""Commands that must start at once."""

_LONG_SECONDS = 60
"""Memory must not grow any more from this length on: one minute."""


@dataclass(frozen=True)
class Target:
    """A number that was to be reached."""

    name: str
    value: float
    limit: float
    at_least: bool
    """Whether the limit is the least that is good enough, not the most."""

    @property
    def reached(self) -> bool:
        """Whether it was."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass
class Results:
    """All of a run; parts that were not measured are None."""

    machine: dict[str, Any]
    options: dict[str, Any]
    comparison: Comparison | None = None
    engines: Engines | None = None
    lengths: list[Length] | None = None
    timeline: LongVideo | None = None
    batch: Batch | None = None
    startup: list[StartUp] | None = None
    failures: list[str] = field(default_factory=list)
    """Sentences on what could not be measured, or came out different."""

    def targets(self) -> list[Target]:
        """The targets of what was measured."""
        return [
            *self._of_comparison(),
            *self._of_engines(),
            *self._of_lengths(),
            *self._of_many(),
            *self._of_startup(),
        ]

    def _of_comparison(self) -> Iterator[Target]:
        if self.comparison is None:
            return
        tutorial, *others = self.comparison.contestants
        for one in others[:1]:
            time = ratios(one.runs, tutorial.runs, lambda run: run.seconds)
            memory = ratios(one.runs, tutorial.runs, lambda run: run.peak_bytes)
            yield Target(f"{one.name}: time, of the tutorial's", time.median, 0.28, False)
            yield Target(f"{one.name}: memory, of the tutorial's", memory.median, 0.7, False)
            yield Target(f"{one.name}: same top 5 (1: yes)", float(one.same_top_5), 1, True)
            name = f"{one.name}: difference of probabilities"
            yield Target(name, one.largest_difference, PROBABILITY_TOLERANCE, False)

    def _of_engines(self) -> Iterator[Target]:
        if self.engines is not None:
            for rate in self.engines.rates[:1]:
                name = f"{rate.engine} alone: rate, of matrix multiplication's"
                yield Target(name, rate.share.median, 0.85, True)

    def _of_lengths(self) -> Iterator[Target]:
        rows = sorted(self.lengths or [], key=lambda row: row.video_seconds)
        if not rows:
            return
        longest = rows[-1]
        name = f"memory above the imports, {longest.video_seconds:g} s: MiB"
        yield Target(name, longest.added_bytes / 2**20, 1536, False)
        first = next((row for row in rows if row.video_seconds >= _LONG_SECONDS), longest)
        if first.video_seconds < longest.video_seconds:
            name = f"the same, {longest.video_seconds:g} s against {first.video_seconds:g} s"
            yield Target(name, longest.added_bytes / first.added_bytes, 1.1, False)

    def _of_many(self) -> Iterator[Target]:
        if self.timeline is not None:
            name = "i3d timeline: time, of one pass's"
            yield Target(name, self.timeline.ratio.median, 1.5, False)
            difference = self.timeline.cut.largest_difference
            yield Target("i3d timeline: difference of logits", difference, LOGIT_TOLERANCE, False)
        if self.batch is not None:
            name = "batch: time that more clips add, of the engine's"
            yield Target(name, self.batch.marginal_ratio.median, 1.1, False)

    def _of_startup(self) -> Iterator[Target]:
        for row in self.startup or []:
            if row.command in LIGHT_COMMANDS:
                seconds = spread(run.seconds for run in row.runs).median
                yield Target(f"{row.command}: seconds", seconds, 0.25, False)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: every run, and the targets."""
        targets = [{**asdict(target), "reached": target.reached} for target in self.targets()]
        return {"schema": SCHEMA, **asdict(self), "targets": targets}
