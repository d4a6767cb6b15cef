"""Accuracy on UCF101 as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.datasets.measures import ClipFailure, compare
from i3d.report.jsons import error_as_dict
from i3d.report.text import encodable, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from i3d.datasets.measures import Accuracy, ClipResult, Evaluation
    from i3d.errors import I3DError

EVALUATION_SCHEMA = "i3d.ucf-evaluation/1"

COLUMNS = (
    "recipe",
    "clip",
    "category",
    "labels",
    "relation",
    "rank",
    "probability",
    "top1",
    "top5",
    "predicted_label",
    "predicted_probability",
    "status",
    "message",
    "model",
    "fingerprint",
    "engine",
)


def evaluations_as_json(
    evaluations: Sequence[Evaluation],
    *,
    selection: Mapping[str, Any],
    error: I3DError | None = None,
) -> str:
    """One JSON document, described in docs/json.md.

    Args:
        evaluations: One or several, also none.
        selection: How the clips were chosen, as plain data.
        error: What stopped the run early, if anything did.
    """
    document = {
        "schema": EVALUATION_SCHEMA,
        "i3d_version": __version__,
        "selection": dict(selection),
        "evaluations": [_as_dict(evaluation) for evaluation in evaluations],
        "comparison": asdict(compare(evaluations)) if len(evaluations) > 1 else None,
        "error": None if error is None else error_as_dict(error),
    }
    text = json.dumps(_encodable(document), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def evaluations_as_csv(evaluations: Sequence[Evaluation], error: I3DError | None = None) -> str:
    """A header, and a row for each clip of each evaluation (RFC 4180 quoting, LF line ends).

    Args:
        evaluations: One or several, also none.
        error: What stopped the run early: one more row, without a clip.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for evaluation in evaluations:
        settings = evaluation.settings
        made_by = {
            "recipe": settings.recipe.name,
            "model": settings.model.name,
            "fingerprint": settings.model.fingerprint,
            "engine": settings.engine.text,
        }
        outcomes: tuple[ClipResult | ClipFailure, ...] = (*evaluation.results, *evaluation.failures)
        for outcome in outcomes:
            writer.writerow(_printable(made_by | _row(outcome)))
    if error is not None:
        writer.writerow(_printable({"status": "error", "message": error.message}))
    return text.getvalue()


def _printable(row: Mapping[str, object]) -> dict[str, object]:
    """Make cells safe for a terminal."""
    return {name: printable(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _row(outcome: ClipResult | ClipFailure) -> dict[str, object]:
    clip: dict[str, object] = {"clip": outcome.clip.name, "category": outcome.clip.category}
    if isinstance(outcome, ClipFailure):
        return clip | {"status": "error", "message": outcome.error.message}
    best = outcome.best_label
    return clip | {
        "status": "ok",
        "labels": "; ".join(label.label for label in outcome.labels),
        "relation": best.relation,
        "rank": best.rank,
        "probability": best.probability,
        "top1": int(outcome.top1),
        "top5": int(outcome.top5),
        "predicted_label": outcome.predicted,
        "predicted_probability": outcome.best[0].probability,
        "message": "; ".join(outcome.warnings),
    }


def _as_dict(evaluation: Evaluation) -> dict[str, Any]:
    settings = evaluation.settings
    return {
        "model": asdict(settings.model),
        "recipe": asdict(settings.recipe),
        "engine": asdict(settings.engine),
        "relations": settings.relations,
        "num_clips": evaluation.num_clips,
        "num_failed": len(evaluation.failures),
        "num_resumed": evaluation.num_resumed,
        "accuracy": {
            "top1": _accuracy_as_dict(evaluation.top1),
            "top5": _accuracy_as_dict(evaluation.top5),
            "mean_category_top1": evaluation.mean_category_top1,
            "mean_category_top5": evaluation.mean_category_top5,
        },
        "categories": [
            {
                "category": row.category,
                "labels": row.labels,
                "num_clips": row.top1.num_clips,
                "top1": _accuracy_as_dict(row.top1),
                "top5": _accuracy_as_dict(row.top5),
            }
            for row in evaluation.categories
        ],
        "confusions": [asdict(row) for row in evaluation.confusions],
        "left_out": [asdict(row) for row in evaluation.left_out],
        "clips": [
            {"clip": "", "category": result.clip.category}
            | {"top1": result.top1, "top5": result.top5}
            | asdict(result)
            | {"clip": result.clip.name}
            for result in evaluation.results
        ],
        "failures": [
            {
                "clip": failure.clip.name,
                "category": failure.clip.category,
                "error": error_as_dict(failure.error),
            }
            for failure in evaluation.failures
        ],
    }


def _accuracy_as_dict(accuracy: Accuracy | None) -> dict[str, Any] | None:
    if accuracy is None:
        return None
    return {
        "num_right": accuracy.num_right,
        "fraction": accuracy.fraction,
        "interval": accuracy.interval,
    }


def _encodable(value: Any) -> Any:
    """Make every text in plain data safe for a UTF-8 document; tuples become lists."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(name)): _encodable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(part) for part in value]
    return value
