"""Every form of a video model that both engines run, by name; each is written in an instant.

What TensorFlow says of them is the measure: `own_output` asks it without i3d.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

import small_modules as small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from i3d.engines.base import Clip

TRAINING = (-1.0, 1.0)
UNIT = (0.0, 1.0)


def make_clip(num_frames: int, size: int = small.SIZE) -> Clip:
    """Noise, the same for each length."""
    random = np.random.default_rng(num_frames)
    return random.integers(0, 256, (num_frames, size, size, 3), dtype=np.uint8)


def own_output(module_dir: Path, pixels: np.ndarray) -> np.ndarray:
    """What the module's signature itself says, without our engines."""
    import tensorflow as tf

    _, name, signature = _own_signature(module_dir)
    (output,) = signature(**{name: tf.constant(pixels[np.newaxis])}).values()
    return output.numpy()[0]


@lru_cache(maxsize=4)
def _own_signature(module_dir: Path) -> tuple[Any, str, Any]:
    import tensorflow_hub

    module = tensorflow_hub.load(str(module_dir))  # its variables live as long as it does
    (signature,) = module.signatures.values()
    (name,) = signature.structured_input_signature[1]
    return module, name, signature


# What stands behind the steps, (batch, steps, 1, 1, labels)


def squeezed(steps: Any) -> Any:
    import tensorflow as tf

    return tf.squeeze(steps, (2, 3))


def mean(steps: Any, axes: Any, *, keepdims: bool = False) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(steps, axes, keepdims=keepdims)


def _hidden(steps: Any) -> Any:
    import tensorflow as tf

    output = tf.reshape(tf.identity(small.mean_over_time(steps)), (-1, 1, small.NUM_LABELS))
    return tf.squeeze(tf.stop_gradient(output), (1,), name="hidden")


def _mean_then_squeeze(steps: Any) -> Any:
    import tensorflow as tf

    return tf.squeeze(tf.reduce_mean(steps, (1,), keepdims=True), (1, 2, 3))


def _probabilities(steps: Any) -> Any:
    import tensorflow as tf

    return tf.identity(tf.nn.softmax(small.mean_over_time(steps)))


def _two_opinions(steps: Any) -> Any:
    """The mean of two heads: axis 1 is not time."""
    import tensorflow as tf

    steps = squeezed(steps)
    return tf.reduce_mean(tf.stack([mean(steps, 1), tf.reduce_max(steps, 1)], 1), 1)


def _regrouped(steps: Any) -> Any:
    """A mean of other things than the labels: (batch, 5) becomes (5 * batch, 1)."""
    import tensorflow as tf

    return tf.reshape(small.mean_over_time(steps), (-1, 1))


AFTER: dict[str, Callable[[Any], Any]] = {
    "hidden-mean": _hidden,
    "mean-of-all-three-axes": lambda steps: mean(steps, (1, 2, 3)),
    "axis-from-the-end": lambda steps: mean(squeezed(steps), -2),
    "mean-then-squeeze": _mean_then_squeeze,
}
"""Ways to write the mean over time that is to be found."""

NO_STEPS: dict[str, Callable[[Any], Any]] = {
    "something-follows": lambda steps: mean(steps, (1, 2, 3)) + 1.0,
    "mean-of-two-heads": _two_opinions,
    "mean-of-other-things": _regrouped,
}
"""Outputs that are no mean over time of step logits."""


# What stands before the first convolution


def _subtracted_then_padded(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.pad(tf.identity(pixels - 0.5), [(0, 0), (2, 2), (0, 0), (0, 0), (0, 0)])


def _normalised(pixels: Any) -> Any:
    import tensorflow as tf

    return tf.nn.batch_normalization(pixels, 0.4, 0.1, None, None, 1e-3)


def _shape_arithmetic(pixels: Any) -> Any:
    """Pads to a multiple of 8 frames: it subtracts and multiplies numbers of frames, not pixels."""
    import tensorflow as tf

    shape = tf.shape(pixels)
    more = (8 - shape[1] % 8) * 1
    return tf.concat([pixels, tf.zeros((shape[0], more, small.SIZE, small.SIZE, 3))], 1)


RESCALING: dict[str, Callable[[Any], Any]] = {
    "multiplied": lambda pixels: 2.0 * pixels - 1.0,
    "divided": lambda pixels: pixels / 0.5,
    "subtracted-then-padded": _subtracted_then_padded,
    "batch-norm": _normalised,
}
"""Graphs that rescale the pixels themselves."""

NOT_RESCALING: dict[str, Callable[[Any], Any]] = {
    "of-the-number-of-frames": _shape_arithmetic,
    "afterwards": lambda pixels: small.convolution(pixels, "first", 3) * 255.0,
}
"""Graphs that calculate something else."""

DIFFERS_IN_OPENVINO = "subtracted-then-padded"
"""OpenVINO (2025.0 to 2026.4) computes a pad before a strided SAME convolution wrong."""


# Layers over time, for the receptive field: (batch, frames, 16, 16, 3) to steps


def convolved(net: Any, name: str, frames: int, padding: str, stride: int, dilation: int) -> Any:
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
    return convolved(net, "a", 3, "VALID", 2, 1)


def _branches_that_look_elsewhere(pixels: Any) -> Any:
    """One looks 4 frames back, one 4 frames ahead: together they see 9."""
    import tensorflow as tf

    back = tf.pad(pixels, [(0, 0), (4, 0), (0, 0), (0, 0), (0, 0)])
    ahead = tf.pad(pixels, [(0, 0), (0, 4), (0, 0), (0, 0), (0, 0)])
    back = convolved(back, "a", 5, "VALID", 2, 1)
    ahead = convolved(ahead, "b", 5, "VALID", 2, 1)
    narrow = convolved(pixels, "c", 1, "SAME", 2, 1)
    return tf.concat([back, ahead, narrow], -1)


def _shapes_and_elements(pixels: Any) -> Any:
    import tensorflow as tf

    net = convolved(pixels, "a", 3, "SAME", 2, 1)
    energy = tf.reduce_mean(tf.square(net), -1)
    energy = tf.matmul(energy, np.eye(small.SIZE, dtype=np.float32)[np.newaxis, np.newaxis] + 0.1)
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


FIELDS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    "like-i3d": (_like_i3d, 7 + 8 + 8, 8),
    "pools": (_pooled, 3 + 2, 4),
    "padded-by-hand": (_padded, 3, 2),
    "dilated": (lambda pixels: convolved(pixels, "a", 3, "SAME", 1, 4), 9, 1),
    "branches": (_branches_that_look_elsewhere, 9, 2),
    "time-left-alone": (_shapes_and_elements, 3, 2),
}
"""Name -> layers, the frames that one step depends on, and from one step to the next."""

NOT_UNDERSTOOD: dict[str, Callable[[Any], Any]] = {
    "differences": lambda pixels: pixels[:, 1:] - pixels[:, :-1],
    "frames-put-behind": _repeated,
    "function": _through_a_function,
    "frames-merged": _merged,
    "two-rates": _of_two_rates,
    "channels-first": _channels_first,
    "filter-from-the-pixels": _with_its_own_filter,
    "mean-over-time": _brighter_than_the_clip,
    "time-moved": _transposed,
    "moments-over-time": _normalised_over_the_clip,
}
"""Layers that do something to time that is not followed."""


def write_layers(directory: Path, layers: Callable[[Any], Any]) -> Path:
    """Write a Hub module whose step logits are the means over space of what layers give."""

    def build() -> small.Signature:
        import tensorflow as tf

        pixels = small.placeholder()
        steps = layers(pixels)
        if steps.shape.rank == 5:
            steps = tf.reduce_mean(steps, (2, 3))
        return {"rgb_input": pixels}, {"default": tf.reduce_mean(steps, 1)}

    return small.write_tf1(directory, build)


# Whole modules


def _any_names() -> dict[str, small.Signature]:
    import tensorflow as tf

    pixels = tf.compat.v1.placeholder(tf.float32, (None, None, 16, 16, 3), name="x")
    scores = tf.identity(small.mean_over_time(small.step_logits(pixels)), name="y")
    return {"watch": ({"video": pixels}, {"actions": scores})}


def _features_beside() -> small.Signature:
    import tensorflow as tf

    pixels = small.placeholder()
    features = tf.reduce_mean(pixels, (1, 2, 3))
    logits = small.mean_over_time(small.step_logits(pixels))
    return {"rgb_input": pixels}, {"a_features": features, "default": logits}


def _brightness_beside() -> small.Signature:
    import tensorflow as tf

    pixels = small.placeholder()
    brightness = tf.reduce_mean(pixels * 255.0, (1, 2, 3, 4))
    logits = small.mean_over_time(small.step_logits(pixels))
    return {"video": pixels}, {"default": logits, "brightness": brightness}


def _without_a_convolution() -> small.Signature:
    import tensorflow as tf

    pixels = small.placeholder()
    return {"video": pixels}, {"default": tf.reduce_mean(pixels, (1, 2, 3))}


def _write_two_graphs(directory: Path) -> Path:
    """A Hub module with a second graph, for training."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        pixels = small.placeholder()
        logits = small.mean_over_time(small.step_logits(pixels))
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"video": pixels}, {"default": logits})
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.add_meta_graph(["train"], signature_def_map={"default": signature})
        builder.save()
    (directory / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return directory


def _one_name_for_all() -> small.Signature:
    """As TensorFlow Hub's `add_signature` names tensors, beside a name that OpenVINO might take."""
    import tensorflow as tf

    pixels = small.placeholder()
    features = tf.reduce_mean(pixels, (1, 2, 3))
    logits = tf.identity(small.mean_over_time(small.step_logits(pixels)))
    return {"default": pixels}, {"default": logits, "default_1": features}


def _two_signatures() -> dict[str, small.Signature]:
    """A second signature that shares its names with `default`."""
    pixels = small.placeholder()
    logits = small.mean_over_time(small.step_logits(pixels))
    return {
        "default": ({"video": pixels}, {"default": logits}),
        "another": ({"video": pixels}, {"default": logits * 2.0}),
    }


def _untranslated(steps: Any) -> Any:
    """Through an operation that OpenVINO has no translation of."""
    import tensorflow as tf

    return tf.math.lgamma(tf.abs(small.mean_over_time(steps)) + 1.0)


def write_untranslated(directory: Path) -> Path:
    return small.write_video_module(directory, after=_untranslated)


FORMS: dict[str, Callable[[Path], Any]] = {
    "plain": small.write_video_module,
    "any-names": partial(small.write_tf1, build=_any_names),
    "features-beside": partial(small.write_tf1, build=_features_beside),
    "brightness-beside": partial(small.write_tf1, build=_brightness_beside),
    "without-a-convolution": partial(small.write_tf1, build=_without_a_convolution),
    "one-name-for-all": partial(small.write_tf1, build=_one_name_for_all),
    "two-graphs": _write_two_graphs,
    "two-signatures": partial(small.write_tf1, build=_two_signatures),
    "probabilities": partial(small.write_video_module, after=_probabilities),
    "no-mark": partial(small.write_video_module, is_hub_module=False),
    "no-mark-serve": partial(small.write_video_module, is_hub_module=False, tags=("serve",)),
    "tf2": small.write_tf2,
    "tf2-watch": partial(small.write_tf2, signature="watch"),
    **{name: partial(small.write_video_module, after=form) for name, form in AFTER.items()},
    **{name: partial(small.write_video_module, after=form) for name, form in NO_STEPS.items()},
    **{name: partial(small.write_video_module, before=form) for name, form in RESCALING.items()},
    **{
        name: partial(small.write_video_module, before=form) for name, form in NOT_RESCALING.items()
    },
}
"""Name -> writes the module to a folder that does not exist yet."""
