"""What there is to know of models: all of them in brief, one of them in full."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from i3d.engines.graphs import read_model
from i3d.errors import CacheError, CheckpointError
from i3d.models.catalog import CATALOG
from i3d.models.find import packaged_folder
from i3d.models.folders import folder_of
from i3d.models.inspect import read_weights
from i3d.models.store import installed_models, open_installed

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.engines.base import ModelContract
    from i3d.models.catalog import ModelSpec
    from i3d.models.find import LocalModel
    from i3d.models.records import ModelRecord
    from i3d.models.store import InstalledModel

GraphFacts: TypeAlias = "ModelRecord | ModelContract"
"""Both say what the graph does."""

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
        with suppress(CheckpointError):
            weights = read_weights(installed.directory)
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


def read_graph(local: LocalModel) -> GraphFacts:
    """Tell what a model's graph says, from its record or, without one, from the graph.

    Raises:
        ModelLoadError: There is no graph, or none that takes videos.
    """
    return local.record or read_model(local.directory).contract
