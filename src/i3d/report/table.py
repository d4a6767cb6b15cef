"""Results for people: a line about the video, then labels with percentages and bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.report.text import percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table
    from rich.text import Text

    from i3d.analysis.results import Outcome, Prediction, Timeline
    from i3d.errors import I3DError

NARROWEST = 40
"""Columns that a table takes at least."""

BAR_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class TableStyle:
    """How a table looks."""

    color: bool = False
    """Use the terminal's colours."""
    unicode: bool = True
    """Use block characters and dots; else plain ASCII."""
    width: int = 80
    """Columns of the terminal."""


PLAIN = TableStyle()
"""Plain text of 80 columns."""


class TableReport:
    """A small table for each video, with an empty line between two."""

    def __init__(self, style: TableStyle = PLAIN) -> None:
        self._style = style
        self._is_first = True

    def begin(self) -> str:
        """Nothing."""
        return ""

    def item(self, outcome: Outcome) -> str:
        """A video's table; nothing for one that failed: errors go to standard error."""
        if outcome.prediction is None:
            return ""
        gap = "" if self._is_first else "\n"
        self._is_first = False
        return gap + _prediction_table(outcome.prediction, self._style)

    def end(self, error: I3DError | None = None) -> str:
        """A line below the tables where the whole run was stopped, else nothing."""
        if error is None or self._is_first:
            return ""
        return f"\nStopped here: {printable(error.message)}\n"


def _prediction_table(prediction: Prediction, style: TableStyle) -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column()  # the margin
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    bar_width = min(BAR_WIDTH, max(style.width // 4, 4))
    for score in prediction.scores:
        best = score.rank == 1
        table.add_row(
            "",
            Text(printable(score.label), style="bold green" if best else ""),
            Text(percent(score.probability), style="bold" if best else ""),
            Text(bar(score.probability, bar_width, unicode=style.unicode), style="green"),
        )
    parts: list[Text | Table] = [*title(prediction, style), table]
    if prediction.truth is not None:
        parts += [Text(), Text(f"  {truth_text(prediction)}", style="dim")]
    return print_all(parts, style)


def title(result: Prediction | Timeline, style: TableStyle, *more: str) -> list[Text]:
    """The lines above a table: the video's name, its facts, and an empty line."""
    from rich.text import Text

    dot = " · " if style.unicode else ", "
    return [
        Text(printable(result.video.path), style="bold"),
        Text(dot.join([*facts(result), *more]), style="dim"),
        Text(),
    ]


def print_all(parts: Iterable[Text | Table], style: TableStyle) -> str:
    """Lay parts out with Rich, which measures wide characters and knows terminals.

    Args:
        parts: Lines, which are not wrapped, and tables.
        style: How they look.
    """
    from io import StringIO

    from rich.console import Console

    stream = StringIO()
    console = Console(
        file=stream,
        width=max(style.width, NARROWEST),
        force_terminal=style.color,
        color_system="standard" if style.color else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,  # the list of them takes longer to import than a table to lay out
    )
    for part in parts:
        console.print(part, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def bar(fraction: float, width: int, *, unicode: bool) -> str:
    """A bar of `fraction` of `width` characters, to an eighth of one where Unicode allows."""
    if not unicode:
        return "#" * round(fraction * width)
    eighths = round(fraction * width * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def truth_text(prediction: Prediction) -> str:
    """What the video is known to show, and the rank that the model gives it."""
    truth = prediction.truth
    assert truth is not None  # the caller checked
    says = f"{truth.dataset} says {truth.category}"
    if not truth.labels:
        return f"{says}, and {printable(prediction.model.name)} has no label for it"
    ranks = ", ".join(
        f"{printable(fitting.label)} ({fitting.relation}) is at rank {fitting.rank}"
        for fitting in truth.labels
    )
    return f"{says}: {ranks}"


def facts(prediction: Prediction | Timeline) -> list[str]:
    """The facts below a video's name: its length, frames, size, and the model."""
    video, clip = prediction.video, prediction.clip
    span = f"{clip.start_seconds:.1f} to {clip.end_seconds:.1f} of {video.duration_seconds:.1f} s"
    if clip.start_seconds == 0 and abs(clip.end_seconds - video.duration_seconds) < 0.1:
        span = f"{video.duration_seconds:.1f} s"
    fps = f"{clip.fps:.1f}".removesuffix(".0")
    frames = f"{clip.num_frames} frame{'' if clip.num_frames == 1 else 's'} at {fps} fps"
    size = f"{video.width}x{video.height}"
    turned = f", turned {video.rotation_degrees}°" if video.rotation_degrees else ""
    model = prediction.model
    weights = "unofficial" if model.unofficial else model.checkpoint
    made_by = ", ".join(part for part in (weights, prediction.engine.name) if part)
    return [span, frames, size + turned, f"{printable(model.name)} ({made_by})"]
