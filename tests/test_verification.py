"""`i3d model verify`: which model it is, what is wrong with it, and DeepMind's sample."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.engines.base import softmax
from i3d.engines.choose import load_engine
from i3d.errors import EngineNotInstalledError, ModelNotInstalledError, UsageError
from i3d.files.cache import downloads_dir, samples_dir
from i3d.models.deepmind import SampleOutputs, sample_outputs
from i3d.models.find import find_installed
from i3d.models.labels import load_labels
from i3d.models.published import git_blob_sha1
from i3d.models.sample import LOGIT_TOLERANCE, fetch_sample
from i3d.models.verify import verify_model

import small_modules
from checkpoint_files import write_checkpoint
from conftest import SOURCE
from installed_models import change_byte, install_copy, write_module, write_small_module
from web_server import Fault, Resource, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from i3d.engines.base import Engine
    from i3d.models.store import InstalledModel

    from model_hosts import ModelFiles, ModelHosts

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree")

DATA = "variables/variables.data-00000-of-00001"
SAMPLE_NAME = "v_CricketShot_g04_c01_rgb.npy"


NAME = "i3d-kinetics-400-imagenet"
"""The model that DeepMind ran its sample on."""


def verify(*arguments: str | Path) -> Result:
    """Run `i3d model verify`, on `NAME` where the arguments name no model."""
    if not arguments or str(arguments[0]).startswith("--"):
        arguments = (NAME, *arguments)
    return CliRunner().invoke(cli, ["model", "verify", *map(str, arguments)])


def verify_json(*arguments: str | Path) -> tuple[int, dict[str, object]]:
    result = verify(*arguments, "--format", "json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def installed(models: ModelFiles, tmp_path: Path) -> InstalledModel:
    """The default model, installed, with the published tensors and a graph that is none."""
    return install_copy(write_module(models.checkpoint("rgb_imagenet"), tmp_path / "module"), NAME)


# Which model it is


def test_a_module_with_the_published_checksums_is_verified(installed: InstalledModel) -> None:
    result = verify("--no-sample")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == NAME
    assert lines[1] == f"  on this machine   {installed.directory}"
    assert "installed 2026-01-02T03:04:05Z from gcs: https://example.org/model" in lines[2]
    assert "4 of 4 as they were installed (SHA-256)" in lines[3]
    assert "230 of 230 tensors equal rgb_imagenet: " in lines[4]
    assert lines[4].endswith("(CRC-32C)")
    assert lines[-2:] == [
        "  sample            not run: not asked for",
        "  verdict           verified: its weights; the graph was not run",
    ]
    code, document = verify_json("--no-sample")
    assert code == 0
    assert document["verified"] is True
    assert document["problem"] is None
    assert (document["checkpoint"], document["num_equal"]) == ("rgb_imagenet", 230)
    assert document["file_problems"] == []
    assert document["sample_skipped"] == "not asked for"
    assert document["graph"] == "not looked at"


@pytest.mark.parametrize("checkpoint", ["rgb_scratch_kin600", "flow_imagenet"])
def test_deepminds_own_files_are_known_too(tmp_path: Path, checkpoint: str) -> None:
    write_checkpoint(tmp_path / "files", checkpoint, published_checksums=True)
    result = verify(tmp_path / "files")
    assert result.exit_code == 0, result.stderr
    assert f"230 of 230 tensors equal {checkpoint}: " in result.stdout
    assert f"DeepMind published no numbers that could be compared for {checkpoint}" in result.stdout


def test_deepminds_default_checkpoint_is_known_and_can_only_run_once_converted(
    models: ModelFiles,
) -> None:
    result = verify(models.checkpoint("rgb_imagenet"))
    assert result.exit_code == 0, result.stderr
    assert "230 of 230 tensors equal rgb_imagenet" in result.stdout
    assert "not run: a checkpoint can't be run before it is converted" in result.stdout
    assert result.stdout.endswith("  verdict           verified: its weights\n")
    assert verify_json(models.checkpoint("rgb_imagenet"))[1]["graph"] is None


def test_what_i3d_converts_has_the_published_tensors(models: ModelFiles) -> None:
    folder = models.module("rgb_imagenet")
    code, document = verify_json(folder, "--no-sample")
    assert code == 0
    assert document["path"] == str(folder)
    assert (document["source"], document["checkpoint"]) == ("folder", "rgb_imagenet")
    assert document["file_problems"] is None
    checkpoint = verify_json(models.checkpoint("rgb_imagenet"))[1]
    assert document["weights"] == checkpoint["weights"], "the same weights in another format"


def test_other_weights_are_named_unknown(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "files", seed=3)
    installed = install_copy(write_module(tmp_path / "files", tmp_path / "module"), NAME)
    result = verify("--no-sample")
    assert result.exit_code == 6
    assert "unofficial: I3D's 230 tensors in name and shape" in result.stdout
    assert (
        "NOT verified: it is unofficial: its weights are none that were published" in result.stdout
    )
    assert f"{NAME} is not verified" in result.stderr
    assert f"i3d model fetch {NAME} --source deepmind" in result.stderr
    result = verify(installed.directory)
    assert result.exit_code == 6
    assert "not run: DeepMind published no numbers for these weights" in result.stdout
    assert "--source deepmind" not in result.stderr, "nobody says that a folder should be that"


def test_one_tensor_of_other_numbers_is_named(models: ModelFiles, tmp_path: Path) -> None:
    name = "Mixed_5b/Branch_2/Conv3d_0a_3x3/batch_norm/beta"
    write_checkpoint(
        tmp_path, published_checksums=True, changes={name: np.zeros((128,), np.float32)}
    )
    result = verify(tmp_path)
    assert result.exit_code == 6
    assert "229 equal rgb_imagenet, the closest" in result.stdout
    assert f"different: {name}" in result.stdout
    code, document = verify_json(tmp_path)
    assert (code, document["closest"], document["different"]) == (6, "rgb_imagenet", [name])
    assert document["checkpoint"] is None


def test_missing_tensors_and_other_shapes_are_named(tmp_path: Path) -> None:
    missing = [f"Conv3d_{unit}/batch_norm/beta" for unit in ["1a_7x7", "2b_1x1", "2c_3x3"]]
    missing += [f"Mixed_3{part}/Branch_0/Conv3d_0a_1x1/batch_norm/beta" for part in "bc"]
    missing += ["Mixed_4b/Branch_0/Conv3d_0a_1x1/batch_norm/beta"]
    write_checkpoint(
        tmp_path,
        changes=dict.fromkeys(missing)
        | {"Logits/Conv3d_0c_1x1/conv_3d/b": np.zeros((7,), np.float32)},
    )
    result = verify(tmp_path)
    assert result.exit_code == 6
    assert "unknown: of I3D's 230 tensors 6 are missing, 1 of another shape" in result.stdout
    assert f"missing: {missing[0]}" in result.stdout
    assert "missing: and 1 more" in result.stdout
    assert "another shape: Logits/Conv3d_0c_1x1/conv_3d/b" in result.stdout


def test_the_packaged_model_is_compared_with_this_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify("camera-motion").exit_code == 0
    folder = Path(find_installed("camera-motion").directory)
    shutil.copytree(folder, tmp_path / "camera-motion")
    monkeypatch.setattr("i3d.models.find.package_data_dir", lambda: tmp_path)
    assert verify("camera-motion").exit_code == 0
    change_byte(tmp_path / "camera-motion" / DATA)
    result = verify("camera-motion")
    assert result.exit_code == 6
    assert "1 tensor does not have the CRC-32C" in result.stderr
    assert "Install i3d again: pip install" in result.stderr


def test_a_model_of_tensorflow_2_is_another_network(tmp_path: Path) -> None:
    code, document = verify_json(small_modules.write_tf2(tmp_path / "model"), "--no-sample")
    assert code == 6
    assert document["problem"] == "its weights are none that were published"
    assert (document["closest"], document["checkpoint"]) == (None, None)
    assert str(document["weights"]).startswith("sha256:")


# What is wrong with it


def test_one_byte_that_changed_is_found_and_fetching_mends_it(
    hosts: ModelHosts, models: ModelFiles, tmp_path: Path
) -> None:
    installed = install_copy(write_module(models.checkpoint(), tmp_path / "module"))
    name = installed.record.name
    change_byte(installed.directory / DATA)
    result = verify(name)
    assert result.exit_code == 6
    assert "3 of 4 as they were installed (SHA-256)" in result.stdout
    assert f"{DATA} has changed" in result.stdout
    assert "1 damaged: not the CRC-32C that the model's own index says" in result.stdout
    assert f"NOT verified: it is damaged: {DATA} has changed" in result.stdout
    assert f"Fetch it again: i3d model fetch {name}" in result.stderr
    code, document = verify_json(name)
    assert code == 6
    (damaged,) = document["damaged"]  # type: ignore[misc]
    assert f"  {damaged}\n" in result.stdout
    fetched = CliRunner().invoke(cli, ["model", "fetch"])
    assert fetched.exit_code == 0, fetched.stderr
    assert fetched.stdout == f"{installed.directory}\n"
    assert "was damaged" in fetched.stderr
    assert "4 of 4 as they were installed (SHA-256)" in verify(name).stdout


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("saved_model.pb", "saved_model.pb is missing"),
        (DATA, "variables.data-00000-of-00001 is missing"),
        ("variables/variables.index", "variables/variables.index is missing"),
    ],
)
def test_a_file_that_is_missing_is_named(
    installed: InstalledModel, name: str, sentence: str
) -> None:
    (installed.directory / name).unlink()
    result = verify()
    assert result.exit_code == 6
    assert sentence in result.stdout
    assert "it is damaged" in result.stderr
    assert sentence in result.stderr
    assert "sample            not run: the model is damaged or can't be read" in result.stdout


def test_a_model_without_its_record_is_none(installed: InstalledModel) -> None:
    (installed.directory / "model.json").unlink()
    result = verify()
    assert result.exit_code == 5
    assert f"The model {NAME} is not on this machine." in result.stderr
    assert f"i3d model fetch {NAME}" in result.stderr
    assert verify(installed.directory, "--no-sample").exit_code == 0, "as a folder it is one"


def test_a_folder_that_lost_its_graph_is_not_verified(models: ModelFiles, tmp_path: Path) -> None:
    folder = write_module(models.checkpoint("rgb_imagenet"), tmp_path / "module")
    (folder / "saved_model.pb").unlink()
    result = verify(folder)
    assert result.exit_code == 6
    assert "it is damaged: saved_model.pb is missing" in result.stderr


def test_a_folder_without_a_model_is_told_of(tmp_path: Path) -> None:
    result = verify(tmp_path)
    assert result.exit_code == 6
    sentence = "the folder holds neither saved_model.pb nor a TensorFlow checkpoint"
    assert f"not compared: {sentence}" in result.stdout
    assert f"{tmp_path} is not verified: {sentence}." in result.stderr


def test_a_checkpoint_that_is_cut_off_is_told_of(tmp_path: Path) -> None:
    prefix = write_checkpoint(tmp_path)
    data = prefix.with_name("model.ckpt.data-00000-of-00001")
    os.truncate(data, 1000)
    result = verify(tmp_path)
    assert result.exit_code == 6
    assert re.search(
        r"not verified: the checkpoint file .* is cut off: it has 1000 of", result.stderr
    )


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    result = verify("i3d-kinetics-40")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "Did you mean i3d-kinetics-400" in result.stderr
    result = verify()
    assert (result.exit_code, result.stdout) == (5, "")
    (tmp_path / "1.tar.gz").write_bytes(b"")
    result = verify(tmp_path / "1.tar.gz")
    assert result.exit_code == 4
    assert "i3d model import FILE" in result.stderr
    result = verify("--sample", "x.npy", "--no-sample")
    assert result.exit_code == 2


def test_it_needs_neither_tensorflow_nor_the_network(installed: InstalledModel) -> None:
    program = """
import socket, sys
def refuse(*_):
    raise AssertionError("a socket was opened")
socket.socket.connect = refuse
sys.modules["tensorflow"] = sys.modules["tensorflow_hub"] = sys.modules["requests"] = None
sys.argv = ["i3d", "model", "verify", "i3d-kinetics-400-imagenet", "--no-sample"]
from i3d.__main__ import main
main()
"""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=SOURCE
    )
    assert process.returncode == 0, process.stderr
    assert "230 of 230 tensors equal rgb_imagenet" in process.stdout


# DeepMind's sample


@pytest.fixture(scope="module")
def engine(models: ModelFiles) -> Engine:
    return load_engine(models.module("rgb_imagenet"))


@dataclasses.dataclass
class Sample:
    """A sample that stands for DeepMind's, and what this module gives for it."""

    path: Path
    published: SampleOutputs


@pytest.fixture(scope="module")
def true_sample(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    pixels = np.random.default_rng(5).uniform(-1, 1, (1, 9, 224, 224, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("sample") / "mine.npy"
    np.save(path, pixels)
    logits = engine.run(pixels[0]).mean(axis=0, dtype=np.float64)
    probabilities = softmax(logits)
    labels = load_labels("kinetics-400")
    best = np.argsort(-logits)[:20]
    published = dataclasses.replace(
        sample_outputs(),
        clip_git_sha1=git_blob_sha1(path),
        norm_of_logits=float(np.linalg.norm(logits)),
        top=tuple((float(probabilities[i]), float(logits[i]), labels[i]) for i in best),
    )
    return Sample(path, published)


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[SampleOutputs], None]:
    """Pretend that these are the published results."""

    def pretend(published: SampleOutputs) -> None:
        monkeypatch.setattr("i3d.models.sample.sample_outputs", lambda: published)

    return pretend


@pytest.fixture
def sample(true_sample: Sample, publish: Callable[[SampleOutputs], None]) -> Sample:
    publish(true_sample.published)
    return true_sample


@pytest.fixture
def loaded_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the seconds that loading the module takes, where loading is not what is tested."""
    monkeypatch.setattr("i3d.models.verified_graph.load_engine", lambda *_, **__: engine)


def test_the_packaged_facts_are_deepminds() -> None:
    published = sample_outputs()
    assert published.clip == f"data/{SAMPLE_NAME}"
    assert published.norm_of_logits == 87.108871
    assert len(published.top) == 20
    assert published.top[0][1:] == (25.856646, "playing cricket")


def test_a_sample_that_agrees_is_set_side_by_side(models: ModelFiles, sample: Sample) -> None:
    result = verify(models.module("rgb_imagenet"), "--sample", sample.path)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    (start,) = (i for i, line in enumerate(lines) if line.startswith("  sample"))
    assert f"{sample.path} (git blob id)" in lines[start]
    assert "equal: the largest difference is" in lines[start + 1]
    assert lines[start + 2].split() == ["published", "here"]
    norm = lines[start + 3].removeprefix(" " * 20)
    assert norm.startswith("norm of the logits ")
    assert [float(number) for number in norm.split()[-2:]] == pytest.approx(
        [sample.published.norm_of_logits] * 2, abs=1e-3
    )
    rows = lines[start + 4 : -1]
    for row, (_, logit, label) in zip(rows, sample.published.top, strict=True):
        assert row.strip().startswith(label)
        assert [float(n) for n in row.split()[-2:]] == pytest.approx([logit] * 2, abs=1e-3)
    assert lines[-1] == "  verdict           verified: its weights, and the published logits"


@pytest.mark.usefixtures("loaded_once")
def test_a_sample_that_differs_speaks_against_the_model(
    models: ModelFiles, sample: Sample, publish: Callable[[SampleOutputs], None]
) -> None:
    probability, logit, label = sample.published.top[3]
    top = list(sample.published.top)
    top[3] = (probability, logit + 2 * LOGIT_TOLERANCE, label)
    publish(dataclasses.replace(sample.published, top=tuple(top)))
    result = verify(models.module("rgb_imagenet"), "--sample", sample.path)
    assert result.exit_code == 6
    assert "DIFFERENT: the largest difference is 0.02" in result.stdout
    assert "it does not give the published logits for the published sample" in result.stderr
    norm = sample.published.norm_of_logits - 2 * LOGIT_TOLERANCE
    publish(dataclasses.replace(sample.published, norm_of_logits=norm))
    code, document = verify_json(models.module("rgb_imagenet"), "--sample", sample.path)
    assert code == 6
    found: dict[str, object] = document["sample"]  # type: ignore[assignment]
    assert found["agrees"] is False
    assert found["largest_difference"] == pytest.approx(2 * LOGIT_TOLERANCE, rel=0.01)
    assert found["published_norm"] == norm
    assert len(found["scores"]) == 20  # type: ignore[arg-type]


@pytest.mark.usefixtures("loaded_once")
def test_differences_within_the_tolerance_count_as_equal(
    models: ModelFiles, sample: Sample, publish: Callable[[SampleOutputs], None]
) -> None:
    norm = sample.published.norm_of_logits + 0.9 * LOGIT_TOLERANCE
    publish(dataclasses.replace(sample.published, norm_of_logits=norm))
    result = verify_model(str(models.module("rgb_imagenet")), sample=sample.path)
    assert result.sample is not None
    assert result.sample.agrees
    assert result.problem is None
    assert result.graph == "run"


@pytest.mark.usefixtures("loaded_once")
def test_a_model_that_wants_0_to_1_gets_the_sample_in_0_to_1(
    models: ModelFiles, sample: Sample, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[np.ndarray] = []

    def run(pixels: np.ndarray) -> np.ndarray:
        fed.append(pixels)
        return np.zeros((1, 400), np.float32)

    monkeypatch.setattr(
        engine, "contract", dataclasses.replace(engine.contract, input_range=(0.0, 1.0))
    )
    monkeypatch.setattr(engine, "run", run)
    verify_model(str(models.module("rgb_imagenet")), sample=sample.path)
    expected = (np.load(sample.path)[0] + 1) / 2
    np.testing.assert_allclose(fed[0], expected, atol=1e-6)
    assert fed[0].dtype == np.float32


@pytest.mark.usefixtures("loaded_once")
def test_outputs_that_are_no_numbers_speak_against_the_model(
    models: ModelFiles, sample: Sample, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "run", lambda pixels: np.full((1, 400), np.nan, np.float32))
    result = verify(models.module("rgb_imagenet"), "--sample", sample.path)
    assert result.exit_code == 6
    assert "FAILED: the model gave outputs that are not finite numbers" in result.stdout


def test_a_graph_that_cannot_be_loaded_speaks_against_the_model(
    installed: InstalledModel, sample: Sample
) -> None:
    code, document = verify_json("--sample", sample.path)
    assert code == 6
    assert document["sample"] is None
    assert document["sample_skipped"] is None
    assert str(document["sample_problem"]).startswith("the model in ")
    assert "its saved_model.pb is damaged" in str(document["sample_problem"])
    assert str(document["problem"]).startswith("it does not run: the model in ")
    assert document["num_equal"] == 230, "what was found out before is told all the same"
    assert document["graph"] is None


def test_a_graph_that_is_none_is_found_also_where_the_sample_cannot_be_had(
    models: ModelFiles, tmp_path: Path
) -> None:
    folder = write_module(models.checkpoint("rgb_imagenet"), tmp_path / "module")
    result = verify(folder, "--offline")
    assert result.exit_code == 6
    assert "sample            not run: it could not be fetched (offline: " in result.stdout
    assert "graph             FAILED: the model in " in result.stdout
    assert "NOT verified: it does not run: the model in " in result.stdout
    code, document = verify_json(folder, "--no-sample")
    assert (code, document["graph"]) == (0, "not looked at"), "nobody asked for more"


def with_num_labels(engine: Engine, num_labels: int) -> Callable[[Path], Engine]:
    """What loads a network of so many labels instead."""
    other = copy.copy(engine)
    other.contract = dataclasses.replace(engine.contract, num_labels=num_labels)
    return lambda *_, **__: other


@pytest.mark.parametrize("options", [["--offline"], ["--sample", "FILE"]], ids=["loaded", "run"])
def test_the_graph_of_another_network_speaks_against_the_model(
    models: ModelFiles,
    sample: Sample,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    monkeypatch.setattr("i3d.models.verified_graph.load_engine", with_num_labels(engine, 5))
    arguments = [str(sample.path) if option == "FILE" else option for option in options]
    code, document = verify_json(models.module("rgb_imagenet"), *arguments)
    assert (code, document["graph"]) == (6, None)
    problem = "its graph gives 5 outputs, and its weights are of a network with 400 labels"
    assert document["sample_problem"] == problem
    assert document["problem"] == f"it does not run: {problem}"


def test_a_network_without_published_logits_is_loaded(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path / "files", "rgb_scratch_kin600", published_checksums=True)
    folder = write_module(tmp_path / "files", tmp_path / "module")
    for num_labels, code, graph in [(600, 0, "loaded"), (400, 6, None)]:
        monkeypatch.setattr(
            "i3d.models.verified_graph.load_engine", with_num_labels(engine, num_labels)
        )
        result, document = verify_json(folder)
        assert (result, document["graph"]) == (code, graph)


def test_without_tensorflow_the_sample_is_not_run(
    installed: InstalledModel, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Engine:
        raise EngineNotInstalledError("TensorFlow cannot be imported: no module.")

    monkeypatch.setattr("i3d.models.verified_graph.load_engine", refuse)
    result = verify("--sample", sample.path)
    assert result.exit_code == 0, result.stderr
    assert "not run: TensorFlow cannot be imported: no module" in result.stdout
    assert "verified: its weights; the graph was not run" in result.stdout
    folder = shutil.copytree(installed.directory, installed.directory.parent / "copy")
    (folder / "model.json").unlink()
    assert verify_json(folder, "--sample", sample.path)[1]["graph"] == "not looked at"


@pytest.mark.usefixtures("loaded_once")
def test_the_sample_is_fetched_once_and_kept(
    models: ModelFiles, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve({f"/data/{SAMPLE_NAME}": sample.path}) as server:
        monkeypatch.setenv("I3D_DEEPMIND_URL", server.url)
        for _ in range(2):
            result = verify(models.module("rgb_imagenet"))
            assert result.exit_code == 0, result.stderr
            assert "equal: the largest difference is" in result.stdout
        assert len(server.requests) == 1
        kept = samples_dir() / SAMPLE_NAME
        assert git_blob_sha1(kept) == sample.published.clip_git_sha1
        assert [path.name for path in samples_dir().iterdir()] == [SAMPLE_NAME]
        change_byte(kept)
        assert fetch_sample() == kept
        assert git_blob_sha1(kept) == sample.published.clip_git_sha1, "it was fetched anew"
        assert len(server.requests) == 2
    assert verify(models.module("rgb_imagenet"), "--offline").exit_code == 0


@pytest.mark.usefixtures("loaded_once")
def test_a_sample_that_cannot_be_had_is_not_run_and_that_is_no_failure(
    models: ModelFiles, sample: Sample, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "could not be fetched (127.0.0.1:9 refuses the connection)" in verify_ok(models)
    wrong = Resource(sample.path.read_bytes()[:-1] + b"?")
    with serve({f"/data/{SAMPLE_NAME}": wrong}) as server:
        monkeypatch.setenv("I3D_DEEPMIND_URL", server.url)
        assert "(what came is not the expected file" in verify_ok(models)
        assert not (samples_dir() / SAMPLE_NAME).exists()
        del server.resources[f"/data/{SAMPLE_NAME}"]
        assert "could not be fetched (the server answered 404 Not Found)" in verify_ok(models)
        assert "(offline: I3D_OFFLINE is set)" in verify_ok(models, "--offline")
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "file" / "cache"))
        assert "cannot be written" in verify_ok(models)


@pytest.mark.usefixtures("loaded_once")
def test_a_sample_that_came_half_waits_among_the_downloads(
    models: ModelFiles, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = sample.path.stat().st_size // 2
    cut = Resource(sample.path, faults=[Fault(cut_after=half), 404])
    with serve({f"/data/{SAMPLE_NAME}": cut}) as server:
        monkeypatch.setenv("I3D_DEEPMIND_URL", server.url)
        assert "404 Not Found" in verify_ok(models)
        (part,) = downloads_dir().glob(".i3d-*.part")
        assert part.stat().st_size == half
        assert list(samples_dir().iterdir()) == []
        assert verify(models.module("rgb_imagenet")).exit_code == 0
        assert server.requests[-1].headers["range"] == f"bytes={half}-"
        assert list(downloads_dir().glob(".i3d-*.part")) == []


def verify_ok(models: ModelFiles, *arguments: str) -> str:
    """Verify a model whose tensors are right; give the line on the sample."""
    result = verify(models.module("rgb_imagenet"), *arguments)
    assert result.exit_code == 0, result.stderr
    (line,) = re.findall(r"^  sample +not run: (.*)$", result.stdout, re.M)
    assert "verified: its weights; the graph was loaded, and not run" in result.stdout
    return str(line)


def test_a_sample_that_is_not_deepminds_is_refused(models: ModelFiles, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, np.zeros((1, 79, 2, 2, 3), np.float32))
    for path, sentence in [
        (wrong, f"{wrong} is not DeepMind's sample"),
        (tmp_path / "gone.npy", "gone.npy cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: it is a folder"),
        (Path(os.devnull), "cannot be read: it is not a regular file"),
    ]:
        result = verify(models.module("rgb_imagenet"), "--sample", path)
        assert result.exit_code == 2, result.stderr
        assert sentence in result.stderr
        assert f"Give DeepMind's: http://127.0.0.1:9/data/{SAMPLE_NAME}" in result.stderr
    result = verify("camera-motion", "--sample", wrong)
    assert result.exit_code == 2, "also where no sample would be run"


def test_the_library_raises_what_it_says(models: ModelFiles, tmp_path: Path) -> None:
    with pytest.raises(ModelNotInstalledError):
        verify_model(NAME)
    with pytest.raises(UsageError):
        verify_model(str(models.module("rgb_imagenet")), sample=tmp_path / "gone.npy")
    small = write_small_module(tmp_path / "model")
    assert verify_model(str(small)).problem is not None
