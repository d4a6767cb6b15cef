"""What every engine must do: the same tests on each, on small models of every form.

What is one engine's own is in test_tensorflow_engine.py and test_openvino_engine.py, how one of
them is chosen in test_auto_engine.py, the full network in test_tutorial_equality.py.
"""

from __future__ import annotations

import gc
import importlib.util
import math
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.analysis.chunks import StepGrid
from i3d.engines.base import softmax
from i3d.engines.choose import ENGINES, load_engine
from i3d.engines.graphs import read_model
from i3d.errors import EngineError, ModelLoadError, UnknownNameError
from i3d.video.frames import scale_pixels

import camera_moves as moves
import module_forms as forms
import small_modules as small
from module_forms import TRAINING, UNIT, make_clip, own_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d.engines.base import Engine

    Written = Callable[[str], Path]
    Load = Callable[[Path], Engine]


CAMERA_MOTION = Path(__file__).parent.parent / "src" / "i3d" / "data" / "camera-motion"

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Gives the folder of a form of module, which is written when it is first asked for."""
    folder = tmp_path_factory.mktemp("modules")

    def write(name: str) -> Path:
        if not (folder / name).exists():
            forms.FORMS[name](folder / name)
        return folder / name

    return write


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=needs_openvino if name == "openvino" else ()) for name in ENGINES
    ],
)
def load(request: pytest.FixtureRequest) -> Load:
    """Loads a module into one of the engines; each test runs with every one."""

    def load_module(module_dir: Path) -> Engine:
        return load_engine(module_dir, request.param)

    load_module.engine_name = request.param  # type: ignore[attr-defined]
    return load_module


@pytest.fixture(scope="module")
def plain(load: Load, written: Written) -> Engine:
    """I3D's interface and arithmetic of time."""
    return load(written("plain"))


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    """Equal but for rounding, which is in proportion to the largest logit."""
    largest = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


# Names and shapes


def test_names_are_read_from_the_signature(load: Load, plain: Engine) -> None:
    contract = plain.contract
    assert (contract.signature, contract.input_name) == ("default", "rgb_input")
    assert contract.output_name == "default"
    assert contract.num_labels == small.NUM_LABELS
    assert contract.size == small.SIZE
    assert plain.name == load.engine_name
    assert plain.precision == "float32"
    assert re.fullmatch(r"\d+\.\d+\.\d+[\w.]*", plain.version)


def test_any_names_will_do(load: Load, written: Written) -> None:
    engine = load(written("any-names"))
    contract = engine.contract
    assert (contract.signature, contract.input_name) == ("watch", "video")
    assert contract.output_name == "actions"
    assert engine.step_logits(make_clip(17), TRAINING).shape == (2, small.NUM_LABELS)


@pytest.mark.parametrize("form", ["features-beside", "one-name-for-all", "two-signatures"])
def test_names_that_several_tensors_have_do_not_matter(
    form: str, load: Load, written: Written, plain: Engine
) -> None:
    engine = load(written(form))
    assert engine.contract.output_name == "default"
    assert engine.contract.num_labels == small.NUM_LABELS
    clip = make_clip(17)
    assert_close(engine.step_logits(clip, TRAINING), plain.step_logits(clip, TRAINING))


def test_the_graph_variant_without_tags_is_taken(load: Load, written: Written) -> None:
    """Hub modules may hold a second graph for training."""
    engine = load(written("two-graphs"))
    assert engine.contract.input_name == "video"
    assert engine.step_logits(make_clip(17), TRAINING).shape == (2, small.NUM_LABELS)


@needs_openvino
@pytest.mark.parametrize("form", sorted(set(forms.FORMS) - {forms.DIFFERS_IN_OPENVINO}))
def test_both_engines_give_the_same_numbers(form: str, written: Written) -> None:
    for num_frames in (17, 24):
        clip = make_clip(num_frames)
        one, other = (load_engine(written(form), name) for name in ENGINES)
        assert_close(one.step_logits(clip, TRAINING), other.step_logits(clip, TRAINING))


# Step logits


@pytest.mark.parametrize("num_frames", [9, 16, 17, 64, 79])
def test_the_mean_of_the_step_logits_is_the_models_own_output(
    num_frames: int, plain: Engine, written: Written
) -> None:
    clip = make_clip(num_frames)
    steps = plain.step_logits(clip, TRAINING)

    assert plain.contract.has_steps
    assert steps.shape == (math.ceil(num_frames / 8) - 1, small.NUM_LABELS)
    assert steps.dtype == np.float32
    expected = own_output(written("plain"), scale_pixels(clip, TRAINING))
    assert_close(steps.mean(0), expected)


@pytest.fixture(scope="module")
def reference(written: Written) -> Engine:
    return load_engine(written("plain"), "tensorflow")


@pytest.mark.parametrize("num_frames", [*range(9, 41), 64, 79, 100, 299, 300])
def test_there_is_a_step_for_every_eight_frames_at_any_length(
    num_frames: int, plain: Engine, reference: Engine
) -> None:
    clip = make_clip(num_frames)
    steps = plain.step_logits(clip, TRAINING)
    assert steps.shape == (math.ceil(num_frames / 8) - 1, small.NUM_LABELS)
    assert_close(steps, reference.step_logits(clip, TRAINING))


@pytest.mark.parametrize("form", forms.AFTER)
def test_the_mean_over_time_is_found_by_its_structure(
    form: str, load: Load, written: Written
) -> None:
    engine = load(written(form))
    clip = make_clip(25)

    steps = engine.step_logits(clip, TRAINING)
    assert engine.contract.has_steps
    assert steps.shape == (3, small.NUM_LABELS)
    assert_close(steps.mean(0), own_output(written(form), scale_pixels(clip, TRAINING)))


def test_a_model_that_gives_probabilities_is_asked_for_its_logits(
    load: Load, written: Written
) -> None:
    module = written("probabilities")
    clip = make_clip(25)

    steps = load(module).step_logits(clip, TRAINING)

    powers = np.exp(steps.mean(0, dtype=np.float64))
    expected = own_output(module, scale_pixels(clip, TRAINING))
    np.testing.assert_allclose(powers / powers.sum(), np.ravel(expected), rtol=1e-5)
    assert steps.shape == (3, small.NUM_LABELS)


@pytest.mark.parametrize(
    ("form", "num_outputs"),
    [
        ("something-follows", (1, 5)),
        ("mean-of-two-heads", (1, 5)),
        ("mean-of-other-things", (5, 1)),
    ],
)
def test_without_a_mean_over_time_the_output_itself_is_the_only_step(
    form: str, num_outputs: tuple[int, int], load: Load, written: Written
) -> None:
    engine = load(written(form))
    clip = make_clip(25)

    steps = engine.step_logits(clip, TRAINING)
    assert not engine.contract.has_steps
    assert steps.shape == num_outputs
    expected = own_output(written(form), scale_pixels(clip, TRAINING))
    assert_close(steps.ravel()[: expected.size], expected.ravel())


# What is fed


def test_the_range_is_what_pixels_are_fed_in(plain: Engine, written: Written) -> None:
    clip = make_clip(9)
    for value_range in (TRAINING, UNIT, (0.0, 255.0), (1.0, -1.0)):
        expected = own_output(written("plain"), scale_pixels(clip, value_range))
        assert_close(plain.step_logits(clip, value_range)[0], expected)


def test_pixels_that_are_already_in_the_models_range_are_fed_as_they_are(
    plain: Engine, written: Written
) -> None:
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, (17, small.SIZE, small.SIZE, 3)).astype(np.float32)
    steps = plain.run(pixels)
    assert steps.shape == (2, small.NUM_LABELS)
    assert steps.dtype == np.float32
    assert_close(steps.mean(0), own_output(written("plain"), pixels))


@pytest.mark.parametrize("value_range", [TRAINING, UNIT, (0.0, 255.0)])
def test_a_clip_is_run_as_its_scaled_pixels(
    value_range: tuple[float, float], plain: Engine
) -> None:
    clip = make_clip(17)
    steps = plain.step_logits(clip, value_range)
    assert_close(steps, plain.run(scale_pixels(clip, value_range)))


def test_a_clip_whose_bytes_are_not_in_order_is_the_same_clip(plain: Engine) -> None:
    clip = make_clip(34)
    expected = plain.step_logits(clip[::2].copy(), TRAINING)
    np.testing.assert_array_equal(plain.step_logits(clip[::2], TRAINING), expected)
    mirrored = clip[::2, :, ::-1]
    expected = plain.step_logits(mirrored.copy(), TRAINING)
    np.testing.assert_array_equal(plain.step_logits(mirrored, TRAINING), expected)
    pixels = scale_pixels(clip, TRAINING)
    expected = plain.run(pixels[::2].copy())
    np.testing.assert_array_equal(plain.run(pixels[::2]), expected)


def test_a_clip_that_may_not_be_written_is_run_and_none_is_changed(plain: Engine) -> None:
    clip = make_clip(17)
    kept = clip.copy()
    before = plain.step_logits(clip, TRAINING)
    clip.setflags(write=False)
    np.testing.assert_array_equal(plain.step_logits(clip, TRAINING), before)
    np.testing.assert_array_equal(clip, kept)
    pixels = scale_pixels(clip, TRAINING)
    kept_pixels = pixels.copy()
    plain.run(pixels)
    np.testing.assert_array_equal(pixels, kept_pixels)


def test_an_answer_stays_what_it_was_when_the_next_clip_is_run(plain: Engine) -> None:
    first = plain.step_logits(make_clip(17), TRAINING)
    kept = first.copy()
    other = plain.step_logits(255 - make_clip(17), TRAINING)
    np.testing.assert_array_equal(first, kept)
    assert np.abs(first - other).max() > 0.01


def test_a_model_outlives_the_garbage_collector(load: Load, written: Written) -> None:
    engine = load(written("plain"))
    before = engine.step_logits(make_clip(9), TRAINING)
    gc.collect()
    np.testing.assert_array_equal(engine.step_logits(make_clip(9), TRAINING), before)


def test_one_engine_serves_many_threads(plain: Engine) -> None:
    clips = [make_clip(num_frames) for num_frames in (9, 24, 17, 40, 9, 33, 16, 24)]
    expected = [plain.step_logits(clip, TRAINING) for clip in clips]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda clip: plain.step_logits(clip, TRAINING), clips * 4))
    for one, other in zip(found, expected * 4, strict=True):
        assert_close(one, other)


# The range that a model wants


def test_a_graph_that_rescales_nothing_wants_the_range_of_training(plain: Engine) -> None:
    assert plain.contract.input_range == TRAINING
    assert "nothing rescales the pixels" in plain.contract.input_range_reason


@pytest.mark.parametrize("form", forms.RESCALING)
def test_a_graph_that_rescales_pixels_itself_wants_zero_to_one(form: str, written: Written) -> None:
    contract = read_model(written(form)).contract
    assert contract.input_range == UNIT
    assert "rescales its input itself" in contract.input_range_reason


@pytest.mark.parametrize("form", [*forms.NOT_RESCALING, "brightness-beside"])
def test_arithmetic_elsewhere_does_not_count_as_rescaling(form: str, written: Written) -> None:
    assert read_model(written(form)).contract.input_range == TRAINING


def test_a_graph_without_a_3d_convolution_gets_the_hubs_range(written: Written) -> None:
    contract = read_model(written("without-a-convolution")).contract
    assert contract.input_range == UNIT
    assert "no 3-D convolution" in contract.input_range_reason


# The receptive field


def test_the_contract_has_the_receptive_field(plain: Engine, load: Load, written: Written) -> None:
    assert (plain.contract.receptive_field, plain.contract.stride) == (23, 8)
    without_steps = load(written("tf2")).contract
    assert (without_steps.receptive_field, without_steps.stride) == (None, None)


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("layers")

    def write(name: str) -> Path:
        if not (folder / name).exists():
            layers: Any
            if name in forms.FIELDS:
                layers = forms.FIELDS[name][0]
            else:
                before = forms.NOT_UNDERSTOOD[name]

                def layers(pixels: Any) -> Any:
                    return forms.convolved(before(pixels), "a", 3, "SAME", 2, 1)

            forms.write_layers(folder / name, layers)
        return folder / name

    return write


@pytest.mark.parametrize("name", forms.FIELDS)
def test_the_field_is_what_the_layers_make_it(name: str, layered: Callable[[str], Path]) -> None:
    contract = read_model(layered(name)).contract
    assert (contract.receptive_field, contract.stride) == forms.FIELDS[name][1:]
    assert contract.padding is not None


@pytest.mark.parametrize("name", forms.FIELDS)
def test_chunks_that_begin_where_the_contract_says_give_the_steps_of_one_pass(
    name: str, load: Load, layered: Callable[[str], Path]
) -> None:
    engine = load(layered(name))
    contract = engine.contract
    assert contract.receptive_field
    assert contract.stride
    assert contract.padding is not None
    grid = StepGrid(contract.receptive_field, contract.stride, contract.padding)
    clip = make_clip(93)
    for num_frames in (93, 92):
        length = grid.chunk_frames(grid.min_chunk_frames + grid.stride + 8, num_frames)
        steps: list[Any] = []
        while True:
            chunk = grid.chunk(len(steps), length, num_frames)
            found = engine.step_logits(clip[chunk.start : min(chunk.stop, num_frames)], UNIT)
            steps.extend(found[chunk.skipped :][: chunk.num_steps])
            if chunk.num_steps is None:
                break
        np.testing.assert_allclose(
            steps, engine.step_logits(clip[:num_frames], UNIT), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("name", forms.NOT_UNDERSTOOD)
def test_no_field_is_claimed_where_the_graph_is_not_understood(
    name: str, layered: Callable[[str], Path]
) -> None:
    contract = read_model(layered(name)).contract
    assert (contract.receptive_field, contract.stride) == (None, None)


def test_a_step_of_camera_motion_sees_36_frames(load: Load) -> None:
    engine = load(CAMERA_MOTION)
    assert (engine.contract.receptive_field, engine.contract.stride) == (36, 8)
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, (64, 224, 224, 3)).astype(np.float32)
    before = engine.run(pixels)
    # The fourth step sees frames 16 to 51: each end counts, and what is next to it does not.
    for number, is_seen in ((15, False), (16, True), (51, True), (52, False)):
        changed = pixels.copy()
        changed[number] = random.uniform(-1, 1, changed.shape[1:])
        assert (np.abs(engine.run(changed)[3] - before[3]).max() > 1e-5) == is_seen


@needs_openvino
@pytest.mark.parametrize(
    ("label", "num_frames"), [("roll left", 9), ("pan right", 64), ("zoom in", 79)]
)
def test_the_engines_agree_on_camera_motion(label: str, num_frames: int) -> None:
    scene = moves.make_scene("leaves", seed=3)
    clip = moves.render_move(scene, label, num_frames, (224, 224), seed=5)[..., ::-1]
    _assert_agreement(CAMERA_MOTION, clip)


@needs_openvino
@pytest.mark.slow
def test_the_engines_agree_on_twelve_seconds_of_camera_motion() -> None:
    scene = moves.make_scene("leaves", seed=3)
    _assert_agreement(CAMERA_MOTION, moves.render_move(scene, "tilt up", 300, (224, 224), seed=5))


def _assert_agreement(module_dir: Path, clip: np.ndarray) -> None:
    one, other = (load_engine(module_dir, name) for name in ENGINES)
    assert one.contract == other.contract
    steps = [engine.step_logits(clip, engine.contract.input_range) for engine in (one, other)]
    assert steps[0].shape == steps[1].shape
    assert_close(*steps, tolerance=1e-4)
    mine, theirs = (softmax(logits.mean(0)) for logits in steps)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4)


# Other formats


@pytest.mark.parametrize("form", ["no-mark", "no-mark-serve"])
def test_a_tensorflow_1_model_without_the_hubs_mark_is_the_same_model(
    form: str, load: Load, written: Written, plain: Engine
) -> None:
    """As converted from a checkpoint by hand, or downloaded without `tfhub_module.pb`."""
    engine = load(written(form))
    assert engine.contract == plain.contract
    clip = make_clip(25)
    assert_close(engine.step_logits(clip, TRAINING), plain.step_logits(clip, TRAINING))


@pytest.mark.parametrize(
    ("form", "signature"), [("tf2", "serving_default"), ("tf2-watch", "watch")]
)
def test_a_tensorflow_2_model_of_movinets_form_runs(
    form: str, signature: str, load: Load, written: Written
) -> None:
    engine = load(written(form))
    contract = engine.contract
    assert (contract.signature, contract.input_name) == (signature, "image")
    assert (contract.output_name, contract.num_labels) == ("logits", small.NUM_LABELS)
    assert contract.size is None
    assert contract.input_range == UNIT
    assert not contract.has_steps

    gc.collect()  # its variables must not go with the loader's names
    for size in (20, 33):
        clip = make_clip(3, size=size)
        steps = engine.step_logits(clip, UNIT)
        expected = own_output(written(form), scale_pixels(clip, UNIT))
        assert_close(steps, expected[np.newaxis])


# Refusals of models


def refusal(load: Load, module_dir: Path) -> str:
    """What the engine says on a model that it refuses: one sentence that names the model."""
    with pytest.raises(ModelLoadError) as caught:
        load(module_dir)
    message = caught.value.message
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message
    assert "Graph execution error" not in message
    assert "src/" not in message, "where OpenVINO raised it is of no use to anybody"
    assert str(module_dir) in message
    assert caught.value.hint
    return message


def test_a_folder_without_a_model_is_refused(load: Load, tmp_path: Path) -> None:
    assert "it has no saved_model.pb" in refusal(load, tmp_path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "damage",
    [
        lambda module: (module / "saved_model.pb").write_bytes(b"garbage" * 99),
        lambda module: (module / "saved_model.pb").write_bytes(b""),
        lambda module: _cut(module / "saved_model.pb"),
        lambda module: shutil.rmtree(module / "variables"),
        lambda module: (module / "variables" / "variables.index").unlink(),
        lambda module: (module / "variables" / "variables.data-00000-of-00001").unlink(),
        lambda module: _cut(module / "variables" / "variables.data-00000-of-00001"),
        lambda module: (module / "variables" / "variables.index").write_bytes(b"garbage" * 99),
    ],
    ids=[
        *("garbage", "empty", "cut", "no-variables", "no-index", "no-data", "cut-data"),
        "garbage-index",
    ],
)
def test_a_damaged_model_is_refused(
    damage: Callable[[Path], object], load: Load, written: Written, tmp_path: Path
) -> None:
    module = tmp_path / "module"
    shutil.copytree(written("plain"), module)
    damage(module)
    refusal(load, module)


def _text_embedding() -> small.Signature:
    import tensorflow as tf

    text = small.placeholder((None,), "string")
    table = tf.constant(np.ones((10, 4), np.float32))
    return {"text": text}, {"default": tf.gather(table, tf.strings.to_hash_bucket_fast(text, 10))}


def _image_classifier() -> small.Signature:
    import tensorflow as tf

    images = small.placeholder((None, 16, 16, 3))
    return {"images": images}, {"default": tf.reduce_mean(images, (1, 2))}


def _stream() -> small.Signature:
    pixels, state = small.placeholder(), small.placeholder((None, 4))
    logits = small.mean_over_time(small.step_logits(pixels))
    return {"image": pixels, "state": state}, {"logits": logits, "state": state + 1.0}


def _video(shape: tuple[int | None, ...] = (None, None, 16, 16, 3), dtype: str = "float32") -> Any:
    """A builder of a model with another input."""

    def build() -> small.Signature:
        import tensorflow as tf

        pixels = small.placeholder(shape, dtype)
        logits = small.mean_over_time(small.step_logits(tf.cast(pixels, tf.float32)))
        return {"video": pixels}, {"default": logits}

    return build


def _wide() -> small.Signature:
    import tensorflow as tf

    pixels = small.placeholder((None, None, 16, 24, 3))
    return {"video": pixels}, {"default": tf.reduce_mean(pixels, (1, 2, 3))}


def _output(change: Callable[[Any], dict[str, Any]]) -> Any:
    """A builder of a model with other outputs, made from the (batch, steps, 1, 1, labels)."""

    def build() -> small.Signature:
        pixels = small.placeholder()
        return {"video": pixels}, change(small.step_logits(pixels))

    return build


def _unknown_length(steps: Any) -> dict[str, Any]:
    import tensorflow as tf

    logits = small.mean_over_time(steps)
    return {"default": tf.compat.v1.placeholder_with_default(logits, (None, None))}


def _integers(steps: Any) -> dict[str, Any]:
    import tensorflow as tf

    return {"best": tf.math.top_k(small.mean_over_time(steps), 3).indices}


def _two_outputs(steps: Any) -> dict[str, Any]:
    logits = small.mean_over_time(steps)
    return {"verbs": logits, "nouns": logits + 1.0}


OTHER_KINDS: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (_text_embedding, "default takes text (None,)"),
    "image": (_image_classifier, "default takes images (None, 16, 16, 3)"),
    "two-inputs": (_stream, "default takes image (None, None, 16, 16, 3), state (None, 4)"),
    "no-signature": (dict, "it has no signatures"),
    "fixed-length": (_video((None, 16, 16, 16, 3)), "any number of frames"),
    "optical-flow": (_video((None, None, 16, 16, 2)), "(None, None, 16, 16, 2)"),
    "fixed-batch": (_video((4, None, 16, 16, 3)), "(4, None, 16, 16, 3)"),
    "not-square": (_wide, "(None, None, 16, 24, 3)"),
    "integer-pixels": (_video(dtype="uint8"), "uint8"),
    "no-2d-output": (
        _output(lambda steps: {"default": steps}),
        "no output of shape (batch, labels) (default (None, None, 1, 1, 5))",
    ),
    "two-2d-outputs": (_output(_two_outputs), "more than one output of shape (batch, labels)"),
    "no-scores": (_output(_integers), "no output of shape"),
    "unknown-length": (_output(_unknown_length), "does not say how many labels it has"),
}


@pytest.fixture(scope="module")
def other_kind(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("kinds")

    def write(name: str) -> Path:
        if not (folder / name).exists():
            small.write_tf1(folder / name, OTHER_KINDS[name][0])
        return folder / name

    return write


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_model_of_another_kind_is_refused(
    kind: str, load: Load, other_kind: Callable[[str], Path]
) -> None:
    assert OTHER_KINDS[kind][1] in refusal(load, other_kind(kind))


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_a_path_that_is_not_utf8_is_told_as_such(
    load: Load, written: Written, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.copytree(written("plain"), folder)
    with pytest.raises(ModelLoadError, match="is not UTF-8"):
        load(folder)


def test_a_path_that_is_not_ascii_is_no_matter(
    load: Load, written: Written, tmp_path: Path, plain: Engine
) -> None:
    folder = tmp_path / "Übung 映像"
    shutil.copytree(written("plain"), folder)
    clip = make_clip(9)
    assert_close(load(folder).step_logits(clip, TRAINING), plain.step_logits(clip, TRAINING))


def test_an_unknown_engine_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="tensorflw") as caught:
        load_engine(tmp_path, "tensorflw")
    assert "tensorflow" in str(caught.value.hint)


# Refusals of clips


@pytest.mark.parametrize("num_frames", [0, 1, 8])
def test_too_few_frames_are_an_error_of_ours(num_frames: int, plain: Engine) -> None:
    expected = f"clip of {num_frames} frames is too short for the model"
    with pytest.raises(EngineError, match=expected) as caught:
        plain.step_logits(make_clip(num_frames), TRAINING)
    assert "Graph execution error" not in caught.value.message
    with pytest.raises(EngineError, match=f"clip of {num_frames} frames"):
        plain.run(scale_pixels(make_clip(num_frames), TRAINING))


def test_a_wrong_size_is_an_error_of_ours(plain: Engine) -> None:
    with pytest.raises(EngineError, match="17 frames of 24 x 24 pixels") as caught:
        plain.step_logits(make_clip(17, size=24), TRAINING)
    assert "Graph execution error" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_refused_clip_does_not_spoil_the_next(plain: Engine) -> None:
    expected = plain.step_logits(make_clip(17), TRAINING)
    for clip in (make_clip(8), make_clip(17, size=24), make_clip(0)):
        with pytest.raises(EngineError):
            plain.step_logits(clip, TRAINING)
        np.testing.assert_array_equal(plain.step_logits(make_clip(17), TRAINING), expected)
