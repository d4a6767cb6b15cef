"""Results that grow on disk: nothing whole is lost, nothing torn is kept, whatever happens."""

from __future__ import annotations

import csv
import errno
import io
import os
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from i3d.analysis.results import Outcome, Prediction, Score
from i3d.engines.base import EngineInfo
from i3d.errors import I3DError, OutputError, UsageError, VideoDecodeError
from i3d.models.records import ModelInfo
from i3d.report.formats import make_report
from i3d.report.result_files import ResultFile, key_of
from i3d.video.info import ClipInfo, FileInfo, RecipeInfo, VideoInfo

from conftest import SOURCE
from damage import closed, largest_file, small_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTINGS = "5" * 64
OTHER_SETTINGS = "6" * 64
FORMATS = ("jsonl", "csv", "parquet")


def outcome(path: str, *, failed: bool = False, warnings: tuple[str, ...] = ()) -> Outcome:
    """What a run would give for a video; all of it follows from the name."""
    file = FileInfo("0" * 63 + str(len(path) % 10), len(path), "2026-11-22T10:20:30.123456789Z")
    if failed:
        error = VideoDecodeError(f"{path} is empty,\nor damaged.", hint="Copy it again.")
        return Outcome(path, error=error, file=file, settings=SETTINGS)
    prediction = Prediction(
        video=VideoInfo(path, 320, 240, 0, 25.0, 25.0, None, 116, 4.64, ended_early=False),
        clip=ClipInfo(116, 116, 0.0, 4.64, 25.0),
        scores=(
            Score(1, "pan left", 1, 0.7 + len(path) / 1000, 2.5),
            Score(2, 'a "quoted", label', 2, 0.2, 0.1 + 0.2),
        ),
        num_steps=14,
        recipe=RecipeInfo("standard", 25.0, "centre-square", 224, (-1.0, 1.0), "because"),
        model=ModelInfo("camera-motion", "sha256:abc", 9, "camera-motion"),
        engine=EngineInfo("openvino", "2026.0"),
        warnings=warnings,
    )
    return Outcome(path, prediction=prediction, file=file, settings=SETTINGS)


FOUR = (
    outcome("a.mp4"),
    outcome("b.mp4", failed=True),
    outcome('"c",\n.mp4', warnings=("it is short", "it\nends, early")),
    outcome("d\udce9é.mp4"),
)


def opened(path: Path, format_name: str = "jsonl", **options: Any) -> ResultFile:
    if format_name == "parquet":
        pytest.importorskip("pyarrow")
    return ResultFile(path, format_name, **{"settings": SETTINGS, **options})


def write(path: Path, format_name: str, outcomes: Iterable[Outcome], **options: Any) -> None:
    """A run: it leaves out what is known."""
    with opened(path, format_name, **options) as results:
        for one in outcomes:
            if key_of(one.path) not in results.known:
                results.append(one)
        results.finish()


def whole(format_name: str, outcomes: Iterable[Outcome]) -> bytes:
    """What the report of a run without any trouble is."""
    report = make_report(format_name)
    return (report.begin() + "".join(map(report.item, outcomes))).encode()


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    parquet = pytest.importorskip("pyarrow.parquet")
    with path.open("rb") as file:
        return list(parquet.read_table(file).to_pylist())


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name != "cache")


def refusal(path: Path, format_name: str = "jsonl", **options: Any) -> I3DError:
    """The error that opening gives; nothing has changed then."""
    before = path.read_bytes() if path.is_file() else b""
    beside = names(path.parent)
    with pytest.raises(I3DError) as caught:
        opened(path, format_name, **options)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert names(path.parent) == beside
    assert caught.value.message.startswith(("The ", "Another", str(path)))
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def content(path: Path, format_name: str) -> object:
    """What a file says: the bytes, but for Parquet the rows."""
    return rows(path) if format_name == "parquet" else path.read_bytes()


def journal(path: Path) -> Path:
    return path.with_name(f".{path.name}.i3d-part")


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_the_file_is_what_the_report_says(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    assert path.read_bytes() == whole(format_name, FOUR)
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_second_run_knows_what_the_first_one_found(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    before = path.read_bytes()
    with opened(path, format_name) as results:
        assert list(results.known) == [key_of(one.path) for one in FOUR]
        for one in FOUR:
            known = results.known[key_of(one.path)]
            assert known.file == one.file
            assert known.is_ok == (one.error is None)
            assert known.error_kind == (None if known.is_ok else "VideoDecodeError")
        results.finish()
    assert path.read_bytes() == before
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_new_results_join_those_of_a_file_that_was_finished(
    tmp_path: Path, format_name: str
) -> None:
    write(tmp_path / "whole", format_name, FOUR)
    path = tmp_path / "results"
    for count in (1, 2, 4):
        write(path, format_name, FOUR[:count])
    assert content(path, format_name) == content(tmp_path / "whole", format_name)


def test_a_file_that_is_not_known_is_none(tmp_path: Path) -> None:
    for format_name in ("jsonl", "csv"):
        path = tmp_path / format_name
        write(path, format_name, [replace(FOUR[1], file=None)])
        with opened(path, format_name) as results:
            assert results.known["b.mp4"].file is None


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_wherever_the_lines_are_cut_no_whole_result_is_lost_and_no_torn_one_kept(
    tmp_path: Path, format_name: str
) -> None:
    lines = whole("jsonl", FOUR)
    ends = [len(whole("jsonl", FOUR[:count])) for count in range(5)]
    chance = random.Random(1)
    path = tmp_path / "results"
    grows = path if format_name == "jsonl" else journal(path)
    for cut in [*ends, *(end - 1 for end in ends[1:]), *chance.sample(range(ends[-1]), 31)]:
        path.unlink(missing_ok=True)
        grows.write_bytes(lines[:cut])
        count = max(i for i, end in enumerate(ends) if end <= cut)
        with opened(path, format_name) as results:
            assert list(results.known) == [key_of(one.path) for one in FOUR[:count]], cut
            for one in FOUR[count:]:
                results.append(one)
            results.finish()
        assert path.read_bytes() == whole(format_name, FOUR), cut
        assert names(tmp_path) == ["results"]


def test_blocks_of_zeros_after_a_power_cut_are_torn(tmp_path: Path) -> None:
    lines = whole("jsonl", FOUR)
    start = len(whole("jsonl", FOUR[:3]))
    path = tmp_path / "results"
    for torn in (
        lines[:start] + bytes(4096),
        lines[: start + 20] + bytes(500),
        lines[: start + 20] + bytes(100) + lines[start + 120 :],
    ):
        path.write_bytes(torn)
        write(path, "jsonl", FOUR)
        assert path.read_bytes() == lines


def damaged_lines() -> Iterable[bytes]:
    """Files that hold results, and something else in between."""
    lines = whole("jsonl", FOUR)
    second = len(whole("jsonl", FOUR[:1]))
    yield lines[:second] + b"something else\n" + lines[second:]
    yield lines[: second - 20] + lines[second:]
    yield lines + b"something else\n"
    yield lines[:second] + b"\n" + lines[second:]
    yield lines[: second + 100] + bytes(20) + lines[second + 120 :]
    yield lines.replace(b'"status": "ok"', b'"status": "good"')
    yield lines.replace(b'"path": "a.mp4"', b'"path": 7')
    yield lines[:second] + b'{"schema": ' + b"[" * 100_000 + b"\n" + lines[second:]


def damaged_tables() -> Iterable[bytes]:
    table = whole("csv", FOUR)
    yield table + b"x\n"
    yield table.replace(b",ok,2,", b",ok,two,")
    yield table.replace(b"0.2,", b"20,")
    yield table.replace(b"pan left", b"pan \xff")
    yield table.replace(b"pan left", b'"pan" left')
    yield table[:-40]
    yield table.replace(b"\na.mp4", b'\n"a.mp4', 1)


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_damage_is_refused_by_its_line_until_the_results_are_made_again(
    tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / "results"
    for damaged in damaged_lines() if format_name == "jsonl" else damaged_tables():
        path.write_bytes(damaged)
        error = refusal(path, format_name)
        assert isinstance(error, UsageError)
        assert "line " in error.message or "are not whole" in error.message, error.message
        write(path, format_name, FOUR, again=True)
        assert path.read_bytes() == whole(format_name, FOUR)


def test_damage_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(whole("jsonl", FOUR[:2]) + b"{}\n")
    assert "line 3:" in refusal(path).message
    path.write_bytes(whole("csv", FOUR) + b"x\n")
    number = whole("csv", FOUR).count(b"\n") + 1
    assert f"line {number}:" in refusal(path, "csv").message


@pytest.mark.parametrize("format_name", FORMATS)
def test_files_of_something_else_are_refused(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    foreign = [
        b"notes",
        b"notes\n",
        b"video,status\na.mp4,ok\n",
        b'{"schema": "mine"}\n',
        b"\0\0\0\x18ftypmp42" + bytes(100_000),
        b"\xff\xfe\n",
        b"\xef\xbb\xbf" + whole("csv", FOUR),  # which a spreadsheet has saved
        whole("csv", FOUR).replace(b",", b";"),
        *(whole(other, FOUR) for other in ("jsonl", "csv") if other != format_name),
    ]
    for data in foreign:
        path.write_bytes(data)
        for again in (False, True):
            assert "does not hold results" in refusal(path, format_name, again=again).message


def test_a_journal_of_an_older_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    journal(path).write_bytes(whole("csv", FOUR))
    with pytest.raises(UsageError, match=r"\.results\.parquet\.i3d-part is there already"):
        opened(path, "csv")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder that somebody is in")
def test_a_video_that_lacks_rows_in_a_table_of_an_older_version_is_made_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.csv"
    write(path, "csv", FOUR)
    whole_file = path.read_bytes()
    lines = whole_file.splitlines(keepends=True)
    second = next(i for i in reversed(range(len(lines))) if b",ok,2," in lines[i])
    path.write_bytes(b"".join(lines[:second] + lines[second + 1 :]))
    with opened(path, "csv") as results:
        assert len(results.known) == len(FOUR) - 1
    write(path, "csv", FOUR)
    assert sorted(path.read_bytes().splitlines()) == sorted(whole_file.splitlines())


def test_a_current_folder_that_was_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(OutputError, match=r"cannot be written to r\.jsonl"):
        opened(Path("r.jsonl"))


@pytest.mark.parametrize("format_name", FORMATS)
def test_results_of_other_settings_are_refused(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    error = refusal(path, format_name, settings=OTHER_SETTINGS)
    assert isinstance(error, UsageError)
    assert error.message == (
        f"{path} holds results that were made with other settings (another model, recipe, or "
        "option)."
    )
    assert error.hint == "Give another file, or start over with --again."


def test_results_of_weights_that_have_another_name_now_are_refused_by_it(tmp_path: Path) -> None:
    prediction = FOUR[0].prediction
    assert prediction is not None
    model = replace(prediction.model, name="i3d-kinetics-400", checkpoint="rgb_imagenet")
    path = tmp_path / "results"
    write(path, "jsonl", [replace(FOUR[0], prediction=replace(prediction, model=model))])
    error = refusal(path, settings=OTHER_SETTINGS)
    assert error.message == (
        f"{path} holds results that i3d-kinetics-400 made with the weights rgb_imagenet, which are "
        "called i3d-kinetics-400-imagenet now."
    )
    assert "--model i3d-kinetics-400-imagenet" in str(error.hint)


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_results_without_settings_are_refused(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    path.write_bytes(whole(format_name, [replace(one, settings=None) for one in FOUR]))
    assert "do not say with which settings" in refusal(path, format_name).message


@pytest.mark.parametrize("format_name", FORMATS)
def test_starting_over_keeps_the_old_results_until_there_is_a_new_one(
    tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    before = path.read_bytes()
    new = [replace(one, settings=OTHER_SETTINGS) for one in FOUR[:2]]
    options: dict[str, Any] = {"settings": OTHER_SETTINGS, "again": True}
    with opened(path, format_name, **options) as results:
        assert results.known == {}
        results.finish()
    assert path.read_bytes() == before
    with opened(path, format_name, **options) as results:
        results.append(new[0])
    if format_name == "jsonl":
        assert path.read_bytes() == whole("jsonl", new[:1])
    else:
        assert names(tmp_path) == [journal(path).name]
    write(path, format_name, new, settings=OTHER_SETTINGS)  # goes on without --again
    write(tmp_path / "whole", format_name, new, settings=OTHER_SETTINGS)
    assert content(path, format_name) == content(tmp_path / "whole", format_name)
    assert names(tmp_path) == ["results", "whole"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_forgotten_goes_and_the_rest_stays(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    path.chmod(0o640)
    with opened(path, format_name) as results:
        results.append(outcome("e.mp4"))
    with opened(path, format_name) as results:
        results.forget(["b.mp4", "d\udce9é.mp4", "nobody.mp4", "e.mp4"])
        assert list(results.known) == ["a.mp4", '"c",\n.mp4']
        results.append(FOUR[1])
        results.forget(["a.mp4"])
        results.append(FOUR[0])
        results.finish()
    write(tmp_path / "whole", format_name, [FOUR[2], FOUR[1], FOUR[0]])
    assert content(path, format_name) == content(tmp_path / "whole", format_name)
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["results", "whole"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_all_may_be_forgotten(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    with opened(path, format_name) as results:
        results.forget([one.path for one in FOUR])
        assert results.known == {}
        for one in FOUR[:2]:
            results.append(one)
        results.finish()
    write(tmp_path / "whole", format_name, FOUR[:2])
    assert content(path, format_name) == content(tmp_path / "whole", format_name)


def test_of_two_results_of_one_video_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.write_bytes(whole("jsonl", [*FOUR, outcome("a.mp4", failed=True)]))
    with opened(path) as results:
        assert not results.known["a.mp4"].is_ok


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_run_without_results_leaves_nothing(tmp_path: Path, format_name: str) -> None:
    write(tmp_path / "results", format_name, [])
    assert names(tmp_path) == []
    (tmp_path / "mine").touch()
    write(tmp_path / "mine", format_name, [])
    assert names(tmp_path) == ["mine"]


def test_results_of_other_settings_are_a_bug(tmp_path: Path) -> None:
    with opened(tmp_path / "results") as results, pytest.raises(ValueError, match="settings"):
        results.append(replace(FOUR[0], settings=OTHER_SETTINGS))


NASTY = (
    *("=1+1", "a,b", 'a"b', "a\nb", "a\r\nb", "a\rb", " a ", "\udce9", "東京", "a\u2028b", "'"),
    *("-x", "null", "1", "true"),
)


@pytest.mark.parametrize("format_name", FORMATS)
def test_any_name_is_known_again(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    write(path, format_name, [outcome(name, warnings=(name,)) for name in NASTY])
    with opened(path, format_name) as results:
        assert list(results.known) == [key_of(name) for name in NASTY]


def test_csv_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "results"
    write(path, "csv", map(outcome, NASTY))
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["video"] for row in read[::2]] == [key_of(name) for name in NASTY]


def test_long_texts_are_no_trouble(tmp_path: Path) -> None:
    long = outcome("long.mp4", warnings=("x," * 300_000, "y" * 3_000_000))
    for format_name in ("jsonl", "csv"):
        path = tmp_path / format_name
        write(path, format_name, [long, FOUR[0]])
        with opened(path, format_name) as results:
            assert list(results.known) == ["long.mp4", "a.mp4"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX links and modes")
@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_links_are_followed_and_new_files_get_the_usual_mode(
    tmp_path: Path, format_name: str
) -> None:
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "target", tmp_path / "link"
    link.symlink_to(target)
    before = os.umask(0o027)
    try:
        write(link, format_name, FOUR)
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640
    with opened(link, format_name) as results:
        results.forget(["a.mp4"])
        results.finish()
    write(link, format_name, FOUR[:1], again=True)
    assert link.is_symlink()
    assert target.read_bytes() == whole(format_name, FOUR[:1])
    assert names(tmp_path / "disk") == ["target"]


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_each_result_is_on_the_disk_before_the_next(
    tmp_path: Path, format_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results"
    grows = path if format_name == "jsonl" else journal(path)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    with opened(path, format_name) as results:
        for count, one in enumerate(FOUR, 1):
            results.append(one)
            assert synced[-1] == grows.stat().st_size == len(whole("jsonl", FOUR[:count]))


def test_a_disk_that_knows_no_fsync_will_do_and_one_that_fails_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    code = errno.EINVAL
    path = tmp_path / "results"
    write(path, "jsonl", FOUR[:2])
    code = errno.EIO
    with opened(path) as results, pytest.raises(OutputError, match=os.strerror(errno.EIO)):
        results.append(FOUR[2])
    assert path.read_bytes() == whole("jsonl", FOUR[:2])


def test_a_file_that_is_removed_or_changed_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "results"
    with opened(path) as results:
        results.append(FOUR[0])
        with path.open("ab") as file:
            file.write(b"mine\n")
        with pytest.raises(OutputError, match="changed or removed by another program"):
            results.append(FOUR[1])
    assert path.read_bytes() == whole("jsonl", FOUR[:1]) + b"mine\n"
    path.unlink()
    with opened(path) as results:
        results.append(FOUR[0])
        path.unlink()
        with pytest.raises(OutputError, match="changed or removed by another program"):
            results.append(FOUR[1])


@pytest.mark.parametrize("format_name", FORMATS)
def test_two_runs_do_not_write_to_one_file(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "results"
    with opened(path, format_name) as results:
        results.append(FOUR[0])
        assert tried(path, format_name) == f"OutputError: Another i3d is writing to {path}.\n"
        results.forget([FOUR[0].path])
        results.append(FOUR[1])
        assert tried(path, format_name) == f"OutputError: Another i3d is writing to {path}.\n"
        results.finish()
    assert tried(path, format_name) == "opened\n"
    assert names(tmp_path) == ["results"]


def test_a_disk_that_cannot_lock_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    write(tmp_path / "results", "jsonl", FOUR)
    assert (tmp_path / "results").read_bytes() == whole("jsonl", FOUR)


WORKER = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
from i3d.errors import I3DError
from test_result_files import opened
try:
    opened(Path(sys.argv[1]), sys.argv[2]).close()
    print("opened")
except I3DError as error:
    print(f"{{type(error).__name__}}: {{error.message}}")
"""


def tried(path: Path, format_name: str) -> str:
    """What another process says that opens the file."""
    program = WORKER.format(folders=[str(SOURCE), str(Path(__file__).parent)])
    command = [sys.executable, "-c", program, str(path), format_name]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


COUNT = 400


def all_of_them() -> list[Outcome]:
    return [
        outcome(f"{number}.mp4", failed=number % 5 == 4, warnings=("x, " * 500,))
        for number in range(COUNT)
    ]


KILLER = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = {folders!r}
from i3d.report.result_files import key_of
from test_result_files import COUNT, all_of_them, opened
path, format_name = Path(sys.argv[1]), sys.argv[2]
if format_name == "parquet":
    import pyarrow.compute, pyarrow.parquet
chance = random.Random(format_name)
outcomes = all_of_them()


def run(tell):
    with opened(path, format_name) as results:
        again = [one.path for one in chance.sample(outcomes, 3)]
        os.write(tell, b"forgets %d %d %d\\n" % tuple(int(name[:-4]) for name in again))
        results.forget(again)
        for number, one in enumerate(outcomes):
            if key_of(one.path) not in results.known:
                results.append(one)
                os.write(tell, b"wrote %d\\n" % number)
        os.write(tell, b"finishes\\n")
        results.finish()


kills = survivals = 0
written = set()
while True:
    chance.random()
    source, tell = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run(tell)
            status = 0
        finally:
            os._exit(status)
    os.close(tell)
    wait_for = chance.randrange(60) if kills < {kills} else 10 ** 9
    with os.fdopen(source) as lines:
        for count, line in enumerate(lines):
            if line.startswith("forgets"):
                written -= set(map(int, line.split()[1:]))
            elif line.startswith("wrote"):
                written.add(int(line.split()[1]))
            if count == wait_for or (line == "finishes\\n" and kills < {kills}):
                time.sleep(chance.choice([0, 0, 0.0005, 0.002, 0.01]))
                os.kill(child, signal.SIGKILL)
                for line in lines:
                    if line.startswith("wrote"):
                        written.add(int(line.split()[1]))
                break
    _, status = os.waitpid(child, 0)
    kills += os.WIFSIGNALED(status)
    survivals += not os.WIFSIGNALED(status)
    assert os.WIFSIGNALED(status) or status == 0, status
    with opened(path, format_name) as results:
        assert {{f"{{number}}.mp4" for number in written}} <= results.known.keys()
    if kills >= {kills} and not os.WIFSIGNALED(status):
        break
print(kills, survivals)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("format_name", FORMATS)
def test_killed_runs_are_gone_on_with_to_the_same_results(tmp_path: Path, format_name: str) -> None:
    if format_name == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "results"
    folders = [str(SOURCE), str(Path(__file__).parent)]
    program = KILLER.format(folders=folders, kills=25)
    killed = subprocess.run(
        [sys.executable, "-c", program, str(path), format_name],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert int(killed.stdout.split()[0]) >= 25
    assert names(tmp_path) == ["results"]
    write(tmp_path / "whole", format_name, all_of_them())
    found, expected = content(path, format_name), content(tmp_path / "whole", format_name)
    assert sorted_lines(found) == sorted_lines(expected)


def sorted_lines(found: object) -> list[str]:
    return sorted(map(str, found.splitlines() if isinstance(found, bytes) else found))  # type: ignore[call-overload]


def append_all(results: ResultFile) -> None:
    for one in all_of_them():
        results.append(one)


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_a_limit_on_the_size_of_files_leaves_whole_results(
    tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / "results"
    grows = path if format_name == "jsonl" else journal(path)
    with opened(path, format_name) as results, largest_file(100_000):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            append_all(results)
        assert caught.value.hint == "Make room on the disk, or write to another place."
        with pytest.raises(OutputError):  # and nothing is lost by trying again
            results.append(outcome("y.mp4", warnings=("y, " * 500,)))
    count = grows.read_bytes().count(b"\n")
    assert 0 < count < COUNT
    assert grows.read_bytes() == whole("jsonl", all_of_them()[:count])
    write(path, format_name, all_of_them())
    assert path.read_bytes() == whole(format_name, all_of_them())


def test_a_full_disk_leaves_whole_results(tmp_path: Path) -> None:
    with small_filesystem(tmp_path / "disk", 1) as disk:
        path = disk / "results.jsonl"
        (disk / "ballast").write_bytes(bytes(600_000))
        with opened(path) as results, pytest.raises(OutputError, match="No space left"):
            append_all(results)
        count = path.read_bytes().count(b"\n")
        assert 0 < count < COUNT
        assert path.read_bytes() == whole("jsonl", all_of_them()[:count])
        with opened(path) as results, pytest.raises(OutputError, match="No space left"):
            results.forget(["0.mp4"])
        assert path.read_bytes() == whole("jsonl", all_of_them()[:count])
        assert names(disk) == ["ballast", "results.jsonl"]


def test_files_and_folders_that_may_not_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "results", "jsonl", FOUR)
    with closed(folder), pytest.raises(OutputError, match=r"cannot be .*: Permission denied\."):
        opened(folder / "results")
    with (
        closed(folder / "results"),
        pytest.raises(OutputError, match=r"cannot be .*: Permission denied\."),
    ):
        opened(folder / "results")
    write(folder / "results", "jsonl", FOUR)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow")
    path = tmp_path / "results.parquet"
    write(path, "parquet", FOUR)
    return path


def test_a_parquet_file_has_the_columns_of_csv_with_types(table: Path) -> None:
    found = rows(table)
    read = list(csv.DictReader(io.StringIO(whole("csv", FOUR).decode(), newline="")))
    assert len(found) == len(read) == 7
    for one, text in zip(found, read, strict=True):
        assert list(one) == list(text)
        for name, value in one.items():
            assert text[name] == (
                "" if value is None else value if isinstance(value, str) else text[name]
            )
            assert isinstance(value, (int, float)) == (text[name] != "" and name in NUMBERS), name
    assert found[0]["probability"] == FOUR[0].prediction.scores[0].probability  # type: ignore[union-attr]
    assert found[0]["num_bytes"] == 5
    assert found[0]["num_frames_from_header"] is None


NUMBERS = {
    *("rank", "label_index", "probability", "logit", "start_seconds", "end_seconds"),
    *("num_frames_decoded", "num_frames_from_header", "true_label_rank", "num_bytes"),
}


@pytest.mark.parametrize("format_name", ["csv", "parquet"])
def test_until_a_run_is_over_its_results_are_in_a_journal_beside_the_file(
    tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / "results"
    write(path, format_name, FOUR)
    before = path.read_bytes()
    new = [replace(FOUR[0], file=None), outcome("e.mp4")]
    with opened(path, format_name) as results:
        for one in new:
            results.append(one)
    assert path.read_bytes() == before
    assert journal(path).read_bytes() == whole("jsonl", new)
    with opened(path, format_name) as results:
        assert results.known["a.mp4"].file is None  # of a video in both, the newer counts
        results.finish()
    write(tmp_path / "whole", format_name, [*FOUR[1:], *new])
    assert content(path, format_name) == content(tmp_path / "whole", format_name)
    assert names(tmp_path) == ["results", "whole"]


def test_a_damaged_table_is_refused(table: Path) -> None:
    content = table.read_bytes()
    chance = random.Random(1)
    for _ in range(40):
        position = chance.randrange(4, len(content))
        changed = bytearray(content)
        changed[position] ^= 1 << chance.randrange(8)
        table.write_bytes(changed)
        with suppress(UsageError):  # any other error fails the test
            opened(table, "parquet").close()
        assert table.read_bytes() == changed
    for cut in (5, len(content) // 2, len(content) - 1):
        table.write_bytes(content[:cut])
        assert "damaged" in refusal(table, "parquet").message


def test_a_table_of_somebody_else_is_refused(table: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"video": ["a.mp4"]}), table)
    assert "its columns are not those that i3d writes" in refusal(table, "parquet").message


def test_a_table_that_cannot_be_written_leaves_the_journal(table: Path) -> None:
    before = table.read_bytes()
    with opened(table, "parquet") as results:
        for one in all_of_them():
            results.append(one)
        with largest_file(4096), pytest.raises(OutputError, match="cannot be written"):
            results.finish()
    assert table.read_bytes() == before
    assert names(table.parent) == [".results.parquet.i3d-part", "results.parquet"]
    write(table, "parquet", [])
    assert names(table.parent) == ["results.parquet"]
    assert len({row["video"] for row in rows(table)}) == COUNT + 4


def test_without_pyarrow_parquet_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="need pyarrow") as caught:
        ResultFile(tmp_path / "results.parquet", "parquet", settings=SETTINGS)
    assert "pip install 'i3d[parquet]'" in (caught.value.hint or "")
    assert names(tmp_path) == []
    write(tmp_path / "results.csv", "csv", FOUR)
