"""The TensorFlow engine, on small models of every form; the full network is in
test_tutorial_equality.py.
"""

from __future__ import annotations

import gc
import math
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

from i3d.engines import load_engine
from i3d.engines.tf_graph import TemporalField, find_temporal_field
from i3d.errors import EngineError, EngineNotInstalledError, ModelLoadError, UnknownNameError
from i3d.transforms import scale_pixels

import small_modules as small

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d.engines.base import Clip, Engine

SOURCE = Path(__file__).parent.parent / "src"
TRAINING = (-1.0, 1.0)
UNIT = (0.0, 1.0)


def make_clip(num_frames: int, size: int = small.SIZE) -> Clip:
    random = np.random.default_rng(num_frames)
    return random.integers(0, 256, (num_frames, size, size, 3), dtype=np.uint8)


def own_output(module_dir: Path, pixels: np.ndarray) -> np.ndarray:
    """What the module's signature itself says, without our engine."""
    import tensorflow as tf
    import tensorflow_hub

    module = tensorflow_hub.load(str(module_dir))  # its variables live as long as this name
    (signature,) = module.signatures.values()
    (name,) = signature.structured_input_signature[1]
    (output,) = signature(**{name: tf.constant(pixels[np.newaxis])}).values()
    return output.numpy()[0]


@pytest.fixture(scope="module")
def plain_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub module with I3D's interface."""
    return small.write_video_module(tmp_path_factory.mktemp("modules") / "plain")


@pytest.fixture(scope="module")
def plain(plain_dir: Path) -> Engine:
    return load_engine(plain_dir)


# Names and shapes


def test_names_are_read_from_the_signature(plain: Engine) -> None:
    contract = plain.contract
    assert (contract.signature, contract.input_name) == ("default", "rgb_input")
    assert contract.output_name == "default"
    assert contract.num_labels == small.NUM_LABELS
    assert contract.size == small.SIZE
    assert plain.name == "tensorflow"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", plain.version)


def test_any_names_will_do(tmp_path: Path) -> None:
    def build() -> dict[str, small.Signature]:
        import tensorflow as tf

        pixels = tf.compat.v1.placeholder(tf.float32, (None, None, 16, 16, 3), name="x")
        scores = tf.identity(small.mean_over_time(small.step_logits(pixels)), name="y")
        return {"watch": ({"video": pixels}, {"actions": scores})}

    engine = load_engine(small.write_tf1(tmp_path / "module", build))
    contract = engine.contract
    assert (contract.signature, contract.input_name) == ("watch", "video")
    assert contract.output_name == "actions"
    assert engine.step_logits(make_clip(17), TRAINING).shape == (2, small.NUM_LABELS)


def test_the_output_called_default_wins_and_features_beside_it_do_not_matter(
    tmp_path: Path,
) -> None:
    def build() -> small.Signature:
        import tensorflow as tf

        pixels = small.placeholder()
        features = tf.reduce_mean(pixels, (1, 2, 3))
        logits = small.mean_over_time(small.step_logits(pixels))
        return {"rgb_input": pixels}, {"a_features": features, "default": logits}

    contract = load_engine(small.write_tf1(tmp_path / "module", build)).contract
    assert contract.output_name == "default"
    assert contract.num_labels == small.NUM_LABELS


def test_the_graph_variant_without_tags_is_taken(tmp_path: Path) -> None:
    """Hub modules may hold a second graph for training."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        pixels = small.placeholder()
        logits = small.mean_over_time(small.step_logits(pixels))
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"video": pixels}, {"default": logits})
        builder = v1.saved_model.Builder(str(tmp_path / "module"))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.add_meta_graph(["train"], signature_def_map={"default": signature})
        builder.save()
    (tmp_path / "module" / "tfhub_module.pb").write_bytes(b"\x08\x03")

    assert load_engine(tmp_path / "module").contract.input_name == "video"


# Step logits


@pytest.mark.parametrize("num_frames", [9, 16, 17, 64, 79])
def test_the_mean_of_the_step_logits_is_the_models_own_output(
    num_frames: int, plain: Engine, plain_dir: Path
) -> None:
    clip = make_clip(num_frames)
    steps = plain.step_logits(clip, TRAINING)

    assert plain.contract.has_steps
    assert steps.shape == (math.ceil(num_frames / 8) - 1, small.NUM_LABELS)
    assert steps.dtype == np.float32
    expected = own_output(plain_dir, scale_pixels(clip, TRAINING))
    np.testing.assert_allclose(steps.mean(0), expected, rtol=0, atol=1e-5 * np.abs(steps).max())


def _squeezed(steps: Any) -> Any:
    import tensorflow as tf

    return tf.squeeze(steps, (2, 3))


def _mean(steps: Any, axes: Any, *, keepdims: bool = False) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(steps, axes, keepdims=keepdims)


def _hidden(output: Any) -> Any:
    import tensorflow as tf

    output = tf.reshape(tf.identity(output), (-1, 1, small.NUM_LABELS))
    return tf.squeeze(tf.stop_gradient(output), (1,), name="hidden")


def _mean_then_squeeze(steps: Any) -> Any:
    import tensorflow as tf

    return tf.squeeze(tf.reduce_mean(steps, (1,), keepdims=True), (1, 2, 3))


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(lambda steps: _hidden(small.mean_over_time(steps)), id="hidden-mean"),
        pytest.param(lambda steps: _mean(steps, (1, 2, 3)), id="mean-of-all-three-axes"),
        pytest.param(lambda steps: _mean(_squeezed(steps), -2), id="axis-from-the-end"),
        pytest.param(_mean_then_squeeze, id="mean-then-squeeze"),
    ],
)
def test_the_mean_over_time_is_found_by_its_structure(
    after: Callable[[Any], Any], tmp_path: Path
) -> None:
    module = small.write_video_module(tmp_path / "module", after=after)
    engine = load_engine(module)
    clip = make_clip(25)

    steps = engine.step_logits(clip, TRAINING)
    assert engine.contract.has_steps
    assert steps.shape == (3, small.NUM_LABELS)
    expected = own_output(module, scale_pixels(clip, TRAINING))
    np.testing.assert_allclose(steps.mean(0), expected, rtol=0, atol=1e-5 * np.abs(steps).max())


def _probabilities(steps: Any) -> Any:
    import tensorflow as tf

    return tf.identity(tf.nn.softmax(small.mean_over_time(steps)))


def test_a_model_that_gives_probabilities_is_asked_for_its_logits(tmp_path: Path) -> None:
    module = small.write_video_module(tmp_path / "module", after=_probabilities)
    clip = make_clip(25)

    steps = load_engine(module).step_logits(clip, TRAINING)

    powers = np.exp(steps.mean(0, dtype=np.float64))
    expected = own_output(module, scale_pixels(clip, TRAINING))
    np.testing.assert_allclose(powers / powers.sum(), np.ravel(expected), rtol=1e-5)
    assert steps.shape == (3, small.NUM_LABELS)


def _two_opinions(steps: Any) -> Any:
    """The mean of two heads: axis 1 is not time."""
    import tensorflow as tf

    steps = _squeezed(steps)
    return tf.reduce_mean(tf.stack([_mean(steps, 1), tf.reduce_max(steps, 1)], 1), 1)


def _regrouped(steps: Any) -> Any:
    """A mean of other things than the labels: (batch, 5) becomes (5 * batch, 1)."""
    import tensorflow as tf

    return tf.reshape(small.mean_over_time(steps), (-1, 1))


@pytest.mark.parametrize(
    ("after", "num_outputs"),
    [
        pytest.param(lambda steps: _mean(steps, (1, 2, 3)) + 1.0, (1, 5), id="something-follows"),
        pytest.param(_two_opinions, (1, 5), id="mean-of-two-heads"),
        pytest.param(_regrouped, (5, 1), id="mean-of-other-things"),
    ],
)
def test_without_a_mean_over_time_the_output_itself_is_the_only_step(
    after: Callable[[Any], Any], num_outputs: tuple[int, int], tmp_path: Path
) -> None:
    module = small.write_video_module(tmp_path / "module", after=after)
    engine = load_engine(module)
    clip = make_clip(25)

    steps = engine.step_logits(clip, TRAINING)
    assert not engine.contract.has_steps
    assert steps.shape == num_outputs
    expected = own_output(module, scale_pixels(clip, TRAINING))
    np.testing.assert_allclose(steps.ravel()[: expected.size], expected, rtol=1e-5)


def test_the_range_is_what_pixels_are_fed_in(plain: Engine, plain_dir: Path) -> None:
    clip = make_clip(9)
    for value_range in (TRAINING, UNIT, (0.0, 255.0)):
        expected = own_output(plain_dir, scale_pixels(clip, value_range))
        steps = plain.step_logits(clip, value_range)
        np.testing.assert_allclose(steps[0], expected, rtol=1e-5)


def test_pixels_that_are_already_in_the_models_range_are_fed_as_they_are(
    plain: Engine, plain_dir: Path
) -> None:
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, (17, small.SIZE, small.SIZE, 3)).astype(np.float32)
    steps = plain.run(pixels)
    assert steps.shape == (2, small.NUM_LABELS)
    assert steps.dtype == np.float32
    np.testing.assert_allclose(steps.mean(0), own_output(plain_dir, pixels), rtol=1e-5)


def test_a_clip_is_run_as_its_scaled_pixels(plain: Engine) -> None:
    clip = make_clip(17)
    steps = plain.step_logits(clip, TRAINING)
    np.testing.assert_array_equal(steps, plain.run(scale_pixels(clip, TRAINING)))


def test_a_model_outlives_the_garbage_collector(plain_dir: Path) -> None:
    engine = load_engine(plain_dir)
    before = engine.step_logits(make_clip(9), TRAINING)
    gc.collect()
    np.testing.assert_array_equal(engine.step_logits(make_clip(9), TRAINING), before)


# The range


def test_a_graph_that_rescales_nothing_wants_the_range_of_training(plain: Engine) -> None:
    assert plain.contract.input_range == TRAINING
    assert "nothing rescales the pixels" in plain.contract.input_range_reason


def _through_subtraction(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.pad(tf.identity(pixels - 0.5), [(0, 0), (2, 2), (0, 0), (0, 0), (0, 0)])


def _normalised(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.nn.batch_normalization(pixels, 0.4, 0.1, None, None, 1e-3)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda pixels: 2.0 * pixels - 1.0, id="multiplied"),
        pytest.param(lambda pixels: pixels / 0.5, id="divided"),
        pytest.param(_through_subtraction, id="subtracted-then-padded"),
        pytest.param(_normalised, id="batch-norm"),
    ],
)
def test_a_graph_that_rescales_pixels_itself_wants_zero_to_one(
    before: Callable[[Any], Any], tmp_path: Path
) -> None:
    contract = load_engine(small.write_video_module(tmp_path / "m", before=before)).contract
    assert contract.input_range == UNIT
    assert "rescales its input itself" in contract.input_range_reason


def _shape_arithmetic(pixels: Any) -> Any:
    """Pads to a multiple of 8 frames: it subtracts and multiplies numbers of frames, not pixels."""
    import tensorflow as tf

    shape = tf.shape(pixels)
    more = (8 - shape[1] % 8) * 1
    return tf.concat([pixels, tf.zeros((shape[0], more, small.SIZE, small.SIZE, 3))], 1)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(_shape_arithmetic, id="of-the-number-of-frames"),
        pytest.param(lambda pixels: small.convolution(pixels, "first", 3) * 255.0, id="afterwards"),
    ],
)
def test_arithmetic_elsewhere_does_not_count_as_rescaling(
    before: Callable[[Any], Any], tmp_path: Path
) -> None:
    contract = load_engine(small.write_video_module(tmp_path / "m", before=before)).contract
    assert contract.input_range == TRAINING


def test_rescaling_on_a_branch_without_a_convolution_does_not_count(tmp_path: Path) -> None:
    def build() -> small.Signature:
        import tensorflow as tf

        pixels = small.placeholder()
        brightness = tf.reduce_mean(pixels * 255.0, (1, 2, 3, 4))
        logits = small.mean_over_time(small.step_logits(pixels))
        return {"video": pixels}, {"default": logits, "brightness": brightness}

    contract = load_engine(small.write_tf1(tmp_path / "module", build)).contract
    assert contract.input_range == TRAINING


def test_a_graph_without_a_3d_convolution_gets_the_hubs_range(tmp_path: Path) -> None:
    def build() -> small.Signature:
        import tensorflow as tf

        pixels = small.placeholder()
        return {"video": pixels}, {"default": tf.reduce_mean(pixels, (1, 2, 3))}

    contract = load_engine(small.write_tf1(tmp_path / "module", build)).contract
    assert contract.input_range == UNIT
    assert "no 3-D convolution" in contract.input_range_reason


# The receptive field


@dataclass(frozen=True)
class Built:
    """Steps of a graph that takes (batch, frames, 16, 16, 3)."""

    graph: Any
    pixels: Any
    steps: Any

    @property
    def field(self) -> TemporalField | None:
        return find_temporal_field(self.pixels, self.steps)


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


def _convolved(net: Any, name: str, frames: int, padding: str, stride: int, dilation: int) -> Any:
    """A convolution over time only."""
    import tensorflow as tf

    shape = (frames, 1, 1, net.shape[-1], 4)
    kernel = tf.compat.v1.get_variable(name, shape)
    strides, dilations = (1, stride, 1, 1, 1), (1, dilation, 1, 1, 1)
    return tf.nn.conv3d(net, kernel, strides, padding, dilations=dilations)


def _pooled(pixels: Any) -> Any:
    import tensorflow as tf

    net = tf.nn.max_pool3d(pixels, (1, 3, 3, 3, 1), (1, 2, 2, 2, 1), "SAME")
    return tf.nn.avg_pool3d(net, (1, 2, 2, 2, 1), (1, 2, 2, 2, 1), "VALID")


def _padded(pixels: Any) -> Any:
    import tensorflow as tf

    net = tf.pad(pixels, [(0, 0), (1, 3), (0, 0), (0, 0), (0, 0)])
    return _convolved(net, "a", 3, "VALID", 2, 1)


def _branches_that_look_elsewhere(pixels: Any) -> Any:
    """One looks 4 frames back, one 4 frames ahead: together they see 9."""
    import tensorflow as tf

    back = tf.pad(pixels, [(0, 0), (4, 0), (0, 0), (0, 0), (0, 0)])
    ahead = tf.pad(pixels, [(0, 0), (0, 4), (0, 0), (0, 0), (0, 0)])
    back = _convolved(back, "a", 5, "VALID", 2, 1)
    ahead = _convolved(ahead, "b", 5, "VALID", 2, 1)
    narrow = _convolved(pixels, "c", 1, "SAME", 2, 1)
    return tf.concat([back, ahead, narrow], -1)


def _shapes_and_elements(pixels: Any) -> Any:
    import tensorflow as tf

    net = _convolved(pixels, "a", 3, "SAME", 2, 1)
    energy = tf.reduce_mean(tf.square(net), -1)
    energy = tf.matmul(energy, tf.eye(small.SIZE, batch_shape=(1, 1)) + 0.1)
    net = tf.nn.bias_add(net * tf.expand_dims(tf.math.rsqrt(energy + 1.0), -1), tf.ones(4))
    net = tf.nn.softmax(tf.transpose(tf.nn.leaky_relu(net), (0, 1, 3, 2, 4)))
    net = tf.pad(net, [(0, 0), (0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
    net = tf.reshape(net, (tf.shape(net)[0], tf.shape(net)[1], 18 * 18, 4))
    ones = tf.ones(4)
    net, *_ = tf.compat.v1.nn.fused_batch_norm(net, ones, ones, ones, ones, is_training=False)
    return tf.squeeze(tf.reduce_max(net, 2, keepdims=True), (2,))


def _like_i3d(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.squeeze(small.step_logits(pixels), (2, 3))


@pytest.mark.parametrize(
    ("layers", "receptive_field", "stride"),
    [
        pytest.param(_like_i3d, 7 + 8 + 8, 8, id="like-i3d"),
        pytest.param(_pooled, 3 + 2, 4, id="pools"),
        pytest.param(_padded, 3, 2, id="padded-by-hand"),
        pytest.param(lambda pixels: _convolved(pixels, "a", 3, "SAME", 1, 4), 9, 1, id="dilated"),
        pytest.param(_branches_that_look_elsewhere, 9, 2, id="branches"),
        pytest.param(_shapes_and_elements, 3, 2, id="time-left-alone"),
    ],
)
def test_the_receptive_field_is_the_frames_that_a_step_depends_on(
    layers: Callable[[Any], Any], receptive_field: int, stride: int
) -> None:
    built = build(layers)
    assert built.field == TemporalField(receptive_field, stride)
    seen = frames_seen(built, num_frames=64)
    middle = len(seen) // 2
    first, last = seen[middle][0], seen[middle][-1]
    assert last - first + 1 == receptive_field
    assert (seen[middle + 1][0], seen[middle + 1][-1]) == (first + stride, last + stride)


def _repeated(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.concat([pixels, pixels], 1)


def _through_a_function(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.function(tf.nn.relu)(pixels)


def _merged(pixels: Any) -> Any:
    """Two frames become one: (batch, frames / 2, 32, 16, 3)."""
    import tensorflow as tf

    return tf.reshape(pixels, (tf.shape(pixels)[0], -1, 2 * small.SIZE, small.SIZE, 3))


def _of_two_rates(pixels: Any) -> Any:
    import tensorflow as tf

    mean = tf.nn.avg_pool3d(pixels, (1, 64, 1, 1, 1), (1, 64, 1, 1, 1), "SAME")
    return pixels * mean


def _channels_first(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.nn.max_pool3d(pixels, (1, 1, 1, 3, 1), (1, 1, 1, 1, 1), "SAME", data_format="NCDHW")


def _with_its_own_filter(pixels: Any) -> Any:
    import tensorflow as tf

    filters = tf.transpose(pixels, (0, 1, 2, 4, 3))
    return tf.nn.conv3d(pixels, filters, (1, 1, 1, 1, 1), "SAME")


def _brighter_than_the_clip(pixels: Any) -> Any:
    import tensorflow as tf

    return pixels - tf.reduce_mean(pixels, (1, 2, 3), keepdims=True)


def _transposed(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.transpose(pixels, (0, 2, 1, 3, 4))


def _normalised_over_the_clip(pixels: Any) -> Any:
    import tensorflow as tf

    net = tf.reshape(pixels, (tf.shape(pixels)[0], tf.shape(pixels)[1], small.SIZE**2, 3))
    net, *_ = tf.compat.v1.nn.fused_batch_norm(net, tf.ones(3), tf.ones(3), is_training=True)
    return tf.expand_dims(net, 2)


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(lambda pixels: pixels[:, 1:] - pixels[:, :-1], id="differences"),
        pytest.param(_repeated, id="frames-put-behind"),
        pytest.param(_through_a_function, id="function"),
        pytest.param(_merged, id="frames-merged"),
        pytest.param(_of_two_rates, id="two-rates"),
        pytest.param(_channels_first, id="channels-first"),
        pytest.param(_with_its_own_filter, id="filter-from-the-pixels"),
        pytest.param(_brighter_than_the_clip, id="mean-over-time"),
        pytest.param(_transposed, id="time-moved"),
        pytest.param(_normalised_over_the_clip, id="moments-over-time"),
    ],
)
def test_no_receptive_field_is_claimed_where_the_graph_is_not_understood(
    layers: Callable[[Any], Any],
) -> None:
    built = build(lambda pixels: _convolved(layers(pixels), "a", 3, "SAME", 2, 1))
    assert built.field is None


def test_what_does_not_lead_to_the_steps_need_not_be_understood() -> None:
    import tensorflow as tf

    def layers(pixels: Any) -> Any:
        every_second = pixels[:, ::2]
        net = _convolved(pixels, "a", 3, "SAME", 2, 1)
        return net * tf.cast(tf.shape(every_second)[1], tf.float32)

    assert build(layers).field == TemporalField(3, 2)


def test_steps_that_do_not_depend_on_the_pixels_have_no_receptive_field() -> None:
    import tensorflow as tf

    built = build(lambda pixels: tf.zeros((1, tf.shape(pixels)[1], 3)))
    assert built.field is None


def test_the_contract_has_the_receptive_field(plain: Engine, tmp_path: Path) -> None:
    assert (plain.contract.receptive_field, plain.contract.stride) == (23, 8)
    without_steps = load_engine(small.write_tf2(tmp_path / "module")).contract
    assert (without_steps.receptive_field, without_steps.stride) == (None, None)


def test_a_step_of_camera_motion_sees_36_frames() -> None:
    engine = load_engine(SOURCE / "i3d" / "data" / "camera-motion")
    assert (engine.contract.receptive_field, engine.contract.stride) == (36, 8)
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, (64, 224, 224, 3)).astype(np.float32)
    before = engine.run(pixels)
    # The fourth step sees frames 16 to 51: each end counts, and what is next to it does not.
    for number, is_seen in ((15, False), (16, True), (51, True), (52, False)):
        changed = pixels.copy()
        changed[number] = random.uniform(-1, 1, changed.shape[1:])
        assert (np.abs(engine.run(changed)[3] - before[3]).max() > 1e-5) == is_seen


# Other formats


@pytest.mark.parametrize("tags", [(), ("serve",)])
def test_a_tensorflow_1_model_without_the_hubs_mark_is_the_same_model(
    tags: tuple[str, ...], tmp_path: Path, plain: Engine
) -> None:
    """As converted from a checkpoint by hand, or downloaded without `tfhub_module.pb`."""
    module = small.write_video_module(tmp_path / "module", tags=tags, is_hub_module=False)
    engine = load_engine(module)
    assert engine.contract == plain.contract
    assert engine.step_logits(make_clip(25), TRAINING).shape == (3, small.NUM_LABELS)


@pytest.mark.parametrize("signature", ["serving_default", "watch"])
def test_a_tensorflow_2_model_of_movinets_form_runs(signature: str, tmp_path: Path) -> None:
    module = small.write_tf2(tmp_path / "module", signature=signature)
    engine = load_engine(module)
    contract = engine.contract
    assert (contract.signature, contract.input_name) == (signature, "image")
    assert (contract.output_name, contract.num_labels) == ("logits", small.NUM_LABELS)
    assert contract.size is None
    assert contract.input_range == UNIT
    assert not contract.has_steps

    gc.collect()  # its variables must not go with the loader's names
    clip = make_clip(3, size=20)
    steps = engine.step_logits(clip, UNIT)
    expected = own_output(module, scale_pixels(clip, UNIT))
    np.testing.assert_allclose(steps, expected[np.newaxis], rtol=1e-5)


# Refusals of models


def refusal(module_dir: Path) -> str:
    """What the engine says on a model that it refuses: one sentence that names the model."""
    with pytest.raises(ModelLoadError) as caught:
        load_engine(module_dir)
    message = caught.value.message
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message
    assert "Graph execution error" not in message
    assert str(module_dir) in message
    assert caught.value.hint
    return message


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    assert "it has no saved_model.pb" in refusal(tmp_path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda module: (module / "saved_model.pb").write_bytes(b"garbage" * 99), "parse"),
        (lambda module: (module / "saved_model.pb").write_bytes(b""), "could not be found"),
        (lambda module: _cut(module / "saved_model.pb"), "parse"),
        (lambda module: shutil.rmtree(module / "variables"), "variables"),
        (lambda module: (module / "variables" / "variables.index").unlink(), "variables"),
        (
            lambda module: (module / "variables" / "variables.data-00000-of-00001").unlink(),
            "variables.data-00000-of-00001",
        ),
        (lambda module: _cut(module / "variables" / "variables.data-00000-of-00001"), "bytes"),
    ],
    ids=["garbage", "empty", "cut", "no-variables", "no-index", "no-data", "cut-data"],
)
def test_a_damaged_model_is_refused(
    damage: Callable[[Path], object], reason: str, plain_dir: Path, tmp_path: Path
) -> None:
    module = tmp_path / "module"
    shutil.copytree(plain_dir, module)
    damage(module)

    message = refusal(module)
    assert message.startswith(f"TensorFlow cannot load the model in {module}: ")
    assert reason in message.removeprefix(f"TensorFlow cannot load the model in {module}: ")


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


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(_text_embedding, "default takes text (None,)", id="text"),
        pytest.param(_image_classifier, "default takes images (None, 16, 16, 3)", id="image"),
        pytest.param(
            _stream,
            "default takes image (None, None, 16, 16, 3), state (None, 4)",
            id="two-inputs",
        ),
        pytest.param(dict, "it has no signatures", id="no-signature"),
        pytest.param(_video((None, 16, 16, 16, 3)), "any number of frames", id="fixed-length"),
        pytest.param(_video((None, None, 16, 16, 2)), "(None, None, 16, 16, 2)", id="optical-flow"),
        pytest.param(_video((4, None, 16, 16, 3)), "(4, None, 16, 16, 3)", id="fixed-batch"),
        pytest.param(_video(dtype="uint8"), "uint8", id="integer-pixels"),
        pytest.param(
            _output(lambda steps: {"default": steps}),
            "no output of shape (batch, labels) (default (None, None, 1, 1, 5))",
            id="no-2d-output",
        ),
        pytest.param(
            _output(_two_outputs),
            "more than one output of shape (batch, labels)",
            id="two-2d-outputs",
        ),
        pytest.param(_output(_integers), "no output of shape", id="no-scores"),
        pytest.param(
            _output(_unknown_length), "does not say how many labels it has", id="unknown-length"
        ),
    ],
)
def test_a_model_of_another_kind_is_refused(
    build: Callable[[], Any], reason: str, tmp_path: Path
) -> None:
    assert reason in refusal(small.write_tf1(tmp_path / "module", build))


def test_an_unknown_engine_is_named(plain_dir: Path) -> None:
    with pytest.raises(UnknownNameError, match="tensorflw"):
        load_engine(plain_dir, "tensorflw")


# Refusals of clips


@pytest.mark.parametrize("num_frames", [0, 1, 8])
def test_too_few_frames_are_an_error_of_ours(num_frames: int, plain: Engine) -> None:
    with pytest.raises(EngineError, match=f"clip of {num_frames} frames") as caught:
        plain.step_logits(make_clip(num_frames), TRAINING)
    assert "Graph execution error" not in caught.value.message


def test_a_wrong_size_is_an_error_of_ours(plain: Engine) -> None:
    with pytest.raises(EngineError, match="17 frames of 24 x 24 pixels") as caught:
        plain.step_logits(make_clip(17, size=24), TRAINING)
    assert "Graph execution error" not in caught.value.message
    assert "\n" not in caught.value.message


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
        load_engine(plain_dir)
    assert hint in str(caught.value.hint)


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_a_path_that_is_not_utf8_is_told_as_such(plain_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.copytree(plain_dir, folder)
    with pytest.raises(ModelLoadError, match="is not UTF-8"):
        load_engine(folder)


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
        "import sys, i3d, i3d.engines, i3d.engines.base\n"
        "sys.exit(str({'tensorflow', 'tensorflow_hub', 'keras'} & set(sys.modules)))"
    )
    assert run_python(program).stderr.strip() == "set()"


def test_tensorflow_is_silent(plain_dir: Path) -> None:
    """But for what its native parts write before they know the log level."""
    process = run_python(
        "import numpy, pathlib\n"
        "from i3d.engines import load_engine\n"
        f"engine = load_engine(pathlib.Path({str(plain_dir)!r}))\n"
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
