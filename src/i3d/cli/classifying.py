"""Videos one after the other: each is decoded while the model is loaded, or runs on another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from i3d.cli.clip_failures import show_untried
from i3d.cli.errors import show_error, show_note, show_warning
from i3d.errors import ClipNotFetchedError, EngineError, VideoError
from i3d.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.classifier import Classifier, ClipReader
    from i3d.engines.base import Precision
    from i3d.errors import I3DError
    from i3d.progress import Progress
    from i3d.recipes import Recipe
    from i3d.sources import LocalModel


@dataclass(frozen=True)
class ModelOptions:
    """Which model runs, and how: what `model_options` add to a command."""

    model: str
    label_file: str | None
    engine: str
    precision: Precision


def load_classifier(
    options: ModelOptions, progress: Progress, *, found: LocalModel | None = None
) -> Classifier:
    """Load a model, and say on standard error what is to be known of it.

    Args:
        options: Which model, and how.
        progress: Who wants to know.
        found: The model, where it was looked for before.
    """
    from i3d.classifier import Classifier

    classifier = Classifier.load(
        found or options.model,
        labels=options.label_file,
        engine=options.engine,
        precision=options.precision,
        progress=progress,
    )
    for note in classifier.notes:
        show_note(note)
    return classifier


def outcomes(
    files: list[tuple[str, I3DError | None]],
    model: ModelOptions,
    recipe: Recipe,
    progress: Progress,
    *,
    top: int,
    **span: Any,
) -> Iterator[Outcome]:
    """Classify videos, and say on standard error what went wrong on the way.

    Args:
        files: Their paths, and why one is not there.
        model: Which model runs.
        recipe: The preprocessing.
        progress: Who wants to know.
        top: How many labels to give.
        **span: Which part of each video: `i3d.classifier.ClipReader`'s.
    """
    run = _Run(files, model, recipe, progress, span)
    num_untried = 0
    try:
        for number in range(len(files)):
            outcome = run.outcome(number, top)
            if isinstance(outcome.error, ClipNotFetchedError):
                num_untried += 1
            elif outcome.error is not None and len(files) > 1:
                show_error(outcome.error)
            if outcome.prediction is not None:
                for warning in outcome.prediction.warnings:
                    show_warning(f"{outcome.path}: {warning}.")
            yield outcome
    finally:
        run.close()
    show_untried(num_untried)


class _Run:
    """Decodes each video ahead, and loads the model for the first that can be read."""

    def __init__(
        self,
        files: list[tuple[str, I3DError | None]],
        model: ModelOptions,
        recipe: Recipe,
        progress: Progress,
        span: dict[str, Any],
    ) -> None:
        self._files = files
        self._model = model
        self._recipe = recipe
        self._progress = progress
        self._span = span
        self._size = recipe.size  # of most models: decoding need not wait until one was found
        self._classifier: Classifier | None = None
        self._ahead: ClipReader | None = None

    def close(self) -> None:
        """Stop decoding."""
        if self._ahead is not None:
            self._ahead.close()

    def outcome(self, number: int, top: int) -> Outcome:
        """Classify a video; what keeps the model from being loaded is raised."""
        path, transfer_error = self._files[number]
        if transfer_error is not None:
            return Outcome(path, error=transfer_error)
        reader, self._ahead = self._ahead or self._open(number), None
        with reader:
            try:
                # A model takes seconds to load: not for a video that can't be read.
                reader.wait()
            except VideoError as error:
                return Outcome(path, error=error)
            classifier = self._classifier = self._classifier or self._load()
            try:
                if reader.size == self._size:
                    clip = reader.read(self._progress)
                else:
                    with self._open(number) as other:
                        clip = other.read(self._progress)
                if number + 1 < len(self._files) and self._files[number + 1][1] is None:
                    self._ahead = self._open(number + 1)
                prediction = classifier.classify_clip(clip, top=top, progress=self._progress)
            except (VideoError, EngineError) as error:
                return Outcome(path, error=error)
        return Outcome(path, prediction=prediction)

    def _open(self, number: int) -> ClipReader:
        from i3d.classifier import ClipReader

        return ClipReader(self._files[number][0], self._recipe, self._size, **self._span)

    def _load(self) -> Classifier:
        from i3d.classifier import clip_size
        from i3d.labels import read_labels
        from i3d.sources import find_model

        labels = self._model.label_file
        # A mistyped name is told before a model is fetched. A pipe can be read only once, later.
        if labels is not None and not (os.path.exists(labels) and not os.path.isfile(labels)):  # noqa: PTH110, PTH113  (no error on any name)
            read_labels(labels)
        found = find_model(self._model.model, progress=self._progress)
        self._size = clip_size(found, self._recipe)
        return load_classifier(self._model, self._progress, found=found)
