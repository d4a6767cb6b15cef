"""Draws people of rounded limbs: a skeleton that is posed, and a small ray marcher that shades it.

A figure is a list of *parts*, capsules with a radius at either end. Parts of one material melt into
each other (a smooth minimum of their distances), so that shoulders, hips and folds look grown, not
assembled. Lengths are metres: x to the right, y up, z toward the viewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Point = npt.NDArray[np.float64]
"""float64 (3,), or several, (..., 3)."""
Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
SIDES = (-1, 1)
"""Left and right, as the viewer sees them in a figure that faces the viewer."""

UPPER_ARM, FOREARM, THIGH, SHANK = 0.29, 0.26, 0.44, 0.43
SHOULDER_HEIGHT, SHOULDER_HALF, HIP_HALF = 0.50, 0.17, 0.085
"""Of the shoulders above the pelvis, and of shoulders and hips from the middle."""


class Material(NamedTuple):
    """A surface; `blend` is how far its parts melt into each other, in metres."""

    color: Color
    blend: float = 0.03
    gloss: float = 0.0


class Part(NamedTuple):
    """A capsule from `start` to `end`, with a radius at either end."""

    start: Point
    end: Point
    radii: tuple[float, float]
    material: Material


def beside(point: Point, x: float, y: float, z: float) -> Point:
    """Returns a point that is so much further right, up and toward the viewer."""
    return np.asarray(point + np.array([x, y, z]))


def part(
    start: npt.ArrayLike, end: npt.ArrayLike, radii: tuple[float, float], material: Material
) -> Part:
    """Makes a part of any numbers."""
    return Part(np.array(start, np.float64), np.array(end, np.float64), radii, material)


class Outfit(NamedTuple):
    """What a figure looks like."""

    skin: Material = Material((214, 160, 128), 0.025, 0.1)
    hair: Material = Material((58, 38, 26), 0.03, 0.2)
    shirt: Material = Material((196, 52, 44), 0.06)
    trousers: Material = Material((48, 66, 104), 0.02)
    shoes: Material = Material((238, 238, 234), 0.03)
    features: Material = Material((52, 30, 26), 0.004)
    sleeves: float = 0.5
    """How much of the upper arm (to 1) and the forearm (to 2) they cover."""
    bagginess: float = 0.0
    """Metres that the cloth adds to the limbs."""


@dataclass(frozen=True)
class Pose:
    """Where a figure is; what it does with its joints follows from hands and feet."""

    pelvis: tuple[float, float, float]
    hands: tuple[tuple[float, float, float], tuple[float, float, float]]
    feet: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Wrists and ankles, left and right."""
    lean: tuple[float, float] = (0.0, 0.0)
    """How far the shoulders are from above the pelvis, to the right and forward."""
    turn: float = 0.0
    """Degrees about the vertical axis."""
    nod: float = 0.0
    """Degrees: positive looks up."""
    shrug: float = 0.0
    """Metres that the shoulders are raised."""
    elbows: tuple[float, float, float] = (0.35, -1.0, -0.35)
    knees: tuple[float, float, float] = (0.25, 0.0, 1.0)
    """Where they point: outward, up, forward."""


@dataclass(frozen=True)
class Camera:
    """A parallel view from a little above, and the light in it."""

    size: tuple[int, int]
    """Width and height in pixels."""
    scale: float
    """Pixels in a metre."""
    origin: tuple[float, float]
    """The pixel that shows the point between the feet, (0, 0, 0)."""
    pitch: float = 8.0
    """Degrees that the camera looks down."""
    light: tuple[float, float, float] = (-0.55, 0.75, 0.55)
    """Toward the lamp or the sun."""
    sun: tuple[float, float, float] = (1.75, 1.6, 1.4)
    sky: tuple[float, float, float] = (0.42, 0.52, 0.68)
    ground: tuple[float, float, float] = (0.22, 0.26, 0.12)
    """Red, green, blue of the light from the lamp, from above and from below (linear)."""
    shadow: float = 0.55
    """How dark the figure's shadow is at its foot."""

    def to_camera(self, points: Point) -> Point:
        """Turns points (..., 3) of the world into the camera's: x right, y up, z to the viewer."""
        c, s = math.cos(math.radians(self.pitch)), math.sin(math.radians(self.pitch))
        return np.asarray(points @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]))

    def to_pixels(self, points: Point) -> Point:
        """Says where points (..., 3) of the camera's are seen: (..., 2), columns and rows."""
        return np.array(self.origin) + self.scale * points[..., :2] * (1, -1)


def middle_joint(
    start: Point,
    end: Point,
    lengths: tuple[float, float],
    toward: Point,
) -> Point:
    """Finds the elbow or knee of two bones between two points, bent `toward` a direction."""
    first, second = lengths
    axis = end - start
    distance = min(float(np.linalg.norm(axis)), 0.999 * (first + second))
    axis = axis / np.linalg.norm(axis)
    along = (distance**2 + first**2 - second**2) / (2 * distance)
    side = toward - axis * (toward @ axis)
    side = side / np.linalg.norm(side)
    return np.asarray(start + axis * along + side * math.sqrt(max(first**2 - along**2, 0.0)))


def draw_head(neck: Point, nod: float, outfit: Outfit) -> list[Part]:
    """Returns neck, skull, face and hair above the base of the neck."""
    angle = math.radians(nod)
    c, s = math.cos(angle), math.sin(angle)

    def at(x: float, y: float, z: float) -> Point:
        return beside(neck, x, 0.08 + c * y + s * z, c * z - s * y)

    skin, hair, dark = outfit.skin, outfit.hair, outfit.features
    parts = [
        part(beside(neck, 0, -0.01, -0.015), at(0, 0.04, 0), (0.055, 0.05), skin),
        part(at(0, 0.125, 0), at(0, 0.05, 0.03), (0.095, 0.068), skin),
        part(at(0, 0.10, 0.095), at(0, 0.075, 0.113), (0.012, 0.016), skin),
        part(at(0, 0.155, -0.028), at(0, 0.13, -0.035), (0.105, 0.1), hair),
        part(at(-0.05, 0.205, 0.03), at(0.05, 0.205, 0.03), (0.038, 0.038), hair),
        part(at(-0.02, 0.044, 0.089), at(0, 0.038, 0.094), (0.006, 0.008), dark),
        part(at(0.02, 0.044, 0.089), at(0, 0.038, 0.094), (0.006, 0.008), dark),
    ]
    for side in SIDES:
        parts += [
            part(at(side * 0.095, 0.12, -0.005), at(side * 0.097, 0.09, 0), (0.022, 0.016), skin),
            part(at(side * 0.035, 0.117, 0.086), at(side * 0.035, 0.111, 0.088), (0.01,) * 2, dark),
            part(
                at(side * 0.024, 0.144, 0.086), at(side * 0.05, 0.144, 0.077), (0.005, 0.004), hair
            ),
        ]
    return parts


def draw_figure(pose: Pose, outfit: Outfit) -> list[Part]:
    """Returns the parts of a figure in a pose."""
    pelvis = np.array(pose.pelvis)
    lean_x, lean_z = pose.lean
    rise = math.sqrt(SHOULDER_HEIGHT**2 - lean_x**2 - lean_z**2)
    chest = beside(pelvis, lean_x, rise, lean_z)
    spine = (chest - pelvis) / SHOULDER_HEIGHT
    shirt, trousers, skin, baggy = outfit.shirt, outfit.trousers, outfit.skin, outfit.bagginess
    parts = [
        part(beside(pelvis, -0.06, 0, 0), beside(pelvis, 0.06, 0, 0), (0.108, 0.108), trousers),
        part(
            beside(pelvis, -0.045, 0.05, 0),
            beside(pelvis, 0.045, 0.05, 0),
            (0.122 + baggy,) * 2,
            shirt,
        ),
        *draw_head(chest + spine * 0.06, pose.nod, outfit),
    ]
    for side, hand, foot in zip(SIDES, pose.hands, pose.feet, strict=True):
        outward = np.array([side, 1, 1])
        ribs, waist = (
            beside(pelvis + spine * up, side * out, 0, 0)
            for up, out in ((0.39, 0.09), (0.1, 0.045))
        )
        shoulder = beside(chest, side * SHOULDER_HALF, pose.shrug - 0.02, 0)
        wrist = np.array(hand)
        elbow = middle_joint(shoulder, wrist, (UPPER_ARM, FOREARM), outward * pose.elbows)
        forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        parts += [
            part(waist, ribs, (0.112 + baggy, 0.106 + baggy), shirt),
            part(beside(chest, side * 0.05, 0.03, 0), shoulder, (0.05, 0.062), shirt),
            part(shoulder, elbow, (0.05, 0.042), skin),
            part(elbow, wrist, (0.042, 0.03), skin),
            part(wrist + forearm * 0.03, wrist + forearm * 0.085, (0.036, 0.028), skin),
        ]
        upper, lower = min(outfit.sleeves, 1.0), max(outfit.sleeves - 1, 0.0)
        cuff = shoulder + (elbow - shoulder) * upper
        parts.append(part(shoulder, cuff, (0.064 + baggy, 0.058 + baggy), shirt))
        if lower:
            parts.append(
                part(cuff, cuff + (wrist - elbow) * lower, (0.056 + baggy, 0.046 + baggy), shirt)
            )
        hip, ankle = beside(pelvis, side * HIP_HALF, 0, 0), np.array(foot)
        knee = middle_joint(hip, ankle, (THIGH, SHANK), outward * pose.knees)
        toe = beside(ankle, side * 0.04, -0.035, 0.15)
        parts += [
            part(hip, knee, (0.095 + baggy, 0.066 + baggy), trousers),
            part(knee, beside(ankle, 0, 0.01, 0), (0.066 + baggy, 0.05 + baggy), trousers),
            part(beside(ankle, 0, -0.03, -0.04), toe, (0.044, 0.036), outfit.shoes),
        ]
    return turned(parts, pose.turn)


def turned(parts: list[Part], degrees: float) -> list[Part]:
    """Turns parts about the vertical axis; positive looks to the viewer's right."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return [p._replace(start=p.start @ matrix, end=p.end @ matrix) for p in parts]


@dataclass
class Tracer:
    """Shades parts as one camera sees them."""

    camera: Camera
    parts: list[Part]
    materials: list[Material] = field(init=False)

    def __post_init__(self) -> None:
        """Lists the materials, and moves the parts into the camera's view."""
        self.materials = list(dict.fromkeys(p.material for p in self.parts))
        self.seen = [
            p._replace(start=self.camera.to_camera(p.start), end=self.camera.to_camera(p.end))
            for p in self.parts
        ]

    def distance(self, points: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Says how far points (N, 3) are from the nearest surface, and which material it has."""
        found = np.empty((len(self.materials), len(points)), np.float32)
        for row, material in zip(found, self.materials, strict=True):
            row.fill(9)
            for p in self.seen:
                if p.material == material:
                    melt(row, capsule_distance(points, p), material.blend)
        nearest = found.argmin(axis=0)
        return np.take_along_axis(found, nearest[None], 0)[0], nearest

    def depths(self) -> tuple[Floats, Floats]:
        """Says between which depths each pixel may meet a part: float32 (height, width), twice."""
        width, height = self.camera.size
        near = np.full((height, width), -9, np.float32)
        far = np.full((height, width), 9, np.float32)
        for p in sorted(self.seen, key=lambda p: max(p.start[2], p.end[2])):
            radius = max(p.radii) + 0.02
            ends = np.round(self.camera.to_pixels(np.stack([p.start, p.end]))).astype(int)
            mask = np.zeros((height, width), np.uint8)
            thickness = math.ceil(2 * radius * self.camera.scale)
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 1, thickness)
            inside = mask > 0
            near[inside] = np.maximum(near[inside], max(p.start[2], p.end[2]) + radius)
            far[inside] = np.minimum(far[inside], min(p.start[2], p.end[2]) - radius)
        return near, far

    def trace(self) -> tuple[Floats, Floats]:
        """Returns the picture and where it is: float32 (height, width, 3) and (height, width).

        The picture is linear light, red, green, blue; the mask is 0 or 1.
        """
        width, height = self.camera.size
        near, far = self.depths()
        rows, columns = np.nonzero(near > -9)
        points = np.empty((len(rows), 3), np.float32)
        points[:, 0] = (columns + 0.5 - self.camera.origin[0]) / self.camera.scale
        points[:, 1] = (self.camera.origin[1] - rows - 0.5) / self.camera.scale
        points[:, 2] = near[rows, columns]
        last = far[rows, columns]
        active = np.arange(len(points))
        hit = np.zeros(len(points), bool)
        for _ in range(40):
            gap, _ = self.distance(points[active])
            points[active, 2] -= gap * 0.9
            hit[active[gap < 0.003]] = True
            active = active[(gap >= 0.003) & (points[active, 2] > last[active])]
            if not len(active):
                break
        color: Floats = np.zeros((height, width, 3), np.float32)
        mask: Floats = np.zeros((height, width), np.float32)
        color[rows[hit], columns[hit]] = self.shade(points[hit])
        mask[rows[hit], columns[hit]] = 1
        return color, mask

    def shade(self, points: Floats) -> Floats:
        """Lights points on surfaces: float32 (N, 3), linear red, green, blue."""
        _, material = self.distance(points)
        normals = np.zeros_like(points)
        for corner in np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32):
            normals += corner * self.distance(points + corner * np.float32(0.006))[0][:, None]
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        light = np.array(self.camera.light) / np.linalg.norm(self.camera.light)
        light = self.camera.to_camera(light).astype(np.float32)
        up = self.camera.to_camera(np.array([0.0, 1, 0])).astype(np.float32)
        lit = self.visible(points, normals, light) * np.clip(normals @ light, 0, 1)
        open_sky = np.clip(self.distance(points + 0.07 * normals)[0] / 0.07, 0, 1) * 0.6 + 0.4
        above = 0.5 + 0.5 * (normals @ up)
        half = light + np.array([0, 0, 1], np.float32)
        shine = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 24 * lit
        colors = np.array([m.color for m in self.materials], np.float32)[material] / 255
        gloss = np.array([m.gloss for m in self.materials], np.float32)[material]
        ambient = above[:, None] * np.array(self.camera.sky, np.float32)
        ambient += (1 - above[:, None]) * np.array(self.camera.ground, np.float32)
        sun = np.array(self.camera.sun, np.float32)
        shaded = colors**2.2 * (lit[:, None] * sun + ambient * open_sky[:, None])
        shaded += (gloss * shine)[:, None] * sun
        return np.asarray(shaded / (1 + 0.25 * shaded), np.float32)

    def visible(self, points: Floats, normals: Floats, light: Floats) -> Floats:
        """Says how much of the lamp points (N, 3) see, from 0 to 1."""
        seen: Floats = np.ones(len(points), np.float32)
        travelled = np.full(len(points), 0.03, np.float32)
        start = points + 0.01 * normals
        for _ in range(10):
            gap, _ = self.distance(start + travelled[:, None] * light)
            seen = np.minimum(seen, np.clip(7 * gap / travelled, 0, 1))
            travelled += np.clip(gap, 0.02, 0.2)
        return seen

    def ground_shadow(self) -> Floats:
        """Returns how dark the ground is made, float32 (height, width), 0 to 1."""
        width, height = self.camera.size
        light = np.array(self.camera.light)
        total: Floats = np.zeros((height, width), np.float32)
        for p in self.parts:
            ends = [at - light * (at[1] / light[1]) for at in (p.start, p.end)]
            pixels = self.camera.to_pixels(self.camera.to_camera(np.stack(ends)))
            first, second = (tuple(map(round, pixel)) for pixel in pixels.tolist())
            thickness = max(1, round(1.5 * max(p.radii) * self.camera.scale))
            spot = np.zeros((height, width), np.float32)
            cv2.line(spot, first, second, (1.0,), thickness, cv2.LINE_AA)
            softness = (0.02 + 0.05 * float(p.start[1] + p.end[1]) / 2) * self.camera.scale
            np.maximum(total, cv2.GaussianBlur(spot, (0, 0), softness), out=total)
        return total * self.camera.shadow


def capsule_distance(points: Floats, shape: Part) -> Floats:
    """Says how far points (N, 3) are from a capsule, float32 (N,)."""
    axis = (shape.end - shape.start).astype(np.float32)
    offset = points - shape.start.astype(np.float32)
    along = np.clip(offset @ axis / max(float(axis @ axis), 1e-9), 0, 1)
    offset -= along[:, None] * axis
    first, second = shape.radii
    gap = np.sqrt(np.einsum("ij,ij->i", offset, offset))
    return np.asarray(gap - (first + along * np.float32(second - first)), np.float32)


def melt(first: Floats, second: Floats, blend: float) -> None:
    """Takes the smooth minimum of two distances into the first."""
    overlap = np.clip(blend - np.abs(first - second), 0, None)
    np.minimum(first, second, out=first)
    first -= overlap * overlap / np.float32(4 * blend)


def compose(background: Image, tracer: Tracer) -> Image:
    """Puts what a tracer sees, and its shadow, on a background of the same size, RGB."""
    color, mask = tracer.trace()
    behind = (background.astype(np.float32) / 255) ** 2.2
    behind = behind * (1 - tracer.ground_shadow()[..., None])
    mixed = behind + mask[..., None] * (color - behind)
    return np.asarray(255 * np.clip(mixed, 0, 1) ** (1 / 2.2), np.uint8)
