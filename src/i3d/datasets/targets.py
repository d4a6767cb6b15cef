"""The settings of an evaluation, and which labels count for which clips."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.analysis.descriptions import describe_recipe
from i3d.datasets.measures import LeftOut
from i3d.datasets.ucf101.choose import sample_clips
from i3d.datasets.ucf101.data import load_index
from i3d.engines.base import describe_engine
from i3d.errors import UsageError
from i3d.models.catalog import DEFAULT_MODEL
from i3d.video.recipes import get_recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from i3d.analysis.classifier import Classifier
    from i3d.datasets.ucf101.data import Clip, KineticsLabel
    from i3d.engines.base import EngineInfo
    from i3d.models.records import ModelInfo
    from i3d.video.info import RecipeInfo

RELATIONS = ("exact", "near", "broader")
"""How a Kinetics label may fit a category, see `i3d.analysis.results.TrueLabel`."""

DEFAULT_RELATIONS = ("exact",)
"""The relation under which a wrong answer is certainly wrong."""

JOURNAL_SCHEMA = "i3d.ucf-journal/1"
"""Raise it when a line changes its meaning, or when i3d decodes or crops videos differently, so
that results of older versions no longer count."""


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
    def key(self) -> str:
        """SHA-256, in hexadecimal, of all that a clip's result depends on beside the clip.

        The relations are not in it: results say where every label came, whether it counts or not.
        Reasons and the model's name are not either: they change no result.
        """
        recipe = self.recipe
        making = {
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
        return hashlib.sha256(json.dumps(making, sort_keys=True).encode()).hexdigest()


def describe_settings(
    classifier: Classifier, recipe_name: str, relations: Collection[str]
) -> Settings:
    """Describe the settings of an evaluation before it runs.

    Args:
        classifier: A loaded model.
        recipe_name: Name of the preprocessing.
        relations: Which labels count.

    Raises:
        UnknownNameError: There is no such recipe.
    """
    engine = classifier.engine
    return Settings(
        model=classifier.model,
        recipe=describe_recipe(get_recipe(recipe_name), engine.contract),
        engine=describe_engine(engine),
        relations=tuple(relation for relation in RELATIONS if relation in relations),
        labels_sha256=classifier.labels_sha256,
    )


@dataclass(frozen=True)
class Sample:
    """A random sample of the clips, see `i3d.datasets.ucf101.choose.sample_clips`."""

    count: int
    """Number of clips, at least 1; all clips if there are fewer."""
    seed: int = 0
    """A different seed gives a different sample."""


@dataclass(frozen=True)
class Targets:
    """What is to be evaluated."""

    clips: tuple[Clip, ...]
    """The clips whose category has a label that counts, in the given order; those of a sample in
    its random order."""
    labels: Mapping[str, tuple[KineticsLabel, ...]]
    """Category -> the labels of the model that fit it, whether they count or not."""
    left_out: tuple[LeftOut, ...]
    """Categories without a label that counts, by name; the same with and without a sample."""


def find_targets(
    clips: Sequence[Clip],
    model_labels: Collection[str],
    relations: Collection[str],
    model: str,
    sample: Sample | None = None,
) -> Targets:
    """Find the labels that count, and the clips that they count for.

    Args:
        clips: The clips that were chosen.
        model_labels: The labels of the model.
        relations: Which labels count.
        model: Name of the model, for messages.
        sample: Take a random sample of the clips that a label counts for; None takes all.

    Raises:
        UsageError: There are no clips, or no label counts for any of them.
    """
    if not clips:
        raise UsageError(
            "There is no clip to evaluate.", hint="List the clips there are with: i3d ucf list"
        )
    known = set(model_labels)
    mapping = {clip.category: load_index().category_of(clip).labels for clip in clips}
    spoken = {
        category: tuple(label for label in labels if label.label in known)
        for category, labels in mapping.items()
    }
    counted = {
        category
        for category, labels in spoken.items()
        if any(label.relation in relations for label in labels)
    }
    if not counted:
        raise _nothing_counts(mapping, spoken, relations, model)
    left_out = Counter(clip.category for clip in clips if clip.category not in counted)
    wanted = tuple(clip for clip in clips if clip.category in counted)
    return Targets(
        clips=wanted if sample is None else sample_clips(wanted, sample.count, sample.seed),
        labels=spoken,
        left_out=tuple(
            LeftOut(category, left_out[category])
            for category in sorted(left_out, key=lambda name: (name.casefold(), name))
        ),
    )


def _nothing_counts(
    mapping: Mapping[str, Sequence[KineticsLabel]],
    spoken: Mapping[str, Sequence[KineticsLabel]],
    relations: Collection[str],
    model: str,
) -> UsageError:
    """Explain why nothing can be evaluated, and suggest what to do."""
    names = _few(sorted(mapping, key=str.casefold))
    others = {label.relation for labels in spoken.values() for label in labels}
    if others:
        wanted = " or ".join(relation for relation in RELATIONS if relation in relations)
        ways = " or ".join(f"--relation {name}" for name in RELATIONS if name in others)
        return UsageError(
            f"No label of {model} has the relation {wanted} to what was chosen ({names}).",
            hint=f"Count other labels as well: {ways}",
        )
    labels = sorted({label.label for labels in mapping.values() for label in labels})
    if labels:
        return UsageError(
            f"{model} can't be evaluated on what was chosen: it has none of the labels that stand "
            f"for it ({_few(labels)}).",
            hint=f"Choose a model of Kinetics, such as --model {DEFAULT_MODEL}.",
        )
    return UsageError(
        f"No label of Kinetics stands for what was chosen ({names}).",
        hint="Choose other categories; list them with: i3d ucf list",
    )


def _few(names: Sequence[str], count: int = 3) -> str:
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest
