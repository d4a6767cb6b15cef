"""The page about a video in a real browser: seen, clicked, typed at, played."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import pytest

from i3d.analysis.results import TimelineSettings
from i3d.pictures.mp4 import VideoWriter
from i3d.pictures.stills import Playable, Still, find_playable
from i3d.video.info import ClipInfo
from test_timeline import video_scores
from test_video_page import HOSTILE, blocks, page_of

import sounds
import videos

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from conftest import OpenPage

LABELS = ("juggling balls", "playing cards", "riding a bike", "yoga")
STEPS = 10
"""Of half a second: each label has five seconds."""


def stills(count: int = 20) -> list[Still]:
    """Pictures with a number, one a second."""
    found = []
    for i in range(count):
        jpeg = cv2.imencode(".jpg", videos.numbered_image(i, (85, 64)))[1]
        found.append(Still(float(i), 85, 64, jpeg.tobytes()))
    return found


def write_page(folder: Path, **options: Any) -> Path:
    labels = options.pop("labels", LABELS)
    path = folder / "page.html"
    path.write_text(page_of(blocks(labels, STEPS), **options), "utf-8")
    return path


@pytest.fixture
def page(tmp_path: Path, open_page: OpenPage) -> Page:
    """A page without a video, at its start."""
    return open_page(write_page(tmp_path, stills=stills()))


def now(page: Page) -> float:
    return float(page.get_by_role("slider").get_attribute("aria-valuenow") or "nan")


def until(page: Page, condition: str) -> None:
    """Wait until something is true in the page, whose policy lets nobody else evaluate a string."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it did not become true: {condition}")


def at(page: Page, seconds: float, low: float = 0.0, high: float = 20.0) -> tuple[float, float]:
    """Where on the screen a moment is in the chart."""
    box = page.locator("#chart .u-over").bounding_box()
    assert box is not None
    x = box["x"] + box["width"] * (seconds - low) / (high - low)
    return x, box["y"] + box["height"] / 2


def colors(page: Page) -> set[tuple[int, ...]]:
    """Colours that cover something of the chart."""
    picture = np.frombuffer(page.locator("#chart canvas").screenshot(), np.uint8)
    pixels = cv2.cvtColor(cv2.imdecode(picture, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    values, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(map(int, value)) for value in values[counts > 40]}


def rgb(page: Page, variable: str) -> tuple[int, ...]:
    code = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    text = page.evaluate(code, variable)
    return tuple(bytes.fromhex(text.removeprefix("#")))


def test_hovering_says_what_is_likely_at_that_moment(page: Page) -> None:
    tooltip = page.locator("#tooltip")
    assert not tooltip.is_visible()
    for seconds, label in ((2.5, "juggling balls"), (7.5, "playing cards"), (17.5, "yoga")):
        page.mouse.move(*at(page, seconds))
        assert tooltip.is_visible()
        lines = tooltip.inner_text().splitlines()
        assert lines[0] == f"0:{seconds:04.1f}"
        assert lines[1] == label
        assert lines[2] == "> 99.9 %"
    page.mouse.move(5, 5)
    assert not tooltip.is_visible()


def test_a_click_goes_to_the_moment(page: Page) -> None:
    page.mouse.click(*at(page, 12.5))
    assert now(page) == pytest.approx(12.5, abs=0.05)
    row = page.locator("#segments tr.now")
    assert row.count() == 1
    assert "riding a bike" in row.inner_text()
    assert page.locator("#moment").get_attribute("alt") in (
        "The picture at 0:12.0",
        "The picture at 0:13.0",
    )
    page.locator("#segments-lane button", has_text="yoga").click()
    assert now(page) == 15
    page.get_by_role("button", name="0:05.0").click()
    assert now(page) == 5
    page.locator("#stills-lane img").first.click()
    assert now(page) < 2


def test_keys_go_through_the_video_and_say_where(page: Page) -> None:
    slider = page.get_by_role("slider", name="Moment in the video")
    slider.focus()
    for key, seconds in (
        ("ArrowRight", 0.75),
        ("PageDown", 0.25),
        ("PageUp", 5.25),
        ("ArrowLeft", 4.75),
        ("End", 19.75),
        ("Home", 0.25),
    ):
        page.keyboard.press(key)
        assert now(page) == pytest.approx(seconds, abs=0.01), key
    assert (slider.get_attribute("aria-valuetext") or "").startswith(
        "0:00.3, juggling balls > 99.9 %, "
    )
    assert slider.get_attribute("aria-valuemin") == "0.00"
    assert slider.get_attribute("aria-valuemax") == "20.00"


def test_zooming_shows_a_part(page: Page) -> None:
    lane = page.locator("#segments-lane button")
    assert lane.all_inner_texts() == list(LABELS)
    start, end = at(page, 5.5), at(page, 9.5)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    assert lane.all_inner_texts() == ["playing cards"]
    assert now(page) == 0, "dragging does not go there"
    page.mouse.click(*at(page, 7.0, 5.5, 9.5))
    assert now(page) == pytest.approx(7.0, abs=0.1)
    page.get_by_role("button", name="Zoom out").click()
    assert "playing cards" in lane.all_inner_texts()
    assert len(lane.all_inner_texts()) > 1
    page.get_by_role("button", name="Reset zoom").click()
    assert lane.all_inner_texts() == list(LABELS)
    page.get_by_role("slider").focus()
    for _ in range(3):
        page.keyboard.press("+")
    assert "juggling balls" not in lane.all_inner_texts()
    page.keyboard.press("0")
    assert lane.all_inner_texts() == list(LABELS)


def test_pictures_fill_what_is_in_sight_and_do_not_overlap(page: Page) -> None:
    for _ in range(3):
        boxes = [still.bounding_box() for still in page.locator("#stills-lane img").all()]
        edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
        assert edges
        assert all(left[1] <= right[0] for left, right in pairwise(edges))
        page.get_by_role("button", name="Zoom in").click()


def test_labels_can_be_found_and_chosen(page: Page) -> None:
    items = page.locator("#labels li")
    assert items.count() == 4
    page.get_by_role("searchbox", name="Find a label").fill("PLAYING c")
    assert items.locator("visible=true").all_inner_texts() == ["playing cards"]
    page.get_by_role("searchbox", name="Find a label").fill("")
    assert items.locator("visible=true").count() == 4

    rows = page.locator("#segments tbody tr:visible")
    assert rows.count() == 4
    hidden = rgb(page, "--c1")
    assert hidden in colors(page)
    page.get_by_role("checkbox", name="playing cards").uncheck()
    assert rows.count() == 3
    assert "playing cards" not in page.locator("#segments").inner_text()
    assert "playing cards" not in page.locator("#segments-lane").inner_text()
    assert hidden not in colors(page)
    assert page.locator("#num-labels").inner_text() == "3 of 4 shown"
    page.mouse.move(*at(page, 7.5))
    assert "playing cards" not in page.locator("#tooltip").inner_text()

    page.get_by_role("button", name="None").click()
    assert rows.count() == 0
    page.get_by_role("button", name="Reset", exact=True).click()
    assert rows.count() == 4
    assert hidden in colors(page)


def test_the_segments_can_be_copied(page: Page) -> None:
    page.get_by_role("checkbox", name="yoga").uncheck()
    page.get_by_role("button", name="Copy the table").click()
    page.get_by_text("3 segments copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].split("\t") == [
        *("start_seconds", "end_seconds", "label", "mean_score", "peak_score")
    ]
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        ["0.000", "5.000", "juggling balls"],
        ["5.000", "10.000", "playing cards"],
        ["10.000", "15.000", "riding a bike"],
    ]


def test_light_dark_and_print(tmp_path: Path, open_page: OpenPage) -> None:
    path = write_page(tmp_path, stills=stills())

    def background(page: Page) -> int:
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, color[color.index("(") + 1 : -1].split(",")))

    def switch(page: Page, scheme: Literal["dark", "light"]) -> None:
        page.evaluate("document.querySelector('#chart canvas').dataset.old = ''")
        page.emulate_media(color_scheme=scheme)
        until(page, "!document.querySelector('#chart canvas[data-old]')")  # it is drawn anew

    light = open_page(path, color_scheme="light")
    dark = open_page(path, color_scheme="dark")
    assert background(light) > 600
    assert background(dark) < 150
    assert rgb(dark, "--c0") in colors(dark)
    assert rgb(light, "--c0") in colors(light)
    assert rgb(dark, "--c0") != rgb(light, "--c0")
    # A change of the system's setting is followed.
    switch(dark, "light")
    until(dark, "getComputedStyle(document.body).backgroundColor.includes('24')")
    assert rgb(light, "--c0") in colors(dark)
    # On paper it is light.
    switch(dark, "dark")
    dark.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rgb(dark, "--c0") == rgb(light, "--c0")
    assert rgb(light, "--c0") in colors(dark)
    dark.evaluate("dispatchEvent(new Event('afterprint'))")
    assert rgb(dark, "--c0") != rgb(light, "--c0")
    dark.emulate_media(media="print")
    assert not dark.locator("#labels").is_visible()
    assert dark.locator("#segments").is_visible()
    assert dark.pdf().startswith(b"%PDF")


def test_a_narrow_screen_has_everything_and_no_sideways_scrolling(
    tmp_path: Path, open_page: OpenPage
) -> None:
    labels = ("a" * 70, "two words " * 12, "b", "c")
    page = open_page(
        write_page(tmp_path, labels=labels, stills=stills()),
        viewport={"width": 340, "height": 640},
        has_touch=True,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    chart = page.locator("#chart .u-over").bounding_box()
    assert chart is not None
    assert 200 < chart["width"] < 340
    x, y = at(page, 12.5)
    page.locator("#chart").scroll_into_view_if_needed()
    x, y = at(page, 12.5)
    page.touchscreen.tap(x, y)
    assert now(page) == pytest.approx(12.5, abs=0.1)
    page.set_viewport_size({"width": 900, "height": 700})
    until(page, "document.querySelector('#chart .u-over').clientWidth > 700")


def test_it_can_be_used_without_a_mouse(page: Page) -> None:
    reached = []
    what = "document.activeElement.textContent.trim() || document.activeElement.id"
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(f"{what} || document.activeElement.type"))
    assert reached[:3] == ["Zoom in", "Zoom out", "Reset zoom"]
    for expected in ("find", "None", "Reset", "checkbox", "Copy the table"):
        assert expected in reached
    snapshot = page.locator("body").aria_snapshot()
    for part in (
        'heading "When"',
        'heading "Segments"',
        'slider "Moment in the video"',
        "table",
        'columnheader "Start"',
    ):
        assert part in snapshot, snapshot


def test_names_from_the_outside_stay_text(tmp_path: Path, open_page: OpenPage) -> None:
    settings = TimelineSettings(min_score=0.1, smooth_seconds=0)
    page = open_page(write_page(tmp_path, labels=HOSTILE, settings=settings, stills=stills()))
    page.on("dialog", lambda _: pytest.fail("a script of a label ran"))
    page.mouse.move(*at(page, 2.0))
    assert page.locator("#labels b, #labels img, #tooltip b, #segments b").count() == 0
    lane = page.locator("#segments-lane button").all_inner_texts()
    assert lane[0] == "</script><script>alert(1)</script>"
    assert len(lane) == len(HOSTILE)
    assert page.evaluate("document.scripts.length") == 3


def test_a_label_without_an_end_leaves_the_other_scores_in_sight(
    tmp_path: Path, open_page: OpenPage
) -> None:
    page = open_page(write_page(tmp_path, labels=("yoga", "run", "long " * 2000, "x" * 10_000)))
    page.locator("#chart").scroll_into_view_if_needed()
    page.mouse.move(*at(page, 2.0))
    assert page.locator("#tooltip .row").count() == 4
    box = page.locator("#tooltip").bounding_box()
    assert box is not None
    assert 40 < box["height"] < 300


def test_a_page_of_one_step_and_of_no_pictures(tmp_path: Path, open_page: OpenPage) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(video_scores(np.zeros((1, 3)))), "utf-8")
    page = open_page(path)
    page.mouse.click(*at(page, 0.25, 0, 0.5))
    assert now(page) == pytest.approx(0.25, abs=0.02)
    assert "No confident action" in page.locator("#no-segments").inner_text()
    assert not page.get_by_role("button", name="Copy the table").is_visible()


def test_three_hours_are_handled(tmp_path: Path, open_page: OpenPage) -> None:
    rng = np.random.default_rng(3)
    steps = 33_750
    logits = rng.normal(size=(steps, 20)).astype(np.float32)
    logits[np.arange(steps), np.arange(steps) // 1000 % 20] += 9
    scores = video_scores(logits, [f"label {i}" for i in range(20)], 0.32 * np.arange(steps + 1))
    path = tmp_path / "page.html"
    path.write_text(page_of(scores), "utf-8")
    page = open_page(path)
    page.mouse.click(*at(page, 5400, 0, 10800))
    assert now(page) == pytest.approx(5400, abs=15)
    assert page.locator("#segments-lane button").count() == 34
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert "2:59:59.7, label 13 99." in (
        page.get_by_role("slider").get_attribute("aria-valuetext") or ""
    )


# With a video


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds, ten numbered frames a second."""
    path = tmp_path_factory.mktemp("videos") / "clip #1.mp4"
    with VideoWriter(path, 160, 120) as writer:
        for i in range(200):
            writer.write(videos.numbered_image(i % 256, (160, 120)), i / 10)
        writer.finish(20.0)
    return path


@pytest.mark.parametrize("embedded", [True, False])
def test_a_click_seeks_the_video(
    tmp_path: Path, open_page: OpenPage, mp4: Path, *, embedded: bool
) -> None:
    if embedded:
        playable = Playable(None, mp4.read_bytes(), 0.0)
    else:
        (tmp_path / mp4.name).write_bytes(mp4.read_bytes())
        playable = Playable("./clip%20%231.mp4", None, 0.0)
    page = open_page(write_page(tmp_path, playable=playable, stills=stills()))
    until(page, "document.getElementById('video').readyState >= 2")
    assert page.locator("#video").is_visible()
    assert not page.locator("#no-video").is_visible()
    page.mouse.click(*at(page, 12.5))
    until(page, "Math.abs(document.getElementById('video').currentTime - 12.5) < 0.1")
    page.get_by_role("button", name="0:05.0").click()
    until(page, "document.getElementById('video').currentTime === 5")


def test_the_chart_follows_the_video(tmp_path: Path, open_page: OpenPage, mp4: Path) -> None:
    playable = Playable(None, mp4.read_bytes(), 0.0)
    page = open_page(write_page(tmp_path, playable=playable))
    page.evaluate("Object.assign(document.getElementById('video'), {muted: true}).play()")
    until(page, "document.getElementById('video').currentTime > 0.5")
    until(page, "Number(document.getElementById('chart').getAttribute('aria-valuenow')) > 0.4")
    page.evaluate("document.getElementById('video').currentTime = 16")
    until(page, "document.querySelector('#segments tr.now')?.innerText.includes('yoga')")


def test_a_copy_of_a_part_is_sought_at_its_own_times(
    tmp_path: Path, open_page: OpenPage, mp4: Path
) -> None:
    logits = 9.0 * np.eye(4).repeat(10, axis=0)
    scores = video_scores(logits, LABELS, 100 + np.arange(41) / 2)
    path = tmp_path / "page.html"
    path.write_text(page_of(scores, playable=Playable(None, mp4.read_bytes(), 100.0)), "utf-8")
    page = open_page(path)
    until(page, "document.getElementById('video').readyState >= 2")
    page.get_by_role("button", name="1:45.0").click()
    until(page, "document.getElementById('video').currentTime === 5")
    assert now(page) == 105


def test_a_video_begins_where_the_part_begins_that_the_page_is_about(
    tmp_path: Path, open_page: OpenPage, mp4: Path
) -> None:
    scores = video_scores(9.0 * np.eye(4).repeat(5, axis=0), LABELS, 5 + np.arange(21) / 2)
    (tmp_path / mp4.name).write_bytes(mp4.read_bytes())
    path = tmp_path / "page.html"
    playable = Playable("./clip%20%231.mp4", None, 0.0)
    path.write_text(page_of(scores, playable=playable), "utf-8")
    page = open_page(path)
    until(page, "document.getElementById('video').readyState >= 2")
    until(page, "document.getElementById('video').currentTime === 5")
    assert now(page) == 5


def test_a_linked_video_whose_pictures_start_late_is_sought_at_the_right_moment(
    tmp_path: Path, open_page: OpenPage
) -> None:
    source = sounds.video_with_sound(
        tmp_path / "late.mp4", "aac", "libx264", seconds=8.0, picture_from=2.0, beeps=()
    )
    playable = find_playable(str(source), ClipInfo(200, 200, 0.0, 8.0, 25.0), "link", tmp_path)
    page = open_page(write_page(tmp_path, playable=playable))
    until(page, "document.getElementById('video').readyState >= 2")
    page.get_by_role("button", name="0:05.0").click()
    shown = """new Promise((resolve) => {
        const video = document.getElementById('video');
        video.requestVideoFrameCallback((_, frame) => resolve(frame.mediaTime));
        video.currentTime += 0.001;
    })"""
    assert page.evaluate(shown) == pytest.approx(7, abs=0.05)  # 5 after the first picture
    assert now(page) == pytest.approx(5, abs=0.05)


def test_a_video_that_the_browser_cannot_play_gives_way_to_pictures(
    tmp_path: Path, open_page: OpenPage
) -> None:
    playable = Playable(None, b"no video at all", 0.0)
    page = open_page(write_page(tmp_path, playable=playable, stills=stills()))
    page.locator("#no-video").wait_for()
    assert not page.locator("#video").is_visible()
    page.mouse.click(*at(page, 12.5))
    assert page.locator("#moment").is_visible()
    assert now(page) == pytest.approx(12.5, abs=0.05)
