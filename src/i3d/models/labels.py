"""Label lists: the names that go with a model's outputs, in the order of the outputs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import ModelLoadError, UsageError, unknown_name
from i3d.files.cache import package_data_dir

if TYPE_CHECKING:
    import os

    from i3d.models.find import LocalModel


@dataclass(frozen=True)
class LabelList:
    """A packaged label list, as data."""

    name: str
    file: str
    """File in `i3d/data`: UTF-8, one label a line, line n is output n."""
    num_labels: int
    sha256: str
    """SHA-256 of the file with LF line ends."""
    source: str
    """Where the list was taken from."""


LABEL_LISTS = {
    spec.name: spec
    for spec in (
        LabelList(
            name="kinetics-400",
            file="kinetics-400-labels.txt",
            num_labels=400,
            sha256="e9f2806fe9109b851a80a74841244f6f8c9d10917fa0229cd82bab67f2f8e28f",
            source="google-deepmind/kinetics-i3d, data/label_map.txt",
        ),
        LabelList(
            name="kinetics-600",
            file="kinetics-600-labels.txt",
            num_labels=600,
            sha256="8dfca4202520ea8291ce0242ef33b006d0a0772b409663c090a2876bc1978dcf",
            source="google-deepmind/kinetics-i3d, data/label_map_600.txt",
        ),
        LabelList(
            name="camera-motion",
            file="camera-motion-labels.txt",
            num_labels=9,
            sha256="c938cb621ee5020da0bbd28d3ea7e91d22088b88b01dd4d514957f3fadc5323d",
            source="this project, see docs/camera-motion.md",
        ),
    )
}


def load_labels(name: str = "kinetics-400") -> tuple[str, ...]:
    """Load a packaged label list.

    Args:
        name: `kinetics-400` (400 labels), `kinetics-600` (600) or `camera-motion` (9).

    Returns:
        The labels; position n names output n of the model.

    Raises:
        UnknownNameError: There is no such list.
        ModelLoadError: The packaged file is not the one that this release was made with (a damaged
            installation).
    """
    if name not in LABEL_LISTS:
        raise unknown_name("label list", name, LABEL_LISTS)
    spec = LABEL_LISTS[name]
    text = (package_data_dir() / spec.file).read_text(encoding="utf-8")
    if hashlib.sha256(text.encode()).hexdigest() != spec.sha256:
        raise ModelLoadError(
            f"The label list {name} of this installation is damaged: its content changed.",
            hint="Install i3d again: pip install --force-reinstall --no-deps i3d",
        )
    return tuple(text.splitlines())


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
