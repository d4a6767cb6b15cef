"""Shell patterns for clips."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i3d.datasets.ucf101.data import Index
    from i3d.datasets.ucf101.names import Clip


def matching_clips(index: Index, pattern: str) -> tuple[Clip, ...]:
    """The clips whose name, file or category a shell pattern matches, whatever their case."""
    matches = re.compile(translate(pattern.lower())).match
    found: list[Clip] = []
    for category in index.categories:
        if matches(category.name.lower()):
            found += category.clips
        else:
            for clip in category.clips:
                name = clip.name.lower()
                if matches(name) or matches(f"{name}.avi"):
                    found.append(clip)
    return tuple(found)


def is_pattern(term: str) -> bool:
    """Whether a term has a character that means more than itself."""
    return any(character in term for character in "*?[")
