"""How results stand in a file, line by line, and which of its lines are whole.

A file of results may have been cut anywhere by a crash, a full disk or a power cut. Each video is
one write, and on the disk before the next, so that only the last one can be torn: it ends early, or
has blocks of zero bytes in it. Anything else that is not as it was written is somebody else's.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from i3d.report.csvs import COLUMNS, CsvReport
from i3d.report.jsons import RESULT_SCHEMA, JsonLinesReport
from i3d.report.known import (
    Known,
    damaged_file,
    file_info,
    foreign_file,
    other_settings,
    resaved_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.analysis.results import Outcome

_MAX_BYTES = 2**26
"""No video's results are longer: those of 100,000 labels take 10 MB."""

_MAX_ZEROS = 2**20
"""A file of zero bytes alone is a torn first result, unless it is larger than one."""

_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(?=,|\Z)')
"""A field of CSV, in quotes or plain."""


@dataclass(frozen=True, slots=True)
class Block:
    """What a file holds of one video."""

    known: Known
    start: int
    """Its first byte."""
    end: int
    """The first byte behind it."""


class Layout(Protocol):
    """A format of results that grows at its end."""

    name: str
    """As in `i3d.report.formats.FORMATS`."""
    head: bytes
    """What stands before the first video."""

    def text(self, outcome: Outcome) -> str:
        """A video's results."""

    def begins(self, file: BinaryIO) -> bool:
        """Tell whether a file that is not empty begins like one of these, of whatever settings."""

    def blocks(self, file: BinaryIO, shown: str) -> Iterator[Block]:
        """Read the videos whose results are whole; what is torn at the end is not given.

        Args:
            file: The file, at its start.
            shown: Its name in error messages.

        Raises:
            UsageError: It is another sort of file, was made with other settings, or is damaged.
        """


class JsonLines:
    """An object on each line: see `i3d.report.jsons`.

    Args:
        settings: The settings that results must have.
    """

    name = "jsonl"
    head = b""

    def __init__(self, settings: str) -> None:
        self._settings = settings
        self._report = JsonLinesReport()
        self._opening = json.dumps({"schema": RESULT_SCHEMA}).encode()[:-1]

    def text(self, outcome: Outcome) -> str:
        """One line."""
        return self._report.item(outcome)

    def begins(self, file: BinaryIO) -> bool:
        """See `Layout.begins`."""
        line = file.readline(_MAX_ZEROS + 1)
        return self._is_ours(line) or _is_zeros(line)

    def blocks(self, file: BinaryIO, shown: str) -> Iterator[Block]:
        """Read the lines that are whole; see `Layout.blocks`."""
        start = number = 0
        while line := file.readline(_MAX_BYTES):
            number += 1
            known = self._known(line, shown) if line.endswith(b"\n") else None
            if known is None:
                is_last = len(line) < _MAX_BYTES and not file.read(1)
                if is_last and self._is_torn(line, is_first=number == 1):
                    return
                if number == 1 and not self._is_ours(line):
                    raise foreign_file(shown, self.name)
                raise damaged_file(shown, f"line {number}")
            yield Block(known, start, start + len(line))
            start += len(line)

    def _is_ours(self, line: bytes) -> bool:
        return line.startswith(self._opening) or self._opening.startswith(line)

    def _is_torn(self, line: bytes, *, is_first: bool) -> bool:
        if line.endswith(b"\n") and b"\0" not in line:
            return False
        return not is_first or self._is_ours(line) or _is_zeros(line)

    def _known(self, line: bytes, shown: str) -> Known | None:
        """Read a line; None for one that is not whole, or not ours."""
        data = None if b"\0" in line else _json_object(line)
        if data is None or data.get("schema") != RESULT_SCHEMA:
            return None
        if data.get("settings") != self._settings:
            model = data.get("model")
            made_by = model if isinstance(model, dict) else {}  # a failure names no model
            raise other_settings(
                shown,
                data.get("settings"),
                model=made_by.get("name"),
                checkpoint=made_by.get("checkpoint"),
            )
        try:
            path, file, status = data["video"]["path"], data["file"], data["status"]
            kind = None if status == "ok" else data["error"]["kind"]
            info = None if file is None else file_info(**file)
        except (ValueError, LookupError, TypeError):  # a part is missing, or of another type
            return None
        if not (isinstance(path, str) and isinstance(kind, (str, type(None)))):
            return None
        return Known(path, status == "ok", info, kind)


class CsvRows:
    """A header, and rows for each video: see `i3d.report.csvs`.

    Args:
        settings: The settings that results must have.
        num_scores: Number of rows of a video that has an answer.
    """

    name = "csv"

    def __init__(self, settings: str, num_scores: int) -> None:
        self._settings = settings
        self._num_scores = num_scores
        self._report = CsvReport()
        self._row_end = f",{settings}\n".encode()
        self.head = self._report.begin().encode()

    def text(self, outcome: Outcome) -> str:
        """A video's rows.

        Raises:
            ValueError: It has another number of scores than was said.
        """
        if outcome.prediction is not None and len(outcome.prediction.scores) != self._num_scores:
            raise ValueError(f"{len(outcome.prediction.scores)} scores, not {self._num_scores}")
        return self._report.item(outcome)

    def begins(self, file: BinaryIO) -> bool:
        """See `Layout.begins`; the columns of other releases will do."""
        line = file.readline(_MAX_ZEROS + 1)
        opening = ",".join(COLUMNS[:3]).encode() + b","
        is_ours = _as_written(line).startswith(opening)
        return is_ours or self.head.startswith(line) or _is_zeros(line)

    def blocks(self, file: BinaryIO, shown: str) -> Iterator[Block]:
        """Read the videos whose rows are all there; see `Layout.blocks`."""
        head = file.readline(len(self.head) + _MAX_ZEROS)
        if head != self.head:
            if (self.head.startswith(head) or _is_zeros(head)) and not file.read(1):
                return
            if _as_written(head) == self.head:
                raise resaved_file(shown)
            raise foreign_file(shown, self.name)
        start = end = len(head)
        line_number, num_rows, video = 2, 0, ""
        for record in _records(file):
            end += len(record)
            row = None if b"\0" in record else _fields(record)
            if row is not None:
                if row[-1] != self._settings:
                    raise other_settings(shown, row[-1])
                known = _known_from_row(row)
                if known is not None and self._goes_on(row, num_rows, video):
                    num_rows, video = num_rows + 1, known.path
                    line_number += record.count(b"\n")
                    if not known.is_ok or num_rows == self._num_scores:
                        yield Block(known, start, end)
                        start, num_rows = end, 0
                    continue
            if not self._is_torn(record, file, num_rows):
                raise damaged_file(shown, f"line {line_number}")
            return

    def rows(self, block: bytes) -> list[list[str]]:
        """Take a whole block apart: a list of fields for each row."""
        return [row for row in map(_fields, _records(io.BytesIO(block))) if row is not None]

    def _goes_on(self, row: list[str], num_rows: int, video: str) -> bool:
        """Tell whether a row is the one that is due after some rows of a video."""
        if num_rows and row[0] != video:
            return False
        return row[2] == str(num_rows + 1) if row[1] == "ok" else not num_rows

    def _is_torn(self, record: bytes, file: BinaryIO, num_rows: int) -> bool:
        """Tell whether what is left from a bad record on can be a torn end.

        Args:
            record: The bad record.
            file: The file, behind the record.
            num_rows: Number of good rows that the same video has before the record.
        """
        if b"\0" in record:  # rows behind a block of zeros may be whole: they are the same video's
            rest = record + file.read(_MAX_BYTES)
            return not file.read(1) and num_rows + rest.count(self._row_end) <= self._num_scores
        # A quote that is too many somewhere would take all rows behind it into one record.
        is_whole = record.endswith(b"\n") and record.count(b'"') % 2 == 0
        return not is_whole and len(record) < _MAX_BYTES and self._row_end not in record


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Split CSV into records: at line ends outside quotes. The last one may be cut off."""
    parts: list[bytes] = []
    num_quotes = num_bytes = 0
    while line := file.readline(_MAX_BYTES):
        parts.append(line)
        num_quotes += line.count(b'"')
        num_bytes += len(line)
        if num_quotes % 2 == 0 or num_bytes >= _MAX_BYTES:
            yield b"".join(parts)
            parts, num_quotes, num_bytes = [], 0, 0
    if parts:
        yield b"".join(parts)


def _fields(record: bytes) -> list[str] | None:
    """Take a record apart; None for one that is not whole, or has other columns."""
    if not record.endswith(b"\n"):
        return None
    try:
        text = record[:-1].decode()
    except UnicodeDecodeError:
        return None
    if '"' not in text:
        fields: list[str] | None = text.split(",")
    elif len(text) < csv.field_size_limit():
        try:
            (fields,) = csv.reader([text], strict=True)
        except (ValueError, csv.Error):  # no such record; none, or more than one
            return None
    else:
        fields = _long_fields(text)
    return fields if fields is not None and len(fields) == len(COLUMNS) else None


def _long_fields(text: str) -> list[str] | None:
    """Take a record apart that may have fields of more than 128 kB, which `csv` refuses."""
    fields: list[str] = []
    position = -1
    while position < len(text):
        field = _FIELD.match(text, position + 1)
        if field is None:
            return None
        fields.append(field[2] if field[1] is None else field[1].replace('""', '"'))
        position = field.end()
    return fields


def _known_from_row(row: list[str]) -> Known | None:
    try:
        info = file_info(*row[-4:-1])
    except ValueError:
        return None
    if row[1] not in ("ok", "error"):
        return None
    return Known(row[0], row[1] == "ok", info, row[COLUMNS.index("error_kind")] or None)


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: hostile depth
        return None
    return data if isinstance(data, dict) else None


def _as_written(head: bytes) -> bytes:
    """A header that a spreadsheet has saved, as it was before."""
    plain = head.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n") + b"\n"
    return plain.replace(b";", b",").replace(b"\t", b",").replace(b'"', b"")


def _is_zeros(data: bytes) -> bool:
    return len(data) <= _MAX_ZEROS and not data.strip(b"\0")
