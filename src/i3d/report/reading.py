"""Files of results, whoever wrote them and with whatever settings, to the videos in them.

Nothing is locked or changed: a file may grow while it is read.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from i3d.errors import I3DError, UsageError
from i3d.models.catalog import name_of_weights
from i3d.report.jsons import DOCUMENT_SCHEMA, RESULT_SCHEMA
from i3d.report.parquet import check_pyarrow
from i3d.report.reading_rows import (
    MAX_BYTES,
    MAX_SECONDS,
    FoundResults,
    ResultRow,
    Rows,
    damaged_line,
    foreign,
    read_csv,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SPACE = re.compile(r"[ \t\r\n]*")

_NUM_ROWS = 2**16
"""Rows of a table that are handled at once."""


def read_results(path: str | os.PathLike[str]) -> FoundResults:
    """Read a file of results, of `i3d classify` with `-o` or `--format`.

    What is torn at its end, because it is being written or because a run was killed, is left out
    and counted. CSV may come back from a spreadsheet: with a byte order mark, other line ends, `;`
    or tabs between the fields, columns in another order, rows sorted or taken out.

    Args:
        path: The file. Its suffix says what it is (`.jsonl`, `.json`, `.csv`, `.parquet`); with
            another one, its first bytes.

    Returns:
        Its videos, at least one unless the run was stopped before. Memory: about 1 kB a video
        with five labels; for a JSON document, the text of it as well.

    Raises:
        UsageError: It is missing, a folder, can't be read, holds something else or nothing, or is
            damaged; the message names the line. For Parquet: pyarrow is not installed.
    """
    shown = os.fspath(path)
    if Path(path).is_dir():
        raise UsageError(
            f"{shown} is a folder, not a file of results.",
            hint="Give a file that i3d classify wrote with -o.",
        )
    found = _Found()
    try:
        with Path(path).open("rb") as file:
            _reader_for(Path(path), file)(file, shown, found)
    except I3DError:  # some of them are OSErrors, too
        raise
    except FileNotFoundError:
        raise _missing(Path(path), shown) from None
    except OSError as error:
        raise UsageError(
            f"The results in {shown} cannot be read: {error.strerror or error}.",
            hint="Check its permissions and the disk that it is on.",
        ) from error
    if not found.rows and found.stopped is None:
        raise UsageError(
            f"{shown} holds no results{' but a torn one' if found.num_torn else ''}.",
            hint="Run i3d classify first, or wait until it is done with a video.",
        )
    return FoundResults(tuple(found.rows.values()), found.num_torn, found.stopped)


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.rows: dict[str, ResultRow] = {}
        self.num_torn = 0
        self.stopped: str | None = None
        self._texts: dict[str, str] = {}

    def add(self, row: ResultRow) -> None:
        self.rows.pop(row.path, None)  # so that the order is that of the results that count
        self.rows[row.path] = row

    def add_object(self, data: object) -> bool:
        """Add an `i3d.prediction/1`; False where it is none."""
        try:
            if not isinstance(data, dict) or data["schema"] != RESULT_SCHEMA:
                return False
            if data["status"] == "error" and data["video"] is None:
                self.stopped = _text(data["error"]["message"])
            else:
                self.add(self._row(data))
        except (LookupError, TypeError, ValueError, OverflowError):
            return False
        return True

    def _row(self, data: dict[str, Any]) -> ResultRow:
        path = _text(data["video"]["path"])
        if data["status"] == "error":
            error = data["error"]
            return ResultRow(path, (), _text(error["message"]), self._shared(error["kind"]))
        if data["status"] != "ok":
            raise ValueError
        clip = data["clip"]
        return ResultRow(
            path,
            tuple(
                (self._shared(score["label"]), _probability(score["probability"]))
                for score in data["scores"]
            ),
            model=self._shared(_name_now(data["model"])),
            start_seconds=_seconds(clip["start_seconds"]),
            end_seconds=_seconds(clip["end_seconds"]),
            warnings=tuple(self._shared(warning) for warning in data["warnings"]),
        )

    def _shared(self, text: object) -> str:
        """The same object for the same text: labels come many times."""
        return self._texts.setdefault(_text(text), str(text))


def _reader_for(path: Path, file: BinaryIO) -> Callable[[BinaryIO, str, _Found], None]:
    by_suffix = {
        ".jsonl": _read_lines,
        ".json": _read_document,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    if path.suffix.lower() in by_suffix:
        return by_suffix[path.suffix.lower()]
    # A file that Python opened has `peek`; the type of all binary files does not.
    start = file.peek(4096)[:4096].removeprefix(b"\xef\xbb\xbf")  # type: ignore[attr-defined]
    if start.startswith(b"PAR1"):
        return _read_parquet
    if not start.lstrip().startswith(b"{"):
        return _read_csv
    return _read_lines if f'"{RESULT_SCHEMA}"'.encode() in start.split(b"\n")[0] else _read_document


def _read_lines(file: BinaryIO, shown: str, found: _Found) -> None:
    """An object on each line."""
    number = num_read = 0
    while line := file.readline(MAX_BYTES):
        number += 1
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        if not found.add_object(_parsed(text)):
            is_last = len(line) < MAX_BYTES and not file.read(1)
            if is_last and (not line.endswith(b"\n") or b"\0" in line) and _may_be_ours(text):
                found.num_torn = 1
                return
            if not num_read and not text.startswith(b'{"schema": "i3d.prediction/'):
                raise foreign(shown, "as JSON lines")
            raise damaged_line(shown, number)
        num_read += 1


def _may_be_ours(line: bytes) -> bool:
    """Tell whether a line that is cut off may have been a result, or is zeros alone."""
    opening = json.dumps({"schema": RESULT_SCHEMA}).encode()[:-1]
    return line.startswith(opening) or opening.startswith(line) or not line.strip(b"\0\r\n")


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: hostile depth
        return None


def _read_document(file: BinaryIO, shown: str, found: _Found) -> None:
    """One document of all results; these are taken apart one by one, to save memory."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise damaged_line(shown, error.object[: error.start].count(b"\n") + 1) from error
    document = _Document(text, shown)
    schema: object = None
    stop: object = None
    for key in document.items("{}"):
        if key == "results" and schema == DOCUMENT_SCHEMA:
            for _ in document.items("[]"):
                start = document.position
                if not found.add_object(document.value()):
                    document.refuse(start)
        else:
            value = document.value()
            schema = value if key == "schema" else schema
            stop = value if key == "error" else stop
    if schema != DOCUMENT_SCHEMA:
        raise foreign(shown, "as a JSON document")
    if isinstance(stop, dict):
        found.stopped = str(stop.get("message"))


class _Document:
    """A JSON document that is read from its start to its end.

    Args:
        text: All of it.
        shown: The file's name in messages.
    """

    def __init__(self, text: str, shown: str) -> None:
        self._text = text
        self._shown = shown
        self._decoder = json.JSONDecoder()
        self.position = self._behind_space(0)
        """Where it is read on."""

    def items(self, brackets: str) -> Iterator[object]:
        """Go through an object or an array; whoever does reads each `value`.

        Args:
            brackets: `{}` or `[]`.

        Yields:
            The keys of an object; None for each item of an array.
        """
        self._expect(brackets[0])
        if self._peek() == brackets[1]:
            self.position += 1
            return
        while True:
            key = None
            if brackets == "{}":
                key = self.value()
                self._expect(":")
            yield key
            if self._peek() == brackets[1]:
                self.position = self._behind_space(self.position + 1)
                return
            self._expect(",")

    def value(self) -> object:
        """Read a whole value."""
        try:
            value, end = self._decoder.raw_decode(self._text, self.position)
        except ValueError as error:
            self.refuse(getattr(error, "pos", self.position))
        except RecursionError:
            self.refuse(self.position)
        self.position = self._behind_space(end)
        return value

    def refuse(self, position: int) -> NoReturn:
        """Say which line is not as i3d writes it."""
        if not self._text.startswith("{"):
            raise foreign(self._shown, "as a JSON document")
        raise damaged_line(self._shown, self._text.count("\n", 0, position) + 1)

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            self.refuse(self.position)
        self.position = self._behind_space(self.position + 1)

    def _peek(self) -> str:
        return self._text[self.position : self.position + 1]

    def _behind_space(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        assert match is not None  # it matches nothing, too
        return match.end()


def _read_csv(file: BinaryIO, shown: str, found: _Found) -> None:
    rows = Rows()
    found.num_torn = read_csv(file, shown, rows)
    _take_rows(rows, found)


def _read_parquet(file: BinaryIO, shown: str, found: _Found) -> None:
    check_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    # As above, a file of Python's own.
    if file.peek(4)[:4] != b"PAR1":  # type: ignore[attr-defined]
        raise foreign(shown, "as Parquet")
    rows = Rows()
    try:
        table = parquet.ParquetFile(file, page_checksum_verification=True)
        columns = [name for name in table.schema_arrow.names if name in Rows.COLUMNS]
        if not Rows.NEEDED.issubset(columns):
            raise foreign(shown, "as Parquet")
        number = 0
        for batch in table.iter_batches(_NUM_ROWS, columns=columns):
            for values in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                number += 1
                if not rows.add(dict(zip(columns, values, strict=True))):
                    raise UsageError(
                        f"Row {number} of {shown} is damaged or was not written by i3d.",
                        hint="Make the results again.",
                    )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise UsageError(
            f"The Parquet file {shown} is damaged or can't be read: "
            f"{str(error).partition(chr(10))[0]}",
            hint="Make the results again, or give another file.",
        ) from error
    _take_rows(rows, found)


def _take_rows(rows: Rows, found: _Found) -> None:
    for row in rows.results():
        found.add(row)
    found.stopped = rows.stopped


def _missing(path: Path, shown: str) -> UsageError:
    part = path.with_name(f".{path.name}.i3d-part")
    if part.is_file():
        return UsageError(
            f"There is no file {shown} yet: its run is not over.",
            hint=f"Wait, run the same command again, or give {part}, which holds the results "
            "until then.",
        )
    return UsageError(f"There is no file {shown}.", hint="Check the path.")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _seconds(value: object) -> float:
    number = _number(value)
    if abs(number) > MAX_SECONDS:
        raise ValueError
    return number


def _probability(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _name_now(model: dict[str, Any]) -> object:
    """What the model of a result is called now; see `i3d.models.catalog.name_of_weights`."""
    name, checkpoint = model["name"], model.get("checkpoint")
    if model.get("unofficial") is True:
        return f"{name} (unofficial)"
    return (name_of_weights(name, checkpoint) if isinstance(checkpoint, str) else None) or name
