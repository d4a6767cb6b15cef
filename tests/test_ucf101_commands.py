"""`i3d ucf` and `i3d classify ucf:...`: what they print, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
import trustme
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.datasets.ucf101.clips import clips_dir
from i3d.files.cache import ucf101_dir

from ucf101_hosts import (
    CRICKET,
    HANDSTAND,
    OTHERS,
    Hosts,
    color_model,
    colored,
    colored_hosts,
    point_to,
    serve_hosts,
    ucf101,
)
from web_server import Certificate, tls_context

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

__all__ = ["color_model", "colored", "colored_hosts", "ucf101"]

ONE = CRICKET[1].removesuffix(".avi")


def i3d(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), prog_name="i3d")


def ucf(*arguments: str | Path) -> Result:
    result = i3d("ucf", *arguments)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i3d.files.session.BACKOFF_SECONDS", 0.0)


# list


def test_the_list_of_categories_ends_as_the_tutorials_does() -> None:
    lines = ucf("list").stdout.splitlines()
    assert len(lines) == 102
    assert lines[0].split()[:3] == ["ApplyEyeMakeup", "145", "videos"]
    assert "v_ApplyEyeMakeup_g01_c01.avi" in lines[0]
    assert lines[-1] == "Found 13320 videos in 101 categories."


def test_names_are_one_a_line_and_can_be_fetched() -> None:
    names = ucf("list", "--format", "names").stdout.splitlines()
    assert len(names) == len(set(names)) == 13320
    assert all(name.startswith("v_") and name.endswith(".avi") for name in names)


def test_a_part_of_the_list() -> None:
    found = ucf("list", "cricketshot", "--split", 1, "--subset", "test", "--format", "names")
    groups = {name.split("_")[2] for name in found.stdout.splitlines()}
    assert groups == {"g01", "g02", "g03", "g04", "g05", "g06", "g07"}


@pytest.mark.parametrize("format_name", ["table", "json", "csv"])
def test_clips_on_this_machine_are_marked(ucf101: Hosts, format_name: str) -> None:
    ucf("fetch", ONE)
    path = str(clips_dir() / f"{ONE}.avi")
    listed = ucf("list", "CricketShot", "--format", format_name).stdout
    if format_name == "json":
        clips = json.loads(listed)["clips"]
        here = [clip for clip in clips if clip["path"] is not None]
        assert len(clips) == 167
        assert [(clip["name"], clip["num_frames_from_header"]) for clip in here] == [(ONE, 12)]
    elif format_name == "csv":
        rows = list(csv.DictReader(io.StringIO(listed)))
        assert [row["path"] for row in rows if row["path"]] == [path]
    else:
        (line,) = [line for line in listed.splitlines() if ONE in line]
        assert line.split()[-2:] == ["12", "yes"]
    cached = ucf("list", "--cached", "--format", "names").stdout
    assert cached == f"{ONE}.avi\n"


def test_nothing_cached_is_an_answer() -> None:
    assert "Found 0 videos" in ucf("list", "--cached").stdout


@pytest.mark.parametrize(
    "term",
    ["CricketShoot", "../../etc/passwd.avi", "/etc/passwd", "v_CricketShot_g04_c99", "nosuch*", ""],
)
@pytest.mark.parametrize("command", ["list", "fetch", "path", "eval"])
def test_a_name_that_is_none(ucf101: Hosts, command: str, term: str) -> None:
    result = ucf(command, term)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert ucf101.index.requests + ucf101.zip.requests == []
    assert not ucf101_dir().exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--subset", "test"],
        ["list", "--split", "4"],
        ["fetch"],
        ["fetch", ONE, "--jobs", "0"],
        ["fetch", ONE, "--source", "moon"],
        ["fetch", ONE, "--cafile", "x.pem", "--insecure"],
        ["fetch", ONE, "--cafile", ""],
        ["eval", "Bowling", "--cafile", ""],
        ["eval", "--sample", "0"],
        ["eval", "Billiards"],
        ["eval", "CricketShot"],
        ["eval", "--relation", "vague"],
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: list[str]) -> None:
    result = ucf(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert ("is empty." in result.stderr) == ("" in arguments)


# fetch and path


def test_fetch_prints_paths_in_the_order_of_the_names(ucf101: Hosts) -> None:
    result = ucf("fetch", "v_playingcello_g11_c02.AVI", *CRICKET)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [str(clips_dir() / name) for name in (OTHERS[1], *CRICKET)]
    assert all((clips_dir() / name).is_file() for name in CRICKET)


def test_fetch_to_a_folder(ucf101: Hosts, tmp_path: Path) -> None:
    result = ucf("fetch", ONE, "--to", tmp_path / "clips")
    assert result.stdout == f"{tmp_path / 'clips' / ONE}.avi\n"
    (tmp_path / "file").touch()
    result = ucf("fetch", ONE, "--to", tmp_path / "file")
    assert result.exit_code == 2
    assert "is a file" in result.stderr
    assert ucf("fetch", ONE, "--to", "").exit_code == 2


def test_one_clip_that_fails_ends_in_its_own_exit_code(ucf101: Hosts) -> None:
    result = ucf("fetch", "v_Biking_g01_c01")
    assert result.exit_code == 5
    assert result.stdout == ""
    assert result.stderr.startswith("Error: v_Biking_g01_c01.avi cannot be fetched from any source")


def test_a_category_of_which_some_fail(ucf101: Hosts) -> None:
    result = ucf("fetch", "v_CricketShot_g04_*", "v_Biking_g01_c01", "v_Biking_g01_c02")
    assert result.exit_code == 7
    assert len(result.stdout.splitlines()) == 7
    assert "Error: v_Biking_g01_c01.avi cannot be fetched" in result.stderr
    assert "Error: v_Biking_g01_c02.avi cannot be fetched" in result.stderr
    assert "Error: 2 of 9 clips could not be fetched." in result.stderr


def test_where_nothing_can_be_reached_one_clip_is_named_and_the_rest_counted() -> None:
    result = ucf("fetch", "CricketShot")
    assert result.exit_code == 7
    assert result.stderr.count("cannot be fetched") == 1
    assert "166 more were not tried, for no source can be used." in result.stderr
    assert "errors above" not in result.stderr


def test_classify_where_nothing_can_be_reached_one_clip_is_named_and_the_rest_counted() -> None:
    result = i3d("classify", "ucf:v_CricketShot_g04_*", "--format", "json")
    assert result.exit_code == 7
    assert result.stderr.count("cannot be fetched") == 1
    assert "not tried any more" not in result.stderr
    assert "Note: 6 more were not tried, for no source can be used.\n" in result.stderr
    assert "errors above" not in result.stderr
    answers = json.loads(result.stdout)["results"]
    assert [answer["error"]["kind"] for answer in answers[1:]] == ["ClipNotFetchedError"] * 6


def test_path(ucf101: Hosts) -> None:
    assert ucf("path").stdout == f"{clips_dir()}\n"
    result = ucf("path", ONE)
    assert result.exit_code == 5
    assert result.stderr.splitlines()[1].strip() == f"Fetch it: i3d ucf fetch {ONE}"
    ucf("fetch", ONE)
    assert ucf("path", ONE.upper()).stdout == f"{clips_dir() / ONE}.avi\n"
    assert ucf("path", HANDSTAND).exit_code == 5


def test_path_in_a_folder_that_cannot_be_read() -> None:
    ucf101_dir().mkdir(parents=True)
    clips_dir().write_text("no folder")
    result = ucf("path", ONE)
    if os.name != "nt":  # which says that nothing is there
        assert f"The folder {clips_dir()} cannot be read: Not a directory." in result.stderr
    assert (result.exit_code, result.stdout) == (5, "")


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    bad = tls_context(authority, Certificate.SELF_SIGNED)
    with serve_hosts(index_tls=bad, zip_tls=tls_context(authority)) as hosts:
        point_to(hosts, monkeypatch)
        host = hosts.index.url.removeprefix("https://")

        result = ucf("fetch", ONE)
        assert result.exit_code == 5
        assert f"the certificate of {host} is self-signed" in result.stderr
        assert "--cafile FILE" in result.stderr
        assert "--insecure" in result.stderr

        result = ucf("fetch", ONE, "--cafile", bundle)
        assert result.exit_code == 0
        assert result.stderr.startswith(f"Note: {host} cannot be used: the certificate")

        for _ in range(2):  # each time
            shutil.rmtree(clips_dir())
            result = ucf("fetch", ONE, "--insecure")
            assert result.exit_code == 0
            assert result.stderr.startswith("Warning: Certificates are not checked (--insecure)")
            assert result.stderr.count("\n") == 1
        assert hosts.asked_for[-1] == f"{ONE}.avi"

        for name, content in (("missing.pem", None), ("empty.pem", ""), ("bad.pem", "PEM")):
            if content is not None:
                (tmp_path / name).write_text(content)
            result = ucf("fetch", ONE, "--cafile", tmp_path / name)  # also where nothing is fetched
            assert result.exit_code == 2
            assert name in result.stderr
            assert "--cafile" in result.stderr


# classify, with a model that names colours


def test_classify_fetches_a_clip_and_says_what_it_is(
    colored_hosts: Hosts, color_model: Path
) -> None:
    arguments = ("classify", "ucf:v_cliffdiving_g02_c03", "--model", color_model, "--top", 1)
    result = i3d(*arguments)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == str(clips_dir() / "v_CliffDiving_g02_c03.avi")
    assert lines[-1].strip() == "UCF101 says CliffDiving: diving cliff (exact) is at rank 1"

    result = i3d(*arguments, "--format", "json")
    (answer,) = json.loads(result.stdout)["results"]
    truth = answer["truth"]
    assert (truth["dataset"], truth["clip"]) == ("UCF101", "v_CliffDiving_g02_c03")
    (label,) = truth["labels"]
    assert label["probability"] == answer["scores"][0]["probability"]
    assert colored_hosts.asked_for == ["v_CliffDiving_g02_c03.avi"]


def test_a_file_that_has_a_clips_name_is_set_beside_the_truth(
    color_model: Path, colored: dict[str, bytes], tmp_path: Path
) -> None:
    names = ["v_Bowling_g01_c01.avi", "V_BILLIARDS_G01_C01.AVI", "v_Bowling_g99_c01.avi"]
    for name in names:
        (tmp_path / name).write_bytes(colored["green"])
    result = i3d(
        "classify", *(tmp_path / name for name in names), "--model", color_model, "--top", 1
    )
    lines = [line.strip() for line in result.stdout.splitlines() if "UCF101" in line]
    assert lines[0].startswith("UCF101 says Bowling: bowling (exact) is at rank ")
    assert lines[1].startswith("UCF101 says Billiards, and ")
    assert len(lines) == 2
    result = i3d("classify", tmp_path / names[0], "--model", color_model, "--format", "csv")
    row = next(csv.DictReader(io.StringIO(result.stdout)))
    assert (row["true_category"], row["true_label"], row["true_label_relation"]) == (
        "Bowling",
        "bowling",
        "exact",
    )
    assert int(row["true_label_rank"]) > 1


def test_classify_an_unknown_clip_and_one_that_cannot_be_had(
    colored_hosts: Hosts, color_model: Path
) -> None:
    assert i3d("classify", "ucf:v_Nothing_g01_c01").exit_code == 4
    assert i3d("classify", "ucf:v_Biking_g01_c01", "--model", color_model).exit_code == 5
    result = i3d(
        "classify",
        "ucf:v_Biking_g01_c01",
        "ucf:v_PlayingCello_g11_c0[23]",
        "--model",
        color_model,
        "--format",
        "json",
    )
    assert result.exit_code == 7
    assert "Error: 1 of 3 videos could not be classified." in result.stderr
    failed, *good = json.loads(result.stdout)["results"]
    assert failed["video"]["path"] == "ucf:v_Biking_g01_c01"
    assert failed["error"]["exit_code"] == 5
    assert [answer["scores"][0]["label"] for answer in good] == ["playing cello"] * 2
