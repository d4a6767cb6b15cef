"""A file of results that survives the death of the run that writes it.

Each video is on the disk before the next begins: as a line of the file itself (JSON lines), or of a
journal beside it, `.NAME.i3d-part`, from which CSV and Parquet are written when the run ends. A
later run resumes from there.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import msgspec

from i3d.errors import I3DError, OutputError, UsageError, cannot_write
from i3d.files.whole import take_place, write_through
from i3d.models.catalog import name_of_weights
from i3d.report.formats import FORMATS, read_rows, write_rows
from i3d.report.jsons import result_as_dict, to_json
from i3d.report.parquet import check_pyarrow
from i3d.report.reading import (
    ResultRow,
    damaged,
    format_of_results,
    read_lines,
    results_in,
)
from i3d.report.rows import rows_of
from i3d.report.text import encodable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import BinaryIO

    from typing_extensions import Self

    from i3d.analysis.results import Outcome
    from i3d.report.rows import Row

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""What systems say of a disk that can't lock, such as some network drives."""


def key_of(path: str | os.PathLike[str]) -> str:
    r"""The form of a path by which results are known: as results hold it.

    Bytes of a name that are not UTF-8 are `\udc..` escapes. So a name with the byte 0xE9 and one
    with the six characters `\udce9` are the same; their checksums tell them apart.

    Args:
        path: A video's path as it was given.
    """
    return encodable(str(path))


class ResultFile:
    """The file of a run's results, locked for one process until it is closed.

    Args:
        path: The file; made with the first result. A link stays a link: what it points to is
            written.
        format_name: `jsonl`, `csv` or `parquet`.
        settings: SHA-256 over all that decides the results: that of each outcome.
        again: Start over. The old results stay until the first new one is on the disk.

    Raises:
        UsageError: It is a file of something else, of results with other settings, or is damaged;
            for Parquet, pyarrow is not installed. Nothing is changed then.
        OutputError: It can't be read or written, or another process writes to it.
    """

    def __init__(
        self, path: str | os.PathLike[str], format_name: str, *, settings: str, again: bool = False
    ) -> None:
        if format_name == "parquet":
            check_pyarrow()
        self.known: dict[str, ResultRow] = {}
        """The videos whose results were there before, by `key_of` their path; without scores."""
        self._shown = os.fspath(path)
        self._format = format_name
        self._settings = settings
        self._starts_over = again
        self._in_journal: set[str] = set()
        self._forgotten: set[str] = set()
        self._size = 0
        with self._writing():
            self._path = Path(os.path.realpath(path))
            self._lock = self._locked()
        self._journal = self._beside("part") if FORMATS[format_name].rows else self._path
        try:
            with self._writing():
                self._check_format(self._path, format_name)
                if not again:
                    self._check_format(self._journal, "jsonl")
                    self._read()
        except BaseException:
            self.close()
            raise

    def forget(self, paths: Collection[str]) -> None:
        """Remove known results, so that they can be made again.

        Args:
            paths: Paths of videos; unknown ones are ignored.

        Raises:
            OutputError: The file can't be written; it is as it was.
        """
        keys = {key_of(path) for path in paths} & self.known.keys()
        for key in keys:
            del self.known[key]
        self._forgotten |= keys
        if keys & self._in_journal:
            with self._new(self._journal) as file, self._journal.open("rb") as old:
                file.writelines(
                    line
                    for result, line in read_lines(old, self._shown)
                    if not (isinstance(result, ResultRow) and result.path in keys)
                )
            self._size = self._journal.stat().st_size
            self._in_journal -= keys

    def append(self, outcome: Outcome) -> None:
        """Add a video's results; they are on the disk when this returns.

        Args:
            outcome: The results, with `settings` as the file was opened with.

        Raises:
            OutputError: They can't be written, or the file was changed by another program. What
                was there before is safe.
            ValueError: They were made with other settings.
        """
        if outcome.settings != self._settings:
            raise ValueError(f"the settings {outcome.settings}, not {self._settings}")
        line = to_json(result_as_dict(outcome)).encode() + b"\n"
        if self._starts_over:
            with self._new(self._journal) as file:
                file.write(line)
            if self._journal != self._path:
                with self._writing():
                    self._path.unlink(missing_ok=True)
            self._size = len(line)
            self._starts_over = False
        else:
            with self._writing():
                self._append(line)
        self._in_journal.add(key_of(outcome.path))

    def finish(self) -> None:
        """The run is over: write the CSV or Parquet file of all results, old and new.

        Raises:
            OutputError: It can't be written; the results are still in the journal.
            UsageError: The old file was damaged meanwhile.
        """
        if self._journal != self._path and (self._in_journal or self._forgotten):
            with self._new(self._path) as file:
                write_rows(file, self._format, self._all_rows())
            with self._writing():
                self._journal.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._lock.is_locked:
            with suppress(OSError):  # Windows keeps files that are open
                Path(self._lock.lock_file).unlink()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _beside(self, what: str) -> Path:
        return self._path.with_name(f".{self._path.name}.i3d-{what}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except I3DError:  # some of them are OSErrors, too
            raise
        except OSError as error:
            raise cannot_write(self._shown, error) from error

    @contextmanager
    def _new(self, path: Path) -> Iterator[BinaryIO]:
        """A new file, which takes the place of another one at the end of the block."""
        new = self._beside("new")
        try:
            with self._writing():
                with new.open("wb") as file:
                    yield file
                    write_through(file)
                take_place(new, path)
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def _locked(self) -> filelock.BaseFileLock:
        lock = filelock.FileLock(self._beside("lock"))
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise OutputError(
                f"Another i3d is writing to {self._shown}.",
                hint="Wait until it is done, or give another file.",
            ) from None
        except NotImplementedError:  # this disk can't lock
            pass
        except OSError as error:
            # In a folder that can't be written, a file may be written all the same.
            is_allowed = error.errno == errno.EACCES and os.access(self._path, os.W_OK)
            if error.errno not in _NO_LOCKS and not is_allowed:
                raise
        return lock

    def _check_format(self, path: Path, expected: str) -> None:
        """Refuse a file of something else."""
        if not _has_content(path):
            return
        with path.open("rb") as file:
            found = format_of_results(file)
        if found != expected:
            raise UsageError(
                f"{path} is there already, and does not hold results of i3d as {expected}.",
                hint="Give another file for the results, or remove this one.",
            )

    def _read(self) -> None:
        """Read the known results, and cut off a torn end of the journal."""
        if self._path != self._journal and _has_content(self._path):
            num_scores: dict[str, int] = {}
            with self._path.open("rb") as table:
                for found in results_in(table, self._shown):
                    path = self._learn(found)
                    if isinstance(found, ResultRow) and found.scores:
                        num_scores[path] = len(found.scores)
            # Older versions appended rows: the last video may lack some.
            most = max(num_scores.values(), default=0)
            for path, number in num_scores.items():
                if number < most:
                    del self.known[path]
                    self._forgotten.add(path)
        if not _has_content(self._journal):
            return
        with self._journal.open("rb") as journal:
            for result, line in read_lines(journal, str(self._journal)):
                if result is None or not line.endswith(b"\n"):
                    break
                self._in_journal.add(self._learn(result))
                self._size += len(line)
        os.truncate(self._journal, self._size)

    def _learn(self, found: ResultRow | str | None) -> str:
        if not isinstance(found, ResultRow):
            raise damaged(self._shown, "a result in it names no video")
        if found.settings != self._settings:
            raise _other_settings(self._shown, found)
        self.known.pop(found.path, None)
        self.known[found.path] = replace(found, scores=())
        return found.path

    def _append(self, line: bytes) -> None:
        """Write at the end, all or nothing."""
        size = self._journal.stat().st_size if self._journal.exists() else 0
        if size != self._size:
            raise OutputError(
                f"{self._shown} was changed or removed by another program while results were "
                "written to it.",
                hint="Run it again, and leave the file alone meanwhile.",
            )
        try:
            with self._journal.open("ab") as file:
                file.write(line)
                write_through(file)
        except BaseException:
            with suppress(OSError):
                os.truncate(self._journal, self._size)
            raise
        self._size += len(line)

    def _all_rows(self) -> Iterator[Row]:
        """The rows of the old table that still count, then those of the journal."""
        gone = self._forgotten | self._in_journal
        if _has_content(self._path):
            with self._path.open("rb") as table:
                yield from (row for row in read_rows(table, self._format) if row.video not in gone)
        with suppress(FileNotFoundError), self._journal.open("rb") as journal:
            for line in journal:
                yield from rows_of(msgspec.json.decode(line))


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _other_settings(shown: str, found: ResultRow) -> UsageError:
    """The results in the file were made in another way."""
    hint = "Give another file, or start over with --again."
    name_now = None if found.model is None else name_of_weights(found.model, found.checkpoint)
    if name_now is not None:
        return UsageError(
            f"{shown} holds results that {found.model} made with the weights {found.checkpoint}, "
            f"which are called {name_now} now.",
            hint=f"Go on with --model {name_now}, give another file, or start over with --again.",
        )
    if not found.settings:
        return UsageError(
            f"{shown} holds results that do not say with which settings they were made.", hint=hint
        )
    return UsageError(
        f"{shown} holds results that were made with other settings (another model, recipe, or "
        "option).",
        hint=hint,
    )
