"""Corrupt files, generated: none crashes or hangs a batch, and each is told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.clips.process import DecodeProcess
from i3d.errors import DecoderCrashedError, DecoderTimeoutError, I3DError
from i3d.recipes import get_recipe

import videos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import RunI3D

NUM_FILES = 330
SUFFIXES = (".avi", ".mp4", ".gif", ".mkv", ".webm", ".mov", ".mpg", ".flv", ".ts", ".dat")


def sources(folder: Path) -> list[Path]:
    """Whole files of several containers and codecs."""
    folder.mkdir()
    noise = [videos.noise_image(seed) for seed in range(12)]
    made = [
        videos.write_video(folder / "mjpg.avi", num_frames=12),
        videos.write_avi(folder / "noise.avi", noise),
        videos.write_mp4(folder / "index.mp4", [videos.numbered_image(i) for i in range(12)]),
        videos.stamped_mp4(folder / "times.mp4", [0, 40, 80, 200, 240, 280, 400, 440, 480, 520]),
        videos.interlaced_mov(folder / "interlaced.mov"),
        videos.animated_gif(folder / "animated.gif", noise),
    ]
    for name, codec in (("xvid.avi", "XVID"), ("mp4v.mp4", "mp4v"), ("vp8.webm", "VP80")):
        made += encoded(folder / name, codec)
    return made


def encoded(path: Path, codec: str) -> list[Path]:
    """The same pictures by one of OpenCV's own encoders, where it has that one."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25.0, (64, 48))
    if not writer.isOpened():
        return []
    for number in range(12):
        writer.write(videos.numbered_image(number))
    writer.release()
    return [path] if path.exists() and path.stat().st_size else []


def damaged(whole: bytes, other: bytes, kind: int, chance: np.random.Generator) -> bytes:
    """Damage a file in one of nine ways."""
    data = bytearray(whole)
    place = int(chance.integers(1, len(data)))
    length = int(chance.integers(1, max(2, len(data) // 4)))
    if kind == 0:  # cut off
        return bytes(data[:place])
    if kind == 1:  # its beginning is missing
        return bytes(data[place:])
    if kind == 2:  # single bits
        for _ in range(int(chance.integers(1, 200))):
            data[int(chance.integers(len(data)))] ^= 1 << int(chance.integers(8))
    elif kind == 3:  # bits in the header
        for _ in range(int(chance.integers(1, 30))):
            data[int(chance.integers(min(512, len(data))))] ^= 1 << int(chance.integers(8))
    elif kind == 4:  # zeros
        data[place : place + length] = bytes(len(data[place : place + length]))
    elif kind == 5:  # rubbish
        data[place : place + length] = chance.bytes(len(data[place : place + length]))
    elif kind == 6:  # blocks in another order
        data = data[place:] + data[:place]
    elif kind == 7:  # the head of another kind of file
        data[: min(200, place)] = other[: min(200, place)]
    else:  # two files in one
        data = data[:place] + bytearray(other[len(other) // 2 :])
    return bytes(data)


@pytest.fixture(scope="module")
def corrupt(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corrupt")
    wholes = [path.read_bytes() for path in sources(folder / "sources")]
    suffixes = [path.suffix for path in sorted((folder / "sources").iterdir())]
    assert len(wholes) >= 6
    chance = np.random.default_rng(6)
    made = []
    (folder / "files").mkdir()
    for number in range(NUM_FILES):
        one, other = chance.integers(len(wholes), size=2)
        kind = number % 9
        wrong = number % 4 == 0
        suffix = str(chance.choice(SUFFIXES)) if wrong else suffixes[number % len(suffixes)]
        path = folder / "files" / f"{number:03}-{kind}{suffix}"
        path.write_bytes(damaged(wholes[one], wholes[other], kind, chance))
        made.append(path)
    return made


@pytest.fixture
def process() -> Iterator[DecodeProcess]:
    running = DecodeProcess(timeout_seconds=20)
    yield running
    running.close()


def test_each_gives_good_frames_or_an_error_that_names_it(
    corrupt: list[Path], process: DecodeProcess, tmp_path: Path
) -> None:
    recipe = get_recipe("tutorial")
    num_decoded = 0
    for path in corrupt:
        seconds_before, index_before = -1.0, -1
        message = path.name
        try:
            for image, seconds, index in process.frames(path, recipe, 32, max_frames=200):
                assert image.shape == (32, 32, 3)
                assert image.dtype == np.uint8
                assert seconds > seconds_before
                assert index > index_before
                seconds_before, index_before = seconds, index
        except (DecoderCrashedError, DecoderTimeoutError) as error:
            raise AssertionError(f"{path} takes the decoder down: {error}") from error
        except I3DError as error:
            message = error.message
        assert path.name in message
        num_decoded += index_before >= 0
    # Both happens to many of them, or the files are not what they should be.
    assert 60 < num_decoded < NUM_FILES - 60
    whole = videos.write_video(tmp_path / "whole.avi", num_frames=10)
    assert len(list(process.frames(whole, recipe, 32))) == 10


def test_a_batch_of_them_ends_with_a_line_for_each(
    corrupt: list[Path], run_i3d: RunI3D, tmp_path: Path
) -> None:
    output = tmp_path / "results.jsonl"
    names = tmp_path / "list.txt"
    names.write_text("".join(f"{path}\n" for path in corrupt))
    options = ("--model", "camera-motion", "--max-frames", "9", "--top", "1", "--timeout", "20")
    process = run_i3d("classify", "--from", names, "-o", output, *options)
    assert process.returncode == 7, process.stderr
    assert "Traceback" not in process.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [line["video"]["path"] for line in lines] == [str(path) for path in corrupt]
    for line in lines:
        if line["status"] == "error":
            assert Path(line["video"]["path"]).name in line["error"]["message"]
            assert line["error"]["exit_code"] == 3
