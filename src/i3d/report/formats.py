"""The formats of results: their names, their files, and what writes them.

Nothing here writes anywhere: the command line does. A report on several videos is a sequence of
texts, `begin`, one `item` for each video, `end`: one document, whatever happens in between. A
timeline is one document that is written at once.

Every command imports this module; a format's own module is imported when it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from i3d.analysis.results import Outcome, Timeline
    from i3d.errors import I3DError
    from i3d.report.rows import Row
    from i3d.report.table import TableStyle


class Report(Protocol):
    """Turns outcomes into one document, piece by piece."""

    def begin(self) -> str:
        """The text before the first video."""

    def item(self, outcome: Outcome) -> str:
        """The text for one video."""

    def end(self, error: I3DError | None = None) -> str:
        """The text after the last video.

        Args:
            error: What stopped the whole run early, if anything did.
        """


@dataclass(frozen=True)
class Format:
    """A format of results."""

    suffixes: tuple[str, ...]
    """Endings of its files; the first is the usual one."""
    grows: bool = False
    """A later run resumes from a file of it."""
    rows: str | None = None
    """The module that reads and writes files of it, if results are rows in it."""
    report: str | None = None
    """`module:name` of its `Report`, for the results of several videos."""
    timeline: str | None = None
    """`module:name` of the function that turns a timeline into a document."""


FORMATS = {
    "table": Format((".txt",), report="table:TableReport", timeline="chart:timeline_as_table"),
    "json": Format((".json",), report="jsons:JsonReport", timeline="jsons:timeline_as_json"),
    "jsonl": Format((".jsonl", ".ndjson"), grows=True, report="jsons:JsonLinesReport"),
    "csv": Format(
        (".csv",),
        grows=True,
        rows="csvs",
        report="csvs:CsvReport",
        timeline="csvs:timeline_as_csv",
    ),
    "parquet": Format((".parquet",), grows=True, rows="parquet"),
    "vtt": Format((".vtt",), timeline="subtitles:timeline_as_vtt"),
    "srt": Format((".srt",), timeline="subtitles:timeline_as_srt"),
    "html": Format((".html", ".htm")),
}
"""All formats of results and timelines; those of pictures are in `i3d.pictures`."""

RESULT_FORMATS = tuple(name for name, one in FORMATS.items() if one.report or one.rows)
"""Formats of `i3d classify`."""
TIMELINE_FORMATS = (*(name for name, one in FORMATS.items() if one.timeline), "html")
"""Formats of `i3d timeline`. The command makes the page itself, because it needs the video."""


def suffixes_of(formats: Iterable[str]) -> tuple[str, ...]:
    """The endings of files in some formats."""
    return tuple(suffix for name in formats for suffix in FORMATS[name].suffixes)


def make_report(format_name: str, style: TableStyle | None = None) -> Report:
    """Make a report.

    Args:
        format_name: One of `RESULT_FORMATS` but `parquet`, which needs a file.
        style: How tables look; None for plain text of 80 columns.
    """
    report = _load(FORMATS[format_name].report)
    made: Report = report(style) if format_name == "table" and style else report()
    return made


def render_timeline(timeline: Timeline, format_name: str, style: TableStyle | None = None) -> str:
    """Render a timeline as one document.

    Args:
        timeline: The timeline.
        format_name: One of `TIMELINE_FORMATS` but `html`.
        style: How a table looks; None for plain text of 80 columns.

    Returns:
        The document. It ends with a line end, and is never empty.
    """
    render = _load(FORMATS[format_name].timeline)
    is_styled = format_name == "table" and style
    text: str = render(timeline, style) if is_styled else render(timeline)
    return text


def write_rows(file: BinaryIO, format_name: str, rows: Iterable[Row]) -> None:
    """Write rows to a file of a format that has rows."""
    _load(f"{FORMATS[format_name].rows}:write_rows")(file, rows)


def read_rows(file: BinaryIO, format_name: str) -> Iterator[Row]:
    """Read the rows of a file of a format that has rows.

    Raises:
        UsageError: The package that reads it is not installed.
        ValueError: It is something else, or damaged.
    """
    rows: Iterator[Row] = _load(f"{FORMATS[format_name].rows}:read_rows")(file)
    return rows


def _load(where: str | None) -> Any:
    assert where is not None  # the callers choose among the formats that have one
    module, _, name = where.partition(":")
    return getattr(import_module(f"i3d.report.{module}"), name)
