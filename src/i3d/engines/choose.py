"""Engines run models. They are named by strings and imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from i3d.errors import (
    EngineError,
    EngineNotInstalledError,
    UnsupportedModelError,
    UsageError,
    unknown_name,
)
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from i3d.engines.base import Engine, Precision
    from i3d.progress import Progress

EngineName: TypeAlias = Literal["auto", "openvino", "tensorflow"]

ENGINES = ("openvino", "tensorflow")
"""In the order in which `auto` takes them."""

DEFAULT_ENGINE: EngineName = "auto"

TOLERANCE = 1e-4
"""Largest difference between the logits of two engines, in units of the largest logit, with which
they are taken to agree. For I3D it is 1e-5 (float32, sums in another order)."""

_COMPARED_LENGTHS = (17, 24)
"""Frames of the clips that two engines are compared on: two steps of I3D each, one length odd and
one a multiple of its stride, for padding differs between them."""

_COMPARED_SIZE = 64
"""Height and width of those clips in pixels, for a model that takes any."""


def load_engine(
    model_dir: Path,
    name: str = DEFAULT_ENGINE,
    *,
    precision: Precision = "float32",
    fingerprint: Callable[[], str] | None = None,
    is_known: bool = False,
    progress: Progress = NO_PROGRESS,
) -> Engine:
    """Load a model into an engine.

    `auto` is OpenVINO, which starts faster and computes faster on CPUs, where it can run the model
    and gives the same numbers as TensorFlow: each model is tried on both once, for a converter of
    graphs can be wrong without a word. Else it is TensorFlow, and `progress` is told why.

    Args:
        model_dir: A SavedModel directory.
        name: `auto`, `openvino` or `tensorflow`.
        precision: The arithmetic; anything but float32 needs OpenVINO and a CPU that has it.
        fingerprint: Gives the SHA-256 over the model's files, under which what is found out and
            converted is kept for the next time; None to keep nothing. Called when the engine was
            imported, so that the files can be read meanwhile.
        is_known: OpenVINO is known to run this very model, and to give TensorFlow's numbers.
        progress: Who wants to know.

    Returns:
        The loaded model.

    Raises:
        UnknownNameError: There is no such engine.
        UsageError: The engine has no such precision.
        EngineNotInstalledError: The engine's package can't be imported.
        ModelLoadError: The directory holds no model that the engine can run.
        EngineError: This machine has no such precision.
    """
    if name == "auto":
        return _load_best(model_dir, precision, fingerprint, progress, is_known=is_known)
    module = _module(name)
    engine: Engine
    if name == "openvino":
        engine = module.load(
            model_dir, precision=precision, fingerprint=fingerprint, is_known=is_known
        )
    else:
        check_precision(name, precision)
        engine = module.load(model_dir)
    return engine


def engine_version(name: str) -> str:
    """Import an engine's package, and tell its version.

    Args:
        name: One of `ENGINES`.

    Raises:
        UnknownNameError: There is no such engine.
        EngineNotInstalledError: The engine's package can't be imported.
    """
    version: str = _module(name).version()
    return version


def _module(name: str) -> Any:
    if name not in ENGINES:
        raise unknown_name("engine", name, ("auto", *ENGINES))
    return import_module(f"i3d.engines.{name}")


def check_precision(name: str, precision: Precision) -> None:
    """Make sure that an engine can have a precision.

    Args:
        name: `auto` or one of `ENGINES`.
        precision: The arithmetic.

    Raises:
        UsageError: It can't.
    """
    if name == "tensorflow" and precision != "float32":
        raise UsageError(
            f"TensorFlow computes in float32, not in {precision}.",
            hint="Leave --precision out, or use --engine openvino.",
        )


def _load_best(
    model_dir: Path,
    precision: Precision,
    fingerprint: Callable[[], str] | None,
    progress: Progress,
    *,
    is_known: bool,
) -> Engine:
    try:
        engine: Any = _module("openvino").load(
            model_dir, precision=precision, fingerprint=fingerprint, is_known=is_known
        )
    except EngineNotInstalledError as error:
        reason = error.message.rstrip(".")
    except UnsupportedModelError as error:
        reason = f"OpenVINO cannot run this model: {error.reason}"
    else:
        if engine.agrees is None and not is_known:
            with progress.task("comparing OpenVINO with TensorFlow, once for this model"):
                agrees = _agrees(model_dir, engine.contract.size or _COMPARED_SIZE)
            engine.keep(fingerprint, agrees=agrees)
        if is_known or engine.agrees:
            loaded: Engine = engine
            return loaded
        reason = "OpenVINO gives other numbers for this model than TensorFlow"
    if precision != "float32":
        raise EngineError(
            f"{reason}, and TensorFlow computes in float32 only.", hint="Leave --precision out."
        )
    other: Engine = _module("tensorflow").load(model_dir)
    other.fallback_reason = reason
    progress.note(f"{reason}. TensorFlow is used, which takes longer.")
    return other


def _agrees(model_dir: Path, size: int) -> bool:
    """Run a model on both engines, and say whether OpenVINO gives TensorFlow's numbers."""
    import numpy as np  # here, for `i3d --help` asks for the names of the engines

    ours, reference = (_module(name).load(model_dir) for name in ENGINES)
    compared = False
    random = np.random.default_rng(0)
    for num_frames in _COMPARED_LENGTHS:
        clip = random.integers(0, 256, (num_frames, size, size, 3), dtype=np.uint8)
        try:
            expected = reference.step_logits(clip, reference.contract.input_range)
        except EngineError:  # too short for it: then there is nothing to be compared with
            continue
        compared = True
        try:
            found = ours.step_logits(clip, reference.contract.input_range)
        except EngineError:
            return False
        tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if found.shape != expected.shape or not np.allclose(
            found, expected, rtol=0, atol=tolerance, equal_nan=True
        ):
            return False
    return compared
