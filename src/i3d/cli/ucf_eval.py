"""`i3d ucf eval`: how well does a model do on UCF101?"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.clip_failures import ClipFailures
from i3d.cli.completion import complete_clips
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import GroupedCommand, offline_option, verbose_option
from i3d.cli.output import Output, format_of
from i3d.cli.tables import table_style
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_options import split_options, transfer_options, trust_of
from i3d.engines.choose import check_precision
from i3d.errors import I3DError, OutputError, UnknownNameError, UserInterruptError
from i3d.models.catalog import CATALOG
from i3d.video.recipes import DEFAULT_RECIPE, RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from i3d.datasets.evaluate import Evaluator
    from i3d.datasets.measures import Evaluation
    from i3d.datasets.ucf101.data import Index
    from i3d.datasets.ucf101.names import Clip
    from i3d.engines.base import Precision

DEFAULT_SAMPLE = 50
"""Clips by chance where none were named: minutes on a laptop, and numbers within
12 points or so."""

_FORMATS = ("table", "json", "csv")

EPILOG = """\
\b
Examples:
  i3d ucf eval                                    50 clips by chance
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
    help="Only N of those that have a label that counts, by chance. Default: "
    f"{DEFAULT_SAMPLE} where neither names nor a --split are given, else all.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="S",
    help="Another number gives another sample, the same number the same on any machine.",
)
@click.option(
    "--relation",
    "relations",
    type=click.Choice(["exact", "near", "broader"]),
    multiple=True,
    default=["exact"],
    show_default=True,
    help="Which Kinetics labels count for a category; can be given several times.",
)
@model_options
@click.option(
    "--recipe",
    "recipes",
    type=click.Choice(list(RECIPES)),
    multiple=True,
    default=[DEFAULT_RECIPE],
    show_default=True,
    help="Preprocessing, as in `i3d classify`; several are compared.",
)
@click.option("--again", is_flag=True, help="Don't use what earlier runs found.")
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
    model: str,
    label_file: str | None,
    engine: str,
    precision: Precision,
    recipes: tuple[str, ...],
    again: bool,
    format_name: str | None,
    output: str | None,
    source: str | None,
    jobs: int,
    cafile: Path | None,
    insecure: bool,
    verbose: bool,
) -> None:
    """Measure a model on UCF101: top-1 and top-5 accuracy.

    How often is the right label first, or among the first five? Clips are fetched where they are
    not on this machine. A category counts by the Kinetics labels that fit it; categories without
    one are left out. No training is needed. Each result is kept as soon as it is there: a run that
    was stopped goes on where it was.
    """
    if output == "":
        raise click.BadParameter("is empty.", param_hint="--output")
    check_precision(engine, precision)
    if sample is None and not terms and split is None:
        sample = DEFAULT_SAMPLE
    clips = _choose(terms, split, subset, relations, model, label_file)
    selection = {
        "terms": list(terms),
        "split": split,
        "subset": subset,
        "sample": sample,
        "seed": None if sample is None else seed,
        "num_clips": len(clips),
    }
    trust = trust_of(cafile, insecure=insecure)
    format_name = format_name or format_of(output, _FORMATS)
    evaluators: list[Evaluator] = []
    failures = ClipFailures("evaluated")
    stopped_by: I3DError | None = None
    with Output(output, utf8=format_name != "table") as destination:
        try:
            with libraries_silenced(verbose=verbose):
                _evaluate(
                    clips,
                    evaluators,
                    failures,
                    model={
                        "model": model,
                        "labels": label_file,
                        "engine": engine,
                        "precision": precision,
                    },
                    recipes=tuple(dict.fromkeys(recipes)),
                    relations=relations,
                    sample=None if sample is None else (sample, seed),
                    again=again,
                    transfer={"source": source, "trust": trust, "jobs": jobs},
                )
        except OutputError:
            raise
        except KeyboardInterrupt:
            stopped_by = UserInterruptError("Interrupted.")
        except I3DError as error:
            stopped_by = error
        evaluations = [evaluator.evaluation for evaluator in evaluators]
        is_known = any(evaluation.results for evaluation in evaluations)
        if is_known or format_name != "table":
            destination.write(_render(format_name, evaluations, selection, stopped_by, destination))
        if is_known:  # else a file that was there before is worth more
            destination.finish()
    failures.finish(stopped_by)


def _choose(
    terms: Sequence[str],
    split: int | None,
    subset: str | None,
    relations: Sequence[str],
    model: str,
    label_file: str | None,
) -> tuple[Clip, ...]:
    """The clips that are asked for; what can't be evaluated is told before a model is fetched.

    They are of the embedded index alone, so that the same command means the same clips anywhere.
    """
    from i3d.datasets.targets import find_targets
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.data import load_index

    try:
        clips = select_clips(load_index(), terms, split=split, subset=subset)
    except UnknownNameError as error:
        term = _only_known_to_a_host(terms)
        if term is None:
            raise
        raise UnknownNameError(
            f"Only the index host's own list has {term}: i3d ucf eval counts the clips of the "
            "official lists alone.",
            hint="What happens in a clip is said by: i3d classify ucf:NAME",
        ) from error
    find_targets(clips, _expected_labels(model, label_file), relations, model)
    return clips


def _only_known_to_a_host(terms: Sequence[str]) -> str | None:
    """The first name that is unknown here, if the list that a host was seen to have knows it."""
    from i3d.datasets.ucf101.data import load_index
    from i3d.datasets.ucf101.live_index import current_index

    for term in terms:
        if not _is_known(load_index(), term):
            return term if _is_known(current_index(), term) else None
    return None


def _is_known(index: Index, term: str) -> bool:
    from i3d.datasets.ucf101.choose import select_clips

    try:
        select_clips(index, [term])
    except UnknownNameError:
        return False
    return True


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


def _evaluate(
    clips: Sequence[Clip],
    evaluators: list[Evaluator],
    failures: ClipFailures,
    *,
    model: dict[str, Any],
    recipes: Sequence[str],
    relations: Sequence[str],
    sample: tuple[int, int] | None,
    again: bool,
    transfer: dict[str, Any],
) -> None:
    """Run an evaluation for each recipe; they are in `evaluators` also after an exception."""
    from i3d.analysis.lazy import LazyClassifier
    from i3d.datasets.evaluate import Evaluator
    from i3d.datasets.targets import Sample
    from i3d.datasets.ucf101.clips import find_clip
    from i3d.datasets.ucf101.fetch import fetch_clips
    from i3d.files.cache import ucf101_dir

    progress = progress_on_terminal()
    classifier = LazyClassifier(**model, progress=progress).classifier
    for recipe in recipes:
        evaluator = Evaluator(
            clips,
            classifier,
            fetch=partial(fetch_clips, progress=progress, **transfer),
            relations=relations,
            sample=None if sample is None else Sample(*sample),
            recipe=recipe,
            journal_dir=ucf101_dir() / "evaluations",
            again=again,
            local=find_clip,
            on_result=lambda result: failures.had(result.clip.name),
            on_failure=lambda failure: failures.add(failure.clip.name, failure.error),
            progress=progress,
        )
        failures.num_wanted = len(evaluator.clips)
        evaluators.append(evaluator)
        evaluator.run()


def _render(
    format_name: str,
    evaluations: Sequence[Evaluation],
    selection: dict[str, Any],
    error: I3DError | None,
    destination: Output,
) -> str:
    from i3d.datasets import accuracy as report

    if format_name == "json":
        return report.evaluations_as_json(evaluations, selection=selection, error=error)
    if format_name == "csv":
        return report.evaluations_as_csv(evaluations, error)
    return report.evaluations_as_text(evaluations, table_style(to_file=destination.is_file), error)
