"""Names from the outside (files, labels) made safe to show; numbers and times for people."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Make a name safe for a terminal: no control characters, no lone surrogates.

    Args:
        text: Any string; file names that are not UTF-8 hold lone surrogates.

    Returns:
        The text, with what can't be printed as an escape such as `\n`, `\x1b` or `\udce9`.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def encodable(text: str) -> str:
    r"""Make a name safe for a UTF-8 document: lone surrogates become `\udc..` escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def percent(probability: float) -> str:
    """A probability as a percentage that never rounds to a false 0 or 100."""
    value = 100 * probability
    if value < 0.05:
        return "< 0.1 %" if value > 0 else "0.0 %"
    if value >= 99.95 and probability < 1:
        return "> 99.9 %"
    return f"{value:.1f} %"


def clock(seconds: float, *, tenths: bool = True) -> str:
    """Write a time: `0:07.5`, `12:00.0`, `1:02:00.0`.

    Args:
        seconds: From 0 on.
        tenths: With one decimal.
    """
    whole, tenth = divmod(round(10 * seconds), 10)
    hours, minutes = whole // 3600, whole // 60 % 60
    text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{text}:{whole % 60:02d}" + (f".{tenth}" if tenths else "")


def megabytes(num_bytes: int) -> str:
    """A size in units of 1000: `51.2 MB`."""
    return f"{num_bytes / 1e6:.1f} MB"


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 frame`, `1,200 frames`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
