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

from i3d.cli.check import DOCTOR_SCHEMA, Check, checks_as_dict
from i3d.cli.main import cli
from i3d.cli.model import model_group
from i3d.cli.ucf import ucf_group
from i3d.cli.ucf_eval import DEFAULT_SAMPLE
from i3d.datasets.accuracy import EVALUATION_SCHEMA, evaluations_as_json
from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.host_state import MOST_FAILURES
from i3d.datasets.ucf101.hosts import INDEX_URL, ZIP_URL
from i3d.datasets.ucf101.listing import LIST_SCHEMA as UCF101_LIST_SCHEMA
from i3d.datasets.ucf101.listing import clips_as_json
from i3d.datasets.ucf101.names import LocalClip
from i3d.engines.base import EngineInfo
from i3d.errors import ExitCode
from i3d.models.catalog import CATALOG, SOURCE_NAMES, get_model
from i3d.models.deepmind import sample_outputs
from i3d.models.info import list_models
from i3d.models.known_answers import DISTANCES, TOLERANCE, KnownAnswer, KnownAnswers
from i3d.models.sample import LOGIT_TOLERANCE, SampleComparison, SampleRow
from i3d.models.verify import verify_model
from i3d.report.formats import RESULT_FORMATS
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

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
JSON = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
UCF101 = (PROJECT / "docs" / "ucf101.md").read_text(encoding="utf-8")
MODELS = (PROJECT / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(cli.commands))
def test_every_command_is_in_the_readme_and_every_option_has_help(name: str) -> None:
    assert f"i3d {name}" in README
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def options_of(command: str) -> set[str]:
    return {
        name
        for parameter in cli.commands[command].params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }


def test_every_option_of_classify_is_in_the_readme_and_no_other() -> None:
    table = README.partition("## Use")[2].partition("### Exit codes")[0]
    documented = set(re.findall(r"`(--[a-z-]+|-[a-z])\b", table))
    real = options_of("classify")
    others = [options_of(name) for name in ("timeline", "labels", "report", "preview", "annotate")]
    assert documented - real - set().union(*others) == set()
    assert real - documented == {"--output", "--verbose"}, "they are listed by their short names"


def test_models_recipes_formats_and_exit_codes_are_in_the_readme() -> None:
    for name in [*CATALOG, *RECIPES, *RESULT_FORMATS]:
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


@pytest.fixture(scope="module")
def cache_with_kinetics(tmp_path_factory: pytest.TempPathFactory, real_module: Path) -> Path:
    """A cache in which the real weights are installed."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I3D_CACHE_DIR", str(cache))
        result = CliRunner().invoke(cli, ["model", "import", str(real_module)], prog_name="i3d")
    assert result.exit_code == 0, result.output
    return cache


def shown_commands() -> list[tuple[str, str]]:
    """Each `$ i3d ...` of the README, and the lines below it."""
    found = re.findall(r"^    \$ i3d (.+)\n((?:    .*\n|\n(?=    ))+)", README, re.M)
    assert len(found) >= 3
    return [(command, textwrap.dedent(output)) for command, output in found]


@pytest.mark.parametrize(
    ("command", "output"), shown_commands(), ids=[command for command, _ in shown_commands()]
)
def test_the_readme_shows_real_output(
    command: str, output: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "openvino)" in output:
        pytest.importorskip("openvino")
    if "i3d-kinetics-400 (" in output:
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


@pytest.mark.parametrize("name", list(model_group.commands))
def test_every_command_on_models_is_in_the_readme_and_every_option_has_help(name: str) -> None:
    assert f"`i3d model {name} " in README or f"`i3d model {name}`" in README
    assert model_group.commands[name].help
    for parameter in model_group.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("name", list(ucf_group.commands))
def test_every_command_on_ucf101_is_in_the_readme_with_its_options(name: str) -> None:
    (row,) = re.findall(rf"^\| `i3d ucf {name} .*$", README, re.M)
    assert ucf_group.commands[name].help
    everywhere = {"--offline", "--verbose", "--split", "--subset"}
    everywhere |= {"--model", "--label-file", "--engine", "--precision"}
    of_fetch = {"--source", "--jobs", "--cafile", "--insecure"}
    for parameter in ucf_group.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            known = everywhere if name == "fetch" else everywhere | of_fetch
            if not {*parameter.opts} & known:
                assert any(option in row for option in parameter.opts), parameter.opts


def test_the_json_about_ucf101_has_the_fields_that_are_described_and_no_others() -> None:
    index = load_index()
    clip = index.clips[0]
    document = json.loads(clips_as_json(index, [clip], {clip: LocalClip(Path("x.avi"), 1)}))
    described = described_in(UCF101_LIST_SCHEMA)
    assert {
        name for name in fields_of(document) if not re.search("[.](labels|splits)[.]", name)
    } == (described)
    evaluation = json.loads(evaluations_as_json([], selection={}))
    described = described_in(EVALUATION_SCHEMA)
    assert set(evaluation) == {name for name in described if "." not in name}


def test_the_page_on_ucf101_has_the_numbers_of_the_code() -> None:
    text = " ".join(UCF101.split())
    assert f"| `index` | `{INDEX_URL}`" in text
    assert f"| `zip` | `{ZIP_URL}`" in text
    assert f"takes {DEFAULT_SAMPLE} clips by chance" in text
    assert {8: "eight"}[MOST_FAILURES] + " times in a row" in text
    firsts = [
        category.labels[0].relation for category in load_index().categories if category.labels
    ]
    for relation in ("exact", "broader", "near"):
        row = rf"\| `{relation}` \| [^|]+ \| {firsts.count(relation)} \|"
        assert re.search(row, text), relation


def test_every_variable_and_source_in_the_page_on_models_is_read_by_the_code() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in (PROJECT / "src" / "i3d").rglob("*.py")
    )
    variables = set(re.findall(r"`\$?([A-Z][A-Z0-9]*_[A-Z_]+)\b", MODELS)) - {"HTTPS_PROXY"}
    assert {"I3D_TIMEOUT", "KAGGLE_API_TOKEN", "SSL_CERT_FILE", "TFHUB_CACHE_DIR"} <= variables
    for name in variables - {"HTTP_PROXY", "NO_PROXY", "LOCALAPPDATA"}:
        assert name in code, name
    for name in SOURCE_NAMES:
        assert f"| `{name}` |" in MODELS
        assert f"`{name}`" in README


def test_the_page_on_models_has_the_numbers_of_the_code() -> None:
    published = sample_outputs()
    assert f"`{published.clip}`" in MODELS
    assert str(published.norm_of_logits) in MODELS
    assert f"Differences up to {LOGIT_TOLERANCE} count" in MODELS
    *lengths, last = DISTANCES
    assert f"clips of {', '.join(map(str, lengths))} and {last} frames" in MODELS
    assert f"up to {TOLERANCE * 100:g} % count" in MODELS
    assert f"their norm, {published.norm_of_logits}, and the {len(published.top)} best" in (
        MODELS.replace("\n", " ")
    )
