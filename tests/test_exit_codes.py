"""Each exit code, with a sentence on standard error and no traceback; once from a real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import RunI3D

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def assert_failed(process: subprocess.CompletedProcess[str], code: int, *sentences: str) -> None:
    """The process ended with this code and said these things, in words for people."""
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    for sentence in sentences:
        assert sentence in process.stderr


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (0, "labels swim"),
        (2, "classify"),
        (3, "classify gone.avi"),
        (4, "labels crickt"),
        (5, "model path"),
        (6, "model verify ."),
        (7, "classify gone.avi lost.avi"),
    ],
)
def test_a_real_process_ends_with_the_code(
    run_i3d: RunI3D, tmp_path: Path, code: int, command: str
) -> None:
    process = run_i3d(*command.split(), cwd=tmp_path)
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr


# 0


def test_0_version_and_help(invoke_i3d: RunI3D) -> None:
    import i3d

    process = invoke_i3d("--version")
    assert (process.returncode, process.stdout) == (0, f"i3d {i3d.__version__}\n")
    process = invoke_i3d("--help")
    assert process.returncode == 0
    assert "classify" in process.stdout


def test_0_labels(invoke_i3d: RunI3D) -> None:
    process = invoke_i3d("labels", "swim")
    assert process.returncode == 0
    assert process.stdout.splitlines() == [
        "339  swimming backstroke",
        "340  swimming breast stroke",
        "341  swimming butterfly stroke",
    ]


# 1


def labels_that_raise(exception: str) -> subprocess.CompletedProcess[str]:
    """Run `i3d labels` in a process where reading the labels raises this."""
    program = f"""
import sys
import i3d.cli.labels
def broken(name):
    raise {exception}
i3d.cli.labels.load_labels = broken
sys.argv = ["i3d", "labels"]
from i3d.__main__ import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=SOURCE
    )


def test_1_a_bug_shows_a_traceback_and_asks_for_a_report() -> None:
    process = labels_that_raise("RuntimeError('the walls have ears')")
    assert process.returncode == 1
    assert "RuntimeError: the walls have ears" in process.stderr
    assert "please report" in process.stderr


def test_130_ctrl_c_in_any_command() -> None:
    process = labels_that_raise("KeyboardInterrupt")
    assert process.returncode == 130
    assert process.stderr == "Interrupted.\n"


# 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clip.avi", "--tpo", "5"], "No such option"),
        (["clip.avi", "--top", "0"], "0 is not in the range x>=1"),
        (["clip.avi", "--fps", "fast"], "'fast' is not a number"),
        (["clip.avi", "--fps", "-5"], "must be above 0 and at most 1000, not -5"),
        (["clip.avi", "--start", "-1"], "'-1' is not a number of seconds from 0"),
        (["clip.avi", "--end", "nan"], "'nan' is not a number of seconds from 0"),
        (["clip.avi", "--model", ""], "is empty"),
        (["clip.avi", "-o", ""], "is empty"),
        (["clip.avi", "--start", "3", "--end", "3"], "must come after --start"),
        (["clip.avi", "--max-frames", "-1"], "-1 is not in the range x>=0"),
        (["clip.avi", "--recipe", "cake"], "'cake' is not one of"),
        (["clip.avi", "--format", "xml"], "'xml' is not one of"),
        (["clip.avi", "--input-range", "1", "0"], "must run from low to high"),
        (["clip.avi", "--label-file", "missing.txt"], "missing.txt cannot be read"),
        (["clip.avi", "-o", "."], "The output . is a folder"),
        (["clip.avi", "-o", "nowhere/out.json"], "out.json does not exist"),
        (["clip.avi", "-o", "clip.avi", "--format", "json"], "would be overwritten"),
        ([], "No video was given."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_2_usage(invoke_i3d: RunI3D, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    before = clip.read_bytes()
    process = invoke_i3d("classify", *arguments, cwd=tmp_path)
    assert_failed(process, 2, sentence)
    assert clip.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["clip.avi"], "nothing is left behind"


@pytest.mark.parametrize("option", [("--timeout", "nan"), ("--max-memory", "9" * 400)])
def test_2_numbers_that_are_none(invoke_i3d: RunI3D, option: tuple[str, str]) -> None:
    process = invoke_i3d("classify", "clip.avi", "--model", "camera-motion", *option)
    assert_failed(process, 2, option[0], "is not a")


# 3


def folder_without_images(path: Path) -> Path:
    path.mkdir()
    (path / "notes.txt").write_text("no pictures here")
    return path


def movie_without_index(path: Path) -> Path:
    return videos.truncated(videos.write_mp4(path, [videos.numbered_image(1)] * 5), keep=0.4)


def without_frames(path: Path) -> Path:
    """An AVI that ends where its first frame would start."""
    videos.write_video(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    return path


@pytest.mark.parametrize(
    ("make", "name", "sentence"),
    [
        (lambda path: path, "missing.avi", "There is no video"),
        (videos.empty, "empty.avi", "is empty (0 bytes)"),
        (videos.not_a_video, "noise.avi", "is not a video that can be decoded"),
        (videos.text_file, "text.avi", "is a text file, not a video"),
        (videos.sound_only, "sound.wav", "is a WAV sound file"),
        (videos.sound_only, "sound.mp4", "holds no pictures"),
        (movie_without_index, "cut.mp4", "without its index (the moov box)"),
        (without_frames, "hollow.avi", "hollow.avi"),
        (folder_without_images, "folder", "holds no videos"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_3_video(
    invoke_i3d: RunI3D,
    tmp_path: Path,
    make: Callable[[Path], Path],
    name: str,
    sentence: str,
) -> None:
    path = make(tmp_path / name)
    process = invoke_i3d("classify", path, "--format", "json", "--model", "camera-motion")
    assert_failed(process, 3, sentence, name)
    (result,) = json.loads(process.stdout)["results"]
    assert result["status"] == "error"
    assert result["video"]["path"] == str(path)
    assert result["error"]["exit_code"] == 3
    assert result["error"]["hint"]


@posix_only
def test_3_a_named_pipe_does_not_block(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.avi")
    process = invoke_i3d("classify", tmp_path / "pipe.avi")
    assert_failed(process, 3, "is a named pipe, not a video file")


@posix_only
def test_3_a_file_that_may_not_be_read(run_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "secret.avi")
    clip.chmod(0)
    prefix = []
    if os.geteuid() == 0:  # root may read anything, until it gives the right to do so away
        if shutil.which("setpriv") is None:
            pytest.skip("root may read everything, and there is no setpriv")
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    process = run_i3d("classify", clip, prefix=prefix)
    assert_failed(process, 3, "secret.avi cannot be read: Permission denied")


def test_3_a_start_after_the_end(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=20, fps=25)
    process = invoke_i3d("classify", clip, "--start", "5", "--model", "camera-motion")
    assert_failed(process, 3, "ends after 0.80 seconds")


def test_3_a_leading_dash_needs_a_double_dash(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    assert_failed(invoke_i3d("classify", "--", "-missing.avi", cwd=tmp_path), 3, "-missing.avi")


# 4


def test_4_unknown_names(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    process = invoke_i3d("classify", clip, "--model", "camera-moton")
    assert_failed(process, 4, "no model named 'camera-moton'", "Did you mean camera-motion?")
    process = invoke_i3d("classify", clip, "--model", tmp_path / "nowhere")
    assert_failed(process, 4, "no model folder", "nowhere")
    process = invoke_i3d("labels", "playing crickt")
    assert_failed(process, 4, "no label named", "playing cricket")


# 5


def test_5_a_model_that_cannot_be_fetched(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    process = invoke_i3d("classify", clip, "--format", "json")
    assert_failed(
        process,
        5,
        "i3d-kinetics-400 cannot be fetched: none of its 7 sources works",
        "http://127.0.0.1:9/deepmind/i3d-kinetics-400/1: ",
        "I3D_TFHUB_URL",
        "--model camera-motion",
    )
    parsed = json.loads(process.stdout)
    assert parsed["results"] == []
    assert parsed["error"]["kind"] == "TransferError"
    sources = ["tfhub-cache", "kagglehub-cache", "tfhub", "pypi", "gcs", "kaggle", "deepmind"]
    assert [line.split()[0] for line in parsed["error"]["details"]] == sources
    assert not list((tmp_path / "cache").rglob("*.pb"))


@posix_only
def test_5_a_cache_that_cannot_be_written(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    process = invoke_i3d("classify", clip, environment={"I3D_CACHE_DIR": "/dev/null/cache"})
    assert_failed(process, 5, "cache folder /dev/null/cache", "I3D_CACHE_DIR")


@posix_only
@pytest.mark.parametrize("command", ["classify", "timeline", "report", "preview"])
def test_5_a_name_that_the_system_refuses(invoke_i3d: RunI3D, tmp_path: Path, command: str) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    suffix = {"report": ".html", "preview": ".gif"}.get(command, ".json")
    model = () if command == "preview" else ("--model", "camera-motion")
    process = invoke_i3d(command, clip, *model, "-o", tmp_path / ("x" * 300 + suffix))
    assert_failed(process, 5, "cannot be written to", "File name too long")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_5_a_full_disk_behind_standard_output(i3d_command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*i3d_command, "labels"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=SOURCE,
        )
    assert process.returncode == 5
    assert "cannot be written to standard output: No space left on device" in process.stderr
    assert "Traceback" not in process.stderr


# 6


def test_6_a_folder_that_holds_no_model(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    (tmp_path / "model").mkdir()
    process = invoke_i3d("classify", clip, "--model", tmp_path / "model")
    assert_failed(process, 6, "is not a TensorFlow model: it has no saved_model.pb")
    process = invoke_i3d("classify", clip, "--model", clip)
    assert_failed(process, 6, "it is not a whole tar or zip archive")


# 7


def test_7_some_of_several_videos_failed(invoke_i3d: RunI3D, tmp_path: Path) -> None:
    good = videos.write_video(tmp_path / "good.avi")
    bad = videos.empty(tmp_path / "bad.avi")
    process = invoke_i3d(
        "classify",
        bad,
        good,
        tmp_path / "gone.avi",
        "--model",
        "camera-motion",
        "--format",
        "jsonl",
    )
    assert_failed(process, 7, "bad.avi is empty", "gone.avi", "2 of 3 videos")
    results = [json.loads(line) for line in process.stdout.splitlines()]
    assert [result["status"] for result in results] == ["error", "ok", "error"]
    assert [Path(result["video"]["path"]).name for result in results] == [
        "bad.avi",
        "good.avi",
        "gone.avi",
    ]


def test_7_all_of_several_videos_failed_without_loading_a_model(invoke_i3d: RunI3D) -> None:
    process = invoke_i3d(
        "classify", "a.avi", "b.avi", "--model", "no-such-model", "--format", "csv"
    )
    assert_failed(process, 7, "a.avi", "b.avi", "2 of 2 videos")
    assert process.stdout.count(",error,") == 2


# 130 and 141


@pytest.fixture
def waiting_process(
    i3d_command: list[str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `i3d classify CLIP ARGUMENTS...` and return when it waits for a silent server."""
    clip = videos.write_video(tmp_path / "clip.avi")
    with socket.create_server(("127.0.0.1", 0)) as silent_server, ExitStack() as stack:
        silent_server.settimeout(120)

        def start(*arguments: str | Path) -> subprocess.Popen[str]:
            handle = f"http://127.0.0.1:{silent_server.getsockname()[1]}/model/1"
            process = subprocess.Popen(
                [*i3d_command, "classify", clip, "--model", handle, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=SOURCE,
            )
            connection, _ = silent_server.accept()
            stack.enter_context(connection).recv(100)  # it has asked, and now it waits
            time.sleep(0.2)
            return process

        yield start


@posix_only
def test_130_ctrl_c_ends_in_one_whole_document(
    waiting_process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = waiting_process("--format", "json")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Interrupted." in stderr
    assert "Traceback" not in stderr
    parsed = json.loads(stdout)
    assert parsed["results"] == []
    assert parsed["error"]["exit_code"] == 130
    left = {path.name for path in (tmp_path / "cache" / "models").iterdir()}
    assert left <= {".locks"}, "nothing half-fetched is left"


@posix_only
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_that_is_stopped_leaves_the_old_file_and_nothing_else(
    waiting_process: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str
) -> None:
    number = getattr(signal, name)
    output = tmp_path / "out.json"
    output.write_text("what was there before")
    process = waiting_process("-o", output)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number, stderr
    assert "Traceback" not in stderr
    assert output.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "clip.avi", "out.json"]


# Closed and full streams


@posix_only
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("labels >&-", 5),
        ("classify gone.avi --format json >&-", 5),
        ("classify gone.avi 2>&-", 3),
        ("labels yoga 2>&-", 0),
        ("labels yoga <&-", 0),
        ("--help > /dev/full", 5),
        ("--version > /dev/full", 5),
        ("classify gone.avi 2> /dev/full", 3),
    ],
)
def test_streams_that_are_closed_or_full(command: str, code: int) -> None:
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    process = subprocess.run(
        ["sh", "-c", f'"$0" -m i3d {command}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        cwd=SOURCE,
    )
    assert process.returncode == code
    assert "Traceback" not in process.stderr


@posix_only
@pytest.mark.parametrize(
    "arguments", [["labels"], ["--help"], ["classify", "gone.avi", "--format", "csv"]]
)
def test_141_a_closed_pipe_is_no_drama(i3d_command: list[str], arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        process = subprocess.run(
            [*i3d_command, *arguments],
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=SOURCE,
        )
    finally:
        os.close(write_end)
    assert process.returncode == 141
    assert process.stderr == ""


# `i3d model` and `i3d doctor`


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        (["model"], 2, "Commands:"),
        (["model", "lst"], 2, "No such command 'lst'"),
        (["model", "info", "a", "b"], 2, "unexpected extra argument"),
        (["model", "remove"], 2, "Missing argument"),
        (["model", "remove", "camera-motion"], 2, "cannot be removed"),
        (["model", "verify", "--sample", "x.npy", "--no-sample"], 2, "contradict each other"),
        (["model", "list", "--format", "xml"], 2, "'xml' is not one of"),
        (["doctor", "--offlin"], 2, "No such option"),
        (["model", "path", "i3d-kinetics-40"], 4, "Did you mean i3d-kinetics-400"),
        (["model", "path"], 5, "i3d model fetch i3d-kinetics-400"),
        (["model", "fetch", "--offline"], 5, "I3D_OFFLINE is set"),
        (["model", "verify", "."], 6, "holds neither saved_model.pb nor a TensorFlow checkpoint"),
        (["model", "import", "gone.tar.gz"], 6, "there is no such file or folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_codes_of_the_commands_on_models(
    invoke_i3d: RunI3D, tmp_path: Path, command: list[str], code: int, sentence: str
) -> None:
    process = invoke_i3d(*command, cwd=tmp_path)
    assert_failed(process, code, sentence)


@posix_only
def test_streams_that_are_closed_or_full_are_no_drama_for_models(tmp_path: Path) -> None:
    for command, code in [
        ("model list >&-", 5),
        ("model list 2>&-", 0),
        ("model path 2>&-", 5),
        ("model list > /dev/full", 5),
        ("model verify camera-motion --no-sample --format json > /dev/full", 5),
    ]:
        if "/dev/full" in command and not Path("/dev/full").exists():
            continue
        process = subprocess.run(
            ["sh", "-c", f'"$0" -m i3d {command}', sys.executable],
            capture_output=True,
            text=True,
            check=False,
            cwd=SOURCE,
        )
        assert process.returncode == code, command
        assert "Traceback" not in process.stderr
