"""The list of UCF101: its clips, categories and splits, and the Kinetics labels that fit.

All of it follows from two packaged tables. The data set has not changed since 2012.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from i3d.files.cache import package_data_dir

if TYPE_CHECKING:
    from collections.abc import Iterable

Relation: TypeAlias = Literal["exact", "near", "broader"]
"""How a Kinetics label fits a category: the same action; something alike; the category is a part
of the label."""
Subset: TypeAlias = Literal["train", "test"]
"""A part of a split."""
SPLITS = (1, 2, 3)
"""The official splits (trainlist01.txt to trainlist03.txt, and the same with testlist)."""

CLIPS_FILE = "ucf101-clips.txt"
"""A line for each category: its official number, its name, and 25 digits, which are the numbers
of clips in groups 1 to 25."""
LABELS_FILE = "ucf101-kinetics.csv"
"""category,label,relation: a line for each pair that fits."""

_TEST_GROUPS_PER_SPLIT = 7
"""Split n tests on the n-th seven groups: 1 to 7, 8 to 14, 15 to 21. Counted in the lists."""

_OTHER_SPELLINGS = {"HandStandPushups": "HandstandPushups"}
"""Category -> how some hosts and lists spell it. The split lists and UCF101.rar have the first,
classInd.txt and the zip of THUMOS14 the second."""

_NAME = re.compile(
    r"v_([A-Z0-9]{1,64})_g([0-9]{2})_c([0-9]{2})(?:\.avi)?", re.IGNORECASE | re.ASCII
)
_SEPARATORS = str.maketrans("", "", " _-")
"""What people put between the words of a category: "cricket shot", "cricket_shot"."""


class Clip(NamedTuple):
    """A clip of UCF101.

    The clips that exist are in `Index.clips`. (A tuple, for all 13,320 are made whenever the index
    is read: a frozen dataclass takes three times as long.)
    """

    category: str
    """Its category, as in the clip's name (`CricketShot`)."""
    group: int
    """Clips of a group share a scene, a person or a camera: 1 to 25."""
    number: int
    """Its number in the group, from 1 on."""

    @property
    def name(self) -> str:
        """Its name without a suffix: `v_CricketShot_g04_c02`."""
        return f"v_{self.category}_g{self.group:02}_c{self.number:02}"

    @property
    def file_name(self) -> str:
        """Name of its file: `v_CricketShot_g04_c02.avi`."""
        return f"{self.name}.avi"

    @property
    def remote_names(self) -> tuple[str, ...]:
        """File names that a host may have it under, the most likely one first."""
        other = _OTHER_SPELLINGS.get(self.category)
        if other is None:
            return (self.file_name,)
        return self.file_name, self._replace(category=other).file_name

    @property
    def subsets(self) -> tuple[Subset, ...]:
        """The part of each of the three splits that the clip is in."""
        tested_by = (self.group - 1) // _TEST_GROUPS_PER_SPLIT + 1
        return tuple("test" if split == tested_by else "train" for split in SPLITS)


@dataclass(frozen=True)
class KineticsLabel:
    """A label of Kinetics-400 that fits a category."""

    label: str
    """The label, as in i3d's list `kinetics-400`."""
    relation: Relation
    """How well it fits."""


@dataclass(frozen=True)
class Category:
    """A category of UCF101 and its clips."""

    name: str
    """As in the names of its clips (`CricketShot`)."""
    number: int
    """Number in the official classInd.txt, 1 to 101."""
    clips: tuple[Clip, ...]
    """Its clips, by group and number."""
    labels: tuple[KineticsLabel, ...]
    """The labels of Kinetics-400 that fit it, exact ones first; empty where none does."""


class Index:
    """The list of all clips.

    Args:
        categories: The categories in their order.

    Attributes:
        categories: The same.
        clips: All clips, category by category.
    """

    def __init__(self, categories: Iterable[Category]) -> None:
        self.categories = tuple(categories)
        self.clips = tuple(clip for category in self.categories for clip in category.clips)
        self._by_name = {category.name.lower(): category for category in self.categories}

    def find(self, name: str) -> Clip | None:
        """Find a clip.

        Args:
            name: Its name, with or without `.avi`, in upper or lower case, in either spelling of
                HandStandPushups.

        Returns:
            The clip; None where there is none of that name.
        """
        match = _NAME.fullmatch(name)
        category = None if match is None else self._by_name.get(match[1].lower())
        if match is None or category is None:
            return None
        clip = Clip(category.name, int(match[2]), int(match[3]))
        return clip if clip in category.clips else None

    def find_category(self, name: str) -> Category | None:
        """Find a category.

        Args:
            name: Its name, in upper or lower case; its words may be apart ("cricket shot").

        Returns:
            The category; None where there is none of that name.
        """
        return self._by_name.get(name.translate(_SEPARATORS).strip().lower())

    def category_of(self, clip: Clip) -> Category:
        """Give the category of a clip."""
        return self._by_name[clip.category.lower()]


@cache
def load_index() -> Index:
    """Read the list: 13,320 clips in 101 categories, in the order of classInd.txt; read once."""
    labels: dict[str, tuple[KineticsLabel, ...]] = {}
    for line in _lines(LABELS_FILE)[1:]:
        category, label, relation = line.split(",")  # no label has a comma in it
        fitting = KineticsLabel(label, cast("Relation", relation))
        labels[category] = (*labels.get(category, ()), fitting)
    categories = []
    for line in _lines(CLIPS_FILE):
        number, name, sizes = line.split()
        clips = tuple(
            Clip(name, group, place)
            for group, size in enumerate(sizes, 1)
            for place in range(1, int(size) + 1)
        )
        categories.append(Category(name, int(number), clips, labels.get(name, ())))
    return Index(categories)


def clip_of(path: str | os.PathLike[str]) -> Clip | None:
    """Tell which clip of UCF101 a file is, by its name.

    Args:
        path: A path; it need not exist, and any suffix will do (`v_CricketShot_g04_c02.mp4`).

    Returns:
        The clip; None where none has this name.
    """
    stem = PurePath(os.fspath(path)).stem
    return load_index().find(stem) if _NAME.fullmatch(stem) else None


def _lines(file: str) -> list[str]:
    """The lines of a packaged table without its comments."""
    text = (package_data_dir() / file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
