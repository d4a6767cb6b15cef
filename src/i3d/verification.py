"""Is this model the one that was published? Its tensors, and DeepMind's own sample."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from i3d.catalog import deepmind_source
from i3d.download import download
from i3d.engines import load_engine
from i3d.errors import (
    CacheError,
    CheckpointError,
    DownloadError,
    EngineError,
    EngineNotInstalledError,
    ModelLoadError,
    UsageError,
)
from i3d.fingerprints import git_blob_sha1, published, sample_outputs
from i3d.labels import load_labels
from i3d.paths import downloads_dir, samples_dir
from i3d.predictor import softmax
from i3d.progress import NO_PROGRESS
from i3d.sources import find_installed, fingerprint, read_weights, record_files
from i3d.sources.installed import InstalledModel, cannot_write

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from i3d.engines.base import Engine
    from i3d.progress import Progress
    from i3d.sources import LocalModel
    from i3d.sources.inspection import Weights

Graph: TypeAlias = Literal["run", "loaded", "not looked at"]
"""What was done with a model's graph, and succeeded."""

LOGIT_TOLERANCE = 0.01
"""Largest difference from a published logit that still counts as equal. Implementations in float32
differ by less than 0.0001 (tests/test_converter.py); a hundred times as much is allowed, because
the published logits come from another TensorFlow on another machine, and could not be tried."""


@dataclass(frozen=True)
class SampleRow:
    """A label's published result and ours."""

    label: str
    published_logit: float
    logit: float
    published_probability: float
    probability: float


@dataclass(frozen=True)
class SampleComparison:
    """DeepMind's sample, run here."""

    path: str
    """The file; its git blob id is the published one."""
    published_norm: float
    norm: float
    """Euclidean norm of all logits."""
    rows: tuple[SampleRow, ...]
    """The published best labels, best first."""

    @property
    def largest_difference(self) -> float:
        """Between a published logit, or the norm, and ours."""
        return max(
            abs(self.norm - self.published_norm),
            *(abs(row.logit - row.published_logit) for row in self.rows),
        )

    @property
    def agrees(self) -> bool:
        """Whether all differences are within `LOGIT_TOLERANCE`."""
        return self.largest_difference <= LOGIT_TOLERANCE


@dataclass(frozen=True)
class Verification:
    """What was found out about a model."""

    local: LocalModel
    file_problems: tuple[str, ...] | None
    """A clause for each file that is missing, or not as it was installed; None where there is no
    record to compare with and nothing is missing."""
    weights: Weights | None
    """Its tensors; None where they can't be read."""
    weights_problem: str | None
    """Why its tensors can't be read."""
    sample: SampleComparison | None
    sample_skipped: str | None
    """Why the sample was not run, as a clause, where that says nothing about the model."""
    sample_problem: str | None = None
    """Why the model can't be loaded or run, as a clause."""
    graph: Graph | None = "not looked at"
    """`run`: it gave logits for the sample. `loaded`: TensorFlow loads it, and it has as many
    outputs as its weights have labels. None where it can't be loaded or run, or there is none
    (a checkpoint)."""

    @property
    def is_published(self) -> bool:
        """Whether all tensors equal those of a published checkpoint, or of this release's model."""
        if self.weights is None:
            return False
        spec = self.local.spec
        if spec is not None and spec.weights is not None:
            return self.weights.fingerprint == spec.weights
        checkpoint = self.weights.identification.checkpoint
        return checkpoint is not None and (spec is None or checkpoint == spec.checkpoint)

    @property
    def verdict(self) -> str:
        """What was proven, or what speaks against the model, for people."""
        if self.problem is not None:
            return f"NOT verified: {self.problem}"
        limits = {
            "run": ", and the published logits",
            "loaded": "; the graph was loaded, and not run",
            "not looked at": "; the graph was not run",
            None: "",
        }
        return f"verified: its weights{limits[self.graph]}"

    @property
    def problem(self) -> str | None:
        """What speaks against the model most, as a clause; None for nothing."""
        return next(self._problems(), None)

    def _problems(self) -> Iterator[str]:
        """What speaks against the model, as clauses, the worst first."""
        if self.file_problems:
            yield f"it is damaged: {'; '.join(self.file_problems)}"
        if self.weights is None:
            yield self.weights_problem or "its tensors can't be read"
            return
        count = len(self.weights.identification.damaged)
        if count:
            tensors = "1 tensor does not" if count == 1 else f"{count} tensors do not"
            yield f"it is damaged: {tensors} have the CRC-32C that its own index says"
        if not self.is_published:
            if self.local.source == "packaged":
                yield "its weights are not those that ship with this release"
            else:
                yield "its weights are none that were published"
        if self.sample_problem is not None:
            yield f"it does not run: {self.sample_problem}"
        if self.sample is not None and not self.sample.agrees:
            yield "it does not give the published logits for the published sample"


def verify_model(
    model: str,
    *,
    sample: str | os.PathLike[str] | None = None,
    run_sample: bool = True,
    progress: Progress = NO_PROGRESS,
) -> Verification:
    """Compare a model on this machine with what was published.

    Args:
        model: A name in the catalogue, a model's folder, or the folder of a checkpoint.
        sample: DeepMind's sample, `v_CricketShot_g04_c01_rgb.npy`; None fetches it.
        run_sample: Run the sample through the model, where published logits for it exist. A folder
            of the user's own, of whose graph no record says anything, is at least loaded.
        progress: Who wants to know.

    Returns:
        What was found out. Weights that nobody published, and a model that can't be loaded, are
        findings, not errors.

    Raises:
        UnknownNameError: There is no model of that name, and no such folder.
        ModelNotInstalledError: It is not on this machine.
        UsageError: `sample` can't be read, or is not DeepMind's.
        CacheError: The cache can't be read.
    """
    local = find_installed(model)
    if sample is not None and run_sample:  # told also where it would not be run
        _check_sample(Path(sample))
    problems = _file_problems(local)
    weights, weights_problem = None, None
    try:
        weights = read_weights(local.directory)
        if weights is None:
            weights_problem = _why_no_weights(local.directory)
    except CheckpointError as error:
        weights_problem = error.clause
    skipped = _why_no_sample(local, weights, problems) if run_sample else "not asked for"
    graph: Graph | None = "not looked at" if _has_graph(local.directory) else None
    result = Verification(
        local, problems, weights, weights_problem, None, skipped, sample_problem=None, graph=graph
    )
    if skipped is None:
        result = _with_sample(result, sample, progress)
    if run_sample and result.graph == "not looked at" and local.source == "folder":
        result = _with_graph_loaded(result, progress)
    return result


def _with_sample(
    result: Verification, sample: str | os.PathLike[str] | None, progress: Progress
) -> Verification:
    """Run the sample, where it can be had and this machine can run it."""
    try:
        path = fetch_sample(progress) if sample is None else Path(sample)
        comparison = compare_sample(result.local.directory, path, progress=progress)
    except DownloadError as error:
        return replace(result, sample_skipped=f"it could not be fetched ({error.reason})")
    except (CacheError, EngineNotInstalledError) as error:  # this machine's fault
        return replace(result, sample_skipped=error.clause)
    except EngineError as error:
        return replace(result, sample_problem=error.clause, graph=None)
    return replace(result, sample=comparison, graph="run")


def _with_graph_loaded(result: Verification, progress: Progress) -> Verification:
    """Load a graph that was not run, where its weights alone would make the model verified."""
    found = None if result.weights is None else result.weights.identification
    if result.problem is not None or found is None or found.closest is None:
        return result
    if found.closest.startswith("flow"):  # i3d feeds RGB frames, and loads nothing else
        return result
    try:
        _load(result.local.directory, published()[found.closest].num_labels, progress)
    except EngineNotInstalledError:  # this machine's fault
        return result
    except EngineError as error:
        return replace(result, sample_problem=error.clause, graph=None)
    return replace(result, graph="loaded")


def _load(directory: Path, num_labels: int, progress: Progress) -> Engine:
    """Load a model whose weights are those of a network with so many labels."""
    with progress.task(f"loading {directory.name}"):
        engine = load_engine(
            directory,
            fingerprint=lambda: fingerprint(record_files(directory)),
            progress=progress,
        )
    if engine.contract.num_labels != num_labels:
        raise ModelLoadError(
            f"Its graph gives {engine.contract.num_labels} outputs, and its weights are of a "
            f"network with {num_labels} labels."
        )
    return engine


def _file_problems(local: LocalModel) -> tuple[str, ...] | None:
    if local.record is not None:
        return InstalledModel(local.directory, local.record).damage()
    is_checkpoint = not (local.directory / "variables" / "variables.index").is_file()
    if is_checkpoint or _has_graph(local.directory):
        return None
    return ("saved_model.pb is missing",)


def _why_no_weights(directory: Path) -> str:
    if _has_graph(directory):
        return "it has no tensors that could be compared"
    return "the folder holds neither saved_model.pb nor a TensorFlow checkpoint"


def _has_graph(directory: Path) -> bool:
    """Whether a folder holds a SavedModel, not a checkpoint alone."""
    return (directory / "saved_model.pb").is_file()


def _why_no_sample(
    local: LocalModel, weights: Weights | None, problems: tuple[str, ...] | None
) -> str | None:
    if problems or weights is None or weights.identification.damaged:
        return "the model is damaged or can't be read"
    found = weights.identification
    if found.checkpoint not in (None, sample_outputs().checkpoint):
        return f"DeepMind published no numbers that could be compared for {found.checkpoint}"
    same_network = tuple(name for name in published() if name.startswith("rgb_"))
    if not found.architecture_matches or found.closest not in same_network:
        return "DeepMind published no numbers for this network"
    if published()[found.closest].num_labels != 400:
        return "DeepMind published no numbers for a network of that many labels"
    if not _has_graph(local.directory):
        return "a checkpoint can't be run before it is converted (i3d model import)"
    return None


def fetch_sample(progress: Progress = NO_PROGRESS) -> Path:
    """Fetch DeepMind's sample input, 47.6 MB, once; its git blob id is checked each time.

    Returns:
        The file: (1, 79, 224, 224, 3) float32 RGB in [-1, 1].

    Raises:
        DownloadError: It can't be fetched.
        CacheError: Our cache can't be written.
    """
    published_sample = sample_outputs()
    expected = published_sample.clip_git_sha1
    path = samples_dir() / published_sample.clip.rpartition("/")[2]
    with suppress(ModelLoadError):  # what can't be read is fetched again
        if path.is_file() and git_blob_sha1(path) == expected:
            return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    download(
        deepmind_source(published_sample.clip).url,
        path,
        git_sha1=expected,
        partial_dir=downloads_dir(),
        description=f"fetching {path.name}",
        progress=progress,
    )
    return path


def compare_sample(
    directory: Path, path: Path, *, progress: Progress = NO_PROGRESS
) -> SampleComparison:
    """Run the sample through a model and set its logits beside the published ones.

    Args:
        directory: A SavedModel of I3D with 400 labels.
        path: The sample.
        progress: Who wants to know.

    Raises:
        UsageError: The sample can't be read, or is not DeepMind's.
        EngineError: The model can't be loaded or run.
    """
    pixels = _read_sample(path)
    labels = load_labels("kinetics-400")
    engine = _load(directory, len(labels), progress)
    low, high = engine.contract.input_range
    with progress.task(f"running {path.name}"):
        steps = engine.run(_in_range(pixels, low, high))
    logits = steps.mean(axis=0, dtype=np.float64)
    if not np.isfinite(logits).all():
        raise EngineError("The model gave outputs that are not finite numbers for the sample.")
    probabilities = softmax(logits)
    expected = sample_outputs()
    rows = [
        SampleRow(
            label=label,
            published_logit=logit,
            logit=float(logits[labels.index(label)]),
            published_probability=probability,
            probability=float(probabilities[labels.index(label)]),
        )
        for probability, logit, label in expected.top
    ]
    return SampleComparison(
        path=str(path),
        published_norm=expected.norm_of_logits,
        norm=math.sqrt(float((logits**2).sum())),
        rows=tuple(rows),
    )


def _read_sample(path: Path) -> npt.NDArray[np.float32]:
    """The sample as (79, 224, 224, 3) float32 in [-1, 1]."""
    _check_sample(path)
    frames: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)[0]
    return frames


def _check_sample(path: Path) -> None:
    """Raise UsageError for any file but DeepMind's sample."""
    name = sample_outputs().clip
    hint = f"Give DeepMind's: {deepmind_source(name).url}"
    try:
        is_published = git_blob_sha1(path) == sample_outputs().clip_git_sha1
    except ModelLoadError as error:
        raise UsageError(f"The sample {error.message}", hint=hint) from error
    if not is_published:  # the published logits belong to that one alone
        raise UsageError(
            f"{path} is not DeepMind's sample: its git blob id is another one.", hint=hint
        )


def _in_range(pixels: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """Pixels in [-1, 1] as a model wants them; where that is [-1, 1], the same bits."""
    if (low, high) == (-1.0, 1.0):
        return pixels
    return ((pixels + np.float32(1)) * np.float32((high - low) / 2) + np.float32(low)).astype(
        np.float32
    )
