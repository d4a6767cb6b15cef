"""Clips of UCF101 in the place of files: `ucf:v_CricketShot_g04_c02`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i3d.errors import I3DError
    from i3d.progress import Progress
    from i3d.ucf101 import Clip

_PREFIX = "ucf:"
"""What stands before the name of a clip of UCF101 in the place of a file."""


def find_clips(videos: tuple[str, ...]) -> dict[str, tuple[Clip, ...]]:
    """The clips that `ucf:...` means, for each such video: an unknown one stops the run."""
    names = [video for video in videos if video.startswith(_PREFIX)]
    if not names:
        return {}
    from i3d.ucf101 import select_clips
    from i3d.ucf101_files.live_index import current_index

    index = current_index()
    return {name: select_clips(index, [name.removeprefix(_PREFIX)]) for name in names}


def fetch_named_clips(
    videos: tuple[str, ...], clips: dict[str, tuple[Clip, ...]], progress: Progress
) -> list[tuple[str, I3DError | None]]:
    """The paths of the videos, those of UCF101 fetched, and the errors of those that failed."""
    if not clips:
        return [(video, None) for video in videos]
    from i3d.ucf101_files.fetching import fetch_clips

    wanted = [clip for several in clips.values() for clip in several]
    fetched = {result.clip: result for result in fetch_clips(wanted, progress=progress)}
    files: list[tuple[str, I3DError | None]] = []
    for video in videos:
        if video not in clips:
            files.append((video, None))
        for clip in clips.get(video, ()):
            result = fetched[clip]
            files.append((str(result.path or f"{_PREFIX}{clip.name}"), result.error))
    return files
