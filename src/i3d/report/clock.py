"""Times as people write them."""

from __future__ import annotations


def clock(seconds: float, *, tenths: bool = True) -> str:
    """Write a time: `0:07.5`, `12:00.0`, `1:02:00.0`.

    Args:
        seconds: From 0 on.
        tenths: With a digit behind the point.
    """
    whole, tenth = divmod(round(10 * seconds), 10)
    hours, minutes = whole // 3600, whole // 60 % 60
    text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{text}:{whole % 60:02d}" + (f".{tenth}" if tenths else "")
