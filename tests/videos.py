"""Makers of test videos: small, deterministic, offline, and wrong in a chosen way.

Frames carry their number as eight black and white bars, which survive lossy coding, cropping at
the top and bottom, and resizing: `read_number` gives it back. `write_video` goes through OpenCV's
own encoders; `write_avi` and `write_mp4` put the container together byte by byte around PNG
pictures, so that they are lossless, take any size, and can be made to lie.

OpenCV's shape and channel order are used throughout: (height, width, 3) uint8 BGR. Sizes are
(width, height), as in OpenCV.
"""

from __future__ import annotations

import math
import struct
import wave
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Image: TypeAlias = npt.NDArray[np.uint8]

RED, GREEN, BLUE, WHITE, BLACK = (
    (0, 0, 255),
    (0, 255, 0),
    (255, 0, 0),
    (255, 255, 255),
    (0, 0, 0),
)
"""Colours in BGR."""

NUM_BARS = 8


# Pictures


def numbered_image(number: int, size: tuple[int, int] = (64, 48)) -> Image:
    """A picture of bars that spell `number` (0 to 255), the highest bit at the left."""
    width, height = size
    columns = np.arange(width) * NUM_BARS // width
    bits = number >> (NUM_BARS - 1 - columns) & 1
    row = np.asarray(bits * 255, dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def read_number(image: npt.NDArray[np.generic]) -> int:
    """The number in a picture of `numbered_image`, uint8 or floats of any range from 0."""
    row = image.mean(axis=(0, 2))
    edges = [len(row) * i // NUM_BARS for i in range(NUM_BARS + 1)]
    levels = [
        row[left + (right - left) // 4 : right - (right - left) // 4].mean()
        for left, right in pairwise(edges)
    ]
    return sum(int(level > image.max() / 2) << (NUM_BARS - 1 - i) for i, level in enumerate(levels))


def corner_image(size: tuple[int, int] = (64, 48)) -> Image:
    """A picture whose quarters are red, green (above), blue, white (below)."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, : width // 2] = BLUE
    image[height // 2 :, width // 2 :] = WHITE
    return image


def corner_names(image: Image) -> list[str]:
    """Names of the colours at the top left, top right, bottom left and bottom right."""
    height, width = image.shape[:2]
    names = []
    for y in (height // 4, height - height // 4):
        for x in (width // 4, width - width // 4):
            colour = tuple(int(channel > 127) for channel in image[y, x])
            names.append(
                {(0, 0, 1): "red", (0, 1, 0): "green", (1, 0, 0): "blue", (1, 1, 1): "white"}.get(
                    colour, str(image[y, x])
                )
            )
    return names


def noise_image(seed: int, size: tuple[int, int] = (64, 48)) -> Image:
    """A picture of random pixels, the same for the same seed."""
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# Videos


def write_video(
    path: Path,
    num_frames: int = 20,
    fps: float = 25,
    size: tuple[int, int] = (64, 48),
    codec: str = "MJPG",
    frame: Callable[[int], Image] | None = None,
) -> Path:
    """Write a video with one of OpenCV's encoders; frame i carries the number i (modulo 256).

    Args:
        path: Its suffix chooses the container: `.avi` for MJPG, `.mp4` for mp4v.
        num_frames: Number of frames.
        fps: Frame rate.
        size: Width and height, even for most codecs. Ignored where `frame` is given.
        codec: Four-character code.
        frame: Makes the picture of frame i; by default the numbered bars.
    """
    make = frame or (lambda i: numbered_image(i % 256, size))
    height, width = make(0).shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    assert writer.isOpened(), f"OpenCV cannot write {codec} to {path}"
    for i in range(num_frames):
        writer.write(make(i))
    writer.release()
    return path


def write_avi(
    path: Path,
    images: Iterable[Image | None],
    *,
    fps: tuple[int, int] = (25, 1),
    claimed_frames: int | None = None,
) -> Path:
    """Write a lossless AVI (PNG pictures) byte by byte.

    Args:
        path: Where to.
        images: The pictures, all of one size, of any size. None: a dropped frame, which an AVI
            stores as a chunk without bytes: it takes up time and shows nothing new.
        fps: Frame rate as a fraction, what the header claims.
        claimed_frames: Number of frames that the header claims; by default the true one.
    """
    chunks = [b"" if image is None else _png(image) for image in images]
    height, width = _size_of_png(next(chunk for chunk in chunks if chunk))
    count = len(chunks) if claimed_frames is None else claimed_frames
    rate, scale = fps
    longest = max(map(len, chunks))
    avih = struct.pack(
        "<14I", 1_000_000 * scale // rate, 0, 0, 0x10, count, 0, 1, longest, width, height, *[0] * 4
    )
    strh = b"vidsMPNG" + struct.pack(
        "<10I4H", 0, 0, 0, scale, rate, 0, count, longest, 2**32 - 1, 0, 0, 0, width, height
    )
    strf = struct.pack("<3I2H4s5I", 40, width, height, 1, 24, b"MPNG", width * height * 3, *[0] * 4)
    movi, index = b"movi", b""
    for chunk in chunks:
        index += b"00dc" + struct.pack("<3I", 0x10, len(movi), len(chunk))
        movi += _riff(b"00dc", chunk)
    header = b"hdrl" + _riff(b"avih", avih)
    header += _riff(b"LIST", b"strl" + _riff(b"strh", strh) + _riff(b"strf", strf))
    body = _riff(b"LIST", header) + _riff(b"LIST", movi) + _riff(b"idx1", index)
    path.write_bytes(_riff(b"RIFF", b"AVI " + body))
    return path


def write_mp4(
    path: Path,
    images: Iterable[Image],
    *,
    durations: Sequence[int] | int = 40,
    timescale: int = 1000,
    angle: int = 0,
    claimed_frames: int | None = None,
    hidden_frames: int = 0,
) -> Path:
    """Write a lossless MP4 or MOV (PNG pictures) byte by byte, its index at the end.

    Args:
        path: Where to.
        images: The pictures, all of one size, of any size.
        durations: How long each frame is shown, or all of them, in units of 1/timescale seconds.
        timescale: Units per second.
        angle: Clockwise rotation that a player has to apply: 0, 90, 180, 270.
        claimed_frames: Number of frames that the headers claim, the time table (stts) above all.
        hidden_frames: Number of frames at the start that an edit list hides, as a cut without
            re-encoding leaves them.
    """
    samples = [_png(image) for image in images]
    height, width = _size_of_png(samples[0])
    shown = [durations] * len(samples) if isinstance(durations, int) else list(durations)
    assert len(shown) == len(samples), "one duration a frame"
    if claimed_frames is None:
        table = [(1, duration) for duration in shown]
    else:
        table = [(claimed_frames, shown[0])]
    length = sum(count * duration for count, duration in table)
    hidden = sum(shown[:hidden_frames])
    entry = _box(
        "png ",
        struct.pack(">6xH16x2H2I4xH32s2H", 1, width, height, 72 << 16, 72 << 16, 1, b"", 24, 65535),
    )
    track = _track(
        handler=b"vide",
        media_header=_box("vmhd", struct.pack(">I8x", 1)),
        entry=entry,
        samples=samples,
        table=table,
        timescale=timescale,
        duration=length,
        hidden=hidden,
        angle=angle,
        size=(width, height),
    )
    path.write_bytes(_movie(track, samples, timescale, length - hidden))
    return path


def rotated_mp4(path: Path, angle: int, size: tuple[int, int] = (64, 48)) -> Path:
    """A phone's video: three frames of `corner_image`, coded as they are, to be turned by `angle`
    clockwise."""
    return write_mp4(path, [corner_image(size)] * 3, angle=angle)


def rotate_in_place(path: Path, angle: int) -> Path:
    """Write a rotation into an MP4 that an encoder has made."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[matrix : matrix + 36] = _display_matrix(angle)
    path.write_bytes(data)
    return path


def variable_rate_mp4(path: Path, durations: Sequence[int], timescale: int = 1000) -> Path:
    """Numbered frames; frame i is shown for `durations[i]` units of 1/timescale seconds."""
    images = (numbered_image(i % 256) for i in range(len(durations)))
    return write_mp4(path, images, durations=durations, timescale=timescale)


def stamped_mp4(path: Path, timestamps: Sequence[int], timescale: int = 1000) -> Path:
    """Numbered frames; frame i is stamped `timestamps[i]`, in units of 1/timescale seconds."""
    durations = [after - before for before, after in pairwise(timestamps)]
    typical = sorted(durations)[len(durations) // 2] if durations else timescale // 25
    return variable_rate_mp4(path, [*durations, typical], timescale)


def interlaced_mov(path: Path, num_frames: int = 3) -> Path:
    """Numbered frames that are marked as interlaced, as camcorders and television stations make
    them; uncompressed (UYVY), grey."""
    width, height = 64, 48
    samples = []
    for i in range(num_frames):
        image = np.full((height, width, 2), 128, np.uint8)
        image[:, :, 1] = np.clip(numbered_image(i)[:, :, 0], 16, 235)
        samples.append(image.tobytes())
    sizes = (width, height, 72 << 16, 72 << 16, 1, b"", 24, 65535)
    entry = _box("2vuy", struct.pack(">6xH16x2H2I4xH32s2H", 1, *sizes), _box("fiel", b"\x02\x01"))
    track = _track(
        handler=b"vide",
        media_header=_box("vmhd", struct.pack(">I8x", 1)),
        entry=entry,
        samples=samples,
        table=[(num_frames, 40)],
        timescale=1000,
        duration=40 * num_frames,
        size=(width, height),
    )
    path.write_bytes(_movie(track, samples, 1000, 40 * num_frames))
    return path


def animated_gif(
    path: Path, images: Iterable[Image] | None = None, delays: Sequence[int] | int = 10
) -> Path:
    """An animated GIF, by default of five numbered frames.

    Args:
        path: Where to.
        images: The pictures, of one size. Colours are rounded to 3 bits of red and green and 2 of
            blue; those named above come through as they are.
        delays: How long each frame is shown, or all of them, in hundredths of a second.
    """
    pictures = [numbered_image(i) for i in range(5)] if images is None else list(images)
    times = [delays] * len(pictures) if isinstance(delays, int) else delays
    height, width = pictures[0].shape[:2]
    palette = bytes(
        level
        for i in range(256)
        for level in ((i >> 5) * 255 // 7, (i >> 2 & 7) * 255 // 7, (i & 3) * 255 // 3)
    )
    data = b"GIF89a" + struct.pack("<2H3B", width, height, 0xF7, 0, 0) + palette
    data += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # repeat for ever
    for picture, delay in zip(pictures, times, strict=True):
        blue, green, red = (picture[:, :, i].ravel() for i in range(3))
        indices = (red & 0xE0) | (green >> 5) << 2 | blue >> 6
        data += b"\x21\xf9\x04\x00" + struct.pack("<HBB", delay, 0, 0)
        data += b"\x2c" + struct.pack("<4HB", 0, 0, width, height, 0)
        data += b"\x08" + _gif_blocks(indices)
    path.write_bytes(data + b"\x3b")
    return path


def image_folder(
    path: Path,
    num_images: int = 5,
    size: tuple[int, int] = (64, 48),
    name: str = "img{}.png",
    images: Iterable[Image] | None = None,
) -> Path:
    """A folder of images, image i named `name.format(i)`; by default with the number i in it."""
    path.mkdir(parents=True, exist_ok=True)
    pictures = (numbered_image(i % 256, size) for i in range(num_images))
    for i, picture in enumerate(pictures if images is None else images):
        write_image(path / name.format(i), picture)
    return path


def write_image(path: Path, image: npt.NDArray[np.generic]) -> Path:
    """Write an image in the format of its suffix, under any name."""
    ok, data = cv2.imencode(path.suffix.lower(), image)
    assert ok, f"OpenCV cannot write {path.suffix}"
    path.write_bytes(data.tobytes())
    return path


def jpeg_with_orientation(path: Path, image: Image, orientation: int) -> Path:
    """A JPEG whose EXIF says how a viewer has to turn it (1 to 8; 6: clockwise by 90 degrees)."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert ok
    # Big-endian TIFF, one entry: tag 0x0112 (orientation), type 3 (short), one value.
    exif = b"Exif\0\0MM" + struct.pack(">HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    jpeg = data.tobytes()
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    return path


# Files that are broken, or no videos at all


def truncated(path: Path, keep: float = 0.5) -> Path:
    """Cut a file off, in place: an interrupted download or copy."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def empty(path: Path) -> Path:
    """A file of 0 bytes."""
    path.write_bytes(b"")
    return path


def not_a_video(path: Path, num_bytes: int = 5000) -> Path:
    """Random bytes, always the same."""
    path.write_bytes(np.random.default_rng(0).bytes(num_bytes))
    return path


def text_file(path: Path, text: str = "Not a video, but a few lines.\nOf text.\n") -> Path:
    """A text file in UTF-8."""
    path.write_bytes(text.encode())
    return path


def sound_only(path: Path) -> Path:
    """A file with a tenth of a second of a tone and no pictures: WAV, or MP4 by its suffix."""
    tone = [round(8000 * math.sin(i / 6)) for i in range(800)]
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(struct.pack("<800h", *tone))
        return path
    samples = [struct.pack(">h", level) for level in tone]
    entry = _box("twos", struct.pack(">6xH8x2H4xI", 1, 1, 16, 8000 << 16))
    track = _track(
        handler=b"soun",
        media_header=_box("smhd", bytes(8)),
        entry=entry,
        samples=samples,
        table=[(len(samples), 1)],
        timescale=8000,
        duration=len(samples),
    )
    path.write_bytes(_movie(track, samples, 8000, len(samples)))
    return path


# Bytes


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _box(name: str, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + name.encode() + data


def _movie(track: bytes, samples: Sequence[bytes], timescale: int, duration: int) -> bytes:
    """A file of one track. Its samples follow the ftyp box of 20 bytes, where `_track` says."""
    mvhd = struct.pack(">4x8x2IIH10x", timescale, duration, 1 << 16, 256)
    mvhd += _display_matrix(0) + bytes(24) + struct.pack(">I", 2)
    head = _box("ftyp", b"qt  ", bytes(4), b"qt  ")
    return head + _box("mdat", *samples) + _box("moov", _box("mvhd", mvhd), track)


def _track(
    *,
    handler: bytes,
    media_header: bytes,
    entry: bytes,
    samples: Sequence[bytes],
    table: Sequence[tuple[int, int]],
    timescale: int,
    duration: int,
    hidden: int = 0,
    angle: int = 0,
    size: tuple[int, int] = (0, 0),
) -> bytes:
    tkhd = struct.pack(">I8xI4xI8x8x", 7, 1, duration - hidden) + _display_matrix(angle)
    tkhd += struct.pack(">2I", size[0] << 16, size[1] << 16)
    first_byte = 20 + 8  # behind the ftyp box and the head of the mdat box
    stbl = _box(
        "stbl",
        _box("stsd", struct.pack(">4xI", 1), entry),
        _box("stts", struct.pack(">4xI", len(table)), *(struct.pack(">2I", *row) for row in table)),
        _box("stsc", struct.pack(">4xI3I", 1, 1, len(samples), 1)),
        _box("stsz", struct.pack(f">4xII{len(samples)}I", 0, len(samples), *map(len, samples))),
        _box("stco", struct.pack(">4xII", 1, first_byte)),
    )
    reference = _box("dinf", _box("dref", struct.pack(">4xI", 1), _box("url ", b"\0\0\0\1")))
    mdhd = _box("mdhd", struct.pack(">4x8x2I4x", timescale, duration))
    hdlr = _box("hdlr", b"\0\0\0\0mhlr" + handler + bytes(13))
    mdia = _box("mdia", mdhd, hdlr, _box("minf", media_header, reference, stbl))
    elst = struct.pack(">4xI2iI", 1, duration - hidden, hidden, 1 << 16)
    edts = _box("edts", _box("elst", elst)) if hidden else b""
    return _box("trak", _box("tkhd", tkhd), edts, mdia)


def _display_matrix(angle: int) -> bytes:
    a, b, c, d = {
        0: (1, 0, 0, 1),
        90: (0, 1, -1, 0),
        180: (-1, 0, 0, -1),
        270: (0, -1, 1, 0),
    }[angle]
    return struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


def _gif_blocks(indices: npt.NDArray[np.uint8]) -> bytes:
    """LZW without compression: starting anew before the codes outgrow 9 bits."""
    codes: list[int] = []
    for start in range(0, len(indices), 250):
        codes += [256, *indices[start : start + 250].tolist()]
    codes.append(257)
    bits = np.array(codes)[:, None] >> np.arange(9) & 1
    data = np.packbits(bits.ravel().astype(np.uint8), bitorder="little").tobytes()
    blocks = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _png(image: Image) -> bytes:
    ok, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert ok
    return data.tobytes()


def _size_of_png(png: bytes) -> tuple[int, int]:
    """Height and width."""
    width, height = struct.unpack(">2I", png[16:24])
    return height, width
