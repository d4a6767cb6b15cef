"""`i3d ucf eval`: how well does a model do on UCF101?"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.completion import complete_clips
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import GroupedCommand, offline_option, verbose_option
from i3d.cli.output import Output, format_of
from i3d.cli.tables import table_style
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_clips import ClipFailures, split_options, transfer_options, trust_of
from i3d.engines.choose import check_precision
from i3d.errors import I3DError, OutputError, UserInterruptError
from i3d.models.catalog import CATALOG
from i3d.video.recipes import DEFAULT_RECIPE, RECIPES

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.datasets.evaluate import Evaluator

DEFAULT_SAMPLE = 50
"""Clips in the random sample if none are named: minutes on a laptop, and numbers within 12 points
or so."""

_FORMATS = ("table", "json", "csv")

EPILOG = """\
\b
Examples:
  i3d ucf eval                                    a random sample of 50 clips
  i3d ucf eval --split 1 --subset test -o split1.json
  i3d ucf eval Archery Bowling --recipe standard --recipe tutorial
"""


@click.command("eval", cls=GroupedCommand, epilog=EPILOG)
@click.argument(
    "terms", nargs=-1, metavar="[CLIP|CATEGORY|PATTERN]...", shell_complete=complete_clips
)
@split_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Evaluate a random sample of N clips. Default: "
    f"{DEFAULT_SAMPLE} if neither clips nor a --split are given, else all.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="S",
    help="Seed of the random sample: the same seed gives the same sample on any machine.",
)
@click.option(
    "--relation",
    "relations",
    type=click.Choice(["exact", "near", "broader"]),
    multiple=True,
    default=["exact"],
    show_default=True,
    help="Which Kinetics labels count for a category. Can be repeated.",
)
@model_options
@click.option(
    "--recipe",
    "recipes",
    type=click.Choice(list(RECIPES)),
    multiple=True,
    default=[DEFAULT_RECIPE],
    show_default=True,
    help="Preprocessing, as in `i3d classify`. Repeat to compare several.",
)
@click.option("--again", is_flag=True, help="Don't reuse results of earlier runs.")
@result_options(_FORMATS)
@transfer_options
@offline_option
@verbose_option
def eval_command(
    terms: tuple[str, ...],
    split: int | None,
    subset: str | None,
    sample: int | None,
    seed: int,
    relations: tuple[str, ...],
    recipes: tuple[str, ...],
    again: bool,
    format_name: str | None,
    output: str | None,
    source: str | None,
    jobs: int,
    cafile: Path | None,
    insecure: bool,
    verbose: bool,
    label_file: str | None,
    **model: Any,
) -> None:
    """Measure a model on UCF101: top-1 and top-5 accuracy.

    How often is the right label first, or among the first five? Missing clips are fetched. Each
    category is matched with the Kinetics labels that fit it; categories without one are left out.
    No training is needed. Results are kept, so an interrupted run resumes where it was.
    """
    from i3d.analysis.classifier import Classifier
    from i3d.datasets.accuracy import evaluations_as_csv, evaluations_as_json
    from i3d.datasets.accuracy_table import evaluations_as_text
    from i3d.datasets.evaluate import Evaluator
    from i3d.datasets.targets import Sample, find_targets
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.clips import find_clip
    from i3d.datasets.ucf101.fetch import fetch_clips
    from i3d.files.cache import ucf101_dir

    if output == "":
        raise click.BadParameter("is empty.", param_hint="--output")
    check_precision(model["engine"], model["precision"])
    sample = DEFAULT_SAMPLE if (sample, terms, split) == (None, (), None) else sample
    clips = select_clips(terms, split=split, subset=subset)
    # Check what can be evaluated before a model is fetched.
    find_targets(clips, _expected_labels(model["model"], label_file), relations, model["model"])
    selection = {
        "terms": list(terms),
        "split": split,
        "subset": subset,
        "sample": sample,
        "seed": None if sample is None else seed,
        "num_clips": len(clips),
    }
    transfer: dict[str, Any] = {
        "source": source,
        "trust": trust_of(cafile, insecure=insecure),
        "jobs": jobs,
    }
    format_name = format_name or format_of(output, _FORMATS)
    progress = progress_on_terminal()
    evaluators: list[Evaluator] = []
    failures = ClipFailures("evaluated")
    stopped_by: I3DError | None = None
    with Output(output, utf8=format_name != "table") as destination:
        try:
            with libraries_silenced(verbose=verbose):
                classifier = Classifier(**model, labels=label_file, progress=progress)
                for recipe in dict.fromkeys(recipes):
                    evaluator = Evaluator(
                        clips,
                        classifier,
                        fetch=partial(fetch_clips, progress=progress, **transfer),
                        relations=relations,
                        sample=None if sample is None else Sample(sample, seed),
                        recipe=recipe,
                        journal_dir=ucf101_dir() / "evaluations",
                        again=again,
                        local=find_clip,
                        on_failure=failures.add,
                        progress=progress,
                    )
                    failures.num_wanted = len(evaluator.clips)
                    evaluators.append(evaluator)
                    evaluator.run()
        except OutputError:
            raise
        except KeyboardInterrupt:
            stopped_by = UserInterruptError("Interrupted.")
        except I3DError as error:
            stopped_by = error
        evaluations = [evaluator.evaluation for evaluator in evaluators]
        is_known = any(evaluation.results for evaluation in evaluations)
        if format_name == "json":
            destination.write(
                evaluations_as_json(evaluations, selection=selection, error=stopped_by)
            )
        elif format_name == "csv":
            destination.write(evaluations_as_csv(evaluations, stopped_by))
        elif is_known:
            style = table_style(to_file=destination.is_file)
            destination.write(evaluations_as_text(evaluations, style, stopped_by))
        if is_known:  # else keep a file that was there before
            destination.finish()
    failures.finish(stopped_by)


def _expected_labels(model: str, label_file: str | None) -> tuple[str, ...]:
    """The labels of a model that is not loaded yet: no less than those of its own that count."""
    from i3d.models.labels import load_labels, read_labels

    if label_file is None and model in CATALOG:
        return load_labels(CATALOG[model].label_list)
    # A pipe can be read only once, and that is when the model is loaded.
    if label_file is not None and os.path.isfile(label_file):  # noqa: PTH113  (no error on any name)
        return read_labels(label_file)
    # Not known. All labels that stand for categories are of Kinetics-400.
    return load_labels("kinetics-400")
