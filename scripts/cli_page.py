"""Writes docs/cli.md: all commands with their options, exit codes, environment variables.

    python scripts/cli_page.py

What commands and options do is taken from their own help; tests/test_docs.py holds the page to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"

EXIT_CODES = {
    ExitCode.OK: "ok",
    ExitCode.BUG: "a bug in i3d: please report it",
    ExitCode.USAGE: "the command line makes no sense",
    ExitCode.VIDEO: "the video is missing, can't be read, or has no frame in the span",
    ExitCode.UNKNOWN_NAME: "no model, label or clip has that name",
    ExitCode.TRANSFER: "something could not be downloaded, cached or written",
    ExitCode.ENGINE: "the model, or the engine that runs it, failed",
    ExitCode.PARTIAL: "some of several videos or clips failed",
    ExitCode.INTERRUPTED: "Ctrl-C",
    ExitCode.CLOSED_PIPE: "the program that read the output went away",
}

VARIABLES = {
    "I3D_CACHE_DIR": "where models and clips are kept, instead of the user's cache folder; it may "
    "be read-only",
    "I3D_OFFLINE=1": "never use the network, like `--offline`",
    "I3D_TIMEOUT": "seconds after which a silent server is given up (30)",
    "I3D_DEBUG=1": "show the traceback of an error",
    "I3D_TFHUB_URL": "a mirror of TensorFlow Hub",
    "I3D_PYPI_URL": "a Python package index",
    "I3D_GCS_URL": "a mirror of TensorFlow Hub's bucket",
    "I3D_KAGGLE_URL": "a mirror of Kaggle",
    "I3D_DEEPMIND_URL": "a mirror of DeepMind's repository",
    "I3D_UCF101_URL": "a mirror of UCF101's folder of clips",
    "I3D_UCF101_ZIP_URL": "a mirror of the zip of UCF101's clips",
}

START = """\
# The command line

Written by `scripts/cli_page.py` from what `i3d COMMAND --help` says.

Results go to standard output, everything else to standard error. `--format json` writes one
document that parses whatever happened ([json.md](json.md)). `python -m i3d` is the same as `i3d`.
"""

COMPLETION = """
## Shell completion

    eval "$(_I3D_COMPLETE=bash_source i3d)"      # bash, in ~/.bashrc
    eval "$(_I3D_COMPLETE=zsh_source i3d)"       # zsh, in ~/.zshrc
    _I3D_COMPLETE=fish_source i3d | source       # fish, in ~/.config/fish/config.fish
"""


def render() -> str:
    """The page, in Markdown."""
    return "".join([START, *_commands(cli), *_exit_codes(), *_variables(), COMPLETION])


def _commands(command: click.Command, *names: str) -> Iterator[str]:
    """A section for a command, and one for each command below it."""
    shown = CliRunner().invoke(cli, [*names, "--help"], prog_name="i3d", terminal_width=100)
    help_text = "\n".join(f"    {line}".rstrip() for line in shown.output.splitlines())
    yield f"\n## `{' '.join(['i3d', *names])}`\n\n{help_text}\n"
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], *names, name)


def _exit_codes() -> Iterator[str]:
    yield "\n## Exit codes\n\n| code | |\n|---|---|\n"
    yield from (f"| {code.value} | {EXIT_CODES[code]} |\n" for code in ExitCode)
    yield "| 129, 143 | the terminal was closed; the run was ended (SIGHUP, SIGTERM) |\n"


def _variables() -> Iterator[str]:
    yield "\n## Environment variables\n\n| variable | |\n|---|---|\n"
    yield from (f"| `{name}` | {meaning} |\n" for name, meaning in VARIABLES.items())
    yield "\nProxies, certificates and Kaggle's credentials: [models.md](models.md).\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8", newline="\n")
