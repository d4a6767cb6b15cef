"""Inception-I3D as a list of its convolutions, and what they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inception_i3d import MIXED

NUM_LABELS = 400
"""Those of Kinetics-400."""

_GRID = {"3": (1, 28), "4": (2, 14), "5": (3, 7)}
"""Of the blocks by the digit in their names: halvings of time so far, side of the pictures."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with a cubic kernel."""

    name: str
    """DeepMind's name, without the scope in front."""
    kernel: int
    num_inputs: int
    num_outputs: int
    halvings: int
    """How many times time was halved in what comes out of it (rounded up each time)."""
    side: int
    """Height and width of what comes out of it."""


def convolutions() -> list[Convolution]:
    """All convolutions behind each other, but for the last, which gives the logits."""
    layers = [
        Convolution("Conv3d_1a_7x7", 7, 3, 64, 1, 112),
        Convolution("Conv3d_2b_1x1", 1, 64, 64, 1, 56),
        Convolution("Conv3d_2c_3x3", 3, 64, 192, 1, 56),
    ]
    channels = 192
    for name, (branch_0, (reduce_1, branch_1), (reduce_2, branch_2), branch_3) in MIXED.items():
        second_of_branch_2 = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
        grid = _GRID[name[len("Mixed_")]]
        layers += [
            Convolution(f"{name}/Branch_0/Conv3d_0a_1x1", 1, channels, branch_0, *grid),
            Convolution(f"{name}/Branch_1/Conv3d_0a_1x1", 1, channels, reduce_1, *grid),
            Convolution(f"{name}/Branch_1/Conv3d_0b_3x3", 3, reduce_1, branch_1, *grid),
            Convolution(f"{name}/Branch_2/Conv3d_0a_1x1", 1, channels, reduce_2, *grid),
            Convolution(f"{name}/Branch_2/{second_of_branch_2}", 3, reduce_2, branch_2, *grid),
            Convolution(f"{name}/Branch_3/Conv3d_0b_1x1", 1, channels, branch_3, *grid),
        ]
        channels = branch_0 + branch_1 + branch_2 + branch_3
    return layers


def num_multiplications(num_frames: int) -> int:
    """Count the multiplications (each with an addition) of all convolutions for one clip.

    Padding counts as pixels do, as is usual; pools, biases and ReLUs are left out.

    Args:
        num_frames: Frames of the clip, at least 9.
    """
    steps = math.ceil(num_frames / 8) - 1  # the last pool is over 2 of them
    total = steps * 1024 * NUM_LABELS
    for layer in convolutions():
        places = math.ceil(num_frames / 2**layer.halvings) * layer.side**2
        total += places * layer.kernel**3 * layer.num_inputs * layer.num_outputs
    return total
