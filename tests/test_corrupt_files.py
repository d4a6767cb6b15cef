"""Damaged files, in one process that decodes: each gives frames, or says why not."""

from __future__ import annotations

import json
import math
import random
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.errors import VideoError
from i3d.video.isolated import DecodeProcess
from i3d.video.recipes import get_recipe

import videos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import RunI3D

SIZE = 32
NUM_FRAMES = 12
NUM_DAMAGED = 40
MAX_FRAMES = 100 * NUM_FRAMES
"""A damaged frame rate or time must not make twelve pictures thousands."""

SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".mpg", ".wmv", ".ts", ".flv", ".dat")


def sources(folder: Path) -> list[Path]:
    """A small video of each kind that can be written here."""
    pictures = [videos.numbered_image(20 * i) for i in range(NUM_FRAMES)]
    found = [
        videos.write_avi(folder / "png.avi", pictures),
        videos.write_avi(folder / "noise.avi", map(videos.noise_image, range(NUM_FRAMES))),
        videos.write_mp4(folder / "png.mp4", pictures),
        videos.stamped_mp4(folder / "times.mov", [0, 40, 80, 200, 240, 280, 400, 440, 480, 520]),
        videos.interlaced_mov(folder / "interlaced.mov"),
        videos.animated_gif(folder / "gif.gif", pictures[:4]),
    ]
    for name, codec in (
        ("mjpg.avi", "MJPG"),
        ("xvid.avi", "XVID"),
        ("mp4v.mp4", "mp4v"),
        ("mjpg.mkv", "MJPG"),
        ("vp80.webm", "VP80"),
        ("mpeg.mpg", "MPG1"),
        ("wmv.wmv", "WMV2"),
    ):
        with suppress(AssertionError):  # this OpenCV has no such encoder
            found.append(videos.write_video(folder / name, num_frames=NUM_FRAMES, codec=codec))
    return found


# Damage: a file's bytes, and another file's, to the bytes of a damaged one


def cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, len(data))]


def cut_in_the_header(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, min(600, len(data)))]


def cut_the_beginning(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[chance.randrange(1, len(data)) :]


def flip_bits(data: bytes, other: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 10, 100))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flip_bits_of_the_header(data: bytes, other: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 10))):
        damaged[chance.randrange(min(400, len(damaged)))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flip_bits_of_the_end(data: bytes, other: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 10))):
        damaged[-chance.randrange(1, min(400, len(damaged)))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def blank(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    length = min(chance.choice((8, 100, 2000)), len(data) - start)
    filler = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))
    return data[:start] + filler + data[start + length :]


def swap(data: bytes, other: bytes, chance: random.Random) -> bytes:
    length = chance.choice((16, 128, len(data) // 8))
    blocks = [data[start : start + length] for start in range(0, len(data), length)]
    i, j = chance.randrange(len(blocks)), chance.randrange(len(blocks))
    blocks[i], blocks[j] = blocks[j], blocks[i]
    return b"".join(blocks)


def splice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """The beginning of one file, and the rest of another."""
    length = chance.choice((16, 64, 512, len(data) // 2))
    return data[:length] + other[length:]


def insert(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + chance.randbytes(chance.choice((1, 7, 1000))) + data[start:]


def leave(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data


DAMAGES: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(
        cut,
        cut_in_the_header,
        cut_the_beginning,
        flip_bits,
        flip_bits_of_the_header,
        flip_bits_of_the_end,
    ),
    *(blank, swap, splice, insert, leave),
)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Damaged files, always the same, each of a kind that its name tells."""
    folder = tmp_path_factory.mktemp("sound")
    originals = sources(folder)
    target = tmp_path_factory.mktemp("damaged")
    chance = random.Random(2017)
    pairs = [(original, damage) for original in originals for damage in DAMAGES]
    paths = []
    for number, (original, damage) in enumerate(chance.sample(pairs, NUM_DAMAGED)):
        other = chance.choice(originals).read_bytes()
        is_honest = damage is not leave and chance.random() < 0.9
        suffix = original.suffix if is_honest else chance.choice(SUFFIXES)
        path = target / f"{number}-{original.name}-{damage.__name__}{suffix}"
        path.write_bytes(damage(original.read_bytes(), other, chance))
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def process() -> Iterator[DecodeProcess]:
    with closing(DecodeProcess(timeout_seconds=10)) as process:
        yield process


def outcome(process: DecodeProcess, path: Path) -> str:
    """Decode a file as far as it goes, and hold what comes to what was promised."""
    num_frames, before, last = 0, -1.0, -1
    try:
        for image, seconds, index in process.frames(path, get_recipe("tutorial"), SIZE):
            assert image.shape == (SIZE, SIZE, 3)
            assert image.dtype == np.uint8
            assert before < seconds < math.inf
            assert last < index
            before, last = seconds, index
            num_frames += 1
            assert num_frames <= MAX_FRAMES
    except VideoError as error:
        assert str(path) in error.message  # noqa: PT017  (of hundreds, most raise nothing)
        return type(error).__name__
    info = process.info
    assert info is not None
    assert num_frames <= info.num_frames_decoded + info.num_frames_damaged
    return "frames"


def test_every_damaged_file_gives_frames_or_says_why_not(
    damaged: list[Path], process: DecodeProcess, tmp_path: Path
) -> None:
    outcomes = [outcome(process, path) for path in damaged]
    # Else nothing was tested: neither the files that are damaged a little, nor the ruined ones.
    assert outcomes.count("frames") > 8
    assert outcomes.count("VideoDecodeError") > 8
    # 1 in 27,000 meets an exception of OpenCV 4.12. Others may be worse, but not much.
    assert outcomes.count("DecoderCrashedError") + outcomes.count("DecoderTimeoutError") < 3
    sound = videos.write_video(tmp_path / "sound.avi", num_frames=NUM_FRAMES)
    assert outcome(process, sound) == "frames"
    assert process.info is not None
    assert process.info.num_frames_decoded == NUM_FRAMES


def test_damaged_images_in_folders_are_left_out_or_told(
    tmp_path: Path, process: DecodeProcess
) -> None:
    chance = random.Random(5)
    for suffix in (".png", ".jpg"):
        for damage in DAMAGES:
            folder = tmp_path / f"{suffix[1:]}-{damage.__name__}"
            videos.image_folder(folder, num_images=3, name="{}" + suffix)
            for path in folder.iterdir():
                path.write_bytes(damage(path.read_bytes(), b"GIF89a", chance))
            assert outcome(process, folder) in ("frames", "VideoDecodeError", "VideoTooShortError")


@pytest.mark.parametrize("size", [(1280, 16), (640, 720), (16, 16), (1300, 730)])
def test_pictures_of_another_size_than_the_header_says_take_only_their_video_down(
    size: tuple[int, int], tmp_path: Path, process: DecodeProcess
) -> None:
    """OpenCV 4.12 believes the header: it reads behind the end of a picture that is lower, and
    dies (SIGSEGV)."""
    path = videos.write_video(tmp_path / "x.webm", NUM_FRAMES, codec="VP80", size=(1280, 720))
    data = bytearray(path.read_bytes())
    start = data.index(b"\x9d\x01\x2a") + 3  # a key frame's start code (RFC 6386, section 9.1)
    data[start : start + 4] = b"".join(side.to_bytes(2, "little") for side in size)
    lying, sound = tmp_path / "lying.webm", tmp_path / "x.webm"
    lying.write_bytes(data)
    outcome(process, lying)
    assert outcome(process, sound) == "frames"


@pytest.mark.slow
def test_the_command_gives_a_line_for_each_damaged_file(
    damaged: list[Path], tmp_path: Path, run_i3d: RunI3D
) -> None:
    chosen = [str(path) for path in damaged]
    names, output = tmp_path / "list.txt", tmp_path / "r.jsonl"
    names.write_text("".join(f"{path}\n" for path in chosen), encoding="utf-8")
    run = run_i3d(
        *("classify", "--from", names, "-o", output, "--model", "camera-motion"),
        *("--max-frames", "9", "--timeout", "20"),
    )
    assert run.returncode == 7, run.stderr
    assert "Traceback" not in run.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [line["video"]["path"] for line in lines] == chosen
    assert {line["status"] for line in lines} == {"ok", "error"}
    for line in lines:
        if line["status"] == "error":
            assert line["video"]["path"] in line["error"]["message"]
            assert line["error"]["exit_code"] == 3
