"""What an evaluation was made with, and the key that results of the same making share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from i3d.analysis.descriptions import describe_recipe
from i3d.engines.base import describe_engine
from i3d.errors import UsageError
from i3d.video.recipes import get_recipe

if TYPE_CHECKING:
    from collections.abc import Collection

    from i3d.analysis.classifier import Classifier
    from i3d.engines.base import EngineInfo
    from i3d.models.records import ModelInfo
    from i3d.video.info import RecipeInfo

RELATIONS = ("exact", "near", "broader")
"""How a Kinetics label may fit a category, see `i3d.analysis.results.TrueLabel`."""

DEFAULT_RELATIONS = ("exact",)
"""The relation under which a wrong answer is certainly wrong."""

JOURNAL_SCHEMA = "i3d.ucf-journal/1"
"""Goes up when a line changes its meaning, and when i3d decodes or cuts videos in another way, so
that what older versions found is no longer what this one would find."""


@dataclass(frozen=True)
class Settings:
    """What an evaluation was made with."""

    model: ModelInfo
    recipe: RecipeInfo
    engine: EngineInfo
    relations: tuple[str, ...]
    """Which labels count, in the order of `RELATIONS`."""
    labels_sha256: str
    """SHA-256, in hexadecimal, of the model's labels in their order, each with a line end."""

    @property
    def making(self) -> dict[str, Any]:
        """All that a clip's result depends on beside the clip, as plain data.

        The relations are not in it: results say where every label came, whether it counts or not.
        Reasons and the model's name are not either: they change no result.
        """
        recipe = self.recipe
        return {
            "schema": JOURNAL_SCHEMA,
            "model": self.model.fingerprint,
            "labels": self.labels_sha256,
            "recipe": {
                "name": recipe.name,
                "fps": recipe.fps,
                "crop": recipe.crop,
                "size": recipe.size,
                "input_range": [float(end) for end in recipe.input_range],
            },
            "engine": {
                "name": self.engine.name,
                "version": self.engine.version,
                "precision": self.engine.precision,
            },
        }

    @property
    def key(self) -> str:
        """SHA-256, in hexadecimal, of `making`: equal for results that can be mixed."""
        text = json.dumps(self.making, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def describe_settings(
    classifier: Classifier, recipe_name: str, relations: Collection[str]
) -> Settings:
    """Say what an evaluation will be made with, before anything has run.

    Args:
        classifier: A loaded model.
        recipe_name: Name of the preprocessing.
        relations: Which labels count.

    Raises:
        UnknownNameError: There is no such recipe.
        UsageError: There are no relations, or one that does not exist.
    """
    unknown = [relation for relation in relations if relation not in RELATIONS]
    if unknown or not relations:
        found = ", ".join(map(repr, unknown)) or "none"
        raise UsageError(
            f"The labels that count must be chosen by {', '.join(RELATIONS[:-1])} or "
            f"{RELATIONS[-1]}, not {found}.",
            hint="Start with exact ones: --relation exact.",
        )
    engine = classifier.engine
    return Settings(
        model=classifier.model,
        recipe=describe_recipe(get_recipe(recipe_name), engine.contract),
        engine=describe_engine(engine),
        relations=tuple(relation for relation in RELATIONS if relation in relations),
        labels_sha256=classifier.labels_sha256,
    )
