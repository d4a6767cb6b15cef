"""The page about a video: what is in it, whatever the names are, and that it needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from click.testing import CliRunner

from i3d.analysis.prediction import predict
from i3d.analysis.results import TimelineSettings
from i3d.analysis.timeline import make_timeline
from i3d.cli.main import cli
from i3d.errors import OutputError, VideoNotFoundError
from i3d.pictures.stills import Playable, Still, find_playable, take_stills
from i3d.report.pages import video_page
from i3d.report.pages.video_page import num_tracks, render_video_page
from i3d.report.text import printable
from i3d.video.info import ClipInfo
from i3d.video.reader import VideoReader
from test_timeline import video_scores

import sounds
import videos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.analysis.scores import VideoScores

HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"quoted\" 'twice' & <b>bold</b>",
    "line\nbreak\ttab\r",
    "right \u202eto left\u202c",
    "emoji \U0001f600 é 中文",
    "lone \udce9 byte",
    "{{ 7 * 7 }} {% raw %} ${x}",
    "<!-- <img src=x onerror=alert(1)> ]]>",
)


class Elements(HTMLParser):
    """All elements of a page: names, attributes, texts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


def page_of(scores: VideoScores, *, top: int = 5, **options: Any) -> str:
    settings = options.pop("settings", TimelineSettings(smooth_seconds=0))
    count = num_tracks(len(scores.step_logits), shown=top)
    timeline = make_timeline(scores, settings, top=count)
    return render_video_page(predict(scores, top), timeline, num_shown=top, **options)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def numbers(text: str, dtype: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), dtype)


def blocks(labels: Sequence[str], steps: int = 8, path: str = "clip.mp4") -> VideoScores:
    """Each label is certain for some steps, one after the other."""
    return video_scores(9.0 * np.eye(len(labels)).repeat(steps, axis=0), labels, path=path)


PLAIN = Elements(page_of(blocks(("a", "b", "c", "d", "e", "f", "g", "h"))))


def test_names_are_shown_as_they_are_and_make_no_element() -> None:
    for name in HOSTILE:
        scores = replace(blocks(HOSTILE, path=f"/videos/{name.replace('/', '|')}.mp4"))
        page = page_of(scores, settings=TimelineSettings(min_score=0.1, smooth_seconds=0))
        page.encode()  # no lone surrogates
        elements = Elements(page)
        assert sorted(set(elements.names)) == sorted({*PLAIN.names})
        assert elements.names.count("script") == PLAIN.names.count("script")
        assert elements.names.count("img") == PLAIN.names.count("img")
        assert not [name for _, name, _ in elements.attributes if name.startswith("on")]
        assert elements.texts["h1"] == [""]
        assert elements.texts["bdi"][0] == printable(f"{name.replace('/', '|')}.mp4")
        shown = elements.texts["bdi"][1 : 1 + len(HOSTILE)]
        assert shown == [printable(label) for label in HOSTILE]
        assert {track["label"] for track in data_of(page)["tracks"]} == set(shown)


def test_only_the_page_s_own_scripts_may_run() -> None:
    page = page_of(blocks(("a", "b")))
    (policy,) = (
        value
        for _, name, value in Elements(page).attributes
        if name == "content" and "default-src" in (value or "")
    )
    allowed = re.findall(r"'sha256-([^']+)'", policy or "")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == len(allowed) == 2
    for script, digest in zip(scripts, allowed, strict=True):
        assert hashlib.sha256(script.encode()).digest() == base64.b64decode(digest)
    assert "default-src 'none'" in (policy or "")
    assert "unsafe-eval" not in (policy or "")


def test_the_licence_of_the_chart_library_is_in_the_page() -> None:
    page = page_of(blocks(("a", "b")))
    assert "Copyright (c) 2022 Leon Sorokin" in page
    assert "Permission is hereby granted, free of charge" in page


def test_the_scores_of_the_timeline_are_in_the_page() -> None:
    logits = np.random.default_rng(1).normal(size=(40, 12)) * 3
    scores = video_scores(logits, [f"label {i}" for i in range(12)])
    timeline = make_timeline(scores, TimelineSettings(), top=12)
    data = data_of(render_video_page(predict(scores, 3), timeline, num_shown=3))
    assert np.allclose(numbers(data["edges"], "<f4"), timeline.edges_seconds)
    assert [track["label"] for track in data["tracks"]] == [
        track.label for track in timeline.tracks
    ]
    for given, track in zip(data["tracks"], timeline.tracks, strict=True):
        shown = numbers(given["scores"], "<u2") / 65535
        assert np.allclose(shown, track.scores, rtol=0, atol=0.5 / 65535 + 1e-9)


def test_labels_of_segments_are_shown_also_where_they_are_more_than_asked_for() -> None:
    data = data_of(page_of(blocks(("a", "b", "c", "d")), top=1))
    assert data["num_shown"] == 4
    assert [data["tracks"][segment["track"]]["label"] for segment in data["segments"]] == [
        segment["label"] for segment in data["segments"]
    ]


def test_three_hours_of_all_labels_of_kinetics_take_less_than_five_megabytes() -> None:
    rng = np.random.default_rng(2)
    steps = 3 * 3600 * 25 // 8
    logits = rng.normal(size=(steps, 400)).astype(np.float32)
    logits[np.arange(steps), np.arange(steps) // 12 % 30] += 9  # a segment every four seconds
    scores = video_scores(
        logits, [f"a label, number {i}" for i in range(400)], 0.32 * np.arange(steps + 1)
    )
    stills = [Still(180.0 * i, 228, 128, rng.bytes(9000)) for i in range(60)]
    page = page_of(scores, stills=stills)
    assert len(make_timeline(scores).segments) > 2000
    assert len(page.encode()) < 5_000_000
    assert len(data_of(page)["tracks"]) == 30


def test_where_labels_and_steps_are_too_many_each_point_is_the_highest_of_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video_page, "MAX_VALUES", 12)
    logits = np.zeros((10, 3))
    logits[7, 1] = 9  # a moment that a mean would hide
    scores = video_scores(logits, ("a", "b", "c"))
    page = page_of(scores, top=3)
    data = data_of(page)
    assert np.allclose(numbers(data["edges"], "<f4"), [0, 1.5, 3, 4.5, 5])
    (of_b,) = (numbers(track["scores"], "<u2") for track in data["tracks"] if track["label"] == "b")
    assert (of_b / 65535 > 0.9).tolist() == [False, False, True, False]
    assert "Each point is the maximum of 3 steps." in page


def test_no_confident_action_is_an_answer() -> None:
    page = page_of(video_scores(np.zeros((6, 4)), ("a", "b", "c", "d")))
    assert "No confident action at any time." in page
    assert "no label reaches 50.0 % in a span of 1 s or more" in page
    assert '<table id="segments">' not in page


def test_what_made_the_result_is_in_the_page() -> None:
    page = page_of(blocks(("a", "b")))
    shown = json.loads(Elements(page).texts["pre"][0])
    assert {*shown} == {"video", "clip", "recipe", "model", "engine"}
    for text in ("sha256:abc", "openvino 2025.4", "standard: at most 25 frames per second"):
        assert text in Elements(page).texts["dd"] or text in page
    assert "it was dark." in page


# Pictures and videos


def test_stills_are_the_video_s_pictures_at_their_times(tmp_path: Path) -> None:
    path = videos.write_avi(tmp_path / "clip.avi", [videos.corner_image((320, 240))] * 100)
    clip = ClipInfo(75, 75, 1.0, 4.0, 25.0)
    stills = take_stills(os.fspath(path), clip, count=10)
    assert len(stills) == 10
    times = [still.seconds for still in stills]
    assert times == sorted(times)
    assert 1 <= times[0] < 1.3
    assert 3.5 < times[-1] < 4
    assert {(still.width, still.height) for still in stills} == {(171, 128)}
    assert all(still.jpeg.startswith(b"\xff\xd8") for still in stills)


def test_stills_of_slim_and_small_videos_fit(tmp_path: Path) -> None:
    for size, expected in (((640, 16), (480, 12)), ((16, 640), (3, 128)), ((8, 8), (8, 8))):
        path = videos.write_avi(tmp_path / "clip.avi", [videos.noise_image(1, size)] * 3)
        (still,) = take_stills(os.fspath(path), ClipInfo(1, 1, 0.0, 0.04, 25.0))[:1]
        assert (still.width, still.height) == expected


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a b#c?d%e&f.mp4", "."),
        ("quoted'\"<name>.webm", "pages"),
        ("c:olon.mp4", "."),
        ("-dash.mp4", ".."),
        ("émoji \U0001f600.mov", "."),
        pytest.param(os.fsdecode(b"lone\xe9.mp4"), ".", id="lone"),
    ],
)
def test_a_link_leads_to_the_video_from_where_the_page_is(
    tmp_path: Path, name: str, folder: str
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "pages").mkdir()
    path = tmp_path / "videos" / name
    try:
        path.write_bytes(b"not looked at")
    except OSError:
        pytest.skip("this disk can't have such a name")
    where = tmp_path / "videos" / folder
    found = find_playable(os.fspath(path), ClipInfo(1, 1, 0.0, 1.0, 25.0), "auto", where)
    assert found is not None
    assert found.url is not None
    assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", found.url)
    assert found.url.startswith(".")
    linked = Path(os.fsdecode(unquote_to_bytes(found.url)))
    assert (where / linked).read_bytes() == b"not looked at"


def test_a_copy_holds_the_part_that_the_page_is_about(tmp_path: Path) -> None:
    images = [videos.numbered_image(i, (640, 480)) for i in range(50)]
    path = videos.write_avi(tmp_path / "clip.avi", images)
    clip = ClipInfo(25, 25, 0.4, 1.4, 25.0)
    found = find_playable(os.fspath(path), clip, "auto", tmp_path)
    assert found is not None
    assert found.url is None
    assert found.mp4 is not None
    assert found.offset_seconds == 0.4
    (tmp_path / "copy.mp4").write_bytes(found.mp4)
    with VideoReader(tmp_path / "copy.mp4") as reader:
        frames = list(reader)
    assert len(frames) == 25
    assert frames[0].image.shape == (320, 426, 3)
    assert frames[-1].seconds == pytest.approx(24 / 25, abs=1e-3)
    small = videos.read_number(images[10])
    assert videos.read_number(frames[0].image) == small


def test_a_copy_that_nobody_asked_for_is_left_out_where_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos.write_avi(tmp_path / "clip.avi", [videos.noise_image(i) for i in range(60)])
    monkeypatch.setattr("i3d.pictures.stills.MAX_COPY_BYTES", 1000)
    clip = ClipInfo(60, 60, 0.0, 2.4, 25.0)
    assert find_playable(os.fspath(path), clip, "auto", tmp_path) is None
    asked = find_playable(os.fspath(path), clip, "embed", tmp_path)
    assert asked is not None
    assert asked.mp4 is not None
    assert len(asked.mp4) > 1000


def test_what_can_be_played_is_what_was_asked_for(tmp_path: Path) -> None:
    path = os.fspath(videos.write_mp4(tmp_path / "clip.mp4", [videos.noise_image(1)] * 3))
    folder = os.fspath(videos.image_folder(tmp_path / "images", 3))
    clip = ClipInfo(3, 3, 0.0, 0.12, 25.0)
    assert find_playable(path, clip, "none", tmp_path) is None
    assert find_playable(path, clip, "auto", tmp_path) == Playable("./clip.mp4", None, 0.0)
    embedded = find_playable(path, clip, "embed", tmp_path)
    assert embedded is not None
    assert embedded.mp4 is not None
    assert find_playable(folder, clip, "link", tmp_path) is None
    of_images = find_playable(folder, clip, "auto", tmp_path)
    assert of_images is not None
    assert of_images.mp4 is not None


def test_a_linked_video_that_starts_late_is_sought_later(tmp_path: Path) -> None:
    path = sounds.video_with_sound(tmp_path / "clip.mp4", picture_from=0.48)
    clip = ClipInfo(75, 75, 0.0, 3.0, 25.0)
    linked = find_playable(os.fspath(path), clip, "auto", tmp_path)
    assert linked is not None
    assert linked.offset_seconds == pytest.approx(-0.48, abs=1e-3)
    copied = find_playable(os.fspath(path), clip, "embed", tmp_path)
    assert copied is not None
    assert copied.offset_seconds == 0


def test_a_copy_that_has_no_room_is_told_of_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.fspath(videos.write_mp4(tmp_path / "clip.mp4", [videos.noise_image(1)] * 3))
    clip = ClipInfo(3, 3, 0.0, 0.12, 25.0)
    folder = os.fspath(videos.image_folder(tmp_path / "images", 3))
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path / "none"))
    assert find_playable(folder, clip, "auto", tmp_path) is None
    with pytest.raises(OutputError, match=r"No copy of .*clip\.mp4 can be made") as caught:
        find_playable(path, clip, "embed", tmp_path)
    assert "TMPDIR" in (caught.value.hint or "")


def test_a_video_that_is_gone_is_told(tmp_path: Path) -> None:
    gone, clip = os.fspath(tmp_path / "gone.mp4"), ClipInfo(1, 1, 0.0, 1.0, 25.0)
    with pytest.raises(VideoNotFoundError):
        take_stills(gone, clip)
    with pytest.raises(VideoNotFoundError):
        find_playable(gone, clip, "embed", tmp_path)


# The command


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="i3d")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    images = [videos.numbered_image(i, (96, 64)) for i in range(30)]
    return videos.write_avi(tmp_path / "clip.avi", images)


def test_timeline_writes_the_page_of_report(tmp_path: Path, clip: Path) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    for command, page in zip(("report", "timeline"), pages, strict=True):
        result = run(command, clip, "--model", "camera-motion", "-o", page)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == ""
    assert pages[0].read_bytes() == pages[1].read_bytes()
    data = data_of(pages[0].read_text("utf-8"))
    assert len(data["tracks"]) == 9
    assert len(data["stills"]) == 30
    assert "data:video/mp4;base64," in pages[0].read_text("utf-8")


def test_a_page_can_go_to_standard_output(clip: Path) -> None:
    result = run("report", clip, "--model", "camera-motion", "--video", "none", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout.startswith("<!doctype html>")
    assert result.stdout.endswith("</html>\n")


def test_a_page_of_another_ending_is_refused(tmp_path: Path, clip: Path) -> None:
    for name in ("page.pdf", "page", "page.html.mp4"):
        result = run("report", clip, "--model", "camera-motion", "-o", tmp_path / name)
        assert result.exit_code == 2
        assert "does not end in .html" in result.stderr
        assert not (tmp_path / name).exists()


def test_a_page_that_cannot_be_made_leaves_the_old_one(tmp_path: Path, clip: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    clip.write_bytes(clip.read_bytes()[:300])
    result = run("report", clip, "--model", "camera-motion", "-o", page)
    assert result.exit_code == 3
    assert page.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "page.html"]


def test_the_page_does_not_replace_the_video(tmp_path: Path, clip: Path) -> None:
    page = clip.rename(tmp_path / "clip.html")
    before = page.read_bytes()
    result = run("report", page, "--model", "camera-motion", "-o", page)
    assert result.exit_code == 2
    assert page.read_bytes() == before


def test_options_for_videos_are_refused_for_results(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("")
    for options in (["--top", "3"], ["--labels", "x"], ["--video", "none"], ["--start", "1"]):
        result = run("report", tmp_path / "results.jsonl", "-o", tmp_path / "i.html", *options)
        assert result.exit_code == 2
        assert options[0] in result.stderr
    assert not (tmp_path / "i.html").exists()
