"""Arithmetic of receptive fields in time, for the readers of graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class TemporalField:
    """What one step of a network sees of the frames."""

    receptive_field: int
    """Number of neighbouring frames that a step depends on. Near the ends of a clip some of them
    are padding."""
    stride: int
    """Number of frames from one step to the next."""
    padding: int
    """Number of places before a clip's first frame that its first step's window reaches, where the
    clip's length is a multiple of the stride."""


class NotUnderstoodError(Exception):
    """An operation does something to time that is not followed."""


@dataclass(frozen=True)
class Window:
    """The frames that the first place on a tensor's time axis depends on.

    Padding (SAME) is taken to be that of a number of frames that is a multiple of every stride.
    """

    first: int
    """Number of the first frame; negative in padding."""
    last: int
    stride: int
    """Number of frames from one place to the next."""

    @property
    def field(self) -> TemporalField:
        """The same in the terms of a clip."""
        return TemporalField(self.last - self.first + 1, self.stride, max(-self.first, 0))

    def slide(
        self, size: int, stride: int, dilation: int = 1, *, before: int = 0, is_same: bool = False
    ) -> Window:
        """Go through a convolution or a pool.

        Args:
            size: Length of its kernel.
            stride: Its stride.
            dilation: Its dilation.
            before: How many places are padded in front.
            is_same: Its padding is SAME: `before` does not matter.
        """
        reach = (size - 1) * dilation
        padding = max(reach + 1 - stride, 0) // 2 if is_same else before
        return Window(
            self.first - padding * self.stride,
            self.last + (reach - padding) * self.stride,
            self.stride * stride,
        )

    def pad(self, before: int) -> Window:
        """Go through padding by constants, `before` places of it in front."""
        shift = before * self.stride
        return Window(self.first - shift, self.last - shift, self.stride)

    @staticmethod
    def around(windows: Sequence[Window]) -> Window:
        """The window of what depends on several.

        Raises:
            NotUnderstoodError: Their places do not follow each other at the same pace.
        """
        if len({window.stride for window in windows}) > 1:
            raise NotUnderstoodError
        first = min(window.first for window in windows)
        return Window(first, max(window.last for window in windows), windows[0].stride)
