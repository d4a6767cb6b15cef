"""What is found out about a model: its files, its tensors, and what its graph answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from i3d.engines.base import describe_engine
from i3d.errors import (
    CacheError,
    CheckpointError,
    DownloadError,
    EngineError,
    EngineNotInstalledError,
)
from i3d.models.deepmind import published, sample_outputs
from i3d.models.find import find_installed
from i3d.models.inspect import read_weights
from i3d.models.known_answers import (
    KNOWN_CHECKPOINT,
    TOLERANCE,
    KnownAnswers,
    compare_known_answers,
)
from i3d.models.sample import SampleComparison, check_sample, compare_sample, fetch_sample
from i3d.models.store import InstalledModel
from i3d.models.verified_graph import load
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from i3d.engines.base import EngineInfo
    from i3d.models.find import LocalModel
    from i3d.models.inspect import Weights
    from i3d.models.published import Identification
    from i3d.progress import Progress

Graph: TypeAlias = Literal["run", "loaded", "not looked at"]
"""What was done with a model's graph, and succeeded."""


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
    sample: SampleComparison | None = None
    """What it gives for DeepMind's sample, where its weights are those that were run on it."""
    known_answers: KnownAnswers | None = None
    """What it gives for black against white, where its weights are those of published distances."""
    sample_skipped: str | None = None
    """Why neither was run, as a clause, where that says nothing about the model."""
    sample_problem: str | None = None
    """Why the model can't be loaded or run, as a clause."""
    graph: Graph | None = "not looked at"
    """`run`: it gave logits for the sample, or the known answers' clips. `loaded`: an engine loads
    it, and it has as many outputs as its weights have labels. None where it can't be loaded or run,
    or there is none (a checkpoint)."""
    engine: EngineInfo | None = None
    """What ran or loaded the graph."""

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
    def compared_with(self) -> Literal["known answers", "sample"]:
        """What the graph's outputs are compared with, or would be."""
        checkpoint = self.weights and self.weights.identification.checkpoint
        return "known answers" if checkpoint == KNOWN_CHECKPOINT else "sample"

    @property
    def verdict(self) -> str:
        """What was proven, or what speaks against the model, for people."""
        if self.problem is not None:
            return f"NOT verified: {self.problem}"
        known = f", and known answers within {TOLERANCE * 100:g} %"
        limits = {
            "run": ", and the published logits" if self.known_answers is None else known,
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
                yield self._whose_weights(self.weights.identification)
        if self.sample_problem is not None:
            yield f"it does not run: {self.sample_problem}"
        if self.sample is not None and not self.sample.agrees:
            yield "it does not give the published logits for the published sample"
        if self.known_answers is not None and not self.known_answers.agrees:
            yield self.known_answers.problem

    def _whose_weights(self, found: Identification) -> str:
        """Say that the weights are not the model's, as a clause."""
        if found.checkpoint is not None:
            return f"its weights are {found.checkpoint}, which is not {self.local.name}"
        what = "it is unofficial: its" if found.is_unofficial else "its"
        return f"{what} weights are none that were published"


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
        run_sample: Run the sample where its published logits are those of the model's weights. A
            folder of the user's own, of whose graph no record says anything, is at least loaded.
            Black against white, which needs no network, is run in any case.
        progress: Receives progress updates.

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
        check_sample(Path(sample))
    problems = _file_problems(local)
    weights, weights_problem = None, None
    try:
        weights = read_weights(local.directory)
        if weights is None:
            weights_problem = _why_no_weights(local.directory)
    except CheckpointError as error:
        weights_problem = error.clause
    skipped = _why_not_run(local, weights, problems, run_sample=run_sample)
    graph: Graph | None = "not looked at" if _has_graph(local.directory) else None
    result = Verification(
        local, problems, weights, weights_problem, sample_skipped=skipped, graph=graph
    )
    checkpoint = None if weights is None else weights.identification.checkpoint
    path = None
    if skipped is None and checkpoint == sample_outputs().checkpoint:
        try:
            path = fetch_sample(progress) if sample is None else Path(sample)
        except DownloadError as error:
            result = replace(result, sample_skipped=f"it could not be fetched ({error.reason})")
        except CacheError as error:
            result = replace(result, sample_skipped=error.clause)
    if checkpoint is not None and (
        result.sample_skipped is None or (run_sample and _is_worth_loading(result, checkpoint))
    ):
        result = _with_graph(result, checkpoint, path, progress)
    return result


def _with_graph(
    result: Verification, checkpoint: str, sample: Path | None, progress: Progress
) -> Verification:
    """Load the graph, and run what its outputs can be compared with."""
    try:
        engine = load(result.local.directory, published()[checkpoint].num_labels, progress)
        found = describe_engine(engine)
        if checkpoint == KNOWN_CHECKPOINT:
            answers = compare_known_answers(engine, progress)
            return replace(result, known_answers=answers, engine=found, graph="run")
        if sample is not None:
            comparison = compare_sample(engine, sample, progress)
            return replace(result, sample=comparison, engine=found, graph="run")
    except EngineNotInstalledError as error:  # this machine's fault
        return replace(result, sample_skipped=result.sample_skipped or error.clause)
    except EngineError as error:
        return replace(result, sample_problem=error.clause, graph=None)
    return replace(result, engine=found, graph="loaded")


def _is_worth_loading(result: Verification, checkpoint: str) -> bool:
    """Whether it is a user's folder that would be verified by its weights alone."""
    return (
        result.local.source == "folder"
        and result.graph is not None
        and result.problem is None
        and not checkpoint.startswith("flow")  # i3d feeds RGB frames, and loads nothing else
    )


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


def _why_not_run(
    local: LocalModel,
    weights: Weights | None,
    problems: tuple[str, ...] | None,
    *,
    run_sample: bool,
) -> str | None:
    """Why the graph's outputs are compared with nothing, as a clause."""
    if problems or weights is None or weights.identification.damaged:
        return "the model is damaged or can't be read"
    found = weights.identification
    if found.checkpoint is None:
        what = "these weights" if found.architecture_matches else "this network"
        return f"DeepMind published no numbers for {what}"
    if found.checkpoint not in (KNOWN_CHECKPOINT, sample_outputs().checkpoint):
        return f"DeepMind published no numbers that could be compared for {found.checkpoint}"
    if not _has_graph(local.directory):
        return "a checkpoint can't be run before it is converted (i3d model import)"
    if found.checkpoint == sample_outputs().checkpoint and not run_sample:
        return "not asked for"
    return None
