"""One clip of UCF101: its name, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from i3d.datasets.ucf101.tables import official_categories

if TYPE_CHECKING:
    from pathlib import Path

Subset: TypeAlias = Literal["train", "test"]
"""A part of a split."""
SUBSETS: tuple[Subset, ...] = ("train", "test")
SPLITS = (1, 2, 3)
"""The official splits (trainlist01.txt to trainlist03.txt, and the same with testlist)."""

_TEST_GROUPS_PER_SPLIT = 7
"""Split n tests on the n-th seven groups: 1 to 7, 8 to 14, 15 to 21. Counted in the lists."""

_OTHER_SPELLINGS = {"HandStandPushups": "HandstandPushups"}
"""Category -> how some hosts and lists spell it. The split lists and UCF101.rar have the first,
classInd.txt and the zip of THUMOS14 the second."""

_NAME = re.compile(
    r"v_([A-Z0-9]{1,64})_g([0-9]{2})_c([0-9]{2})(?:\.avi)?", re.IGNORECASE | re.ASCII
)
"""A clip's name. No category is longer than 18 letters; 64 are let in, in case there is more."""


class Clip(NamedTuple):
    """A clip of UCF101.

    `Clip.parse` makes one from a name; the clips that exist are in `Index.clips`. (A tuple, for
    all 13,320 are made whenever the index is read: a frozen dataclass takes three times as long.)
    """

    category: str
    """Its category, as in the clip's name (`CricketShot`)."""
    group: int
    """Clips of a group share a scene, a person or a camera: 1 to 25."""
    number: int
    """Its number in the group, from 1 on."""

    @classmethod
    def parse(cls, name: str) -> Clip | None:
        """Take a name apart, whether there is such a clip or not.

        Args:
            name: `v_CricketShot_g04_c02`, with or without `.avi`, in upper or lower case. Both
                spellings of HandStandPushups mean the same clip.

        Returns:
            The clip, its category spelt as in the official names where it is one of those; None
            where this is no clip's name.

        Raises:
            ModelLoadError: A packaged table is damaged.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        official = official_categories().get(match[1].lower())
        category = match[1] if official is None else official.name
        return cls(category, int(match[2]), int(match[3]))

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
        return self.file_name, Clip(other, self.group, self.number).file_name

    def subset(self, split: int) -> Subset | None:
        """The part of an official split that the clip is in.

        Args:
            split: 1, 2 or 3.

        Returns:
            `train` or `test`; None for a clip that is not in the official lists.

        Raises:
            ValueError: There is no such split.
            ModelLoadError: A packaged table is damaged.
        """
        if split not in SPLITS:
            raise ValueError(f"there is no split {split!r}")
        return self.subsets[split - 1]

    @property
    def subsets(self) -> tuple[Subset | None, Subset | None, Subset | None]:
        """The part of each of the three splits that the clip is in; see `subset`.

        Raises:
            ModelLoadError: A packaged table is damaged.
        """
        official = official_categories().get(self.category.lower())
        if (
            official is None
            or not 1 <= self.group <= len(official.group_sizes)
            or not 1 <= self.number <= official.group_sizes[self.group - 1]
        ):
            return None, None, None
        tested_by = (self.group - 1) // _TEST_GROUPS_PER_SPLIT
        return (
            "test" if tested_by == 0 else "train",
            "test" if tested_by == 1 else "train",
            "test" if tested_by == 2 else "train",
        )


@dataclass(frozen=True)
class LocalClip:
    """A clip's file on this machine."""

    path: Path
    """The file."""
    num_frames_from_header: int | None
    """Number of frames that the file claims to have; None where it claims nothing sane."""
