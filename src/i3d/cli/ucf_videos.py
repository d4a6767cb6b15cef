"""Clips of UCF101 in the place of files: `ucf:v_CricketShot_g04_c02`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.datasets.ucf101.names import Clip
    from i3d.errors import I3DError
    from i3d.progress import Progress

_PREFIX = "ucf:"
"""What stands before the name of a clip of UCF101 in the place of a file."""


def is_clip_name(video: str) -> bool:
    """Whether a video is a clip of UCF101, not a file."""
    return video.startswith(_PREFIX)


def find_clips(names: Sequence[str]) -> dict[str, tuple[Clip, ...]]:
    """The clips that each `ucf:...` means; an unknown one stops the run."""
    if not names:
        return {}
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.live_index import current_index

    index = current_index()
    return {name: select_clips(index, [name.removeprefix(_PREFIX)]) for name in names}


def fetch_named_clips(
    clips: dict[str, tuple[Clip, ...]], progress: Progress
) -> dict[str, list[tuple[str, I3DError | None]]]:
    """Fetch clips; the paths of each name's, or what stands for them and why they are not there."""
    if not clips:
        return {}
    from i3d.datasets.ucf101.fetch import fetch_clips

    wanted = [clip for several in clips.values() for clip in several]
    fetched = {result.clip: result for result in fetch_clips(wanted, progress=progress)}
    return {
        name: [
            (str(fetched[clip].path or f"{_PREFIX}{clip.name}"), fetched[clip].error)
            for clip in several
        ]
        for name, several in clips.items()
    }
