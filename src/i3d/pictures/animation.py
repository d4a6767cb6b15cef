"""Animated GIF, WebP and PNG, written with Pillow."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from i3d.video.frames import Frame

AnimationFormat: TypeAlias = Literal["gif", "webp", "apng"]

_PALETTE_PIXELS = 2**18
"""Pixels that a GIF's palette is chosen from. More take longer and give the same palette."""


@dataclass(frozen=True)
class _Format:
    pillow_name: str
    tick: int
    """Unit of the format's clock, in milliseconds."""
    shortest: int
    """Shortest time a picture is shown, in milliseconds. Browsers (Chromium, Firefox) show pictures
    of up to 10 ms for 100 ms, so that fast animations would crawl."""
    longest: int
    """Longest time that the format (for PNG, Pillow 11) can express, in milliseconds."""
    options: dict[str, Any] = field(default_factory=dict)


# WebP's effort goes from 0 to 6. At 224x224 on two processors, method 0 takes 10 ms a picture, 2
# takes 30 ms for 10 % less, 4 takes 70 ms for another 4 %.
_FORMATS = {
    "gif": _Format("GIF", 10, 20, 655_350, {"optimize": True}),
    "webp": _Format("WEBP", 1, 11, 2**24 - 1, {"lossless": True, "quality": 50, "method": 2}),
    "apng": _Format("PNG", 1, 11, 65_535),
}


def write_animation(
    path: str | os.PathLike[str],
    frames: Sequence[tuple[Frame, float]],
    end_seconds: float,
    format_name: AnimationFormat,
) -> int:
    """Write an animation that repeats for ever.

    WebP and PNG keep every pixel. A GIF has one palette for all frames, without dithering, which
    would cost 10 to 25 % in size, and whose dots crawl. Each frame is shown until the next one's
    time. Times are rounded to the format's clock, not durations, so that nothing drifts.

    Args:
        path: The file; an existing one is overwritten.
        frames: At least one: (height, width, 3) uint8 RGB, and the time it is shown at in seconds,
            from 0 and growing.
        end_seconds: When the last frame ends.
        format_name: The format.

    Returns:
        How many frames were left out because they came too soon after the one before.

    Raises:
        OSError: The file can't be written.
    """
    form = _FORMATS[format_name]
    shown: list[Frame] = []
    starts: list[int] = []
    for image, seconds in frames:
        start = round(seconds * 1000 / form.tick) * form.tick
        if not starts or start - starts[-1] >= form.shortest:
            shown.append(image)
            starts.append(start)
    end = round(end_seconds * 1000 / form.tick) * form.tick
    ends = [*starts[1:], max(end, starts[-1] + form.shortest)]
    options = dict(form.options)
    pictures = [Image.fromarray(image) for image in shown]
    if format_name == "gif":
        palette = _palette_of(shown)
        options["palette"] = palette.getpalette()
        pictures = [
            picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
        ]
    # Pillow also joins equal pictures, but fails where they last longer than the format can say.
    joined: list[Image.Image] = []
    durations: list[int] = []
    for picture, start, stop in zip(pictures, starts, ends, strict=True):
        if joined and picture == joined[-1]:
            durations[-1] += stop - start
        else:
            joined.append(picture)
            durations.append(stop - start)
    if format_name == "apng" and (len(joined) == 1 or max(durations) > form.longest):
        joined, durations = _in_pieces(joined, durations, form.longest)
        # Pillow joins equal pictures of equal blending only; without transparency both look alike.
        options["blend"] = [number % 2 for number in range(len(joined))]
    durations = [min(duration, form.longest) for duration in durations]
    # In memory first: Pillow does not tell that a disk is full.
    buffer = io.BytesIO()
    joined[0].save(
        buffer,
        form.pillow_name,
        save_all=True,
        append_images=joined[1:],
        duration=durations,
        loop=0,
        **options,
    )
    Path(path).write_bytes(buffer.getvalue())
    return len(frames) - len(shown)


def _in_pieces(
    pictures: list[Image.Image], durations: list[int], longest: int
) -> tuple[list[Image.Image], list[int]]:
    """Show a picture several times in a row instead of for too long; a lone one twice.

    A file with one picture would be a still without a duration.
    """
    pieces: list[Image.Image] = []
    parts: list[int] = []
    for picture, duration in zip(pictures, durations, strict=True):
        count = max(-(-duration // longest), 1 + (len(pictures) == 1))
        pieces += [picture] * count
        parts += [duration * (i + 1) // count - duration * i // count for i in range(count)]
    return pieces, parts


def _palette_of(frames: Sequence[Frame]) -> Image.Image:
    """Choose 255 colours for all frames, by median cut and one round of k-means.

    The 256th colour is left for pixels that do not change.
    """
    num_pixels = sum(frame.shape[0] * frame.shape[1] for frame in frames)
    step = num_pixels // _PALETTE_PIXELS + 1
    sample = np.concatenate([frame.reshape(-1, 1, 3)[::step] for frame in frames])
    return Image.fromarray(sample).quantize(255, Image.Quantize.MEDIANCUT, kmeans=1)
