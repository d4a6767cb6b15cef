"""When frames are, and which of them are used: clock, thinning, looping of short clips."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from i3d.video.timing import FrameClock, FrameThinner, Place, loop_indices


def kept(times: list[float], fps: float) -> list[int]:
    """Indices of the frames that are used."""
    thinner = FrameThinner(fps)
    indices: list[int] = []
    for i, seconds in enumerate(times):
        place = thinner.place(seconds)
        if place is Place.FIRST:
            indices.append(i)
        elif place is Place.BETTER:
            indices[-1] = i
    return indices


def steady(source_fps: float, num_frames: int) -> list[float]:
    return [i / source_fps for i in range(num_frames)]


# The clock


def clock_times(stamps: list[float], fps_from_header: float | None = 25.0) -> list[float]:
    clock = FrameClock(fps_from_header)
    return [clock.tick(stamp) for stamp in stamps]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        pytest.param([0, 0, 0, 0], [0, 0.04, 0.08, 0.12], id="all-zero"),
        pytest.param([math.nan] * 4, [0, 0.04, 0.08, 0.12], id="not-a-number"),
        pytest.param([math.inf, -math.inf, math.inf], [0, 0.04, 0.08], id="infinite"),
        pytest.param([7, 7.04, 7.08], [0, 0.04, 0.08], id="does-not-begin-at-zero"),
        pytest.param([-0.08, -0.04, 0, 0.04], [0, 0.04, 0.08, 0.12], id="begins-below-zero"),
        pytest.param([0, 0.04, 0.08, 0], [0, 0.04, 0.08, 0.12], id="last-one-zero"),
        pytest.param([0, 0.04, 0, 0.12, 0.16], [0, 0.04, 0.08, 0.12, 0.16], id="one-zero-between"),
        pytest.param(
            [0, 0.04, 0.04, 0.04, 0.16],
            [0, 0.04, 0.08, 0.12, 0.16],
            id="stands-still-then-catches-up",
        ),
        pytest.param(
            [9, 9.04, 9.08, 0, 0.04, 0.08], [0, 0.04, 0.08, 0.12, 0.16, 0.2], id="starts-anew"
        ),
        pytest.param(
            [9, 9.1, 9.2, 0, 0.3, 0.4], [0, 0.1, 0.2, 0.3, 0.6, 0.7], id="starts-anew-unevenly"
        ),
        pytest.param(
            [0, 0.04, 95443, 95443.04, 95443.08], [0, 0.04, 0.08, 0.12, 0.16], id="jumps-a-day"
        ),
        pytest.param([0, 0.04, 60.0, 60.04], [0, 0.04, 60.0, 60.04], id="a-minute-of-silence"),
        pytest.param([0, 0.1, math.nan, 0.3], [0, 0.1, 0.2, 0.3], id="one-missing"),
        pytest.param(
            [0, 0.04, 0.0405, 0.08, 0.12, 0.16],
            [0, 0.04, 0.08, 0.09975, 0.12, 0.16],
            id="two-at-once-then-level-again",
        ),
    ],
)
def test_times_begin_at_zero_and_only_grow(stamps, expected):
    assert clock_times(stamps) == pytest.approx(expected)


def test_without_timestamps_the_headers_rate_counts():
    assert clock_times([0, 0, 0], 10) == pytest.approx([0, 0.1, 0.2])
    assert clock_times([0, 0, 0], None) == pytest.approx([0, 0.04, 0.08])


def test_without_timestamps_in_the_middle_the_usual_interval_counts():
    """The header says 25, the timestamps say 10: the median interval is theirs."""
    times = clock_times([0, 0.1, 0.2, 0.3, 0.7, math.nan, math.nan])

    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9])


def test_timestamps_of_an_absurd_rate_are_not_believed():
    assert clock_times([i / 100_000 for i in range(5)], None) == pytest.approx(
        [0, 0.04, 0.08, 0.12, 0.16]
    )


def test_a_clock_knows_rate_and_end():
    clock = FrameClock(10)
    assert (clock.num_frames, clock.fps, clock.end_seconds) == (0, 10, 0)

    clock.tick(3.0)
    assert (clock.num_frames, clock.fps) == (1, 10)
    assert clock.end_seconds == pytest.approx(0.1)

    for stamp in (3.04, 3.08, 3.2):
        clock.tick(stamp)
    assert clock.fps == pytest.approx(3 / 0.2)
    assert clock.end_seconds == pytest.approx(0.24)  # the median interval is 0.04


# Thinning


@pytest.mark.parametrize("source_fps", [1, 5, 10, 12.5, 15, 23.976, 24, 24.99, 25])
def test_slower_sources_are_kept_whole(source_fps):
    assert kept(steady(source_fps, 500), 25) == list(range(500))


@pytest.mark.parametrize(
    ("source_fps", "fps", "indices"),
    [
        (30000 / 1001, 25, [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16]),
        (30, 25, [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12]),
        (60, 25, [0, 2, 5, 7, 10, 12, 14, 17, 19, 22, 24, 26]),
        (35, 25, [0, 1, 3, 4, 6, 7, 8, 10, 11, 13, 14]),
        (50, 25, [0, 2, 4, 6, 8, 10]),
        (100, 25, [0, 4, 8, 12]),
        (23, 5, [0, 5, 9, 14, 18]),
        (10, 0.4, [0, 25, 50]),
    ],
)
def test_the_frame_nearest_to_every_moment_is_kept(source_fps, fps, indices):
    assert kept(steady(source_fps, indices[-1] + 1), fps) == indices


@pytest.mark.parametrize("source_fps", [26, 29.97, 30, 48, 50, 59.94, 60, 90, 120, 240, 1000])
def test_denser_sources_give_one_frame_for_each_slot(source_fps):
    times = steady(source_fps, int(source_fps * 4))

    indices = kept(times, 25)

    assert indices == sorted(set(indices))
    assert indices[0] == 0
    distance = np.array([times[i] for i in indices]) - np.arange(len(indices)) / 25
    assert np.abs(distance[:99]).max() <= 0.5 / source_fps + 1e-6
    assert 99 <= len(indices) <= 101  # 4 seconds, give or take the slots at the ends


@pytest.mark.parametrize("source_fps", [24, 25, 24000 / 1001])
@pytest.mark.parametrize("unit", [0.001, 0.01, 1 / 90000])
def test_timestamps_rounded_to_a_containers_unit_lose_no_frame(source_fps, unit):
    times = [round(seconds / unit) * unit for seconds in steady(source_fps, 1000)]

    assert kept(times, 25) == list(range(1000))


def test_jitter_of_less_than_half_a_slot_loses_no_frame():
    jitter = np.random.default_rng(0).uniform(-0.019, 0.019, 1000)
    times = [max(0.0, i / 25 + float(jitter[i])) for i in range(1000)]
    times[0] = 0.0

    assert kept(times, 25) == list(range(1000))


@pytest.mark.parametrize("source_fps", [30, 50, 60])
def test_the_choice_does_not_hang_on_rounding_errors(source_fps):
    exact = [float(Fraction(i, source_fps)) for i in range(600)]
    in_milliseconds = [1000.0 * i / source_fps / 1000.0 for i in range(600)]
    summed = np.cumsum([0.0] + [1 / source_fps] * 599).tolist()

    assert kept(in_milliseconds, 25) == kept(exact, 25)
    assert kept(summed, 25) == kept(exact, 25)


def test_a_gap_is_not_filled():
    assert kept([0, 0.04, 3.0, 3.01, 3.04], 25) == [0, 1, 2, 4]


def test_frames_at_the_same_time_are_kept_once():
    assert kept([0, 0, 0.04, 0.04, 0.04, 0.08], 25) == [0, 2, 5]


# Looping


@pytest.mark.parametrize(
    ("num_frames", "min_frames", "indices"),
    [
        (5, 9, [0, 1, 2, 3, 4, 0, 1, 2, 3]),
        (1, 3, [0, 0, 0]),
        (4, 9, [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        (9, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (3, 1, [0, 1, 2]),
        (2, 0, [0, 1]),
    ],
)
def test_short_clips_are_looped_from_the_start_and_long_ones_left_alone(
    num_frames, min_frames, indices
):
    assert loop_indices(num_frames, min_frames) == indices
