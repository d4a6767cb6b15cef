"""Results as CSV: a row for each score, and one for each video that failed."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING

from i3d.report.text import encodable

if TYPE_CHECKING:
    from i3d.analysis.results import Outcome
    from i3d.errors import I3DError

COLUMNS = (
    "video",
    "status",
    "rank",
    "label",
    "label_index",
    "probability",
    "logit",
    "start_seconds",
    "end_seconds",
    "num_frames_decoded",
    "num_frames_from_header",
    "model",
    "fingerprint",
    "recipe",
    "engine",
    "message",
    "true_category",
    "true_label",
    "true_label_relation",
    "true_label_rank",
    "error_kind",
    "sha256",
    "num_bytes",
    "modified",
    "settings",
)


class CsvReport:
    """A header and rows (RFC 4180 quoting, LF line ends)."""

    def begin(self) -> str:
        """The header."""
        return _row(dict(zip(COLUMNS, COLUMNS, strict=True)))

    def item(self, outcome: Outcome) -> str:
        """A row for each score, or one that says what went wrong."""
        prediction = outcome.prediction
        made_of = {} if outcome.file is None else asdict(outcome.file)
        made_of["settings"] = outcome.settings
        if prediction is None:
            message = "" if outcome.error is None else outcome.error.message
            failed = {"video": outcome.path, "status": "error", "message": message}
            failed["error_kind"] = type(outcome.error).__name__
            return _row(failed | made_of)
        made_by: dict[str, object] = {
            **made_of,
            "video": prediction.video.path,
            "status": "ok",
            "start_seconds": f"{prediction.clip.start_seconds:.3f}",
            "end_seconds": f"{prediction.clip.end_seconds:.3f}",
            "num_frames_decoded": prediction.video.num_frames_decoded,
            "num_frames_from_header": prediction.video.num_frames_from_header,
            "model": prediction.model.title,
            "fingerprint": prediction.model.fingerprint,
            "recipe": prediction.recipe.name,
            "engine": prediction.engine.text,
            "message": "; ".join(prediction.warnings),
        }
        if prediction.truth is not None:
            made_by["true_category"] = prediction.truth.category
            for fitting in prediction.truth.labels[:1]:
                made_by |= {
                    "true_label": fitting.label,
                    "true_label_relation": fitting.relation,
                    "true_label_rank": fitting.rank,
                }
        return "".join(
            _row(
                made_by
                | {
                    "rank": score.rank,
                    "label": score.label,
                    "label_index": score.label_index,
                    "probability": score.probability,
                    "logit": score.logit,
                }
            )
            for score in prediction.scores
        )

    def end(self, error: I3DError | None = None) -> str:
        """A row without a video where the whole run was stopped, else nothing."""
        return "" if error is None else _row({"status": "error", "message": error.message})


def _row(values: dict[str, object]) -> str:
    text = io.StringIO()
    # With "\r\n" for a line end, Python quotes a lone "\r" in a field as well.
    csv.DictWriter(text, COLUMNS, lineterminator="\r\n").writerow(values)
    return encodable(text.getvalue()[:-2]) + "\n"
