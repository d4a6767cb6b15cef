"""RGB to the YUV of an encoder, and what players are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import numpy.typing as npt

from i3d.pictures.source import first_picture, opened

if TYPE_CHECKING:
    import os

BT709 = 1
BT470BG = 5
SMPTE170M = 6
"""Code points of ITU-T H.273, for the matrix between RGB and YUV, and for primaries and transfer.
5 and 6 have the matrix of BT.601."""

_UNSPECIFIED = frozenset({0, 2})
"""Matrix, primaries or transfer are not said (2), or there is none, as of RGB (0)."""


@dataclass(frozen=True)
class Colours:
    """How RGB becomes YUV, and what a file says of it, in code points of ITU-T H.273."""

    uses_bt601: bool
    """Whether the matrix of BT.601 turns RGB into YUV; else that of BT.709."""
    matrix: int
    """The matrix that players are told."""
    primaries: int
    transfer: int


TRUE_RGB = Colours(uses_bt601=False, matrix=BT709, primaries=BT709, transfer=BT709)
"""RGB that means what it says, as high-definition video."""


def colours_of(path: str | os.PathLike[str]) -> Colours:
    """How to encode the pictures that OpenCV decodes of a video, so that they look as they did.

    OpenCV (4.12) turns any video into RGB with the matrix of BT.601, also one that asks for
    BT.709, as most do in high definition: its red comes out as (230, 0, 0). The way back goes
    through the same matrix, and players are told what the video told them.

    Returns:
        The colours; `TRUE_RGB` for folders, pictures, and what is stored as RGB.
    """
    try:
        with opened(path) as container:
            picture = first_picture(container)
            codec = container.streams.video[0].codec_context.name if picture else ""
    except (OSError, av.FFmpegError):
        return TRUE_RGB
    if picture is None or picture.format.is_rgb or picture.format.name == "pal8":
        return TRUE_RGB
    # What says nothing is taken by players for BT.601 up to 576 lines (PAL), for BT.709 above;
    # Motion JPEG is BT.601 (JFIF).
    is_small = picture.height <= 576 and picture.width <= 1024
    guess = SMPTE170M if is_small or codec == "mjpeg" else BT709
    matrix = int(picture.colorspace)
    primaries = int(getattr(picture, "color_primaries", 2))
    transfer = int(getattr(picture, "color_trc", 2))
    return Colours(
        uses_bt601=True,
        matrix=guess if matrix in _UNSPECIFIED else matrix,
        primaries=guess if primaries in _UNSPECIFIED else primaries,
        transfer=guess if transfer in _UNSPECIFIED else transfer,
    )


def to_yuv420(image: npt.NDArray[np.uint8], *, is_bt601: bool) -> npt.NDArray[np.uint8]:
    """Turn a picture into YUV, as FFmpeg's `yuv420p`.

    Not left to FFmpeg: versions of PyAV differ in whether they ask it for a matrix.

    Args:
        image: (height, width, 3) uint8 RGB, of even height and width.
        is_bt601: Take the matrix of BT.601; else that of BT.709.

    Returns:
        (height * 3 / 2, width) uint8: Y of 16 to 235, then U and V of 16 to 240, each of which is
        the mean of four pixels.
    """
    height, width = image.shape[:2]
    planes = np.empty((height * 3 // 2, width), np.uint8)
    yuv = cv2.transform(image, _MATRICES[is_bt601])
    small = cv2.resize(yuv, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    planes[:height] = yuv[:, :, 0]
    flat = planes[height:].reshape(2, height // 2, width // 2)
    flat[0], flat[1] = small[:, :, 1], small[:, :, 2]
    return planes


def _matrix(red: float, blue: float) -> npt.NDArray[np.float64]:
    """From RGB to YUV (ITU-T H.273, 8.3), from the shares of red and blue in the luma."""
    luma = np.array([red, 1 - red - blue, blue])
    u = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    v = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.column_stack([np.stack([219 * luma, 224 * u, 224 * v]) / 255, [16, 128, 128]])


_MATRICES = {False: _matrix(0.2126, 0.0722), True: _matrix(0.299, 0.114)}
"""Whether it is BT.601's -> the matrix."""
