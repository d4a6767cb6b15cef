"""Draws the sample, a juggler, and the film of the README: juggling, pull ups, tai chi.

    python scripts/render_sample.py [--shot juggling|pull-ups|tai-chi|film] [--output FILE]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np

from camera_moves import Frames, Image
from drawn_figures import Camera, Material, Outfit, Part, Pose, Tracer, compose, draw_figure, part
from drawn_scenes import paint_gym, paint_park

SIZE = (320, 240)
FPS = 25
SUPERSAMPLING = 2
"""Each pixel is the mean of as many by as many."""
GRAVITY = 9.81

CYCLE, DWELL = 0.80, 0.46
"""Seconds from one throw of a hand to its next, and how long it holds a ball."""
FLIGHT = 1.5 * CYCLE - DWELL
"""Three balls, two hands: (flight + dwell) * 2 = cycle * 3, Shannon's theorem."""
BALLS = (
    Material((240, 196, 30), 0.001, 0.25),
    Material((44, 120, 220), 0.001, 0.25),
    Material((240, 110, 30), 0.001, 0.25),
)


@dataclass(frozen=True)
class Shot:
    """A scene with somebody in it; `draw` gives the parts at a time in seconds."""

    background: Image
    camera: Camera
    draw: Callable[[float], list[Part]]
    seconds: float


def smooth(value: float) -> float:
    """Goes from 0 to 1 with no speed at either end."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


def juggling_hand(side: int, seconds: float) -> tuple[float, float, float]:
    """Says where a hand is (-1: left): it scoops inward with a ball, and comes back empty."""
    since_throw = (seconds - (side + 1) / 4 * CYCLE) % CYCLE
    outer, inner, vacant = 0.33, 0.13, CYCLE - DWELL
    if since_throw < vacant:
        done = since_throw / vacant
        x = inner + (outer - inner) * smooth(done)
        y = 0.05 * math.sin(math.pi * done)
    else:
        done = (since_throw - vacant) / DWELL
        x = outer + (inner - outer) * smooth(done)
        y = -0.13 * math.sin(math.pi * done)
    return side * x, 1.08 + y, 0.32


def juggled_ball(number: int, seconds: float) -> tuple[float, float, float]:
    """Says where a ball is: ball k leaves on the beats k, k + 3, ..., hands take turns."""
    beat = CYCLE / 2
    throws = math.floor((seconds / beat - number) / 3)
    count = number + 3 * throws
    since, side = seconds - count * beat, 1 if count % 2 else -1
    if since >= FLIGHT:
        x, y, z = juggling_hand(-side, seconds)
        return x, y + 0.065, z + 0.05
    start, end = juggling_hand(side, count * beat), juggling_hand(-side, count * beat + FLIGHT)
    done = since / FLIGHT
    height = GRAVITY / 2 * since * (FLIGHT - since)
    return start[0] + (end[0] - start[0]) * done, 1.145 + height, 0.37


def draw_juggler(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that juggles three balls in a cascade, and the balls."""
    seconds += 20 * CYCLE
    bob = 0.008 * math.sin(4 * math.pi * seconds / CYCLE)
    sway = 0.012 * math.sin(2 * math.pi * seconds / CYCLE)
    pose = Pose(
        (sway, 0.925 + bob, 0),
        (juggling_hand(-1, seconds), juggling_hand(1, seconds)),
        ((-0.15, 0.08, 0), (0.15, 0.08, 0)),
        lean=(-sway, 0.0),
        nod=14 + 3 * math.sin(4 * math.pi * seconds / CYCLE),
    )
    balls = [juggled_ball(number, seconds) for number in range(3)]
    return draw_figure(pose, outfit) + [
        part(at, at, (0.052, 0.052), material) for at, material in zip(balls, BALLS, strict=True)
    ]


STEEL = Material((62, 64, 70), 0.004, 0.5)
BAR_HEIGHT = 2.3


def draw_pull_ups(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that pulls itself up at a bar, and the bar on its posts."""
    period = 2.1
    phase = seconds / period % 1
    up = smooth(phase / 0.42) if phase < 0.5 else 1 - smooth((phase - 0.52) / 0.44)
    swing = 0.02 * math.sin(2 * math.pi * phase)
    shoulders = 1.76 + 0.46 * up
    pelvis = shoulders - 0.5
    hand = BAR_HEIGHT - 0.03
    pose = Pose(
        (0, pelvis, 0.02 + swing),
        ((-0.34, hand, 0.0), (0.34, hand, 0.0)),
        ((-0.07, pelvis - 0.8, -0.26 + 2 * swing), (0.07, pelvis - 0.8, -0.22 + 2 * swing)),
        lean=(0, -0.04 * up),
        nod=8 + 10 * up,
        shrug=0.06 * (1 - up),
        elbows=(0.9, -1.0, -0.1),
    )
    rig = [part((-0.9, BAR_HEIGHT, 0), (0.9, BAR_HEIGHT, 0), (0.02, 0.02), STEEL)]
    for x in (-0.9, 0.9):
        rig.append(part((x, 0, 0), (x, BAR_HEIGHT + 0.2, 0), (0.04, 0.04), STEEL))
    return draw_figure(pose, outfit) + rig


def draw_tai_chi(seconds: float, outfit: Outfit) -> list[Part]:
    """Returns a figure that sinks slowly and rises, arms floating with it."""
    period = 4.4
    phase = seconds / period % 1
    low = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    arms = 0.5 + 0.5 * math.cos(2 * math.pi * (phase - 0.12))
    shift = 0.05 * math.sin(2 * math.pi * phase)
    y = 0.90 - 0.26 * low
    hand_y = y + 0.10 + 0.42 * arms
    reach = 0.40 + 0.08 * arms
    pose = Pose(
        (shift, y, -0.05 * low),
        ((-0.2 + shift, hand_y, reach), (0.2 + shift, hand_y, reach)),
        ((-0.26, 0.08, 0), (0.26, 0.08, 0)),
        lean=(0.0, 0.03),
        turn=22,
        elbows=(0.6, -1.0, 0.0),
        knees=(0.5, 0.0, 1.0),
    )
    return draw_figure(pose, outfit)


LARGE = (SIZE[0] * SUPERSAMPLING, SIZE[1] * SUPERSAMPLING)
INDOORS = {"light": (-0.35, 1.0, 0.7), "sun": (1.25, 1.2, 1.1), "sky": (0.5, 0.5, 0.52)}


def make_shot(name: str, seed: int = 0) -> Shot:
    """Makes one of the shots: juggling, pull-ups, tai-chi."""
    if name == "juggling":
        camera = Camera(LARGE, 2 * 102, (320, 446))
        return Shot(paint_park(LARGE, 3 + seed), camera, partial(draw_juggler, outfit=Outfit()), 3.84)
    if name == "pull-ups":
        camera = Camera(LARGE, 2 * 94, (320, 470), pitch=2, ground=(0.2, 0.2, 0.22), **INDOORS)
        outfit = Outfit(
            shirt=Material((84, 96, 112), 0.045),
            trousers=Material((30, 32, 40), 0.02),
            sleeves=0.15,
            skin=Material((176, 118, 84), 0.025, 0.15),
            hair=Material((24, 20, 18), 0.03, 0.2),
        )
        return Shot(paint_gym(LARGE, 5 + seed), camera, partial(draw_pull_ups, outfit=outfit), 4.8)
    outfit = Outfit(
        shirt=Material((236, 236, 230), 0.06),
        trousers=Material((236, 236, 230), 0.06),
        shoes=Material((30, 30, 34), 0.03),
        hair=Material((150, 150, 154), 0.03),
        sleeves=1.85,
        bagginess=0.022,
    )
    camera = Camera(LARGE, 2 * 106, (320, 440), sun=(1.6, 1.4, 1.1))
    park = paint_park(LARGE, 8 + seed, morning=True)
    return Shot(park, camera, partial(draw_tai_chi, outfit=outfit), 4.8)


def render_frame(shot: Shot, index: int) -> Image:
    """Renders one frame, uint8 (240, 320, 3), BGR."""
    large = compose(shot.background, Tracer(shot.camera, shot.draw(index / FPS)))
    return np.asarray(cv2.resize(large[..., ::-1], SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def render(shot: Shot) -> Frames:
    """Renders all frames of a shot, on all processors."""
    with Pool() as pool:
        return np.stack(pool.map(partial(render_frame, shot), range(round(shot.seconds * FPS))))


def write_video(path: Path, frames: Frames) -> None:
    """Writes MPEG-4 part 2 in AVI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), FPS, SIZE)
    for frame in frames:
        writer.write(frame)
    writer.release()
    print(f"{path}: {path.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shots", nargs="+")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    write_video(args.output, np.concatenate([render(make_shot(n)) for n in args.shots]))


if __name__ == "__main__":
    main()
