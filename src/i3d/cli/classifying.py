"""What `i3d classify` does with its videos, one after the other."""

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
from i3d.report.known import key_of
from i3d.report.result_files import open_results
from i3d.video.identity import describe_file, glance
from i3d.video.listing import list_videos, read_list

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from i3d.analysis.batch import ScoreSettings
    from i3d.analysis.lazy import LazyClassifier
    from i3d.analysis.scores import ScoreStore
    from i3d.cli.output import Output
    from i3d.progress import Progress
    from i3d.report.formats import Report
    from i3d.report.known import Known
    from i3d.report.result_files import GrowingFormat, ResultFile

_FINAL_FAILURES = frozenset({"VideoDecodeError", "VideoTooShortError"})
"""Errors of which a video alone is the cause, so that trying again is in vain while it is the same
file. A crash of the decoder may have been the system's, and a timeout a slow disk's."""


@dataclass(frozen=True)
class Work:
    """What is to be done with each video."""

    model: LazyClassifier
    settings: ScoreSettings
    top: int
    """How many labels to give."""
    store: ScoreStore | None
    """Where scores are kept."""
    num_ahead: int
    """How many videos are decoded ahead."""
    timeout_seconds: float
    """After so long a silence a decoder is taken to hang."""
    progress: Progress

    def outcomes(
        self, videos: Sequence[tuple[str, I3DError | None]], *, num_asked: int, identify: bool
    ) -> Generator[Outcome, None, None]:
        """Classify videos, and say on standard error what went wrong on the way.

        Args:
            videos: Their paths, and why one is not there.
            num_asked: How many were asked for: the error of a single one ends the command.
            identify: Say which file each was.
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
        UnknownNameError: There is no such clip.
        UsageError: A list can't be read, or there is no video at all.
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
        """Give the path of each, and why one is not there; clips of UCF101 are fetched first."""
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
        destination: Where to.
        report: Makes the document.
        wanted: The videos.
        work: What is to be done with each.
        file: Name of the file that is written, which must be none of the videos.

    Raises:
        I3DError: What stopped the run, or happened to its only video; `PartialFailureError` where
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
    if num_results:  # else a file that was there before is worth more
        destination.finish()
    if stopped_by is not None:
        raise stopped_by
    if num_videos == 1 and errors:
        raise errors[0]
    if errors:
        raise PartialFailureError(
            f"{len(errors)} of {num_videos} videos could not be classified.",
            hint="Run it again when a source can be used."
            if any(isinstance(error, ClipNotFetchedError) for error in errors)
            else "See the errors above.",
        )


def classify_into(
    path: str, format_name: GrowingFormat, wanted: WantedVideos, work: Work, *, again: bool
) -> None:
    """Classify those of the videos whose results are not in a file yet, and add each to it.

    Args:
        path: The file.
        format_name: Its format.
        wanted: The videos.
        work: What is to be done with each.
        again: Start over.

    Raises:
        I3DError: As `classify_to`.
    """
    # A folder may hold the results as well, and `--include "*"` means every file in it.
    videos = [video for video in wanted.fetch(work.progress) if not _is_same(video[0], path)]
    settings = work.settings.digest(work.model, top=work.top)
    num_scores = min(work.top, len(work.model.named.labels))
    with open_results(
        path, format_name, settings=settings, num_scores=num_scores, again=again
    ) as results:
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
    if len(videos) == 1 and errors:
        raise errors[0]
    if failed or errors:
        raise PartialFailureError(
            f"{failed + len(errors)} of {len(videos)} videos could not be classified.",
            hint=f"The reason for each stands in {path}.",
        )


def _left_to_do(
    results: ResultFile, videos: Sequence[tuple[str, I3DError | None]], progress: Progress
) -> tuple[list[tuple[str, I3DError | None]], int]:
    """The videos that have no result yet, or an old one, which is removed; how many had failed.

    An answer stays where its video is not there any more: a disk may be elsewhere at the moment.
    """
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
    known: Mapping[str, Known], videos: Sequence[tuple[str, I3DError | None]]
) -> list[str]:
    """Failures of folders, such as empty ones, in which there are videos now."""
    failed = [key for key, one in known.items() if not one.is_ok and one.file is None]
    if not failed:
        return []
    folders = {folder for path, error in videos if error is None for folder in Path(path).parents}
    return [key for key in failed if Path(key) in folders]


def _is_done(path: str, known: Known, looks: tuple[int, str] | None, *, alone: bool) -> bool:
    """Whether a result is the one that would be found now.

    Args:
        path: The video.
        known: Its result.
        looks: Its size and date now; None where it is not there.
        alone: It is the only one that was asked for.
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
    """Whether two names are of one file."""
    try:
        return Path(path).name == Path(other).name and Path(path).samefile(other)
    except (OSError, ValueError):  # one of them does not exist, or is no file name
        return False
