"""Kept scores: the same values come back, and nothing that is damaged is believed."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.analysis.scores import ScoreStore, VideoScores, score_key
from i3d.engines.base import EngineInfo
from i3d.errors import OutputError
from i3d.models.records import ModelInfo
from i3d.video.info import ClipInfo, FileInfo, RecipeInfo, VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

FILE = FileInfo("ab" * 32, 1000, "2026-11-22T10:20:30.123456789Z")
KEY = score_key(FILE, "sha256:1", recipe={"fps": 25.0})


def scores(path: str = "clip.avi", *, num_steps: int = 5, num_labels: int = 4) -> VideoScores:
    random = np.random.default_rng(num_steps)
    return VideoScores(
        step_logits=random.normal(0, 9, (num_steps, num_labels)).astype(np.float32),
        edges_seconds=np.linspace(0.1, 1.7, num_steps + 1),
        labels=tuple(f"label {i}" for i in range(num_labels)),
        video=VideoInfo(path, 320, 240, 90, 29.97, None, 100, 99, 3.3, ended_early=True),
        clip=ClipInfo(99, 96, 0.0, 3.3, 25.0),
        recipe=RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because"),
        model=ModelInfo("fake", "sha256:1", num_labels, "index"),
        engine=EngineInfo("openvino", "2026.4.1"),
        warnings=("it ended early",),
    )


def same(one: VideoScores | None, other: VideoScores) -> bool:
    if one is None:
        return False
    arrays = ("step_logits", "edges_seconds")
    empty = dict.fromkeys(arrays)
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and all(getattr(one, name).dtype == getattr(other, name).dtype for name in arrays)
        and replace(one, **empty) == replace(other, **empty)
    )


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "new" / "scores")
    assert store.find(KEY) is None
    store.keep(KEY, scores())
    assert same(store.find(KEY), scores())
    assert same(ScoreStore(store.folder).find(KEY), scores())
    assert files(store.folder) == [f"clip.{KEY}.npz"]


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    ScoreStore(tmp_path).keep(KEY, scores())
    with np.load(tmp_path / f"clip.{KEY}.npz", allow_pickle=False) as kept:
        assert sorted(kept) == ["description", "edges_seconds", "step_logits"]
        assert np.array_equal(kept["step_logits"], scores().step_logits)
        description = json.loads(kept["description"].tobytes().decode())
    assert description["schema"] == "i3d.scores/1"
    assert description["video"]["path"] == "clip.avi"
    assert description["model"]["fingerprint"] == "sha256:1"
    assert description["labels"] == ["label 0", "label 1", "label 2", "label 3"]


def test_a_clip_of_ten_seconds_takes_little_room(tmp_path: Path) -> None:
    ScoreStore(tmp_path).keep(KEY, scores(num_steps=30, num_labels=400))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 60_000


@pytest.mark.parametrize(
    "name", ["\udce9t\udce9.avi", "a/b\nc.mp4", "x" * 200 + ".avi", ".avi", "日本.mp4", "a.b.c.avi"]
)
def test_any_name_of_a_video_does(name: str, tmp_path: Path) -> None:
    ScoreStore(tmp_path).keep(KEY, scores(name))
    assert same(ScoreStore(tmp_path).find(KEY), scores(name))


def test_whatever_decides_the_scores_is_in_the_key() -> None:
    keys = {
        KEY,
        score_key(replace(FILE, sha256="cd" * 32), "sha256:1", recipe={"fps": 25.0}),
        score_key(FILE, "sha256:2", recipe={"fps": 25.0}),
        score_key(FILE, "sha256:1", recipe={"fps": None}),
        score_key(FILE, "sha256:1", recipe={"fps": 25.0}, start_seconds=1.0),
    }
    assert len(keys) == 5
    # A date and a name don't.
    assert score_key(replace(FILE, modified=""), "sha256:1", recipe={"fps": 25.0}) == KEY


def test_a_file_that_is_cut_anywhere_is_as_good_as_none(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.keep(KEY, scores())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert store.find(KEY) is None
    store.keep(KEY, scores())
    assert same(store.find(KEY), scores())


def test_no_flipped_bit_gives_other_numbers(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.keep(KEY, scores())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(damaged))
        found = store.find(KEY)
        assert found is None or same(found, scores())


@pytest.mark.parametrize(
    "changes",
    [
        {"step_logits": np.zeros((5, 3), np.float32)},
        {"step_logits": np.zeros((5, 4), np.float64)},
        {"step_logits": np.full((5, 4), np.nan, np.float32)},
        {"step_logits": np.zeros((0, 4), np.float32), "edges_seconds": np.zeros(1)},
        {"edges_seconds": np.zeros(5)},
        {"edges_seconds": np.full(6, np.inf)},
        {"description": np.frombuffer(b"{}", np.uint8)},
        {"description": np.frombuffer(b"[" * 100_000, np.uint8)},
        {"step_logits": np.array([["an", "object"]], dtype=object)},
    ],
    ids=["labels", "float64", "nan", "none", "edges", "inf", "empty", "deep", "pickle"],
)
def test_what_is_not_what_was_kept_is_not_taken(
    changes: dict[str, np.ndarray], tmp_path: Path
) -> None:
    store = ScoreStore(tmp_path)
    store.keep(KEY, scores())
    (path,) = tmp_path.iterdir()
    with np.load(path) as kept:
        content = dict(kept)
    np.savez(path, **(content | changes))
    assert store.find(KEY) is None


def test_all_that_is_kept_can_be_gone_through(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    assert list(ScoreStore(tmp_path / "missing")) == []
    for number in range(3):
        store.keep(f"{number:032x}", scores(f"clip {number}.avi"))
    (tmp_path / f"bad.{'f' * 32}.npz").write_bytes(b"PK")
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / ".i3d-half").write_text("not whole")
    found = dict(ScoreStore(tmp_path))
    names = [kept.video.path for kept in found.values() if kept is not None]
    assert names == ["clip 0.avi", "clip 1.avi", "clip 2.avi"]
    assert [path.name[:3] for path, kept in found.items() if kept is None] == ["bad"]


def test_a_folder_that_can_not_be_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutputError, match="cannot be read"):
        ScoreStore(file).find(KEY)
    with pytest.raises(OutputError, match="cannot be written"):
        ScoreStore(file / "below").keep(KEY, scores())
    assert file.read_text() == ""


def test_writers_side_by_side_leave_one_whole_file(tmp_path: Path) -> None:
    stores = [ScoreStore(tmp_path) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda s=store: [s.keep(KEY, scores()) for _ in range(5)])
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(ScoreStore(tmp_path).find(KEY), scores())
    assert files(tmp_path) == [f"clip.{KEY}.npz"]


@pytest.mark.skipif(os.name == "nt", reason="no umask")
def test_kept_files_have_the_usual_mode(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        ScoreStore(tmp_path).keep(KEY, scores())
    finally:
        os.umask(old)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o640
