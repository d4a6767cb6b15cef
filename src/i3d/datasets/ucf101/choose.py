"""Which clips are meant: by name, category, pattern, split, or at random."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.names import SPLITS, SUBSETS
from i3d.datasets.ucf101.patterns import is_pattern, matching_clips
from i3d.datasets.ucf101.suggestions import nonsense, nothing_left, unknown_term
from i3d.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.datasets.ucf101.data import Index
    from i3d.datasets.ucf101.names import Clip, Subset


def select_clips(
    index: Index,
    terms: Sequence[str],
    *,
    split: int | None = None,
    subset: Subset | str | None = None,
) -> tuple[Clip, ...]:
    """Select clips.

    Args:
        index: The clips there are.
        terms: What is wanted: the name of a clip (with or without `.avi`), a category, or a shell
            pattern (`*`, `?`, `[...]`) for names of categories, clips or files. Upper and lower
            case are the same, and so are both spellings of HandStandPushups. None: all clips.
        split: Only clips of this official split, 1 to 3. What only a host has is in none.
        subset: Only this part of the split, `train` or `test`; None for both.

    Returns:
        The clips in the order of the terms, and for each term in that of the index; none twice.

    Raises:
        UnknownNameError: A term means nothing, or the split leaves nothing.
        UsageError: There is no such split or subset, or a subset without a split.
    """
    _check_filter(split, subset)
    chosen: Iterable[Clip] = index.clips
    if terms:
        chosen = dict.fromkeys(clip for term in terms for clip in _clips_for(index, term))
    chosen = tuple(chosen)
    if split is None:
        return chosen
    wanted = SUBSETS if subset is None else (subset,)
    left = tuple(clip for clip in chosen if clip.subset(split) in wanted)
    if not left:
        raise nothing_left(chosen, split, subset)
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

    Raises:
        UsageError: `count` is below 1.
    """
    if count < 1:
        raise UsageError(f"A sample has at least one clip, not {count}.")
    return tuple(sorted(clips, key=lambda clip: _rank(seed, clip))[:count])


def _rank(seed: int, clip: Clip) -> bytes:
    return hashlib.sha256(f"{seed}:{clip.name}".encode()).digest()


def _check_filter(split: int | None, subset: str | None) -> None:
    if split is not None and split not in SPLITS:
        raise UsageError(
            f"UCF101 has no split {split}.", hint="Its official splits are 1, 2 and 3."
        )
    if subset is not None and subset not in SUBSETS:
        raise UsageError(
            f"A split has no subset {subset!r}.", hint="Its subsets are train and test."
        )
    if subset is not None and split is None:
        raise UsageError(
            f"The {subset} subset of which split? None was chosen.",
            hint=f"Choose one of the three, such as --split 1 --subset {subset}.",
        )


def _clips_for(index: Index, term: str) -> Iterable[Clip]:
    """The clips that a term means, at least one."""
    refusal = nonsense(index, term)
    if refusal is not None:
        raise refusal
    clip = index.find(term)
    if clip is not None:
        return (clip,)
    category = index.find_category(term)
    if category is not None:
        return category.clips
    found = matching_clips(index, term) if is_pattern(term) else ()
    if not found:
        raise unknown_term(index, term)
    return found
