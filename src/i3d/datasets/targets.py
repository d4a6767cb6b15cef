"""Which labels count for which clips, and which clips no label counts for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.datasets.measures import LeftOut
from i3d.datasets.settings import RELATIONS
from i3d.datasets.ucf101.choose import sample_clips
from i3d.datasets.ucf101.data import load_index
from i3d.errors import UsageError
from i3d.models.catalog import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from i3d.datasets.ucf101.names import Clip
    from i3d.datasets.ucf101.tables import KineticsLabel


@dataclass(frozen=True)
class Sample:
    """Some clips by chance, see `i3d.datasets.ucf101.choose.sample_clips`."""

    count: int
    """How many, at least 1; all clips where there are fewer."""
    seed: int = 0
    """Another one gives another sample."""


@dataclass(frozen=True)
class Targets:
    """What is to be evaluated."""

    clips: tuple[Clip, ...]
    """The clips whose category has a label that counts, in the order in which they were given; of a
    sample, in its random order."""
    labels: Mapping[str, tuple[KineticsLabel, ...]]
    """Category -> the labels of the model that fit it, whether they count or not."""
    left_out: tuple[LeftOut, ...]
    """Categories without a label that counts, by name, whether there is a sample or not."""


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
        sample: Take only some of the clips that a label counts for; None for all of them.

    Raises:
        UsageError: There are no clips, or no label counts for any of them, or the sample is to
            have less than one.
    """
    if not clips:
        raise UsageError(
            "There is no clip to evaluate.", hint="List the clips there are with: i3d ucf list"
        )
    known = set(model_labels)
    mapping = {category.name: category.labels for category in load_index().categories}
    mapping = {clip.category: mapping.get(clip.category, ()) for clip in clips}
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
    """Say why nothing can be evaluated, and what would."""
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
