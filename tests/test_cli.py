"""`i3d classify` as people use it: formats, files, odd names and odd videos."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from i3d.cli.main import cli

import small_modules
import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunI3D


def i3d(*arguments: str | Path) -> Result:
    """Run the command in this process, where TensorFlow is imported once for all tests."""
    return CliRunner().invoke(cli, [*map(str, arguments)], prog_name="i3d")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.avi", num_frames=20)


# Odd names and odd videos, through a real process


def test_odd_names_and_odd_videos(run_i3d: RunI3D, tmp_path: Path) -> None:
    names = ["two words.avi", "it's.avi", "-dash.avi", "--top.avi", "東京 café.avi", "100%d.avi"]
    if os.name != "nt":
        names += ['"quoted".avi', "line\nbreak.avi", "concat:a.avi", "back\\slash.avi"]
    if sys.platform == "linux":  # where names are bytes
        names += [os.fsdecode(b"caf\xe9.avi")]
    for name in names:
        videos.write_avi(tmp_path / name, [videos.numbered_image(i) for i in range(10)])
    pixel = [np.full((1, 1, 3), i, np.uint8) for i in range(12)]
    odd = [
        videos.write_avi(tmp_path / "1x1.avi", pixel),
        videos.write_video(tmp_path / "8k.avi", num_frames=9, size=(7680, 4320)),
        videos.write_video(tmp_path / "one frame.avi", num_frames=1),
        videos.rotated_mp4(tmp_path / "phone.mp4", 90),
        videos.animated_gif(tmp_path / "animated.gif"),
        videos.image_folder(tmp_path / "images", 12),
        videos.image_folder(tmp_path / "still", 1) / "img0.png",
        videos.truncated(videos.write_video(tmp_path / "cut.avi", num_frames=50)),
    ]
    names += [path.relative_to(tmp_path).as_posix() for path in odd]

    process = run_i3d(
        "classify", "--model", "camera-motion", "--format", "json", "--", *names, cwd=tmp_path
    )

    assert process.returncode == 0, process.stderr
    results = json.loads(process.stdout)["results"]
    shown_names = [name.replace("\udce9", "\\udce9") for name in names]
    assert [result["video"]["path"] for result in results] == shown_names
    assert {result["status"] for result in results} == {"ok"}
    seen = {result["video"]["path"]: result for result in results}
    assert (seen["8k.avi"]["video"]["width"], seen["8k.avi"]["video"]["height"]) == (7680, 4320)
    assert seen["phone.mp4"]["video"]["rotation_degrees"] == 90
    assert seen["one frame.avi"]["clip"]["num_frames_fed"] == 9
    assert "Warning: one frame.avi: the clip has 1 frame" in process.stderr
    decoded = seen["cut.avi"]["video"]["num_frames_decoded"]
    assert 0 < decoded < 40
    assert (
        f"Warning: cut.avi: decoded {decoded} of the 50 frames that the header declares"
        in process.stderr
    )
    assert "Traceback" not in process.stderr


# Formats


def test_silence_is_kept_but_for_the_result(run_i3d: RunI3D, clip: Path) -> None:
    process = run_i3d("classify", clip, "--model", "camera-motion", "--top", "1")
    assert process.returncode == 0
    assert process.stderr == ""
    assert len(process.stdout.splitlines()) == 4


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_progress_is_shown_on_a_terminal_and_gone_before_the_result(
    i3d_command: list[str], clip: Path
) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*i3d_command, "classify", clip, "--model", "camera-motion", "--engine", "tensorflow"],
        stdout=theirs,
        stderr=theirs,
        cwd=SOURCE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    shown = b""
    while chunk := _read_terminal(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "loading camera-motion" in text
    assert "decoding" in text
    assert "tensorflow" not in text.partition("(tensorflow)")[0].lower(), "libraries are silent"
    last_progress = max(text.rindex(word) for word in ("loading", "decoding", "running"))
    result = text.index(f"{clip}\r\n")
    assert last_progress < result
    assert text[last_progress:result].endswith("\x1b[2K"), "its line is erased"
    assert "\x1b[?25h" in text, "the cursor is back"


def _read_terminal(handle: int) -> bytes:
    """What comes next; nothing at the end, which Linux reports as an error."""
    try:
        return os.read(handle, 4096)
    except OSError:
        return b""


def test_verbose_lets_the_libraries_speak(run_i3d: RunI3D, clip: Path) -> None:
    process = run_i3d(
        "classify", clip, "--model", "camera-motion", "--top", "1", "-v", "--engine", "tensorflow"
    )
    assert process.returncode == 0
    assert len(process.stdout.splitlines()) == 4
    assert "tensorflow" in process.stderr.lower() or "onednn" in process.stderr.lower()


def test_the_formats_say_the_same(clip: Path) -> None:
    arguments = ("classify", clip, "--model", "camera-motion", "--top", "9", "--format")
    document = json.loads(i3d(*arguments, "json").stdout)
    lines = [json.loads(line) for line in i3d(*arguments, "jsonl").stdout.splitlines()]
    rows = list(csv.DictReader(io.StringIO(i3d(*arguments, "csv").stdout)))
    table = i3d(*arguments, "table").stdout
    assert document["results"] == lines
    scores = lines[0]["scores"]
    assert [row["label"] for row in rows] == [score["label"] for score in scores]
    assert [float(row["logit"]) for row in rows] == [score["logit"] for score in scores]
    positions = [table.index(score["label"]) for score in scores]
    assert positions == sorted(positions)


def test_more_labels_than_there_are(clip: Path) -> None:
    result = i3d("classify", clip, "--model", "camera-motion", "--top", "1000", "--format", "json")
    assert len(json.loads(result.stdout)["results"][0]["scores"]) == 9


def test_options_reach_the_result(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.avi", num_frames=100, fps=50)
    result = i3d(
        *("classify", path, "--model", "camera-motion", "--format", "json"),
        *("--recipe", "deepmind", "--fps", "10", "--input-range", "0", "255"),
        *("--start", "0.4", "--end", "1.8", "--max-frames", "13"),
    )
    (parsed,) = json.loads(result.stdout)["results"]
    recipe, shown = parsed["recipe"], parsed["clip"]
    assert (recipe["name"], recipe["crop"], recipe["fps"]) == ("deepmind", "short-side-256", 10)
    assert recipe["input_range"] == [0, 255]
    assert shown["num_frames"] == 13
    assert shown["start_seconds"] == pytest.approx(0.4)
    assert shown["end_seconds"] == pytest.approx(1.7)


def test_the_frame_rate_of_a_folder_of_images(tmp_path: Path) -> None:
    folder = videos.image_folder(tmp_path / "images", 12)
    arguments = ("classify", folder, "--model", "camera-motion", "--format", "json")
    (slow,) = json.loads(i3d(*arguments, "--image-fps", "12").stdout)["results"]
    assert slow["video"]["duration_seconds"] == pytest.approx(1)
    (usual,) = json.loads(i3d(*arguments).stdout)["results"]
    assert usual["video"]["duration_seconds"] == pytest.approx(0.48)


# Output files


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "txt"])
def test_a_file_gets_the_format_of_its_suffix(clip: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    result = i3d("classify", clip, "--model", "camera-motion", "-o", output)
    assert (result.exit_code, result.stdout) == (0, "")
    text = output.read_text(encoding="utf-8")
    starts = {
        "json": '{\n  "schema": "i3d.classification/1"',
        "jsonl": '{"schema": "i3d.prediction/1"',
        "csv": "video,status,rank",
        "txt": str(clip),
    }
    assert text.startswith(starts[suffix])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", output.name]


def test_a_dash_is_standard_output(clip: Path, tmp_path: Path) -> None:
    result = i3d("classify", clip, "--model", "camera-motion", "-o", "-", "--format", "json")
    assert json.loads(result.stdout)["results"]
    assert not (tmp_path / "-").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_file_has_the_mode_that_the_umask_asks_for(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    before = os.umask(0o027)
    try:
        i3d("classify", clip, tmp_path / "gone.avi", "--model", "camera-motion", "-o", output)
    finally:
        os.umask(before)
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


def test_a_file_is_replaced_whole_or_not_at_all(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from i3d.cli.output import Output
    from i3d.errors import OutputError

    output = tmp_path / "out.json"
    output.write_text("what was there before")
    with Output(str(output)) as destination:
        destination.write("the first half")
        monkeypatch.setattr(destination, "_stream", FullDisk())
        with pytest.raises(OutputError, match="No space left"):
            destination.write("the second half")
    assert output.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "out.json"]

    result = i3d("classify", clip, "--model", "camera-motion", "-o", output)
    assert result.exit_code == 0
    assert json.loads(output.read_text())["results"]


def test_a_run_that_never_began_leaves_the_old_file(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    output.write_text("what was there before")
    result = i3d("classify", clip, "--model", "camera-moton", "-o", output)
    assert result.exit_code == 4
    assert output.read_text() == "what was there before"


def test_a_long_name_is_a_name(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / f"{'東' * 80}.json"
    assert i3d("classify", clip, "--model", "camera-motion", "-o", output).exit_code == 0
    assert json.loads(output.read_text(encoding="utf-8"))["results"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_link_stays_a_link_and_a_pipe_a_pipe(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    assert i3d("classify", clip, "--model", "camera-motion", "-o", link).exit_code == 0
    assert link.is_symlink()
    assert target.read_text().startswith("video,status")

    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read_end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert i3d("classify", clip, "--model", "camera-motion", "-o", pipe).exit_code == 0
    assert os.read(read_end, 100).startswith(b"video,status")
    os.close(read_end)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("i3d cla", "plain,classify"),
        ("i3d classify cl", "file,cl"),
        ("i3d classify --model cam", "plain,camera-motion"),
        ("i3d classify --model ./mod", "dir,./mod"),
        ("i3d classify --recipe tu", "plain,tutorial"),
        ("i3d ucf ev", "plain,eval"),
        ("i3d ucf eval --see", "plain,--seed"),
        ("i3d ucf list cricketsh", "plain,CricketShot"),
        ("i3d ucf list v_cricketshot_g04_c01", "plain,v_CricketShot_g04_c01"),
    ],
)
def test_the_shell_completes(words: str, offered: str) -> None:
    environment = {
        "_I3D_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    result = CliRunner().invoke(cli, prog_name="i3d", env=environment)
    assert result.stdout.splitlines() == [offered]


class FullDisk(io.StringIO):
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


# Models of one's own


def test_a_model_of_ones_own_prints_numbers_and_says_so(
    run_i3d: RunI3D, clip: Path, tmp_path: Path
) -> None:
    model = small_modules.write_video_module(tmp_path / "model")
    process = run_i3d("classify", clip, "--model", model, "--format", "json")
    assert process.returncode == 0, process.stderr
    assert "5 outputs without names: --label-file FILE." in process.stderr
    (result,) = json.loads(process.stdout)["results"]
    assert {score["label"] for score in result["scores"]} == set("01234")
    assert result["model"]["name"] == str(model)


def test_a_model_of_ones_own_with_labels(clip: Path, tmp_path: Path) -> None:
    model = small_modules.write_tf2(tmp_path / "model")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"action {i}\n" for i in range(small_modules.NUM_LABELS)))
    options = ("--label-file", labels, "--engine", "tensorflow", "--format", "json")
    result = i3d("classify", clip, "--model", model, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    (parsed,) = json.loads(result.stdout)["results"]
    assert parsed["scores"][0]["label"].startswith("action ")
    assert parsed["recipe"]["input_range"] == [0, 1]


def test_a_model_that_is_no_classifier_of_videos_is_refused(clip: Path, tmp_path: Path) -> None:
    def build() -> small_modules.Signature:
        image = small_modules.placeholder((None, 16, 16, 3))
        return {"image": image}, {"default": image[:, 0, :, 0]}

    model = small_modules.write_tf1(tmp_path / "model", build)
    result = i3d("classify", clip, "--model", model, "--format", "json")
    assert result.exit_code == 6
    assert "no signature of it takes one 5-D video and nothing else" in result.stderr
    assert json.loads(result.stdout)["error"]["kind"] == "ModelLoadError"


def test_outputs_that_are_not_finite_are_told(clip: Path, tmp_path: Path) -> None:
    def spoil(steps: object) -> object:
        return small_modules.mean_over_time(steps) / 0.0

    model = small_modules.write_video_module(tmp_path / "model", after=spoil)
    result = i3d("classify", clip, "--model", model)
    assert result.exit_code == 6
    assert "not finite numbers" in result.stderr
    assert result.stdout == ""
