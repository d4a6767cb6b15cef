"""Text on pictures: whatever it is, it can be drawn, and fits."""

from __future__ import annotations

import pytest

from i3d.pictures.lettering import Lettering


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("plain name.mp4", "plain name.mp4"),
        ("<b>'\"&amp;", "<b>'\"&amp;"),
        ("two\nlines\t\x1b[31m", r"two\nlines\t\x1b[31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("東京.mp4", r"\u6771\u4eac.mp4"),
        ("party 🎉", r"party \U0001f389"),
        ("caf\udce9", r"caf\udce9"),
        ("“quoted” ± 5°", "“quoted” ± 5°"),
    ],
)
def test_what_cannot_be_drawn_becomes_an_escape(name: str, drawn: str) -> None:
    assert Lettering(16).showable(name) == drawn


def test_a_long_name_loses_its_middle_or_its_end() -> None:
    name = "begin" + "n" * 500 + "end.mp4"
    letters = Lettering(20)
    for keep_end in (True, False):
        short = letters.fitting(name, 300, keep_end=keep_end)
        assert 200 < letters.width(short) <= 300
        assert short.startswith("begin")
        assert short.endswith("end.mp4" if keep_end else "n…")
        assert short.count("…") == 1
        assert letters.fitting("short", 300, keep_end=keep_end) == "short"
        assert letters.fitting("short", 2, keep_end=keep_end) == ""
