"""Is this model the one that was published? Its files, its tensors, and what its graph answers."""

from __future__ import annotations

from i3d.verification.known_answers import KnownAnswer, KnownAnswers
from i3d.verification.sample import SampleComparison, SampleRow
from i3d.verification.verify import Verification, verify_model

__all__ = [
    "KnownAnswer",
    "KnownAnswers",
    "SampleComparison",
    "SampleRow",
    "Verification",
    "verify_model",
]
