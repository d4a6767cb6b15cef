"""Draws text that may not fit, in a font that may lack some of its characters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

from i3d.errors import UsageError

if TYPE_CHECKING:
    from PIL import ImageDraw

    Colour = tuple[int, int, int] | tuple[int, int, int, int]

_UNKNOWN = "\U0010ffff"
"""Not a character: fonts show it as they show characters that they lack."""


class Lettering:
    """A font in one size.

    Args:
        size: In pixels.
        path: A TrueType or OpenType font; None for Pillow's own, which has the characters of ASCII,
            and a few more.

    Raises:
        UsageError: The file is not a font, or can't be read.
    """

    def __init__(self, size: int, path: str | None = None) -> None:
        self._font = ImageFont.load_default(size) if path is None else _font_of(path, size)
        self._lacking = self._shape(_UNKNOWN)
        self._shown: dict[str, str] = {}
        box = self._font.getbbox("Ågj|")
        self.height = round(box[3])
        """Of a line, in pixels."""

    def showable(self, text: str) -> str:
        r"""Replace what can't be drawn by escapes such as `\n`, `\u202e`, `\u4e2d`."""
        return "".join(self._shown.get(char) or self._show(char) for char in text)

    def width(self, text: str) -> int:
        """Width of a showable text in pixels."""
        return round(self._font.getlength(text) + 0.5)

    def fitting(self, text: str, width: int, *, keep_end: bool = False) -> str:
        """Shorten a showable text, with an ellipsis, to a width in pixels.

        Args:
            text: The text.
            width: The room in pixels.
            keep_end: Shorten the middle, not the end, which for a file has the suffix.

        Returns:
            The text, or a part of it; "" if nothing fits.
        """
        if self.width(text) <= width:
            return text
        fits, breaks = 0, len(text)
        while breaks - fits > 1:
            middle = (fits + breaks) // 2
            if self.width(_cut(text, middle, keep_end=keep_end)) <= width:
                fits = middle
            else:
                breaks = middle
        return _cut(text, fits, keep_end=keep_end) if fits else ""

    def draw(self, draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, fill: Colour) -> None:
        """Draw a showable text, its top left corner at a point."""
        draw.text(at, text, font=self._font, fill=fill)

    def _show(self, char: str) -> str:
        is_known = char.isprintable() and (char == " " or self._shape(char) != self._lacking)
        shown = char if is_known else char.encode("unicode_escape").decode()
        self._shown[char] = shown
        return shown

    def _shape(self, char: str) -> tuple[tuple[int, int], bytes]:
        mask = self._font.getmask(char)
        return mask.size, bytes(mask)


def _cut(text: str, num: int, *, keep_end: bool) -> str:
    num_last = num // 2 if keep_end else 0
    return text[: num - num_last].rstrip() + "…" + text[len(text) - num_last :]


def _font_of(path: str, size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(io.BytesIO(Path(path).read_bytes()), size)
    except FileNotFoundError:
        raise UsageError(f"There is no font {path}.", hint="Give a TrueType file.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "it is not a TrueType or OpenType font"
        raise UsageError(
            f"The font {path} cannot be used: {reason}.", hint="Give a TrueType file."
        ) from error
