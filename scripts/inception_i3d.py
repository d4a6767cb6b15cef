"""DeepMind's Inception-I3D, written out as a TensorFlow 1 Hub module with made-up weights.

The graph is the one of deepmind/i3d-kinetics-400/1: the same architecture, names of variables,
signature and file format, so that everything that reads, fetches or runs that module can be tried
without it. The weights are random numbers, so its opinions mean nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

EPSILON = 1e-3

MIXED = {
    # Name: channels of branch 0, of the two units of branch 1, of the two of branch 2, of branch 3.
    "Mixed_3b": (64, (96, 128), (16, 32), 32),
    "Mixed_3c": (128, (128, 192), (32, 96), 64),
    "Mixed_4b": (192, (96, 208), (16, 48), 64),
    "Mixed_4c": (160, (112, 224), (24, 64), 64),
    "Mixed_4d": (128, (128, 256), (24, 64), 64),
    "Mixed_4e": (112, (144, 288), (32, 64), 64),
    "Mixed_4f": (256, (160, 320), (32, 128), 128),
    "Mixed_5b": (256, (160, 320), (32, 128), 128),
    "Mixed_5c": (384, (192, 384), (48, 128), 128),
}


@dataclass(frozen=True)
class I3DModule:
    """What was written."""

    directory: Path
    shapes: dict[str, tuple[int, ...]]
    """Shape of every variable, by its name."""


def write_i3d_module(
    directory: Path, *, seed: int = 0, num_labels: int = 400, rescales_input: bool = False
) -> I3DModule:
    """Write the network as a TensorFlow 1 Hub module.

    Args:
        directory: A folder that does not exist yet.
        seed: The same seed gives the same weights on every machine.
        num_labels: Length of the output.
        rescales_input: Put `2 * x - 1` in front, as a module that takes [0, 1] does.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        network = _Network(tf, seed)
        frames = v1.placeholder(tf.float32, (None, None, 224, 224, 3), name="input_frames")
        pixels = tf.subtract(tf.multiply(frames, 2.0), 1.0) if rescales_input else frames
        with v1.variable_scope("RGB/inception_i3d"):
            logits = network.logits(pixels, num_labels)
        # One assignment of each variable, in one run.
        session.run(
            [variable.initializer for variable, _ in network.variables],
            {variable.initial_value: value for variable, value in network.variables},
        )
        signature = v1.saved_model.predict_signature_def({"rgb_input": frames}, {"default": logits})
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session, [], signature_def_map={"default": signature}, strip_default_attrs=True
        )
        builder.save()
    (directory / "tfhub_module.pb").write_bytes(b"\x08\x03")
    shapes = {variable.op.name: value.shape for variable, value in network.variables}
    return I3DModule(directory, shapes)


class _Network:
    """Builds the graph and draws the weights.

    Activations keep a spread of about 1 from layer to layer. A filter's weights sum to 0 (but for
    the first layer's, or the network would not see brightness): without that, all clips would
    end in nearly the same logits, because activations behind a ReLU are all positive.
    """

    def __init__(self, tf: Any, seed: int) -> None:
        self._tf = tf
        self._random = np.random.default_rng(seed)
        self.variables: list[tuple[Any, npt.NDArray[np.float32]]] = []

    def logits(self, net: Any, num_labels: int) -> Any:
        tf = self._tf
        net = self._unit(net, "Conv3d_1a_7x7", 64, kernel=7, stride=2)
        net = tf.nn.max_pool3d(net, (1, 1, 3, 3, 1), (1, 1, 2, 2, 1), "SAME")
        net = self._unit(net, "Conv3d_2b_1x1", 64, kernel=1)
        net = self._unit(net, "Conv3d_2c_3x3", 192, kernel=3)
        net = tf.nn.max_pool3d(net, (1, 1, 3, 3, 1), (1, 1, 2, 2, 1), "SAME")
        net = self._mixed(net, "Mixed_3b")
        net = self._mixed(net, "Mixed_3c")
        net = tf.nn.max_pool3d(net, 3, 2, "SAME")
        for name in ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"):
            net = self._mixed(net, name)
        net = tf.nn.max_pool3d(net, 2, 2, "SAME")
        net = self._mixed(net, "Mixed_5b")
        net = self._mixed(net, "Mixed_5c")
        with tf.compat.v1.variable_scope("Logits"):
            net = tf.nn.avg_pool3d(net, (1, 2, 7, 7, 1), 1, "VALID")
            with tf.compat.v1.variable_scope("Conv3d_0c_1x1/conv_3d"):
                # Gives logits with a spread of 3 to 4 and a best one around 10, as I3D's are.
                kernel = self._kernel((1, 1, 1, net.shape[-1], num_labels), gain=2.0)
                bias = self._variable("b", self._random.normal(0, 0.5, num_labels))
                net = tf.nn.conv3d(net, kernel, (1, 1, 1, 1, 1), "SAME") + bias
            steps = tf.squeeze(net, (2, 3), name="SpatialSqueeze")
        return tf.reduce_mean(steps, 1, name="Mean")

    def _mixed(self, net: Any, name: str) -> Any:
        branch_0, (reduce_1, branch_1), (reduce_2, branch_2), branch_3 = MIXED[name]
        # So it is in DeepMind's code and checkpoints.
        second_of_branch_2 = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
        scope = self._tf.compat.v1.variable_scope
        with scope(name):
            with scope("Branch_0"):
                first = self._unit(net, "Conv3d_0a_1x1", branch_0, kernel=1)
            with scope("Branch_1"):
                second = self._unit(net, "Conv3d_0a_1x1", reduce_1, kernel=1)
                second = self._unit(second, "Conv3d_0b_3x3", branch_1, kernel=3)
            with scope("Branch_2"):
                third = self._unit(net, "Conv3d_0a_1x1", reduce_2, kernel=1)
                third = self._unit(third, second_of_branch_2, branch_2, kernel=3)
            with scope("Branch_3"):
                fourth = self._tf.nn.max_pool3d(net, 3, 1, "SAME")
                fourth = self._unit(fourth, "Conv3d_0b_1x1", branch_3, kernel=1)
            return self._tf.concat([first, second, third, fourth], 4)

    def _unit(self, net: Any, name: str, channels: int, *, kernel: int, stride: int = 1) -> Any:
        """Convolution, batch norm without a scale, ReLU."""
        tf, random = self._tf, self._random
        with tf.compat.v1.variable_scope(name):
            with tf.compat.v1.variable_scope("conv_3d"):
                shape = (kernel, kernel, kernel, net.shape[-1], channels)
                weights = self._kernel(shape, sums_to_zero=name != "Conv3d_1a_7x7")
                net = tf.nn.conv3d(net, weights, (1, stride, stride, stride, 1), "SAME")
            with tf.compat.v1.variable_scope("batch_norm"):
                beta = self._variable("beta", random.normal(0, 0.3, channels))
                mean = self._variable("moving_mean", random.normal(0, 0.3, channels))
                variance = self._variable("moving_variance", random.uniform(0.5, 1.5, channels))
                net = tf.nn.batch_normalization(net, mean, variance, beta, None, EPSILON)
            return tf.nn.relu(net)

    def _kernel(
        self, shape: tuple[int, ...], *, gain: float = 1.7, sums_to_zero: bool = True
    ) -> Any:
        # 1.7: the standard deviation behind the ReLU of a normal distribution is 1 / 1.7.
        fan_in = math.prod(shape[:-1])
        weights = self._random.standard_normal(shape, np.float32) * gain / math.sqrt(fan_in)
        if sums_to_zero:
            weights -= weights.mean((0, 1, 2, 3), keepdims=True)
        return self._variable("w", weights)

    def _variable(self, name: str, value: npt.NDArray[Any]) -> Any:
        # Without use_resource: such a module's graph, of 2018, has reference variables.
        tf = self._tf
        variable = tf.compat.v1.get_variable(
            name, value.shape, initializer=tf.zeros_initializer(), use_resource=False
        )
        self.variables.append((variable, value.astype(np.float32)))
        return variable
