"""Chunks give the numbers of one pass: on networks of every kind, over signals of every length."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from i3d.analysis.chunks import StepGrid, even_edges
from i3d.engines.graphs import Window

I3D = StepGrid(receptive_field=107, stride=8, padding=44)
CAMERA_MOTION = StepGrid(receptive_field=36, stride=8, padding=8)


@dataclass(frozen=True)
class Layer:
    """A convolution over time."""

    weights: tuple[int, ...]
    stride: int
    is_same: bool

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        size = len(self.weights)
        if self.is_same:  # as TensorFlow does
            length = -(-len(signal) // self.stride)
            total = max((length - 1) * self.stride + size - len(signal), 0)
            signal = np.pad(signal, (total // 2, total - total // 2))
        windows = np.lib.stride_tricks.sliding_window_view(signal, size)[:: self.stride]
        return windows @ np.array(self.weights, dtype=object)


def network(random: np.random.Generator) -> list[Layer]:
    """Layers in a row; most of them are padded so that nothing gets shorter, as in I3D."""
    strides = random.permutation([1, 1, 2, random.choice([1, 2, 3])])
    return [
        Layer(
            tuple(int(w) for w in random.integers(1, 100, random.integers(1, 8))),
            int(stride),
            bool(random.random() < 0.8),
        )
        for stride in strides
    ]


def run(layers: list[Layer], signal: np.ndarray) -> list[int]:
    for layer in layers:
        signal = layer(signal)
    return list(signal)


def grid_of(layers: list[Layer]) -> StepGrid:
    window = Window(0, 0, 1)
    for layer in layers:
        window = window.slide(len(layer.weights), layer.stride, is_same=layer.is_same)
    return StepGrid(window.last - window.first + 1, window.stride, max(-window.first, 0))


def in_chunks(
    layers: list[Layer], signal: np.ndarray, grid: StepGrid, at_most: int
) -> tuple[list[int], int]:
    """The steps, and how many frames went through the network for them."""
    length = grid.chunk_frames(at_most, len(signal))
    assert length <= max(at_most, 0)
    steps: list[int] = []
    num_fed = 0
    while True:
        chunk = grid.chunk(len(steps), length, len(signal))
        assert chunk.start % grid.stride == 0
        assert chunk.first_step == len(steps)
        good = run(layers, signal[chunk.start : chunk.stop])[chunk.skipped :]
        num_fed += chunk.stop - chunk.start
        if chunk.num_steps is None:
            return steps + good, num_fed
        assert chunk.num_steps >= 1
        steps += good[: chunk.num_steps]


@pytest.mark.parametrize("seed", range(40))
def test_the_steps_are_those_of_one_pass(seed: int) -> None:
    random = np.random.default_rng(seed)
    layers = network(random)
    grid = grid_of(layers)
    for _ in range(8):
        num_frames = int(random.integers(grid.receptive_field + 20, 400))
        signal = random.integers(0, 1000, num_frames).astype(object)
        at_most = grid.min_chunk_frames + grid.stride + int(random.integers(0, 60))
        steps, _ = in_chunks(layers, signal, grid, at_most)
        assert steps == run(layers, signal), (layers, num_frames, at_most)


def test_a_halo_that_is_one_step_too_small_is_noticed() -> None:
    """The networks of the test above are such that a wrong halo shows."""
    random = np.random.default_rng(0)
    layers = [Layer((1, 2, 3, 4, 5), 2, is_same=True), Layer((1, 2, 3), 2, is_same=True)]
    grid = grid_of(layers)
    signal = random.integers(0, 1000, 200).astype(object)
    for wrong in (
        StepGrid(grid.receptive_field, grid.stride, grid.padding - grid.stride),
        StepGrid(grid.receptive_field - grid.stride, grid.stride, grid.padding),
    ):
        steps, _ = in_chunks(layers, signal, wrong, 40)
        assert steps != run(layers, signal)


def test_a_video_that_fits_is_one_chunk() -> None:
    assert I3D.chunk_frames(512, 512) == 512
    chunk = I3D.chunk(0, 301, 301)
    assert (chunk.start, chunk.stop, chunk.skipped, chunk.num_steps) == (0, 301, 0, None)


@pytest.mark.parametrize("num_frames", range(1000, 1008))
def test_the_length_of_a_chunk_is_the_videos_modulo_the_stride(num_frames: int) -> None:
    length = I3D.chunk_frames(512, num_frames)
    assert length % 8 == num_frames % 8
    assert 505 <= length <= 512


def test_a_video_whose_end_is_not_known_goes_in_multiples_of_the_stride() -> None:
    assert I3D.chunk_frames(515, None) == 512
    assert I3D.chunk(0, 512, None).num_steps == 57
    assert I3D.chunk(57, 512, None).start == (57 - 7) * 8


@pytest.mark.parametrize("grid", [I3D, CAMERA_MOTION], ids=["I3D", "camera-motion"])
def test_the_shortest_chunk_is_good_for_a_step_wherever_it_lies(grid: StepGrid) -> None:
    shortest = grid.min_chunk_frames
    for num_frames in range(2000, 2008):
        length = grid.chunk_frames(shortest + grid.stride - 1, num_frames)
        num_steps = grid.chunk(50, length, num_frames).num_steps
        assert num_steps is not None
        assert num_steps >= 1


def test_what_chunks_of_512_frames_cost_more_than_one_pass() -> None:
    num_frames, fed, step = 90_000, 0, 0
    while True:
        chunk = I3D.chunk(step, 512, num_frames)
        fed += chunk.stop - chunk.start
        if chunk.num_steps is None:
            break
        step += chunk.num_steps
    assert 1.2 < fed / num_frames < 1.3


# Times


def test_edges_lie_around_the_middle_of_what_a_step_depends_on() -> None:
    """Of I3D, the middle of step j's 107 frames is frame 8 j + 9.5."""
    edges = I3D.edges(num_steps=9, num_frames=80)
    assert edges == [0, 13.5, 21.5, 29.5, 37.5, 45.5, 53.5, 61.5, 69.5, 80]


def test_more_padding_moves_the_steps_towards_the_start() -> None:
    assert I3D.edges(10, 81)[1] == 13.5 - 3.5
    assert I3D.edges(10, 87)[1] == 13.5 - 0.5


@pytest.mark.parametrize("num_frames", [*range(9, 60), 1501])
def test_edges_grow_from_the_first_frame_to_the_last(num_frames: int) -> None:
    for grid in (I3D, CAMERA_MOTION):
        edges = grid.edges(max(-(-num_frames // 8) - 1, 1), num_frames)
        assert (edges[0], edges[-1]) == (0, num_frames)
        assert all(a < b for a, b in pairwise(edges))


def test_a_model_with_an_odd_number_of_steps_gets_even_edges() -> None:
    assert I3D.edges(20, 80) == even_edges(20, 0, 80)
    assert even_edges(4, 8, 16) == [8, 10, 12, 14, 16]
