"""Which clips of UCF101 are meant, and what is said of names that mean none."""

from __future__ import annotations

import hashlib

import pytest

from i3d.datasets.ucf101.choose import sample_clips, select_clips
from i3d.datasets.ucf101.data import Clip, load_index
from i3d.errors import ExitCode, I3DError, UnknownNameError, UsageError

INDEX = load_index()
CRICKET = Clip("CricketShot", 4, 2)


def select(*terms: str, split: int | None = None, subset: str | None = None) -> list[str]:
    return [clip.name for clip in select_clips(terms, split=split, subset=subset)]


def refusal(*terms: str, split: int | None = None, subset: str | None = None) -> I3DError:
    with pytest.raises(UnknownNameError) as caught:
        select(*terms, split=split, subset=subset)
    assert caught.value.exit_code == ExitCode.UNKNOWN_NAME
    assert caught.value.hint is not None
    for text in (caught.value.message, caught.value.hint):
        assert text.isprintable()
        assert text.isascii()
        assert len(text) < 400
    return caught.value


def hint(*terms: str) -> str:
    return refusal(*terms).hint or ""


@pytest.mark.parametrize(
    "term", ["v_CricketShot_g04_c02", "v_CricketShot_g04_c02.avi", "V_cricketSHOT_g04_c02.AVI"]
)
def test_a_clip_is_selected_by_its_name(term: str) -> None:
    assert select_clips([term]) == (CRICKET,)


@pytest.mark.parametrize(
    "term", ["CricketShot", "cricketshot", "cricket shot", "cricket_shot", "CRICKET-SHOT"]
)
def test_a_category_stands_for_its_clips(term: str) -> None:
    assert select_clips([term]) == INDEX.find_category("CricketShot").clips


def test_both_spellings_of_handstand_pushups_are_understood() -> None:
    for term in ("HandstandPushups", "HandStandPushups", "HandstandPush*"):
        assert len(select(term)) == 128
    for term in ("v_HandstandPushups_g01_c01.avi", "v_HandstandPushups_g01_c0[1]"):
        assert select(term) == ["v_HandStandPushups_g01_c01"]


@pytest.mark.parametrize(
    ("pattern", "categories"),
    [
        ("*Shot*", {"CricketShot", "Shotput", "TableTennisShot"}),
        ("*shot", {"CricketShot", "TableTennisShot"}),
        ("cricket*", {"CricketBowling", "CricketShot"}),
        ("[x-z]o?o", {"YoYo"}),
        ("Y[!a]Y*", {"YoYo"}),
    ],
)
def test_a_pattern_stands_for_whole_categories(pattern: str, categories: set[str]) -> None:
    wanted = tuple(clip for clip in INDEX.clips if clip.category in categories)
    assert select_clips([pattern]) == wanted


@pytest.mark.parametrize(
    "pattern", ["v_cricketshot_g04_*", "v_CricketShot_g04_c0?", "V_CricketShot_g04*.avi"]
)
def test_a_pattern_stands_for_clips_and_files(pattern: str) -> None:
    assert select(pattern) == [f"v_CricketShot_g04_c0{number}" for number in range(1, 8)]


def test_terms_keep_their_order_and_clips_come_once() -> None:
    names = select("v_YoYo_g01_c02", "YoYo", "v_Archery_g01_c0[12]", "v_archery_g01_c01.avi")
    assert names[:3] == ["v_YoYo_g01_c02", "v_YoYo_g01_c01", "v_YoYo_g01_c03"]
    assert names[-2:] == ["v_Archery_g01_c01", "v_Archery_g01_c02"]
    assert len(names) == len(set(names)) == 128 + 2


def test_a_split_and_its_subset_filter() -> None:
    test = select("CricketShot", split=2, subset="test")
    train = select("CricketShot", split=2, subset="train")
    assert {name[14:17] for name in test} == {f"g{group:02}" for group in range(8, 15)}
    assert sorted(test + train) == select("CricketShot")
    assert len(select(split=2, subset="test")) == 3734
    assert len(select(split=2)) == 13_320


def test_a_subset_without_a_split_is_refused() -> None:
    with pytest.raises(UsageError, match="of which split"):
        select("CricketShot", subset="test")


def test_a_filter_that_leaves_nothing_is_told() -> None:
    one = refusal("v_CricketShot_g04_c02", split=1, subset="train")
    assert "v_CricketShot_g04_c02 is not in the train subset of split 1" in one.message
    assert "test" in (one.hint or "")
    several = refusal("v_CricketShot_g04*", split=2, subset="test")
    assert "None of the 7 clips" in several.message
    assert "train" in (several.hint or "")


def test_a_number_or_group_that_is_not_there_is_told_with_those_that_are() -> None:
    assert hint("v_CricketShot_g04_c08") == "Group 4 of CricketShot has the clips c01 to c07."
    assert hint("v_CricketShot_g04_c00.avi") == "Group 4 of CricketShot has the clips c01 to c07."
    assert hint("v_cricketshot_g26_c01") == "CricketShot has the groups g01 to g25."


@pytest.mark.parametrize(
    "term",
    [
        "v_CrikcetShot_g04_c02",
        "v_CricketShots_g04_c02.avi",
        "v_CricketShot_g4_c2",
        "v_CricketShot_g004_c002",
        "CricketShot_g04_c02",
        "ucf:v_CricketShot_g04_c02",
        "v_CricketShot_g04_c02.mp4",
        "/videos/v_CricketShot_g04_c02.avi",
        "..\\v_CricketShot_g04_c02.avi",
        "v_CricketShot_g04_c02\n",
    ],
)
def test_a_clip_that_was_nearly_named_is_offered(term: str) -> None:
    assert hint(term).startswith("Did you mean v_CricketShot_g04_c02")


def test_a_category_that_was_nearly_named_is_offered() -> None:
    assert hint("Criket Shot") == "Did you mean CricketShot?"
    assert hint("v_CrikcetShot_g99_c02") == "Did you mean CricketShot?"
    assert hint("baskettball").startswith("Did you mean Basketball or ")


def test_a_part_of_a_name_gets_a_pattern() -> None:
    assert '"*Shot*" (CricketShot, Shotput, TableTennisShot)' in hint("Shot")
    assert '"*ball*" (BaseballPitch, Basketball, BasketballDunk and 2 more)' in hint("ball")
    assert '"v_CricketShot_g04*"' in hint("v_CricketShot_g04")
    assert '"*Shot_g04*"' in hint("Shot_g04*")
    for pattern in ("*ball*", "v_CricketShot_g04*", "*Shot_g04*"):
        assert select(pattern)


@pytest.mark.parametrize("term", ["zzzzzz", "v_Zzzzzz_g01_c01", "q*q", "[", "\xe9\xe8\xe7"])
def test_a_name_like_nothing_is_answered_with_where_to_look(term: str) -> None:
    assert "i3d ucf list" in (refusal_of_any(term).hint or "")


def refusal_of_any(term: str) -> I3DError:
    with pytest.raises(UnknownNameError) as caught:
        select(term)
    return caught.value


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("", "An empty name"),
        ("  ", "An empty name"),
        ("x" * 10_000, "10000 characters"),
        ("two\nlines", "characters that can't be printed"),
        ("\udce9", "characters that can't be printed"),
        ("/etc/passwd", "looks like a path"),
        ("../../etc/passwd.avi", "looks like a path"),
        ("UCF101\\*", "looks like a path"),
        ("v_.._g01_c01", "looks like a path"),
    ],
)
def test_nonsense_is_told_what_it_is(term: str, says: str) -> None:
    assert says in refusal(term).message


def test_a_sample_is_the_same_everywhere() -> None:
    clips = INDEX.find_category("CricketShot").clips
    sample = sample_clips(clips, 5, seed=7)
    ranks = [hashlib.sha256(f"7:{clip.name}".encode()).hexdigest() for clip in clips]
    ranked = [clip for _, clip in sorted(zip(ranks, clips, strict=True), key=lambda pair: pair[0])]
    assert sample == tuple(ranked[:5])
    assert sample == sample_clips(reversed(clips), 5, seed=7)
    assert sample != sample_clips(clips, 5, seed=8)


def test_a_small_sample_is_the_start_of_a_large_one() -> None:
    small, large = (sample_clips(INDEX.clips, count, seed=0) for count in (50, 100))
    assert large[:50] == small
    assert len(set(large)) == 100
    assert set(sample_clips(large, 1000, seed=0)) == set(large)
