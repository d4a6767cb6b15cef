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
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import benchmark_main
from benchmark_inputs import write_video
from benchmark_machine import warning
from benchmark_network import convolutions, num_multiplications
from benchmark_parts import LABELS, SOURCE, compare, refusal_in, take_turns
from benchmark_plot import as_svg
from benchmark_processes import BenchmarkError, Finished, Run, check, clean_environment, run
from benchmark_report import as_markdown, table
from benchmark_results import (
    Comparison,
    Contestant,
    EngineRate,
    Engines,
    Length,
    Results,
    Spread,
    StartUp,
    Target,
    ratios,
    spread,
)

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
            Length(10, [a_run(4, 900), a_run(5, 950)], 70 * MIB, None),
            Length(1200, [], 0, "It has too many frames."),
        ],
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
    assert not any(name.startswith("python") for name in targets)
    assert Results(machine={}, options={}).targets() == []


# The report


def test_the_table_is_markdown_with_columns_of_equal_width() -> None:
    assert table(["name", "s"], [["a", "1.25"], ["b|c", "10"]]).splitlines() == [
        "| name |    s |",
        "| :--- | ---: |",
        "| a    | 1.25 |",
        "| b\\|c |   10 |",
    ]


def test_the_report_shows_medians_ranges_ratios_refusals_and_targets() -> None:
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
    assert row("10 s") == ["10 s", "4.50 (4.00 to 5.00)", "0.450", "925", "855"]
    assert row("1200 s")[1] == "refused"
    assert "1200 s: It has too many frames." in text
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
    assert document["schema"] == "i3d.benchmark/1"
    tutorial, ours = document["comparison"]["contestants"]
    assert [one["seconds"] for one in tutorial["runs"]] == [10, 11, 9]
    assert ours["runs"][0] == {"seconds": 2.0, "cpu_seconds": 3.0, "peak_bytes": 600 * MIB}
    assert document["lengths"][1]["refusal"] == "It has too many frames."
    assert {"name", "value", "limit", "at_least", "reached"} == set(document["targets"][0])


def test_the_plot_has_a_dot_for_each_run() -> None:
    pytest.importorskip("matplotlib")
    plot = as_svg(make_results())
    assert plot is not None
    assert plot == as_svg(make_results()), "the same numbers give the same file"
    text = "".join(ET.fromstring(plot).itertext())
    for words in ("the tutorial's script", "i3d classify", "A clip of 79 frames", "GiB"):
        assert words in text
    # Three runs of two contestants, and time and memory of two runs.
    dots = ET.fromstring(plot).iter("{http://www.w3.org/2000/svg}use")
    assert sum("#1f6fb2" in use.get("style", "") for use in dots) == 3 * 2 + 2 * 2


def test_nothing_is_drawn_of_nothing() -> None:
    assert as_svg(Results(machine={}, options={})) is None


# The command


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command find these results."""

    def find(results: Results) -> None:
        monkeypatch.setattr(benchmark_main, "_measure", lambda _options: results)

    return find


@needs_wait4
def test_without_matplotlib_the_rest_is_written(
    measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    measured(make_results())

    assert benchmark_main.main(["-o", str(tmp_path / "new")]) == 0

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
    assert benchmark_main.main([]) == code


@needs_wait4
def test_after_ctrl_c_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_options: Any) -> Results:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark_main, "_measure", interrupt)
    assert benchmark_main.main(["-o", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []


@needs_wait4
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, measured: Any, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    measured(None)  # would fail in another way
    assert benchmark_main.main(["-o", str(tmp_path / "file" / "folder")]) == 1
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
        benchmark_main.main(arguments)
    assert caught.value.code == 2
    assert "_count" not in capsys.readouterr().err


@needs_wait4
def test_a_failed_part_costs_that_part_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise BenchmarkError("`python x` ended with exit code 3: Oh.")

    rows = [StartUp("i3d --help", [a_run(0.1)])]
    monkeypatch.setattr(benchmark_main, "measure_classify", fail)
    monkeypatch.setattr(benchmark_main, "measure_startup", lambda _place: rows)
    assert benchmark_main.main(["--only", "classify", "--only", "startup"]) == 1
    out = capsys.readouterr().out
    assert "- `python x` ended with exit code 3: Oh." in out
    assert "| `i3d --help` |" in out


def test_the_benchmarks_own_process_stays_small() -> None:
    """On Linux a child's peak memory is never less than what its parent had."""
    code = "import sys, benchmark_main; print(*sorted(sys.modules))"
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
        "import json, sys; from pathlib import Path; from benchmark_processes import run\n"
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
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_wait4
def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    pipe = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    code = (
        "import sys; from pathlib import Path; from benchmark_processes import run\n"
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
        environment=clean_environment(SOURCE, folder / "cache"),
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


@pytest.mark.parametrize(
    ("stdout", "refusal"),
    [
        ('{"results": [{"error": {"kind": "VideoTooShortError", "message": "No."}}]}', "No."),
        ('{"results": [{"error": {"kind": "VideoDecodeError", "message": "No."}}]}', None),
        ('{"results": [{"scores": []}]}', None),
        ('{"results": []}', None),
        ("", None),
    ],
)
def test_only_a_video_that_is_too_long_counts_as_refused(stdout: str, refusal: str | None) -> None:
    assert refusal_in(Finished(a_run(1), 3, stdout, "")) == refusal


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
