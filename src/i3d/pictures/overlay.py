"""Draws what a timeline says of each moment on the picture that is shown then."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from i3d.pictures.lettering import Lettering

if TYPE_CHECKING:
    from i3d.analysis.results import Timeline
    from i3d.video.frames import Frame

NOTHING = "no confident action"
"""Shown without a segment."""

NOT_SEEN = "not classified"
"""Shown for moments that the model did not see."""

COLOURS = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 190, 140),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
"""Of segments, by label: Okabe and Ito's, which colour-blind people tell apart, on black."""

_WHITE, _GREY = (255, 255, 255, 255), (205, 205, 205, 255)
_BOX = (0, 0, 0, 185)
"""Dark enough for the text's contrast to be 5 to 1 and more on white (WCAG 2, 1.4.3)."""
_BAR = (85, 85, 85, 255)
_STRIP = (40, 40, 40)


@dataclass(frozen=True)
class _Line:
    """A label and its score at a moment."""

    label: str
    percent: int
    colour: tuple[int, int, int] | None
    """Of its segment; None without a segment."""


_Shown = tuple[str | None, tuple[_Line, ...]]
"""A sentence in place of a label, or None; and the lines below it."""


class Overlay:
    """Draws on the pictures of one video.

    A banner at the top left says which segment it is and how likely its label is now; a strip at
    the bottom shows all segments and where the picture is among them. What does not fit
    into a very small picture is left out.

    Args:
        timeline: Of the video.
        width: Of the pictures, in pixels.
        height: Of the pictures.
        start_seconds: When the first picture is shown.
        end_seconds: When the last one ends.
        top: From 2 on, the banner also lists so many labels, the most likely ones of each moment.
        font: A TrueType file; None for Pillow's own font, which has the characters of ASCII only.

    Raises:
        UsageError: The font can't be used.
    """

    def __init__(
        self,
        timeline: Timeline,
        width: int,
        height: int,
        *,
        start_seconds: float,
        end_seconds: float,
        top: int = 1,
        font: str | None = None,
    ) -> None:
        self._timeline = timeline
        self._top = top
        self._width, self._height = width, height
        # A 20th of the height is what subtitles have; upright videos are narrow.
        size = max(9, round(min(height / 20, width / 16)))
        self._letters = Lettering(size, font)
        self._gap = max(2, size // 3)
        self._tracks = {track.label_index: track for track in timeline.tracks}
        self._names = {
            track.label_index: self._letters.showable(track.label) for track in timeline.tracks
        }
        order = dict.fromkeys(segment.label_index for segment in timeline.segments)
        self._colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(order)}
        self._start, self._seconds = start_seconds, max(end_seconds - start_seconds, 1e-6)
        self._strip = self._drawn_strip()
        self._shown: _Shown | None = None
        self._banner: _Banner | None = None

    def draw(self, image: Frame, seconds: float) -> None:
        """Draw on a picture.

        Args:
            image: (height, width, 3) uint8 RGB; changed in place.
            seconds: When it is shown, since the video's first picture.
        """
        shown = self._at(seconds)
        if shown != self._shown:
            self._shown, self._banner = shown, self._drawn_banner(shown)
        if self._banner is not None:
            self._banner.blend_into(image, self._gap)
        strip = self._strip.shape[0]
        image[self._height - strip :] = self._strip
        head = max(1, strip // 4)
        left = round((seconds - self._start) / self._seconds * (self._width - head))
        left = min(max(left, 0), self._width - head)
        image[self._height - strip :, max(left - head, 0) : left + 2 * head] = 0
        image[self._height - strip :, left : left + head] = 255

    def _at(self, seconds: float) -> _Shown:
        """What is to be shown at a moment: equal where the picture is equal."""
        edges = self._timeline.edges_seconds
        step = bisect_right(edges, seconds + 1e-6) - 1
        last = len(edges) - 2
        # A long video may lose up to 7 frames at its end: they look like those before them.
        if step > last and seconds < 2 * edges[-1] - edges[-2]:
            step = last
        if not 0 <= step <= last:
            return NOT_SEEN, ()
        moment = min(seconds, edges[-1] - 1e-5) + 1e-6
        now = {
            segment.label_index
            for segment in self._timeline.segments
            if segment.start_seconds <= moment < segment.end_seconds
        }
        ranked = sorted(self._tracks, key=lambda label: -self._tracks[label].scores[step])
        lines = [
            _Line(
                self._names[label],
                round(100 * self._tracks[label].scores[step]),
                self._colours[label] if label in now else None,
            )
            for label in ranked
        ]
        current = [line for line in lines if line.colour is not None]
        head = None if current else NOTHING
        return head, tuple(current[:1] if self._top == 1 else lines[: self._top])

    def _drawn_banner(self, shown: _Shown) -> _Banner | None:
        sentence, lines = shown
        letters, gap = self._letters, self._gap
        room = self._width - 2 * gap
        if room < 4 * gap:
            return None
        percent = letters.width("100 %")
        bar = 0 if self._top == 1 else min(5 * letters.height, room // 4)
        mark = max(2, gap // 2)
        # mark, label, bar, percent
        beside = mark + 2 * gap + percent + 2 * gap + (bar + gap if bar else 0)
        names = [letters.fitting(line.label, max(room - beside, 0)) for line in lines]
        head = letters.fitting(sentence or "", room - 2 * gap)
        width = max([letters.width(name) + beside for name in names] or [0])
        width = min(max(width, letters.width(head) + 2 * gap if head else 0), room)
        pitch = letters.height + gap
        rows = len(lines) + bool(sentence)
        box = Image.new("RGBA", (width, rows * pitch + gap), _BOX)
        draw = ImageDraw.Draw(box)
        y = gap
        if sentence:
            letters.draw(draw, (gap, y), head, _GREY)
            y += pitch
        for line, name in zip(lines, names, strict=True):
            ink = _WHITE if line.colour else _GREY
            if line.colour:
                draw.rectangle((0, y, mark - 1, y + letters.height - 1), (*line.colour, 255))
            letters.draw(draw, (mark + gap, y), name, ink)
            number = f"{line.percent} %"
            right = width - gap
            letters.draw(draw, (right - letters.width(number), y), number, ink)
            if bar:
                left = right - percent - gap - bar
                top, bottom = y + letters.height // 4, y + letters.height - letters.height // 4
                draw.rectangle((left, top, left + bar - 1, bottom), _BAR)
                length = round(bar * line.percent / 100)
                if length:
                    fill = (*(line.colour or _GREY[:3]), 255)
                    draw.rectangle((left, top, left + length - 1, bottom), fill)
            y += pitch
        return _Banner(np.asarray(box))

    def _drawn_strip(self) -> Frame:
        """(height of the strip, width, 3) uint8 RGB: the segments of the video."""
        strip = np.empty((min(max(2, self._height // 50), self._height), self._width, 3), np.uint8)
        strip[:] = _STRIP
        for segment in self._timeline.segments:
            left, right = (
                min(max(round((t - self._start) / self._seconds * self._width), 0), self._width)
                for t in (segment.start_seconds, segment.end_seconds)
            )
            strip[:, left : max(right, left + 1)] = self._colours[segment.label_index]
        return strip


class _Banner:
    """A translucent picture, ready to be put on others.

    Args:
        rgba: (height, width, 4) uint8.
    """

    def __init__(self, rgba: npt.NDArray[np.uint8]) -> None:
        # Shares of 256: a shift in place of a division.
        alpha = (rgba[:, :, 3:].astype(np.uint16) * 256 + 127) // 255
        self._ink = rgba[:, :, :3] * alpha + 128
        self._rest = np.repeat(256 - alpha, 3, axis=2)  # numpy is slow with short last axes

    def blend_into(self, image: Frame, margin: int) -> None:
        """Put it at the top left of an image, as much of it as fits."""
        height, width = self._ink.shape[:2]
        part = image[margin : margin + height, margin : margin + width]
        height, width = part.shape[:2]
        part[:] = (part * self._rest[:height, :width] + self._ink[:height, :width]) >> 8
