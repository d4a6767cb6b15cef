"""A timeline for a terminal: what happens when, at a glance."""

from __future__ import annotations

import math
from io import StringIO
from typing import TYPE_CHECKING

from i3d.report.as_table import facts, percent
from i3d.report.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from i3d.report import TableStyle
    from i3d.results import Timeline, Track

_BLOCKS = " ▁▂▃▄▅▆▇█"
_CHARACTERS = " .:-=+*#@"
"""The same without Unicode."""

_TICK_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12, 24)),
)
"""Distances between the times below a chart that people read easily."""


def render_chart(timeline: Timeline, style: TableStyle) -> str:
    """Draw a row for each track, the higher the likelier, and list the segments.

    A column of the chart shows the highest score in its span of time, so that something short is
    seen in a long video, too.

    Args:
        timeline: The timeline.
        style: How it looks.
    """
    from rich.console import Console
    from rich.text import Text

    stream = StringIO()
    width = max(style.width, 40)
    console = Console(
        file=stream,
        width=width,
        force_terminal=style.color,
        color_system="standard" if style.color else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
    )
    dot = " · " if style.unicode else ", "
    console.print(Text(printable(timeline.video.path), style="bold"), soft_wrap=True)
    console.print(Text(dot.join(facts(timeline)), style="dim"), soft_wrap=True)
    console.print()
    for line in _chart(timeline, width, unicode=style.unicode):
        console.print(line, no_wrap=True, overflow="crop")
    console.print()
    if timeline.segments:
        console.print(_segments(timeline))
    else:
        console.print(Text(f"  {_nothing(timeline)}"), soft_wrap=True)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    return "\n".join(lines) + "\n"


def clock(seconds: float, digits: int = 1) -> str:
    """A time as people write it: `0:05.0`, `12:00.5`, `1:02:03.0`.

    Args:
        seconds: From 0 on.
        digits: Behind the point; 0 for whole seconds.
    """
    scale = 10**digits
    whole, rest = divmod(round(seconds * scale), scale)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
    return f"{text}.{rest:0{digits}}" if digits else text


def _chart(timeline: Timeline, width: int, *, unicode: bool) -> list[Text]:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    names = [printable(track.label) for track in timeline.tracks]
    longest = min(max(cell_len(name) for name in names), max(width // 3, 12))
    columns = width - longest - 6
    edges = timeline.edges_seconds
    # What is in each column: steps from, and before. One at least, where columns are many.
    spans = [_steps_of(edges, column, columns) for column in range(columns)]
    lines = []
    for track, name in zip(timeline.tracks, names, strict=True):
        ellipsis = "…" if unicode else "."
        shown = name
        if cell_len(name) > longest:
            shown = set_cell_size(name, longest - 1).rstrip() + ellipsis
        line = Text("  ")
        line.append(set_cell_size(shown, longest) + "  ")
        for column, (first, last) in enumerate(spans):
            level = max(track.scores[first:last])
            middle = edges[0] + (edges[-1] - edges[0]) * (column + 0.5) / columns
            style = "bold green" if _happens(timeline, track, middle) else "dim"
            line.append(_level(level, unicode=unicode), style=style)
        lines.append(line)
    return [*lines, Text(" " * (longest + 4) + _axis(edges[0], edges[-1], columns))]


def _steps_of(edges: Sequence[float], column: int, columns: int) -> tuple[int, int]:
    from bisect import bisect_left, bisect_right

    length = edges[-1] - edges[0]
    start = edges[0] + length * column / columns
    stop = edges[0] + length * (column + 1) / columns
    first = max(bisect_right(edges, start + 1e-9) - 1, 0)
    last = min(max(bisect_left(edges, stop - 1e-9), first + 1), len(edges) - 1)
    return min(first, len(edges) - 2), last


def _happens(timeline: Timeline, track: Track, seconds: float) -> bool:
    return any(
        segment.label_index == track.label_index
        and segment.start_seconds <= seconds < segment.end_seconds
        for segment in timeline.segments
    )


def _level(score: float, *, unicode: bool) -> str:
    """A block for a score; nothing below one half of the lowest block, 6 %."""
    characters = _BLOCKS if unicode else _CHARACTERS
    return characters[min(round(score * 8), 8)]


def _axis(start: float, stop: float, columns: int) -> str:
    """Times below a chart, each at its column, as many as fit."""
    length = stop - start
    steps = [step for step in _TICK_SECONDS if length / step * 9 <= columns]
    step = steps[0] if steps else length
    digits = 0 if step >= 1 else 1
    line = ""
    for number in range(math.ceil(start / step - 1e-9), math.floor(stop / step + 1e-9) + 1):
        place = round((number * step - start) / length * columns)
        text = clock(number * step, digits)
        if place + len(text) <= columns and (place > len(line) or not line):
            line = line.ljust(place) + text
    return line


def _segments(timeline: Timeline) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name, justify in (("", "left"), ("start", "right"), ("end", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("label", overflow="fold")
    for name in ("mean", "peak"):
        table.add_column(name, justify="right", no_wrap=True)
    for segment in timeline.segments:
        table.add_row(
            "",
            clock(segment.start_seconds),
            clock(segment.end_seconds),
            Text(printable(segment.label), style="bold"),
            percent(segment.mean_score),
            percent(segment.peak_score),
        )
    return table


def _nothing(timeline: Timeline) -> str:
    settings = timeline.settings
    best = max(timeline.tracks, key=lambda track: max(track.scores))
    peak = max(best.scores)
    step = best.scores.index(peak)
    middle = (timeline.edges_seconds[step] + timeline.edges_seconds[step + 1]) / 2
    return (
        f"No confident action: no label reaches {100 * settings.min_score:g} % for "
        f"{settings.min_duration_seconds:g} s. The highest is {printable(best.label)} with "
        f"{percent(peak)} at {clock(middle)}."
    )
