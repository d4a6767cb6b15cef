"""What OpenVINO has read once is kept, and only ever saves time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.engines import prepared
from i3d.engines.prepared import (
    MOST_KEPT,
    forget_prepared,
    keep_prepared,
    keep_verdict,
    open_prepared,
)
from i3d.files.cache import prepared_models_dir

from damage import closed, flip_byte, small_filesystem
from engines import contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from i3d.engines.openvino import OpenVINOEngine

DATA = Path(__file__).parent.parent / "src" / "i3d" / "data"
SOURCE = DATA.parents[1]
VERSION = "2026.4.1-build"
GRAPH = b"<net/>"
NUMBERS = bytes(range(256)) * 10


def write(path: Path) -> None:
    """In place of a graph."""
    path.write_bytes(GRAPH)
    path.with_suffix(".bin").write_bytes(NUMBERS)


def keep(fingerprint: str = "a model", version: str = VERSION) -> Path:
    keep_prepared(fingerprint, version, contract(), write)
    kept = open_prepared(fingerprint, version)
    assert kept is not None
    return kept.graph.parent


def kept_folders() -> list[Path]:
    return sorted(prepared_models_dir().glob("[!.]*"))


# Kept and found


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    assert open_prepared("a model", VERSION) is None
    made = contract(size=None, receptive_field=None, stride=None)
    keep_prepared("a model", VERSION, made, write)

    found = open_prepared("a model", VERSION)
    assert found is not None
    assert (found.contract, found.agrees) == (made, None)
    assert found.graph.parent.parent == prepared_models_dir() == tmp_path / "cache" / "prepared"
    assert found.graph.read_bytes() == GRAPH
    assert found.graph.with_suffix(".bin").read_bytes() == NUMBERS


def test_it_is_of_one_model_and_one_version_only() -> None:
    keep()
    assert open_prepared("another model", VERSION) is None
    assert open_prepared("a model", "2026.5.0") is None


def test_what_was_kept_in_another_format_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    monkeypatch.setattr(prepared, "FORMAT", prepared.FORMAT + 1)
    assert open_prepared("a model", VERSION) is None


def test_a_fingerprint_is_no_path(tmp_path: Path) -> None:
    folder = keep("../../outside")
    assert folder.parent == prepared_models_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


@pytest.mark.parametrize("agrees", [True, False])
def test_a_verdict_is_kept_beside_it(agrees: bool) -> None:
    keep_verdict("a model", VERSION, agrees=True)  # of what is not kept nothing is remembered
    assert keep().is_dir()
    found = open_prepared("a model", VERSION)
    assert found is not None
    assert found.agrees is None
    keep_verdict("a model", VERSION, agrees=agrees)
    found = open_prepared("a model", VERSION)
    assert found is not None
    assert found.agrees is agrees


# Damage


def _change(name: str, change: Callable[[dict], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        values = json.loads((folder / name).read_text())
        change(values)
        (folder / name).write_text(json.dumps(values))

    return damage


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped-number": lambda folder: flip_byte(folder / "model.bin", 100),
    "cut-numbers": lambda folder: os.truncate(folder / "model.bin", 100),
    "no-numbers": lambda folder: (folder / "model.bin").unlink(),
    "cut-graph": lambda folder: os.truncate(folder / "model.xml", 3),
    "empty-graph": lambda folder: os.truncate(folder / "model.xml", 0),
    "no-graph": lambda folder: (folder / "model.xml").unlink(),
    "no-contract": lambda folder: (folder / "contract.json").unlink(),
    "empty-contract": lambda folder: os.truncate(folder / "contract.json", 0),
    "garbage-contract": lambda folder: (folder / "contract.json").write_bytes(b"\xff\x00{"),
    "a-list": lambda folder: (folder / "contract.json").write_text("[]"),
    "deep": lambda folder: (folder / "contract.json").write_text("[" * 100_000),
    "no-crc": _change("contract.json", lambda values: values.pop("crc32c")),
    "no-range": _change("contract.json", lambda values: values["contract"].pop("input_range")),
    "number-for-range": _change(
        "contract.json", lambda values: values["contract"].update(input_range=1)
    ),
    "list-for-contract": _change("contract.json", lambda values: values.update(contract=[])),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_what_is_damaged_counts_as_missing_and_is_made_again(
    damage: Callable[[Path], object],
) -> None:
    folder = keep()
    damage(folder)
    assert open_prepared("a model", VERSION) is None
    assert keep() == folder, "it finds what it made"


def test_a_verdict_that_is_none_is_not_believed() -> None:
    (keep() / "agrees.json").write_text('"yes"')
    found = open_prepared("a model", VERSION)
    assert found is not None
    assert found.agrees is None


# A cache that can't be written


def test_in_a_closed_cache_nothing_is_kept_and_nothing_is_raised(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with closed(tmp_path / "cache"):
        keep_prepared("a model", VERSION, contract(), write)
        assert open_prepared("a model", VERSION) is None
        forget_prepared("a model")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_in_the_place_of_the_cache_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    keep_prepared("a model", VERSION, contract(), write)
    assert open_prepared("a model", VERSION) is None
    forget_prepared("a model")


def test_on_a_full_disk_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_much(path: Path) -> None:
        path.write_bytes(GRAPH)
        path.with_suffix(".bin").write_bytes(bytes(2 * 2**20))

    with small_filesystem(tmp_path / "small", megabytes=1) as folder:
        monkeypatch.setenv("I3D_CACHE_DIR", str(folder))
        keep_prepared("a model", VERSION, contract(), write_much)
        assert open_prepared("a model", VERSION) is None
        assert [path for path in folder.rglob("*") if path.name.startswith("model.")] == []


# How much is kept


def _age(folder: Path, seconds: int) -> None:
    before = folder.stat().st_mtime - seconds
    os.utime(folder, (before, before))


def test_the_least_recently_used_go() -> None:
    folders = []
    for number in range(MOST_KEPT):
        folders.append(keep(f"model {number}"))
        for folder in folders:
            _age(folder, 10)
    assert open_prepared("model 0", VERSION) is not None  # the oldest, and used now
    keep("one more")
    assert len(kept_folders()) == MOST_KEPT
    assert open_prepared("model 0", VERSION) is not None
    assert open_prepared("model 1", VERSION) is None
    assert open_prepared("model 2", VERSION) is not None


def test_what_is_forgotten_is_gone_of_all_versions_and_of_one_model() -> None:
    keep("a model")
    keep("a model", "2025.0.0")
    other = keep("another model")
    forget_prepared("a model")
    assert kept_folders() == [other]
    forget_prepared("a model")
    forget_prepared("never seen")
    assert kept_folders() == [other]


# Processes


def _python(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parent)]),
        },
    )


def test_processes_that_keep_the_same_model_do_not_disturb_each_other() -> None:
    program = (
        "import sys, test_prepared as t\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "found = 0\n"
        "for _ in range(30):\n"
        "    t.keep_prepared('a model', t.VERSION, t.contract(), t.write)\n"
        "    kept = t.open_prepared('a model', t.VERSION)\n"
        "    assert kept is None or kept.agrees is None\n"
        "    found += kept is not None\n"
        "print(found)\n"
    )
    processes = [_python(program) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in answers] == ["", ""]
    assert all(int(found) > 0 for found, _ in answers)
    assert len(kept_folders()) <= 1
    keep()


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_of_a_killed_process_nothing_half_written_is_seen() -> None:
    program = (
        "import time, test_prepared as t\n"
        "def write(path):\n"
        "    path.write_bytes(t.GRAPH)\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "t.keep_prepared('a model', t.VERSION, t.contract(), write)\n"
    )
    with _python(program) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    left = list(prepared_models_dir().iterdir())
    assert left
    assert all(path.name.startswith(".") for path in left)
    assert open_prepared("a model", VERSION) is None
    keep()
    folders = [path.name for path in prepared_models_dir().iterdir() if path.is_dir()]
    assert not [name for name in folders if name.startswith(".") and name != ".locks"], (
        "what was left is removed by the next one"
    )


# With OpenVINO


@pytest.fixture
def load() -> Callable[[], OpenVINOEngine]:
    """Loads a model that is kept."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    from i3d.engines import openvino

    return lambda: openvino.load(DATA / "camera-motion", fingerprint=lambda: "camera-motion")


CLIP = np.random.default_rng(0).integers(0, 256, (17, 224, 224, 3), dtype=np.uint8)


def test_a_kept_model_gives_the_same_numbers_and_is_not_converted_again(
    load: Callable[[], OpenVINOEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load()
    monkeypatch.setattr("i3d.engines.openvino.convert", lambda *_: pytest.fail("converted again"))
    second = load()
    assert second.contract == first.contract
    expected = first.step_logits(CLIP, (-1.0, 1.0))
    np.testing.assert_array_equal(second.step_logits(CLIP, (-1.0, 1.0)), expected)


def test_weights_are_kept_in_full(load: Callable[[], OpenVINOEngine]) -> None:
    """OpenVINO's tools halve them unless they are told not to."""
    load()
    (folder,) = kept_folders()
    saved = sum(path.stat().st_size for path in (DATA / "camera-motion" / "variables").iterdir())
    assert (folder / "model.bin").stat().st_size > 0.9 * saved


@pytest.mark.parametrize(
    "damage",
    [
        DAMAGE["flipped-number"],
        DAMAGE["cut-graph"],
        DAMAGE["garbage-contract"],
        DAMAGE["no-numbers"],
    ],
    ids=["flipped-number", "cut-graph", "garbage-contract", "no-numbers"],
)
def test_a_damaged_one_is_converted_again(
    damage: Callable[[Path], object], load: Callable[[], OpenVINOEngine]
) -> None:
    expected = load().step_logits(CLIP, (-1.0, 1.0))
    (folder,) = kept_folders()
    damage(folder)
    np.testing.assert_array_equal(load().step_logits(CLIP, (-1.0, 1.0)), expected)
    assert kept_folders() == [folder]


def test_a_graph_that_openvino_cannot_read_is_converted_again(
    load: Callable[[], OpenVINOEngine],
) -> None:
    """Though its checksum is right."""
    expected = load().step_logits(CLIP, (-1.0, 1.0))
    (folder,) = kept_folders()
    (folder / "model.xml").write_text("<net/>")
    checksums = prepared._checksums(folder)
    _change("contract.json", lambda values: values.update(crc32c=checksums))(folder)
    np.testing.assert_array_equal(load().step_logits(CLIP, (-1.0, 1.0)), expected)


def test_a_model_runs_from_a_cache_that_is_removed_meanwhile(
    load: Callable[[], OpenVINOEngine],
) -> None:
    expected = load().step_logits(CLIP, (-1.0, 1.0))
    engine = load()
    if os.name != "nt":  # where files in use can't be removed
        shutil.rmtree(prepared_models_dir())
    np.testing.assert_array_equal(engine.step_logits(CLIP, (-1.0, 1.0)), expected)


def test_a_full_disk_costs_only_the_keeping(
    load: Callable[[], OpenVINOEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_filesystem(tmp_path / "small", megabytes=1) as folder:
        (folder / "filler").write_bytes(bytes(900 * 1024))
        monkeypatch.setenv("I3D_CACHE_DIR", str(folder))
        assert load().step_logits(CLIP, (-1.0, 1.0)).shape[0] == 2
        assert [path for path in folder.rglob("*") if path.name.startswith("model.")] == []
