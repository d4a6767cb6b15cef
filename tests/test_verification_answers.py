"""`i3d model verify` on the weights of TensorFlow Hub: black against white, without a network."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from i3d.cli.main import cli
from i3d.errors import EngineError, EngineNotInstalledError
from i3d.models import convert as tf_converter
from i3d.models.known_answers import DISTANCES, TOLERANCE
from i3d.models.verify import verify_model

import model_hosts
from engines import contract
from installed_models import install_copy, write_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from i3d.engines.base import Clip, StepLogits

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree", "offline")


def verify(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["model", "verify", *map(str, arguments)])


class PublishedDistances:
    """An engine that gives the published distances if it is fed [-1, 1].

    Args:
        factors: Number of frames -> what its distance is multiplied by.
        input_range: What it is taken to want.
    """

    name, version, precision, fallback_reason = "fake", "1.2.3", "float32", None

    def __init__(
        self,
        factors: dict[int, float] | None = None,
        input_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        self.factors = factors or {}
        self.contract = contract(num_labels=400, input_range=input_range)

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        assert clip.shape[1:] == (224, 224, 3)
        assert clip.min() == clip.max()
        low, high = input_range
        distance = DISTANCES[len(clip)] * self.factors.get(len(clip), 1.0)
        steps = np.zeros((2, 400), np.float32)  # two steps, whose mean counts
        steps[:, 7] = [1.0, -1.0]
        steps[:, 8] = math.sqrt(distance) / 2 * (low + (high - low) * clip.max() / 255)
        return steps


@pytest.fixture
def module(models: model_hosts.ModelFiles, tmp_path: Path) -> Path:
    """A folder with tensors of the published checksums, and a graph that is none."""
    return write_module(models.checkpoint("rgb_scratch"), tmp_path / "module")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Let an engine be what is loaded, whatever the folder; or an error what loading ends in."""

    def load_it(loaded: object) -> None:
        def load_engine(*_: object, **__: object) -> object:
            if isinstance(loaded, Exception):
                raise loaded
            return loaded

        monkeypatch.setattr("i3d.models.verify.load_engine", load_engine)

    return load_it


@pytest.mark.parametrize("options", [[], ["--no-sample"]], ids=["plain", "no-sample"])
def test_published_distances_verify_the_graph_without_a_network(
    module: Path, load: Callable[[object], None], options: list[str]
) -> None:
    load(PublishedDistances({15: 1 + 0.9 * TOLERANCE}))
    installed = install_copy(module)
    result = verify(*options)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1] == f"  on this machine   {installed.directory}"
    assert "230 of 230 tensors equal rgb_scratch: " in lines[4]
    assert [line.split() for line in lines[5:]] == [
        ["engine", "fake", "1.2.3"],
        ["known", "answers", "distance", "of", "black", "from", "white,", "fed", "[-1,", "1]"],
        ["within", "1", "%:", "the", "largest", "difference", "is", "0.9", "%"],
        ["published", "here"],
        ["10", "frames", "569.2296", "569.2296"],
        ["15", "frames", "133.7031", "134.9064"],
        ["16", "frames", "152.9175", "152.9175"],
        ["30", "frames", "151.2565", "151.2565"],
        ["verdict", "verified:", "its", "weights,", "and", "known", "answers", "within", "1", "%"],
    ]
    document = json.loads(verify(*options, "--format", "json").stdout)
    assert document["graph"] == "run"
    assert document["engine"]["name"] == "fake"
    answers = document["known_answers"]
    assert (answers["agrees"], answers["input_range"]) == (True, [-1.0, 1.0])
    assert answers["largest_difference"] == pytest.approx(0.9 * TOLERANCE, rel=1e-3)
    assert answers["distances"][0] == {
        "num_frames": 10,
        "published_distance": 569.2296,
        "distance": pytest.approx(569.2296, rel=1e-6),
    }
    assert (document["sample"], document["sample_skipped"]) == (None, None)


@pytest.mark.parametrize("num_frames", DISTANCES)
@pytest.mark.parametrize("factor", [1 - 1.1 * TOLERANCE, 1 + 1.1 * TOLERANCE])
def test_one_other_distance_speaks_against_the_model(
    module: Path, load: Callable[[object], None], num_frames: int, factor: float
) -> None:
    load(PublishedDistances({num_frames: factor}))
    found = verify_model(str(module))
    assert found.known_answers is not None
    assert not found.known_answers.agrees
    assert f"in {num_frames} frames fed [-1, 1]" in str(found.problem)


def test_the_wrong_range_speaks_against_the_model(
    module: Path, load: Callable[[object], None]
) -> None:
    load(PublishedDistances({10: 0.8}, input_range=(0.0, 1.0)))
    result = verify(module)
    assert result.exit_code == 6
    assert "DIFFERENT: the largest difference is 80 %" in result.stdout
    assert "black and white are 113.8 apart in 10 frames fed [0, 1]" in result.stderr
    assert "the published distance is 569.2, fed [-1, 1]" in result.stderr
    assert "--input-range -1 1" in result.stderr


def test_a_graph_that_does_not_run_speaks_against_the_model(
    module: Path, load: Callable[[object], None]
) -> None:
    load(PublishedDistances({16: math.nan}))
    result = verify(module)
    assert result.exit_code == 6
    assert "graph             FAILED: the model gave outputs that are not finite" in result.stdout
    load(EngineError("The model does not load."))
    result = verify(module)
    assert result.exit_code == 6
    assert "NOT verified: it does not run: the model does not load" in result.stdout


def test_what_cannot_be_run_here_is_verified_by_its_weights_alone(
    models: model_hosts.ModelFiles, module: Path, load: Callable[[object], None]
) -> None:
    result = verify(models.checkpoint("rgb_scratch"))
    assert result.exit_code == 0, result.stderr
    assert "known answers     not run: a checkpoint can't be run before it is" in result.stdout
    load(EngineNotInstalledError("OpenVINO cannot be imported."))
    result = verify(module)
    assert result.exit_code == 0, result.stderr
    assert "known answers     not run: OpenVINO cannot be imported" in result.stdout
    assert "verified: its weights; the graph was not run" in result.stdout


# The real weights


@pytest.fixture
def real_module() -> Path:
    folder = os.environ.get("I3D_REAL_MODULE")
    if folder is None:
        pytest.skip("I3D_REAL_MODULE is not set")
    return Path(folder)


@pytest.mark.real_weights
def test_the_real_module_gives_the_published_distances(real_module: Path) -> None:
    found = verify_model(str(real_module))
    assert found.problem is None
    assert found.known_answers is not None
    assert found.known_answers.worst.difference < 0.002


@pytest.mark.real_weights
def test_the_real_module_fed_0_to_1_is_found_out(
    real_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "i3d.engines.graphs.choose_input_range", lambda **_: ((0.0, 1.0), "a mistake")
    )
    found = verify_model(str(real_module))
    assert "in 30 frames fed [0, 1]" in str(found.problem)
    assert found.known_answers is not None
    assert min(row.difference for row in found.known_answers.rows) > 10 * TOLERANCE


@pytest.mark.real_weights
@pytest.mark.slow
@pytest.mark.parametrize("exchanged", [False, True], ids=["as-it-is", "branches-exchanged"])
def test_the_real_weights_in_the_graph_that_i3d_writes(
    real_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanged: bool
) -> None:
    if exchanged:  # two of the last block's branches have 384 channels each: all shapes still fit
        *layers, last = tf_converter._NETWORK
        assert isinstance(last, tf_converter._Mixed)
        first, second, *rest = last.branches
        last = dataclasses.replace(last, branches=(second, first, *rest))
        monkeypatch.setattr(tf_converter, "_NETWORK", (*layers, last))
    model_hosts.write_module(real_module, tmp_path / "module")
    found = verify_model(str(tmp_path / "module"))
    assert found.weights is not None
    assert found.weights.identification.num_equal == 230, "the tensors are right in either graph"
    assert (found.problem is not None) is exchanged
    assert ("does not give the known answers" in str(found.problem)) is exchanged
