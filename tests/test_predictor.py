"""Step logits to scores."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from i3d.analysis.prediction import best_scores, mean_scores, rank_of, top_indices
from i3d.analysis.steps import run_clip
from i3d.engines.base import softmax
from i3d.errors import ModelOutputError, UsageError

from engines import FakeEngine

CLIP = np.zeros((16, 224, 224, 3), dtype=np.uint8)
RANGE = (-1.0, 1.0)


def steps(*rows: object) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_logits_are_averaged_over_the_steps_before_the_softmax() -> None:
    scores = mean_scores(steps([1, 5, 0], [3, -1, 0]))
    assert scores.logits.tolist() == [2, 2, 0]
    total = 2 * exp(2) + 1
    assert scores.probabilities == pytest.approx([exp(2) / total, exp(2) / total, 1 / total])


def test_probabilities_are_float64_and_sum_to_one() -> None:
    logits = np.linspace(-20, 25, 400)
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float64
    assert probabilities.sum() == pytest.approx(1, abs=1e-14)


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([1000.0, 0.0])).tolist() == [1.0, 0.0]


def test_softmax_of_deepminds_published_logits_gives_their_published_probabilities() -> None:
    # out/imagenet_rgb.txt of google-deepmind/kinetics-i3d: the ratio of the best two.
    logits = np.array([25.856646, 12.330335])
    first, second = softmax(logits)
    assert second / first == pytest.approx(1.335354e-06 / 0.9999968, rel=1e-5)


def test_ties_stay_in_the_order_of_the_labels() -> None:
    scores = mean_scores(steps([1, 2, 2, 1, 2]))
    best = best_scores(scores, ["a", "b", "c", "d", "e"], top=4)
    assert [score.label for score in best] == ["b", "c", "e", "a"]
    assert [score.label_index for score in best] == [1, 2, 4, 0]
    assert [score.rank for score in best] == [1, 2, 3, 4]
    assert [rank_of(scores, i) for i in range(5)] == [4, 1, 2, 5, 3]


def test_top_indices_is_stable_for_many_ties() -> None:
    assert top_indices(np.zeros(1000), 1000).tolist() == list(range(1000))


def test_more_labels_than_there_are_is_not_an_error() -> None:
    assert len(best_scores(mean_scores(steps([1, 2, 3])), ["a", "b", "c"], top=1000)) == 3


def test_no_labels_at_all_is_an_error() -> None:
    with pytest.raises(UsageError, match="at least 1, not 0"):
        best_scores(mean_scores(steps([1, 2, 3])), ["a", "b", "c"], top=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_an_error(bad: float) -> None:
    engine = FakeEngine([[1, bad, 3], [1, 2, 3]])
    with pytest.raises(ModelOutputError, match="1 outputs of 6 that are not finite"):
        run_clip(engine, CLIP, RANGE)


@pytest.mark.parametrize(("num_frames", "fed"), [(1, 9), (4, 9), (8, 9), (9, 9), (10, 10)])
def test_short_clips_are_looped_to_nine_frames(num_frames: int, fed: int) -> None:
    engine = FakeEngine([[1, 2, 3]])
    clip = np.zeros((num_frames, 224, 224, 3), dtype=np.uint8)
    clip += np.arange(num_frames, dtype=np.uint8)[:, None, None, None]
    found = run_clip(engine, clip, RANGE)
    assert found.tolist() == [[1, 2, 3]]
    numbers = engine.clips[0][:, 0, 0, 0].tolist()
    assert numbers == [i % num_frames for i in range(fed)]
