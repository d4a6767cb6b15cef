"""How `i3d classify` works through its videos."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.analysis.batch import Batch
from i3d.analysis.results import Outcome
from i3d.cli.errors import show_error, show_note, show_warning
from i3d.cli.output import check_target
from i3d.cli.ucf_clips import fetch_named_clips, find_clips, is_clip_name, show_untried
from i3d.datasets.ucf101.truth import predict_with_truth
from i3d.errors import (
    ClipNotFetchedError,
    I3DError,
    OutputError,
    PartialFailureError,
    UsageError,
    UserInterruptError,
    VideoError,
)
from i3d.video.identity import describe_file, glance
from i3d.video.listing import list_videos, read_list

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from i3d.analysis.batch import ScoreSettings
    from i3d.analysis.classifier import Classifier
    from i3d.analysis.scores import ScoreStore
    from i3d.cli.output import Output
    from i3d.progress import Progress
    from i3d.report.formats import Report
    from i3d.report.reading import ResultRow
    from i3d.report.result_files import ResultFile

_FINAL_FAILURES = frozenset({"VideoDecodeError", "VideoTooShortError"})
"""Errors that the file itself causes: trying again is useless while the file is the same. A crash
of the decoder may come from the system, and a timeout from a slow disk."""


@dataclass(frozen=True)
class Work:
    """What to do with each video."""

    model: Classifier
    settings: ScoreSettings
    top: int
    """Number of labels to give."""
    store: ScoreStore | None
    """Where scores are kept, if they are."""
    num_ahead: int
    """Number of videos that are decoded ahead."""
    timeout_seconds: float
    """A decoder that gives no frame for so long counts as hanging."""
    progress: Progress

    def outcomes(
        self, videos: Sequence[tuple[str, I3DError | None]], *, num_asked: int, identify: bool
    ) -> Generator[Outcome, None, None]:
        """Classify videos, and report errors and warnings on standard error.

        Args:
            videos: Their paths; with an error, for one that is not there.
            num_asked: Number of videos that were asked for: the error of a single one ends the
                command.
            identify: Add which file each was.
        """
        batch = Batch(
            videos,
            self.model,
            self.settings,
            store=self.store,
            num_ahead=self.num_ahead,
            isolated=num_asked > 1,
            timeout_seconds=self.timeout_seconds,
            identify=identify,
            progress=self.progress,
        )
        num_untried = 0
        with closing(batch):
            for scored in batch:
                if isinstance(scored.error, ClipNotFetchedError):
                    num_untried += 1
                elif scored.error is not None and num_asked > 1:
                    show_error(scored.error)
                prediction = (
                    None if scored.scores is None else predict_with_truth(scored.scores, self.top)
                )
                for warning in () if prediction is None else prediction.warnings:
                    show_warning(f"{scored.path}: {warning}.")
                yield Outcome(scored.path, prediction, scored.error, scored.file)
        show_untried(num_untried)


class WantedVideos:
    """The videos that arguments mean.

    Args:
        videos: Files, folders, and clips of UCF101 (`ucf:NAME`).
        lists: Files with more of them, `-` for standard input.
        include: Of folders, only files that match.
        exclude: Of folders, no files and folders that match.

    Raises:
        UnknownNameError: A clip does not exist.
        UsageError: A list can't be read, or no video was given.
    """

    def __init__(
        self,
        videos: Sequence[str],
        lists: Sequence[str],
        *,
        include: Sequence[str],
        exclude: Sequence[str],
    ) -> None:
        self.names = [*videos, *(line for source in lists for line in read_list(source))]
        """As they were given."""
        if not self.names:
            raise UsageError(
                "No video was given.",
                hint="Give a video, a folder of videos, or a list of them: --from FILE",
            )
        self._clips = find_clips([name for name in self.names if is_clip_name(name)])
        self._patterns = {"include": include, "exclude": exclude}

    def fetch(self, progress: Progress) -> list[tuple[str, I3DError | None]]:
        """Return the path of each, with an error for one that is not there.

        Clips of UCF101 are fetched first.
        """
        fetched = fetch_named_clips(self._clips, progress)
        found: list[tuple[str, I3DError | None]] = []
        files: list[str] = []
        for name in [*self.names, None]:
            if name is not None and name not in fetched:
                files.append(name)
                continue
            listed = list_videos(files, **self._patterns)
            found += [(entry.path, entry.error) for entry in listed]
            files = []
            if name is not None:
                found += fetched[name]
        return list(dict.fromkeys(found))


def classify_to(
    destination: Output,
    report: Report,
    wanted: WantedVideos,
    work: Work,
    *,
    file: str | None = None,
) -> None:
    """Classify videos, and write one document.

    Args:
        destination: Where the document goes.
        report: Makes the document.
        wanted: The videos.
        work: What to do with each.
        file: The file that is written, if it is one; none of the videos may be it.

    Raises:
        I3DError: What stopped the run, or the error of its only video; `PartialFailureError` if
            some of several failed.
    """
    errors: list[I3DError] = []
    num_results = num_videos = 0
    stopped_by: I3DError | None = None
    destination.write(report.begin())
    try:
        videos = wanted.fetch(work.progress)
        num_videos = len(videos)
        if file is not None:
            check_target(Path(file), (path for path, _ in videos))
        with closing(work.outcomes(videos, num_asked=num_videos, identify=False)) as outcomes:
            for outcome in outcomes:
                destination.write(report.item(outcome))
                num_results += 1
                if outcome.error is not None:
                    errors.append(outcome.error)
    except OutputError:
        raise
    except KeyboardInterrupt:
        stopped_by = UserInterruptError("Interrupted.")
    except I3DError as error:
        stopped_by = error
    destination.write(report.end(stopped_by))
    if num_results:  # otherwise keep the file that was there before
        destination.finish()
    if stopped_by is not None:
        raise stopped_by
    hint = "See the errors above."
    if any(isinstance(error, ClipNotFetchedError) for error in errors):
        hint = "Run it again when a source can be reached."
    _raise_failures(errors, len(errors), num_videos, hint)


def classify_into(
    path: str, format_name: str, wanted: WantedVideos, work: Work, *, again: bool
) -> None:
    """Classify the videos whose results are not in a file yet, and add each to it.

    Args:
        path: The file.
        format_name: Its format.
        wanted: The videos.
        work: What to do with each.
        again: Start over.

    Raises:
        I3DError: As `classify_to`.
    """
    from i3d.report.result_files import ResultFile

    # A folder may hold the results as well, and `--include "*"` means every file in it.
    videos = [video for video in wanted.fetch(work.progress) if not _is_same(video[0], path)]
    settings = work.settings.digest(work.model, top=work.top)
    with ResultFile(path, format_name, settings=settings, again=again) as results:
        left, failed = _left_to_do(results, videos, work.progress)
        num_before = len(videos) - len(left)
        errors: list[I3DError] = []
        num_now = 0
        try:
            with (
                work.progress.task("classifying", len(left), "videos") as advance,
                closing(work.outcomes(left, num_asked=len(videos), identify=True)) as outcomes,
            ):
                for outcome in outcomes:
                    results.append(replace(outcome, settings=settings))
                    num_now += 1
                    advance(1)
                    if outcome.error is not None:
                        errors.append(outcome.error)
        finally:
            results.finish()
            if len(videos) > 1:
                before = f", {num_before} of them from before" if num_before else ""
                more = "" if num_now == len(left) else " Run it again to go on."
                done = f"{num_now + num_before} of {len(videos)} videos"
                show_note(f"{done} are in {path}{before}.{more}")
    hint = f"The reasons are in {path}."
    _raise_failures(errors, failed + len(errors), len(videos), hint)


def _raise_failures(
    errors: Sequence[I3DError], num_failed: int, num_videos: int, hint: str
) -> None:
    """Raise the error of the only video, or that some of several failed."""
    if num_videos == 1 and errors:
        raise errors[0]
    if num_failed:
        raise PartialFailureError(
            f"{num_failed} of {num_videos} videos could not be classified.", hint=hint
        )


def _left_to_do(
    results: ResultFile, videos: Sequence[tuple[str, I3DError | None]], progress: Progress
) -> tuple[list[tuple[str, I3DError | None]], int]:
    """Find the videos that have no result yet, or an outdated one, which is removed.

    An answer stays if its video can't be found now: its disk may be unplugged.

    Returns:
        The videos, and the number of failures that stay.
    """
    from i3d.report.result_files import key_of

    left, stale, gone = [], [], []
    num_failed = num_changed = 0
    with progress.task("comparing with earlier results", len(videos), "videos") as advance:
        for path, error in videos:
            known = results.known.get(key_of(path))
            looks = None if known is None or error is not None else glance(path)
            if known is None:
                left.append((path, error))
            elif known.is_ok and looks is None:
                gone.append(path)
            elif _is_done(path, known, looks, alone=len(videos) == 1):
                num_failed += not known.is_ok
            else:
                left.append((path, error))
                stale.append(path)
                num_changed += known.is_ok
            advance(1)
    stale += _of_folders(results.known, videos)
    if stale:
        results.forget(stale)
    if gone:
        others = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        show_warning(f"{gone[0]}{others} cannot be found or read now; earlier results stay.")
    if num_changed:
        what = "1 earlier result is" if num_changed == 1 else f"{num_changed} earlier results are"
        show_note(f"{what} made again: the file has changed, or is another one of that name.")
    return left, num_failed


def _of_folders(
    known: Mapping[str, ResultRow], videos: Sequence[tuple[str, I3DError | None]]
) -> list[str]:
    """Failures of folders that were empty, say, and hold videos now."""
    failed = [key for key, one in known.items() if not one.is_ok and one.file is None]
    if not failed:
        return []
    folders = {folder for path, error in videos if error is None for folder in Path(path).parents}
    return [key for key in failed if Path(key) in folders]


def _is_done(path: str, known: ResultRow, looks: tuple[int, str] | None, *, alone: bool) -> bool:
    """Tell whether a result is still up to date.

    Args:
        path: The video.
        known: Its result.
        looks: Its size and date now; None if it is not there.
        alone: Only this video was asked for.
    """
    if known.file is None or looks is None:
        return False
    if not known.is_ok and (alone or known.error_kind not in _FINAL_FAILURES):
        return False
    if looks == (known.file.num_bytes, known.file.modified):
        return True
    if looks[0] != known.file.num_bytes:
        return False
    try:
        return describe_file(path).sha256 == known.file.sha256
    except VideoError:
        return False


def _is_same(path: str, other: str) -> bool:
    """Tell whether two paths name the same file."""
    try:
        return Path(path).name == Path(other).name and Path(path).samefile(other)
    except (OSError, ValueError):  # one of them does not exist, or can't be a file name
        return False
