"""`i3d report`: a page to look at, about a video or about many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_warnings
from i3d.cli.model_options import model_options
from i3d.cli.options import (
    GroupedCommand,
    offline_option,
    output_option,
    top_option,
    verbose_option,
)
from i3d.cli.output import Output
from i3d.cli.question import TimelineQuestion, timeline_options
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.video_options import check_names, video_options
from i3d.errors import UsageError
from i3d.report.formats import FORMATS, RESULT_FORMATS, suffixes_of

if TYPE_CHECKING:
    from i3d.cli.question import Answer
    from i3d.pictures.stills import MediaChoice

_OF_RESULTS = frozenset({"subject", "output", "verbose"})
"""Parameters that apply to a page about results."""

_RESULT_SUFFIXES = suffixes_of(name for name in RESULT_FORMATS if name != "table")
"""Endings of files of results; videos have others."""

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
@top_option("How many labels to show at first.")
@click.option(
    "--video",
    "media",
    type=click.Choice(["auto", "link", "embed", "none"]),
    default="auto",
    show_default=True,
    help="What the page plays: the video itself (link), a small copy in the page (embed), or "
    "nothing. auto: a link if browsers can play the video, else a copy of up to 3 MB.",
)
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
    if output != "-" and Path(output).suffix.lower() not in FORMATS["html"].suffixes:
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


def video_page(
    answer: Answer, output: str | None, *, top: int, media: MediaChoice, image_fps: float
) -> str:
    """Make the page about a video.

    Args:
        answer: What the model says of it.
        output: Where the page will be, for its links; None for standard output.
        top: How many labels to show at first.
        media: What the page plays.
        image_fps: Frame rate of a folder of images.

    Raises:
        VideoError: The video can no longer be read.
        OutputError: A copy of it was asked for and can't be made.
    """
    from i3d.datasets.ucf101.truth import predict_with_truth
    from i3d.pictures.stills import find_playable, take_stills
    from i3d.report.pages.video_page import num_tracks, render_video_page

    num_steps = len(answer.scores.step_logits)
    timeline = answer.timeline(top=num_tracks(num_steps, shown=top))
    show_warnings(answer.video, timeline.warnings)
    folder = Path() if output is None else Path(output).parent
    progress = progress_on_terminal()
    given: dict[str, Any] = {"image_fps": image_fps, "progress": progress}
    return render_video_page(
        predict_with_truth(answer.scores, top),
        timeline,
        num_shown=top,
        stills=take_stills(answer.video, timeline.clip, **given),
        playable=find_playable(answer.video, timeline.clip, media, folder, **given),
    )


def _write_index(results: str, output: str) -> None:
    from i3d.report.pages.index_page import render_index
    from i3d.report.reading import read_results

    with Output(output, inputs=[results]) as destination:
        found = read_results(results)
        folder = Path(output).parent if destination.is_file else None
        destination.write(render_index(found, source=results, folder=folder))
        destination.finish()


def _refuse_options(context: click.Context) -> None:
    """Refuse options that have no effect on a page about results."""
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _OF_RESULTS:
            raise click.BadParameter(
                "applies to a page about a video, not about results.", context, parameter
            )
