"""Files of results, whatever their format, to the videos in them.

Nothing is locked or changed: a file may grow while it is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from i3d.errors import I3DError, UsageError
from i3d.models.catalog import name_of_weights
from i3d.report.formats import read_rows
from i3d.report.jsons import DOCUMENT_SCHEMA, RESULT_SCHEMA, to_json
from i3d.report.rows import COLUMNS, Probability, Seconds
from i3d.video.info import FileInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from i3d.report.rows import Row

_OPENINGS = {
    "jsonl": to_json({"schema": RESULT_SCHEMA}).encode()[:-1],
    "json": b'{\n  "schema": "' + DOCUMENT_SCHEMA.encode(),
    "csv": ",".join(COLUMNS).encode(),
    "parquet": b"PAR1",
}
"""How files of results begin, by their format."""


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
    """Name of the error's class; None for an answer."""
    model: str | None = None
    """Name of the model; None where the video failed."""
    checkpoint: str | None = None
    """Which of DeepMind's checkpoints the model is; None for none, and in CSV and Parquet."""
    unofficial: bool = False
    """The model's weights were not published; in CSV and Parquet its name says so."""
    start_seconds: float | None = None
    """Start of the span that was classified; None where the video failed."""
    end_seconds: float | None = None
    """End of that span."""
    warnings: tuple[str, ...] = ()
    """What to know before trusting the result; CSV and Parquet hold all as one text."""
    file: FileInfo | None = None
    """Which file it was, where that is known."""
    settings: str | None = None
    """SHA-256 over the settings of the run, where that is known."""

    @property
    def title(self) -> str | None:
        """What the model is called now, with ` (unofficial)` where it is that."""
        if self.model is None or self.unofficial:
            return self.model and f"{self.model} (unofficial)"
        return name_of_weights(self.model, self.checkpoint) or self.model

    @property
    def is_ok(self) -> bool:
        """Whether there is an answer."""
        return self.error_message is None


@dataclass(frozen=True)
class FoundResults:
    """What a file of results holds."""

    rows: tuple[ResultRow, ...]
    """The videos in the order of the file; of two results of one video, the last one."""
    num_torn: int = 0
    """Results at the end of the file that are cut off, and left out here: 0 or 1."""
    stopped: str | None = None
    """What stopped the run that wrote the file, where the file says so."""


def read_results(path: str | os.PathLike[str]) -> FoundResults:
    """Read a file of results that `i3d classify` wrote.

    A result at the end of JSON lines that is cut off, because it is being written or because a run
    was killed, is left out and counted.

    Args:
        path: The file; how it begins says which format it has.

    Returns:
        Its videos, at least one unless the run was stopped before. Memory: about 1 kB a video
        with five labels.

    Raises:
        UsageError: It is missing, a folder, can't be read, holds something else or nothing, or is
            damaged. For Parquet: pyarrow is not installed.
    """
    shown = os.fspath(path)
    rows: dict[str, ResultRow] = {}
    stopped: str | None = None
    is_torn = False
    try:
        with Path(path).open("rb") as file:
            for found in results_in(file, shown):
                if isinstance(found, ResultRow):
                    rows.pop(found.path, None)  # so that the order is that of the last ones
                    rows[found.path] = found
                elif found is None:
                    is_torn = True
                else:
                    stopped = found
    except FileNotFoundError:
        raise _missing(Path(path), shown) from None
    except I3DError:  # some of them are OSErrors, too
        raise
    except OSError as error:
        raise UsageError(
            f"The results in {shown} cannot be read: {error.strerror or error}.",
            hint="Give a file that i3d classify wrote with -o, and check its permissions.",
        ) from error
    if not rows and stopped is None:
        raise UsageError(
            f"{shown} holds no results{' but a torn one' if is_torn else ''}.",
            hint="Run i3d classify first, or wait until it is done with a video.",
        )
    return FoundResults(tuple(rows.values()), int(is_torn), stopped)


def format_of_results(file: BinaryIO) -> str | None:
    """Tell the format of a file of results by how it begins; None for something else.

    An empty file, and a first JSON line that is cut off early, are JSON lines.
    """
    start = file.read(max(map(len, _OPENINGS.values())))
    file.seek(0)
    for name, opening in _OPENINGS.items():
        if start.startswith(opening) or opening.startswith(start):
            return name
    return None


def results_in(file: BinaryIO, shown: str) -> Iterator[ResultRow | str | None]:
    """Read a file of results.

    Args:
        file: The file, at its start.
        shown: Its name in messages.

    Yields:
        Each video; what stopped the whole run; None for a torn end.

    Raises:
        UsageError: It holds something else, or is damaged.
    """
    format_name = format_of_results(file)
    if format_name is None:
        raise UsageError(
            f"{shown} does not hold results of i3d classify.",
            hint="Give a file that i3d classify wrote: .jsonl, .json, .csv or .parquet.",
        )
    if format_name == "jsonl":
        for result, _ in read_lines(file, shown):
            yield result
        return
    try:
        if format_name == "json":
            document = msgspec.json.decode(file.read(), type=_Document)
            yield from map(_result_row, document.results)
            if document.error is not None:
                yield document.error.message
        else:
            yield from _results_of_rows(read_rows(file, format_name))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise damaged(shown, str(error)) from error


def damaged(shown: str, why: str) -> UsageError:
    """Something in a file is not as it was written.

    Args:
        shown: The file.
        why: What is the matter, as a clause.
    """
    return UsageError(
        f"{shown} is damaged, or was not written by i3d: {why}.",
        hint="Repair or remove it, give another file, or start over with i3d classify --again.",
    )


def read_lines(file: BinaryIO, shown: str) -> Iterator[tuple[ResultRow | str | None, bytes]]:
    """Read JSON lines.

    Args:
        file: The file, at its start.
        shown: Its name in messages.

    Yields:
        What `results_in` yields, with its line. None is a last line that is cut off, or that has
        zero bytes in it after a power cut.

    Raises:
        UsageError: Another line is damaged.
    """
    decoder = msgspec.json.Decoder(_Answer | _Failure)
    for number, line in enumerate(file, 1):
        try:
            result = decoder.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            is_cut = not line.endswith(b"\n") or b"\0" in line
            if isinstance(error, msgspec.ValidationError) or not is_cut or file.read(1):
                raise damaged(shown, f"line {number}: {error}") from error
            yield None, line
            return
        yield _result_row(result), line


class _Video(msgspec.Struct):
    path: str


class _Error(msgspec.Struct):
    message: str
    kind: str


class _Score(msgspec.Struct):
    label: str
    probability: Probability


class _Clip(msgspec.Struct):
    start_seconds: Seconds
    end_seconds: Seconds


class _Model(msgspec.Struct):
    name: str
    checkpoint: str | None = None
    unofficial: bool = False


class _Failure(msgspec.Struct, tag_field="status", tag="error"):
    schema: Literal["i3d.prediction/1"]
    video: _Video | None
    error: _Error
    file: FileInfo | None = None
    settings: str | None = None


class _Answer(msgspec.Struct, tag_field="status", tag="ok"):
    schema: Literal["i3d.prediction/1"]
    video: _Video
    clip: _Clip
    scores: list[_Score]
    model: _Model
    warnings: tuple[str, ...]
    file: FileInfo | None = None
    settings: str | None = None


class _Document(msgspec.Struct):
    schema: Literal["i3d.classification/1"]
    results: list[_Answer | _Failure]
    error: _Error | None = None


def _result_row(result: _Answer | _Failure) -> ResultRow | str:
    """What a result says of its video; or what stopped the whole run, where it names none."""
    if isinstance(result, _Failure):
        message, kind = result.error.message, intern(result.error.kind)
        if result.video is None:
            return message
        path = result.video.path
        return ResultRow(path, (), message, kind, file=result.file, settings=result.settings)
    return ResultRow(
        result.video.path,
        tuple((intern(score.label), score.probability) for score in result.scores),
        model=intern(result.model.name),
        checkpoint=result.model.checkpoint,
        unofficial=result.model.unofficial,
        start_seconds=result.clip.start_seconds,
        end_seconds=result.clip.end_seconds,
        warnings=tuple(map(intern, result.warnings)),
        file=result.file,
        settings=result.settings,
    )


def _results_of_rows(rows: Iterable[Row]) -> Iterator[ResultRow | str]:
    """Put the rows of each video together; they follow one another, by rank."""
    block: list[Row] = []
    for row in rows:
        if block and (row.video != block[0].video or row.rank in (None, 1)):
            yield _result_of_block(block)
            block = []
        block.append(row)
    if block:
        yield _result_of_block(block)


def _result_of_block(block: list[Row]) -> ResultRow | str:
    first = block[0]
    video, message = first.video, first.message
    if video is None:
        return str(message)
    file = None
    if first.sha256 is not None and first.num_bytes is not None and first.modified is not None:
        file = FileInfo(first.sha256, first.num_bytes, first.modified)
    if first.status == "error":
        kind = first.error_kind
        return ResultRow(video, (), str(message), kind, file=file, settings=first.settings)
    scores = tuple(
        (intern(row.label), row.probability)
        for row in block
        if row.label is not None and row.probability is not None and row.settings == first.settings
    )
    if len(scores) < len(block):
        raise ValueError(f"the rows of {video} are not whole")
    return ResultRow(
        video,
        scores,
        model=first.model,
        start_seconds=first.start_seconds,
        end_seconds=first.end_seconds,
        warnings=() if message is None else (message,),
        file=file,
        settings=first.settings,
    )


def _missing(path: Path, shown: str) -> UsageError:
    journal = path.with_name(f".{path.name}.i3d-part")
    if journal.is_file():
        return UsageError(
            f"There is no file {shown} yet: its run is not over.",
            hint=f"Wait, run the same command again, or give {journal}, which holds the results "
            "until then.",
        )
    return UsageError(f"There is no file {shown}.", hint="Check the path.")
