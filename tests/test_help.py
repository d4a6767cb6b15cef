"""Help shows a command's own options first, and says the same of an option everywhere."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from i3d.cli.main import cli


def sections(command: str) -> dict[str, str]:
    """Title -> text of each section of a command's help."""
    shown = CliRunner().invoke(cli, [command, "--help"], prog_name="i3d").output
    parts = [part for part in shown.split("\n\n") if not part.startswith("  ")]
    return {title: text for title, _, text in (part.partition(":\n") for part in parts)}


@pytest.mark.parametrize("command", ["classify", "timeline", "report", "annotate"])
def test_what_people_use_first_comes_before_what_commands_share(command: str) -> None:
    shown = sections(command)
    titles = [title for title in shown if title in ("Options", "Model", "Video", "General")]
    assert titles == ["Options", "Model", "Video", "General"]
    for option in ("--top", "--output"):
        assert option in shown["Options"]
    assert "--recipe" not in shown["Options"]
    assert shown["Model"] == sections("classify")["Model"]
    assert shown["Video"] == sections("classify")["Video"]
