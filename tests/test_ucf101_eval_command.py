"""`i3d ucf eval`, with a model that names colours: what it prints, where, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.datasets.ucf101.data import load_index
from i3d.engines import choose as engines
from i3d.files.cache import ucf101_dir

from ucf101_hosts import (
    FOLDER,
    KINETICS,
    Hosts,
    color_model,
    colored,
    colored_hosts,
    ucf101,
)
from web_server import Resource

if TYPE_CHECKING:
    from click.testing import Result

__all__ = ["color_model", "colored", "colored_hosts", "ucf101"]

pytestmark = pytest.mark.usefixtures("engines_agree")

HAD = ("v_CliffDiving_g02_c03", "v_PlayingCello_g11_c0[23]", "v_Bowling_g01_c01")


def ucf(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, ["ucf", *map(str, arguments)], prog_name="i3d")
    assert "Traceback" not in result.output
    return result


def evaluated(*arguments: object) -> dict[str, Any]:
    """The JSON document of `i3d ucf eval`, whatever became of its clips."""
    return json.loads(ucf("eval", *arguments, "--format", "json").stdout)


def names_in(evaluation: dict[str, Any]) -> list[str]:
    """The clips that were to be evaluated, those that failed last."""
    return [clip["clip"] for clip in evaluation["clips"] + evaluation["failures"]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i3d.files.session.BACKOFF_SECONDS", 0.0)


def test_eval_counts_by_hand(colored_hosts: Hosts, color_model: Path) -> None:
    result = ucf("eval", *HAD, "v_Billiards_g01_c01", "--model", color_model, "--format", "json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    (evaluation,) = document["evaluations"]
    assert len(evaluation["clips"]) == 4
    right = [clip["clip"] for clip in evaluation["clips"] if clip["top1"]]
    assert "v_Bowling_g01_c01" not in right
    assert len(right) == 3
    assert "v_Billiards_g01_c01.avi" not in colored_hosts.asked_for

    del colored_hosts.index.requests[:]
    text = ucf("eval", *HAD, "--model", color_model).stdout
    assert "75.0 %" in text
    assert "diving cliff" in text  # what bowling was taken for
    assert colored_hosts.index.requests == []  # nothing was asked for again


def test_eval_of_which_some_clips_fail(
    colored_hosts: Hosts, color_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "result.csv"
    result = ucf("eval", *HAD, "v_Bowling_g01_c02", "--model", color_model, "-o", output)
    assert result.exit_code == 7
    assert "Error: v_Bowling_g01_c02.avi cannot be fetched" in result.stderr
    assert "1 of 5 clips could not be evaluated" in result.stderr
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert [row["status"] for row in rows].count("error") == 1
    assert len(rows) == 5


# Which clips


def serve_all(hosts: Hosts, content: bytes) -> None:
    """Let the index host have every clip there is, all with the same content."""
    resource = Resource(content)
    for clip in load_index().clips:
        hosts.index.resources[FOLDER + clip.file_name] = resource


def test_eval_of_a_subset_of_a_split(
    ucf101: Hosts, color_model: Path, colored: dict[str, bytes]
) -> None:
    serve_all(ucf101, colored["red"])
    options = ("--split", 2, "--subset", "test", "--sample", 4, "--model", color_model)
    document = evaluated(*options)
    assert document["selection"] == {
        "terms": [],
        "split": 2,
        "subset": "test",
        "sample": 4,
        "seed": 0,
        "num_clips": 3734,  # of which a sample was drawn, less those of categories without a label
    }
    (evaluation,) = document["evaluations"]
    names = names_in(evaluation)
    assert evaluation["num_clips"] == len(set(names)) == 4
    assert all(load_index().find(name).subsets[1] == "test" for name in names)
    assert len(evaluation["left_out"]) == 54
    assert sum(row["num_clips"] for row in evaluation["left_out"]) > 1500


def test_eval_without_names_takes_a_sample_of_all_clips_and_names_what_is_left_out(
    ucf101: Hosts, color_model: Path
) -> None:
    document = evaluated("--model", color_model)
    (evaluation,) = document["evaluations"]
    assert len(names_in(evaluation)) == document["selection"]["sample"] == 50
    assert document["selection"]["num_clips"] == 13320
    assert len(evaluation["left_out"]) == 54


def test_the_sample_is_drawn_from_what_the_models_own_labels_count_for(
    colored_hosts: Hosts, color_model: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(label.replace("bowling", "ninepins") for label in KINETICS))
    options = ("--model", color_model, "--label-file", labels)
    (evaluation,) = evaluated(*HAD, "--sample", 3, *options)["evaluations"]
    assert {clip["category"] for clip in evaluation["clips"]} == {"CliffDiving", "PlayingCello"}
    assert evaluation["num_clips"] == 3
    assert evaluation["left_out"] == [{"category": "Bowling", "num_clips": 1}]
    text = ucf("eval", *HAD, "--sample", 1, *options).stdout
    assert "Left out, as the model has no exact label: 1 category (1 clip)\n  Bowling\n" in text


# What can't be evaluated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Bowling", "--model", "camera-motion"], "camera-motion can't be evaluated"),
        (["--sample", "3", "--model", "camera-motion"], "camera-motion can't be evaluated"),
        (["Skiing", "--model", "i3d-kinetics-600"], "No label of i3d-kinetics-600 has the rel"),
        (["CricketShot"], "has the relation exact to what was chosen (CricketShot)"),
        (["Billiards", "--model", "https://127.0.0.1:9/model.tar.gz"], "No label of Kinetics"),
    ],
)
def test_eval_says_what_it_cannot_do_before_a_model_is_loaded(
    ucf101: Hosts, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Models that are to be fetched are out of reach, and the one that ships can't be loaded.
    monkeypatch.setattr(engines, "ENGINES", ())
    monkeypatch.setattr(engines, "_load_best", lambda *_, **__: pytest.fail("it was loaded"))
    result = ucf("eval", *arguments, "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert ucf101.index.requests == []
    assert not ucf101_dir().exists()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="needs /dev/fd")
def test_labels_may_come_out_of_a_pipe(colored_hosts: Hosts, color_model: Path) -> None:
    end, start = os.pipe()
    try:
        os.write(start, "\n".join(KINETICS).encode())  # 6 kB: a pipe holds them
        os.close(start)
        result = ucf("eval", *HAD, "--model", color_model, "--label-file", f"/dev/fd/{end}")
    finally:
        os.close(end)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "  top-1  75.0 %" in result.stdout


# What fails


def test_a_clip_that_fails_alone_says_its_error_once(ucf101: Hosts, color_model: Path) -> None:
    result = ucf("eval", "v_Bowling_g01_c02", "--model", color_model)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.count("v_Bowling_g01_c02.avi cannot be fetched") == 1


def test_the_same_error_of_a_clip_with_several_recipes_is_said_once(
    colored_hosts: Hosts, color_model: Path
) -> None:
    options = ("--recipe", "standard", "--recipe", "tutorial", "--model", color_model)
    alone = ucf("eval", "v_Bowling_g01_c02", *options)
    assert alone.exit_code == 5
    assert alone.stderr.count("v_Bowling_g01_c02.avi cannot be fetched") == 1
    result = ucf("eval", "v_Bowling_g01_c0[12]", *options)
    assert result.exit_code == 7
    assert result.stderr.count("v_Bowling_g01_c02.avi cannot be fetched") == 1
    assert "Error: 1 of 2 clips could not be evaluated" in result.stderr
    assert result.stdout.count("v_Bowling_g01_c02: ") == 2  # for each recipe


# Several recipes, and files


def test_eval_compares_recipes(colored_hosts: Hosts, color_model: Path) -> None:
    options = ("--recipe", "standard", "--recipe", "tutorial", "--recipe", "standard")
    document = evaluated(*HAD, "--model", color_model, *options)
    first, second = document["evaluations"]
    assert [each["recipe"]["name"] for each in (first, second)] == ["standard", "tutorial"]
    assert [each["recipe"]["input_range"] for each in (first, second)] == [[-1, 1], [0, 1]]
    assert [each["num_clips"] for each in (first, second)] == [4, 4]
    assert names_in(first) == names_in(second)
    assert document["comparison"] == {"num_clips": 4, "num_different": 0}
    assert len(set(colored_hosts.asked_for)) == len(colored_hosts.asked_for) == 4

    lines = ucf("eval", *HAD, "--model", color_model, *options).stdout.splitlines()
    assert lines[0] == f"{color_model} on UCF101, 2 recipes"
    assert [line.split() for line in lines if line.startswith(("  fed", "  top-1  "))] == [
        ["fed", "[-1,", "1]", "[0,", "1]"],
        ["top-1", "75.0", "%", "75.0", "%"],
        ["top-1", "standard", "tutorial"],
    ]
    assert "They disagree about the most likely label of 0 of 4 clips." in lines
    assert lines[-2:] == [
        f"{name}: 4 of 4 clips were taken from an earlier run." for name in ("standard", "tutorial")
    ]


@pytest.mark.parametrize(
    ("name", "start"),
    [("json", "top-1"), ("csv", "top-1"), ("x.JSON", "{"), ("x.csv", "recipe,")],
)
def test_a_file_gets_the_format_of_its_suffix_and_a_name_is_no_suffix(
    colored_hosts: Hosts,
    color_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    start: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ucf("eval", "v_Bowling_g01_c01", "--model", color_model, "-o", name)
    assert (result.exit_code, result.stdout) == (0, "")
    text = (tmp_path / name).read_text()
    if start == "top-1":
        assert text.startswith(f"{color_model} on UCF101, recipe standard\n")
    else:
        assert text.startswith(start)


def test_an_unknown_ending_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    result = ucf("eval", "v_Bowling_g01_c01", "-o", tmp_path / "x.y")
    assert result.exit_code == 2
    assert ".json, .csv" in " ".join(result.stderr.split())


def test_eval_leaves_an_older_result_alone_when_nothing_was_evaluated(
    ucf101: Hosts, color_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "result.json"
    output.write_text("older")
    result = ucf("eval", "v_Bowling_g01_c01", "--model", color_model, "-o", output)
    assert result.exit_code == 5
    assert output.read_text() == "older"
