"""A host's own list of its clips: a directory page, as Apache and others write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

from i3d.datasets.ucf101.names import Clip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from i3d.datasets.ucf101.data import Index

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"<a\s[^<]{1,4096}", re.IGNORECASE)
"""A link's opening tag and the text after it. Only such pieces go to the parser, which takes time
that grows with the square of what is never closed."""
_MAX_LINKS = 100_000
"""Links after these are not read; a page of all clips has 13,320."""


@dataclass(frozen=True)
class IndexDifference:
    """A host's list beside the index."""

    num_listed: int
    """Number of different clips that the host lists."""
    added: tuple[str, ...]
    """Names of the clips that only the host has, by name."""
    missing: tuple[str, ...]
    """Names of the clips that only the index has, in its order."""


def parse_index_page(html: str) -> tuple[str, ...]:
    """Find the clips that a directory page links to.

    Args:
        html: The page, whole or cut short; anything else is a page without clips.

    Returns:
        Names of clips (without `.avi`), each once, in the order of the page, spelt as i3d does.

    Raises:
        ModelLoadError: A packaged table is damaged.
    """
    links = _Links()
    for count, match in enumerate(_LINK.finditer(_COMMENT.sub("", html))):
        if count == _MAX_LINKS:
            break
        links.reset()
        links.feed(match[0])
    names: dict[str, None] = {}
    for target in links.targets:
        file_name = unquote(re.split(r"[?#]", target.strip(), maxsplit=1)[0].rpartition("/")[2])
        if file_name.lower().endswith(".avi") and (clip := Clip.parse(file_name)) is not None:
            names[clip.name] = None
    return tuple(names)


def compare_index(index: Index, names: Iterable[str]) -> IndexDifference:
    """Set a host's list beside an index.

    Args:
        index: The index.
        names: Names of clips; what is none, and what is there twice, is left out.
    """
    listed = {clip for name in names if (clip := Clip.parse(name)) is not None}
    known = set(index.clips)
    return IndexDifference(
        num_listed=len(listed),
        added=tuple(sorted(clip.name for clip in listed - known)),
        missing=tuple(clip.name for clip in index.clips if clip not in listed),
    )


class _Links(HTMLParser):
    """Collects where links lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of a link."""
        if tag == "a":
            self.targets += [value for name, value in attrs if name == "href" and value]
