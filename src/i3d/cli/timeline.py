"""`i3d timeline`: when does what happen in this video?"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from i3d.catalog import CATALOG
from i3d.cli.completion import complete_files
from i3d.cli.errors import show_warning
from i3d.cli.model_options import model_options, result_options
from i3d.cli.options import offline_option, verbose_option
from i3d.cli.output import Output, format_of
from i3d.cli.tables import table_style
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_videos import fetch_named_clips, find_clips, is_clip_name
from i3d.cli.video_options import check_names, score_settings, video_options
from i3d.engines import check_precision
from i3d.errors import I3DError, OutputError, UsageError
from i3d.report.timeline import TIMELINE_FORMATS, render_failure, render_timeline
from i3d.results import TimelineSettings

if TYPE_CHECKING:
    from i3d.batch import ScoreSettings
    from i3d.classifier.lazy import LazyClassifier
    from i3d.engines.base import Precision
    from i3d.progress import Progress
    from i3d.scores import ScoreStore, VideoScores

_DEFAULTS = TimelineSettings()

EPILOG = """\
\b
Examples:
  i3d timeline match.mp4
  i3d timeline match.mp4 --labels "playing *" --min-score 0.2
  i3d timeline match.mp4 -o match.srt
  i3d timeline match.mp4 --save-scores scores/     (the next question takes no time)
"""


@click.command("timeline", epilog=EPILOG)
@click.argument("video", metavar="VIDEO", shell_complete=complete_files)
@click.option(
    "--labels",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Follow these labels only, each for itself: names, parts of names, or shell patterns; "
    "may be given several times.",
)
@click.option(
    "--min-score",
    type=float,
    default=_DEFAULTS.min_score,
    show_default=True,
    metavar="P",
    help="A segment reaches this probability, and does not fall below half of it.",
)
@click.option(
    "--min-duration",
    "min_duration_seconds",
    type=float,
    default=_DEFAULTS.min_duration_seconds,
    show_default=True,
    metavar="S",
    help="Nothing shorter is a segment.",
)
@click.option(
    "--smooth",
    "smooth_seconds",
    type=float,
    default=_DEFAULTS.smooth_seconds,
    show_default=True,
    metavar="S",
    help="Average over S seconds around each moment; 0 for none.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="K",
    help="How many labels to show at least, where --labels does not name them.",
)
@model_options
@video_options
@result_options(TIMELINE_FORMATS)
@offline_option
@verbose_option
def timeline_command(
    video: str,
    patterns: tuple[str, ...],
    min_score: float,
    min_duration_seconds: float,
    smooth_seconds: float,
    top: int,
    model: str,
    label_file: str | None,
    engine: str,
    precision: Precision,
    format_name: str | None,
    output: str | None,
    verbose: bool,
    save_scores: str | None,
    **options: Any,
) -> None:
    """Say when what happens in a video, as segments of time.

    The scores of each step (0.32 s of I3D's) are smoothed, and two thresholds make segments of
    them. Where no label is likely for long enough, nothing is said to happen. The video may be as
    long as it likes, a folder of images, or a clip of UCF101 (ucf:NAME).
    """
    from i3d.classifier.lazy import LazyClassifier
    from i3d.loader import check_video
    from i3d.scores import ScoreStore
    from i3d.timeline import check_settings, follow_labels, make_timeline

    check_names(model=model, label_file=label_file, output=output, save_scores=save_scores)
    scored = score_settings(options, in_windows=True)
    check_precision(engine, precision)
    settings = TimelineSettings(None, min_score, min_duration_seconds, smooth_seconds)
    check_settings(settings)
    format_name = format_name or format_of(output, TIMELINE_FORMATS)
    clips = find_clips([video] if is_clip_name(video) else [])
    with Output(output, inputs=[video], utf8=format_name != "table") as destination:
        try:
            with libraries_silenced(verbose=verbose):
                progress = progress_on_terminal()
                for fetched in fetch_named_clips(clips, progress).get(video, ())[:1]:
                    video, error = fetched
                    if error is not None:
                        raise error
                lazy = LazyClassifier(
                    model, labels=label_file, engine=engine, precision=precision, progress=progress
                )
                if patterns:
                    check_video(video)  # before a model is looked for, and maybe fetched
                    listing = f"i3d labels --model {model}" if model in CATALOG else None
                    followed = follow_labels(patterns, lazy.named.labels, listing=listing)
                    settings = replace(settings, labels=followed)
                store = None if save_scores is None else ScoreStore(save_scores)
                timeline = make_timeline(
                    _scores(video, lazy, scored, store, progress), settings, top=top
                )
        except (OutputError, UsageError):
            raise
        except I3DError as error:
            if format_name == "json" and not destination.is_file:
                destination.write(render_failure(video, error))
            raise
        for warning in timeline.warnings:
            show_warning(f"{video}: {warning}.")
        style = table_style(to_file=destination.is_file)
        destination.write(render_timeline(timeline, format_name, style))
        destination.finish()


def _scores(
    video: str,
    model: LazyClassifier,
    settings: ScoreSettings,
    store: ScoreStore | None,
    progress: Progress,
) -> VideoScores:
    """What the model says of the video, from where it is kept or from the model."""
    from i3d.batch import Batch

    batch = Batch([(video, None)], model, settings, store=store, progress=progress)
    with closing(batch):
        (scored,) = batch
    if scored.error is not None:
        raise scored.error
    assert scored.scores is not None  # it is one of the two
    return scored.scores
