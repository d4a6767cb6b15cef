"""A sheet of pictures: the original with the crop marked, and exact frames with their times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from i3d.pictures.lettering import Lettering
from i3d.video.frames import crop_box, to_rgb
from i3d.video.recipes import MIN_FRAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.pictures.preview import ShownFrame
    from i3d.video.frames import Frame
    from i3d.video.info import ClipInfo, VideoInfo
    from i3d.video.recipes import Recipe

MARGIN = 16
GAP = 8
CONTENT_WIDTH = 5 * 224 + 4 * GAP
"""Least width between the margins: five frames of I3D's."""
PANEL_SIZE = (2 * 224 + GAP, 336)
"""Room for the original."""
OUTLINE = (255, 196, 0)
_BACKGROUND = (255, 255, 255)
_INK = (24, 24, 24)
_FAINT_INK = (96, 96, 96)
_NAME_SIZE, _TEXT_SIZE, _CAPTION_SIZE = 22, 15, 13
_LINE_HEIGHT = 24
_CAPTION_HEIGHT = 20
_VALUES_AT = 110
"""Where values start, after their names, in pixels."""
_DIMMED = 0.35
"""Brightness of the part that the model does not see."""


@dataclass(frozen=True)
class SheetFacts:
    """What a sheet says above its frames."""

    video: VideoInfo
    clip: ClipInfo
    recipe: Recipe
    size: int
    """Height and width of the frames in pixels."""
    one_in: int
    """One frame of so many is shown; 0 if they are chosen at equal distances."""


@dataclass(frozen=True)
class SheetLayout:
    """Where things are on a sheet, in pixels."""

    num_frames: int
    size: int
    """Height and width of the frames."""

    @property
    def cell_width(self) -> int:
        """Of a frame with its caption."""
        return max(self.size, _letters(_CAPTION_SIZE).width("0:00:00.00  frame 000000"))

    @property
    def num_columns(self) -> int:
        """Frames side by side: about as many as make the sheet a little wider than high."""
        fitting = (CONTENT_WIDTH + GAP) // (self.cell_width + GAP)
        return max(1, fitting, math.ceil(math.sqrt(1.25 * self.num_frames)))

    @property
    def frames_top(self) -> int:
        """Where the frames begin."""
        return 2 * MARGIN + PANEL_SIZE[1]

    @property
    def width(self) -> int:
        """Of the sheet."""
        columns = self.num_columns
        return 2 * MARGIN + max(CONTENT_WIDTH, columns * (self.cell_width + GAP) - GAP)

    @property
    def height(self) -> int:
        """Of the sheet."""
        num_rows = -(-self.num_frames // self.num_columns)
        row_height = self.size + _CAPTION_HEIGHT + GAP
        return self.frames_top + num_rows * row_height - GAP + MARGIN

    def frame_at(self, index: int) -> tuple[int, int]:
        """Left and top edge of a frame."""
        row, column = divmod(index, self.num_columns)
        return (
            MARGIN + column * (self.cell_width + GAP),
            self.frames_top + row * (self.size + _CAPTION_HEIGHT + GAP),
        )


def draw_sheet(frames: Sequence[ShownFrame], original: Frame, facts: SheetFacts) -> Image.Image:
    """Draw a sheet.

    Args:
        frames: What it shows, at least one; their pixels are copied as they are.
        original: The clip's first frame, (height, width, 3) uint8 BGR, upright, before it was cut.
        facts: What it says.

    Returns:
        An RGB picture.
    """
    layout = SheetLayout(len(frames), facts.size)
    sheet = Image.new("RGB", (layout.width, layout.height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    panel = draw_panel(original, facts.recipe, facts.size)
    sheet.paste(panel, (MARGIN, MARGIN))
    _write_facts(draw, original, facts, len(frames), layout.width)
    for index, frame in enumerate(frames):
        left, top = layout.frame_at(index)
        sheet.paste(Image.fromarray(frame.image), (left, top))
        caption = f"{clock(frame.seconds)}  frame {frame.number}"
        place = (left, top + facts.size + 3)
        _letters(_CAPTION_SIZE).draw(draw, place, caption, _FAINT_INK)
    return sheet


def draw_panel(original: Frame, recipe: Recipe, size: int) -> Image.Image:
    """Draw the original, scaled to fit `PANEL_SIZE`: what the model does not see is dimmed.

    Args:
        original: (height, width, 3) uint8 BGR, upright.
        recipe: How it is cut.
        size: Height and width of the clip in pixels.
    """
    height, width = original.shape[:2]
    scale = min(PANEL_SIZE[0] / width, PANEL_SIZE[1] / height)
    shown_width, shown_height = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(to_rgb(original)).resize((shown_width, shown_height))
    left, top, right, bottom = crop_box(width, height, size=size, crop=recipe.crop)
    across, down = shown_width / width, shown_height / height
    start = round(left * across), round(top * down)
    # Of a very slim picture, at least one pixel.
    end = max(round(right * across), start[0] + 1), max(round(bottom * down), start[1] + 1)
    panel = Image.fromarray((np.asarray(picture) * _DIMMED).astype(np.uint8))
    panel.paste(picture.crop((*start, *end)), start)
    outline = *start, end[0] - 1, end[1] - 1
    line_width = 2 if min(end[0] - start[0], end[1] - start[1]) > 4 else 1
    ImageDraw.Draw(panel).rectangle(outline, outline=OUTLINE, width=line_width)
    return panel


def clock(seconds: float) -> str:
    """Write a time to the hundredth: `0:01.24`, `1:02:00.00`."""
    whole, hundredths = divmod(round(100 * seconds), 100)
    hours, minutes = whole // 3600, whole // 60 % 60
    text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{text}:{whole % 60:02d}.{hundredths:02d}"


def _write_facts(
    draw: ImageDraw.ImageDraw, original: Frame, facts: SheetFacts, num_shown: int, width: int
) -> None:
    left = MARGIN + PANEL_SIZE[0] + MARGIN
    room = width - MARGIN - left
    path = Path(facts.video.path)
    title, text = _letters(_NAME_SIZE), _letters(_TEXT_SIZE)
    name = title.fitting(title.showable(path.name or str(path)), room, keep_end=True)
    title.draw(draw, (left, MARGIN), name, _INK)
    top = MARGIN + _NAME_SIZE + GAP + 2
    for label, value in _lines(original, facts, num_shown):
        text.draw(draw, (left, top), label, _FAINT_INK)
        shown = text.fitting(value, room - _VALUES_AT)
        text.draw(draw, (left + _VALUES_AT, top), shown, _INK)
        top += _LINE_HEIGHT


@cache
def _letters(size: int) -> Lettering:
    return Lettering(size)


def _lines(original: Frame, facts: SheetFacts, num_shown: int) -> list[tuple[str, str]]:
    video, clip, recipe = facts.video, facts.clip, facts.recipe
    height, width = original.shape[:2]
    left, top, right, bottom = crop_box(width, height, size=facts.size, crop=recipe.crop)
    seen = 100 * (right - left) * (bottom - top) / (width * height)
    box = f"{_short(right - left)} x {_short(bottom - top)} pixels"
    crop = f"{recipe.crop}: {box} from ({_short(left)}, {_short(top)}), {seen:.0f} % of the picture"
    turned = video.rotation_degrees
    turn = f", turned clockwise by {turned} degrees" if turned else ""
    claimed = video.fps_from_header
    is_true = claimed is None or math.isclose(claimed, video.fps, rel_tol=0.01)
    claim = "" if is_true else f" (its header says {claimed:.6g})"
    rate = "every frame is used" if recipe.fps is None else f"thinned to {recipe.fps:g} at most"
    lines = [
        ("original", f"{width} x {height} pixels{turn}"),
        ("per second", f"{video.fps:.4g} frames{claim}; {clip.fps:.4g} in the clip ({rate})"),
        ("recipe", recipe.name),
        ("crop", crop),
        ("size", f"{facts.size} x {facts.size} pixels"),
        (
            "clip",
            f"{_frames(clip.num_frames)}, {clock(clip.start_seconds)} to {clock(clip.end_seconds)}",
        ),
        ("shown", _share(num_shown, facts)),
    ]
    if clip.num_frames_fed > clip.num_frames:
        fed = f"I3D needs {MIN_FRAMES}: these are repeated, {clip.num_frames_fed} in all"
        lines.append(("repeated", fed))
    if video.num_frames_damaged:
        lines.append(("damaged", f"{_frames(video.num_frames_damaged)} of the file left out"))
    if video.ended_early:
        lines.append(("cut off", "the file ends earlier than its header says"))
    return lines


def _share(num_shown: int, facts: SheetFacts) -> str:
    if num_shown == facts.clip.num_frames:
        return "all of them, pixel by pixel"
    if facts.one_in:
        return f"one in {facts.one_in}, pixel by pixel"
    return f"{num_shown} of them at equal distances, pixel by pixel"


def _short(pixels: float) -> str:
    return f"{round(pixels, 1):g}"


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
