"""The benchmark of scripts/: what it makes of measurements, and how it treats its children."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from i3d.analysis.steps import stream

import benchmarks.main
import videos
from benchmarks.batches import measure_batch
from benchmarks.clips import clip_seconds
from benchmarks.inputs import write_video
from benchmarks.long_videos import measure_lengths, measure_timeline
from benchmarks.machine import warning
from benchmarks.measurements import (
    Batch,
    Comparison,
    Contestant,
    Cut,
    EngineRate,
    EngineRun,
    Engines,
    Length,
    LongVideo,
    Spread,
    StartUp,
    ratios,
    spread,
)
from benchmarks.network import convolutions, num_multiplications
from benchmarks.parts import LABELS, compare
from benchmarks.plot import as_svg
from benchmarks.processes import BenchmarkError, Finished, Run, check, clean_environment, run
from benchmarks.report import as_markdown, table
from benchmarks.results import Results, Target
from benchmarks.steps import chunk_lengths, compare_steps
from benchmarks.workplace import SOURCE, Workplace, take_turns
from engines import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
MIB = 2**20

needs_wait4 = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the benchmark needs os.wait4")


def a_run(seconds: float, peak_mib: float = 100) -> Run:
    return Run(seconds, cpu_seconds=1.5 * seconds, peak_bytes=int(peak_mib * MIB))


def make_results(*, i3d_seconds: float = 2.0, **changes: Any) -> Results:
    """Of all parts; i3d takes a fifth of the tutorial's time, or what is asked for."""
    tutorial = [a_run(10, 1000), a_run(11, 1000), a_run(9, 1000)]
    ours = [a_run(i3d_seconds, 600), a_run(i3d_seconds * 1.1, 600), a_run(i3d_seconds * 0.9, 600)]
    values: dict[str, Any] = {
        "machine": {
            "processor": "An | odd processor",
            "num_cpus": 2,
            "num_cpus_allowed": 2,
            "memory_bytes": 8 * 2**30,
            "system": "Linux-6.1",
            "python": "3.11.7",
            "packages": {"numpy": "2.2.6", "openvino": None},
            "i3d_commit": "0123456789ab",
            "load_average": 0.1,
        },
        "options": {"quick": False, "repeats": 3},
        "comparison": Comparison(
            79,
            [
                Contestant("the tutorial's script", "tensorflow", tutorial, True, 0.0),
                Contestant("i3d classify", "openvino 2026.4", ours, True, 3e-7),
            ],
        ),
        "engines": Engines(
            [EngineRate("openvino", "2026.4", 0.5, 79, 2, 278_000, 4096, [90.0, 80.0], [100, 100])],
            {"tensorflow": "TensorFlow cannot be imported."},
        ),
        "lengths": [
            Length(10, [a_run(4, 900), a_run(5, 950)], 70 * MIB),
            Length(60, [a_run(24, 1470)], 70 * MIB),
            Length(300, [a_run(150, 1680)], 70 * MIB),
        ],
        "timeline": LongVideo(
            Cut(1250, 4, 1600, 156, 2e-6),
            timeline=[a_run(26, 1500), a_run(30, 1500), a_run(22, 1500)],
            one_pass=[a_run(20, 3000), a_run(20, 3000), a_run(20, 3000)],
        ),
        "batch": Batch(
            num_clips=4,
            num_fewer=2,
            num_frames=79,
            all_clips=[a_run(6.2, 400), a_run(6.6, 400)],
            fewer_clips=[a_run(4.2, 400), a_run(4.2, 400)],
            more_jobs=[a_run(6, 500), a_run(6, 500)],
            nothing_left=[a_run(0.4, 50), a_run(0.4, 50)],
            engine=[EngineRun(0.5, [2.5, 1, 1, 1]), EngineRun(0.5, [1.5, 1.5, 1.5, 1.0])],
        ),
        "startup": [
            StartUp("python -c pass", [a_run(0.5, 10)]),
            StartUp("i3d --help", [a_run(0.1, 20), a_run(0.3, 20), a_run(0.2, 20)]),
        ],
    }
    return Results(**{**values, **changes})


# Statistics


def test_a_ratio_is_the_median_of_pairs_not_the_ratio_of_medians() -> None:
    ours, reference = [a_run(1), a_run(4), a_run(9)], [a_run(10), a_run(5), a_run(9)]
    ratio = ratios(ours, reference, lambda one: one.seconds)
    assert ratio == Spread(median=0.8, lowest=0.1, highest=1.0)


def test_a_spread_is_the_median_and_the_range() -> None:
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert spread([2.0, 1.0]) == Spread(1.5, 1.0, 2.0)


def test_contestants_take_turns_in_an_order_that_is_swapped_each_round() -> None:
    called: list[str] = []

    def finish(name: str) -> Finished:
        called.append(name)
        return Finished(a_run(len(called)), 0, "", "")

    ways = {name: (lambda name=name: finish(name)) for name in "ABC"}
    runs = take_turns(ways, 3, lambda _line: None)

    assert "".join(called) == "ABCCBAABC"
    assert [one.seconds for one in runs["A"]] == [1, 6, 7]


@pytest.mark.parametrize(
    ("at_least", "value", "reached"),
    [(True, 0.9, True), (True, 0.8, False), (False, 0.8, True), (False, 0.9, False)],
)
def test_a_target_is_the_most_or_the_least(at_least: bool, value: float, reached: bool) -> None:
    assert Target("it", value, 0.85, at_least).reached is reached


def test_targets_are_of_what_was_measured() -> None:
    targets = {target.name: target for target in make_results().targets()}
    time = targets["i3d classify: time, of the tutorial's"]
    assert (time.value, time.limit, time.reached) == (pytest.approx(0.2), 0.28, True)
    assert targets["i3d classify: memory, of the tutorial's"].value == pytest.approx(0.6)
    assert targets["openvino alone: rate, of matrix multiplication's"].value == pytest.approx(0.85)
    assert targets["i3d --help: seconds"].value == 0.2
    assert targets["memory above the imports, 300 s: MiB"].value == pytest.approx(1610)
    growth = targets["the same, 300 s against 60 s"]
    assert (growth.value, growth.limit) == (pytest.approx(1.15), 1.1)
    time = targets["i3d timeline: time, of one pass's"]
    assert (time.value, time.limit, time.reached) == (pytest.approx(1.3), 1.5, True)
    assert targets["i3d timeline: difference of logits"].value == 2e-6
    assert targets["batch: time that more clips add, of the engine's"].limit == 1.1
    assert not any(name.startswith("python") for name in targets)
    assert Results(machine={}, options={}).targets() == []


def test_memory_is_compared_only_where_a_longer_video_than_a_minute_was_measured() -> None:
    ten, minute, longest = make_results().lengths or []

    def names(*rows: Length) -> list[str]:
        return [target.name for target in Results({}, {}, lengths=list(rows)).targets()]

    assert names(ten) == ["memory above the imports, 10 s: MiB"]
    assert names(minute, ten) == ["memory above the imports, 60 s: MiB"]
    assert names(longest, ten) == ["memory above the imports, 300 s: MiB"]
    assert names(longest, ten, minute)[1:] == ["the same, 300 s against 60 s"]


def test_what_more_clips_add_is_compared_with_the_engines_time_for_those_alone() -> None:
    batch = make_results().batch
    assert batch is not None
    # 2.0 s of 1 + 1 s, and 2.4 s of 1.5 + 1 s: the first clips and the loading count for nothing.
    assert batch.marginal_ratio == Spread(*map(pytest.approx, (0.98, 0.96, 1.0)))
    # 6.2 s of 0.5 + 5.5 s, and 6.6 s of 0.5 + 5.5 s.
    assert batch.whole_ratio == Spread(*map(pytest.approx, (6.4 / 6, 6.2 / 6, 1.1)))
    assert batch.more_jobs_ratio.median == pytest.approx(1.0)


# The report


def test_the_table_is_markdown_with_columns_of_equal_width() -> None:
    assert table(["name", "s"], [["a", "1.25"], ["b|c", "10"]]).splitlines() == [
        "| name |    s |",
        "| :--- | ---: |",
        "| a    | 1.25 |",
        "| b\\|c |   10 |",
    ]


def test_the_report_shows_medians_ranges_ratios_and_targets() -> None:
    text = as_markdown(make_results(i3d_seconds=5.0, failures=["A run failed."]))

    def row(start: str) -> list[str]:
        line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
        return [cell.strip() for cell in line.strip("|").split("|")]

    assert row("i3d classify ")[1:] == [
        "openvino 2026.4",
        "5.00 (4.50 to 5.50)",
        "0.50 (0.50 to 0.50)",
        "7.50",
        "600",
        "0.60",
        "same",
        "3.0e-07",
    ]
    assert row("openvino 2026.4")[-1] == "0.85 (0.80 to 0.90)"
    assert row("10 s") == ["10 s", "2", "4.50 (4.00 to 5.00)", "0.450", "925", "855"]
    assert row("i3d timeline |")[1:] == [
        "26.00 (22.00 to 30.00)",
        "39.00",
        "1500",
        "1.30 (1.10 to 1.50)",
    ]
    assert "In 4 chunks 1600 frames are computed, 1.28 times the video's." in text
    assert "logit of the 156 steps from one pass: 2.0e-06." in text
    assert row("the engine alone ")[1:3] == ["4", "6.00 (6.00 to 6.00)"]
    assert row("i3d classify FOLDER ")[1:] == [
        "4",
        "6.40 (6.20 to 6.60)",
        "9.60",
        "400",
        "1.07 (1.03 to 1.10)",
    ]
    assert row("i3d classify FOLDER, nothing left to do")[1:4] == [
        "4",
        "0.40 (0.40 to 0.40)",
        "0.60",
    ]
    assert "What 2 more clips add to the time of 2, of the engine's for them: 0.98" in text
    assert "tensorflow: TensorFlow cannot be imported." in text
    target = row("i3d classify: time")
    assert target[1:] == ["0.5", "at most 0.28", "not reached"]
    assert row("i3d classify: memory")[-1] == "reached"
    assert "- A run failed." in text
    assert "numpy 2.2.6" in text
    assert "openvino None" not in text


def test_other_numbers_than_the_tutorials_are_shown() -> None:
    results = make_results()
    assert results.comparison is not None
    tutorial, ours = results.comparison.contestants
    wrong = Contestant(ours.name, ours.engine, ours.runs, False, 0.5)
    text = as_markdown(make_results(comparison=Comparison(79, [tutorial, wrong])))
    assert "DIFFERENT" in text
    assert "5.0e-01" in text


def test_a_busy_machine_is_told_of() -> None:
    results = make_results()
    assert warning(results.machine) is None
    busy = {**results.machine, "load_average": 1.5}
    sentence = warning(busy)
    assert sentence is not None
    assert "load average 1.50 on 2 processors" in sentence
    assert sentence in as_markdown(make_results(machine=busy))


def test_the_json_holds_every_run_and_the_targets() -> None:
    document = json.loads(json.dumps(make_results().as_dict(), allow_nan=False))
    assert document["schema"] == "i3d.benchmark/2"
    tutorial, ours = document["comparison"]["contestants"]
    assert [one["seconds"] for one in tutorial["runs"]] == [10, 11, 9]
    assert ours["runs"][0] == {"seconds": 2.0, "cpu_seconds": 3.0, "peak_bytes": 600 * MIB}
    assert document["lengths"][1]["imports_peak_bytes"] == 70 * MIB
    assert document["timeline"]["cut"]["num_chunks"] == 4
    assert document["batch"]["engine"][1] == {
        "load_seconds": 0.5,
        "clip_seconds": [1.5, 1.5, 1.5, 1.0],
    }
    assert {"name", "value", "limit", "at_least", "reached"} == set(document["targets"][0])


def test_the_plot_has_a_dot_for_each_run() -> None:
    pytest.importorskip("matplotlib")
    plot = as_svg(make_results())
    assert plot is not None
    assert plot == as_svg(make_results()), "the same numbers give the same file"
    text = "".join(ET.fromstring(plot).itertext())
    for words in ("the tutorial's script", "i3d classify", "A clip of 79 frames", "GiB"):
        assert words in text
    # Three runs of two contestants, and time and memory of four runs.
    dots = ET.fromstring(plot).iter("{http://www.w3.org/2000/svg}use")
    assert sum("#1f6fb2" in use.get("style", "") for use in dots) == 3 * 2 + 2 * 4


def test_nothing_is_drawn_of_nothing() -> None:
    assert as_svg(Results(machine={}, options={})) is None


# The command


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command find these results."""

    def find(results: Results) -> None:
        monkeypatch.setattr(benchmarks.main, "_measure", lambda _options: results)

    return find


@needs_wait4
def test_without_matplotlib_the_rest_is_written(
    measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    measured(make_results())

    assert benchmarks.main.main(["-o", str(tmp_path / "new")]) == 0

    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {"results.json", "results.md"}
    out, err = capsys.readouterr()
    assert out == (tmp_path / "new" / "results.md").read_text(encoding="utf-8")
    assert 'matplotlib is missing: pip install "i3d[benchmark]"' in err


@needs_wait4
@pytest.mark.parametrize(
    ("results", "code"),
    [
        (make_results(), 0),
        (make_results(i3d_seconds=20.0), 0),  # slow is no failure
        (make_results(failures=["A run failed."]), 1),
    ],
)
def test_the_exit_code_tells_failures_not_missed_targets(
    results: Results, code: int, measured: Any
) -> None:
    measured(results)
    assert benchmarks.main.main([]) == code


@needs_wait4
def test_after_ctrl_c_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_options: Any) -> Results:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmarks.main, "_measure", interrupt)
    assert benchmarks.main.main(["-o", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []


@needs_wait4
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, measured: Any, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    measured(None)  # would fail in another way
    assert benchmarks.main.main(["-o", str(tmp_path / "file" / "folder")]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--repeats", "0"],
        ["--repeats", "x"],
        ["--lengths", "-1"],
        ["--lengths", "nan"],
        ["--only", "nothing"],
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmarks.main.main(arguments)
    assert caught.value.code == 2
    assert "_count" not in capsys.readouterr().err


@needs_wait4
def test_a_failed_part_costs_that_part_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise BenchmarkError("`python x` ended with exit code 3: Oh.")

    rows = [StartUp("i3d --help", [a_run(0.1)])]
    monkeypatch.setattr(benchmarks.main, "measure_classify", fail)
    monkeypatch.setattr(benchmarks.main, "measure_startup", lambda _place: rows)
    assert benchmarks.main.main(["--only", "classify", "--only", "startup"]) == 1
    out = capsys.readouterr().out
    assert "- `python x` ended with exit code 3: Oh." in out
    assert "| `i3d --help` |" in out


def test_the_benchmarks_own_process_stays_small() -> None:
    """On Linux a child's peak memory is never less than what its parent had."""
    code = "import sys, benchmarks.main; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (SCRIPTS, SOURCE)))},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "cv2", "tensorflow", "openvino", "matplotlib"}


# Children


@needs_wait4
def test_a_childs_own_memory_and_output_are_measured(tmp_path: Path) -> None:
    # From a small process: pytest's own memory, large by now, would be the least to be seen.
    code = (
        "import json, sys; from pathlib import Path; from benchmarks.processes import run\n"
        "for work in (\"print('small')\", \"held = b'x' * (100 << 20); print('large')\"):\n"
        "    done = run([sys.executable, '-c', work], environment={}, folder=Path(),"
        " limit_seconds=60)\n"
        "    print(json.dumps([done.stdout, done.status, done.run.peak_bytes,"
        " done.run.cpu_seconds]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    small, large = map(json.loads, done.stdout.splitlines())
    assert (small[:2], large[:2]) == (["small\n", 0], ["large\n", 0])
    assert 85 * MIB < large[2] - small[2] < 115 * MIB
    assert large[3] > 0


@needs_wait4
def test_children_get_a_clean_environment_and_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.stdin.read()]))"
    variables, given = json.loads(python(tmp_path, code).stdout)
    assert given == ""
    assert variables["PYTHONPATH"].split(os.pathsep) == [str(SOURCE), str(SCRIPTS)]
    assert variables["I3D_CACHE_DIR"] == str(tmp_path / "cache")
    assert variables["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert not {"PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS"} & variables.keys()


@needs_wait4
def test_a_child_that_fails_is_told_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('No such thing.')"]
    finished = python(tmp_path, command[2])
    with pytest.raises(BenchmarkError) as caught:
        check(finished, command)
    message = str(caught.value)
    assert message.startswith("`python -c")
    assert message.endswith("ended with exit code 1: No such thing.")


@needs_wait4
def test_a_child_that_was_killed_is_told_with_its_signal(tmp_path: Path) -> None:
    finished = python(tmp_path, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(BenchmarkError, match=r"was ended by SIGKILL: it said nothing\."):
        check(finished, ["x"])


@needs_wait4
def test_a_program_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"nothing cannot be started: No such file"):
        run([str(tmp_path / "nothing")], environment={}, folder=tmp_path, limit_seconds=9)


SLEEPER = """
import subprocess, sys
code = "import time; file = open('alive', 'w'); file.write('!'); file.flush(); time.sleep(90)"
subprocess.run([sys.executable, "-c", code])
"""
"""Starts a process that holds a named pipe open for as long as it lives."""


@needs_wait4
def test_a_child_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="did not end within 0 s"):
        python(tmp_path, "import time; time.sleep(600)", limit_seconds=0.3)
    # In a process without other children, such as the browser of other tests.
    code = (
        "import os, sys; from pathlib import Path; from benchmarks.processes import run\n"
        "try:\n"
        "    run([sys.executable, '-c', 'import time; time.sleep(600)'], environment={},"
        " folder=Path(), limit_seconds=0.3)\n"
        "except Exception:\n"
        "    os.waitpid(-1, os.WNOHANG)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "BenchmarkError" in process.stderr
    assert "ChildProcessError" in process.stderr


@needs_wait4
def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    code = (
        "import sys; from pathlib import Path; from benchmarks.processes import run\n"
        f"run([sys.executable, '-c', {SLEEPER!r}], environment={{}}, folder=Path(),"
        " limit_seconds=60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stderr=subprocess.DEVNULL,
    )
    while not _read(pipe):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert select.select([pipe], [], [], 30)[0], "the grandchild lives"
    assert os.read(pipe, 1) == b""
    os.close(pipe)


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1)
    except BlockingIOError:  # somebody opened it and did not write yet
        return b""


def python(folder: Path, code: str, limit_seconds: float = 60) -> Finished:
    return run(
        [sys.executable, "-c", code],
        environment=clean_environment((SOURCE, SCRIPTS), folder / "cache"),
        folder=folder,
        limit_seconds=limit_seconds,
    )


# What is compared


def document(probabilities: dict[int, float]) -> str:
    scores = [
        {"label_index": index, "probability": value}
        for index, value in sorted(probabilities.items(), key=lambda item: -item[1])
    ]
    engine = {"name": "openvino", "version": "2026.4"}
    return json.dumps({"results": [{"scores": scores, "engine": engine}]})


def test_the_same_probabilities_are_the_same_answer() -> None:
    expected = [0.1, 0.3, 0.05, 0.25, 0.2, 0.06, 0.04]
    found = compare("ours", document(dict(enumerate(expected))), expected)
    assert (found.same_top_5, found.largest_difference) == (True, 0.0)
    assert found.engine == "openvino 2026.4"


def test_another_order_of_the_first_five_and_the_largest_difference_are_found() -> None:
    expected = [0.1, 0.3, 0.05, 0.25, 0.2, 0.06, 0.04]
    swapped = {**dict(enumerate(expected)), 3: 0.31}
    found = compare("ours", document(swapped), expected)
    assert not found.same_top_5
    assert found.largest_difference == pytest.approx(0.06)
    beyond = {**dict(enumerate(expected)), 6: 0.01}
    found = compare("ours", document(beyond), expected)
    assert found.same_top_5
    assert found.largest_difference == pytest.approx(0.03)


# Long videos, and many


@dataclass(frozen=True)
class FakePlace(Workplace):
    """Answers commands without running anything; keeps them."""

    answer: Callable[[list[str]], str] = field(default=lambda _command: "")
    commands: list[list[str]] = field(default_factory=list)

    def run(self, command: list[str], *, threads: int | None = None) -> Finished:
        self.commands.append(command)
        if command[1] == "benchmarks.inputs":
            Path(command[3]).write_bytes(b"made")
            return Finished(a_run(1), 0, "", "")
        return Finished(a_run(len(self.commands)), 0, self.answer(command), "")

    def started(self, *words: str) -> list[list[str]]:
        """The commands that hold all these words."""
        return [command for command in self.commands if set(words) <= set(command)]


def fake_place(
    tmp_path: Path, answer: Callable[[list[str]], str], *, repeats: int = 7
) -> FakePlace:
    for name in ("inputs", "scratch"):
        (tmp_path / name).mkdir()
    return FakePlace(
        tmp_path / "inputs", tmp_path / "scratch", repeats, 9, lambda _line: None, answer=answer
    )


def test_long_videos_are_run_once_and_memory_is_above_that_of_the_imports(tmp_path: Path) -> None:
    place = fake_place(tmp_path, lambda _command: document({0: 1.0}))
    rows = measure_lengths(place, [10, 300])

    assert [len(row.runs) for row in rows] == [3, 1]
    (imports,) = place.started("-c")
    assert "openvino" in imports[1]
    assert [Path(command[3]).name for command in place.started("classify")] == [
        *3 * ["street-250.avi"],
        "street-7500.avi",
    ]
    assert rows[0].imports_peak_bytes == 100 * MIB


CUT = {"num_frames": 250, "num_chunks": 2, "num_frames_computed": 300, "num_steps": 31}


@pytest.mark.parametrize(("difference", "num_failures"), [(9e-5, 0), (2e-4, 1)])
def test_a_timeline_with_other_steps_than_one_pass_is_a_failure(
    difference: float, num_failures: int, tmp_path: Path
) -> None:
    place = fake_place(
        tmp_path, lambda _command: json.dumps(CUT | {"largest_difference": difference})
    )
    failures: list[str] = []
    measured = measure_timeline(place, 250, 800, failures)

    assert len(failures) == num_failures
    assert measured.cut.largest_difference == difference
    assert len(measured.timeline) == len(measured.one_pass) == 3
    (compared,) = place.started("benchmarks.steps")
    assert compared[-2:] == ["--max-memory-mib", "800"]
    kept = [command[-1] for command in place.started("--save-scores")]
    assert kept == compared[3:5], "each in a folder of its own"
    timelines = place.started("timeline")
    assert len(timelines) == 4
    assert all("800M" in command for command in timelines)
    assert all("16G" in command for command in place.started("classify"))


def test_by_default_a_timeline_has_its_default_memory(tmp_path: Path) -> None:
    place = fake_place(tmp_path, lambda _command: json.dumps(CUT | {"largest_difference": 0.0}))
    measure_timeline(place, 1250, None, [])
    assert not any("--max-memory" in command for command in place.started("timeline"))
    assert place.started("benchmarks.steps")[0][-1].endswith("scores-one-pass")


class Classified:
    """In the place of `i3d classify FOLDER -o FILE` and of the engine alone."""

    def __init__(self, *, status: str = "ok") -> None:
        self.status = status
        self.had_results: list[bool] = []

    def __call__(self, command: list[str]) -> str:
        if "benchmarks.clips" in command:
            return json.dumps({"load_seconds": 1.0, "clip_seconds": [1.0] * int(command[-1])})
        if "classify" in command:
            results = Path(command[command.index("-o") + 1])
            self.had_results.append(results.exists())
            lines = [json.dumps({"status": self.status}) for _ in Path(command[3]).iterdir()]
            results.write_text("\n".join(lines))
        return ""


def test_a_batch_writes_a_new_file_each_time_but_where_nothing_is_to_be_left(
    tmp_path: Path,
) -> None:
    classified = Classified()
    place = fake_place(tmp_path, classified, repeats=2)
    batch = measure_batch(place, 5)

    assert (batch.num_clips, batch.num_fewer) == (5, 2)
    for runs in (batch.all_clips, batch.fewer_clips, batch.more_jobs, batch.nothing_left):
        assert len(runs) == 2
    assert [len(one.clip_seconds) for one in batch.engine] == [5, 5]
    # The one that is not counted, then two rounds in opposite orders.
    assert classified.had_results == [False, *(False, False, False, True), *(True, *3 * (False,))]
    folders = [Path(command[3]) for command in place.started("classify")]
    assert [len(list(folder.iterdir())) for folder in folders] == [5, *(2, 5, 5, 5), *(5, 5, 5, 2)]
    assert len(place.started("--jobs", "2")) == 2
    assert all(path.read_bytes() == b"made" for path in folders[0].iterdir())


def test_a_batch_in_which_a_clip_failed_is_not_measured(tmp_path: Path) -> None:
    place = fake_place(tmp_path, Classified(status="error"))
    with pytest.raises(BenchmarkError, match="0 results of 4 clips"):
        measure_batch(place, 4)


def test_the_engine_alone_sees_every_frame_of_the_clip_each_time(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.avi", num_frames=12)
    engine = FakeEngine([[0.0, 1.0, 2.0]])
    seconds = clip_seconds(engine, path, 3)
    assert [clip.shape for clip in engine.clips] == 3 * [(12, 224, 224, 3)]
    assert engine.ranges == 3 * [(-1.0, 1.0)]
    assert len(seconds) == 3


def scores(step_logits: Any, num_frames: int = 250) -> Any:
    clip = SimpleNamespace(num_frames_fed=num_frames)
    return SimpleNamespace(step_logits=np.array(step_logits, np.float32), clip=clip)


def test_the_largest_difference_of_any_step_is_found() -> None:
    in_chunks, one_pass = scores([[1.0, 2.0], [3.0, 4.0]]), scores([[1.0, 2.0], [3.5, 4.0]])
    assert compare_steps(in_chunks, one_pass, [200, 180]) == {
        "num_frames": 250,
        "num_chunks": 2,
        "num_frames_computed": 380,
        "num_steps": 2,
        "largest_difference": 0.5,
    }


@pytest.mark.parametrize(
    ("one_pass", "lengths", "message"),
    [
        (scores([[1.0]]), [200, 180], "has 2 steps of 250 frames, one pass has 1 of 250"),
        (scores([[1.0], [2.0]], 248), [200, 180], "of 250 frames, one pass has 2 of 248"),
        (scores([[1.0], [2.0]]), [250], "was not cut"),
    ],
)
def test_what_can_not_be_compared_is_told(one_pass: Any, lengths: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_steps(scores([[1.0], [2.0]]), one_pass, lengths)


class Counting(FakeEngine):
    """As many steps as I3D has."""

    def step_logits(self, clip: Any, input_range: tuple[float, float]) -> Any:
        super().step_logits(clip, input_range)
        return np.zeros((-(-len(clip) // 8) - 1, 3), np.float32)


@pytest.mark.parametrize("num_frames", [250, 256, 500])
def test_the_chunks_that_are_told_of_are_those_that_run(num_frames: int) -> None:
    engine: Any = Counting([[0.0, 0.0, 0.0]])
    memory = 650 * MIB
    image = np.zeros((4, 4, 3), np.uint8)
    reader: Any = SimpleNamespace(
        path="frames",
        size=4,
        video=SimpleNamespace(num_frames_from_header=num_frames),
        frames=lambda: ((image, number / 25, number) for number in range(num_frames)),
    )
    stream(reader, engine, (-1, 1), max_memory=memory)
    lengths = [len(clip) for clip in engine.clips]
    assert len(lengths) > 1
    assert chunk_lengths(engine, memory, num_frames) == lengths


def test_the_labels_of_the_tutorials_script_are_there() -> None:
    assert len(LABELS.read_text(encoding="utf-8").splitlines()) == 400


# The network and the videos


def test_the_convolutions_are_those_of_the_network() -> None:
    """230 tensors with 12,704,544 numbers, as DeepMind's checkpoint rgb_imagenet."""
    weights = sum(
        layer.kernel**3 * layer.num_inputs * layer.num_outputs for layer in convolutions()
    )
    others = sum(3 * layer.num_outputs for layer in convolutions())  # of batch norm
    assert weights + others + 1024 * 400 + 400 == 12_704_544
    assert 4 * len(convolutions()) + 2 == 230


def test_the_cost_is_that_of_the_convolutions() -> None:
    first = convolutions()[0]
    assert (first.num_inputs, first.num_outputs, first.kernel) == (3, 64, 7)
    # 1.74 thousand million a frame; SAME pads 79 frames to 80.
    assert num_multiplications(64) / 64 == pytest.approx(1.74e9, rel=0.01)
    assert num_multiplications(79) == num_multiplications(80) > num_multiplications(78)
    assert math.isclose(num_multiplications(800), 10 * num_multiplications(80), rel_tol=1e-4)


def test_videos_have_the_length_and_the_form_of_ucf101s(tmp_path: Path) -> None:
    write_video(tmp_path / "video.avi", 30)
    capture = cv2.VideoCapture(str(tmp_path / "video.avi"))
    frames = []
    while (frame := capture.read()[1]) is not None:
        frames.append(frame)
    assert len(frames) == 30
    assert frames[0].shape == (240, 320, 3)
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert np.abs(frames[29].astype(int) - frames[0]).mean() > 10, "it moves"
    assert [path.name for path in tmp_path.iterdir()] == ["video.avi"]
