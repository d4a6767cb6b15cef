"""`i3d classify`: what happens in these videos?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.completion import complete_files
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import GroupedCommand, offline_option, top_option, verbose_option
from i3d.cli.output import Output, check_target, format_of, is_plain_file
from i3d.cli.tables import table_style
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.video_options import check_names, score_settings, video_options
from i3d.engines.choose import check_precision
from i3d.errors import UsageError
from i3d.report.formats import FORMATS, RESULT_FORMATS, make_report

if TYPE_CHECKING:
    from i3d.engines.base import Precision

EPILOG = """\
\b
Examples:
  i3d classify clip.avi
  i3d classify clip.avi --model camera-motion --start 2 --end 5
  i3d classify videos/ -o results.csv         (run it again to resume)
  find /data -name "*.mp4" -print0 | i3d classify --from - -o results.jsonl
  i3d classify ucf:v_CricketShot_g04_c02
  i3d classify -- -oddly-named.mp4
"""


@click.command("classify", cls=GroupedCommand, epilog=EPILOG)
@click.argument("videos", nargs=-1, metavar="VIDEO...", shell_complete=complete_files)
@click.option(
    "--from",
    "lists",
    multiple=True,
    metavar="FILE|-",
    shell_complete=complete_files,
    help="Read more videos from a list, one per line or NUL-separated; - is standard input.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="In folders, use only files that match. Default: files with a video's suffix.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="In folders, leave out files and folders that match.",
)
@top_option("How many labels to show.")
@model_options
@video_options
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="How many videos to decode ahead, each in its own process.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="If there are several videos, give up on one that gives no frame for S seconds.",
)
@result_options(RESULT_FORMATS)
@click.option(
    "--again", is_flag=True, help="Start over instead of resuming from the results in -o."
)
@offline_option
@verbose_option
def classify_command(
    videos: tuple[str, ...],
    lists: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    model: str,
    label_file: str | None,
    top: int,
    engine: str,
    precision: Precision,
    format_name: str | None,
    output: str | None,
    again: bool,
    verbose: bool,
    save_scores: str | None,
    jobs: int,
    timeout_seconds: float,
    **options: Any,
) -> None:
    """Show the most likely labels of each video.

    A VIDEO is a file of any length, an animated GIF, a folder of numbered images, a folder of
    videos (searched with its subfolders), or a clip of UCF101 such as ucf:v_CricketShot_g04_c02,
    which is downloaded if needed. The model is loaded once. A video that can't be read does not
    stop the others; the exit code is then 7.

    A .jsonl file has each result as soon as it is done; .csv and .parquet files are written when
    the run ends, also after Ctrl-C. If the file exists, the run resumes: it classifies the videos
    that are not in it yet, or that have changed.
    """
    from i3d.analysis.classifier import Classifier
    from i3d.analysis.scores import ScoreStore
    from i3d.cli.classifying import WantedVideos, Work, classify_into, classify_to

    check_names(model=model, label_file=label_file, output=output, save_scores=save_scores)
    if math.isnan(timeout_seconds):  # which click takes for a number like any other
        raise click.BadParameter("'nan' is not a number of seconds.", param_hint="--timeout")
    settings = score_settings(options)
    check_precision(engine, precision)
    format_name = format_name or format_of(output, RESULT_FORMATS)
    grows = FORMATS[format_name].grows and is_plain_file(output)
    if format_name == "parquet" and not grows:
        raise UsageError("Parquet is written to a file.", hint="Name one: -o results.parquet")
    if again and not grows:
        raise UsageError(
            "--again is for result files that a run can resume.",
            hint="Name one: -o results.jsonl, .csv or .parquet",
        )
    wanted = WantedVideos(videos, lists, include=include, exclude=exclude)
    with libraries_silenced(verbose=verbose):
        progress = progress_on_terminal()
        work = Work(
            model=Classifier(
                model, labels=label_file, engine=engine, precision=precision, progress=progress
            ),
            settings=settings,
            top=top,
            store=None if save_scores is None else ScoreStore(save_scores),
            num_ahead=jobs,
            timeout_seconds=timeout_seconds,
            progress=progress,
        )
        if grows and output is not None:
            check_target(Path(output), wanted.names)
            classify_into(output, format_name, wanted, work, again=again)
        else:
            with Output(output, inputs=wanted.names, utf8=format_name != "table") as destination:
                style = table_style(to_file=destination.is_file)
                report = make_report(format_name, style)
                file = output if is_plain_file(output) else None
                classify_to(destination, report, wanted, work, file=file)
