"""Measures one engine's rate on one clip against that of numpy's matrix multiplication.

    python -m benchmarks.rate MODEL ENGINE PAIRS NUM_FRAMES SIZE...

Started by the benchmark as a process of its own. Prints one JSON object: the measurements, or
`{"unavailable": sentence}` where there is no such engine here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.network import num_multiplications

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE_SECONDS = 0.2
"""Between two measurements: threads of OpenBLAS and of engines go on spinning for a while after
their last piece of work, and would take time from the other side."""


def main() -> dict[str, Any]:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description="Measure one engine's rate.")
    parser.add_argument("model", type=Path)
    parser.add_argument("engine")
    parser.add_argument("pairs", type=int)
    parser.add_argument("num_frames", type=int)
    parser.add_argument("sizes", type=int, nargs="+")
    args = parser.parse_args()

    import numpy as np

    from i3d.engines.choose import load_engine
    from i3d.errors import EngineNotInstalledError, UnknownNameError

    start = time.perf_counter()
    try:
        engine = load_engine(args.model, args.engine)
    except (EngineNotInstalledError, UnknownNameError) as error:
        return {"unavailable": str(error)}
    load_seconds = time.perf_counter() - start
    random = np.random.default_rng(0)
    clip = random.integers(0, 256, (args.num_frames, 224, 224, 3), np.uint8)

    def run_engine() -> None:
        engine.step_logits(clip, engine.contract.input_range)

    _seconds(run_engine)  # the first run is slower: not counted
    size, multiply = _best_product(args.sizes)
    # So often that both sides of a pair take about as long.
    num_products = max(1, round(_seconds(run_engine) / _seconds(multiply)))

    def run_products() -> None:
        for _ in range(num_products):
            multiply()

    flop = {
        "engine": 2 * num_multiplications(args.num_frames),
        "matrix": 2 * size**3 * num_products,
    }
    sides = [("engine", run_engine), ("matrix", run_products)]
    rates: dict[str, list[float]] = {"engine": [], "matrix": []}
    for _ in range(args.pairs):
        for name, work in sides:
            rates[name].append(flop[name] / _seconds(work))
        sides.reverse()
    return {
        "engine": engine.name,
        "version": engine.version,
        "load_seconds": load_seconds,
        "num_frames": args.num_frames,
        "flop": flop["engine"],
        "matrix_size": size,
        "engine_flops": rates["engine"],
        "matrix_flops": rates["matrix"],
    }


def _best_product(sizes: list[int]) -> tuple[int, Callable[[], None]]:
    """The size of square float32 matrices with the highest rate, and a product of that size."""
    import numpy as np

    best = (0.0, 0, lambda: None)
    for size in sizes:
        random = np.random.default_rng(size)
        left, right = (random.standard_normal((size, size), np.float32) for _ in range(2))
        product = np.empty_like(left)

        def multiply(left: Any = left, right: Any = right, product: Any = product) -> None:
            np.matmul(left, right, out=product)

        _seconds(multiply)
        rate = 2 * size**3 / min(_seconds(multiply) for _ in range(3))
        best = max(best, (rate, size, multiply), key=lambda item: item[0])
    return best[1:]


def _seconds(work: Callable[[], None]) -> float:
    """The wall time of a piece of work, after a pause."""
    time.sleep(_PAUSE_SECONDS)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    from i3d.errors import I3DError

    try:
        print(json.dumps(main()))
    except I3DError as problem:
        sys.exit(str(problem))
