"""Renders the sample clips: a pan to the right over hills, and several moves in a row.

    python scripts/render_sample.py [--output FILE]
    python scripts/render_sample.py --moves [--output FILE]

The picture is painted from random numbers with a fixed seed, so the clip is nobody's footage. The
file is MPEG-4 part 2 in AVI: OpenCV's own FFmpeg reads it everywhere, and unlike MP4 the container
keeps no time of writing, so the same versions of numpy and OpenCV write the same bytes.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from camera_moves import Frames, Image, Motion, Start, as_image, fractal_noise, render_move

WIDTH, HEIGHT = 1500, 480
"""The panorama in pixels: a view of 640x480, shown at half its size, has 860 to travel."""
SIZE = (320, 240)
FPS = 25.0
NUM_FRAMES = 75
SPEED = 0.3
"""Frame widths a second: 0.9 widths in all, an unhurried pan."""
SEED = 7
MOVES = (
    ("pan right", 4.0, 0.3, 0.3),
    ("static", 2.5, 0.0, 0.6),
    ("zoom in", 3.0, 1.35, 0.5),
    ("tilt up", 3.5, 0.25, 0.7),
)
"""Of the clip in the README: move, seconds, speed (see `render_move`), where it starts."""
SKY, GLOW = (196, 142, 84), (150, 190, 246)
"""BGR at the top of the sky and at the horizon."""
HILLS = ((186, 158, 132), (142, 122, 92), (84, 104, 70), (58, 92, 62))
"""BGR of the ridges, the farthest first."""


def blend(first: Image, second: tuple[int, int, int], weight: npt.NDArray[np.floating]) -> Image:
    """Mixes a colour into an image: `weight` (height, width) from 0 to 1."""
    mixed = first + weight[..., None] * (np.array(second, np.float32) - first.astype(np.float32))
    return as_image(mixed)


def paint_sky(rng: np.random.Generator) -> Image:
    """Paints a gradient, a low sun with its halo, and clouds."""
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)
    sky: Image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    sky[:] = SKY
    sky = blend(sky, GLOW, np.repeat(np.clip(rows * 1.7, 0, 1)[:, None], WIDTH, 1))
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    halo = np.exp(-np.hypot(x - 980, y - 150) / 90) * 0.9
    sky = blend(sky, (214, 240, 255), np.clip(halo * 1.3, 0, 1))
    noise = cv2.resize(fractal_noise(rng, 512, 0.6), (WIDTH, HEIGHT))
    cloud = np.clip((noise - 0.55) * 4, 0, 1) * np.clip(1 - rows * 1.9, 0, 1)[:, None]
    return blend(sky, (240, 238, 244), cloud * 0.85)


def ridge(rng: np.random.Generator, height: float, swing: float) -> npt.NDArray[np.float64]:
    """Returns a skyline: the row of its top for each column, float64 (WIDTH,)."""
    x = np.arange(WIDTH)
    line = np.full(WIDTH, float(height))
    for octave in range(7):
        period = rng.uniform(600, 900) / 1.9**octave
        line += swing / 1.9**octave * np.sin(2 * math.pi * (x / period + rng.uniform()))
    return line


def paint_house(image: Image, rng: np.random.Generator, x: int, ground: int) -> None:
    """Paints a house with a pitched roof and lit windows."""
    width, height = int(rng.integers(34, 60)), int(rng.integers(26, 50))
    wall = (int(rng.integers(150, 215)), int(rng.integers(175, 220)), int(rng.integers(195, 235)))
    cv2.rectangle(image, (x, ground - height), (x + width, ground), wall, -1)
    roof = np.array(
        [
            [x - 5, ground - height],
            [x + width // 2, ground - height - 22],
            [x + width + 5, ground - height],
        ]
    )
    cv2.fillPoly(image, [roof.astype(np.int32)], (52, 62, int(rng.integers(110, 165))), cv2.LINE_AA)
    for left in range(x + 6, x + width - 8, 14):
        for top in range(ground - height + 7, ground - 9, 16):
            cv2.rectangle(image, (left, top), (left + 6, top + 8), (70, 90, 104), -1)


def paint_tree(image: Image, rng: np.random.Generator, x: int, ground: int, height: int) -> None:
    """Paints a tree whose leaves are lighter toward the sun."""
    cv2.line(image, (x, ground), (x, ground - height), (38, 52, 70), max(2, height // 12))
    for dx, dy in rng.normal(0, height * 0.21, (110, 2)):
        light = 0.75 + 0.45 * dx / height - 0.5 * dy / height + rng.uniform(-0.1, 0.1)
        color = (44 * light, 118 * light, 84 * light)
        center = (int(x + dx), int(ground - height + dy))
        cv2.circle(image, center, int(rng.integers(2, 4 + height // 14)), color, -1, cv2.LINE_AA)


def paint_panorama() -> Image:
    """Paints the whole picture, uint8 (480, 1500, 3), BGR."""
    rng = np.random.default_rng(SEED)
    image = paint_sky(rng)
    rows = np.arange(HEIGHT)[:, None]
    grain = cv2.resize(fractal_noise(rng, 1024, 0.85), (WIDTH, HEIGHT))
    for depth, color in enumerate(HILLS):
        line = ridge(rng, 210 + 48 * depth, 26 - 5 * depth)
        inside = np.clip(rows - line + 0.5, 0, 1).astype(np.float32)
        shade = (0.92 + 0.06 * depth) * (1 + (0.1 + 0.16 * depth) * (grain - 0.5))
        lit = np.clip(np.array(color, np.float32) * shade[..., None], 0, 255)
        image = (image + inside[..., None] * (lit - image)).astype(np.uint8)
        if depth == 2:
            for x in np.sort(rng.integers(40, WIDTH - 80, 15)):
                paint_house(image, rng, int(x), int(line[x]) + 42)
    for x, height in zip(
        rng.integers(0, WIDTH, 34), np.sort(rng.integers(26, 96, 34)), strict=True
    ):
        paint_tree(image, rng, int(x), 390 + int(height * 0.75), int(height))
    return image


def render_sample() -> Frames:
    """Renders the clip: uint8 (75, 240, 320, 3), BGR."""
    motion = Motion(SPEED, FPS, swell=0.3, shutter=0.4)
    first_view = 640 / WIDTH
    start = Start(center=(first_view / 2 + 0.01, 0.5), coverage=1.0)
    return render_move(paint_panorama(), "pan right", NUM_FRAMES, SIZE, motion=motion, start=start)


def render_moves() -> Frames:
    """Renders shots of one camera move each, a cut between two: uint8 (325, 240, 320, 3), BGR."""
    panorama = paint_panorama()
    shots = []
    for label, seconds, speed, x in MOVES:
        motion = Motion(speed, FPS, shutter=0.4)
        start = Start(center=(x, 0.5), coverage=0.35)
        shots.append(
            render_move(panorama, label, round(FPS * seconds), SIZE, motion=motion, start=start)
        )
    return np.concatenate(shots)


def main() -> None:
    """Writes the file that the command line names."""
    project = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Render the sample clips.")
    parser.add_argument("--moves", action="store_true", help="several moves, for the README")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    args.output = args.output or project / (
        "docs/moves.avi" if args.moves else "src/i3d/data/sample-pan-right.avi"
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    frames = render_moves() if args.moves else render_sample()
    fourcc: int = cv2.VideoWriter.fourcc(*"XVID")
    writer = cv2.VideoWriter(str(args.output), fourcc, FPS, SIZE)
    for frame in frames:
        writer.write(frame)
    writer.release()
    print(f"{args.output}: {args.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
