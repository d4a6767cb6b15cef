"""Decoding ahead: the clip is the same as without a thread, and nothing is left of the thread."""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.errors import UsageError, VideoDecodeError, VideoNotFoundError, VideoTooShortError
from i3d.video import ahead as clips
from i3d.video.ahead import FRAMES_AHEAD, ClipReader
from i3d.video.frames import to_clip_frame
from i3d.video.identity import NotWantedError, describe_file
from i3d.video.reader import VideoReader
from i3d.video.recipes import RECIPES, get_recipe, with_overrides

import videos

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STANDARD = get_recipe("standard")


def decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "i3d-decode"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert decoders() == []


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "clip.avi"
    return videos.write_video(path, num_frames=40, fps=50, size=(64, 64))


def wait_until(condition: Any) -> None:
    """Until something that must happen has happened."""
    while not condition():
        time.sleep(0.005)


# Which file it was


def test_a_file_that_was_replaced_while_it_was_decoded_has_no_answer(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.avi", num_frames=FRAMES_AHEAD + 50)
    with ClipReader(path, STANDARD, 32, identify=True) as reader:
        reader.wait()  # the thread waits with the file open, as more is decoded than it may hold
        other = videos.write_video(tmp_path / "other.avi", num_frames=9)
        path.write_bytes(other.read_bytes()) if os.name == "nt" else other.replace(path)
        with pytest.raises(VideoDecodeError, match="was changed while it was read"):
            list(reader.frames())
        assert reader.file is None


def test_a_failure_is_that_of_the_file_as_it_was_then(tmp_path: Path) -> None:
    path = videos.not_a_video(tmp_path / "clip.avi")
    content = path.read_bytes()
    with ClipReader(path, STANDARD, 32, identify=True) as reader:
        with pytest.raises(VideoDecodeError):
            reader.wait()
        path.write_bytes(b"whole by now")
        assert reader.file is not None
        assert reader.file.sha256 == hashlib.sha256(content).hexdigest()
    with ClipReader(tmp_path / "none.avi", STANDARD, 32, identify=True) as reader:
        with pytest.raises(VideoNotFoundError):
            reader.wait()
        assert reader.file is None


def test_closing_ends_the_reading_of_a_large_file(video: Path) -> None:
    answers = iter([True, False])
    large = video.with_name("large")
    large.write_bytes(bytes(4 * 2**20))
    with pytest.raises(NotWantedError):
        describe_file(large, is_wanted=lambda: next(answers))


# What is read


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    "span",
    [{}, {"start_seconds": 0.2, "end_seconds": 0.6}, {"max_frames": 11}],
    ids=["all", "span", "limit"],
)
def test_the_clip_is_what_the_loader_and_the_transforms_give(
    recipe: str, span: dict[str, Any], video: Path
) -> None:
    chosen = get_recipe(recipe)
    with VideoReader(video, fps=chosen.fps, **span) as reader:
        expected = [
            (to_clip_frame(frame.image, size=112, crop=chosen.crop), frame.seconds, frame.index)
            for frame in reader
        ]
        info = reader.info

    with ClipReader(video, chosen, 112, **span) as ahead:
        frames = list(ahead.frames())

    assert all(image.dtype == np.uint8 for image, _, _ in frames)
    assert len(frames) == len(expected)
    for (image, seconds, index), (expected_image, *expected_place) in zip(
        frames, expected, strict=True
    ):
        np.testing.assert_array_equal(image, expected_image)
        assert [seconds, index] == expected_place
    assert ahead.video == info
    assert (ahead.path, ahead.recipe, ahead.size) == (video, chosen, 112)
    assert ahead.end_seconds == span.get("end_seconds")
    assert ahead.file is None


def test_images_have_the_rate_that_is_said(tmp_path: Path) -> None:
    folder = videos.image_folder(tmp_path / "images", num_images=12)
    with ClipReader(folder, with_overrides(STANDARD, fps="native"), 64, image_fps=10) as reader:
        times = [seconds for _, seconds, _ in reader.frames()]
    assert times == pytest.approx([i / 10 for i in range(12)])


def test_a_file_without_a_count_in_its_header_is_read_to_its_end(tmp_path: Path) -> None:
    path = videos.animated_gif(tmp_path / "x.gif", [videos.numbered_image(i) for i in range(20)])
    with ClipReader(path, get_recipe("tutorial"), 64) as reader:
        assert len(list(reader.frames())) == 20


# What goes wrong


def test_a_missing_video_is_told_where_the_clip_is_waited_for(tmp_path: Path) -> None:
    with (
        ClipReader(tmp_path / "gone.avi", STANDARD, 64) as reader,
        pytest.raises(VideoNotFoundError, match=r"gone\.avi"),
    ):
        list(reader.frames())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"start_seconds": -1.0}, UsageError),
        ({"max_frames": -1}, UsageError),
        ({"start_seconds": 100.0}, VideoTooShortError),
    ],
    ids=["start", "limit", "span"],
)
def test_a_wrong_option_is_told_where_the_clip_is_waited_for(
    options: dict[str, Any], error: type[Exception], video: Path
) -> None:
    with ClipReader(video, STANDARD, 64, **options) as reader, pytest.raises(error):
        list(reader.frames())


def test_a_file_that_is_no_video_is_told(tmp_path: Path) -> None:
    path = videos.not_a_video(tmp_path / "x.avi")
    with ClipReader(path, STANDARD, 64) as reader, pytest.raises(VideoDecodeError):
        list(reader.frames())


def test_a_bug_in_the_thread_is_raised_and_not_lost(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def break_down(image: Any, **options: Any) -> Any:
        if next(calls) == 5:
            raise ZeroDivisionError("a bug")
        return to_clip_frame(image, **options)

    monkeypatch.setattr(clips, "to_clip_frame", break_down)
    with ClipReader(video, STANDARD, 64) as reader, pytest.raises(ZeroDivisionError, match="a bug"):
        list(reader.frames())


# The thread


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each frame that is decoded."""
    counted: list[int] = []

    def count(image: Any, **options: Any) -> Any:
        counted.append(1)
        return to_clip_frame(image, **options)

    monkeypatch.setattr(clips, "to_clip_frame", count)
    return counted


def test_decoding_begins_before_the_clip_is_asked_for(video: Path, decoded: list[int]) -> None:
    with ClipReader(video, STANDARD, 64) as reader:
        wait_until(lambda: len(decoded) == 20)
        assert len(list(reader.frames())) == 20


def test_so_many_frames_are_decoded_ahead_and_no_more(
    video: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "FRAMES_AHEAD", 5)
    with ClipReader(video, get_recipe("tutorial"), 64) as reader:
        wait_until(reader._messages.full)
        wait_until(lambda: len(decoded) == 6)  # one waits for room
        time.sleep(0.3)
        assert len(decoded) == 6
        assert len(list(reader.frames())) == 40


def test_what_is_decoded_ahead_is_bounded() -> None:
    assert FRAMES_AHEAD * 224 * 224 * 3 < 64 * 2**20


@pytest.mark.parametrize("is_full", [False, True])
def test_closing_early_ends_the_thread(
    is_full: bool, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "FRAMES_AHEAD", 5 if is_full else 100)
    reader = ClipReader(video, get_recipe("tutorial"), 64)
    if is_full:
        wait_until(reader._messages.full)
    reader.close()
    assert decoders() == []
    reader.close()


def test_the_video_is_closed_with_the_reader(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "FRAMES_AHEAD", 5)
    closed: list[bool] = []
    leave = VideoReader.__exit__
    monkeypatch.setattr(
        VideoReader, "__exit__", lambda self, *error: (closed.append(True), leave(self, *error))[1]
    )
    with ClipReader(video, get_recipe("tutorial"), 64) as reader:
        wait_until(reader._messages.full)
        assert closed == []
    assert closed == [True]


def test_an_error_of_the_caller_ends_the_thread(video: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ClipReader(video, STANDARD, 64):
        raise KeyboardInterrupt
    gc.collect()
    assert decoders() == []


def test_readers_side_by_side_do_not_mix(tmp_path: Path) -> None:
    paths = [
        videos.write_video(tmp_path / f"{n}.avi", num_frames=n, size=(64, 64)) for n in (12, 20)
    ]
    with ClipReader(paths[0], STANDARD, 64) as one, ClipReader(paths[1], STANDARD, 64) as other:
        assert len(list(other.frames())) == 20
        assert len(list(one.frames())) == 12
