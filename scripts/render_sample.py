"""Draws the sample, a juggler, and the README's film: juggling, pull ups, tai chi.

    python scripts/render_sample.py [--output PROJECT]

writes src/i3d/data/sample-juggling.avi and docs/film.avi; it takes some minutes. Everything is
drawn, so the clips are nobody's footage; scenes come from random numbers with fixed seeds. The
files are MPEG-4 part 2 in AVI: OpenCV's own FFmpeg reads it everywhere, and unlike MP4 the
container keeps no time of writing, so the same versions of numpy and OpenCV write the same bytes.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from camera_moves import as_image
from drawn_figures import Camera, Material, Outfit, Part, Pose, Tracer, compose, draw_figure, part
from drawn_scenes import paint_gym, paint_park

if TYPE_CHECKING:
    from collections.abc import Callable

    from camera_moves import Frames, Image

SIZE = (320, 240)
FPS = 25
SUPERSAMPLING = 2
"""Each pixel is the mean of as many by as many."""
SHOT_FRAMES = 112
"""Of each shot in the film: 14 of the network's steps of 8 frames."""
SAMPLE_FRAMES = 80

GRAVITY = 9.81
CYCLE, DWELL = 0.84, 0.46
"""Seconds from one throw of a hand to its next, and how long it holds a ball."""
FLIGHT = 1.5 * CYCLE - DWELL
"""Shannon's juggling theorem: (flight + dwell) * 2 hands = cycle * 3 balls."""
BALLS = [Material(color, 0.001, 0.25) for color in ((240, 196, 30), (44, 120, 220), (240, 110, 30))]

BAR_HEIGHT = 2.3
STEEL = Material((62, 64, 70), 0.004, 0.5)


def smooth(value: float) -> float:
    """Goes from 0 to 1 with no speed at either end."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


def juggling_hand(side: int, seconds: float) -> tuple[float, float, float]:
    """Says where a hand (-1: left) is: it scoops inward with a ball, and comes back empty."""
    since_throw = (seconds - (side + 1) / 4 * CYCLE) % CYCLE
    outer, inner, empty = 0.33, 0.13, CYCLE - DWELL
    if since_throw < empty:
        done = since_throw / empty
        x, y = inner + (outer - inner) * smooth(done), 0.05 * math.sin(math.pi * done)
    else:
        done = (since_throw - empty) / DWELL
        x, y = outer + (inner - outer) * smooth(done), -0.13 * math.sin(math.pi * done)
    return side * x, 1.08 + y, 0.32


def juggled_ball(number: int, seconds: float) -> tuple[float, float, float]:
    """Says where a ball is: ball k is thrown on the beats k, k + 3, ...; the hands take turns."""
    beat = CYCLE / 2
    throw = number + 3 * math.floor((seconds / beat - number) / 3)
    since, side = seconds - throw * beat, 1 if throw % 2 else -1
    if since >= FLIGHT:
        x, y, z = juggling_hand(-side, seconds)
        return x, y + 0.065, z + 0.05
    start = juggling_hand(side, throw * beat)[0]
    end = juggling_hand(-side, throw * beat + FLIGHT)[0]
    height = GRAVITY / 2 * since * (FLIGHT - since)
    return start + (end - start) * since / FLIGHT, 1.145 + height, 0.37


def draw_juggling(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that juggles three balls in a cascade, and the balls."""
    sway = 0.012 * math.sin(2 * math.pi * seconds / CYCLE)
    bob = math.sin(4 * math.pi * seconds / CYCLE)
    pose = Pose(
        (sway, 0.925 + 0.008 * bob, 0),
        (juggling_hand(-1, seconds), juggling_hand(1, seconds)),
        ((-0.15, 0.08, 0), (0.15, 0.08, 0)),
        lean=(-sway, 0.0),
        nod=14 + 3 * bob,
    )
    places = [juggled_ball(number, seconds) for number in range(3)]
    balls = [part(at, at, (0.052, 0.052), ball) for at, ball in zip(places, BALLS, strict=True)]
    return draw_figure(pose, outfit) + balls


def draw_pull_ups(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that pulls itself up on a bar, and the bar on its posts."""
    phase = seconds / 2.1 % 1
    up = smooth(phase / 0.42) if phase < 0.5 else 1 - smooth((phase - 0.52) / 0.44)
    swing = 0.02 * math.sin(2 * math.pi * phase)
    pelvis, wrists = 1.22 + 0.36 * up, BAR_HEIGHT - 0.05
    pose = Pose(
        (0, pelvis, 0.02 + swing),
        ((-0.34, wrists, 0.0), (0.34, wrists, 0.0)),
        ((-0.07, pelvis - 0.8, -0.26 + 2 * swing), (0.07, pelvis - 0.8, -0.22 + 2 * swing)),
        lean=(0, -0.04 * up),
        nod=8 + 10 * up,
        shrug=0.07 * (1 - up),
        elbows=(0.9, -1.0, -0.1),
    )
    posts = [part((x, 0, 0), (x, 2.5, 0), (0.04, 0.04), STEEL) for x in (-0.9, 0.9)]
    bar = part((-0.9, BAR_HEIGHT, 0), (0.9, BAR_HEIGHT, 0), (0.02, 0.02), STEEL)
    return [*draw_figure(pose, outfit), *posts, bar]


def draw_tai_chi(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that sinks slowly and rises, its arms floating with it."""
    phase = seconds / 4.4 % 1
    low = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    arms = 0.5 + 0.5 * math.cos(2 * math.pi * (phase - 0.12))
    shift = 0.05 * math.sin(2 * math.pi * phase)
    pelvis = 0.90 - 0.26 * low
    hands = (pelvis + 0.10 + 0.42 * arms, 0.40 + 0.08 * arms)
    pose = Pose(
        (shift, pelvis, -0.05 * low),
        ((shift - 0.2, *hands), (shift + 0.2, *hands)),
        ((-0.26, 0.08, 0), (0.26, 0.08, 0)),
        lean=(0.0, 0.03),
        turn=22,
        elbows=(0.6, -1.0, 0.0),
        knees=(0.5, 0.0, 1.0),
    )
    return draw_figure(pose, outfit)


ACTIONS: dict[str, tuple[Callable[[float, Outfit], list[Part]], int]] = {
    "juggling": (draw_juggling, 102),
    "pull-ups": (draw_pull_ups, 90),
    "tai-chi": (draw_tai_chi, 106),
}
"""Who draws them, and how large: pixels in a metre of a frame of 240 rows."""
PLACES: dict[str, tuple[Callable[[], Image], dict[str, Any]]] = {
    "park": (partial(paint_park, seed=3), {}),
    "morning": (partial(paint_park, seed=8, morning=True), {"sun": (1.6, 1.4, 1.1)}),
    "gym": (
        partial(paint_gym, seed=5),
        {
            "pitch": 2,
            "light": (-0.35, 1.0, 0.7),
            "sun": (1.25, 1.2, 1.1),
            "sky": (0.5, 0.5, 0.52),
            "ground": (0.2, 0.2, 0.22),
        },
    ),
}
"""Who paints them, and the light there."""
OUTFITS = {
    "casual": Outfit(),
    "sports": Outfit(
        skin=Material((176, 118, 84), 0.025, 0.15),
        hair=Material((24, 20, 18), 0.03, 0.2),
        shirt=Material((84, 96, 112), 0.06),
        trousers=Material((30, 32, 40), 0.02),
        sleeves=0.15,
    ),
    "silk": Outfit(
        hair=Material((74, 68, 66), 0.03),
        shirt=Material((236, 236, 230), 0.06),
        trousers=Material((236, 236, 230), 0.06),
        shoes=Material((30, 30, 34), 0.03),
        sleeves=1.85,
        bagginess=0.022,
    ),
}
FILM = (
    ("juggling", "park", "casual"),
    ("pull-ups", "gym", "sports"),
    ("tai-chi", "morning", "silk"),
)
"""The shots: action, place, outfit."""


@dataclass(frozen=True)
class Shot:
    """Somebody who does something somewhere: names of `ACTIONS`, `PLACES` and `OUTFITS`."""

    action: str
    place: str
    outfit: str
    size: tuple[int, int] = SIZE

    def render(self, num_frames: int) -> Frames:
        """Renders the first frames on all processors: uint8 (num_frames, height, width, 3), BGR."""
        width, height = (SUPERSAMPLING * side for side in self.size)
        paint, light = PLACES[self.place]
        background = as_image(cv2.resize(paint(), (width, height), interpolation=cv2.INTER_AREA))
        scale = ACTIONS[self.action][1] * height / 240
        camera = Camera((width, height), scale, (width / 2, 0.93 * height), **light)
        with Pool() as pool:
            frames = pool.map(partial(self._render_frame, background, camera), range(num_frames))
        return np.stack(frames)

    def _render_frame(self, background: Image, camera: Camera, index: int) -> Image:
        parts = ACTIONS[self.action][0](index / FPS, OUTFITS[self.outfit])
        frame = compose(background, Tracer(camera, parts))[..., ::-1]
        return np.asarray(cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA), np.uint8)


def write_video(path: Path, frames: Frames) -> None:
    """Writes frames, uint8 (T, height, width, 3), BGR."""
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), FPS, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    print(f"{path}: {len(frames)} frames, {path.stat().st_size} bytes")


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser(description="Draw the sample and the film.")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent)
    project = parser.parse_args().output
    shots = [Shot(*names).render(SHOT_FRAMES) for names in FILM]
    write_video(project / "src/i3d/data/sample-juggling.avi", shots[0][:SAMPLE_FRAMES])
    write_video(project / "docs/film.avi", np.concatenate(shots))


if __name__ == "__main__":
    main()
