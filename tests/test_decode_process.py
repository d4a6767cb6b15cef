"""Decoding in a process: the frames are the same, and its death costs one video."""

from __future__ import annotations

import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.errors import (
    DecoderCrashedError,
    DecoderNotStartedError,
    DecoderTimeoutError,
    I3DError,
    UsageError,
    VideoDecodeError,
    VideoNotFoundError,
    VideoTooShortError,
)
from i3d.video import isolated
from i3d.video.frames import to_clip_frame
from i3d.video.isolated import DecodeProcess
from i3d.video.reader import VideoReader
from i3d.video.recipes import RECIPES, get_recipe

import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

STANDARD = get_recipe("standard")
TUTORIAL = get_recipe("tutorial")
SIZE = 32

BROKEN_DECODER = """\
import os, signal, sys, time
if any("i3d.video.worker" in argument for argument in sys.orig_argv):
    import cv2
    def crash():
        os.kill(os.getpid(), signal.SIGSEGV)
    def leave():
        os._exit(3)
    def hang():
        time.sleep(3600)
    def fail():
        raise ZeroDivisionError("a bug")
    def want():
        raise MemoryError
    def lose():
        raise PermissionError(13, "Permission denied")
    def mumble():
        os.write(1, b"f" * 10000)
        os.write(2, b"f" * 10000)
    def rest():
        time.sleep(0.05)
    ACTS = (crash, leave, hang, fail, want, lose, mumble, rest)
    class Capture:
        def __init__(self, name, *rest):
            self.name = os.path.basename(name)
            self.num_frames = 0
            self.meet("open")
            self.capture = REAL(name, *rest)
        def grab(self):
            self.num_frames += 1
            self.meet(self.num_frames)
            self.meet("each")
            return self.capture.grab()
        def release(self):
            self.meet("close")
            self.capture.release()
        def meet(self, moment):
            for act in ACTS:
                if f"{act.__name__}-{moment}." in self.name:
                    act()
        def __getattr__(self, name):
            return getattr(self.capture, name)
    REAL, cv2.VideoCapture = cv2.VideoCapture, Capture
"""
"""Makes the decoder of the child misbehave as the file's name says: `crash-5.avi`."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "clip.avi"
    return videos.write_video(path, num_frames=40, fps=50, size=(64, 64))


@pytest.fixture
def process() -> Iterator[DecodeProcess]:
    with closing(DecodeProcess(timeout_seconds=30)) as process:
        yield process


@pytest.fixture
def behaving(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a video on which the decoder of a child does what its name says."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(BROKEN_DECODER)
    monkeypatch.setenv("PYTHONPATH", str(hook))

    def make(name: str) -> Path:
        path = tmp_path / f"{name}.avi"
        path.write_bytes(clip.read_bytes())
        return path

    return make


def decoded(process: DecodeProcess, path: Path | str, **options: Any) -> list[tuple[Any, ...]]:
    """All frames of a video, each in a form that can be compared."""
    frames = process.frames(path, TUTORIAL, SIZE, **options)
    return [(image.tobytes(), seconds, index) for image, seconds, index in frames]


def expected(path: Path | str, **options: Any) -> list[tuple[Any, ...]]:
    """The same, decoded in this process."""
    with VideoReader(path, **options) as reader:
        return [
            (to_clip_frame(frame.image, size=SIZE).tobytes(), frame.seconds, frame.index)
            for frame in reader
        ]


def error_of(run: Callable[[], object]) -> I3DError:
    with pytest.raises(I3DError) as caught:
        run()
    return caught.value


def pid_of(process: DecodeProcess) -> int:
    assert process._process is not None
    return process._process.pid


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what must happen, for at most a minute."""
    for _ in range(6000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


# The same frames


@pytest.mark.parametrize("recipe", RECIPES)
def test_frames_are_those_of_this_process(
    recipe: str, clip: Path, shared_process: DecodeProcess
) -> None:
    span: Any = {"start_seconds": 0.2, "end_seconds": 0.6, "max_frames": 9}
    chosen = get_recipe(recipe)
    with VideoReader(clip, fps=chosen.fps, **span) as reader:
        wanted = [
            (to_clip_frame(frame.image, size=SIZE, crop=chosen.crop), frame.seconds, frame.index)
            for frame in reader
        ]
        info = reader.info
    frames = list(shared_process.frames(clip, chosen, SIZE, fps=chosen.fps, **span))
    assert [place for _, *place in frames] == [place for _, *place in wanted]
    for (image, _, _), (other, _, _) in zip(frames, wanted, strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, other)
    assert shared_process.info == info


@pytest.fixture(scope="module")
def shared_process() -> Iterator[DecodeProcess]:
    """One for all that leave it as it was."""
    with closing(DecodeProcess(timeout_seconds=30)) as process:
        yield process


def test_a_folder_with_a_damaged_image_is_decoded(
    tmp_path: Path, shared_process: DecodeProcess
) -> None:
    videos.image_folder(tmp_path)
    videos.truncated(tmp_path / "img2.png", keep=0.1)
    frames = decoded(shared_process, tmp_path, image_fps=10)
    assert frames == expected(tmp_path, image_fps=10)
    assert shared_process.info is not None
    assert shared_process.info.num_frames_damaged == 1


def test_what_the_header_says_is_known_from_the_first_frame_on(
    clip: Path, shared_process: DecodeProcess
) -> None:
    with closing(shared_process.frames(clip, TUTORIAL, SIZE)) as frames:
        next(frames)
        info = shared_process.info
        assert info is not None
        assert (info.path, info.num_frames_from_header, info.width) == (str(clip), 40, 64)


def test_names_of_all_kinds_are_found(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: DecodeProcess
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["-o.avi", "x" * 200 + ".avi", "å ß.avi"]
    if os.name != "nt":
        names.append("two\nlines.avi")
    if sys.platform == "linux":
        names.append(os.fsdecode(b"latin-\xe9.avi"))
    for name in names:
        Path(name).write_bytes(clip.read_bytes())
        assert len(decoded(process, name)) == 40
        assert process.info is not None
        assert process.info.path == name


@pytest.mark.parametrize(
    ("make", "options", "kind"),
    [
        (lambda path: None, {}, VideoNotFoundError),
        (videos.not_a_video, {}, VideoDecodeError),
        (videos.write_video, {"start_seconds": 9.0}, VideoTooShortError),
        (videos.write_video, {"start_seconds": math.inf}, UsageError),
    ],
    ids=["missing", "rubbish", "after the end", "infinite start"],
)
def test_errors_are_those_of_this_process(
    make: Callable[[Path], object],
    options: dict[str, Any],
    kind: type[I3DError],
    tmp_path: Path,
    shared_process: DecodeProcess,
) -> None:
    path = tmp_path / "x.avi"
    make(path)
    here = error_of(lambda: expected(path, **options))
    there = error_of(lambda: decoded(shared_process, path, **options))
    assert type(there) is type(here) is kind
    assert (there.message, there.hint, there.details) == (here.message, here.hint, here.details)


# One process for many videos


def test_one_process_decodes_one_video_after_the_other(
    clip: Path, tmp_path: Path, process: DecodeProcess
) -> None:
    wanted = expected(clip)
    assert decoded(process, clip) == wanted
    pid = pid_of(process)
    assert isinstance(error_of(lambda: decoded(process, tmp_path / "gone.avi")), VideoNotFoundError)
    with pytest.raises(UsageError):
        decoded(process, clip, start_seconds=-1)
    assert decoded(process, clip) == wanted
    assert pid_of(process) == pid


@pytest.mark.parametrize("num_taken", [1, 40])
def test_a_video_that_is_left_half_way_does_not_get_into_the_next_one(
    num_taken: int, clip: Path, process: DecodeProcess
) -> None:
    with closing(process.frames(clip, TUTORIAL, SIZE)) as frames:
        for _ in range(num_taken):
            next(frames)
    assert decoded(process, clip, max_frames=7) == expected(clip, max_frames=7)


# Deaths


@posix_only
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("crash-open", "(signal 11, SIGSEGV)"),
        ("crash-20", "(signal 11, SIGSEGV)"),
        ("crash-close", "(signal 11, SIGSEGV)"),
        ("leave-20", "(exit code 3)"),
    ],
)
def test_a_crash_is_told_and_the_next_video_is_decoded(
    name: str,
    sentence: str,
    clip: Path,
    behaving: Callable[[str], Path],
    process: DecodeProcess,
) -> None:
    path = behaving(name)
    error = error_of(lambda: decoded(process, path))
    assert type(error) is DecoderCrashedError
    assert error.message == f"The decoder crashed on {path} {sentence}."
    assert error.hint is not None
    assert "ffmpeg" in error.hint
    assert decoded(process, clip) == expected(clip)


@pytest.mark.parametrize("name", ["hang-open", "hang-20", "hang-close"])
def test_a_hang_is_ended_and_the_next_video_is_decoded(
    name: str, clip: Path, behaving: Callable[[str], Path]
) -> None:
    path = behaving(name)
    with closing(DecodeProcess(timeout_seconds=1.5)) as process:
        error = error_of(lambda: decoded(process, path))
        assert decoded(process, clip) == expected(clip)
        assert type(error) is DecoderTimeoutError
        assert error.message == f"Decoding {path} stood still for 1.5 seconds, and was given up."
        assert error.hint is not None
        assert "--timeout" in error.hint


@pytest.mark.parametrize("name", ["fail-5", "lose-open"])
def test_a_bug_is_told_with_its_traceback_and_the_process_lives_on(
    name: str, clip: Path, behaving: Callable[[str], Path], process: DecodeProcess
) -> None:
    path = behaving(name)
    error = error_of(lambda: decoded(process, path))
    assert type(error) is DecoderCrashedError
    last = "ZeroDivisionError: a bug" if "fail" in name else "[Errno 13] Permission denied"
    assert f"Decoding {path} met a bug: " in error.message
    assert last in error.message
    assert error.details[0].startswith("Traceback")
    assert error.hint is not None
    assert "report" in error.hint
    pid = pid_of(process)
    assert decoded(process, clip) == expected(clip)
    assert pid_of(process) == pid


def test_want_of_memory_is_no_bug(
    clip: Path, behaving: Callable[[str], Path], process: DecodeProcess
) -> None:
    path = behaving("want-5")
    error = error_of(lambda: decoded(process, path))
    assert type(error) is VideoDecodeError
    assert error.message == f"There is not enough memory to decode {path}."
    assert decoded(process, clip) == expected(clip)


def test_what_libraries_print_does_not_get_between_the_frames(
    behaving: Callable[[str], Path], process: DecodeProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    path = behaving("mumble-each")
    assert decoded(process, path) == expected(path)
    process.close()
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err == "f" * 20000 * 41  # the last time, it finds the end


@posix_only
def test_a_process_that_died_between_two_videos_is_not_the_next_ones_fault(
    clip: Path, process: DecodeProcess
) -> None:
    assert len(decoded(process, clip)) == 40
    os.kill(pid_of(process), signal.SIGKILL)
    wait_until(lambda: not is_running(pid_of(process)))
    assert len(decoded(process, clip)) == 40


@posix_only
def test_a_process_that_is_killed_costs_one_video(
    clip: Path, behaving: Callable[[str], Path], process: DecodeProcess
) -> None:
    """As where memory runs out."""
    path = behaving("rest-each")
    frames = process.frames(path, TUTORIAL, SIZE)
    next(frames)
    os.kill(pid_of(process), signal.SIGKILL)
    error = error_of(lambda: list(frames))
    assert error.message == f"The decoder crashed on {path} (signal 9, SIGKILL)."
    assert "emory" in str(error.hint)
    assert decoded(process, clip) == expected(clip)


@linux_only
def test_nothing_is_left_of_processes_that_died(
    behaving: Callable[[str], Path], clip: Path
) -> None:
    path = behaving("crash-1")
    gc.collect()  # what other tests have left may go at any time
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names alone)
    threads = set(threading.enumerate())
    pids = []
    with closing(DecodeProcess()) as process:
        for _ in range(4):
            error_of(lambda: decoded(process, path))
            pids.append(pid_of(process))
        decoded(process, clip)
        pids.append(pid_of(process))
    process.close()
    assert len(set(pids)) == 5
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)  # not even as a zombie
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208  (names alone)
    wait_until(lambda: set(threading.enumerate()) <= threads)


# Silence that is none


def test_frames_that_nobody_wants_are_no_silence(behaving: Callable[[str], Path]) -> None:
    path = behaving("rest-each")  # 40 frames take two seconds
    with closing(DecodeProcess(timeout_seconds=0.8)) as process:
        assert decoded(process, path, start_seconds=0.77) == expected(path, start_seconds=0.77)


def test_a_caller_who_takes_his_time_is_no_silence(clip: Path) -> None:
    with closing(DecodeProcess(timeout_seconds=0.4)) as process:
        frames = process.frames(clip, TUTORIAL, 224)
        next(frames)
        time.sleep(1)
        assert len(list(frames)) == 39


@posix_only
def test_a_start_takes_as_long_as_it_takes(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with closing(DecodeProcess(timeout_seconds=0.4)) as process:
        assert len(decoded(process, clip)) == 40


# Closing


@pytest.mark.parametrize("name", ["hang-open", "rest-each"])
def test_closing_from_another_thread_ends_what_is_waited_for(
    name: str, behaving: Callable[[str], Path]
) -> None:
    path = behaving(name)
    process = DecodeProcess()
    problems: list[Exception] = []

    def take() -> None:
        try:
            decoded(process, path)
        except Exception as error:  # noqa: BLE001
            problems.append(error)

    taker = threading.Thread(target=take)
    taker.start()
    wait_until(lambda: process._num_waits > 2)
    process.close()
    process.close()
    taker.join(timeout=60)
    assert not taker.is_alive()
    assert problems == []


def test_nothing_is_started_after_closing(clip: Path) -> None:
    process = DecodeProcess()
    process.close()
    assert decoded(process, clip) == []
    assert process._process is None


# A process that does not start


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit(7)", "it ends with exit code 7"),
        ("import time; time.sleep(3600)", "it does not answer"),
    ],
)
def test_a_process_that_is_never_ready_is_told(
    program: str, reason: str, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_PROGRAM", program)
    monkeypatch.setattr(isolated, "_START_SECONDS", 0.5)
    with closing(DecodeProcess(timeout_seconds=0.5)) as process:
        error = error_of(lambda: decoded(process, clip))
        assert type(error) is DecoderNotStartedError
        assert reason in error.message


def test_python_that_is_not_there_is_told(
    clip: Path, monkeypatch: pytest.MonkeyPatch, process: DecodeProcess
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert type(error_of(lambda: decoded(process, clip))) is DecoderNotStartedError


# The world around it


@posix_only
def test_ctrl_c_is_not_for_it(clip: Path, process: DecodeProcess) -> None:
    frames = process.frames(clip, TUTORIAL, SIZE)
    next(frames)
    os.kill(pid_of(process), signal.SIGINT)
    assert len(list(frames)) == 39
    assert os.getpgid(pid_of(process)) != os.getpgid(0)


@linux_only
def test_it_is_the_first_to_go_where_memory_runs_out(clip: Path, process: DecodeProcess) -> None:
    decoded(process, clip)
    assert Path(f"/proc/{pid_of(process)}/oom_score_adj").read_text() == "1000\n"


def test_it_imports_no_engine_and_nothing_of_the_current_folder(
    clip: Path, tmp_path: Path, process: DecodeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cv2", "json", "numpy", "i3d", "queue", "sitecustomize"):
        Path(f"{name}.py").write_text("open('trap', 'w').close()\n")
    save = "open('modules', 'w').write(' '.join(sys.modules))"
    program = isolated._PROGRAM.replace("w.main()", f"w.os._exit = lambda _: {save}; w.main()")
    monkeypatch.setattr(isolated, "_PROGRAM", program)
    assert len(decoded(process, clip)) == 40
    assert process._process is not None
    assert process._process.stdin is not None
    process._process.stdin.close()
    wait_until(lambda: Path("modules").exists() and "cv2" in Path("modules").read_text().split())
    modules = set(Path("modules").read_text().split())
    assert not modules & {"tensorflow", "openvino", "requests", "click", "rich"}
    assert not Path("trap").exists()


@posix_only
@pytest.mark.parametrize("name", ["hang-open", "rest-each"])
def test_it_goes_with_who_started_it(name: str, behaving: Callable[[str], Path]) -> None:
    path = behaving(name)
    with parent_of(path) as (parent, pid):
        assert is_running(pid)
        parent.kill()
        parent.wait(timeout=60)
        wait_until(lambda: not is_running(pid))


@posix_only
def test_without_standard_error_it_decodes(behaving: Callable[[str], Path]) -> None:
    command = [sys.executable, "-c", PARENT, str(behaving("mumble-each"))]
    shell = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *command],
        env={**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{os.environ['PYTHONPATH']}"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"40" in shell.stdout.split()


PARENT = """\
import sys, threading, time
from i3d.video.isolated import DecodeProcess
from i3d.video.recipes import get_recipe
process = DecodeProcess()
def take():
    print(len(list(process.frames(sys.argv[1], get_recipe("tutorial"), 32))), flush=True)
taker = threading.Thread(target=take, daemon=True)
taker.start()
while process._num_waits < 3:
    time.sleep(0.01)
print(process._process.pid, flush=True)
taker.join()
process.close()
"""


@contextmanager
def parent_of(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that decodes a video in another one; the number of that one."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path)],
        env={**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{os.environ['PYTHONPATH']}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        yield parent, int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.communicate(timeout=60)
