"""Timelines as text: what each format shows, and that no name can break one."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.cells import cell_len

from i3d.analysis.results import TimelineSettings
from i3d.analysis.timeline import make_timeline
from i3d.errors import VideoDecodeError
from i3d.report.formats import TIMELINE_FORMATS, render_timeline
from i3d.report.jsons import timeline_failure_as_json
from i3d.report.table import TableStyle
from test_timeline import RAW, alone, video_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.results import Timeline

LABELS = ("pan left", "static", "zoom in")


def scenes(
    labels: Sequence[str] = LABELS,
    *,
    steps: int = 20,
    step_seconds: float = 0.5,
    start: float = 0.0,
    settings: TimelineSettings | None = None,
    path: str = "clip.mp4",
    top: int = 5,
) -> Timeline:
    """Each label has `steps` steps, one after the other, with scores that are almost 1."""
    logits = 9.0 * np.eye(len(labels)).repeat(steps, axis=0)
    edges = start + np.arange(len(logits) + 1) * step_seconds
    scores = video_scores(logits, labels, edges, path)
    return make_timeline(scores, settings or TimelineSettings(smooth_seconds=0), top=top)


TIMELINE = scenes()
NOTHING = make_timeline(alone(0.1, 0.1, 0.31, 0.1), RAW)


def table(timeline: Timeline, width: int = 80, **style: bool) -> list[str]:
    text = render_timeline(timeline, "table", TableStyle(width=width, **style))
    assert text.endswith("\n")
    return text.splitlines()


def chart(lines: list[str]) -> dict[str, str]:
    """Label -> strip."""
    rows = lines[3 : lines.index("", 3) - 1]
    return {row[2:].rsplit("  ", 1)[0].strip(): row.rsplit("  ", 1)[1] for row in rows}


# Parsers, strict enough to find broken files


def parse_clock(text: str, point: str) -> float:
    found = re.fullmatch(rf"(\d{{2,}}):([0-5]\d):([0-5]\d)\{point}(\d{{3}})", text)
    assert found, text
    hours, minutes, seconds, thousandths = map(int, found.groups())
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def parse_times(line: str, point: str) -> tuple[float, float]:
    start, arrow, end = line.split(" ")
    assert arrow == "-->"
    times = parse_clock(start, point), parse_clock(end, point)
    assert times[0] < times[1], "a cue takes time"
    return times


def parse_vtt(text: str) -> list[tuple[float, float, str]]:
    """Cues of a WebVTT file: https://www.w3.org/TR/webvtt1/#syntax."""
    assert text.encode().decode() == text
    assert not set(text) & {"\r", "\0"}
    head, *blocks = text.removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    cues = []
    for block in blocks:
        lines = block.split("\n")
        assert all(lines), "an empty line ends a block"
        if lines[0].startswith("NOTE"):
            assert "-->" not in block
            continue
        start, end = parse_times(lines[0], ".")
        (payload,) = lines[1:]
        assert "-->" not in payload
        assert not re.search(r"<|&(?!(amp|lt|gt);)", payload), "a bare < or & is markup"
        for escape, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            payload = payload.replace(escape, char)
        cues.append((start, end, payload))
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    return cues


def parse_srt(text: str) -> list[tuple[float, float, str]]:
    """Cues of a SubRip file."""
    assert text.encode().decode() == text
    assert not set(text) & {"\r", "\0"}
    assert text.endswith("\n")
    cues = []
    for number, block in enumerate(text.strip("\n").split("\n\n") if text.strip() else [], 1):
        first, times, payload = block.split("\n")
        assert first == str(number)
        start, end = parse_times(times, ",")
        assert payload.strip()
        assert not re.search(r"-->|[<>{}]", payload), "players take it for markup"
        cues.append((start, end, payload))
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    return cues


PARSERS = {"vtt": parse_vtt, "srt": parse_srt}


# Table


def test_the_table_shows_the_video_a_chart_and_the_segments() -> None:
    assert table(TIMELINE, 62) == [
        "clip.mp4",
        "30.0 s · 750 frames at 25 fps · 320x240 · my-model (openvino) · 60 steps",
        "",
        "  pan left  ████████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁",
        "  static    ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁████████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁",
        "  zoom in   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁████████████████",
        "            └0:00   └0:05   └0:10   └0:15   └0:20   └0:25",
        "",
        "   start     end  label         mean      peak      at",
        "  0:00.0  0:10.0  pan left  > 99.9 %  > 99.9 %  0:00.2",
        "  0:10.0  0:20.0  static    > 99.9 %  > 99.9 %  0:10.2",
        "  0:20.0  0:30.0  zoom in   > 99.9 %  > 99.9 %  0:20.2",
    ]


def test_a_column_of_the_chart_shows_the_highest_score_in_its_time() -> None:
    levels = [0.01] * 600
    levels[300] = 0.99  # half a second of five minutes
    strip = chart(table(make_timeline(alone(*levels), RAW, top=1)))["a"]
    assert strip.count("█") == 1
    assert strip.index("█") == pytest.approx(len(strip) / 2, abs=1)
    assert set(strip) == {"█", "▁"}


@pytest.mark.parametrize(
    ("unicode", "marks"), [(True, "▁▂▃▄▅▆▇█"), (False, " .:-=+*#%@")], ids=["unicode", "ascii"]
)
def test_marks_rise_with_the_score(*, unicode: bool, marks: str) -> None:
    num = len(marks)
    levels = [(i + 0.5) / num for i in range(num)]
    timeline = make_timeline(alone(*levels), RAW, top=1)
    (row,) = (line for line in table(timeline, 40 + num, unicode=unicode) if line[:4] == "  a ")
    strip = row[5:]
    assert [mark for i, mark in enumerate(strip) if i == 0 or mark != strip[i - 1]] == list(marks)


@pytest.mark.parametrize("width", [40, 41, 57, 80, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_nothing_is_wider_than_the_terminal_and_all_is_aligned(width: int, unicode: bool) -> None:
    labels = ("yoga", "東京タワーの夜景をゆっくり", "a very long label that nobody would make " * 2)
    lines = table(scenes(labels), width, unicode=unicode)
    if unicode:
        assert {cell_len(line) for line in lines[3:6]} == {width - 2}, "rows end where others end"
    assert all(cell_len(line) <= width for line in lines[3:])
    head, *segments = lines[8:]
    ends = {cell_len(line) for line in segments if "%" in line}
    assert ends == {cell_len(head)}, "numbers stand below their names"


def test_a_long_label_is_cut_in_the_chart_and_whole_in_the_list() -> None:
    label = "abcdefghijklmnopqrstuvwxyz" * 3
    lines = table(scenes((label, "b")), 50)
    assert "…" in lines[3]
    assert label not in lines[3]
    below = "".join("".join(re.findall(r"[a-z]", line)) for line in lines[8:])
    assert label in below


@pytest.mark.parametrize(
    ("start", "seconds", "times"),
    [
        (0.0, 0.3, ["0:00.0", "0:00.1", "0:00.2"]),
        (0.0, 30.0, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25"]),
        (62.0, 60.0, ["1:10", "1:20", "1:30", "1:40", "1:50"]),
        (1800.0, 2700.0, ["30:00", "40:00", "50:00", "1:00:00", "1:10:00"]),
        (0.0, 40_000.0, ["0:00", "2:00:00", "4:00:00", "6:00:00", "8:00:00"]),
        (0.36, 0.03, ["0:00.4"]),  # no tick falls into it
    ],
)
def test_the_axis_has_times_that_people_read_easily(
    start: float, seconds: float, times: list[str]
) -> None:
    lines = table(scenes(("a", "b"), steps=15, step_seconds=seconds / 30, start=start), 75)
    axis = lines[5]
    assert [mark.removeprefix("└") for mark in axis.split()] == times
    strip = chart(lines)["a"]
    for mark in axis.split() if len(times) > 1 else []:
        parts = map(float, reversed(mark[1:].split(":")))
        moment = sum(part * 60**i for i, part in enumerate(parts))
        column = axis.index(mark) - lines[3].index(strip)
        assert column == pytest.approx((moment - start) / seconds * len(strip), abs=1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.96, "1:00.0"), (3599.97, "1:00:00.0"), (3725.04, "1:02:05.0")]
)
def test_times_carry_over(seconds: float, text: str) -> None:
    timeline = scenes(("a", "b"), steps=1, step_seconds=seconds, settings=RAW)
    assert table(timeline)[-1].split()[0] == text


def test_every_segment_is_listed() -> None:
    rows = [0.9 if i % 2 else 0.01 for i in range(3000)]
    lines = table(make_timeline(alone(*rows), RAW))
    assert sum(" a " in line for line in lines[7:]) == 1500


def test_a_narrow_terminal_gets_fewer_numbers() -> None:
    labels = ("a label of 19 chars", "b")
    assert table(scenes(labels), 80)[7].split() == ["start", "end", "label", "mean", "peak", "at"]
    assert table(scenes(labels), 55)[7].split() == ["start", "end", "label", "mean", "peak"]
    assert table(scenes(labels), 40)[7].split() == ["start", "end", "label", "mean"]


def test_where_nothing_is_confident_the_table_says_so_and_what_is_highest() -> None:
    assert table(NOTHING)[-1] == (
        "  No confident action: no label reaches 50 %. The highest is a with 31.0 % at 0:01.2."
    )
    longer = replace(NOTHING, settings=TimelineSettings())
    assert "no label reaches 50 % for 1.0 s." in table(longer)[-1]
    short = make_timeline(alone(0.1, edges=[0, 0.4]))
    assert "for 0.4 s." in table(short)[-1]
    asked = make_timeline(alone(0.1, 0.1, 0.3), TimelineSettings(labels=("a",), min_score=0.95))
    assert "none of the labels reaches 95 % for 1.0 s. The highest is a with" in table(asked)[-1]
    assert not any(" label " in line for line in table(NOTHING)[5:-1])


def test_colours_set_segments_apart_and_change_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    plain = render_timeline(TIMELINE, "table", TableStyle())
    coloured = render_timeline(TIMELINE, "table", TableStyle(color=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    bright, dim = "\x1b[1;32m", "\x1b[2m"
    row = next(line for line in coloured.splitlines() if line.startswith("  static"))
    parts = [(style, set(text)) for style, text in re.findall(r"(\x1b\[[0-9;]+m)([▁█]+)\x1b", row)]
    assert parts == [(dim, {"▁"}), (bright, {"█"}), (dim, {"▁"})]


def test_a_plain_table_is_ascii() -> None:
    assert "".join(table(TIMELINE, unicode=False)).isascii()
    assert "".join(table(scenes(("x" * 90, "b")), unicode=False)).isascii()


# JSON


def test_json_holds_what_made_it_the_segments_and_the_steps() -> None:
    text = render_timeline(TIMELINE, "json")
    parsed = json.loads(text)
    assert parsed["schema"] == "i3d.timeline/1"
    assert parsed["status"] == "ok"
    assert parsed["video"]["path"] == "clip.mp4"
    assert parsed["clip"]["end_seconds"] == 30
    assert parsed["recipe"]["name"] == "standard"
    assert parsed["model"]["fingerprint"] == "sha256:abc"
    assert parsed["engine"] == {
        "name": "openvino",
        "version": "2025.4",
        "precision": "float32",
        "fallback_reason": None,
    }
    assert parsed["warnings"] == ["it was dark"]
    assert parsed["settings"] == {
        "labels": None,
        "min_score": 0.5,
        "min_duration_seconds": 1.0,
        "smooth_seconds": 0,
    }
    first = TIMELINE.segments[0]
    assert parsed["segments"][0] == {
        "start_seconds": 0,
        "end_seconds": 10,
        "label": "pan left",
        "label_index": 0,
        "mean_score": first.mean_score,
        "peak_score": first.peak_score,
        "peak_seconds": 0.25,
    }
    assert len(parsed["segments"]) == 3
    steps = parsed["steps"]
    assert steps["edges_seconds"] == list(TIMELINE.edges_seconds)
    assert [track["label"] for track in steps["tracks"]] == list(LABELS)
    assert steps["tracks"][1] == {
        "label": "static",
        "label_index": 1,
        "scores": list(TIMELINE.tracks[1].scores),
    }
    assert len(text.splitlines()) < 120, "numbers do not stand on a line each"


def test_json_names_the_labels_that_were_followed() -> None:
    settings = TimelineSettings(labels=("zoom in", "static"))
    parsed = json.loads(render_timeline(scenes(settings=settings), "json"))
    assert parsed["settings"]["labels"] == ["zoom in", "static"]
    assert [track["label"] for track in parsed["steps"]["tracks"]] == ["zoom in", "static"]


def test_json_of_a_video_without_segments_has_none() -> None:
    parsed = json.loads(render_timeline(NOTHING, "json"))
    assert parsed["segments"] == []
    assert parsed["status"] == "ok"


def test_json_of_a_video_that_failed() -> None:
    error = VideoDecodeError("gone\udce9.mp4 is empty.", hint="Copy it again.")
    parsed = json.loads(timeline_failure_as_json("gone\udce9.mp4", error))
    assert parsed == {
        "schema": "i3d.timeline/1",
        "i3d_version": parsed["i3d_version"],
        "status": "error",
        "video": {"path": "gone\\udce9.mp4"},
        "error": {
            "kind": "VideoDecodeError",
            "exit_code": 3,
            "message": "gone\\udce9.mp4 is empty.",
            "hint": "Copy it again.",
            "details": [],
        },
    }


# CSV


def test_csv_has_a_row_for_each_segment() -> None:
    rows = list(csv.DictReader(io.StringIO(render_timeline(TIMELINE, "csv"))))
    assert [row["label"] for row in rows] == list(LABELS)
    assert rows[1] == {
        "video": "clip.mp4",
        "start_seconds": "10.000",
        "end_seconds": "20.000",
        "label": "static",
        "label_index": "1",
        "mean_score": repr(TIMELINE.segments[1].mean_score),
        "peak_score": repr(TIMELINE.segments[1].peak_score),
        "peak_seconds": "10.250",
        "model": "my-model",
        "fingerprint": "sha256:abc",
        "recipe": "standard",
        "engine": "openvino 2025.4",
    }


def test_csv_of_a_video_without_segments_is_its_header() -> None:
    text = render_timeline(NOTHING, "csv")
    assert text.startswith("video,start_seconds,end_seconds,label,")
    assert text.count("\n") == 1


# Subtitles


def test_webvtt_has_a_cue_for_each_segment_and_says_what_made_it() -> None:
    text = render_timeline(TIMELINE, "vtt")
    assert parse_vtt(text) == [
        (0, 10, "pan left (99 %)"),
        (10, 20, "static (99 %)"),
        (20, 30, "zoom in (99 %)"),
    ]
    note = text.partition("NOTE\n")[2].partition("\n\n")[0]
    for part in ("clip.mp4", "my-model, sha256:abc", "standard", "openvino 2025.4", "0.5"):
        assert part in note


def test_subrip_has_a_cue_for_each_segment() -> None:
    assert render_timeline(scenes(LABELS[:2], start=3600), "srt") == (
        "1\n01:00:00,000 --> 01:00:10,000\npan left (99 %)\n\n"
        "2\n01:00:10,000 --> 01:00:20,000\nstatic (99 %)\n"
    )
    assert len(parse_srt(render_timeline(TIMELINE, "srt"))) == 3


@pytest.mark.parametrize("format_name", list(PARSERS))
def test_subtitles_of_a_video_without_segments_are_files_without_cues(format_name: str) -> None:
    text = render_timeline(NOTHING, format_name)
    assert PARSERS[format_name](text) == []
    assert text, "a file that was there before has to be replaced"


@pytest.mark.parametrize("format_name", list(PARSERS))
def test_subtitles_of_labels_that_overlap_are_valid(format_name: str) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1, (200, 4)).cumsum(axis=0)
    labels = ("d", "b", "a", "c")
    settings = TimelineSettings(labels=labels, min_score=0.2, smooth_seconds=2)
    timeline = make_timeline(video_scores(logits, labels), settings)
    cues = PARSERS[format_name](render_timeline(timeline, format_name))
    assert len(cues) == len(timeline.segments) > 5
    assert any(cue[1] > after[0] for cue, after in pairwise(cues))


@pytest.mark.parametrize("format_name", list(PARSERS))
def test_no_cue_is_empty_however_short(format_name: str) -> None:
    timeline = scenes(("a", "b"), steps=1, step_seconds=0.0002, settings=RAW)
    assert len(PARSERS[format_name](render_timeline(timeline, format_name))) == 2


@pytest.mark.parametrize(
    ("score", "text"), [(1.0, "100 %"), (0.9999, "99 %"), (0.554, "55 %"), (0.004, "1 %")]
)
def test_cues_never_round_to_a_false_certainty(score: float, text: str) -> None:
    segment = replace(TIMELINE.segments[0], mean_score=score)
    ((*_, payload),) = parse_vtt(render_timeline(replace(TIMELINE, segments=(segment,)), "vtt"))
    assert payload == f"pan left ({text})"


# Names from the outside

NASTY = [
    "a\nb",
    "a\r\n\r\n2\n00:00:01,000 --> 00:00:02,000\nx",
    "1 --> 2",
    "<b>&amp;</b>{\\an8}",
    "\x1b[31mred\x07\0",
    "\u202eright\u200f\u2066",
    "caf\udce9",
    "a\rb",
    "NOTE x",
    'a "quoted", label;',
    "\u2028\u2029\x85",
]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("format_name", [name for name in TIMELINE_FORMATS if name != "html"])
def test_no_name_breaks_a_document(format_name: str, nasty: str) -> None:
    plain = scenes(("x", "b"))
    made = scenes((nasty, "b"), path=nasty, settings=TimelineSettings(labels=(nasty, "b")))
    model = replace(made.model, name=nasty, label_list=nasty)
    made = replace(made, model=model, warnings=(nasty,))
    text = render_timeline(made, format_name, TableStyle(width=200))
    text.encode()  # no lone surrogate is left
    if format_name == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [row["label"] for row in rows] == [nasty.replace("\udce9", "\\udce9"), "b"]
        assert all(None not in row for row in rows)
        return
    if format_name == "json":
        segments = json.loads(text)["segments"]
        assert segments[0]["label"] == nasty.replace("\udce9", "\\udce9")
        return
    assert all(char.isprintable() or char == "\n" for char in text)
    if format_name == "table":
        expected = render_timeline(plain, "table", TableStyle(width=200))
        assert text.count("\n") == expected.count("\n")
    else:
        cues = PARSERS[format_name](text)
        assert [cue[:2] for cue in cues] == [(0, 10), (10, 20)]
        assert cues[1][2] == "b (99 %)"


def test_webvtt_keeps_what_a_label_says() -> None:
    ((*_, text), _) = parse_vtt(render_timeline(scenes(("<i>1 & 2</i> --> 3", "b")), "vtt"))
    assert text == "<i>1 & 2</i> --> 3 (99 %)"
