"""Pure arithmetic on times and indices: when frames are, and which of them are used."""

from __future__ import annotations

import math
from enum import Enum, auto
from statistics import median

ASSUMED_FPS = 25.0
"""Frame rate of a video that does not say: what I3D was trained on."""

MAX_SANE_FPS = 1000.0
"""Rates above this are wrong: WebM files without one come out as 1000 or 2000
(opencv/opencv#21006)."""


class FrameClock:
    """Turns a container's timestamps into times that start at 0 and only grow.

    Timestamps are missing in some files, stand still, jump or restart in others (an AVI with
    B-frames may end on a frame stamped 0). A frame's time is its timestamp less the first one;
    where that makes no sense, the distance to the timestamp before counts; where that makes no
    sense either, the frame comes one typical interval after the one before.

    Args:
        fps_from_header: The frame rate that the container claims; None if it claims nothing
            sane, which is taken for 25.
    """

    MAX_GAP_SECONDS = 3600.0
    """A longer silence between two frames is a broken timestamp, not a slow video."""

    MAX_LEAD_SECONDS = 1.0
    """As long as the clock is ahead of the timestamps by no more, it goes at half their pace until
    they are level again; if it is by more, the timestamps were restarted."""

    def __init__(self, fps_from_header: float | None = None) -> None:
        self._nominal = 1.0 / (fps_from_header or ASSUMED_FPS)
        self._origin = 0.0
        self._previous = 0.0
        self._intervals: list[float] = []  # of the first frames: enough for a median
        self._seconds = 0.0
        self.num_frames = 0

    def tick(self, timestamp: float) -> float:
        """Take the next frame's timestamp in seconds; give its time since the first frame."""
        if self.num_frames == 0:
            self._origin = timestamp if math.isfinite(timestamp) else 0.0
        else:
            self._seconds += self._interval(timestamp)
        if math.isfinite(timestamp):
            self._previous = timestamp
        self.num_frames += 1
        return self._seconds

    def _interval(self, timestamp: float) -> float:
        since_first = timestamp - self._origin - self._seconds
        since_previous = timestamp - self._previous
        if self._is_sane(since_first):
            interval = since_first
        elif not self._is_sane(since_previous):
            return self._typical_interval()
        elif abs(since_first) < self.MAX_LEAD_SECONDS:
            interval = since_previous / 2
        else:
            interval = since_previous
        if len(self._intervals) < 1000:
            self._intervals.append(interval)
        return interval

    def _is_sane(self, interval: float) -> bool:
        return 1 / MAX_SANE_FPS <= interval < self.MAX_GAP_SECONDS

    @property
    def fps(self) -> float:
        """Mean frame rate of the frames so far; the nominal one before the second frame."""
        if self.num_frames < 2 or self._seconds <= 0:
            return 1.0 / self._nominal
        return (self.num_frames - 1) / self._seconds

    @property
    def end_seconds(self) -> float:
        """End of the last frame: its time and one typical interval; 0 before the first."""
        return self._seconds + self._typical_interval() if self.num_frames else 0.0

    def _typical_interval(self) -> float:
        return median(self._intervals) if self._intervals else self._nominal


class Place(Enum):
    """What a frame means to the slot of time that it falls into."""

    FIRST = auto()
    """It is the first in its slot."""
    BETTER = auto()
    """It is nearer to the slot's moment than those before it."""
    WORSE = auto()
    """It is not."""


class FrameThinner:
    """Thins the frames of a video to `fps` per second. Never duplicates one.

    The moments 0, 1/fps, 2/fps, ... each own the time that is nearest to them, their slot; of the
    frames in one slot the nearest to the moment is kept:

        slots at 25 fps     0  |  1  |  2  |  3  |  4  |  5  |  6
        frames at 30 fps    0    1    2    3    4    5    6    7
        kept                x    x    x         x    x    x    x     (5 of 6)
        frames at 24 fps    0     1      2     3     4      5     6
        kept                x     x      x     x     x      x     x  (all)

    So timestamps that jitter by less than half a slot around their moments (containers store
    whole milliseconds) lose no frame. A time on the border between two slots belongs to the
    earlier one, and of two frames at the same distance the earlier one is kept.

    Args:
        fps: Frames per second to thin to, above 0.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._slot = -1
        self._distance = math.inf

    def place(self, seconds: float) -> Place:
        """Decide what the next frame means to its slot.

        Args:
            seconds: Its time since the first frame; must not be less than in the last call.
        """
        # Times such as 3/30 s land a rounding error away from the border between two slots;
        # without the margin the choice would hang on the last bit of a float.
        moment = seconds * self._fps
        slot = math.ceil(moment - 0.5 - 1e-6)
        distance = abs(moment - slot)
        if slot > self._slot:
            self._slot, self._distance = slot, distance
            return Place.FIRST
        if distance < self._distance - 1e-6:
            self._distance = distance
            return Place.BETTER
        return Place.WORSE


def loop_indices(num_frames: int, min_frames: int) -> list[int]:
    """Repeat a short clip from its start until it is long enough.

    The I3D paper does so with short videos (arXiv:1705.07750, section 2.4: "we looped the video
    as many times as necessary").

    Args:
        num_frames: Number of frames there are, at least 1.
        min_frames: Number of frames that the model needs.

    Returns:
        Indices into the frames: `0 .. num_frames - 1`, again from 0 while fewer than `min_frames`.
    """
    return [i % num_frames for i in range(max(num_frames, min_frames))]
