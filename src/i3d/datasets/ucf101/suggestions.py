"""What to say of a name that means no clip, and what may have been meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.patterns import is_pattern, matching_clips
from i3d.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.datasets.ucf101.data import Category, Index
    from i3d.datasets.ucf101.names import Clip

_LISTING = "List them with: i3d ucf list"

MAX_TERM_LENGTH = 200
"""Longer names are refused: a clip's has some 30 letters, and long patterns are slow."""

_ALMOST_A_CLIP = r"(?ai)(?:^|v_|[/\\:])([A-Z0-9]{1,64})_g([0-9]{1,4})_c([0-9]{1,4})(?![0-9])"
"""Finds a clip's name in a path, with another suffix, without its zeros or without its `v_`. It is
compiled where it is used: only when something went wrong."""


def nonsense(index: Index, term: str) -> UnknownNameError | None:
    """Make the error for a term that can be no name; None where it can.

    Args:
        index: The clips there are, for what may have been meant.
        term: What was given.
    """
    if not term.strip():
        return UnknownNameError("An empty name means no clip.", hint=_LISTING)
    if len(term) > MAX_TERM_LENGTH:
        return UnknownNameError(
            f"{_shown(term)} has {len(term)} characters: no clip and no category has such a name.",
            hint=_LISTING,
        )
    if not term.isprintable():
        what = "It has characters that can't be printed."
    elif "/" in term or "\\" in term or ".." in term:
        what = "It looks like a path; clips are known by their names alone."
    else:
        return None
    found = re.search(_ALMOST_A_CLIP, term)
    hint = None if found is None else _hint_for_clip(index, found)
    return UnknownNameError(
        f"There is no clip or category of UCF101 named {_shown(term)}. {what}",
        hint=hint or _LISTING,
    )


def unknown_term(index: Index, term: str) -> UnknownNameError:
    """Make the error for a term that means no clip.

    Args:
        index: The clips there are.
        term: What was given; `nonsense` let it through.
    """
    if is_pattern(term):
        wider = f"*{term.strip('*')}*"
        return UnknownNameError(
            f"No clip and no category of UCF101 matches {_shown(term)}.",
            hint=f'A pattern stands for a whole name. Did you mean "{wider}"?'
            if matching_clips(index, wider)
            else _LISTING,
        )
    found = re.search(_ALMOST_A_CLIP, term)
    hint = _hint_for_clip(index, found) if found is not None else _hint_for_part(index, term)
    return UnknownNameError(
        f"There is no {'clip' if found is not None else 'clip or category'} of UCF101 named "
        f"{_shown(term)}.",
        hint=hint or _LISTING,
    )


def nothing_left(clips: Sequence[Clip], split: int, subset: str | None) -> UnknownNameError:
    """Make the error for clips none of which is in the part of the split that was chosen.

    Args:
        clips: What was chosen by name, at least one.
        split: 1, 2 or 3.
        subset: `train`, `test`, or None for both.
    """
    part = f"split {split}" if subset is None else f"the {subset} subset of split {split}"
    if len(clips) > 1:
        who = f"None of the {len(clips)} clips that were named is"
    else:
        who = f"{clips[0].name} is not"
    parts = sorted({other for clip in clips if (other := clip.subset(split)) is not None})
    return UnknownNameError(
        f"{who} in {part}.",
        hint=f"Leave out the subset, or choose the other one: {parts[0]}."
        if parts
        else "Leave out the split: only the host's own list has this, the official ones do not.",
    )


def _hint_for_clip(index: Index, found: re.Match[str]) -> str | None:
    """A hint for what is built like a clip's name."""
    group, number = int(found[2]), int(found[3])
    category = index.find_category(found[1])
    if category is None:
        alike = _categories_alike(index, found[1])
        clips = [clip for other in alike if (clip := _clip(other, group, number)) is not None]
        return _did_you_mean([clip.name for clip in clips] or [other.name for other in alike])
    clip = _clip(category, group, number)
    if clip is not None:
        return _did_you_mean([clip.name])
    groups = sorted({clip.group for clip in category.clips})
    if group not in groups:
        return f"{category.name} has {_those('group', groups)}."
    numbers = [clip.number for clip in category.clips if clip.group == group]
    return f"Group {group} of {category.name} has {_those('clip', numbers)}."


def _hint_for_part(index: Index, term: str) -> str | None:
    """A hint for a word: what it is a part of, or what looks like it."""
    part = term.strip().lower()
    names = [category.name for category in index.categories if part in category.name.lower()]
    if names:
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f'For a part of a name, use a pattern: "*{term.strip()}*" ({some}).'
    start = f"{term.strip()}*"
    if part.startswith("v_") and matching_clips(index, start):
        return f'For the start of a name, use a pattern: "{start}".'
    return _did_you_mean([category.name for category in _categories_alike(index, term)])


def _categories_alike(index: Index, name: str) -> list[Category]:
    from i3d.errors import similar_names

    known = {category.name: category for category in index.categories}
    return [known[match] for match in similar_names(name, known)]


def _clip(category: Category, group: int, number: int) -> Clip | None:
    for clip in category.clips:
        if (clip.group, clip.number) == (group, number):
            return clip
    return None


def _did_you_mean(names: list[str]) -> str | None:
    return f"Did you mean {' or '.join(names)}?" if names else None


def _those(kind: str, numbers: Sequence[int]) -> str:
    """Numbers as people say them: the clips c01 to c07, or c01 and c03 where some are missing."""
    names = [f"{kind[0]}{number:02}" for number in numbers]
    if len(names) == 1:
        return f"the {kind} {names[0]} alone"
    if len(names) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"the {kind}s {names[0]} to {names[-1]}"
    return f"the {kind}s {', '.join(names[:-1])} and {names[-1]}"


def _shown(term: str) -> str:
    """A name as it was given, safe to print, and not longer than a line."""
    return repr(term if len(term) <= 60 else f"{term[:57]}...")
