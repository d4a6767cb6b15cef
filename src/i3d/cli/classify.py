"""`i3d classify`: what happens in these videos?"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from i3d.cli.classifying import ModelOptions, outcomes
from i3d.cli.completion import complete_files
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import offline_option, verbose_option
from i3d.cli.output import Output, format_of
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_videos import fetch_named_clips, find_clips
from i3d.engines import check_precision
from i3d.errors import (
    ClipNotFetchedError,
    I3DError,
    OutputError,
    PartialFailureError,
    UserInterruptError,
)
from i3d.recipes import DEFAULT_RECIPE, RECIPES, get_recipe, with_overrides
from i3d.report import FORMATS, TableStyle, make_report

if TYPE_CHECKING:
    from i3d.engines.base import Precision

EPILOG = """\
\b
Examples:
  i3d classify clip.avi
  i3d classify clip.avi --model camera-motion --start 2 --end 5
  i3d classify *.mp4 -o results.csv
  i3d classify ucf:v_CricketShot_g04_c02
  i3d classify -- -oddly-named.mp4
"""


def _parse_fps(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> float | Literal["native"] | None:
    """Turn the text of --fps into its value: a number, or `native`."""
    if value is None:
        return None
    if value == "native":
        return "native"
    try:
        return float(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a number.", ctx, param) from error


def _parse_seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Turn the text of --start or --end into its value: a time of at least 0."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise click.BadParameter(f"{value!r} is not a number of seconds from 0.", ctx, param)
    return seconds


@click.command("classify", epilog=EPILOG)
@click.argument(
    "videos", nargs=-1, required=True, metavar="VIDEO...", shell_complete=complete_files
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="K",
    help="How many labels to show.",
)
@model_options
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default=DEFAULT_RECIPE,
    show_default=True,
    help="Preprocessing: "
    + "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
    + ".",
)
@click.option(
    "--fps",
    callback=_parse_fps,
    metavar="N|native",
    help="Thin denser videos to N frames per second, or use every frame (native).",
)
@click.option(
    "--input-range",
    type=(float, float),
    metavar="LOW HIGH",
    help="What black and white are fed as, in place of what the model wants.",
)
@click.option(
    "--start",
    "start_seconds",
    callback=_parse_seconds,
    default="0",
    metavar="S",
    help="Start S seconds into the video.",
)
@click.option(
    "--end",
    "end_seconds",
    callback=_parse_seconds,
    metavar="S",
    help="Stop S seconds into the video.",
)
@click.option(
    "--max-frames",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Use at most N frames; 0 for all.",
)
@click.option(
    "--image-fps",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    default=25.0,
    show_default=True,
    metavar="N",
    help="Frame rate of a folder of images.",
)
@result_options(FORMATS)
@offline_option
@verbose_option
def classify_command(
    videos: tuple[str, ...],
    model: str,
    label_file: str | None,
    top: int,
    engine: str,
    precision: Precision,
    format_name: str | None,
    output: str | None,
    verbose: bool,
    **options: Any,
) -> None:
    """Say what happens in videos: the most likely labels of each.

    A VIDEO is a file, an animated GIF, a folder of numbered images, or a clip of UCF101, which is
    fetched where it is not on this machine yet: ucf:v_CricketShot_g04_c02. The model is loaded once
    for all of them. A video that can't be read does not stop the others: they are all classified,
    and the exit code is 7.
    """
    if options["end_seconds"] is not None and options["end_seconds"] <= options["start_seconds"]:
        raise click.BadParameter("must come after --start.", param_hint="--end")
    for name, value in (("--model", model), ("--labels", label_file), ("--output", output)):
        if value == "":
            raise click.BadParameter("is empty.", param_hint=name)
    check_precision(engine, precision)
    recipe = with_overrides(  # a wrong value is told now, not after a model was loaded
        get_recipe(options.pop("recipe")),
        fps=options.pop("fps"),
        input_range=options.pop("input_range"),
    )
    clips = find_clips(videos)
    format_name = format_name or format_of(output, FORMATS)
    with Output(output, inputs=videos, utf8=format_name != "table") as destination:
        report = make_report(format_name, table_style(to_file=destination.is_file))
        errors: list[I3DError] = []
        num_results = 0
        num_videos = sum(len(clips.get(video, (video,))) for video in videos)
        stopped_by: I3DError | None = None
        destination.write(report.begin())
        try:
            with libraries_silenced(verbose=verbose):
                progress = progress_on_terminal()
                files = fetch_named_clips(videos, clips, progress)
                which = ModelOptions(model, label_file, engine, precision)
                for outcome in outcomes(files, which, recipe, progress, top=top, **options):
                    destination.write(report.item(outcome))
                    num_results += 1
                    if outcome.error is not None:
                        errors.append(outcome.error)
        except OutputError:
            raise
        except KeyboardInterrupt:
            stopped_by = UserInterruptError("Interrupted.")
        except I3DError as error:
            stopped_by = error
        destination.write(report.end(stopped_by))
        if num_results:  # else a file that was there before is worth more
            destination.finish()
    if stopped_by is not None:
        raise stopped_by
    if num_videos == 1 and errors:
        raise errors[0]
    if errors:
        raise PartialFailureError(
            f"{len(errors)} of {num_videos} videos could not be classified.",
            hint="Run it again when a source can be used."
            if any(isinstance(error, ClipNotFetchedError) for error in errors)
            else "The reason for each stands above.",
        )


def table_style(*, to_file: bool) -> TableStyle:
    """How a table looks on this terminal."""
    if to_file:
        return TableStyle()
    from rich.console import Console

    console = Console(file=sys.stdout)
    return TableStyle(
        color=console.is_terminal and console.color_system is not None and not console.no_color,
        unicode=console.encoding.startswith("utf"),
        width=console.width,
    )
