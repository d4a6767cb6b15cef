"""What is the OpenVINO engine's own: its silence, its privacy, its imports, what it compiles.

What every engine must do is in test_engines.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.engines.choose import load_engine
from i3d.engines.openvino_model import reason_of as _reason
from i3d.errors import EngineError

import module_forms as forms
import small_modules as small
from module_forms import TRAINING, make_clip

if TYPE_CHECKING:
    from conftest import RunI3D

pytest.importorskip("openvino", reason="OpenVINO is not installed")


SOURCE = Path(__file__).parent.parent / "src"
DATA = SOURCE / "i3d" / "data"
SAMPLE = DATA / "sample-juggling.avi"

WATCH = """
import sys

opened = []


def watch(event, arguments):
    if event in ("socket.__new__", "socket.connect", "socket.getaddrinfo"):
        opened.append(event)


sys.addaudithook(watch)
"""
"""The beginning of a program that notes each socket that is opened."""


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


# As a process


def test_a_run_is_silent_opens_no_socket_and_imports_neither_tensorflow_nor_telemetry() -> None:
    process = run_python(
        f"{WATCH}\n"
        "import json, numpy, pathlib\n"
        "from i3d.analysis.classifier import Classifier\n"
        "classifier = Classifier.load('camera-motion')\n"
        f"prediction = classifier.classify({str(SAMPLE)!r})\n"
        "names = set(sys.modules)\n"
        "unwanted = {'tensorflow', 'tensorflow_hub', 'keras', 'openvino_telemetry',\n"
        "            'openvino.tools.ovc', 'openvino.tools.mo'}\n"
        "print(json.dumps([prediction.engine.name, prediction.scores[0].label, opened,\n"
        "                  sorted(unwanted & names)]))\n"
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert json.loads(process.stdout) == ["openvino", "static", [], []]


def test_the_watch_sees_a_socket() -> None:
    """Or the test above would prove nothing."""
    process = run_python(f"{WATCH}\nimport socket\nsocket.socket().close()\nprint(opened)")
    assert process.stdout.strip() == "['socket.__new__']"


def test_the_command_writes_nothing_but_its_result(run_i3d: RunI3D) -> None:
    process = run_i3d("classify", SAMPLE, "--model", "camera-motion", "--format", "json")
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    document = json.loads(process.stdout)
    assert document["results"][0]["engine"]["name"] == "openvino"
    assert document["results"][0]["scores"][0]["label"] == "static"


@pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None
    or not any(
        str(path).endswith("openvino/tools/ovc/__init__.py")
        for path in importlib.metadata.files("openvino") or []
    ),
    reason="OpenVINO came without its tools",
)
def test_who_wants_openvinos_tools_still_gets_them() -> None:
    program = (
        "import sys\n"
        "from i3d.engines.openvino import import_openvino\n"
        "openvino = import_openvino()\n"
        "assert 'openvino.tools.ovc' not in sys.modules\n"
        "assert import_openvino() is openvino\n"
        "import openvino.tools.ovc\n"
        "assert callable(openvino.tools.ovc.convert_model)\n"
        "assert import_openvino() is openvino\n"
        "assert sys.modules['openvino.tools.ovc'] is openvino.tools.ovc\n"
        "print('fine')\n"
    )
    # The telemetry of the tools is not ours to test, and must not leave this machine.
    blocked = "import sys\nsys.modules['openvino_telemetry'] = None\n"
    process = run_python(blocked + program)
    assert process.stdout == "fine\n", process.stderr


def test_an_openvino_that_was_imported_before_is_taken_as_it_is() -> None:
    program = (
        "import sys\nsys.modules['openvino_telemetry'] = None\n"
        "import openvino\n"
        "before = sys.modules.get('openvino.tools.ovc')\n"
        "from i3d.engines.openvino import import_openvino\n"
        "assert import_openvino() is openvino\n"
        "assert sys.modules.get('openvino.tools.ovc') is before\n"
        "print('fine')\n"
    )
    process = run_python(program)
    assert process.stdout == "fine\n", process.stderr


# What it compiles


@pytest.fixture(scope="module")
def plain_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write_video_module(tmp_path_factory.mktemp("modules") / "plain")


def test_a_length_is_compiled_once_whatever_the_range(
    plain_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = load_engine(plain_dir, "openvino")
    engine.step_logits(make_clip(17), TRAINING)
    compiled = engine._compiled
    engine.step_logits(make_clip(17), (0.0, 1.0))
    assert engine._compiled is compiled
    engine.step_logits(make_clip(24), TRAINING)
    assert engine._compiled is not compiled


def test_all_arithmetic_is_float32_unless_less_is_asked_for(plain_dir: Path) -> None:
    """Servers' CPUs take bfloat16 by themselves."""
    engine: Any = load_engine(plain_dir, "openvino")
    model = engine._request(make_clip(17)).get_compiled_model()
    assert model.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert model.get_property("ENABLE_CPU_PINNING") is False


def test_pixels_are_scaled_inside_the_graph(plain_dir: Path) -> None:
    """What is fed is uint8: a clip of floats would take four times the memory."""
    engine: Any = load_engine(plain_dir, "openvino")
    model = engine._request(make_clip(17)).get_compiled_model()
    kinds = [str(value.get_element_type().get_type_name()) for value in model.inputs]
    assert kinds == ["u8", "f32", "f32"]
    assert list(model.inputs[0].shape) == [1, 17, small.SIZE, small.SIZE, 3]


# Errors


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            (
                "Exception from src/core.cpp:84:\nCheck 'false' failed at src/report.cpp:151:\n"
                "FrontEnd API failed with OpConversionFailure:\nModel wasn't fully converted.\n"
                "Summary:\n-- No conversion rule found for operations: Lgamma, Digamma\n"
                "To facilitate the conversion of unsupported operations, refer to it\n"
            ),
            "it has no translation of Lgamma, Digamma",
        ),
        (
            (
                "Exception from src/c.cpp:9:\n[TensorFlow Frontend] Internal error, no translator "
                "found for operation(s): Lgamma\n"
            ),
            "it has no translation of Lgamma",
        ),
        ("Exception from src/a.cpp:1:\nCheck 'x' failed at src/b.cpp:2:\nIt is too wide.\n", None),
        ("", "RuntimeError"),
        ("a" * 500, "a" * 200),
    ],
    ids=["rule", "translator", "check", "nothing", "long"],
)
def test_of_an_error_of_openvinos_the_line_that_says_why_is_shown(
    text: str, reason: str | None
) -> None:
    assert _reason(RuntimeError(text)) == (reason or "It is too wide")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "does not fit into memory"),
        (RuntimeError("Exception from src/x.cpp:1:\nstd::bad_alloc"), "does not fit into memory"),
        (
            RuntimeError("Exception from src/x.cpp:1:\nno such thing"),
            "cannot run .*: no such thing",
        ),
    ],
)
def test_what_goes_wrong_in_a_run_is_an_error_of_ours(
    error: Exception, expected: str, plain_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = load_engine(plain_dir, "openvino")
    before = engine.step_logits(make_clip(17), TRAINING)

    def fail(_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("i3d.engines.openvino._wait", fail)
        with pytest.raises(EngineError, match=expected) as caught:
            engine.step_logits(make_clip(17), TRAINING)
    assert "\n" not in caught.value.message
    np.testing.assert_array_equal(engine.step_logits(make_clip(17), TRAINING), before)


def test_ctrl_c_during_a_run_leaves_an_engine_that_runs(
    plain_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = load_engine(plain_dir, "openvino")
    before = engine.step_logits(make_clip(17), TRAINING)
    from i3d.engines import openvino

    class Interrupted:
        """The request of a run in which Ctrl-C is pressed."""

        def __init__(self, request: Any) -> None:
            self._request = request

        def __getattr__(self, name: str) -> Any:
            return getattr(self._request, name)

        def wait_for(self, _: int) -> bool:
            raise KeyboardInterrupt

    wait = openvino._wait
    with monkeypatch.context() as patch:
        patch.setattr(openvino, "_wait", lambda request: wait(Interrupted(request)))
        with pytest.raises(KeyboardInterrupt):
            engine.step_logits(make_clip(17), TRAINING)
    np.testing.assert_array_equal(engine.step_logits(make_clip(17), TRAINING), before)


def test_what_openvino_computes_wrong_is_still_wrong(tmp_path: Path) -> None:
    """The reason for the comparison in `auto`; if this fails, the documentation is out of date."""
    forms.FORMS[forms.DIFFERS_IN_OPENVINO](tmp_path / "m")
    clip = make_clip(17)
    found, expected = (
        load_engine(tmp_path / "m", name).step_logits(clip, TRAINING)
        for name in ("openvino", "tensorflow")
    )
    assert np.abs(found - expected).max() > 0.1
