"""Accuracy on UCF101 as a table, as JSON, and as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.datasets.accuracy_table import render
from i3d.datasets.measures import compare
from i3d.report.jsons import error_as_dict
from i3d.report.table import TableStyle
from i3d.report.text import encodable, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from i3d.datasets.measures import Accuracy, ClipFailure, ClipResult, Evaluation
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


def evaluations_as_text(
    evaluations: Sequence[Evaluation],
    style: TableStyle | None = None,
    error: I3DError | None = None,
) -> str:
    """Accuracies, categories and confusions for people.

    Args:
        evaluations: One; or several, of one model and the same clips with different recipes, which
            are set side by side.
        style: How it looks; None for plain text of 80 columns.
        error: What stopped the run early, if anything did.

    Returns:
        The text; empty where there is no evaluation.
    """
    return render(evaluations, style or TableStyle(), error) if evaluations else ""


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
    document = evaluations_as_dict(evaluations, selection=selection, error=error)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def evaluations_as_dict(
    evaluations: Sequence[Evaluation],
    *,
    selection: Mapping[str, Any],
    error: I3DError | None = None,
) -> dict[str, Any]:
    """The same as plain data; see `evaluations_as_json`."""
    several = len(evaluations) > 1
    document = {
        "schema": EVALUATION_SCHEMA,
        "i3d_version": __version__,
        "selection": dict(selection),
        "evaluations": [_as_dict(evaluation) for evaluation in evaluations],
        "comparison": asdict(compare(evaluations)) if several else None,
        "error": None if error is None else error_as_dict(error),
    }
    safe: dict[str, Any] = _encodable(document)
    return safe


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
        rows = [_result_row(result) for result in evaluation.results]
        rows += [_failure_row(failure) for failure in evaluation.failures]
        writer.writerows(_printable(made_by | row) for row in rows)
    if error is not None:
        writer.writerow(_printable({"status": "error", "message": error.message}))
    return text.getvalue()


def _printable(row: Mapping[str, object]) -> dict[str, object]:
    """Cells that people can look at in a terminal: what is kept on disk may be anybody's."""
    return {name: printable(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _result_row(result: ClipResult) -> dict[str, object]:
    best = result.best_label
    return {
        "clip": result.clip.name,
        "category": result.clip.category,
        "status": "ok",
        "labels": "; ".join(label.label for label in result.labels),
        "relation": best.relation,
        "rank": best.rank,
        "probability": best.probability,
        "top1": int(result.top1),
        "top5": int(result.top5),
        "predicted_label": result.predicted,
        "predicted_probability": result.best[0].probability,
        "message": "; ".join(result.warnings),
    }


def _failure_row(failure: ClipFailure) -> dict[str, object]:
    return {
        "clip": failure.clip.name,
        "category": failure.clip.category,
        "status": "error",
        "message": failure.error.message,
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
        "clips": [_result_as_dict(result) for result in evaluation.results],
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


def _result_as_dict(result: ClipResult) -> dict[str, Any]:
    return {
        "clip": result.clip.name,
        "category": result.clip.category,
        "sha256": result.sha256,
        "num_bytes": result.num_bytes,
        "top1": result.top1,
        "top5": result.top5,
        "labels": [asdict(label) for label in result.labels],
        "best": [asdict(guess) for guess in result.best],
        "warnings": result.warnings,
        "resumed": result.resumed,
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
