"""The OpenVINO engine: reads a SavedModel directory itself and runs it on the CPU.

TensorFlow is not imported. The graph is cut where the step logits are, and for each length of
clips it is compiled once. All arithmetic is float32 unless something less is asked for.
"""

from __future__ import annotations

import re
import sys
import threading
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from i3d.engines.base import Clip, ModelContract, Pixels, Precision, StepLogits
from i3d.engines.input_range import choose_input_range
from i3d.engines.ov_graph import (
    before_softmax,
    find_step_logits,
    find_temporal_field,
    rescales_pixels,
)
from i3d.engines.prepared import Prepared, keep_prepared, keep_verdict, open_prepared
from i3d.engines.signatures import read_signature
from i3d.engines.threads import thread_limit
from i3d.errors import EngineError, EngineNotInstalledError, UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from i3d.engines.signatures import VideoSignature

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}
"""What OpenVINO says that a CPU can do; float32 all of them can."""

_POLL_MILLISECONDS = 200

_ABANDONED: list[Any] = []
"""Runs that nobody waits for any more, and their frames: to free them is to wait for their end."""


class OpenVINOEngine:
    """A model in OpenVINO; see `i3d.engines.base.Engine`.

    Args:
        openvino: The imported package.
        model: `openvino.Model` from float32 pixels (1, T, height, width, 3) to step logits.
        contract: What the model wants.
        precision: The arithmetic.
        agrees: Whether its numbers are TensorFlow's; None where nobody has looked yet.
        is_kept: It was read from what was kept.
    """

    name = "openvino"
    fallback_reason = None
    bytes_per_frame = 2_300_000

    def __init__(
        self,
        openvino: Any,
        model: Any,
        contract: ModelContract,
        precision: Precision,
        *,
        agrees: bool | None = None,
        is_kept: bool = False,
    ) -> None:
        self.contract = contract
        self.agrees = agrees
        self.version = version()
        self.precision = precision
        self._is_kept = is_kept
        self._ov = openvino
        self._model = model
        self._lock = threading.Lock()  # one clip at a time: it has all the cores
        self._compiled: tuple[Any, Any] | None = None
        """Type and shape of the input -> what runs it."""

    def step_logits(self, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
        """Run the model on one clip; see `i3d.engines.base.Engine.step_logits`."""
        low, high = input_range
        return self._run(clip, [np.float32((high - low) / 255.0), np.float32(low)])

    def run(self, pixels: Pixels) -> StepLogits:
        """Run the model on pixels as it wants them; see `i3d.engines.base.Engine.run`."""
        return self._run(np.asarray(pixels, dtype=np.float32), [])

    def keep(self, fingerprint: Callable[[], str] | None, *, agrees: bool | None = None) -> None:
        """Keep the model in OpenVINO's own format, which is read faster; in vain is no harm.

        Args:
            fingerprint: Gives the SHA-256 over the model's files; None to keep nothing.
            agrees: Whether its numbers are TensorFlow's.
        """
        self.agrees = agrees
        if fingerprint is None:
            return
        version, prepared = str(self._ov.__version__), Prepared(self.contract, agrees)
        if self._is_kept:  # its files may be mapped into memory, and stay
            keep_verdict(fingerprint(), version, prepared)
        else:
            keep_prepared(
                fingerprint(), version, prepared, lambda path: _save(self._ov, self._model, path)
            )
        self._is_kept = True

    def _run(self, frames: Clip | Pixels, scaling: list[np.float32]) -> StepLogits:
        num_frames, height, width, _ = frames.shape
        if num_frames == 0:
            raise _too_short(num_frames)
        size = self.contract.size
        if size is not None and (height, width) != (size, size):  # OpenVINO might still run on it
            raise EngineError(
                f"The model cannot run on a clip of {num_frames} frames of {width} x {height} "
                f"pixels: it takes {size} x {size}.",
                hint="Check what the model expects of its input.",
            )
        clip = None
        with self._lock:
            try:
                request = self._request(frames)
                # Without a copy: the engine reads the frames where they are. It insists on memory
                # that may be written, though it does not write.
                frames = np.require(frames, requirements=("C", "W"))
                clip = self._ov.Tensor(frames[np.newaxis], shared_memory=True)
                request.start_async(dict(enumerate([clip, *scaling])))
                _wait(request)
                logits = np.array(request.get_output_tensor(0).data, dtype=np.float32)
            except (RuntimeError, MemoryError) as error:
                self._compiled = None
                if _is_too_short(error):
                    raise _too_short(num_frames) from error
                if _is_out_of_memory(error):
                    raise EngineError(
                        f"A clip of {num_frames} frames does not fit into memory.",
                        hint="Classify a part of the video: --start, --end or --max-frames.",
                    ) from error
                raise EngineError(
                    f"The model cannot run on a clip of {num_frames} frames of "
                    f"{width} x {height} pixels: {_reason(error)}.",
                    hint="Check what the model expects of its input.",
                ) from error
            except BaseException:
                # Ctrl-C: the engine can't be stopped half-way, and goes on reading the frames.
                _ABANDONED.append((self._compiled, clip))
                self._compiled = None
                raise
        if logits.size == 0:
            raise _too_short(num_frames)
        return logits.reshape(-1, self.contract.num_labels)

    def _request(self, frames: Clip | Pixels) -> Any:
        """What runs clips of this length: with it fixed, the engine is faster than without."""
        key = (frames.dtype, frames.shape)
        if self._compiled is None or self._compiled[0] != key:
            self._compiled = None  # it holds as much memory as the next one will
            model = self._model.clone()
            if frames.dtype == np.uint8:
                model = _with_uint8_input(self._ov, model)
            model.reshape({0: [1, *frames.shape]})
            compiled = _core(self._ov).compile_model(model, "CPU", _settings(self.precision))
            self._compiled = (key, compiled.create_infer_request())
        return self._compiled[1]


def version() -> str:
    """OpenVINO's version.

    Raises:
        EngineNotInstalledError: OpenVINO can't be imported.
    """
    return str(import_openvino().__version__).split("-", maxsplit=1)[0]


def load(
    model_dir: Path,
    *,
    precision: Precision = "float32",
    fingerprint: Callable[[], str] | None = None,
    is_known: bool = False,
) -> OpenVINOEngine:
    """Load a SavedModel directory into OpenVINO.

    Args:
        model_dir: The folder.
        precision: The arithmetic.
        fingerprint: Gives the SHA-256 over the model's files, under which it is kept in OpenVINO's
            own format, which is read faster; None to keep nothing.
        is_known: It is known to run.

    Raises:
        EngineNotInstalledError: OpenVINO can't be imported.
        ModelLoadError: The directory holds no SavedModel, or one that does not turn a video into
            logits.
        UnsupportedModelError: OpenVINO can't run the model.
        EngineError: This machine has no such precision.
    """
    ov = import_openvino()
    signature = read_signature(model_dir)
    _check_precision(ov, precision)
    kept = None if fingerprint is None else open_prepared(fingerprint(), str(ov.__version__))
    if kept is not None:
        path, prepared = kept
        with suppress(RuntimeError, UnicodeError):  # it is no graph: made again
            return OpenVINOEngine(
                ov,
                _core(ov).read_model(path),
                prepared.contract,
                precision,
                agrees=prepared.agrees,
                is_kept=True,
            )
    with _unsupported(model_dir):
        model, contract = _convert(ov, model_dir, signature)
        if not is_known:
            # What OpenVINO can read it can't always run: now there is another engine to take.
            _core(ov).compile_model(model, "CPU", _settings("float32"))
    engine = OpenVINOEngine(ov, model, contract, precision)
    engine.keep(fingerprint)
    return engine


def import_openvino() -> Any:
    """Import openvino without its tools.

    The package imports its converter of other frameworks' models, which reports each import to
    Google Analytics (openvino/tools/ovc/__init__.py) and takes as long as all the rest. i3d uses
    nothing of it, and keeps it out.

    Raises:
        EngineNotInstalledError: It can't be imported.
    """
    tools = "openvino.tools.ovc"
    if "openvino" not in sys.modules and tools not in sys.modules:
        sys.modules[tools] = None  # type: ignore[assignment]  # "not there": openvino goes on
    try:
        import openvino
    except Exception as error:  # a missing library of the system is an OSError or ImportError
        reason = str(error).strip().splitlines()
        raise EngineNotInstalledError(
            f"OpenVINO cannot be imported: {reason[0] if reason else type(error).__name__}.",
            hint="Install it again: pip install --upgrade --force-reinstall openvino",
        ) from error
    finally:
        if sys.modules.get(tools, tools) is None:
            del sys.modules[tools]
    return openvino


def _convert(ov: Any, model_dir: Path, signature: VideoSignature) -> tuple[Any, ModelContract]:
    """Read a SavedModel, and cut the way from its pixels to its step logits out of it."""
    model = _read(model_dir, signature)
    pixels = model.inputs[0]
    output = model.outputs[0].get_node().input_value(0)
    steps, field, rescales = None, None, None
    if signature.is_tf1:  # as in TensorFlow, where the others hide in functions
        output = before_softmax(output)
        steps = find_step_logits(output, signature.num_labels)
        rescales = rescales_pixels(pixels)
        if steps is not None:
            field = find_temporal_field(model.get_ordered_ops(), pixels, steps[0])
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
        receptive_field=None if field is None else field.receptive_field,
        stride=None if field is None else field.stride,
        padding=None if field is None else field.padding,
    )
    if steps is not None:
        output = ov.opset1.transpose(steps[0], np.array(steps[1], dtype=np.int64)).output(0)
    cut = ov.Model([ov.opset1.result(output)], [pixels.get_node()], "i3d")
    cut.reshape({0: [1, -1, signature.size or -1, signature.size or -1, 3]})
    _simplify(cut)
    return cut, contract


def _read(model_dir: Path, signature: VideoSignature) -> Any:
    """Read the part of a SavedModel from the signature's input to its output.

    Both are found by what they are called in the graph: OpenVINO calls its own inputs and outputs
    by the names in signatures, which may be those of several tensors.
    """
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("tf")
    graph = frontend.load(str(model_dir))
    places = []
    for tensor in (signature.input_tensor, signature.output_tensor):
        places.append(graph.get_place_by_tensor_name(tensor))
        if places[-1] is None:
            raise RuntimeError(f"OpenVINO finds no tensor {tensor}")
    graph.override_all_inputs(places[:1])
    graph.override_all_outputs(places[1:])
    model = frontend.convert(graph)
    if (len(model.inputs), len(model.outputs)) != (1, 1):  # a port that an operation does not have
        raise RuntimeError(f"OpenVINO finds no way to the tensor {signature.output_tensor}")
    return model


def _simplify(model: Any) -> None:
    """Do once what compiling does each time: fold batch norm into convolutions, and the like.

    It saves a third of the time of compiling I3D. OpenVINO's converter does the same, through the
    same function, which is not a public one.
    """
    with suppress(ImportError, AttributeError):
        from openvino._offline_transformations import apply_moc_transformations

        apply_moc_transformations(model, cf=True)


def _with_uint8_input(ov: Any, model: Any) -> Any:
    """Put the scaling in front of a model: a clip of uint8, and the scale and offset of the range.

    As inputs, not constants: then one compiled model serves all ranges.
    """
    pixels = model.get_parameters()[0]
    shape = pixels.get_partial_shape()
    clip = ov.opset1.parameter(shape, np.uint8)
    scale, offset = (ov.opset1.parameter([], np.float32) for _ in range(2))
    scaled = ov.opset1.multiply(ov.opset1.convert(clip, "f32"), scale)
    pixels.output(0).replace(ov.opset1.add(scaled, offset).output(0))
    return ov.Model(model.get_results(), [clip, scale, offset], "i3d")


def _save(ov: Any, model: Any, path: Path) -> None:
    try:
        ov.save_model(model, path, compress_to_fp16=False)
    except (RuntimeError, UnicodeError) as error:  # a full disk, a path that is not UTF-8
        raise OSError(str(error)) from error


@cache
def _core(ov: Any) -> Any:
    """One for the process: it loads the plugin for CPUs, which takes time."""
    return ov.Core()


def _settings(precision: Precision) -> dict[str, Any]:
    """OpenVINO's properties."""
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],  # else it may take less by itself
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
    }
    limit = thread_limit()
    if limit is not None:
        settings["INFERENCE_NUM_THREADS"] = limit
    return settings


def _check_precision(ov: Any, precision: Precision) -> None:
    if precision == "float32":
        return
    if _CAPABILITIES[precision] not in _core(ov).get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise EngineError(
            f"The CPU of this machine does not compute in {precision}.",
            hint="Leave --precision out: float32.",
        )


@contextmanager
def _unsupported(model_dir: Path) -> Iterator[None]:
    from openvino import frontend

    try:
        yield
    except (
        RuntimeError,  # all that the rest of OpenVINO raises
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    ) as error:
        raise UnsupportedModelError(
            f"OpenVINO cannot run the model in {model_dir}: {_reason(error)}.",
            reason=_reason(error),
            hint="Use --engine tensorflow.",
        ) from error


def _wait(request: Any) -> None:
    """Wait for the end of a run, so that Ctrl-C gets through."""
    while not request.wait_for(_POLL_MILLISECONDS):
        pass


def _too_short(num_frames: int) -> EngineError:
    return EngineError(
        f"A clip of {num_frames} frames is too short for the model: it gives no output.",
        hint="Use more frames: I3D needs 9.",
    )


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text


def _is_too_short(error: BaseException) -> bool:
    """Whether a window over time, the first axis that windows have, found too few frames."""
    return re.search(r"larger than the data shape .* at axis 0\b", str(error)) is not None


def _reason(error: BaseException) -> str:
    """What an error of OpenVINO's says, in one line; it puts where it was raised in front."""
    text = str(error).strip()
    missing = re.search(
        r"No (?:translator|conversion rule) found for operation(?:s|\(s\)): (.+)",
        text,
        re.IGNORECASE,
    )
    if missing:
        return f"it has no translation of {missing[1].strip().rstrip('.')}"
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not re.match(r"(Exception from|Check ')", line)]
    line = lines[-1] if lines else type(error).__name__
    return line[:200].rstrip(".")
