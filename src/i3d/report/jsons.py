"""Results as JSON: one document, or one line for each video.

The schemas are described in docs/json.md. Their version goes up when a field changes its meaning
or goes away; a new field does not change it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.report.text import encodable

if TYPE_CHECKING:
    from i3d.analysis.results import Outcome, Prediction, Timeline
    from i3d.errors import I3DError

DOCUMENT_SCHEMA = "i3d.classification/1"
RESULT_SCHEMA = "i3d.prediction/1"
TIMELINE_SCHEMA = "i3d.timeline/1"

_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(value: object, *, indent: int | None = None) -> str:
    r"""Encode plain data and dataclasses.

    Args:
        value: What to encode. File names that are not UTF-8 hold lone surrogates; each becomes the
            six characters `\udc..`, as in `i3d.report.text.encodable`.
        indent: Spaces for each level; None for a single line.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=asdict)
    return _SURROGATE.sub(lambda match: rf"\\u{ord(match[0]):04x}", text)


def document(schema: str, **fields: object) -> str:
    """Encode a whole document, with its schema and the version of i3d."""
    return to_json(_head(schema) | fields, indent=2) + "\n"


class JsonReport:
    """All results in one document, which parses whatever happened."""

    def __init__(self) -> None:
        self._results: list[dict[str, Any]] = []

    def begin(self) -> str:
        """Nothing yet: the document is written when it is whole."""
        return ""

    def item(self, outcome: Outcome) -> str:
        """Keep a result for the end."""
        self._results.append(result_as_dict(outcome))
        return ""

    def end(self, error: I3DError | None = None) -> str:
        """The whole document."""
        stopped_by = None if error is None else error_as_dict(error)
        return document(DOCUMENT_SCHEMA, results=self._results, error=stopped_by)


class JsonLinesReport:
    """A JSON object on each line, one for each video, as soon as it is there."""

    def begin(self) -> str:
        """Nothing."""
        return ""

    def item(self, outcome: Outcome) -> str:
        """One line."""
        return to_json(result_as_dict(outcome)) + "\n"

    def end(self, error: I3DError | None = None) -> str:
        """One more line where the whole run was stopped, else nothing."""
        if error is None:
            return ""
        stopped = {"status": "error", "video": None, "error": error_as_dict(error)}
        return to_json(_head(RESULT_SCHEMA) | stopped) + "\n"


def result_as_dict(outcome: Outcome) -> dict[str, Any]:
    """One video's result as plain data, with its schema version and what made it."""
    found = outcome.prediction
    if found is not None:
        result: dict[str, Any] = {
            "status": "ok",
            **provenance(found),
            "num_steps": found.num_steps,
            "scores": [asdict(score) for score in found.scores],
            "warnings": found.warnings,
            "truth": None if found.truth is None else asdict(found.truth),
        }
    else:
        assert outcome.error is not None  # an outcome is one of the two
        error = error_as_dict(outcome.error)
        result = {"status": "error", "video": {"path": outcome.path}, "error": error}
    file = None if outcome.file is None else asdict(outcome.file)
    return _head(RESULT_SCHEMA) | result | {"file": file, "settings": outcome.settings}


def error_as_dict(error: I3DError) -> dict[str, Any]:
    """An error as plain data."""
    return {
        "kind": type(error).__name__,
        "exit_code": int(error.exit_code),
        "message": encodable(error.message),
        "hint": None if error.hint is None else encodable(error.hint),
        "details": [encodable(line) for line in error.details],
    }


def provenance(result: Prediction | Timeline) -> dict[str, Any]:
    """The video, the clip, the recipe, the model and the engine of a result, as plain data."""
    return {
        name: asdict(getattr(result, name))
        for name in ("video", "clip", "recipe", "model", "engine")
    }


def timeline_as_json(timeline: Timeline) -> str:
    """One document, in which each list of numbers stands on one line."""
    opened = document(
        TIMELINE_SCHEMA,
        status="ok",
        **provenance(timeline),
        settings=timeline.settings,
        segments=timeline.segments,
        warnings=timeline.warnings,
    ).removesuffix("\n}\n")
    # Put together by hand: indented by `json`, an hour would have 70,000 lines.
    edges = to_json(timeline.edges_seconds)
    tracks = ",".join(f"\n      {to_json(track)}" for track in timeline.tracks)
    return (
        f'{opened},\n  "steps": {{\n    "edges_seconds": {edges},\n'
        f'    "tracks": [{tracks}\n    ]\n  }}\n}}\n'
    )


def timeline_failure_as_json(path: str, error: I3DError) -> str:
    """The document of a video that has no timeline.

    Args:
        path: The video, as it was given.
        error: Why.
    """
    failed = error_as_dict(error)
    return document(TIMELINE_SCHEMA, status="error", video={"path": path}, error=failed)


def _head(schema: str) -> dict[str, Any]:
    return {"schema": schema, "i3d_version": __version__}
