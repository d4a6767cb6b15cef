"""Runs an evaluation: fetches, classifies and counts, and resumes what was interrupted."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from i3d.datasets.journal import Entry, Journal
from i3d.datasets.measures import ClipFailure, ClipResult, Evaluation, Guess
from i3d.datasets.targets import DEFAULT_RELATIONS, describe_settings, find_targets
from i3d.datasets.ucf101.truth import predict_with_truth
from i3d.errors import (
    EngineError,
    EngineNotInstalledError,
    ModelLoadError,
    VerificationError,
    VideoError,
)
from i3d.models.records import sha256_of
from i3d.progress import NO_PROGRESS
from i3d.video.recipes import DEFAULT_RECIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from i3d.analysis.classifier import Classifier
    from i3d.datasets.targets import Sample
    from i3d.datasets.ucf101.data import Clip
    from i3d.datasets.ucf101.fetch import FetchedClip
    from i3d.errors import I3DError
    from i3d.progress import Progress

_TOP = 5
"""How many of the best labels are kept of each clip: what top-5 accuracy asks for."""

_OF_NO_CLIP = (EngineNotInstalledError, ModelLoadError, VerificationError)
"""Engine errors that every clip would meet."""


class Evaluator:
    """Classifies clips of UCF101, and counts how often the right label is among the best.

    The results so far can be read at any time, also after an exception.

    Args:
        clips: Clips to evaluate. Duplicates count once.
        classifier: A loaded model.
        fetch: Gives the files of clips, such as `i3d.datasets.ucf101.fetch.fetch_clips`. It is
            called at most once, with the clips that the journal does not answer for.
        relations: Which Kinetics labels count for a category, of `RELATIONS`. If several do, any
            of them is right.
        sample: Take a random sample of the clips whose category has a label that counts; None
            takes all.
        recipe: Name of the preprocessing, see `i3d.video.recipes`.
        journal_dir: Folder of the journals, made where it is missing; None to keep none.
        again: Classify every clip again, and replace the results in the journal.
        local: Gives a clip's file on this machine, or None. A result in the journal counts if that
            file has not changed, or is not on this machine.
        on_failure: Called with each clip that can't be fetched or classified.
        progress: Receives progress updates.

    Raises:
        UsageError: No clips, or none of their categories has a label that counts. Nothing has been
            fetched or run then.
        UnknownNameError: There is no such recipe.
    """

    def __init__(
        self,
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
        on_failure: Callable[[ClipFailure], None] = lambda _: None,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self._classifier = classifier
        self._fetch = fetch
        self._again = again
        self._local = local
        self._on_failure = on_failure
        self._progress = progress
        self._settings = describe_settings(classifier, recipe, relations)
        self._targets = find_targets(
            tuple(dict.fromkeys(clips)),
            classifier.labels,
            self._settings.relations,
            classifier.model.name,
            sample,
        )
        self._key = self._settings.key
        self._journal = None if journal_dir is None else Journal(journal_dir, recipe, self._key)
        self._known: dict[str, Entry] = {}
        self._results: dict[Clip, ClipResult] = {}
        self._failures: dict[Clip, ClipFailure] = {}

    @property
    def clips(self) -> tuple[Clip, ...]:
        """The clips that are evaluated: those that a label counts for, or the sample of them."""
        return self._targets.clips

    @property
    def evaluation(self) -> Evaluation:
        """The results so far."""
        clips = self._targets.clips
        return Evaluation(
            settings=self._settings,
            results=tuple(self._results[clip] for clip in clips if clip in self._results),
            failures=tuple(self._failures[clip] for clip in clips if clip in self._failures),
            left_out=self._targets.left_out,
        )

    def run(self) -> Evaluation:
        """Evaluate all clips.

        Returns:
            The results and failures in the order of the clips; those of a sample in its random
            order.

        Raises:
            CacheError: The journal can't be read or written.
            EngineError: The engine can't run anything.
            I3DError: What `fetch` raises. A `VideoError` or `EngineError` of a single clip is a
                failure in the result.
        """
        settings, clips = self._settings, self._targets.clips
        what = f"evaluating {settings.model.name}, recipe {settings.recipe.name}"
        with self._progress.task(what, len(clips)) as advance:
            if self._journal is not None and not self._again:
                self._known = self._journal.read()
            missing = []
            for clip in clips:
                result = self._remember(clip)
                if result is None:
                    missing.append(clip)
                else:
                    self._results[clip] = result
                    advance(1)
            if missing:
                if self._journal is not None:
                    self._journal.append()  # tell before the first clip is fetched
                self._evaluate(missing, advance)
        return self.evaluation

    def _remember(self, clip: Clip) -> ClipResult | None:
        """Take a clip's result from the journal unless its file or its labels changed."""
        entry = self._known.get(clip.name)
        if entry is None:
            return None
        fitting = {(label.label, label.relation) for label in self._targets.labels[clip.category]}
        if {(label.label, label.relation) for label in entry.truth} != fitting:
            del self._known[clip.name]
            return None
        path = None if self._local is None else self._local(clip)
        if path is not None and not _is_file_of(entry, path):
            return None
        return self._result(clip, entry, resumed=True)

    def _evaluate(self, clips: list[Clip], advance: Callable[[int], None]) -> None:
        files = iter(self._fetch(clips))
        try:
            for file in files:
                error: I3DError | None = file.error
                if file.path is not None:
                    try:
                        self._results[file.clip] = self._classify(file.clip, file.path)
                    except _OF_NO_CLIP:
                        raise
                    except (VideoError, EngineError) as problem:
                        error = problem
                if error is not None:
                    self._failures[file.clip] = ClipFailure(file.clip, error)
                    self._on_failure(self._failures[file.clip])
                advance(1)
        finally:  # downloads that run ahead stop now, not when the exception is forgotten
            if isinstance(files, Generator):
                files.close()

    def _classify(self, clip: Clip, path: Path) -> ClipResult:
        """Classify a fetched clip and keep the result."""
        try:
            num_bytes, sha256 = path.stat().st_size, sha256_of(path)
        except OSError as error:
            raise VideoError(
                f"{path} cannot be read: {error.strerror or error}.",
                hint="Check its permissions, or remove it to have it fetched again.",
            ) from error
        known = self._known.get(clip.name)
        if known is not None and (known.num_bytes, known.sha256) == (num_bytes, sha256):
            return self._result(clip, known, resumed=True)
        scores = self._classifier.score(path, recipe=self._settings.recipe.name)
        prediction = predict_with_truth(scores, _TOP)
        assert prediction.truth is not None, "a clip's file has its name"
        entry = Entry(
            making=self._key,
            clip=clip.name,
            sha256=sha256,
            num_bytes=num_bytes,
            truth=prediction.truth.labels,
            best=tuple(Guess(score.label, score.probability) for score in prediction.scores),
            warnings=prediction.warnings,
        )
        if self._journal is not None:
            self._journal.append(entry)
        return self._result(clip, entry, resumed=False)

    def _result(self, clip: Clip, entry: Entry, *, resumed: bool) -> ClipResult:
        relations = self._settings.relations
        return ClipResult(
            clip=clip,
            labels=tuple(label for label in entry.truth if label.relation in relations),
            best=entry.best,
            sha256=entry.sha256,
            num_bytes=entry.num_bytes,
            warnings=entry.warnings,
            resumed=resumed,
        )


def _is_file_of(entry: Entry, path: Path) -> bool:
    """Tell whether an entry belongs to this very file."""
    try:
        return path.stat().st_size == entry.num_bytes and sha256_of(path) == entry.sha256
    except OSError:  # fetching it will explain
        return False
