"""Results as JSON: one document, or one line for each video.

The schemas are described in docs/json.md. Their version goes up when a field changes its meaning
or goes away; a new field does not change it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.report.provenance import provenance_as_dict
from i3d.report.text import encodable

if TYPE_CHECKING:
    from i3d.analysis.results import Outcome, Prediction, Truth
    from i3d.errors import I3DError

DOCUMENT_SCHEMA = "i3d.classification/1"
RESULT_SCHEMA = "i3d.prediction/1"


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
        document = {
            "schema": DOCUMENT_SCHEMA,
            "i3d_version": __version__,
            "results": self._results,
            "error": None if error is None else error_as_dict(error),
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


class JsonLinesReport:
    """A JSON object on each line, one for each video, as soon as it is there."""

    def begin(self) -> str:
        """Nothing."""
        return ""

    def item(self, outcome: Outcome) -> str:
        """One line."""
        return json.dumps(result_as_dict(outcome), ensure_ascii=False, allow_nan=False) + "\n"

    def end(self, error: I3DError | None = None) -> str:
        """One more line where the whole run was stopped, else nothing."""
        if error is None:
            return ""
        line = {
            "schema": RESULT_SCHEMA,
            "i3d_version": __version__,
            "status": "error",
            "video": None,
            "error": error_as_dict(error),
        }
        return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"


def result_as_dict(outcome: Outcome) -> dict[str, Any]:
    """One video's result as plain data, with its schema version and what made it."""
    head = {"schema": RESULT_SCHEMA, "i3d_version": __version__}
    made_of = {
        "file": None if outcome.file is None else asdict(outcome.file),
        "settings": outcome.settings,
    }
    if outcome.prediction is not None:
        return {**head, "status": "ok", **_prediction_as_dict(outcome.prediction), **made_of}
    assert outcome.error is not None  # an outcome is one of the two
    return {
        **head,
        "status": "error",
        "video": {"path": encodable(outcome.path)},
        "error": error_as_dict(outcome.error),
        **made_of,
    }


def error_as_dict(error: I3DError) -> dict[str, Any]:
    """An error as plain data."""
    return {
        "kind": type(error).__name__,
        "exit_code": int(error.exit_code),
        "message": encodable(error.message),
        "hint": None if error.hint is None else encodable(error.hint),
        "details": [encodable(line) for line in error.details],
    }


def _prediction_as_dict(prediction: Prediction) -> dict[str, Any]:
    return {
        **provenance_as_dict(prediction),
        "num_steps": prediction.num_steps,
        "scores": [
            {
                "rank": score.rank,
                "label": encodable(score.label),
                "label_index": score.label_index,
                "probability": score.probability,
                "logit": score.logit,
            }
            for score in prediction.scores
        ],
        "warnings": [encodable(warning) for warning in prediction.warnings],
        "truth": _truth_as_dict(prediction.truth),
    }


def _truth_as_dict(truth: Truth | None) -> dict[str, Any] | None:
    if truth is None:
        return None
    return {
        "dataset": truth.dataset,
        "clip": truth.clip,
        "category": truth.category,
        "labels": [
            {
                "label": encodable(fitting.label),
                "relation": fitting.relation,
                "rank": fitting.rank,
                "probability": fitting.probability,
            }
            for fitting in truth.labels
        ],
    }
