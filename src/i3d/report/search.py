"""What was found in kept scores, as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

from i3d import __version__
from i3d.report.clock import clock
from i3d.report.table import percent
from i3d.report.text import encodable, printable

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
    document = {
        "schema": "i3d.search/1",
        "i3d_version": __version__,
        "num_videos": search.num_videos,
        "hits": [
            asdict(hit)
            | {
                "label": encodable(hit.label),
                "path": encodable(hit.path),
                "model": encodable(hit.model),
            }
            for hit in search.hits
        ],
        "damaged": [encodable(str(path)) for path in search.damaged],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
