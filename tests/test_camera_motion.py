"""The model that ships with i3d, through the whole way from a video file to its label."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from i3d.analysis.classifier import Classifier
from i3d.models.catalog import CATALOG
from i3d.models.find import find_model
from i3d.models.labels import load_labels
from i3d.video.listing import IMAGE_SUFFIXES
from i3d.video.reader import VideoReader

import camera_moves

if TYPE_CHECKING:
    from i3d.video.frames import Frame

    from camera_moves import Frames
    from conftest import RunI3D

LABELS = load_labels("camera-motion")
PACKAGE_DATA = Path(__file__).parent.parent / "src" / "i3d" / "data"
SAMPLE = PACKAGE_DATA / "sample-juggling.avi"


@pytest.fixture(scope="module")
def camera_motion() -> Classifier:
    return Classifier.load("camera-motion")


@pytest.fixture(scope="module")
def pan() -> Frames:
    """A camera that pans to the right over a street, 3 s."""
    scene = camera_moves.make_scene("street", seed=[2026, 11])
    return camera_moves.render_move(scene, "pan right", 75, (320, 240), seed=3, fps=25)


def write(path: Path, frames: np.ndarray | list[Frame], fps: float = 25) -> Path:
    height, width = frames[0].shape[:2]
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def best(classifier: Classifier, path: Path) -> str:
    return classifier.classify(path, top=1).scores[0].label


def test_the_sample_s_camera_stands_still_before_a_juggler(run_i3d: RunI3D) -> None:
    process = run_i3d("classify", SAMPLE, "--model", "camera-motion", "--top", "3")
    assert process.returncode == 0
    assert process.stderr == ""
    lines = process.stdout.splitlines()
    assert lines[3].split()[0] == "static"
    assert len(lines) == 6


def test_the_model_is_small_and_in_the_hubs_format(camera_motion: Classifier) -> None:
    directory = find_model("camera-motion").directory
    assert sum(path.stat().st_size for path in directory.rglob("*")) < 2_000_000
    assert (directory / "tfhub_module.pb").is_file()
    contract = camera_motion.engine.contract
    assert contract.signature == "default"
    assert contract.num_labels == 9
    assert contract.size == 224
    assert contract.input_range == (-1.0, 1.0)
    assert contract.has_steps
    assert (contract.receptive_field, contract.stride) == (36, 8)
    assert camera_motion.model.source == "packaged"
    assert camera_motion.model.weights == CATALOG["camera-motion"].weights


@pytest.mark.parametrize("num_frames", [9, 16, 17, 64, 75])
def test_its_steps_are_i3ds(
    camera_motion: Classifier, pan: Frames, tmp_path: Path, num_frames: int
) -> None:
    prediction = camera_motion.classify(write(tmp_path / "pan.avi", pan[:num_frames]))
    assert prediction.num_steps == -(-num_frames // 8) - 1
    assert prediction.scores[0].label == "pan right"


@pytest.mark.parametrize("label", LABELS)
def test_each_move_over_a_scene(camera_motion: Classifier, tmp_path: Path, label: str) -> None:
    scene = camera_moves.make_scene("street", seed=[2026, 11])
    frames = camera_moves.render_move(scene, label, seed=3)
    assert best(camera_motion, write(tmp_path / "move.mp4", frames)) == label


@pytest.mark.parametrize(
    ("transform", "label"),
    [
        (lambda frames: [frame[:, ::-1] for frame in frames], "pan left"),
        (lambda frames: frames[::-1], "pan left"),
        (lambda frames: [np.rot90(frame) for frame in frames], "tilt up"),
        (lambda frames: [np.rot90(frame, -1) for frame in frames], "tilt down"),
        (lambda frames: [frames[30]] * 40, "static"),
    ],
    ids=["mirrored", "backwards", "turned left", "turned right", "frozen"],
)
def test_what_is_done_to_a_pan_is_seen(
    camera_motion: Classifier, pan: Frames, tmp_path: Path, transform: object, label: str
) -> None:
    changed = [np.ascontiguousarray(frame) for frame in transform(list(pan))]
    assert best(camera_motion, write(tmp_path / "changed.avi", changed)) == label


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_to_see_is_static(camera_motion: Classifier, tmp_path: Path, level: int) -> None:
    frames = np.full((30, 240, 320, 3), level, np.uint8)
    assert best(camera_motion, write(tmp_path / "plain.avi", frames)) == "static"


@pytest.mark.slow
@pytest.mark.skipif("I3D_REAL_VIDEOS" not in os.environ, reason="I3D_REAL_VIDEOS is not set")
def test_moves_over_real_footage(camera_motion: Classifier, tmp_path: Path) -> None:
    """At least 90 % of 64-frame moves over frames of real footage, which it has never seen."""
    wrong = []
    total = 0
    for path in sorted(Path(os.environ["I3D_REAL_VIDEOS"]).iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES or not path.is_file():
            continue
        with VideoReader(path) as reader:
            images = [frame.image for frame in reader]
        for place in (0.25, 0.75):
            image = images[int(place * len(images))]
            for label in LABELS:
                frames = camera_moves.render_move(image, label, num_frames=64, seed=total)
                found = best(camera_motion, write(tmp_path / "move.mp4", frames))
                total += 1
                if found != label:
                    wrong.append(f"{path.name} at {place}: {label} taken for {found}")
    assert total >= 18
    assert len(wrong) <= 0.1 * total, wrong
