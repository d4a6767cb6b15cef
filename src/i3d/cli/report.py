"""`i3d report`: a page to look at, about a video or about many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from i3d.cli.completion import complete_files
from i3d.cli.model_options import model_options
from i3d.cli.options import GroupedCommand, offline_option, output_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.pages import media_option, video_page
from i3d.cli.question import TimelineQuestion, timeline_options
from i3d.cli.terminal import libraries_silenced
from i3d.cli.video_options import check_names, video_options
from i3d.errors import UsageError

if TYPE_CHECKING:
    from i3d.pictures.stills import MediaChoice

_OF_RESULTS = frozenset({"subject", "output", "verbose"})
"""Parameters that mean something for a page about results."""

_RESULT_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
"""Suffixes of files of results: no video has one of them."""

EPILOG = """\
\b
Examples:
  i3d report match.mp4 -o match.html
  i3d report clip.avi --model camera-motion --video embed -o clip.html
  i3d classify videos/ -o results.jsonl; i3d report results.jsonl -o index.html
"""


@click.command("report", cls=GroupedCommand, epilog=EPILOG)
@click.argument("subject", metavar="VIDEO|RESULTS", shell_complete=complete_files)
@output_option("The page: a file that ends in .html, or - for standard output.")
@timeline_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="K",
    help="How many labels to show at first.",
)
@media_option
@model_options
@video_options
@offline_option
@verbose_option
@click.pass_context
def report_command(
    context: click.Context,
    /,
    subject: str,
    output: str,
    top: int,
    media: MediaChoice,
    verbose: bool,
    **options: Any,
) -> None:
    """Write a web page about a video, or about a file of results.

    The page is one file that any browser shows without a network. Click its chart to jump to that
    moment of the video. For a file of results (i3d classify -o results.jsonl, .json, .csv or
    .parquet), the page is an index of all its videos, to search and to sort.
    """
    check_names(output=output)
    if output != "-" and Path(output).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"The page {output} does not end in .html.", hint="Add it to the name.")
    if Path(subject).suffix.lower() in _RESULT_SUFFIXES:
        _refuse_options(context)
        _write_index(subject, output)
        return
    question = TimelineQuestion({"video": subject, **options})
    with Output(output, inputs=[subject]) as destination:
        with libraries_silenced(verbose=verbose):
            page = video_page(
                question.answer(),
                output if destination.is_file else None,
                top=top,
                media=media,
                image_fps=question.span["image_fps"],
            )
        destination.write(page)
        destination.finish()


def _write_index(results: str, output: str) -> None:
    from i3d.report.pages.index_page import render_index
    from i3d.report.reading import read_results

    with Output(output, inputs=[results]) as destination:
        found = read_results(results)
        folder = Path(output).parent if destination.is_file else None
        destination.write(render_index(found, source=results, folder=folder))
        destination.finish()


def _refuse_options(context: click.Context) -> None:
    """Nothing that was asked for is left out without a word."""
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _OF_RESULTS:
            raise click.BadParameter(
                "is for the page about a video, not about results.", context, parameter
            )
