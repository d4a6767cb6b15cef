"""Timelines to text: the formats that there are.

Unlike the results of several videos, a timeline is one document that is written at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i3d.analysis.results import Timeline
    from i3d.errors import I3DError
    from i3d.report.table import TableStyle

TIMELINE_FORMATS = ("table", "json", "csv", "vtt", "srt")


def render_timeline(timeline: Timeline, format_name: str, style: TableStyle | None = None) -> str:
    """Render a timeline as one document.

    Args:
        timeline: The timeline.
        format_name: One of `TIMELINE_FORMATS`.
        style: How a table looks; None for plain text of 80 columns.

    Returns:
        The document. It ends with a line end, and is never empty.

    Raises:
        ValueError: There is no such format.
    """
    if format_name == "table":
        from i3d.report.chart import render_table
        from i3d.report.table import TableStyle

        return render_table(timeline, style or TableStyle())
    if format_name == "json":
        from i3d.report.timeline_json import render_json

        return render_json(timeline)
    if format_name == "csv":
        from i3d.report.timeline_csv import render_csv

        return render_csv(timeline)
    if format_name in ("vtt", "srt"):
        from i3d.report.subtitles import render_srt, render_vtt

        return render_vtt(timeline) if format_name == "vtt" else render_srt(timeline)
    raise ValueError(f"unknown format {format_name!r}")


def render_failure(path: str, error: I3DError) -> str:
    """Render the JSON document of a video that has no timeline.

    Args:
        path: The video, as it was given.
        error: Why.
    """
    from i3d.report.timeline_json import render_error

    return render_error(path, error)
