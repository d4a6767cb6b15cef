"""Index arithmetic: which frames of a video are used."""

from __future__ import annotations

from math import floor


class FrameThinner:
    """Picks frames so that no more than `fps` of them fall on a second. Never duplicates one.

    Time is cut into slots of 1/fps seconds, centred on multiples of 1/fps from the first frame;
    of the frames in one slot only the first is kept:

        25 fps slots      |  0  |  1  |  2  |  3  |  4  |  5  |
        frames at 30 fps  0    1    2    3    4    5    6
        kept              x    x    x    x         x    x          (5 of 6)
        frames at 24 fps  0     1     2      3     4     5
        kept              x     x     x      x     x     x         (all)

    Slots are centred, so that timestamps which jitter by less than half a slot around the ideal
    (containers store whole milliseconds) do not lose a frame.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._last_slot = -1

    def keeps(self, seconds: float) -> bool:
        """Decide on the next frame of the video.

        Args:
            seconds: Its time since the first frame; must not be less than in the last call.

        Returns:
            Whether it is used.
        """
        if self._fps is None:
            return True
        # Timestamps such as 3/30 s land a rounding error away from the border between two slots;
        # without the margin the choice would hang on the last bit of a float.
        slot = floor(seconds * self._fps + 0.5 + 1e-6)
        if slot <= self._last_slot:
            return False
        self._last_slot = slot
        return True


def loop_indices(num_frames: int, min_frames: int) -> list[int]:
    """Repeat a short clip from its start until it is long enough.

    The I3D paper does so with short videos (arXiv:1705.07750, section 2.4: "we looped the video
    as many times as necessary").

    Args:
        num_frames: Number of frames there are, at least 1.
        min_frames: Number of frames that the model needs.

    Returns:
        Indices into the frames: `0 .. num_frames - 1`, again from 0 while fewer than `min_frames`.

    Raises:
        ValueError: `num_frames` is below 1.
    """
    if num_frames < 1:
        raise ValueError(f"a clip has at least one frame, not {num_frames}")
    return [i % num_frames for i in range(max(num_frames, min_frames))]
