"""Label lists: the names that go with a model's outputs, in the order of the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import UsageError, unknown_name
from i3d.files.cache import package_data_dir

if TYPE_CHECKING:
    import os

    from i3d.models.find import LocalModel


LABEL_LISTS = {"kinetics-400": 400, "kinetics-600": 600, "camera-motion": 9}
"""Packaged label list -> number of labels. `i3d/data/NAME-labels.txt` is UTF-8, one label a line;
line n is output n. Those of Kinetics are data/label_map.txt and data/label_map_600.txt of
google-deepmind/kinetics-i3d; the last is this project's, see docs/camera-motion.md."""


def load_labels(name: str = "kinetics-400") -> tuple[str, ...]:
    """Load a packaged label list.

    Args:
        name: `kinetics-400` (400 labels), `kinetics-600` (600) or `camera-motion` (9).

    Returns:
        The labels; position n names output n of the model.

    Raises:
        UnknownNameError: There is no such list.
    """
    if name not in LABEL_LISTS:
        raise unknown_name("label list", name, LABEL_LISTS)
    path = package_data_dir() / f"{name}-labels.txt"
    return tuple(path.read_text(encoding="utf-8").splitlines())


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read a label list of one's own: UTF-8 text, one label a line, line n names output n.

    Blank lines at the end are dropped; a blank line elsewhere would shift every label after it,
    so it is an error.

    Args:
        path: The text file.

    Returns:
        The labels.

    Raises:
        UsageError: The file is missing, unreadable, empty, not UTF-8, or has a blank line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The label file {path} is not UTF-8 text (byte {error.start}).",
            hint="Give a text file with one label a line.",
        ) from error
    except OSError as error:
        raise UsageError(
            f"The label file {path} cannot be read: {error.strerror or error}.",
            hint="Give a text file with one label a line.",
        ) from error
    labels = [line.strip() for line in text.rstrip().split("\n")]
    if labels == [""]:
        raise UsageError(f"The label file {path} is empty.", hint="Put one label on each line.")
    if "" in labels:
        raise UsageError(
            f"Line {labels.index('') + 1} of the label file {path} is blank, which would shift "
            "every label after it.",
            hint="Put one label on each line, in the order of the model's outputs.",
        )
    return tuple(labels)


def find_labels(labels: tuple[str, ...], pattern: str | None) -> list[tuple[int, str]]:
    """Find the labels that match a pattern, whatever their case.

    Args:
        labels: A label list.
        pattern: A part of a label ("swim"), a shell pattern for a whole one ("playing *"), or
            None for all.

    Returns:
        (position, label) of each match, in the order of the list.
    """
    if pattern is None:
        return list(enumerate(labels))
    wanted = pattern.casefold()
    if not any(character in wanted for character in "*?["):
        wanted = f"*{wanted}*"
    return [(i, label) for i, label in enumerate(labels) if fnmatchcase(label.casefold(), wanted)]


@dataclass(frozen=True)
class NamedLabels:
    """Names of a model's outputs, and where they come from."""

    labels: tuple[str, ...]
    label_list: str
    """A packaged list, a file, or `index` for bare numbers."""
    notes: tuple[str, ...] = ()
    """Sentences about them that a user should read."""


def name_labels(
    local: LocalModel, own_labels: tuple[str, ...] | None, label_file: object, num_labels: int
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
