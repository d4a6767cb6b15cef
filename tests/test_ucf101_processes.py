"""`i3d ucf` as real processes: shells, signals, terminals, full disks, and two at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.datasets.ucf101.clips import clips_dir
from i3d.datasets.ucf101.data import load_index
from i3d.files.cache import cache_dir, ucf101_dir

from conftest import SOURCE
from damage import small_filesystem
from ucf101_hosts import (
    CRICKET,
    FOLDER,
    OTHERS,
    ZIP,
    Hosts,
    clip_content,
    content_of,
    ucf101,
)
from web_server import Fault, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conftest import RunI3D

__all__ = ["ucf101"]

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

ONE = CRICKET[1]
FETCH = ("ucf", "fetch")
SLOW = Fault(piece_seconds=0.05, piece_bytes=200)
"""A body that would take minutes."""
SILENT = Fault(stall_after=-1)
"""No answer at all, until the client goes away."""

PATIENCE_SECONDS = 25
"""How long a process that was told to stop is waited for: less than the 30 seconds that i3d waits
for a silent server, more than anything that it does after the signal takes on a busy machine."""


def start(
    *arguments: str | Path,
    command: Sequence[str] = (sys.executable, "-m", "i3d"),
    environment: dict[str, str] | None = None,
    **options: object,
) -> subprocess.Popen[str]:
    """Start `i3d ARGUMENTS...`, or another command in its place."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(SOURCE), **(environment or {})},
        **streams,
    )


def finish(
    process: subprocess.Popen[str], seconds: float = 240
) -> subprocess.CompletedProcess[str]:
    """Wait for its end, and no longer than so many seconds."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another process does, for at most two minutes."""
    for _ in range(6000):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to pass")


def paths(*names: str, folder: Path | None = None) -> str:
    """What `ucf fetch` prints for these clips."""
    return "".join(f"{(folder or clips_dir()) / name}\n" for name in names)


def hidden(folder: Path | None = None) -> list[str]:
    """What is put together, or was left, in a folder of clips and in that of UCF101."""
    found: list[str] = []
    for place in (folder or clips_dir(), ucf101_dir()):
        if place.is_dir():
            found += [name for name in os.listdir(place) if name.startswith(".")]  # noqa: PTH208
    return found


def assert_clips(*names: str, folder: Path | None = None) -> None:
    """Exactly these clips lie in the folder, each whole."""
    place = folder or clips_dir()
    visible = {path.name for path in place.iterdir() if not path.name.startswith(".")}
    assert visible == set(names)
    for name in names:
        assert (place / name).read_bytes() == content_of(name), name


def assert_refused(process: subprocess.CompletedProcess[str], code: int, *sentences: str) -> None:
    """It ended with this code, and said these things to people."""
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    for sentence in sentences:
        assert sentence in process.stderr, process.stderr


# Shells


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a line in bash, in which there is a command `i3d`."""
    bash = shutil.which("bash")
    if os.name == "nt" or bash is None:
        pytest.skip("needs bash")
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "i3d"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m i3d "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bash, "-c", line],
            capture_output=True,
            encoding="utf-8",
            env=environment,
            timeout=240,
            check=False,
        )

    return run


def test_whoever_reads_the_pipe_may_go(
    ucf101: Hosts, shell: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    # How much a pipe takes before anybody reads it is the system's business.
    done = shell("i3d ucf list | head -1; exit ${PIPESTATUS[0]}")
    assert done.returncode in (0, 141)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("ApplyEyeMakeup ")
    # The second clip comes when the first path was read, and nobody reads any more.
    ucf101.clip(CRICKET[1]).always = Fault(piece_seconds=0.1, piece_bytes=100_000)
    done = shell("i3d ucf fetch 'v_CricketShot_g04_*' | head -1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout == paths(CRICKET[0])
    assert hidden() == []


@posix_only
@pytest.mark.parametrize("command", ["list --format json", f"fetch {ONE}"])
def test_141_a_closed_pipe_is_no_drama(ucf101: Hosts, command: str) -> None:
    clips_dir().mkdir(parents=True)
    (clips_dir() / ONE).write_bytes(content_of(ONE))
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = finish(start("ucf", *command.split(), stdout=write_end))
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


# Stopped half-way


@posix_only
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "fault"),
    [
        ("SIGINT", 130, SLOW),
        ("SIGINT", 130, SILENT),
        ("SIGTERM", 143, SLOW),
        ("SIGKILL", -9, Fault(stall_after=5000)),
    ],
    ids=["ctrl-c-slow", "ctrl-c-silent", "term", "kill-9"],
)
def test_whole_clips_stay_and_the_rest_comes_with_the_next_run(
    ucf101: Hosts, run_i3d: RunI3D, name: str, code: int, fault: Fault
) -> None:
    for clip in CRICKET[2:]:
        ucf101.clip(clip).always = fault
    process = start(*FETCH, *CRICKET, "--jobs", "2", "--source", "index")
    assert process.stdout is not None
    first = [process.stdout.readline(), process.stdout.readline()]
    wait_until(lambda: len(set(ucf101.asked_for)) == 4)  # both threads wait for more now
    process.send_signal(getattr(signal, name))
    done = finish(process, PATIENCE_SECONDS)
    assert done.returncode == code, done.stderr
    assert "".join(first) == paths(*CRICKET[:2])
    assert done.stdout == ""
    assert done.stderr == ("Interrupted.\n" if name == "SIGINT" else "")
    assert_clips(*CRICKET[:2])
    assert len(hidden()) == (name == "SIGKILL"), "who is killed can't clean up"

    for clip in CRICKET:
        ucf101.clip(clip).always = None
    del ucf101.index.requests[:]
    done = run_i3d(*FETCH, *CRICKET)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == paths(*CRICKET)
    assert sorted(ucf101.asked_for) == list(CRICKET[2:])
    assert_clips(*CRICKET)
    assert hidden() == []


@posix_only
@pytest.mark.parametrize(
    ("source", "clips"), [("index", CRICKET[:1]), ("zip", CRICKET[:3])], ids=["index", "zip"]
)
def test_ctrl_c_while_the_first_answer_is_waited_for(
    ucf101: Hosts, source: str, clips: tuple[str, ...]
) -> None:
    server, resource = (
        (ucf101.index, ucf101.clip(CRICKET[0]))
        if source == "index"
        else (ucf101.zip, ucf101.archive)
    )
    resource.always = SILENT
    process = start(*FETCH, *clips, "--source", source)
    wait_until(lambda: bool(server.requests))
    process.send_signal(signal.SIGINT)
    done = finish(process, PATIENCE_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")
    assert_clips()
    assert hidden() == []


class _Meeting(Resource):
    """Something that is only given when two have asked for it."""

    def __init__(self, content: bytes) -> None:
        self._barrier = threading.Barrier(2)
        super().__init__(content)

    @property  # type: ignore[override]
    def content(self) -> bytes:
        self._barrier.wait(60)
        return self._content

    @content.setter
    def content(self, value: bytes) -> None:
        self._content = value


def test_two_at_once_fetch_the_same_clips(ucf101: Hosts) -> None:
    # The second one comes when the first is at work, and the first clip keeps both until both ask
    # for it.
    ucf101.index.resources[FOLDER + CRICKET[0]] = _Meeting(content_of(CRICKET[0]))
    first = start(*FETCH, *CRICKET)
    wait_until(lambda: bool(ucf101.asked_for))
    second = start(*FETCH, *CRICKET)
    for done in (finish(first), finish(second)):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == paths(*CRICKET)
    assert ucf101.asked_for.count(CRICKET[0]) >= 2
    assert_clips(*CRICKET)
    assert hidden() == []


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 2 MB: three clips fit."""
    with small_filesystem(tmp_path / "disk", 2) as folder:
        yield folder


@pytest.mark.parametrize(
    ("source", "jobs", "place"), [("index", "4", "cache"), ("zip", "1", "--to")]
)
def test_a_full_disk(
    ucf101: Hosts, run_i3d: RunI3D, small_disk: Path, source: str, jobs: str, place: str
) -> None:
    options = ["--source", source, "--jobs", jobs]
    if place == "--to":
        folder = small_disk
        done = run_i3d(*FETCH, *CRICKET, *options, "--to", folder)
    else:
        folder = small_disk / "ucf101" / "clips"
        done = run_i3d(*FETCH, *CRICKET, *options, environment={"I3D_CACHE_DIR": str(small_disk)})
    assert_refused(done, 5, f"the folder {folder} is ", " full")
    assert done.stderr.startswith("Error: The disk of the folder ")
    assert ".fetching" not in done.stderr
    here = [path.name for path in folder.iterdir()]
    assert 1 <= len(here) <= 3
    assert set(here) < set(CRICKET), "nothing hidden, nothing half"
    for name in here:
        assert (folder / name).read_bytes() == content_of(name)
    for path in done.stdout.splitlines():
        assert Path(path).read_bytes() == content_of(Path(path).name)


@contextmanager
def read_only(folder: Path) -> Iterator[list[str]]:
    """Take the right to write away; gives what must stand before a command of root's."""
    inside = [folder, *folder.rglob("*")]
    for path in inside:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        if os.geteuid() != 0:
            yield []
        elif shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and there is no setpriv")
        else:
            yield ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    finally:
        for path in inside:
            path.chmod(path.stat().st_mode | 0o200)


@posix_only
def test_a_folder_that_may_not_be_written(ucf101: Hosts, run_i3d: RunI3D, tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    with read_only(folder) as prefix:
        for target in (folder, folder / "below"):
            done = run_i3d(*FETCH, *CRICKET, "--to", target, prefix=prefix)
            assert_refused(done, 5, f"The folder {target} cannot be ", "Permission denied", "--to")
            assert done.stdout == ""
    assert ucf101.index.requests == []
    assert list(folder.iterdir()) == []


@posix_only
def test_a_cache_that_may_only_be_read(ucf101: Hosts, run_i3d: RunI3D, tmp_path: Path) -> None:
    run_i3d(*FETCH, *CRICKET[:2])
    del ucf101.index.requests[:]
    with read_only(cache_dir()) as prefix:
        for command in ("fetch", "path"):
            done = run_i3d("ucf", command, *CRICKET[:2], prefix=prefix)
            assert (done.returncode, done.stderr) == (0, ""), command
            assert done.stdout == paths(*CRICKET[:2])
        done = run_i3d("ucf", "list", "--cached", "--format", "names", prefix=prefix)
        assert (done.returncode, done.stdout) == (0, "".join(f"{name}\n" for name in CRICKET[:2]))
        assert ucf101.index.requests == []
        done = run_i3d(*FETCH, *CRICKET[:3], prefix=prefix)
        assert_refused(done, 5, f"The folder {clips_dir()} cannot be ", "I3D_CACHE_DIR")
        # another folder
        other = tmp_path / "other"
        done = run_i3d(*FETCH, CRICKET[2], "--source", "zip", "--to", other, prefix=prefix)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == paths(CRICKET[2], folder=other)
    assert_clips(*CRICKET[:2])
    assert_clips(CRICKET[2], folder=other)
    assert hidden(other) == []


# Terminals


def screen(written: str) -> list[str]:
    """The lines that a terminal of endless width shows in the end, without empty ones below."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for piece in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|.", written, re.DOTALL):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            lines += [[] for _ in range(row + 1 - len(lines))]
        elif piece == "\x1b[2K":
            lines[row].clear()
        elif match := re.fullmatch(r"\x1b\[(\d*)A", piece):
            row = max(0, row - int(match[1] or 1))
        elif not re.fullmatch(r"\x1b\[(\?25[hl]|[0-9;]*m)", piece):
            assert piece.isprintable(), f"the test does not know {piece!r}"
            line = lines[row]
            line += " " * (column + 1 - len(line))
            line[column] = piece
            column += 1
    return "\n".join("".join(line).rstrip() for line in lines).rstrip("\n").split("\n")


class Terminal:
    """`i3d` with a pseudo-terminal as its standard output and error."""

    def __init__(self, *arguments: str | Path) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        environment = {"TERM": "xterm", "COLUMNS": "200"}
        self.process = start(*arguments, environment=environment, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.written = ""

    def read(self) -> bool:
        """Take what comes next. False: that was all."""
        try:
            chunk = os.read(self._ours, 4096)
        except OSError:  # what Linux says at the end
            chunk = b""
        self.written += chunk.decode()
        return bool(chunk)

    def finish(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        os.close(self._ours)
        assert self.written.count("\x1b[?25l") == self.written.count("\x1b[?25h"), "the cursor"
        return self.process.wait(PATIENCE_SECONDS)


@posix_only
def test_on_a_terminal_the_display_is_gone_before_the_paths(ucf101: Hosts) -> None:
    ucf101.clip(CRICKET[3]).always = Fault(piece_seconds=0.05, piece_bytes=100_000)
    terminal = Terminal(*FETCH, *CRICKET)
    assert terminal.finish() == 0
    assert "fetching 7 clips of UCF101" in terminal.written
    assert screen(terminal.written) == paths(*CRICKET).splitlines()
    # one clip: its bytes; what is there already: nothing
    terminal = Terminal(*FETCH, OTHERS[0])
    assert terminal.finish() == 0
    assert f"fetching {OTHERS[0]}" in terminal.written
    assert screen(terminal.written) == paths(OTHERS[0]).splitlines()
    terminal = Terminal(*FETCH, *CRICKET)
    assert terminal.finish() == 0
    assert terminal.written.replace("\r\n", "\n") == paths(*CRICKET)


@posix_only
def test_ctrl_c_on_a_terminal_clears_the_display_and_tells_what_came(ucf101: Hosts) -> None:
    for name in CRICKET[2:]:
        ucf101.clip(name).always = SLOW
    terminal = Terminal(*FETCH, *CRICKET)
    while "2/7" not in terminal.written and not all(
        (clips_dir() / name).exists() for name in CRICKET[:2]
    ):
        assert terminal.read()
    seen = len(terminal.written)
    while len(terminal.written) < seen + 200:  # the display goes on, so the two were counted
        assert terminal.read()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert screen(terminal.written) == [*paths(*CRICKET[:2]).splitlines(), "Interrupted."]
    assert hidden() == []


# `i3d ucf eval`

EVALUATED = (
    "v_CliffDiving_g02_c03",
    "v_PlayingCello_g11_c02",
    "v_Bowling_g01_c01",
    "v_Archery_g01_c01",
)
KINETICS = ["bowling", "diving cliff", "archery", "playing cello", "yoga", "tai chi", "squat"]
KINETICS += ["singing", "crying"]
"""Labels of Kinetics for the nine outputs of the model of camera moves."""

WITHOUT_TENSORFLOW = """
import sys, time
import numpy as np
import i3d.analysis.classifier
from engines import FakeEngine

num_quick = int(sys.argv.pop(1))

class Engine(FakeEngine):
    def step_logits(self, clip, input_range):
        super().step_logits(clip, input_range)
        if len(self.clips) > num_quick:
            time.sleep(600)
        return np.cos(np.arange(9) * clip.mean())[None].astype(np.float32)

i3d.analysis.classifier.load_engine = lambda *_, **__: Engine([[0.0] * 9])
from i3d.__main__ import main
main()
"""
"""`i3d` with an engine whose answers depend on the clip. TensorFlow would take ten seconds to load.
The first argument says after how many clips it takes for ever."""


@posix_only
@pytest.mark.slow
def test_an_evaluation_that_was_interrupted_goes_on_where_it_was(
    ucf101: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(EVALUATED):
        ucf101.index.resources[f"{FOLDER}{name}.avi"] = Resource(clip_content(number))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(KINETICS) + "\n")
    options = ("--model", "camera-motion", "--label-file", labels, "--format", "json")
    folders = os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])

    def evaluate(num_quick: int = 9) -> subprocess.Popen[str]:
        return start(
            str(num_quick),
            "ucf",
            "eval",
            *EVALUATED,
            *options,
            command=[sys.executable, "-c", WITHOUT_TENSORFLOW],
            environment={"PYTHONPATH": folders},
        )

    def interrupt(process: subprocess.Popen[str], num_lines: int) -> None:
        journals = ucf101_dir() / "evaluations"
        wait_until(
            lambda: (
                process.poll() is not None
                or sum(path.read_bytes().count(b"\n") for path in journals.glob("*.jsonl"))
                == num_lines
            )
        )
        time.sleep(0.5)  # a line is there before its result is counted
        process.send_signal(signal.SIGINT)

    # At first a host is waited for, then the model.
    third = ucf101.index.resources[f"{FOLDER}{EVALUATED[2]}.avi"]
    third.always = SILENT
    for num_results, num_quick in ((2, 9), (3, 1)):
        process = evaluate(num_quick)
        interrupt(process, num_results)
        done = finish(process, PATIENCE_SECONDS)
        assert done.returncode == 130, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.endswith("Interrupted.")
        document = json.loads(done.stdout)
        assert document["error"]["exit_code"] == 130
        (evaluation,) = document["evaluations"]
        assert [clip["clip"] for clip in evaluation["clips"]] == list(EVALUATED[:num_results])
        assert hidden() == []
        third.always = None

    documents = []
    for num_resumed in (3, 0):
        done = finish(evaluate())
        assert (done.returncode, done.stderr) == (0, "")
        document = json.loads(done.stdout)
        (evaluation,) = document["evaluations"]
        assert evaluation.pop("num_resumed") == num_resumed
        was_resumed = [clip.pop("resumed") for clip in evaluation["clips"]]
        assert was_resumed == [number < num_resumed for number in range(len(EVALUATED))]
        documents.append(document)
        # The next one knows nothing of the others.
        monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "other"))
    assert documents[0] == documents[1]
    assert len({clip["best"][0]["probability"] for clip in evaluation["clips"]}) == 4


# A zip beyond 4 GiB

FAR = 2**32 + 2**20


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file to be made, on a disk on which holes take no room."""
    probe = tmp_path / "probe"
    with probe.open("wb") as file:
        file.seek(2**26)
        file.write(b"x")
    blocks = getattr(probe.stat(), "st_blocks", None)
    probe.unlink()
    if blocks is None or blocks * 512 > 2**20:
        pytest.skip("needs a disk with sparse files")
    return tmp_path / "large.zip"


@pytest.mark.slow
def test_a_zip_larger_than_4_gib(ucf101: Hosts, run_i3d: RunI3D, sparse: Path) -> None:
    near, far = CRICKET[0], CRICKET[1:3]
    with zipfile.ZipFile(sparse, "w") as archive:
        for clip in load_index().clips:  # a directory of more than a megabyte, as the real one
            if clip.file_name not in CRICKET[:3]:
                archive.writestr(f"UCF101/{clip.file_name}", b"")
        archive.writestr(f"UCF101/{near}", content_of(near))
        archive.start_dir = FAR  # where the next member goes
        archive.writestr(f"UCF101/{far[0]}", content_of(far[0]))
        archive.writestr(f"UCF101/{far[1]}", content_of(far[1]), zipfile.ZIP_DEFLATED)
        assert archive.getinfo(f"UCF101/{far[0]}").header_offset == FAR
    assert sparse.stat().st_size > FAR
    ucf101.zip.resources[ZIP] = Resource(sparse, etag='"large"')

    done = run_i3d(*FETCH, *far, "--source", "zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == paths(*far)
    ranges = [request.headers["range"] for request in ucf101.zip.requests]
    assert len(ranges) == 4, "the end, the rest of the directory, and one for each clip"
    assert ranges[2].startswith(f"bytes={FAR}-")

    del ucf101.zip.requests[:]
    done = run_i3d(*FETCH, near, "--source", "zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ucf101.zip.requests) == 3
    assert_clips(near, *far)
