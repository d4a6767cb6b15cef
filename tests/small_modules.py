"""Small SavedModels of every form that a user may hand to i3d, each written in an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 16
NUM_LABELS = 5

Signature = tuple[dict[str, Any], dict[str, Any]]
"""Inputs and outputs: name in the signature -> tensor."""


def write_tf1(
    directory: Path,
    build: Callable[[], Signature | dict[str, Signature]],
    *,
    tags: tuple[str, ...] = (),
    is_hub_module: bool = True,
) -> Path:
    """Write a graph as a TensorFlow 1 SavedModel.

    Args:
        directory: A folder that does not exist yet.
        build: Builds the graph; returns the signature `default`, or several by name.
        tags: Tag set of the meta graph: empty in a Hub module.
        is_hub_module: Write `tfhub_module.pb` beside it, as a Hub module has.

    Returns:
        `directory`.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        signatures = build()
        if not isinstance(signatures, dict):
            signatures = {"default": signatures}
        session.run(v1.global_variables_initializer())
        session.run(v1.tables_initializer())
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            list(tags),
            signature_def_map={
                name: v1.saved_model.predict_signature_def(inputs, outputs)
                for name, (inputs, outputs) in signatures.items()
            },
        )
        builder.save()
    if is_hub_module:
        (directory / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return directory


def write_video_module(
    directory: Path,
    *,
    before: Callable[[Any], Any] | None = None,
    after: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Path:
    """Write a Hub module with I3D's interface and arithmetic of time, on 16 x 16 pixels.

    Args:
        directory: A folder that does not exist yet.
        before: Applied to the pixels before the first convolution.
        after: Applied to (batch, steps, 1, 1, labels) instead of squeeze and mean; gives the
            output.
        **options: Those of `write_tf1`.
    """

    def build() -> Signature:
        frames = placeholder()
        steps = step_logits(frames if before is None else before(frames))
        output = mean_over_time(steps) if after is None else after(steps)
        return {"rgb_input": frames}, {"default": output}

    return write_tf1(directory, build, **options)


def placeholder(
    shape: tuple[int | None, ...] = (None, None, SIZE, SIZE, 3), dtype: str = "float32"
) -> Any:
    """The input tensor."""
    import tensorflow as tf

    return tf.compat.v1.placeholder(dtype, shape, name="input_frames")


def step_logits(pixels: Any, num_labels: int = NUM_LABELS) -> Any:
    """Three convolutions of stride 2 and a window of two steps: ceil(T / 8) - 1 steps, as I3D.

    Args:
        pixels: (batch, frames, 16, 16, channels).
        num_labels: Length of the output.

    Returns:
        (batch, steps, 1, 1, num_labels).
    """
    import tensorflow as tf

    net = pixels
    for number, channels in enumerate((4, 6, 8)):
        net = tf.nn.relu(convolution(net, f"conv_{number}", channels, stride=2))
    net = tf.nn.avg_pool3d(net, (1, 2, 2, 2, 1), 1, "VALID")
    return convolution(net, "logits", num_labels, kernel=1)


def convolution(net: Any, name: str, channels: int, *, kernel: int = 3, stride: int = 1) -> Any:
    """A 3-D convolution with a bias, SAME padding, random weights."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.variable_scope(name):
        initializer = v1.truncated_normal_initializer(stddev=0.3)
        shape = (kernel, kernel, kernel, net.shape[-1], channels)
        weights = v1.get_variable("w", shape, initializer=initializer)
        bias = v1.get_variable("b", (channels,), initializer=initializer)
        return tf.nn.conv3d(net, weights, (1, stride, stride, stride, 1), "SAME") + bias


def mean_over_time(steps: Any) -> Any:
    """(batch, steps, 1, 1, labels) to (batch, labels), as in DeepMind's code."""
    import tensorflow as tf

    return tf.reduce_mean(tf.squeeze(steps, (2, 3)), 1)


def write_tf2(directory: Path, *, signature: str = "serving_default") -> Path:
    """Write a TensorFlow 2 SavedModel of the form of MoViNet on TensorFlow Hub.

    It takes an `image` of any size and length and gives `logits`.
    """
    import tensorflow as tf

    class Classifier(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            random = tf.random.Generator.from_seed(1)
            self.kernel = tf.Variable(random.normal((3, 3, 3, 3, NUM_LABELS), stddev=0.3))
            self.bias = tf.Variable(random.normal((NUM_LABELS,)))

        @tf.function(input_signature=[tf.TensorSpec((None,) * 4 + (3,), tf.float32, name="image")])
        def __call__(self, image: Any) -> Any:
            net = tf.nn.conv3d(image, self.kernel, (1, 1, 2, 2, 1), "SAME")
            return {"logits": tf.reduce_mean(net, (1, 2, 3)) + self.bias}

    classifier = Classifier()
    tf.saved_model.save(classifier, str(directory), {signature: classifier.__call__})
    return directory


def write_color_module(directory: Path, labels: dict[str, int], num_labels: int = 400) -> Path:
    """Write a Hub module that names the colour that a clip has most of.

    Args:
        directory: A folder that does not exist yet.
        labels: `red`, `green` and `blue` -> position in the output.
        num_labels: Length of the output; the others are less likely.
    """
    import numpy as np
    import tensorflow as tf

    weights = np.zeros((1, 1, 1, 3, num_labels), np.float32)
    for channel, color in enumerate(("red", "green", "blue")):
        weights[..., channel, labels[color]] = 10

    def build() -> Signature:
        frames = placeholder()
        kernel = tf.compat.v1.get_variable("w", initializer=weights)
        net = tf.nn.conv3d(frames, kernel, (1, 1, 1, 1, 1), "SAME")
        return {"rgb_input": frames}, {"default": tf.reduce_mean(net, (1, 2, 3))}

    return write_tf1(directory, build)
