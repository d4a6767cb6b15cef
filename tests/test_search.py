"""Kept scores asked for a label: in which videos, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from i3d.analysis.prediction import predict
from i3d.analysis.scores import ScoreStore, VideoScores
from i3d.analysis.search import Hit, search_scores
from i3d.cli.main import cli
from i3d.engines.base import EngineInfo
from i3d.errors import UnknownNameError
from i3d.models.records import ModelInfo
from i3d.video.info import ClipInfo, RecipeInfo, VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("swimming", "playing chess", "playing harp")


def scores(path: str, logits: list[list[float]], labels: tuple[str, ...] = LABELS) -> VideoScores:
    """Steps of two seconds, so that none is averaged with its neighbours."""
    steps = np.array(logits, dtype=np.float32)
    length = 2.0 * len(steps)
    return VideoScores(
        step_logits=steps,
        edges_seconds=np.arange(len(steps) + 1) * 2.0,
        labels=labels,
        video=VideoInfo(path, 320, 240, 0, 25.0, 25.0, 100, 100, length, ended_early=False),
        clip=ClipInfo(100, 100, 0.0, length, 25.0),
        recipe=RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because"),
        model=ModelInfo("fake", "sha256:1", len(labels), "index"),
        engine=EngineInfo("openvino", "1"),
        warnings=(),
    )


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    kept = ScoreStore(tmp_path / "scores")
    kept.keep("0" * 32, scores("pool.mp4", [[9, 0, 0], [0, 9, 0], [0, 0, 0]]))
    kept.keep("1" * 32, scores("sea.mp4", [[0, 0, 0], [3, 0, 0]]))
    kept.keep("2" * 32, scores("hall.mp4", [[-9, 0, 9], [-9, 0, 0]]))
    return kept


def found(store: ScoreStore, pattern: str | None, **options: object) -> list[tuple[str, str]]:
    return [(hit.label, hit.path) for hit in search_scores(store, pattern, **options).hits]  # type: ignore[arg-type]


def test_videos_stand_below_each_label_the_likeliest_first(store: ScoreStore) -> None:
    assert found(store, "swimming") == [("swimming", "pool.mp4"), ("swimming", "sea.mp4")]
    assert found(store, "playing *", min_score=0.4) == [
        ("playing chess", "pool.mp4"),
        ("playing chess", "hall.mp4"),
        ("playing harp", "hall.mp4"),
    ]


def test_a_hit_says_when_and_how_likely(store: ScoreStore) -> None:
    kept = store.find("1" * 32)
    assert kept is not None
    (hit,) = [hit for hit in search_scores(store, "swimming").hits if hit.path == "sea.mp4"]
    likely = float(np.exp(3) / (np.exp(3) + 2))
    whole = predict(kept).scores[0].probability
    assert (hit.label, hit.label_index, hit.path, hit.model) == ("swimming", 0, "sea.mp4", "fake")
    assert (hit.peak_score, hit.probability) == (pytest.approx(likely), pytest.approx(whole))
    assert hit.peak_seconds == 3.0


def test_scores_of_weights_that_have_another_name_now_are_left_out_and_named(
    store: ScoreStore,
) -> None:
    kept = scores("old.mp4", [[9, 0, 0]])
    model = replace(kept.model, name="i3d-kinetics-400", checkpoint="rgb_imagenet")
    store.keep("3" * 32, replace(kept, model=model))
    assert store.find("3" * 32) is None
    assert found(store, "swimming") == [("swimming", "pool.mp4"), ("swimming", "sea.mp4")]
    result = CliRunner().invoke(cli, ["labels", "swim", "--scores", str(store.folder)])
    assert result.exit_code == 0
    told = " ".join(result.stderr.split())
    assert (
        "i3d-kinetics-400 made with the weights that are called i3d-kinetics-400-imagenet" in told
    )


def test_top_and_the_least_score_limit_what_is_shown(store: ScoreStore) -> None:
    assert found(store, "swimming", top=1) == [("swimming", "pool.mp4")]
    assert found(store, "swimming", min_score=0.95) == [("swimming", "pool.mp4")]
    assert found(store, "swimming", min_score=1.0) == []
    assert len(found(store, None, min_score=0.0)) == 9


def test_models_with_other_labels_may_lie_beside_each_other(store: ScoreStore) -> None:
    store.keep("3" * 32, scores("lake.mp4", [[0, 9]], ("rowing", "swimming")))
    hits = search_scores(store, "swim").hits
    assert [(hit.path, hit.label_index) for hit in hits][:2] == [("lake.mp4", 1), ("pool.mp4", 0)]


def test_an_unknown_label_is_told_with_one_that_is_alike(store: ScoreStore) -> None:
    with pytest.raises(UnknownNameError) as caught:
        search_scores(store, "swiming")
    assert "swimming" in str(caught.value.hint)


def test_a_damaged_file_is_left_out_and_told(store: ScoreStore) -> None:
    (store.folder / f"x.{'f' * 32}.npz").write_bytes(b"damaged")
    search = search_scores(ScoreStore(store.folder), "swimming")
    assert (len(search.hits), search.num_videos) == (2, 3)
    assert [path.name[0] for path in search.damaged] == ["x"]


# The command


def labels(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["labels", *map(str, arguments)], prog_name="i3d")


def test_the_command_lists_moments(store: ScoreStore) -> None:
    result = labels("swim", "--scores", store.folder)
    assert result.exit_code == 0, result.stderr
    name, pool, sea = result.stdout.splitlines()
    assert name == "swimming"
    assert " at 0:01.0, " in pool
    assert pool.endswith(" % of the whole  pool.mp4")
    assert " at 0:03.0, " in sea
    assert sea.endswith(" % of the whole  sea.mp4")


def test_the_command_writes_json(store: ScoreStore) -> None:
    store.keep("4" * 32, replace(scores("\udce9.mp4", [[9, 0, 0]])))
    document = json.loads(labels("swimming", "--scores", store.folder, "--format", "json").stdout)
    assert (document["schema"], document["num_videos"]) == ("i3d.search/1", 4)
    hits = search_scores(ScoreStore(store.folder), "swimming").hits
    plain = [Hit(**hit) for hit in document["hits"]]
    assert plain == [replace(hit, path=hit.path.replace("\udce9", "\\udce9")) for hit in hits]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["swiming"], 4, "swimming"),
        (["swimming", "--min-score", "1"], 0, "No label reaches 100 % in 3 videos."),
    ],
)
def test_what_is_not_found_is_told(
    arguments: list[str], code: int, sentence: str, store: ScoreStore
) -> None:
    result = labels(*arguments, "--scores", store.folder)
    assert result.exit_code == code
    assert sentence in result.stderr


def test_a_folder_without_scores_is_told(tmp_path: Path) -> None:
    result = labels("swimming", "--scores", tmp_path / "none")
    assert result.exit_code == 2
    assert "holds no kept scores" in result.stderr
    assert "--save-scores" in result.stderr


@pytest.mark.parametrize("option", [("--top", "3"), ("--min-score", "0.5"), ("--format", "json")])
def test_options_of_a_search_are_refused_without_one(option: tuple[str, str]) -> None:
    result = labels("swim", *option)
    assert result.exit_code == 2
    assert f"{option[0]} goes with --scores only." in result.stderr
