"""A video's step logits with what made them: from them every question is answered.

They are kept as one file a video: to ask another question, no model need run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from i3d.engines.base import StepLogits
    from i3d.results import ClipInfo, EngineInfo, ModelInfo, RecipeInfo, VideoInfo

EdgeTimes: TypeAlias = npt.NDArray[np.float64]
"""(S + 1,) seconds since the video's first frame, growing."""


@dataclass(frozen=True)
class VideoScores:
    """What a model says of a video, step by step."""

    step_logits: StepLogits
    """(S, labels) float32, finite, S >= 1."""
    edges_seconds: EdgeTimes
    """(S + 1,) float64: step i stands for the time from edge i to edge i + 1."""
    labels: tuple[str, ...]
    """Names of the model's outputs."""
    video: VideoInfo
    clip: ClipInfo
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting them."""
