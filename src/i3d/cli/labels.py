"""`i3d labels`: what can a model say, and in which videos did it?"""

from __future__ import annotations

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_note, show_warning
from i3d.cli.options import format_option, top_option
from i3d.cli.output import Output
from i3d.errors import UsageError, unknown_name
from i3d.models.catalog import CATALOG, DEFAULT_MODEL
from i3d.models.labels import find_labels, load_labels

EPILOG = """\
\b
Examples:
  i3d labels swim
  i3d labels "playing *" --scores scores/      in which videos, and when?
"""


@click.command("labels", epilog=EPILOG)
@click.argument("pattern", required=False)
@click.option(
    "--model",
    type=click.Choice(list(CATALOG)),
    default=DEFAULT_MODEL,
    show_default=True,
    help="Whose labels.",
)
@click.option(
    "--scores",
    "folder",
    metavar="DIR",
    shell_complete=complete_files,
    help="Look in the scores that --save-scores kept there: in which videos is a label likely?",
)
@top_option("With --scores: how many videos to show for each label.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    metavar="P",
    help="With --scores: only where a label reaches this probability.",
)
@format_option
@click.pass_context
def labels_command(
    ctx: click.Context,
    pattern: str | None,
    model: str,
    folder: str | None,
    top: int,
    min_score: float,
    format_name: str,
) -> None:
    """List a model's labels, with their numbers.

    PATTERN is a part of a label ("swim") or a shell pattern for a whole one ("playing *");
    upper and lower case are the same. The number is the position in the model's output.

    With --scores, list the videos in which the labels are likely, and the moment of the highest
    probability. No model is run.
    """
    if folder is not None:
        _search(pattern, folder, top, min_score, format_name)
        return
    for name in ("top", "min_score", "format_name"):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = "--format" if name == "format_name" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} goes with --scores only.")
    known = load_labels(CATALOG[model].label_list)
    found = find_labels(known, pattern)
    if not found:
        raise unknown_name("label", pattern or "", known, listing=f"i3d labels --model {model}")
    width = len(str(len(known) - 1))
    with Output(None, utf8=False) as output:
        output.write("".join(f"{index:{width}d}  {label}\n" for index, label in found))


def _search(pattern: str | None, folder: str, top: int, min_score: float, format_name: str) -> None:
    from i3d.analysis.scores import ScoreStore
    from i3d.analysis.search import search_scores
    from i3d.report.search import search_as_json, search_as_text

    search = search_scores(ScoreStore(folder), pattern, top=top, min_score=min_score)
    for path in search.damaged:
        show_warning(f"{path} is damaged or of another release, and was left out.")
    for old, new in search.renamed.items():
        show_warning(
            f"{folder} holds scores that {old} made with the weights that are called {new} now; "
            f"they were left out. To make them anew: --model {new}"
        )
    if not search.num_videos:
        raise UsageError(
            f"{folder} holds no kept scores.",
            hint=f"Make them: i3d classify VIDEO --save-scores {folder}",
        )
    as_text = search_as_json if format_name == "json" else search_as_text
    with Output(None, utf8=format_name == "json") as output:
        output.write(as_text(search))
    if not search.hits:
        show_note(f"No label reaches {100 * min_score:g} % in {search.num_videos} videos.")
