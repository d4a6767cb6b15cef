"""Parts of the benchmark about long videos: memory against length, and timelines in chunks."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measurements import Cut, Length, LongVideo
from benchmarks.results import LOGIT_TOLERANCE
from benchmarks.workplace import FEW_REPEATS, FPS, IMPORTS, Workplace, script, take_turns

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.processes import Run

_ONCE_SECONDS = 300
"""Videos of this length and more are run once: five minutes of video take two."""

_ONE_PASS_MEMORY = "16G"
"""More than a minute of frames takes in one pass, with any engine."""


def measure_lengths(place: Workplace, lengths: list[float]) -> list[Length]:
    """`i3d classify` on videos of several lengths, with its default recipe.

    Args:
        place: Where it is measured.
        lengths: Of the videos, in seconds.

    Raises:
        BenchmarkError: A run failed.
    """
    place.make_model()
    imports: dict[str, int] = {}
    rows = []
    for seconds in lengths:
        command = place.classify(place.video(max(1, round(seconds * FPS))))
        runs: list[Run] = []
        engine = ""
        repeats = 1 if seconds >= _ONCE_SECONDS else min(place.repeats, FEW_REPEATS)
        for number in range(repeats):
            place.tell(f"A video of {seconds:g} s, run {number + 1}")
            finished = place.must_run(command)
            runs.append(finished.run)
            engine = json.loads(finished.stdout)["results"][0]["engine"]["name"]
        if engine not in imports:
            code = IMPORTS.get(engine, "import numpy, cv2")
            imports[engine] = place.must_run(["-c", code]).run.peak_bytes
        rows.append(Length(seconds, runs, imports[engine]))
    return rows


def measure_timeline(
    place: Workplace, num_frames: int, memory_mib: int | None, failures: list[str]
) -> LongVideo:
    """`i3d timeline` in chunks against one pass over the same frames.

    Args:
        place: Where it is measured.
        num_frames: Length of the video, at most a minute: of longer ones the last frames are left
            out, and the two would not be the same.
        memory_mib: What the timeline may take; None for its default.
        failures: Takes a sentence where the two differ.

    Raises:
        BenchmarkError: A run failed, or the video went through in one piece.
    """
    place.make_model()
    video = str(place.video(num_frames))
    limit = [] if memory_mib is None else ["--max-memory", f"{memory_mib}M"]
    timeline = ["-m", "i3d", "timeline", video, "--format", "json", *limit]
    one_pass = ["-m", "i3d", "classify", video, "--format", "json"]
    one_pass += ["--max-memory", _ONE_PASS_MEMORY]
    place.tell("A timeline and one pass, once each, not counted: do their steps agree?")
    cut = _compare_steps(place, timeline, one_pass, memory_mib)
    if cut.largest_difference > LOGIT_TOLERANCE:
        failures.append(
            f"i3d timeline gives other step logits than one pass over the video: they differ by "
            f"up to {cut.largest_difference:.1e}."
        )
    ways = {
        "i3d timeline": partial(place.must_run, timeline),
        "one pass": partial(place.must_run, one_pass),
    }
    runs = take_turns(ways, min(place.repeats, FEW_REPEATS), place.tell)
    return LongVideo(cut, runs["i3d timeline"], runs["one pass"])


def _compare_steps(
    place: Workplace, timeline: list[str], one_pass: list[str], memory_mib: int | None
) -> Cut:
    """Run both once, and compare what they keep with `--save-scores`."""
    folders: list[Path] = []
    for name, command in (("timeline", timeline), ("one-pass", one_pass)):
        folders.append(place.new_folder(f"scores-{name}"))
        place.must_run([*command, "--save-scores", str(folders[-1])])
    options = [] if memory_mib is None else ["--max-memory-mib", memory_mib]
    finished = place.must_run(script("steps", place.model, *folders, *options))
    return Cut(**json.loads(finished.stdout.splitlines()[-1]))
