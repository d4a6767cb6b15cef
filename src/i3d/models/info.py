"""What there is to know of models: all of them in brief, one of them in full."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from i3d.engines.choose import load_engine
from i3d.errors import CacheError, CheckpointError
from i3d.models.catalog import CATALOG
from i3d.models.folders import folder_of
from i3d.models.inspect import read_weights
from i3d.models.store import installed_models, open_installed
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.models.catalog import ModelSpec
    from i3d.models.find import LocalModel
    from i3d.models.inspect import Weights
    from i3d.models.records import ModelRecord
    from i3d.models.store import InstalledModel
    from i3d.progress import Progress

State = Literal["packaged", "installed", "damaged", "not installed"]


@dataclass(frozen=True)
class ModelState:
    """A model in brief."""

    name: str
    state: State
    spec: ModelSpec | None
    """Its record in the catalogue; None for one that was given by its address or archive."""
    directory: Path | None
    """Where it is; None for one that is not on this machine."""
    num_bytes: int | None
    """Size of its files; None for one that is not on this machine."""
    record: ModelRecord | None
    """Where it came from; None for one that ships with i3d or is not on this machine."""
    problems: tuple[str, ...] = ()
    """What is damaged, or why it can't be read; a clause each."""

    unofficial: bool = False
    """It has the layers of published weights, and others."""


def list_models() -> list[ModelState]:
    """The models of the catalogue in its order, then all others that were fetched, by name.

    Every file of an installed model is compared with its record. A folder that can't be read
    does not keep the others from being listed.

    Raises:
        CacheError: The cache can't be read.
    """
    states = [_state_of(spec) for spec in CATALOG.values()]
    states += [
        _state(installed, None)
        for installed in installed_models()
        if installed.directory not in {folder_of(name) for name in CATALOG}
    ]
    return states


def _state_of(spec: ModelSpec) -> ModelState:
    from i3d.models.find import packaged_folder

    if spec.packaged_dir is not None:
        folder = packaged_folder(spec)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return ModelState(spec.name, "packaged", spec, folder, size, None)
    try:
        installed = open_installed(spec.name)
    except CacheError as error:
        folder, problems = folder_of(spec.name), (error.clause,)
        return ModelState(spec.name, "damaged", spec, folder, None, None, problems)
    if installed is None:
        return ModelState(spec.name, "not installed", spec, None, None, None)
    return _state(installed, spec)


def _state(installed: InstalledModel, spec: ModelSpec | None) -> ModelState:
    problems = installed.damage()
    unofficial = False
    if installed.record.checkpoint is None and spec is not None:
        unofficial = spec.checkpoint is not None
    elif installed.record.checkpoint is None and not problems:
        weights = read_weights_or_none(installed.directory)
        unofficial = weights is not None and weights.identification.is_unofficial
    return ModelState(
        name=installed.record.name,
        state="damaged" if problems else "installed",
        spec=spec,
        directory=installed.directory,
        num_bytes=installed.num_bytes,
        record=installed.record,
        problems=problems,
        unofficial=unofficial,
    )


@dataclass(frozen=True)
class GraphFacts:
    """What a model's graph says; see `i3d.engines.base.ModelContract`."""

    num_labels: int
    input_range: tuple[float, float]
    input_range_reason: str
    receptive_field: int | None
    stride: int | None


def read_graph(local: LocalModel, *, progress: Progress = NO_PROGRESS) -> GraphFacts:
    """Tell what a model's graph says, from its record or, without one, from the graph.

    Raises:
        EngineNotInstalledError: TensorFlow can't be imported.
        ModelLoadError: The model can't be loaded.
    """
    facts = local.record
    if facts is not None:
        return GraphFacts(
            facts.num_labels,
            facts.input_range,
            facts.input_range_reason,
            facts.receptive_field,
            facts.stride,
        )
    with progress.task(f"loading {local.name}"):
        contract = load_engine(
            local.directory,
            fingerprint=lambda: local.fingerprint,
            is_known=local.source == "packaged",
            progress=progress,
        ).contract
    return GraphFacts(
        contract.num_labels,
        contract.input_range,
        contract.input_range_reason,
        contract.receptive_field,
        contract.stride,
    )


def read_weights_or_none(directory: Path) -> Weights | None:
    """Identify a model's weights; None where they can't be read."""
    with suppress(CheckpointError):
        return read_weights(directory)
    return None
