"""What results say about a video: the file, the part that was seen, the preprocessing.

Times are seconds from the video's first frame; spans are half-open, [start, end).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a video: what its container claims, and what was decoded."""

    path: str
    """The path as it was given."""
    width: int
    """Width of a frame in pixels as a person sees it, that is after rotation."""
    height: int
    """Height of a frame in pixels as a person sees it, that is after rotation."""
    rotation_degrees: int
    """Clockwise rotation that the container asks for and the loader applied: 0, 90, 180, 270."""
    fps: float
    """Frames per second, measured on the timestamps of the decoded frames; for a video of one
    frame, and before decoding, what the header claims, or 25 if it claims nothing sane."""
    fps_from_header: float | None
    """Frames per second that the container claims; None if it claims nothing sane."""
    num_frames_from_header: int | None
    """Number of frames that the container claims; None if it claims nothing sane."""
    num_frames_decoded: int
    """Number of frames decoded so far, those outside the requested span included."""
    duration_seconds: float
    """End of the last frame. Where decoding was stopped before the end of the video, because no
    more was asked for, what the header claims, but not less than what was decoded."""
    ended_early: bool
    """The file ended, or could not be read on, well before the number of frames that its header
    claims: it is truncated or damaged, or its header is wrong."""
    num_frames_damaged: int = 0
    """Number of frames that could not be read and were left out."""


@dataclass(frozen=True)
class ClipInfo:
    """Which part of a video the model saw."""

    num_frames: int
    """Number of different frames in the clip."""
    num_frames_fed: int
    """Number of frames that the model was fed: more than `num_frames` where a short clip was
    repeated (looped) until it was long enough; up to 7 fewer where the video has more than 1500,
    see `i3d.analysis.steps`."""
    start_seconds: float
    """Time of the first frame."""
    end_seconds: float
    """End of the last frame."""
    fps: float
    """Frames per second of the clip, after sampling."""


@dataclass(frozen=True)
class RecipeInfo:
    """The preprocessing that was applied, with every override in it."""

    name: str
    """Name of the recipe (`standard`, `tutorial`, `deepmind`)."""
    fps: float | None
    """Frame rate that denser videos were thinned to; None: every frame was used."""
    crop: str
    """`centre-square` or `short-side-256`, see `i3d.video.recipes`."""
    size: int
    """Height and width of the clip in pixels."""
    input_range: tuple[float, float]
    """The values that pixel values 0 and 255 were scaled to."""
    input_range_reason: str
    """Why this range, in words."""


@dataclass(frozen=True)
class FileInfo:
    """Identifies a file, so that a later run recognizes it."""

    sha256: str
    """Of its bytes, in hexadecimal; of a folder of images, over their names and bytes."""
    num_bytes: int
    """Its size; of a folder of images, the sum of theirs."""
    modified: str
    """When it was last written, in UTC: `2026-11-22T10:20:30.123456789Z`; of a folder of images,
    the latest of theirs."""
