"""Pictures and sound to a video that browsers play: H.264 and AAC in MP4.

The only importer of PyAV, which brings FFmpeg along.
"""

from __future__ import annotations

import errno
import math
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from i3d.errors import OutputError
from i3d.pictures.sound import Sound, first_picture, open_sound, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from av.packet import Packet
    from typing_extensions import Self

__all__ = ["VideoWriter"]

TICKS = 90_000
"""Ticks of the clock per second: MPEG's, in which 24, 25, 30 and 30000/1001 frames a second have
whole numbers, and whole milliseconds, too."""

KEYFRAME_SECONDS = 2.0
"""Longest time between keyframes, which a click in a player's bar jumps to."""

_ENCODERS = ("libx264", "h264_videotoolbox", "h264_mf", "libopenh264")
"""Encoders of H.264; the first that works is used. PyAV's wheels include libx264; builds from conda
or a distribution may only have the system's own, or none."""

_X264_OPTIONS = {
    "preset": "veryfast",
    "crf": "20",
    # Pictures are stored in the order they are shown in, so that players need no edit lists.
    "bf": "0",
    "forced-idr": "1",
}

_BITS_PER_PIXEL = 0.15
"""For the other encoders, which have no constant quality; at 25 frames a second."""

_MAX_THREADS = 8
"""Each thread of an encoder holds several pictures, 12 MB each in 4K."""


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
    # Players assume BT.601 up to 576 lines (PAL) and BT.709 above if a video does not say;
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


class VideoWriter:
    """Writes a video, picture by picture, in bounded memory.

        with VideoWriter("out.mp4", 640, 360, source="clip.avi") as writer:
            writer.write(image, 0.0)
            writer.write(image, 0.04)
            writer.finish(0.08)

    A block that ends without `finish` leaves no file.

    Args:
        path: The file, an MP4 whatever its name. An existing one is overwritten.
        width: Of the pictures in pixels. If it is odd, the last column is repeated, since H.264's
            colours come in blocks of 2 x 2 pixels.
        height: Of the pictures, in the same way.
        source: The video whose pictures these are, as `i3d.video.reader.VideoReader` gives them
            (but in RGB): they keep its colours, see `colours_of`, and its first sound track. AAC
            and MP3 are copied as they are, everything else is encoded as AAC. `sound` and
            `sound_problem` say what became of it. None for no sound, and RGB that means what it
            says.
        start_seconds: The moment of that video that is the new video's 0, since its first picture.
        end_seconds: The moment of that video after which no sound is kept; the end of the new
            video cuts it, too.

    Raises:
        OutputError: The file can't be written, or this PyAV has no encoder of H.264.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        *,
        source: str | None = None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
    ) -> None:
        # An absolute path is never taken for a protocol ("concat:") or an option.
        self._path = Path(path).absolute()
        self._size = (height, width)
        self._colours = TRUE_RGB if source is None else colours_of(source)
        self._waiting: Packet[Any] | None = None
        self._last_tick = -1
        self._last_keyframe = -1
        self._is_finished = False
        self._sound_end = math.inf if end_seconds is None else end_seconds - start_seconds
        self.sound: Sound | None = None
        """The sound that is written along; None for none."""
        self.sound_problem: str | None = None
        """Why the sound is not kept, as a clause; None if it is, or if there is none."""
        with self._told():
            self._container = av.open(
                str(self._path), "w", format="mp4", options={"movflags": "+faststart"}
            )
        try:
            with self._told():
                self._stream = self._open_encoder()
            if source is not None:
                self.sound, self.sound_problem = open_sound(source, self._container, start_seconds)
            with self._told():
                self._container.start_encoding()
        except BaseException:
            self._abandon()
            raise

    def write(self, image: npt.NDArray[np.uint8], seconds: float) -> None:
        """Add a picture.

        Args:
            image: (height, width, 3) uint8 RGB, of the video's size; not kept.
            seconds: When it is shown. Times grow. The first picture is always shown from 0 on.

        Raises:
            OutputError: The encoder failed, or the disk is full.
            ValueError: The picture has another size.
        """
        if image.shape[:2] != self._size:
            raise ValueError(f"a picture of {self._size} pixels, not {image.shape[:2]}")
        tick = max(round(seconds * TICKS), self._last_tick + 1) if self._last_tick >= 0 else 0
        height, width = self._size
        even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        planes = to_yuv420(np.asarray(even, np.uint8), is_bt601=self._colours.uses_bt601)
        with self._told():
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts = tick
            picture.time_base = Fraction(1, TICKS)
            if self._last_keyframe < 0 or tick - self._last_keyframe >= KEYFRAME_SECONDS * TICKS:
                picture.pict_type = PictureType.I
                self._last_keyframe = tick
            if self.sound is not None:
                self.sound.write_until(min(tick / TICKS, self._sound_end))
            for packet in self._stream.encode(picture):
                self._mux(packet)
        self._last_tick = tick

    def finish(self, end_seconds: float) -> None:
        """Write what is left: then the file is whole.

        Args:
            end_seconds: When the last picture ends, and with it the sound.

        Raises:
            OutputError: The encoder failed, or the disk is full.
            RuntimeError: No picture was written.
        """
        if self._last_tick < 0:
            raise RuntimeError("a video has at least one picture")
        end = max(round(end_seconds * TICKS), self._last_tick + 1)
        with self._told():
            if self.sound is not None:
                self.sound.finish(min(end / TICKS, self._sound_end))
            for packet in self._stream.encode(None):
                self._mux(packet)
            if self._waiting is not None:
                self._waiting.duration = end - (self._waiting.pts or 0)
                self._container.mux(self._waiting)
            self._container.close()
        self._is_finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.sound is not None:
            self.sound.close()
        if not self._is_finished:
            self._abandon()

    def _open_encoder(self) -> Any:
        """Add a track for the first encoder that works."""
        problems = []
        for name in _ENCODERS:
            try:
                trial = av.CodecContext.create(name, "w")
                self._set_up(trial, name)
                trial.open()
            except av.codec.codec.UnknownCodecError:
                continue
            except av.FFmpegError as error:  # such as a system's own without a GPU
                problems.append(f"{name}: {error.strerror}")
                continue
            stream: Any = self._container.add_stream(name, rate=25)
            self._set_up(stream.codec_context, name)
            return stream
        raise OutputError(
            "No video can be written: this PyAV has no encoder of H.264.",
            hint="Install the one from PyPI: pip install --force-reinstall av",
            details=tuple(problems),
        )

    def _set_up(self, context: Any, name: str) -> None:
        height, width = self._size
        context.height, context.width = height + height % 2, width + width % 2
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, TICKS)
        context.framerate = Fraction(25)
        context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
        context.color_range = 1  # 16 to 235, what every player expects
        context.colorspace = self._colours.matrix
        context.color_primaries = self._colours.primaries
        context.color_trc = self._colours.transfer
        if name == "libx264":
            context.options = _X264_OPTIONS
        else:
            context.bit_rate = round(context.width * context.height * 25 * _BITS_PER_PIXEL)

    def _mux(self, packet: Packet[Any]) -> None:
        """Write a packet once the next one has come: then its duration is known."""
        if self._waiting is not None:
            self._waiting.duration = (packet.pts or 0) - (self._waiting.pts or 0)
            self._container.mux(self._waiting)
        self._waiting = packet

    def _abandon(self) -> None:
        """Close the file without making it whole, and remove it."""
        # Otherwise FFmpeg copies the whole file again, to put the index in front.
        with suppress(OSError):
            os.truncate(self._path, 0)
        with suppress(av.FFmpegError, OSError):
            self._container.close()
        with suppress(OSError):
            self._path.unlink()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn errors of FFmpeg or the system into a sentence."""
        try:
            yield
        except OutputError:
            raise
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or str(error)
            told = OutputError(
                f"The video {self._path} cannot be written: {reason}.",
                hint="Make room on the disk."
                if error.errno == errno.ENOSPC
                else "Write to another place.",
            )
            told.errno, told.strerror = error.errno, reason  # for other sentences about it
            raise told from error


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
