"""Results to text: every format is one document, whatever happened."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from i3d.analysis.results import Outcome, Prediction, Score
from i3d.engines.base import EngineInfo
from i3d.errors import I3DError, TransferError, UserInterruptError, VideoDecodeError
from i3d.models.records import ModelInfo
from i3d.report.formats import RESULT_FORMATS, make_report
from i3d.report.table import TableStyle, bar
from i3d.report.text import percent, printable
from i3d.video.info import ClipInfo, FileInfo, RecipeInfo, VideoInfo

PREDICTION = Prediction(
    video=VideoInfo(
        path="clip.avi",
        width=320,
        height=240,
        rotation_degrees=0,
        fps=25.0,
        fps_from_header=25.0,
        num_frames_from_header=116,
        num_frames_decoded=116,
        duration_seconds=4.64,
        ended_early=False,
    ),
    clip=ClipInfo(
        num_frames=116, num_frames_fed=116, start_seconds=0.0, end_seconds=4.64, fps=25.0
    ),
    scores=(
        Score(1, "playing cricket", 227, 0.974, 12.5),
        Score(2, 'a "quoted", label', 3, 0.02, 8.6),
        Score(3, "yoga", 398, 0.0001, 1.5),
    ),
    num_steps=14,
    recipe=RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because"),
    model=ModelInfo(
        "i3d-kinetics-400",
        "sha256:abc",
        400,
        "kinetics-400",
        source="deepmind",
        weights="sha256:def",
        checkpoint="rgb_scratch",
    ),
    engine=EngineInfo("tensorflow", "2.21.0"),
    warnings=("it was short",),
)
GOOD = Outcome("clip.avi", prediction=PREDICTION)
BAD = Outcome("broken.avi", error=VideoDecodeError("broken.avi is empty.", hint="Copy it again."))


def document(
    format_name: str,
    *outcomes: Outcome,
    error: I3DError | None = None,
    style: TableStyle | None = None,
) -> str:
    report = make_report(format_name, style)
    return report.begin() + "".join(map(report.item, outcomes)) + report.end(error)


def test_json_says_what_made_a_result() -> None:
    parsed = json.loads(document("json", GOOD))
    assert parsed["schema"] == "i3d.classification/1"
    assert parsed["error"] is None
    (result,) = parsed["results"]
    assert result["schema"] == "i3d.prediction/1"
    assert result["status"] == "ok"
    assert result["video"] == {
        "path": "clip.avi",
        "width": 320,
        "height": 240,
        "rotation_degrees": 0,
        "duration_seconds": 4.64,
        "fps": 25.0,
        "fps_from_header": 25.0,
        "num_frames_decoded": 116,
        "num_frames_from_header": 116,
        "num_frames_damaged": 0,
        "ended_early": False,
    }
    assert result["clip"]["end_seconds"] == 4.64
    assert result["recipe"]["input_range"] == [-1.0, 1.0]
    assert result["model"] == {
        "name": "i3d-kinetics-400",
        "source": "deepmind",
        "fingerprint": "sha256:abc",
        "weights": "sha256:def",
        "checkpoint": "rgb_scratch",
        "unofficial": False,
        "num_labels": 400,
        "label_list": "kinetics-400",
    }
    assert result["engine"] == {
        "name": "tensorflow",
        "version": "2.21.0",
        "precision": "float32",
        "fallback_reason": None,
    }
    assert result["num_steps"] == 14
    assert result["scores"][0] == {
        "rank": 1,
        "label": "playing cricket",
        "label_index": 227,
        "probability": 0.974,
        "logit": 12.5,
    }
    assert result["warnings"] == ["it was short"]


def test_json_of_a_failed_video() -> None:
    results = json.loads(document("json", BAD, GOOD))["results"]
    assert [result["status"] for result in results] == ["error", "ok"]
    assert results[0]["video"] == {"path": "broken.avi"}
    assert results[0]["error"] == {
        "kind": "VideoDecodeError",
        "exit_code": 3,
        "message": "broken.avi is empty.",
        "hint": "Copy it again.",
        "details": [],
    }


FILE = FileInfo("0" * 64, 12345, "2026-11-22T10:20:30.123456789Z")


@pytest.mark.parametrize("outcome", [GOOD, BAD], ids=["good", "bad"])
def test_results_say_which_file_it_was_and_under_which_settings(outcome: Outcome) -> None:
    known = replace(outcome, file=FILE, settings="5" * 64)
    for format_name in ("json", "jsonl"):
        parsed = json.loads(document(format_name, known))
        (result,) = parsed.get("results", [parsed])
        assert result["file"] == {
            "sha256": "0" * 64,
            "num_bytes": 12345,
            "modified": "2026-11-22T10:20:30.123456789Z",
        }
        assert result["settings"] == "5" * 64
    for row in csv.DictReader(io.StringIO(document("csv", known))):
        assert [row[name] for name in ("sha256", "num_bytes", "modified", "settings")] == [
            *("0" * 64, "12345", "2026-11-22T10:20:30.123456789Z", "5" * 64),
        ]


def test_results_of_a_file_that_nobody_asked_for_leave_it_out() -> None:
    (result,) = json.loads(document("json", GOOD))["results"]
    assert result["file"] is None
    assert result["settings"] is None
    row = next(csv.DictReader(io.StringIO(document("csv", GOOD))))
    assert row["sha256"] == row["num_bytes"] == row["modified"] == row["settings"] == ""


def test_a_lone_carriage_return_does_not_break_csv() -> None:
    text = document("csv", replace(BAD, path="a\rb.mp4"))
    assert next(csv.DictReader(io.StringIO(text, newline="")))["video"] == "a\rb.mp4"


def test_json_of_an_error_has_its_details() -> None:
    error = TransferError("No model.", hint="Wait.", details=("tfhub: 403", "gcs: 404"))
    assert json.loads(document("json", error=error))["error"]["details"] == [
        "tfhub: 403",
        "gcs: 404",
    ]


def test_json_of_a_run_that_was_stopped_keeps_what_was_done() -> None:
    parsed = json.loads(document("json", GOOD, error=UserInterruptError("Interrupted.")))
    assert len(parsed["results"]) == 1
    assert parsed["error"]["exit_code"] == 130


def test_json_lines_are_one_object_a_line_as_they_come() -> None:
    report = make_report("jsonl")
    assert report.begin() == ""
    first = report.item(GOOD)
    assert first.endswith("\n")
    assert first.count("\n") == 1
    assert json.loads(first)["status"] == "ok"
    assert json.loads(report.item(BAD))["status"] == "error"
    assert report.end() == ""
    stopped = json.loads(report.end(UserInterruptError("Interrupted.")))
    assert stopped["video"] is None
    assert stopped["error"]["kind"] == "UserInterruptError"


def test_csv_has_a_row_for_each_score_and_each_failure() -> None:
    rows = list(csv.DictReader(io.StringIO(document("csv", GOOD, BAD))))
    assert [row["label"] for row in rows] == ["playing cricket", 'a "quoted", label', "yoga", ""]
    assert rows[0]["video"] == "clip.avi"
    assert float(rows[0]["probability"]) == 0.974
    assert rows[0]["label_index"] == "227"
    assert rows[0]["message"] == "it was short"
    assert rows[3]["status"] == "error"
    assert rows[3]["video"] == "broken.avi"
    assert rows[3]["message"] == "broken.avi is empty."


def test_csv_of_a_run_that_was_stopped_says_so() -> None:
    rows = list(csv.DictReader(io.StringIO(document("csv", error=UserInterruptError("Stop.")))))
    assert [(row["video"], row["status"], row["message"]) for row in rows] == [
        ("", "error", "Stop.")
    ]


def test_the_table_shows_label_percentage_and_bar() -> None:
    lines = document("table", GOOD).splitlines()
    assert lines[0] == "clip.avi"
    assert (
        lines[1]
        == "4.6 s · 116 frames at 25 fps · 320x240 · i3d-kinetics-400 (rgb_scratch, tensorflow)"
    )
    assert lines[3].split() == ["playing", "cricket", "97.4", "%", bar(0.974, 20, unicode=True)]
    assert lines[5].split() == ["yoga", "<", "0.1", "%"]
    columns = [line.index("%") for line in lines[3:]]
    assert len(set(columns)) == 1, "percentages stand in one column"


def test_tables_of_several_videos_are_set_apart_and_failures_left_to_standard_error() -> None:
    text = document("table", GOOD, BAD, GOOD)
    assert text.count("playing cricket") == 2
    assert "\n\nclip.avi\n" in text
    assert "broken" not in text


def test_the_table_names_the_span_and_the_rotation() -> None:
    prediction = replace(
        PREDICTION,
        clip=replace(PREDICTION.clip, start_seconds=1.0, end_seconds=2.0),
        video=replace(PREDICTION.video, rotation_degrees=90),
    )
    line = document("table", Outcome("clip.avi", prediction=prediction)).splitlines()[1]
    assert "1.0 to 2.0 of 4.6 s" in line
    assert "320x240, turned 90°" in line


def test_a_plain_table_is_ascii() -> None:
    assert document("table", GOOD, style=TableStyle(unicode=False)).isascii()


def test_a_coloured_table_has_colours_and_the_same_text() -> None:
    import re

    coloured = document("table", GOOD, style=TableStyle(color=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == document("table", GOOD).split()


def test_a_long_label_in_a_narrow_terminal_keeps_its_percentage() -> None:
    scores = (Score(1, "w" * 100, 0, 0.5, 1.0),)
    text = document(
        "table",
        Outcome("x", prediction=replace(PREDICTION, scores=scores)),
        style=TableStyle(width=40),
    )
    assert "50.0 %" in text
    assert text.partition("tensorflow)")[2].count("w") == 100


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (1.0, "100.0 %"),
        (0.99996, "> 99.9 %"),
        (0.9994, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0005, "0.1 %"),
        (0.0004, "< 0.1 %"),
        (0.0, "0.0 %"),
    ],
)
def test_percentages_never_round_to_a_false_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [(0, ""), (1, "████"), (0.5, "██"), (0.53125, "██▏"), (0.96875, "███▉")]
)
def test_bars_are_exact_to_an_eighth(fraction: float, text: str) -> None:
    assert bar(fraction, 4, unicode=True) == text


NASTY = "a\nb\x1b[31m\udce9,\"'<b>é"


@pytest.mark.parametrize("format_name", sorted(set(RESULT_FORMATS) - {"parquet"}))
def test_nasty_names_are_escaped(format_name: str) -> None:
    prediction = replace(PREDICTION, video=replace(PREDICTION.video, path=NASTY))
    text = document(
        format_name,
        Outcome(NASTY, prediction=prediction),
        Outcome(NASTY, error=VideoDecodeError(f"{NASTY} is bad.")),
    )
    text.encode()  # no lone surrogate is left
    if format_name == "table":
        assert text.splitlines()[0] == r"""a\nb\x1b[31m\udce9,"'<b>é"""
    elif format_name == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert {row["video"] for row in rows} == {NASTY.replace("\udce9", "\\udce9")}
    else:
        assert "\x1b" not in text


def test_printable_leaves_plain_text_alone() -> None:
    assert printable("ein Café 東京 🎬.mp4") == "ein Café 東京 🎬.mp4"
