"""Imports TensorFlow, which talks a lot, without a word."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

from i3d.errors import EngineNotInstalledError

if TYPE_CHECKING:
    from pathlib import Path


def import_tensorflow() -> tuple[Any, Any]:
    """Import tensorflow and tensorflow_hub silently; set `TF_CPP_MIN_LOG_LEVEL=0` to hear them.

    Returns:
        The modules `tensorflow` and `tensorflow_hub`.

    Raises:
        EngineNotInstalledError: One of them can't be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The note on oneDNN that TensorFlow prints whatever the log level is (tensorflow#100442) goes
    # to file descriptor 2: the command line closes that around this call.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tensorflow_hub: "pkg_resources is deprecated"
            import tensorflow as tf
            import tensorflow_hub
    except Exception as error:  # protobuf raises TypeError for code that is older than itself
        hint = "Install i3d again: pip install --upgrade --force-reinstall i3d"
        if isinstance(error, ImportError) and (error.name or str(error)) == "pkg_resources":
            hint = 'setuptools 82 removed it: pip install "setuptools<82"'
        elif isinstance(error, FileNotFoundError):  # absl: no usable temporary directory
            hint = "Name a folder for temporary files in TMPDIR."
        raise EngineNotInstalledError(
            f"TensorFlow cannot be imported: {first_line(error)}", hint=hint
        ) from error
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        logging.getLogger("absl").setLevel(logging.ERROR)
    return tf, tensorflow_hub


def is_usable_path(directory: Path) -> bool:
    """Tell whether TensorFlow can use a folder: its paths are UTF-8."""
    try:
        str(directory.absolute()).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_NOT_THE_REASON = (
    "Graph execution error",
    "Detected at node",
    "File ",
    "Node: ",
    "[[{{node",
    "<stack traces",
)


def first_line(error: BaseException) -> str:
    """Find what an error of TensorFlow's says.

    Returns:
        The first line that says what went wrong, with a full stop; TensorFlow puts where it went
        wrong in front of it. The error's class where it says nothing.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = (line for line in lines if line and not line.startswith(_NOT_THE_REASON))
    line = next(reasons, type(error).__name__)
    return line if line.endswith((".", "!", "?")) else f"{line}."
