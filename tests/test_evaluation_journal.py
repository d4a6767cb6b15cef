"""An evaluation goes on where it was stopped, and believes no line that is damaged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from i3d.analysis.results import TrueLabel
from i3d.datasets.evaluate import Evaluator
from i3d.datasets.journal import Entry, Journal
from i3d.datasets.measures import Accuracy, Evaluation, Guess
from i3d.datasets.settings import describe_settings
from i3d.errors import CacheError, UserInterruptError, VideoDecodeError

from conftest import SOURCE
from known_answers import KINETICS, Clips, KnownAnswers, clip, evaluate_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARCHERY = [f"Archery 1 {i}" for i in (1, 2, 3)]
NAMES = [f"v_Archery_g01_c0{i}" for i in (1, 2, 3)]
ENTRY = Entry(
    clip="v_Archery_g01_c01",
    sha256="0" * 64,
    num_bytes=12,
    truth=(TrueLabel("archery", "exact", 2, 0.25),),
    best=(Guess("yoga", 0.5), Guess("archery", 0.25)),
    warnings=("it is short",),
)


def model() -> KnownAnswers:
    return KnownAnswers({NAMES[0]: ["archery"], NAMES[1]: ["yoga", "archery"], NAMES[2]: ["zumba"]})


def journal_of(folder: Path) -> Path:
    (path,) = (folder / "journals").iterdir()
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


def without_origin(evaluation: Evaluation) -> list[tuple[object, ...]]:
    """All that results say but whether they were resumed."""
    return [
        (result.clip, result.labels, result.best, result.sha256, result.num_bytes, result.warnings)
        for result in evaluation.results
    ]


def test_a_second_run_fetches_and_classifies_nothing(tmp_path: Path) -> None:
    first = model()
    first.warnings = ("it is short", "it is \udce9")
    before = evaluate_in(tmp_path, ARCHERY, first)
    second, clips, told = model(), Clips(tmp_path / "clips"), []
    after = evaluate_in(tmp_path, ARCHERY, second, fetch=clips.fetch, on_result=told.append)
    assert second.calls == clips.fetched == []
    assert without_origin(after) == without_origin(before)
    assert after.results[0].warnings == first.warnings
    assert (before.num_resumed, after.num_resumed) == (0, 3)
    assert told == list(after.results)
    assert after.top1 == before.top1 == Accuracy(1, 3)


def test_more_clips_are_added_to_what_is_known(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY[1:2], model())
    second = model()
    evaluation = evaluate_in(tmp_path, ARCHERY, second)
    assert second.calls == [f"{NAMES[0]} standard", f"{NAMES[2]} standard"]
    assert [result.resumed for result in evaluation.results] == [False, True, False]
    assert [result.clip for result in evaluation.results] == [clip(name) for name in ARCHERY]
    assert [line["clip"] for line in lines_of(journal_of(tmp_path))[1:]] == [
        NAMES[1],
        NAMES[0],
        NAMES[2],
    ]


def test_the_journal_says_what_its_results_were_made_with(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model(), recipe="tutorial")
    head, first, *_ = lines_of(journal_of(tmp_path))
    labels_sha256 = head.pop("labels")
    assert len(labels_sha256) == 64
    assert head.pop("i3d_version")
    assert head == {
        "schema": "i3d.ucf-journal/1",
        "model": "sha256:" + "f" * 64,
        "model_name": "i3d-kinetics-400",
        "label_list": "kinetics-400",
        "recipe": {
            "name": "tutorial",
            "fps": None,
            "crop": "centre-square",
            "size": 224,
            "input_range": [0.0, 1.0],
        },
        "engine": {"name": "fake", "version": "1.2.3", "precision": "float32"},
    }
    assert first["clip"] == NAMES[0]
    assert first["truth"][0].items() >= {"label": "archery", "rank": 1}.items()
    assert [guess["label"] for guess in first["best"]][:2] == ["archery", "abseiling"]


def test_a_run_that_was_stopped_keeps_what_was_done(tmp_path: Path) -> None:
    stopped = model()
    stopped.answers[NAMES[2]] = UserInterruptError("Interrupted.")
    with pytest.raises(UserInterruptError):
        evaluate_in(tmp_path, ARCHERY, stopped)
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 2
    assert second.calls == [f"{NAMES[2]} standard"]


def test_every_line_is_on_the_disk_before_the_next_clip_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    sizes = []
    evaluate_in(
        tmp_path,
        ARCHERY,
        model(),
        on_result=lambda _: sizes.append(journal_of(tmp_path).stat().st_size),
    )
    assert sizes == synced[1:]  # the first is the head's
    assert len(sizes) == 3
    assert sizes == sorted(set(sizes))


def test_failures_are_tried_again(tmp_path: Path) -> None:
    failing = model()
    failing.answers[NAMES[1]] = VideoDecodeError("Damaged.")
    assert len(evaluate_in(tmp_path, ARCHERY, failing).failures) == 1
    second = model()
    evaluation = evaluate_in(tmp_path, ARCHERY, second)
    assert evaluation.failures == ()
    assert second.calls == [f"{NAMES[1]} standard"]


def test_a_file_that_has_changed_is_looked_at_again(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = tmp_path / "clips" / f"{NAMES[1]}.avi"
    path.write_text(path.read_text().upper())  # as many bytes as before
    second = model()
    evaluation = evaluate_in(tmp_path, ARCHERY, second)
    assert second.calls == [f"{NAMES[1]} standard"]
    assert evaluation.num_resumed == 2
    third = model()
    assert evaluate_in(tmp_path, ARCHERY, third).num_resumed == 3


def test_a_clip_that_is_not_here_any_more_is_believed_by_its_name(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    (tmp_path / "clips" / f"{NAMES[1]}.avi").unlink()
    clips = Clips(tmp_path / "clips")
    assert evaluate_in(tmp_path, ARCHERY, model(), fetch=clips.fetch).num_resumed == 3
    assert evaluate_in(tmp_path, ARCHERY, model(), local=None).num_resumed == 3
    assert clips.fetched == []


def test_a_file_that_cannot_be_read_is_left_to_who_fetches_it(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    clips = Clips(tmp_path / "other clips")
    for name in NAMES:
        (tmp_path / "clips" / f"{name}.avi").unlink()
    gone = evaluate_in(
        tmp_path,
        ARCHERY,
        model(),
        fetch=clips.fetch,
        local=lambda clip: tmp_path / "clips" / clip.file_name,
    )
    assert clips.fetched == NAMES
    assert gone.num_clips == 3


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

    evaluation = evaluate_in(tmp_path, ARCHERY, second, fetch=fetch)
    assert clips.fetched == NAMES[1:2]
    assert second.calls == []
    assert evaluation.num_resumed == 3


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
        ("recipe", "deepmind"),
        ("fingerprint", "sha256:" + "e" * 64),
        ("labels", "in another order"),
        ("name", "other"),
        ("version", "1.2.4"),
        ("size", 112),
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
    elif what in ("name", "version"):
        setattr(engine, what, value)
    else:
        engine.contract = replace(engine.contract, **{what: value})
    assert evaluate_in(tmp_path, ARCHERY, second, recipe=recipe).num_resumed == 0
    assert len(second.calls) == 3
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


def test_a_journal_that_is_cut_at_any_byte_gives_what_is_whole(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = journal_of(tmp_path)
    content = path.read_bytes()
    journal = Journal(path.parent, describe_settings(model(), "standard", ["exact"]))
    assert journal.path == path
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    near_ends = {end + i for end in ends for i in (-2, -1, 0, 1)}
    for length in sorted({*range(0, len(content), 41), *near_ends}):
        path.write_bytes(content[:length])
        # A line without its line end is whole as well.
        whole = sum(end - 1 <= length for end in ends[1:])
        assert list(journal.read()) == NAMES[:whole]


@pytest.mark.parametrize("torn", [b'{"making": "', b'{"clip": "v_Ar\xff\xfe', b"\0" * 100])
def test_a_torn_last_line_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    evaluate_in(tmp_path, ARCHERY[:2], model())
    path = journal_of(tmp_path)
    path.write_bytes(path.read_bytes() + torn)
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_resumed == 2
    assert second.calls == [f"{NAMES[2]} standard"]
    assert torn + b"\n{" in path.read_bytes()
    third = model()
    assert evaluate_in(tmp_path, ARCHERY, third).num_resumed == 3
    assert third.calls == []


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def apply(line: bytes) -> bytes:
        data = json.loads(line)
        change(data)
        return json.dumps(data).encode()

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b"",
        lambda line: b"\xff\xfe\x00",
        lambda line: b"null",
        lambda line: b"[]",
        lambda line: b"1e999",
        lambda line: b"[" * 100_000,
        lambda line: b"9" * 5000,
        lambda line: line + line,
        lambda line: line.replace(b'"exact"', b"NaN"),
        *(
            changed(lambda data, name=name: data.pop(name))
            for name in ("making", "clip", "sha256", "num_bytes", "truth", "best", "warnings")
        ),
        *(
            changed(lambda data, name=name, value=value: data.update({name: value}))
            for name, value in [
                ("making", "0" * 64),
                ("clip", 7),
                ("clip", None),
                ("sha256", "0" * 63),
                ("sha256", "x" * 64),
                ("num_bytes", -1),
                ("num_bytes", True),
                ("num_bytes", 3.0),
                ("truth", {}),
                ("truth", [7]),
                ("truth", ["archery"]),
                ("best", []),
                ("best", None),
                ("best", [["archery", 1]]),
                ("warnings", "it is short"),
                ("warnings", [None]),
            ]
        ),
        *(
            changed(lambda data, name=name, value=value: data["truth"][0].update({name: value}))
            for name, value in [
                ("label", None),
                ("relation", 1),
                ("rank", 0),
                ("rank", True),
                ("rank", "1"),
                ("probability", 1.5),
                ("probability", -0.1),
                ("probability", float("nan")),
                ("probability", False),
                ("probability", "1"),
            ]
        ),
        changed(lambda data: data["best"][0].update(label=3)),
        changed(lambda data: data["best"][0].update(probability=float("inf"))),
        changed(lambda data: data["best"][0].pop("probability")),
    ],
)
def test_a_damaged_line_is_no_line(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    journal = Journal(tmp_path, describe_settings(model(), "standard", ["exact"]))
    with journal.writing():
        journal.append(ENTRY)
    assert journal.read() == {ENTRY.clip: ENTRY}
    head, line = journal.path.read_bytes().splitlines()
    journal.path.write_bytes(head + b"\n" + damage(line) + b"\n")
    assert journal.read() == {}
    journal.path.write_bytes(line + b"\n" + damage(line) + b"\n")
    assert journal.read() == {ENTRY.clip: ENTRY}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_device_in_the_place_of_a_journal_is_not_read_to_its_end(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY[:2], model())
    path = journal_of(tmp_path)
    path.unlink()
    path.symlink_to("/dev/full")
    clips = Clips(tmp_path / "clips")
    with pytest.raises(CacheError, match="cannot be written: No space left"):
        evaluate_in(tmp_path, ARCHERY[:2], model(), fetch=clips.fetch)
    assert clips.fetched == []
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CacheError, match="cannot be written"):
        evaluate_in(tmp_path, ARCHERY[:2], model(), fetch=clips.fetch)


def test_a_journal_that_is_far_too_large_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_in(tmp_path, ARCHERY, model())
    path = journal_of(tmp_path)
    monkeypatch.setattr("i3d.datasets.journal._MAX_BYTES", path.stat().st_size)
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == len(ARCHERY)
    monkeypatch.setattr("i3d.datasets.journal._MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(CacheError, match="is too large for a journal") as caught:
        evaluate_in(tmp_path, ARCHERY, model())
    assert str(path) in caught.value.message


def test_of_several_lines_of_a_clip_the_last_good_one_counts(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY[:1], KnownAnswers({NAMES[0]: ["yoga"]}))
    path = journal_of(tmp_path)
    head, first = path.read_bytes().splitlines()
    evaluate_in(tmp_path, ARCHERY[:1], model(), again=True)
    later = path.read_bytes().splitlines()[-1]
    path.write_bytes(b"\n".join([head, later, first, later[:40], b""]))
    assert evaluate_in(tmp_path, ARCHERY[:1], model()).results[0].predicted == "yoga"


@pytest.mark.parametrize("at", ["the head", "a line"])
def test_a_full_disk_ends_in_a_sentence_and_what_arrived_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    room = [100 if at == "the head" else 1000]
    write = os.write

    def write_while_there_is_room(handle: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = write(handle, data[: room[0]])
        room[0] -= taken
        return taken

    first = model()
    with monkeypatch.context() as full:
        full.setattr(os, "write", write_while_there_is_room)
        reason = os.strerror(errno.ENOSPC)
        with pytest.raises(CacheError, match=f"journals.* cannot be written: {reason}") as caught:
            evaluate_in(tmp_path, ARCHERY, first)
    assert caught.value.exit_code == 5
    assert caught.value.hint
    assert len(first.calls) == (0 if at == "the head" else 1)
    assert not journal_of(tmp_path).read_bytes().endswith(b"\n")
    second = model()
    assert evaluate_in(tmp_path, ARCHERY, second).num_clips == 3
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 3


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file")
    clips, first = Clips(tmp_path / "clips"), model()
    with pytest.raises(CacheError, match=r"journals cannot be (read|written)"):
        evaluate_in(tmp_path, ARCHERY, first, fetch=clips.fetch)
    assert clips.fetched == first.calls == []


def test_a_folder_where_the_journal_should_be_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals", describe_settings(model(), "standard", ["exact"]))
    journal.path.mkdir(parents=True)
    for again in (False, True):
        with pytest.raises(CacheError, match="cannot be " + ("written" if again else "read")):
            evaluate_in(tmp_path, ARCHERY, model(), again=again)


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs permissions that hold",
)
def test_a_cache_that_cannot_be_written_still_answers(tmp_path: Path) -> None:
    evaluate_in(tmp_path, ARCHERY[:2], model())
    path = journal_of(tmp_path)
    path.chmod(0o400)
    assert evaluate_in(tmp_path, ARCHERY[:2], model()).num_resumed == 2
    with pytest.raises(CacheError, match="cannot be written: Permission denied"):
        evaluate_in(tmp_path, ARCHERY, model())


def test_a_whole_answer_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate_in(tmp_path, ARCHERY, model())

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    assert evaluate_in(tmp_path, ARCHERY, model()).num_resumed == 3
    with pytest.raises(CacheError, match=os.strerror(errno.EROFS)):
        evaluate_in(tmp_path, ARCHERY, model(), again=True)


def test_a_disk_that_knows_no_fsync_will_do_and_one_that_fails_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    code = errno.EINVAL
    assert evaluate_in(tmp_path, ARCHERY, model()).num_clips == 3
    code = errno.EIO
    with pytest.raises(CacheError, match=os.strerror(errno.EIO)):
        evaluate_in(tmp_path, ARCHERY, model(), again=True)


WRITER = """
import sys
from pathlib import Path
from i3d.datasets.journal import Entry, Journal
from i3d.datasets.measures import Guess
from i3d.datasets.settings import Settings
from i3d.engines.base import EngineInfo
from i3d.models.records import ModelInfo
from i3d.video.info import RecipeInfo

recipe = RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because")
model = ModelInfo("fake", "sha256:0", 3, "index")
journal = Journal(Path(sys.argv[1]), Settings(model, recipe, EngineInfo("fake", "1"), (), "0"))
best, who = (Guess("archery", 0.5),), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
with journal.writing():
    for number in range(50):
        journal.append(Entry(f"{who} {number}", "0" * 64, 7, (), best, ("x" * 5000,)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows seeks and writes in two steps")
def test_two_processes_write_to_one_journal_without_tearing_a_line(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for who in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    (path,) = tmp_path.iterdir()
    lines = lines_of(path)  # every line is whole
    assert sum("clip" not in line for line in lines) in (1, 2)  # each may have found it empty
    assert "schema" in lines[0]
    clips = [line["clip"] for line in lines if "clip" in line]
    assert sorted(clips) == sorted(f"{who} {i}" for who in ("one", "two") for i in range(50))


@pytest.mark.parametrize("before", [b"", b"torn"])
def test_a_line_is_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    journal = Journal(tmp_path, describe_settings(model(), "standard", ["exact"]))
    journal.path.write_bytes(b"{}\n" + before)
    written = []
    write = os.write

    def watched(handle: int, data: bytes) -> int:
        written.append(data)
        return write(handle, data)

    monkeypatch.setattr(os, "write", watched)
    with journal.writing():
        journal.append(replace(ENTRY, warnings=("x" * 100_000,)))
    (line,) = written
    assert line.endswith(b"\n")
    assert line.startswith(b"\n{" if before else b"{")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows seeks and writes in two steps")
def test_a_line_that_comes_between_looking_and_writing_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = describe_settings(model(), "standard", ["exact"])
    one, two = Journal(tmp_path, settings), Journal(tmp_path, settings)
    read = os.read
    with one.writing(), two.writing():

        def read_and_be_overtaken(handle: int, count: int) -> bytes:
            monkeypatch.setattr(os, "read", read)
            found = read(handle, count)
            two.append(replace(ENTRY, clip="of the other"))
            return found

        monkeypatch.setattr(os, "read", read_and_be_overtaken)
        one.append(ENTRY)
    assert list(one.read()) == ["of the other", ENTRY.clip]


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
    lines = lines_of(journal_of(tmp_path))
    assert [line.get("clip") for line in lines] == [None, *NAMES, *NAMES]
