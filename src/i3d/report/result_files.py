"""Results that grow on disk, a video at a time, and survive the death of whoever writes them.

`open_results` gives the file of a run. What is whole in it is known, and need not be made again.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from i3d.errors import UsageError
from i3d.report.growing import GrowingFile
from i3d.report.known import Known, cannot_read, cannot_write, key_of
from i3d.report.layouts import CsvRows, JsonLines

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from i3d.analysis.results import Outcome
    from i3d.report.parquet import Table

__all__ = ["FORMATS", "GrowingFormat", "Known", "ResultFile", "key_of", "open_results"]

GrowingFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]

FORMATS: tuple[GrowingFormat, ...] = ("jsonl", "csv", "parquet")
"""The formats of files that grow."""


def open_results(
    path: str | os.PathLike[str],
    format_name: GrowingFormat,
    *,
    settings: str,
    num_scores: int,
    again: bool = False,
) -> ResultFile:
    """Open the file of a run's results, or make it.

    What is torn at its end is cut off. The file is locked until it is closed; the system frees the
    lock of a process that dies.

    Args:
        path: The file. A link stays a link: what it points to is written.
        format_name: `jsonl`: an object on each line. `csv`: a row for each score. `parquet`: the
            same as a table, which appears in `finish`; until then its rows are in a hidden CSV file
            beside it, `.NAME.i3d-part`.
        settings: SHA-256 over all that decides the results, in hexadecimal: that of each outcome.
        num_scores: How many scores each video with an answer has.
        again: Start over. The old results stay until the first new one is on the disk.

    Returns:
        The file, to be used in a `with` block.

    Raises:
        UsageError: The path is a folder or a device, lies in a folder that does not exist, is a
            file of something else, of results with other settings, or is damaged; for Parquet,
            pyarrow is not installed. Nothing was changed then.
        OutputError: The file can't be read or written, or another process writes to it.
    """
    shown = os.fspath(path)
    try:
        target = Path(os.path.realpath(path))
    except OSError as error:  # the current folder was removed
        raise cannot_write(shown, error) from error
    _check_target(target, shown)
    if format_name == "jsonl":
        return ResultFile(settings, GrowingFile(target, JsonLines(settings), shown, again=again))
    rows = CsvRows(settings, num_scores)
    if format_name == "csv":
        return ResultFile(settings, GrowingFile(target, rows, shown, again=again))
    from i3d.report.parquet import Table, check_pyarrow

    check_pyarrow()
    part = target.with_name(f".{target.name}.i3d-part")
    file = GrowingFile(part, rows, str(part), again=again, keep_empty=False)
    try:
        table = Table(target, shown, rows, settings, num_scores, again=again)
    except BaseException:
        file.close()
        raise
    return ResultFile(settings, file, table)


class ResultFile:
    """A file of results; see `open_results`."""

    def __init__(self, settings: str, file: GrowingFile, table: Table | None = None) -> None:
        self._settings = settings
        self._file = file
        self._table = table
        self._known = ({} if table is None else dict(table.known)) | file.known

    @property
    def known(self) -> Mapping[str, Known]:
        """The videos whose whole results were there when it was opened, by `key_of` their path."""
        return self._known

    def forget(self, paths: Collection[str]) -> None:
        """Take known results out, because they are to be made again.

        The file is written anew, once a call. From a Parquet table they go in `finish`.

        Args:
            paths: Paths of videos; those that are not known don't matter.

        Raises:
            OutputError: It can't be written; the file is as it was.
        """
        keys = {key_of(path) for path in paths} & self._known.keys()
        self._file.drop(keys)
        if self._table is not None:
            self._table.drop(keys)
        for key in keys:
            del self._known[key]

    def append(self, outcome: Outcome) -> None:
        """Add a video's results; they are on the disk when this returns.

        Of two results of one video the last one counts.

        Args:
            outcome: The results, with `settings` as the file was opened with.

        Raises:
            OutputError: They can't be written, or the file was changed by somebody else. What was
                there before is safe.
            ValueError: It was made with other settings, or has another number of scores.
        """
        if outcome.settings != self._settings:
            raise ValueError(f"the settings {outcome.settings}, not {self._settings}")
        self._file.append(outcome)
        if self._table is not None:
            self._table.outdate()

    def finish(self) -> None:
        """The run is over: make the Parquet table of all results, old and new, and close the file.

        Raises:
            OutputError: The table can't be written; the results are still in the hidden file.
        """
        if self._table is not None and not (self._file.is_empty and self._table.is_whole):
            self._table.write(self._file)
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _check_target(target: Path, shown: str) -> None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise UsageError(
                f"The folder of the output {shown} does not exist.", hint="Make the folder first."
            ) from None
        return
    except OSError as error:
        raise cannot_read(shown, error) from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"The output {shown} is a folder.", hint="Give the name of a file.")
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"The output {shown} is not a file, and results can't grow in it.",
            hint="Give the name of a file.",
        )
