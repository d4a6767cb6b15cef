"""scripts/measure_accuracy.py: which answers count, and how accuracies compare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from test_camera_motion import write

import camera_moves
from measure_accuracy import Answer, Comparison, accuracy, compare, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos that the model names rightly, and one whose label is wrong."""
    path = tmp_path_factory.mktemp("clips")
    scene = camera_moves.make_scene("street", seed=[2026, 11])
    for move in ("pan left", "zoom in", "tilt up"):
        frames = camera_moves.render_move(scene, move, 40, (128, 96), seed=3)
        write(path / f"{move}.mp4", frames)
    return path


def measure(folder: Path, rows: str, *options: str) -> int:
    (folder / "clips.csv").write_text(f"file,labels,notes\n{rows}", encoding="utf-8")
    return main([str(folder), "--model", "camera-motion", *options])


def test_any_of_a_clips_labels_counts_and_all_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "pan left.mp4,pan left,\nzoom in.mp4,static|zoom in,\ntilt up.mp4,roll left,wrong\n"
    output = tmp_path / "accuracy.json"

    assert measure(folder, rows, "--recipe", "standard", "--output", str(output)) == 0

    # Wilson's 95 % interval for 2 of 3.
    row = "| `standard` | 3 | 66.7 % (2) | 20.8 to 93.9 % |"
    assert capsys.readouterr().out.splitlines()[2].startswith(row)
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["recipes"]["standard"]["top1"]["num_right"] == 2
    assert document["model"]["name"] == "camera-motion"
    answers = [clip["answers"]["standard"] for clip in document["clips"]]
    assert [answer["predicted"] for answer in answers] == ["pan left", "zoom in", "tilt up"]
    assert [answer["right_label"] for answer in answers] == ["pan left", "zoom in", "roll left"]
    assert answers[2]["right_rank"] > 1


def answers(*ranks: int) -> list[Answer]:
    return [Answer("some", 0.5, "right", rank, 0.1) for rank in ranks]


def test_accuracies_count_ranks() -> None:
    ranks = answers(1, 2, 5, 6)
    assert (accuracy(ranks, 1).num_right, accuracy(ranks, 5).num_right) == (1, 3)


def test_recipes_are_compared_clip_by_clip() -> None:
    found = compare({"a": answers(1, 1, 1, 3), "b": answers(1, 2, 2, 1), "c": answers(1, 1, 1, 1)})
    assert found == [
        Comparison("a", "b", 2, 1),
        Comparison("a", "c", 0, 1),
        Comparison("b", "c", 0, 2),
    ]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    # 2 * (1 + 10 + 45) / 2**10; all on one side: 2 / 2**6; an even split, and none.
    [(8, 2, 112 / 1024), (0, 6, 2 / 64), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_the_exact_test_of_an_uneven_split(first: int, second: int, expected: float) -> None:
    assert Comparison("a", "b", first, second).p_value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        ("pan left.mp4,pan lef,\n", 4, "Did you mean pan left"),
        ("absent.mp4,pan left,\n", 2, "Row 1 of"),
        ("pan left.mp4, | ,\n", 2, "Row 1 of"),
        ("", 2, "names no clips"),
    ],
    ids=["unknown-label", "no-video", "no-labels", "no-rows"],
)
def test_a_list_that_is_wrong_is_told_before_anything_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], rows: str, code: int, message: str
) -> None:
    assert measure(folder, rows) == code
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""


def test_a_folder_without_a_list_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "clips.csv cannot be read" in capsys.readouterr().err
