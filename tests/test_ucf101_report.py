"""Lists of UCF101's clips as tables, names, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from i3d import __version__
from i3d.datasets.ucf101.choose import select_clips
from i3d.datasets.ucf101.clips import LocalClip
from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.listing import (
    CSV_COLUMNS,
    clips_as_csv,
    clips_as_json,
    clips_as_table,
    names_as_text,
)

INDEX = load_index()
GROUP = select_clips(["v_CricketShot_g04*"])
LOCAL = {
    GROUP[1]: LocalClip(Path("clips") / GROUP[1].file_name, 116),
    GROUP[2]: LocalClip(Path('a "quoted", folder') / GROUP[2].file_name, None),
}


def table(*terms: str, width: int = 200) -> list[str]:
    return clips_as_table(select_clips(terms), {}, width=width).splitlines()


def test_the_overview_has_a_line_for_each_category_as_in_the_tutorial() -> None:
    *lines, last = table()
    assert len(lines) == 101
    assert re.fullmatch(
        r"ApplyEyeMakeup +145 videos "
        r"\(v_ApplyEyeMakeup_g01_c01\.avi, v_ApplyEyeMakeup_g01_c02\.avi, \.\.\.\)",
        lines[0],
    )
    assert [line.split()[0] for line in lines] == [category.name for category in INDEX.categories]
    assert len({line.index("videos") for line in lines}) == 1
    assert last == "Found 13320 videos in 101 categories."


@pytest.mark.parametrize("width", [10, 40, 60, 80, 100, 120])
def test_narrow_terminals_get_fewer_samples_and_whole_names(width: int) -> None:
    files = {clip.file_name for clip in INDEX.clips}
    nothing_but_counts = re.compile(r"\w+ +[0-9]+ videos")
    for line in table(width=width)[:-1]:
        assert len(line) <= width or nothing_but_counts.fullmatch(line)
        assert set(re.findall(r"v_[^,)]+", line)) <= files
    assert ("(v_YoYo_g01_c01.avi, ...)" in "\n".join(table(width=width))) == (width == 60)


def test_few_clips_need_no_dots_and_one_is_singular() -> None:
    clips = select_clips(["v_YoYo_g01_c01", "v_Archery_g02_c0[12]", "v_YoYo_g01_c03"])
    assert clips_as_table(clips[1:], {}) == (
        "Archery  2 videos (v_Archery_g02_c01.avi, v_Archery_g02_c02.avi)\n"
        "YoYo     1 video (v_YoYo_g01_c03.avi)\n"
        "Found 3 videos in 2 categories.\n"
    )
    assert clips_as_table(clips, {}).startswith("YoYo     2 videos (v_YoYo_g01_c01.avi, v_Y")


def test_clips_of_one_category_get_a_line_each() -> None:
    lines = clips_as_table(GROUP, LOCAL).splitlines()
    assert lines[0].split() == (
        "clip group split 1 split 2 split 3 frames fetched".split()  # noqa: SIM905
    )
    assert [line.split() for line in lines[1:4]] == [
        ["v_CricketShot_g04_c01", "4", "test", "train", "train", "-", "no"],
        ["v_CricketShot_g04_c02", "4", "test", "train", "train", "116", "yes"],
        ["v_CricketShot_g04_c03", "4", "test", "train", "train", "-", "yes"],
    ]
    assert lines[8:] == [
        "",
        "Kinetics-400: playing cricket (broader)",
        "Found 7 videos in 1 category.",
    ]
    assert max(map(len, lines)) <= 80


def test_all_labels_of_a_category_are_told_or_that_there_is_none() -> None:
    assert table("Basketball")[-2] == (
        "Kinetics-400: shooting basketball (exact), playing basketball (broader)"
    )
    assert table("YoYo")[-2] == "Kinetics-400 has no label for it."


def test_names_are_file_names_one_a_line() -> None:
    text = names_as_text(GROUP)
    assert text == "".join(f"v_CricketShot_g04_c0{number}.avi\n" for number in range(1, 8))
    assert names_as_text(()) == ""
    assert select_clips(text.splitlines()) == GROUP


def test_json_has_categories_and_clips() -> None:
    document = json.loads(clips_as_json(GROUP, LOCAL))
    assert list(document) == ["schema", "i3d_version", "num_clips", "categories", "clips"]
    assert (document["schema"], document["i3d_version"]) == ("i3d.ucf101/1", __version__)
    assert document["num_clips"] == len(document["clips"]) == 7
    assert document["categories"] == [
        {
            "name": "CricketShot",
            "number": 24,
            "num_clips": 7,
            "labels": [{"label": "playing cricket", "relation": "broader"}],
        }
    ]
    assert document["clips"][1] == {
        "name": "v_CricketShot_g04_c02",
        "category": "CricketShot",
        "group": 4,
        "number": 2,
        "splits": {"1": "test", "2": "train", "3": "train"},
        "path": str(Path("clips") / "v_CricketShot_g04_c02.avi"),
        "num_frames_from_header": 116,
    }
    for place in (0, 2):
        assert document["clips"][place]["num_frames_from_header"] is None
    assert document["clips"][0]["path"] is None
    assert document["clips"][2]["path"] == str(LOCAL[GROUP[2]].path)


def test_json_of_everything_and_of_nothing_parses() -> None:
    text = clips_as_json(INDEX.clips, {})
    everything = json.loads(text)
    assert len(re.findall(r'^    \{"name": "v_\w+".*\},?$', text, re.MULTILINE)) == 13_320
    assert [clip["name"] for clip in everything["clips"]] == [clip.name for clip in INDEX.clips]
    assert sum(category["num_clips"] for category in everything["categories"]) == 13_320
    text = clips_as_json((), {})
    nothing: dict[str, Any] = json.loads(text)
    assert (nothing["num_clips"], nothing["categories"], nothing["clips"]) == (0, [], [])
    assert text.endswith("}\n")


def test_csv_has_a_row_for_each_clip() -> None:
    text = clips_as_csv(GROUP, LOCAL)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 7
    assert "\r" not in text
    assert rows[1] == {
        "name": "v_CricketShot_g04_c02",
        "category": "CricketShot",
        "category_number": "24",
        "group": "4",
        "number": "2",
        "split1": "test",
        "split2": "train",
        "split3": "train",
        "kinetics_label": "playing cricket",
        "relation": "broader",
        "path": str(Path("clips") / "v_CricketShot_g04_c02.avi"),
        "num_frames_from_header": "116",
    }
    assert (rows[0]["path"], rows[0]["num_frames_from_header"]) == ("", "")
    assert rows[2]["path"] == str(LOCAL[GROUP[2]].path)


def test_csv_gives_the_exact_label_and_leaves_empty_what_is_not_known() -> None:
    clips = select_clips(["v_Biking_g01_c01", "v_YoYo_g22_c01", "v_SoccerPenalty_g01_c01"])
    rows = list(csv.DictReader(io.StringIO(clips_as_csv(clips, {}))))
    assert [(row["kinetics_label"], row["relation"]) for row in rows] == [
        ("riding a bike", "exact"),
        ("", ""),
        ("kicking soccer ball", "broader"),
    ]
    assert [rows[1][f"split{split}"] for split in (1, 2, 3)] == ["train"] * 3


def test_paths_that_are_not_utf8_are_escaped() -> None:
    local = {GROUP[0]: LocalClip(Path("caf\udce9") / "x.avi", 1)}
    for text in (clips_as_json(GROUP, local), clips_as_csv(GROUP, local)):
        assert "udce9" in text
        text.encode("utf-8")
    document = json.loads(clips_as_json(GROUP, local))
    assert document["clips"][0]["path"] == str(Path("caf\\udce9") / "x.avi")
