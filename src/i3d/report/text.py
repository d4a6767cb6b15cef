"""Names from the outside (files, labels) made safe to show."""

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
