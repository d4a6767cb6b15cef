"""A timeline as CSV: a row for each segment."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from i3d.report.text import encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.results import Timeline

COLUMNS = (
    "video",
    "start_seconds",
    "end_seconds",
    "label",
    "label_index",
    "mean_score",
    "peak_score",
    "peak_seconds",
    "model",
    "fingerprint",
    "recipe",
    "engine",
)


def render_csv(timeline: Timeline) -> str:
    """A header and rows (RFC 4180 quoting, LF line ends); the header alone for no segments.

    Seconds are given to the millisecond, scores in full.
    """
    rows = [
        (
            timeline.video.path,
            f"{segment.start_seconds:.3f}",
            f"{segment.end_seconds:.3f}",
            segment.label,
            segment.label_index,
            segment.mean_score,
            segment.peak_score,
            f"{segment.peak_seconds:.3f}",
            timeline.model.title,
            timeline.model.fingerprint,
            timeline.recipe.name,
            timeline.engine.text,
        )
        for segment in timeline.segments
    ]
    return "".join(map(_row, [COLUMNS, *rows]))


def _row(values: Sequence[object]) -> str:
    text = io.StringIO()
    # With "\r\n" for a line end, Python quotes a lone "\r" in a field as well.
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return encodable(text.getvalue()[:-2]) + "\n"
