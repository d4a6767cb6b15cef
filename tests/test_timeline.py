"""Step logits to segments: every rule on scores with a known answer, then what holds for any."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.analysis.prediction import predict
from i3d.analysis.results import TimelineSettings
from i3d.analysis.scores import VideoScores
from i3d.analysis.timeline import check_settings, follow_labels, make_timeline
from i3d.engines.base import EngineInfo
from i3d.errors import UnknownNameError, UsageError
from i3d.models.labels import load_labels
from i3d.models.records import ModelInfo
from i3d.video.info import ClipInfo, RecipeInfo, VideoInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.results import Segment, Timeline

RAW = TimelineSettings(min_duration_seconds=0, smooth_seconds=0)
"""Neither smoothed nor long: what the scores alone say."""


def video_scores(
    step_logits: object,
    labels: Sequence[str] = ("a", "b", "c"),
    edges: Sequence[float] | None = None,
    path: str = "clip.mp4",
) -> VideoScores:
    """Scores of a video whose steps last half a second each, unless the edges say otherwise."""
    logits = np.asarray(step_logits, np.float32)
    times = np.arange(len(logits) + 1) / 2 if edges is None else np.asarray(edges, np.float64)
    start, end = float(times[0]), float(times[-1])
    return VideoScores(
        step_logits=logits,
        edges_seconds=times,
        labels=tuple(labels),
        video=VideoInfo(
            path, 320, 240, 0, 25.0, 25.0, round(25 * end), round(25 * end), end, False
        ),
        clip=ClipInfo(round(25 * (end - start)), round(25 * (end - start)), start, end, 25.0),
        recipe=RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because"),
        model=ModelInfo("my-model", "sha256:abc", len(labels), "index"),
        engine=EngineInfo("openvino", "2025.4"),
        warnings=("it was dark",),
    )


def with_scores(
    rows: object,
    labels: Sequence[str] = ("a", "b", "c"),
    edges: Sequence[float] | None = None,
) -> VideoScores:
    """Scores whose probabilities are these; a last label, "rest", has what is left to 1."""
    given = np.asarray(rows, np.float64)
    rest = 1 - given.sum(axis=1, keepdims=True)
    assert (rest > 0).all()
    return video_scores(np.log(np.hstack([given, rest])), [*labels, "rest"], edges)


def alone(*scores: float, edges: Sequence[float] | None = None) -> VideoScores:
    """A label "a" with these scores, among so many others that none of them is ever likely."""
    others = 1000
    rows = [[score, *[(1 - score) / others] * others] for score in scores]
    labels = ["a", *(f"other {i}" for i in range(others))]
    return video_scores(np.log(rows), labels, edges)


def spans(timeline: Timeline) -> list[tuple[str, float, float]]:
    return [(part.label, part.start_seconds, part.end_seconds) for part in timeline.segments]


# Smoothing


def test_logits_are_averaged_before_they_become_probabilities() -> None:
    scores = video_scores([[0, 0], [3, 0], [0, 0], [0, 0]], labels=("a", "b"))
    timeline = make_timeline(scores, replace(RAW, labels=("a",), smooth_seconds=1.0))
    sigmoid = [
        1 / (1 + math.exp(-x)) for x in (3 / 2, 1, 1, 0)
    ]  # the windows at the ends are short
    assert timeline.tracks[0].scores == pytest.approx(sigmoid)


def test_without_smoothing_a_step_says_what_the_model_says_of_it() -> None:
    scores = video_scores([[0, 0], [3, 0], [0, 0]], labels=("a", "b"))
    timeline = make_timeline(scores, replace(RAW, labels=("a", "b")))
    assert timeline.tracks[0].scores == pytest.approx([0.5, 1 / (1 + math.exp(-3)), 0.5])
    assert timeline.tracks[1].scores == pytest.approx([0.5, 1 / (1 + math.exp(3)), 0.5])


def test_the_window_is_one_of_time_and_not_of_steps() -> None:
    edges = [0, 0.1, 0.2, 0.3, 5.3, 10.3]  # middles at 0.05, 0.15, 0.25, 2.8, 7.8
    scores = video_scores([[3], [6], [9], [12], [15]], labels=("a",), edges=edges)
    scores = replace(
        scores,
        step_logits=np.hstack([scores.step_logits, 0 * scores.step_logits]),
        labels=("a", "b"),
    )
    timeline = make_timeline(scores, replace(RAW, labels=("a",), smooth_seconds=1.0))
    sigmoid = [1 / (1 + math.exp(-x)) for x in (6, 6, 6, 12, 15)]
    assert timeline.tracks[0].scores == pytest.approx(sigmoid)


def test_a_step_that_is_just_at_the_window_s_end_is_in_it_at_every_step() -> None:
    # Sums of 0.32 are no multiples of 0.32 to the last bit.
    rng = np.random.default_rng(1)
    logits, edges = rng.normal(0, 3, (50, 2)), np.cumsum([0, *[0.32] * 50])
    timeline = make_timeline(
        video_scores(logits, ("a", "b"), edges), replace(RAW, labels=("a",), smooth_seconds=0.64)
    )
    means = [logits[max(i - 1, 0) : i + 2].mean(axis=0) for i in range(50)]
    expected = [1 / (1 + math.exp(b - a)) for a, b in means]
    assert timeline.tracks[0].scores == pytest.approx(expected, rel=1e-5)


def test_a_window_of_twice_the_video_says_what_classify_says_at_every_step() -> None:
    scores = video_scores(np.random.default_rng(2).normal(0, 4, (9, 3)))
    timeline = make_timeline(scores, replace(RAW, smooth_seconds=9.0), top=3)
    expected = {score.label: score.probability for score in predict(scores, 3).scores}
    for track in timeline.tracks:
        assert track.scores == pytest.approx([expected[track.label]] * 9)


def test_logits_of_any_size_give_probabilities() -> None:
    timeline = make_timeline(video_scores([[1e30, -1e30, 0]] * 4, labels=("a", "b", "c")))
    assert spans(timeline) == [("a", 0, 2)]
    assert timeline.segments[0].mean_score == 1


# Two thresholds


def test_a_label_is_on_while_it_is_above_half_of_what_it_has_to_reach() -> None:
    timeline = make_timeline(alone(0.1, 0.3, 0.6, 0.3, 0.26, 0.24, 0.3), RAW)
    assert spans(timeline) == [("a", 0.5, 2.5)]


def test_a_label_that_never_reaches_the_minimal_score_is_nothing() -> None:
    timeline = make_timeline(alone(0.49, 0.49, 0.49, 0.49), RAW)
    assert timeline.segments == ()
    assert timeline.tracks[0].label == "a", "what is highest is told all the same"


def test_the_minimal_score_itself_counts() -> None:
    scores = video_scores([[0, 0], [0, 0]], labels=("a", "b"))  # 50 % each
    assert spans(make_timeline(scores, replace(RAW, labels=("b",)))) == [("b", 0, 1)]
    quarters = video_scores([[0, 0, 0, 0], [9, -9, -9, -9]], labels="abcd")
    assert spans(make_timeline(quarters, replace(RAW, labels=("a",)))) == [("a", 0, 1)]


def test_a_lower_minimal_score_finds_more() -> None:
    scores = alone(0.2, 0.2, 0.05, 0.2, 0.09, 0.2)
    assert spans(make_timeline(scores, replace(RAW, min_score=0.2))) == [
        ("a", 0, 1),
        ("a", 1.5, 2),
        ("a", 2.5, 3),
    ]
    assert spans(make_timeline(scores, replace(RAW, min_score=0.1))) == [("a", 0, 3)]


# One at a time


def test_of_the_labels_that_are_on_the_best_has_the_step() -> None:
    rows = [[0.6, 0.3], [0.5, 0.4], [0.4, 0.5], [0.3, 0.6], [0.1, 0.8]]
    assert spans(make_timeline(with_scores(rows, "ab"), RAW)) == [("a", 0, 1), ("b", 1, 2.5)]


def test_of_equal_labels_the_first_of_the_list_has_the_step() -> None:
    scores = video_scores([[4, 4, 0]] * 3)
    found = make_timeline(scores, replace(RAW, min_score=0.4))
    assert spans(found) == [("a", 0, 1.5)]


def test_a_better_label_that_is_not_on_takes_nothing() -> None:
    # b is above a at the second step, but never reaches 50 %.
    rows = [[0.8, 0.1], [0.3, 0.4], [0.8, 0.1]]
    assert spans(make_timeline(with_scores(rows, "ab"), RAW)) == [("a", 0, 1.5)]


def test_what_another_label_cuts_off_is_a_segment_only_if_it_reaches_the_minimal_score() -> None:
    # Three more labels share what is left, and are never on.
    def found(rows: list[list[float]]) -> list[tuple[str, float, float]]:
        full = [[*row, *[(0.99 - sum(row)) / 3] * 3] for row in rows]
        return spans(make_timeline(with_scores(full, ("a", "b", "c", "d", "e")), RAW))

    start, middle, end = [0.3, 0.1], [0.3, 0.65], [0.6, 0.1]
    assert found([start] * 6 + [middle] * 4 + [end] * 4) == [("b", 3, 5), ("a", 5, 7)]
    # Without the other label it is one segment: then its start is a part of what reaches it.
    assert found([start] * 10 + [end] * 4) == [("a", 0, 7)]
    # What goes to the next best makes that one's segment longer.
    start = [0.3, 0.28]
    assert found([start] * 6 + [middle] * 4 + [end] * 4) == [("b", 0, 5), ("a", 5, 7)]


def test_labels_that_were_asked_for_stand_each_for_themselves() -> None:
    rows = [[0.6, 0.3], [0.5, 0.4], [0.4, 0.5], [0.3, 0.6], [0.1, 0.8]]
    followed = replace(RAW, labels=("b", "a"))
    assert spans(make_timeline(with_scores(rows, "ab"), followed)) == [("b", 0, 2.5), ("a", 0, 2)]


def test_labels_that_nobody_asked_for_are_left_out() -> None:
    scores = video_scores([[9, 0, 0]] * 4 + [[0, 9, 0]] * 4)
    timeline = make_timeline(scores, replace(RAW, labels=("b",)), top=3)
    assert spans(timeline) == [("b", 2, 4)]
    assert [track.label for track in timeline.tracks] == ["b"]


# What is too short

LONG = TimelineSettings(min_duration_seconds=1.0, smooth_seconds=0)


def test_a_flicker_is_bridged_by_the_label_that_is_on_around_it() -> None:
    rows = [[0.9, 0.05]] * 4 + [[0.3, 0.6]] + [[0.9, 0.05]] * 4
    (segment,) = make_timeline(with_scores(rows, "ab"), LONG).segments
    assert (segment.label, segment.start_seconds, segment.end_seconds) == ("a", 0, 4.5)
    assert segment.mean_score == pytest.approx((8 * 0.9 + 0.3) / 9)


def test_a_flicker_leaves_a_gap_where_nothing_else_is_on() -> None:
    rows = [[0.9, 0.05]] * 4 + [[0.2, 0.7]] + [[0.9, 0.05]] * 4
    assert spans(make_timeline(with_scores(rows, "ab"), LONG)) == [("a", 0, 2), ("a", 2.5, 4.5)]


def test_what_lasts_as_long_as_it_has_to_is_a_segment() -> None:
    edges = np.cumsum([0, *[0.1] * 30])  # ten of them are a second but for a rounding error
    for first in range(20):
        levels = [0.9 if first <= step < first + 10 else 0.01 for step in range(30)]
        assert len(make_timeline(alone(*levels, edges=edges), LONG).segments) == 1
        levels[first] = 0.01
        assert make_timeline(alone(*levels, edges=edges), LONG).segments == ()


def test_a_label_that_is_on_too_shortly_takes_no_step_from_one_that_lasts() -> None:
    # a is on all the time. b is better at every other step, and between them off.
    rows = [[0.45, 0.1], [0.35, 0.6]] * 4 + [[0.9, 0.05]]
    assert spans(make_timeline(with_scores(rows, "ab"), LONG)) == [("a", 0, 4.5)]


def test_of_two_that_alternate_the_stronger_wins() -> None:
    rows = [[0.6, 0.3], [0.3, 0.55]] * 4
    assert spans(make_timeline(with_scores(rows, "ab"), LONG)) == [("a", 0, 4)]
    swapped = [[b, a] for a, b in rows]
    assert spans(make_timeline(with_scores(swapped, "ab"), LONG)) == [("b", 0, 4)]


def test_the_shortest_run_loses_first() -> None:
    # All three are on throughout. c has half a second between two of b's: it goes first, to b,
    # and all of b's lasts.
    best = {"a": [0.42, 0.25, 0.25], "b": [0.25, 0.42, 0.3], "c": [0.25, 0.3, 0.42]}
    rows = [best[letter] for letter in "aaaaaabbcbbaaaaaa"]
    settings = TimelineSettings(min_score=0.4, min_duration_seconds=2.0, smooth_seconds=0)
    assert spans(make_timeline(with_scores(rows), settings)) == [
        ("a", 0, 3),
        ("b", 3, 5.5),
        ("a", 5.5, 8.5),
    ]


def test_runs_that_are_too_short_go_on_to_the_next_best_until_one_lasts() -> None:
    # b and c fight over the middle, 1 s each; neither lasts, and a is on behind both.
    rows = [[0.8, 0.05, 0.05]] * 4 + [[0.26, 0.41, 0.3]] * 2 + [[0.26, 0.06, 0.45]] * 2
    rows += [[0.8, 0.05, 0.05]] * 4
    settings = TimelineSettings(min_score=0.4, min_duration_seconds=2.5, smooth_seconds=0)
    assert spans(make_timeline(with_scores(rows), settings)) == [("a", 0, 6)]


def test_followed_labels_have_to_last_too() -> None:
    rows = [[0.9, 0.05]] * 4 + [[0.05, 0.9]] + [[0.9, 0.05]] * 4
    timeline = make_timeline(with_scores(rows, "ab"), replace(LONG, labels=("b", "a")))
    assert spans(timeline) == [("a", 0, 2), ("a", 2.5, 4.5)]


def test_a_video_shorter_than_a_segment_can_be_one_thing_from_end_to_end() -> None:
    edges = [0, 0.2, 0.4, 0.6, 0.8]
    assert spans(make_timeline(alone(0.9, 0.9, 0.9, 0.9, edges=edges), LONG)) == [("a", 0, 0.8)]
    assert make_timeline(alone(0.9, 0.9, 0.9, 0.1, edges=edges), LONG).segments == ()


def test_one_step_is_a_video() -> None:
    timeline = make_timeline(video_scores([[9, 0, 0]], edges=[3.0, 3.04]))
    assert spans(timeline) == [("a", 3.0, 3.04)]
    assert timeline.segments[0].peak_seconds == pytest.approx(3.02)


# Segments and tracks


def test_a_segment_says_how_sure_it_is_and_where_most() -> None:
    edges = [10, 10.5, 11, 12, 12.5]
    (segment,) = make_timeline(alone(0.01, 0.6, 0.9, 0.3, edges=edges), RAW).segments
    assert (segment.start_seconds, segment.end_seconds) == (10.5, 12.5)
    assert segment.mean_score == pytest.approx((0.6 + 0.9 + 0.3) / 3, rel=1e-5)
    assert segment.peak_score == pytest.approx(0.9, rel=1e-5)
    assert segment.peak_seconds == 11.5
    assert segment.label_index == 0


def test_tracks_are_those_of_segments_longest_first_then_the_highest() -> None:
    rows = [[0.9, 0.02, 0.02, 0.01]] * 3 + [[0.02, 0.9, 0.02, 0.01]] * 5
    rows += [[0.02, 0.02, 0.3, 0.49]]
    scores = with_scores(rows, "abcd")
    assert [track.label for track in make_timeline(scores, RAW, top=4).tracks] == list("badc")
    assert [track.label for track in make_timeline(scores, RAW, top=3).tracks] == list("bad")
    assert [track.label for track in make_timeline(scores, RAW, top=1).tracks] == list("ba"), (
        "no segment is without its track"
    )
    assert len(make_timeline(scores, RAW, top=100).tracks) == 5


def test_tracks_are_exactly_the_labels_that_were_asked_for_in_their_order() -> None:
    scores = video_scores([[9, 0, 0]] * 4)
    timeline = make_timeline(scores, replace(RAW, labels=("c", "a")), top=1)
    assert [(track.label, track.label_index) for track in timeline.tracks] == [("c", 2), ("a", 0)]


def test_outputs_of_one_name_are_followed_together() -> None:
    scores = video_scores([[9, 0, 0]] * 2 + [[0, 0, 9]] * 2, labels=("x", "y", "x"))
    timeline = make_timeline(scores, replace(RAW, labels=("x",)))
    assert [track.label_index for track in timeline.tracks] == [0, 2]
    assert [part.label_index for part in timeline.segments] == [0, 2]


def test_a_timeline_says_what_made_it() -> None:
    scores = video_scores([[9, 0, 0]] * 4)
    settings = TimelineSettings(min_score=0.3)
    timeline = make_timeline(scores, settings)
    assert timeline.settings == settings
    assert timeline.edges_seconds == (0, 0.5, 1, 1.5, 2)
    for name in ("video", "clip", "recipe", "model", "engine", "warnings"):
        assert getattr(timeline, name) == getattr(scores, name)


# What holds for any scores


def random_scores(seed: int) -> tuple[VideoScores, TimelineSettings]:
    rng = np.random.default_rng(seed)
    num_steps, num_labels = int(rng.integers(1, 120)), int(rng.integers(1, 12))
    scenes = rng.normal(0, rng.uniform(0, 4), (num_steps // 8 + 1, num_labels)).repeat(8, axis=0)
    logits = scenes[:num_steps] + rng.normal(0, rng.uniform(0, 3), (num_steps, num_labels))
    edges = rng.uniform(0, 100) + np.cumsum(
        [0, *rng.uniform(0.04, rng.uniform(0.05, 1), num_steps)]
    )
    settings = TimelineSettings(
        min_score=rng.uniform(0.01, 1),
        min_duration_seconds=rng.choice([0, rng.uniform(0, 5)]),
        smooth_seconds=rng.choice([0, rng.uniform(0, 5)]),
    )
    labels = [f"label {i}" for i in range(num_labels)]
    if rng.uniform() < 0.3:
        chosen = rng.permutation(labels)[: int(rng.integers(1, num_labels + 1))]
        settings = replace(settings, labels=tuple(map(str, chosen)))
    return video_scores(logits, labels, edges), settings


def check(scores: VideoScores, settings: TimelineSettings, timeline: Timeline) -> None:
    edges = timeline.edges_seconds
    shortest = min(settings.min_duration_seconds, edges[-1] - edges[0])
    starts = [segment.start_seconds for segment in timeline.segments]
    assert starts == sorted(starts)
    tracks = {track.label_index: track for track in timeline.tracks}
    for segment in timeline.segments:
        first, behind = edges.index(segment.start_seconds), edges.index(segment.end_seconds)
        assert segment.end_seconds - segment.start_seconds >= shortest - 1e-6
        inside = tracks[segment.label_index].scores[first:behind]
        assert min(inside) >= settings.min_score / 2
        assert segment.mean_score == pytest.approx(np.mean(inside))
        assert segment.peak_score == max(inside)
        assert segment.start_seconds < segment.peak_seconds < segment.end_seconds
        assert scores.labels[segment.label_index] == segment.label
    for track in timeline.tracks:
        assert len(track.scores) == len(edges) - 1
        assert all(0 <= score <= 1 for score in track.scores)
    by_label: dict[object, list[Segment]] = {}
    for segment in timeline.segments:
        by_label.setdefault(segment.label if settings.labels else None, []).append(segment)
    for segments in by_label.values():
        for before, after in pairwise(segments):
            assert before.end_seconds <= after.start_seconds
            if before.end_seconds == after.start_seconds:
                assert before.label != after.label, "what belongs together is one segment"


@pytest.mark.parametrize("seed", range(60))
def test_any_scores_give_a_timeline_that_holds_together(seed: int) -> None:
    scores, settings = random_scores(seed)
    timeline = make_timeline(scores, settings)
    check(scores, settings, timeline)
    assert make_timeline(scores, settings) == timeline


@pytest.mark.parametrize("seed", range(60, 100))
def test_the_order_of_the_labels_does_not_matter(seed: int) -> None:
    scores, settings = random_scores(seed)
    order = np.random.default_rng(seed).permutation(len(scores.labels))
    changed = replace(
        scores,
        step_logits=scores.step_logits[:, order],
        labels=tuple(scores.labels[i] for i in order),
    )
    found, again = make_timeline(scores, settings), make_timeline(changed, settings)
    assert sorted(spans(again)) == sorted(spans(found))
    assert [part.mean_score for part in again.segments] == pytest.approx(
        [part.mean_score for part in found.segments]
    )


def test_an_hour_of_noise_comes_to_an_end() -> None:
    logits = np.random.default_rng(5).normal(0, 3, (12_000, 40))
    settings = TimelineSettings(min_score=0.05)
    scores = video_scores(logits, [str(i) for i in range(40)])
    check(scores, settings, make_timeline(scores, settings))


# Settings


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"min_score": 0}, "minimal score must be above 0 and at most 1, not 0"),
        ({"min_score": 1.5}, "not 1.5"),
        ({"min_score": math.nan}, "not nan"),
        ({"min_duration_seconds": -1}, "shortest duration of a segment .* not -1"),
        ({"min_duration_seconds": math.nan}, "not nan"),
        ({"smooth_seconds": -0.1}, "time to smooth over .* not -0.1"),
        ({"smooth_seconds": math.inf}, "not inf"),
        ({"labels": ()}, "no label to follow"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], problem: str) -> None:
    settings = replace(TimelineSettings(), **changes)
    for use in (check_settings, lambda wrong: make_timeline(alone(0.9), wrong)):
        with pytest.raises(UsageError, match=problem) as caught:
            use(settings)
        assert caught.value.hint


def test_settings_at_their_limits_are_taken() -> None:
    check_settings(TimelineSettings(None, 1, 0, 0))
    assert spans(make_timeline(video_scores([[1e4, 0, 0]] * 4), replace(RAW, min_score=1))) == [
        ("a", 0, 2)
    ]


def test_no_label_to_show_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1, not 0"):
        make_timeline(alone(0.9), top=0)


def test_a_label_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'d'"):
        make_timeline(video_scores([[1, 2, 3]]), replace(RAW, labels=("a", "d")))


# Labels to follow

KINETICS = load_labels()


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["drinking"], ["drinking"]),  # and not "drinking beer"
        (["Drinking"], ["drinking"]),
        (["drinking*"], ["drinking", "drinking beer", "drinking shots"]),
        (["DRINKING S"], ["drinking shots"]),
        (
            ["yoga", "drinking", "drinking*"],
            ["yoga", "drinking", "drinking beer", "drinking shots"],
        ),
        (["zumba", "abseiling", "zumba"], ["zumba", "abseiling"]),
    ],
)
def test_labels_to_follow_are_found_by_name_first(patterns: list[str], expected: list[str]) -> None:
    assert follow_labels(patterns, KINETICS) == tuple(expected)


def test_a_name_in_other_letters_is_still_a_name() -> None:
    labels = ("Pan", "pan", "Pan left", "Tilt", "Tilt up")
    assert follow_labels(["Pan"], labels) == ("Pan",)
    assert follow_labels(["PAN"], labels) == ("Pan", "pan")
    assert follow_labels(["tilt"], labels) == ("Tilt",)


def test_a_name_with_the_signs_of_a_pattern_is_a_name() -> None:
    assert follow_labels(["run [fast]"], ["run f", "run [fast]"]) == ("run [fast]",)


def test_a_pattern_that_means_nothing_is_an_error_that_helps() -> None:
    with pytest.raises(UnknownNameError) as caught:
        follow_labels(["yoga", "juggling bals"], KINETICS, listing="i3d labels")
    assert str(caught.value) == "There is no label named 'juggling bals'."
    assert "juggling balls" in str(caught.value.hint)
    with pytest.raises(UnknownNameError) as caught:
        follow_labels(["xyzzy"], KINETICS, listing="i3d labels")
    assert caught.value.hint == "List them with: i3d labels"
    with pytest.raises(UnknownNameError) as caught:
        follow_labels(["xyzzy"], KINETICS)
    assert caught.value.hint == "There are 400, from 'abseiling' to 'zumba'."
    with pytest.raises(UnknownNameError) as caught:
        follow_labels(["xyzzy"], ("pan", "tilt"))
    assert caught.value.hint == "There are: pan, tilt."


@pytest.mark.parametrize("pattern", ["", "  "])
def test_an_empty_pattern_does_not_mean_all_labels(pattern: str) -> None:
    with pytest.raises(UsageError, match="is empty"):
        follow_labels([pattern], KINETICS)
