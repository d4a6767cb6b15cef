"""Results to text. Nothing here writes anywhere: the command line does.

A report is a sequence of texts: `begin`, one `item` for each video, `end`. Together they are one
document, whatever happened in between.

Every command imports this package, for its escapes: a report's module is imported when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from i3d.report.table import TableReport, TableStyle

if TYPE_CHECKING:
    from i3d.analysis.results import Outcome
    from i3d.errors import I3DError

__all__ = ["FORMATS", "Report", "TableStyle", "make_report"]

FORMATS = ("table", "json", "jsonl", "csv")


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


def make_report(format_name: str, style: TableStyle | None = None) -> Report:
    """Make a report.

    Args:
        format_name: One of `FORMATS`.
        style: How tables look; None for plain text of 80 columns.

    Raises:
        ValueError: There is no such format.
    """
    if format_name == "table":
        return TableReport(style or TableStyle())
    if format_name == "json":
        from i3d.report.jsons import JsonReport

        return JsonReport()
    if format_name == "jsonl":
        from i3d.report.jsons import JsonLinesReport

        return JsonLinesReport()
    if format_name == "csv":
        from i3d.report.csvs import CsvReport

        return CsvReport()
    raise ValueError(f"unknown format {format_name!r}")
