"""Evaluations as a table, as JSON, and as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from i3d.datasets import accuracy_table
from i3d.datasets.accuracy import evaluations_as_csv, evaluations_as_json
from i3d.datasets.accuracy_table import MAX_CONFUSIONS
from i3d.datasets.ucf101.data import load_index
from i3d.errors import DownloadError, UserInterruptError, VideoDecodeError
from i3d.report.table import TableStyle

from known_answers import KINETICS, Clips, KnownAnswers, evaluate_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from i3d.datasets.measures import Evaluation
    from i3d.errors import I3DError


def evaluations_as_text(
    evaluations: Sequence[Evaluation],
    style: TableStyle = TableStyle(),  # noqa: B008  (frozen)
    error: I3DError | None = None,
) -> str:
    return accuracy_table.evaluations_as_text(evaluations, style, error)


def evaluations_as_dict(evaluations: Sequence[Evaluation], **options: Any) -> dict[str, Any]:
    return json.loads(evaluations_as_json(evaluations, **options))


NAMES = ["Archery 1 1", "Archery 1 2", "Bowling 1 1", "Bowling 1 2", "Biking 1 1", "Biking 1 2"]
NAMES += ["CricketShot 1 1", "CricketShot 1 2", "ApplyLipstick 1 1"]


def answers() -> dict[str, list[str] | BaseException]:
    return {
        "v_Archery_g01_c01": ["archery"],
        "v_Archery_g01_c02": ["archery"],
        "v_Bowling_g01_c01": ["bowling"],
        "v_Bowling_g01_c02": ["springboard diving", "bowling"],
        "v_Biking_g01_c01": ["yoga"],
        "v_Biking_g01_c02": VideoDecodeError("It is\x1b[31m damaged.", hint="Fetch it."),
    }


@pytest.fixture
def one(tmp_path: Path) -> Evaluation:
    """Of 5 clips 3 are right at once and 4 among 5; one fails, three have no label."""
    evaluate_in(tmp_path, NAMES[:2], KnownAnswers(answers()))
    return evaluate_in(tmp_path, NAMES, KnownAnswers(answers()))


@pytest.fixture
def two(tmp_path: Path, one: Evaluation) -> list[Evaluation]:
    """A second recipe that is right three times as well, on other clips, and fails nowhere."""
    others = answers() | {
        "v_Archery_g01_c02": ["zumba"],
        "v_Bowling_g01_c02": ["bowling"],
        "v_Biking_g01_c02": ["zumba"],
    }
    other = evaluate_in(tmp_path, NAMES, KnownAnswers(others), recipe="tutorial")
    return [one, other]


ONE = """\
i3d-kinetics-400 on UCF101, recipe standard
25 fps · centre-square 224 · fed [-1, 1] (the test says so) · fake 1.2.3 · exact labels

  top-1  60.0 %  (3 of 5; 95 % between 23.1 and 88.2 %)
  top-5  80.0 %  (4 of 5; 95 % between 37.6 and 96.4 %)
  mean of 3 categories: top-1 50.0 %, top-5 66.7 %

  category  clips    top-1    top-5
  Biking        1    0.0 %    0.0 %
  Bowling       2   50.0 %  100.0 %  ████████████
  Archery       2  100.0 %  100.0 %  ████████████████████████

Taken for something else:
  Biking -> yoga                 1
  Bowling -> springboard diving  1

Failed, and in no number (1 clip):
  v_Biking_g01_c02: It is\\x1b[31m damaged.

Left out, as the model has no exact label: 2 categories (3 clips)
  ApplyLipstick, CricketShot

2 of 5 clips were taken from an earlier run.
"""


def test_a_table_for_people(one: Evaluation) -> None:
    assert evaluations_as_text([one]) == ONE


def test_bars_shrink_with_the_terminal_and_no_number_is_lost(one: Evaluation) -> None:
    narrow = evaluations_as_text([one], TableStyle(width=48))
    assert "  Archery       2  100.0 %  100.0 %  █████████\n" in narrow
    narrower = evaluations_as_text([one], TableStyle(width=20))
    assert "  Archery       2  100.0 %  100.0 %\n" in narrower
    assert narrower.replace(" ", "") == ONE.replace(" ", "").replace("█", "")


@pytest.mark.parametrize("width", [80, 46, 20])
def test_many_categories_that_are_left_out_are_counted_and_named_within_the_width(
    tmp_path: Path, width: int
) -> None:
    names = [f"{category.name} 1 1" for category in load_index().categories]
    evaluation = evaluate_in(tmp_path, names, KnownAnswers())
    text = evaluations_as_text([evaluation], TableStyle(width=width))
    _, _, rest = text.partition("Left out, as the model has no exact label: ")
    count, *lines = rest.splitlines()
    assert count == "54 categories (54 clips)"
    assert all(len(line) <= max(width, 40) for line in lines)
    assert len(lines) < 30
    assert [line[:3].strip() for line in lines] == [line[2] for line in lines]
    found = " ".join(line.strip() for line in lines).split(", ")
    assert found == [row.category for row in evaluation.left_out]
    assert len(found) == 54


TWO = """\
i3d-kinetics-400 on UCF101, 2 recipes
fake 1.2.3, exact labels

                               standard           tutorial
  frames                         25 fps        every frame
  cut                 centre-square 224  centre-square 224
  fed                           [-1, 1]             [0, 1]
  clips                               5                  6
  failed                              1                  0
  top-1                          60.0 %             50.0 %
    95 % between        23.1 and 88.2 %    18.8 and 81.2 %
  top-5                          80.0 %             50.0 %
    95 % between        37.6 and 96.4 %    18.8 and 81.2 %
  mean of categories             50.0 %             50.0 %

They disagree about the most likely label of 2 of 5 clips.

  top-1    standard  tutorial
  Biking      0.0 %     0.0 %
  Archery   100.0 %    50.0 %
  Bowling    50.0 %   100.0 %

Taken for something else with standard:
  Biking -> yoga                 1
  Bowling -> springboard diving  1

Failed with standard, and in no number (1 clip):
  v_Biking_g01_c02: It is\\x1b[31m damaged.

Taken for something else with tutorial:
  Archery -> zumba  1
  Biking -> yoga    1
  Biking -> zumba   1

Left out, as the model has no exact label: 2 categories (3 clips)
  ApplyLipstick, CricketShot

standard: 2 of 5 clips were taken from an earlier run.
"""


def test_several_recipes_stand_side_by_side(two: list[Evaluation]) -> None:
    assert evaluations_as_text(two) == TWO


def test_a_run_that_was_stopped_says_so_below_what_was_done(two: list[Evaluation]) -> None:
    text = evaluations_as_text(two[:1], error=UserInterruptError("Inter\nrupted."))
    assert text == ONE + "\nStopped here: Inter\\nrupted.\n"


def test_where_every_clip_failed_there_are_no_numbers(tmp_path: Path, one: Evaluation) -> None:
    failing = KnownAnswers({"v_Biking_g01_c02": VideoDecodeError("Damaged.")})
    none = evaluate_in(tmp_path / "2", ["Biking 1 2"], failing, recipe="deepmind")
    text = evaluations_as_text([none])
    assert "No clip was classified." in text
    assert text.endswith("  v_Biking_g01_c02: Damaged.\n")
    both = evaluations_as_text([one, none])
    assert "\n  top-1                          60.0 %                   -\n" in both
    assert "\n  Bowling    50.0 %         -\n" in both
    assert "of 0 of 0 clips" in both
    data = evaluations_as_dict([none], selection={})["evaluations"][0]
    assert data["accuracy"] == {
        "top1": None,
        "top5": None,
        "mean_category_top1": None,
        "mean_category_top5": None,
    }
    assert (data["num_clips"], data["num_failed"]) == (0, 1)


def test_the_rarest_confusions_are_left_to_json(tmp_path: Path) -> None:
    names = [f"Archery {group} {i}" for group in range(1, 7) for i in range(1, 5)]
    wrong = [label for label in KINETICS if label != "archery"]
    model = KnownAnswers(
        {
            f"v_Archery_g{int(name.split()[1]):02}_c0{name.split()[2]}": [wrong[i]]
            for i, name in enumerate(names)
        }
    )
    evaluation = evaluate_in(tmp_path, names, model)
    text = evaluations_as_text([evaluation])
    assert text.count("Archery -> ") == MAX_CONFUSIONS == 20
    assert text.endswith("\n  and 4 more\n")
    data = evaluations_as_dict([evaluation], selection={})
    assert len(data["evaluations"][0]["confusions"]) == 24


def test_json_says_what_was_measured_and_with_what(one: Evaluation) -> None:
    selection = {"terms": ["Archery"], "sample": None, "split": 1}
    parsed = json.loads(evaluations_as_json([one], selection=selection))
    assert parsed["schema"] == "i3d.ucf-evaluation/1"
    assert parsed["i3d_version"]
    assert parsed["selection"] == selection
    assert parsed["error"] is parsed["comparison"] is None
    (evaluation,) = parsed["evaluations"]
    assert evaluation["model"] == {
        "name": "i3d-kinetics-400",
        "fingerprint": "sha256:" + "f" * 64,
        "num_labels": 400,
        "label_list": "kinetics-400",
        "source": "folder",
        "weights": None,
        "checkpoint": None,
        "unofficial": False,
    }
    assert evaluation["recipe"] == {
        "name": "standard",
        "fps": 25.0,
        "crop": "centre-square",
        "size": 224,
        "input_range": [-1.0, 1.0],
        "input_range_reason": "the test says so",
    }
    assert evaluation["engine"] == {
        "name": "fake",
        "version": "1.2.3",
        "precision": "float32",
        "fallback_reason": None,
    }
    assert evaluation["relations"] == ["exact"]
    counts = [evaluation[f"num_{name}"] for name in ("clips", "failed", "resumed")]
    assert counts == [5, 1, 2]
    accuracy = evaluation["accuracy"]
    assert (accuracy["top1"]["num_right"], accuracy["top1"]["fraction"]) == (3, 0.6)
    assert accuracy["top1"]["interval"] == pytest.approx([0.2307, 0.8824], abs=1e-4)
    assert accuracy["top5"]["num_right"] == 4
    assert accuracy["mean_category_top1"] == 0.5
    assert accuracy["mean_category_top5"] == pytest.approx(2 / 3)
    assert [row["category"] for row in evaluation["categories"]] == ["Archery", "Biking", "Bowling"]
    bowling = evaluation["categories"][2]
    assert (bowling["labels"], bowling["num_clips"]) == (["bowling"], 2)
    assert (bowling["top1"]["fraction"], bowling["top5"]["fraction"]) == (0.5, 1.0)
    assert evaluation["confusions"] == [
        {"category": "Biking", "predicted": "yoga", "count": 1},
        {"category": "Bowling", "predicted": "springboard diving", "count": 1},
    ]
    assert evaluation["left_out"] == [
        {"category": "ApplyLipstick", "num_clips": 1},
        {"category": "CricketShot", "num_clips": 2},
    ]


def test_json_holds_every_clip_and_every_failure(one: Evaluation) -> None:
    (evaluation,) = evaluations_as_dict([one], selection={})["evaluations"]
    assert [row["clip"] for row in evaluation["clips"]] == [
        "v_Archery_g01_c01",
        "v_Archery_g01_c02",
        "v_Bowling_g01_c01",
        "v_Bowling_g01_c02",
        "v_Biking_g01_c01",
    ]
    clip = evaluation["clips"][3]
    best = clip.pop("best")
    assert [guess["label"] for guess in best[:2]] == ["springboard diving", "bowling"]
    assert len(best) == 5
    assert clip == {
        "clip": "v_Bowling_g01_c02",
        "category": "Bowling",
        "sha256": one.results[3].sha256,
        "num_bytes": one.results[3].num_bytes,
        "top1": False,
        "top5": True,
        "labels": [
            {
                "label": "bowling",
                "relation": "exact",
                "rank": 2,
                "probability": best[1]["probability"],
            }
        ],
        "warnings": [],
        "resumed": False,
    }
    assert [row["resumed"] for row in evaluation["clips"]] == [True, True, False, False, False]
    assert evaluation["failures"] == [
        {
            "clip": "v_Biking_g01_c02",
            "category": "Biking",
            "error": {
                "kind": "VideoDecodeError",
                "exit_code": 3,
                "message": "It is\x1b[31m damaged.",
                "hint": "Fetch it.",
                "details": [],
            },
        }
    ]


def test_json_compares_several_and_says_what_stopped_them(two: list[Evaluation]) -> None:
    document = evaluations_as_dict(two, selection={}, error=UserInterruptError("Interrupted."))
    assert document["comparison"] == {"num_clips": 5, "num_different": 2}
    assert [each["recipe"]["name"] for each in document["evaluations"]] == ["standard", "tutorial"]
    assert document["error"]["kind"] == "UserInterruptError"
    assert json.loads(evaluations_as_json([], selection={}))["evaluations"] == []


def test_names_that_are_not_text_are_escaped_everywhere(tmp_path: Path) -> None:
    bad = "yo\udce9\x1b[31mga"
    labels = [bad if label == "yoga" else label for label in KINETICS]
    model = KnownAnswers({"v_Archery_g01_c01": [bad]}, labels=labels, name="/model\udce9")
    model.warnings = ("odd \udce9",)
    failures = {"v_Archery_g01_c02": DownloadError("No \udce9.", reason="no")}
    evaluation = evaluate_in(
        tmp_path, NAMES[:2], model, fetch=Clips(tmp_path / "clips", failures).fetch
    )
    text = evaluations_as_text([evaluation])
    text.encode()
    assert "/model\\udce9 on UCF101" in text
    assert "Archery -> yo\\udce9\\x1b[31mga  1" in text
    assert "v_Archery_g01_c02: No \\udce9." in text
    document = evaluations_as_json([evaluation], selection={"terms": ["\udce9"]})
    document.encode()
    assert json.loads(document)["selection"] == {"terms": ["\\udce9"]}
    assert json.loads(document)["evaluations"][0]["clips"][0]["warnings"] == ["odd \\udce9"]
    (row, failed) = csv.DictReader(io.StringIO(evaluations_as_csv([evaluation])))
    assert (row["predicted_label"], row["model"]) == ("yo\\udce9\\x1b[31mga", "/model\\udce9")
    assert failed["message"] == "No \\udce9."


def test_csv_has_a_row_for_each_clip_of_each_recipe(two: list[Evaluation]) -> None:
    text = evaluations_as_csv(two, UserInterruptError("Interrupted."))
    assert "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["recipe"] for row in rows] == ["standard"] * 6 + ["tutorial"] * 6 + [""]
    fourth = rows[3]
    assert float(fourth.pop("probability")) == two[0].results[3].labels[0].probability
    assert float(fourth.pop("predicted_probability")) == two[0].results[3].best[0].probability
    assert fourth == {
        "recipe": "standard",
        "clip": "v_Bowling_g01_c02",
        "category": "Bowling",
        "labels": "bowling",
        "relation": "exact",
        "rank": "2",
        "top1": "0",
        "top5": "1",
        "predicted_label": "springboard diving",
        "status": "ok",
        "message": "",
        "model": "i3d-kinetics-400",
        "fingerprint": "sha256:" + "f" * 64,
        "engine": "fake 1.2.3",
    }
    failed = {name: value for name, value in rows[5].items() if value}
    assert {name: failed[name] for name in ("clip", "category", "status", "message")} == {
        "clip": "v_Biking_g01_c02",
        "category": "Biking",
        "status": "error",
        "message": "It is\\x1b[31m damaged.",
    }
    assert rows[5]["top1"] == rows[5]["rank"] == ""
    stopped = {name: value for name, value in rows[-1].items() if value}
    assert stopped == {"status": "error", "message": "Interrupted."}
    assert evaluations_as_csv([]).count("\n") == 1


def test_csv_names_all_labels_that_count_and_where_the_first_of_them_came(tmp_path: Path) -> None:
    model = KnownAnswers({"v_Biking_g01_c01": ["yoga", "biking through snow"]})
    model.warnings = ("it is short", "and dark")
    evaluation = evaluate_in(tmp_path, ["Biking 1 1"], model, relations=["near", "exact"])
    (row,) = csv.DictReader(io.StringIO(evaluations_as_csv([evaluation])))
    assert set(row["labels"].split("; ")) == {
        "riding a bike",
        "riding mountain bike",
        "biking through snow",
    }
    assert (row["relation"], row["rank"]) == ("near", "2")
    assert row["message"] == "it is short; and dark"
