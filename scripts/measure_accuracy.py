"""Measures how often a model names real clips rightly, with each recipe.

    python scripts/measure_accuracy.py FOLDER [--model NAME|DIR] [--recipe NAME]...
        [--input-range LOW HIGH] [--output FILE]

FOLDER holds videos and `clips.csv` (UTF-8), which names them, one a row. Two of its columns are
read:

    file     a video's name in FOLDER
    labels   the model's labels that are right for it, separated by `|`

A clip is right at rank 1 (top-1) where one of its labels is the model's best, and at rank 5 (top-5)
where one is among its five best. Intervals are Wilson's, at 95 %. Recipes are compared in pairs on
the same clips: how many only one of the two got right at rank 1, and how likely a split at least
that uneven would be if neither recipe were better (McNemar's exact test).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i3d import Classifier, I3DError, __version__
from i3d.analysis.prediction import best_scores, mean_scores, rank_of
from i3d.datasets.measures import Accuracy
from i3d.errors import ExitCode, UsageError, unknown_name
from i3d.models.catalog import DEFAULT_MODEL
from i3d.video.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from i3d.analysis.scores import VideoScores

CLIPS_FILE = "clips.csv"


@dataclass(frozen=True)
class LabelledClip:
    """A video, and what happens in it."""

    path: Path
    labels: tuple[str, ...]
    """Each of them counts as right; at least one."""


@dataclass(frozen=True)
class Answer:
    """What a model said of a clip."""

    predicted: str
    """The most likely label."""
    probability: float
    """Its probability, in [0, 1]."""
    right_label: str
    """The most likely of the labels that are right."""
    right_rank: int
    """Its rank among all labels; 1 for the best."""
    right_probability: float
    """Its probability, in [0, 1]."""


@dataclass(frozen=True)
class Comparison:
    """Two recipes on the same clips."""

    first: str
    second: str
    only_first: int
    """Clips that only the first got right at rank 1."""
    only_second: int
    """Clips that only the second got right at rank 1."""

    @property
    def p_value(self) -> float:
        """Two-sided p of McNemar's exact test: the sign test on the clips that only one got."""
        return sign_test(self.only_first, self.only_second)


def read_clips(folder: Path) -> list[LabelledClip]:
    """Reads which videos a folder holds, and what happens in them.

    Raises:
        UsageError: `clips.csv` is missing or is not as described above, or a video is missing.
    """
    path = folder / CLIPS_FILE
    hint = "Its columns are `file` and `labels`, with `|` between labels."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint=hint) from error
    clips = []
    for number, row in enumerate(rows, start=1):
        labels = tuple(filter(None, map(str.strip, (row.get("labels") or "").split("|"))))
        clip = LabelledClip(folder / (row.get("file") or ""), labels)
        if not labels or not clip.path.is_file():
            raise UsageError(f"Row {number} of {path} lacks a video or its labels.", hint=hint)
        clips.append(clip)
    if not clips:
        raise UsageError(f"{path} names no clips.", hint=hint)
    return clips


def answer_of(scores: VideoScores, clip: LabelledClip) -> Answer:
    """Compares what a model says of a clip with the clip's labels, all of which it must know."""
    means = mean_scores(scores.step_logits)
    best = best_scores(means, scores.labels, 1)[0]
    indices = (scores.labels.index(label) for label in clip.labels)
    rank, index = min((rank_of(means, index), index) for index in indices)
    return Answer(
        best.label,
        best.probability,
        scores.labels[index],
        rank,
        float(means.probabilities[index]),
    )


def accuracy(answers: Sequence[Answer], rank: int) -> Accuracy:
    """Counts the clips of which a right label has at most this rank."""
    return Accuracy(sum(answer.right_rank <= rank for answer in answers), len(answers))


def compare(answers: Mapping[str, Sequence[Answer]]) -> list[Comparison]:
    """Compares each two recipes.

    Args:
        answers: Recipe -> the answers for the clips, for each recipe in the same order.
    """
    right = {recipe: [a.right_rank == 1 for a in given] for recipe, given in answers.items()}
    return [
        Comparison(
            first,
            second,
            sum(a and not b for a, b in zip(right[first], right[second], strict=True)),
            sum(b and not a for a, b in zip(right[first], right[second], strict=True)),
        )
        for first, second in combinations(right, 2)
    ]


def sign_test(first: int, second: int) -> float:
    """Tells how likely so uneven a split is by chance.

    Returns:
        The two-sided p of the exact binomial test with probability 1/2, in (0, 1].
    """
    count = first + second
    tail = sum(math.comb(count, k) for k in range(min(first, second) + 1))
    return min(1.0, 2.0 * tail / float(2**count))


def as_text(answers: Mapping[str, Sequence[Answer]]) -> str:
    """Lays the accuracies out as a Markdown table, and the comparisons below it."""
    lines = ["| recipe | clips | top-1 | 95 % | top-5 | 95 % |", "|---|---|---|---|---|---|"]
    for recipe, given in answers.items():
        cells = [f"`{recipe}`", str(len(given))]
        for rank in (1, 5):
            found = accuracy(given, rank)
            low, high = found.interval
            cells += [
                f"{100 * found.fraction:.1f} % ({found.num_right})",
                f"{100 * low:.1f} to {100 * high:.1f} %",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines += [
        f"only {pair.first} right: {pair.only_first} clips, "
        f"only {pair.second}: {pair.only_second} (p = {pair.p_value:.2g})"
        for pair in compare(answers)
    ]
    return "\n".join(lines)


def as_dict(
    clips: Sequence[LabelledClip], answers: Mapping[str, Sequence[Answer]], scores: VideoScores
) -> dict[str, Any]:
    """Gives all that was found as a JSON document.

    Args:
        clips: The clips.
        answers: Recipe -> the answers for them, in the same order.
        scores: One of the model's results, which says what made it.
    """
    return {
        "i3d_version": __version__,
        "model": asdict(scores.model),
        "engine": asdict(scores.engine),
        "recipes": {
            recipe: {
                "num_clips": len(given),
                **{
                    f"top{rank}": {
                        "num_right": accuracy(given, rank).num_right,
                        "interval": accuracy(given, rank).interval,
                    }
                    for rank in (1, 5)
                },
            }
            for recipe, given in answers.items()
        },
        "comparisons": [asdict(pair) | {"p_value": pair.p_value} for pair in compare(answers)],
        "clips": [
            {
                "file": clip.path.name,
                "labels": clip.labels,
                "answers": {recipe: asdict(given[i]) for recipe, given in answers.items()},
            }
            for i, clip in enumerate(clips)
        ],
    }


def measure(options: argparse.Namespace) -> None:
    """Runs the model on all clips with each recipe, and prints what was found.

    Raises:
        I3DError: The clips or the model can't be used. One clip that can't be read ends the run:
            an accuracy is one of all clips.
        OSError: The output can't be written.
    """
    clips = read_clips(options.folder)
    classifier = Classifier.load(options.model)
    for clip in clips:
        for label in clip.labels:
            if label not in classifier.labels:
                raise unknown_name("label", label, classifier.labels, listing="i3d labels")
    recipes = list(dict.fromkeys(options.recipe or RECIPES))
    answers: dict[str, list[Answer]] = {recipe: [] for recipe in recipes}
    for number, clip in enumerate(clips, start=1):
        for recipe in recipes:
            scores = classifier.score(clip.path, recipe=recipe, input_range=options.input_range)
            answer = answer_of(scores, clip)
            answers[recipe].append(answer)
            print(
                f"{number}/{len(clips)} {clip.path.name}, {recipe}: {answer.predicted} "
                f"{answer.probability:.4f} (right: {answer.right_label}, rank {answer.right_rank})",
                file=sys.stderr,
            )
    print(as_text(answers))
    if options.output is not None:
        document = json.dumps(as_dict(clips, answers, scores), indent=1, ensure_ascii=False)
        options.output.write_text(document + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for.

    Returns:
        The exit code, as of `i3d`.
    """
    parser = argparse.ArgumentParser(description="Measure a model's accuracy on labelled clips.")
    parser.add_argument("folder", type=Path, help="folder with the videos and clips.csv")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="as for i3d classify")
    parser.add_argument(
        "--recipe", action="append", choices=RECIPES, help="may be repeated (default: all)"
    )
    parser.add_argument(
        "--input-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="values to feed for black and white (default: the recipe's)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write all answers as JSON")
    try:
        measure(parser.parse_args(arguments))
    except I3DError as error:
        print(" ".join(filter(None, (error.message, error.hint))), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return ExitCode.TRANSFER
    return 0


if __name__ == "__main__":
    sys.exit(main())
