"""The parts of the benchmark: each starts child processes and gives what they took."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from benchmark_machine import num_threads
from benchmark_processes import BenchmarkError, Finished, Run, check, clean_environment, run
from benchmark_results import (
    LIGHT_COMMANDS,
    PROBABILITY_TOLERANCE,
    Comparison,
    Contestant,
    EngineRate,
    Engines,
    Length,
    StartUp,
)

SCRIPTS = Path(__file__).resolve().parent
SOURCE = SCRIPTS.parent / "src"
LABELS = SOURCE / "i3d" / "data" / "kinetics-400-labels.txt"

CACHE = "cache"
"""Name of the folder that i3d keeps its things in."""

NUM_FRAMES = 79
"""Of the clip that is compared: about the shortest of UCF101's CricketShot clips, 3.2 seconds."""
FPS = 25

ENGINES = ("openvino", "tensorflow")
"""All that i3d may have, the preferred one first."""

_IMPORTS = {
    "openvino": "import numpy, cv2, openvino",
    "tensorflow": "import numpy, cv2, tensorflow, tensorflow_hub",
}
"""By engine: the packages that a run imports."""

_LONGEST_REPEATS = 3
"""How often each length is run at most: they take minutes."""

Tell: TypeAlias = Callable[[str], None]
"""Takes one line on what is going on."""


@dataclass(frozen=True)
class Workplace:
    """Where the inputs are, and how children are started."""

    folder: Path
    """Of the model and the videos; kept by who made it."""
    scratch: Path
    """Of caches; goes away with the run."""
    repeats: int
    limit_seconds: float
    """For each process."""
    tell: Tell

    @property
    def model(self) -> Path:
        """The SavedModel's folder."""
        return self.folder / "i3d-random-weights"

    def run(self, command: list[str], *, threads: int | None = None) -> Finished:
        """Run Python with these arguments; see `benchmark_processes.run`."""
        environment = clean_environment(SOURCE, self.scratch / CACHE, threads)
        return run(
            [sys.executable, *command],
            environment=environment,
            folder=self.scratch,
            limit_seconds=self.limit_seconds,
        )

    def must_run(self, command: list[str], **options: Any) -> Finished:
        """The same for a command that must end with exit code 0.

        Raises:
            BenchmarkError: It did not.
        """
        return check(self.run(command, **options), [sys.executable, *command])

    def video(self, num_frames: int) -> Path:
        """A video of that length, rendered where it is not there yet."""
        path = self.folder / f"street-{num_frames}.avi"
        if not path.exists():
            self.tell(f"Rendering a video of {num_frames} frames")
            self.must_run(
                [str(SCRIPTS / "benchmark_inputs.py"), "video", str(path), str(num_frames)]
            )
        return path

    def make_model(self) -> None:
        """Write the model where it is not there yet, and install it in the cache."""
        if not self.model.exists():
            self.tell("Writing a full-size I3D with random weights")
            self.must_run([str(SCRIPTS / "benchmark_inputs.py"), "model", str(self.model)])
        if not (self.scratch / CACHE / "models").exists():
            self.tell("Installing it")
            self.must_run(["-m", "i3d", "model", "import", str(self.model)])

    def classify(self, video: Path, *options: str) -> list[str]:
        """The command `i3d classify`, with all probabilities in its result."""
        result = ["--top", "400", "--format", "json"]
        return ["-m", "i3d", "classify", str(video), *result, *options]


def take_turns(
    contestants: Mapping[str, Callable[[], Finished]], rounds: int, tell: Tell
) -> dict[str, list[Run]]:
    """Run all contestants once a round, in the opposite order in every other one.

    So what changes slowly (other work, the processor's heat) meets all of them alike.

    Returns:
        By name, the runs in the order of the rounds.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(1, rounds + 1):
        for name in order:
            done = contestants[name]().run
            runs[name].append(done)
            tell(f"{number} of {rounds}: {name}: {done.seconds:.2f} s")
        order.reverse()
    return runs


def measure_classify(place: Workplace, failures: list[str]) -> Comparison:
    """The tutorial's script and `i3d classify` as whole processes.

    Raises:
        BenchmarkError: The tutorial's script failed, or a run that had worked before.
    """
    place.make_model()
    clip = place.video(NUM_FRAMES)
    script = [str(SCRIPTS / "benchmark_tutorial.py"), str(clip), str(place.model), str(LABELS)]
    command = place.classify(clip, "--recipe", "tutorial")
    with_tensorflow = [*command, "--engine", "tensorflow"]

    def run_first() -> Finished:
        """As if the model had just been put there by hand: nothing was prepared yet."""
        shutil.rmtree(place.scratch / CACHE / "prepared")
        return place.must_run(command)

    ways: dict[str, Callable[[], Finished]] = {
        "the tutorial's script": partial(place.must_run, script),
        "i3d classify": partial(place.must_run, command),
        "i3d classify, for the first time": run_first,
        "i3d classify --engine tensorflow": partial(place.must_run, with_tensorflow),
    }
    first, *others = ways
    place.tell("Once each, not counted: " + ", ".join(ways))
    expected: list[float] = json.loads(ways[first]().stdout.splitlines()[-1])
    contestants = [Contestant(first, "tensorflow", [], same_top_5=True, largest_difference=0.0)]
    for name in others:
        try:
            contestants.append(compare(name, ways[name]().stdout, expected))
        except BenchmarkError as error:
            failures.append(str(error))
            del ways[name]
    for one in contestants:
        if not one.same_top_5 or one.largest_difference > PROBABILITY_TOLERANCE:
            failures.append(f"{one.name} gives other numbers than the tutorial's script.")
    runs = take_turns(ways, place.repeats, place.tell)
    return Comparison(NUM_FRAMES, [replace(one, runs=runs[one.name]) for one in contestants])


def compare(name: str, document: str, expected: list[float]) -> Contestant:
    """Compare a result in JSON with the tutorial's probabilities.

    Args:
        name: Of the contestant.
        document: What `i3d classify --top 400 --format json` prints.
        expected: The tutorial's probabilities, by label.
    """
    result = json.loads(document)["results"][0]
    found = {score["label_index"]: score["probability"] for score in result["scores"]}
    likeliest = sorted(range(len(expected)), key=lambda index: -expected[index])[:5]
    differences = (abs(found[index] - value) for index, value in enumerate(expected))
    return Contestant(
        name,
        f"{result['engine']['name']} {result['engine']['version']}",
        [],
        same_top_5=[score["label_index"] for score in result["scores"][:5]] == likeliest,
        largest_difference=max(differences),
    )


def measure_engines(place: Workplace, sizes: tuple[int, ...]) -> Engines:
    """Each engine alone against numpy's matrix multiplication.

    Args:
        place: Where it is measured.
        sizes: Sides of the matrices; the one with the highest rate counts.

    Raises:
        BenchmarkError: An engine that is here failed.
    """
    place.make_model()
    rates: list[EngineRate] = []
    unavailable: dict[str, str] = {}
    threads = num_threads()
    for name in ENGINES:
        place.tell(f"The engine {name} alone, against matrix multiplication")
        numbers = map(str, (place.repeats, NUM_FRAMES, *sizes))
        script = [str(SCRIPTS / "benchmark_rate.py"), str(place.model), name, *numbers]
        answer = json.loads(place.must_run(script, threads=threads).stdout.splitlines()[-1])
        if "unavailable" in answer:
            unavailable[name] = answer["unavailable"]
        else:
            rates.append(EngineRate(num_threads=threads, **answer))
    return Engines(rates, unavailable)


def measure_lengths(place: Workplace, lengths: list[float]) -> list[Length]:
    """`i3d classify` on videos of several lengths, with its default recipe.

    Args:
        place: Where it is measured.
        lengths: Of the videos, in seconds.

    Raises:
        BenchmarkError: A run failed; one that was refused with a sentence did not.
    """
    place.make_model()
    imports: dict[str, int] = {}
    rows = []
    for seconds in lengths:
        command = place.classify(place.video(max(1, round(seconds * FPS))))
        runs: list[Run] = []
        baseline, refusal = 0, None
        for number in range(min(place.repeats, _LONGEST_REPEATS)):
            place.tell(f"A video of {seconds:g} s, run {number + 1}")
            finished = place.run(command)
            refusal = refusal_in(finished)
            if refusal is not None:
                runs = []
                break
            check(finished, [sys.executable, *command])
            runs.append(finished.run)
            engine = json.loads(finished.stdout)["results"][0]["engine"]["name"]
            if engine not in imports:
                code = _IMPORTS.get(engine, "import numpy, cv2")
                imports[engine] = place.must_run(["-c", code]).run.peak_bytes
            baseline = imports[engine]
        rows.append(Length(seconds, runs, baseline, refusal))
    return rows


def refusal_in(finished: Finished) -> str | None:
    """The sentence with which i3d refused the length of a video; None where it did not."""
    try:
        result = json.loads(finished.stdout)["results"][0]
    except (ValueError, LookupError):
        return None
    error = result.get("error")
    too_long = error is not None and error["kind"] == "VideoTooLongError"
    return str(error["message"]) if too_long else None


def measure_startup(place: Workplace) -> list[StartUp]:
    """Light commands, and what Python and the large packages take before anything is done.

    Raises:
        BenchmarkError: A light command failed.
    """
    commands = {"python -c pass": ["-c", "pass"]}
    commands |= {command: ["-m", *command.split()] for command in LIGHT_COMMANDS}
    commands |= {f'python -c "{code}"': ["-c", code] for code in _IMPORTS.values()}
    place.tell("Once each, not counted: " + ", ".join(commands))
    ways: dict[str, Callable[[], Finished]] = {}
    for name, command in commands.items():
        finished = place.run(command)
        if finished.status != 0 and command[-1] in _IMPORTS.values():
            place.tell(f"{name}: not installed here")
            continue
        check(finished, [sys.executable, *command])
        ways[name] = partial(place.must_run, command)
    runs = take_turns(ways, place.repeats, place.tell)
    return [StartUp(name, runs[name]) for name in ways]
