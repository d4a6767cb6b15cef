"""Exceptions to sentences and exit codes: the one place where that happens."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from i3d.errors import ExitCode, I3DError, OutputError, UserInterruptError
from i3d.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ErrorGroup(click.Group):
    """A command group that ends in a sentence and the right exit code, whatever was raised.

    Set `I3D_DEBUG=1` to see the traceback of an `I3DError`.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line; `--help` and `--version` print in here."""
        with _ends_in_exit():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn what it raises into an exit."""
        with _ends_in_exit():
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result


@contextmanager
def _ends_in_exit() -> Iterator[None]:
    try:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            if isinstance(error, I3DError) or error.errno not in (errno.ENOSPC, errno.EIO):
                raise
            raise OutputError(
                f"The output cannot be written: {error.strerror}.",
                hint="Make room on the disk.",
            ) from error
    except (click.exceptions.Exit, click.ClickException):
        raise
    except I3DError as error:
        if os.environ.get("I3D_DEBUG"):
            raise
        if isinstance(error, UserInterruptError):
            _say(error.message)
        else:
            show_error(error)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        _say("Interrupted.")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from error
    except BrokenPipeError as error:
        # Python would try to flush once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(ExitCode.CLOSED_PIPE) from error


def _say(line: str) -> None:
    """Print to standard error; where that is full or gone, the exit code must do."""
    if sys.stderr is None:  # closed by the shell: `2>&-`
        return
    with suppress(OSError):
        # Not err=True: during a progress display `sys.stderr` is Rich's, which puts the line above
        # the display, and click would look for another stream behind it.
        click.echo(line, file=sys.stderr, color=False if os.environ.get("NO_COLOR") else None)


def show_error(error: I3DError) -> None:
    """Print an error and its hint to standard error."""
    _say(f"{click.style('Error:', fg='red', bold=True)} {printable(error.message)}")
    for line in error.details:
        _say(f"  {printable(line)}")
    if error.hint:
        _say(f"  {printable(error.hint)}")


def show_warning(sentence: str) -> None:
    """Print a warning to standard error."""
    _say(f"{click.style('Warning:', fg='yellow')} {printable(sentence)}")


def show_warnings(video: str, warnings: Iterable[str]) -> None:
    """Print what should be known of a video's result."""
    for warning in warnings:
        show_warning(f"{video}: {warning}.")


def show_note(sentence: str) -> None:
    """Print a note to standard error."""
    _say(f"{click.style('Note:', fg='cyan')} {printable(sentence)}")
