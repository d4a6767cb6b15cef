"""How well a Kinetics model does on UCF101: top-1 and top-5 accuracy, resumable.

A category of UCF101 counts as named where one of the Kinetics labels that fit it is at rank 1, or
among the first 5; `i3d.ucf101` knows the labels. Nothing is trained, so the numbers say how well
a machine, a model and a recipe work, and are not those of papers that train on UCF101.
"""

from __future__ import annotations

from i3d.evaluation.evaluator import Evaluator
from i3d.evaluation.measures import (
    Accuracy,
    CategoryResult,
    ClipFailure,
    ClipResult,
    Confusion,
    Disagreement,
    Evaluation,
    Guess,
    LeftOut,
    compare,
)
from i3d.evaluation.settings import DEFAULT_RELATIONS, RELATIONS, Settings
from i3d.evaluation.targets import Sample, Targets, find_targets

__all__ = [
    "DEFAULT_RELATIONS",
    "RELATIONS",
    "Accuracy",
    "CategoryResult",
    "ClipFailure",
    "ClipResult",
    "Confusion",
    "Disagreement",
    "Evaluation",
    "Evaluator",
    "Guess",
    "LeftOut",
    "Sample",
    "Settings",
    "Targets",
    "compare",
    "find_targets",
]
