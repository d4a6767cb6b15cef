"""UCF101 as data: the names of the official lists, regenerated; splits; labels."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from i3d.datasets.ucf101.data import CLIPS_FILE, LABELS_FILE, Clip, clip_of, load_index
from i3d.files.cache import package_data_dir
from i3d.models.labels import load_labels

INDEX = load_index()
CRICKET = Clip("CricketShot", 4, 2)


def test_the_names_are_those_of_the_official_lists() -> None:
    names = sorted(clip.name for clip in INDEX.clips)
    assert len(names) == len(set(names)) == 13_320
    # Computed from the official split lists, not with i3d.
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    assert digest == "e6c0e5b7874711f3dd3d4b3da348ce3686b73d02d91942879f4b0f9cb2562b85"


def test_categories_have_the_official_numbers_and_order() -> None:
    assert [category.number for category in INDEX.categories] == list(range(1, 102))
    names = [category.name for category in INDEX.categories]
    assert names == sorted(names, key=str.lower)
    by_number = {category.number: category.name for category in INDEX.categories}
    # From classInd.txt. 35 and 36, 47 and 48 are the other way round where case counts.
    official = {1: "ApplyEyeMakeup", 35: "Hammering", 36: "HammerThrow", 101: "YoYo"}
    official |= {47: "JumpingJack", 48: "JumpRope", 8: "Basketball", 9: "BasketballDunk"}
    assert {number: by_number[number] for number in official} == official


@pytest.mark.parametrize(
    ("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)]
)
def test_splits_have_the_published_sizes(split: int, num_train: int, num_test: int) -> None:
    counts = Counter(clip.subsets[split - 1] for clip in INDEX.clips)
    assert counts == {"train": num_train, "test": num_test}


def test_each_split_tests_on_its_seven_groups() -> None:
    tested = [
        {clip.group for clip in INDEX.clips if clip.subsets[split - 1] == "test"}
        for split in (1, 2, 3)
    ]
    assert tested == [set(range(1, 8)), set(range(8, 15)), set(range(15, 22))]


def test_a_clip_knows_its_names() -> None:
    assert CRICKET.name == "v_CricketShot_g04_c02"
    assert CRICKET.file_name == "v_CricketShot_g04_c02.avi"
    assert CRICKET.remote_names == ("v_CricketShot_g04_c02.avi",)
    assert Clip("HandStandPushups", 1, 3).remote_names == (
        "v_HandStandPushups_g01_c03.avi",
        "v_HandstandPushups_g01_c03.avi",
    )
    assert Clip("HandstandWalking", 1, 3).remote_names == ("v_HandstandWalking_g01_c03.avi",)


@pytest.mark.parametrize(
    "name", ["v_CricketShot_g04_c02", "v_CricketShot_g04_c02.avi", "V_CRICKETSHOT_G04_C02.AVI"]
)
def test_a_clip_is_found_whatever_the_case_and_with_or_without_suffix(name: str) -> None:
    assert INDEX.find(name) == CRICKET


@pytest.mark.parametrize("spelling", ["HandStandPushups", "HandstandPushups"])
def test_both_spellings_of_handstand_pushups_are_one_category(spelling: str) -> None:
    clip = INDEX.find(f"v_{spelling}_g01_c03.avi")
    assert clip is not None
    assert clip.name == "v_HandStandPushups_g01_c03"
    assert clip.subsets[0] == "test"
    assert INDEX.find_category(spelling).name == "HandStandPushups"
    assert len(INDEX.find_category(spelling).clips) == 128


@pytest.mark.parametrize(
    "name",
    [
        "",
        "v_CricketShot_g04_c08",
        "v_CricketShot_g4_c2",
        "v_Cricket_Shot_g04_c02",
        "v_CricketShot_g04_c02.mp4",
        "v_CricketShot_g04_c02.avi.avi",
        "v_CricketShot_g04_c02\n",
        " v_CricketShot_g04_c02",
        "v_CricketShot_g\u0660\u0664_c\u0660\u0662",
        "v_Cricket\u017fhot_g04_c02",
        "../v_CricketShot_g04_c02",
        "CricketShot",
        "v_" + "A" * 10_000 + "_g04_c02",
    ],
)
def test_other_names_are_no_clip(name: str) -> None:
    assert INDEX.find(name) is None


@pytest.mark.parametrize(
    "path",
    [
        "v_CricketShot_g04_c02.avi",
        "/somewhere/v_CricketShot_g04_c02.mp4",
        Path("folder") / "V_cricketshot_g04_c02",
    ],
)
def test_a_file_is_known_by_its_name(path: str | Path) -> None:
    assert clip_of(path) == CRICKET


@pytest.mark.parametrize(
    "path",
    ["", ".", "/", "a\0b", "\udce9.avi", "v_CricketShot_g04_c08.avi", "v_Juggling_g01_c01.avi"],
)
def test_other_files_are_no_clips(path: str) -> None:
    assert clip_of(path) is None


def test_categories_are_found_as_people_write_them() -> None:
    for name in ("CricketShot", "cricketshot", "cricket shot", "Cricket_Shot", "CRICKET-SHOT "):
        found = INDEX.find_category(name)
        assert found is not None
        assert found.name == "CricketShot"
    assert INDEX.find_category("Cricket") is None


def test_every_label_is_one_of_kinetics_400_and_exact_ones_come_first() -> None:
    known = set(load_labels("kinetics-400"))
    ranks = {"exact": 0, "near": 1, "broader": 1}
    for category in INDEX.categories:
        assert {fitting.label for fitting in category.labels} <= known
        relations = [ranks[fitting.relation] for fitting in category.labels]
        assert relations == sorted(relations)
        assert len({fitting.label for fitting in category.labels}) == len(category.labels)
    firsts = Counter(
        category.labels[0].relation if category.labels else "none" for category in INDEX.categories
    )
    assert firsts == {"exact": 47, "broader": 20, "near": 13, "none": 21}


def test_labels_are_those_of_their_category() -> None:
    def labels(name: str) -> list[tuple[str, str]]:
        return [(fitting.label, fitting.relation) for fitting in INDEX.find_category(name).labels]

    assert labels("CricketShot") == [("playing cricket", "broader")]
    assert labels("Basketball") == [
        ("shooting basketball", "exact"),
        ("playing basketball", "broader"),
    ]
    assert labels("HighJump") == [("high jump", "exact")]
    assert labels("YoYo") == []


def test_the_data_name_their_source() -> None:
    for file, source in ((CLIPS_FILE, "classInd.txt"), (LABELS_FILE, "TruZe")):
        text = (package_data_dir() / file).read_text(encoding="utf-8")
        assert source in "".join(line for line in text.splitlines(True) if line.startswith("#"))


def test_ucf101_needs_nothing_heavy() -> None:
    program = """
import sys
before = set(sys.modules)
import i3d.datasets.ucf101.listing, i3d.datasets.ucf101.choose
i3d.datasets.ucf101.choose.select_clips(["*Shot*"], split=1)
heavy = {"numpy", "cv2", "requests", "tensorflow", "importlib.resources", "difflib", "rich"}
assert not heavy & (set(sys.modules) - before), heavy & set(sys.modules)
"""
    source = Path(__file__).parent.parent / "src"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=source)
