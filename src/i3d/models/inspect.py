"""What a model is: its weights against the published ones, and what its graph says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d import __version__
from i3d.engines.choose import load_engine
from i3d.errors import CheckpointError, ModelLoadError
from i3d.models.catalog import name_of_weights
from i3d.models.checkpoints import checkpoint_prefix, num_parameters, open_checkpoint
from i3d.models.deepmind import published
from i3d.models.folders import MODEL, folder_of, shown_name
from i3d.models.labels import LABEL_LISTS
from i3d.models.published import identify, network_tensors, weights_fingerprint
from i3d.models.records import ModelRecord, fingerprint, record_files
from i3d.models.store import install
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.models.catalog import ModelSpec
    from i3d.models.published import Identification
    from i3d.models.store import InstalledModel
    from i3d.progress import Progress


@dataclass(frozen=True)
class Weights:
    """What a model's tensors are."""

    fingerprint: str
    identification: Identification
    num_parameters: int


def read_weights(directory: Path) -> Weights | None:
    """Read and identify the weights of a SavedModel or of a checkpoint's folder.

    Returns:
        What they are; None for a model that has none that can be read, such as one whose weights
        are constants in its graph.

    Raises:
        CheckpointError: There is a checkpoint, and it is damaged.
    """
    prefix = checkpoint_prefix(directory)
    if prefix is None:
        return None
    checkpoint = open_checkpoint(prefix)
    found = identify(checkpoint)
    network = network_tensors(checkpoint).values() if found.architecture_matches else None
    return Weights(weights_fingerprint(checkpoint), found, num_parameters(checkpoint, network))


def check_and_install(
    scratch: Path,
    name: str,
    spec: ModelSpec | None,
    *,
    source: str,
    location: str,
    converted: bool = False,
    progress: Progress = NO_PROGRESS,
) -> InstalledModel:
    """Check that a scratch folder holds the model it should, whole, and install it.

    Args:
        scratch: Holds the SavedModel in `MODEL`, which is moved.
        name: What the model is called: a name in the catalogue, a whole address, or an archive's
            `sha256:...`.
        spec: Its record in the catalogue; None for one that is not in it, whose weights may then
            be any.
        source: Which kind of place it came from.
        location: Its URL or path. Of this and of the name, what may not be shown is not kept.
        converted: Whether i3d made the SavedModel from a checkpoint.
        progress: Receives progress updates.

    Raises:
        ModelLoadError: It is damaged, not the model of the catalogue, or can't be loaded.
        EngineNotInstalledError: No engine can be imported.
        CacheError: The cache can't be written, or something is in the way that is not i3d's.
    """
    directory = scratch / MODEL
    if not (directory / "saved_model.pb").is_file():
        raise ModelLoadError("It has no saved_model.pb: it is not a TensorFlow model.")
    weights = read_weights(directory)
    check_weights(weights, spec)
    files = record_files(directory)
    contract = load_engine(
        directory, fingerprint=lambda: fingerprint(files), progress=progress
    ).contract
    if spec is not None and contract.num_labels != LABEL_LISTS[spec.label_list]:
        raise ModelLoadError(
            f"It has {contract.num_labels} outputs, and {spec.name} has "
            f"{LABEL_LISTS[spec.label_list]}."
        )
    record = ModelRecord(
        name=shown_name(name),
        source=source,
        location=shown_name(location),
        installed_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        i3d_version=__version__,
        converted=converted,
        num_labels=contract.num_labels,
        num_parameters=None if weights is None else weights.num_parameters,
        input_range=contract.input_range,
        input_range_reason=contract.input_range_reason,
        receptive_field=contract.receptive_field,
        stride=contract.stride,
        weights=None if weights is None else weights.fingerprint,
        checkpoint=None if weights is None else weights.identification.checkpoint,
        files=files,
        folder=folder_of(name).name,
    )
    return install(scratch, record)


def check_weights(weights: Weights | None, spec: ModelSpec | None) -> None:
    """Refuse damaged weights, and another model's; unofficial ones of the same network pass.

    Args:
        weights: What `read_weights` gave.
        spec: The model that they should be; None for any.

    Raises:
        ModelLoadError: They are refused.
    """
    if weights is not None and weights.identification.damaged:
        raise CheckpointError(
            f"Its tensor {weights.identification.damaged[0]} is damaged (CRC-32C)."
        )
    if spec is None:
        return
    if spec.weights is not None and (weights is None or weights.fingerprint != spec.weights):
        raise ModelLoadError(f"Its weights are not {spec.name}'s.")
    if spec.checkpoint is None:
        return
    if weights is None:
        raise ModelLoadError(
            f"It has no variables, and {spec.name} has {len(published()[spec.checkpoint].tensors)}."
        )
    found = weights.identification
    if found.checkpoint not in (None, spec.checkpoint):
        name = name_of_weights(spec.name, found.checkpoint)
        called = "" if name is None else f", which i3d calls {name}"
        raise ModelLoadError(f"It is {found.checkpoint}{called}, not {spec.name}.")
    if not found.is_network_of(spec.checkpoint):
        raise ModelLoadError(
            f"It is another network than {spec.name}: its tensors have other names or shapes."
        )
