"""The page about many results in a real browser: searched, sorted, copied, printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from i3d.report.pages.index_page import render_index
from i3d.report.reading import FoundResults, ResultRow
from i3d.report.text import printable
from test_index_page import failed, ok
from test_video_page import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

    from conftest import OpenPage

ROWS = (
    ok("day 1/clip10.mp4", ("yoga", 0.9), ("crying", 0.05), end_seconds=70.0),
    ok("day 1/clip9.mp4", ("crying", 0.6), ("yoga", 0.3), ("Zumba", 0.1), end_seconds=5.0),
    ok("day 2/Clip1.mp4", ("yoga", 0.5), ("Zumba", 0.4), warnings=("It is short",)),
    failed("day 2/bad.mp4", "The file is cut off."),
    ok("other/é.mp4", ("Zumba", 0.99999), start_seconds=10.0, end_seconds=12.0),
)


def write_page(folder: Path, rows: Sequence[ResultRow] = ROWS) -> Path:
    path = folder / "index.html"
    found = FoundResults(tuple(rows))
    path.write_text(render_index(found, source="results.jsonl", folder=folder), "utf-8")
    return path


@pytest.fixture
def page(tmp_path: Path, open_page: OpenPage) -> Page:
    return open_page(write_page(tmp_path))


def names(page: Page) -> list[str]:
    """The videos that are listed."""
    return page.locator("#videos tbody tr .video > :first-child").all_text_contents()


def wait_for(page: Page, get: Callable[[], object], expected: object) -> None:
    """Wait until the page shows something; it draws a moment after it was asked."""
    for _ in range(100):
        if get() == expected:
            return
        page.wait_for_timeout(30)
    assert get() == expected


def shows(page: Page, *expected: str) -> None:
    wait_for(page, lambda: names(page), list(expected))


def number(page: Page) -> str:
    return page.locator("#number").inner_text()


def order(page: Page) -> list[str | None]:
    return [head.get_attribute("aria-sort") for head in page.locator("#videos thead th").all()]


ALL = ("clip10.mp4", "clip9.mp4", "Clip1.mp4", "bad.mp4", "é.mp4")


def test_all_videos_are_listed_in_the_order_of_the_file(page: Page) -> None:
    shows(page, *ALL)
    assert number(page) == "5 videos"
    rows = page.locator("#videos tbody tr")
    assert rows.nth(0).inner_text().split("\n")[:2] == ["clip10.mp4", "day 1/"]
    assert "90.0 %" in rows.nth(0).inner_text()
    assert "1:10.0" in rows.nth(0).inner_text()
    assert "Failed: The file is cut off." in rows.nth(3).inner_text()
    assert "> 99.9 %" in rows.nth(4).inner_text()
    width = page.locator("#videos .score .bar").nth(0).evaluate("bar => bar.style.width")
    assert width == "90%"


def test_the_search_takes_words_in_any_order_from_path_label_and_reason(page: Page) -> None:
    search = page.get_by_label("Search", exact=True)
    for words, *expected in (
        ("ZUMBA clip", "clip9.mp4", "Clip1.mp4"),
        ("1 day", "clip10.mp4", "clip9.mp4", "Clip1.mp4"),
        ("cut off", "bad.mp4"),
        ("e\u0301", "é.mp4"),
        ("nothing like it",),
        ("", *ALL),
    ):
        search.fill(words)
        shows(page, *expected)
        if not expected:
            assert number(page) == "No video matches, of 5 videos."
            assert page.locator("#videos").is_hidden()
    assert page.locator("#number").get_attribute("role") == "status"


def test_a_label_is_looked_for_in_all_places_or_in_the_first(page: Page) -> None:
    page.get_by_label("Label", exact=True).select_option("Zumba")
    shows(page, "clip9.mp4", "Clip1.mp4", "é.mp4")
    row = page.locator("#videos tbody tr").nth(0)
    assert "Zumba" in row.locator(".label").inner_text()
    assert "in place 3" in row.inner_text()
    assert "10.0 %" in row.locator(".score").inner_text()
    page.get_by_role("button", name="Score", exact=True).click()
    shows(page, "é.mp4", "Clip1.mp4", "clip9.mp4")
    page.get_by_label("Min. score").fill("20")
    shows(page, "é.mp4", "Clip1.mp4")
    page.get_by_label("Rank").select_option("first")
    shows(page, "é.mp4")
    page.get_by_role("button", name="Clear filters").click()
    wait_for(page, lambda: len(names(page)), 5)
    assert page.evaluate("document.activeElement.id") == "words"


def test_a_click_on_a_frequent_label_lists_its_videos_and_another_one_all(page: Page) -> None:
    button = page.locator("#best").get_by_role("button", name=re.compile("^yoga"))
    assert button.inner_text().split() == ["yoga", "2", "·", "50.0", "%"]
    button.click()
    shows(page, "clip10.mp4", "Clip1.mp4")
    assert button.get_attribute("aria-pressed") == "true"
    assert (
        page.get_by_label("Label", exact=True).evaluate("list => list.selectedOptions[0].text")
        == "yoga"
    )
    button.click()
    shows(page, *ALL)
    assert button.get_attribute("aria-pressed") == "false"


def test_rare_labels_appear_when_they_are_asked_for(tmp_path: Path, open_page: OpenPage) -> None:
    rows = [ok(f"{i}.mp4", (f"label {i}", 0.5)) for i in range(20)]
    page = open_page(write_page(tmp_path, rows))
    buttons = page.locator("#best button:visible")
    assert buttons.count() == 12
    more = page.get_by_role("button", name="All 20 labels")
    more.click()
    assert buttons.count() == 20
    page.get_by_role("button", name="Fewer labels").click()
    assert buttons.count() == 12
    assert more.get_attribute("aria-expanded") == "false"


def test_failures_alone_and_answers_alone(page: Page) -> None:
    status = page.get_by_label("Status")
    status.select_option("failed (1)")
    shows(page, "bad.mp4")
    assert number(page) == "1 of 5 videos"
    status.select_option("classified (4)")
    shows(page, "clip10.mp4", "clip9.mp4", "Clip1.mp4", "é.mp4")


def test_columns_are_sorted_both_ways_and_failures_stay_behind(page: Page) -> None:
    for column, first, second in (
        ("Video", ["clip9.mp4", "clip10.mp4", "bad.mp4", "Clip1.mp4", "é.mp4"], None),
        (
            "Label",
            ["clip9.mp4", "clip10.mp4", "Clip1.mp4", "é.mp4", "bad.mp4"],
            ["é.mp4", "clip10.mp4", "Clip1.mp4", "clip9.mp4", "bad.mp4"],
        ),
        (
            "Score",
            ["é.mp4", "clip10.mp4", "clip9.mp4", "Clip1.mp4", "bad.mp4"],
            ["Clip1.mp4", "clip9.mp4", "clip10.mp4", "é.mp4", "bad.mp4"],
        ),
        (
            "Length",
            ["clip10.mp4", "clip9.mp4", "Clip1.mp4", "é.mp4", "bad.mp4"],
            ["é.mp4", "Clip1.mp4", "clip9.mp4", "clip10.mp4", "bad.mp4"],
        ),
    ):
        button = page.get_by_role("button", name=column, exact=True)
        button.click()
        shows(page, *first)
        button.click()
        shows(page, *(second or first[::-1]))
        button.click()
        shows(page, *ALL)
        assert order(page) == ["none"] * 4


def test_the_keyboard_does_it_all(page: Page) -> None:
    page.get_by_label("Search", exact=True).focus()
    page.keyboard.type("yoga")
    shows(page, "clip10.mp4", "clip9.mp4", "Clip1.mp4")
    page.keyboard.press("Enter")  # submits nothing
    page.get_by_role("button", name="Score", exact=True).focus()
    page.keyboard.press("Enter")
    wait_for(page, lambda: order(page), ["none", "none", "descending", "none"])
    page.keyboard.press("Space")
    wait_for(page, lambda: order(page), ["none", "none", "ascending", "none"])
    shows(page, "Clip1.mp4", "clip9.mp4", "clip10.mp4")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Length"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    details = page.locator("#videos details").nth(0)
    assert details.get_attribute("open") is not None
    assert "It is short" in details.inner_text()


def test_details_hold_the_other_labels_with_their_places(page: Page) -> None:
    details = page.locator("#videos tbody tr").nth(1).locator("details")
    details.locator("summary").click()
    items = details.locator("li")
    assert [item.inner_text().split("\n") for item in items.all()] == [
        ["yoga", "30.0 %"],
        ["Zumba", "10.0 %"],
    ]
    assert [item.evaluate("item => item.value") for item in items.all()] == [2, 3]
    last = page.locator("#videos tbody tr").nth(4).locator("details")
    last.locator("summary").click()
    assert "From 0:10.0 on." in last.inner_text()


def test_links_lead_to_the_files(tmp_path: Path, open_page: OpenPage, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    odd = (
        "a b#1?.mp4",
        "100%.mp4",
        "é'(1)!.mp4",
        "a:b&c.mp4",
        "back\\slash.mp4",
        "line\nbreak.mp4",
    )
    page = open_page(write_page(tmp_path, [ok(f"the videos/{name}") for name in odd]))
    links = page.locator("#videos tbody a")
    for i, name in enumerate(odd):
        target = links.nth(i).evaluate("link => decodeURIComponent(new URL(link.href).pathname)")
        assert target == str(tmp_path.resolve() / "the videos" / name)


def test_a_view_is_kept_in_the_address(tmp_path: Path, open_page: OpenPage, page: Page) -> None:
    page.get_by_label("Search", exact=True).fill("day & #1")
    page.get_by_label("Search", exact=True).fill("clip")
    page.get_by_label("Label", exact=True).select_option("yoga")
    page.get_by_label("Min. score").fill("40")
    page.get_by_role("button", name="Length", exact=True).click()
    page.get_by_role("button", name="Length", exact=True).click()
    shows(page, "Clip1.mp4", "clip10.mp4")
    wait_for(
        page,
        lambda: page.url.partition("#")[2],
        "search=clip&label=yoga&score=40&sort=length",
    )
    page.reload()
    shows(page, "Clip1.mp4", "clip10.mp4")
    assert page.get_by_label("Search", exact=True).input_value() == "clip"
    assert page.get_by_label("Min. score").input_value() == "40"
    page.evaluate("() => { location.hash = 'status=failed'; }")
    shows(page, "bad.mp4")
    assert page.get_by_label("Search", exact=True).input_value() == ""
    page.evaluate("() => { location.hash = 'label=none&sort=x&score=-1&place=9&status=y'; }")
    shows(page, *ALL)


def test_the_paths_of_what_is_listed_are_copied(tmp_path: Path, open_page: OpenPage) -> None:
    rows = [*ROWS, ok("yoga/no\u00a0break.mp4"), ok("yoga/line\nbreak.mp4")]
    page = open_page(write_page(tmp_path, rows))
    page.get_by_label("Search", exact=True).fill("yoga")
    wait_for(page, lambda: len(names(page)), 5)
    page.get_by_role("button", name="Copy the paths").click()
    wait_for(
        page,
        lambda: page.locator("#copied").inner_text(),
        "4 paths copied; 1 left out, whose names no text can hold",
    )
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.splitlines() == [
        "day 1/clip10.mp4",
        "day 1/clip9.mp4",
        "day 2/Clip1.mp4",
        "yoga/no\u00a0break.mp4",
    ]
    page.get_by_label("Search", exact=True).fill("nothing like it")
    wait_for(page, lambda: page.get_by_role("button", name="Copy the paths").is_disabled(), True)


def test_hostile_names_are_texts(tmp_path: Path, open_page: OpenPage) -> None:
    rows = [ok(f"x{name}", (name, 0.5), ("b", 0.1), warnings=(name,)) for name in HOSTILE]
    rows += [failed(name, name, name) for name in HOSTILE]
    page = open_page(write_page(tmp_path, rows))
    assert page.locator("#videos tbody tr").count() == len(rows)
    labels = page.locator("#videos td.label > bdi").all_text_contents()
    assert labels == [printable(name) for name in HOSTILE] * 2
    assert page.locator("#videos img, #videos script, #videos b").count() == 0
    page.get_by_label("Label", exact=True).select_option(printable(HOSTILE[0]))
    wait_for(page, lambda: len(names(page)), 1)
    page.reload()
    wait_for(page, lambda: len(names(page)), 1)


def test_the_page_is_dark_where_the_system_is_and_prints_light(
    tmp_path: Path, open_page: OpenPage
) -> None:
    path = write_page(tmp_path)
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = open_page(path, color_scheme="light").evaluate(colour)
    page = open_page(path, color_scheme="dark")
    dark = page.evaluate(colour)
    assert sum(map(int, re.findall(r"\d+", light))) > 600
    assert sum(map(int, re.findall(r"\d+", dark))) < 150
    page.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")
    assert page.evaluate(colour) == light
    page.evaluate("() => { dispatchEvent(new Event('afterprint')); }")
    assert page.evaluate(colour) == dark


@pytest.mark.parametrize("width", [320, 360, 768, 1400])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, open_page: OpenPage, width: int) -> None:
    long = "averylongnamewithoutanyspace" * 6
    rows = [*ROWS, ok(f"{long}/{long}.mp4", (long, 0.7), ("b", 0.1), warnings=(long,))]
    rows.append(failed(f"{long}.mp4", long))
    page = open_page(write_page(tmp_path, rows), viewport={"width": width, "height": 800})
    for summary in page.locator("#videos summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator("#videos thead button").all():
        assert button.is_visible()
    page.get_by_role("button", name="Score", exact=True).click()
    wait_for(page, lambda: order(page), ["none", "none", "descending", "none"])


@pytest.fixture
def many(tmp_path: Path, open_page: OpenPage) -> Page:
    """Ten thousand videos."""
    rows = [
        ok(
            f"videos/{i % 10}/clip {i}.mp4",
            *((f"action-{(i * 7 + k) % 400}", 0.5 / (k + 1 + i / 1e6)) for k in range(5)),
        )
        for i in range(10_000)
    ]
    return open_page(write_page(tmp_path, rows))


def drawn(page: Page) -> int:
    return page.locator("#videos tbody tr").count()


def test_ten_thousand_videos_are_drawn_in_portions(many: Page) -> None:
    assert drawn(many) == 100
    assert number(many) == "10,000 videos"
    assert many.locator("#more").inner_text() == "Show more: 9,900 left"
    many.locator("#more").scroll_into_view_if_needed()
    wait_for(many, lambda: drawn(many) > 100, True)
    many.locator("#more").click()
    wait_for(many, lambda: drawn(many) >= 600, True)
    assert drawn(many) < 2000
    many.get_by_label("Search", exact=True).fill("clip 9999")
    shows(many, "clip 9999.mp4")
    assert many.locator("#more").is_hidden()
    many.get_by_label("Search", exact=True).fill("action-399")
    wait_for(many, lambda: number(many), "125 of 10,000 videos")
    many.get_by_role("button", name="Video", exact=True).click()
    wait_for(many, lambda: order(many)[0], "ascending")
    assert drawn(many) == 100


def test_paper_gets_the_matching_videos_up_to_a_thousand(many: Page) -> None:
    many.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")
    assert drawn(many) == 1000
    many.emulate_media(media="print")
    assert many.locator("#print-note").inner_text() == "The first 1,000 of these videos."
    assert many.locator("#filters").is_hidden()
    assert many.locator("#more").is_hidden()
    many.emulate_media(media="screen")
    many.evaluate("() => { dispatchEvent(new Event('afterprint')); }")
    assert drawn(many) == 100
    assert many.locator("#print-note").is_hidden()
    many.get_by_label("Search", exact=True).fill("action-399")
    wait_for(many, lambda: number(many), "125 of 10,000 videos")
    many.evaluate("() => { dispatchEvent(new Event('beforeprint')); }")
    assert drawn(many) == 125
    assert many.locator("#print-note").inner_text() == "search: action-399"


def test_without_javascript_the_page_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(write_page(tmp_path), java_script_enabled=False)
    assert page.locator("noscript p").is_visible()
    assert page.locator("#filters").is_hidden()
    assert page.get_by_text("5 videos: 4 classified, 1 failed.").is_visible()
