"""Keeps the results of an evaluation, so that it can be resumed.

Each combination of settings has a file of JSON lines. Several processes may append to it at once.
A line that a crash or a full disk cut off is ignored, and its clip is evaluated again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from i3d.analysis.results import TrueLabel  # noqa: TC001  (msgspec looks at annotations)
from i3d.datasets.measures import Guess  # noqa: TC001  (the same)
from i3d.files.whole import write_through
from i3d.models.folders import cannot_read, cannot_write

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """What was found of one clip."""

    making: str
    """`Settings.key` of the evaluation."""
    clip: str
    """Name of the clip."""
    sha256: str
    """Of its file, in hexadecimal."""
    num_bytes: int
    """Size of its file."""
    truth: tuple[TrueLabel, ...]
    """Rank and probability of all labels that fit its category, whether they count or not."""
    best: tuple[Guess, ...]
    """The most likely labels, best first."""
    warnings: tuple[str, ...]


class Journal:
    """The results of one combination of settings.

    Args:
        folder: The folder of all journals; need not exist.
        recipe: Name of the preprocessing.
        key: `Settings.key` of the evaluation.
    """

    def __init__(self, folder: Path, recipe: str, key: str) -> None:
        self._key = key
        self.path = folder / f"{recipe}-{key[:32]}.jsonl"

    def read(self) -> dict[str, Entry]:
        """Read the results: clip name -> its last valid line.

        Raises:
            CacheError: The file is there and can't be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise cannot_read(self.path.parent, error) from error
        found = {}
        for line in lines:
            with suppress(ValueError, RecursionError):  # msgspec's errors are ValueErrors, too
                entry = msgspec.convert(json.loads(line), Entry)
                if entry.making == self._key and entry.best:
                    found[entry.clip] = entry
        return found

    def append(self, *entries: Entry) -> None:
        """Append lines; they are on the disk when this returns.

        Each begins with a line end, so that a line that was cut off spoils no other.

        Args:
            entries: The results; without any, this only checks that the file can be written.

        Raises:
            CacheError: It can't be written.
        """
        # ASCII alone: names of labels and folders may hold lone surrogates.
        lines = [f"\n{json.dumps(asdict(entry), allow_nan=False)}" for entry in entries]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write("".join(lines).encode("ascii"))
                write_through(file)
        except OSError as error:
            raise cannot_write(self.path.parent, error) from error
