"""What was found of each clip, kept on disk line by line, so that a run can go on later.

A journal is a file of JSON lines: what the results were made with, then a line for each clip. It
is written by whoever evaluates, several processes at once included, and it may have been cut by a
crash or a full disk. So a reader believes nothing: a line that is not whole, or not of this making,
is as good as none, and its clip is evaluated again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.analysis.results import TrueLabel
from i3d.datasets.measures import Guess
from i3d.errors import CacheError
from i3d.models.folders import cannot_read, cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.datasets.settings import Settings

_MAX_BYTES = 2**30
"""A larger file is refused: a line takes 1 to 2 kB, so this is all 13,320 clips forty times."""

_MAX_LINE_BYTES = 2**20
"""No line is longer; of one that is, no part is a clip's."""

_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What systems say of files on disks that know no `fsync`, such as some network drives."""


@dataclass(frozen=True)
class Entry:
    """What was found of one clip."""

    clip: str
    """Name of the clip."""
    sha256: str
    """Of its file, in hexadecimal."""
    num_bytes: int
    """Size of its file."""
    truth: tuple[TrueLabel, ...]
    """Where the labels came that fit its category, whether they count or not."""
    best: tuple[Guess, ...]
    """The most likely labels, best first."""
    warnings: tuple[str, ...]


class Journal:
    """The file that holds the results of one making.

    Args:
        folder: The folder of all journals; need not exist.
        settings: What the results are made with: other settings have another file.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._key = settings.key
        self._handle: int | None = None
        self.path = folder / f"{settings.recipe.name}-{self._key[:32]}.jsonl"

    def read(self) -> dict[str, Entry]:
        """Read what is known.

        Returns:
            Name of a clip -> its last good line.

        Raises:
            CacheError: The file is there and can't be read, or is too large.
        """
        try:
            entries = [_entry_from_line(line, self._key) for line in self._lines()]
        except FileNotFoundError:
            return {}
        except CacheError:  # an OSError, too
            raise
        except OSError as error:
            raise cannot_read(self.path.parent, error) from error
        return {entry.clip: entry for entry in entries if entry is not None}

    def _lines(self) -> Iterator[bytes]:
        info = self.path.stat()
        if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            return  # a device or a pipe keeps nothing, and its end may never come
        if info.st_size > _MAX_BYTES:
            raise CacheError(
                f"{self.path} is too large for a journal of evaluations.", hint="Remove it."
            )
        with self.path.open("rb") as file:
            while line := file.readline(_MAX_LINE_BYTES):
                yield line

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Open the file for `append` for the length of a block; make it where it is missing.

        Raises:
            CacheError: It can't be written.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise cannot_write(self.path.parent, error) from error
        try:
            if os.fstat(self._handle).st_size == 0:
                self._write(self._head())
            yield
        finally:
            os.close(self._handle)
            self._handle = None

    def append(self, entry: Entry) -> None:
        """Add a clip's line; it is on the disk when this returns.

        A line is one write in append mode, which on Linux and macOS keeps those of several
        processes apart (on local disks). On Windows, and on NFS, the system seeks and writes in two
        steps, so that two lines can land on each other: `read` then takes neither, and their
        clips are evaluated again.

        Args:
            entry: What was found.

        Raises:
            CacheError: It can't be written. What arrived of the line is ignored by `read`, and
                the next line starts on a line of its own.
        """
        self._write({"making": self._key, **asdict(entry)})

    def _head(self) -> dict[str, Any]:
        """What the first line says, for people who open the file."""
        settings = self._settings
        return {
            **settings.making,
            "model_name": settings.model.name,
            "label_list": settings.model.label_list,
            "i3d_version": __version__,
        }

    def _write(self, data: dict[str, Any]) -> None:
        assert self._handle is not None, "append() belongs inside writing()"
        # ASCII alone: names of labels and folders may hold lone surrogates.
        line = json.dumps(data, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        try:
            if _is_torn(self._handle):
                line = b"\n" + line
            while line:  # a full disk takes a part, and gives its reason at the second try
                line = line[os.write(self._handle, line) :]
            _sync(self._handle)
        except OSError as error:
            raise cannot_write(self.path.parent, error) from error


def _is_torn(handle: int) -> bool:
    """Tell whether a file ends within a line.

    While another process writes it may look so. That costs an empty line, which says nothing.
    """
    size = os.lseek(handle, 0, os.SEEK_END)
    if size == 0:
        return False
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1) != b"\n"


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _entry_from_line(line: bytes, key: str) -> Entry | None:
    """Read a clip's line; None for one that is damaged, of another making, or not a clip's."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("making") != key:
            return None
        return Entry(
            clip=_text(data["clip"]),
            sha256=_text(data["sha256"], pattern="[0-9a-f]{64}"),
            num_bytes=_count(data["num_bytes"], least=0),
            truth=tuple(_true_label(label) for label in _list(data["truth"])),
            best=tuple(_guess(guess) for guess in _list(data["best"], least=1)),
            warnings=tuple(_text(warning) for warning in _list(data["warnings"])),
        )
    # LookupError, TypeError: a part is missing or of another type. RecursionError: hostile depth.
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _true_label(data: Any) -> TrueLabel:
    return TrueLabel(
        label=_text(data["label"]),
        relation=_text(data["relation"]),
        rank=_count(data["rank"], least=1),
        probability=_probability(data["probability"]),
    )


def _guess(data: Any) -> Guess:
    return Guess(_text(data["label"]), _probability(data["probability"]))


def _text(value: object, pattern: str = ".*") -> str:
    if not isinstance(value, str) or re.fullmatch(pattern, value, re.DOTALL) is None:
        raise ValueError("no such text")
    return value


def _count(value: object, *, least: int) -> int:
    if type(value) is not int or value < least:  # True and False are no counts
        raise ValueError("no such count")
    return value


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError("no probability")
    return float(value)


def _list(value: object, *, least: int = 0) -> list[Any]:
    if not isinstance(value, list) or len(value) < least:
        raise ValueError("no such list")
    return value
