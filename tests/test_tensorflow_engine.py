"""What is the TensorFlow engine's own: how its graphs are read, its imports, its silence.

What every engine must do is in test_engines.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.engines.choose import load_engine
from i3d.engines.graphs import _Graph, tensor_of
from i3d.errors import EngineNotInstalledError, ModelLoadError

import module_forms as forms
import small_modules as small

if TYPE_CHECKING:
    from collections.abc import Callable


SOURCE = Path(__file__).parent.parent / "src"


@pytest.fixture(scope="module")
def plain_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub module with I3D's interface."""
    return small.write_video_module(tmp_path_factory.mktemp("modules") / "plain")


# The receptive field


@dataclass(frozen=True)
class Built:
    """Steps of a graph that takes (batch, frames, 16, 16, 3)."""

    graph: Any
    pixels: Any
    steps: Any

    @property
    def field(self) -> tuple[int, int, int] | None:
        """Number of frames that a step depends on, from one step to the next, before the first."""
        graph = _Graph(self.graph.as_graph_def(add_shapes=True).SerializeToString())
        window = graph.window(tensor_of(self.pixels.name), tensor_of(self.steps.name))
        return window and (window.last - window.first + 1, window.stride, max(-window.first, 0))


def build(layers: Callable[[Any], Any]) -> Built:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.compat.v1.set_random_seed(1)
        pixels = small.placeholder()
        return Built(graph, pixels, layers(pixels))


def frames_seen(built: Built, num_frames: int) -> list[list[int]]:
    """The frames that each step depends on, found by changing one after the other."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    clip = random.uniform(-1, 1, (num_frames, small.SIZE, small.SIZE, 3)).astype(np.float32)
    clips = np.stack([clip] * (num_frames + 1))
    for i in range(num_frames):  # the last clip stays as it is
        clips[i, i] = random.uniform(-1, 1, clip.shape[1:])
    with built.graph.as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        steps = session.run(built.steps, {built.pixels: clips})
    changed = np.abs(steps[:-1] - steps[-1]).reshape(num_frames, steps.shape[1], -1).max(2)
    return [np.flatnonzero(column > 1e-5).tolist() for column in changed.T]


@pytest.mark.parametrize(
    ("layers", "receptive_field", "stride"), list(forms.FIELDS.values()), ids=list(forms.FIELDS)
)
def test_the_receptive_field_is_the_frames_that_a_step_depends_on(
    layers: Callable[[Any], Any], receptive_field: int, stride: int
) -> None:
    built = build(layers)
    seen = frames_seen(built, num_frames=64)
    middle = len(seen) // 2
    first, last = seen[middle][0], seen[middle][-1]
    assert built.field == (receptive_field, stride, middle * stride - first)
    assert last - first + 1 == receptive_field
    assert (seen[middle + 1][0], seen[middle + 1][-1]) == (first + stride, last + stride)


@pytest.mark.parametrize(
    "layers", list(forms.NOT_UNDERSTOOD.values()), ids=list(forms.NOT_UNDERSTOOD)
)
def test_no_receptive_field_is_claimed_where_the_graph_is_not_understood(
    layers: Callable[[Any], Any],
) -> None:
    built = build(lambda pixels: forms.convolved(layers(pixels), "a", 3, "SAME", 2, 1))
    assert built.field is None


def test_what_does_not_lead_to_the_steps_need_not_be_understood() -> None:
    import tensorflow as tf

    def layers(pixels: Any) -> Any:
        every_second = pixels[:, ::2]
        net = forms.convolved(pixels, "a", 3, "SAME", 2, 1)
        return net * tf.cast(tf.shape(every_second)[1], tf.float32)

    assert build(layers).field == (3, 2, 0)


def test_steps_that_do_not_depend_on_the_pixels_have_no_receptive_field() -> None:
    import tensorflow as tf

    built = build(lambda pixels: tf.zeros((1, tf.shape(pixels)[1], 3)))
    assert built.field is None


# Imports


class _Broken:
    """Makes the import of tensorflow_hub fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "tensorflow_hub":
            raise self._error


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        # setuptools 82
        (ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources"), "tools<82"),
        # a protobuf that is newer than TensorFlow's generated code
        (TypeError("Descriptors cannot be created directly."), "Install i3d again"),
        # a read-only machine
        (FileNotFoundError(2, "No usable temporary directory found"), "TMPDIR"),
    ],
    ids=["setuptools", "protobuf", "no temporary folder"],
)
def test_a_tensorflow_that_cannot_be_imported_says_what_to_do(
    plain_dir: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str
) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow_hub", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Broken(error), *sys.meta_path])
    with pytest.raises(EngineNotInstalledError, match="TensorFlow cannot be imported") as caught:
        load_engine(plain_dir, "tensorflow")
    assert hint in str(caught.value.hint)


def test_an_index_that_is_gone_is_named(plain_dir: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    shutil.copytree(plain_dir, module)
    data = "variables.data-00000-of-00001"
    (module / "variables" / data).unlink()
    with pytest.raises(ModelLoadError) as caught:
        load_engine(module, "tensorflow")
    assert caught.value.message.startswith(f"TensorFlow cannot load the model in {module}: ")
    assert data in caught.value.message


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TF_")},
        "PYTHONPATH": str(SOURCE),
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=environment,
    )


def test_importing_the_package_imports_no_tensorflow() -> None:
    program = (
        "import sys, i3d, i3d.engines.choose, i3d.engines.base\n"
        "sys.exit(str({'tensorflow', 'tensorflow_hub', 'keras'} & set(sys.modules)))"
    )
    assert run_python(program).stderr.strip() == "set()"


def test_tensorflow_is_silent(plain_dir: Path) -> None:
    """But for what its native parts write before they know the log level."""
    process = run_python(
        "import numpy, pathlib\n"
        "from i3d.engines.choose import load_engine\n"
        f"engine = load_engine(pathlib.Path({str(plain_dir)!r}), 'tensorflow')\n"
        "engine.step_logits(numpy.zeros((9, 16, 16, 3), numpy.uint8), (0.0, 1.0))\n"
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    unavoidable = re.compile(
        r".*\.cc:\d+\] "
        r"|WARNING: All log messages before absl::InitializeLog"
        r"|To enable the following instructions: "
    )
    lines = process.stderr.splitlines()
    assert [line for line in lines if not unavoidable.match(line)] == []
