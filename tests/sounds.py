"""Makers of videos with sound: silence, and beeps at known times; and where beeps are in a video.

Made and read with PyAV itself, for OpenCV knows no sound. Frames carry their numbers, as in
`videos`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import numpy.typing as npt

import videos

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEEP_SECONDS = 0.1
FPS = 25
_HEARD_RATE = 48000


def video_with_sound(
    path: Path,
    audio_codec: str = "aac",
    video_codec: str = "mpeg4",
    *,
    beeps: Sequence[float] = (1.0, 2.0),
    seconds: float = 3.0,
    picture_from: float = 0.0,
    sound_from: float = 0.0,
    rate: int = 48000,
    layout: str = "mono",
) -> Path:
    """Write a video of 25 frames a second in the container of its suffix.

    Args:
        path: Where to.
        audio_codec: FFmpeg's name of an encoder.
        video_codec: The same.
        beeps: When there are tones of 1000 Hz, on the container's clock.
        seconds: How long pictures and sound last, each from its own start.
        picture_from: When the first picture is shown, on the container's clock.
        sound_from: When the sound starts.
        rate: Samples per second.
        layout: FFmpeg's name of the channels, which all sound the same.
    """
    with av.open(str(path), "w") as container:
        pictures: Any = container.add_stream(video_codec, rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        if video_codec == "mjpeg":
            pictures.pix_fmt = "yuvj420p"
        sound: Any = container.add_stream(audio_codec, rate=rate)
        sound.codec_context.layout = layout
        times = sound_from + np.arange(round(seconds * rate)) / rate
        wave = np.zeros(len(times), np.float32)
        for beep in beeps:
            on = (times >= beep) & (times < beep + BEEP_SECONDS)
            wave[on] = 0.5 * np.sin(2 * np.pi * 1000 * (times[on] - beep))
        for i in range(round(seconds * FPS)):
            image = np.ascontiguousarray(videos.numbered_image(i % 256))
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts, picture.time_base = i + round(picture_from * FPS), Fraction(1, FPS)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        length = sound.codec_context.frame_size or 1024
        channels = len(sound.codec_context.layout.channels)
        resampler = av.AudioResampler(sound.codec_context.format, layout, rate, length)
        for start in range(0, len(wave), length):
            part = np.tile(wave[start : start + length], (channels, 1))
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.pts, frame.time_base = start + round(sound_from * rate), Fraction(1, rate)
            for ready in resampler.resample(frame):
                container.mux(sound.encode(ready))
        for ready in resampler.resample(None):
            container.mux(sound.encode(ready))
        container.mux(sound.encode(None))
    return path


def heard(path: Path) -> npt.NDArray[np.float32]:
    """The sound of a video as a player gives it, mono, 48,000 samples a second, from 0 on."""
    pieces: list[tuple[int, npt.NDArray[np.float32]]] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", _HEARD_RATE)
        for frame in container.decode(audio=0):
            assert frame.time is not None
            for part in resampler.resample(frame):
                pieces.append((round(frame.time * _HEARD_RATE), part.to_ndarray()[0]))
    samples = np.zeros(max(at + len(piece) for at, piece in pieces), np.float32)
    for at, piece in pieces:
        samples[max(at, 0) : at + len(piece)] = piece[max(-at, 0) :]
    return samples


def beeps_in(path: Path) -> list[float]:
    """When beeps start in a video, in seconds, and where a beep was cut, when its rest does."""
    loud = np.flatnonzero(np.abs(heard(path)) > 0.15)
    if not len(loud):
        return []
    starts = loud[np.diff(loud, prepend=-_HEARD_RATE) > _HEARD_RATE * BEEP_SECONDS / 2]
    return [float(start) / _HEARD_RATE for start in starts]


def sound_seconds(path: Path) -> float:
    """How long the sound of a video lasts, from 0 on."""
    return len(heard(path)) / _HEARD_RATE
