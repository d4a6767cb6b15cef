"""How tables look on this terminal."""

from __future__ import annotations

import sys

from i3d.report.table import TableStyle


def table_style(*, to_file: bool) -> TableStyle:
    """How a table looks on this terminal.

    Args:
        to_file: It goes to a file instead.
    """
    if to_file:
        return TableStyle()
    from rich.console import Console

    console = Console(file=sys.stdout)
    return TableStyle(
        color=console.is_terminal and console.color_system is not None and not console.no_color,
        unicode=console.encoding.startswith("utf"),
        width=console.width,
    )
