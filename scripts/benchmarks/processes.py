"""Runs child processes and measures each: wall time, CPU time, peak memory.

Needs `os.wait4` (Linux, macOS). The module imports nothing large: on Linux a child's peak memory
is never less than what its parent had when it started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one of `ru_maxrss`: getrusage(2) of macOS counts bytes, of Linux kilobytes."""

_KEPT_VARIABLES = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "USER")
"""All that children get of this process's environment: nothing that sets a number of threads,
keeps bytecode from being written, or moves a cache."""


class BenchmarkError(Exception):
    """A run failed; the message is a sentence."""


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    """Wall time, from before it was started until it was gone."""
    cpu_seconds: float
    """User and system time, of all its threads."""
    peak_bytes: int
    """Its largest resident set."""


@dataclass(frozen=True)
class Finished:
    """A process that ended by itself."""

    run: Run
    status: int
    """Exit code; minus the signal's number where one ended it."""
    stdout: str
    stderr: str


def clean_environment(
    folders: Sequence[Path], cache: Path, num_threads: int | None = None
) -> dict[str, str]:
    """The environment that children get.

    Args:
        folders: What i3d and the benchmark are imported from.
        cache: I3D_CACHE_DIR.
        num_threads: Threads of numpy's matrix multiplication; None for its own choice.
    """
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    threads = {}
    if num_threads is not None:
        names = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
        threads = dict.fromkeys(names, str(num_threads))
    return {
        **kept,
        **threads,
        "CUDA_VISIBLE_DEVICES": "-1",  # processors are compared
        "I3D_CACHE_DIR": str(cache),
        "I3D_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONUTF8": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def run(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, limit_seconds: float
) -> Finished:
    """Run a command to its end and measure it.

    Whatever ends the wait (the limit, Ctrl-C), the process and all that it started are gone then.

    Args:
        command: The program and its arguments.
        environment: All of its environment.
        folder: Where it runs.
        limit_seconds: It is stopped after that time.

    Raises:
        BenchmarkError: It can't be started, or did not end in time.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=environment,
                start_new_session=True,  # a group of its own, to be stopped as a whole
            )
        except OSError as error:
            raise BenchmarkError(f"{command[0]} cannot be started: {error.strerror}.") from error
        try:
            with _alarm(limit_seconds):
                _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        except BaseException as error:
            _stop(process)
            if isinstance(error, TimeoutError):
                message = f"{_shown(command)} did not end within {limit_seconds:.0f} s."
                raise BenchmarkError(message) from error
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        return Finished(
            Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT),
            process.returncode,
            _text(stdout),
            _text(stderr),
        )


def check(finished: Finished, command: Sequence[str]) -> Finished:
    """Give back a process that did well.

    Raises:
        BenchmarkError: It ended with another exit code than 0.
    """
    if finished.status == 0:
        return finished
    how = (
        f"was ended by {_signal_name(-finished.status)}"
        if finished.status < 0
        else f"ended with exit code {finished.status}"
    )
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    said = " ".join(lines[-3:]) or "it said nothing."
    raise BenchmarkError(f"{_shown(command)} {how}: {said}")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this, the main, thread after some time."""

    def ring(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS: a group of dead ones
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGKILL


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _shown(command: Sequence[str]) -> str:
    """A command for a sentence, without the way to Python."""
    return f"`{' '.join(['python' if command[0] == sys.executable else command[0], *command[1:]])}`"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
