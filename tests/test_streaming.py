"""Videos of any length: the step logits of one pass, in bounded memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.analysis import steps as streaming
from i3d.analysis.classifier import Classifier
from i3d.analysis.descriptions import edge_times
from i3d.analysis.steps import DEFAULT_MAX_MEMORY, chunk_limit, stream
from i3d.engines.choose import load_engine
from i3d.errors import ModelOutputError, UsageError
from i3d.models.find import find_model
from i3d.progress import NoProgress
from i3d.video.info import VideoInfo

import videos
from engines import FakeEngine, contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.engines.base import Clip, Engine

RANGE = (0.0, 1.0)
SIZE = 4
MEGABYTE = 10**6


class SmallNetwork(FakeEngine):
    """Three layers of stride 2 with SAME padding over the mean colour of each frame."""

    bytes_per_frame = MEGABYTE

    def __init__(self, **changes: Any) -> None:
        super().__init__([[0.0, 0.0]])
        fields = {"num_labels": 2, "size": 224, "receptive_field": 15, "stride": 8, "padding": 4}
        self.contract = contract(**(fields | changes))
        self.lengths: list[int] = []

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> Any:
        self.lengths.append(len(clip))
        signal = clip.reshape(len(clip), -1).astype(np.int64).sum(axis=1)
        for _ in range(3):
            length = -(-len(signal) // 2)
            total = max((length - 1) * 2 + 3 - len(signal), 0)
            signal = np.pad(signal, (total // 2, total - total // 2))
            signal = signal[:-2:2] + 2 * signal[1:-1:2] + 3 * signal[2::2]
            signal %= 9973
        steps = np.stack([signal, 3 * signal % 101], axis=1).astype(np.float32)
        if not self.contract.has_steps:
            steps = steps.mean(axis=0, keepdims=True)
        return steps


class Frames:
    """In the place of a `ClipReader`: frames of noise, a thirtieth of a second apart."""

    size = SIZE
    path = "frames"
    video = VideoInfo("frames", SIZE, SIZE, 0, 60.0, 60.0, 1234, 0, 0.0, ended_early=False)

    def __init__(self, num_frames: int, *, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.clip = random.integers(0, 256, (num_frames, SIZE, SIZE, 3), dtype=np.uint8)
        self.num_taken = 0

    def frames(self) -> Iterator[tuple[Any, float, int]]:
        for number, image in enumerate(self.clip):
            self.num_taken = number + 1
            yield image, number / 30, 2 * number


def streamed(engine: Any, num_frames: int, **options: Any) -> tuple[streaming.StreamedSteps, Any]:
    frames: Any = Frames(num_frames)
    found = stream(frames, engine, RANGE, **options)
    return found, frames.clip


def memory_for(num_frames: int) -> int:
    """So much that a chunk has this many frames of a megabyte."""
    return streaming._RESERVE_BYTES + num_frames * MEGABYTE


@pytest.fixture
def exact_frames(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streaming, "EXACT_FRAMES", 150)
    return 150


# Models with steps


@pytest.mark.parametrize("num_frames", [9, 40, 47, 48, 49, 50, 100, 143, 144, 145, 149, 150])
@pytest.mark.parametrize("chunk_frames", [40, 47, 64, 1000])
def test_up_to_a_length_every_frame_counts_whatever_fits_into_memory(
    num_frames: int, chunk_frames: int, exact_frames: int
) -> None:
    engine = SmallNetwork()
    found, clip = streamed(engine, num_frames, max_memory=memory_for(chunk_frames))
    assert max(engine.lengths) <= chunk_frames
    expected = SmallNetwork().step_logits(clip, RANGE)
    np.testing.assert_array_equal(found.step_logits, expected)
    assert found.num_frames_fed == num_frames
    assert found.times.tolist() == [number / 30 for number in range(num_frames)]
    assert (found.edges[0], found.edges[-1]) == (0, num_frames)
    assert len(found.edges) == len(expected) + 1


@pytest.mark.parametrize("num_frames", [151, 152, 153, 159, 160, 161, 200, 231, 400, 407, 1000])
@pytest.mark.parametrize("chunk_frames", [40, 71, 120])
def test_beyond_the_frames_behind_the_last_multiple_of_the_stride_are_left_out(
    num_frames: int, chunk_frames: int, exact_frames: int
) -> None:
    engine = SmallNetwork()
    found, clip = streamed(engine, num_frames, max_memory=memory_for(chunk_frames))
    fed = num_frames - num_frames % 8
    expected = SmallNetwork().step_logits(clip[:fed], RANGE)
    np.testing.assert_array_equal(found.step_logits, expected)
    assert found.num_frames_fed == fed
    assert len(found.times) == num_frames
    of_those_fed, _ = streamed(SmallNetwork(), fed, max_memory=memory_for(chunk_frames))
    assert found.edges == [*of_those_fed.edges[:-1], num_frames]
    assert all(length % 8 == 0 for length in engine.lengths)


def test_memory_does_not_change_the_numbers(exact_frames: int) -> None:
    for num_frames in (149, 333):
        all_steps = [
            streamed(SmallNetwork(), num_frames, max_memory=memory_for(size))[0].step_logits
            for size in (40, 41, 55, 64, 100, 2000)
        ]
        for steps in all_steps:
            np.testing.assert_array_equal(steps, all_steps[0])


def test_frames_that_are_done_with_are_let_go(exact_frames: int) -> None:
    frames: Any = Frames(5000)
    engine = SmallNetwork()
    held: list[int] = []
    run = engine.step_logits

    def watched(clip: Clip, input_range: tuple[float, float]) -> Any:
        base = clip.base if clip.base is not None else clip
        held.append(len(base))
        return run(clip, input_range)

    engine.step_logits = watched  # type: ignore[method-assign]
    stream(frames, engine, RANGE, max_memory=memory_for(64))
    assert len(held) > 50
    assert max(held) == 256  # the first block: 151 frames are needed at most


def test_frames_are_taken_as_they_are_needed(exact_frames: int) -> None:
    frames: Any = Frames(2000)
    engine = SmallNetwork()
    taken: list[int] = []
    run = engine.step_logits
    engine.step_logits = lambda clip, rng: (taken.append(frames.num_taken), run(clip, rng))[1]  # type: ignore[method-assign]
    stream(frames, engine, RANGE, max_memory=memory_for(64))
    assert taken[0] == 151
    assert 0 < taken[5] - taken[4] <= 64


class Counter(NoProgress):
    """Counts the units that it is told of, by task."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.totals: dict[str, int | None] = {}

    @contextmanager
    def task(self, description: str, total: Any = None, unit: Any = "items") -> Iterator[Any]:
        self.done[description] = 0
        self.totals[description] = total

        def advance(num_units: int) -> None:
            assert num_units > 0
            self.done[description] += num_units

        yield advance


def test_progress_adds_up_to_the_decoded_frames(exact_frames: int) -> None:
    for num_frames, fed in ((150, 150), (500, 496)):
        counter = Counter()
        streamed(SmallNetwork(), num_frames, max_memory=memory_for(64), progress=counter)
        decoding, running = "decoding frames", "running the model on frames"
        assert counter.totals == {decoding: 1234, running: 1234}
        # Every second one was left out.
        assert counter.done[decoding] == 2 * (min(num_frames, 151) - 1) + 1
        assert counter.done[running] == 2 * (fed - 1) + 1


def test_a_single_run_has_no_progress_of_its_own() -> None:
    counter = Counter()
    streamed(SmallNetwork(), 50, progress=counter)
    assert counter.totals["running the model on 50 frames"] is None


def test_short_clips_are_looped() -> None:
    found, clip = streamed(SmallNetwork(), 4)
    looped = clip[[0, 1, 2, 3, 0, 1, 2, 3, 0]]
    np.testing.assert_array_equal(found.step_logits, SmallNetwork().step_logits(looped, RANGE))
    assert found.num_frames_fed == 9
    assert (found.edges[0], found.edges[-1]) == (0, 4)


def test_too_little_memory_is_told_with_what_would_do() -> None:
    least = memory_for(15 + 8 * 2 - 4 + 8)
    with pytest.raises(UsageError, match="too little for this model") as caught:
        streamed(SmallNetwork(), 500, max_memory=least - MEGABYTE)
    needed = int(str(caught.value.hint).split()[-1].rstrip("M.")) * 2**20
    assert abs(needed - least) <= 2**20
    streamed(SmallNetwork(), 500, max_memory=needed)


def test_outputs_that_are_not_finite_are_an_error_in_any_chunk(exact_frames: int) -> None:
    engine = SmallNetwork()
    run = engine.step_logits

    def broken(clip: Clip, input_range: tuple[float, float]) -> Any:
        return run(clip, input_range) * (np.nan if len(engine.lengths) == 2 else 1)

    engine.step_logits = broken  # type: ignore[method-assign]
    with pytest.raises(ModelOutputError):
        streamed(engine, 500, max_memory=memory_for(64))


@pytest.mark.parametrize("size", [224, 112])
def test_how_many_frames_fit_depends_on_their_size(size: int) -> None:
    _, most = chunk_limit(SmallNetwork(size=size), memory_for(100))
    assert most == 100 * (224 // size) ** 2


def test_the_default_is_at_least_as_much_as_i3d_needs_in_either_engine() -> None:
    for bytes_per_frame in (2_300_000, 5_000_000):
        engine = FakeEngine([[0]])
        engine.bytes_per_frame = bytes_per_frame
        assert chunk_limit(engine, DEFAULT_MAX_MEMORY)[1] >= 128


# Models without


WITHOUT = {"has_steps": False, "receptive_field": None, "stride": None, "padding": None}


@pytest.mark.parametrize("num_frames", [9, 64, 65, 200, 512])
def test_a_model_without_steps_sees_a_short_video_at_once(num_frames: int) -> None:
    engine = SmallNetwork(**WITHOUT)
    found, _ = streamed(engine, num_frames)
    assert engine.lengths == [num_frames]
    assert found.edges == [0, num_frames]


def test_a_model_without_steps_sees_a_long_video_in_windows() -> None:
    engine = SmallNetwork(**WITHOUT)
    found, clip = streamed(engine, 600)
    assert engine.lengths == [64] * 10
    assert found.edges == [0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 600]
    windows = [(start, start + 64) for start in range(0, 576, 64)] + [(536, 600)]
    expected = [
        SmallNetwork(**WITHOUT).step_logits(clip[start:stop], RANGE)[0] for start, stop in windows
    ]
    np.testing.assert_array_equal(found.step_logits, expected)
    assert found.num_frames_fed == 600


@pytest.mark.parametrize(
    ("num_frames", "edges"),
    [(30, [0, 30]), (64, [0, 64]), (65, [0, 64, 65]), (128, [0, 64, 128]), (640, None)],
)
def test_a_timeline_of_a_model_without_steps_is_made_of_windows(
    num_frames: int, edges: list[int] | None
) -> None:
    engine = SmallNetwork(**WITHOUT)
    found, _ = streamed(engine, num_frames, in_windows=True)
    assert found.edges == (edges or list(range(0, 641, 64)))
    assert set(engine.lengths) == {min(num_frames, 64)}


def test_steps_of_which_nothing_else_is_known_share_their_window() -> None:
    engine = SmallNetwork(receptive_field=None, stride=None, padding=None)
    found, _ = streamed(engine, 40, in_windows=True)
    assert engine.lengths == [40]
    assert found.edges == [0, 8, 16, 24, 32, 40]
    engine = SmallNetwork(receptive_field=None, stride=None, padding=None)
    found, _ = streamed(engine, 520)
    assert set(engine.lengths) == {64}
    assert len(found.step_logits) == len(found.edges) - 1 == 9 * 8


# Real ones


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_camera_motion_gives_the_same_in_chunks(name: str) -> None:
    engine: Engine = load_engine(find_model("camera-motion").directory, name)
    random = np.random.default_rng(1)
    frames: Any = Frames(1)
    frames.size = 224
    small = random.integers(0, 256, (131, 14, 14, 3), dtype=np.uint8)
    frames.clip = small.repeat(16, axis=1).repeat(16, axis=2)
    # The smallest chunks: 52 frames.
    grid, _ = chunk_limit(engine, DEFAULT_MAX_MEMORY)
    assert grid is not None
    memory = streaming._RESERVE_BYTES + (grid.min_chunk_frames + 8) * engine.bytes_per_frame
    for num_frames in (131, 128):
        frames.clip = frames.clip[:num_frames]
        found = stream(frames, engine, (-1, 1), max_memory=memory)
        expected = engine.step_logits(frames.clip, (-1, 1))
        assert found.step_logits.shape == expected.shape
        np.testing.assert_allclose(found.step_logits, expected, rtol=0, atol=1e-5)


# Times


def test_edges_become_times_of_the_frames() -> None:
    times = [0.0, 0.1, 0.5, 0.6]
    assert edge_times([0, 1.5, 4], times, 0.7).tolist() == pytest.approx([0, 0.3, 0.7])


def test_the_scores_of_a_video_say_when_each_step_is(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "x.avi", num_frames=60, fps=25, size=(64, 64))
    model = Classifier.load("camera-motion")
    scores = model.score(path, start_seconds=0.4)
    assert scores.clip.start_seconds == pytest.approx(0.4)
    assert scores.edges_seconds[0] == pytest.approx(0.4)
    assert scores.edges_seconds[-1] == pytest.approx(2.4)
    assert np.diff(scores.edges_seconds)[1:-1] == pytest.approx(0.32)
    assert scores.labels == model.labels
