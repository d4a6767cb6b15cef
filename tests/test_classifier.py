"""A video file to a prediction, with an engine that remembers what it was fed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import i3d.analysis.classifier
from i3d.analysis.classifier import Classifier
from i3d.errors import ModelOutputError, UnknownNameError, UsageError, VideoNotFoundError
from i3d.models.find import LocalModel
from i3d.models.records import ModelInfo

import videos
from checkpoint_files import write_checkpoint
from engines import FakeEngine, fake_classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def classifier(engine: FakeEngine) -> Classifier:
    labels = [f"label {i}" for i in range(engine.contract.num_labels)]
    info = ModelInfo("fake", "sha256:0", len(labels), "index")
    return fake_classifier(engine, labels, info)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine([[0, 2, 1], [0, 4, 1]])


def numbers(engine: FakeEngine) -> list[int]:
    """The numbers of the frames that the engine was fed last."""
    return [videos.read_number(frame) for frame in engine.clips[-1]]


def test_a_prediction_says_what_made_it(engine: FakeEngine, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=20, fps=25, size=(64, 48))
    prediction = classifier(engine).classify(clip, top=2)
    assert [score.label for score in prediction.scores] == ["label 1", "label 2"]
    assert [score.logit for score in prediction.scores] == [3, 1]
    assert prediction.num_steps == 2
    video = prediction.video
    assert (video.path, video.width, video.height) == (str(clip), 64, 48)
    assert (video.num_frames_decoded, video.num_frames_from_header) == (20, 20)
    assert video.duration_seconds == pytest.approx(0.8)
    assert prediction.clip.num_frames == prediction.clip.num_frames_fed == 20
    assert (prediction.clip.start_seconds, prediction.clip.end_seconds) == (0, pytest.approx(0.8))
    assert prediction.clip.fps == pytest.approx(25)
    assert (prediction.engine.name, prediction.engine.version) == ("fake", "1.2.3")
    assert prediction.model.fingerprint == "sha256:0"
    assert prediction.warnings == ()


def test_the_engine_is_fed_uint8_rgb(engine: FakeEngine, tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[:] = videos.RED
    clip = videos.write_avi(tmp_path / "red.avi", [red] * 10)
    classifier(engine).classify(clip)
    (fed,) = engine.clips
    assert fed.shape == (10, 224, 224, 3)
    assert fed.dtype == np.uint8
    assert fed[0, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("options", "input_range", "reason"),
    [
        ({}, (-1, 1), "the test says so"),
        ({"recipe": "deepmind"}, (-1, 1), "the test says so"),
        ({"recipe": "tutorial"}, (0, 1), "the tutorial recipe's"),
        ({"input_range": (0, 255)}, (0, 255), "asked for"),
        ({"recipe": "tutorial", "input_range": (-1, 1)}, (-1, 1), "asked for"),
    ],
    ids=str,
)
def test_the_range_is_the_models_unless_the_recipe_or_the_user_says_otherwise(
    engine: FakeEngine,
    tmp_path: Path,
    options: dict[str, object],
    input_range: tuple[float, float],
    reason: str,
) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    prediction = classifier(engine).classify(clip, **options)
    assert engine.ranges == [input_range]
    assert prediction.recipe.input_range == input_range
    assert prediction.recipe.input_range_reason == reason


def test_recipes_choose_frames(engine: FakeEngine, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=56, fps=50, size=(64, 64))
    fake = classifier(engine)
    fake.classify(clip)
    assert numbers(engine) == list(range(0, 56, 2))
    fake.classify(clip, recipe="tutorial")
    assert numbers(engine) == list(range(56))
    fake.classify(clip, fps="native")
    assert numbers(engine) == list(range(56))
    fake.classify(clip, fps=5)
    assert numbers(engine) == [0, 10, 20, 30, 40, 50, 0, 10, 20]  # looped to nine


def test_spans_and_limits(engine: FakeEngine, tmp_path: Path) -> None:
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=60, fps=25, size=(64, 64))
    prediction = classifier(engine).classify(
        clip, start_seconds=0.4, end_seconds=2.0, max_frames=20
    )
    assert numbers(engine) == list(range(10, 30))
    assert prediction.clip.start_seconds == pytest.approx(0.4)
    assert prediction.clip.end_seconds == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("options", "span", "duration"),
    [
        ({}, (0, 2), 2),
        ({"fps": 1}, (0, 2), 2),
        ({"fps": 2, "end_seconds": 1.1}, (0, 1.1), 2),
        ({"start_seconds": 0.4, "end_seconds": 1}, (0.4, 1), 2),
        ({"max_frames": 10}, (0, 0.4), 2),
    ],
    ids=str,
)
def test_times_stay_within_the_video_and_the_span(
    engine: FakeEngine,
    tmp_path: Path,
    options: dict[str, float],
    span: tuple[float, float],
    duration: float,
) -> None:
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=50, fps=25)
    prediction = classifier(engine).classify(clip, **options)
    shown = prediction.clip
    assert (shown.start_seconds, shown.end_seconds) == pytest.approx(span)
    assert prediction.video.duration_seconds == pytest.approx(duration)


def test_crops_differ(engine: FakeEngine, tmp_path: Path) -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    image[16:240, 16:240] = 255
    clip = videos.write_avi(tmp_path / "frame.avi", [image] * 9)
    fake = classifier(engine)
    fake.classify(clip)
    assert engine.clips[-1].min() == 0, "the whole square is seen"
    fake.classify(clip, recipe="deepmind")
    assert engine.clips[-1].min() == 255, "the inner 87.5 % are seen"


def test_a_model_that_insists_on_a_size_gets_it(tmp_path: Path) -> None:
    engine = FakeEngine([[1, 2]], size=172)
    prediction = classifier(engine).classify(videos.write_video(tmp_path / "clip.avi"))
    assert engine.clips[0].shape[1:] == (172, 172, 3)
    assert prediction.recipe.size == 172


@pytest.mark.parametrize(
    ("make", "warning"),
    [
        (
            lambda path: videos.truncated(videos.write_video(path / "x.avi", num_frames=40)),
            "of the 40 frames that the header declares",
        ),
        (
            lambda path: videos.truncated(videos.animated_gif(path / "x.gif", noise(12))),
            "the file is cut off or damaged",
        ),
        (
            lambda path: videos.write_video(path / "x.avi", num_frames=5),
            "the clip has 5 frames; it was repeated until there were the 9",
        ),
        (
            lambda path: videos.write_video(path / "x.avi", num_frames=1),
            "the clip has 1 frame, which shows no motion",
        ),
        (
            lambda path: videos.write_video(path / "x.avi", num_frames=12, fps=5),
            "5.0 frames per second are few",
        ),
        (
            lambda path: damaged_folder(path / "images"),
            "1 of 12 images could not be read and were left out",
        ),
    ],
    ids=["truncated", "truncated GIF", "short", "still", "slow", "damaged image"],
)
def test_warnings(
    engine: FakeEngine, tmp_path: Path, make: Callable[[Path], Path], warning: str
) -> None:
    warnings = classifier(engine).classify(make(tmp_path)).warnings
    assert warning in warnings[0]


def noise(num_frames: int) -> list[np.ndarray]:
    return [videos.noise_image(seed) for seed in range(num_frames)]


def damaged_folder(path: Path) -> Path:
    videos.image_folder(path, num_images=12)
    (path / "img5.png").write_bytes(b"not a picture")
    return path


def test_what_could_be_decoded_of_a_truncated_video_is_classified(
    engine: FakeEngine, tmp_path: Path
) -> None:
    whole = videos.write_video(tmp_path / "cut.avi", num_frames=40, size=(64, 64))
    path = videos.truncated(whole)
    video = classifier(engine).classify(path).video
    assert video.ended_early
    assert video.num_frames_from_header == 40
    assert 9 <= video.num_frames_decoded <= 25
    # The last one is cut in the middle, and its picture is what the decoder makes of it.
    assert numbers(engine)[:-1] == list(range(video.num_frames_decoded - 1))


def test_errors_come_through(engine: FakeEngine, tmp_path: Path) -> None:
    fake = classifier(engine)
    clip = videos.write_video(tmp_path / "clip.avi")
    with pytest.raises(VideoNotFoundError, match=r"gone\.avi"):
        fake.classify(tmp_path / "gone.avi")
    with pytest.raises(UnknownNameError, match="cake"):
        fake.classify(clip, recipe="cake")
    with pytest.raises(UsageError, match="at least 0"):
        fake.classify(clip, start_seconds=-1)
    with pytest.raises(ModelOutputError):
        classifier(FakeEngine([[np.nan, 1]])).classify(clip)


# Loading


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Make `Classifier.load` find a model of the user's own with so many outputs."""

    def prepare(num_labels: int) -> None:
        def find(*_: object, **__: object) -> LocalModel:
            return LocalModel("my model", tmp_path, None)  # a new one: it knows its checksum

        monkeypatch.setattr(i3d.analysis.classifier, "find_model", find)
        engine = FakeEngine([list(range(num_labels))])
        monkeypatch.setattr(i3d.analysis.classifier, "load_engine", lambda *_, **__: engine)
        signature = SimpleNamespace(num_labels=num_labels, size=None)
        monkeypatch.setattr(i3d.analysis.classifier, "read_signature", lambda _: signature)

    return prepare


@pytest.mark.parametrize(
    ("num_labels", "number", "label"), [(400, 227, "playing cricket"), (600, 599, "zumba")]
)
def test_400_and_600_outputs_are_taken_for_kinetics_and_it_is_said(
    loads: Callable[[int], None], num_labels: int, number: int, label: str
) -> None:
    loads(num_labels)
    loaded = Classifier.load("my model")
    assert loaded.labels[number] == label
    told = f"my model has {num_labels} outputs: taken to be Kinetics-{num_labels}'s"
    assert told in loaded.notes[0]
    assert loaded.model.label_list == f"kinetics-{num_labels}"


def test_a_result_says_whose_weights_made_it_in_any_folder(
    loads: Callable[[int], None], tmp_path: Path
) -> None:
    loads(400)
    write_checkpoint(
        tmp_path / "variables", "rgb_scratch", name="variables", published_checksums=True
    )
    model = Classifier.load("my model").model
    assert model.source == "folder"
    assert model.checkpoint == "rgb_scratch"
    assert model.weights is not None
    data = tmp_path / "variables" / "variables.data-00000-of-00001"
    with data.open("r+b") as file:
        file.seek(1000)
        file.write(b"i3d")
    changed = Classifier.load("my model").model
    assert changed.checkpoint is None
    assert changed.weights != model.weights
    assert changed.fingerprint != model.fingerprint
    (tmp_path / "variables" / "variables.index").write_bytes(b"damaged")
    assert Classifier.load("my model").model.weights is None


def test_other_outputs_are_numbered_and_it_is_said(loads: Callable[[int], None]) -> None:
    loads(3)
    loaded = Classifier.load("my model")
    assert loaded.labels == ("0", "1", "2")
    assert "3 outputs without names" in loaded.notes[0]
    assert loaded.model.label_list == "index"


def test_a_label_file_names_the_outputs(loads: Callable[[int], None], tmp_path: Path) -> None:
    loads(3)
    file = tmp_path / "labels.txt"
    file.write_text("one\ntwo\nthree\n")
    loaded = Classifier.load("my model", labels=file)
    assert loaded.labels == ("one", "two", "three")
    assert loaded.notes == ()
    file.write_text("one\ntwo\n")
    with pytest.raises(UsageError, match="2 labels, but the model has 3"):
        Classifier.load("my model", labels=file)
