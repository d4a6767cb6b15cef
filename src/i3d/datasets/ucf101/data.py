"""The list of all clips, by category."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.names import Clip
from i3d.datasets.ucf101.tables import KineticsLabel, kinetics_labels, official_categories
from i3d.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEPARATORS = str.maketrans("", "", " _-")
"""What people put between the words of a category: "cricket shot", "cricket_shot"."""


@dataclass(frozen=True)
class Category:
    """A category of UCF101 and its clips."""

    name: str
    """As in the names of its clips (`CricketShot`)."""
    number: int | None
    """Number in the official classInd.txt, 1 to 101; None for a category that only a host has."""
    clips: tuple[Clip, ...]
    """Its clips, by group and number."""
    labels: tuple[KineticsLabel, ...]
    """The labels of Kinetics-400 that fit it, exact ones first; empty where none does."""


class Index:
    """A list of clips.

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
        self._members: dict[str, frozenset[Clip]] = {}

    def find(self, name: str) -> Clip | None:
        """Find a clip.

        Args:
            name: Its name, with or without `.avi`, in upper or lower case, in either spelling of
                HandStandPushups.

        Returns:
            The clip; None where the index has none of that name.
        """
        clip = Clip.parse(name)
        category = None if clip is None else self._by_name.get(clip.category.lower())
        if clip is None or category is None:
            return None
        clip = Clip(category.name, clip.group, clip.number)
        if category.name not in self._members:
            self._members[category.name] = frozenset(category.clips)
        return clip if clip in self._members[category.name] else None

    def find_category(self, name: str) -> Category | None:
        """Find a category.

        Args:
            name: Its name, in upper or lower case; its words may be apart ("cricket shot").

        Returns:
            The category; None where the index has none of that name.
        """
        return self._by_name.get(name.translate(_SEPARATORS).strip().lower())

    def category(self, name: str) -> Category:
        """Give a category; see `find_category`.

        Raises:
            UnknownNameError: The index has none of that name.
        """
        found = self.find_category(name)
        if found is None:
            raise UnknownNameError(
                f"UCF101 has no category named {name!r}.", hint="List them with: i3d ucf list"
            )
        return found

    def with_clips(self, extra: Iterable[Clip]) -> Index:
        """Make an index that has some more clips.

        Args:
            extra: Clips that a host has; those that are here already change nothing.

        Returns:
            The new index. Clips go to their category. A category that is new has neither a number
            nor labels, and comes after those with a number, by its name.
        """
        wanted: dict[str, set[Clip]] = {}
        names: dict[str, str] = {}
        for clip in sorted(extra):
            key = clip.category.lower()
            known = self._by_name.get(key)
            name = names.setdefault(key, clip.category if known is None else known.name)
            wanted.setdefault(key, set()).add(Clip(name, clip.group, clip.number))
        categories = [
            category if key not in wanted else _extended(category, wanted.pop(key))
            for key, category in self._by_name.items()
        ]
        new = [_extended(Category(names[key], None, (), ()), wanted[key]) for key in wanted]
        unofficial = [category for category in categories if category.number is None]
        return Index(
            [category for category in categories if category.number is not None]
            + sorted(unofficial + new, key=lambda category: category.name.lower())
        )


def _extended(category: Category, extra: Iterable[Clip]) -> Category:
    clips = tuple(sorted({*category.clips, *extra}))
    return Category(category.name, category.number, clips, category.labels)


@cache
def load_index() -> Index:
    """The index that ships with i3d: the 13,320 clips of the official lists, in 101 categories.

    Returns:
        The index, its categories in the order of the official classInd.txt; made once.

    Raises:
        ModelLoadError: A packaged table is missing or was changed (a damaged installation).
    """
    labels = kinetics_labels()
    return Index(
        Category(
            name=official.name,
            number=official.number,
            clips=tuple(
                Clip(official.name, group, number)
                for group, size in enumerate(official.group_sizes, 1)
                for number in range(1, size + 1)
            ),
            labels=labels.get(official.name, ()),
        )
        for official in official_categories().values()
    )


def clip_of(path: str | os.PathLike[str]) -> Clip | None:
    """Tell which clip of UCF101 a file is, by its name.

    Args:
        path: A path; it need not exist, and any suffix will do (`v_CricketShot_g04_c02.mp4`).

    Returns:
        The clip of the embedded index that has this name; None where none has it.

    Raises:
        ModelLoadError: The name is like a clip's, and a packaged table is damaged.
    """
    stem = PurePath(os.fspath(path)).stem
    return None if Clip.parse(stem) is None else load_index().find(stem)
