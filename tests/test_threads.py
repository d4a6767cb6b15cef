"""How many threads an engine may use: what limits a process, and what does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from i3d.engines.openvino_model import thread_limit

NUM_CPUS = 8


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight CPUs, all of them for us."""
    monkeypatch.setattr(os, "cpu_count", lambda: NUM_CPUS)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(NUM_CPUS)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def version_2(folder: Path, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cpu.max").write_text(content)
    return folder


def version_1(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir(parents=True)
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu" / "cpu.cfs_period_us").write_text(f"{period}\n")
    return folder


def test_nothing_limits_a_process_that_has_the_whole_machine(tmp_path: Path) -> None:
    assert thread_limit(tmp_path / "no-control-groups") is None


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("max 100000\n", None),
        ("800000 100000\n", None),  # all of the machine
        ("6400000 100000\n", None),
        ("", None),
        ("two\n", None),
        ("100000 0\n", None),
        ("200000\n", None),
        ("100000 100000 100000\n", None),
    ],
)
def test_the_time_of_a_container_is_a_limit(
    content: str, limit: int | None, tmp_path: Path
) -> None:
    assert thread_limit(version_2(tmp_path / "cgroup", content)) == limit


@pytest.mark.parametrize(
    ("quota", "period", "limit"),
    [
        *(("200000", "100000", 2), ("250000", "100000", 3), ("-1", "100000", None)),
        *(("0", "100000", None), ("100000", "0", None), ("many", "100000", None)),
    ],
)
def test_the_first_version_of_control_groups_has_other_files(
    quota: str, period: str, limit: int | None, tmp_path: Path
) -> None:
    assert thread_limit(version_1(tmp_path / "cgroup", quota, period)) == limit


def test_a_file_that_is_not_text_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_bytes(b"\xff\xfe 1")
    assert thread_limit(tmp_path) is None


def test_the_processors_that_a_process_may_run_on_are_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert thread_limit(tmp_path) == 3


def test_a_system_without_affinity_has_no_such_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert thread_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        *(("3", 3), ("4,2", 4), (" 2 ", 2), ("0", 1), ("-4", 1)),
        *(("8", None), ("64", None), ("", None), ("many", None), (",2", None)),
    ],
)
def test_omp_num_threads_is_a_limit(
    value: str, limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_limit(tmp_path) == limit


def test_the_least_of_them_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert thread_limit(version_2(tmp_path / "cgroup", "300000 100000")) == 3
    assert thread_limit(version_2(tmp_path / "cgroup", "700000 100000")) == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert thread_limit(version_2(tmp_path / "cgroup", "700000 100000")) == 5


def test_a_system_that_does_not_know_its_processors_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert thread_limit(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="taskset")
def test_the_engine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    from i3d.engines import openvino

    monkeypatch.setattr(openvino, "thread_limit", lambda: 1)
    engine = openvino.load(Path(openvino.__file__).parents[1] / "data" / "camera-motion")
    request = engine._request(_clip())
    assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 1
    assert (
        request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    )


def _clip() -> object:
    import numpy as np

    return np.zeros((9, 224, 224, 3), np.uint8)
