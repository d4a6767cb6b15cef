"""Where results go: standard output, or a file that appears when it is whole."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from i3d.errors import I3DError, OutputError, UsageError, cannot_write
from i3d.report.formats import FORMATS, suffixes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from typing_extensions import Self


_STDOUT_NAMES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names of standard output; nothing is ever renamed to one of them."""


class Output:
    """Standard output, or a file.

    A file is written beside its final name and takes it in `finish`. Without that, the block leaves
    no new file, and one that was there before stays as it was.

    Args:
        path: A file, or None or `-` for standard output.
        inputs: Files that must not be overwritten.
        utf8: Write UTF-8 also where the system's encoding is another one; a terminal always gets
            its own.

    Raises:
        UsageError: `path` is a folder, lies in a folder that does not exist, or is an input.
        OutputError: The file can't be written.
    """

    def __init__(self, path: str | None, inputs: Iterable[str] = (), *, utf8: bool = True) -> None:
        self._target = None if path in (None, "-", *_STDOUT_NAMES) else Path(path)
        self._name = "standard output" if self._target is None else str(self._target)
        self._stream: TextIO = sys.stdout
        self._private: Path | None = None
        self._is_empty = True
        if self._target is None:
            if sys.stdout is None:  # closed by the shell: `>&-`
                raise cannot_write(self._name, OSError(errno.EBADF, os.strerror(errno.EBADF)))
            _prepare_stdout(utf8=utf8)
            return
        check_target(self._target, inputs)
        with _writing(self._name):
            if self._target.exists() and not self._target.is_file():
                # A device or a pipe: a rename would put a file in its place.
                self._stream = self._target.open("w", encoding="utf-8", newline="\n")
                return
            self._target, self._private = _beside(self._target)
            self._stream = self._private.open("x", encoding="utf-8", newline="\n")

    @property
    def is_file(self) -> bool:
        """Whether results go to a file."""
        return self._target is not None

    def write(self, text: str) -> None:
        """Write a piece of the document, and pass it on at once.

        Raises:
            OutputError: It can't be written.
            BrokenPipeError: The reader of standard output has gone.
        """
        if not text:
            return
        self._is_empty = False
        with _writing(self._name):
            self._stream.write(text)
            self._stream.flush()

    def finish(self) -> None:
        """The document is whole: give the file its name, unless nothing was written to it.

        Raises:
            OutputError: It can't be written.
        """
        if self._target is not None and self._private is not None and not self._is_empty:
            from i3d.files.whole import take_place

            with _writing(self._name):
                self._stream.close()
                take_place(self._private, self._target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._target is not None:
            with suppress(OSError):  # a full disk; the rest is thrown away anyway
                self._stream.close()
        if self._private is not None:
            self._private.unlink(missing_ok=True)


@contextmanager
def written_beside(path: str, inputs: Iterable[str] = ()) -> Iterator[Path]:
    """A file that a library writes by its path, such as a video: it appears when it is whole.

    Args:
        path: The file.
        inputs: Files that must not be overwritten.

    Yields:
        A private path in the same folder with the same suffix, where no file is yet. What lies
        there at the end of the block gets the file's name; where the block fails, it is removed,
        and a file that was there before stays as it was.

    Raises:
        UsageError: `path` is standard output, a device or a folder, lies in a folder that does not
            exist, or is an input.
        OutputError: The file can't be written: what the block raises as an `OSError`, too.
    """
    from i3d.files.whole import take_place

    if not is_plain_file(path):
        check_target(Path(path), inputs)  # has its own message for a folder
        raise UsageError(
            f"The output {path} is not a file.",
            hint="Pictures and videos are written to a file: give it a name.",
        )
    check_target(Path(path), inputs)
    target, private = _beside(Path(path))
    try:
        with _writing(path):
            private.open("xb").close()  # report a folder that can't be written before the work
            private.unlink()
            yield private
            take_place(private, target)
    finally:
        with suppress(OSError):
            private.unlink(missing_ok=True)


def format_of(output: str | None, formats: Collection[str]) -> str:
    """The format that an output file's ending asks for.

    Args:
        output: The file; None for none.
        formats: The formats to choose from; an ending in upper case means the same.

    Returns:
        One of `formats`; `table` for a name without an ending.

    Raises:
        UsageError: None of the formats has that ending.
    """
    suffix = "" if output is None else Path(output).suffix.lower()
    if not suffix:
        return "table"
    for name in formats:
        if suffix in FORMATS[name].suffixes:
            return name
    raise UsageError(
        f"The output {output} ends in {suffix}, and no format here has that ending.",
        hint=f"These are known: {', '.join(suffixes_of(formats))}. Or give --format.",
    )


def _beside(target: Path) -> tuple[Path, Path]:
    """Where a file really lies, for a link stays a link; and a private path beside it."""
    import secrets  # here, for most commands write to standard output

    target = Path(os.path.realpath(target))
    return target, target.with_name(f".i3d-{secrets.token_hex(8)}{target.suffix}")


@contextmanager
def _writing(where: str) -> Iterator[None]:
    """Turn errors of writing into an `OutputError` that names the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(error, I3DError) and not (isinstance(error, OutputError) and error.strerror):
            raise  # such as a video that is missing, or can't be encoded
        raise cannot_write(where, error) from error


def _prepare_stdout(*, utf8: bool) -> None:
    """Make sure that any name can be written, and data in UTF-8 (Windows pipes are not)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if utf8 and not sys.stdout.isatty():
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        else:
            sys.stdout.reconfigure(errors="backslashreplace")


def is_plain_file(path: str | None) -> bool:
    """Whether an output is a file, or will be one: not standard output, a device or a pipe."""
    if path is None or path in ("-", *_STDOUT_NAMES):
        return False
    status = _status(Path(path))
    return status is None or stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    """Ask the system about a file; None if it does not exist.

    Raises:
        OutputError: The name is too long, or a folder can't be entered.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_write(str(path), error) from error


def check_target(target: Path, inputs: Iterable[str]) -> None:
    """Make sure that a file can be an output.

    Args:
        target: The file.
        inputs: Files that must not be overwritten.

    Raises:
        UsageError: It is a folder, lies in a folder that does not exist, or is an input.
        OutputError: The system refuses its name.
    """
    status = _status(target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise UsageError(f"The output {target} is a folder.", hint="Give the name of a file.")
    if not target.parent.is_dir():
        raise UsageError(
            f"The folder of the output {target} does not exist.", hint="Make the folder first."
        )
    for path in inputs:
        try:
            same = target.samefile(path)
        except (OSError, ValueError):  # one of them does not exist, or can't be a file name
            same = False
        if same:
            raise UsageError(
                f"The output {target} is one of the videos and would be overwritten.",
                hint="Choose another name for the output.",
            )
