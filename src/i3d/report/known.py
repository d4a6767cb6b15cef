"""What a file of results says of a video, and what is said of files that can't be gone on with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import OutputError, UsageError
from i3d.models.catalog import name_of_weights
from i3d.report.text import encodable
from i3d.video.info import FileInfo

if TYPE_CHECKING:
    import os

_OTHER_FILE = "Give another file, or start over with --again."


@dataclass(frozen=True, slots=True)
class Known:
    """What a file of results says of one video."""

    path: str
    """As it is written there, see `key_of`."""
    is_ok: bool
    """There is an answer; else an error."""
    file: FileInfo | None
    """Which file it was; None where that was not known."""
    error_kind: str | None
    """Name of the error's class; None for an answer."""


def key_of(path: str | os.PathLike[str]) -> str:
    r"""The form of a path by which results are known.

    It is the path as results hold it: bytes of a name that are not UTF-8 are `\udc..` escapes. So a
    name with the byte 0xE9 and one with the six characters `\udce9` are one and the same; where
    both are there, their checksums tell that they are not.

    Args:
        path: A video's path as it was given.
    """
    return encodable(str(path))


def file_info(sha256: object, num_bytes: object, modified: object) -> FileInfo | None:
    """Put together which file it was.

    Args:
        sha256: As in `FileInfo`; None or empty, like the others, where it was not known.
        num_bytes: A number, or the text of one.
        modified: As in `FileInfo`.

    Raises:
        ValueError: One of them is missing, or not such a value.
    """
    values = (sha256, num_bytes, modified)
    if all(value in (None, "") for value in values):
        return None
    if not (
        isinstance(sha256, str)
        and re.fullmatch("[0-9a-f]{64}", sha256)
        and re.fullmatch("[0-9]{1,19}", str(num_bytes), re.ASCII)
        and isinstance(modified, str)
        and modified
    ):
        raise ValueError("no such file")
    return FileInfo(sha256, int(str(num_bytes)), modified)


def foreign_file(shown: str, format_name: str) -> UsageError:
    """The file is there, and is something else."""
    return UsageError(
        f"{shown} is there already, and does not hold results of i3d as {format_name}.",
        hint="Give another file for the results.",
    )


def damaged_file(shown: str, where: str) -> UsageError:
    """Something in the file is not as it was written.

    Args:
        shown: The file.
        where: `line 3`, or whatever says which part of it.
    """
    return UsageError(
        f"{shown} holds results, but {where} is damaged or was not written by i3d.",
        hint="Mend it or remove it, give another file, or start over with --again.",
    )


def resaved_file(shown: str) -> UsageError:
    """The file was written by i3d, and then by a spreadsheet."""
    return UsageError(
        f"{shown} holds results that another program has saved since: its line ends, its quotes or "
        "its encoding are not what i3d wrote.",
        hint=_OTHER_FILE,
    )


def other_settings(
    shown: str, settings: object, *, model: object = None, checkpoint: object = None
) -> UsageError:
    """The results in the file were made in another way.

    Args:
        shown: The file.
        settings: What it says; nothing, where it says nothing.
        model: What it says of the model's name.
        checkpoint: What it says of the model's weights.
    """
    if isinstance(model, str) and (checkpoint is None or isinstance(checkpoint, str)):
        name_now = name_of_weights(model, checkpoint)
        if name_now is not None:
            return UsageError(
                f"{shown} holds results that {model} made with the weights {checkpoint}, which are "
                f"called {name_now} now.",
                hint=f"Go on with --model {name_now}, give another file, or start over with "
                "--again.",
            )
    if not settings:
        return UsageError(
            f"{shown} holds results that do not say with which settings they were made.",
            hint=_OTHER_FILE,
        )
    return UsageError(
        f"{shown} holds results that were made with other settings (another model, recipe, or "
        "option).",
        hint=_OTHER_FILE,
    )


def cannot_write(shown: str, error: OSError) -> OutputError:
    """The file can't be written."""
    return OutputError(
        f"The result cannot be written to {shown}: {error.strerror or error}.",
        hint="Make room on the disk, or write to another place.",
    )


def cannot_read(shown: str, error: OSError) -> OutputError:
    """The file is there, and can't be read."""
    return OutputError(
        f"The results in {shown} cannot be read: {error.strerror or error}.",
        hint="Check its permissions and the disk that it is on, or give another file.",
    )
