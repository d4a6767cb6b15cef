"""What the documents say is what the program does."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from i3d.catalog import CATALOG
from i3d.cli import cli
from i3d.errors import ExitCode
from i3d.recipes import RECIPES
from i3d.report import FORMATS
from i3d.report.as_json import DOCUMENT_SCHEMA, RESULT_SCHEMA, result_as_dict
from test_report import BAD, GOOD

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
JSON = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(cli.commands))
def test_every_command_is_in_the_readme_and_every_option_has_help(name: str) -> None:
    assert f"i3d {name}" in README
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_every_option_of_classify_is_in_the_readme_and_no_other() -> None:
    table = README.partition("## Use")[2].partition("### Exit codes")[0]
    documented = set(re.findall(r"`(--[a-z-]+|-[a-z])\b", table))
    real = {
        name
        for parameter in cli.commands["classify"].params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert documented - real == set()
    assert real - documented == {"--output", "--verbose"}, "they are listed by their short names"


def test_models_recipes_formats_and_exit_codes_are_in_the_readme() -> None:
    for name in [*CATALOG, *RECIPES, *FORMATS]:
        assert name in README
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \|", README, re.M), code
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.M)} == set(ExitCode)


def test_every_field_of_the_json_is_described() -> None:
    assert DOCUMENT_SCHEMA in JSON
    assert RESULT_SCHEMA in JSON
    described = set(re.findall(r"`([a-z0-9_.]+)`", JSON))
    for outcome in (GOOD, BAD):
        for key, value in result_as_dict(outcome).items():
            if key == "error":
                assert set(value) <= described
            elif isinstance(value, dict):
                assert {f"{key}.{field}" for field in value} <= described
            else:
                assert key in described


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_environment_variables_in_the_readme_are_read_by_the_code() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in (PROJECT / "src" / "i3d").rglob("*.py")
    )
    for name in set(re.findall(r"\bI3D_[A-Z_]+\b", README)) - {"I3D_COMPLETE"}:
        assert name in code or name in (PROJECT / "scripts" / "environment.sh").read_text(), name


def shown_commands() -> list[tuple[str, str]]:
    """Each `$ i3d ...` of the README, and the lines below it."""
    found = re.findall(r"^    \$ i3d (.+)\n((?:    .*\n|\n(?=    ))+)", README, re.M)
    assert len(found) >= 3
    return [(command, textwrap.dedent(output)) for command, output in found]


@pytest.mark.parametrize(
    ("command", "output"), shown_commands(), ids=[command for command, _ in shown_commands()]
)
def test_the_readme_shows_real_output(
    command: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    result = CliRunner().invoke(cli, command.split(), prog_name="i3d")
    assert without_decimals(result.output).split() == without_decimals(output).split()


def without_decimals(text: str) -> str:
    """Leave out what may differ between processors: decimals of percentages, and bars."""
    return re.sub(r"(\.\d)? %  ?[█▏▎▍▌▋▊▉]*", " %", text)
