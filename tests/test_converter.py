"""The converter: weights become a module that computes what NumPy computes from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.engines.choose import load_engine
from i3d.errors import CacheError
from i3d.models.convert import write_saved_model

import reference_i3d

if TYPE_CHECKING:
    from i3d.engines.base import Engine


SOURCE = Path(__file__).parent.parent / "src"
SCOPE = "RGB/inception_i3d"

Weights = dict[str, np.ndarray]


def published_shapes(checkpoint: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a checkpoint of DeepMind's, from the network on."""
    path = SOURCE / "i3d" / "data" / "checkpoints.json"
    tensors = json.loads(path.read_text(encoding="utf-8"))["checkpoints"][checkpoint]["tensors"]
    return {name: tuple(shape) for name, (_, shape) in tensors.items()}


def narrow_shapes() -> dict[str, tuple[int, ...]]:
    """A network of the same form with an eighth of the channels (and 3 of RGB)."""
    return {
        name: tuple(size if size <= 7 else size // 8 for size in shape)
        for name, shape in published_shapes("rgb_imagenet").items()
    }


@dataclass(frozen=True)
class Converted:
    weights: Weights
    directory: Path
    engine: Engine
    module: Any
    """As TensorFlow Hub loads it."""


@pytest.fixture(scope="module", params=["rgb_imagenet", "rgb_scratch_kin600"])
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Converted:
    """Made-up weights of the shapes of a checkpoint of DeepMind's, and what became of them."""
    import tensorflow_hub

    weights = reference_i3d.random_weights(published_shapes(request.param))
    directory = tmp_path_factory.mktemp("converted") / request.param
    write_saved_model(weights, directory)
    module = tensorflow_hub.load(str(directory))
    return Converted(weights, directory, load_engine(directory), module)


def make_pixels(num_frames: int) -> np.ndarray:
    """(T, 224, 224, 3) float32 in [-1, 1]: noise that is brighter from frame to frame."""
    random = np.random.default_rng(num_frames)
    pixels = random.uniform(-1, 0, (num_frames, 224, 224, 3))
    return (pixels + np.linspace(0, 1, num_frames)[:, np.newaxis, np.newaxis, np.newaxis]).astype(
        np.float32
    )


def own_output(module: Any, pixels: np.ndarray) -> np.ndarray:
    """What the signature of a module of TensorFlow Hub's says, without our engine: (labels,)."""
    import tensorflow as tf

    signature = module.signatures["default"]
    return signature(tf.constant(pixels[np.newaxis]))["default"].numpy()[0]


# The full network


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [9, 21])
def test_the_logits_are_those_that_numpy_computes(converted: Converted, num_frames: int) -> None:
    pixels = make_pixels(num_frames)
    expected = reference_i3d.run(converted.weights, pixels)

    steps = converted.engine.run(pixels)
    assert steps.shape == expected.steps.shape == (num_frames // 8, len(expected.mean))
    np.testing.assert_allclose(steps, expected.steps, rtol=0, atol=1e-4)
    np.testing.assert_allclose(
        own_output(converted.module, pixels), expected.mean, rtol=0, atol=1e-4
    )
    assert expected.mean.std() > 1.5  # or 1e-4 would say little


@pytest.mark.slow
def test_clips_and_steps_have_clearly_different_logits(converted: Converted) -> None:
    """Or the equalities above would prove little."""
    first, second = converted.engine.run(make_pixels(21))
    (other,) = converted.engine.run(make_pixels(9))
    assert np.abs(first - second).max() > 0.5
    assert np.abs(first - other).max() > 0.5


@pytest.mark.slow
def test_the_contract_is_i3ds(converted: Converted) -> None:
    contract = converted.engine.contract
    assert (contract.signature, contract.input_name) == ("default", "rgb_input")
    assert contract.output_name == "default"
    assert contract.num_labels == len(converted.weights["Logits/Conv3d_0c_1x1/conv_3d/b"])
    assert contract.num_labels in (400, 600)
    assert contract.size == 224
    assert contract.input_range == (-1.0, 1.0)
    assert contract.input_range_reason.startswith("nothing rescales the pixels")
    assert contract.has_steps
    assert (contract.receptive_field, contract.stride) == (107, 8)


@pytest.mark.slow
def test_the_module_holds_the_230_weights_and_no_others(converted: Converted) -> None:
    import tensorflow as tf

    prefix = str(converted.directory / "variables" / "variables")
    saved = tf.train.load_checkpoint(prefix)
    shapes = {
        name: value.shape[-1:] if "/batch_norm/" in name else value.shape
        for name, value in converted.weights.items()
    }
    assert len(shapes) == 230
    assert {name: tuple(shape) for name, shape in tf.train.list_variables(prefix)} == {
        f"{SCOPE}/{name}": shape for name, shape in shapes.items()
    }
    for name, value in converted.weights.items():
        np.testing.assert_array_equal(
            saved.get_tensor(f"{SCOPE}/{name}"), value.reshape(shapes[name])
        )


@pytest.mark.slow
def test_the_module_has_the_files_and_names_of_the_hubs(converted: Converted) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    files = {path.relative_to(converted.directory) for path in converted.directory.rglob("*.*")}
    assert {path.as_posix() for path in files} == {
        "saved_model.pb",
        "tfhub_module.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    }
    assert (converted.directory / "tfhub_module.pb").read_bytes() == b"\x08\x03"
    saved = saved_model_pb2.SavedModel.FromString(
        (converted.directory / "saved_model.pb").read_bytes()
    )
    (graph,) = saved.meta_graphs
    assert list(graph.meta_info_def.tags) == []
    assert list(graph.signature_def) == ["default"]
    signature = graph.signature_def["default"]
    ((input_name, frames),) = signature.inputs.items()
    assert (input_name, frames.name) == ("rgb_input", "input_frames:0")
    assert [size.size for size in frames.tensor_shape.dim] == [-1, -1, 224, 224, 3]
    ((output_name, logits),) = signature.outputs.items()
    assert (output_name, logits.name) == ("default", f"{SCOPE}/Mean:0")
    # The weights are in variables/: in the graph, they would have to be read twice.
    assert (converted.directory / "saved_model.pb").stat().st_size < 1_000_000


# A network with few channels


@pytest.mark.slow
def test_the_numbers_of_channels_are_read_off_the_weights(tmp_path: Path) -> None:
    import tensorflow_hub

    weights = reference_i3d.random_weights(narrow_shapes())
    pixels = make_pixels(9)
    write_saved_model(weights, tmp_path / "module")

    expected = reference_i3d.run(weights, pixels)
    assert expected.mean.shape == (50,)
    module = tensorflow_hub.load(str(tmp_path / "module"))
    np.testing.assert_allclose(own_output(module, pixels), expected.mean, rtol=0, atol=1e-4)


# Refusals


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    weights = reference_i3d.random_weights(narrow_shapes())
    with pytest.raises(CacheError) as caught:
        write_saved_model(weights, tmp_path / "file" / "module")
    message = caught.value.message
    assert message.startswith(
        f"The converted model cannot be written to {tmp_path / 'file' / 'module'}: "
    )
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_a_folder_whose_name_is_not_utf8_is_an_error_of_ours(tmp_path: Path) -> None:
    weights = reference_i3d.random_weights(narrow_shapes())
    with pytest.raises(CacheError, match="is not UTF-8"):
        write_saved_model(weights, tmp_path / os.fsdecode(b"caf\xe9"))


PROGRAM = """
import sys, pathlib
sys.path.insert(0, {tests!r})
import reference_i3d, test_converter
from i3d.models.convert import write_saved_model
{before}
write_saved_model(
    reference_i3d.random_weights(test_converter.narrow_shapes()), pathlib.Path({directory!r})
)
"""


def convert_in_a_process_of_its_own(
    directory: Path, before: str = ""
) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(
        tests=str(Path(__file__).parent), directory=str(directory), before=before
    )
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


@pytest.mark.slow
def test_nothing_is_printed_that_can_be_helped(tmp_path: Path) -> None:
    """Native parts of TensorFlow write before they know the log level."""
    process = convert_in_a_process_of_its_own(tmp_path / "module")
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    assert [line for line in lines if ".cc:" not in line and "absl::Init" not in line] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_is_full_is_an_error_of_ours(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = convert_in_a_process_of_its_own(tmp_path / "module", before=limit)
    last_line = process.stderr.splitlines()[-1]
    assert last_line == (
        "i3d.errors.CacheError: The converted model cannot be written to "
        f"{tmp_path / 'module'}: File too large."
    )
