"""The graph around a model's tensors: loaded, and its logits averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from i3d.engines.choose import load_engine
from i3d.errors import ModelLoadError, ModelOutputError
from i3d.models.records import fingerprint, record_files

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.engines.base import Engine, Float64Array, StepLogits
    from i3d.progress import Progress


def load(directory: Path, num_labels: int, progress: Progress) -> Engine:
    """Load a model, and make sure of the number of its outputs.

    Args:
        directory: A SavedModel.
        num_labels: How many labels the network of its weights has.
        progress: Receives progress updates.

    Raises:
        EngineNotInstalledError: No engine can be imported.
        EngineError: The model can't be loaded, or has another number of outputs.
    """
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


def mean_logits(steps: StepLogits) -> Float64Array:
    """Average step logits over time: (S, labels) to (labels,).

    Raises:
        ModelOutputError: They are not finite.
    """
    logits: Float64Array = steps.mean(axis=0, dtype=np.float64)
    if not np.isfinite(logits).all():
        raise ModelOutputError("The model gave outputs that are not finite numbers.")
    return logits
