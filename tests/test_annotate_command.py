"""`i3d annotate` as people use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from i3d.cli.main import cli
from i3d.video.reader import VideoReader
from test_camera_motion import write
from test_timeline_command import moving

import sounds
import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from conftest import RunI3D

MOVES = ("pan right", "static", "zoom in", "tilt up")
"""Three seconds of each."""


def annotate(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    options = ("annotate", "--model", "camera-motion", *map(str, arguments))
    return CliRunner().invoke(cli, options, prog_name="i3d")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


@pytest.fixture(scope="module")
def moves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("moves") / "moves.mp4", moving(25, MOVES))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return sounds.video_with_sound(tmp_path / "clip.mp4", seconds=1.0, beeps=(0.5,))


def test_a_person_gets_the_video_and_one_line(run_i3d: RunI3D, moves: Path, tmp_path: Path) -> None:
    done = run_i3d("annotate", moves, "--model", "camera-motion", "-o", tmp_path / "out.mp4")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"Note: 12.0 s, 300 frames, no audio: {tmp_path / 'out.mp4'}\n"
    with VideoReader(tmp_path / "out.mp4") as new, VideoReader(moves) as old:
        late = [a.seconds - b.seconds for a, b in zip(new, old, strict=True)]
        assert new.info.duration_seconds == pytest.approx(12)
    assert len(late) == 300
    assert max(map(abs, late)) < 0.001


def test_the_banner_changes_where_the_timeline_does(moves: Path, tmp_path: Path) -> None:
    assert annotate(moves, "-o", tmp_path / "out.mp4").exit_code == 0
    with VideoReader(tmp_path / "out.mp4") as reader:
        # The mark of the segment's colour, at the left of the banner: pan, still, zoom, tilt.
        marks = {f.index: f.image[8:16, 5].astype(int).mean(axis=0).round() for f in reader}
    for second in (3, 6, 9):
        before, after = marks[second * 25 - 12], marks[second * 25 + 12]
        assert abs(before - after).max() > 40, second
    for second in (1.4, 4.4, 7.4, 10.4):
        assert abs(marks[round(second * 25) - 10] - marks[round(second * 25) + 10]).max() < 25, (
            second
        )


def test_sound_is_kept(clip: Path, tmp_path: Path) -> None:
    result = annotate(clip, "-o", tmp_path / "out.mp4", "--top", "3")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.endswith(f"1.0 s, 25 frames, audio kept (aac): {tmp_path / 'out.mp4'}\n")
    assert sounds.beeps_in(tmp_path / "out.mp4") == pytest.approx([0.5], abs=0.001)


def test_sound_that_is_encoded_anew_is_told_of(tmp_path: Path) -> None:
    clip = sounds.video_with_sound(tmp_path / "a.avi", "pcm_s16le", "mjpeg", seconds=1, beeps=())
    result = annotate(clip, "-o", tmp_path / "out.mp4")
    assert "audio kept (pcm_s16le, now aac)" in result.stderr


def test_a_part_is_written_alone(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    result = annotate(clip, "-o", target, "--start", "0.4", "--end", "0.8")
    assert "0.4 s, 10 frames" in result.stderr
    assert sounds.beeps_in(target) == pytest.approx([0.1], abs=0.001)
    result = annotate(clip, "-o", target, "--max-frames", "15")
    assert "0.6 s, 15 frames" in result.stderr


def test_a_folder_of_images_at_a_rate_of_its_own(tmp_path: Path) -> None:
    folder = videos.image_folder(tmp_path / "images", 20)
    result = annotate(folder, "-o", tmp_path / "out.mp4", "--image-fps", "10")
    assert "2.0 s, 20 frames, no audio" in result.stderr


def test_options_of_the_timeline_decide_what_is_drawn(clip: Path, tmp_path: Path) -> None:
    def drawn(*options: str) -> bytes:
        result = annotate(clip, "-o", tmp_path / "out.mp4", *options)
        assert result.exit_code == 0, result.stderr
        with VideoReader(tmp_path / "out.mp4") as reader:
            return next(iter(reader)).image[:30].tobytes()

    everything = drawn("--labels", "static", "--min-score", "0.001", "--min-duration", "0")
    nothing = drawn("--labels", "static", "--min-score", "1")
    assert everything != nothing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "out.avi"), "does not end in .mp4"),
        (("-o", "out"), "does not end in .mp4"),
        (("-o", "-"), "does not end in .mp4"),
        (("-o", ""), "is empty"),
        (("-o", "none/out.mp4"), "does not exist"),
        (("-o", "clip.mp4"), "would be overwritten"),
        (("-o", "link.mp4"), "would be overwritten"),
        (("-o", "folder.mp4"), "is a folder"),
        (("-o", "out.mp4", "--font", "none.ttf"), "There is no font"),
        (("-o", "out.mp4", "--font", "clip.mp4"), "cannot be used"),
        (("-o", "out.mp4", "--top", "0"), "--top"),
        (("-o", "out.mp4", "--min-score", "0"), "minimal score"),
        ((), "--output"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.mp4").mkdir()
    os.link(clip, "link.mp4")
    before = clip.read_bytes()
    monkeypatch.setattr("i3d.cli.question.TimelineQuestion.answer", None)
    result = annotate(clip, *options)
    assert result.exit_code == 2, result.stderr
    assert message in " ".join(result.stderr.split())
    assert clip.read_bytes() == before
    assert names_in(tmp_path) == ["clip.mp4", "folder.mp4", "link.mp4"]


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that not even root can write")
def test_a_folder_that_cannot_be_written_is_told_before_the_model_runs(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i3d.cli.question.TimelineQuestion.answer", None)
    result = annotate(clip, "-o", "/proc/out.mp4")
    assert result.exit_code == 5, result.stderr
    assert "cannot be written to /proc/out.mp4" in result.stderr


def test_what_else_cannot_be_written_is_not_taken_for_the_video(clip: Path, tmp_path: Path) -> None:
    result = annotate(clip, "-o", tmp_path / "out.mp4", "--save-scores", clip)
    assert result.exit_code == 5
    assert "The folder of scores" in result.stderr
    assert "Give --save-scores a folder." in result.stderr


def test_how_to_get_an_encoder_is_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i3d.pictures.mp4._ENCODERS", ("no_such_encoder",))
    result = annotate(clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 5
    assert "pip install" in result.stderr


def test_one_frame_is_told_as_one(tmp_path: Path) -> None:
    folder = videos.image_folder(tmp_path / "images", 1)
    assert ", 1 frame, no audio" in annotate(folder, "-o", tmp_path / "out.mp4").stderr


def test_a_video_that_is_not_there_leaves_the_old_output(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("what was there before")
    for name, code in (("gone.mp4", 3), ("text.mp4", 3)):
        videos.text_file(tmp_path / "text.mp4")
        assert annotate(tmp_path / name, "-o", target).exit_code == code
    assert target.read_text() == "what was there before"
    assert names_in(tmp_path) == ["out.mp4", "text.mp4"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files are told by Linux")
def test_a_disk_that_gets_full_is_told_and_leaves_the_old_output(
    clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("what was there before")
    arguments = ("annotate", clip, "--model", "camera-motion", "-o", target)
    code = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (2000, 2000)); import i3d.__main__"
    done = subprocess.run(
        [sys.executable, "-c", f"{code} as m; m.main()", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 5, done.stderr
    assert f"The result cannot be written to {target}: File too large." in done.stderr
    assert "Traceback" not in done.stderr
    assert target.read_text() == "what was there before"
    assert names_in(tmp_path) == ["clip.mp4", "out.mp4"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupt_leaves_nothing_new_and_the_old_output(
    tmp_path: Path, i3d_command: list[str], name: str, code: int
) -> None:
    picture = videos.noise_image(1, (1280, 720))  # takes more than a second to encode
    clip = videos.write_video(tmp_path / "clip.avi", 50, frame=lambda _: picture)
    target = tmp_path / "out.mp4"
    target.write_text("what was there before")
    arguments = ["--model", "camera-motion", "-o", str(target)]
    process = subprocess.Popen(
        [*i3d_command, "annotate", str(clip), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    while not list(tmp_path.glob(".i3d-*.mp4")):  # it has begun to write
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert target.read_text() == "what was there before"
    assert names_in(tmp_path) == ["clip.avi", "out.mp4"]


@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "太極拳", "\u202edlrow olleh", "dance \U0001f483" * 40]
)
def test_labels_may_be_anything(clip: Path, tmp_path: Path, label: str) -> None:
    names = tmp_path / "labels.txt"
    names.write_text("".join(f"{label} {i}\n" for i in range(9)), encoding="utf-8")
    options = ("--label-file", names, "--min-score", "0.01", "--min-duration", "0")
    result = annotate(clip, "-o", tmp_path / "out.mp4", "--top", "9", *options)
    assert result.exit_code == 0, result.stderr
