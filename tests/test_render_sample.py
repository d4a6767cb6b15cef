"""What the sample's drawing must hold to be believed: limbs, balls, and a background that stays."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_figures import FOREARM, UPPER_ARM, Camera, Tracer, compose, middle_joint
from render_sample import CYCLE, OUTFITS, draw_juggling, juggled_ball, juggling_hand


@pytest.mark.parametrize("number", range(3))
def test_a_ball_is_never_faster_than_it_is_thrown(number: int) -> None:
    times = np.arange(1000) / 200
    places = np.array([juggled_ball(number, seconds) for seconds in times])
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=1) * 200
    assert speeds.max() < 5
    assert places[:, 1].max() > 1.8, "it flies above the head"


def test_a_hand_holds_one_ball_at_most() -> None:
    held = 0
    for seconds in np.arange(0, 3 * CYCLE, 0.01):
        balls = np.array([juggled_ball(number, seconds) for number in range(3)])
        for side in (-1, 1):
            palm = np.add(juggling_hand(side, seconds), (0, 0.065, 0.05))
            count = (np.linalg.norm(balls - palm, axis=1) < 0.01).sum()
            assert count <= 1
            held += count
    assert held > 200


def test_bones_keep_their_length_and_the_joint_bends_where_it_should() -> None:
    start, end, down = np.array([0.2, 1.4, 0]), np.array([0.3, 1.1, 0.3]), np.array([0.0, -1, 0])
    elbow = middle_joint(start, end, (UPPER_ARM, FOREARM), down)
    assert np.linalg.norm(elbow - start) == pytest.approx(UPPER_ARM)
    assert np.linalg.norm(end - elbow) == pytest.approx(FOREARM)
    assert elbow[1] < (start[1] + end[1]) / 2


def test_nothing_moves_but_the_figure() -> None:
    background = np.random.default_rng(1).integers(60, 200, (60, 80, 3)).astype(np.uint8)
    camera = Camera((80, 60), 25, (40, 56))
    first, second = (
        compose(background, Tracer(camera, draw_juggling(seconds, OUTFITS["casual"])))
        for seconds in (1.0, 1.2)
    )
    assert abs(first[:, :15].astype(int) - background[:, :15]).max() <= 1
    np.testing.assert_array_equal(first[:, :15], second[:, :15])
    assert abs(first[:, 25:55].astype(int) - second[:, 25:55]).max() > 60
