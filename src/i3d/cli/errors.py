"""Exceptions to sentences and exit codes: the one place where that happens."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from i3d.errors import ExitCode, I3DError
from i3d.report.escaping import printable


class ErrorGroup(click.Group):
    """A command group that ends in a sentence and the right exit code, whatever was raised.

    Set `I3D_DEBUG=1` to see the traceback of an `I3DError`.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn what it raises into an exit."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except I3DError as error:
            if os.environ.get("I3D_DEBUG"):
                raise
            show_error(error)
            raise click.exceptions.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from error
        except BrokenPipeError as error:
            # Python would try to flush once more at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(ExitCode.CLOSED_PIPE) from error
        return result


def show_error(error: I3DError) -> None:
    """Print an error and its hint to standard error."""
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"  {printable(error.hint)}", err=True)


def show_warning(sentence: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {printable(sentence)}", err=True)


def show_note(sentence: str) -> None:
    """Print a note to standard error."""
    click.echo(f"{click.style('Note:', fg='cyan')} {printable(sentence)}", err=True)
