"""Which clips are meant: by name, category, pattern, split, or at random."""

from __future__ import annotations

import hashlib
import re
from fnmatch import translate
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.data import load_index
from i3d.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.datasets.ucf101.data import Category, Clip

_LISTING = "List them with: i3d ucf list"

_MAX_TERM_LENGTH = 200
"""Longer names are refused: a clip's has some 30 letters, and long patterns are slow."""

_ALMOST_A_CLIP = r"(?ai)(?:^|v_|[/\\:])([A-Z0-9]{1,64})_g([0-9]{1,4})_c([0-9]{1,4})(?![0-9])"
"""Finds a clip's name in a path, with another suffix, without its zeros or without its `v_`."""


def select_clips(
    terms: Sequence[str],
    *,
    split: int | None = None,
    subset: str | None = None,
) -> tuple[Clip, ...]:
    """Select clips.

    Args:
        terms: What is wanted: the name of a clip (with or without `.avi`), a category, or a shell
            pattern (`*`, `?`, `[...]`) for names of categories, clips or files. Upper and lower
            case are the same, and so are both spellings of HandStandPushups. None: all clips.
        split: Only clips of this official split, 1 to 3.
        subset: Only this part of the split, `train` or `test`; None for both.

    Returns:
        The clips in the order of the terms, and for each term in that of the index; none twice.

    Raises:
        UnknownNameError: A term means nothing, or the subset leaves nothing.
        UsageError: A subset is asked for without a split.
    """
    if subset is not None and split is None:
        raise UsageError(
            f"The {subset} subset of which split? None was chosen.",
            hint=f"Choose one of the three, such as --split 1 --subset {subset}.",
        )
    chosen = load_index().clips
    if terms:
        chosen = tuple(dict.fromkeys(clip for term in terms for clip in _clips_for(term)))
    if split is None or subset is None:
        return chosen
    left = tuple(clip for clip in chosen if clip.subsets[split - 1] == subset)
    if not left:
        who = f"None of the {len(chosen)} clips that were named is"
        other = "train" if subset == "test" else "test"
        raise UnknownNameError(
            f"{who if len(chosen) > 1 else f'{chosen[0].name} is not'} in the {subset} subset of "
            f"split {split}.",
            hint=f"Leave out the subset, or choose the other one: {other}.",
        )
    return left


def sample_clips(clips: Iterable[Clip], count: int, seed: int) -> tuple[Clip, ...]:
    """Take some clips at random: the same on each machine and in each version of Python.

    Clips are ranked by the SHA-256 of the seed and their name, so that a sample of 50 is the first
    half of one of 100.

    Args:
        clips: What to choose from, in any order.
        count: How many, at least 1.
        seed: Another one gives another sample.

    Returns:
        The sample in its random order; all clips where there are fewer than `count`.
    """
    return tuple(sorted(clips, key=lambda clip: _rank(seed, clip))[:count])


def _rank(seed: int, clip: Clip) -> bytes:
    return hashlib.sha256(f"{seed}:{clip.name}".encode()).digest()


def _clips_for(term: str) -> Sequence[Clip]:
    """The clips that a term means, at least one."""
    index = load_index()
    _refuse_nonsense(term)
    clip = index.find(term)
    if clip is not None:
        return (clip,)
    category = index.find_category(term)
    if category is not None:
        return category.clips
    is_pattern = any(character in term for character in "*?[")
    found = _matching_clips(term) if is_pattern else []
    if found:
        return found
    if is_pattern:
        wider = f"*{term.strip('*')}*"
        raise UnknownNameError(
            f"No clip and no category of UCF101 matches {_shown(term)}.",
            hint=f'A pattern stands for a whole name. Did you mean "{wider}"?'
            if _matching_clips(wider)
            else _LISTING,
        )
    almost = re.search(_ALMOST_A_CLIP, term)
    raise UnknownNameError(
        f"There is no {'clip or category' if almost is None else 'clip'} of UCF101 named "
        f"{_shown(term)}.",
        hint=(_hint_for_part(term) if almost is None else _hint_for_clip(almost)) or _LISTING,
    )


def _matching_clips(pattern: str) -> list[Clip]:
    """The clips whose name, file or category a shell pattern matches, whatever their case."""
    matches = re.compile(translate(pattern.lower())).match
    found: list[Clip] = []
    for category in load_index().categories:
        if matches(category.name.lower()):
            found += category.clips
        else:
            for clip in category.clips:
                name = clip.name.lower()
                if matches(name) or matches(f"{name}.avi"):
                    found.append(clip)
    return found


def _refuse_nonsense(term: str) -> None:
    """Raise UnknownNameError for what cannot be a name."""
    if not term.strip():
        raise UnknownNameError("An empty name means no clip.", hint=_LISTING)
    if len(term) > _MAX_TERM_LENGTH:
        raise UnknownNameError(
            f"{_shown(term)} has {len(term)} characters: no clip and no category has such a name.",
            hint=_LISTING,
        )
    if not term.isprintable():
        what = "It has characters that can't be printed."
    elif "/" in term or "\\" in term or ".." in term:
        what = "It looks like a path; clips are known by their names alone."
    else:
        return
    almost = re.search(_ALMOST_A_CLIP, term)
    raise UnknownNameError(
        f"There is no clip or category of UCF101 named {_shown(term)}. {what}",
        hint=(None if almost is None else _hint_for_clip(almost)) or _LISTING,
    )


def _hint_for_clip(almost: re.Match[str]) -> str | None:
    """A hint for what is built like a clip's name."""
    group, number = int(almost[2]), int(almost[3])
    category = load_index().find_category(almost[1])
    if category is None:
        alike = _categories_alike(almost[1])
        clips = [clip for other in alike if (clip := _clip(other, group, number)) is not None]
        return _did_you_mean([clip.name for clip in clips] or [other.name for other in alike])
    clip = _clip(category, group, number)
    if clip is not None:
        return _did_you_mean([clip.name])
    numbers = [clip.number for clip in category.clips if clip.group == group]
    if not numbers:
        return f"{category.name} has the groups g01 to g{category.clips[-1].group:02}."
    return f"Group {group} of {category.name} has the clips c01 to c{numbers[-1]:02}."


def _hint_for_part(term: str) -> str | None:
    """A hint for a word: what it is a part of, or what looks like it."""
    part = term.strip()
    names = [
        category.name
        for category in load_index().categories
        if part.lower() in category.name.lower()
    ]
    if names:
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f'For a part of a name, use a pattern: "*{part}*" ({some}).'
    if part.lower().startswith("v_") and _matching_clips(f"{part}*"):
        return f'For the start of a name, use a pattern: "{part}*".'
    return _did_you_mean([category.name for category in _categories_alike(term)])


def _categories_alike(name: str) -> list[Category]:
    from i3d.errors import similar_names

    known = {category.name: category for category in load_index().categories}
    return [known[match] for match in similar_names(name, known)]


def _clip(category: Category, group: int, number: int) -> Clip | None:
    places = {(clip.group, clip.number): clip for clip in category.clips}
    return places.get((group, number))


def _did_you_mean(names: list[str]) -> str | None:
    return f"Did you mean {' or '.join(names)}?" if names else None


def _shown(term: str) -> str:
    """A name as it was given, safe to print, and not longer than a line."""
    return repr(term if len(term) <= 60 else f"{term[:57]}...")
