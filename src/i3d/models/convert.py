"""Writes Inception-I3D, given its weights, as the SavedModel that TensorFlow Hub has of it.

DeepMind publishes the weights as checkpoints (google-deepmind/kinetics-i3d, data/checkpoints) and
the code that goes with them needs TensorFlow 1 and Sonnet. The graph here is written from the
network's description: Figure 3 of Carreira and Zisserman, "Quo Vadis, Action Recognition?"
(arXiv:1705.07750). How many channels each layer has is read off the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from i3d.engines.tensorflow import first_line, import_tensorflow, is_usable_path
from i3d.errors import CacheError
from i3d.models.published import canonical_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

Weights: TypeAlias = "Mapping[str, npt.NDArray[np.float32]]"
"""By DeepMind's names, without the scope in front (`Conv3d_1a_7x7/conv_3d/w`)."""

SCOPE = "RGB/inception_i3d"
"""What variables are called below in DeepMind's RGB checkpoints and on TensorFlow Hub."""

FRAME_SIZE = 224
"""Height and width of the frames in pixels; the last pool takes 7 x 7, a 32nd of them."""

BATCH_NORM_EPSILON = 1e-3
"""Sonnet's default, which DeepMind's i3d.py leaves as it is."""

_LOGITS = "Logits/Conv3d_0c_1x1/conv_3d"


@dataclass(frozen=True)
class _Unit:
    """Convolution (SAME), batch norm without a scale, ReLU."""

    name: str
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class _MaxPool:
    """Maximum over a box (SAME). Sizes are frames, height, width."""

    size: tuple[int, int, int]
    stride: tuple[int, int, int]


@dataclass(frozen=True)
class _Mixed:
    """An Inception block: branches beside each other, joined along the channels."""

    name: str
    branches: tuple[tuple[_Unit | _MaxPool, ...], ...]


def _mixed(name: str) -> _Mixed:
    # So it is called in DeepMind's code, and so in all checkpoints.
    second_of_branch_2 = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
    return _Mixed(
        name,
        (
            (_Unit(f"{name}/Branch_0/Conv3d_0a_1x1", 1),),
            (
                _Unit(f"{name}/Branch_1/Conv3d_0a_1x1", 1),
                _Unit(f"{name}/Branch_1/Conv3d_0b_3x3", 3),
            ),
            (
                _Unit(f"{name}/Branch_2/Conv3d_0a_1x1", 1),
                _Unit(f"{name}/Branch_2/{second_of_branch_2}", 3),
            ),
            (_MaxPool((3, 3, 3), (1, 1, 1)), _Unit(f"{name}/Branch_3/Conv3d_0b_1x1", 1)),
        ),
    )


_NETWORK: tuple[_Unit | _MaxPool | _Mixed, ...] = (
    _Unit("Conv3d_1a_7x7", 7, stride=2),
    _MaxPool((1, 3, 3), (1, 2, 2)),
    _Unit("Conv3d_2b_1x1", 1),
    _Unit("Conv3d_2c_3x3", 3),
    _MaxPool((1, 3, 3), (1, 2, 2)),
    _mixed("Mixed_3b"),
    _mixed("Mixed_3c"),
    _MaxPool((3, 3, 3), (2, 2, 2)),
    _mixed("Mixed_4b"),
    _mixed("Mixed_4c"),
    _mixed("Mixed_4d"),
    _mixed("Mixed_4e"),
    _mixed("Mixed_4f"),
    _MaxPool((2, 2, 2), (2, 2, 2)),
    _mixed("Mixed_5b"),
    _mixed("Mixed_5c"),
)
"""All up to the last pool, which is an average over 2 frames and 7 x 7 places (VALID)."""


def write_saved_model(weights: Weights, directory: Path) -> None:
    """Write the network as a module of the form of deepmind/i3d-kinetics-400/1.

    That is a TensorFlow 1 Hub module (empty tag set, `tfhub_module.pb`) with one signature,
    `default`: input `rgb_input` (batch, frames, 224, 224, 3) float32 in [-1, 1], output `default`
    (batch, labels) float32 logits, the mean over time of the logits of each step. Its variables
    are the 230 weights, below `RGB/inception_i3d`.

    Args:
        weights: The network's 230 float32 arrays by DeepMind's names without the scope, such as
            `Mixed_3b/Branch_1/Conv3d_0b_3x3/batch_norm/beta`. Kernels are (frames, height, width,
            channels in, channels out); what belongs to batch norm is (channels,), or
            (1, 1, 1, 1, channels) as in DeepMind's Kinetics-600 checkpoint.
        directory: A folder that is empty or does not exist yet. After an error, what is in it is
            of no use and is for the caller to remove.

    Raises:
        EngineNotInstalledError: TensorFlow can't be imported.
        CacheError: The files can't be written.
    """
    values = {
        name: value.reshape(canonical_shape(name, value.shape)) for name, value in weights.items()
    }
    if not is_usable_path(directory):
        raise CacheError(
            f"TensorFlow cannot write to {directory}: the path is not UTF-8.",
            hint="Choose another cache folder in I3D_CACHE_DIR.",
        )
    tf, _ = import_tensorflow()
    v1 = tf.compat.v1
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            shape = (None, None, FRAME_SIZE, FRAME_SIZE, 3)
            frames = v1.placeholder(tf.float32, shape, name="input_frames")
            graph = _Graph(tf, values)
            logits = graph.logits(frames)
            session.run(
                [variable.initializer for variable in graph.variables.values()],
                {graph.variables[name].initial_value: value for name, value in values.items()},
            )
            signature = v1.saved_model.predict_signature_def(
                {"rgb_input": frames}, {"default": logits}
            )
            builder = v1.saved_model.Builder(str(directory))
            builder.add_meta_graph_and_variables(
                session, [], signature_def_map={"default": signature}, strip_default_attrs=True
            )
            builder.save()
        # What TensorFlow Hub's own exporter writes: field 1 of a protocol buffer, the format 3.
        (directory / "tfhub_module.pb").write_bytes(b"\x08\x03")
    except (tf.errors.OpError, OSError) as error:
        reason = first_line(error).rpartition("; ")[2]  # without the name of a temporary file
        raise CacheError(
            f"The converted model cannot be written to {directory}: {reason}",
            hint="Make room or mend its permissions, or choose another one in I3D_CACHE_DIR.",
        ) from error


class _Graph:
    """Adds the network to the default graph, as few operations as will do: each costs load time."""

    def __init__(self, tf: Any, values: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._tf = tf
        v1 = tf.compat.v1
        # Reference variables, as in a module of 2018: resource variables take two operations more.
        self.variables = {
            name: v1.get_variable(
                f"{SCOPE}/{name}",
                initializer=v1.placeholder(tf.float32, value.shape),
                trainable=False,
                use_resource=False,
            )
            for name, value in values.items()
        }
        self._epsilon = tf.constant(BATCH_NORM_EPSILON)

    def logits(self, frames: Any) -> Any:
        """(batch, frames, 224, 224, 3) to (batch, labels)."""
        tf, net = self._tf, frames
        with tf.name_scope(f"{SCOPE}/"):
            for layer in _NETWORK:
                if isinstance(layer, _Mixed):
                    net = tf.concat([self._chain(branch, net) for branch in layer.branches], 4)
                else:
                    net = self._chain((layer,), net)
            net = tf.nn.avg_pool3d(net, (1, 2, 7, 7, 1), 1, "VALID")
            net = tf.nn.conv3d(net, self.variables[f"{_LOGITS}/w"], (1, 1, 1, 1, 1), "SAME")
            net = tf.nn.bias_add(net, self.variables[f"{_LOGITS}/b"])
            return tf.reduce_mean(tf.squeeze(net, (2, 3)), 1, name="Mean")

    def _chain(self, layers: Iterable[_Unit | _MaxPool], net: Any) -> Any:
        """Layers that follow each other."""
        for layer in layers:
            if isinstance(layer, _Unit):
                net = self._unit(layer, net)
            else:
                size, stride = (1, *layer.size, 1), (1, *layer.stride, 1)
                net = self._tf.nn.max_pool3d(net, size, stride, "SAME")
        return net

    def _unit(self, unit: _Unit, net: Any) -> Any:
        tf = self._tf
        kernel = self.variables[f"{unit.name}/conv_3d/w"]
        beta, mean, variance = (
            self.variables[f"{unit.name}/batch_norm/{part}"]
            for part in ("beta", "moving_mean", "moving_variance")
        )
        # Batch norm scales the kernel, not what comes out of the convolution: the same sums, and
        # convolution, bias and ReLU can run as one operation.
        with tf.name_scope(f"{SCOPE}/{unit.name}/"):
            scale = tf.math.rsqrt(variance + self._epsilon)
            stride = (1, unit.stride, unit.stride, unit.stride, 1)
            net = tf.nn.conv3d(net, kernel * scale, stride, "SAME")
            return tf.nn.relu(tf.nn.bias_add(net, beta - mean * scale))
