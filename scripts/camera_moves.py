"""Renders camera moves over still pictures: procedural scenes, or frames of real footage.

The camera looks at a flat picture (the *source image*) through a window (the *view*). A move
changes where the window is, how large it is, or how it is turned; each frame is what the window
shows. Nothing is downloaded: `make_scene` paints source images from random numbers only.

The shortest useful call, and all that most tests need::

    from camera_moves import LABELS, make_scene, render_move

    frames = render_move(make_scene("street", seed=1), "pan right", num_frames=64, seed=1)

`frames` is a uint8 array (num_frames, height, width, 3) in OpenCV's channel order, BGR.

Labels say what the *camera* does. In "pan right" the picture's content moves left, in "tilt up"
it moves down, in "zoom in" it expands, and in "roll right" (the camera turns clockwise, seen
from behind) it turns counter-clockwise on the screen.

Every function is a pure function of its arguments: the same seed gives the same bytes with the
same versions of numpy and OpenCV.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Frames = npt.NDArray[np.uint8]
"""uint8, (num_frames, height, width, 3), BGR, 0 to 255."""
Image = npt.NDArray[np.uint8]
"""uint8, (height, width, 3), BGR, 0 to 255."""
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LABELS: tuple[str, ...] = (
    "static",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "zoom in",
    "zoom out",
    "roll left",
    "roll right",
)

DEFAULT_SPEEDS: dict[str, float] = {"static": 0.0, "pan": 0.25, "tilt": 0.25, "zoom": 1.4} | {
    "roll": 25.0
}
"""Per kind of move: frame widths (tilt: heights) a second, zoom factor a second, degrees a second.

They are chosen to move the edge of the frame at about the same, unhurried, rate."""

SCENE_SIZE = 512
"""Side of a painted scene in pixels: a 224-pixel view fits about twice, so it has room to move."""


# ---------------------------------------------------------------------------------------------
# Painting scenes
# ---------------------------------------------------------------------------------------------


def as_image(values: npt.NDArray[Any]) -> Image:
    """Cuts values off at 0 and 255 and drops their fractions."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def fractal_noise(rng: np.random.Generator, size: int, roughness: float) -> Floats:
    """Returns smooth-to-rough noise, float32 (size, size), scaled to [0, 1].

    A sum of random grids, each twice as fine as the one before and `roughness` times as strong:
    1.0 gives about the 1/f amplitude spectrum of natural pictures, 0.5 soft clouds.
    """
    total = np.zeros((size, size), np.float32)
    cells, weight = 2, 1.0
    while cells <= size:
        grid = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * roughness
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def _color(rng: np.random.Generator, max_saturation: float = 0.7) -> tuple[float, float, float]:
    """Returns a random BGR colour, 0 to 255: mostly muted, as in real pictures."""
    saturation = rng.uniform(0, max_saturation) ** 1.5
    value = rng.uniform(0.05, 1.0)
    hue = rng.uniform(0, 1) * 6
    bgr = [value * (1 - saturation * min(1.0, abs((hue - k) % 6 - 3) / 1.5)) for k in (0, 2, 4)]
    return (255 * bgr[0], 255 * bgr[1], 255 * bgr[2])


def _gradient(rng: np.random.Generator, size: int) -> Image:
    """Returns a smooth two-colour gradient in a random direction."""
    angle = rng.uniform(0, 2 * math.pi)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    position = 0.5 + 0.35 * (math.cos(angle) * ramp[None, :] + math.sin(angle) * ramp[:, None])
    first, second = (np.array(_color(rng), np.float32) for _ in range(2))
    return as_image(first + position[..., None] * (second - first))


def _textured(rng: np.random.Generator, image: Image, strength: float) -> Image:
    """Multiplies an image by fractal noise: strength 0 leaves it, 1 swings it by half."""
    noise = fractal_noise(rng, image.shape[0], rng.uniform(0.6, 1.1))
    gain = 1 + strength * (noise - 0.5)
    return as_image(image * gain[..., None])


def _polygon(
    rng: np.random.Generator, center: npt.ArrayLike, radius: float, corners: int
) -> npt.NDArray[np.int32]:
    """Returns the corners of a random star-shaped polygon, int32 (corners, 2) as (x, y)."""
    angles = np.sort(rng.uniform(0, 2 * math.pi, corners))
    radii = radius * rng.uniform(0.5, 1.2, corners)
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    return np.asarray(np.round(points + np.asarray(center)), np.int32)


def _blob(rng: np.random.Generator, image: Image, center: npt.ArrayLike, radius: float) -> None:
    """Paints one flat shape of a random colour: an ellipse, a turned box or a polygon."""
    x, y = np.asarray(center, np.float64)
    color = _color(rng)
    kind = rng.integers(3)
    angle = float(rng.uniform(0, 180))
    axes = (max(1, int(radius)), max(1, int(radius * rng.uniform(0.3, 1.0))))
    if kind == 0:
        cv2.ellipse(image, (int(x), int(y)), axes, angle, 0, 360, color, -1, cv2.LINE_AA)
    elif kind == 1:
        box = cv2.boxPoints(((float(x), float(y)), (2.0 * axes[0], 2.0 * axes[1]), angle))
        cv2.fillPoly(image, [box.astype(np.int32)], color, cv2.LINE_AA)
    else:
        shape = _polygon(rng, center, radius, int(rng.integers(3, 9)))
        cv2.fillPoly(image, [shape], color, cv2.LINE_AA)


def _person(rng: np.random.Generator, image: Image, foot: npt.ArrayLike, height: float) -> None:
    """Paints a standing figure: legs, body, head."""
    x, y = np.asarray(foot, np.float64)
    width = height * rng.uniform(0.1, 0.18)
    trousers, shirt, skin = _color(rng), _color(rng, 0.9), (120.0, 150.0, 200.0)
    for side in (-0.5, 0.5):
        hip = (int(x + side * width), int(y - 0.5 * height))
        ankle = (int(x + side * width * rng.uniform(0.5, 2.5)), int(y))
        cv2.line(image, hip, ankle, trousers, max(1, int(width * 0.7)), cv2.LINE_AA)
    body = (int(x), int(y - 0.65 * height))
    cv2.ellipse(image, body, (int(width) + 1, int(0.22 * height) + 1), 0, 0, 360, shirt, -1)
    head = (int(x), int(y - 0.93 * height))
    cv2.circle(image, head, int(0.075 * height) + 1, skin, -1, cv2.LINE_AA)


def _text(rng: np.random.Generator, image: Image, origin: tuple[int, int], scale: float) -> None:
    """Writes a random string of letters and digits."""
    letters = rng.choice(list("ABCDEFGHIKLMNOPRSTUVWXYabcdeghiklmnoprstu 0123456789 "), 14)
    thickness = max(1, int(scale * rng.uniform(1, 3)))
    font = int(rng.integers(0, 5))
    cv2.putText(image, "".join(letters), origin, font, scale, _color(rng), thickness, cv2.LINE_AA)


def _leaves(rng: np.random.Generator, size: int) -> Image:
    """Dead leaves: shapes of all sizes, each hiding what is behind it (sizes follow r**-3)."""
    image = _gradient(rng, size)
    smallest, largest = size * rng.uniform(0.008, 0.03), size * rng.uniform(0.15, 0.4)
    for quantile in rng.uniform(0, 1, int(rng.integers(60, 700))):
        spread = smallest**-2 - quantile * (smallest**-2 - largest**-2)
        _blob(rng, image, rng.uniform(0, size, 2), spread**-0.5)
    return _textured(rng, image, rng.uniform(0, 0.8))


def _clouds(rng: np.random.Generator, size: int) -> Image:
    """1/f noise in two colours, sometimes hardened into patches."""
    noise = fractal_noise(rng, size, rng.uniform(0.5, 1.1))
    if rng.uniform() < 0.4:
        noise = np.clip((noise - 0.5) * rng.uniform(2, 12) + 0.5, 0, 1)
    first, second = _gradient(rng, size), _gradient(rng, size)
    mixed = first + noise[..., None] * (second.astype(np.float32) - first)
    return as_image(mixed)


def _building(rng: np.random.Generator, image: Image, ground: int) -> None:
    """Paints a house front with rows of windows, standing on the row `ground`."""
    size = image.shape[0]
    width, height = (int(size * v) for v in rng.uniform(0.08, 0.35, 2))
    left, top = int(rng.uniform(-0.1, 1) * size), ground - int(height * 1.5)
    cv2.rectangle(image, (left, top), (left + width, ground), _color(rng), -1)
    pane = _color(rng)
    step_x, step_y = (int(v) for v in rng.integers(8, 34, 2))
    for y in range(top + step_y // 2, ground - step_y // 2, step_y):
        for x in range(left + step_x // 2, left + width - step_x // 2, step_x):
            shade = rng.uniform(0.6, 1.2)
            corner = (x + int(step_x * 0.55), y + int(step_y * 0.6))
            cv2.rectangle(image, (x, y), corner, tuple(shade * v for v in pane), -1)


def _tree(rng: np.random.Generator, image: Image, ground: int) -> None:
    """Paints a trunk and a crown of many small leaves."""
    size = image.shape[0]
    x, height = rng.uniform(0, size), size * rng.uniform(0.1, 0.4)
    crown = np.array([x, ground - height])
    trunk = (int(x), int(ground - height))
    cv2.line(image, (int(x), ground), trunk, (40, 60, 80), max(2, int(height / 14)), cv2.LINE_AA)
    for offset in rng.normal(0, height * 0.25, (int(rng.integers(30, 120)), 2)):
        shade = rng.uniform(0.3, 1.1)
        color = (40 * shade, 130 * shade, 90 * shade)
        spot = crown + offset
        radius = int(rng.uniform(2, height / 9 + 3))
        cv2.circle(image, (int(spot[0]), int(spot[1])), radius, color, -1, cv2.LINE_AA)


def _street(rng: np.random.Generator, size: int) -> Image:
    """Sky, horizon, houses with windows, trees, people, and a ground with seams."""
    image = _gradient(rng, size)
    if rng.uniform() < 0.6:
        cloud = fractal_noise(rng, size, 0.55)[..., None] * rng.uniform(20, 120)
        image = as_image(image + cloud)
    horizon = int(size * rng.uniform(0.4, 0.75))
    cv2.rectangle(image, (0, horizon), (size, size), _color(rng), -1)
    for _ in range(int(rng.integers(0, 9))):
        _building(rng, image, horizon + int(rng.uniform(0, 0.05) * size))
    for _ in range(int(rng.integers(0, 8))):
        far = (int(rng.uniform(0, size)), horizon)
        near = (int(rng.uniform(-0.5, 1.5) * size), size)
        cv2.line(image, far, near, _color(rng), int(rng.integers(1, 4)), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 6))):
        _tree(rng, image, horizon + int(rng.uniform(0, 0.1) * size))
    for _ in range(int(rng.integers(0, 7))):
        foot = np.array([rng.uniform(0, size), rng.uniform(horizon + 5, size)])
        _person(rng, image, foot, size * rng.uniform(0.08, 0.3))
    return _textured(rng, image, rng.uniform(0, 0.5))


def _furniture(rng: np.random.Generator, image: Image) -> None:
    """Paints one upright box with an edge line, as cupboards, frames and tables have."""
    size = image.shape[0]
    left, top = (int(v) for v in rng.uniform(-0.1, 0.9, 2) * size)
    width, height = (int(v) for v in rng.uniform(0.05, 0.4, 2) * size)
    corner = (left + width, top + height)
    cv2.rectangle(image, (left, top), corner, _color(rng), -1)
    if rng.uniform() < 0.6:
        cv2.rectangle(image, (left, top), corner, _color(rng), int(rng.integers(1, 6)))


def _room(rng: np.random.Generator, size: int) -> Image:
    """Wall, floor, boxes with edges and soft shadows, perhaps a person."""
    image = _gradient(rng, size)
    left, right = (int(v) for v in rng.uniform(0.5, 0.9, 2) * size)
    floor = np.array([[0, left], [size, right], [size, size], [0, size]], np.int32)
    cv2.fillPoly(image, [floor], _color(rng), cv2.LINE_AA)
    for _ in range(int(rng.integers(3, 14))):
        _furniture(rng, image)
    shadow: Floats = np.ones((size, size), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        shape = _polygon(rng, rng.uniform(0, size, 2), size * rng.uniform(0.1, 0.3), 6)
        cv2.fillPoly(shadow, [shape], (rng.uniform(0.4, 0.9),))
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), size / 40), np.float32)
    image = as_image(image * shadow[..., None])
    for _ in range(int(rng.integers(0, 3))):
        foot = np.array([rng.uniform(0, size), rng.uniform(0.7, 1.1) * size])
        _person(rng, image, foot, size * rng.uniform(0.3, 0.7))
    return _textured(rng, image, rng.uniform(0, 0.3))


def _signs(rng: np.random.Generator, size: int) -> Image:
    """Boards and lines of writing."""
    image = _gradient(rng, size)
    for _ in range(int(rng.integers(2, 6))):
        _furniture(rng, image)
    for _ in range(int(rng.integers(6, 40))):
        x, y = (int(v) for v in rng.uniform(-0.2, 1.0, 2) * size)
        _text(rng, image, (x, y), rng.uniform(0.3, 2.2))
    return _textured(rng, image, rng.uniform(0, 0.4))


def _wall(rng: np.random.Generator, size: int) -> Image:
    """Hardly any texture: a plain wall, a water surface or a lawn with a few things on it."""
    image = _textured(rng, _gradient(rng, size), rng.uniform(0.05, 0.5))
    for _ in range(int(rng.integers(3, 16))):
        _blob(rng, image, rng.uniform(0, size, 2), size * rng.uniform(0.01, 0.12))
    for _ in range(int(rng.integers(0, 4))):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * size
        first, second = ((int(x), int(y)) for x, y in ends)
        cv2.line(image, first, second, _color(rng), int(rng.integers(1, 8)), cv2.LINE_AA)
    return image


def _crowd(rng: np.random.Generator, size: int) -> Image:
    """Many people, the nearer the larger, before something out of focus."""
    image = np.asarray(cv2.GaussianBlur(_leaves(rng, size), (0, 0), size / 60), np.uint8)
    rows = np.sort(rng.uniform(0.3, 1.2, int(rng.integers(10, 70)))) * size
    scale = rng.uniform(0.15, 0.5)
    for y in rows:
        _person(rng, image, np.array([rng.uniform(0, size), y]), y * scale)
    return _textured(rng, image, rng.uniform(0, 0.5))


def _bricks(rng: np.random.Generator, size: int) -> Image:
    """A regular pattern, the hard case for any motion estimate: bricks or tiles, seen askew."""
    image = np.zeros((size, size, 3), np.uint8)
    image[:] = _color(rng)
    width, height = (int(v) for v in rng.integers(14, 80, 2))
    base, spread = np.array(_color(rng)), rng.uniform(0.05, 0.5)
    for row, y in enumerate(range(0, size, height)):
        for x in range(-(row % 2) * width // 2, size, width):
            color = np.clip(base * (1 + spread * rng.uniform(-1, 1)), 0, 255).tolist()
            cv2.rectangle(image, (x + 2, y + 2), (x + width - 2, y + height - 2), color, -1)
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    askew = corners + rng.uniform(-0.25, 0.25, (4, 2)).astype(np.float32) * size
    matrix = cv2.getPerspectiveTransform(corners, askew)
    seen = cv2.warpPerspective(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return _textured(rng, np.asarray(seen, np.uint8), rng.uniform(0.1, 0.8))


def _mosaic(rng: np.random.Generator, size: int) -> Image:
    """Voronoi cells of unequal size, each in its own colour."""
    seeds = np.full((size, size), 255, np.uint8)
    points = rng.normal(0.5, 0.35, (int(rng.integers(20, 400)), 2)) % 1.0 * size
    seeds[points[:, 1].astype(int), points[:, 0].astype(int)] = 0
    _, cells = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    palette = np.array([_color(rng) for _ in range(int(cells.max()) + 1)], np.float32)
    return _textured(rng, palette[cells].astype(np.uint8), rng.uniform(0, 0.6))


def _strokes(rng: np.random.Generator, size: int) -> Image:
    """Curved brush strokes of all widths, as grass, hair, cables and branches make."""
    image = _textured(rng, _gradient(rng, size), rng.uniform(0, 0.5))
    for _ in range(int(rng.integers(25, 250))):
        headings = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.35, 14))
        reach = size * rng.uniform(0.005, 0.04)
        points = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * reach, 0)
        points += rng.uniform(0, size, 2)
        thickness = int(1 + 8 * rng.uniform() ** 3)
        cv2.polylines(image, [points.astype(np.int32)], False, _color(rng), thickness, cv2.LINE_AA)
    return image


_PAINTERS: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "leaves": _leaves,
    "clouds": _clouds,
    "street": _street,
    "room": _room,
    "signs": _signs,
    "wall": _wall,
    "crowd": _crowd,
    "bricks": _bricks,
    "mosaic": _mosaic,
    "strokes": _strokes,
}

SCENE_FAMILIES: tuple[str, ...] = tuple(_PAINTERS)
"""The families of painted scenes: what `make_scene` knows."""


def make_scene(family: str, seed: int | list[int], size: int = SCENE_SIZE) -> Image:
    """Paints a source image: uint8 (size, size, 3), BGR.

    Args:
        family: One of `SCENE_FAMILIES`.
        seed: A number, or a list of numbers, that numpy's `default_rng` takes.
        size: Side in pixels.

    Raises:
        ValueError: The family is not known.
    """
    if family not in _PAINTERS:
        raise ValueError(f"unknown scene family {family!r}; known: {', '.join(SCENE_FAMILIES)}")
    return _PAINTERS[family](np.random.default_rng(seed), size)


# ---------------------------------------------------------------------------------------------
# Moving the camera
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wobble:
    """Hand shake: a sum of three slow sines a channel, so that it never drifts away.

    Attributes:
        amplitude: Of the shift, as a fraction of the frame's width; turning and zooming shake
            along with it (0.3 of it at the frame's edge).
        seed: Draws frequencies (2 to 9 Hz, the range of a hand's tremor) and phases.
    """

    amplitude: float = 0.0
    seed: int = 0

    def at(self, seconds: Doubles) -> Doubles:
        """Returns (n, 4): shifts x and y in frame widths, log zoom, angle in radians."""
        rng = np.random.default_rng([self.seed, 7])
        hertz = rng.uniform(2, 9, (3, 4))
        phase = rng.uniform(0, 2 * math.pi, (3, 4))
        angle = 2 * math.pi * hertz * seconds[:, None, None] + phase
        waves = (np.sin(angle) / hertz).sum(1)
        # At 2 Hz, the slowest, a sine has the full amplitude. Half a frame's width of lever
        # turns an angle or a log zoom into a shift at the edge.
        return np.asarray(2 * self.amplitude * waves * np.array([0.6, 0.6, 0.36, 0.36]))


@dataclass(frozen=True)
class Motion:
    """How the camera moves within its label.

    Attributes:
        speed: See `render_move`.
        fps: Frames a second.
        ease: -1 to 1. Positive: from `1 - ease` to `1 + ease` of the speed over the clip
            (accelerating); negative: the reverse.
        swell: -0.9 to 0.9. Positive: slow, fast, slow again (as an operator moves a camera).
        drift: (x, y) A second, unwanted, shift in frame widths a second.
        wobble: Hand shake.
        shutter: How much of each frame's time the shutter is open: 0 (no motion blur) to 1.
    """

    speed: float
    fps: float = 25.0
    ease: float = 0.0
    swell: float = 0.0
    drift: tuple[float, float] = (0.0, 0.0)
    wobble: Wobble = field(default_factory=Wobble)
    shutter: float = 0.0


@dataclass(frozen=True)
class Start:
    """Where the camera looks at first.

    Attributes:
        center: (x, y) of the view's centre in the source image, as fractions of its size.
        coverage: The view's larger side relative to the image's (0.6: it shows 60 % of it).
        angle: The camera's roll in radians.
    """

    center: tuple[float, float] = (0.5, 0.5)
    coverage: float = 0.6
    angle: float = 0.0


@dataclass(frozen=True)
class Mover:
    """Something in front of the scene, with a motion of its own.

    Attributes:
        patch: BGR picture of it, uint8 (n, n, 3).
        alpha: Its outline, float32 (n, n), 0 to 1.
        side: Its side as a fraction of the frame's width.
        origin: (x, y) of its centre at first, in fractions of the frame.
        velocity: (x, y) in frame widths a second, on top of `follow`.
        swing: (amplitude in frame widths, hertz, direction in radians) of a to-and-fro.
        spin: Degrees a second.
        follow: 0: fixed to the screen (a camera tracking it); 1: standing in the scene; above 1:
            nearer than the scene (parallax).
    """

    patch: Image
    alpha: Floats
    side: float
    origin: tuple[float, float]
    velocity: tuple[float, float]
    swing: tuple[float, float, float]
    spin: float
    follow: float

    def center(self, seconds: float, shift: Doubles) -> Doubles:
        """Returns where it is on the screen, (x, y) in fractions of the frame's width."""
        reach, hertz, heading = self.swing
        sway = reach * math.sin(2 * math.pi * hertz * seconds)
        own = np.array(self.velocity) * seconds
        own += sway * np.array([math.cos(heading), math.sin(heading)])
        return np.asarray(np.array(self.origin) + own - self.follow * shift)


def _kind_and_sign(label: str) -> tuple[str, int]:
    """Splits a label into its kind of move and +1 (right, down, in) or -1 (left, up, out)."""
    if label not in LABELS:
        raise ValueError(f"unknown label {label!r}; known: {', '.join(LABELS)}")
    kind, _, way = label.partition(" ")
    return kind, -1 if way in ("left", "up", "out") else 1


def _progress(fraction: Doubles, motion: Motion) -> Doubles:
    """Integrates the speed profile over the clip: 0 at its beginning, 1 at its end."""
    accelerated = motion.ease * (fraction**2 - fraction)
    swelled = motion.swell * ((1 - np.cos(math.pi * fraction)) / 2 - fraction)
    return np.asarray(fraction + accelerated + swelled)


def camera_path(label: str, motion: Motion, seconds: Doubles, duration: float) -> Doubles:
    """Returns the camera's pose at given times, float64 (n, 4).

    Columns: shift to the right in frame widths, shift down in frame heights, natural logarithm
    of the zoom (positive: magnified), roll in radians (positive: to the right).
    """
    kind, sign = _kind_and_sign(label)
    fraction = seconds / max(duration, 1e-9)
    travel = sign * _progress(fraction, motion) * duration
    poses = motion.wobble.at(seconds)
    poses[:, :2] += seconds[:, None] * np.array(motion.drift)
    if kind == "pan":
        poses[:, 0] += motion.speed * travel
    elif kind == "tilt":
        poses[:, 1] += motion.speed * travel
    elif kind == "zoom":
        poses[:, 2] += math.log(motion.speed) * travel
    elif kind == "roll":
        poses[:, 3] += math.radians(motion.speed) * travel
    return poses


def _pyramid(image: Image) -> list[Image]:
    """Returns the image and its halvings, so that a wide view is not undersampled."""
    levels = [image]
    while min(levels[-1].shape[:2]) > 64 and len(levels) < 4:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return levels


def _turn(angle: float) -> Doubles:
    """Returns the matrix (2, 2) of a turn, clockwise on the screen, by an angle in radians."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _view_matrix(
    pose: Doubles, start: Start, image_size: tuple[int, int], size: tuple[int, int]
) -> Doubles:
    """Returns the affine map from a frame's pixel to the source image's pixel, (2, 3)."""
    width, height = size
    base = start.coverage * min(image_size[0] / width, image_size[1] / height)
    scale = base * math.exp(-pose[2])
    linear = scale * _turn(start.angle + pose[3])
    # A shift is along the camera's own axes at the start, at the start's magnification.
    shift = base * _turn(start.angle) @ (pose[:2] * np.array([width, height]))
    center = np.array(start.center) * np.array(image_size) + shift
    offset = center - linear @ np.array([(width - 1) / 2, (height - 1) / 2])
    return np.concatenate([linear, offset[:, None]], 1)


def _look(levels: list[Image], matrix: Doubles, size: tuple[int, int]) -> Image:
    """Renders what the view shows. Beyond its border the source image is mirrored."""
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    level = min(len(levels) - 1, max(0, round(math.log2(max(scale, 1e-6)))))
    shrunk = matrix / 2**level
    # A pixel's centre is at (i + 0.5) / 2**level - 0.5 in the smaller image.
    shrunk[:, 2] += 0.5 / 2**level - 0.5
    frame = cv2.warpAffine(
        levels[level],
        shrunk,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(frame, np.uint8)


def _draw_mover(frame: Image, mover: Mover, seconds: float, shift: Doubles) -> None:
    """Composites one mover onto a frame, in place."""
    height, width = frame.shape[:2]
    center = mover.center(seconds, shift) * np.array([width, height])
    reach = mover.side * width * 0.75
    left, top = (max(0, int(v)) for v in np.floor(center - reach))
    right, bottom = (int(v) for v in np.minimum(np.ceil(center + reach), [width, height]))
    if right <= left or bottom <= top:
        return
    pixels = mover.patch.shape[0]
    scale = mover.side * width / pixels
    turn = cv2.getRotationMatrix2D((pixels / 2, pixels / 2), -mover.spin * seconds, scale)
    matrix: Doubles = np.asarray(turn, np.float64)
    matrix[:, 2] += center - pixels / 2 - np.array([left, top])
    window = (right - left, bottom - top)
    patch = cv2.warpAffine(mover.patch, matrix, window, borderMode=cv2.BORDER_REFLECT_101)
    alpha = cv2.warpAffine(mover.alpha, matrix, window)[..., None]
    below = frame[top:bottom, left:right]
    below[:] = (below + alpha * (patch.astype(np.float32) - below)).astype(np.uint8)


def make_mover(
    rng: np.random.Generator, side: float, pace: float, follow: float | None = None
) -> Mover:
    """Makes a random object.

    Args:
        rng: The source of every random choice.
        side: Its side as a fraction of the frame's width.
        pace: Its speed in frame widths a second.
        follow: See `Mover`; None draws one of fixed to the screen, in the scene, nearer.
    """
    pixels = 96  # about the size at which the largest objects are shown
    family = SCENE_FAMILIES[int(rng.integers(8))]
    patch = _PAINTERS[family](rng, pixels)
    alpha: Floats = np.zeros((pixels, pixels), np.float32)
    middle = np.array([pixels / 2, pixels / 2])
    for _ in range(int(rng.integers(1, 4))):
        lobe = _polygon(rng, middle + rng.uniform(-12, 12, 2), pixels * 0.4, 12)
        cv2.fillPoly(alpha, [lobe], (1.0,))
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.6, 2.5)), np.float32)
    heading = rng.uniform(0, 2 * math.pi)
    swings = rng.uniform() < 0.5
    speed = pace * rng.uniform(0.2, 1.0) * (0.4 if swings else 1.0)
    return Mover(
        patch=patch,
        alpha=alpha,
        side=side,
        origin=(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)),
        velocity=(speed * math.cos(heading), speed * math.sin(heading)),
        swing=(rng.uniform(0, 0.12) if swings else 0.0, rng.uniform(0.3, 2), heading),
        spin=rng.uniform(-90, 90) if rng.uniform() < 0.3 else 0.0,
        follow=float(rng.choice([0.0, 1.0, 1.4])) if follow is None else follow,
    )


def default_speed(label: str) -> float:
    """Returns the speed that `render_move` uses for a label when none is given."""
    return DEFAULT_SPEEDS[_kind_and_sign(label)[0]]


def random_start(rng: np.random.Generator, coverage: float) -> Start:
    """Draws where the camera looks at first, well inside the source image."""
    center = rng.uniform(0.35, 0.65, 2)
    return Start(center=(float(center[0]), float(center[1])), coverage=coverage)


def render_move(
    image_bgr: Image,
    label: str,
    num_frames: int = 64,
    size: tuple[int, int] = (320, 240),
    speed: float | None = None,
    seed: int = 0,
    *,
    fps: float = 25.0,
    motion: Motion | None = None,
    start: Start | None = None,
    movers: tuple[Mover, ...] = (),
) -> Frames:
    """Renders one camera move over a source image.

    Args:
        image_bgr: The source image, uint8 (height, width, 3), BGR. Beyond its borders it is
            mirrored, so a move of any length works.
        label: One of `LABELS`: what the camera does.
        num_frames: Number of frames.
        size: (width, height) of a frame in pixels.
        speed: pan: frame widths a second; tilt: frame heights a second; zoom: factor a second,
            above 1 (1.4: 40 % larger, or smaller, after a second); roll: degrees a second;
            static: ignored. All but zoom's are zero or more. None: `default_speed(label)`.
        seed: Draws where in the image the camera starts (unless `start` says it).
        fps: Frames a second (unless `motion` says it).
        motion: Everything else about the move; replaces `speed` and `fps`.
        start: Where the camera looks at first.
        movers: Objects in front of the scene.

    Returns:
        The frames: uint8 (num_frames, height, width, 3), BGR.

    Raises:
        ValueError: The label is not known, or the speed is out of range.
    """
    kind, _ = _kind_and_sign(label)
    if motion is None:
        motion = Motion(speed=default_speed(label) if speed is None else speed, fps=fps)
    if motion.speed < 0 or (kind == "zoom" and motion.speed <= 1):
        raise ValueError(f"speed {motion.speed} is out of range for {label!r}")
    if start is None:
        start = random_start(np.random.default_rng(seed), coverage=0.6)
    levels = _pyramid(image_bgr)
    image_size = (image_bgr.shape[1], image_bgr.shape[0])
    samples = _shutter_samples(label, motion, num_frames, size)
    open_for = motion.shutter / motion.fps
    offsets = np.arange(samples) / samples * open_for
    seconds = (np.arange(num_frames)[:, None] / motion.fps + offsets).ravel()
    poses = camera_path(label, motion, seconds, num_frames / motion.fps)
    frames = np.empty((num_frames, size[1], size[0], 3), np.uint8)
    exposure = np.empty(frames.shape[1:], np.float32)
    for index in range(num_frames):
        exposure[:] = 0
        for sample in range(index * samples, (index + 1) * samples):
            pose = poses[sample]
            seen = _look(levels, _view_matrix(pose, start, image_size, size), size)
            for mover in movers:
                _draw_mover(seen, mover, float(seconds[sample]), pose[:2])
            if samples > 1:
                cv2.accumulate(seen, exposure)
        frames[index] = seen if samples == 1 else np.round(exposure / samples)
    return frames


def _shutter_samples(label: str, motion: Motion, num_frames: int, size: tuple[int, int]) -> int:
    """Returns how many pictures to average for motion blur: one every 1.5 pixels, at most 8."""
    if motion.shutter <= 0:
        return 1
    times = np.array([0.0, motion.shutter / motion.fps]) + 0.5 * num_frames / motion.fps
    first, last = camera_path(label, motion, times, num_frames / motion.fps)
    lever = np.array([size[0], size[1], size[0] / 2, size[0] / 2])
    blur = float(np.abs((last - first) * lever).max())
    return int(np.clip(math.ceil(blur / 1.5), 1, 8))


# ---------------------------------------------------------------------------------------------
# What cameras and codecs do to a picture
# ---------------------------------------------------------------------------------------------


def encode_and_decode(frames: Frames, codec: str, fps: float = 25.0) -> Frames:
    """Writes the frames to a real video file and reads them back.

    Args:
        frames: Their width and height must be even.
        codec: "mp4v" (MPEG-4 in .mp4) or "MJPG" (Motion JPEG in .avi).
        fps: Frames a second in the container.

    Raises:
        RuntimeError: OpenCV cannot write or read back the codec.
    """
    height, width = frames.shape[1:3]
    suffix = ".mp4" if codec == "mp4v" else ".avi"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / f"clip{suffix}")
        fourcc: int = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(path, fourcc, fps, (width, height))
        for frame in frames:
            writer.write(frame)
        writer.release()
        decoded = read_frames(path)
    if len(decoded) != len(frames):
        raise RuntimeError(f"{codec}: wrote {len(frames)} frames, read back {len(decoded)}")
    return np.stack(decoded)


def read_frames(path: str) -> list[Image]:
    """Decodes every frame of a video file: uint8 (height, width, 3), BGR."""
    capture = cv2.VideoCapture(path)
    frames: list[Image] = []
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(np.asarray(frame, np.uint8))
    capture.release()
    return frames


def _jpeg(frame: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _shrink(frames: Frames, factor: float) -> Frames:
    """Takes the frames through a smaller size, as low-resolution uploads have gone."""
    height, width = frames.shape[1:3]
    small = (max(8, int(width * factor)), max(8, int(height * factor)))
    result = np.empty_like(frames)
    for index, frame in enumerate(frames):
        reduced = cv2.resize(frame, small, interpolation=cv2.INTER_LINEAR)
        result[index] = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def _expose(rng: np.random.Generator, frames: Frames) -> Frames:
    """Changes brightness: once for all, from frame to frame (flicker), or slowly (a fade)."""
    num_frames = len(frames)
    gains: Doubles = np.full(num_frames, rng.uniform(0.5, 1.25))
    if rng.uniform() < 0.4:
        gains = gains * (1 + rng.uniform(0, 0.1) * rng.standard_normal(num_frames))
    if rng.uniform() < 0.25:
        gains = gains * np.linspace(1, rng.uniform(0.4, 1.6), num_frames)
    result = np.empty_like(frames)
    offset = rng.uniform(-20, 30)
    for index, frame in enumerate(frames):
        result[index] = cv2.convertScaleAbs(frame, alpha=float(gains[index]), beta=offset)
    return result


def _overlay(rng: np.random.Generator, frames: Frames) -> Frames:
    """Puts something on the screen that does not move with the scene: bars, logo, caption."""
    height, width = frames.shape[1:3]
    result: Frames = frames.copy()
    if rng.uniform() < 0.4:
        bar = int(rng.uniform(0.04, 0.16) * height)
        if rng.uniform() < 0.7:
            result[:, :bar] = result[:, height - bar :] = 0
        else:
            result[:, :, :bar] = result[:, :, width - bar :] = 0
        return result
    layer = np.zeros((height, width, 3), np.uint8)
    origin = (int(rng.uniform(0, 0.6) * width), int(rng.choice([0.12, 0.9]) * height))
    _text(rng, layer, origin, rng.uniform(0.3, 0.8))
    mask = layer.max(2, keepdims=True) > 0
    return np.asarray(np.where(mask, layer, result), np.uint8)


def _grain(rng: np.random.Generator, frames: Frames, deviation: float) -> Frames:
    """Adds new noise to every frame; `deviation` in grey levels. A third of it is coarse."""
    height, width = frames.shape[1:3]
    coarse = rng.uniform() < 0.35
    cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
    shape = (height // 2, width // 2, 3) if coarse else (height, width, 3)
    noise = np.empty(shape, np.int16)
    result = np.empty_like(frames)
    for index, frame in enumerate(frames):
        cv2.randn(noise, np.zeros(3), np.full(3, deviation))
        grown = cv2.resize(noise, (width, height)) if coarse else noise
        result[index] = cv2.add(frame, grown, dtype=cv2.CV_8U)
    return result


def degrade(frames: Frames, rng: np.random.Generator) -> Frames:
    """Does to a clip, at random, what lenses, sensors, editors and codecs do.

    Each with its own probability: a smaller size, defocus, exposure and flicker, bars and
    captions, sensor noise, repeated frames, JPEG or MPEG-4 compression. Shape and dtype stay.
    """
    if rng.uniform() < 0.2:
        frames = _shrink(frames, rng.uniform(0.3, 0.8))
    if rng.uniform() < 0.2:
        sigma = rng.uniform(0.5, 2.5)
        frames = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])
    if rng.uniform() < 0.4:
        frames = _expose(rng, frames)
    if rng.uniform() < 0.12:
        frames = _overlay(rng, frames)
    if rng.uniform() < 0.4:
        frames = _grain(rng, frames, 14 * rng.uniform(0.05, 1) ** 1.5)
    if rng.uniform() < 0.06:
        every = int(rng.integers(2, 4))
        frames = frames[np.arange(len(frames)) // every * every]
    codec: Any = rng.choice(["none", "jpeg", "mp4v"], p=[0.35, 0.35, 0.3])
    if codec == "jpeg":
        quality = int(rng.integers(15, 85))
        frames = np.stack([_jpeg(frame, quality) for frame in frames])
    elif codec == "mp4v":
        frames = encode_and_decode(frames, "mp4v")
    return frames
