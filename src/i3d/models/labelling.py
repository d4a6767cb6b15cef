"""Which names the outputs of a model have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.models.labels import load_labels

if TYPE_CHECKING:
    from i3d.models.find import LocalModel


@dataclass(frozen=True)
class NamedLabels:
    """Names of a model's outputs, and where they come from."""

    labels: tuple[str, ...]
    label_list: str
    """A packaged list, a file, or `index` for bare numbers."""
    notes: tuple[str, ...] = ()
    """Sentences about them that a user should read."""


def name_labels(
    local: LocalModel,
    own_labels: tuple[str, ...] | None,
    label_file: object,
    num_labels: int,
) -> NamedLabels:
    """Name the outputs of a model.

    Args:
        local: The model.
        own_labels: Names that the user gave, in place of those of the catalogue.
        label_file: What to say of where they were read from.
        num_labels: Length of the model's output.
    """
    if own_labels is not None:
        return NamedLabels(own_labels, str(label_file))
    if local.spec is not None:
        return NamedLabels(load_labels(local.spec.label_list), local.spec.label_list)
    if num_labels in (400, 600):
        note = (
            f"{local.name} has {num_labels} outputs: taken to be Kinetics-{num_labels}'s. "
            "If they are not, name them with --label-file FILE."
        )
        label_list = f"kinetics-{num_labels}"
        return NamedLabels(load_labels(label_list), label_list, (note,))
    note = f"{local.name} has {num_labels} outputs without names: --label-file FILE."
    return NamedLabels(tuple(str(i) for i in range(num_labels)), "index", (note,))
