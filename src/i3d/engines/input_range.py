"""Which values a model wants for black and white."""

from __future__ import annotations

I3D_TRAINING_RANGE = (-1.0, 1.0)
"""README of google-deepmind/kinetics-i3d: pixels "rescaled between -1 and 1"."""

HUB_IMAGE_RANGE = (0.0, 1.0)
"""What TensorFlow Hub's common signatures for images prescribe, and MoViNet wants
(tensorflow.org/hub/common_signatures/images)."""


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
