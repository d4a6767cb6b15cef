"""The renderer of camera moves: directions are measured without the renderer's own maths."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import camera_moves as moves

SIZE = (160, 120)


def tracked(frames: moves.Frames) -> np.ndarray:
    """Fits the motion of the content from the first to the last frame, by tracking corners.

    Returns (4,): shift right and down in pixels, magnification, turn in degrees (positive:
    clockwise on the screen, for y points down).
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in (frames[0], frames[-1])]
    corners = cv2.goodFeaturesToTrack(grey[0], 200, 0.01, 4)
    found, status, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], corners, None)
    kept = status.ravel() == 1
    matrix, _ = cv2.estimateAffinePartial2D(corners[kept], found[kept])
    center = (np.array(SIZE) - 1) / 2
    shift = matrix[:, :2] @ center + matrix[:, 2] - center
    magnification = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    turn = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return np.array([*shift, magnification, turn])


@pytest.fixture(scope="module")
def scene() -> moves.Image:
    return moves.make_scene("leaves", seed=3)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("static", lambda d: abs(d[0]) + abs(d[1]) + abs(d[3]) < 0.01),
        ("pan right", lambda d: d[0] < -4 and abs(d[1]) < 1),  # the content moves left
        ("pan left", lambda d: d[0] > 4 and abs(d[1]) < 1),
        ("tilt up", lambda d: d[1] > 3 and abs(d[0]) < 1),  # the content moves down
        ("tilt down", lambda d: d[1] < -3 and abs(d[0]) < 1),
        ("zoom in", lambda d: d[2] > 1.03 and abs(d[3]) < 0.5),  # the content expands
        ("zoom out", lambda d: d[2] < 0.97 and abs(d[3]) < 0.5),
        ("roll right", lambda d: d[3] < -3 and abs(d[2] - 1) < 0.01),  # the content turns left
        ("roll left", lambda d: d[3] > 3 and abs(d[2] - 1) < 0.01),
    ],
)
def test_the_content_moves_against_the_camera(
    scene: moves.Image, label: str, expected: Callable[[np.ndarray], bool]
) -> None:
    found = tracked(moves.render_move(scene, label, num_frames=6, size=SIZE, seed=5))
    assert expected(found), f"{label}: shift, magnification, turn = {found}"


def test_speeds_are_in_the_documented_units(scene: moves.Image) -> None:
    def one_second(label: str, speed: float) -> np.ndarray:
        # 21 frames at 20 a second: the last is one second after the first.
        return tracked(moves.render_move(scene, label, 21, SIZE, speed, seed=2, fps=20))

    assert one_second("pan right", 0.1)[0] == pytest.approx(-0.1 * SIZE[0], abs=0.5)
    assert one_second("tilt down", 0.1)[1] == pytest.approx(-0.1 * SIZE[1], abs=0.5)
    assert one_second("zoom in", 1.15)[2] == pytest.approx(1.15, abs=0.01)
    assert one_second("zoom out", 1.15)[2] == pytest.approx(1 / 1.15, abs=0.01)
    assert one_second("roll left", 8.0)[3] == pytest.approx(8.0, abs=0.3)


@pytest.mark.parametrize("label", moves.LABELS)
def test_shape_dtype_and_the_same_bytes_from_the_same_seed(scene: moves.Image, label: str) -> None:
    first = moves.render_move(scene, label, num_frames=3, size=(64, 48), seed=9)
    again = moves.render_move(scene, label, num_frames=3, size=(64, 48), seed=9)
    other = moves.render_move(scene, label, num_frames=3, size=(64, 48), seed=10)
    assert first.shape == (3, 48, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("family", moves.SCENE_FAMILIES)
def test_scenes_are_deterministic_and_not_blank(family: str) -> None:
    first, again = (moves.make_scene(family, seed=4, size=128) for _ in range(2))
    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert first.std() > 1


def test_static_frames_are_all_equal(scene: moves.Image) -> None:
    frames = moves.render_move(scene, "static", num_frames=5, size=(64, 48))
    assert (frames == frames[0]).all()


def test_a_move_past_the_picture_s_border_keeps_its_direction() -> None:
    tiny = moves.make_scene("leaves", seed=6, size=96)
    frames = moves.render_move(tiny, "pan right", 100, SIZE, speed=1.0)
    assert tracked(frames[-3:])[0] < -4


def test_motion_blur_smooths_along_the_move_only(scene: moves.Image) -> None:
    sharp = moves.Motion(speed=0.8)
    blurred = moves.Motion(speed=0.8, shutter=0.9)
    frames = [
        moves.render_move(scene, "pan right", 2, SIZE, motion=motion, seed=1)[0].astype(float)
        for motion in (sharp, blurred)
    ]
    across, down = ([np.abs(np.diff(f, axis=axis)).mean() for f in frames] for axis in (1, 0))
    assert across[1] < 0.7 * across[0]
    assert down[1] / down[0] > across[1] / across[0]


def test_hand_shake_does_not_drift() -> None:
    seconds = np.arange(0, 4, 0.04)
    shifts = moves.Wobble(amplitude=0.01, seed=3).at(seconds)[:, 0]
    assert 0.001 < shifts.std() < 0.03
    assert abs(shifts[:50].mean() - shifts[50:].mean()) < shifts.std()


def test_a_mover_moves_before_a_static_scene(scene: moves.Image) -> None:
    mover = moves.make_mover(np.random.default_rng(1), side=0.3, pace=0.5)
    frames = moves.render_move(scene, "static", 8, SIZE, movers=(mover,)).astype(int)
    changed = np.abs(frames[-1] - frames[0]).max(axis=2) > 8
    assert 0.005 < changed.mean() < 0.5


def test_degrading_is_deterministic_and_keeps_the_shape(scene: moves.Image) -> None:
    frames = moves.render_move(scene, "zoom in", 4, (64, 64))
    for seed in range(8):
        first, again = (moves.degrade(frames, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == frames.shape
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)


@pytest.mark.parametrize("codec", ["mp4v", "MJPG"])
def test_every_frame_comes_back_from_a_video_file(scene: moves.Image, codec: str) -> None:
    frames = moves.render_move(scene, "tilt up", 10, (64, 48))
    decoded = moves.encode_and_decode(frames, codec)
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(int) - frames).mean() < 12


def test_an_unknown_label_is_named_with_the_known_ones(scene: moves.Image) -> None:
    with pytest.raises(ValueError, match=r"unknown label 'pan up'.*pan left"):
        moves.render_move(scene, "pan up")
    with pytest.raises(ValueError, match="unknown scene family 'sea'"):
        moves.make_scene("sea", seed=0)


@pytest.mark.parametrize(("label", "speed"), [("pan left", -0.1), ("zoom in", 1.0)])
def test_a_speed_out_of_range_is_refused(scene: moves.Image, label: str, speed: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        moves.render_move(scene, label, speed=speed)
