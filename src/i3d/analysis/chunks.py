"""Pure arithmetic of chunks and halos: a long video in pieces, with the numbers of one pass.

A network that is convolutional in time has a grid of steps over the frames. A step of a chunk is
the step of the whole video if the chunk holds all frames that it depends on, or ends where the
video does, and if the chunk's grid is the video's: its start is a multiple of the stride, and its
length is the same modulo the stride as the video's. The second rule is there for SAME padding,
which is split between both ends, so that the length of what is padded moves the grid.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """A part of a video for one pass of the network, and the steps that it is good for."""

    start: int
    """Number of its first frame."""
    stop: int
    """Number of the first frame after it."""
    first_step: int
    """Number of its first good step, of the video's."""
    skipped: int
    """So many of the chunk's own steps lie before that one and are thrown away."""
    num_steps: int | None
    """How many of its steps are good; None: all that follow."""


@dataclass(frozen=True)
class StepGrid:
    """The steps of a network over the frames of a video."""

    receptive_field: int
    """Number of neighbouring frames that a step depends on."""
    stride: int
    """Number of frames from one step to the next."""
    padding: int
    """Number of places before the first frame that the first step depends on, where the number of
    frames is a multiple of the stride."""

    @property
    def min_chunk_frames(self) -> int:
        """The shortest chunk that is good for at least one step, wherever it lies."""
        return self._skipped * self.stride + self.receptive_field - self.padding

    def chunk_frames(self, at_most: int, num_frames: int | None) -> int:
        """The longest chunk that may be cut out of a video.

        Args:
            at_most: Number of frames that fit into memory, at least `min_chunk_frames + stride`.
            num_frames: Length of the video; None for a multiple of the stride.

        Returns:
            A number of frames that is the same modulo the stride as the video's, or the whole video
            where that fits.
        """
        if num_frames is not None and num_frames <= at_most:
            return num_frames
        phase = 0 if num_frames is None else num_frames % self.stride
        return at_most - (at_most - phase) % self.stride

    def chunk(self, step: int, length: int, num_frames: int | None) -> Chunk:
        """The chunk that begins with a step.

        Args:
            step: Number of the first step wanted.
            length: Of the chunk in frames, as `chunk_frames` gives it.
            num_frames: Length of the video; None for a multiple of the stride that lies more than
                a chunk ahead.
        """
        start = max(step - self._skipped, 0) * self.stride
        stop = start + length
        skipped = step - start // self.stride
        if num_frames is not None and stop >= num_frames:
            return Chunk(start, num_frames, step, skipped, None)
        last = (length - self.receptive_field + self.padding) // self.stride
        return Chunk(start, stop, step, skipped, last - skipped + 1)

    def edges(self, num_steps: int, num_frames: int) -> list[float]:
        """Where the time that a step stands for begins and ends.

        A step stands for as many frames as the stride is long, around the middle of those that it
        depends on; the first and the last also for what lies before and after.

        Args:
            num_steps: Number of steps of the video.
            num_frames: Its length.

        Returns:
            `num_steps + 1` places on the scale of frames, where frame i lasts from i to i + 1.
        """
        extra = -num_frames % self.stride  # so much more padding, a half of it in front
        middle = (self.receptive_field - extra) / 2 - self.padding
        inner = [middle + self.stride * (i - 0.5) for i in range(1, num_steps)]
        if inner and (inner[0] <= 0 or inner[-1] >= num_frames):
            return even_edges(num_steps, 0, num_frames)
        return [0.0, *inner, float(num_frames)]

    @property
    def _skipped(self) -> int:
        """How many steps of a chunk depend on frames before it.

        Where a layer's input has an odd length, SAME padding puts more of itself in front, and the
        windows of all steps begin earlier: over all layers by less than the stride.
        """
        return -(-(self.padding + self.stride - 1) // self.stride)


def even_edges(num_steps: int, start: int, stop: int) -> list[float]:
    """Share a span of frames out among steps of which nothing else is known.

    Args:
        num_steps: Number of steps.
        start: Number of the first frame.
        stop: Number of the first frame after them.

    Returns:
        `num_steps + 1` places on the scale of frames.
    """
    return [start + (stop - start) * i / num_steps for i in range(num_steps + 1)]
