"""Names that people mistype, and names that they number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from i3d.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable


def similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Find the names that look like a mistyped one, whatever their case.

    Args:
        name: The name that was given.
        known: The names there are.

    Returns:
        Up to three of them, the most similar one first.
    """
    from difflib import get_close_matches

    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=3)]


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, listing: str | None = None
) -> UnknownNameError:
    """Make the error for a name that does not exist, with the names that look like it.

    Args:
        kind: What was looked for ("model", "recipe").
        name: The name that was given.
        known: The names there are.
        listing: A command that lists them, where they are too many for a message.

    Returns:
        The error, to be raised by the caller.
    """
    names = list(known)
    matches = similar_names(name, names)
    if matches:
        hint = f"Did you mean {' or '.join(matches)}?"
    elif listing is not None:
        hint = f"List them with: {listing}"
    else:
        hint = f"There are: {', '.join(names)}."
    return UnknownNameError(f"There is no {kind} named {name!r}.", hint=hint)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Give a sort key that puts `img2` before `img10`, with numbers of any length.

    Args:
        name: The name of a file.
    """
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    key = [(1, int(part), "") if i % 2 else (0, 0, part.casefold()) for i, part in enumerate(parts)]
    return [*key, (2, 0, name)]  # names that differ only in case or zeros: a fixed order
