"""Results as rows, one for each score: what CSV and Parquet hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from i3d.engines.base import EngineInfo
from i3d.models.records import ModelInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
"""No video is longer: 31 years."""


class Row(msgspec.Struct, frozen=True):
    """A score, or a video that failed. The fields are the columns, in their order."""

    video: str | None = None
    """None where the row says what stopped the whole run."""
    status: Literal["ok", "error"] = "ok"
    rank: int | None = None
    label: str | None = None
    label_index: int | None = None
    probability: Probability | None = None
    logit: float | None = None
    start_seconds: Seconds | None = None
    end_seconds: Seconds | None = None
    num_frames_decoded: int | None = None
    num_frames_from_header: int | None = None
    model: str | None = None
    fingerprint: str | None = None
    recipe: str | None = None
    engine: str | None = None
    message: str | None = None
    true_category: str | None = None
    true_label: str | None = None
    true_label_relation: str | None = None
    true_label_rank: int | None = None
    error_kind: str | None = None
    sha256: str | None = None
    num_bytes: int | None = None
    modified: str | None = None
    settings: str | None = None


COLUMNS = Row.__struct_fields__


def rows_of(result: Mapping[str, Any]) -> Iterator[Row]:
    """Turn a result into its rows.

    Args:
        result: As `i3d.report.jsons.result_as_dict` gives it, or as it is read from JSON lines.
    """
    made_of = {"settings": result["settings"], **(result["file"] or {})}
    video, status = result["video"], result["status"]
    if status == "error":
        error = result["error"]
        yield Row(
            video["path"], status, message=error["message"], error_kind=error["kind"], **made_of
        )
        return
    clip, model, truth = result["clip"], ModelInfo(**result["model"]), result["truth"]
    if truth is not None:
        made_of["true_category"] = truth["category"]
        for fitting in truth["labels"][:1]:
            made_of |= {
                "true_label": fitting["label"],
                "true_label_relation": fitting["relation"],
                "true_label_rank": fitting["rank"],
            }
    for score in result["scores"]:
        yield Row(
            video["path"],
            status,
            **score,
            start_seconds=round(clip["start_seconds"], 3),
            end_seconds=round(clip["end_seconds"], 3),
            num_frames_decoded=video["num_frames_decoded"],
            num_frames_from_header=video["num_frames_from_header"],
            model=model.title,
            fingerprint=model.fingerprint,
            recipe=result["recipe"]["name"],
            engine=EngineInfo(**result["engine"]).text,
            message="; ".join(result["warnings"]) or None,
            **made_of,
        )
