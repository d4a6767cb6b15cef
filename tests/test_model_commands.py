"""`i3d model list`, `info`, `fetch`, `import`, `remove`, `path`; `verify` has its own file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.engines.base import ModelContract
from i3d.engines.prepared import keep_prepared
from i3d.files.cache import models_dir, prepared_models_dir
from i3d.models.catalog import CATALOG, DEFAULT_MODEL
from i3d.models.local_caches import kagglehub_cache_folder, tfhub_cache_folder
from i3d.models.records import fingerprint

import small_modules
from conftest import SOURCE
from installed_models import change_byte, install_copy, write_module, write_small_module
from web_server import serve

if TYPE_CHECKING:
    from click.testing import Result

    from i3d.models.store import InstalledModel

    from model_hosts import ModelFiles, ModelHosts

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree")

DATA = "variables/variables.data-00000-of-00001"
URL = "https://me:secret@example.org/mine.tar.gz"
FOLDER_COMMANDS = ["info", "verify", "path"]


def i3d_model(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["model", *map(str, arguments)])


def as_json(*arguments: str | Path) -> dict[str, object]:
    result = i3d_model(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.fixture
def installed(tmp_path: Path) -> InstalledModel:
    """The default model, installed, of a few bytes."""
    return install_copy(write_small_module(tmp_path / "small"))


# Names


@pytest.mark.parametrize("command", [*FOLDER_COMMANDS, "fetch", "remove"])
def test_a_mistyped_name_gets_a_suggestion(command: str) -> None:
    result = i3d_model(command, "i3d-kinetics-40")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "There is no model named 'i3d-kinetics-40'." in result.stderr
    assert "Did you mean i3d-kinetics-400 or " in result.stderr


@pytest.mark.parametrize("option", [["--force"], ["--source", "gcs"], ["--offline"]])
def test_a_mistyped_name_gets_a_suggestion_whatever_else_is_asked(option: list[str]) -> None:
    result = i3d_model("fetch", "camera-moton", *option)
    assert result.exit_code == 4
    assert "Did you mean camera-motion?" in result.stderr


@pytest.mark.parametrize("command", ["verify", "path", "remove"])
def test_a_model_that_is_not_here_is_told_of(command: str) -> None:
    for model in [DEFAULT_MODEL, "https://example.org/mine.tar.gz"]:
        result = i3d_model(command, model)
        assert (result.exit_code, result.stdout) == (5, "")
        assert model in result.stderr
        assert "i3d model" in result.stderr, "what to do"


@pytest.mark.parametrize("command", FOLDER_COMMANDS)
def test_a_folder_that_does_not_exist_is_an_unknown_name(command: str, tmp_path: Path) -> None:
    result = i3d_model(command, tmp_path / "gone")
    assert result.exit_code == 4
    assert "There is no model folder" in result.stderr


def test_completion_offers_the_names() -> None:
    environment = {
        "_I3D_COMPLETE": "bash_complete",
        "COMP_WORDS": "i3d model info i3d",
        "COMP_CWORD": "3",
    }
    result = CliRunner().invoke(cli, [], prog_name="i3d", env=environment)
    assert result.stdout.split() == [
        "plain,i3d-kinetics-400",
        "plain,i3d-kinetics-400-imagenet",
        "plain,i3d-kinetics-600",
    ]


# list


def test_list_on_a_fresh_machine() -> None:
    result = i3d_model("list")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOG)
    assert re.match(
        r"i3d-kinetics-400 +not installed +DeepMind's I3D .*: 400 human actions$", lines[0]
    )
    assert re.match(r"camera-motion +packaged +1\.3 MB  what the camera does", lines[3])
    assert not models_dir().exists(), "looking leaves no trace"


def test_list_with_models_of_every_kind(installed: InstalledModel, tmp_path: Path) -> None:
    install_copy(write_small_module(tmp_path / "other"), URL, source="url", location=URL)
    (models_dir() / "a-folder-of-somebody-else").mkdir()
    result = i3d_model("list")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    assert re.match(r"i3d-kinetics-400 +installed +0\.0 MB  .* \(unofficial, from gcs\)$", lines[0])
    assert re.search(r" installed +0\.0 MB  from https://example.org/mine.tar.gz$", lines[4])
    models = {model["path"]: model for model in as_json("list")["models"]}  # type: ignore[attr-defined]
    model = models[str(installed.directory)]
    assert model == {
        "name": DEFAULT_MODEL,
        "state": "installed",
        "problems": [],
        "path": str(installed.directory),
        "num_bytes": 108,
        "source": "gcs",
        "location": "https://example.org/model.tar.gz",
        "installed_at": "2026-01-02T03:04:05Z",
        "checkpoint": None,
        "unofficial": True,
    }


def test_list_shows_no_password(tmp_path: Path) -> None:
    install_copy(write_small_module(tmp_path / "other"), URL, source="url", location=URL)
    for document in [i3d_model("list").stdout, i3d_model("list", "--format", "json").stdout]:
        assert "secret" not in document
    assert "secret" not in i3d_model("info", URL).stdout


def test_list_names_what_is_damaged_and_what_to_do(
    installed: InstalledModel, tmp_path: Path
) -> None:
    (installed.directory / "saved_model.pb").unlink()
    archive = install_copy(
        write_small_module(tmp_path / "other"),
        f"sha256:{64 * '0'}",
        source="archive",
        location="/there/1.tar.gz",
    )
    change_byte(archive.directory / DATA)
    result = i3d_model("list")
    assert result.exit_code == 0
    assert re.search(r"^i3d-kinetics-400 +damaged ", result.stdout, re.M)
    assert (
        "i3d-kinetics-400 is damaged: saved_model.pb is missing. "
        "Fetch it again: i3d model fetch i3d-kinetics-400\n"
    ) in result.stderr
    assert "i3d classify --model /there/1.tar.gz" in result.stderr
    models = as_json("list")["models"]
    assert [model["problems"] for model in models] == [  # type: ignore[attr-defined]
        ["saved_model.pb is missing"],
        [],
        [],
        [],
        [f"{DATA} has changed"],
    ]


# info


def test_info_of_a_model_that_is_not_here() -> None:
    result = i3d_model("info")
    assert (result.exit_code, result.stderr) == (0, "")
    for words in [
        "DeepMind's I3D (RGB, from scratch): 400 human actions",
        "i3d model fetch i3d-kinetics-400",
        "at least 9 frames, 25 per second, 224 x 224 pixels",
        "kinetics-400",
        "source kaggle     http://127.0.0.1:9/api/v1/models/deepmind/i3d-kinetics/tensorFlow1",
        "Apache-2.0",
        "Quo Vadis",
    ]:
        assert words in result.stdout
    document = as_json("info", "i3d-kinetics-600")
    assert (document["path"], document["input_range"], document["weights"]) == (None, None, None)
    sources = document["sources"]
    assert [source["name"] for source in sources] == ["tfhub", "gcs", "kaggle", "deepmind"]  # type: ignore[attr-defined]


def test_info_of_the_network_tells_the_papers_numbers(models: ModelFiles) -> None:
    result = i3d_model("info", models.module())
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == str(models.module())
    reason = "nothing rescales the pixels before the first convolution: the range of I3D's training"
    for line in [
        "  parameters        12 704 544",
        f"  range             [-1, 1]: {reason}",
        "  output            400 logits",
        "  receptive field   107 frames for each step of the output, a step every 8",
    ]:
        assert line in lines
    assert "230 of 230 tensors equal rgb_scratch" in result.stdout


def test_info_of_a_graph_that_rescales_says_so(tmp_path: Path) -> None:
    folder = small_modules.write_video_module(tmp_path / "model", before=lambda x: x * 2 - 1)
    document = as_json("info", folder)
    assert document["input_range"] == [0.0, 1.0]
    assert "the model rescales its input itself" in str(document["input_range_reason"])
    assert (document["num_labels"], document["label_list"]) == (small_modules.NUM_LABELS, None)
    assert (document["source"], document["problems"]) == ("folder", [])
    assert "[0, 1]: the model rescales" in i3d_model("info", folder).stdout
    folder = small_modules.write_tf2(tmp_path / "tf2")
    assert "not found in its graph" in i3d_model("info", folder).stdout


def test_info_of_an_installed_model_reads_its_record(models: ModelFiles, tmp_path: Path) -> None:
    installed = install_copy(write_module(models.checkpoint(), tmp_path / "module"))
    result = i3d_model("info")
    assert (result.exit_code, result.stderr) == (0, "")
    for words in [
        str(installed.directory),
        "installed 2026-01-02T03:04:05Z from gcs: https://example.org/model.tar.gz",
        "230 of 230 tensors equal rgb_scratch",
        "[-1, 1]: nothing rescales the pixels",
        "400 logits, named by the label list kinetics-400",
        "107 frames",
    ]:
        assert words in result.stdout
    change_byte(installed.directory / DATA)
    result = i3d_model("info")
    assert result.exit_code == 0
    assert f"  DAMAGED           {DATA} has changed" in result.stdout
    assert "Fetch it again: i3d model fetch i3d-kinetics-400" in result.stderr
    assert as_json("info")["problems"] == [f"{DATA} has changed"]


def test_info_of_a_folder_without_a_model(tmp_path: Path) -> None:
    result = i3d_model("info", tmp_path)
    assert (result.exit_code, result.stdout) == (6, "")
    assert "it has no saved_model.pb" in result.stderr


def test_info_shows_a_mirror_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_GCS_URL", "https://me:secret@mirror.example/i3d")
    result = i3d_model("info")
    assert "https://mirror.example/i3d/tfhub-modules/" in result.stdout
    assert "secret" not in result.stdout + i3d_model("info", "--format", "json").stdout


# fetch


def test_fetch_prints_the_folder_alone_and_does_not_fetch_twice(hosts: ModelHosts) -> None:
    hosts.only("gcs")
    result = i3d_model("fetch")
    assert result.exit_code == 0, result.stderr
    folder = models_dir() / DEFAULT_MODEL
    assert (result.stdout, result.stderr) == (f"{folder}\n", "")
    count = hosts.num_requests
    for arguments in [["fetch"], ["fetch", "--source", "gcs"], ["fetch", "--offline"], ["path"]]:
        result = i3d_model(*arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"{folder}\n", "")
    assert hosts.num_requests == count
    # What can't be fetched anew stays.
    hosts.refuse(status=403)
    result = i3d_model("fetch", "--force")
    assert (result.exit_code, result.stdout) == (5, "")
    assert hosts.num_requests > count
    result = i3d_model("fetch", "--source", "kaggle")
    assert result.exit_code == 5
    assert "kaggle" in result.stderr
    assert "the server answered 403 Forbidden" in result.stderr
    assert "gcs  " not in result.stderr, "one source alone was asked for"
    assert i3d_model("path").stdout == f"{folder}\n"


def test_fetch_tells_of_weights_that_nobody_published(
    hosts: ModelHosts, models: ModelFiles
) -> None:
    hosts.only("gcs")
    hosts.file("gcs").content = models.archive("unknown")
    result = i3d_model("fetch", "--force", "--source", "gcs")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{models_dir() / DEFAULT_MODEL}\n"
    assert result.stderr.startswith("Note: i3d-kinetics-400 (from gcs) is unofficial")


def test_fetch_says_why_no_source_works(hosts: ModelHosts) -> None:
    hosts.refuse(status=403)
    result = i3d_model("fetch", "--offline")
    assert (result.exit_code, result.stdout) == (5, "")
    assert hosts.num_requests == 0
    assert result.stderr.count("offline: I3D_OFFLINE is set") == 5
    assert "Unset I3D_OFFLINE" in result.stderr
    result = i3d_model("fetch")
    assert result.exit_code == 5
    for source in ["tfhub-cache", "kagglehub-cache"]:
        assert re.search(rf"^  {source} .*: not there$", result.stderr, re.M)
    for source in ["tfhub", "gcs", "kaggle", "deepmind"]:
        pattern = rf"^  {source} .*: the server answered 403 Forbidden$"
        assert re.search(pattern, result.stderr, re.M), result.stderr
    for way in ["i3d model import FILE", "mirror", "--model camera-motion"]:
        assert way in result.stderr


def test_fetch_takes_from_other_programs_caches_also_offline(models: ModelFiles) -> None:
    handle = f"https://tfhub.dev/deepmind/{DEFAULT_MODEL}/1"
    shutil.copytree(models.module(), tfhub_cache_folder(handle))
    result = i3d_model("fetch", "--offline", "--source", "tfhub-cache")
    assert result.exit_code == 0, result.stderr
    assert as_json("info")["source"] == "tfhub-cache"
    assert not kagglehub_cache_folder("x").exists()


def test_fetch_refuses_what_cannot_be_fetched(tmp_path: Path) -> None:
    result = i3d_model("fetch", "camera-motion", "--force")
    assert result.exit_code == 2
    assert "camera-motion is on this machine and not fetched from anywhere" in result.stderr
    archive = tmp_path / "1.tar.gz"
    archive.write_bytes(b"")
    for path in [archive, tmp_path]:
        result = i3d_model("fetch", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"i3d model import {path}" in result.stderr
    result = i3d_model("fetch", "--source", "nowhere")
    assert result.exit_code == 2
    assert "'nowhere' is not one of" in result.stderr
    result = i3d_model("fetch", "ftp://example.org/x.tar.gz")
    assert result.exit_code == 2
    assert "only http:// and https://" in result.stderr
    result = i3d_model("fetch", "http://127.0.0.1:9/x.tar.gz", "--source", "gcs")
    assert result.exit_code == 2


def test_fetch_looks_at_all_names_before_it_fetches(tmp_path: Path) -> None:
    with serve() as server:
        result = i3d_model("fetch", f"{server.url}/x.tar.gz", "camera-moton")
        assert result.exit_code == 4
        assert server.requests == []


def test_fetch_of_a_packaged_model_prints_its_folder() -> None:
    result = i3d_model("fetch", "camera-motion")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (Path(result.stdout.strip()) / "saved_model.pb").is_file()
    assert result.stdout == i3d_model("path", "camera-motion").stdout


def test_fetch_of_an_address_installs_it_under_that_address(tmp_path: Path) -> None:
    folder = small_modules.write_video_module(tmp_path / "model")
    archive = shutil.make_archive(str(tmp_path / "mine"), "gztar", folder)
    with serve({"/mine.tar.gz": Path(archive)}) as server:
        url = f"{server.url}/mine.tar.gz"
        result = i3d_model("fetch", url)
        assert result.exit_code == 0, result.stderr
        assert i3d_model("path", url).stdout == result.stdout
        document = as_json("info", url)
        assert (document["source"], document["location"]) == ("url", url)
        assert i3d_model("fetch", url, "--offline").stdout == result.stdout
        assert i3d_model("remove", url).exit_code == 0
        assert not Path(result.stdout.strip()).exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")  # noqa: PTH110
def test_a_full_disk_is_told_without_naming_options_that_there_are_not(
    i3d_command: list[str],
) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*i3d_command, "model", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
    assert process.returncode == 5
    assert "cannot be written to standard output: No space left on device" in process.stderr
    assert "Make room on the disk" in process.stderr
    assert "-o" not in process.stderr.split()


# import


def test_import_finds_out_which_model_it_is(models: ModelFiles) -> None:
    result = i3d_model("import", models.checkpoint())
    assert result.exit_code == 0, result.stderr
    assert (result.stdout, result.stderr) == (f"{models_dir() / DEFAULT_MODEL}\n", "")
    document = as_json("info")
    assert (document["source"], document["checkpoint"]) == ("import", "rgb_scratch")
    assert document["location"] == str(models.checkpoint())
    assert "converted 20" in i3d_model("info").stdout


def test_import_tells_of_weights_that_nobody_published(models: ModelFiles) -> None:
    result = i3d_model("import", models.archive("unknown"), "--name", DEFAULT_MODEL)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{models_dir() / DEFAULT_MODEL}\n"
    assert "is unofficial" in result.stderr


def test_import_refuses_what_is_no_model_of_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar.gz").write_text("no archive")
    folder = small_modules.write_tf2(tmp_path / "mine")
    for path, sentence in [
        (tmp_path / "gone", "there is no such file or folder"),
        (tmp_path / "empty", "it holds neither saved_model.pb nor a TensorFlow checkpoint"),
        (tmp_path / "text.tar.gz", "text.tar.gz cannot be used"),
        (folder, "it is none of the models that i3d knows by name"),
    ]:
        result = i3d_model("import", path)
        assert (result.exit_code, result.stdout) == (6, ""), path
        assert sentence in result.stderr
    assert "--model DIR" in result.stderr
    assert list(models_dir().glob("*")) == []
    result = i3d_model("import", folder, "--name", "camera-motion")
    assert result.exit_code == 2, "it ships with i3d and is not to be replaced"


# remove and path


def test_remove_removes_also_what_is_damaged(installed: InstalledModel) -> None:
    (installed.directory / "model.json").write_text("{")
    result = i3d_model("remove", DEFAULT_MODEL)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert list(models_dir().iterdir()) == []
    assert i3d_model("remove", DEFAULT_MODEL).exit_code == 5


def test_what_was_prepared_of_a_model_goes_with_it(installed: InstalledModel) -> None:
    contract = ModelContract("x", "x", "x", 9, None, (0.0, 1.0), "", False, None, None, None)

    def write(graph: Path) -> None:
        graph.write_text("<net/>")
        graph.with_suffix(".bin").write_bytes(b"numbers")

    for name in (fingerprint(installed.record.files), "sha256:of another model"):
        keep_prepared(name, "1.0", contract, write)
    assert len(list(prepared_models_dir().iterdir())) == 2
    assert i3d_model("remove", DEFAULT_MODEL).exit_code == 0
    assert len(list(prepared_models_dir().iterdir())) == 1


def test_remove_refuses_a_packaged_model(installed: InstalledModel) -> None:
    result = i3d_model("remove", "camera-motion")
    assert result.exit_code == 2
    assert "ships with i3d and cannot be removed" in result.stderr
    assert i3d_model("remove").exit_code == 2
    assert installed.directory.exists()


def test_remove_takes_the_name_that_list_shows(tmp_path: Path) -> None:
    name = f"sha256:{64 * 'a'}"
    installed = install_copy(write_small_module(tmp_path / "x"), name, source="archive")
    assert name in i3d_model("list").stdout
    assert i3d_model("remove", name).exit_code == 0
    assert not installed.directory.exists()


def test_path_prints_the_folder_alone(installed: InstalledModel, tmp_path: Path) -> None:
    assert i3d_model("path").stdout == f"{installed.directory}\n"
    assert i3d_model("path", tmp_path).stdout == f"{tmp_path}\n"
    assert (installed.directory / "model.json").is_file()
