"""What each part of the benchmark measured, as values; and the statistics of it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.processes import Run


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
    imports_peak_bytes: int
    """Peak memory of a process that only imports the same packages."""

    @property
    def added_bytes(self) -> float:
        """Peak memory above that of the imports, the median of the runs."""
        return spread(run.peak_bytes for run in self.runs).median - self.imports_peak_bytes


@dataclass(frozen=True)
class Cut:
    """How a long video went through the network, and what that changed."""

    num_frames: int
    num_chunks: int
    num_frames_computed: int
    """Of all chunks together: frames where two of them overlap count twice."""
    num_steps: int
    largest_difference: float
    """Of any step's logit from that of one pass over the whole video."""


@dataclass(frozen=True)
class LongVideo:
    """`i3d timeline` in chunks, and one pass over the same frames, as whole processes in turn."""

    cut: Cut
    timeline: list[Run]
    one_pass: list[Run]

    @property
    def ratio(self) -> Spread:
        """Wall time of the timeline, of one pass's, of pairs."""
        return ratios(self.timeline, self.one_pass, lambda run: run.seconds)


@dataclass(frozen=True)
class EngineRun:
    """The engine alone on clips that were decoded before."""

    load_seconds: float
    """From the start of its script, imports and all, until the model was loaded."""
    clip_seconds: list[float]
    """Of each clip; the first one's compiles the graph for its length."""


@dataclass(frozen=True)
class Batch:
    """`i3d classify` on a folder of clips, and the engine alone on as many, in turn.

    Each list has one item a round.
    """

    num_clips: int
    num_fewer: int
    """A smaller number of clips: what the others add is free of the start."""
    num_frames: int
    """Of each clip."""
    all_clips: list[Run]
    fewer_clips: list[Run]
    more_jobs: list[Run]
    """All clips with `--jobs 2`."""
    nothing_left: list[Run]
    """The same command where the file of results has all of them."""
    engine: list[EngineRun]

    @property
    def whole_ratio(self) -> Spread:
        """Wall time of the process for all clips, of the engine's for loading and running."""
        return self._whole(self.all_clips)

    @property
    def more_jobs_ratio(self) -> Spread:
        """The same with `--jobs 2`."""
        return self._whole(self.more_jobs)

    @property
    def marginal_ratio(self) -> Spread:
        """Wall time that the clips beyond the smaller number add, of the engine's for them."""
        rounds = zip(self.all_clips, self.fewer_clips, self.engine, strict=True)
        return spread(
            (more.seconds - fewer.seconds) / sum(engine.clip_seconds[self.num_fewer :])
            for more, fewer, engine in rounds
        )

    def _whole(self, runs: list[Run]) -> Spread:
        pairs = zip(runs, self.engine, strict=True)
        return spread(
            run.seconds / (engine.load_seconds + sum(engine.clip_seconds)) for run, engine in pairs
        )


@dataclass(frozen=True)
class StartUp:
    """A command that does next to nothing."""

    command: str
    runs: list[Run]
