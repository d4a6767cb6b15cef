"""What a preview shows: the frames that a model sees, at their times."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from i3d.errors import UsageError, VideoTooShortError
from i3d.pictures import preview as previews
from i3d.pictures.animation import write_animation
from i3d.pictures.preview import write_preview
from i3d.pictures.sheet import MARGIN, OUTLINE, PANEL_SIZE, SheetLayout, clock, draw_panel
from i3d.video.ahead import ClipReader
from i3d.video.frames import crop_box
from i3d.video.reader import VideoReader
from i3d.video.recipes import get_recipe, with_overrides

import videos

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.pictures.preview import Preview, PreviewFormat
    from i3d.video.frames import Frame

LOSSLESS = ("webp", "apng")
ANIMATIONS = ("gif", *LOSSLESS)
SIZE = 32
SQUARE = (48, 48)
"""Size of videos of which nothing is cut off."""


def clip_of(video: Path, **options: Any) -> list[tuple[Frame, float, int]]:
    """The frames that a model sees."""
    recipe = options.pop("recipe", get_recipe())
    with ClipReader(video, recipe, options.pop("size", SIZE), **options) as reader:
        return list(reader.frames())


def preview(
    video: Path, path: Path, format_name: PreviewFormat, every: int | None = None, **options: Any
) -> Preview:
    recipe = options.pop("recipe", get_recipe())
    original = None
    if format_name == "png":
        with VideoReader(video, fps=recipe.fps, **{**options, "max_frames": 1}) as reader:
            original = next(iter(reader)).image
    with ClipReader(video, recipe, SIZE, **options) as clip:
        return write_preview(path, clip, format_name, every=every, original=original)


def pictures(path: Path) -> tuple[list[Frame], list[float]]:
    """The pictures of an animation, and how long each is shown, in seconds."""
    images, seconds = [], []
    with Image.open(path) as animation:
        for picture in ImageSequence.Iterator(animation):
            images.append(np.asarray(picture.convert("RGB")))
            seconds.append(float(picture.info["duration"]) / 1000)
    return images, seconds


def starts(seconds: list[float]) -> list[float]:
    return [float(start) for start in np.cumsum([0.0, *seconds[:-1]])]


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Twelve frames of noise, at 25 a second."""
    return videos.write_avi(tmp_path / "noisy.avi", [videos.noise_image(i) for i in range(12)])


# Pixels


@pytest.mark.parametrize("format_name", LOSSLESS)
def test_lossless_formats_hold_the_frames_that_a_model_is_fed(noisy, tmp_path, format_name):
    shown = preview(noisy, tmp_path / "out", format_name)

    images, seconds = pictures(tmp_path / "out")
    frames = clip_of(noisy)
    assert len(images) == len(frames) == shown.num_frames == 12
    for image, (frame, _, _) in zip(images, frames, strict=True):
        np.testing.assert_array_equal(image, frame)
    assert seconds == pytest.approx([0.04] * 12)


@pytest.mark.parametrize("format_name", ANIMATIONS)
def test_pictures_that_change_in_a_corner_only_come_back_whole(tmp_path, format_name):
    still = np.zeros((21, 31, 3), np.uint8)
    still[:, :, 1] = 200
    images = [still.copy() for _ in range(5)]
    images[1][7, 9] = 255  # one pixel at an odd place
    images[2][20, 30] = (255, 0, 0)  # the last one, and the other as it was
    images[3][:] = 64

    write_animation(tmp_path / "out", [(x, i / 10) for i, x in enumerate(images)], 0.5, format_name)

    shown, seconds = pictures(tmp_path / "out")
    np.testing.assert_array_equal(shown, images)
    assert seconds == pytest.approx([0.1] * 5)


@pytest.mark.parametrize("format_name", ANIMATIONS)
def test_still_pictures_take_next_to_nothing(tmp_path, format_name):
    image = videos.noise_image(1)
    sizes = []
    for count in (1, 11):
        frames = [(image, i / 10) for i in range(count)] + [(image // 2, count / 10)]
        write_animation(tmp_path / "out", frames, count / 10 + 0.1, format_name)
        sizes.append((tmp_path / "out").stat().st_size)
        assert pictures(tmp_path / "out")[1] == pytest.approx([count / 10, 0.1])
    assert abs(sizes[1] - sizes[0]) < 1000  # a picture of noise takes 9000


def test_a_gif_stores_nothing_of_pixels_that_stay_as_they_are(tmp_path):
    sizes = []
    for count in (1, 11):
        images = [videos.noise_image(1) for _ in range(count)]
        for i, image in enumerate(images):
            image[0, 0] = image[-1, -1] = image[20, 20] if i % 2 else image[30, 30]
        frames = [(image, i / 10) for i, image in enumerate(images)]
        write_animation(tmp_path / "out", frames, count / 10, "gif")
        sizes.append((tmp_path / "out").stat().st_size)
    assert sizes[1] - sizes[0] < 10 * 400  # a picture of noise takes 9000


def test_a_gif_is_near_to_the_frames_and_small(tmp_path):
    """A wall in all shades, with something that moves before it: what palettes find hard."""
    down, across = np.mgrid[0:96, 0:128]
    wall = np.stack([across * 2, 255 - down * 2, (across + down) % 256], axis=2).astype(np.uint8)
    images = [wall.copy() for _ in range(10)]
    for i, image in enumerate(images):
        image[20:50, 8 * i : 8 * i + 30] = (30, 60, 220)

    write_animation(tmp_path / "out", [(x, i / 25) for i, x in enumerate(images)], 0.4, "gif")

    error = np.array(pictures(tmp_path / "out")[0], int) - images
    assert np.sqrt(np.mean(error**2)) < 8
    assert np.abs(error).max() < 64
    assert (tmp_path / "out").stat().st_size < 60_000  # as bytes of a palette: 123,000


def test_a_gif_of_scenes_in_other_colours_shows_both(tmp_path):
    scenes = [np.full((32, 32, 3), colour, np.uint8) for colour in ((250, 5, 5), (7, 7, 240))]

    write_animation(tmp_path / "out.gif", [(scenes[0], 0), (scenes[1], 0.04)], 0.08, "gif")

    np.testing.assert_array_equal(pictures(tmp_path / "out.gif")[0], scenes)


def test_an_mp4_shows_each_frame_at_its_time(tmp_path):
    images = [videos.numbered_image(i, SQUARE) for i in range(5)]
    durations = [40, 120, 40, 80, 200]
    video = videos.write_mp4(tmp_path / "varying.mp4", images, durations=durations)

    shown = preview(video, tmp_path / "out.mp4", "mp4")

    with VideoReader(tmp_path / "out.mp4") as reader:
        frames = [(videos.read_number(frame.image), frame.seconds) for frame in reader]
    assert shown.num_frames == 5
    assert [number for number, _ in frames] == [0, 1, 2, 3, 4]
    assert [seconds for _, seconds in frames] == pytest.approx([0, 0.04, 0.16, 0.2, 0.28])


# Times


@pytest.mark.parametrize("format_name", ANIMATIONS)
def test_times_of_a_variable_rate_stay_true(tmp_path, format_name):
    durations = [43, 121, 57, 88, 207, 45, 101, 64, 73]
    images = [videos.noise_image(i) for i in range(len(durations))]
    video = videos.write_mp4(tmp_path / "varying.mp4", images, durations=durations)

    preview(video, tmp_path / "out", format_name)

    _, seconds = pictures(tmp_path / "out")
    tick = 0.01 if format_name == "gif" else 0.001
    true = np.cumsum([0, *durations[:-1]]) / 1000
    # Each within half a tick: rounded durations would drift away.
    assert starts(seconds) == pytest.approx(true, abs=tick / 2 + 1e-6)


def spot(number: int) -> Frame:
    """A picture that is not like the one before."""
    image = np.zeros((8, 8, 3), np.uint8)
    image.reshape(64, 3)[number % 64] = 255
    return image


def test_times_do_not_drift_in_a_long_gif(tmp_path):
    frames = [(spot(i), i * 1001 / 24000) for i in range(300)]

    write_animation(tmp_path / "out.gif", frames, 300 * 1001 / 24000, "gif")

    _, seconds = pictures(tmp_path / "out.gif")
    assert len(seconds) == 300
    assert sum(seconds) == pytest.approx(300 * 1001 / 24000, abs=0.006)


@pytest.mark.parametrize(
    ("format_name", "shortest"), [("gif", 0.02), ("webp", 0.011), ("apng", 0.011)]
)
def test_pictures_too_close_for_browsers_are_left_out(tmp_path, format_name, shortest):
    frames = [(spot(i), i / 240) for i in range(240)]

    left_out = write_animation(tmp_path / "out", frames, 1.0, format_name)

    images, seconds = pictures(tmp_path / "out")
    assert len(images) + left_out == 240
    assert min(seconds) >= shortest - 1e-9
    assert max(seconds) < shortest + 0.011
    assert sum(seconds) == pytest.approx(1.0, abs=0.021)


@pytest.mark.parametrize(("format_name", "longest"), [("gif", 655.35), ("webp", 900)])
def test_a_picture_may_be_shown_for_a_minute_and_longer_as_long_as_the_format_can(
    tmp_path, format_name, longest
):
    for still in (1, 500):  # equal pictures are one
        frames = [*[(spot(1), 900 * i / still) for i in range(still)], (spot(2), 900)]

        write_animation(tmp_path / "out", frames, 901, format_name)

        assert pictures(tmp_path / "out")[1] == pytest.approx([longest, 1], abs=0.6)


def test_a_long_still_in_a_png_is_shown_in_pieces(tmp_path):
    frames = [(spot(1), 0), (spot(2), 100), (spot(3), 200)]

    write_animation(tmp_path / "out", frames, 300, "apng")

    images, seconds = pictures(tmp_path / "out")
    assert len(images) == 6
    assert sum(seconds[:2]) == sum(seconds[2:4]) == sum(seconds[4:]) == pytest.approx(100)
    assert (images[1] == spot(1)).all()
    assert (images[4] == spot(3)).all()


def test_a_png_of_equal_frames_keeps_its_duration(tmp_path):
    write_animation(tmp_path / "out", [(spot(1), i / 25) for i in range(20)], 0.8, "apng")

    assert sum(pictures(tmp_path / "out")[1]) == pytest.approx(0.8)


def test_the_last_frame_is_shown_until_the_end_of_the_span(noisy, tmp_path):
    shown = preview(noisy, tmp_path / "out", "webp", every=5, end_seconds=0.42)

    assert starts(pictures(tmp_path / "out")[1]) == pytest.approx([0, 0.2, 0.4])
    assert sum(pictures(tmp_path / "out")[1]) == pytest.approx(0.42)
    assert shown.clip.num_frames == 11


# Which frames


@pytest.mark.parametrize("format_name", ["webp", "gif", "apng", "mp4"])
def test_every_third_frame_is_shown_for_three(tmp_path, format_name):
    video = videos.write_avi(
        tmp_path / "numbers.avi", [videos.numbered_image(i, SQUARE) for i in range(10)]
    )

    shown = preview(video, tmp_path / "out.mp4", format_name, every=3)

    if format_name == "mp4":
        with VideoReader(tmp_path / "out.mp4") as reader:
            images = [frame.image for frame in reader]
    else:
        images, seconds = pictures(tmp_path / "out.mp4")
        assert seconds == pytest.approx([0.12, 0.12, 0.12, 0.04])
    assert [videos.read_number(image) for image in images] == [0, 3, 6, 9]
    assert (shown.num_frames, shown.one_in, shown.clip.num_frames) == (4, 3, 10)


@pytest.mark.parametrize(
    ("count", "one_in", "numbers"),
    [
        (4, 1, [0, 1, 2, 3]),
        (5, 2, [0, 2, 4]),
        (8, 2, [0, 2, 4, 6]),
        (9, 4, [0, 4, 8]),
        (17, 8, [0, 8, 16]),
    ],
)
def test_of_very_many_frames_some_are_shown(tmp_path, monkeypatch, count, one_in, numbers):
    monkeypatch.setattr(previews, "MAX_KEPT", 4)
    images = [videos.numbered_image(i, SQUARE) for i in range(count)]
    video = videos.write_avi(tmp_path / "numbers.avi", images)

    shown = preview(video, tmp_path / "out", "webp")

    found, seconds = pictures(tmp_path / "out")
    assert [videos.read_number(image) for image in found] == numbers
    assert (shown.num_frames, shown.one_in) == (len(numbers), one_in)
    assert sum(seconds) == pytest.approx(count / 25)

    assert preview(video, tmp_path / "out", "webp", every=1).num_frames == count
    assert preview(video, tmp_path / "out.mp4", "mp4").num_frames == count


def test_the_span_and_the_rate_are_the_model_s(tmp_path):
    images = [videos.numbered_image(i, SQUARE) for i in range(20)]
    video = videos.write_avi(tmp_path / "numbers.avi", images)
    options = {
        "recipe": with_overrides(get_recipe(), fps=12.5),
        "start_seconds": 0.2,
        "end_seconds": 0.7,
        "max_frames": 4,
    }

    preview(video, tmp_path / "out", "apng", **options)

    found, _ = pictures(tmp_path / "out")
    numbers = [videos.read_number(image) for image in found]
    assert numbers == [number for _, _, number in clip_of(video, **options)] == [6, 8, 10, 12]


def test_a_span_without_a_frame_is_told(noisy, tmp_path):
    with pytest.raises(VideoTooShortError, match="before the requested start"):
        preview(noisy, tmp_path / "out", "gif", start_seconds=9.0)


# Sheets


def read_sheet(path: Path) -> Frame:
    with Image.open(path) as sheet:
        return np.asarray(sheet.convert("RGB"))


@pytest.mark.parametrize("recipe", ["standard", "deepmind"])
def test_the_frames_of_a_sheet_are_exact(noisy, tmp_path, recipe):
    shown = preview(noisy, tmp_path / "out.png", "png", recipe=get_recipe(recipe))

    sheet, layout = read_sheet(tmp_path / "out.png"), SheetLayout(12, SIZE)
    assert sheet.shape == (layout.height, layout.width, 3)
    for i, (frame, _, _) in enumerate(clip_of(noisy, recipe=get_recipe(recipe))):
        left, top = layout.frame_at(i)
        np.testing.assert_array_equal(sheet[top : top + SIZE, left : left + SIZE], frame)
        caption = sheet[top + SIZE : top + SIZE + 20, left : left + layout.cell_width]
        assert caption.min() < 128
    assert (shown.num_frames, shown.one_in) == (12, 1)


@pytest.mark.parametrize("limit", [500, 30])
def test_a_sheet_of_many_shows_twenty_from_the_first_to_the_last(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(previews, "MAX_KEPT", limit)
    images = [videos.numbered_image(i, SQUARE) for i in range(100)]
    video = videos.write_avi(tmp_path / "numbers.avi", images)

    shown = preview(video, tmp_path / "out.png", "png")

    sheet, layout = read_sheet(tmp_path / "out.png"), SheetLayout(20, SIZE)
    numbers = []
    for i in range(20):
        left, top = layout.frame_at(i)
        numbers.append(videos.read_number(sheet[top : top + SIZE, left : left + SIZE]))
    assert shown.num_frames == 20
    assert (numbers[0], numbers[-1]) == (0, 99)
    steps = [after - before for before, after in pairwise(numbers)]
    assert max(steps) - min(steps) <= (1 if limit == 500 else 5)
    assert min(steps) > 0


def test_every_second_frame_is_shown_and_no_more_than_fit(tmp_path, monkeypatch):
    images = [videos.numbered_image(i, SQUARE) for i in range(60)]
    video = videos.write_avi(tmp_path / "numbers.avi", images)

    assert preview(video, tmp_path / "out.png", "png", every=2).num_frames == 30

    monkeypatch.setattr(previews, "MAX_SHEET_FRAMES", 29)
    with pytest.raises(UsageError, match="A sheet shows at most 29 frames"):
        preview(video, tmp_path / "out.png", "png", every=2)

    monkeypatch.setattr(previews, "MAX_ASKED", 29)
    with pytest.raises(UsageError, match="An animation shows at most 29 frames"):
        preview(video, tmp_path / "out.gif", "gif", every=2)


@pytest.mark.parametrize("recipe", ["standard", "deepmind"])
@pytest.mark.parametrize("size", [(320, 240), (240, 320), (100, 100), (64, 8), (3, 2000)])
def test_the_crop_is_outlined_where_it_is_and_the_rest_is_dimmed(recipe, size):
    width, height = size
    panel = np.asarray(
        draw_panel(np.full((height, width, 3), 200, np.uint8), get_recipe(recipe), 224)
    )

    scale = min(PANEL_SIZE[0] / width, PANEL_SIZE[1] / height)
    assert panel.shape[:2] == (max(1, round(height * scale)), max(1, round(width * scale)))
    rows, columns = np.nonzero(np.all(panel == OUTLINE, axis=2))
    left, top, right, bottom = crop_box(width, height, crop=get_recipe(recipe).crop)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert found == pytest.approx(
        [edge * scale for edge in (left, top, right, bottom)], abs=1 if min(size) > 3 else 2
    )
    inside = np.zeros(panel.shape[:2], bool)
    inside[found[1] : found[3], found[0] : found[2]] = True
    assert panel[inside].min() >= min(OUTLINE)
    if not inside.all():
        assert set(panel[~inside].ravel().tolist()) == {70}


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_the_original_stands_upright_on_a_sheet(tmp_path, angle):
    video = videos.rotated_mp4(tmp_path / "phone.mp4", angle)

    preview(video, tmp_path / "out.png", "png")

    sheet = read_sheet(tmp_path / "out.png")
    with VideoReader(video) as reader:
        upright = next(iter(reader)).image
    height, width = upright.shape[:2]
    scale = min(PANEL_SIZE[0] / width, PANEL_SIZE[1] / height)
    panel = sheet[MARGIN : MARGIN + round(height * scale), MARGIN : MARGIN + round(width * scale)]
    middle = panel[
        panel.shape[0] // 3 : -panel.shape[0] // 3, panel.shape[1] // 3 : -panel.shape[1] // 3
    ]
    assert videos.corner_names(middle[:, :, ::-1]) == videos.corner_names(upright)


def test_a_single_picture_is_a_clip_of_one_frame(tmp_path):
    picture = videos.write_image(tmp_path / "photo.png", videos.noise_image(1))

    for format_name in ("gif", "webp", "apng", "png", "mp4"):
        shown = preview(picture, tmp_path / f"out.{format_name}", format_name)

        assert (shown.num_frames, shown.clip.num_frames_fed) == (1, 9)


def test_a_sheet_grows_wider_with_its_frames_and_never_too_narrow():
    for size in (1, 32, 224, 512):
        for count in (1, 5, 20, 100, 500):
            layout = SheetLayout(count, size)
            right, bottom = np.max([layout.frame_at(i) for i in range(count)], axis=0) + size
            assert right <= layout.width - MARGIN
            assert bottom <= layout.height - MARGIN
            places = {layout.frame_at(i) for i in range(count)}
            assert len(places) == count
    assert SheetLayout(500, 224).height < 2 * SheetLayout(500, 224).width


# Text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.00"), (1.239, "0:01.24"), (59.999, "1:00.00"), (3725.5, "1:02:05.50")],
)
def test_times_are_written_to_the_hundredth(seconds, text):
    assert clock(seconds) == text
