"""The benchmark's command line: which parts run, and where their results go."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.files.whole import write_whole

from benchmarks.batches import measure_batch
from benchmarks.long_videos import measure_lengths, measure_timeline
from benchmarks.machine import describe_machine, warning
from benchmarks.parts import measure_classify, measure_engines, measure_startup
from benchmarks.plot import as_svg
from benchmarks.processes import BenchmarkError
from benchmarks.report import as_markdown
from benchmarks.results import Results
from benchmarks.workplace import SCRIPTS, Workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS = ("classify", "engines", "lengths", "timeline", "batch", "startup")

_LONG_VIDEO = (1250, None)
"""Frames (50 s) and MiB of memory of the timeline that is measured; None for the default memory."""

_QUICK_LONG_VIDEO = (250, 850)
"""The same for `--quick`: as little memory as makes chunks of so short a video."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for.

    Returns:
        The exit code: 0, whether or not targets were reached; 1 where a run failed or the numbers
        are not the tutorial's; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    if not hasattr(os, "wait4"):
        _tell("The benchmark needs os.wait4, which Linux and macOS have.")
        return 1
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        if options.output is not None:  # told now, not after the last run
            options.output.mkdir(parents=True, exist_ok=True)
        results = _measure(options)
        return _report(results, options.output)
    except KeyboardInterrupt:
        _tell("Stopped: no results were written.")
        return 130
    except OSError as error:
        _tell(f"{error.filename or 'A file'} cannot be written: {error.strerror or error}.")
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark",
        description="Measure i3d against the TensorFlow Hub tutorial and against this machine.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="two runs each, short videos: to see that it works"
    )
    parser.add_argument(
        "--repeats",
        type=_count,
        metavar="N",
        help="runs of each process, at most 3 of what takes long (default: 7; quick: 2)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help="measure this part (may be given several times; default: all)",
    )
    parser.add_argument(
        "--lengths",
        type=_seconds,
        nargs="+",
        metavar="S",
        help="lengths of videos in seconds (default: 10 30 60 300; quick: 2 4)",
    )
    parser.add_argument(
        "--limit",
        type=_seconds,
        default=900.0,
        metavar="S",
        help="stop a process after S seconds (default: 900)",
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="keep the model and the videos there, and use those of an earlier run",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="write results.json, results.md and results.svg there",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, not {text!r}")
    return number


def _measure(options: argparse.Namespace) -> Results:
    quick = options.quick
    repeats = options.repeats or (2 if quick else 7)
    lengths = options.lengths or ([2.0, 4.0] if quick else [10.0, 30.0, 60.0, 300.0])
    parts = options.only or list(PARTS)
    sizes = (1024, 2048) if quick else (1024, 2048, 3072, 4096)
    results = Results(
        machine=describe_machine(SCRIPTS.parent),
        options={"quick": quick, "repeats": repeats, "lengths": lengths, "parts": parts},
    )
    busy = warning(results.machine)
    if busy is not None:
        _tell(busy)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="i3d-benchmark-"))
        folder = (options.work_dir or Path(scratch) / "inputs").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        place = Workplace(folder, Path(scratch), repeats, options.limit, _tell)
        for part, work in _work(place, results, lengths, sizes, quick=quick).items():
            if part not in parts:
                continue
            try:
                work()
            except BenchmarkError as error:
                _tell(str(error))
                results.failures.append(str(error))
    return results


def _work(
    place: Workplace,
    results: Results,
    lengths: list[float],
    sizes: tuple[int, ...],
    *,
    quick: bool,
) -> dict[str, Callable[[], None]]:
    """By part, what measures it and keeps its results."""

    def classify() -> None:
        results.comparison = measure_classify(place, results.failures)

    def engines() -> None:
        results.engines = measure_engines(place, sizes)

    def length() -> None:
        results.lengths = measure_lengths(place, lengths)

    def timeline() -> None:
        num_frames, memory = _QUICK_LONG_VIDEO if quick else _LONG_VIDEO
        results.timeline = measure_timeline(place, num_frames, memory, results.failures)

    def batch() -> None:
        results.batch = measure_batch(place, 3 if quick else 24)

    def startup() -> None:
        results.startup = measure_startup(place)

    works = (classify, engines, length, timeline, batch, startup)
    return dict(zip(PARTS, works, strict=True))


def _report(results: Results, output: Path | None) -> int:
    text = as_markdown(results)
    print(text, end="")
    if output is not None:
        document = json.dumps(results.as_dict(), indent=2, allow_nan=False) + "\n"
        write_whole(output / "results.json", document.encode())
        write_whole(output / "results.md", text.encode())
        try:
            plot = as_svg(results)
        except BenchmarkError as error:
            _tell(str(error))
            plot = None
        if plot is not None:
            write_whole(output / "results.svg", plot)
    return 1 if results.failures else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
