"""What the benchmark measured, as values; and the statistics of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmark_processes import Run

SCHEMA = "i3d.benchmark/1"

PROBABILITY_TOLERANCE = 1e-4
"""Largest difference of a probability from the tutorial's that counts as the same answer."""

LIGHT_COMMANDS = ("i3d --help", "i3d labels", "i3d ucf list")
"""Commands that must start at once."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    lowest: float
    highest: float


def spread(values: Iterable[float]) -> Spread:
    """The median and the range of at least one value."""
    numbers = list(values)
    return Spread(median(numbers), min(numbers), max(numbers))


def ratios(
    runs: Sequence[Run], reference: Sequence[Run], quantity: Callable[[Run], float]
) -> Spread:
    """The ratios of pairs: of each run to the reference's in the same round."""
    pairs = zip(runs, reference, strict=True)
    return spread(quantity(run) / quantity(other) for run, other in pairs)


@dataclass(frozen=True)
class Contestant:
    """One way to classify the clip."""

    name: str
    engine: str
    """The engine that the result names, with its version; of the tutorial, TensorFlow."""
    runs: list[Run]
    """One a round."""
    same_top_5: bool
    """Whether the five likeliest labels and their order are the tutorial's."""
    largest_difference: float
    """Of any of the 400 probabilities from the tutorial's."""


@dataclass(frozen=True)
class Comparison:
    """Whole processes in turn; the first contestant is the tutorial."""

    num_frames: int
    contestants: list[Contestant]


@dataclass(frozen=True)
class EngineRate:
    """An engine alone against numpy's matrix multiplication, in one process."""

    engine: str
    version: str
    load_seconds: float
    num_frames: int
    num_threads: int
    flop: int
    """Of one run: two for each multiplication of the network's convolutions."""
    matrix_size: int
    """Side of the square matrices with the highest rate."""
    engine_flops: list[float]
    """FLOP per second, one a pair."""
    matrix_flops: list[float]

    @property
    def share(self) -> Spread:
        """The engine's rate as a part of the matrix multiplication's, of pairs."""
        pairs = zip(self.engine_flops, self.matrix_flops, strict=True)
        return spread(engine / matrix for engine, matrix in pairs)


@dataclass(frozen=True)
class Engines:
    """All engines that are here, the preferred one first."""

    rates: list[EngineRate]
    unavailable: dict[str, str]
    """Sentences on the others, by name."""


@dataclass(frozen=True)
class Length:
    """`i3d classify` on a video of one length."""

    video_seconds: float
    runs: list[Run]
    """Empty where it was refused."""
    imports_peak_bytes: int
    """Peak memory of a process that only imports the same packages; 0 where it was refused."""
    refusal: str | None
    """The sentence that i3d said."""


@dataclass(frozen=True)
class StartUp:
    """A command that does next to nothing."""

    command: str
    runs: list[Run]


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
    startup: list[StartUp] | None = None
    failures: list[str] = field(default_factory=list)
    """Sentences on what could not be measured, or came out different."""

    def targets(self) -> list[Target]:
        """The targets of what was measured."""
        found = []
        if self.comparison is not None:
            tutorial, *others = self.comparison.contestants
            for one in others[:1]:
                time = ratios(one.runs, tutorial.runs, lambda run: run.seconds)
                memory = ratios(one.runs, tutorial.runs, lambda run: run.peak_bytes)
                found += [
                    Target(f"{one.name}: time, of the tutorial's", time.median, 0.28, False),
                    Target(f"{one.name}: memory, of the tutorial's", memory.median, 0.7, False),
                    Target(f"{one.name}: same top 5 (1: yes)", float(one.same_top_5), 1, True),
                    Target(
                        f"{one.name}: difference of probabilities",
                        one.largest_difference,
                        PROBABILITY_TOLERANCE,
                        False,
                    ),
                ]
        if self.engines is not None:
            for rate in self.engines.rates[:1]:
                name = f"{rate.engine} alone: rate, of matrix multiplication's"
                found.append(Target(name, rate.share.median, 0.85, True))
        for row in self.startup or []:
            if row.command in LIGHT_COMMANDS:
                seconds = spread(run.seconds for run in row.runs).median
                found.append(Target(f"{row.command}: seconds", seconds, 0.25, False))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: every run, and the targets."""
        targets = [{**asdict(target), "reached": target.reached} for target in self.targets()]
        return {"schema": SCHEMA, **asdict(self), "targets": targets}
