"""What a model's graph says that its signature does not, read from saved_model.pb.

Neither engine is imported: both get the same contract, and enter the graph by the names of tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.engines.base import ModelContract
from i3d.engines.graph_def import GraphDef, product, tensor_of
from i3d.engines.saved_model import damaged, read_signature
from i3d.engines.wire_format import GarbledMessageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from i3d.engines.graph_def import Node, Tensor
    from i3d.engines.saved_model import VideoSignature

I3D_TRAINING_RANGE = (-1.0, 1.0)
"""README of google-deepmind/kinetics-i3d: pixels "rescaled between -1 and 1"."""

HUB_IMAGE_RANGE = (0.0, 1.0)
"""What TensorFlow Hub's common signatures for images prescribe, and MoViNet wants
(tensorflow.org/hub/common_signatures/images)."""

_BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ARITHMETIC = frozenset(
    {"Add", "AddN", "AddV2", "BiasAdd", "Div", "DivNoNan", "Mul", "RealDiv", "Sub"}
)
_SCALING = _ARITHMETIC | _BATCH_NORMS
"""Operations that change the range of pixels. Casts, pads, transposes and pools do not."""
_OF_SHAPES = frozenset({"Rank", "Shape", "ShapeN", "Size"})
"""What follows them is arithmetic on sizes, not on pixels."""
_RENAMED_OR_RESHAPED = frozenset({"Identity", "Squeeze", "Reshape", "StopGradient"})
_ELEMENTWISE = (
    _ARITHMETIC
    | {"Abs", "Cast", "CheckNumerics", "ClipByValue", "Elu", "Erf", "Exp", "Identity", "LeakyRelu"}
    | {"Log", "Maximum", "Minimum", "Neg", "Pow", "PreventGradient", "Relu", "Relu6", "Rsqrt"}
    | {"Selu", "Sigmoid", "Softplus", "Sqrt", "Square", "SquaredDifference", "StopGradient", "Tanh"}
)
"""Operations of which each element depends only on the elements at its own place."""
_JOINTS = _ELEMENTWISE | {"BatchMatMulV2", "ConcatV2"}
"""Operations of which more than one input may depend on the pixels."""
_WINDOWS = frozenset({"AvgPool3D", "Conv3D", "MaxPool3D"})
_REDUCTIONS = frozenset({"Max", "Mean", "Min", "Prod", "Sum"})
_PADS = frozenset({"MirrorPad", "Pad", "PadV2"})


@dataclass(frozen=True)
class VideoModel:
    """What both engines need to know to run a model."""

    signature: VideoSignature
    contract: ModelContract
    output_tensor: str
    """The tensor to run: the step logits, else the logits."""


class NotUnderstoodError(Exception):
    """An operation does something to time that is not followed."""


@dataclass(frozen=True)
class Window:
    """The frames that the first place on a tensor's time axis depends on.

    Padding (SAME) is taken to be that of a number of frames that is a multiple of every stride.
    """

    first: int
    """Number of the first frame; negative in padding."""
    last: int
    stride: int
    """Number of frames from one place to the next."""

    def slide(self, size: int, stride: int, dilation: int = 1, *, is_same: bool = False) -> Window:
        """Go through a convolution or a pool.

        Args:
            size: Length of its kernel.
            stride: Its stride.
            dilation: Its dilation.
            is_same: Whether its padding is SAME; otherwise it has none.
        """
        reach = (size - 1) * dilation
        padding = max(reach + 1 - stride, 0) // 2 if is_same else 0
        return Window(
            self.first - padding * self.stride,
            self.last + (reach - padding) * self.stride,
            self.stride * stride,
        )

    def pad(self, before: int) -> Window:
        """Go through padding with constants, `before` places of it in front."""
        shift = before * self.stride
        return Window(self.first - shift, self.last - shift, self.stride)

    @staticmethod
    def around(windows: Sequence[Window]) -> Window:
        """The window of what depends on several.

        Raises:
            NotUnderstoodError: Their places do not follow each other at the same pace.
        """
        if len({window.stride for window in windows}) > 1:
            raise NotUnderstoodError
        first = min(window.first for window in windows)
        return Window(first, max(window.last for window in windows), windows[0].stride)


def read_model(model_dir: Path) -> VideoModel:
    """Read what a model wants and gives.

    Graphs of TensorFlow 1 are looked into; those of TensorFlow 2 hide in functions, and only their
    signatures count.

    Args:
        model_dir: The folder that holds saved_model.pb.

    Raises:
        ModelLoadError: There is no SavedModel, a damaged one, or one that takes no videos.
    """
    signature = read_signature(model_dir)
    output, steps, window, rescales = signature.output_tensor, None, None, None
    if signature.is_tf1:
        try:
            graph = _Graph(signature.graph)
            pixels = tensor_of(signature.input_tensor)
            logits = graph.before_softmax(tensor_of(output))  # engines apply their own softmax
            steps = graph.find_steps(logits, signature.num_labels)
            rescales = graph.rescales(pixels)
            if steps is not None:
                window = graph.window(pixels, steps)
            output = "{}:{}".format(*(steps or logits))
        except (GarbledMessageError, LookupError, ValueError) as error:
            raise damaged(model_dir, error) from error
    input_range, reason = choose_input_range(is_tf1=signature.is_tf1, rescales=rescales)
    contract = ModelContract(
        signature=signature.key,
        input_name=signature.input_name,
        output_name=signature.output_name,
        num_labels=signature.num_labels,
        size=signature.size,
        input_range=input_range,
        input_range_reason=reason,
        has_steps=steps is not None,
        receptive_field=None if window is None else window.last - window.first + 1,
        stride=None if window is None else window.stride,
        padding=None if window is None else max(-window.first, 0),
    )
    return VideoModel(signature, contract, output)


def choose_input_range(*, is_tf1: bool, rescales: bool | None) -> tuple[tuple[float, float], str]:
    """Decide which range a model wants from what stands before its first convolution.

    Args:
        is_tf1: The graph is one of TensorFlow 1; those of TensorFlow 2 are not looked into.
        rescales: Whether the graph rescales the pixels before its first 3-D convolution; None
            where it has none.

    Returns:
        The values for black and white, and the reason in words.
    """
    if not is_tf1:
        return HUB_IMAGE_RANGE, "a TensorFlow 2 SavedModel: the Hub's convention for images"
    if rescales is None:
        return HUB_IMAGE_RANGE, "no 3-D convolution was found: the Hub's convention for images"
    if rescales:
        return HUB_IMAGE_RANGE, "the model rescales its input itself"
    return (
        I3D_TRAINING_RANGE,
        "nothing rescales the pixels before the first convolution: the range of I3D's training",
    )


class _Graph(GraphDef):
    """Finds what a video model does to the frames."""

    def before_softmax(self, output: Tensor) -> Tensor:
        """The logits of a model that gives probabilities; of others the output itself."""
        node = self.nodes[output[0]]
        while node.kind == "Identity":
            node = self.nodes[node.inputs[0][0]]
        return node.inputs[0] if node.kind == "Softmax" else output

    def find_steps(self, output: Tensor, num_labels: int) -> Tensor | None:
        """Find the logits before the last mean over time.

        Walks back from the output through operations that only rename or reshape, to a mean over
        axis 1 of (batch, steps, labels) or (batch, steps, 1, 1, labels), in the latter perhaps over
        axes 2 and 3 too. The number of steps must be free: a mean over a fixed number of things
        is one over crops, or over members of an ensemble.

        Returns:
            The tensor whose mean it is; None where the graph is not of this form.
        """
        node = self.nodes[output[0]]
        while node.kind in _RENAMED_OR_RESHAPED:
            node = self.nodes[node.inputs[0][0]]
        if node.kind != "Mean":
            return None
        shape, axes = self.shape(node.inputs[0]), self.constant(node.inputs[1])
        if axes is None or shape is None or len(shape) not in (3, 5):
            return None
        axes = sorted(axis % len(shape) for axis in axes)
        is_of_steps = axes == [1] or (axes == [1, 2, 3] and len(shape) == 5)
        fits = shape[1] is None and shape[-1] == num_labels and set(shape[2:-1]) <= {1}
        return node.inputs[0] if is_of_steps and fits else None

    def rescales(self, pixels: Tensor) -> bool | None:
        """Tell whether the range of the pixels is changed before the first 3-D convolution.

        Returns:
            Whether an operation that changes it lies between the input and a 3-D convolution that
            meets no other before; None where no 3-D convolution follows.
        """
        is_scaled = {pixels[0]: False}
        """Of each operation that the pixels reach before a convolution."""
        found = []
        for node in self.order:
            reached = [is_scaled[name] for name, _ in node.inputs if name in is_scaled]
            if not reached:
                continue
            if node.kind == "Conv3D":
                found.append(any(reached))
            elif node.kind not in _OF_SHAPES:
                is_scaled[node.name] = any(reached) or node.kind in _SCALING
        return any(found) if found else None

    def window(self, pixels: Tensor, steps: Tensor) -> Window | None:
        """Find the frames that the first step depends on.

        Follows the frames from the input through convolutions, pools and operations that leave
        time alone; where branches meet, the frames of all of them count.

        Returns:
            None where the graph does something on the way that is not understood: it moves the
            time axis, cuts it or sums over it, has functions or loops, or another data format than
            NDHWC.
        """
        windows: dict[str, Window | None] = {}
        """By operation; None for what does not depend on the pixels."""
        for node in self.order:
            names = [name for name, _ in node.inputs]
            if node.name == pixels[0]:
                windows[node.name] = Window(first=0, last=0, stride=1)
            elif node.kind in _OF_SHAPES:
                windows[node.name] = None
            elif all(name in windows for name in names):
                try:
                    windows[node.name] = self._through(node, [windows[name] for name in names])
                except NotUnderstoodError:
                    continue
        return windows.get(steps[0])

    def _through(self, node: Node, inputs: list[Window | None]) -> Window | None:
        """The window of an operation's output, given those of its inputs.

        Raises:
            NotUnderstoodError: The operation is not one that is followed.
        """
        reached = [window for window in inputs if window is not None]
        if not reached:
            return None
        data = inputs[0]
        if node.kind not in _JOINTS and (data is None or len(reached) > 1):  # a filter of pixels
            raise NotUnderstoodError
        if data is not None and node.kind in _WINDOWS:
            return self._slide(node, data)
        if data is not None and node.kind in _PADS:
            paddings = self.constant(node.inputs[1])
            # Constants are as good as the padding of a layer; mirrored frames are not.
            if paddings is None or (node.kind == "MirrorPad" and any(paddings[2:4])):
                raise NotUnderstoodError
            return data.pad(paddings[2])
        shapes = [self.shape(t) for t, window in zip(node.inputs, inputs, strict=True) if window]
        ranks = {len(shape) if shape is not None else None for shape in shapes}
        rank = ranks.pop()
        if ranks or rank is None or not self._keeps_time(node, rank):
            raise NotUnderstoodError
        return Window.around(reached)

    def _slide(self, node: Node, window: Window) -> Window:
        """Through a convolution or a pool."""
        is_convolution = node.kind == "Conv3D"
        kernel = self.shape(node.inputs[1]) if is_convolution else node.numbers("ksize")[1:]
        if node.value("data_format", 2) not in (b"", b"NDHWC") or not kernel or kernel[0] is None:
            raise NotUnderstoodError
        dilation = (node.numbers("dilations") or [1, 1])[1]
        is_same = node.value("padding", 2) == b"SAME"
        return window.slide(kernel[0], node.numbers("strides")[1], dilation, is_same=is_same)

    def _keeps_time(self, node: Node, rank: int) -> bool:  # noqa: PLR0911  (a rule for each kind)
        """Whether an operation mixes no frames and leaves time on axis 1.

        Args:
            node: The operation.
            rank: That of its inputs that depend on the pixels.
        """
        after = self.shape((node.name, 0))
        if after is None:
            return False
        if node.kind in _ELEMENTWISE:
            return len(after) == rank
        if node.kind == "BatchMatMulV2":  # works on the last two axes
            return len(after) == rank > 3
        if node.kind in _BATCH_NORMS:
            return not node.flag("is_training", default=True)
        if node.kind == "Reshape":
            before = self.shape(node.inputs[0]) or ()
            rest = {product(before[2:]), product(after[2:])}
            return before[:2] == after[:2] and len(rest) == 1 and None not in rest
        axes = self._axes(node, rank)
        if not axes:
            return False
        if node.kind == "Transpose":
            return axes[:2] == [0, 1]
        if node.kind in {"ConcatV2", "Softmax"} or node.flag("keep_dims", default=False):
            return 1 not in axes
        return min(axes) > 1  # the axes that come or go stand after time

    def _axes(self, node: Node, rank: int) -> list[int] | None:
        """The axes, from 0, that an operation works on; None where that is not known."""
        axes: list[int] | None = None
        if node.kind in {"ConcatV2", "ExpandDims", "Transpose"} | _REDUCTIONS:
            axes = self.constant(node.inputs[-1])
        elif node.kind == "Squeeze":
            axes = node.numbers("squeeze_dims")
        elif node.kind == "Softmax":
            axes = [-1]
        places = rank + 1 if node.kind == "ExpandDims" else rank
        return None if axes is None else [axis % places for axis in axes]
