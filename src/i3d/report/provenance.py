"""What made a result, as plain data for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d.report.text import encodable

if TYPE_CHECKING:
    from i3d.analysis.results import Prediction, Timeline


def provenance_as_dict(result: Prediction | Timeline) -> dict[str, Any]:
    """The video, the clip, the recipe, the model and the engine of a result."""
    video, clip, recipe, model = result.video, result.clip, result.recipe, result.model
    return {
        "video": asdict(video) | {"path": encodable(video.path)},
        "clip": asdict(clip),
        "recipe": asdict(recipe)
        | {
            "input_range": list(recipe.input_range),
            "input_range_reason": encodable(recipe.input_range_reason),
        },
        "model": asdict(model)
        | {"name": encodable(model.name), "label_list": encodable(model.label_list)},
        "engine": asdict(result.engine),
    }
