"""Draws the benchmark's results with matplotlib, which is imported when something is drawn."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.measurements import spread
from benchmarks.processes import BenchmarkError

if TYPE_CHECKING:
    from benchmarks.measurements import Comparison, Length
    from benchmarks.results import Results

_BLUE, _GREY = "#1f6fb2", "#8a8a8a"
_GIB = 2**30


def as_svg(results: Results) -> bytes | None:
    """Draw wall times, each run a dot, and time and memory against length.

    Returns:
        An SVG file; None where neither was measured.

    Raises:
        BenchmarkError: matplotlib can't be imported.
    """
    lengths = results.lengths or []
    num_panels = (results.comparison is not None) + 2 * bool(lengths)
    if num_panels == 0:
        return None
    try:
        matplotlib: Any = import_module("matplotlib")
        figures: Any = import_module("matplotlib.figure")
    except ImportError as error:
        raise BenchmarkError(
            'No plot was drawn, for matplotlib is missing: pip install "i3d[benchmark]".'
        ) from error
    # The same numbers give the same file; text stays text.
    settings = {"svg.hashsalt": "i3d", "svg.fonttype": "none", "font.size": 9}
    settings |= {"axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(settings):
        figure = figures.Figure(figsize=(9, 2.4 * num_panels), layout="constrained")
        panels = list(figure.subplots(num_panels, 1, squeeze=False)[:, 0])
        if results.comparison is not None:
            _draw_comparison(panels.pop(0), results.comparison)
        if lengths:
            _draw_lengths(panels, lengths)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _draw_comparison(axes: Any, comparison: Comparison) -> None:
    for place, one in enumerate(comparison.contestants):
        seconds = [run.seconds for run in one.runs]
        axes.plot(seconds, [place] * len(seconds), "o", color=_BLUE, alpha=0.5, markersize=5)
        axes.plot([spread(seconds).median], [place], "|", color="black", markersize=18)
    names = [one.name for one in comparison.contestants]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("wall time of the process in seconds (dots: runs; bars: medians)")
    axes.set_title(f"A clip of {comparison.num_frames} frames", loc="left")


def _draw_lengths(panels: list[Any], lengths: list[Length]) -> None:
    time, memory = panels
    for axes, title in ((time, "wall time in seconds"), (memory, "peak memory in GiB")):
        axes.set_title(f"Length: {title}", loc="left")
        axes.set_xlabel("length of the video in seconds")
    places = [row.video_seconds for row in lengths]
    for row in lengths:
        for run in row.runs:
            time.plot(row.video_seconds, run.seconds, "o", color=_BLUE, alpha=0.5)
            memory.plot(row.video_seconds, run.peak_bytes / _GIB, "o", color=_BLUE, alpha=0.5)
    medians = [spread(run.seconds for run in row.runs).median for row in lengths]
    time.plot(places, medians, color=_BLUE, linewidth=1)
    peaks = [spread(run.peak_bytes / _GIB for run in row.runs).median for row in lengths]
    memory.plot(places, peaks, color=_BLUE, linewidth=1, label="i3d classify")
    imports = [row.imports_peak_bytes / _GIB for row in lengths]
    memory.plot(places, imports, "--", color=_GREY, linewidth=1, label="its imports alone")
    memory.legend(frameon=False)
    for axes in (time, memory):
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
