"""Results as a Parquet table, put together from the rows of a run when it is over.

The only importer of pyarrow, which is an extra of the package.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from i3d.errors import I3DError, UsageError
from i3d.files.whole import write_through
from i3d.report.csvs import COLUMNS
from i3d.report.known import (
    Known,
    cannot_write,
    damaged_file,
    file_info,
    foreign_file,
    other_settings,
)
from i3d.report.locking import sync_folder

if TYPE_CHECKING:
    import io
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from i3d.report.growing import GrowingFile
    from i3d.report.layouts import CsvRows

_INTEGERS = frozenset(
    {
        *("rank", "label_index", "num_frames_decoded", "num_frames_from_header"),
        *("true_label_rank", "num_bytes"),
    }
)
_FLOATS = frozenset({"probability", "logit", "start_seconds", "end_seconds"})

_NEVER_NULL = frozenset({"video", "status"})
"""Columns in which nothing is a text of its own; in others it means that there is no value."""

_NUM_ROWS = 2**16
"""Rows that are handled at once, and of a row group: some 50 MB."""


def check_pyarrow() -> None:
    """Make sure that tables can be read and written.

    Raises:
        UsageError: They can't: pyarrow is not installed, or does not work.
    """
    try:
        import pyarrow.parquet  # noqa: F401  (only to see whether it can be)
    except ImportError as error:
        raise UsageError(
            f"Results as Parquet need pyarrow, which can't be imported: {error}.",
            hint="Install it: pip install 'i3d[parquet]'. Or write CSV.",
        ) from error


class Table:
    """The Parquet file of a run, as it was before the run.

    Args:
        path: The file; need not exist, and an empty one is as good as none.
        shown: Its name in messages.
        layout: How new rows stand in their file.
        settings: The settings that results must have.
        num_scores: Number of rows of a video that has an answer.
        again: Nothing in it counts, and it goes when `outdate` is called.

    Raises:
        UsageError: It is something else, was made with other settings, or is damaged.
    """

    def __init__(
        self,
        path: Path,
        shown: str,
        layout: CsvRows,
        settings: str,
        num_scores: int,
        *,
        again: bool,
    ) -> None:
        self.known: dict[str, Known] = {}
        self._path = path
        self._shown = shown
        self._layout = layout
        self._settings = settings
        self._dropped: set[str] = set()
        self._starts_over = again
        num_rows = num_due = 0
        for batch in self._read():
            if again:
                break
            num_rows += batch.num_rows
            for known in self._known(batch):
                self.known[known.path] = known
                num_due += num_scores if known.is_ok else 1
        if num_rows != num_due:
            raise damaged_file(shown, "the number of its rows")

    @property
    def is_whole(self) -> bool:
        """Whether nothing was dropped."""
        return not self._dropped

    def drop(self, keys: Collection[str]) -> None:
        """Leave the rows of some videos out of the next table."""
        self._dropped |= self.known.keys() & keys

    def outdate(self) -> None:
        """A new result is on the disk: an old table that does not count goes.

        Raises:
            OutputError: It can't be removed.
        """
        if self._starts_over:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(self._shown, error) from error
            self._starts_over = False

    def write(self, part: GrowingFile) -> None:
        """Make the new table of the old one and the new rows, and remove these.

        Args:
            part: The new rows. Of a video that is in both, these count.

        Raises:
            OutputError: It can't be written; all is as it was.
            UsageError: The old table, or the new rows, were damaged meanwhile.
        """
        part.reread()
        gone = self._dropped | part.known.keys()
        new = self._path.with_name(f".{self._path.name}.i3d-new")
        try:
            new.unlink(missing_ok=True)
            with new.open("xb") as file:
                self._write_rows(file, gone, part)
                write_through(file)
            with suppress(OSError):  # there was none, or the disk knows no permissions
                new.chmod(stat.S_IMODE(self._path.stat().st_mode))
            new.replace(self._path)
            sync_folder(self._path.parent)
        except I3DError:
            raise
        except OSError as error:
            raise cannot_write(self._shown, error) from error
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)
        part.remove()

    def _write_rows(
        self, file: io.BufferedWriter, gone: Collection[str], part: GrowingFile
    ) -> None:
        import pyarrow as pa
        from pyarrow import compute, parquet

        waiting: list[Any] = []
        removed = pa.array(sorted(gone), pa.string())
        with parquet.ParquetWriter(file, _schema(), write_page_checksum=True) as writer:

            def flush(least: int) -> None:
                if sum(batch.num_rows for batch in waiting) >= least:
                    writer.write_table(pa.Table.from_batches(waiting, _schema()))
                    waiting.clear()

            for batch in self._read():
                stays = compute.invert(compute.is_in(batch["video"], removed))
                waiting.append(batch.filter(stays))
                flush(_NUM_ROWS)
            rows: list[list[str]] = []
            for block in part.blocks():
                rows += self._layout.rows(block)
                if len(rows) >= _NUM_ROWS:
                    waiting.append(_batch(rows, part.shown))
                    rows = []
                    flush(_NUM_ROWS)
            waiting.append(_batch(rows, part.shown))
            flush(0)

    def _read(self) -> Iterator[Any]:
        """Read all of the file, each page compared with its checksum.

        Yields:
            Record batches.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self._path.open("rb") as file:
                start = file.read(4)
                if not start:
                    return
                if start != b"PAR1":
                    raise foreign_file(self._shown, "parquet")
                table = parquet.ParquetFile(file, page_checksum_verification=True)
                if not table.schema_arrow.equals(_schema()):
                    raise foreign_file(self._shown, "parquet")
                yield from table.iter_batches(_NUM_ROWS)
        except FileNotFoundError:
            return
        except I3DError:
            raise
        except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
            raise UsageError(
                f"The Parquet file {self._shown} is damaged or can't be read: "
                f"{str(error).partition(chr(10))[0]}",
                hint="Remove it, or give another file.",
            ) from error

    def _known(self, batch: Any) -> Iterator[Known]:
        """Find the videos of a batch, each once: at its first row."""
        from pyarrow import compute

        for settings in compute.unique(batch["settings"]).to_pylist():
            if settings != self._settings:
                raise other_settings(self._shown, settings)
        ranks = compute.fill_null(batch["rank"], 1)
        firsts = batch.filter(compute.equal(ranks, 1))
        names = ("video", "status", "error_kind", "sha256", "num_bytes", "modified")
        columns = [firsts[name].to_pylist() for name in names]
        for video, status, kind, *file in zip(*columns, strict=True):
            try:
                yield Known(video, status == "ok", file_info(*file), kind)
            except ValueError as error:
                raise damaged_file(self._shown, f"the row of {video}") from error


def _schema() -> Any:
    import pyarrow as pa

    kinds = {
        **dict.fromkeys(_INTEGERS, pa.int64()),
        **dict.fromkeys(_FLOATS, pa.float64()),
    }
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _batch(rows: list[list[str]], shown: str) -> Any:
    """Turn rows of text into a record batch."""
    import pyarrow as pa

    try:
        columns = [[_value(name, row[index]) for row in rows] for index, name in enumerate(COLUMNS)]
        return pa.record_batch(columns, schema=_schema())
    except (ValueError, OverflowError) as error:  # pyarrow's are ValueErrors
        raise damaged_file(shown, "a number in it") from error


def _value(name: str, text: str) -> str | int | float | None:
    if not text and name not in _NEVER_NULL:
        return None
    if name in _INTEGERS:
        return int(text)
    return float(text) if name in _FLOATS else text
