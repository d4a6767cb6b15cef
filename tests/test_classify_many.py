"""`i3d classify` on folders and lists: every video once, whatever happens in between."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from i3d.analysis.batch import Batch, ScoreSettings
from i3d.analysis.classifier import Classifier
from i3d.analysis.scores import ScoreStore
from i3d.cli.main import cli
from i3d.errors import VideoDecodeError
from i3d.video.ahead import ClipReader
from i3d.video.identity import NotWantedError
from i3d.video.recipes import get_recipe

import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RunI3D

NUM_VIDEOS = 12
BAD = ("bad/empty.avi", "bad/rubbish.avi")

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def i3d(*arguments: str | Path, **options: Any) -> Result:
    """Run the command in this process, where the engine is imported once for all tests."""
    return CliRunner().invoke(
        cli, [*map(str, arguments), "--model", "camera-motion"], prog_name="i3d", **options
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with folders: twelve short videos, and two files that are none."""
    folder = tmp_path_factory.mktemp("many") / "videos"
    for number in range(NUM_VIDEOS):
        path = folder / f"part{number % 3}" / f"clip{number}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        videos.write_video(path, num_frames=9 + number)
    (folder / "bad").mkdir()
    videos.empty(folder / BAD[0])
    videos.not_a_video(folder / BAD[1])
    (folder / "notes.txt").write_text("not a video")
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with the dates of the original; its name is given from the folder above."""
    shutil.copytree(original, tmp_path / "videos")
    monkeypatch.chdir(tmp_path)
    return Path("videos")


def lines(path: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def paths(path: Path | str) -> list[str]:
    return [line["video"]["path"] for line in lines(path)]


# Which videos


def test_a_folder_means_all_videos_in_it_in_natural_order(folder: Path) -> None:
    result = i3d("classify", folder, "-o", "results.jsonl", "--top", "2")
    assert result.exit_code == 7
    assert paths("results.jsonl") == [
        *(f"videos/{name}" for name in BAD),
        *(f"videos/part{n}/clip{i}.avi" for n in range(3) for i in range(n, NUM_VIDEOS, 3)),
    ]
    assert "14 of 14 videos are in results.jsonl." in result.stderr
    assert "2 of 14 videos could not be classified." in result.stderr
    assert "The reasons are in results.jsonl" in result.stderr


def test_each_line_says_which_file_it_was_and_what_was_asked(folder: Path) -> None:
    i3d("classify", folder / "part0", "-o", "results.jsonl", "--top", "2")
    found = lines("results.jsonl")
    assert len(found) == 4
    for line in found:
        path = Path(line["video"]["path"])
        assert line["status"] == "ok"
        assert len(line["scores"]) == 2
        assert line["file"]["num_bytes"] == path.stat().st_size
        assert len(line["file"]["sha256"]) == 64
    assert len({line["settings"] for line in found}) == 1


def test_a_failure_is_a_result_with_its_reason(folder: Path) -> None:
    i3d("classify", folder / "bad", "-o", "results.jsonl")
    empty, rubbish = lines("results.jsonl")
    assert (empty["status"], empty["error"]["kind"]) == ("error", "VideoDecodeError")
    assert "is empty (0 bytes)" in empty["error"]["message"]
    assert empty["file"]["num_bytes"] == 0
    assert rubbish["file"]["num_bytes"] == 5000


def test_patterns_choose_files_and_folders(folder: Path) -> None:
    shutil.copy(folder / "part0" / "clip0.avi", folder / "part0" / "clip0.data")
    result = i3d(
        *("classify", folder, "-o", "r.jsonl", "--include", "*.data", "--exclude", "part1"),
    )
    assert result.exit_code == 0, result.stderr
    assert paths("r.jsonl") == ["videos/part0/clip0.data"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_a_list_names_videos(end: str, folder: Path) -> None:
    names = [f"videos/part{i}/clip{i}.avi" for i in (2, 0, 1)]
    text = end.join(names) + end
    result = i3d("classify", "--from", "-", "-o", "r.jsonl", input=text)
    assert result.exit_code == 0, result.stderr
    assert paths("r.jsonl") == names


def test_lists_and_arguments_can_be_mixed_and_nothing_is_done_twice(folder: Path) -> None:
    Path("list.txt").write_text("videos/part1/clip1.avi\nvideos/part0/clip0.avi\n")
    result = i3d("classify", folder / "part0", "--from", "list.txt", "-o", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    assert paths("r.jsonl") == [
        *(f"videos/part0/clip{i}.avi" for i in (0, 3, 6, 9)),
        "videos/part1/clip1.avi",
    ]


def test_no_video_at_all_is_told(folder: Path) -> None:
    Path("none.txt").write_text("\n\n")
    for arguments, sentence in (
        ([], "No video was given."),
        (["--from", "none.txt"], "none.txt names no videos."),
        (["--from", "gone.txt"], "gone.txt"),
    ):
        result = i3d("classify", *arguments)
        assert result.exit_code == 2
        assert sentence in result.stderr
    Path("videos/none").mkdir()
    result = i3d("classify", "videos/none")
    assert result.exit_code == 3
    assert "videos/none" in result.stderr


# Going on


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_second_run_does_only_what_is_missing(suffix: str, folder: Path) -> None:
    output = Path(f"results.{suffix}")
    read = {"jsonl": Path.read_bytes, "csv": Path.read_bytes, "parquet": table_rows}[suffix]
    whole = i3d("classify", folder, "-o", output, "--top", "2")
    assert whole.exit_code == 7
    expected = read(output)
    again = i3d("classify", folder, "-o", output, "--top", "2")
    assert again.exit_code == 7
    assert "14 of 14 videos are in" in again.stderr
    assert "14 of them from before" in again.stderr
    assert read(output) == expected
    # Part of it, then all.
    output.unlink()
    assert i3d("classify", folder / "part1", "-o", output, "--top", "2").exit_code == 0
    i3d("classify", folder, "-o", output, "--top", "2")
    assert sorted_rows(read(output)) == sorted_rows(expected)


def table_rows(path: Path) -> list[tuple[Any, ...]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(path)
    return [tuple(row.values()) for row in table.to_pylist()]


def sorted_rows(content: Any) -> list[Any]:
    return sorted(content.splitlines() if isinstance(content, bytes) else content, key=repr)


def test_the_model_is_not_loaded_where_nothing_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i3d("classify", folder / "part0", "-o", "r.jsonl")
    monkeypatch.setattr("i3d.analysis.classifier.load_engine", None)
    result = i3d("classify", folder / "part0", "-o", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    assert i3d("classify", folder / "part1", "-o", "r.jsonl").exit_code == 1


def test_a_video_that_has_changed_is_done_again_and_one_that_was_touched_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i3d("classify", folder / "part0", "-o", "r.jsonl")
    before = {line["video"]["path"]: line for line in lines("r.jsonl")}
    videos.write_video(folder / "part0" / "clip3.avi", num_frames=11)
    os.utime(folder / "part0" / "clip6.avi", (1e9, 1e9))
    result = i3d("classify", folder / "part0", "-o", "r.jsonl")
    assert "3 of them from before" in result.stderr
    after = {line["video"]["path"]: line for line in lines("r.jsonl")}
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"videos/part0/clip3.avi"}
    assert len(lines("r.jsonl")) == 4


def test_results_of_videos_that_are_not_there_at_the_moment_stay(folder: Path) -> None:
    i3d("classify", folder / "part0", "-o", "r.jsonl")
    Path("list").write_text("\n".join(paths("r.jsonl")))
    before = Path("r.jsonl").read_bytes()
    folder.rename("elsewhere")
    result = i3d("classify", "--from", "list", "-o", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "clip0.avi and 3 more cannot be found or read now" in result.stderr
    assert Path("r.jsonl").read_bytes() == before
    result = i3d("classify", folder / "part0" / "clip0.avi", "-o", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "clip0.avi cannot be found or read now" in result.stderr
    assert Path("r.jsonl").read_bytes() == before


def test_a_folder_that_was_emptied_keeps_its_result(folder: Path) -> None:
    frames = Path("frames")
    frames.mkdir()
    for number in range(9):
        videos.write_image(frames / f"{number}.png", videos.numbered_image(number))
    assert i3d("classify", frames, "-o", "r.jsonl").exit_code == 0
    before = Path("r.jsonl").read_bytes()
    shutil.rmtree(frames)
    frames.mkdir()
    assert i3d("classify", frames, "-o", "r.jsonl").exit_code == 0
    assert Path("r.jsonl").read_bytes() == before


def test_the_failure_of_an_empty_folder_goes_when_there_are_videos_in_it(folder: Path) -> None:
    later = Path("later/deeper")
    later.mkdir(parents=True)
    assert i3d("classify", "later/", "-o", "r.jsonl").exit_code == 3
    assert paths("r.jsonl") == ["later/"]
    shutil.copy(folder / "part0" / "clip0.avi", later)
    assert i3d("classify", "later/", "-o", "r.jsonl").exit_code == 0
    assert paths("r.jsonl") == ["later/deeper/clip0.avi"]


def test_the_results_of_a_folder_are_no_video_of_it(folder: Path) -> None:
    for _ in range(2):
        options = ("--include", "*", "-o", folder / "part0" / "r.jsonl")
        result = i3d("classify", folder / "part0", *options)
        assert result.exit_code == 0, result.stderr
    assert len(lines(folder / "part0" / "r.jsonl")) == 4


def test_another_file_of_the_same_name_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "part0")
    i3d("classify", "clip0.avi", "-o", "../r.jsonl")
    monkeypatch.chdir("../part1")
    shutil.copy("clip1.avi", "clip0.avi")
    result = i3d("classify", ".", "-o", "../r.jsonl")
    assert "made again" not in result.stderr  # "./clip0.avi" is another name
    monkeypatch.chdir("../part2")
    shutil.copy("clip2.avi", "clip0.avi")
    result = i3d("classify", "clip0.avi", "-o", "../r.jsonl")
    assert "1 earlier result is made again: the file has changed" in result.stderr


def test_a_video_that_failed_before_it_was_whole_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoding is ahead of the model: a copy may be finished between a failure and its turn."""
    whole = (folder / "part0" / "clip0.avi").read_bytes()
    late = folder / "part0" / "clip0.avi"
    late.write_bytes(whole[:3000])
    wait = ClipReader.wait

    def finish_the_copy(self: ClipReader) -> None:
        try:
            wait(self)
        except VideoDecodeError:
            late.write_bytes(whole)
            raise

    with monkeypatch.context() as patch:
        patch.setattr(ClipReader, "wait", finish_the_copy)
        assert i3d("classify", folder / "part0", "-o", "r.jsonl").exit_code == 7
    result = i3d("classify", folder / "part0", "-o", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    assert {line["status"] for line in lines("r.jsonl")} == {"ok"}


def test_a_failure_of_the_file_is_kept_and_others_are_tried_again(folder: Path) -> None:
    names = [*(f"videos/{name}" for name in BAD), "videos/gone.avi", "videos/part0/clip0.avi"]
    result = i3d("classify", *names, "-o", "r.jsonl")
    assert result.exit_code == 7
    kinds = {line["video"]["path"]: line.get("error", {}).get("kind") for line in lines("r.jsonl")}
    assert kinds["videos/gone.avi"] == "VideoNotFoundError"
    shutil.copy("videos/part0/clip3.avi", "videos/gone.avi")
    result = i3d("classify", *names, "-o", "r.jsonl")
    assert "3 of them from before" in result.stderr
    assert "2 of 4 videos could not be classified" in result.stderr
    assert lines("r.jsonl")[-1]["video"]["path"] == "videos/gone.avi"
    assert lines("r.jsonl")[-1]["status"] == "ok"
    assert len(lines("r.jsonl")) == 4


@pytest.mark.parametrize(
    "option",
    [
        ("--top", "3"),
        ("--recipe", "tutorial"),
        ("--fps", "10"),
        ("--start", "0.1"),
        ("--max-frames", "9"),
        ("--input-range", "0", "1"),
        ("--engine", "tensorflow"),
        ("--label-file", "labels.txt"),
    ],
    ids=lambda option: option[0],
)
def test_results_of_other_settings_are_not_mixed(option: tuple[str, ...], folder: Path) -> None:
    Path("labels.txt").write_text("".join(f"move {i}\n" for i in range(9)))
    one = folder / "part0" / "clip0.avi"
    assert i3d("classify", one, "-o", "r.jsonl").exit_code == 0
    before = Path("r.jsonl").read_bytes()
    result = i3d("classify", one, folder / "part0", "-o", "r.jsonl", *option)
    assert result.exit_code == 2
    assert "other settings" in result.stderr
    assert "--again" in result.stderr
    assert Path("r.jsonl").read_bytes() == before
    if option[0] == "--fps":
        result = i3d("classify", one, "-o", "r.jsonl", "--again", *option)
        assert result.exit_code == 0, result.stderr
        assert [line["recipe"]["fps"] for line in lines("r.jsonl")] == [10]


def test_what_does_not_change_results_does_not_matter(folder: Path) -> None:
    one = folder / "part0" / "clip0.avi"
    i3d("classify", one, "-o", "r.jsonl")
    options = ("--max-memory", "1G", "--jobs", "2", "--save-scores", "kept", "--timeout", "9")
    result = i3d("classify", one, folder / "part1", "-o", "r.jsonl", *options)
    assert result.exit_code == 0, result.stderr
    assert len(lines("r.jsonl")) == 5


@pytest.mark.parametrize("command", ["classify", "timeline"])
def test_an_ending_that_no_format_has_is_refused_with_those_that_there_are(
    command: str, folder: Path
) -> None:
    one = folder / "part0" / "clip0.avi"
    result = i3d(command, one, "-o", "r.xlsx")
    assert result.exit_code == 2
    assert "ends in .xlsx" in result.stderr
    assert ".json, " in result.stderr
    assert ".csv" in result.stderr
    assert not list(Path().glob("r.*"))
    assert i3d(command, one, "-o", "r.xlsx", "--format", "csv").exit_code == 0
    assert i3d(command, one, "-o", "r").exit_code == 0
    assert "clip0.avi" in Path("r").read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize("name", ["r.json", "r.txt", "-"])
def test_again_and_parquet_need_a_file_that_grows(name: str, folder: Path) -> None:
    one = folder / "part0" / "clip0.avi"
    result = i3d("classify", one, "-o", name, "--again")
    assert result.exit_code == 2
    assert "--again is for result files" in result.stderr
    if name == "-":
        result = i3d("classify", one, "--format", "parquet")
        assert result.exit_code == 2
        assert "-o results.parquet" in result.stderr


def test_a_video_in_the_place_of_the_results_is_not_touched(folder: Path) -> None:
    one = folder / "part0" / "clip0.avi"
    before = one.read_bytes()
    result = i3d("classify", one, "-o", one, "--format", "jsonl")
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    result = i3d("classify", folder / "part1", "-o", one, "--format", "jsonl")
    assert result.exit_code == 2
    for format_name in ("json", "table"):
        result = i3d("classify", folder, "-o", one, "--format", format_name)
        assert result.exit_code == 2
        assert "would be overwritten" in result.stderr
    assert one.read_bytes() == before
    assert not list(one.parent.glob(".*"))


# Processes


def start(i3d_command: list[str], *arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*i3d_command, *map(str, arguments), "--model", "camera-motion"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def num_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(path: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    while num_lines(path) < number and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.slow
@posix_only
@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_killed_at_any_moment_nothing_is_lost_and_nothing_twice(
    suffix: str, folder: Path, i3d_command: list[str]
) -> None:
    """The random moments are the same in each run of the test."""
    chance = random.Random(suffix)
    output = Path(f"results.{suffix}")
    grows = output if suffix == "jsonl" else Path(".results.csv.i3d-part")
    arguments = ("classify", folder, "-o", output, "--top", "3")
    undisturbed = Path(f"whole.{suffix}")
    assert i3d("classify", folder, "-o", undisturbed, "--top", "3").exit_code == 7
    expected = sorted(undisturbed.read_bytes().splitlines())
    for kills in range(26):
        process = start(i3d_command, *arguments)
        before = num_lines(grows)
        if kills % 4:  # while it writes; else anywhere, from the first moment on
            wait_for_lines(grows, before + 1, process)
            time.sleep(chance.random() * 0.15)
        else:
            time.sleep(chance.random() * 1.2)
        process.send_signal(signal.SIGKILL)
        assert process.stderr is not None
        process.stderr.close()
        process.wait()
        if sorted(output.read_bytes().splitlines() if output.exists() else []) == expected:
            output.unlink()  # done: from the start again
    assert i3d("classify", folder, "-o", output, "--top", "3").exit_code == 7
    assert sorted(output.read_bytes().splitlines()) == expected
    assert sorted(entry.name for entry in Path().iterdir() if entry.is_file()) == [
        f"results.{suffix}",
        f"whole.{suffix}",
    ]


@posix_only
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_ctrl_c_keeps_what_was_done_and_says_how_to_go_on(
    suffix: str, folder: Path, i3d_command: list[str]
) -> None:
    output = Path(f"results.{suffix}")
    grows = output if suffix == "jsonl" else Path(".results.csv.i3d-part")
    process = start(i3d_command, "classify", folder, "-o", output, "--top", "1")
    wait_for_lines(grows, 3, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    told = stderr.decode()
    assert "Run it again to go on." in told
    assert "Interrupted." in told
    assert "Traceback" not in told
    head = suffix == "csv"
    assert 2 <= num_lines(output) - head < 14  # the one that was being written may be taken back
    assert i3d("classify", folder, "-o", output, "--top", "1").exit_code == 7
    whole = i3d("classify", folder, "-o", f"whole.{suffix}", "--top", "1")
    assert whole.exit_code == 7
    assert sorted(output.read_bytes().splitlines()) == sorted(
        Path(f"whole.{suffix}").read_bytes().splitlines()
    )


@posix_only
def test_of_two_runs_on_one_file_the_second_is_refused(
    folder: Path, i3d_command: list[str]
) -> None:
    output = Path("results.jsonl")
    process = start(i3d_command, "classify", folder, "-o", output)
    wait_for_lines(output, 1, process)
    process.send_signal(signal.SIGSTOP)
    try:
        result = i3d("classify", folder, "-o", output)
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    assert result.exit_code in (2, 5)
    assert "results.jsonl" in result.stderr
    assert process.returncode == 7
    assert len(lines(output)) == 14


BROKEN_DECODER = """\
import os, signal, sys, time
if any("i3d.video.worker" in argument for argument in sys.orig_argv):
    import cv2
    class Capture:
        def __init__(self, name, *rest):
            self.name = name
            self.capture = REAL(name, *rest)
        def grab(self):
            if "crash" in self.name:
                os.kill(os.getpid(), signal.SIGSEGV)
            if "hang" in self.name:
                time.sleep(3600)
            return self.capture.grab()
        def __getattr__(self, name):
            return getattr(self.capture, name)
    REAL, cv2.VideoCapture = cv2.VideoCapture, Capture
"""


@posix_only
def test_a_file_on_which_the_decoder_crashes_or_hangs_takes_only_itself_down(
    folder: Path, tmp_path: Path, run_i3d: RunI3D
) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(BROKEN_DECODER)
    for name in ("crash", "hang"):
        shutil.copy(folder / "part0" / "clip0.avi", folder / "part1" / f"{name}.avi")
    process = run_i3d(
        *("classify", folder, "-o", "r.jsonl", "--model", "camera-motion", "--timeout", "2"),
        environment={"PYTHONPATH": f"{SOURCE}{os.pathsep}{hook}"},
    )
    assert process.returncode == 7, process.stderr
    kinds = {line["video"]["path"]: line.get("error", {}).get("kind") for line in lines("r.jsonl")}
    assert {path: kind for path, kind in kinds.items() if kind is not None} == {
        "videos/bad/empty.avi": "VideoDecodeError",
        "videos/bad/rubbish.avi": "VideoDecodeError",
        "videos/part1/crash.avi": "DecoderCrashedError",
        "videos/part1/hang.avi": "DecoderTimeoutError",
    }
    assert len(kinds) == 16
    assert "Traceback" not in process.stderr
    # They are tried again, for the system may have been the cause.
    assert i3d("classify", folder, "-o", "r.jsonl").exit_code == 7
    assert sum(line["status"] == "ok" for line in lines("r.jsonl")) == 14


def test_jobs_give_the_same_results_in_the_same_order(folder: Path) -> None:
    for jobs in (1, 3):
        i3d("classify", folder, "-o", f"{jobs}.jsonl", "--jobs", str(jobs))
    assert Path("1.jsonl").read_bytes() == Path("3.jsonl").read_bytes()


def test_a_table_of_many_is_printed_as_each_is_done(folder: Path) -> None:
    result = i3d("classify", folder, "--top", "1")
    assert result.exit_code == 7
    assert result.stdout.count("camera-motion") == NUM_VIDEOS
    assert "2 of 14 videos could not be classified." in result.stderr


def test_csv_has_a_block_of_rows_for_each_video(folder: Path) -> None:
    i3d("classify", folder, "-o", "r.csv", "--top", "3")
    with Path("r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * NUM_VIDEOS + 2
    assert {row["status"] for row in rows} == {"ok", "error"}
    assert all(len(row["sha256"]) == 64 for row in rows)


# Kept scores


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no model can be loaded."""
    return lambda: monkeypatch.setattr("i3d.analysis.classifier.load_engine", None)


def test_kept_scores_answer_without_the_model(folder: Path, no_engine: Callable[[], None]) -> None:
    first = i3d("classify", folder, "-o", "1.jsonl", "--save-scores", "kept")
    assert first.exit_code == 7
    assert len(list(Path("kept").iterdir())) == NUM_VIDEOS
    no_engine()
    again = i3d("classify", folder, "-o", "2.jsonl", "--save-scores", "kept")
    assert again.exit_code == 7, again.stderr
    assert Path("1.jsonl").read_bytes() == Path("2.jsonl").read_bytes()
    # Another question of the same scores, and the same video under another name.
    Path("moved.avi").symlink_to("videos/part0/clip0.avi")
    result = i3d(*("classify", "moved.avi", "--top", "9", "--save-scores", "kept"), "--format=json")
    assert result.exit_code == 0, result.stderr
    (answer,) = json.loads(result.stdout)["results"]
    assert answer["video"]["path"] == "moved.avi"
    assert len(answer["scores"]) == 9


@pytest.mark.parametrize(
    "option",
    [("--fps", "10"), ("--start", "0.1"), ("--input-range", "0", "1"), ("--recipe", "deepmind")],
    ids=lambda option: option[0],
)
def test_kept_scores_of_another_recipe_or_span_are_not_taken(
    option: tuple[str, ...], folder: Path
) -> None:
    one = folder / "part0" / "clip3.avi"
    kept = ("--save-scores", "kept", "--format", "json")
    i3d("classify", one, *kept)
    (fresh,) = json.loads(i3d("classify", one, "--format", "json", *option).stdout)["results"]
    (found,) = json.loads(i3d("classify", one, *kept, *option).stdout)["results"]
    assert found | {"file": None} == fresh
    assert len(list(Path("kept").iterdir())) == 2


def test_closing_does_not_wait_until_large_files_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stopped = threading.Event(), threading.Event()

    def read_for_ever(path: str, *, is_wanted: Callable[[], bool]) -> None:
        reading.set()
        for _ in range(1000):
            if not is_wanted():
                stopped.set()
                raise NotWantedError
            time.sleep(0.01)

    monkeypatch.setattr("i3d.analysis.batch.describe_file", read_for_ever)
    model = Classifier("camera-motion")
    settings = ScoreSettings(get_recipe("standard"))
    batch = Batch([("a.avi", None)], model, settings, store=ScoreStore("scores"))
    batch._open_until(0)
    reading.wait()
    batch.close()
    assert stopped.is_set()


def test_damaged_scores_are_made_again(folder: Path) -> None:
    one = folder / "part0" / "clip0.avi"
    kept = ("--save-scores", "kept", "--format", "json")
    expected = i3d("classify", one, *kept).stdout
    (path,) = Path("kept").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert i3d("classify", one, *kept).stdout == expected
    assert path.read_bytes() == whole


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that takes nothing")
def test_a_folder_of_scores_that_can_not_be_written_is_told(folder: Path) -> None:
    result = i3d("classify", folder / "part0" / "clip0.avi", "--save-scores", "videos/notes.txt")
    assert result.exit_code == 5
    assert "videos/notes.txt" in result.stderr
    assert "Traceback" not in result.stderr
