"""Options of the commands that run a model and write a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from i3d.cli.completion import complete_files, complete_models
from i3d.engines.choose import DEFAULT_ENGINE, ENGINES
from i3d.models.catalog import DEFAULT_MODEL
from i3d.report.formats import suffixes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Command = TypeVar("Command", bound=Callable[..., Any])


def model_options(command: Command) -> Command:
    """`--model`, `--label-file`, `--engine` and `--precision`."""
    command = click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Precision of the arithmetic. Lower ones are for CPUs built for them, and change the "
        "numbers.",
    )(command)
    command = click.option(
        "--engine",
        type=click.Choice(["auto", *ENGINES]),
        default=DEFAULT_ENGINE,
        show_default=True,
        help="What runs the model. auto: OpenVINO if it gives TensorFlow's numbers, else "
        "TensorFlow.",
    )(command)
    command = click.option(
        "--label-file",
        "label_file",
        shell_complete=complete_files,
        metavar="FILE",
        help="Label names of your own model, one per line.",
    )(command)
    return click.option(
        "--model",
        default=DEFAULT_MODEL,
        show_default=True,
        metavar="NAME|DIR|URL",
        shell_complete=complete_models,
        help="A model's name (see i3d model list), a SavedModel folder, an archive, or an address: "
        "of an archive, a TensorFlow Hub handle, or a page on Kaggle.",
    )(command)


def result_options(formats: Sequence[str]) -> Callable[[Command], Command]:
    """`--format` and `-o`.

    Args:
        formats: The formats that there are.
    """

    def add(command: Command) -> Command:
        command = click.option(
            "-o",
            "--output",
            metavar="FILE",
            shell_complete=complete_files,
            help="Write the result to FILE, in the format of its ending: "
            f"{', '.join(suffixes_of(formats))}.",
        )(command)
        return click.option(
            "--format",
            "format_name",
            type=click.Choice(formats),
            help="Default: by the ending of -o, else table.",
        )(command)

    return add
