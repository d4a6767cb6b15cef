"""The benchmark's results as Markdown, in tables that also read well as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.machine import warning
from benchmarks.measurements import ratios, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measurements import (
        Batch,
        Comparison,
        Engines,
        Length,
        LongVideo,
        Spread,
        StartUp,
    )
    from benchmarks.processes import Run
    from benchmarks.results import Results

_MIB = 2**20


def as_markdown(results: Results) -> str:
    """The whole report."""
    blocks = [_machine(results.machine)]
    busy = warning(results.machine)
    if busy is not None:
        blocks.append(busy)
    if results.comparison is not None:
        blocks += _comparison(results.comparison)
    if results.engines is not None:
        blocks += _engines(results.engines)
    if results.lengths is not None:
        blocks += _lengths(results.lengths)
    if results.timeline is not None:
        blocks += _timeline(results.timeline)
    if results.batch is not None:
        blocks += _batch(results.batch)
    if results.startup is not None:
        blocks += _startup(results.startup)
    targets = results.targets()
    if targets:
        rows = [
            [
                target.name,
                f"{target.value:.3g}",
                f"{'at least' if target.at_least else 'at most'} {target.limit:g}",
                "reached" if target.reached else "not reached",
            ]
            for target in targets
        ]
        blocks += ["### Targets", table(["what", "measured", "target", ""], rows)]
    if results.failures:
        blocks += ["### Failed", "\n".join(f"- {sentence}" for sentence in results.failures)]
    return "\n\n".join(blocks) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of equal width; all columns but the first to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _machine(machine: dict[str, Any]) -> str:
    packages = ", ".join(
        f"{name} {version}" for name, version in machine["packages"].items() if version is not None
    )
    return (
        f"{machine['processor']}, {machine['num_cpus_allowed']} of {machine['num_cpus']} "
        f"processors, {machine['memory_bytes'] / 2**30:.1f} GiB; {machine['system']}; "
        f"Python {machine['python']}, {packages}; "
        f"i3d {machine['i3d_commit'] or 'of an unknown commit'}; "
        f"load average before: {machine['load_average']:.2f}."
    )


def _comparison(comparison: Comparison) -> list[str]:
    tutorial = comparison.contestants[0]
    rows = []
    for one in comparison.contestants:
        time = ratios(one.runs, tutorial.runs, lambda run: run.seconds)
        memory = ratios(one.runs, tutorial.runs, lambda run: run.peak_bytes)
        is_first = one is tutorial
        rows.append(
            [
                one.name,
                one.engine,
                _shown(spread(run.seconds for run in one.runs)),
                "1" if is_first else _shown(time),
                f"{spread(run.cpu_seconds for run in one.runs).median:.2f}",
                f"{spread(run.peak_bytes / _MIB for run in one.runs).median:.0f}",
                "1" if is_first else f"{memory.median:.2f}",
                "" if is_first else ("same" if one.same_top_5 else "DIFFERENT"),
                "" if is_first else f"{one.largest_difference:.1e}",
            ]
        )
    head = ["", "engine", "time, s", "of the tutorial's", "CPU, s", "peak memory, MiB"]
    head += ["of the tutorial's", "top 5", "largest difference"]
    return [
        f"### A clip of {comparison.num_frames} frames, whole processes",
        f"Medians of {len(tutorial.runs)} runs each (lowest to highest).",
        table(head, rows),
    ]


def _engines(engines: Engines) -> list[str]:
    rows = [
        [
            f"{rate.engine} {rate.version}",
            f"{rate.load_seconds:.2f}",
            f"{rate.flop / spread(rate.engine_flops).median:.2f}",
            f"{spread(rate.engine_flops).median / 1e9:.0f}",
            f"{spread(rate.matrix_flops).median / 1e9:.0f} ({rate.matrix_size})",
            _shown(rate.share),
        ]
        for rate in engines.rates
    ]
    blocks = ["### Engines alone against float32 matrix multiplication"]
    for rate in engines.rates[:1]:
        blocks.append(
            f"A run on {rate.num_frames} frames is {rate.flop / 1e9:.1f} GFLOP (the convolutions, "
            f"counted from their shapes; {rate.flop / rate.num_frames / 2e9:.3f} thousand million "
            f"multiplications a frame). {rate.num_threads} threads, "
            f"{len(rate.engine_flops)} pairs."
        )
    head = ["engine", "load, s", "run, s", "GFLOP/s", "matrices, GFLOP/s (size)", "ratio of pairs"]
    if rows:
        blocks.append(table(head, rows))
    blocks += [f"{name}: {sentence}" for name, sentence in engines.unavailable.items()]
    return blocks


def _lengths(lengths: list[Length]) -> list[str]:
    rows = []
    for row in lengths:
        seconds = spread(run.seconds for run in row.runs)
        rows.append(
            [
                f"{row.video_seconds:g} s",
                str(len(row.runs)),
                _shown(seconds),
                f"{seconds.median / row.video_seconds:.3f}",
                f"{spread(run.peak_bytes / _MIB for run in row.runs).median:.0f}",
                f"{row.added_bytes / _MIB:.0f}",
            ]
        )
    head = ["video", "runs", "time, s", "for each second of video", "peak memory, MiB"]
    return ["### Length", table([*head, "above the imports, MiB"], rows)]


def _timeline(measured: LongVideo) -> list[str]:
    cut = measured.cut
    ways = [
        ("i3d timeline", measured.timeline, _shown(measured.ratio)),
        ("one pass", measured.one_pass, "1"),
    ]
    rows = [[name, *_time_and_memory(runs), ratio] for name, runs, ratio in ways]
    about = (
        f"Medians of {len(measured.timeline)} runs each (lowest to highest). In {cut.num_chunks} "
        f"chunks {cut.num_frames_computed} frames are computed, "
        f"{cut.num_frames_computed / cut.num_frames:.2f} times the video's. Largest difference of "
        f"any logit of the {cut.num_steps} steps from one pass: {cut.largest_difference:.1e}."
    )
    return [
        f"### A timeline of {cut.num_frames} frames, whole processes",
        about,
        table(["", "time, s", "CPU, s", "peak memory, MiB", "time, of one pass's"], rows),
    ]


def _batch(batch: Batch) -> list[str]:
    engine = spread(run.load_seconds + sum(run.clip_seconds) for run in batch.engine)
    name, number = "i3d classify FOLDER", str(batch.num_clips)
    rows = [
        ["the engine alone", number, _shown(engine), "", "", "1"],
        [name, number, *_time_and_memory(batch.all_clips), _shown(batch.whole_ratio)],
        [
            f"{name} --jobs 2",
            number,
            *_time_and_memory(batch.more_jobs),
            _shown(batch.more_jobs_ratio),
        ],
        [name, str(batch.num_fewer), *_time_and_memory(batch.fewer_clips), ""],
        [f"{name}, nothing left to do", number, *_time_and_memory(batch.nothing_left), ""],
    ]
    per_clip = spread(seconds for run in batch.engine for seconds in run.clip_seconds)
    num_added = batch.num_clips - batch.num_fewer
    about = (
        f"Medians of {len(batch.engine)} runs each (lowest to highest). The engine alone is to "
        f"import, to load, and to run on clips that were decoded before: {_shown(per_clip)} s a "
        "clip."
    )
    added = (
        f"What {num_added} more clips add to the time of {batch.num_fewer}, of the engine's for "
        f"them: {_shown(batch.marginal_ratio)}."
    )
    return [
        f"### A folder of clips of {batch.num_frames} frames, whole processes",
        about,
        table(["", "clips", "time, s", "CPU, s", "peak memory, MiB", "of the engine's"], rows),
        added,
    ]


def _startup(startup: list[StartUp]) -> list[str]:
    rows = [
        [
            f"`{row.command}`",
            _shown(spread(run.seconds for run in row.runs)),
            f"{spread(run.peak_bytes / _MIB for run in row.runs).median:.0f}",
        ]
        for row in startup
    ]
    return [
        "### Start-up",
        table(["command", "time, s", "peak memory, MiB"], rows),
        "On Linux no peak below that of the benchmark's own process can be seen: about 23 MiB.",
    ]


def _time_and_memory(runs: list[Run]) -> list[str]:
    return [
        _shown(spread(run.seconds for run in runs)),
        f"{spread(run.cpu_seconds for run in runs).median:.2f}",
        f"{spread(run.peak_bytes / _MIB for run in runs).median:.0f}",
    ]


def _shown(values: Spread) -> str:
    return f"{values.median:.2f} ({values.lowest:.2f} to {values.highest:.2f})"
