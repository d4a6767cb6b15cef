"""Inception-I3D in plain NumPy, to hold TensorFlow against: the paper's Figure 3, read anew.

Carreira and Zisserman, "Quo Vadis, Action Recognition?" (arXiv:1705.07750), with TensorFlow's SAME
padding. Nothing here is shared with the converter or with inception_i3d.py but the names of the
weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Mapping

Size = tuple[int, int, int]
"""Frames, height, width."""

BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Logits:
    steps: np.ndarray
    """(S, labels)"""
    mean: np.ndarray
    """(labels,)"""


def run(weights: Mapping[str, np.ndarray], pixels: np.ndarray) -> Logits:
    """Run the network on one clip: (T, 224, 224, 3) float32."""
    net = Reference(weights)
    x = net.unit("Conv3d_1a_7x7", pixels, stride=(2, 2, 2))
    x = max_pool(x, (1, 3, 3), (1, 2, 2))
    x = net.unit("Conv3d_2b_1x1", x)
    x = net.unit("Conv3d_2c_3x3", x)
    x = max_pool(x, (1, 3, 3), (1, 2, 2))
    x = net.inception("Mixed_3b", x)
    x = net.inception("Mixed_3c", x)
    x = max_pool(x, (3, 3, 3), (2, 2, 2))
    x = net.inception("Mixed_4b", x)
    x = net.inception("Mixed_4c", x)
    x = net.inception("Mixed_4d", x)
    x = net.inception("Mixed_4e", x)
    x = net.inception("Mixed_4f", x)
    x = max_pool(x, (2, 2, 2), (2, 2, 2))
    x = net.inception("Mixed_5b", x)
    x = net.inception("Mixed_5c", x)
    assert x.shape[1:3] == (7, 7)
    rows = x.mean((1, 2))
    pairs = (rows[:-1] + rows[1:]) / 2
    kernel = weights["Logits/Conv3d_0c_1x1/conv_3d/w"]
    steps = pairs @ kernel[0, 0, 0] + weights["Logits/Conv3d_0c_1x1/conv_3d/b"]
    return Logits(steps, steps.mean(0))


class Reference:
    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights

    def unit(self, name: str, x: np.ndarray, stride: Size = (1, 1, 1)) -> np.ndarray:
        x = convolve(x, self._weights[f"{name}/conv_3d/w"], stride)
        mean, variance, beta = (
            self._weights[f"{name}/batch_norm/{part}"].ravel()
            for part in ("moving_mean", "moving_variance", "beta")
        )
        x -= mean
        x /= np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        x += beta
        return np.maximum(x, 0, out=x)

    def inception(self, block: str, x: np.ndarray) -> np.ndarray:
        # The one name that breaks the rule is so in DeepMind's checkpoints.
        odd_one = "Conv3d_0a_3x3" if block == "Mixed_5b" else "Conv3d_0b_3x3"
        reduced_1 = self.unit(f"{block}/Branch_1/Conv3d_0a_1x1", x)
        reduced_2 = self.unit(f"{block}/Branch_2/Conv3d_0a_1x1", x)
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        branches = (
            self.unit(f"{block}/Branch_0/Conv3d_0a_1x1", x),
            self.unit(f"{block}/Branch_1/Conv3d_0b_3x3", reduced_1),
            self.unit(f"{block}/Branch_2/{odd_one}", reduced_2),
            self.unit(f"{block}/Branch_3/Conv3d_0b_1x1", pooled),
        )
        return np.concatenate(branches, -1)


def convolve(x: np.ndarray, kernel: np.ndarray, stride: Size) -> np.ndarray:
    """(T, H, W, C) with (t, h, w, C, D) to (T', H', W', D): one matrix product for each T'."""
    size, (channels_in, channels_out) = kernel.shape[:3], kernel.shape[3:]
    if size == (1, 1, 1):
        return x @ kernel[0, 0, 0]
    windows = windows_of(x, size, stride, padding=0.0)
    # The windows have the channels first: (T', H', W', C, t, h, w).
    matrix = kernel.transpose(3, 0, 1, 2, 4).reshape(-1, channels_out)
    rows = (frame.reshape(-1, channels_in * np.prod(size)) for frame in windows)
    return np.stack([row @ matrix for row in rows]).reshape(*windows.shape[:3], channels_out)


def max_pool(x: np.ndarray, size: Size, stride: Size) -> np.ndarray:
    # The maximum over a box is that over its three sides, one after the other.
    for axis in range(3):
        one_size, one_stride = [1, 1, 1], [1, 1, 1]
        one_size[axis], one_stride[axis] = size[axis], stride[axis]
        windows = windows_of(x, tuple(one_size), tuple(one_stride), padding=-np.inf)
        x = windows.max((-3, -2, -1))
    return x


def windows_of(x: np.ndarray, size: Size, stride: Size, *, padding: float) -> np.ndarray:
    """Views of all windows, (T', H', W', C, t, h, w), with ceil(T / stride) of them on an axis.

    As TensorFlow's SAME: what must be padded is shared between both ends, and the odd one goes
    behind.
    """
    margins = []
    for length, window, step in zip(x.shape, size, stride, strict=False):
        missing = max((-(-length // step) - 1) * step + window - length, 0)
        margins.append((missing // 2, missing - missing // 2))
    padded = np.pad(x, [*margins, (0, 0)], constant_values=padding)
    views = sliding_window_view(padded, size, (0, 1, 2))
    return views[:: stride[0], :: stride[1], :: stride[2]]


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    """Make up weights whose logits have a spread of about 3, and differ from clip to clip.

    Args:
        shapes: Shape of each weight by its name, as published.
        seed: The same seed gives the same weights on every machine.
    """
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        if name.endswith("/w"):
            # 1.5: activations shrink a little from layer to layer, and rounding errors with them.
            gain = 5.0 if name.startswith("Logits/") else 1.5
            value = random.normal(0, gain / np.sqrt(np.prod(shape[:-1])), shape)
            if name != "Conv3d_1a_7x7/conv_3d/w":  # else a ReLU's output, above 0, adds up
                value -= value.mean((0, 1, 2, 3))
        elif name.endswith("/moving_variance"):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0, 0.3, shape)
        weights[name] = value.astype(np.float32)
    return weights
