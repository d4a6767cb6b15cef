"""An evaluation goes on where it was stopped, and believes no line that is damaged."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from i3d.analysis.results import TrueLabel
from i3d.datasets.evaluate import Evaluator
from i3d.datasets.journal import Entry, Journal
from i3d.datasets.measures import Accuracy, Evaluation, Guess
from i3d.errors import CacheError, UserInterruptError, VideoDecodeError

from known_answers import KINETICS, Clips, KnownAnswers, clip, evaluate_in

if TYPE_CHECKING:
    from pathlib import Path

ARCHERY = [f"Archery 1 {i}" for i in (1, 2, 3)]
NAMES = [f"v_Archery_g01_c0{i}" for i in (1, 2, 3)]
KEY = "0123456789abcdef" * 4
ENTRY = Entry(
    making=KEY,
    clip="v_Archery_g01_c01",
    sha256="0" * 64,
    num_bytes=12,
    truth=(TrueLabel("archery", "exact", 2, 0.25),),
    best=(Guess("yoga", 0.5), Guess("archery", 0.25)),
    warnings=("it is short", "it is \udce9"),
)


def model() -> KnownAnswers:
    return KnownAnswers({NAMES[0]: ["archery"], NAMES[1]: ["yoga", "archery"], NAMES[2]: ["zumba"]})


def journal_of(folder: Path) -> Path:
    (path,) = (folder / "journals").iterdir()
    return path


def without_origin(evaluation: Evaluation) -> list[Any]:
    """All that results say but whether they were resumed."""
    return [replace(result, resumed=False) for result in evaluation.results]


def test_a_second_run_fetches_and_classifies_nothing(tmp_path: Path) -> None:
    first = model()
    first.warnings = ("it is short", "it is \udce9")
    before = evaluate_in(tmp_path, ARCHERY, first)
    second, clips = model(), Clips(tmp_path / "clips")
    after = evaluate_in(tmp_path, ARCHERY, second, fetch=clips.fetch)
    assert second.calls == clips.fetched == []
    assert without_origin(after) == without_origin(before)
    assert (before.num_resumed, after.num_resumed) == (0, 3)
    assert after.top1 == before.top1 == Accuracy(1, 3)


def test_a_run_that_was_stopped_keeps_what_was_done(tmp_path: Path) -> None:
    stopped = model()
    stopped.answers[NAMES[2]] = UserInterruptError("Interrupted.")
    with pytest.raises(UserInterruptError):
        evaluate_in(tmp_path, ARCHERY, stopped)
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 2
    assert second.calls == [f"{NAMES[2]} standard"]


def test_failures_are_tried_again(tmp_path: Path) -> None:
    failing = model()
    failing.answers[NAMES[1]] = VideoDecodeError("Damaged.")
    assert len(evaluate_in(tmp_path, ARCHERY, failing).failures) == 1
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).failures == ()
    assert second.calls == [f"{NAMES[1]} standard"]


def test_a_file_that_has_changed_is_looked_at_again(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = tmp_path / "clips" / f"{NAMES[1]}.avi"
    path.write_text(path.read_text().upper())  # as many bytes as before
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 2
    assert second.calls == [f"{NAMES[1]} standard"]
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 3


def test_a_clip_that_is_not_here_any_more_is_believed_by_its_name(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    (tmp_path / "clips" / f"{NAMES[1]}.avi").unlink()
    clips = Clips(tmp_path / "clips")
    assert evaluate_in(tmp_path, ARCHERY, model(), fetch=clips.fetch).num_resumed == 3
    assert clips.fetched == []


def test_a_file_that_was_mended_by_fetching_it_again_is_not_classified_again(
    tmp_path: Path,
) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = tmp_path / "clips" / f"{NAMES[1]}.avi"
    content = path.read_bytes()
    path.write_bytes(content[:5])
    clips, second = Clips(tmp_path / "clips"), model()

    def fetch(wanted: Any) -> Any:
        path.write_bytes(content)
        return clips.fetch(wanted)

    assert evaluate_in(tmp_path, ARCHERY, second, fetch=fetch).num_resumed == 3
    assert (clips.fetched, second.calls) == (NAMES[1:2], [])


def test_again_classifies_all_and_what_it_finds_counts_from_then_on(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    better = KnownAnswers({name: ["archery"] for name in NAMES})
    evaluation = evaluate_in(tmp_path, ARCHERY, better, again=True)
    assert (len(better.calls), evaluation.num_resumed) == (3, 0)
    third = model()
    assert evaluate_in(tmp_path, ARCHERY, third).top1 == Accuracy(3, 3)
    assert third.calls == []


def test_other_relations_need_no_new_run(tmp_path: Path) -> None:
    answers = {"v_Biking_g01_c01": ["biking through snow"]}
    assert evaluate_in(tmp_path, ["Biking 1 1"], KnownAnswers(answers)).top1 == Accuracy(0, 1)
    second = KnownAnswers(answers)
    evaluation = evaluate_in(tmp_path, ["Biking 1 1"], second, relations=["exact", "near"])
    assert evaluation.top1 == Accuracy(1, 1)
    assert second.calls == []


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("recipe", "tutorial"),
        ("fingerprint", "sha256:" + "e" * 64),
        ("labels", "in another order"),
        ("version", "1.2.4"),
        ("input_range", (0.0, 1.0)),
    ],
)
def test_other_settings_have_another_journal(tmp_path: Path, what: str, value: object) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    second, recipe = model(), "standard"
    engine = second.engine
    if what == "recipe":
        recipe = str(value)
    elif what == "fingerprint":
        second = KnownAnswers(fingerprint=str(value))
    elif what == "labels":
        second = KnownAnswers(labels=[*KINETICS[1:], KINETICS[0]])
    elif what == "version":
        engine.version = value
    else:
        engine.contract = replace(engine.contract, **{what: value})
    assert evaluate_in(tmp_path, ARCHERY, second, recipe=recipe).num_resumed == 0
    assert len(list((tmp_path / "journals").iterdir())) == 2


def test_the_name_of_a_model_makes_no_other_journal(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    renamed = KnownAnswers(name="/somewhere/else")
    assert evaluate_in(tmp_path, ARCHERY, renamed).num_resumed == 3


def test_a_line_whose_labels_are_not_those_of_today_does_not_count(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = journal_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"exact"', b'"near"', 1))
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 2
    assert second.calls == [f"{NAMES[0]} standard"]


def test_a_journal_of_version_0_1_is_resumed(tmp_path: Path) -> None:
    """It had a first line about the settings, and a line end after each line."""
    evaluate_in(tmp_path, ARCHERY[:2], model())
    path = journal_of(tmp_path)
    path.write_bytes(b'{"schema": "i3d.ucf-journal/1"}\n' + path.read_bytes().lstrip() + b"\n")
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 2


@pytest.mark.parametrize("torn", [b"", b'{"making": "', b'{"clip": "v_Ar\xff\xfe', b"\0" * 100])
def test_a_torn_last_line_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    evaluate_in(tmp_path, ARCHERY[:2], model())
    path = journal_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-40] + torn)
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 1
    assert second.calls == [f"{name} standard" for name in NAMES[1:]]
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 3


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[" * 100_000,
        json.dumps(asdict(replace(ENTRY, making="0" * 64))).encode(),
        json.dumps(asdict(ENTRY) | {"clip": None}).encode(),
        json.dumps(asdict(ENTRY) | {"num_bytes": True}).encode(),
        json.dumps(asdict(ENTRY) | {"truth": ["archery"]}).encode(),
        json.dumps(asdict(ENTRY) | {"best": []}).encode(),
    ],
)
def test_a_damaged_line_is_no_line(tmp_path: Path, damage: bytes) -> None:
    journal = Journal(tmp_path, "standard", KEY)
    journal.append(ENTRY)
    assert journal.read() == {ENTRY.clip: ENTRY}
    line = journal.path.read_bytes().strip()
    journal.path.write_bytes(damage + b"\n" + line + b"\n" + damage)
    assert journal.read() == {ENTRY.clip: ENTRY}
    journal.path.write_bytes(damage + b"\n")
    assert journal.read() == {}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_ends_in_a_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "standard", KEY)
    journal.path.symlink_to("/dev/full")
    with pytest.raises(CacheError, match="cannot be written: No space left") as caught:
        journal.append(ENTRY)
    assert caught.value.hint


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file")
    clips, first = Clips(tmp_path / "clips"), model()
    with pytest.raises(CacheError, match=r"journals cannot be (read|written)"):
        evaluate_in(tmp_path, ARCHERY, first, fetch=clips.fetch)
    with pytest.raises(CacheError, match="journals cannot be written"):
        evaluate_in(tmp_path, ARCHERY, first, fetch=clips.fetch, again=True)
    assert clips.fetched == first.calls == []


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs permissions that hold",
)
def test_a_cache_that_cannot_be_written_still_answers(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY[:2], model())
    journal_of(tmp_path).chmod(0o400)
    assert evaluate_in(tmp_path, ARCHERY[:2], model()).num_resumed == 2
    with pytest.raises(CacheError, match="cannot be written: Permission denied"):
        evaluate_in(tmp_path, ARCHERY, model())


def test_evaluating_in_two_processes_at_once_loses_nothing(tmp_path: Path) -> None:
    clips, inner = Clips(tmp_path / "clips"), model()

    def meanwhile(wanted: Any) -> Any:
        """While the first evaluation fetches, another one does all of it."""
        evaluate_in(tmp_path, ARCHERY, inner)
        return clips.fetch(wanted)

    outer = model()
    evaluation = Evaluator(
        [clip(name) for name in ARCHERY],
        outer,
        fetch=meanwhile,
        journal_dir=tmp_path / "journals",
    ).run()
    assert len(inner.calls) == len(outer.calls) == evaluation.num_clips == 3
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 3
