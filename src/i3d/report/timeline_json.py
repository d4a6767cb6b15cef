"""A timeline as JSON: its segments, and the scores that they were found in.

The schema is described in docs/json.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.report.jsons import error_as_dict
from i3d.report.provenance import provenance_as_dict
from i3d.report.text import encodable

if TYPE_CHECKING:
    from i3d.analysis.results import Segment, Timeline, TimelineSettings
    from i3d.errors import I3DError

TIMELINE_SCHEMA = "i3d.timeline/1"

_HEAD = {"schema": TIMELINE_SCHEMA, "i3d_version": __version__}


def render_json(timeline: Timeline) -> str:
    """One document, in which each list of numbers stands on one line."""
    document = {
        **_HEAD,
        "status": "ok",
        **provenance_as_dict(timeline),
        "settings": _settings(timeline.settings),
        "segments": [_segment(segment) for segment in timeline.segments],
        "warnings": [encodable(warning) for warning in timeline.warnings],
    }
    tracks = ",".join(
        "\n      "
        + _line(
            {
                "label": encodable(track.label),
                "label_index": track.label_index,
                "scores": track.scores,
            }
        )
        for track in timeline.tracks
    )
    # Put together by hand: indented by `json`, an hour would have 70,000 lines.
    opened = _indented(document).removesuffix("\n}")
    edges = _line(timeline.edges_seconds)
    return (
        f'{opened},\n  "steps": {{\n    "edges_seconds": {edges},\n'
        f'    "tracks": [{tracks}\n    ]\n  }}\n}}\n'
    )


def render_error(path: str, error: I3DError) -> str:
    """The document of a video that has no timeline.

    Args:
        path: The video, as it was given.
        error: Why.
    """
    document = {
        **_HEAD,
        "status": "error",
        "video": {"path": encodable(path)},
        "error": error_as_dict(error),
    }
    return _indented(document) + "\n"


def _settings(settings: TimelineSettings) -> dict[str, Any]:
    labels = settings.labels
    return {
        "labels": None if labels is None else [encodable(label) for label in labels],
        "min_score": settings.min_score,
        "min_duration_seconds": settings.min_duration_seconds,
        "smooth_seconds": settings.smooth_seconds,
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start_seconds": segment.start_seconds,
        "end_seconds": segment.end_seconds,
        "label": encodable(segment.label),
        "label_index": segment.label_index,
        "mean_score": segment.mean_score,
        "peak_score": segment.peak_score,
        "peak_seconds": segment.peak_seconds,
    }


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
