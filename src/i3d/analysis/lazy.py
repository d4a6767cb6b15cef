"""A model that is found when something about it is asked, and loaded when it has to run."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from i3d.analysis.classifier import Classifier
from i3d.engines.saved_model import read_signature
from i3d.models.find import LocalModel, find_model
from i3d.models.labelling import NamedLabels, name_labels
from i3d.models.labels import read_labels
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    import os

    from i3d.engines.base import Precision
    from i3d.progress import Progress


class LazyClassifier:
    """A `Classifier` that costs no more than what is asked of it.

    Args:
        model: As for `Classifier.load`.
        labels: As for `Classifier.load`.
        engine: As for `Classifier.load`; kept as an attribute.
        precision: As for `Classifier.load`; kept as an attribute.
        progress: Who wants to know; is told the notes about the model when it is loaded.

    All methods and attributes may raise what `Classifier.load` raises.
    """

    def __init__(
        self,
        model: str,
        *,
        labels: str | os.PathLike[str] | None,
        engine: str,
        precision: Precision,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self.engine = engine
        self.precision = precision
        self._model = model
        self._label_file = labels
        self._progress = progress

    @cached_property
    def local(self) -> LocalModel:
        """The model on this machine; fetched where it has to be."""
        # A mistyped name is told before a model is fetched.
        _ = self._own_labels
        return find_model(self._model, progress=self._progress)

    @cached_property
    def size(self) -> int | None:
        """Height and width of its clips in pixels; None where it takes any."""
        return read_signature(self.local.directory).size

    @cached_property
    def named(self) -> NamedLabels:
        """Its labels."""
        num_labels = read_signature(self.local.directory).num_labels
        return name_labels(self.local, self._own_labels, self._label_file, num_labels)

    @property
    def labels_sha256(self) -> str:
        """SHA-256, in hexadecimal, over its labels, one a line."""
        lines = "".join(f"{label}\n" for label in self.named.labels)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

    @cached_property
    def classifier(self) -> Classifier:
        """The loaded model."""
        loaded = Classifier.load(
            self.local,
            labels=None if self._own_labels is None else self.named,
            engine=self.engine,
            precision=self.precision,
            progress=self._progress,
        )
        for note in loaded.notes:
            self._progress.note(note)
        return loaded

    @cached_property
    def _own_labels(self) -> tuple[str, ...] | None:
        return None if self._label_file is None else read_labels(self._label_file)
