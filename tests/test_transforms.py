"""Frames to clips: where the crop starts, which channel is which, which numbers come out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from i3d.video.frames import (
    crop_box,
    crop_centre_square,
    resize,
    rotate,
    scale_pixels,
    to_clip_frame,
    to_rgb,
)

from videos import BLUE, GREEN, RED, WHITE, corner_image, corner_names, noise_image


def coordinates(width: int, height: int) -> np.ndarray:
    """A picture whose pixels tell where they are: (column, row, 0); not uint8, to hold 320."""
    image = np.zeros((height, width, 3), np.int32)
    image[:, :, 0] = np.arange(width)
    image[:, :, 1] = np.arange(height)[:, None]
    return image


# Crop: written by hand from the tutorial's `start_x = x // 2 - min_dim // 2`.


@pytest.mark.parametrize(
    ("width", "height", "left", "top", "side"),
    [
        (4, 2, 1, 0, 2),
        (2, 4, 0, 1, 2),
        (5, 2, 1, 0, 2),
        (4, 3, 1, 0, 3),  # (4 - 3) // 2 would be 0
        (3, 4, 0, 1, 3),
        (5, 4, 0, 0, 4),
        (320, 240, 40, 0, 240),
        (321, 240, 40, 0, 240),
        (320, 239, 41, 0, 239),  # (320 - 239) // 2 would be 40
        (239, 320, 0, 41, 239),
        (224, 223, 1, 0, 223),
        (225, 224, 0, 0, 224),
        (224, 224, 0, 0, 224),
        (1, 1, 0, 0, 1),
        (1, 7, 0, 3, 1),
        (250, 1, 125, 0, 1),
    ],
)
def test_the_centre_square_starts_where_the_tutorial_starts_it(width, height, left, top, side):
    square = crop_centre_square(coordinates(width, height))

    assert square.shape == (side, side, 3)
    assert square[0, 0].tolist() == [left, top, 0]
    assert square[-1, -1].tolist() == [left + side - 1, top + side - 1, 0]


# Rotation


@pytest.mark.parametrize(
    ("degrees", "corners"),
    [
        (0, ["red", "green", "blue", "white"]),
        (90, ["blue", "red", "white", "green"]),
        (180, ["white", "blue", "green", "red"]),
        (270, ["green", "white", "red", "blue"]),
    ],
)
def test_rotate_turns_clockwise(degrees, corners):
    image = corner_image((6, 4))

    turned = rotate(image, degrees)

    assert corner_names(turned) == corners
    assert turned.shape == ((4, 6, 3) if degrees in (0, 180) else (6, 4, 3))
    np.testing.assert_array_equal(image, corner_image((6, 4)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_every_pixel_is_turned(degrees):
    image = noise_image(1, (7, 5))

    np.testing.assert_array_equal(rotate(image, degrees), np.rot90(image, -degrees // 90))


# Resize and colours


def test_resize_takes_width_before_height_and_interpolates_bilinearly():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 200

    wide = resize(image, 4, 3)

    assert wide.shape == (3, 4, 3)
    assert wide.dtype == np.uint8
    # Pixel centres at -0.25, 0.25, 0.75, 1.25 of the source: clamped at the ends, linear between.
    assert wide[:, :, 0].tolist() == [[0, 50, 150, 200]] * 3


def test_resize_does_not_smooth_when_it_shrinks():
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, 1::4] = 240

    # Every fourth column: the output looks at the two columns beside its centre, 1 | 2 and 5 | 6.
    assert resize(stripes, 2, 2)[:, :, 0].tolist() == [[120, 120]] * 2


def test_to_rgb_swaps_red_and_blue():
    image = np.array([[RED, GREEN, BLUE, WHITE, (1, 2, 3)]], np.uint8)

    rgb = to_rgb(image)

    assert rgb.dtype == np.uint8
    assert rgb[0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [3, 2, 1]]


def test_a_red_frame_is_red_in_the_clip():
    for crop in ("centre-square", "short-side-256"):
        clip_frame = to_clip_frame(np.full((48, 64, 3), RED, np.uint8), crop=crop)

        assert clip_frame.shape == (224, 224, 3)
        assert clip_frame.dtype == np.uint8
        assert np.unique(clip_frame.reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


# Clip frames


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (225, 224), (223, 224), (33, 33), (1, 1)])
@pytest.mark.parametrize("clip_size", [224, 32, 1])
def test_centre_square_is_crop_then_resize_then_rgb(size, clip_size):
    image = noise_image(3, size)
    width, height = size
    side = min(size)
    left, top = width // 2 - side // 2, height // 2 - side // 2
    square = image[top : top + side, left : left + side]

    np.testing.assert_array_equal(
        to_clip_frame(image, size=clip_size),
        cv2.resize(square, (clip_size, clip_size))[:, :, [2, 1, 0]],
    )


@pytest.mark.parametrize(
    ("size", "resized", "left", "top"),
    [
        ((320, 240), (341, 256), 58, 16),
        ((240, 320), (256, 341), 16, 58),
        ((64, 48), (341, 256), 58, 16),
        ((256, 256), (256, 256), 16, 16),
        ((300, 100), (768, 256), 272, 16),
        ((455, 256), (455, 256), 115, 16),
    ],
)
def test_short_side_256_sees_the_centre_224_of_256(size, resized, left, top):
    image = noise_image(4, size)
    whole = cv2.resize(image, resized)

    np.testing.assert_array_equal(
        to_clip_frame(image, crop="short-side-256"),
        whole[top : top + 224, left : left + 224, ::-1],
    )


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1), (1, 1), (2, 4000), (3, 13), (1001, 250)])
def test_short_side_256_takes_any_shape(size):
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2, width // 2] = WHITE  # the centre has to stay in sight

    clip_frame = to_clip_frame(image, crop="short-side-256")

    assert clip_frame.shape == (224, 224, 3)
    assert clip_frame.dtype == np.uint8
    assert clip_frame.max() > 200


@pytest.mark.parametrize("size", [(1000, 20), (20, 1000)])
def test_short_side_256_of_a_slim_frame_shows_its_centre_in_proportion(size):
    """A slim frame is cut before it is enlarged, and that must not show."""
    image = cv2.GaussianBlur(noise_image(5, size), (0, 0), 4)
    scale = 256 / 20
    whole = cv2.resize(image, (round(size[0] * scale), round(size[1] * scale)))
    top, left = (whole.shape[0] - 224) // 2, (whole.shape[1] - 224) // 2

    expected = whole[top : top + 224, left : left + 224, ::-1].astype(int)

    assert np.abs(to_clip_frame(image, crop="short-side-256") - expected).max() <= 1


def test_short_side_256_follows_the_size_of_the_clip():
    image = noise_image(6, (320, 240))

    clip_frame = to_clip_frame(image, size=112, crop="short-side-256")

    whole = cv2.resize(image, (171, 128))
    np.testing.assert_array_equal(clip_frame, whole[8:120, 29:141, ::-1])


# What is seen


@pytest.mark.parametrize(
    ("size", "crop", "box"),
    [
        ((320, 240), "centre-square", (40, 0, 280, 240)),
        ((240, 320), "centre-square", (0, 40, 240, 280)),
        ((4, 3), "centre-square", (1, 0, 4, 3)),
        ((1, 7), "centre-square", (0, 3, 1, 4)),
        ((256, 256), "short-side-256", (16, 16, 240, 240)),
        ((455, 256), "short-side-256", (115, 16, 339, 240)),
        ((320, 240), "short-side-256", (58 * 320 / 341, 15, 282 * 320 / 341, 225)),
        ((240, 320), "short-side-256", (15, 58 * 320 / 341, 225, 282 * 320 / 341)),
    ],
)
def test_the_crop_s_box_by_hand(size, crop, box):
    assert crop_box(*size, crop=crop) == pytest.approx(box)


@pytest.mark.parametrize("crop", ["centre-square", "short-side-256"])
@pytest.mark.parametrize("clip_size", [224, 56])
@pytest.mark.parametrize(
    "size", [(320, 240), (240, 320), (321, 240), (200, 201), (256, 40), (40, 256), (1000, 20)]
)
def test_the_crop_s_box_is_what_the_clip_shows(size, crop, clip_size):
    """Each pixel of a picture says in which column or row it is: so do those of the clip."""
    width, height = size
    box = crop_box(width, height, size=clip_size, crop=crop)

    for axis, length in ((0, width), (1, height)):
        places = np.arange(length) * 255 / length
        line = places[None, :] if axis == 0 else places[:, None]
        image = np.empty((height, width, 3), np.uint8)
        image[:] = np.round(line)[:, :, None]
        shown = to_clip_frame(image, size=clip_size, crop=crop).mean(axis=axis)[:, 0]
        start, end = box[axis], box[axis + 2]
        centres = start + (np.arange(clip_size) + 0.5) * (end - start) / clip_size - 0.5
        expected = np.clip(centres, 0, length - 1) * 255 / length
        # One step of grey, and half a pixel at the edges, where OpenCV repeats what is there.
        assert np.abs(shown - expected).max() <= 1.5 + 0.5 * 255 / length


# Range


def all_values() -> np.ndarray:
    return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def test_all_values_from_0_to_1_equal_the_tutorials_division():
    scaled = scale_pixels(all_values(), (0.0, 1.0))

    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (all_values() / 255.0).astype(np.float32))
    assert scaled[[0, 51, 255], 0].tolist() == [0.0, np.float32(0.2), 1.0]


def test_all_values_from_minus_1_to_1_equal_deepminds_formula():
    scaled = scale_pixels(all_values(), (-1.0, 1.0))

    expected = [np.float32(2 * value / 255 - 1) for value in range(256)]
    assert scaled.dtype == np.float32
    assert scaled[:, 0].tolist() == [float(value) for value in expected]
    assert scaled[[0, 255], 0].tolist() == [-1.0, 1.0]


def test_scale_pixels_keeps_the_shape_and_any_layout():
    clip = np.stack([noise_image(i, (5, 4)) for i in range(3)])[:, :, ::-1]

    scaled = scale_pixels(clip, (0.0, 255.0))

    assert scaled.shape == (3, 4, 5, 3)
    np.testing.assert_array_equal(scaled, clip.astype(np.float32))
