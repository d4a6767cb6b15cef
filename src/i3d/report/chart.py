"""A timeline for people: a chart of the scores over time, and the segments below it."""

from __future__ import annotations

import math
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from i3d.report.table import NARROWEST, PLAIN, print_all, title
from i3d.report.text import clock, percent, printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from i3d.analysis.results import Timeline
    from i3d.report.table import TableStyle

LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = " .:-=+*#%@"
"""Marks of scores from 0 to 1, each for an equal part."""

_TICK_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14400, 28800, 86400),
)
"""Distances between two ticks that are easy to read."""

_MARGIN = "  "

_LABEL_WIDTH = 16
"""Columns for labels in the list of segments, if they need them; most labels of Kinetics-400 fit
(the median is 15)."""


def timeline_as_table(timeline: Timeline, style: TableStyle = PLAIN) -> str:
    """Show the video's name and facts, a chart, and the segments.

    A column of the chart shows the highest score in its span of time: with a mean over the 40
    seconds of a column, a second of an hour would disappear.

    Args:
        timeline: The timeline.
        style: How it looks.
    """
    from rich.text import Text

    width = max(style.width, NARROWEST)
    num_steps = len(timeline.edges_seconds) - 1
    parts = [
        *title(timeline, style, f"{num_steps} step{'' if num_steps == 1 else 's'}"),
        *_chart(timeline, width, unicode=style.unicode),
        Text(),
        _segments(timeline, width),
    ]
    return print_all(parts, style)


def _chart(timeline: Timeline, width: int, *, unicode: bool) -> list[Text]:
    """A row for each track, and the axis of time below them."""
    import numpy as np
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    names = [
        _shortened(printable(track.label), width // 3, unicode=unicode) for track in timeline.tracks
    ]
    name_width = max(map(cell_len, names), default=0)
    edges = timeline.edges_seconds
    num_columns = width - 3 * len(_MARGIN) - name_width
    borders = np.linspace(edges[0], edges[-1], num_columns + 1)
    sliver = 1e-6 * (borders[1] - borders[0])  # rounding errors of the borders don't count
    lefts, rights = borders[:-1] + sliver, borders[1:] - sliver
    # The steps that reach into each column.
    firsts = np.searchsorted(edges[1:-1], lefts, "right")
    ends = np.searchsorted(edges[:-1], rights, "left")
    levels = LEVELS if unicode else ASCII_LEVELS
    rows = []
    for name, track in zip(names, timeline.tracks, strict=True):
        row = Text(f"{_MARGIN}{set_cell_size(name, name_width)}{_MARGIN}")
        inside = np.zeros(num_columns, bool)
        for segment in timeline.segments:
            if segment.label_index == track.label_index:
                inside |= (rights > segment.start_seconds) & (lefts < segment.end_seconds)
        scores = (max(track.scores[i : max(j, i + 1)]) for i, j in zip(firsts, ends, strict=True))
        marks = (levels[min(int(score * len(levels)), len(levels) - 1)] for score in scores)
        for is_inside, group in groupby(zip(inside, marks, strict=True), key=itemgetter(0)):
            part = "".join(mark for _, mark in group)
            row.append(part, style="bold green" if is_inside else "dim")
        rows.append(row)
    axis = " " * (2 * len(_MARGIN) + name_width)
    axis += _axis(edges[0], edges[-1], num_columns, unicode=unicode)
    return [*rows, Text(axis, style="dim")]


def _axis(start: float, end: float, num_columns: int, *, unicode: bool) -> str:
    """Ticks with their times, as many as fit."""
    corner = "└" if unicode else "|"
    for distance in _TICK_SECONDS:
        if (end - start) / distance > num_columns:
            continue
        ticks = [
            i * distance
            for i in range(math.ceil(start / distance - 1e-6), int(end / distance + 1e-6) + 1)
        ]
        labels = [corner + clock(tick, tenths=distance < 1) for tick in ticks]
        columns = [int((tick - start) / (end - start) * num_columns + 1e-6) for tick in ticks]
        line = ""
        fits = True
        for column, label in zip(columns, labels, strict=True):
            if column + len(label) > num_columns:
                continue  # no room at the very end
            fits = fits and (not line or column >= len(line) + 2)
            line = line.ljust(column) + label
        if fits and line:
            return line
    return corner + clock(start)


def _segments(timeline: Timeline, width: int) -> Text | Table:
    """A line for each segment, or a sentence if there are none."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not timeline.segments:
        return Text(_MARGIN + _nothing(timeline))
    rows = [
        (
            clock(segment.start_seconds),
            clock(segment.end_seconds),
            printable(segment.label),
            percent(segment.mean_score),
            percent(segment.peak_score),
            clock(segment.peak_seconds),
        )
        for segment in timeline.segments
    ]
    head = ("start", "end", "label", "mean", "peak", "at")
    widths = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
    # On a narrow terminal, leave out the peak rather than squeeze the labels.
    num_columns = 6
    while num_columns > 4 and (
        width - sum(widths[:num_columns]) + widths[2] - len(_MARGIN) * num_columns
        < min(widths[2], _LABEL_WIDTH)
    ):
        num_columns -= 1
    table = Table.grid(padding=(0, len(_MARGIN)), pad_edge=False)
    table.add_column()  # the margin
    for name in head[:num_columns]:
        is_label = name == "label"
        table.add_column(
            justify="left" if is_label else "right",
            no_wrap=not is_label,
            overflow="fold",
            style="bold green" if is_label else "",
        )
    table.add_row("", *(Text(name, style="not bold dim default") for name in head[:num_columns]))
    for row in rows:
        table.add_row("", *map(Text, row[:num_columns]))
    return table


def _nothing(timeline: Timeline) -> str:
    """A sentence for a timeline without segments."""
    settings, edges = timeline.settings, timeline.edges_seconds
    shortest = min(settings.min_duration_seconds, edges[-1] - edges[0])
    lasting = f" for {shortest:.1f} s" if shortest else ""
    whose = "no label" if settings.labels is None else "none of the labels"
    best = max(timeline.tracks, key=lambda track: max(track.scores))
    peak = max(best.scores)
    step = best.scores.index(peak)
    moment = clock((edges[step] + edges[step + 1]) / 2)
    return (
        f"No confident action: {whose} reaches {100 * settings.min_score:g} %{lasting}. "
        f"The highest is {printable(best.label)} with {percent(peak)} at {moment}."
    )


def _shortened(text: str, width: int, *, unicode: bool) -> str:
    """Cut a name that is too wide for a column of the terminal."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    end = "…" if unicode else "..."
    return set_cell_size(text, width - len(end)).rstrip() + end
