"""Fetches missing clips, several at a time, each from the first host that works."""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.clips import clips_dir, damage, explained, find_clip, is_file
from i3d.errors import CacheError, ClipNotFetchedError, DownloadError, TransferError
from i3d.files.addresses import NETWORK_HINT
from i3d.files.trust import SYSTEM_TRUST
from i3d.files.whole import private_folder
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from i3d.datasets.ucf101.data import Clip
    from i3d.datasets.ucf101.hosts import Host
    from i3d.errors import I3DError
    from i3d.files.trust import Trust
    from i3d.progress import Progress

MEAN_CLIP_BYTES = 522_500
"""The zip's 6,960,400,115 bytes over 13,320 clips."""

MANY_CLIPS = 20
"""From this number on, the free space is checked before the first clip is fetched."""

_STOP_SECONDS = 2.0
"""How long an interrupted run waits for its threads: one may be waiting for a silent server."""

_OTHERS = {"index": "zip", "zip": "index"}
"""The other source, where one alone was asked."""

_LATER = "Try again later."


@dataclass(frozen=True)
class FetchedClip:
    """What became of one clip: exactly one of `path` and `error` is set."""

    clip: Clip
    path: Path | None = None
    """Its file."""
    error: I3DError | None = None
    """Why it can't be fetched; a `ClipNotFetchedError` if no host could be asked any more."""
    source: str | None = None
    """The host that it came from; None if it was on this machine already."""


def fetch_clips(
    clips: Sequence[Clip],
    *,
    directory: Path | None = None,
    source: str | None = None,
    trust: Trust = SYSTEM_TRUST,
    jobs: int = 4,
    progress: Progress = NO_PROGRESS,
) -> Iterator[FetchedClip]:
    """Fetch the clips that are not there yet, and yield the file of each.

    A clip is checked before it gets its name. If two processes fetch the same clip at once, both
    download it, and the result is the same.

    Args:
        clips: The clips.
        directory: The folder for the files; the cache by default. Created if missing.
        source: `index` or `zip` to use that host alone; by default the index host, then the zip.
        trust: Which certificates are trusted.
        jobs: Number of clips to fetch at a time, at least 1.
        progress: Receives progress updates, and a note about each host that can't be used.

    Yields:
        The result for each, in the order of `clips`.

    Raises:
        CacheError: The folder can't be written, or the disk is too full.
        UsageError: I3D_TIMEOUT, the address of a mirror, or the trusted certificates make no sense.
    """
    directory = directory or clips_dir()
    here = {}
    for clip in dict.fromkeys(clips):
        path = directory / clip.file_name
        if find_clip(clip, directory) is not None:
            here[clip] = FetchedClip(clip, path)
        elif is_file(path):
            progress.note(f"{path} {damage(path)}: it is fetched again.")
    missing = [clip for clip in dict.fromkeys(clips) if clip not in here]
    if not missing:
        yield from (here[clip] for clip in clips)
        return

    from i3d.datasets.ucf101.hosts import SOURCES
    from i3d.files.session import open_session

    with ExitStack() as stack:
        session = stack.enter_context(open_session(trust))
        hosts = [host(session) for name, host in SOURCES.items() if source in (None, name)]
        with explained(directory):
            folder = stack.enter_context(private_folder(directory))
        _check_room(directory, len(missing))
        run = _Run(directory, folder, hosts, progress)
        fetched = run.fetch_all(missing, jobs)
        stack.callback(fetched.close)
        what = f"fetching {len(missing)} clips of UCF101"
        of_several = progress if len(missing) > 1 else NO_PROGRESS
        advance = stack.enter_context(of_several.task(what, len(missing)))
        for clip in clips:
            if clip not in here:  # else it was there, or stood in the list before
                here[clip] = next(fetched)
                advance(1)
            yield here[clip]


class _Run:
    """Tries the hosts in their order for each clip."""

    def __init__(
        self, directory: Path, folder: Path, hosts: Sequence[Host], progress: Progress
    ) -> None:
        self._directory = directory
        self._folder = folder
        self._hosts = hosts
        self._progress = progress
        self._told: set[str] = set()

    def fetch_all(self, clips: list[Clip], jobs: int) -> Generator[FetchedClip, None, None]:
        """Fetch the first by itself, for the hosts may be down, then the others in threads."""
        yield self._fetch(clips[0], self._progress if len(clips) == 1 else NO_PROGRESS)
        yield from _in_threads(self._fetch, clips[1:], jobs)

    def _fetch(self, clip: Clip, progress: Progress = NO_PROGRESS) -> FetchedClip:
        if all(host.down is not None for host in self._hosts):
            error = ClipNotFetchedError(
                f"{clip.file_name} was not tried any more: no source can be used.",
                hint="Run it again when one can.",
            )
            return FetchedClip(clip, error=error)
        failures: list[tuple[Host, DownloadError]] = []
        for host in self._hosts:
            if host.down is not None:
                failures.append((host, host.down))
                continue
            scratch = self._folder / f"{host.name}-{clip.file_name}"
            try:
                host.fetch(clip, scratch, progress)
            except DownloadError as error:
                failures.append((host, error))
                with suppress(OSError):
                    scratch.unlink(missing_ok=True)
                host.failed(error)
                continue
            except CacheError as error:
                # It names the private folder, which is gone when the message is read.
                error.message = error.message.replace(str(self._folder), str(self._directory))
                raise
            host.worked()
            self._tell_of_others(host)
            return self._keep(clip, scratch, host)
        return FetchedClip(clip, error=_explain_failures(clip, failures))

    def _keep(self, clip: Clip, scratch: Path, host: Host) -> FetchedClip:
        """Give a clip its name."""
        target = self._directory / clip.file_name
        try:
            scratch.replace(target)
        except OSError as error:
            # On Windows another process may have just put it there, and be reading it.
            if find_clip(clip, self._directory) is None:
                if not os.path.lexists(target):  # the folder is at fault: stop here
                    with explained(self._directory):
                        raise
                in_the_way = CacheError(
                    f"{target} cannot be made: {error.strerror or error}.",
                    hint="Remove what is there.",
                )
                return FetchedClip(clip, error=in_the_way)
        return FetchedClip(clip, target, source=host.name)

    def _tell_of_others(self, working: Host) -> None:
        """Report hosts that are no longer asked, once another one gave a clip."""
        for host in self._hosts:
            if host.down is not None and host.name not in self._told:
                self._told.add(host.name)
                self._progress.note(
                    f"{host.place} cannot be used: {host.down.reason}. Clips come from "
                    f"{working.place}."
                )


def _in_threads(
    fetch: Callable[[Clip], FetchedClip], clips: list[Clip], num_threads: int
) -> Iterator[FetchedClip]:
    """Fetch in daemon threads: a process that is interrupted does not wait for silent servers."""
    tasks: queue.SimpleQueue[tuple[Clip, Future[FetchedClip]]] = queue.SimpleQueue()
    futures: list[Future[FetchedClip]] = [Future() for _ in clips]
    for task in zip(clips, futures, strict=True):
        tasks.put(task)
    stopped = threading.Event()

    def work() -> None:
        with suppress(queue.Empty):
            while not stopped.is_set():
                clip, future = tasks.get_nowait()
                try:
                    future.set_result(fetch(clip))
                except BaseException as error:  # noqa: BLE001  (raised in the caller's thread)
                    future.set_exception(error)

    threads = [
        threading.Thread(target=work, name=f"i3d-fetch-{i}", daemon=True)
        for i in range(min(num_threads, len(clips)))
    ]
    try:
        for thread in threads:
            thread.start()
        for future in futures:
            while not future.done():
                wait([future], timeout=0.5)  # without it, Windows holds Ctrl-C back
            yield future.result()
    finally:
        stopped.set()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))


def _explain_failures(clip: Clip, failures: list[tuple[Host, DownloadError]]) -> TransferError:
    """Make the error for a clip that no host gave."""
    names = [host.name for host, _ in failures]
    hints = [error.hint for _, error in failures if error.hint]
    if any(error.kind == "certificate" for _, error in failures):
        other = f"try --source {_OTHERS[names[0]]}, " if len(names) == 1 else ""
        hint = (
            f"Name a certificate to trust with i3d ucf fetch --cafile FILE, {other}or go on "
            "unverified with --insecure."
        )
    elif all(error.kind == "missing" for _, error in failures):
        hint = f"Try --source {_OTHERS[names[0]]}." if len(names) == 1 else _LATER
    else:
        hint = hints[0] if hints else _LATER
        mirrors = [host.variable for host, _ in failures if os.environ.get(host.variable)]
        if mirrors and hint in (_LATER, NETWORK_HINT):
            hint = f"Check {' and '.join(mirrors)}. {hint}"
    if len(failures) == 1:
        ((_, error),) = failures
        return TransferError(f"{clip.file_name} cannot be fetched: {error.reason}.", hint=hint)
    return TransferError(
        f"{clip.file_name} cannot be fetched from any source.",
        details=tuple(f"{host.name} ({host.place}): {error.reason}" for host, error in failures),
        hint=hint,
    )


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
