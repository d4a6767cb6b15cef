"""The part of the benchmark about many videos: is decoding hidden behind the engine?"""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measurements import Batch, EngineRun
from benchmarks.processes import BenchmarkError, Finished
from benchmarks.workplace import FEW_REPEATS, NUM_FRAMES, Workplace, script, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def measure_batch(place: Workplace, num_clips: int) -> Batch:
    """`i3d classify FOLDER -o results.jsonl` against the engine alone on as many clips.

    Args:
        place: Where it is measured.
        num_clips: In the folder, at least 2; another one holds half of them.

    Raises:
        BenchmarkError: A run failed, or did not give a result for each clip.
    """
    place.make_model()
    clip = place.video(NUM_FRAMES)
    num_fewer = num_clips // 2
    every, fewer = _folder(place, clip, num_clips), _folder(place, clip, num_fewer)
    finished_file = place.scratch / "finished.jsonl"
    engine_runs: list[EngineRun] = []

    def run_engine() -> Finished:
        finished = place.must_run(script("clips", clip, num_clips))
        engine_runs.append(EngineRun(**json.loads(finished.stdout.splitlines()[-1])))
        return finished

    def run_new(folder: Path, num_results: int, *options: str) -> Finished:
        results = place.scratch / "results.jsonl"
        results.unlink(missing_ok=True)
        return _classify(place, folder, results, num_results, *options)

    ways: dict[str, Callable[[], Finished]] = {  # what is compared, side by side
        "half of them": partial(run_new, fewer, num_fewer),
        "all clips": partial(run_new, every, num_clips),
        "the engine alone": run_engine,
        "all clips, --jobs 2": partial(run_new, every, num_clips, "--jobs", "2"),
        "nothing left to do": partial(_classify, place, every, finished_file, num_clips),
    }
    place.tell(f"A folder of {num_clips} clips, once, not counted")
    _classify(place, every, finished_file, num_clips)
    runs = take_turns(ways, min(place.repeats, FEW_REPEATS), place.tell)
    return Batch(
        num_clips,
        num_fewer,
        NUM_FRAMES,
        all_clips=runs["all clips"],
        fewer_clips=runs["half of them"],
        more_jobs=runs["all clips, --jobs 2"],
        nothing_left=runs["nothing left to do"],
        engine=engine_runs,
    )


def _folder(place: Workplace, clip: Path, num_clips: int) -> Path:
    """A folder with so many copies of a clip."""
    folder = place.new_folder(f"clips-{num_clips}")
    for number in range(num_clips):
        shutil.copy(clip, folder / f"clip-{number:03}.avi")
    return folder


def _classify(
    place: Workplace, folder: Path, results: Path, num_results: int, *options: str
) -> Finished:
    """Classify a folder's videos; all of them must be in the file of results then.

    Raises:
        BenchmarkError: The run failed, or they are not.
    """
    command = ["-m", "i3d", "classify", str(folder), "-o", str(results), *options]
    finished = place.must_run(command)
    lines = results.read_text(encoding="utf-8").splitlines()
    num_good = sum(json.loads(line)["status"] == "ok" for line in lines)
    if num_good != num_results:
        raise BenchmarkError(f"i3d classify gave {num_good} results of {num_results} clips.")
    return finished
