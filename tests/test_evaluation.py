"""Accuracy on UCF101: what counts, what is left out, what fails, and the numbers."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.datasets.evaluate import Evaluator
from i3d.datasets.measures import Accuracy, Confusion, Evaluation, LeftOut, compare
from i3d.datasets.targets import Sample, describe_settings
from i3d.datasets.ucf101.data import load_index
from i3d.errors import (
    DownloadError,
    EngineError,
    EngineNotInstalledError,
    ModelOutputError,
    UsageError,
    VideoDecodeError,
)
from i3d.models.labels import load_labels
from i3d.models.records import ModelInfo

import videos
from engines import FakeEngine, fake_classifier
from known_answers import Clips, KnownAnswers, clip, evaluate_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from i3d.datasets.ucf101.data import Clip
    from i3d.datasets.ucf101.fetch import FetchedClip

SIX = ["Archery 1 1", "Archery 1 2", "CliffDiving 1 1", "CliffDiving 1 2", "Bowling 1 1"]
SIX += ["Bowling 2 1"]


def six_answers() -> KnownAnswers:
    """Two at rank 1, one each at 2, 5, 6 and far behind."""
    return KnownAnswers(
        {
            "v_Archery_g01_c01": ["archery"],
            "v_Archery_g01_c02": ["yoga", "archery"],
            "v_CliffDiving_g01_c01": ["zumba", "yoga", "squat", "tai chi", "diving cliff"],
            "v_CliffDiving_g01_c02": [
                "zumba",
                "yoga",
                "squat",
                "singing",
                "crying",
                "diving cliff",
            ],
            "v_Bowling_g01_c01": ["bowling"],
            "v_Bowling_g02_c01": ["yoga"],
        }
    )


@pytest.fixture
def six(tmp_path: Path) -> Evaluation:
    return evaluate_in(tmp_path, SIX, six_answers())


def test_top_1_and_top_5_are_counted(six: Evaluation) -> None:
    assert six.num_clips == 6
    assert six.top1 == Accuracy(2, 6)
    assert six.top5 == Accuracy(4, 6)
    assert [result.best_label.rank for result in six.results[:5]] == [1, 2, 5, 6, 1]
    assert [result.top1 for result in six.results] == [True, False, False, False, True, False]
    assert [result.top5 for result in six.results] == [True, True, True, False, True, False]
    assert six.left_out == six.failures == ()
    assert six.num_resumed == 0


def test_categories_count_the_same_in_the_mean_over_categories(tmp_path: Path) -> None:
    names = ["Archery 1 1", "Archery 1 2", "Archery 1 3", "Bowling 1 1"]
    model = KnownAnswers(
        {f"v_Archery_g01_c0{i}": ["archery"] for i in (1, 2, 3)}
        | {"v_Bowling_g01_c01": ["yoga", "bowling"]}
    )
    evaluation = evaluate_in(tmp_path, names, model)
    assert evaluation.top1 == Accuracy(3, 4)
    assert evaluation.mean_category_top1 == (1 + 0) / 2
    assert evaluation.mean_category_top5 == 1
    archery, bowling = evaluation.categories
    assert (archery.category, archery.labels) == ("Archery", ("archery",))
    assert (archery.top1, archery.top5) == (Accuracy(3, 3), Accuracy(3, 3))
    assert (bowling.top1, bowling.top5) == (Accuracy(0, 1), Accuracy(1, 1))


def test_confusions_are_what_came_first_instead_most_frequent_first(tmp_path: Path) -> None:
    names = [f"Archery 1 {i}" for i in (1, 2, 3)] + ["Bowling 1 1", "Bowling 1 2", "Biking 1 1"]
    model = KnownAnswers(
        {
            "v_Archery_g01_c01": ["yoga", "archery"],
            "v_Archery_g01_c02": ["archery", "yoga"],
            "v_Archery_g01_c03": ["abseiling"],
            "v_Bowling_g01_c01": ["zumba"],
            "v_Bowling_g01_c02": ["zumba"],
            "v_Biking_g01_c01": ["zumba"],
        }
    )
    assert evaluate_in(tmp_path, names, model).confusions == (
        Confusion("Bowling", "zumba", 2),
        Confusion("Archery", "abseiling", 1),
        Confusion("Archery", "yoga", 1),
        Confusion("Biking", "zumba", 1),
    )


@pytest.mark.parametrize(
    ("num_right", "num_clips", "low", "high"),
    [
        # The first four are in R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (50, 60, 0.7197, 0.9069),
        (20, 20, 0.8389, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_the_interval_is_wilsons(num_right: int, num_clips: int, low: float, high: float) -> None:
    assert Accuracy(num_right, num_clips).interval == pytest.approx((low, high), abs=5e-5)


def test_of_several_labels_any_will_do(tmp_path: Path) -> None:
    model = KnownAnswers({"v_Biking_g01_c01": ["biking through snow"]})
    exact = evaluate_in(tmp_path, ["Biking 1 1"], model)
    assert exact.top1 == Accuracy(0, 1)
    assert exact.categories[0].labels == ("riding a bike",)
    near = evaluate_in(tmp_path, ["Biking 1 1"], model, relations=["near", "exact"])
    assert near.top1 == Accuracy(1, 1)
    assert near.settings.relations == ("exact", "near")
    assert set(near.categories[0].labels) == {
        "riding a bike",
        "riding mountain bike",
        "biking through snow",
    }
    assert near.results[0].best_label.label == "biking through snow"


def test_categories_without_a_label_that_counts_are_left_out_and_named(tmp_path: Path) -> None:
    names = ["ApplyLipstick 1 1", "CricketShot 1 1", "CricketShot 1 2", "Archery 1 1"]
    clips, model = Clips(tmp_path), KnownAnswers({})
    evaluation = evaluate_in(tmp_path, names, model, fetch=clips.fetch)
    assert evaluation.left_out == (LeftOut("ApplyLipstick", 1), LeftOut("CricketShot", 2))
    assert clips.fetched == ["v_Archery_g01_c01"]
    assert evaluation.num_clips == 1
    broader = evaluate_in(tmp_path, names, model, relations=["broader"])
    assert broader.left_out == (LeftOut("ApplyLipstick", 1), LeftOut("Archery", 1))


def test_a_label_that_the_model_does_not_hold_verbatim_does_not_count(tmp_path: Path) -> None:
    labels = ["Archery", "archery ", "bowling", "riding mountain bike", "yoga"]
    model = KnownAnswers({}, labels=labels)
    names = ["Archery 1 1", "Bowling 1 1", "Biking 1 1"]
    evaluation = evaluate_in(tmp_path, names, model)
    assert evaluation.left_out == (LeftOut("Archery", 1), LeftOut("Biking", 1))
    assert [result.clip.category for result in evaluation.results] == ["Bowling"]
    near = evaluate_in(tmp_path, names, model, relations=["exact", "near"])
    assert near.categories[0].labels == ("riding mountain bike",)


@pytest.mark.parametrize(("labels", "num_left_out"), [("kinetics-400", 54), ("kinetics-600", 55)])
def test_a_sample_is_drawn_from_the_clips_that_count_for_the_model_that_is_there(
    tmp_path: Path, labels: str, num_left_out: int
) -> None:
    model = KnownAnswers(labels=load_labels(labels))
    everything, clips = load_index().clips, Clips(tmp_path)

    def sampled(count: int, seed: int = 0) -> Evaluator:
        sample = Sample(count, seed)
        return Evaluator(everything, model, fetch=clips.fetch, sample=sample)

    evaluation = sampled(50).run()
    assert evaluation.num_clips == len(clips.fetched) == len(set(clips.fetched)) == 50
    counted = {category.name for category in load_index().categories}
    counted -= {row.category for row in evaluation.left_out}
    assert {result.clip.category for result in evaluation.results} <= counted
    # All that were chosen are accounted for, whether the sample would have hit them or not.
    assert len(evaluation.left_out) == 101 - len(counted) == num_left_out
    assert {row.category: row.num_clips for row in evaluation.left_out}["Billiards"] == 150

    assert sampled(50).clips == tuple(result.clip for result in evaluation.results)
    assert sampled(100).clips[:50] == sampled(50).clips
    assert sampled(50, seed=1).clips != sampled(50).clips
    whole = Evaluator(everything, model, fetch=clips.fetch)
    assert sampled(20_000).evaluation.left_out == whole.evaluation.left_out
    assert sorted(sampled(20_000).clips, key=whole.clips.index) == list(whole.clips)


@pytest.mark.parametrize(
    ("names", "model", "relations", "message", "hint"),
    [
        ([], KnownAnswers(), ["exact"], "no clip", "i3d ucf list"),
        (
            ["Archery 1 1", "Bowling 1 1"],
            KnownAnswers(labels=load_labels("camera-motion"), name="camera-motion"),
            ["exact"],
            r"camera-motion can't be evaluated .*\(archery, bowling\)",
            "--model i3d-kinetics-400",
        ),
        (
            ["BalanceBeam 1 1", "CricketShot 1 1"],
            KnownAnswers(),
            ["exact"],
            r"No label of i3d-kinetics-400 has the relation exact .*\(BalanceBeam, CricketShot\)",
            "--relation near or --relation broader",
        ),
        (
            ["ApplyLipstick 1 1", "Billiards 1 1"],
            KnownAnswers(),
            ["exact", "near"],
            r"No label of Kinetics .*\(ApplyLipstick, Billiards\)",
            "i3d ucf list",
        ),
    ],
)
def test_where_nothing_can_be_evaluated_it_is_said_before_anything_is_done(
    tmp_path: Path,
    names: list[str],
    model: KnownAnswers,
    relations: list[str],
    message: str,
    hint: str,
) -> None:
    clips = Clips(tmp_path / "clips")
    with pytest.raises(UsageError, match=message) as caught:
        evaluate_in(tmp_path, names, model, relations=relations, fetch=clips.fetch)
    assert hint in (caught.value.hint or "")
    assert clips.fetched == model.calls == list(tmp_path.iterdir()) == []


def test_clips_that_fail_are_listed_and_count_nowhere(tmp_path: Path) -> None:
    failures = {"v_Archery_g01_c02": DownloadError("No.", reason="no")}
    wrong = {
        "v_Archery_g01_c01": ["archery"],
        "v_Archery_g01_c03": VideoDecodeError("Damaged."),
        "v_Archery_g01_c04": ModelOutputError("Not finite."),
        "v_Archery_g01_c05": EngineError("Out of memory."),
    }
    seen: list[object] = []
    evaluation = evaluate_in(
        tmp_path,
        [f"Archery 1 {i}" for i in (5, 4, 3, 2, 1)],
        KnownAnswers(wrong),
        fetch=Clips(tmp_path / "clips", failures).fetch,
        on_failure=seen.append,
    )
    assert [failure.error.message for failure in evaluation.failures] == [
        "Out of memory.",
        "Not finite.",
        "Damaged.",
        "No.",
    ]
    assert seen == list(evaluation.failures)
    assert evaluation.top1 == Accuracy(1, 1)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), EngineNotInstalledError("No TensorFlow."), RuntimeError("bug")]
)
def test_what_concerns_more_than_one_clip_passes_and_what_was_done_is_known(
    tmp_path: Path, error: BaseException
) -> None:
    model = KnownAnswers({"v_Archery_g01_c02": error})
    closed = []

    def fetch(wanted: Sequence[Clip]) -> Iterator[FetchedClip]:
        try:
            yield from Clips(tmp_path).fetch(wanted)
        finally:
            closed.append(True)

    clips = [clip(f"Archery 1 {i}") for i in (1, 2, 3)]
    evaluator = Evaluator(clips, model, fetch=fetch)
    gc.disable()
    try:
        with pytest.raises(type(error)) as caught:
            evaluator.run()
        assert caught.value is error  # its traceback holds the frames that hold the downloads
        assert closed
    finally:
        gc.enable()
    assert [result.clip for result in evaluator.evaluation.results] == clips[:1]
    assert evaluator.evaluation.failures == ()


def test_evaluations_are_compared_on_the_clips_that_all_of_them_hold(tmp_path: Path) -> None:
    names = [f"Archery 1 {i}" for i in (1, 2, 3, 4)]
    one = KnownAnswers(
        {
            "v_Archery_g01_c01": ["archery"],
            "v_Archery_g01_c02": ["yoga", "archery"],
            "v_Archery_g01_c03": ["yoga"],
            "v_Archery_g01_c04": ["archery"],
        }
    )
    other = KnownAnswers(
        {
            "v_Archery_g01_c01": ["archery", "yoga"],
            "v_Archery_g01_c02": ["archery"],
            "v_Archery_g01_c03": ["zumba"],
            "v_Archery_g01_c04": VideoDecodeError("Damaged."),
        },
    )
    first = evaluate_in(tmp_path / "1", names, one)
    second = evaluate_in(tmp_path / "2", names, other)
    difference = compare([first, second])
    assert (difference.num_clips, difference.num_different) == (3, 2)
    assert compare([first, first]).num_different == 0
    assert compare([]).num_clips == 0


@pytest.mark.parametrize("recipe", ["standard", "tutorial", "deepmind"])
def test_the_real_classifier_does_what_the_settings_say(tmp_path: Path, recipe: str) -> None:
    name = clip("Archery 1 1").file_name
    videos.write_video(tmp_path / name, num_frames=10, fps=25, size=(64, 48))
    labels = ("archery", "bowling", "yoga")
    engine = FakeEngine(np.array([[1.0, 0.0, 2.0]]))
    model = fake_classifier(engine, labels, ModelInfo("fake", "sha256:0", 3, "labels.txt"))
    expected = describe_settings(model, recipe, ["exact"])
    prediction = model.classify(tmp_path / name, recipe=recipe)
    assert prediction.recipe == expected.recipe
    assert prediction.engine == expected.engine
    evaluation = Evaluator(
        [clip("Archery 1 1")], model, fetch=Clips(tmp_path).fetch, recipe=recipe
    ).run()
    assert evaluation.failures == ()
    (result,) = evaluation.results
    assert (result.predicted, result.best_label.rank) == ("yoga", 2)
    assert len(result.best) == 3
