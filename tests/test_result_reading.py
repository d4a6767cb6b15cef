"""Files of results are read: what is torn at the end is left out, what is damaged is told."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.analysis.results import Outcome, Score
from i3d.errors import UsageError, UserInterruptError
from i3d.report.csvs import COLUMNS
from i3d.report.formats import make_report
from i3d.report.reading import read_results
from i3d.report.reading_rows import FoundResults, ResultRow
from i3d.report.result_files import open_results
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
        with open_results(path, "parquet", settings=SETTINGS, num_scores=2) as results:
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
    )
    assert failed == ResultRow("b.mp4", (), "b.mp4 is empty,\nor damaged.", "VideoDecodeError")
    assert warned.path == '"c",\n.mp4'
    assert "; ".join(warned.warnings) == "it is short; it\nends, early"
    assert odd.path == r"d\udce9é.mp4"


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_a_file_cut_anywhere_gives_the_results_before_the_cut(
    tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / f"results.{format_name}"
    data = whole(format_name, FOUR)
    ends = [len(whole(format_name, FOUR[:count])) for count in range(5)]
    everything = read_results(written(tmp_path, format_name, name=f"all.{format_name}")).rows
    near = {end + shift for end in ends[1:] for shift in range(-70, 30)}
    for size in sorted({*range(ends[1], len(data), 23), *near} & {*range(ends[1], len(data))}):
        path.write_bytes(data[:size])
        found = read_results(path)
        # Of CSV, one row of two may be left, and of JSON lines all but the line end.
        num_whole = sum(end <= size + (format_name == "jsonl" or size + 1 in ends) for end in ends)
        assert found.rows == everything[: num_whole - 1], size
        assert found.num_torn == (size not in ends and size + 1 not in ends), size


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_zeros_that_a_power_cut_left_are_a_torn_end(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / f"results.{format_name}"
    data = whole(format_name, FOUR)
    for end in (b"", b"x\n", b"\n"):
        path.write_bytes(data[:-40] + bytes(100) + end)
        found = read_results(path)
        assert (paths(found), found.num_torn) == (["a.mp4", "b.mp4", '"c",\n.mp4'], 1)
    start = data.index(b"b.mp4")
    path.write_bytes(data[: start - 10] + bytes(20) + data[start + 10 :] + data[-3000:])
    assert "Line 1 of" in refused(path) or "Line 2 of" in refused(path) or "Line 3" in refused(path)


def test_a_row_that_is_missing_at_the_end_makes_its_video_torn(tmp_path: Path) -> None:
    lines = whole("csv", [outcome("a.mp4"), outcome("b.mp4")]).splitlines(keepends=True)
    path = tmp_path / "results.csv"
    path.write_bytes(b"".join(lines[:-1]))
    found = read_results(path)
    assert (paths(found), found.num_torn) == (["a.mp4"], 1)
    path.write_bytes(b"".join([*lines[:2], *lines[3:4]]))  # of each one row is there
    assert paths(read_results(path)) == ["a.mp4", "b.mp4"]


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


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_comes_back_from_a_spreadsheet(tmp_path: Path, delimiter: str) -> None:
    many = [outcome(f"{name}.mp4") for name in "abc"] + [outcome("d.mp4", failed=True)]
    path = written(tmp_path, "csv", many)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if delimiter == ";":
        for row in rows:
            row["probability"] = row["probability"].replace(".", ",")
    kept = [name for name in reversed(COLUMNS) if name not in ("logit", "sha256", "recipe")]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(
            file, kept, delimiter=delimiter, lineterminator="\r\n", extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["probability"], reverse=delimiter == ","))
        file.write(delimiter * (len(kept) - 1) + "\r\n")
    found = read_results(path)
    assert sorted(paths(found)) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    assert found.num_torn == 0
    for row in found.rows:
        if row.error_message is None:
            assert row.scores == (("pan left", 0.705), ('a "quoted", label', 0.2))


def test_json_lines_may_have_a_byte_order_mark_other_line_ends_and_empty_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + whole("jsonl", FOUR).replace(b"\n", b"\r\n\r\n"))
    assert len(read_results(path).rows) == 4


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
    found = int(refused(path).split("Line ")[1].split()[0])
    if format_name == "json":  # the line that the result begins on, or one in it
        assert line - 8 <= found <= line + 60
    else:
        assert found == line


@pytest.mark.parametrize("value", ["2", "-0.1", "NaN", "Infinity", "true", '"x"', "null", "[]"])
@pytest.mark.parametrize("format_name", ["jsonl", "json"])
def test_a_probability_that_is_none_is_refused(
    tmp_path: Path, format_name: str, value: str
) -> None:
    path = written(tmp_path, format_name)
    path.write_text(path.read_text("utf-8").replace("0.705", value, 1), "utf-8")
    assert "Line " in refused(path)


def test_a_quote_that_is_too_many_is_damage_and_not_a_torn_end(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [outcome(f"{number}.mp4") for number in range(20)])
    data = path.read_bytes().replace(b'"a ""quoted"", label"', b"plain")
    path.write_bytes(data.replace(b"\n3.mp4", b'\n"3.mp4', 1))
    assert "Line 8 of" in refused(path)


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_the_same_result_twice_is_one(tmp_path: Path, format_name: str) -> None:
    once = read_results(written(tmp_path, format_name, FOUR, name=f"once.{format_name}"))
    assert read_results(written(tmp_path, format_name, (*FOUR, *FOUR))) == once


@pytest.mark.parametrize("suffix", ["", *(f".{name}" for name in FORMATS)])
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
def test_files_of_something_else_are_refused_in_a_sentence(
    tmp_path: Path, suffix: str, data: bytes
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"file{suffix}"
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
    assert "is a folder" in refused(tmp_path)
    (tmp_path / ".none.parquet.i3d-part").write_bytes(whole("csv", FOUR))
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
    assert "Line 5 of" in refused(path)


@pytest.mark.parametrize("format_name", ["jsonl", "json", "csv"])
def test_a_time_that_no_video_has_is_damage(tmp_path: Path, format_name: str) -> None:
    path = written(tmp_path, format_name)
    text = path.read_text("utf-8")
    assert "4.64" in text
    text = text.replace("4.640", "4.64").replace("4.64", "1e308")
    path.write_text(text, "utf-8", newline="\n")
    assert "is damaged" in refused(path)
