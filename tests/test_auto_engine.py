"""Which engine `auto` takes, what it remembers, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import i3d.engines.choose
from i3d.cli.main import cli
from i3d.engines.choose import load_engine
from i3d.errors import (
    EngineError,
    EngineNotInstalledError,
    UnknownNameError,
    UnsupportedModelError,
    UsageError,
)
from i3d.progress import NoProgress

import module_forms as forms
import small_modules as small
from module_forms import TRAINING, make_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result


openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")

SOURCE = Path(__file__).parent.parent / "src"
DATA = SOURCE / "i3d" / "data"
SAMPLE = DATA / "sample-juggling.avi"
SLOWER = "TensorFlow is used, which takes longer."


class Listener(NoProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.tasks: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    @contextmanager
    def task(self, description: str, total: Any = None, unit: Any = "items") -> Iterator[Any]:
        self.tasks.append(description)
        yield lambda _num: None


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


def _once(folder: Path, name: str, write: Callable[[Path], Any]) -> Path:
    if not (folder / name).exists():
        write(folder / name)
    return folder / name


@pytest.fixture
def plain(folder: Path) -> Path:
    return _once(folder, "plain", small.write_video_module)


@pytest.fixture
def miscomputed(folder: Path) -> Path:
    """A model that OpenVINO computes wrong."""
    return _once(folder, "miscomputed", forms.FORMS[forms.DIFFERS_IN_OPENVINO])


@pytest.fixture
def untranslated(folder: Path) -> Path:
    return _once(folder, "untranslated", forms.write_untranslated)


class _Missing:
    """Makes the import of openvino fail."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "openvino":
            raise ModuleNotFoundError("No module named 'openvino'", name="openvino")


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Missing(), *sys.meta_path])


@pytest.fixture
def no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError("the engines are compared again")

    monkeypatch.setattr(i3d.engines.choose, "_agrees", refuse)


# Which one


def test_openvino_is_taken_where_it_gives_tensorflows_numbers(
    plain: Path, listener: Listener
) -> None:
    assert load_engine(plain, fingerprint=lambda: "plain", progress=listener).name == "openvino"
    assert listener.notes == []
    assert listener.tasks == ["comparing OpenVINO with TensorFlow, once for this model"]


def test_the_numbers_really_are_compared(miscomputed: Path) -> None:
    """Or the next test would prove nothing."""
    clip = make_clip(17)
    one, other = (
        load_engine(miscomputed, name).step_logits(clip, TRAINING)
        for name in i3d.engines.choose.ENGINES
    )
    assert np.abs(one - other).max() > 0.1


def test_tensorflow_is_taken_where_openvino_gives_other_numbers(
    miscomputed: Path, listener: Listener
) -> None:
    engine = load_engine(miscomputed, fingerprint=lambda: "miscomputed", progress=listener)
    assert engine.name == "tensorflow"
    reason = "OpenVINO gives other numbers for this model than TensorFlow"
    assert listener.notes == [f"{reason}. {SLOWER}"]
    clip = make_clip(17)
    expected = load_engine(miscomputed, "tensorflow").step_logits(clip, TRAINING)
    np.testing.assert_array_equal(engine.step_logits(clip, TRAINING), expected)


def test_tensorflow_is_taken_where_openvino_lacks_an_operation(
    untranslated: Path, listener: Listener
) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        load_engine(untranslated, "openvino")
    assert caught.value.reason == "it has no translation of Lgamma"
    assert caught.value.hint == "Use --engine tensorflow."
    assert load_engine(untranslated, progress=listener).name == "tensorflow"
    reason = "OpenVINO cannot run this model: it has no translation of Lgamma"
    assert listener.notes == [f"{reason}. {SLOWER}"]


@pytest.mark.usefixtures("without_openvino")
def test_tensorflow_is_taken_where_openvino_is_missing(plain: Path, listener: Listener) -> None:
    assert load_engine(plain, progress=listener).name == "tensorflow"
    assert listener.notes == [
        f"OpenVINO cannot be imported: No module named 'openvino'. {SLOWER}",
    ]
    with pytest.raises(EngineNotInstalledError, match="OpenVINO cannot be imported") as caught:
        load_engine(plain, "openvino")
    assert "pip install" in str(caught.value.hint)


def test_an_engine_that_was_asked_for_is_taken_or_refused(
    miscomputed: Path, listener: Listener
) -> None:
    """Who names an engine gets it, and no note."""
    for name in i3d.engines.choose.ENGINES:
        assert load_engine(miscomputed, name, progress=listener).name == name
    assert listener.notes == []


def test_a_damaged_model_is_no_reason_to_take_another_engine(
    tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"garbage" * 99)
    with pytest.raises(EngineError, match=r"saved_model\.pb is damaged"):
        load_engine(tmp_path, progress=listener)
    assert listener.notes == []


# What is remembered


@pytest.mark.usefixtures("no_comparison")
def test_a_known_model_is_not_compared() -> None:
    assert load_engine(DATA / "camera-motion", is_known=True).name == "openvino"


def test_a_model_is_compared_once(
    plain: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_engine(plain, fingerprint=lambda: "plain")
    monkeypatch.setattr(i3d.engines.choose, "_agrees", lambda *_: pytest.fail("compared again"))
    assert load_engine(plain, fingerprint=lambda: "plain", progress=listener).name == "openvino"
    assert listener.tasks == []
    assert listener.notes == []


def test_a_disagreement_is_remembered_too_and_told_each_time(
    miscomputed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_engine(miscomputed, fingerprint=lambda: "miscomputed")
    monkeypatch.setattr(i3d.engines.choose, "_agrees", lambda *_: pytest.fail("compared again"))
    for _ in range(2):
        listener = Listener()
        engine = load_engine(miscomputed, fingerprint=lambda: "miscomputed", progress=listener)
        assert engine.name == "tensorflow"
        assert len(listener.notes) == 1
        assert listener.tasks == []


def test_a_model_that_openvino_was_asked_for_is_still_compared_by_auto(
    miscomputed: Path, listener: Listener
) -> None:
    load_engine(miscomputed, "openvino", fingerprint=lambda: "miscomputed")
    assert load_engine(miscomputed, fingerprint=lambda: "miscomputed").name == "tensorflow"


def test_what_is_remembered_of_one_model_is_not_believed_of_another(
    plain: Path, miscomputed: Path
) -> None:
    load_engine(plain, fingerprint=lambda: "one")
    assert load_engine(miscomputed, fingerprint=lambda: "another").name == "tensorflow"


def test_without_a_fingerprint_nothing_is_kept(plain: Path, tmp_path: Path) -> None:
    assert load_engine(plain).name == "openvino"
    assert not (tmp_path / "cache").exists()


def test_the_second_load_imports_no_tensorflow(plain: Path, tmp_path: Path) -> None:
    first = load_engine(plain, fingerprint=lambda: "plain")
    program = (
        "import sys, numpy, pathlib\n"
        "from i3d.engines.choose import load_engine\n"
        f"engine = load_engine(pathlib.Path({str(plain)!r}), fingerprint=lambda: 'plain')\n"
        "steps = engine.step_logits(numpy.zeros((9, 16, 16, 3), numpy.uint8), (-1.0, 1.0))\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(engine.name, sorted(roots & {'tensorflow', 'tensorflow_hub', 'keras'}))\n"
        "print(steps.tolist())\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    kind, steps = process.stdout.splitlines()
    assert kind == "openvino []"
    black = np.zeros((9, 16, 16, 3), np.uint8)
    np.testing.assert_allclose(json.loads(steps), first.step_logits(black, TRAINING), atol=1e-6)


# Precision


def test_tensorflow_has_one_precision(plain: Path) -> None:
    with pytest.raises(UsageError, match="float32, not in bfloat16") as caught:
        load_engine(plain, "tensorflow", precision="bfloat16")
    assert "--engine openvino" in str(caught.value.hint)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_less_precision_is_had_or_refused(precision: Any, plain: Path) -> None:
    wanted = {"bfloat16": "BF16", "float16": "FP16"}[precision]
    clip = make_clip(25)
    if wanted not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(EngineError, match=f"does not compute in {precision}") as caught:
            load_engine(plain, "openvino", precision=precision)
        assert "Leave --precision out" in str(caught.value.hint)
        return
    exact = load_engine(plain, "openvino").step_logits(clip, TRAINING)
    engine = load_engine(plain, "openvino", precision=precision)
    assert engine.precision == precision
    found = engine.step_logits(clip, TRAINING)
    assert found.dtype == np.float32
    error = np.abs(found - exact).max()
    assert 1e-5 < error < 0.1 * np.abs(exact).max()
    assert found.mean(0).argmax() == exact.mean(0).argmax()


@pytest.fixture
def any_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that has them all, as far as it is only asked."""
    monkeypatch.setattr("i3d.engines.openvino._check_precision", lambda *_: None)


@pytest.mark.usefixtures("any_precision")
def test_what_only_tensorflow_can_run_has_no_other_precision(
    miscomputed: Path, untranslated: Path, listener: Listener
) -> None:
    for module, reason in ((miscomputed, "other numbers"), (untranslated, "Lgamma")):
        with pytest.raises(EngineError, match=f"{reason}.* in float32 only") as caught:
            load_engine(module, precision="bfloat16", progress=listener)
        assert caught.value.hint == "Leave --precision out."
    assert listener.notes == []


@pytest.mark.usefixtures("any_precision")
def test_the_comparison_is_of_float32_whatever_is_asked_for(plain: Path) -> None:
    engine = load_engine(plain, precision="bfloat16", fingerprint=lambda: "plain")
    assert (engine.name, engine.precision) == ("openvino", "bfloat16")
    assert engine.agrees


# The command line


def classify(*arguments: str) -> Result:
    options = ["--max-frames", "9", "--format", "json"]
    return CliRunner().invoke(cli, ["classify", str(SAMPLE), *options, *arguments], prog_name="i3d")


@pytest.mark.parametrize(
    ("asked", "taken"),
    [("auto", "openvino"), ("openvino", "openvino"), ("tensorflow", "tensorflow")],
)
def test_a_result_says_which_engine_made_it(asked: str, taken: str) -> None:
    result = classify("--model", "camera-motion", "--engine", asked)
    assert result.exit_code == 0, result.output
    (video,) = json.loads(result.stdout)["results"]
    made_by = video["engine"]
    assert made_by["name"] == taken
    assert made_by["precision"] == "float32"
    assert made_by["version"] == i3d.engines.choose.engine_version(taken)
    assert result.stderr == ""


def test_a_fallback_is_told_once_on_standard_error(miscomputed: Path, tmp_path: Path) -> None:
    other = tmp_path / "again.avi"
    other.write_bytes(SAMPLE.read_bytes())
    result = classify(str(other), "--model", str(miscomputed))
    assert result.exit_code == 0, result.output
    reason = "OpenVINO gives other numbers for this model than TensorFlow"
    for video in json.loads(result.stdout)["results"]:
        assert video["engine"]["name"] == "tensorflow"
        assert video["engine"]["fallback_reason"] == reason
    assert " ".join(result.stderr.split()).count(reason) == 1


def test_precision_with_tensorflow_is_a_usage_error() -> None:
    arguments = ["--model", "camera-motion", "--engine", "tensorflow", "--precision", "bfloat16"]
    result = classify(*arguments)
    assert result.exit_code == 2
    assert "TensorFlow computes in float32, not in bfloat16" in result.output


def test_precision_is_in_the_result() -> None:
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")
    exact, rough = (
        json.loads(classify("--model", "camera-motion", "--precision", precision).stdout)
        for precision in ("float32", "bfloat16")
    )
    one, other = (document["results"][0] for document in (exact, rough))
    assert other["engine"]["precision"] == "bfloat16"
    assert one["scores"][0]["label"] == other["scores"][0]["label"]
    assert one["scores"][0]["logit"] != other["scores"][0]["logit"]


def test_an_unknown_engine_is_told_with_the_likely_one(plain: Path) -> None:
    with pytest.raises(UnknownNameError, match="openvin") as caught:
        load_engine(plain, "openvin")
    assert "openvino" in str(caught.value.hint)
    result = classify("--engine", "openvin")
    assert result.exit_code == 2
    assert "openvin" in result.output


def test_where_nothing_could_be_compared_nothing_is_known_to_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("A clip of 17 frames is too short for the model.")

    contract = SimpleNamespace(input_range=TRAINING)
    engine = SimpleNamespace(contract=contract, step_logits=refuse)
    module = SimpleNamespace(load=lambda _: engine)
    monkeypatch.setattr(i3d.engines.choose, "_module", lambda _: module)
    assert not i3d.engines.choose._agrees(Path("model"), 16)
