"""Options of the commands that run a model on videos: which part of them, and how it is cut."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from i3d.cli.completion import complete_files
from i3d.video.recipes import DEFAULT_RECIPE, RECIPES, get_recipe, with_overrides

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d.analysis.batch import ScoreSettings
    from i3d.video.recipes import Recipe

    Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def clip_options(command: Command) -> Command:
    """`--recipe`, `--fps`, `--start`, `--end`, `--max-frames`, `--image-fps`.

    `clip_settings` takes their values.
    """
    for option in reversed((*_RECIPE_OPTIONS, *_SPAN_OPTIONS)):
        command = option(command)
    return command


def video_options(command: Command) -> Command:
    """Those of `clip_options`, `--input-range`, `--max-memory` and `--save-scores`.

    `score_settings` takes their values.
    """
    for option in reversed((*_RECIPE_OPTIONS, _INPUT_RANGE, *_SPAN_OPTIONS, *_SCORE_OPTIONS)):
        command = option(command)
    return command


def clip_settings(options: dict[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Take the values of `clip_options` from a command's options.

    Args:
        options: All options by name; the ones that are taken are removed.

    Returns:
        The recipe with its overrides, and the part of the video, as `ClipReader` takes it.

    Raises:
        click.BadParameter: Two of them contradict each other.
        UsageError: One of them makes no sense.
    """
    start, end = options["start_seconds"], options["end_seconds"]
    if end is not None and end <= start:
        raise click.BadParameter("must come after --start.", param_hint="--end")
    recipe = with_overrides(  # so that a wrong value is reported before a model is loaded
        get_recipe(options.pop("recipe")),
        fps=options.pop("fps"),
        input_range=options.pop("input_range", None),
    )
    names = ("start_seconds", "end_seconds", "max_frames", "image_fps")
    return recipe, {name: options.pop(name) for name in names}


def score_settings(options: dict[str, Any], *, in_windows: bool = False) -> ScoreSettings:
    """Take the values of `video_options`, except `save_scores`, from a command's options.

    Args:
        options: All options by name; the ones that are taken are removed.
        in_windows: A model without steps sees windows even of short videos.

    Raises:
        click.BadParameter: Two of them contradict each other.
        UsageError: One of them makes no sense.
    """
    recipe, span = clip_settings(options)
    from i3d.analysis.batch import ScoreSettings

    return ScoreSettings(
        recipe, **span, in_windows=in_windows, max_memory=options.pop("max_memory")
    )


def check_names(**names: str | None) -> None:
    """Refuse empty names.

    Args:
        **names: By the option's name, with underscores.

    Raises:
        click.BadParameter: One is.
    """
    for option, name in names.items():
        if name == "":
            raise click.BadParameter("is empty.", param_hint=f"--{option.replace('_', '-')}")


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


def _parse_memory(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Turn the text of --max-memory into bytes: `1.5G`, `800M`, `800MiB`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([kmg]?)(?:i?b)?", value.strip().lower())
    size = math.inf if found is None else float(found[1]) * _UNITS[found[2]]
    if math.isinf(size):
        raise click.BadParameter(f"{value!r} is not a size such as 1.5G or 800M.", ctx, param)
    return int(size)


_RECIPE_OPTIONS = (
    click.option(
        "--recipe",
        type=click.Choice(list(RECIPES)),
        default=DEFAULT_RECIPE,
        show_default=True,
        help="Preprocessing: "
        + "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
        + ".",
    ),
    click.option(
        "--fps",
        callback=_parse_fps,
        metavar="N|native",
        help="Use at most N frames per second, or every frame (native).",
    ),
)

_INPUT_RANGE = click.option(
    "--input-range",
    type=(float, float),
    metavar="LOW HIGH",
    help="What pixel values 0 and 255 are scaled to. Default: what the model expects.",
)

_SPAN_OPTIONS = (
    click.option(
        "--start",
        "start_seconds",
        callback=_parse_seconds,
        default="0",
        metavar="S",
        help="Start S seconds into the video.",
    ),
    click.option(
        "--end",
        "end_seconds",
        callback=_parse_seconds,
        metavar="S",
        help="Stop S seconds into the video.",
    ),
    click.option(
        "--max-frames",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Use at most N frames; 0 for all.",
    ),
    click.option(
        "--image-fps",
        type=click.FloatRange(min=0, min_open=True, max=1000),
        default=25.0,
        show_default=True,
        metavar="N",
        help="Frame rate of a folder of images.",
    ),
)

_SCORE_OPTIONS = (
    click.option(
        "--max-memory",
        callback=_parse_memory,
        default="1.5G",
        show_default=True,
        metavar="SIZE",
        help="How much memory a long video may take. Less is slower, with the same numbers.",
    ),
    click.option(
        "--save-scores",
        metavar="DIR",
        shell_complete=complete_files,
        help="Keep the scores of each video, step by step, in DIR, and reuse them if video, model "
        "and preprocessing are the same.",
    ),
)
