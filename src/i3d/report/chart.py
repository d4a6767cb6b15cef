"""A timeline for people: a chart of the scores over time, and the segments below it."""

from __future__ import annotations

import math
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from i3d.report.table import NARROWEST, PLAIN, print_all, title
from i3d.report.text import clock, percent, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from i3d.analysis.results import Segment, Timeline, Track
    from i3d.report.table import TableStyle

LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = " .:-=+*#%@"
"""Marks of scores from 0 to 1, each for an equal part."""

_TICK_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14400, 28800, 86400),
)
"""Distances between two ticks that people read easily."""

_MARGIN = "  "

_LABEL_WIDTH = 16
"""Columns that labels in the list of segments should have, if they need them; most labels of
Kinetics-400 are not longer (15 is the median)."""


def timeline_as_table(timeline: Timeline, style: TableStyle = PLAIN) -> str:
    """The video's name, what was seen of it, the chart, the segments.

    A column of the chart shows the highest score in its span of time: a second of an hour must be
    seen, which a mean over the 40 seconds of a column would hide.

    Args:
        timeline: The timeline.
        style: How it looks.
    """
    from rich.text import Text

    width = max(style.width, NARROWEST)
    num_steps = len(timeline.edges_seconds) - 1
    lines = [
        *title(timeline, style, f"{num_steps} step{'' if num_steps == 1 else 's'}"),
        *_chart(timeline, width, unicode=style.unicode),
        Text(),
        *_segments(timeline, width),
    ]
    for line in lines:
        line.rstrip()
    return print_all(lines, style)


def _chart(timeline: Timeline, width: int, *, unicode: bool) -> list[Text]:
    """A row for each track, and the axis of time below them."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    names = [
        _shortened(printable(track.label), width // 3, unicode=unicode) for track in timeline.tracks
    ]
    name_width = max(map(cell_len, names), default=0)
    start, end = timeline.edges_seconds[0], timeline.edges_seconds[-1]
    num_columns = width - 3 * len(_MARGIN) - name_width
    borders = [start + (end - start) * i / num_columns for i in range(num_columns + 1)]
    levels = LEVELS if unicode else ASCII_LEVELS
    rows = []
    for name, track in zip(names, timeline.tracks, strict=True):
        row = Text(f"{_MARGIN}{set_cell_size(name, name_width)}{_MARGIN}")
        inside = _columns_inside(timeline.segments, track, borders)
        scores = _highest(track, timeline.edges_seconds, borders)
        marks = [levels[min(int(score * len(levels)), len(levels) - 1)] for score in scores]
        for is_inside, group in groupby(zip(inside, marks, strict=True), key=itemgetter(0)):
            part = "".join(mark for _, mark in group)
            row.append(part, style="bold green" if is_inside else "dim")
        rows.append(row)
    axis = " " * (2 * len(_MARGIN) + name_width) + _axis(start, end, num_columns, unicode=unicode)
    return [*rows, Text(axis, style="dim")]


def _highest(track: Track, edges: Sequence[float], borders: Sequence[float]) -> list[float]:
    """The highest score of the steps that reach into each column."""
    found = []
    step, last = 0, len(track.scores) - 1
    for left, right in pairwise(borders):
        sliver = 1e-6 * (right - left)  # rounding errors of the borders are no part of a column
        while step < last and edges[step + 1] <= left + sliver:
            step += 1
        behind = step + 1
        while behind <= last and edges[behind] < right - sliver:
            behind += 1
        found.append(max(track.scores[step:behind]))
    return found


def _columns_inside(
    segments: Sequence[Segment], track: Track, borders: Sequence[float]
) -> list[bool]:
    """Whether each column is a part of one of the track's segments, if only a small one."""
    num_columns = len(borders) - 1
    inside = [False] * num_columns
    start, width = borders[0], (borders[-1] - borders[0]) / num_columns
    for segment in segments:
        if segment.label_index == track.label_index:
            first = math.floor((segment.start_seconds - start) / width + 1e-6)
            behind = math.ceil((segment.end_seconds - start) / width - 1e-6)
            inside[first:behind] = [True] * (min(behind, num_columns) - first)
    return inside


def _axis(start: float, end: float, num_columns: int, *, unicode: bool) -> str:
    """Ticks with their times, as many as there is room for."""
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
                continue  # at the very end there may be no room for one
            fits = fits and (not line or column >= len(line) + 2)
            line = line.ljust(column) + label
        if fits and line:
            return line
    return corner + clock(start)


def _segments(timeline: Timeline, width: int) -> list[Text]:
    """A line for each segment, or a sentence where there are none."""
    from rich.cells import cell_len, chop_cells, set_cell_size
    from rich.text import Text

    if not timeline.segments:
        return [Text(_MARGIN + _nothing(timeline))]
    labels = [printable(segment.label) for segment in timeline.segments]
    longest = max(cell_len("label"), *map(cell_len, labels))
    rows = [
        ("start", "end", "mean", "peak", "at"),
        *(
            (
                clock(segment.start_seconds),
                clock(segment.end_seconds),
                percent(segment.mean_score),
                percent(segment.peak_score),
                clock(segment.peak_seconds),
            )
            for segment in timeline.segments
        ),
    ]
    # On a narrow terminal, rather no peak than labels of a few letters on each line.
    for num_columns in (5, 4, 3):
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:num_columns]
        room = width - sum(widths) - len(_MARGIN) * (num_columns + 1)
        if room >= min(longest, _LABEL_WIDTH):
            break
    label_width = min(longest, max(room, 1))
    indent = " " * (len(_MARGIN) * 3 + widths[0] + widths[1])
    lines: list[Text] = []
    for row, label in zip(rows, ["label", *labels], strict=True):
        is_head = not lines
        cells = [cell.rjust(size) for cell, size in zip(row, widths, strict=False)]
        first, *others = chop_cells(label, label_width) or [""]
        line = Text(style="dim" if is_head else "")
        line.append(_MARGIN + cells[0] + _MARGIN + cells[1] + _MARGIN)
        line.append(set_cell_size(first, label_width), style="" if is_head else "bold green")
        line.append("".join(_MARGIN + cell for cell in cells[2:]))
        lines.append(line)
        lines += [Text(indent + part, style="bold green") for part in others]
    return lines


def _nothing(timeline: Timeline) -> str:
    """What to say where there is no segment."""
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
    """A name that is cut where it is too wide for a column of the terminal."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    end = "…" if unicode else "..."
    return set_cell_size(text, width - len(end)).rstrip() + end
