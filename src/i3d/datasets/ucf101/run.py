"""One run of fetching: the hosts in their order for each clip, in one thread or in several."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.checks import damage
from i3d.datasets.ucf101.clips import explained, is_file
from i3d.datasets.ucf101.host_state import HostState, explain_failures
from i3d.datasets.ucf101.hosts import host_name
from i3d.errors import CacheError, ClipNotFetchedError, DownloadError
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from requests import Session

    from i3d.datasets.ucf101.hosts import Host
    from i3d.datasets.ucf101.names import Clip
    from i3d.errors import I3DError
    from i3d.files.trust import Trust
    from i3d.progress import Progress, Unit

_AHEAD = 64
"""So many clips are fetched ahead of whoever uses them."""

_JOIN_SECONDS = 2.0
"""How long a stopped run waits for its threads: one may be waiting for a silent server."""


@dataclass(frozen=True)
class FetchedClip:
    """What became of one clip: exactly one of `path` and `error` is set."""

    clip: Clip
    path: Path | None = None
    """Its file."""
    error: I3DError | None = None
    """Why it could not be had; a `ClipNotFetchedError` where no host was asked for it any more, for
    none can be used."""
    source: str | None = None
    """Which host it came from; None where it was there before."""


class Run:
    """Fetches clips in their order."""

    def __init__(
        self,
        clips: list[Clip],
        directory: Path,
        folder: Path,
        hosts: tuple[Host, ...],
        trust: Trust,
        progress: Progress,
    ) -> None:
        self._clips = clips
        self._directory = directory
        self._folder = folder
        self._hosts = [HostState(host) for host in hosts]
        self._trust = trust
        self._progress = progress
        self._changed = threading.Condition()
        # What the threads share, under that lock:
        self._results: dict[int, FetchedClip] = {}
        self._num_claimed = 0
        self._num_given = 0
        self._is_stopped = False
        self._crash: BaseException | None = None

    def one_by_one(self) -> Generator[FetchedClip, None, None]:
        """Fetch in the caller's thread: Ctrl-C gets through at once."""
        progress = self._progress if len(self._clips) == 1 else NO_PROGRESS
        from i3d.files.session import open_session

        with open_session(self._trust) as connection:
            for clip in self._clips:
                yield self._fetch(clip, connection, progress)

    def several_at_a_time(self, num_threads: int) -> Generator[FetchedClip, None, None]:
        """Fetch in threads; in one of them until it has had a clip, for the hosts may be down."""
        threads = [
            threading.Thread(target=self._work, name=f"i3d-fetch-{n}", daemon=True)
            for n in range(num_threads)
        ]
        waiting = list(threads)
        try:
            if not _starts(waiting.pop()):
                yield from self.one_by_one()
                return
            for i in range(len(self._clips)):
                while True:
                    with self._changed:
                        self._num_given = i
                        self._changed.notify_all()
                        # With a timeout, Ctrl-C gets through on Windows, too.
                        self._changed.wait_for(partial(self._is_settled, i), 0.5)
                        has_worked = any(state.has_worked for state in self._hosts)
                        result = self._results.pop(i, None)
                        crash = self._crash
                    while waiting and has_worked:
                        if not _starts(waiting.pop()):
                            waiting.clear()  # those that run do it all
                    if result is not None:
                        yield result
                        break
                    if crash is not None:
                        raise crash
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify_all()
            deadline = time.monotonic() + _JOIN_SECONDS
            for thread in threads:
                if thread.is_alive():
                    thread.join(max(0.0, deadline - time.monotonic()))

    def _is_settled(self, i: int) -> bool:
        return i in self._results or self._crash is not None

    def _work(self) -> None:
        """Fetch one clip after the other, until there is none left."""
        try:
            from i3d.files.session import open_session

            with open_session(self._trust) as connection:
                while (i := self._claim()) is not None:
                    result = self._fetch(self._clips[i], connection, _Stoppable(self))
                    with self._changed:
                        self._results[i] = result
                        self._changed.notify_all()
        except _StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            with self._changed:
                self._crash = self._crash or error
                self._changed.notify_all()

    def _claim(self) -> int | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_stopped or self._num_claimed <= self._num_given + _AHEAD
            )
            if self._is_stopped or self._crash or self._num_claimed == len(self._clips):
                return None
            self._num_claimed += 1
            return self._num_claimed - 1

    def check_stopped(self) -> None:
        """Raise where nobody wants the rest any more."""
        if self._is_stopped:
            raise _StoppedError

    def _fetch(self, clip: Clip, connection: Session, progress: Progress) -> FetchedClip:
        if all(state.down is not None for state in self._hosts):
            error = ClipNotFetchedError(
                f"{clip.file_name} was not tried any more: no source can be used.",
                hint="Run it again when one can.",
            )
            return FetchedClip(clip, error=error)
        failures: list[tuple[Host, DownloadError]] = []
        for state in self._hosts:
            if state.down is not None:
                failures.append((state.host, state.down))
                continue
            scratch = self._folder / f"{state.host.name}-{clip.file_name}"
            try:
                state.host.fetch(clip, scratch, connection, progress)
            except DownloadError as error:
                failures.append((state.host, error))
                with suppress(OSError):
                    scratch.unlink(missing_ok=True)
                state.failed(error)
                continue
            except CacheError as error:
                # It names the private folder, which is gone when the message is read.
                error.message = error.message.replace(str(self._folder), str(self._directory))
                raise
            state.worked()
            self._tell_of_hosts(state.host)
            return self._keep(clip, scratch, state.host)
        return FetchedClip(clip, error=explain_failures(clip, failures))

    def _keep(self, clip: Clip, scratch: Path, host: Host) -> FetchedClip:
        """Give a clip its name."""
        target = self._directory / clip.file_name
        try:
            scratch.replace(target)
        except OSError as error:
            # On Windows another process may have just put it there, and be reading it.
            if is_file(target) and damage(target) is None:
                return FetchedClip(clip, target, source=host.name)
            if not _is_in_the_way(target):  # it is the folder: the next clip would fare no better
                with explained(self._directory):
                    raise
            return FetchedClip(
                clip,
                error=CacheError(
                    f"{target} cannot be made: {error.strerror or error}.",
                    hint="Remove what is there in its place.",
                ),
            )
        return FetchedClip(clip, target, source=host.name)

    def _tell_of_hosts(self, other: Host) -> None:
        """Say which hosts are given up, now that another one gave a clip."""
        for state in self._hosts:
            error = state.news()
            if error is not None:
                self._progress.note(
                    f"{host_name(state.host)} cannot be used: {error.reason}. Clips come from "
                    f"{host_name(other)}."
                )


def _is_in_the_way(target: Path) -> bool:
    """Whether what has a clip's name already can't be replaced by a file."""
    # Windows replaces no file that somebody has open.
    is_folder = os.path.isdir(target)  # noqa: PTH112  (no error where a folder is closed)
    return is_folder or (os.name == "nt" and os.path.lexists(target))


def _starts(thread: threading.Thread) -> bool:
    """Start a thread; False where the system gives no more of them."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


class _StoppedError(Exception):
    """Nobody wants the rest any more."""


class _Stoppable:
    """Progress that ends a transfer when its run was stopped."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def note(self, sentence: str) -> None:
        """Nothing: notes of single clips would be too many."""

    @contextmanager
    def task(
        self,
        description: str,  # noqa: ARG002  (the protocol's parameters)
        total: int | None = None,  # noqa: ARG002  (the same)
        unit: Unit = "items",  # noqa: ARG002  (the same)
    ) -> Iterator[Callable[[int], None]]:
        self._run.check_stopped()
        yield lambda _num_units: self._run.check_stopped()
