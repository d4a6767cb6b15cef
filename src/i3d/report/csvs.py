"""Results and timelines as CSV: RFC 4180 quoting, LF line ends, seconds to the millisecond."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from i3d.report.jsons import result_as_dict
from i3d.report.text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from i3d.analysis.results import Outcome, Timeline
    from i3d.errors import I3DError
    from i3d.report.rows import Row

TIMELINE_COLUMNS = (
    *("video", "start_seconds", "end_seconds", "label", "label_index"),
    *("mean_score", "peak_score", "peak_seconds", "model", "fingerprint", "recipe", "engine"),
)


class CsvReport:
    """A header, then a row for each score, and one for each video that failed."""

    def begin(self) -> str:
        """The header."""
        from i3d.report.rows import COLUMNS

        return _line(COLUMNS)

    def item(self, outcome: Outcome) -> str:
        """The rows of one video."""
        from i3d.report.rows import rows_of

        return "".join(map(_row_line, rows_of(result_as_dict(outcome))))

    def end(self, error: I3DError | None = None) -> str:
        """A row without a video where the whole run was stopped, else nothing."""
        from i3d.report.rows import Row

        return "" if error is None else _row_line(Row(status="error", message=error.message))


def write_rows(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write a header and rows."""
    file.write(CsvReport().begin().encode())
    file.writelines(_row_line(row).encode() for row in rows)


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """Read what `write_rows` wrote.

    Raises:
        ValueError: It is something else, or damaged; the message names the line.
    """
    import msgspec

    from i3d.report.rows import Row

    csv.field_size_limit(2**31 - 1)
    lines = csv.reader((line.decode() for line in file), strict=True)
    try:
        columns = next(lines, [])
        for record in lines:
            yield msgspec.convert(_values(columns, record), Row, strict=False)
    except (ValueError, csv.Error, msgspec.MsgspecError) as error:
        number = lines.line_num + isinstance(error, UnicodeDecodeError)
        raise ValueError(f"line {number}: {error}") from error


def _values(columns: list[str], record: list[str]) -> dict[str, str]:
    if len(record) != len(columns):
        raise ValueError(f"it has {len(record)} fields in place of {len(columns)}")
    return {name: value for name, value in zip(columns, record, strict=True) if value}


def timeline_as_csv(timeline: Timeline) -> str:
    """A header, and a row for each segment."""
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
    return "".join(map(_line, [TIMELINE_COLUMNS, *rows]))


def _row_line(row: Row) -> str:
    from i3d.report.rows import COLUMNS

    return _line(
        f"{value:.3f}" if name.endswith("_seconds") and value is not None else value
        for name in COLUMNS
        for value in [getattr(row, name)]
    )


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    # With "\r\n" as the line end, Python also quotes a lone "\r" in a field.
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return encodable(text.getvalue()[:-2]) + "\n"
