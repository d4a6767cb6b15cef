"""`i3d timeline` as people use it, on videos in which something else begins at known times."""

from __future__ import annotations

import csv
import io
import json
import os
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from i3d.cli.main import cli
from test_camera_motion import write
from test_timeline_report import PARSERS

import camera_moves
import videos

if TYPE_CHECKING:
    from pathlib import Path

    from camera_moves import Frames
    from conftest import RunI3D

MOVES = ("static", "pan left", "zoom in", "tilt up", "pan right")
SECONDS = 3
"""How long each of them lasts."""


def timeline(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    options = ("timeline", "--model", "camera-motion", *map(str, arguments))
    return CliRunner().invoke(cli, options, prog_name="i3d")


def parsed(*arguments: str | Path) -> dict[str, Any]:
    result = timeline("--format", "json", *arguments)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def moving(fps: int, moves: tuple[str, ...] = MOVES, seconds: float = SECONDS) -> Frames:
    """Camera moves over one scene, back to back."""
    scene = camera_moves.make_scene("street", seed=[2026, 11])
    count = round(seconds * fps)
    return np.concatenate(
        [
            camera_moves.render_move(scene, move, count, (256, 192), seed=3, fps=fps)
            for move in moves
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same moves at 25, 30 and 50 frames per second, and at a rate that varies."""
    folder = tmp_path_factory.mktemp("moves")
    at_50 = moving(50)
    write(folder / "25.mp4", at_50[::2], 25)
    write(folder / "30.mp4", moving(30), 30)
    write(folder / "50.mp4", at_50, 50)
    # Shown for 20, 40, 20 and 80 ms, again and again.
    waits = np.resize([1, 2, 1, 4], len(at_50))
    kept = [i for i in accumulate(waits, initial=0) if i < len(at_50)]
    durations = [20 * int(wait) for wait in waits[: len(kept)]]
    videos.write_mp4(folder / "varying.mp4", [at_50[i] for i in kept], durations=durations)
    return folder


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    return folder / "25.mp4"


def check(document: dict[str, Any], start: float = 0, end: float = SECONDS * len(MOVES)) -> None:
    """The moves between two times are found, in their order, each within half a second."""
    shown = [
        (move, max(SECONDS * i, start), min(SECONDS * (i + 1), end))
        for i, move in enumerate(MOVES)
        if start < SECONDS * (i + 1) and SECONDS * i < end
    ]
    segments = document["segments"]
    assert [segment["label"] for segment in segments] == [move for move, _, _ in shown]
    for segment, (_, first, last) in zip(segments, shown, strict=True):
        assert segment["start_seconds"] == pytest.approx(first, abs=0.5)
        assert segment["end_seconds"] == pytest.approx(last, abs=0.5)
        assert segment["start_seconds"] < segment["peak_seconds"] < segment["end_seconds"]
        assert segment["mean_score"] > 0.5


# When does what happen?


@pytest.mark.parametrize("name", ["25.mp4", "30.mp4", "50.mp4", "varying.mp4"])
def test_each_move_is_found_at_its_time(folder: Path, name: str) -> None:
    check(parsed(folder / name))


@pytest.mark.parametrize(("start", "end"), [(1.5, 15.0), (4.3, 13.7)])
@pytest.mark.parametrize("name", ["30.mp4", "varying.mp4"])
def test_times_count_from_the_video_s_first_frame_wherever_one_starts(
    folder: Path, name: str, start: float, end: float
) -> None:
    document = parsed(folder / name, "--start", str(start), "--end", str(end))
    check(document, start, end)
    edges = document["steps"]["edges_seconds"]
    assert edges[0] == pytest.approx(start, abs=0.1)
    assert edges[-1] == pytest.approx(end, abs=0.1)


def test_a_short_clip_can_be_one_thing_from_end_to_end(tmp_path: Path) -> None:
    short = write(tmp_path / "short.mp4", moving(25, ("pan left",), 0.8))
    (segment,) = parsed(short)["segments"]
    assert segment["label"] == "pan left"
    assert segment["start_seconds"] == 0
    assert segment["end_seconds"] == pytest.approx(0.8)


def test_smoothed_over_all_it_says_what_classify_says(clip: Path) -> None:
    arguments = ("classify", str(clip), "--model", "camera-motion", "--format", "json")
    (result,) = json.loads(CliRunner().invoke(cli, arguments).stdout)["results"]
    document = parsed(clip, "--smooth", "1000")
    for name in ("video", "clip", "recipe", "model", "engine", "warnings"):
        assert document[name] == result[name]
    for track, score in zip(document["steps"]["tracks"], result["scores"], strict=True):
        assert track["label"] == score["label"]
        assert track["scores"] == pytest.approx([score["probability"]] * result["num_steps"])


# Options


def test_labels_are_followed_by_name_and_by_pattern(clip: Path) -> None:
    document = parsed(clip, "--labels", "ZOOM in", "--labels", "pan*")
    labels = ["zoom in", "pan left", "pan right"]
    assert document["settings"]["labels"] == labels
    assert [track["label"] for track in document["steps"]["tracks"]] == labels
    assert [part["label"] for part in document["segments"]] == ["pan left", "zoom in", "pan right"]


def test_options_reach_the_result(clip: Path) -> None:
    options = ("--min-score", "0.9", "--min-duration", "2.7", "--smooth", "0", "--top", "7")
    document = parsed(clip, *options, "--max-frames", "200", "--recipe", "deepmind")
    assert document["settings"] == {
        "labels": None,
        "min_score": 0.9,
        "min_duration_seconds": 2.7,
        "smooth_seconds": 0,
    }
    assert len(document["steps"]["tracks"]) == 7
    assert document["clip"]["num_frames"] == 200
    assert document["recipe"]["name"] == "deepmind"
    assert all(part["end_seconds"] - part["start_seconds"] > 2.69 for part in document["segments"])
    assert all(part["peak_score"] >= 0.9 for part in document["segments"])


def test_where_nothing_is_confident_nothing_is_made_up(clip: Path) -> None:
    result = timeline(clip, "--min-score", "1")
    assert result.exit_code == 0
    assert "No confident action: no label reaches 100 % for 1.0 s. The highest is" in result.stdout


def test_kept_scores_are_asked_anew_without_the_model(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "scores"
    first = parsed(clip, "--save-scores", kept)
    assert len(list(kept.iterdir())) == 1
    monkeypatch.setattr("i3d.analysis.classifier.load_engine", None)  # fails if it is called
    assert parsed(clip, "--save-scores", kept) == first
    followed = parsed(clip, "--save-scores", kept, "--labels", "tilt up")
    (segment,) = followed["segments"]
    assert segment["start_seconds"] == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize(
    "options",
    [
        ("--min-score", "2"),
        ("--min-score", "nan"),
        ("--min-duration", "-1"),
        ("--smooth", "inf"),
        ("--top", "0"),
        ("--labels", ""),
        ("--format", "jsonl"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_refused(clip: Path, options: tuple[str, str]) -> None:
    result = timeline(clip, *options)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_label_that_the_model_does_not_know(clip: Path) -> None:
    result = timeline(clip, "--labels", "pan lft", "--format", "json")
    assert result.exit_code == 4
    assert "There is no label named 'pan lft'." in result.stderr
    assert "Did you mean pan left" in result.stderr


# Output


def test_a_person_sees_a_chart_and_the_segments_and_nothing_else(
    run_i3d: RunI3D, clip: Path
) -> None:
    process = run_i3d("timeline", clip, "--model", "camera-motion")
    assert process.returncode == 0
    assert process.stderr == ""
    lines = process.stdout.splitlines()
    assert lines[0] == str(clip)
    assert lines[1].startswith("15.0 s · 375 frames at 25 fps · 256x192 · camera-motion (")
    rows = [line.split()[2:-3] for line in lines[-len(MOVES) :]]
    assert [" ".join(row[:-2]) for row in rows] == list(MOVES)


@pytest.mark.parametrize("suffix", ["json", "csv", "vtt", "srt", "txt"])
def test_a_file_gets_the_format_of_its_suffix(clip: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    result = timeline(clip, "-o", output)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    text = output.read_text(encoding="utf-8")
    if suffix == "json":
        labels = [segment["label"] for segment in json.loads(text)["segments"]]
    elif suffix == "csv":
        labels = [row["label"] for row in csv.DictReader(io.StringIO(text))]
    elif suffix in PARSERS:
        labels = [cue[2].rpartition(" (")[0] for cue in PARSERS[suffix](text)]
    else:
        labels = [move for move in MOVES if move in text]
    assert labels == list(MOVES)


def test_a_result_without_cues_replaces_the_old_one(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.srt"
    output.write_text("what was there before")
    assert timeline(clip, "-o", output, "--min-score", "1").exit_code == 0
    assert output.read_text().strip() == ""


def test_a_video_that_is_not_there(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    result = timeline(gone, "--format", "json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["schema"], document["status"]) == ("i3d.timeline/1", "error")
    assert document["video"] == {"path": str(gone)}
    assert document["error"]["kind"] == "VideoNotFoundError"
    for format_name in ("table", "csv", "vtt", "srt"):
        result = timeline(gone, "--format", format_name)
        assert (result.exit_code, result.stdout) == (3, "")
        assert str(gone) in result.stderr


def test_a_video_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    output = tmp_path / "out.vtt"
    output.write_text("what was there before")
    broken = videos.not_a_video(tmp_path / "broken.mp4")
    assert timeline(broken, "-o", output).exit_code == 3
    assert output.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "out.vtt"]


def test_a_video_that_was_cut_off_is_answered_with_a_warning(clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    videos.truncated(write(cut, list(moving(25, ("pan left",), 4))), 0.6)
    result = timeline(cut)
    assert result.exit_code == 0
    assert f"Warning: {cut}: decoded " in result.stderr
    assert "pan left" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="not in names of Windows")
def test_an_odd_name_breaks_no_subtitles(clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a --> b\n\n<b>.mp4"
    odd.write_bytes(clip.read_bytes())
    for format_name, parse in PARSERS.items():
        result = timeline(odd, "--format", format_name)
        assert len(parse(result.stdout)) == len(MOVES)
