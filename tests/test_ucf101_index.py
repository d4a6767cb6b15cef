"""UCF101 as data: the names of the official lists, regenerated; splits; labels; more clips."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.datasets.ucf101 import tables
from i3d.datasets.ucf101.data import clip_of, load_index
from i3d.datasets.ucf101.names import Clip
from i3d.errors import ModelLoadError, UnknownNameError
from i3d.files.cache import package_data_dir
from i3d.models.labels import load_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_clips_come_category_by_category_then_by_group_and_number() -> None:
    assert INDEX.clips == tuple(clip for cat in INDEX.categories for clip in cat.clips)
    for category in INDEX.categories:
        places = [(clip.group, clip.number) for clip in category.clips]
        assert places == sorted(places)
        assert {clip.category for clip in category.clips} == {category.name}
        assert {group for group, _ in places} == set(range(1, 26))


def test_the_counts_are_the_published_ones() -> None:
    assert len(INDEX.category("CricketShot").clips) == 167
    assert Counter(clip.group for clip in INDEX.category("CricketShot").clips)[4] == 7
    sizes = {category.name: len(category.clips) for category in INDEX.categories}
    smallest = {name for name, size in sizes.items() if size == min(sizes.values())}
    assert (smallest, min(sizes.values()), max(sizes.values())) == (
        {"PlayingViolin", "PullUps", "Skijet", "TaiChi"},
        100,
        167,
    )


@pytest.mark.parametrize(
    ("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)]
)
def test_splits_have_the_published_sizes(split: int, num_train: int, num_test: int) -> None:
    counts = Counter(clip.subset(split) for clip in INDEX.clips)
    assert counts == {"train": num_train, "test": num_test}


def test_each_split_tests_on_its_seven_groups() -> None:
    tested = [
        {clip.group for clip in INDEX.clips if clip.subset(split) == "test"} for split in (1, 2, 3)
    ]
    assert tested == [set(range(1, 8)), set(range(8, 15)), set(range(15, 22))]


@pytest.mark.parametrize(
    "clip",
    [
        Clip("Juggling", 1, 1),
        Clip("CricketShot", 4, 8),
        Clip("CricketShot", 26, 1),
        Clip("CricketShot", 0, 1),
        Clip("CricketShot", 1, 0),
    ],
)
def test_a_clip_that_is_not_in_the_lists_is_in_no_subset(clip: Clip) -> None:
    assert [clip.subset(split) for split in (1, 2, 3)] == [None, None, None]
    assert clip.subsets == (None, None, None)


@pytest.mark.parametrize("split", [0, 4, -1])
def test_there_is_no_other_split(split: int) -> None:
    with pytest.raises(ValueError, match="no split"):
        CRICKET.subset(split)


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
    assert INDEX.find(name) == Clip.parse(name) == CRICKET


@pytest.mark.parametrize("spelling", ["HandStandPushups", "HandstandPushups"])
def test_both_spellings_of_handstand_pushups_are_one_category(spelling: str) -> None:
    clip = INDEX.find(f"v_{spelling}_g01_c03.avi")
    assert clip is not None
    assert clip.name == "v_HandStandPushups_g01_c03"
    assert clip.subset(1) == "test"
    assert INDEX.category(spelling).name == "HandStandPushups"
    assert len(INDEX.category(spelling).clips) == 128


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


def test_a_name_of_no_clip_there_is_can_be_taken_apart() -> None:
    assert Clip.parse("v_Juggling_g30_c99.avi") == Clip("Juggling", 30, 99)
    for other in ("v_Jugg-ling_g30_c99", "v_Juggling_g30_c\u0669\u0669", "v_\u017fkiing_g01_c01"):
        assert Clip.parse(other) is None
    assert Clip.parse(f"v_{'A' * 65}_g01_c01") is None


def test_clips_are_values() -> None:
    same = Clip("CricketShot", 4, 2)
    assert {CRICKET: 1}[same] == 1
    assert pickle.loads(pickle.dumps(CRICKET)) == CRICKET
    with pytest.raises(AttributeError):
        CRICKET.group = 5  # type: ignore[misc]


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
    with pytest.raises(UnknownNameError, match="'Cricket'"):
        INDEX.category("Cricket")


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
        return [(fitting.label, fitting.relation) for fitting in INDEX.category(name).labels]

    assert labels("CricketShot") == [("playing cricket", "broader")]
    assert labels("Basketball") == [
        ("shooting basketball", "exact"),
        ("playing basketball", "broader"),
    ]
    assert labels("HighJump") == [("high jump", "exact")]
    assert labels("YoYo") == []


def test_clips_of_a_host_join_their_category() -> None:
    more = INDEX.with_clips([Clip("CricketShot", 4, 8), Clip("cricketshot", 4, 9), CRICKET])
    assert len(more.clips) == 13_322
    category = more.category("CricketShot")
    assert [clip.number for clip in category.clips if clip.group == 4] == list(range(1, 10))
    assert (category.number, category.labels) == (24, INDEX.category("CricketShot").labels)
    assert more.find("v_cricketshot_g04_c09.avi") == Clip("CricketShot", 4, 9)
    assert (len(INDEX.clips), INDEX.find("v_CricketShot_g04_c08")) == (13_320, None)


def test_new_categories_come_last_without_number_and_labels() -> None:
    more = INDEX.with_clips([Clip("Zorbing", 1, 1), Clip("Aikido", 2, 1), Clip("Aikido", 1, 1)])
    more = more.with_clips([Clip("Juggling", 1, 1)])
    assert [(category.name, category.number) for category in more.categories[100:]] == [
        ("YoYo", 101),
        ("Aikido", None),
        ("Juggling", None),
        ("Zorbing", None),
    ]
    assert more.category("aikido").clips == (Clip("Aikido", 1, 1), Clip("Aikido", 2, 1))
    assert more.category("Aikido").labels == ()
    assert more.find("V_ZORBING_g01_c01") == Clip("Zorbing", 1, 1)


def test_new_categories_that_differ_only_in_case_are_one() -> None:
    more = INDEX.with_clips([Clip("aikido", 1, 1), Clip("Aikido", 1, 2), Clip("Aikido", 1, 1)])
    assert more.category("AIKIDO").clips == (Clip("Aikido", 1, 1), Clip("Aikido", 1, 2))
    assert len(more.clips) == 13_322


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of data of one's own, which i3d reads in place of its own."""
    for file in (tables.CLIPS_FILE, tables.LABELS_FILE):
        (tmp_path / file).write_bytes((package_data_dir() / file).read_bytes())
    monkeypatch.setattr(tables, "package_data_dir", lambda: tmp_path)
    readers = (load_index, tables.official_categories, tables.kinetics_labels)
    for reader in readers:
        reader.cache_clear()
    yield tmp_path
    for reader in readers:
        reader.cache_clear()


@pytest.mark.parametrize("file", [tables.CLIPS_FILE, tables.LABELS_FILE])
@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "not text"])
def test_a_damaged_installation_is_told(damaged: Path, file: str, damage: str) -> None:
    path = damaged / file
    content = path.read_bytes()
    if damage == "changed":
        path.write_bytes(content.replace(b"ApplyEyeMakeup", b"ApplyEarMakeup"))
    elif damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelLoadError, match=file) as caught:
        load_index()
    assert caught.value.message.endswith(
        "is missing." if damage == "missing" else "is damaged: its content changed."
    )
    assert caught.value.hint is not None
    assert "Install i3d again" in caught.value.hint


@pytest.mark.parametrize("file", [tables.CLIPS_FILE, tables.LABELS_FILE])
def test_a_checkout_with_windows_line_ends_is_whole(damaged: Path, file: str) -> None:
    path = damaged / file
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(load_index().clips) == 13_320


def test_the_data_name_their_source() -> None:
    for file, source in ((tables.CLIPS_FILE, "classInd.txt"), (tables.LABELS_FILE, "TruZe")):
        text = (package_data_dir() / file).read_text(encoding="utf-8")
        assert source in "".join(line for line in text.splitlines(True) if line.startswith("#"))


def test_ucf101_needs_nothing_heavy() -> None:
    program = """
import sys
before = set(sys.modules)
import i3d.ucf101, i3d.datasets.ucf101.listing
i3d.datasets.ucf101.choose.select_clips(i3d.datasets.ucf101.data.load_index(), ["*Shot*"], split=1)
heavy = {"numpy", "cv2", "requests", "tensorflow", "importlib.resources", "difflib", "rich"}
assert not heavy & (set(sys.modules) - before), heavy & set(sys.modules)
"""
    source = Path(__file__).parent.parent / "src"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=source)
