"""Options that several commands share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import click

from i3d.cli.completion import complete_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Command = TypeVar("Command", bound=Callable[..., Any])


def _set_offline(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value:
        return
    before = os.environ.get("I3D_OFFLINE")
    os.environ["I3D_OFFLINE"] = "1"

    def restore() -> None:
        if before is None:
            del os.environ["I3D_OFFLINE"]
        else:
            os.environ["I3D_OFFLINE"] = before

    ctx.call_on_close(restore)


def offline_option(command: Command) -> Command:
    """`--offline`: what the environment variable does, for one run."""
    return click.option(
        "--offline",
        is_flag=True,
        expose_value=False,
        callback=_set_offline,
        help="Never use the network (like I3D_OFFLINE=1).",
    )(command)


def verbose_option(command: Command) -> Command:
    """`-v`: let libraries be heard."""
    return click.option(
        "-v", "--verbose", is_flag=True, help="Show what TensorFlow and FFmpeg log."
    )(command)


def output_option(text: str) -> Callable[[Command], Command]:
    """`-o`, of commands that write a file: required.

    Args:
        text: Its help.
    """
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        shell_complete=complete_files,
        help=text,
    )


def top_option(help_text: str) -> Callable[[Command], Command]:
    """`--top`: how many labels or videos."""
    return click.option(
        "--top",
        type=click.IntRange(min=1),
        default=5,
        show_default=True,
        metavar="K",
        help=help_text,
    )


def format_option(command: Command) -> Command:
    """`--format`: for people, or for programs."""
    return click.option(
        "--format",
        "format_name",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table for people, or JSON (its fields are in docs/json.md).",
    )(command)


_GROUPS = {
    "Many videos": {"--from", "--include", "--exclude", "--jobs", "--timeout"},
    "Model": {"--model", "--label-file", "--engine", "--precision"},
    "Video": {"--recipe", "--fps", "--input-range", "--start", "--end", "--max-frames"}
    | {"--image-fps", "--max-memory", "--save-scores"},
    "Transfers": {"--source", "--cafile", "--insecure"},
    "General": {"--offline", "--verbose", "--help"},
}
"""Title -> the options that several commands share, in the order of the help."""


class GroupedCommand(click.Command):
    """A command whose help shows its own options first, then the shared ones in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options for `--help`."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Options", *_GROUPS)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                names = {*parameter.opts}
                title = next((title for title in _GROUPS if names & _GROUPS[title]), "Options")
                rows[title].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
