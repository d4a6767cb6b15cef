"""What the documents say is what the program does."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from i3d.cli.doctor import DOCTOR_SCHEMA, Check, checks_as_dict
from i3d.cli.main import cli
from i3d.cli.ucf_eval import DEFAULT_SAMPLE
from i3d.datasets.accuracy import EVALUATION_SCHEMA, evaluations_as_json
from i3d.datasets.ucf101.clips import LocalClip
from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.hosts import MOST_FAILURES, IndexHost, ZipHost
from i3d.datasets.ucf101.listing import LIST_SCHEMA as UCF101_LIST_SCHEMA
from i3d.datasets.ucf101.listing import clips_as_json
from i3d.engines.base import EngineInfo
from i3d.models.catalog import CATALOG, SOURCE_NAMES, get_model
from i3d.models.deepmind import sample_outputs
from i3d.models.info import list_models
from i3d.models.known_answers import DISTANCES, TOLERANCE, KnownAnswer, KnownAnswers
from i3d.models.sample import LOGIT_TOLERANCE, SampleComparison, SampleRow
from i3d.models.verify import verify_model
from i3d.report.jsons import DOCUMENT_SCHEMA, RESULT_SCHEMA, result_as_dict, to_json
from i3d.report.models import (
    INFO_SCHEMA,
    LIST_SCHEMA,
    VERIFICATION_SCHEMA,
    info_as_dict,
    list_as_dict,
    verification_as_dict,
)
from i3d.video.recipes import RECIPES
from test_report import BAD, GOOD

import cli_page

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parent.parent
SOURCE = PROJECT / "src" / "i3d"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
JSON = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
UCF101 = (PROJECT / "docs" / "ucf101.md").read_text(encoding="utf-8")
MODELS = (PROJECT / "docs" / "models.md").read_text(encoding="utf-8")
VERIFICATION = (PROJECT / "docs" / "verification.md").read_text(encoding="utf-8")
DOCUMENTS = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]


def commands(command: click.Command = cli, *names: str) -> dict[str, click.Command]:
    """All commands, by what is typed after `i3d`."""
    found = {" ".join(names): command} if names else {}
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        found |= commands(below, *names, name)
    return found


@pytest.mark.parametrize("name", list(commands()))
def test_every_command_and_every_option_has_help(name: str) -> None:
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_the_page_on_the_command_line_says_what_help_says() -> None:
    current = "run scripts/cli_page.py"
    assert cli_page.PAGE.read_text(encoding="utf-8").split() == cli_page.render().split(), current


def test_the_page_on_the_command_line_has_every_variable() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    listed = {name.partition("=")[0] for name in cli_page.VARIABLES}
    assert listed == set(re.findall(r"""["'](I3D_[A-Z0-9_]+)["']""", code)) - {"I3D_CONTRACT"}


def test_commands_models_and_recipes_are_in_the_documents() -> None:
    for name in [*(f"i3d {name}" for name in cli.commands), *CATALOG]:
        assert name in README
    for name in RECIPES:
        assert f"| `{name}` |" in VERIFICATION


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_lines_are_short_enough_to_be_read_as_text(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    # A row of a table can't be broken, nor can a picture with its description.
    long = [line for line in lines if len(line) > 120 and not line.lstrip().startswith(("|", "<"))]
    assert long == []


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
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.fixture(scope="module")
def cache_with_kinetics(tmp_path_factory: pytest.TempPathFactory, real_module: Path) -> Path:
    """A cache in which the real weights are installed."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I3D_CACHE_DIR", str(cache))
        result = CliRunner().invoke(cli, ["model", "import", str(real_module)], prog_name="i3d")
    assert result.exit_code == 0, result.output
    return cache


REAL = "i3d-kinetics-400 ("
"""What only the real weights write."""


def shown_commands() -> list[tuple[str, str]]:
    """Each `$ i3d ...` of the README and of docs/verification.md, and the lines below it."""
    text = README + VERIFICATION
    found = re.findall(r"^    \$ i3d (.+)\n((?:    .*\n|\n(?=    ))+)", text, re.M)
    assert len(found) >= 4
    return [(command, textwrap.dedent(output)) for command, output in found]


@pytest.mark.parametrize(
    ("command", "output"),
    [
        pytest.param(*shown, id=shown[0], marks=[pytest.mark.slow] * (REAL in shown[1]))
        for shown in shown_commands()
    ],
)
def test_the_documents_show_real_output(
    command: str, output: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "openvino)" in output:
        pytest.importorskip("openvino")
    if REAL in output:
        cache = request.getfixturevalue("cache_with_kinetics")
        monkeypatch.setenv("I3D_CACHE_DIR", str(cache))
    monkeypatch.chdir(PROJECT)
    result = CliRunner().invoke(cli, shlex.split(command), prog_name="i3d")
    assert without_decimals(result.output).split() == without_decimals(output).split()


def without_decimals(text: str) -> str:
    """Leave out what may differ between processors: decimals of percentages, and bars."""
    return re.sub(r"[▁▂▃▄▅▆▇█]+", "", re.sub(r"(\.\d)? %  ?[█▏▎▍▌▋▊▉]*", " %", text))


LISTS_OF_OBJECTS = ("`sources`", "`sample.scores`", "`known_answers.distances`")


def described_in(schema: str) -> set[str]:
    """The fields in the section of docs/json.md on a schema."""
    (section,) = (part for part in JSON.split("\n## ") if f"`{schema}`" in part.partition("\n")[0])
    rows = re.findall(r"^\| (`.+?) \|(.+)\|$", section, re.M)
    in_first_column = {name for row in rows for name in re.findall(r"`([a-z0-9_.]+)`", row[0])}
    lists = [row[1] for row in rows if row[0] in LISTS_OF_OBJECTS]
    return in_first_column | {
        f"{row[0].strip('`')}.{name}"
        for row in rows
        if row[1] in lists
        for name in re.findall(r"`([a-z_]+)`", row[1])
    }


def fields_of(document: dict[str, Any]) -> set[str]:
    """Names of a document's fields, with those of the objects in it."""
    found = set()
    for name, value in document.items():
        found.add(name)
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, dict):
                found |= {f"{name}.{field}" for field in fields_of(part)}
    return found


def a_verification() -> dict[str, Any]:
    """A document with everything in it."""
    comparison = SampleComparison("sample.npy", 2.0, 2.0, (SampleRow("yoga", 1.0, 1.0, 0.5, 0.5),))
    answers = KnownAnswers((-1.0, 1.0), (KnownAnswer(10, 2.0, 2.0),))
    result = verify_model("camera-motion", run_sample=False)
    found = dataclasses.replace(
        result, sample=comparison, known_answers=answers, engine=EngineInfo("openvino", "1.2.3")
    )
    return verification_as_dict(found)


def an_info() -> dict[str, Any]:
    spec = get_model("i3d-kinetics-400")
    return info_as_dict(spec.name, spec, None, None, None)


@pytest.mark.parametrize(
    ("schema", "make"),
    [
        (LIST_SCHEMA, lambda: list_as_dict(list_models())),
        (INFO_SCHEMA, an_info),
        (VERIFICATION_SCHEMA, a_verification),
        (DOCTOR_SCHEMA, lambda: checks_as_dict([Check("x", "ok", "y")], works=True)),
    ],
    ids=["list", "info", "verification", "doctor"],
)
def test_the_json_about_models_has_the_fields_that_are_described_and_no_others(
    schema: str, make: Callable[[], dict[str, Any]]
) -> None:
    document = json.loads(to_json(make()))
    assert document["schema"] == schema
    assert fields_of(document) == described_in(schema)


def test_the_json_about_ucf101_has_the_fields_that_are_described_and_no_others() -> None:
    index = load_index()
    clip = index.clips[0]
    document = json.loads(clips_as_json([clip], {clip: LocalClip(Path("x.avi"), 1)}))
    described = described_in(UCF101_LIST_SCHEMA)
    assert {
        name for name in fields_of(document) if not re.search("[.](labels|splits)[.]", name)
    } == (described)
    evaluation = json.loads(evaluations_as_json([], selection={}))
    described = described_in(EVALUATION_SCHEMA)
    assert set(evaluation) == {name for name in described if "." not in name}


def test_the_page_on_ucf101_has_the_numbers_of_the_code() -> None:
    text = " ".join(UCF101.split())
    assert f"| `index` | `{IndexHost.default}`" in text
    assert f"| `zip` | `{ZipHost.default}`" in text
    assert f"takes {DEFAULT_SAMPLE} clips by chance" in text
    assert {8: "eight"}[MOST_FAILURES] + " times in a row" in text
    firsts = [
        category.labels[0].relation for category in load_index().categories if category.labels
    ]
    for relation in ("exact", "broader", "near"):
        row = rf"\| `{relation}` \| [^|]+ \| {firsts.count(relation)} \|"
        assert re.search(row, text), relation


def test_every_variable_and_source_in_the_page_on_models_is_read_by_the_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    variables = set(re.findall(r"`\$?([A-Z][A-Z0-9]*_[A-Z_]+)\b", MODELS)) - {"HTTPS_PROXY"}
    assert {"I3D_TIMEOUT", "KAGGLE_API_TOKEN", "SSL_CERT_FILE", "TFHUB_CACHE_DIR"} <= variables
    for name in variables - {"HTTP_PROXY", "NO_PROXY", "LOCALAPPDATA"}:
        assert name in code, name
    for name in SOURCE_NAMES:
        assert f"| `{name}` |" in MODELS


def test_the_page_on_models_has_the_numbers_of_the_code() -> None:
    text = " ".join(MODELS.split())
    published = sample_outputs()
    assert f"`{published.clip}`" in text
    assert str(published.norm_of_logits) in text
    assert f"Differences up to {LOGIT_TOLERANCE} count" in text
    *lengths, last = DISTANCES
    assert f"clips of {', '.join(map(str, lengths))} and {last} frames" in text
    assert f"up to {TOLERANCE * 100:g} % count" in text
    assert f"their norm, {published.norm_of_logits}, and the {len(published.top)} best" in text
