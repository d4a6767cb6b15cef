"""Clips that are not on this machine yet: several at a time, from whichever host gives them."""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from i3d.download import SYSTEM_TRUST, open_connection
from i3d.errors import CacheError, DownloadError, TransferError
from i3d.progress import NO_PROGRESS
from i3d.scratch import private_folder
from i3d.ucf101_files.checks import damage
from i3d.ucf101_files.folder import clips_dir, explained
from i3d.ucf101_files.hosts import host_name, open_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from i3d.download import Connection, Trust
    from i3d.errors import I3DError
    from i3d.progress import Progress, Unit
    from i3d.ucf101 import Clip
    from i3d.ucf101_files.hosts import Host

MEAN_CLIP_BYTES = 522_500
"""The zip's 6,960,400,115 bytes over 13,320 clips."""

MANY_CLIPS = 20
"""From so many on, the room that they take is reckoned before the first is fetched."""

MOST_FAILURES = 8
"""A host that fails so often in a row is not asked any more. A clip that it does not have is no
failure."""

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
    """Why it could not be had."""
    source: str | None = None
    """Which host it came from; None where it was there before."""
    was_tried: bool = True
    """False: no host was asked for it any more, for none can be used."""


def fetch_clips(
    clips: Sequence[Clip],
    *,
    directory: Path | None = None,
    source: str | None = None,
    trust: Trust = SYSTEM_TRUST,
    jobs: int = 4,
    progress: Progress = NO_PROGRESS,
) -> Iterator[FetchedClip]:
    """Fetch clips that are not there yet, and give the file of each.

    A clip is checked (the size in its header, and that all of it decodes) before it gets its
    name. Of two processes that fetch the same clip at once, each does it for itself, and the result
    is the same.

    Args:
        clips: Which ones.
        directory: The folder for them; the cache by default. Made where it is missing.
        source: One of `SOURCE_NAMES` for that host alone; by default the index host, then the zip.
        trust: Which certificates are trusted.
        jobs: How many are fetched at a time, at least 1.
        progress: Who wants to know. Told of hosts that can't be used while another can.

    Yields:
        What became of each, in the order of `clips`.

    Raises:
        CacheError: The folder can't be written, or the disk is too full.
        UsageError: I3D_TIMEOUT makes no sense.
    """
    directory = directory or clips_dir()
    here = {}
    for clip in dict.fromkeys(clips):
        path = directory / clip.file_name
        if path.is_file():
            problem = damage(path)
            if problem is None:
                here[clip] = FetchedClip(clip, path)
            else:
                progress.note(f"{path} {problem}: it is fetched again.")
    missing = [clip for clip in dict.fromkeys(clips) if clip not in here]
    if not missing:
        yield from (here[clip] for clip in clips)
        return
    with ExitStack() as stack:
        with explained(directory):
            folder = stack.enter_context(private_folder(directory))
        _check_room(directory, len(missing))
        run = _Run(missing, directory, folder, open_hosts(source), trust, progress)
        if len(missing) == 1 or jobs == 1:
            fetched = run.one_by_one()
        else:
            fetched = run.several_at_a_time(min(jobs, len(missing)))
        stack.callback(fetched.close)
        advance = (
            stack.enter_context(
                progress.task(f"fetching {len(missing)} clips of UCF101", len(missing))
            )
            if len(missing) > 1
            else lambda _: None
        )
        for clip in clips:
            if clip not in here:  # else it was there, or stood in the list before
                here[clip] = next(fetched)
                advance(1)
            yield here[clip]


class _Run:
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
        self._hosts = [_HostState(host) for host in hosts]
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
        with open_connection(trust=self._trust) as connection:
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
            waiting.pop().start()
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
                        waiting.pop().start()
                    if result is not None:
                        yield result
                        break
                    if crash is not None:
                        raise crash
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify_all()
            for thread in threads:
                if thread not in waiting:
                    thread.join(_JOIN_SECONDS)

    def _is_settled(self, i: int) -> bool:
        return i in self._results or self._crash is not None

    def _work(self) -> None:
        """Fetch one clip after the other, until there is none left."""
        try:
            with open_connection(trust=self._trust) as connection:
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

    def _fetch(self, clip: Clip, connection: Connection, progress: Progress) -> FetchedClip:
        failures: list[tuple[Host, DownloadError]] = []
        was_tried = False
        for state in self._hosts:
            if state.down is not None:
                failures.append((state.host, state.down))
                continue
            was_tried = True
            scratch = self._folder / f"{state.host.name}-{clip.file_name}"
            try:
                state.host.fetch(clip, scratch, connection, progress)
            except DownloadError as error:
                failures.append((state.host, error))
                with suppress(OSError):
                    scratch.unlink(missing_ok=True)
                if state.failed(error):
                    self._tell_of(state, error)
                continue
            except CacheError as error:
                # It names the private folder, which is gone when the message is read.
                error.message = error.message.replace(str(self._folder), str(self._directory))
                raise
            state.worked()
            target = self._directory / clip.file_name
            with explained(self._directory):
                scratch.replace(target)
            return FetchedClip(clip, target, source=state.host.name)
        return FetchedClip(clip, error=_explain(clip, failures), was_tried=was_tried)

    def _tell_of(self, state: _HostState, error: DownloadError) -> None:
        """Say that a host is given up, where another one is left."""
        left = [other.host for other in self._hosts if other.down is None]
        if left:
            self._progress.note(
                f"{host_name(state.host)} cannot be used: {error.reason}. Clips come from "
                f"{host_name(left[0])}."
            )


class _HostState:
    """Whether a host is worth asking."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.down: DownloadError | None = None
        """Why it is not asked any more."""
        self.has_worked = False
        self._num_failures = 0
        self._lock = threading.Lock()

    def worked(self) -> None:
        with self._lock:
            self.has_worked = True
            self._num_failures = 0

    def failed(self, error: DownloadError) -> bool:
        """Count a failure; tell whether it is this one for which the host is given up."""
        with self._lock:
            if error.kind == "missing" or self.down is not None:
                return False
            self._num_failures += 1
            if (
                error.kind == "certificate"
                or (error.kind == "unreachable" and not self.has_worked)
                or self._num_failures >= MOST_FAILURES
            ):
                self.down = error
            return self.down is not None


class _StoppedError(Exception):
    """Nobody wants the rest any more."""


class _Stoppable:
    """Progress that ends a transfer when its run was stopped."""

    def __init__(self, run: _Run) -> None:
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


def _check_room(directory: Path, num_clips: int) -> None:
    if num_clips < MANY_CLIPS:
        return
    try:
        free = shutil.disk_usage(directory).free
    except OSError:  # some network drives do not tell
        return
    wanted = num_clips * MEAN_CLIP_BYTES
    if wanted > free:
        raise CacheError(
            f"The disk of the folder {directory} is too full: {num_clips} clips take about "
            f"{wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free.",
            hint="Make room, or choose another folder in I3D_CACHE_DIR, or with "
            "i3d ucf fetch --to DIR.",
        )


def _explain(clip: Clip, failures: list[tuple[Host, DownloadError]]) -> TransferError:
    """Make the error for a clip that no host gave."""
    refused = [host_name(host) for host, error in failures if error.kind == "certificate"]
    hints = [error.hint for _, error in failures if error.hint]
    if refused:
        hint: str | None = (
            f"If you trust the way to {refused[0]}, name its certificate with i3d ucf fetch "
            "--cafile FILE, or go on unverified with --insecure."
        )
    elif all(error.kind == "missing" for _, error in failures):
        hint = "See what the host has: i3d ucf list --refresh"
    else:
        hint = hints[0] if hints else "Try again later."
    if len(failures) == 1:
        ((_, error),) = failures
        return TransferError(f"{clip.file_name} cannot be fetched: {error.reason}.", hint=hint)
    return TransferError(
        f"{clip.file_name} cannot be fetched from any source.",
        details=tuple(
            f"{host.name} ({host_name(host)}): {error.reason}" for host, error in failures
        ),
        hint=hint,
    )
