"""`i3d labels`: what can a model say?"""

from __future__ import annotations

import click

from i3d.catalog import CATALOG, DEFAULT_MODEL
from i3d.cli.output import Output
from i3d.labels import find_labels, load_labels
from i3d.names import unknown_name


@click.command("labels")
@click.argument("pattern", required=False)
@click.option(
    "--model",
    type=click.Choice(list(CATALOG)),
    default=DEFAULT_MODEL,
    show_default=True,
    help="Whose labels.",
)
def labels_command(pattern: str | None, model: str) -> None:
    """List the labels that a model knows, each after its number.

    PATTERN is a part of a label ("swim") or a shell pattern for a whole one ("playing *");
    upper and lower case are the same. The number is the position in the model's output.
    """
    known = load_labels(CATALOG[model].label_list)
    found = find_labels(known, pattern)
    if not found:
        raise unknown_name("label", pattern or "", known, listing=f"i3d labels --model {model}")
    width = len(str(len(known) - 1))
    with Output(None, utf8=False) as output:
        output.write("".join(f"{index:{width}d}  {label}\n" for index, label in found))
