"""What was found in kept scores, as text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from i3d.report.jsons import document
from i3d.report.text import clock, percent, printable

if TYPE_CHECKING:
    from i3d.analysis.search import Search


def search_as_text(search: Search) -> str:
    """Each label, and below it the videos in which it is likely, with the moment of the peak."""
    blocks = []
    for label, hits in groupby(search.hits, key=lambda hit: hit.label):
        rows = [
            (percent(hit.peak_score), clock(hit.peak_seconds), percent(hit.probability), hit.path)
            for hit in hits
        ]
        widths = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = [
            f"  {peak:>{widths[0]}} at {moment:>{widths[1]}}, {whole:>{widths[2]}} of the whole  "
            f"{printable(path)}"
            for peak, moment, whole, path in rows
        ]
        blocks.append("\n".join([printable(label), *lines]) + "\n")
    return "\n".join(blocks)


def search_as_json(search: Search) -> str:
    """The same as a JSON document."""
    damaged = [str(path) for path in search.damaged]
    return document("i3d.search/1", num_videos=search.num_videos, hits=search.hits, damaged=damaged)
