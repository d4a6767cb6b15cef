"""A host's own list of UCF101's clips: any directory page is read, any other page is survived."""

from __future__ import annotations

import random

import pytest

from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.live import compare_index, parse_index_page
from i3d.datasets.ucf101.names import Clip

INDEX = load_index()
NAMES = ("v_CricketShot_g04_c02", "v_ApplyEyeMakeup_g01_c01", "v_YoYo_g25_c05")

TABLE_PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /THUMOS14/UCF101/UCF101</title></head><body>
<h1>Index of /THUMOS14/UCF101/UCF101</h1>
<table>
<tr><th valign="top"><img src="/icons/blank.gif" alt="[ICO]"></th>
<th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/THUMOS14/UCF101/">Parent Directory</a></td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/movie.gif" alt="[VID]"></td>
<td><a href="v_CricketShot_g04_c02.avi">v_CricketShot_g04_c02..&gt;</a></td></tr>
<tr><td><a href="v_ApplyEyeMakeup_g01_c01.avi">v_ApplyEyeMakeup_g01_..&gt;</a></td></tr>
<tr><td><a href="v_YoYo_g25_c05.avi">v_YoYo_g25_c05.avi</a></td></tr>
</table><address>Apache/2.4.6 Server at www.crcv.ucf.edu Port 443</address></body></html>
"""

PRE_PAGE = """<HTML><HEAD><TITLE>Index of /UCF101</TITLE></HEAD><BODY><H1>Index of /UCF101</H1>
<PRE><IMG SRC="/icons/blank.gif" ALT="     "> <A HREF="?N=D">Name</A>  <A HREF="?M=A">Modified</A>
<HR><IMG SRC="/icons/back.gif" ALT="[DIR]"> <A HREF="/">Parent Directory</A>
<A HREF='v_CricketShot_g04_c02.avi'>v_CricketShot_g04_c02.avi</A>  14-Jul-2012 10:21  170K
<A HREF=v_ApplyEyeMakeup_g01_c01.avi>v_ApplyEyeMakeup_g01_c01.avi</A>  14-Jul-2012 10:21  170K
<A CLASS="x" HREF = "v_YoYo_g25_c05.avi" >v_YoYo_g25_c05.avi</A>  14-Jul-2012 10:21  170K
</PRE></BODY></HTML>
"""


def page(*links: str) -> str:
    return "<html><body>" + "".join(f'<a href="{link}">x</a>\n' for link in links)


@pytest.mark.parametrize("html", [TABLE_PAGE, PRE_PAGE])
def test_both_styles_of_apaches_pages_are_read(html: str) -> None:
    assert parse_index_page(html) == NAMES


@pytest.mark.parametrize(
    "link",
    [
        "v_CricketShot_g04_c02.avi",
        "./v_CricketShot_g04_c02.avi",
        "/THUMOS14/UCF101/UCF101/v_CricketShot_g04_c02.avi",
        "https://www.crcv.ucf.edu/THUMOS14/UCF101/UCF101/v_CricketShot_g04_c02.avi",
        "//mirror.example/v_CricketShot_g04_c02.avi?download=1#t=2",
        "v%5FCricketShot%5fg04_c02%2Eavi",
        "v&#95;CricketShot_g04_c02.avi",
        " v_CricketShot_g04_c02.avi ",
        "V_CRICKETSHOT_G04_C02.AVI",
    ],
)
def test_links_of_any_kind_are_read(link: str) -> None:
    assert parse_index_page(page(link)) == ("v_CricketShot_g04_c02",)


def test_links_that_are_no_clips_are_left_out() -> None:
    others = (
        "",
        "?C=N;O=D",
        "../",
        "v_CricketShot_g04_c02",
        "v_CricketShot_g04_c02.avi/",
        "v_CricketShot_g04_c02.avi.zip",
        "v_CricketShot_g4_c2.avi",
        "v_Cricket Shot_g04_c02.avi",
        "..%2Fv_CricketShot_g04_c02.avi",
        "v_CricketShot_g04_c02.avi%00",
        "%ff%fe",
        "mailto:someone@example.com",
        "http://[v_CricketShot",
    )
    assert parse_index_page(page(*others, "v_YoYo_g01_c01.avi")) == ("v_YoYo_g01_c01",)


def test_only_links_count() -> None:
    html = (
        'v_YoYo_g01_c01.avi <img src="v_YoYo_g01_c02.avi"> <link href="v_YoYo_g01_c03.avi">'
        '<!-- <a href="v_YoYo_g01_c04.avi">x</a> --> <a name="v_YoYo_g01_c05.avi">y</a>'
        "<a href>z</a><abbr href='v_YoYo_g01_c06.avi'>"
    )
    assert parse_index_page(html + page("v_YoYo_g01_c07.avi")) == ("v_YoYo_g01_c07",)


def test_a_clip_is_listed_once_in_the_order_of_the_page() -> None:
    html = page("v_YoYo_g02_c01.avi", "v_YoYo_g01_c01.avi", "v_yoyo_g02_c01.AVI")
    assert parse_index_page(html) == ("v_YoYo_g02_c01", "v_YoYo_g01_c01")


def test_the_other_spelling_is_ours() -> None:
    html = page("v_HandstandPushups_g01_c01.avi", "v_HandStandPushups_g01_c01.avi")
    assert parse_index_page(html) == ("v_HandStandPushups_g01_c01",)


def test_a_page_that_was_cut_gives_what_it_has() -> None:
    end = TABLE_PAGE.index("v_YoYo_g25_c05.avi") + len("v_YoYo_g25")
    assert parse_index_page(TABLE_PAGE[:end]) == NAMES[:2]


def test_a_broken_link_does_not_hide_the_next() -> None:
    html = '<a href="v_YoYo_g01_c01.avi <a href="v_YoYo_g01_c02.avi">x</a>'
    assert parse_index_page(html) == ("v_YoYo_g01_c02",)


@pytest.mark.parametrize(
    "html",
    ["", "403 Forbidden", "<html>", "<a href=", "<a ", "<!--", "\0\0\0", "<a href='\udce9.avi'>"],
)
def test_other_pages_list_nothing(html: str) -> None:
    assert parse_index_page(html) == ()


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<a href='", "<!--", "<", "<a a a a", "</a ", "<![CDATA["],
)
def test_ten_megabytes_of_nonsense_end(piece: str) -> None:
    good = page("v_YoYo_g01_c01.avi")
    assert parse_index_page(good + piece * (10_000_000 // len(piece))) == ("v_YoYo_g01_c01",)


def test_binary_content_is_survived() -> None:
    noise = random.Random(3).randbytes(300_000).decode("utf-8", "replace")
    assert parse_index_page(page("v_YoYo_g01_c01.avi") + noise) == ("v_YoYo_g01_c01",)


def test_the_host_has_what_we_have() -> None:
    html = page(*(clip.file_name for clip in INDEX.clips))
    difference = compare_index(INDEX, parse_index_page(html))
    assert (difference.num_listed, difference.added, difference.missing) == (13_320, (), ())


def test_what_differs_is_told() -> None:
    names = [clip.name for clip in INDEX.clips if clip.category != "YoYo"]
    names += ["v_Zorbing_g01_c02", "v_Aikido_g01_c01", "v_CricketShot_g04_c08.avi", "nonsense"]
    names += names[:10]
    difference = compare_index(INDEX, names)
    assert difference.num_listed == 13_320 - 128 + 3
    assert difference.added == ("v_Aikido_g01_c01", "v_CricketShot_g04_c08", "v_Zorbing_g01_c02")
    assert difference.missing == tuple(clip.name for clip in INDEX.category("YoYo").clips)


def test_what_the_host_has_more_becomes_part_of_an_index() -> None:
    names = parse_index_page(page("v_Zorbing_g01_c02.avi", "v_CricketShot_g04_c08.avi"))
    added = compare_index(INDEX, names).added
    index = INDEX.with_clips(clip for name in added if (clip := Clip.parse(name)) is not None)
    assert index.find("v_zorbing_g01_c02.avi") == Clip("Zorbing", 1, 2)
    assert len(index.clips) == 13_322
    assert compare_index(index, names).added == ()
