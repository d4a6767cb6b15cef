"""What the OpenVINO engine needs from outside: converted graphs, errors in words, threads."""

from __future__ import annotations

import math
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i3d.errors import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.engines.graphs import VideoModel

_CGROUP = Path("/sys/fs/cgroup")


def convert(ov: Any, model_dir: Path, found: VideoModel) -> Any:
    """Read a SavedModel, and cut the way from its pixels to its step logits out of it.

    The signature's input and output are found by what they are called in the graph: OpenVINO calls
    its own by the names in signatures, which may be those of several tensors.

    Returns:
        `openvino.Model` from float32 pixels (1, T, height, width, 3) to (1, S, labels) or
        (1, S, labels, 1, 1) step logits.
    """
    from openvino.frontend import FrontEndManager

    signature = found.signature
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
    output = model.outputs[0].get_node().input_value(0)
    if found.contract.has_steps:
        output = _step_logits(ov, output, signature.num_labels)
    elif found.output_tensor != signature.output_tensor:  # probabilities: what they are made of
        output = output.get_node().input_value(0)
    cut = ov.Model([ov.opset1.result(output)], [model.inputs[0].get_node()], "i3d")
    size = signature.size or -1
    cut.reshape({0: [1, -1, size, size, 3]})
    _simplify(cut)
    return cut


def _step_logits(ov: Any, output: Any, num_labels: int) -> Any:
    """Find the tensor whose mean over time the output is, and put the labels after the steps.

    OpenVINO moves and merges axes for its convolutions, and keeps no names of such tensors.
    """
    import numpy as np  # here: the benchmarks ask for no more than the number of threads

    node = output.get_node()
    while node.get_type_name() != "ReduceMean":
        if not node.input_values():
            raise RuntimeError("its mean over time is lost in the conversion")
        node = node.input_value(0).get_node()
    steps, axes = node.input_value(0), node.input_value(1).get_node().get_data().ravel()
    sizes = [int(dim.get_length()) if dim.is_static else None for dim in steps.get_partial_shape()]
    averaged = {int(axis) % len(sizes) for axis in axes}
    (time,) = (axis for axis in averaged if sizes[axis] is None)
    labels = next(axis for axis in range(1, len(sizes)) if sizes[axis] == num_labels)
    rest = [axis for axis in range(1, len(sizes)) if axis not in (time, labels)]
    order = np.array([0, time, labels, *rest], dtype=np.int64)
    return ov.opset1.transpose(steps, order).output(0)


def _simplify(model: Any) -> None:
    """Do once what compiling does each time: fold batch norm into convolutions, and the like.

    It saves a third of the time of compiling I3D. OpenVINO's converter does the same, through the
    same function, which is not a public one.
    """
    with suppress(ImportError, AttributeError):
        from openvino._offline_transformations import apply_moc_transformations

        apply_moc_transformations(model, cf=True)


@contextmanager
def unsupported(model_dir: Path) -> Iterator[None]:
    """Tell in i3d's words what OpenVINO raises: UnsupportedModelError.

    Args:
        model_dir: The model that it reads.
    """
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
            f"OpenVINO cannot run the model in {model_dir}: {reason_of(error)}.",
            reason=reason_of(error),
            hint="Use --engine tensorflow.",
        ) from error


def reason_of(error: BaseException) -> str:
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


def thread_limit(cgroup: Path = _CGROUP) -> int | None:
    """Find the number of CPUs that this process was given, where it is not all of the machine's.

    The least of the CPUs that it may run on (`taskset`, Slurm), the CPU time that its container
    gets (`docker run --cpus`, Kubernetes' limits; control groups of Linux, both versions), and
    OMP_NUM_THREADS.

    Args:
        cgroup: Where control groups are mounted.

    Returns:
        That number, at least 1; None where nothing limits it.
    """
    limits = [_affinity(), _quota(cgroup), _variable()]
    known = [limit for limit in limits if limit is not None]
    count = os.cpu_count() or 1
    limit = min(known, default=count)
    return limit if limit < count else None


def _affinity() -> int | None:
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return None
    return max(1, len(os.sched_getaffinity(0)))


def _quota(cgroup: Path) -> int | None:
    """CPU time over wall-clock time, rounded up."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        return max(1, math.ceil(int(quota) / int(period))) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # `max`: no limit
        return None


def _variable() -> int | None:
    try:
        # A list is for nested parallel regions: the first number is the outermost's.
        return max(1, int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0]))
    except ValueError:
        return None
