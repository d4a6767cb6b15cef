"""DeepMind's real weights on real videos: answers, accuracy, both engines, a timeline.

All of it is in one file, so that pytest-xdist keeps it in one process: the model is loaded once,
OpenVINO sees each video once, and tests share its scores.
"""

from __future__ import annotations

import functools
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import pytest

from i3d import Classifier, VideoReader, make_timeline
from i3d.analysis.prediction import predict
from i3d.engines.base import softmax
from i3d.models.checkpoints import open_checkpoint
from i3d.models.published import git_blob_sha1, identify

from measure_accuracy import accuracy, answer_of, read_clips
from videos import write_video

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d import VideoScores

    from conftest import RunI3D

    Score: TypeAlias = Callable[[Path], VideoScores]

pytestmark = [pytest.mark.real_weights, pytest.mark.slow]

ANSWERS = {
    "v_CricketShot_g04_c01_rgb.gif": ("playing cricket", 0.98856),
    "demo.mp4": ("arm wrestling", 0.9999),
    "test.avi": ("filling eyebrows", 0.79928),
    "test.mp4": ("cleaning pool", 0.99858),
    "v_GGSY1Qvo990.mp4": ("clean and jerk", 0.99710),
}
"""Video -> its best label and that label's probability, as measured with TensorFlow and OpenVINO on
the TensorFlow Hub module."""

PROBABILITY_TOLERANCE = 2e-3
"""Engines differ by 1e-5. The rest is for versions of FFmpeg, whose decoders may differ by a grey
level."""

ENGINE_TOLERANCE = 1e-4
"""How far the probabilities of the engines may differ: float32 sums in another order."""

LEAST_RIGHT = 22
"""Of the 34 clips, one less than were measured (docs/accuracy.md)."""

HUBS_INDEX = "1b9bd4abbd6fd9df6e0786a69d8eab0aa6f19299"
"""Git blob id of the Hub module's `variables.index`, as published in
JunyaoHu/common_metrics_on_video_quality."""

BOUNDARY_SECONDS = 0.6
"""How far a boundary may be from its cut: just under two steps of the network's output."""


def folder(variable: str) -> Path:
    path = os.environ.get(variable)
    if path is None:
        pytest.skip(f"{variable} is not set")
    return Path(path)


@pytest.fixture(scope="module")
def videos() -> list[Path]:
    return [folder("I3D_REAL_VIDEOS") / name for name in ANSWERS]


@pytest.fixture(scope="module")
def classifiers(
    real_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Classifier]:
    """Load the model in an engine, once."""
    cache = str(tmp_path_factory.mktemp("cache"))

    @functools.cache
    def load(engine: str) -> Classifier:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("I3D_CACHE_DIR", cache)
            return Classifier.load(str(real_module), engine=engine)

    return load


@pytest.fixture(scope="module")
def score(classifiers: Callable[[str], Classifier]) -> Score:
    """Score a whole video with the standard recipe, once."""
    return functools.cache(classifiers("openvino").score)


def test_the_weights_are_those_of_the_models_name(classifiers: Callable[[str], Classifier]) -> None:
    assert classifiers("openvino").model.checkpoint == "rgb_scratch"


@pytest.mark.parametrize("name", ANSWERS)
def test_the_best_label_and_its_probability(name: str, score: Score, videos: list[Path]) -> None:
    best = predict(score(videos[0].with_name(name))).scores[0]
    label, probability = ANSWERS[name]
    assert best.label == label
    assert best.probability == pytest.approx(probability, abs=PROBABILITY_TOLERANCE)


def test_the_tutorials_recipe_gives_the_tutorials_answer(
    classifiers: Callable[[str], Classifier], videos: list[Path]
) -> None:
    """Fed [0, 1]: the order of labels is that of the tutorial's page for a neighbouring clip."""
    found = classifiers("openvino").classify(videos[0], recipe="tutorial").scores
    assert [score.label for score in found[:4]] == [
        "playing cricket",
        "robot dancing",
        "skateboarding",
        "roller skating",
    ]
    assert found[0].probability == pytest.approx(0.97046, abs=PROBABILITY_TOLERANCE)


def test_enough_real_clips_get_one_of_their_labels(score: Score) -> None:
    clips = read_clips(folder("I3D_REAL_CLIPS"))
    answers = [answer_of(score(clip.path), clip) for clip in clips]
    found = accuracy(answers, 1)
    wrong = {
        clip.path.name: answer.predicted
        for clip, answer in zip(clips, answers, strict=True)
        if answer.right_rank > 1
    }
    assert found.num_right >= LEAST_RIGHT, wrong


def test_a_montage_is_cut_where_it_was_pasted(
    tmp_path: Path, score: Score, videos: list[Path]
) -> None:
    frames: list[np.ndarray] = []
    cuts = [0.0]
    for path in videos:
        with VideoReader(path, fps=25) as reader:
            shot = [square(frame.image) for frame in reader]
        middle = max(len(shot) - 100, 0) // 2  # test.avi begins with cream being applied
        frames += shot[middle : middle + 100]
        cuts.append(len(frames) / 25)
    montage = write_video(tmp_path / "montage.avi", len(frames), frame=lambda i: frames[i])

    segments = make_timeline(score(montage)).segments

    assert [segment.label for segment in segments] == [label for label, _ in ANSWERS.values()]
    for segment, (start, end) in zip(segments, pairwise(cuts), strict=True):
        assert segment.start_seconds == pytest.approx(start, abs=BOUNDARY_SECONDS), segment.label
        assert segment.end_seconds == pytest.approx(end, abs=BOUNDARY_SECONDS), segment.label


def square(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (256, 256))


def test_both_engines_give_the_same_probabilities(
    classifiers: Callable[[str], Classifier], score: Score, videos: list[Path]
) -> None:
    for path in videos:
        expected = score(path).step_logits
        found = classifiers("tensorflow").score(path).step_logits
        assert found.shape == expected.shape
        for ours, theirs in zip(
            [*found, found.mean(axis=0)], [*expected, expected.mean(axis=0)], strict=True
        ):
            np.testing.assert_allclose(softmax(ours), softmax(theirs), atol=ENGINE_TOLERANCE)


def test_the_hubs_compressed_index_is_read(real_module: Path) -> None:
    index = real_module / "variables" / "variables.index"
    if git_blob_sha1(index) != HUBS_INDEX:
        pytest.skip("I3D_REAL_MODULE is not TensorFlow Hub's own module")
    found = identify(open_checkpoint(index.with_suffix("")))
    assert (found.checkpoint, found.num_equal) == ("rgb_scratch", 230)


def test_the_module_is_imported_described_and_verified(real_module: Path, run_i3d: RunI3D) -> None:
    imported = run_i3d("model", "import", real_module)
    assert imported.returncode == 0, imported.stderr
    assert Path(imported.stdout.strip()).name == "i3d-kinetics-400"

    about = json.loads(run_i3d("model", "info", "--format", "json").stdout)
    assert (about["checkpoint"], about["num_parameters"]) == ("rgb_scratch", 12_704_544)
    assert (about["input_range"], about["receptive_field"]) == ([-1.0, 1.0], 107)

    verified = run_i3d("model", "verify", "--no-sample")
    assert verified.returncode == 0, verified.stderr
    assert "230 of 230 tensors equal rgb_scratch" in verified.stdout


def test_the_modules_folder_answers_on_the_command_line(
    real_module: Path, run_i3d: RunI3D, videos: list[Path]
) -> None:
    done = run_i3d("classify", videos[0], "--model", real_module, "--format", "json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["scores"][0]["label"] == "playing cricket"
    assert result["engine"]["name"] == "openvino"
