"""`i3d preview` as people use it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageSequence

from i3d.cli.main import cli
from i3d.pictures import preview as previews
from i3d.video.ahead import ClipReader
from i3d.video.recipes import get_recipe

import videos

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunI3D

FORMATS = ("gif", "webp", "apng", "png", "mp4")


def preview(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, ["preview", *map(str, arguments)], prog_name="i3d")


def num_pictures(path: Path) -> int:
    with Image.open(path) as animation:
        return sum(1 for _ in ImageSequence.Iterator(animation))


def message(result: Result) -> str:
    """What went to standard error, as one line."""
    return " ".join(result.stderr.split())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of noise."""
    images = [videos.noise_image(i) for i in range(25)]
    return videos.write_avi(tmp_path / "clip.avi", images)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_suffix_says_what_is_written_and_a_note_says_what_was(clip, tmp_path, suffix):
    output = tmp_path / f"out.{suffix.upper()}"

    result = preview(clip, "-o", output, "--size", "32")

    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    count = 20 if suffix == "png" else 25
    assert re.fullmatch(
        rf"Note: {count} frames, 1\.0 s, [0-9.]+ [kM]B: {re.escape(str(output))}\n", result.stderr
    )
    starts = {
        "gif": b"GIF89a",
        "webp": b"RIFF",
        "apng": b"\x89PNG",
        "png": b"\x89PNG",
        "mp4": b"\0\0\0",
    }
    assert output.read_bytes().startswith(starts[suffix])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", output.name]


def test_the_format_may_differ_from_the_suffix(clip, tmp_path):
    output = tmp_path / "out.png"

    assert preview(clip, "-o", output, "--format", "apng", "--every", "5").exit_code == 0

    assert num_pictures(output) == 5


def test_it_shows_what_classify_feeds(clip, tmp_path):
    output = tmp_path / "out.webp"
    options = ["--recipe", "deepmind", "--fps", "10", "--start", "0.3", "--end", "0.9"]

    assert preview(clip, "-o", output, *options, "--max-frames", "5").exit_code == 0

    span = {"start_seconds": 0.3, "end_seconds": 0.9, "max_frames": 5}
    from i3d.video.recipes import with_overrides

    recipe = with_overrides(get_recipe("deepmind"), fps=10)
    with ClipReader(clip, recipe, 224, **span) as reader:
        frames = [image for image, _, _ in reader.frames()]
    with Image.open(output) as animation:
        shown = [
            np.asarray(picture.convert("RGB")) for picture in ImageSequence.Iterator(animation)
        ]
    np.testing.assert_array_equal(shown, frames)


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_a_folder_of_images_is_a_video(tmp_path, suffix):
    folder = videos.image_folder(tmp_path / "images", num_images=12)
    output = tmp_path / f"out.{suffix}"

    result = preview(folder, "-o", output, "--image-fps", "2", "--size", "32")

    assert result.exit_code == 0
    assert "Note: 12 frames, 6.0 s," in message(result)


def test_a_short_clip_is_shown_once_and_a_note_says_how_it_is_fed(clip, tmp_path):
    output = tmp_path / "out.webp"

    result = preview(clip, "-o", output, "--max-frames", "4", "--size", "32")

    assert num_pictures(output) == 4
    assert (
        "The clip has 4 frames, shown once. I3D is fed them 2.2 times over, 9 in all."
        in message(result)
    )


def test_a_note_says_that_not_all_frames_are_shown(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "MAX_KEPT", 10)

    result = preview(clip, "-o", tmp_path / "out.gif", "--size", "32")

    assert "One in 4 of the clip's 25 frames is shown: an .mp4 shows all" in message(result)
    assert "Note: 7 frames, 1.0 s," in message(result)
    asked = preview(clip, "-o", tmp_path / "out.gif", "--size", "32", "--every", "2")
    assert "is shown" not in asked.stderr
    assert "Note: 13 frames, 1.0 s," in message(asked)


def test_a_note_says_that_a_gif_is_too_slow(tmp_path):
    images = [videos.noise_image(i) for i in range(20)]
    video = videos.write_avi(tmp_path / "fast.avi", images, fps=(100, 1))

    result = preview(video, "-o", tmp_path / "out.gif", "--fps", "native", "--size", "32")

    assert "10 frames left out: .gif cannot show pictures so close" in message(result)
    assert "Note: 10 frames, 0.2 s," in message(result)


def test_a_cut_off_file_is_told(tmp_path):
    images = [videos.noise_image(i) for i in range(40)]
    video = videos.truncated(videos.write_avi(tmp_path / "cut.avi", images))

    result = preview(video, "-o", tmp_path / "out.gif", "--size", "32")

    assert result.exit_code == 0
    assert "the file is cut off or damaged" in message(result)


# Names


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
@pytest.mark.parametrize(
    "name",
    [
        "<b>'\"&amp;.avi",
        "two\nlines\t.avi",
        "\u202egnp.exe.avi",
        "東京 🎉.avi",
        "n" * 240 + ".avi",
        "-o.avi",
        b"caf\xe9.avi".decode(errors="surrogateescape"),
    ],
)
def test_any_file_name_can_be_drawn(clip, tmp_path, name):
    clip.rename(tmp_path / name)

    result = preview("--size", "32", "-o", tmp_path / "out.png", "--", tmp_path / name)

    assert result.exit_code == 0, result.stderr
    assert num_pictures(tmp_path / "out.png") == 1


def test_any_output_name_can_be_told(clip, tmp_path):
    result = preview(clip, "-o", tmp_path / "\u202e東\u200b.gif", "--size", "32")

    assert result.exit_code == 0
    assert "\\u202e東\\u200b.gif" in result.stderr


# Errors


@pytest.mark.parametrize("name", ["out.jpg", "out", "out.gif.txt", ".gif"])
def test_an_unknown_suffix_lists_the_known_ones(clip, tmp_path, name):
    result = preview(clip, "-o", tmp_path / name)

    assert result.exit_code == 2
    assert "ends in none of .gif, .webp, .apng, .mp4, .png" in message(result)
    assert "--format" in message(result)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("-", "ends in none of"),
        ("nowhere/out.gif", "does not exist"),
        ("clip.gif", "one of the videos"),
        ("folder.gif", "is a folder"),
        ("", "is empty"),
    ],
)
def test_an_output_that_cannot_be_is_refused(tmp_path, monkeypatch, output, sentence):
    monkeypatch.chdir(tmp_path)
    source = videos.animated_gif(tmp_path / "clip.gif")
    (tmp_path / "folder.gif").mkdir()
    before = source.read_bytes()

    result = preview("clip.gif", "-o", output)

    assert result.exit_code == 2
    assert sentence in message(result)
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.gif", "folder.gif"]


@pytest.mark.parametrize("name", ["img2.png", "new.png", "new.webp"])
def test_a_picture_never_gets_among_the_images_that_are_the_video(tmp_path, name):
    folder = videos.image_folder(tmp_path / "images", 3)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    result = preview(folder, "-o", folder / name)

    assert result.exit_code == 2
    assert "would be one of the images" in message(result)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_missing_video_is_told_and_the_old_preview_stays(tmp_path):
    output = tmp_path / "out.gif"
    output.write_bytes(b"what was there before")

    result = preview(tmp_path / "clip.avi", "-o", output)

    assert result.exit_code == 3
    assert "There is no video" in message(result)
    assert output.read_bytes() == b"what was there before"


def test_an_empty_span_is_told_and_leaves_nothing(clip, tmp_path):
    result = preview(clip, "-o", tmp_path / "out.png", "--start", "7")

    assert result.exit_code == 3
    assert "before the requested start" in message(result)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.avi"]


def test_a_category_of_ucf101_is_more_than_one_clip(tmp_path):
    result = preview("ucf:CricketShot", "-o", tmp_path / "out.gif", "--offline")

    assert result.exit_code == 2
    assert "ucf:CricketShot means 167 clips, and a preview shows one." in message(result)
    assert "ucf:v_CricketShot_g01_c01" in message(result)


def test_a_sheet_of_too_many_frames_is_refused(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "MAX_SHEET_FRAMES", 10)

    result = preview(clip, "-o", tmp_path / "out.png", "--every", "2", "--size", "32")

    assert result.exit_code == 2
    assert "A sheet shows at most 10 frames, and --every 2 asks for more." in message(result)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.avi"]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.argv[0] = "i3d"
from i3d.cli.main import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is enforced on Linux")
@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_a_full_disk_is_a_sentence_and_the_old_preview_stays(clip, tmp_path, suffix):
    output = tmp_path / f"out.{suffix}"
    output.write_bytes(b"what was there before")

    process = subprocess.run(
        [sys.executable, "-c", LIMITED, "preview", str(clip), "-o", str(output)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert process.returncode == 5, process.stderr
    assert "cannot be written" in process.stderr
    assert "Traceback" not in process.stderr
    assert output.read_bytes() == b"what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", output.name]


def test_an_interrupt_leaves_nothing(clip, tmp_path, monkeypatch):
    from i3d.pictures import animation

    def interrupted(path: Path, *rest: object) -> int:
        path.write_bytes(b"half of it")
        return signal.raise_signal(signal.SIGINT) or 0

    monkeypatch.setattr(animation, "write_animation", interrupted)

    result = preview(clip, "-o", tmp_path / "out.gif", "--size", "32")

    assert result.exit_code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["clip.avi"]


def test_the_command_runs_without_a_model_or_a_network(run_i3d: RunI3D, clip, tmp_path):
    process = run_i3d("preview", clip, "-o", tmp_path / "out.gif", "--size", "32", "--offline")

    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    assert num_pictures(tmp_path / "out.gif") == 25
