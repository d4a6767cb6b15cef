"""What `i3d timeline`, `i3d report` and `i3d annotate` share: a video's timeline, from options."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from i3d.analysis.results import TimelineSettings
from i3d.cli.terminal import progress_on_terminal
from i3d.cli.ucf_clips import fetch_named_clips, find_clips, is_clip_name
from i3d.cli.video_options import check_names, score_settings
from i3d.engines.choose import check_precision
from i3d.models.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d.analysis.batch import ScoreSettings
    from i3d.analysis.classifier import Classifier
    from i3d.analysis.results import Timeline
    from i3d.analysis.scores import VideoScores
    from i3d.progress import Progress

    Command = TypeVar("Command", bound=Callable[..., Any])

_DEFAULTS = TimelineSettings()


def timeline_options(command: Command) -> Command:
    """`--labels`, `--min-score`, `--min-duration`, `--smooth`; `TimelineQuestion` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Answer:
    """The answer to a `TimelineQuestion`."""

    video: str
    """Path of the video: of a clip of UCF101, where it was fetched to."""
    scores: VideoScores
    """What the model says of it."""
    settings: TimelineSettings
    """How it becomes segments."""

    def timeline(self, *, top: int) -> Timeline:
        """Make the timeline.

        Args:
            top: How many labels to give step by step.

        Raises:
            UsageError: `top` is below 1.
        """
        from i3d.analysis.timeline import make_timeline

        return make_timeline(self.scores, self.settings, top=top)


class TimelineQuestion:
    """What a command's options ask of one video.

    Args:
        options: All options of `timeline_options`, `model_options` and `video_options` by their
            names, and `video`, the video; those are removed. What makes no sense is told now.

    Raises:
        click.BadParameter: An option is empty, or two of them contradict each other.
        UnknownNameError: A clip does not exist.
        UsageError: An option makes no sense.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        from i3d.analysis.timeline import check_settings

        self.video: str = options.pop("video")
        """The video, as it was given."""
        self._patterns: tuple[str, ...] = options.pop("patterns")
        self._model = {name: options.pop(name) for name in ("model", "engine", "precision")}
        self._label_file: str | None = options.pop("label_file")
        self._save_scores: str | None = options.pop("save_scores")
        check_names(
            model=self._model["model"],
            label_file=self._label_file,
            save_scores=self._save_scores,
        )
        self._settings = TimelineSettings(
            None,
            options.pop("min_score"),
            options.pop("min_duration_seconds"),
            options.pop("smooth_seconds"),
        )
        self._score_settings: ScoreSettings = score_settings(options, in_windows=True)
        check_precision(self._model["engine"], self._model["precision"])
        check_settings(self._settings)
        self._clips = find_clips([self.video] if is_clip_name(self.video) else [])

    @property
    def span(self) -> dict[str, Any]:
        """Which part of the video is asked about, as `ClipReader` takes it."""
        return self._score_settings.span

    def answer(self) -> Answer:
        """Find the video, and ask the model or its kept scores.

        Raises:
            I3DError: What went wrong.
        """
        from i3d.analysis.classifier import Classifier
        from i3d.analysis.timeline import follow_labels
        from i3d.video.reader import check_video

        progress = progress_on_terminal()
        video, settings = self.video, self._settings
        for fetched in fetch_named_clips(self._clips, progress).get(video, ())[:1]:
            video, error = fetched
            if error is not None:
                raise error
        model = Classifier(**self._model, labels=self._label_file, progress=progress)
        if self._patterns:
            check_video(video)  # before a model is looked for, and maybe fetched
            name = self._model["model"]
            listing = f"i3d labels --model {name}" if name in CATALOG else None
            followed = follow_labels(self._patterns, model.labels, listing=listing)
            settings = replace(settings, labels=followed)
        return Answer(video, self._scores(video, model, progress), settings)

    def _scores(self, video: str, model: Classifier, progress: Progress) -> VideoScores:
        """What the model says of the video: kept scores, or a new run."""
        from i3d.analysis.batch import Batch
        from i3d.analysis.scores import ScoreStore

        store = None if self._save_scores is None else ScoreStore(self._save_scores)
        batch = Batch([(video, None)], model, self._score_settings, store=store, progress=progress)
        with closing(batch):
            (scored,) = batch
        if scored.error is not None:
            raise scored.error
        assert scored.scores is not None  # it is one of the two
        return scored.scores


_OPTIONS = (
    click.option(
        "--labels",
        "patterns",
        multiple=True,
        metavar="PATTERN",
        help="Follow only these labels, each by itself: a name, a part of one, or a shell pattern. "
        "May be given several times.",
    ),
    click.option(
        "--min-score",
        type=float,
        default=_DEFAULTS.min_score,
        show_default=True,
        metavar="P",
        help="A segment reaches this probability, and stays above half of it.",
    ),
    click.option(
        "--min-duration",
        "min_duration_seconds",
        type=float,
        default=_DEFAULTS.min_duration_seconds,
        show_default=True,
        metavar="S",
        help="Leave out shorter segments.",
    ),
    click.option(
        "--smooth",
        "smooth_seconds",
        type=float,
        default=_DEFAULTS.smooth_seconds,
        show_default=True,
        metavar="S",
        help="Average over S seconds around each moment; 0 for none.",
    ),
)
