"""The packaged tables of UCF101, checked and parsed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from i3d.errors import ModelLoadError
from i3d.files.cache import package_data_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

Relation: TypeAlias = Literal["exact", "near", "broader"]
"""How a Kinetics label fits a category: the same action; something alike; the category is a part
of the label."""

CLIPS_FILE = "ucf101-clips.txt"
"""A line for each category: its official number, its name, and 25 digits, which are the numbers
of clips in groups 1 to 25."""
CLIPS_SHA256 = "d2449416f011b5553317ed37906a02a16d7dbd221e798beac9aa410416fee82b"
"""SHA-256 of `CLIPS_FILE` with LF line ends."""
LABELS_FILE = "ucf101-kinetics.csv"
"""category,label,relation: a line for each pair that fits."""
LABELS_SHA256 = "5953da1e4a73c46ed6fd01b4a83a0712e0b273d790ff3d284628f37ee195b450"
"""SHA-256 of `LABELS_FILE` with LF line ends."""


@dataclass(frozen=True)
class KineticsLabel:
    """A label of Kinetics-400 that fits a category."""

    label: str
    """The label, as in i3d's list `kinetics-400`."""
    relation: Relation
    """How well it fits."""


@dataclass(frozen=True)
class OfficialCategory:
    """A category of the official lists."""

    name: str
    """As in the names of its clips."""
    number: int
    """Number in classInd.txt, 1 to 101."""
    group_sizes: tuple[int, ...]
    """Number of clips in groups 1 to 25."""


@cache
def official_categories() -> Mapping[str, OfficialCategory]:
    """The official lists: name of a category in small letters -> the category, in their order.

    Raises:
        ModelLoadError: The packaged table is missing or was changed (a damaged installation).
    """
    categories = {}
    for line in _lines(CLIPS_FILE, CLIPS_SHA256):
        number, name, sizes = line.split()
        categories[name.lower()] = OfficialCategory(name, int(number), tuple(map(int, sizes)))
    return categories


@cache
def kinetics_labels() -> Mapping[str, tuple[KineticsLabel, ...]]:
    """The labels that fit: name of a category -> its labels, exact ones first.

    Categories that no label fits are not in it.

    Raises:
        ModelLoadError: The packaged table is missing or was changed (a damaged installation).
    """
    labels: dict[str, tuple[KineticsLabel, ...]] = {}
    for line in _lines(LABELS_FILE, LABELS_SHA256)[1:]:
        category, label, relation = line.split(",")  # no label has a comma in it
        fitting = KineticsLabel(label, cast("Relation", relation))
        labels[category] = (*labels.get(category, ()), fitting)
    return labels


def _lines(file: str, sha256: str) -> list[str]:
    """The lines of a packaged table without its comments."""
    text = ""
    problem = "is damaged: its content changed"
    try:
        text = (package_data_dir() / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        pass
    if hashlib.sha256(text.encode()).hexdigest() != sha256:
        raise ModelLoadError(
            f"The table {file} of this installation {problem}.",
            hint="Install i3d again: pip install --force-reinstall --no-deps i3d",
        )
    return [line for line in text.splitlines() if not line.startswith("#")]
