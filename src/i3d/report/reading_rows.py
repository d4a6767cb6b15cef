"""Results in rows, one for each score, back to one result for each video."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from i3d.errors import UsageError
from i3d.report.csvs import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_SECONDS = 1e9
"""No video is longer: 31 years."""

MAX_BYTES = 2**26
"""No line of results is longer: those of 100,000 labels take 10 MB."""

_SETTINGS = re.compile("[0-9a-f]{64}")
_ROW_END = re.compile('[0-9a-f]{64}"?\r?\n')
"""How a row of a file that grows ends."""

_MAX_LINES = 1000
"""A record that has more of them, and no end, is none that was cut off: its text has some lines."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What a file of results says of one video, as far as a list of videos shows it."""

    path: str
    r"""The path as the file holds it: bytes that are not UTF-8 are `\udc..` escapes."""
    scores: tuple[tuple[str, float], ...]
    """(label, probability in [0, 1]) of the best labels, best first; empty where it failed."""
    error_message: str | None = None
    """Why there is no answer; None where there is one."""
    error_kind: str | None = None
    """Name of the error's class; None for an answer, and where the file does not tell."""
    model: str | None = None
    """Name of the model; None where it failed, or the file does not tell."""
    start_seconds: float | None = None
    """Start of the span that was classified; None where that is not known."""
    end_seconds: float | None = None
    """End of that span."""
    warnings: tuple[str, ...] = ()
    """What a user should know before trusting the result; CSV and Parquet hold all as one text."""


@dataclass(frozen=True)
class FoundResults:
    """What a file of results holds."""

    rows: tuple[ResultRow, ...]
    """The videos in the order of the file; of two results of one video the last one is here."""
    num_torn: int = 0
    """Results at the end of the file that are cut off, and left out here: 0 or 1."""
    stopped: str | None = None
    """What stopped the run that wrote the file, where the file says so."""


def foreign(shown: str, how: str) -> UsageError:
    """The file holds something else.

    Args:
        shown: Its name.
        how: What was looked for: `as Parquet`.
    """
    return UsageError(
        f"{shown} does not hold results of i3d classify {how}.",
        hint="Give a file that i3d classify wrote: .jsonl, .json, .csv or .parquet.",
    )


def damaged_line(
    shown: str, number: int, why: str = "is damaged or was not written by i3d"
) -> UsageError:
    """A line of the file is not as it was written.

    Args:
        shown: The file's name.
        number: The line, from 1 on.
        why: What is the matter with it.
    """
    return UsageError(
        f"Line {number} of {shown} {why}.",
        hint="Mend the line, take it out, or make the results again.",
    )


class _Pending:
    """A result of which rows may be to come."""

    __slots__ = ("identity", "model", "scores", "settings", "span", "text")

    def __init__(self, identity: int, settings: str) -> None:
        self.identity = identity
        self.settings = settings
        self.scores: list[tuple[int, str, float]] | None = []
        self.span: tuple[float | None, float | None] = (None, None)
        self.model: str | None = None
        self.text: tuple[str | None, str | None] = (None, None)


class Rows:
    """Results that come row by row, as the columns of CSV and Parquet have them.

    Rows of one video belong together wherever they stand, unless one of them comes a second time or
    tells another making: that begins a new result, and the last one counts.
    """

    NEEDED: ClassVar[frozenset[str]] = frozenset({"video", "status", "label", "probability"})
    """Columns that must be there."""
    COLUMNS: ClassVar[frozenset[str]] = NEEDED | {
        *("rank", "start_seconds", "end_seconds", "model", "message", "error_kind"),
        *("fingerprint", "sha256", "modified", "settings"),
    }
    """Columns that mean something here."""

    def __init__(self) -> None:
        self.stopped: str | None = None
        """What stopped the run, where a row says so."""
        self._results: dict[str, _Pending] = {}
        self._last: str | None = None
        self._texts: dict[str, str] = {}

    def add(self, row: Mapping[str, object]) -> bool:
        """Add a row.

        Args:
            row: Values by their columns: texts, numbers, and None or an empty text for none.

        Returns:
            False where it is not such a row.
        """
        video, status = _optional(row["video"]), row["status"]
        message = _optional(row.get("message"))
        if video is None and status == "error":
            self.stopped = message or "the file does not say why"
            return True
        if video is None or status not in ("ok", "error"):
            return False
        making = [row.get(name) or "" for name in ("settings", "fingerprint", "sha256", "modified")]
        identity = hash((status, *making))
        try:
            if status == "error":
                pending = self._begin(video, identity, "")
                pending.scores = None
                pending.text = (message, self._shared(_optional(row.get("error_kind"))))
                return True
            return self._add_score(video, identity, str(making[0]), row)
        except (ValueError, OverflowError):
            return False

    def _add_score(
        self, video: str, identity: int, settings: str, row: Mapping[str, object]
    ) -> bool:
        label = self._shared(_optional(row["label"]))
        probability = _number(row["probability"])
        if label is None or probability is None or not 0 <= probability <= 1:
            return False
        pending = self._results.get(video)
        rank = _number(row.get("rank"))
        taken = () if pending is None or pending.scores is None else pending.scores
        number = len(taken) + 1 if rank is None else int(rank)
        is_new = pending is None or pending.identity != identity
        if pending is None or is_new or any(number == other for other, _, _ in taken):
            pending = self._begin(video, identity, self._shared(settings) or "")
            pending.span = (_seconds(row.get("start_seconds")), _seconds(row.get("end_seconds")))
            pending.model = self._shared(_optional(row.get("model")))
            pending.text = (self._shared(_optional(row.get("message"))), None)
        self._last = video
        assert pending.scores is not None  # it has the same status
        pending.scores.append((number, label, probability))
        return True

    def _begin(self, video: str, identity: int, settings: str) -> _Pending:
        self._results.pop(video, None)
        self._results[video] = pending = _Pending(identity, settings)
        self._last = video
        return pending

    @property
    def most_scores(self) -> int:
        """How many a video has at most, as far as is known."""
        numbers = [len(result.scores) for result in self._results.values() if result.scores]
        return max(numbers, default=_MAX_LINES)

    def drop_torn(self, video: str | None = None, rank: str | None = None) -> bool:
        """Take the last result out if rows of it are missing.

        Args:
            video: The video of a row that is cut off, where there is one.
            rank: What is left of that row's rank.

        Returns:
            Whether it did.
        """
        if self._last is None or (last := self._results.get(self._last)) is None:
            return False
        if last.scores is None:
            return False
        is_same = video == self._last and rank is not None and rank != "1"
        if not is_same:
            if not last.settings:
                return False
            numbers = {
                len(other.scores)
                for other in self._results.values()
                if other is not last and other.scores and other.settings == last.settings
            }
            is_same = len(numbers) == 1 and len(last.scores) < numbers.pop()
        if is_same:
            del self._results[self._last]
        return is_same

    def results(self) -> Iterator[ResultRow]:
        """Give the videos, in the order of the results that count. Can be asked once."""
        while self._results:
            video = next(iter(self._results))
            yield self._result(video, self._results.pop(video))

    def _result(self, video: str, pending: _Pending) -> ResultRow:
        message, kind = pending.text
        if pending.scores is None:
            return ResultRow(video, (), message or "The file does not say why.", kind)
        return ResultRow(
            video,
            tuple((label, probability) for _, label, probability in sorted(pending.scores)),
            model=pending.model,
            start_seconds=pending.span[0],
            end_seconds=pending.span[1],
            warnings=() if message is None else (message,),
        )

    def _shared(self, text: str | None) -> str | None:
        """The same object for the same text: labels come many times."""
        return None if text is None else self._texts.setdefault(text, text)


def read_csv(file: BinaryIO, shown: str, rows: Rows) -> int:
    """Read CSV, as `i3d.report.csvs` writes it, or as a spreadsheet saves that.

    Args:
        file: The file, at its start.
        shown: Its name in messages.
        rows: Where its rows go.

    Returns:
        How many results at its end are torn: 0 or 1.

    Raises:
        UsageError: It is something else, or a line of it is damaged.
    """
    lines = _Lines(file, shown)
    head = next(lines, "").removeprefix("\ufeff")
    delimiter = max(",;\t", key=head.count)
    columns = head.replace('"', "").strip().split(delimiter)
    if not Rows.NEEDED.issubset(columns):
        if not lines.is_ended and ",".join(COLUMNS).startswith(head):  # also of an empty file
            return 0
        raise foreign(shown, "as CSV")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.record.clear()
        number = lines.number + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            if not lines.is_over or not _is_cut(lines.record):
                raise damaged_line(shown, number) from error
            return _torn(lines.record, columns, delimiter, rows)
        if record is None:
            break
        is_whole = len(record) == len(columns)
        if not any(record) and (is_whole or lines.is_ended):
            continue
        if not lines.is_ended and not (is_whole and _has_end(record, columns)):
            return _torn(lines.record, columns, delimiter, rows)
        if not is_whole or not rows.add(dict(zip(columns, record, strict=True))):
            raise damaged_line(shown, number)
    if len(_ROW_END.findall(lines.zeros.decode(errors="replace"))) > rows.most_scores:
        raise damaged_line(shown, lines.number + 1)
    return int(rows.drop_torn() or bool(lines.zeros))


class _Lines:
    """The lines of a file as text, as `csv` wants them; a block of zeros is an end."""

    def __init__(self, file: BinaryIO, shown: str) -> None:
        self.number = 0
        """How many there were."""
        self.is_ended = True
        """Whether the last one had a line end."""
        self.is_over = False
        """Whether there are no more, for all that is known."""
        self.zeros = b""
        """What is left from the first line with a zero byte on, the start of it at least."""
        self.record: list[str] = []
        """Those of the record that is read."""
        self._file = file
        self._shown = shown

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = b"" if self.zeros else self._file.readline(MAX_BYTES)
        if b"\0" in line:
            self.zeros = line + self._file.read(MAX_BYTES)
            self.is_ended = False
        if not line or self.zeros:
            self.is_over = True
            raise StopIteration
        self.number += 1
        self.is_ended = line.endswith(b"\n")
        self.is_over = not self.is_ended
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            if not self.is_ended and error.end == len(line):  # cut off inside a character
                text = line[: error.start].decode()
            else:
                raise damaged_line(self._shown, self.number, "is not UTF-8") from error
        self.record.append(text)
        return text


def _is_cut(record: list[str]) -> bool:
    """Tell whether a record without an end can be one that was cut off.

    A quote that is too many somewhere would take all rows behind it into one record.
    """
    return len(record) <= _MAX_LINES and not any(_ROW_END.search(line) for line in record)


def _has_end(record: list[str], columns: list[str]) -> bool:
    """Tell whether nothing is missing at the end of a row without a line end."""
    return columns[-1] == "settings" and bool(_SETTINGS.fullmatch(record[-1]))


def _torn(record: list[str], columns: list[str], delimiter: str, rows: Rows) -> int:
    """A row is cut off: those before it may be of the same video."""
    try:
        fields = next(csv.reader(["".join(record)], delimiter=delimiter), [])
    except csv.Error:
        fields = []
    left = dict(zip(columns, fields[:-1], strict=False))  # the last one may be cut off
    rows.drop_torn(left.get("video"), left.get("rank"))
    return 1


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    """A number; spreadsheets may write a decimal comma."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = float(value.replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _seconds(value: object) -> float | None:
    number = _number(value)
    if number is not None and abs(number) > MAX_SECONDS:
        raise ValueError
    return number
