"""A page about one video: what happens in it, when, and how that was found."""

from __future__ import annotations

import base64
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.report.jsons import provenance, to_json
from i3d.report.pages.documents import data_url, render_document
from i3d.report.table import facts, truth_text
from i3d.report.text import clock, percent, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from i3d.analysis.results import Prediction, Segment, Timeline
    from i3d.models.records import ModelInfo
    from i3d.pictures.stills import Playable, Still

MAX_VALUES = 400_000
"""Scores of all labels together that a page holds, in two bytes each: a megabyte of text. That is
all labels of Kinetics-400 for five minutes, and eleven of them for three hours."""


def num_tracks(num_steps: int, *, shown: int) -> int:
    """Tell how many labels a page can follow.

    Args:
        num_steps: Number of steps of the timeline.
        shown: How many are to be shown at first.
    """
    return max(shown, MAX_VALUES // num_steps)


def render_video_page(
    prediction: Prediction,
    timeline: Timeline,
    *,
    num_shown: int,
    stills: Sequence[Still] = (),
    playable: Playable | None = None,
) -> str:
    """Render the page.

    Args:
        prediction: The result for the whole video.
        timeline: The result for each moment.
        num_shown: Number of tracks to show at first; those of segments are always shown.
        stills: Pictures from the video.
        playable: What the page plays, if anything.

    Returns:
        The page, which ends with a line end. It needs no other file but a video that it links to.
    """
    merged = -(-len(timeline.tracks) * (len(timeline.edges_seconds) - 1) // MAX_VALUES)
    name = printable(PurePath(timeline.video.path).name or timeline.video.path)
    positions = {track.label_index: i for i, track in enumerate(timeline.tracks)}
    of_segments = {positions[segment.label_index] for segment in timeline.segments}
    shown = max([num_shown, *(position + 1 for position in of_segments)])
    mp4 = None if playable is None else playable.mp4
    return render_document(
        "video.html",
        title=f"{name} - i3d",
        styles=("uPlot.min.css",),
        scripts=("uPlot.iife.min.js", "video.js"),
        data={
            "edges": _packed(_merged_edges(timeline, merged), "<f4"),
            "tracks": [
                {
                    "label": printable(track.label),
                    "scores": _packed(_merged_scores(track.scores, merged) * 65535, "<u2"),
                }
                for track in timeline.tracks
            ],
            "num_shown": shown,
            "segments": [
                {
                    "start": segment.start_seconds,
                    "end": segment.end_seconds,
                    "label": printable(segment.label),
                    "track": positions[segment.label_index],
                    "mean": segment.mean_score,
                    "peak": segment.peak_score,
                }
                for segment in timeline.segments
            ],
            "stills": [
                {
                    "t": round(still.seconds, 3),
                    "ratio": round(still.width / still.height, 3),
                    "src": data_url(still.jpeg, "image/jpeg"),
                }
                for still in stills
            ],
            "video_offset": 0.0 if playable is None else playable.offset_seconds,
        },
        name=name,
        verdict=_verdict(prediction, timeline),
        facts=facts(timeline),
        warnings=[printable(warning) for warning in timeline.warnings],
        media=None
        if playable is None
        else {"url": playable.url if mp4 is None else data_url(mp4, "video/mp4")},
        no_video=_no_video(playable, name),
        merged=merged if merged > 1 else None,
        num_tracks=len(timeline.tracks),
        num_left_out=0
        if timeline.settings.labels is not None
        else timeline.model.num_labels - len(timeline.tracks),
        segments=[_segment_row(segment) for segment in timeline.segments],
        no_segments=_no_segments(timeline),
        how=_how(timeline),
        scores=[
            {
                "rank": score.rank,
                "label": printable(score.label),
                "percent": percent(score.probability),
                "width": round(100 * score.probability, 2),
            }
            for score in prediction.scores
        ],
        truth=None if prediction.truth is None else truth_text(prediction),
        made_by=_made_by(timeline),
        provenance=to_json(provenance(timeline), indent=2),
    )


def _packed(values: npt.NDArray[Any], dtype: str) -> str:
    """Numbers as the page's script reads them: base64 of little-endian ones."""
    rounded = np.rint(values) if dtype == "<u2" else values
    return base64.b64encode(rounded.astype(dtype).tobytes()).decode("ascii")


def _merged_scores(scores: Sequence[float], merged: int) -> npt.NDArray[np.float64]:
    """The highest of each so many scores: a moment must not be lost in a mean."""
    values = np.asarray(scores, np.float64)
    if merged > 1:
        values = np.maximum.reduceat(values, np.arange(0, len(values), merged))
    return values


def _merged_edges(timeline: Timeline, merged: int) -> npt.NDArray[np.float64]:
    edges = np.asarray(timeline.edges_seconds, np.float64)
    return edges if merged <= 1 else np.append(edges[:-1:merged], edges[-1])


def _verdict(prediction: Prediction, timeline: Timeline) -> str:
    """The result in one sentence."""
    best = prediction.scores[0]
    whole = f"Overall: {printable(best.label)} ({percent(best.probability)})."
    count = len(timeline.segments)
    if count:
        return f"{whole} {count} {'segment' if count == 1 else 'segments'}."
    return f"{whole} No confident action at any time."


def _segment_row(segment: Segment) -> dict[str, object]:
    return {
        "start_seconds": segment.start_seconds,
        "peak_seconds": segment.peak_seconds,
        "start": clock(segment.start_seconds),
        "end": clock(segment.end_seconds),
        "label": printable(segment.label),
        "mean": percent(segment.mean_score),
        "peak": percent(segment.peak_score),
        "at": clock(segment.peak_seconds),
    }


def _no_segments(timeline: Timeline) -> str:
    settings = timeline.settings
    return (
        f"No confident action: no label reaches {percent(settings.min_score)} in a span of "
        f"{settings.min_duration_seconds:g} s or more."
    )


def _how(timeline: Timeline) -> str:
    settings = timeline.settings
    smoothed = (
        f"averaged over {settings.smooth_seconds:g} s"
        if settings.smooth_seconds
        else "not averaged over time"
    )
    return (
        f"Scores are {smoothed}. A segment reaches {percent(settings.min_score)}, does not fall "
        f"below half of that, and lasts {settings.min_duration_seconds:g} s or more."
    )


def _no_video(playable: Playable | None, name: str) -> str:
    if playable is None:
        return "This page has no video. Click the chart to see the nearest picture."
    if playable.mp4 is not None:
        return "This browser can't play this copy. Click the chart to see the nearest picture."
    return (
        f"{name} is not where this page looks for it, or this browser can't play it. Click the "
        "chart to see the nearest picture. With --video embed, the page holds a copy that plays."
    )


def _made_by(timeline: Timeline) -> list[tuple[str, str]]:
    """How the numbers were made, for people; the page holds all of it as JSON."""
    video, clip, recipe, model = timeline.video, timeline.clip, timeline.recipe, timeline.model
    declared = video.num_frames_from_header
    fps = "every frame" if recipe.fps is None else f"at most {recipe.fps:g} frames per second"
    low, high = recipe.input_range
    seen = (
        f"{clip.num_frames} frames from {clip.start_seconds:.3f} to {clip.end_seconds:.3f} s, "
        f"{clip.num_frames_fed} fed to the model"
    )
    return [
        ("Video", printable(video.path)),
        (
            "Decoded",
            f"{video.num_frames_decoded} frames"
            + ("" if declared is None else f" ({declared} declared)")
            + f", {video.fps:.6g} per second, {video.duration_seconds:.3f} s"
            + (f", turned {video.rotation_degrees}°" if video.rotation_degrees else ""),
        ),
        ("Seen", seen),
        ("Preprocessing", f"{recipe.name}: {fps}, {recipe.crop}, {recipe.size}x{recipe.size}"),
        ("Range", f"[{low:g}, {high:g}]: {printable(recipe.input_range_reason)}"),
        ("Model", f"{printable(model.name)}, {model.num_labels} labels"),
        ("Fingerprint", model.fingerprint),
        ("Weights", model.weights or "unknown"),
        ("Checkpoint", _checkpoint(model)),
        ("Engine", _engine(timeline)),
    ]


def _engine(timeline: Timeline) -> str:
    """The engine, and why it was not the faster one."""
    reason = timeline.engine.fallback_reason
    return timeline.engine.text + ("" if reason is None else f" ({printable(reason)})")


def _checkpoint(model: ModelInfo) -> str:
    """Whose weights a model has."""
    if model.unofficial:
        return "unofficial: I3D's layers, and weights that DeepMind did not publish"
    return model.checkpoint or "none of DeepMind's"
