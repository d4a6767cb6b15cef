"""Options that the commands on UCF101 share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_warning
from i3d.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from i3d.files.trust import Trust

    Command = TypeVar("Command", bound=Callable[..., Any])


def split_options(command: Command) -> Command:
    """`--split` and `--subset`: the official lists."""
    command = click.option(
        "--subset",
        type=click.Choice(["train", "test"]),
        help="Only this part of the --split.",
    )(command)
    return click.option(
        "--split",
        type=click.IntRange(1, 3),
        help="Only clips of this official split into train and test.",
    )(command)


def transfer_options(command: Command) -> Command:
    """`--source`, `--jobs`, `--cafile` and `--insecure`: how clips are fetched."""
    command = trust_options(command)
    command = click.option(
        "--jobs",
        type=click.IntRange(1, 16),
        default=4,
        show_default=True,
        metavar="N",
        help="How many clips to fetch at a time.",
    )(command)
    return click.option(
        "--source",
        type=click.Choice(["index", "zip"]),
        help="Fetch from this source alone: the index host, or the zip (single members of it). "
        "Default: the first, and where it fails the second.",
    )(command)


def trust_options(command: Command) -> Command:
    """`--cafile` and `--insecure`: which certificates are trusted; see `trust_of`."""
    command = click.option(
        "--insecure",
        is_flag=True,
        help="Take any certificate. Anybody on the way can then change what is fetched.",
    )(command)
    return click.option(
        "--cafile",
        type=click.Path(),
        callback=_parse_cafile,
        shell_complete=complete_files,
        metavar="FILE",
        help="Trust the certificates in FILE (PEM), not those of this machine.",
    )(command)


def _parse_cafile(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """Turn the text of --cafile into its value; an empty one would be the folder here."""
    if value == "":
        raise click.BadParameter("is empty.", ctx, param)
    return None if value is None else Path(value)


def trust_of(cafile: Path | None, *, insecure: bool) -> Trust:
    """What --cafile and --insecure ask for; --insecure warns each time."""
    from i3d.files.trust import Trust

    if cafile is not None and insecure:
        raise UsageError("--cafile and --insecure contradict each other.", hint="Give one.")
    if insecure:
        show_warning(
            "Certificates are not checked (--insecure): anybody on the way can change what is "
            "fetched."
        )
    trust = Trust(cafile=cafile, verify=not insecure)
    if cafile is not None:
        trust.check()
    return trust
