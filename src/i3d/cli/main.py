"""The `i3d` command: the only place that imports click, prints, or exits.

Commands are imported when they are asked for, and import what they need when they run, so that
`i3d --help`, `i3d labels` and `i3d ucf list` stay fast.
"""

from __future__ import annotations

import os
import signal
import sys

import click

from i3d import __version__
from i3d.cli.errors import ErrorGroup
from i3d.cli.lazy import LazyCommand, LazyGroup
from i3d.errors import ExitCode

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

EPILOG = """\
\b
Exit codes: 0 ok, 1 a bug, 2 usage, 3 video, 4 unknown name, 5 transfer, cache or output,
6 engine or model, 7 some of several videos or clips failed, 130 Ctrl-C, 141 output closed,
129 and 143 ended by a signal.
"""


COMMANDS = {
    "annotate": LazyCommand(
        "i3d.cli.annotate",
        "annotate_command",
        "Write a copy of the video with the labels drawn on it.",
    ),
    "classify": LazyCommand(
        "i3d.cli.classify",
        "classify_command",
        "Show the most likely labels of each video.",
    ),
    "doctor": LazyCommand(
        "i3d.cli.doctor",
        "doctor_command",
        "Check this machine, and print a report for bug reports.",
    ),
    "labels": LazyCommand(
        "i3d.cli.labels",
        "labels_command",
        "List a model's labels, with their numbers.",
    ),
    "model": LazyCommand("i3d.cli.model", "model_group", "Download, check and manage models."),
    "preview": LazyCommand(
        "i3d.cli.preview",
        "preview_command",
        "Write exactly what the model sees, as an animation or a sheet of pictures.",
    ),
    "report": LazyCommand(
        "i3d.cli.report",
        "report_command",
        "Write a web page about a video, or about a file of results.",
    ),
    "timeline": LazyCommand(
        "i3d.cli.timeline",
        "timeline_command",
        "Show what happens when in a video.",
    ),
    "ucf": LazyCommand(
        "i3d.cli.ucf",
        "ucf_group",
        "List and download UCF101's clips, measure a model on them.",
    ),
}


class _I3DGroup(ErrorGroup, LazyGroup):
    """All of `i3d`."""


@click.group(cls=_I3DGroup, lazy=COMMANDS, context_settings=CONTEXT, epilog=EPILOG)
@click.version_option(__version__, prog_name="i3d", message="%(prog)s %(version)s")
def cli() -> None:
    """What is happening in this video?

    Classifies videos with DeepMind's I3D network (400 human actions of Kinetics), or other video
    models in TensorFlow's format, or the small model of camera moves that ships with i3d.
    """


def main() -> None:
    """Run the command line and exit."""
    for descriptor in (0, 1, 2):  # a closed one (`2>&-`) would go to the next file that is opened
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # kill, timeout and a closed terminal end the run as Ctrl-C does: temporary files, the lock of a
    # download and the hidden cursor are seen to.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    try:
        cli(prog_name="i3d")
    except Exception:  # noqa: BLE001  (the last stop of every bug)
        import traceback

        traceback.print_exc()
        click.echo(
            "\nThis is a bug in i3d: please report it with the text above and "
            f"`i3d --version` ({__version__}).",
            err=True,
        )
        sys.exit(ExitCode.BUG)
