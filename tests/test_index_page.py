"""The page about many results: what is in it, whatever the names are, and where its links go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.report.pages import index_page
from i3d.report.pages.index_page import render_index
from i3d.report.reading import FoundResults, ResultRow, read_results
from i3d.report.text import printable
from test_result_files import FOUR
from test_result_reading import written
from test_video_page import HOSTILE, Elements, data_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def ok(path: str, *scores: tuple[str, float], **more: Any) -> ResultRow:
    values = {"model": "small", "start_seconds": 0.0, "end_seconds": 4.0, **more}
    return ResultRow(path, scores or (("yoga", 0.75), ("crying", 0.25)), **values)


def failed(path: str, message: str = "It is empty.", kind: str | None = None) -> ResultRow:
    return ResultRow(path, (), message, kind)


def page_of(
    rows: Sequence[ResultRow],
    *,
    source: str = "results.jsonl",
    folder: Path | None = None,
    **more: Any,
) -> str:
    return render_index(FoundResults(tuple(rows), **more), source=source, folder=folder)


def text_of(page: str, tag: str) -> str:
    return " ".join(" ".join(Elements(page).texts[tag]).split())


def link_of(path: str, folder: Path | None) -> str | None:
    """Where the page's script links to."""
    data = data_of(page_of([ok(path)], folder=folder))
    if "0" in data["links"]:
        link: str | None = data["links"]["0"]
        return link
    name = quote(data["names"][0], safe="!'()*~-._")  # as encodeURIComponent
    return str(data["folders"][data["folder_of"][0]][1]) + name


PLAIN = Elements(page_of([ok(f"{i}.mp4", (label, 0.5)) for i, label in enumerate("abcdefgh")]))


def test_names_are_shown_as_they_are_and_make_no_element() -> None:
    for hostile in HOSTILE:
        rows = [
            ok(f"{name}/{name}.mp4", (name, 0.5), model=name, warnings=(name,)) for name in HOSTILE
        ]
        rows[0] = failed(hostile, hostile, hostile)
        page = page_of(rows, source=f"{hostile.replace('/', '|')}.jsonl", stopped=hostile)
        page.encode()  # no lone surrogates
        elements = Elements(page)
        assert set(elements.names) == {*PLAIN.names, "ul", "p"}
        assert not [name for _, name, _ in elements.attributes if name.startswith("on")]
        shown = " ".join(elements.texts["bdi"])
        assert printable(hostile.replace("/", "|")) in shown
        assert set(map(printable, HOSTILE[1:])) <= set(elements.texts["bdi"])
        data = data_of(page)
        assert printable(hostile) == data["failed"]["0"][1]
        assert printable(HOSTILE[2]) in data["labels"]
        for text in (*data["labels"], *data["names"], *data["models"], *data["texts"]):
            assert text.isprintable()


def test_the_headline_counts_videos_failures_and_models() -> None:
    many = [ok(f"{i}.mp4", model="big" if i < 3 else "small") for i in range(1200)]
    page = page_of([*many, failed("x.mp4"), failed("y.mp4")], source="some/where/all.csv")
    assert "1,202 videos: 1,200 classified, 2 failed." in page
    assert "Models: small (1,197), big (3)" in page
    assert Elements(page).texts["h1"] == [""]
    assert Elements(page).texts["bdi"][0] == "all.csv"
    assert "1 video, classified." in page_of([ok("a.mp4")])
    assert "Model: small" in page_of([ok("a.mp4")])
    assert "2 videos, all of them failed." in page_of([failed("a"), failed("b")])


def test_what_is_missing_is_said() -> None:
    assert "warnings" not in [value for _, _, value in PLAIN.attributes]
    page = page_of([ok("a.mp4")], num_torn=1, stopped="Stopped by Ctrl-C.")
    assert "stopped early: Stopped by Ctrl-C." in text_of(page, "li")
    assert "The last result in the file is cut off" in text_of(page, "li")
    assert "0 videos" in page_of([], stopped="No room.")


def test_labels_are_counted_where_they_are_best_and_the_most_frequent_is_first() -> None:
    rows = [ok(f"{i}.mp4", ("often", 0.9), ("never first", 0.1)) for i in range(3)]
    rows.append(ok("x.mp4", ("once", 0.6), ("often", 0.4)))
    elements = Elements(page_of(rows))
    assert elements.texts["bdi"][1:] == ["often", "once"]
    widths = [value for _, name, value in elements.attributes if name == "style"]
    assert widths == ["width:100.0%", "width:33.4%"]
    assert [text for text in elements.texts["option"] if "often" in text or "never" in text] == [
        "never first",
        "often",
    ]


def test_the_data_holds_each_text_once_and_ten_thousand_videos_are_small() -> None:
    rows = [
        ok(
            f"videos/day {i % 7}/camera {i % 13}/clip number {i}.mp4",
            *((f"the label of a video {(i * 7 + k) % 400}", 0.5 / (k + 1.37)) for k in range(5)),
            warnings=("It has few frames",),
        )
        for i in range(10_000)
    ]
    page = page_of(rows)
    assert len(page.encode()) < 2_000_000
    assert page.count("the label of a video 17<") <= 2
    data = data_of(page)
    assert len(data["labels"]) == 400
    assert len(data["folders"]) == 91
    assert len(data["texts"]) == 1


def test_probabilities_are_never_a_false_zero_or_one() -> None:
    rows = [ok("a.mp4", ("a", 1 - 1e-9), ("b", 1e-9)), ok("b.mp4", ("a", 1.0), ("b", 0.0))]
    assert data_of(page_of(rows))["scores"] == [[0, 999_999, 1, 1], [0, 1_000_000, 1, 0]]


def test_spans_that_are_not_known_have_no_length() -> None:
    rows = [
        ok("a.mp4", start_seconds=None, end_seconds=None),
        ok("b.mp4", start_seconds=10.04, end_seconds=12.5),
    ]
    data = data_of(page_of(rows))
    assert data["tenths"] == [None, 25]
    assert data["starts"] == {"1": 10.0}


@pytest.mark.parametrize(
    "name",
    [
        "a b.mp4",
        "100%.mp4",
        "what?#.mp4",
        "a:b.mp4",
        "é 中文.mp4",
        "line\nbreak.mp4",
        "q\"'&<.mp4",
        "b\\c.mp4",
    ],
)
def test_links_go_to_the_video_from_where_the_page_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "pages" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for path in (f"videos/{name}", str(tmp_path / "videos" / name)):
        link = link_of(path, Path("pages/deep"))
        assert link is not None
        assert link.startswith("./../../videos/")
        assert unquote_to_bytes(link.rpartition("/")[2]) == os.fsencode(name)
        assert not set(link) & set('"<>\\?# \n')
    beside = link_of(name, tmp_path)
    assert beside is not None
    assert beside.startswith("./")
    absolute = link_of(name, None)
    assert absolute is not None
    assert absolute.startswith(f"{tmp_path.resolve().as_uri()}/")


@pytest.mark.skipif(os.name == "nt", reason="names of Windows are no bytes")
def test_a_name_that_is_not_utf8_is_linked_by_its_bytes(tmp_path: Path) -> None:
    link = link_of(r"d\udce9p/n\udce9.mp4", tmp_path)
    assert link is not None
    assert link.endswith("/d%E9p/n%E9.mp4")


def test_a_folder_of_images_and_a_missing_video(tmp_path: Path) -> None:
    link = link_of("shots/frames/", tmp_path)
    assert link is not None
    assert link.endswith("/shots/frames/")
    rows = [failed("a.mp4", "There is no video a.mp4.", "VideoNotFoundError")]
    assert data_of(page_of(rows))["links"] == {"0": None}


def test_paths_are_copied_as_they_are_or_not_at_all() -> None:
    rows = [
        ok(path)
        for path in (
            "plain.mp4",
            "no\u00a0break.mp4",
            "line\nbreak.mp4",
            r"n\udce9.mp4",
            "\ud800.mp4",
        )
    ]
    assert data_of(page_of(rows))["paths"] == {
        "1": "no\u00a0break.mp4",
        "2": None,
        "3": None,
        "4": None,
    }


def test_what_browsers_could_not_show_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_page, "MAX_VIDEOS", 4)
    monkeypatch.setattr(index_page, "MAX_SCORES", 4)
    monkeypatch.setattr(index_page, "MAX_TEXT", 10)
    rows = [ok(f"{i}.mp4", warnings=("x" * 11,)) for i in range(5)]
    page = page_of(rows)
    assert "The list shows the first 4 of 5 videos" in text_of(page, "li")
    assert "The list shows the best 1 of up to 2 labels of each video" in text_of(page, "li")
    assert "5 videos, all of them classified." in page
    data = data_of(page)
    assert data["scores"] == [[0, 750_000]] * 4
    assert data["texts"] == ["x" * 10 + "..."]


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_the_command_writes_the_page(tmp_path: Path, format_name: str) -> None:
    source = written(tmp_path, format_name, FOUR)
    page = tmp_path / "index.html"
    answer = CliRunner().invoke(cli, ["report", str(source), "-o", str(page)])
    assert answer.exit_code == 0, answer.output
    expected = render_index(read_results(source), source=str(source), folder=tmp_path)
    assert page.read_text("utf-8") == expected
    assert "4 videos: 3 classified, 1 failed." in expected
