"""From a path to frames: pixels, times, rotation, lying headers, and what is refused how."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from i3d.errors import (
    ExitCode,
    I3DError,
    UsageError,
    VideoDecodeError,
    VideoNotFoundError,
    VideoTooShortError,
)
from i3d.video import reader as loader
from i3d.video.reader import VideoReader, load_video

from videos import (
    BLACK,
    BLUE,
    RED,
    WHITE,
    animated_gif,
    corner_image,
    corner_names,
    empty,
    image_folder,
    interlaced_mov,
    jpeg_with_orientation,
    noise_image,
    not_a_video,
    numbered_image,
    read_number,
    rotate_in_place,
    rotated_mp4,
    sound_only,
    stamped_mp4,
    text_file,
    truncated,
    variable_rate_mp4,
    write_avi,
    write_image,
    write_mp4,
    write_video,
)

windows = sys.platform == "win32"
not_on_windows = pytest.mark.skipif(windows, reason="Windows has no such names or files")


def read(path, **options):
    """All frames of a video, and what is known of it in the end."""
    with VideoReader(path, **options) as reader:
        frames = list(reader)
    return frames, reader.info


def numbers(path, **options) -> list[int]:
    """The numbers in the frames that are given."""
    return [read_number(frame.image) for frame in read(path, **options)[0]]


def refusal(error: type[I3DError], path, **options) -> I3DError:
    """The error that reading `path` ends in; every one names the file and says what to do."""
    with pytest.raises(error) as caught:
        read(path, **options)
    assert type(caught.value) is error
    assert os.fspath(path) in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.VIDEO
    return caught.value


BLACK_PIXEL = np.zeros((1, 1, 3), np.uint8)


# The tutorial's function, written out again
# (tensorflow/docs, site/en/hub/tutorials/action_recognition_with_tf_hub.ipynb).


def tutorial_crop(frame):
    y, x = frame.shape[0:2]
    min_dim = min(y, x)
    start_x = (x // 2) - (min_dim // 2)
    start_y = (y // 2) - (min_dim // 2)
    return frame[start_y : start_y + min_dim, start_x : start_x + min_dim]


def tutorial_frame(frame, resize=(224, 224)):
    frame = tutorial_crop(frame)
    frame = cv2.resize(frame, resize)
    return frame[:, :, [2, 1, 0]]


def tutorial_load_video(path, max_frames=0):
    capture = cv2.VideoCapture(str(path))
    frames = []
    try:
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames.append(tutorial_frame(frame))
            if len(frames) == max_frames:
                break
    finally:
        capture.release()
    return (np.array(frames) / 255.0).astype(np.float32)


SIZES = [
    (224, 224),
    (225, 224),
    (224, 225),
    (223, 224),
    (224, 223),
    (225, 225),
    (320, 240),
    (240, 320),
    (321, 240),
    (240, 321),
    (320, 241),
    (341, 255),
    (255, 342),
    (450, 448),
    (64, 48),
    (31, 17),
    (17, 31),
    (2, 1),
    (1, 1),
]


def test_load_video_is_the_tutorials_function_on_real_clips():
    folder = os.environ.get("I3D_REAL_VIDEOS")
    if folder is None:
        pytest.skip("I3D_REAL_VIDEOS is not set")
    paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
    assert paths
    for path in paths:
        expected = tutorial_load_video(path, max_frames=40)
        np.testing.assert_array_equal(load_video(path, max_frames=40), expected, str(path))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_load_video_is_the_tutorials_function_to_the_pixel(tmp_path, size):
    images = [noise_image(i, size) for i in range(3)]
    path = write_avi(tmp_path / "clip.avi", images)

    clip = load_video(path)

    assert clip.shape == (3, 224, 224, 3)
    assert clip.dtype == np.float32
    np.testing.assert_array_equal(clip, tutorial_load_video(path))
    # The file is lossless: the same from the pictures that went in, past any decoder.
    expected = (np.array([tutorial_frame(image) for image in images]) / 255.0).astype(np.float32)
    np.testing.assert_array_equal(clip, expected)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("clip.avi", "MJPG"), ("clip.mp4", "mp4v"), ("clip.avi", "XVID")],
    ids=["mjpeg-avi", "mpeg4-mp4", "mpeg4-avi"],
)
def test_load_video_is_the_tutorials_function_for_lossy_codecs(tmp_path, name, codec):
    blurred = [cv2.GaussianBlur(noise_image(i, (322, 242)), (0, 0), 2) for i in range(12)]
    path = write_video(tmp_path / name, 12, codec=codec, frame=lambda i: blurred[i])

    clip = load_video(path)

    assert len(clip) == 12
    np.testing.assert_array_equal(clip, tutorial_load_video(path))


def test_load_video_cuts_the_columns_that_the_tutorial_cuts(tmp_path):
    """Columns counted by hand: of 324 x 223, 324 // 2 - 223 // 2 = 51 to 273 are seen."""
    image = np.zeros((223, 324, 3), np.uint8)
    image[:, 51] = WHITE
    image[:, 273] = RED
    image[:, [50, 274]] = BLUE
    path = write_avi(tmp_path / "clip.avi", [image])

    clip = load_video(path, size=223)

    assert clip[0, 100, 0].tolist() == [1, 1, 1]
    assert clip[0, 100, 222].tolist() == [1, 0, 0]
    assert np.count_nonzero(clip[0, 100, 1:222]) == 0


def test_load_video_cuts_the_rows_that_the_tutorial_cuts(tmp_path):
    image = np.zeros((324, 223, 3), np.uint8)
    image[51] = WHITE
    image[273] = RED
    image[[50, 274]] = BLUE
    path = write_avi(tmp_path / "clip.avi", [image])

    clip = load_video(path, size=223)

    assert clip[0, 0, 100].tolist() == [1, 1, 1]
    assert clip[0, 222, 100].tolist() == [1, 0, 0]
    assert np.count_nonzero(clip[0, 1:222, 100]) == 0


def test_a_clip_is_rgb_in_0_to_1(tmp_path):
    images = [np.full((8, 8, 3), colour, np.uint8) for colour in (RED, BLUE, WHITE, BLACK)]

    clip = load_video(write_avi(tmp_path / "clip.avi", images))

    assert clip[:, 100, 100].tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]
    assert clip.min() == 0
    assert clip.max() == 1


@pytest.mark.parametrize(
    ("max_frames", "expected"), [(0, 20), (1, 1), (7, 7), (20, 20), (21, 20), (1000, 20)]
)
def test_max_frames(tmp_path, max_frames, expected):
    path = write_video(tmp_path / "clip.avi")

    clip = load_video(path, max_frames, 32)

    assert clip.shape == (expected, 32, 32, 3)
    np.testing.assert_array_equal(clip, load_video(path, size=32)[:expected])
    np.testing.assert_array_equal(
        load_video(path, max_frames), tutorial_load_video(path, max_frames)
    )


def test_load_video_takes_strings_and_paths_and_every_option(tmp_path):
    path = write_video(tmp_path / "clip.avi", 100, fps=50, size=(48, 48))

    clip = load_video(str(path), max_frames=5, size=24, fps=10, start_seconds=0.5, end_seconds=1.8)

    assert clip.shape == (5, 24, 24, 3)
    expected = numbers(path, max_frames=5, fps=10, start_seconds=0.5, end_seconds=1.8)
    assert [read_number(frame) for frame in clip] == expected
    np.testing.assert_array_equal(load_video(path, size=8), load_video(str(path), size=8))


def test_of_a_video_as_large_as_8k_the_frames_come_through(tmp_path):
    path = write_avi(tmp_path / "clip.avi", [corner_image((7680, 4320))])

    clip = load_video(path, size=32)

    assert corner_names(clip[0, :, :, ::-1] * 255) == ["red", "green", "blue", "white"]


# One frame at a time


def test_frames_are_decoded_as_they_are_asked_for_and_not_kept(tmp_path):
    path = write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(60)])
    alive: list[weakref.ref] = []
    most = 0
    with VideoReader(path) as reader:
        for frame in reader:
            assert reader.info.num_frames_decoded == len(alive) + 1
            alive.append(weakref.ref(frame.image))
            most = max(most, sum(image() is not None for image in alive))
            if frame.index == 40:
                break

    assert len(alive) == 41
    assert most <= 3
    assert reader.info.num_frames_decoded == 41
    assert not reader.info.ended_early


def test_what_the_header_claims_and_what_was_decoded_are_kept_apart(tmp_path):
    path = write_video(tmp_path / "clip.avi", 20, fps=10)
    with VideoReader(path) as reader:
        before = reader.info
        assert len(list(reader)) == 20
    after = reader.info

    assert (before.num_frames_from_header, before.num_frames_decoded) == (20, 0)
    assert (after.num_frames_from_header, after.num_frames_decoded) == (20, 20)
    assert before.fps == before.fps_from_header == after.fps_from_header == 10
    assert after.fps == pytest.approx(10)
    assert (before.duration_seconds, after.duration_seconds) == (2, pytest.approx(2))
    assert (after.path, after.width, after.height) == (str(path), 64, 48)
    assert (after.rotation_degrees, after.ended_early, after.num_frames_damaged) == (0, False, 0)


def test_frames_know_their_place(tmp_path):
    frames, _ = read(write_video(tmp_path / "clip.avi", 5, fps=10))

    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert all(frame.image.shape == (48, 64, 3) for frame in frames)
    assert all(frame.image.dtype == np.uint8 for frame in frames)


def test_frames_do_not_share_memory(tmp_path):
    frames, _ = read(write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(9)]))

    assert [read_number(frame.image) for frame in frames] == list(range(9))


def test_a_reader_is_used_once(tmp_path):
    with VideoReader(write_video(tmp_path / "clip.avi")) as reader:
        list(reader)
        with pytest.raises(RuntimeError, match="once"):
            list(reader)


def test_a_reader_half_read_is_used_once_too(tmp_path):
    with VideoReader(write_video(tmp_path / "clip.avi")) as reader:
        next(iter(reader))
        with pytest.raises(RuntimeError, match="once"):
            next(iter(reader))


def test_close_may_be_called_twice_and_info_stays(tmp_path):
    path = write_video(tmp_path / "clip.avi")
    reader = VideoReader(path)
    next(iter(reader))
    reader.close()
    reader.close()

    assert reader.info.num_frames_decoded == 1
    assert reader.info.width == 64
    path.unlink()  # Windows: works only if the file was let go


def test_leaving_the_block_by_an_exception_closes_the_file(tmp_path):
    path = write_video(tmp_path / "clip.avi")

    def read_and_fail():
        with VideoReader(path) as reader:
            next(iter(reader))
            raise KeyError

    with pytest.raises(KeyError):
        read_and_fail()

    path.unlink()  # Windows: works only if the file was let go


# Rotation

TURNED_CORNERS = {
    0: ["red", "green", "blue", "white"],
    90: ["blue", "red", "white", "green"],
    180: ["white", "blue", "green", "red"],
    270: ["green", "white", "red", "blue"],
}


@pytest.mark.parametrize("angle", TURNED_CORNERS)
def test_a_phones_rotation_is_applied_once(tmp_path, angle):
    path = rotated_mp4(tmp_path / "phone.mp4", angle)

    frames, info = read(path)

    upright = (48, 64) if angle in (90, 270) else (64, 48)
    assert info.rotation_degrees == angle
    assert (info.width, info.height) == upright
    assert len(frames) == 3
    for frame in frames:
        assert corner_names(frame.image) == TURNED_CORNERS[angle]
        assert frame.image.shape == (upright[1], upright[0], 3)
        np.testing.assert_array_equal(frame.image, np.rot90(corner_image(), -angle // 90))


@pytest.mark.parametrize("angle", TURNED_CORNERS)
def test_the_rotation_of_an_encoders_file_is_applied_once(tmp_path, angle):
    path = write_video(tmp_path / "clip.mp4", 3, codec="mp4v", frame=lambda _: corner_image())

    frames, info = read(rotate_in_place(path, angle))

    assert info.rotation_degrees == angle
    assert [corner_names(frame.image) for frame in frames] == [TURNED_CORNERS[angle]] * 3


@pytest.mark.skipif(
    cv2.__version__.startswith("4.11."), reason="OpenCV 4.11 ignores the rotation (opencv#26876)"
)
@pytest.mark.parametrize("angle", TURNED_CORNERS)
def test_a_rotated_clip_is_the_tutorials_too(tmp_path, angle):
    path = write_mp4(tmp_path / "phone.mp4", [noise_image(1, (65, 48))], angle=angle)

    np.testing.assert_array_equal(load_video(path), tutorial_load_video(path))


# Time


def test_times_are_the_timestamps_of_the_frames(tmp_path):
    durations = [40, 40, 100, 20, 10, 10, 500, 33, 33, 34]
    path = variable_rate_mp4(tmp_path / "clip.mp4", durations)

    frames, info = read(path)

    expected = [0, 0.04, 0.08, 0.18, 0.2, 0.21, 0.22, 0.72, 0.753, 0.786]
    assert [frame.seconds for frame in frames] == pytest.approx(expected)
    assert [read_number(frame.image) for frame in frames] == list(range(10))
    assert info.fps == pytest.approx(9 / 0.786)
    assert info.num_frames_decoded == info.num_frames_from_header == 10
    assert info.duration_seconds == pytest.approx(0.786 + 0.033)  # the median of the intervals
    assert not info.ended_early


def test_thinning_goes_by_timestamp_not_by_count(tmp_path):
    """A burst of ten frames in 0.1 seconds between two slow stretches: 10 fps takes one of it."""
    stamps = [0, 100, 200, *range(303, 400, 10), 400, 500, 1000, 1100]

    frames, info = read(stamped_mp4(tmp_path / "clip.mp4", stamps), fps=10)

    # The nearest to 0.3 is number 3, the nearest to 0.4 is number 13.
    assert [read_number(frame.image) for frame in frames] == [0, 1, 2, 3, 13, 14, 15, 16]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 13, 14, 15, 16]
    assert info.num_frames_decoded == len(stamps)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        pytest.param((24, 1), range(50), id="24-to-25-keeps-all"),
        pytest.param((25, 1), range(50), id="25-to-25-keeps-all"),
        pytest.param((24000, 1001), range(50), id="23.976-to-25-keeps-all"),
        pytest.param((15, 1), range(50), id="15-to-25-keeps-all"),
        pytest.param(
            (30000, 1001), [i for i in range(24) if i % 6 != 3], id="29.97-to-25-takes-5-of-6"
        ),
        pytest.param((35, 1), [0, 1, 3, 4, 6, 7, 8, 10, 11, 13, 14], id="35-to-25"),
        pytest.param((30, 1), [i for i in range(24) if i % 6 != 3], id="30-to-25-takes-5-of-6"),
        pytest.param((60, 1), [0, 2, 5, 7, 10, 12, 14, 17, 19, 22, 24, 26], id="60-to-25"),
        pytest.param((50, 1), range(0, 50, 2), id="50-to-25-takes-every-second"),
    ],
)
def test_thinning_to_25_picks_these_frames(tmp_path, source, kept):
    kept = list(kept)
    images = [numbered_image(i) for i in range(50 if kept[-1] > 40 else kept[-1] + 1)]
    path = write_avi(tmp_path / "clip.avi", images, fps=source)

    assert numbers(path, fps=25) == kept


@pytest.mark.parametrize("source_fps", [30, 60, 120])
def test_thinning_to_25_gives_25_a_second_and_none_twice(tmp_path, source_fps):
    images = [numbered_image(i) for i in range(2 * source_fps)]
    path = write_avi(tmp_path / "clip.avi", images, fps=(source_fps, 1))

    frames, info = read(path, fps=25)

    picked = [read_number(frame.image) for frame in frames]
    assert picked == sorted(set(picked))
    assert len(picked) in (50, 51)  # the last slot may begin before the end
    for slot, frame in enumerate(frames[:50]):
        assert frame.seconds == pytest.approx(picked[slot] / source_fps)
        assert abs(frame.seconds - slot / 25) <= 0.5 / source_fps + 1e-6
    assert info.fps == pytest.approx(source_fps)
    assert info.num_frames_decoded == 2 * source_fps


@pytest.mark.parametrize("jitter", [0, 1, 5, 15])
def test_25_fps_with_jittered_milliseconds_keeps_all(tmp_path, jitter):
    wobble = np.random.default_rng(1).integers(-jitter, jitter + 1, 100)
    stamps = [0] + [40 * i + int(wobble[i]) for i in range(1, 100)]

    assert numbers(stamped_mp4(tmp_path / "clip.mp4", stamps), fps=25) == list(range(100))


def test_without_fps_no_frame_is_left_out(tmp_path):
    path = stamped_mp4(tmp_path / "clip.mp4", [0, 1, 2, 3, 500, 501])

    assert numbers(path) == [0, 1, 2, 3, 4, 5]


def test_a_span_is_half_open(tmp_path):
    path = write_video(tmp_path / "clip.avi", 50, fps=25)

    assert numbers(path, start_seconds=0.4, end_seconds=0.8) == list(range(10, 20))
    assert numbers(path, start_seconds=0.41, end_seconds=0.81) == list(range(11, 21))
    assert numbers(path, end_seconds=0.04) == [0]
    assert numbers(path, start_seconds=1.96) == [49]
    assert numbers(path, start_seconds=1.6, end_seconds=99) == list(range(40, 50))
    assert numbers(path, start_seconds=1.6, end_seconds=math.inf) == list(range(40, 50))


@pytest.mark.parametrize("fps", [(24, 1), (30, 1), (30000, 1001)], ids=str)
def test_a_span_that_begins_on_a_frame_begins_with_that_frame(tmp_path, fps):
    """Times such as 5/24 are no round numbers: spans that touch must neither share nor lose one."""
    path = write_avi(tmp_path / "clip.avi", [BLACK_PIXEL] * 40, fps=fps)
    wrong = []
    for first in range(1, 40):
        moment = first * fps[1] / fps[0]
        before, _ = read(path, end_seconds=moment)
        after, _ = read(path, start_seconds=moment, max_frames=1)
        if (before[-1].index, after[0].index) != (first - 1, first):
            wrong.append(first)

    assert wrong == []


def test_a_span_says_which_frames_of_the_video_it_holds(tmp_path):
    frames, info = read(write_video(tmp_path / "clip.avi", 50), start_seconds=0.4, end_seconds=0.8)

    assert [frame.index for frame in frames] == list(range(10, 20))
    assert frames[0].seconds == pytest.approx(0.4)
    assert not info.ended_early  # nobody asked for the rest


@pytest.mark.parametrize("start", [0.01, 0.1, 0.33, 0.5, 1.0])
def test_the_choice_of_frames_does_not_depend_on_the_start(tmp_path, start):
    path = write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(60)], fps=(30, 1))
    whole, _ = read(path, fps=25)

    expected = [frame.index for frame in whole if frame.seconds >= start - 1e-6]
    assert numbers(path, fps=25, start_seconds=start) == expected


def test_max_frames_counts_the_frames_that_are_kept(tmp_path):
    path = write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(60)], fps=(30, 1))

    with VideoReader(path, fps=25, start_seconds=1, max_frames=7) as reader:
        picked = [read_number(frame.image) for frame in reader]

    assert picked == numbers(path, fps=25, start_seconds=1)[:7]
    assert len(picked) == 7
    # The next frame or two show that none is nearer; decoding stops there.
    assert picked[-1] < reader.info.num_frames_decoded <= picked[-1] + 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"start_seconds": 9}, "ends after 0.80 seconds", id="starts-after-the-end"),
        pytest.param({"start_seconds": 0.8}, "ends after 0.80 seconds", id="starts-at-the-end"),
        pytest.param(
            {"start_seconds": 0.41, "end_seconds": 0.43}, "0.41 and 0.43", id="between-two-frames"
        ),
    ],
)
def test_a_span_without_frames_is_too_short(tmp_path, options, words):
    path = write_video(tmp_path / "clip.avi", 20)

    assert words in refusal(VideoTooShortError, path, **options).message


# Headers and timestamps that lie


class StampedDecoder:
    """Gives numbered frames with any timestamps, in seconds."""

    width, height, rotation_degrees, num_frames_damaged = 64, 48, 0, 0
    is_cut_off = False

    def __init__(self, stamps, fps_from_header, num_frames_from_header):
        self.stamps, self.position = stamps, -1
        self.fps_from_header = self.nominal_fps = fps_from_header
        self.num_frames_from_header = num_frames_from_header

    def skip(self):
        self.position += 1
        return self.stamps[self.position] if self.position < len(self.stamps) else None

    def image(self):
        return numbered_image(self.position)

    def close(self):
        pass


@pytest.fixture
def stamped(monkeypatch):
    """Read frames with these timestamps."""

    def read_stamped(stamps, header_fps=25.0, num_frames_from_header=None, **options):
        decoder = StampedDecoder(stamps, header_fps, num_frames_from_header)
        monkeypatch.setattr(loader, "open_decoder", lambda *_, **__: decoder)
        return read("any.avi", **options)

    return read_stamped


def test_thinning_survives_timestamps_that_stand_still(stamped):
    frames, info = stamped([0.0] * 50, header_fps=50.0, fps=10)

    assert len(frames) == pytest.approx(10, abs=1)
    assert info.fps == pytest.approx(50)


def test_standing_timestamps_in_a_file(tmp_path):
    path = variable_rate_mp4(tmp_path / "clip.mp4", [40, 40, 40, 0, 0, 0, 40, 40, 40, 40])

    seconds = [frame.seconds for frame in read(path)[0]]

    assert len(seconds) == 10
    assert seconds == sorted(set(seconds))
    assert seconds[-1] == pytest.approx(0.36, abs=0.13)


def test_a_jump_of_two_hours_in_a_file(tmp_path):
    path = variable_rate_mp4(tmp_path / "clip.mp4", [40, 40, 7_200_000, 40, 40, 40])

    frames, info = read(path)

    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])
    assert info.duration_seconds == pytest.approx(0.24)


@pytest.mark.parametrize("write", [write_avi, write_mp4], ids=["avi", "mp4"])
def test_a_header_that_claims_too_many_frames(tmp_path, write):
    path = write(tmp_path / "clip", [numbered_image(i) for i in range(10)], claimed_frames=1000)

    frames, info = read(path)

    assert [read_number(frame.image) for frame in frames] == list(range(10))
    assert (info.num_frames_from_header, info.num_frames_decoded) == (1000, 10)
    assert info.duration_seconds == pytest.approx(0.4)
    assert info.ended_early


@pytest.mark.skipif(
    cv2.__version__.startswith("4.10."), reason="OpenCV 4.10 stops where the header says"
)
@pytest.mark.parametrize("claim", [0, 3])
@pytest.mark.parametrize("write", [write_avi, write_mp4], ids=["avi", "mp4"])
def test_a_header_that_claims_too_few_frames(tmp_path, write, claim):
    path = write(tmp_path / "clip", [numbered_image(i) for i in range(10)], claimed_frames=claim)

    frames, info = read(path)

    assert [read_number(frame.image) for frame in frames] == list(range(10))
    assert info.num_frames_decoded == 10
    assert not info.ended_early


def test_dropped_frames_are_no_early_end(tmp_path):
    """Half of the frames that an AVI claims are empty chunks: the time is complete."""
    images = [None if i % 2 else numbered_image(i) for i in range(40)]
    path = write_avi(tmp_path / "clip.avi", images)

    frames, info = read(path)

    assert [read_number(frame.image) for frame in frames] == list(range(0, 40, 2))
    assert [frame.seconds for frame in frames[:3]] == pytest.approx([0, 0.08, 0.16])
    assert info.num_frames_from_header == 40
    assert info.num_frames_decoded == 20
    assert not info.ended_early


@pytest.mark.parametrize(
    ("stamps", "header_fps", "claim", "ended_early"),
    [
        pytest.param([i / 25 for i in range(50)], 25.0, 100, True, id="half-the-time-and-count"),
        pytest.param([i / 12.5 for i in range(50)], 25.0, 100, False, id="half-the-count"),
        pytest.param([i / 50 for i in range(100)], 25.0, 100, False, id="half-the-time"),
        pytest.param([i / 25 for i in range(99)], 25.0, 100, False, id="one-frame"),
        pytest.param([i / 25 for i in range(98)], 25.0, 100, False, id="two-of-100"),
        pytest.param([i / 25 for i in range(97)], 25.0, 100, True, id="three-of-100"),
        pytest.param([i / 25 for i in range(3)], 25.0, 5, False, id="two-of-5"),
        pytest.param([i / 25 for i in range(2)], 25.0, 5, True, id="three-of-5"),
        pytest.param([i / 25 for i in range(50)], 25.0, None, False, id="nothing-claimed"),
        pytest.param([i / 25 for i in range(50)], 25.0, 50, False, id="all"),
        pytest.param([i / 25 for i in range(60)], 25.0, 50, False, id="more-than-claimed"),
    ],
)
def test_an_early_end_falls_short_in_time_and_in_count(
    stamped, stamps, header_fps, claim, ended_early
):
    _, info = stamped(stamps, header_fps, claim)

    assert info.ended_early is ended_early


@pytest.mark.parametrize("options", [{"max_frames": 5}, {"end_seconds": 0.5}], ids=str)
def test_what_was_not_asked_for_is_no_early_end(stamped, options):
    _, info = stamped([i / 25 for i in range(50)], 25.0, 500, **options)

    assert not info.ended_early


def test_a_clip_cut_without_encoding_it_anew_is_no_early_end(tmp_path):
    """`ffmpeg -ss 1 -i a.mp4 -c copy b.mp4` keeps frames from the last key frame on, hidden."""
    path = write_mp4(tmp_path / "clip.mp4", map(numbered_image, range(50)), hidden_frames=25)

    frames, info = read(path)

    assert [read_number(frame.image) for frame in frames] == list(range(25, 50))
    assert frames[0].seconds == 0
    assert info.duration_seconds == pytest.approx(1)
    assert not info.ended_early


@pytest.mark.parametrize("fps", [(100_000, 1), (2000, 1), (2_000_000_000, 1)], ids=str)
def test_an_absurd_frame_rate_is_not_believed(tmp_path, fps):
    """An AVI's times are made of its header's rate: with the one, the others are wrong, too."""
    path = write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(20)], fps=fps)

    frames, info = read(path, fps=25)

    assert info.fps_from_header is None
    assert info.num_frames_from_header is None
    assert [read_number(frame.image) for frame in frames] == list(range(20))
    assert info.fps == pytest.approx(25)
    assert info.duration_seconds == pytest.approx(0.8)


@pytest.mark.parametrize("suffix", ["png", "mjpeg"])
def test_an_avi_cut_in_half_gives_what_is_there(tmp_path, suffix):
    path = tmp_path / "clip.avi"
    if suffix == "png":
        write_avi(path, [numbered_image(i) for i in range(50)])
    else:
        write_video(path, 50)

    frames, info = read(truncated(path))

    picked = [read_number(frame.image) for frame in frames]
    # The frame at the cut is half there: some versions of FFmpeg show it, as far as it goes.
    assert 14 <= len(picked) <= 30
    assert picked[:-1] == list(range(len(picked) - 1))
    assert (info.num_frames_from_header, info.num_frames_decoded) == (50, len(picked))
    assert info.ended_early
    assert load_video(path).shape[0] == len(picked)


# Folders of images


def test_a_folder_is_read_in_natural_order(tmp_path):
    folder = image_folder(tmp_path / "frames", 12, name="img{}.png")

    frames, info = read(folder)

    assert [read_number(frame.image) for frame in frames] == list(range(12))
    assert [frame.seconds for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    assert (info.fps_from_header, info.num_frames_from_header) == (None, 12)
    assert (info.width, info.height, info.num_frames_decoded) == (64, 48, 12)
    assert info.duration_seconds == pytest.approx(12 / 25)
    assert not info.ended_early


def test_names_of_images_of_every_kind_are_in_natural_order(tmp_path):
    names = [
        "2-9.png",
        "2-10.png",
        "10-1.png",
        "a1b2.png",
        "a1b10.png",
        "a02.png",
        "b" + "9" * 30 + ".png",
        "b1" + "0" * 30 + ".png",
        "ünï 日本.png",
    ]
    for i, name in enumerate(names):
        write_image(tmp_path / name, numbered_image(i))

    assert numbers(tmp_path) == list(range(len(names)))


def test_suffixes_in_any_case_and_of_any_format_are_read(tmp_path):
    names = ["0.png", "1.PNG", "2.jpg", "3.JpEg", "4.bmp", "5.tif", "6.TIFF", "7.webp"]
    for i, name in enumerate(names):
        write_image(tmp_path / name, numbered_image(i))

    assert numbers(tmp_path) == list(range(8))


def test_other_files_in_a_folder_are_left_alone(tmp_path):
    image_folder(tmp_path, 3)
    write_image(tmp_path / ".hidden.png", numbered_image(99))
    not_a_video(tmp_path / "._img0.png")  # what macOS leaves on foreign disks
    text_file(tmp_path / "notes.txt")
    text_file(tmp_path / "img5.png.txt")
    write_video(tmp_path / "clip.avi")
    (tmp_path / "img4.png").mkdir()

    frames, info = read(tmp_path)

    assert [read_number(frame.image) for frame in frames] == [0, 1, 2]
    assert (info.num_frames_from_header, info.num_frames_damaged) == (3, 0)


@pytest.mark.parametrize("damaged", [0, 2, 4])
@pytest.mark.parametrize("damage", [empty, text_file, not_a_video, truncated])
def test_a_damaged_image_is_counted_and_left_out(tmp_path, damaged, damage):
    image_folder(tmp_path, 5, images=[noise_image(i) for i in range(5)])
    # A cut-off picture of noise: OpenCV gives nothing rather than half of it for PNG.
    damage(tmp_path / f"img{damaged}.png")
    intact = [i for i in range(5) if i != damaged]

    frames, info = read(tmp_path)

    assert [frame.seconds for frame in frames] == pytest.approx([i / 25 for i in intact])
    for i, frame in zip(intact, frames, strict=True):
        np.testing.assert_array_equal(frame.image, noise_image(i))
    assert (info.num_frames_from_header, info.num_frames_damaged) == (5, 1)
    assert info.duration_seconds == pytest.approx(0.2)


def test_an_empty_folder_and_one_without_images_are_refused(tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "texts").mkdir()
    text_file(tmp_path / "texts" / "notes.txt")

    for name in ("nothing", "texts"):
        error = refusal(VideoDecodeError, tmp_path / name)

        assert "no images" in error.message
        assert "png" in error.hint


def test_a_folder_of_which_no_image_can_be_read_is_refused(tmp_path):
    empty(tmp_path / "1.png")
    text_file(tmp_path / "2.jpg")

    assert "None of the 2 images" in refusal(VideoDecodeError, tmp_path).message


@pytest.mark.parametrize("image_fps", [5, 12.5, 30000 / 1001])
def test_a_folders_frame_rate_can_be_given(tmp_path, image_fps):
    frames, info = read(image_folder(tmp_path, 8), image_fps=image_fps)

    assert [frame.seconds for frame in frames] == pytest.approx([i / image_fps for i in range(8)])
    assert info.fps == pytest.approx(image_fps)
    assert info.duration_seconds == pytest.approx(8 / image_fps)


def test_a_folder_of_one_image_has_its_frame_rate(tmp_path):
    frames, info = read(image_folder(tmp_path, 1), image_fps=5)

    assert len(frames) == 1
    assert (info.fps, info.duration_seconds) == (5, pytest.approx(0.2))


def test_a_folder_can_be_thinned_and_cut(tmp_path):
    folder = image_folder(tmp_path, 40)

    assert numbers(folder, image_fps=20, start_seconds=0.5, end_seconds=1) == list(range(10, 20))
    assert len(numbers(folder, image_fps=20, fps=10)) in (20, 21)


@pytest.mark.parametrize(
    ("orientation", "corners"),
    [
        (1, ["red", "green", "blue", "white"]),
        (2, ["green", "red", "white", "blue"]),  # mirrored
        (3, ["white", "blue", "green", "red"]),
        (6, ["blue", "red", "white", "green"]),
        (8, ["green", "white", "red", "blue"]),
    ],
)
def test_the_exif_orientation_of_a_photo_is_applied_once(tmp_path, orientation, corners):
    jpeg_with_orientation(tmp_path / "photo.jpg", corner_image(), orientation)

    frames, info = read(tmp_path)

    upright = (48, 64) if orientation in (6, 8) else (64, 48)
    assert corner_names(frames[0].image) == corners
    assert frames[0].image.shape == (upright[1], upright[0], 3)
    assert (info.width, info.height) == upright


def test_images_of_every_depth_become_three_channels_of_8_bits(tmp_path):
    grey = numbered_image(5)[:, :, 0]
    colour = np.full((48, 64, 3), (10, 20, 30), np.uint8)
    with_alpha = np.dstack([colour, np.full((48, 64), 128, np.uint8)])
    write_image(tmp_path / "0-grey.png", grey)
    write_image(tmp_path / "1-alpha.png", with_alpha)
    write_image(tmp_path / "2-deep.png", colour.astype(np.uint16) * 257)
    write_image(tmp_path / "3-deep-grey.png", grey.astype(np.uint16) * 257)
    write_image(tmp_path / "4-deep.tiff", colour.astype(np.uint16) * 257)

    frames, _ = read(tmp_path)

    for frame, expected in zip(
        frames, [numbered_image(5), colour, colour, numbered_image(5), colour], strict=True
    ):
        assert frame.image.dtype == np.uint8
        np.testing.assert_array_equal(frame.image, expected)


def test_images_of_different_sizes_make_one_clip(tmp_path):
    write_image(tmp_path / "1.png", noise_image(1, (64, 48)))
    write_image(tmp_path / "2.png", noise_image(2, (30, 90)))

    clip = load_video(tmp_path)

    expected = [tutorial_frame(noise_image(1, (64, 48))), tutorial_frame(noise_image(2, (30, 90)))]
    np.testing.assert_array_equal(clip, (np.array(expected) / 255.0).astype(np.float32))


def test_folders_with_odd_names_are_read(tmp_path):
    folder = image_folder(tmp_path / "it's 50%03d -日本", 3)

    assert numbers(folder) == [0, 1, 2]


# Animated GIFs


def test_an_animated_gif_is_a_video(tmp_path):
    path = animated_gif(tmp_path / "clip.gif", delays=[10, 4, 100, 2, 8])

    frames, info = read(path)

    assert [read_number(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.14, 1.14, 1.16])
    assert (info.width, info.height, info.num_frames_decoded) == (64, 48, 5)
    assert not info.ended_early


def test_a_gif_keeps_its_colours(tmp_path):
    path = animated_gif(tmp_path / "clip.gif", [corner_image(), corner_image()[::-1]])

    frames, _ = read(path)

    np.testing.assert_array_equal(frames[0].image, corner_image())
    np.testing.assert_array_equal(frames[1].image, corner_image()[::-1])


# Interlaced videos


def test_interlaced_frames_are_decoded(tmp_path):
    """OpenCV from 4.13 on gives memory that nobody wrote to, and calls it a frame."""
    assert numbers(interlaced_mov(tmp_path / "camcorder.mov", 6)) == [0, 1, 2, 3, 4, 5]


# Small and short videos


def test_one_frame(tmp_path):
    frames, info = read(write_video(tmp_path / "clip.avi", 1, fps=10))

    assert [frame.seconds for frame in frames] == [0]
    assert (info.num_frames_decoded, info.fps) == (1, 10)
    assert info.duration_seconds == pytest.approx(0.1)
    assert not info.ended_early


@pytest.mark.parametrize("kind", ["gif", "avi", "mp4", "folder"])
def test_one_pixel(tmp_path, kind):
    pixel = [np.full((1, 1, 3), RED, np.uint8)] * 2
    makers = {"gif": animated_gif, "avi": write_avi, "mp4": write_mp4}
    if kind == "folder":
        path = image_folder(tmp_path / "frames", images=pixel)
    else:
        path = makers[kind](tmp_path / f"clip.{kind}", pixel)

    clip = load_video(path)

    assert clip.shape == (2, 224, 224, 3)
    assert np.unique(clip.reshape(-1, 3), axis=0).tolist() == [[1, 0, 0]]


def test_a_header_without_frames_is_refused(tmp_path):
    path = write_avi(tmp_path / "clip.avi", [numbered_image(0)])
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])

    refusal(VideoDecodeError, path)


def test_frames_that_are_all_damaged_are_refused(tmp_path):
    path = write_avi(tmp_path / "clip.avi", [numbered_image(i) for i in range(5)])
    path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"\0\0\0\0"))

    refusal(VideoDecodeError, path)


# What is not there, and what is no video


def test_a_missing_file_is_not_found(tmp_path):
    write_video(tmp_path / "birthday party.avi", 1)

    error = refusal(VideoNotFoundError, tmp_path / "clip.avi")

    assert "no video" in error.message
    assert "Did you mean" not in error.hint
    assert isinstance(error, FileNotFoundError)


@pytest.mark.parametrize("wrong", ["holidays.avi", "holyday.avi", "Holiday.AVI"])
def test_a_misspelt_name_is_corrected(tmp_path, wrong):
    write_video(tmp_path / "holiday.avi")
    text_file(tmp_path / "unrelated.txt")
    if (tmp_path / wrong).exists():
        pytest.skip("this file system does not tell upper from lower case")

    error = refusal(VideoNotFoundError, tmp_path / wrong)

    assert error.hint == f"Did you mean {tmp_path / 'holiday.avi'}?"


def test_a_missing_folder_is_named_as_the_reason(tmp_path):
    error = refusal(VideoNotFoundError, tmp_path / "nowhere" / "clip.avi")

    assert "folder does not exist" in error.message


@not_on_windows
def test_a_link_to_nowhere_does_not_mean_itself(tmp_path):
    link = tmp_path / "clip.avi"
    link.symlink_to(tmp_path / "gone" / "elsewhere.mkv")

    assert "Did you mean" not in refusal(VideoNotFoundError, link).hint


@not_on_windows
def test_a_link_in_a_circle_is_refused(tmp_path):
    link = tmp_path / "clip.avi"
    link.symlink_to(link)

    refusal(VideoDecodeError, link)


@not_on_windows
def test_a_link_to_a_video_is_read(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(write_video(tmp_path / "clip.avi", 3))

    assert numbers(link) == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        pytest.param(empty, "clip.avi", "empty (0 bytes)", id="empty"),
        pytest.param(text_file, "clip.avi", "text file", id="text"),
        pytest.param(text_file, "notes.txt", "text file", id="text-in-a-text-file"),
        pytest.param(not_a_video, "clip.avi", "not a video", id="random-bytes"),
        pytest.param(not_a_video, "clip.mp4", "not a video", id="random-bytes-mp4"),
        pytest.param(sound_only, "song.wav", "WAV sound", id="wav"),
        pytest.param(sound_only, "song.mp4", "no pictures", id="sound-in-mp4"),
    ],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, make, name, words):
    assert words in refusal(VideoDecodeError, make(tmp_path / name)).message


def test_an_mp4_that_was_cut_off_lacks_its_index(tmp_path):
    path = truncated(write_video(tmp_path / "clip.mp4", 9, codec="mp4v", frame=noise_image))

    assert "without its index" in refusal(VideoDecodeError, path).message


@pytest.mark.parametrize("keep", [0.001, 0.01, 0.05])
def test_an_avi_of_which_only_the_head_is_left_is_refused(tmp_path, keep):
    refusal(VideoDecodeError, truncated(write_video(tmp_path / "clip.avi"), keep))


@not_on_windows
def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    pipe = tmp_path / "clip.avi"
    os.mkfifo(pipe)

    assert "named pipe" in refusal(VideoDecodeError, pipe).message


@not_on_windows
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_refused(device):
    assert "a device" in refusal(VideoDecodeError, device).message


@pytest.mark.parametrize(
    "url",
    ["https://example.com/clip.mp4", "HTTP://example.com/a.avi", "rtsp://camera/1", "s3://b/c.mp4"],
)
def test_a_web_address_is_refused_before_anything_is_opened(url, monkeypatch):
    def no_network(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)

    error = refusal(VideoNotFoundError, url)

    assert "web address" in error.message
    assert "Download" in error.hint


def test_a_zero_byte_in_the_name_is_refused():
    error = refusal(VideoDecodeError, "clip\0.avi")

    assert "null" in error.message


def test_a_name_that_is_too_long_is_refused(tmp_path):
    error = refusal((VideoNotFoundError if windows else VideoDecodeError), tmp_path / ("x" * 300))

    assert len(error.message) > 300


def test_a_file_used_as_a_folder_is_refused(tmp_path):
    path = write_video(tmp_path / "clip.avi") / "more.avi"

    with pytest.raises((VideoDecodeError, VideoNotFoundError), match=r"more\.avi"):
        read(path)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read_is_refused_with_the_reason(tmp_path, kind, monkeypatch):
    path = tmp_path / "clip.avi"
    if kind == "file":
        write_video(path)
    else:
        image_folder(path)

    def denied(self, *_, **__):  # root may read everything, so let the system call fail
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open" if kind == "file" else "iterdir", denied)

    error = refusal(VideoDecodeError, path)

    assert "Permission denied" in error.message
    assert "permission" in error.hint


ODD_NAMES = [
    "with space.avi",
    " leading space.avi",
    "it's.avi",
    "-y.avi",
    "--help",
    "ünïcödé 日本 🎬.avi",
    "e\u0301 as two characters.avi",
    "clip_%03d.avi",
    "100%.avi",
    "%s%n%d.avi",
    "a;b&c$d`e!f#g.avi",
    "[brackets]{braces}(round).avi",
    "no suffix",
    "clip.png.avi",
    "clip.txt",
    "a" * 200 + ".avi",
    *(
        pytest.param(name, marks=not_on_windows)
        for name in (
            'say "cheese".avi',
            "concat:a.avi",
            "file:clip.avi",
            "a|b.avi",
            "what?.avi",
            "*.avi",
            "back\\slash.avi",
            "new\nline.avi",
            "<angle>.avi",
            "C:clip.avi",
        )
    ),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_that_a_file_can_have_is_read(tmp_path, name, monkeypatch):
    write_avi(tmp_path / name, [numbered_image(i) for i in range(3)])
    monkeypatch.chdir(tmp_path)

    assert numbers(tmp_path / name) == [0, 1, 2]
    assert numbers(name) == [0, 1, 2]


def test_a_protocol_of_ffmpeg_is_taken_for_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.avi", 3)

    for name in ("concat:a.avi", "file:a.avi", "subfile,,start,0,end,0,,:a.avi"):
        refusal(VideoNotFoundError, name)


@not_on_windows
def test_a_name_that_is_not_unicode_does_not_crash(tmp_path, monkeypatch):
    """OpenCV takes the whole process down when it sees such a name, so it must not get it."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.avi")
    try:
        write_avi(Path(name), [numbered_image(i) for i in range(3)])
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    open_video = cv2.VideoCapture

    def fail_rather_than_crash(source, *rest):
        assert not isinstance(source, str) or source.isascii()
        return open_video(source, *rest)

    monkeypatch.setattr(cv2, "VideoCapture", fail_rather_than_crash)
    with contextlib.suppress(VideoDecodeError):  # refusing it is fine
        assert numbers(name) == [0, 1, 2]


def test_a_photo_does_not_bring_in_its_neighbours(tmp_path):
    image_folder(tmp_path, 4, name="shot_{:03}.png")
    write_image(tmp_path / "shot_%03d.png", numbered_image(99))

    assert numbers(tmp_path / "shot_002.png") == [2]
    with contextlib.suppress(VideoDecodeError):  # refusing it is fine
        assert numbers(tmp_path / "shot_%03d.png") == [99]


def test_path_objects_of_other_libraries_are_taken(tmp_path):
    class Somewhere:
        def __fspath__(self):
            return str(tmp_path / "clip.avi")

    write_video(tmp_path / "clip.avi", 3)

    frames, info = read(Somewhere())

    assert len(frames) == 3
    assert info.path == str(tmp_path / "clip.avi")


def test_the_path_is_reported_as_it_was_given(tmp_path, monkeypatch):
    write_video(tmp_path / "clip.avi", 2)
    monkeypatch.chdir(tmp_path)

    assert read("clip.avi")[1].path == "clip.avi"
    assert str(tmp_path) not in refusal(VideoNotFoundError, "missing").message


# Numbers that make no sense


@pytest.mark.parametrize(
    "options",
    [
        {"start_seconds": -1},
        {"start_seconds": math.nan},
        {"start_seconds": math.inf},
        {"start_seconds": 2, "end_seconds": 2},
        {"start_seconds": 2, "end_seconds": 1},
        {"end_seconds": 0},
        {"end_seconds": -1},
        {"end_seconds": math.nan},
        {"fps": 0},
        {"fps": -25},
        {"fps": math.nan},
        {"fps": math.inf},
        {"image_fps": 0},
        {"image_fps": math.inf},
        {"max_frames": -1},
    ],
    ids=str,
)
def test_numbers_out_of_range_are_usage_errors(tmp_path, options):
    path = write_video(tmp_path / "clip.avi", 2)

    with pytest.raises(UsageError) as caught:
        VideoReader(path, **options)

    assert caught.value.exit_code == ExitCode.USAGE
    assert str(next(reversed(options.values()))) in caught.value.message


@pytest.mark.parametrize("size", [0, -224])
def test_a_clip_without_pixels_is_a_usage_error(tmp_path, size):
    with pytest.raises(UsageError, match=str(size)):
        load_video(write_video(tmp_path / "clip.avi", 2), size=size)


def test_numbers_are_checked_before_the_file_is_looked_for(tmp_path):
    with pytest.raises(UsageError):
        VideoReader(tmp_path / "missing.avi", fps=-1)


@pytest.mark.parametrize("fps", [1000, 1e-300])
def test_extreme_rates_are_survived(tmp_path, fps):
    path = write_video(tmp_path / "clip.avi", 5)

    assert numbers(path, fps=fps) == ([0, 1, 2, 3, 4] if fps > 1 else [0])


@pytest.mark.parametrize("option", ["fps", "image_fps"])
def test_rates_that_no_camera_has_are_usage_errors(tmp_path, option):
    with pytest.raises(UsageError, match="at most 1000, not 1e\\+300"):
        VideoReader(write_video(tmp_path / "clip.avi", 5), **{option: 1e300})


def test_spans_that_touch_never_share_a_slot(tmp_path):
    """At 25 fps a slot holds two frames of 50: a border between them must not let both in."""
    path = write_video(tmp_path / "clip.avi", 30, fps=50)
    whole = numbers(path, fps=25)
    for border in range(1, 30):
        before = numbers(path, fps=25, end_seconds=border / 50) if border > 0 else []
        after = [] if border / 50 > 0.56 else numbers(path, fps=25, start_seconds=border / 50)
        assert before + after == whole, border


@pytest.mark.parametrize("name", ["readme.nfo", "playlist.m3u8", "list.ffconcat"])
def test_texts_that_ffmpeg_would_show_or_follow_are_refused(tmp_path, name):
    write_video(tmp_path / "clip.avi")
    text = "ffconcat version 1.0\nfile clip.avi\n" if "concat" in name else "#EXTM3U\nclip.avi\n"
    path = text_file(tmp_path / name, text)

    assert "is a text file, not a video" in str(refusal(VideoDecodeError, path))


def test_an_empty_name_and_an_address_of_a_file(tmp_path):
    with pytest.raises(VideoNotFoundError, match="is empty"):
        VideoReader("")
    with pytest.raises(VideoNotFoundError) as caught:
        VideoReader(f"file://{tmp_path}/clip.avi")
    assert "file://" in str(caught.value.hint)


class OddCapture:
    """OpenCV, which does not expect the third frame, and is at its wits' end with the eighth."""

    def __init__(self, real, name, *rest):
        self.capture = real(name, *rest)
        self.number = 0

    def grab(self):
        self.number += 1
        if self.number == 8:
            raise cv2.error("what a frame")
        return self.capture.grab()

    def retrieve(self):
        if self.number == 3:
            raise cv2.error("what a size")
        return self.capture.retrieve()

    def __getattr__(self, name):
        return getattr(self.capture, name)


def test_what_opencv_does_not_expect_of_a_frame_is_a_damaged_frame(tmp_path, monkeypatch):
    path = write_video(tmp_path / "x.avi", num_frames=20)
    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *names: OddCapture(real, *names))
    with VideoReader(path) as reader:
        found = [read_number(frame.image) for frame in reader]
    assert found == [0, 1, 3, 4, 5, 6]
    assert (reader.info.num_frames_decoded, reader.info.num_frames_damaged) == (6, 1)
    assert reader.info.ended_early
