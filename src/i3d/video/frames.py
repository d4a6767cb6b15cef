"""Frames as they are decoded to frames as a model sees them.

Everything here is uint8 in and uint8 out: uint8 takes a quarter of the memory of float32, except in
`scale_pixels`, which makes the floats that an engine feeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from i3d.video.recipes import Crop

Frame: TypeAlias = npt.NDArray[np.uint8]
"""(height, width, 3) uint8. The channel order is BGR from the decoder, RGB after `to_rgb`."""

FloatClip: TypeAlias = npt.NDArray[np.float32]

_CLOCKWISE = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def rotate(frame: Frame, degrees: int) -> Frame:
    """Turn a frame clockwise.

    Args:
        frame: (height, width, channels) uint8, any channel order.
        degrees: 0, 90, 180 or 270.

    Returns:
        The turned frame; for 90 and 270, (width, height, channels).
    """
    if degrees == 0:
        return frame
    return _uint8(cv2.rotate(frame, _CLOCKWISE[degrees]))


def crop_centre_square(frame: Frame) -> Frame:
    """Cut the largest centred square out of a frame.

    The origin is `x // 2 - side // 2`, as in the TensorFlow Hub tutorial
    (tensorflow/docs, site/en/hub/tutorials/action_recognition_with_tf_hub.ipynb): for an odd
    difference between the sides it is not always `(x - side) // 2`.

    Args:
        frame: (height, width, channels) uint8, any channel order.

    Returns:
        (side, side, channels) uint8 with side = min(height, width); a view, not a copy.
    """
    height, width = frame.shape[:2]
    side = min(height, width)
    left = width // 2 - side // 2
    top = height // 2 - side // 2
    return frame[top : top + side, left : left + side]


def resize(frame: Frame, width: int, height: int) -> Frame:
    """Resize a frame with OpenCV's bilinear interpolation (INTER_LINEAR, no antialiasing).

    Args:
        frame: (height, width, channels) uint8, any channel order.
        width: New width in pixels, at least 1.
        height: New height in pixels, at least 1.

    Returns:
        (height, width, channels) uint8.
    """
    return _uint8(cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR))


def shrink(frame: Frame, width: int, height: int) -> Frame:
    """Resize a frame for people to look at. A smaller one has the mean of the pixels it replaces.

    Args:
        frame: (height, width, channels) uint8, any channel order.
        width: New width in pixels, at least 1.
        height: New height in pixels, at least 1.

    Returns:
        (height, width, channels) uint8.
    """
    return _uint8(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))


def to_rgb(frame: Frame) -> Frame:
    """Swap a frame's channels from OpenCV's BGR to RGB.

    Args:
        frame: (height, width, 3) uint8 BGR.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    return _uint8(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def to_clip_frame(frame: Frame, *, size: int = 224, crop: Crop = "centre-square") -> Frame:
    """Turn a decoded frame into a frame of the clip that the model sees.

    Args:
        frame: (height, width, 3) uint8 BGR, upright.
        size: Height and width of the result in pixels.
        crop: `centre-square`: the largest centred square is resized to `size`.
            `short-side-256`: the short side is resized to 256 * size / 224 pixels and the centre
            `size` x `size` is cut out, so that 87.5 % of the short side is seen (README of
            google-deepmind/kinetics-i3d).

    Returns:
        (size, size, 3) uint8 RGB.
    """
    if crop == "centre-square":
        return to_rgb(resize(crop_centre_square(frame), size, size))
    height, width = frame.shape[:2]
    short_side, (shown_width, shown_height) = _sizes_of_short_side_256(width, height, size)
    scale = short_side / min(height, width)
    shown = _crop_centre(frame, shown_width, shown_height)
    resized = resize(shown, round(shown_width * scale), round(shown_height * scale))
    return to_rgb(_crop_centre(resized, size, size))


def crop_box(
    width: int, height: int, *, size: int = 224, crop: Crop = "centre-square"
) -> tuple[float, float, float, float]:
    """Say which part of a frame `to_clip_frame` shows.

    Args:
        width: Of the upright frame, in pixels.
        height: Of the upright frame, in pixels.
        size: Height and width of the clip in pixels.
        crop: As in `to_clip_frame`.

    Returns:
        Left, top, right and bottom edge in pixels of the frame, from 0 to its width or height; the
        right and bottom edges are the first that are not seen. Pixels may be cut in two.
    """
    if crop == "centre-square":
        side = min(width, height)
        left, top = width // 2 - side // 2, height // 2 - side // 2
        return float(left), float(top), float(left + side), float(top + side)
    short_side, (shown_width, shown_height) = _sizes_of_short_side_256(width, height, size)
    scale = short_side / min(width, height)
    edges = []
    for whole, shown in ((width, shown_width), (height, shown_height)):
        resized = round(shown * scale)
        start = (whole - shown) // 2 + (resized - size) // 2 * shown / resized
        edges.append((start, start + size * shown / resized))
    (left_edge, right_edge), (top_edge, bottom_edge) = edges
    return left_edge, top_edge, right_edge, bottom_edge


def scale_pixels(frames: Frame, value_range: tuple[float, float]) -> FloatClip:
    """Scale pixels from 0..255 to a range of floats.

    Computed in float64 and rounded once: for (0, 1) the result equals the tutorial's
    `frames / 255.0`, for (-1, 1) DeepMind's `2 * frames / 255 - 1` (google-deepmind/
    kinetics-i3d#13), both rounded to float32.

    Args:
        frames: (..., 3) uint8.
        value_range: The values that 0 and 255 are scaled to.

    Returns:
        The same shape, float32.
    """
    low, high = value_range
    table = (low + (high - low) * np.arange(256) / 255.0).astype(np.float32)
    return np.asarray(table[frames], dtype=np.float32)


def _sizes_of_short_side_256(width: int, height: int, size: int) -> tuple[int, tuple[int, int]]:
    """The short side after resizing, and width and height of what is resized.

    What can't be seen of a very slim frame is cut off first: resized, it would be enormous.
    """
    return round(256 * size / 224), (min(width, 4 * height), min(height, 4 * width))


def _crop_centre(frame: Frame, width: int, height: int) -> Frame:
    top = (frame.shape[0] - height) // 2
    left = (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def _uint8(image: Any) -> Frame:
    """Give OpenCV's result, whose dtype its type hints leave open, its type."""
    return np.asarray(image, dtype=np.uint8)
