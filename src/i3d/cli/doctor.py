"""`i3d doctor`: would the main job work here?"""

from __future__ import annotations

import json
from importlib.util import find_spec

import click

from i3d.cli.options import format_option, offline_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.errors import ExitCode
from i3d.progress import NO_PROGRESS


@click.command("doctor")
@format_option
@offline_option
@verbose_option
def doctor_command(format_name: str, verbose: bool) -> None:
    """Check this machine, and print a report for bug reports.

    Exits with 0 only where `i3d classify` with the default model would work. Asks each source of
    the model for one byte; fetches nothing.
    """
    from i3d.cli.check import check_as_text, checks_as_dict
    from i3d.cli.checks import exit_code, run_checks

    checks = []
    with Output(None, utf8=format_name == "json") as output:
        with libraries_silenced(verbose=verbose):
            # A missing package is a finding, also where it is the one that shows progress.
            progress = NO_PROGRESS if find_spec("rich") is None else progress_on_terminal()
            for check in run_checks(progress):
                checks.append(check)
                if format_name == "table":
                    output.write(check_as_text(check))
        code = exit_code(checks)
        works = code is ExitCode.OK
        if format_name == "json":
            document = checks_as_dict(checks, works=works)
            output.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        else:
            output.write(
                "\ni3d classify works here.\n" if works else "\ni3d classify does not work here.\n"
            )
    if not works:
        raise click.exceptions.Exit(code)
