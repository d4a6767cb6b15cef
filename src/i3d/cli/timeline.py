"""`i3d timeline`: what happens when in this video?"""

from __future__ import annotations

from typing import Any

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_warnings
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import GroupedCommand, offline_option, top_option, verbose_option
from i3d.cli.output import Output, format_of
from i3d.cli.question import TimelineQuestion, timeline_options
from i3d.cli.report import video_page
from i3d.cli.tables import table_style
from i3d.cli.terminal import libraries_silenced
from i3d.cli.video_options import check_names, video_options
from i3d.errors import I3DError, OutputError, UsageError
from i3d.report.formats import TIMELINE_FORMATS, render_timeline

EPILOG = """\
\b
Examples:
  i3d timeline match.mp4
  i3d timeline match.mp4 --labels "playing *" --min-score 0.2
  i3d timeline match.mp4 -o match.srt
  i3d timeline match.mp4 -o match.html             (a page to look at, see i3d report)
  i3d timeline match.mp4 --save-scores scores/     (the next question takes no time)
"""


@click.command("timeline", cls=GroupedCommand, epilog=EPILOG)
@click.argument("video", metavar="VIDEO", shell_complete=complete_files)
@timeline_options
@top_option("How many labels to show at least, unless --labels names them.")
@model_options
@video_options
@result_options(TIMELINE_FORMATS)
@offline_option
@verbose_option
def timeline_command(
    top: int, format_name: str | None, output: str | None, verbose: bool, **options: Any
) -> None:
    """Show what happens when in a video.

    The scores of each step (0.32 s for I3D) are smoothed, and two thresholds turn them into
    segments. VIDEO is a file of any length, a folder of images, or a clip of UCF101 (ucf:NAME).
    """
    check_names(output=output)
    question = TimelineQuestion(options)
    format_name = format_name or format_of(output, TIMELINE_FORMATS)
    with Output(output, inputs=[question.video], utf8=format_name != "table") as destination:
        style = table_style(to_file=destination.is_file)
        try:
            with libraries_silenced(verbose=verbose):
                answer = question.answer()
                if format_name == "html":
                    page_at = output if destination.is_file else None
                    document = video_page(
                        answer,
                        page_at,
                        top=top,
                        media="auto",
                        image_fps=question.span["image_fps"],
                    )
                else:
                    timeline = answer.timeline(top=top)
                    document = render_timeline(timeline, format_name, style)
                    show_warnings(answer.video, timeline.warnings)
        except (OutputError, UsageError):
            raise
        except I3DError as error:
            if format_name == "json" and not destination.is_file:
                from i3d.report.jsons import timeline_failure_as_json

                destination.write(timeline_failure_as_json(question.video, error))
            raise
        destination.write(document)
        destination.finish()
