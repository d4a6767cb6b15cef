"""The main job: `i3d classify` says what the TensorFlow Hub tutorial says, to the last label.

A module with I3D's architecture and made-up weights is served as TensorFlow Hub serves I3D. The
steps of the tutorial (tensorflow/docs, site/en/hub/tutorials/action_recognition_with_tf_hub.ipynb)
are written out below and run on it in this process; the command runs on it in processes of its
own:

- `--recipe tutorial` must agree with the tutorial as it is, which feeds pixels in [0, 1];
- the default recipe must agree with the tutorial's steps fed with 2 * x - 1, in [-1, 1], which is
  what I3D was trained on. All clips have 25 frames per second, so the recipe drops none.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from i3d.engines.choose import load_engine
from i3d.models.labels import load_labels

from inception_i3d import write_i3d_module
from model_hosts import pack, serve_models
from videos import write_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inception_i3d import I3DModule
    from model_hosts import ModelHosts

pytestmark = pytest.mark.slow

NUM_FRAMES = (9, 16, 44, 79)  # one step, and lengths that are padded in four ways
RANGES = {"tutorial": (0.0, 1.0), "standard": (-1.0, 1.0)}
ENGINES = {"tutorial": "openvino", "standard": "tensorflow"}
SOURCE = Path(__file__).parent.parent / "src"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> I3DModule:
    return write_i3d_module(tmp_path_factory.mktemp("module") / "i3d")


@pytest.fixture(scope="module")
def hub(module: I3DModule, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelHosts]:
    archive = pack(module.directory, tmp_path_factory.mktemp("hub") / "1.tar.gz")
    with serve_models({"i3d-kinetics-400": archive}) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A video of each length, by its number of frames."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        length: write_video(
            folder / f"clip_{length}.avi",
            num_frames=length,
            fps=25,
            codec="MJPG",
            frame=_moving_shapes(seed=length),
        )
        for length in NUM_FRAMES
    }


def _moving_shapes(seed: int) -> Any:
    """A function that paints picture i of a video: three shapes on their way over a background."""
    random = np.random.default_rng(seed)
    background, *colours = [tuple(map(int, random.integers(0, 256, 3))) for _ in range(4)]
    starts, speeds = random.integers(0, 240, (3, 2)), random.integers(-6, 7, (3, 2))

    def paint(i: int) -> np.ndarray:
        image = np.full((240, 320, 3), background, np.uint8)
        places = [tuple(map(int, place)) for place in (starts + i * speeds) % (320, 240)]
        cv2.circle(image, places[0], 40, colours[0], -1)
        cv2.rectangle(image, places[1], (places[1][0] + 90, places[1][1] + 50), colours[1], -1)
        cv2.line(image, places[2], (160, 120), colours[2], 15)
        return image

    return paint


# The tutorial


def crop_center_square(frame: np.ndarray) -> np.ndarray:
    y, x = frame.shape[0:2]
    min_dim = min(y, x)
    start_x = (x // 2) - (min_dim // 2)
    start_y = (y // 2) - (min_dim // 2)
    return frame[start_y : start_y + min_dim, start_x : start_x + min_dim]


def load_video(path: str, resize: tuple[int, int] = (224, 224)) -> np.ndarray:
    capture = cv2.VideoCapture(path)
    frames = []
    while True:
        there_is_one, frame = capture.read()
        if not there_is_one:
            break
        frame = cv2.resize(crop_center_square(frame), resize)
        frames.append(frame[:, :, [2, 1, 0]])
    capture.release()
    return np.array(frames) / 255.0


@dataclass(frozen=True)
class Answer:
    logits: np.ndarray
    probabilities: np.ndarray


@pytest.fixture(scope="module")
def tutorial(
    hub: ModelHosts, clips: dict[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], Answer]:
    """The tutorial's answers, by the recipe that must agree and the number of frames."""
    import tensorflow as tf
    import tensorflow_hub

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFHUB_CACHE_DIR", str(tmp_path_factory.mktemp("tutorial_cache")))
        patch.setenv("NO_PROXY", "127.0.0.1")
        i3d = tensorflow_hub.load(hub.module_url).signatures["default"]
    answers = {}
    for length, path in clips.items():
        sample_video = load_video(str(path))
        for recipe, pixels in (("tutorial", sample_video), ("standard", 2 * sample_video - 1)):
            model_input = tf.constant(pixels, dtype=tf.float32)[tf.newaxis, ...]
            logits = i3d(model_input)["default"][0]
            answers[recipe, length] = Answer(logits.numpy(), tf.nn.softmax(logits).numpy())
    return answers


# The command


@dataclass(frozen=True)
class Runs:
    results: dict[tuple[str, int], dict[str, Any]]
    """The document's results, by recipe and number of frames."""
    requests_of_first: list[str]
    requests_of_second: list[str]
    stderr: str


@pytest.fixture(scope="module")
def runs(hub: ModelHosts, clips: dict[int, Path], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run the command on all clips twice with one cache: as the tutorial, then by default.

    The first run is OpenVINO's, by `auto`; the second is TensorFlow's.
    """
    cache = tmp_path_factory.mktemp("cache")
    results: dict[tuple[str, int], dict[str, Any]] = {}
    stderr = ""
    requests = []
    for recipe, options in (
        ("tutorial", ["--recipe", "tutorial"]),
        ("standard", ["--engine", "tensorflow"]),
    ):
        before = len(hub.paths("tfhub"))
        process = _classify(hub, cache, [*options, *map(str, clips.values())])
        requests.append(hub.paths("tfhub")[before:])
        assert process.returncode == 0, process.stderr
        stderr += process.stderr
        document = json.loads(process.stdout)
        for length, result in zip(clips, document["results"], strict=True):
            results[recipe, length] = result
    return Runs(results, *requests, stderr)


def _classify(
    hub: ModelHosts, cache: Path, arguments: list[str]
) -> subprocess.CompletedProcess[str]:
    surroundings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TFHUB_")},
        "I3D_CACHE_DIR": str(cache),
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(SOURCE),
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "i3d", "classify", "--model", hub.module_url]
    return subprocess.run(
        [*command, "--format", "json", "--top", "400", *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        env=surroundings,
    )


@pytest.mark.parametrize("num_frames", NUM_FRAMES)
@pytest.mark.parametrize("recipe", RANGES)
def test_all_logits_and_probabilities_are_the_tutorials(
    recipe: str, num_frames: int, tutorial: dict[tuple[str, int], Answer], runs: Runs
) -> None:
    expected, result = tutorial[recipe, num_frames], runs.results[recipe, num_frames]
    scores = sorted(result["scores"], key=lambda score: score["label_index"])

    assert [score["label_index"] for score in scores] == list(range(400))
    logits = np.array([score["logit"] for score in scores])
    probabilities = np.array([score["probability"] for score in scores])
    largest = np.abs(expected.logits).max()
    np.testing.assert_allclose(logits, expected.logits, rtol=0, atol=3e-5 * largest)
    np.testing.assert_allclose(probabilities, expected.probabilities, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_frames", NUM_FRAMES)
def test_the_labels_and_their_order_are_the_tutorials(
    num_frames: int, tutorial: dict[tuple[str, int], Answer], runs: Runs
) -> None:
    scores = runs.results["tutorial", num_frames]["scores"]

    top_5 = np.argsort(tutorial["tutorial", num_frames].probabilities)[::-1][:5]
    assert [score["label_index"] for score in scores[:5]] == top_5.tolist()
    assert [score["rank"] for score in scores] == list(range(1, 401))
    labels = load_labels("kinetics-400")
    assert all(score["label"] == labels[score["label_index"]] for score in scores)


@pytest.mark.parametrize("num_frames", NUM_FRAMES)
@pytest.mark.parametrize("recipe", RANGES)
def test_results_say_what_was_fed(
    recipe: str, num_frames: int, hub: ModelHosts, clips: dict[int, Path], runs: Runs
) -> None:
    result = runs.results[recipe, num_frames]

    assert result["status"] == "ok"
    assert result["video"]["path"] == str(clips[num_frames])
    assert result["video"]["num_frames_decoded"] == num_frames
    assert result["num_steps"] == math.ceil(num_frames / 8) - 1
    assert result["recipe"]["name"] == recipe
    assert result["engine"]["name"] == ENGINES[recipe]
    assert tuple(result["recipe"]["input_range"]) == RANGES[recipe]
    assert result["model"]["name"] == hub.module_url


def test_the_clips_and_the_ranges_have_clearly_different_answers(
    tutorial: dict[tuple[str, int], Answer],
) -> None:
    """Or the equalities above would prove nothing."""
    logits = [answer.logits for answer in tutorial.values()]
    for i, one in enumerate(logits):
        assert one.std() > 1
        assert all(np.abs(one - other).max() > 1 for other in logits[i + 1 :])


def test_the_module_is_fetched_once(runs: Runs) -> None:
    assert runs.requests_of_first == [
        "GET /deepmind/i3d-kinetics-400/1?tf-hub-format=compressed",
        "GET /storage/deepmind/i3d-kinetics-400/1.tar.gz",
    ]
    assert runs.requests_of_second == []


def test_tensorflow_is_silent(runs: Runs) -> None:
    for word in ("oneDNN", "cuda", "WARNING", "Warning", "absl", "tensorflow"):
        assert word not in runs.stderr


# The network


def test_the_network_has_the_size_of_deepminds(module: I3DModule) -> None:
    """230 tensors, as the checkpoint data/checkpoints/rgb_imagenet of google-deepmind/kinetics-i3d.

    Their names and shapes were compared with that checkpoint's when this was written.
    """
    import tensorflow as tf

    saved = dict(tf.train.list_variables(str(module.directory / "variables" / "variables")))
    assert saved == {name: list(shape) for name, shape in module.shapes.items()}
    assert len(saved) == 230
    sizes = {name: math.prod(shape) for name, shape in saved.items()}
    assert sum(sizes.values()) == 12_704_544
    statistics = [size for name, size in sizes.items() if "/moving_" in name]
    assert sum(sizes.values()) - sum(statistics) == 12_689_984


def test_a_network_that_rescales_its_input_says_the_same_of_the_other_range(
    module: I3DModule, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    clip = random.integers(0, 256, (9, 224, 224, 3), dtype=np.uint8)
    plain = load_engine(module.directory)
    rescaling = load_engine(write_i3d_module(tmp_path / "i3d", rescales_input=True).directory)

    assert plain.contract.input_range == (-1.0, 1.0)
    assert rescaling.contract.input_range == (0.0, 1.0)
    assert plain.contract.has_steps
    assert rescaling.contract.has_steps
    np.testing.assert_allclose(
        rescaling.step_logits(clip, rescaling.contract.input_range),
        plain.step_logits(clip, plain.contract.input_range),
        rtol=0,
        atol=1e-4,
    )
