"""Paints what is around the people of the sample: a park and a gym."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from camera_moves import Image, as_image, fractal_noise

if TYPE_CHECKING:
    from drawn_figures import Color

Doubles = npt.NDArray[np.float64]
SIZE = (640, 480)
"""Of the paintings, in pixels."""
HORIZON = 0.46
"""Row of the horizon, of the height."""


def mix(image: Image, color: Color | Image, weight: npt.NDArray[np.floating]) -> Image:
    """Mixes a colour or an image into an image; `weight` (height, width) is 0 to 1."""
    other = np.asarray(color, np.float32)
    return as_image(image + np.clip(weight, 0, 1)[..., None] * (other - image.astype(np.float32)))


def noise(rng: np.random.Generator, roughness: float) -> Doubles:
    """Returns fractal noise, float64 (480, 640), 0 to 1."""
    square = fractal_noise(rng, 512, roughness)
    return np.asarray(cv2.resize(square, SIZE, interpolation=cv2.INTER_AREA), np.float64)


def floor_noise(rng: np.random.Generator, roughness: float) -> Doubles:
    """Returns noise that lies on the floor, finer toward the horizon, float64 (480, 640)."""
    width, height = SIZE
    square = fractal_noise(rng, 1024, roughness)
    top = round(HORIZON * height)
    seen = np.array([[0, top], [width, top], [4 * width, height], [-3 * width, height]], np.float32)
    flat = np.array([[0, 0], [1023, 0], [1023, 1023], [0, 1023]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, seen)
    return np.asarray(cv2.warpPerspective(square, matrix, SIZE), np.float64)


def paint_crown(
    image: Image, rng: np.random.Generator, center: tuple[float, float], radius: float, color: Color
) -> None:
    """Paints a tree's crown: lumps of leaves, lit from the upper left, the darkest first."""
    lumps = np.column_stack([rng.normal(0, 0.42, 26), rng.normal(0, 0.32, 26)]) * radius
    lumps = lumps[np.argsort(-lumps[:, 1])]
    for layer in range(3):
        for x, y in lumps:
            leaves = np.clip(rng.normal(0, 0.17, (60, 2)), -0.26, 0.26) * radius
            for dx, dy in leaves - layer * radius * np.array([0.035, 0.06]):
                height = (x + dx) * -0.35 + (y + dy) * -0.75
                light = 0.42 + 0.24 * layer + 0.3 * height / radius + rng.uniform(-0.08, 0.08)
                shade = [float(np.clip(v * light, 0, 255)) for v in color]
                spot = (round(center[0] + x + dx), round(center[1] + y + dy))
                size = max(1, round(rng.uniform(0.015, 0.036) * radius))
                cv2.circle(image, spot, size, shade, -1, cv2.LINE_AA)


def paint_tree(
    image: Image,
    rng: np.random.Generator,
    foot: tuple[float, float],
    height: float,
    color: Color,
) -> None:
    """Paints a tree with its shadow on the grass."""
    x, y = foot
    shade = np.zeros(image.shape[:2], np.float64)
    place = (round(x + height * 0.25), round(y + height * 0.01))
    axes = (round(height * 0.4), max(2, round(height * 0.035)))
    cv2.ellipse(shade, place, axes, 0, 0, 360, 1.0, -1)
    image[:] = mix(image, (24, 48, 26), 0.55 * cv2.GaussianBlur(shade, (0, 0), 4))
    width = max(2.0, height * 0.035)
    for side, light in ((1.0, 0.55), (0.55, 0.8), (0.15, 1.0)):
        outline = [
            (x - width * 1.4, y),
            (x - width * 0.8, y - height * 0.6),
            (x + width * (1.6 * side - 0.8), y - height * 0.6),
            (x + width * (2.8 * side - 1.4), y),
        ]
        bark = tuple(light * v for v in (104, 82, 60))
        cv2.fillPoly(image, [np.array(outline).round().astype(np.int32)], bark, cv2.LINE_AA)
    paint_crown(image, rng, (x, y - height * 0.7), height * 0.42, color)


def paint_park(seed: int, *, morning: bool = False) -> Image:
    """Paints sky, a wood far off, trees and a lawn with a path: uint8 (480, 640, 3), RGB."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    horizon = round(HORIZON * height)
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    image: Image = np.empty((height, width, 3), np.uint8)
    image[:] = (122, 172, 226)
    pale: Color = (255, 226, 188) if morning else (222, 236, 246)
    image = mix(image, pale, (rows / horizon) ** 1.4)
    clouds = np.clip((noise(rng, 0.6) - 0.52) * 3.5, 0, 1) * (rows < horizon)
    image = mix(image, (250, 250, 252), 0.8 * clouds)
    for depth, color in enumerate(((132, 162, 164), (98, 136, 110), (66, 108, 66))):
        line = horizon - (46 - 12 * depth) * (0.7 + noise(rng, 0.8)[0])
        texture = 0.72 + 0.5 * noise(rng, 0.95)
        lumpy = as_image(np.asarray(color) * texture[..., None])
        image = mix(image, lumpy, np.clip(rows - line, 0, 1) * (rows < horizon + 2))
    near = np.clip((rows - horizon) / (height - horizon), 0, 1)
    lawn: Image = np.empty_like(image)
    lawn[:] = (152, 178, 84)
    lawn = mix(lawn, (78, 128, 48), near**0.6)
    patches = floor_noise(rng, 0.75)
    blades = floor_noise(rng, 1.05)
    lawn = as_image(lawn * (0.72 + 0.36 * patches + 0.22 * blades)[..., None])
    image = mix(image, lawn, rows >= horizon)
    bend = 0.78 + 0.5 * near**1.4 * (1 if seed % 2 else -1.9) + 0.03 * np.sin(near * 9)
    half = 0.012 + 0.16 * near
    path = np.clip((half - np.abs(columns / width - bend)) * 60, 0, 1) * (rows >= horizon + 1)
    sand = as_image(np.array((206, 190, 158)) * (0.85 + 0.25 * blades)[..., None])
    image = mix(image, sand, 0.9 * path)
    greens: tuple[Color, ...] = ((116, 158, 66), (98, 150, 74), (142, 160, 62), (84, 132, 66))
    far = [
        (float(x), horizon + rng.uniform(4, 12), rng.uniform(80, 120))
        for x in np.arange(30, 640, 88)
    ]
    spots = [*far, (70, horizon + 40, 250), (585, horizon + 30, 225), (205, horizon + 20, 150)]
    for number, (x, y, tall) in enumerate(spots):
        foot = (x + rng.uniform(-22, 22), y)
        paint_tree(image, rng, foot, tall, greens[number % 4])
    glow = np.exp(-np.hypot(columns - 0.12 * width, rows - 0.02 * height) / (0.4 * width))
    image = mix(image, (255, 232, 180) if morning else (255, 246, 222), glow * 0.3)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


def paint_gym(seed: int) -> Image:
    """Paints a wall with windows, weights, wall bars and a floor: uint8 (480, 640, 3), RGB."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    image: Image = np.empty((height, width, 3), np.uint8)
    image[:] = (172, 166, 156)
    image = as_image(image * (0.86 + 0.2 * noise(rng, 0.9))[..., None])
    floor_row = round(0.76 * height)
    image = mix(image, (96, 104, 112), 0.85 * ((rows > 0.6 * height) & (rows < floor_row)))
    for left in (0.05, 0.36, 0.67):
        x0, x1 = (round((left + v) * width) for v in (0.0, 0.27))
        y0, y1 = round(0.08 * height), round(0.36 * height)
        cv2.rectangle(image, (x0 - 4, y0 - 4), (x1 + 4, y1 + 4), (66, 66, 70), -1)
        pane = image[y0:y1, x0:x1]
        shine = np.linspace(0, 1, y1 - y0)[:, None] * np.ones(x1 - x0)
        pane[:] = (168, 202, 226)
        pane[:] = mix(pane, (236, 240, 238), shine)
        for bar in (x0 + (x1 - x0) // 3, x0 + 2 * (x1 - x0) // 3):
            cv2.line(image, (bar, y0), (bar, y1), (66, 66, 70), 3)
        cv2.line(image, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), (66, 66, 70), 3)
    bars = (round(0.79 * width), round(0.97 * width))
    for y in range(round(0.38 * height), floor_row, 17):
        cv2.line(image, (bars[0], y + 3), (bars[1], y + 3), (72, 62, 54), 4)
        cv2.line(image, (bars[0], y), (bars[1], y), (196, 148, 92), 5, cv2.LINE_AA)
    for x in (*bars, sum(bars) // 2):
        cv2.rectangle(image, (x - 4, round(0.36 * height)), (x + 4, floor_row), (168, 122, 72), -1)
    floor: Image = np.empty_like(image)
    floor[:] = (74, 76, 82)
    floor = mix(
        floor, (110, 110, 114), np.clip(1 - (rows - floor_row) / (height - floor_row), 0, 1)
    )
    specks = (rng.uniform(size=(height, width)) > 0.975) * 0.5
    floor = mix(floor, (130, 134, 150), specks)
    image = mix(image, floor, rows >= floor_row)
    for x in range(-8, 9):
        top, bottom = round(width / 2 + x * 70), round(width / 2 + x * 150)
        cv2.line(image, (top, floor_row), (bottom, height), (62, 64, 68), 1, cv2.LINE_AA)
    cv2.line(image, (0, floor_row), (width, floor_row), (40, 42, 46), 4)
    for shelf in range(3):
        y = round((0.52 + 0.1 * shelf) * height)
        cv2.rectangle(image, (12, y), (round(0.24 * width), y + 6), (40, 40, 44), -1)
        for spot in range(4):
            x = 34 + spot * 34
            radius = 12 - spot + shelf
            color = ((52, 54, 60), (60, 62, 68), (48, 50, 56), (70, 72, 80))[spot]
            cv2.circle(image, (x, y - radius), radius, color, -1, cv2.LINE_AA)
            cv2.circle(image, (x - 2, y - radius - 2), radius // 2, (120, 124, 132), 1, cv2.LINE_AA)
    for x in (14, round(0.24 * width) - 2):
        top, bottom = round(0.46 * height), floor_row + 14
        cv2.rectangle(image, (x - 3, top), (x + 3, bottom), (44, 44, 48), -1)
    glow = np.exp(-np.hypot((columns - 0.5 * width) / 1.4, rows - 0.1 * height) / (0.35 * height))
    image = mix(image, (255, 250, 238), 0.28 * glow)
    dark = ((columns / width - 0.5) ** 2 + (rows / height - 0.5) ** 2) * 0.5
    image = mix(image, (20, 20, 26), dark)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)
