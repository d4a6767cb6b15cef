"""An engine for tests: gives what it is told to, and remembers what it was fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from i3d.analysis.classifier import Classifier
from i3d.engines.base import Clip, ModelContract, Pixels, StepLogits
from i3d.models.labels import NamedLabels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.models.records import ModelInfo


def contract(**changes: object) -> ModelContract:
    """A contract of a model with three labels; keyword arguments replace its fields."""
    fields: dict[str, object] = {
        "signature": "default",
        "input_name": "rgb_input",
        "output_name": "default",
        "num_labels": 3,
        "size": 224,
        "input_range": (-1.0, 1.0),
        "input_range_reason": "the test says so",
        "has_steps": True,
        "receptive_field": 107,
        "stride": 8,
        "padding": 44,
    }
    return ModelContract(**(fields | changes))


def fake_classifier(engine: FakeEngine, labels: Sequence[str], info: ModelInfo) -> Classifier:
    """A classifier that runs an engine for tests, and looks for no model."""
    classifier = Classifier("fake")
    classifier.engine = engine
    classifier.named = NamedLabels(tuple(labels), info.label_list)
    classifier.model = info
    return classifier


class FakeEngine:
    """Answers every clip with the same step logits."""

    name = "fake"
    version = "1.2.3"
    precision = "float32"
    fallback_reason = None
    bytes_per_frame = 1_000_000

    def __init__(self, step_logits: object, **contract_changes: object) -> None:
        self._answer = np.asarray(step_logits, dtype=np.float32)
        self.contract = contract(num_labels=self._answer.shape[-1], **contract_changes)
        self.clips: list[Clip] = []
        self.ranges: list[tuple[float, float]] = []
        self.pixels: list[Pixels] = []

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        self.clips.append(clip)
        self.ranges.append(input_range)
        return self._answer

    def run(self, pixels: Pixels) -> StepLogits:
        self.pixels.append(pixels)
        return self._answer
