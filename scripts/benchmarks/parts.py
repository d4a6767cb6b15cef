"""Parts of the benchmark: a clip against the tutorial, engines alone, and start-up."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.machine import num_threads
from benchmarks.measurements import Comparison, Contestant, EngineRate, Engines, StartUp
from benchmarks.processes import BenchmarkError, Finished, check
from benchmarks.results import LIGHT_COMMANDS, PROBABILITY_TOLERANCE
from benchmarks.workplace import (
    CACHE,
    IMPORTS,
    NUM_FRAMES,
    SOURCE,
    Workplace,
    script,
    take_turns,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = SOURCE / "i3d" / "data" / "kinetics-400-labels.txt"

ENGINES = ("openvino", "tensorflow")
"""All that i3d may have, the preferred one first."""


def measure_classify(place: Workplace, failures: list[str]) -> Comparison:
    """The tutorial's script and `i3d classify` as whole processes.

    Raises:
        BenchmarkError: The tutorial's script failed, or a run that had worked before.
    """
    place.make_model()
    clip = place.video(NUM_FRAMES)
    tutorial = script("tutorial", clip, place.model, LABELS)
    command = place.classify(clip, "--recipe", "tutorial")
    with_tensorflow = [*command, "--engine", "tensorflow"]

    def run_first() -> Finished:
        """As if the model had just been put there by hand: nothing was prepared yet."""
        shutil.rmtree(place.scratch / CACHE / "prepared")
        return place.must_run(command)

    ways: dict[str, Callable[[], Finished]] = {
        "the tutorial's script": partial(place.must_run, tutorial),
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
        command = script("rate", place.model, name, place.repeats, NUM_FRAMES, *sizes)
        answer = json.loads(place.must_run(command, threads=threads).stdout.splitlines()[-1])
        if "unavailable" in answer:
            unavailable[name] = answer["unavailable"]
        else:
            rates.append(EngineRate(num_threads=threads, **answer))
    return Engines(rates, unavailable)


def measure_startup(place: Workplace) -> list[StartUp]:
    """Light commands, and what Python and the large packages take before anything is done.

    Raises:
        BenchmarkError: A light command failed.
    """
    commands = {"python -c pass": ["-c", "pass"]}
    commands |= {command: ["-m", *command.split()] for command in LIGHT_COMMANDS}
    commands |= {f'python -c "{code}"': ["-c", code] for code in IMPORTS.values()}
    place.tell("Once each, not counted: " + ", ".join(commands))
    ways: dict[str, Callable[[], Finished]] = {}
    for name, command in commands.items():
        finished = place.run(command)
        if finished.status != 0 and command[-1] in IMPORTS.values():
            place.tell(f"{name}: not installed here")
            continue
        check(finished, [sys.executable, *command])
        ways[name] = partial(place.must_run, command)
    runs = take_turns(ways, place.repeats, place.tell)
    return [StartUp(name, runs[name]) for name in ways]
