"""Files of results are read: what is torn at the end is left out, what is damaged is told."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.analysis.results import Outcome, Score
from i3d.errors import UsageError, UserInterruptError
from i3d.report.formats import make_report
from i3d.report.reading import FoundResults, ResultRow, read_results
from i3d.report.result_files import ResultFile
from test_result_files import FOUR, OTHER_SETTINGS, SETTINGS, outcome, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ("jsonl", "json", "csv", "parquet")


def written(
    folder: Path, format_name: str, outcomes: Sequence[Outcome] = FOUR, name: str | None = None
) -> Path:
    """A file of results as `i3d classify` writes it."""
    path = folder / (name or f"results.{format_name}")
    if format_name == "parquet":
        pytest.importorskip("pyarrow")
        with ResultFile(path, "parquet", settings=SETTINGS) as results:
            for one in outcomes:
                results.append(one)
            results.finish()
        return path
    report = make_report(format_name)
    text = report.begin() + "".join(map(report.item, outcomes)) + report.end()
    path.write_bytes(text.encode())
    return path


def paths(found: FoundResults) -> list[str]:
    return [row.path for row in found.rows]


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_results(path)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", [None, "results", "results.txt"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_tells_the_same_of_each_video(
    tmp_path: Path, format_name: str, name: str | None
) -> None:
    found = read_results(written(tmp_path, format_name, name=name))
    first, failed, warned, odd = found.rows
    assert (found.num_torn, found.stopped) == (0, None)
    assert first == ResultRow(
        "a.mp4",
        (("pan left", 0.705), ('a "quoted", label', 0.2)),
        model="camera-motion",
        start_seconds=0.0,
        end_seconds=4.64,
        file=FOUR[0].file,
        settings=SETTINGS,
    )
    assert failed == ResultRow(
        "b.mp4",
        (),
        "b.mp4 is empty,\nor damaged.",
        "VideoDecodeError",
        file=FOUR[1].file,
        settings=SETTINGS,
    )
    assert warned.path == '"c",\n.mp4'
    assert "; ".join(warned.warnings) == "it is short; it\nends, early"
    assert odd.path == r"d\udce9é.mp4"


def test_lines_cut_anywhere_give_the_results_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    data = whole("jsonl", FOUR)
    ends = [len(whole("jsonl", FOUR[:count])) for count in range(5)]
    everything = read_results(written(tmp_path, "jsonl", name="all.jsonl")).rows
    for size in [*ends[1:], *random.Random(1).sample(range(ends[1], len(data)), 36)]:
        path.write_bytes(data[:size])
        found = read_results(path)
        num_whole = sum(end <= size + 1 for end in ends) - 1  # without its line end, it is whole
        assert found.rows == everything[:num_whole], size
        assert found.num_torn == (size not in ends and size + 1 not in ends), size


def test_zeros_that_a_power_cut_left_are_a_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    data = whole("jsonl", FOUR)
    for end in (b"", b"x\n", b"\n"):
        path.write_bytes(data[:-40] + bytes(100) + end)
        found = read_results(path)
        assert (paths(found), found.num_torn) == (["a.mp4", "b.mp4", '"c",\n.mp4'], 1)
    path.write_bytes(data[:100] + bytes(20) + data[120:])
    assert "line 1:" in refused(path)


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_of_two_results_of_one_video_the_last_counts(tmp_path: Path, format_name: str) -> None:
    again = replace(outcome("a.mp4"), settings=OTHER_SETTINGS)
    assert again.prediction is not None
    scores = (Score(1, "yoga", 3, 0.9, 1.0),)
    again = replace(again, prediction=replace(again.prediction, scores=scores))
    many = (outcome("a.mp4"), outcome("b.mp4", failed=True), outcome("b.mp4"), again)
    found = read_results(written(tmp_path, format_name, many))
    assert paths(found) == ["b.mp4", "a.mp4"]  # in the order of the results that count
    assert found.rows[0].error_message is None
    assert found.rows[1].scores == (("yoga", 0.9),)
    found = read_results(written(tmp_path, format_name, many[::-1]))
    assert paths(found) == ["b.mp4", "a.mp4"]
    assert found.rows[0].error_message is not None
    assert len(found.rows[1].scores) == 2


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_what_stopped_the_run_is_no_video(tmp_path: Path, format_name: str) -> None:
    report = make_report(format_name)
    text = report.begin() + "".join(map(report.item, FOUR[:2]))
    text += report.end(UserInterruptError("Stopped by Ctrl-C."))
    path = tmp_path / f"results.{format_name}"
    path.write_text(text, "utf-8")
    found = read_results(path)
    assert paths(found) == ["a.mp4", "b.mp4"]
    assert found.stopped == "Stopped by Ctrl-C."


@pytest.mark.parametrize(
    ("format_name", "old", "new"),
    [
        ("jsonl", b'"status": "ok"', b'"status": "good"'),
        ("jsonl", b'"path": ', b'"path" '),
        ("jsonl", b"0.2,", b'"0.2",'),
        ("jsonl", b"pan left", b"pan \xff"),
        ("json", b'"status": "ok"', b'"status": "good"'),
        ("json", b'"path": ', b'"path" '),
        ("json", b"pan left", b"pan \xff"),
        ("csv", b",ok,", b",good,"),
        ("csv", b",ok,", b",ok,,"),
        ("csv", b",1,", b",first,"),
        ("csv", b"0.705", b"7.05"),
        ("csv", b"pan left", b"pan \xff"),
        ("csv", b",pan left,", b',"pan" left,'),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, format_name: str, old: bytes, new: bytes) -> None:
    path = written(tmp_path, format_name, [outcome("x.mp4", failed=True), *FOUR])
    data = path.read_bytes()
    line = 1 + data[: data.index(b"a.mp4")].count(b"\n")
    path.write_bytes(
        data[: data.index(b"x.mp4") + 5] + data[data.index(b"x.mp4") + 5 :].replace(old, new, 1)
    )
    if format_name == "json":
        assert "is damaged" in refused(path)
    else:
        assert f": line {line}: " in refused(path)


@pytest.mark.parametrize("value", ["2", "-0.1", "NaN", "Infinity", "true", '"x"', "null", "[]"])
@pytest.mark.parametrize("format_name", ["jsonl", "json"])
def test_a_probability_that_is_none_is_refused(
    tmp_path: Path, format_name: str, value: str
) -> None:
    path = written(tmp_path, format_name)
    path.write_text(path.read_text("utf-8").replace("0.705", value, 1), "utf-8")
    assert "is damaged" in refused(path)


def test_a_quote_that_is_too_many_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [outcome(f"{number}.mp4") for number in range(20)])
    path.write_bytes(path.read_bytes().replace(b"\n3.mp4", b'\n"3.mp4', 1))
    assert "is damaged" in refused(path)


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_the_same_result_twice_is_one(tmp_path: Path, format_name: str) -> None:
    once = read_results(written(tmp_path, format_name, FOUR, name=f"once.{format_name}"))
    assert read_results(written(tmp_path, format_name, (*FOUR, *FOUR))) == once


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x20ftypisom" + bytes(5000),
        b"name,size\nx,1\n",
        b'{"schema": "i3d.timeline/1", "segments": []}\n',
        b"[1, 2, 3]\n",
        b"{" * 100_000,
        b'{"schema": "i3d.prediction/1"}\n{}\n',
        b"\xff" * 100,
        b"PAR1 and no more",
        b"",
        b"\n",
    ],
)
def test_files_of_something_else_are_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    message = refused(path)
    assert str(path) in message
    assert message[0].isupper() or message.startswith(str(path))
    assert "\n" not in message


def test_a_document_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "json")
    data = path.read_bytes()
    for size in range(60, len(data) - 3, 97):
        path.write_bytes(data[:size])
        assert "damaged" in refused(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "none.jsonl")
    assert "cannot be read" in refused(tmp_path)
    (tmp_path / ".none.parquet.i3d-part").write_bytes(whole("jsonl", FOUR))
    assert "its run is not over" in refused(tmp_path / "none.parquet")
    assert len(read_results(tmp_path / ".none.parquet.i3d-part").rows) == 4


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "jsonl")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refused(path).endswith("cannot be read: Permission denied.")


def test_without_pyarrow_a_parquet_file_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "need pyarrow" in refused(path)


def test_a_result_of_a_newer_kind_is_no_torn_one(tmp_path: Path) -> None:
    path = written(tmp_path, "jsonl")
    line = json.dumps({"schema": "i3d.prediction/2", "status": "ok"})
    path.write_text(path.read_text("utf-8") + line, "utf-8")
    assert "line 5:" in refused(path)


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_a_time_that_no_video_has_is_damage(tmp_path: Path, format_name: str) -> None:
    path = written(tmp_path, format_name)
    text = path.read_text("utf-8")
    assert "4.64" in text
    text = text.replace("4.640", "4.64").replace("4.64", "1e308")
    path.write_text(text, "utf-8", newline="\n")
    assert "is damaged" in refused(path)
