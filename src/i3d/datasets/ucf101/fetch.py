"""Clips that are not on this machine yet: several at a time, from whichever host gives them."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.checks import damage
from i3d.datasets.ucf101.clips import clips_dir, explained, is_file
from i3d.datasets.ucf101.hosts import open_hosts
from i3d.datasets.ucf101.run import FetchedClip, Run
from i3d.errors import CacheError
from i3d.files.addresses import is_offline
from i3d.files.trust import SYSTEM_TRUST
from i3d.files.whole import private_folder
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from i3d.datasets.ucf101.names import Clip
    from i3d.files.trust import Trust
    from i3d.progress import Progress

__all__ = ["MANY_CLIPS", "FetchedClip", "fetch_clips"]

MEAN_CLIP_BYTES = 522_500
"""The zip's 6,960,400,115 bytes over 13,320 clips."""

MANY_CLIPS = 20
"""From so many on, the room that they take is reckoned before the first is fetched."""


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

    A clip is checked before it gets its name: see `i3d.datasets.ucf101.checks`. Of two processes
    that fetch the same clip at once, each does it for itself, and the result is the same.

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
        UsageError: I3D_TIMEOUT, or the address of a mirror, makes no sense; or the trusted
            certificates can't be read, and a host needs them.
    """
    directory = directory or clips_dir()
    here = {}
    for clip in dict.fromkeys(clips):
        path = directory / clip.file_name
        if is_file(path):
            problem = damage(path)
            if problem is None:
                here[clip] = FetchedClip(clip, path)
            else:
                progress.note(f"{path} {problem}: it is fetched again.")
    missing = [clip for clip in dict.fromkeys(clips) if clip not in here]
    if not missing:
        yield from (here[clip] for clip in clips)
        return
    hosts = open_hosts(source)
    if not is_offline() and any(host.url.lower().startswith("https:") for host in hosts):
        trust.check()  # else each clip would say it
    with ExitStack() as stack:
        with explained(directory):
            folder = stack.enter_context(private_folder(directory))
        _check_room(directory, len(missing))
        run = Run(missing, directory, folder, hosts, trust, progress)
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
