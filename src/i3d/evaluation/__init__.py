"""How well a Kinetics model does on UCF101: top-1 and top-5 accuracy, resumable.

A category of UCF101 counts as named where one of the Kinetics labels that fit it is at rank 1, or
among the first 5; `i3d.ucf101` knows the labels. Nothing is trained, so the numbers say how well
a machine, a model and a recipe work, and are not those of papers that train on UCF101.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from i3d.evaluation.evaluator import Evaluator
from i3d.evaluation.measures import (
    Accuracy,
    CategoryResult,
    ClipFailure,
    ClipResult,
    Confusion,
    Disagreement,
    Evaluation,
    Guess,
    LeftOut,
    compare,
)
from i3d.evaluation.settings import DEFAULT_RELATIONS, RELATIONS, Settings
from i3d.evaluation.targets import Sample, Targets, find_targets
from i3d.progress import NO_PROGRESS
from i3d.recipes import DEFAULT_RECIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from i3d.classifier import Classifier
    from i3d.progress import Progress
    from i3d.ucf101 import Clip
    from i3d.ucf101_files.fetching import FetchedClip

__all__ = [
    "DEFAULT_RELATIONS",
    "RELATIONS",
    "Accuracy",
    "CategoryResult",
    "ClipFailure",
    "ClipResult",
    "Confusion",
    "Disagreement",
    "Evaluation",
    "Evaluator",
    "Guess",
    "LeftOut",
    "Sample",
    "Settings",
    "Targets",
    "compare",
    "evaluate",
    "find_targets",
]


def evaluate(
    clips: Sequence[Clip],
    classifier: Classifier,
    *,
    fetch: Callable[[Sequence[Clip]], Iterable[FetchedClip]],
    relations: Collection[str] = DEFAULT_RELATIONS,
    sample: Sample | None = None,
    recipe: str = DEFAULT_RECIPE,
    journal_dir: Path | None = None,
    again: bool = False,
    local: Callable[[Clip], Path | None] | None = None,
    on_result: Callable[[ClipResult], None] | None = None,
    on_failure: Callable[[ClipFailure], None] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Evaluation:
    """Classify clips of UCF101 and count how often the right label is among the best.

    Use `Evaluator` where what was done before an exception is of interest.

    Args:
        clips: Which clips; one that is named twice counts once.
        classifier: A loaded model.
        fetch: Gives the files of clips, such as `i3d.ucf101_files.fetching.fetch_clips`. It is
            called at most once, with the clips that the journal does not answer for.
        relations: Which Kinetics labels count for a category, of `RELATIONS`. Of several labels
            any will do.
        sample: Take only some of the clips, by chance, out of those whose category has a label
            that counts; None for all of them.
        recipe: Name of the preprocessing, see `i3d.recipes`.
        journal_dir: Folder of the journals, made where it is missing; None to keep none.
        again: Classify every clip, whatever the journal says. What is found is written to it, and
            counts from then on.
        local: Where a clip's file is if it is on this machine, else None. A clip's line in the
            journal is only believed if that file has not changed; one without a file here is
            believed by its name.
        on_result: Called with each result as soon as it is there: first those from the journal.
        on_failure: Called with each clip that could not be classified.
        progress: Who wants to know.

    Returns:
        The results and failures in the order of `clips`; those of a sample in its random order.

    Raises:
        UsageError: No clips, no or unknown relations, a sample of less than one, or none of the
            clips' categories has a label that counts. Nothing has been fetched or run then.
        UnknownNameError: There is no such recipe.
        CacheError: The journal can't be read or written.
        EngineError: The engine can't run anything.
        I3DError: What `fetch` raises. A `VideoError` or `EngineError` of a single clip is a
            failure in the result.
    """
    return Evaluator(
        clips,
        classifier,
        fetch=fetch,
        relations=relations,
        sample=sample,
        recipe=recipe,
        journal_dir=journal_dir,
        again=again,
        local=local,
        on_result=on_result,
        on_failure=on_failure,
        progress=progress,
    ).run()
