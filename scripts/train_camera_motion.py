"""Trains, exports and measures the embedded model `camera-motion`.

A small 3-D convolutional network in the format and behind the signature of DeepMind's I3D module:
it names the camera's move in a clip (see `LABELS` in camera_moves.py). Everything it learns from
is painted by camera_moves.py from random numbers; no picture or video is read for training.

    python scripts/train_camera_motion.py                       # render, train, export, measure
    python scripts/train_camera_motion.py --evaluate-only       # measure the exported model
    python scripts/train_camera_motion.py --evaluate-only --real-videos FOLDER

Needs tensorflow, numpy and opencv only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import queue
import shutil
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from camera_moves import (
    LABELS,
    SCENE_FAMILIES,
    Frames,
    Image,
    Motion,
    Start,
    Wobble,
    degrade,
    encode_and_decode,
    make_mover,
    make_scene,
    read_frames,
    render_move,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME_SIZE = 224
"""Side of the network's input, as I3D's."""
CLIP_FRAMES = 25
"""Frames of a rendered training clip: three output steps (ceil(25 / 8) - 1)."""
WINDOWS = (9, 13, 17, 17, 21, 25)
"""Numbers of frames the network is trained on, drawn once a batch: 9 is the shortest it takes."""
HELD_OUT_FAMILIES = ("mosaic", "strokes")
"""Scene families that training never sees, neither as scenes nor as moving objects."""
TRAIN_FAMILIES = tuple(name for name in SCENE_FAMILIES if name not in HELD_OUT_FAMILIES)
CLIPS_PER_SCENE = 2
"""A scene costs about as much to paint as a clip of it costs to render."""
SPECIAL_SHARE = 0.04
"""Share of each batch that has no scene at all: black, plain and noisy clips must be static."""
SPEED_STEPS: dict[str, tuple[float, ...]] = {
    "pan": (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2),
    "tilt": (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2),
    "zoom": (1.02, 1.04, 1.08, 1.15, 1.3, 1.6, 2.2, 3.5),
    "roll": (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0),
}
"""Speeds of the per-speed table, in `render_move`'s units, at 25 frames a second."""
FOOTAGE_SPEEDS: dict[str, tuple[float, ...]] = {
    "static": (0.0, 0.002, 0.005),  # for static: amplitude of the hand's shake in frame widths
    "pan": (0.08, 0.25, 0.6),
    "tilt": (0.08, 0.25, 0.6),
    "zoom": (1.1, 1.35, 1.8),
    "roll": (6.0, 20.0, 50.0),
}
"""Slow, medium and fast moves over frames of real footage."""

Clips = npt.NDArray[np.uint8]
"""uint8, (clips, frames, 224, 224, 3), RGB."""
Weights = dict[str, Any]
"""Tensors or arrays by name."""


# ---------------------------------------------------------------------------------------------
# Training clips
# ---------------------------------------------------------------------------------------------


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draws a number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_motion(rng: np.random.Generator, label: str) -> tuple[Motion, float]:
    """Draws how the camera moves.

    Returns:
        The motion, and its speed in pixels a frame (of 224) at the frame's edge.
    """
    fps = log_uniform(rng, 8, 60)
    kind = label.partition(" ")[0]
    # From where a move is lost in compression to where next to nothing of the last frame is left.
    low, high = {"zoom": (0.35, 6.0), "roll": (0.35, 8.0)}.get(kind, (0.25, 14.0))
    pixels = 0.0 if kind == "static" else log_uniform(rng, low, high)
    turn = pixels / (FRAME_SIZE / 2)
    speeds = {"zoom": math.exp(turn * fps), "roll": math.degrees(turn * fps)}
    speed = speeds.get(kind, pixels / FRAME_SIZE * fps)
    # Shake and drift must stay smaller than the move, or the label would be wrong.
    shake = min(3.0, 0.15 * pixels * CLIP_FRAMES) if kind != "static" else 1.5
    drift = 0.04 if kind == "static" else 0.2 * pixels
    heading = rng.uniform(0, 2 * math.pi)
    pace = rng.uniform(0, drift) / FRAME_SIZE * fps
    eased = rng.uniform() < 0.5
    motion = Motion(
        speed=speed,
        fps=fps,
        ease=rng.uniform(-0.5, 0.5) if eased else 0.0,
        swell=rng.uniform(-0.3, 0.4) if eased else 0.0,
        drift=(pace * math.cos(heading), pace * math.sin(heading)),
        wobble=Wobble(
            amplitude=rng.uniform(0, shake) / FRAME_SIZE if rng.uniform() < 0.5 else 0.0,
            seed=int(rng.integers(2**31)),
        ),
        shutter=rng.uniform(0.1, 0.9) if rng.uniform() < 0.6 else 0.0,
    )
    return motion, pixels


def draw_start(rng: np.random.Generator, label: str) -> Start:
    """Draws where the camera looks at first: wide if it will zoom in, narrow if out."""
    low, high = {"zoom in": (0.45, 1.1), "zoom out": (0.2, 0.7)}.get(label, (0.25, 0.95))
    x, y = rng.uniform(0.3, 0.7, 2)
    return Start((float(x), float(y)), rng.uniform(low, high), rng.normal(0, 0.05))


def draw_special(rng: np.random.Generator) -> Frames:
    """Draws a clip without a scene: pure noise, or one plain colour. Both are static."""
    shape = (CLIP_FRAMES, FRAME_SIZE, FRAME_SIZE, 3)
    if rng.uniform() < 0.4:
        color = rng.integers(0, 256, 3) * (rng.uniform() < 0.6)
        return np.full(shape, color, np.uint8)
    grain = 2 ** int(rng.integers(0, 4))
    small = rng.normal(
        rng.uniform(40, 200), rng.uniform(5, 80), (*shape[:1], *([FRAME_SIZE // grain] * 2), 3)
    )
    coarse = np.clip(small, 0, 255).astype(np.uint8)
    return np.stack([cv2.resize(frame, (FRAME_SIZE, FRAME_SIZE)) for frame in coarse])


def draw_clip(seed: list[int], image: Image, label: str) -> tuple[Frames, float]:
    """Renders one training clip over a scene.

    Returns:
        Frames, uint8 (25, 224, 224, 3), RGB; and the speed in pixels a frame at the edge.
    """
    rng = np.random.default_rng(seed)
    static = label == "static"
    if static and rng.uniform() < 0.08:
        return draw_special(rng), 0.0
    motion, pixels = draw_motion(rng, label)
    movers = []
    if rng.uniform() < (0.65 if static else 0.45):
        for _ in range(int(rng.integers(1, 4))):
            side = rng.uniform(0.08, 0.65 if static else 0.5)
            pace = log_uniform(rng, 0.3, 8) * motion.fps / FRAME_SIZE
            movers.append(make_mover(rng, side, pace))
    frames = render_move(
        image,
        label,
        CLIP_FRAMES,
        (FRAME_SIZE, FRAME_SIZE),
        motion=motion,
        start=draw_start(rng, label),
        movers=tuple(movers),
    )
    if not (static and rng.uniform() < 0.1):  # a tenth of static: not even noise moves
        frames = degrade(frames, rng)
    return np.ascontiguousarray(frames[..., ::-1]), pixels


def render_scene_clips(
    path: str, families: tuple[str, ...], seed: list[int], scene: int
) -> list[tuple[int, int, float]]:
    """Renders the clips over one scene into an .npy file.

    Every number depends on `seed` and `scene` alone, never on which process does it.

    Returns:
        Per clip: its index in the file, its label's index, its speed in pixels a frame.
    """
    cv2.setNumThreads(1)
    clips = np.load(path, mmap_mode="r+")
    rng = np.random.default_rng([*seed, scene])
    image = make_scene(families[scene % len(families)], [*seed, scene, 0])
    rows = []
    for index in range(scene * CLIPS_PER_SCENE, (scene + 1) * CLIPS_PER_SCENE):
        # 1.5 times as many static clips as of any other label: nothing mirrors into static.
        label = int(rng.choice(len(LABELS), p=np.array([1.5] + [1.0] * 8) / 9.5))
        clips[index], pixels = draw_clip([*seed, scene, index], image, LABELS[label])
        rows.append((index, label, pixels))
    return rows


@dataclass(frozen=True)
class ClipSet:
    """Rendered clips: uint8 (n, 25, 224, 224, 3), RGB; labels (n,); pixels a frame (n,)."""

    clips: Clips
    labels: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.float64]


def render_set(
    folder: Path, name: str, families: tuple[str, ...], seed: list[int], num_clips: int, jobs: int
) -> ClipSet:
    """Renders a set of clips into `folder` with `jobs` processes, unless it is there already."""
    stem = f"{name}-{'-'.join(map(str, seed))}-{num_clips}"
    path, index_path = folder / f"{stem}.npy", folder / f"{stem}-labels.npz"
    if index_path.exists():
        kept = np.load(index_path)
        return ClipSet(np.load(path, mmap_mode="r"), kept["labels"], kept["pixels"])
    shape = (num_clips, CLIP_FRAMES, FRAME_SIZE, FRAME_SIZE, 3)
    npy_format: Any = np.lib.format  # untyped before NumPy 2.3
    clips = npy_format.open_memmap(path, "w+", np.uint8, shape)
    labels, pixels = np.zeros(num_clips, np.int64), np.zeros(num_clips)
    began = time.monotonic()
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        tasks = [
            pool.submit(render_scene_clips, str(path), families, seed, scene)
            for scene in range(num_clips // CLIPS_PER_SCENE)
        ]
        for task in tasks:
            for index, label, speed in task.result():
                labels[index], pixels[index] = label, speed
    np.savez(index_path, labels=labels, pixels=pixels)
    print(f"rendered {name}: {num_clips} clips in {time.monotonic() - began:.0f} s", flush=True)
    return ClipSet(clips, labels, pixels)


def swap_labels(*pairs: tuple[str, str]) -> npt.NDArray[np.int64]:
    """Returns the label index that each label turns into when pairs of labels change places."""
    table = np.arange(len(LABELS))
    for first, second in pairs:
        one, two = LABELS.index(first), LABELS.index(second)
        table[one], table[two] = two, one
    return table


PANS, TILTS = ("pan left", "pan right"), ("tilt up", "tilt down")
ZOOMS, ROLLS = ("zoom in", "zoom out"), ("roll left", "roll right")
REVERSED = swap_labels(PANS, TILTS, ZOOMS, ROLLS)
MIRRORED = swap_labels(PANS, ROLLS)
FLIPPED = swap_labels(TILTS, ROLLS)
TRANSPOSED = swap_labels(("pan left", "tilt up"), ("pan right", "tilt down"), ROLLS)


def vary(rng: np.random.Generator, clip: Frames, label: int, window: int) -> tuple[Frames, int]:
    """Cuts a window of frames and mirrors, flips, transposes or reverses it, and its label."""
    first = int(rng.integers(0, len(clip) - window + 1))
    clip = clip[first : first + window]
    choices = rng.uniform(size=4) < 0.5
    if choices[0]:
        clip, label = clip[::-1], int(REVERSED[label])
    if choices[1]:
        clip, label = clip[:, :, ::-1], int(MIRRORED[label])
    if choices[2]:
        clip, label = clip[:, ::-1], int(FLIPPED[label])
    if choices[3]:
        clip, label = clip.transpose(0, 2, 1, 3), int(TRANSPOSED[label])
    return clip, label


def batches(
    clips: ClipSet, seed: list[int], batch: int, steps: int
) -> Iterator[tuple[Clips, npt.NDArray[np.int64]]]:
    """Yields training batches, each of one window length, made ready in a thread."""
    ready: queue.Queue[tuple[Clips, npt.NDArray[np.int64]]] = queue.Queue(maxsize=3)

    def work() -> None:
        order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        rng = np.random.default_rng([*seed, 99])
        for _ in range(steps):
            if len(order) < batch:
                order = np.concatenate([order, rng.permutation(len(clips.labels))])
            chosen, order = order[:batch], order[batch:]
            window = int(rng.choice(WINDOWS))
            varied = []
            for i in chosen:
                clip, label = clips.clips[i], int(clips.labels[i])
                if rng.uniform() < SPECIAL_SHARE:
                    clip, label = draw_special(rng), 0
                varied.append(vary(rng, clip, label, window))
            ready.put((np.stack([v[0] for v in varied]), np.array([v[1] for v in varied])))

    threading.Thread(target=work, daemon=True).start()
    for _ in range(steps):
        yield ready.get()


# ---------------------------------------------------------------------------------------------
# The network
# ---------------------------------------------------------------------------------------------

KERNELS: dict[str, tuple[int, int, int, int, int]] = {
    "stem": (1, 8, 8, 3, 16),
    "coarse": (1, 7, 7, 16, 16),
    "fine_motion": (3, 5, 5, 16, 32),
    "slow_motion": (3, 5, 5, 16, 24),
    "coarse_motion": (3, 3, 3, 16, 24),
    "mix": (3, 3, 3, 56, 48),
    "field": (3, 3, 3, 72, 48),
    "squeeze": (1, 1, 1, 48, 24),
    "layout": (1, 7, 7, 24, 48),
    "logits": (1, 1, 1, 48, 9),
}
"""Convolutions by name: time, height, width, channels in, channels out."""
LINEAR = ("stem", "coarse")
"""Without bias, batch norm or ReLU; their kernels have zero mean, so that even light is nothing."""
BATCH_NORM_EPSILON = 1e-3  # I3D's
CONTRAST_EPSILON = 1e-3
"""Below this mean square (contrast of about 3 % of the range) a picture's contrast is not raised
to the common level: it would be sensor noise."""
GRIDS = {"stem": (55, 11), "coarse": (14, 5)}
"""Side of the grid and of the window (44 and 80 pixels) over which contrast is measured."""


def box_average(side: int, window: int) -> npt.NDArray[np.float32]:
    """Returns a matrix (side, side) that averages over a window, narrower at the ends."""
    distance = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    near = (distance <= window // 2).astype(np.float32)
    return np.asarray(near / near.sum(1, keepdims=True), np.float32)


def even_contrast(x: Any, grid: str) -> Any:
    """Divides by the local root mean square over channels and a window, frame by frame."""
    average = tf.constant(box_average(*GRIDS[grid]))
    energy = tf.reduce_mean(tf.square(x), axis=-1, name="energy")
    energy = tf.matmul(tf.matmul(average, energy), average, transpose_b=True)
    return x * tf.expand_dims(tf.math.rsqrt(energy + CONTRAST_EPSILON), -1)


def every(x: Any, frames: int) -> Any:
    """Averages each `frames` frames into one."""
    window = (1, frames, 1, 1, 1)
    return tf.nn.avg_pool3d(x, window, window, "SAME")


class Inference:
    """Folded convolutions with bias, and ReLU: what is exported."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def stem(self, frames: Any) -> Any:
        """Filters the frames as they come: the first operation on the input."""
        return tf.nn.conv3d(frames, self.weights["stem/kernel"], (1, 1, 4, 4, 1), "VALID")

    def linear(self, x: Any, name: str, stride: tuple[int, int, int]) -> Any:
        """Convolves and no more."""
        return tf.nn.conv3d(x, self.weights[f"{name}/kernel"], (1, *stride, 1), "SAME")

    def unit(self, x: Any, name: str, stride: tuple[int, int, int], padding: str = "SAME") -> Any:
        """Convolves, adds the bias, applies ReLU."""
        x = tf.nn.conv3d(x, self.weights[f"{name}/kernel"], (1, *stride, 1), padding)
        return tf.nn.relu(x + self.weights[f"{name}/bias"])


class Training(Inference):
    """Convolutions with batch norm (no scale, as I3D's) over the batch, and ReLU."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.moments: Weights = {}

    def stem(self, frames: Any) -> Any:
        """The strided 8x8 convolution as a 2x2 one over 4x4 blocks: the same sums, faster."""
        outer, blocks = frames.shape[:2], FRAME_SIZE // 4
        x = tf.reshape(frames, (*outer, blocks, 4, blocks, 4, 3))
        x = tf.reshape(tf.transpose(x, (0, 1, 2, 4, 3, 5, 6)), (*outer, blocks, blocks, 48))
        kernel = without_mean(self.weights["stem/kernel"])
        kernel = tf.reshape(kernel, (2, 4, 2, 4, 3, KERNELS["stem"][-1]))
        kernel = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3, 4, 5)), (1, 2, 2, 48, -1))
        return tf.nn.conv3d(x, kernel, (1, 1, 1, 1, 1), "VALID")

    def linear(self, x: Any, name: str, stride: tuple[int, int, int]) -> Any:
        """Convolves with the kernel's mean taken out."""
        kernel = without_mean(self.weights[f"{name}/kernel"])
        return tf.nn.conv3d(x, kernel, (1, *stride, 1), "SAME")

    def unit(self, x: Any, name: str, stride: tuple[int, int, int], padding: str = "SAME") -> Any:
        """Convolves, applies batch norm and ReLU; keeps the batch's moments."""
        x = tf.nn.conv3d(x, self.weights[f"{name}/kernel"], (1, *stride, 1), padding)
        mean, variance = tf.nn.moments(x, (0, 1, 2, 3))
        self.moments[name] = (mean, variance)
        scaled = (x - mean) * tf.math.rsqrt(variance + BATCH_NORM_EPSILON)
        return tf.nn.relu(scaled + self.weights[f"{name}/bias"])


def without_mean(kernel: Any) -> Any:
    """Takes the spatial mean out of each filter, (time, height, width, in, out)."""
    return kernel - tf.reduce_mean(kernel, axis=(1, 2), keepdims=True)


def step_logits(net: Inference, frames: Any) -> Any:
    """Maps frames (batch, T, 224, 224, 3) in [-1, 1] to step logits (batch, ceil(T/8) - 1, 9)."""
    stem = net.stem(frames)
    coarse = even_contrast(net.linear(stem, "coarse", (1, 4, 4)), "coarse")
    edges = even_contrast(stem, "stem")
    fine = net.unit(edges, "fine_motion", (2, 2, 2))
    slow = net.unit(every(edges, 4), "slow_motion", (1, 2, 2))
    fast = net.unit(coarse, "coarse_motion", (2, 1, 1))
    mixed = net.unit(tf.concat([every(fine, 2), slow], -1), "mix", (1, 2, 2))
    field = net.unit(tf.concat([mixed, every(fast, 2)], -1), "field", (2, 2, 2))
    layout = net.unit(net.unit(field, "squeeze", (1, 1, 1)), "layout", (1, 1, 1), "VALID")
    pooled = tf.nn.avg_pool3d(layout, (1, 2, 1, 1, 1), (1, 1, 1, 1, 1), "VALID")
    logits = tf.nn.conv3d(pooled, net.weights["logits/kernel"], (1, 1, 1, 1, 1), "SAME")
    return tf.squeeze(logits + net.weights["logits/bias"], (2, 3), name="step_logits")


def initial_weights(seed: list[int]) -> Weights:
    """Draws kernels (He's variance) and zero biases, as variables."""
    rng = np.random.default_rng([*seed, 5])
    weights: Weights = {}
    for name, shape in KERNELS.items():
        gain = 1.0 if name in (*LINEAR, "logits") else 2.0
        kernel = rng.normal(0, math.sqrt(gain / math.prod(shape[:-1])), shape)
        weights[f"{name}/kernel"] = tf.Variable(kernel.astype(np.float32))
        if name not in LINEAR:
            weights[f"{name}/bias"] = tf.Variable(np.zeros(shape[-1], np.float32))
    return weights


def fold(weights: Weights, moments: Weights) -> dict[str, npt.NDArray[np.float32]]:
    """Folds batch norm's running moments into kernels and biases: weights for `Inference`."""
    folded = {name: np.asarray(value.numpy(), np.float32) for name, value in weights.items()}
    for name in LINEAR:
        folded[f"{name}/kernel"] = np.asarray(without_mean(folded[f"{name}/kernel"]), np.float32)
    for name, (mean, variance) in moments.items():
        scale = 1 / np.sqrt(variance + BATCH_NORM_EPSILON)
        folded[f"{name}/kernel"] = folded[f"{name}/kernel"] * scale
        folded[f"{name}/bias"] = folded[f"{name}/bias"] - mean * scale
    return {name: value.astype(np.float32) for name, value in folded.items()}


# ---------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------


def smoothed_loss(logits: Any, labels: Any, smoothing: float = 0.02) -> Any:
    """Cross entropy; 2 % of the weight is spread over all labels so that logits stay finite."""
    target = tf.one_hot(labels, len(LABELS)) * (1 - smoothing) + smoothing / len(LABELS)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))


class Trainer:
    """Holds the variables, the optimizer and batch norm's running moments."""

    def __init__(self, seed: list[int], steps: int, peak: float) -> None:
        self.weights = initial_weights(seed)
        self.variables = [self.weights[name] for name in sorted(self.weights)]
        self.steps, self.peak = steps, peak
        self.optimizer = tf.keras.optimizers.AdamW(peak, weight_decay=0.02)
        self.running: Weights = {}
        self.compiled = tf.function(self._step, reduce_retracing=False)

    def rate(self, step: int) -> float:
        """Learning rate: a short linear rise, then half a cosine down to zero."""
        rise = max(1, min(100, self.steps // 10))
        if step < rise:
            return self.peak * (step + 1) / rise
        return self.peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (self.steps - rise)))

    def _step(self, clips: Any, labels: Any, light: Any) -> Any:
        frames = (tf.cast(clips, tf.float32) / 127.5 - 1) * light
        net = Training(self.weights)
        with tf.GradientTape() as tape:
            logits = step_logits(net, frames)
            num_steps = logits.shape[1]
            each = tf.reshape(logits, (-1, len(LABELS)))
            loss = smoothed_loss(tf.reduce_mean(logits, 1), labels)
            loss += smoothed_loss(each, tf.repeat(labels, num_steps))
        gradients = tape.gradient(loss, self.variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        right = tf.equal(tf.argmax(tf.reduce_mean(logits, 1), 1), labels)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32)), net.moments

    def step(
        self, number: int, clips: Clips, labels: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[float, float]:
        """Takes one optimizer step; returns the loss and the share of right labels."""
        # Light: each channel at half to full strength, half of the clips as negatives.
        light = rng.uniform(0.5, 1.0, (len(clips), 1, 1, 1, 3))
        light *= rng.choice([-1.0, 1.0], (len(clips), 1, 1, 1, 1))
        self.optimizer.learning_rate.assign(self.rate(number))
        loss, right, moments = self.compiled(
            tf.constant(clips), tf.constant(labels), tf.constant(light, tf.float32)
        )
        keep = min(0.98, number / (number + 1))
        for name, pair in moments.items():
            new = [np.asarray(value.numpy(), np.float64) for value in pair]
            old = self.running.get(name, new)
            self.running[name] = [keep * o + (1 - keep) * n for o, n in zip(old, new, strict=True)]
        return float(loss), float(right)

    def folded(self) -> dict[str, npt.NDArray[np.float32]]:
        """Returns the weights as they would be exported now."""
        return fold(self.weights, self.running)


def train(
    clips: ClipSet, seed: list[int], args: argparse.Namespace
) -> dict[str, npt.NDArray[np.float32]]:
    """Trains for `args.steps` batches; returns the folded weights."""
    trainer = Trainer(seed, args.steps, args.rate)
    rng = np.random.default_rng([*seed, 3])
    began, recent = time.monotonic(), []
    for number, (batch, labels) in enumerate(batches(clips, seed, args.batch, args.steps)):
        recent.append(trainer.step(number, batch, labels, rng))
        if (number + 1) % 50 == 0:
            loss, right = np.mean(recent[-50:], axis=0)
            spent = time.monotonic() - began
            print(f"step {number + 1} loss {loss:.3f} right {right:.3f} {spent:.0f} s", flush=True)
        if (number + 1) % 150 == 0:  # a run that is cut short leaves a model, if a rough one
            export(trainer.folded(), args.output)
    return trainer.folded()


# ---------------------------------------------------------------------------------------------
# Export
# ---------------------------------------------------------------------------------------------


def export(weights: dict[str, npt.NDArray[np.float32]], folder: Path) -> None:
    """Writes a TF1-format Hub module: empty tag set, signature `default`, no training ops."""
    if folder.exists():
        shutil.rmtree(folder)
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        shape = (None, None, FRAME_SIZE, FRAME_SIZE, 3)
        frames = v1.placeholder(tf.float32, shape, name="input_frames")
        variables = {
            name: v1.get_variable(
                f"camera_motion/{name}",
                value.shape,
                initializer=v1.zeros_initializer(),
                use_resource=True,
            )
            for name, value in weights.items()
        }
        with v1.name_scope("camera_motion/"):
            output = tf.reduce_mean(step_logits(Inference(variables), frames), 1, name="Mean")
        for name, variable in variables.items():
            variable.load(weights[name], session)
        signature = v1.saved_model.predict_signature_def({"rgb_input": frames}, {"default": output})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [], signature_def_map={"default": signature}, strip_default_attrs=True
        )
        builder.save()
    # A ModuleDef message with its one field, format = FORMAT_V3: what makes it a Hub module.
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")


# ---------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------


class Model:
    """The exported module, loaded the way tensorflow_hub loads it."""

    def __init__(self, folder: Path) -> None:
        self.module = tf.saved_model.load(str(folder), tags=[])
        self.signature = self.module.signatures["default"]

    def probabilities(self, frames: Frames) -> npt.NDArray[np.float32]:
        """Predicts float32 (9,) for frames as decoded: uint8 (T, height, width, 3), BGR."""
        clip = np.stack([crop_square(frame) for frame in frames])[..., ::-1]
        scaled = clip.astype(np.float32) / 127.5 - 1
        logits = self.signature(tf.constant(scaled[None]))["default"]
        return np.asarray(tf.nn.softmax(logits)[0], np.float32)

    def label(self, frames: Frames) -> int:
        """Predicts a label's index; `frames` as for `probabilities`."""
        return int(np.argmax(self.probabilities(frames)))


def crop_square(frame: Image) -> Image:
    """Cuts the central square and resizes it to 224 (bilinear), as the package does."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = height // 2 - side // 2, width // 2 - side // 2
    square = frame[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (FRAME_SIZE, FRAME_SIZE)), np.uint8)


def report_set(
    title: str, weights: dict[str, npt.NDArray[np.float32]], clips: ClipSet
) -> dict[str, Any]:
    """Measures the network on rendered clips; prints and returns the numbers."""
    net = Inference({name: tf.constant(value) for name, value in weights.items()})
    predict = tf.function(lambda x: tf.argmax(tf.reduce_mean(step_logits(net, x), 1), 1))
    found = []
    for first in range(0, len(clips.labels), 10):
        frames = clips.clips[first : first + 10].astype(np.float32) / 127.5 - 1
        found.append(predict(tf.constant(frames)).numpy())
    predicted = np.concatenate(found)
    right = predicted == clips.labels
    by_speed = {}
    edges = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 14.1)
    for low, high in itertools.pairwise(edges):
        chosen = (clips.pixels >= low) & (clips.pixels < high)
        by_speed[f"{low}-{high}"] = [int(right[chosen].sum()), int(chosen.sum())]
    result = summarize(title, clips.labels.tolist(), predicted.tolist())
    result["by_pixels_a_frame"] = by_speed
    print(f"  by pixels a frame: {by_speed}", flush=True)
    return result


def summarize(title: str, truth: list[int], predicted: list[int]) -> dict[str, Any]:
    """Prints and returns accuracy, accuracy by label, and the confusion matrix (rows: truth)."""
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (truth, predicted), 1)
    right = int(np.trace(confusion))
    by_label = {
        name: [int(row[i]), int(row.sum())]
        for i, (name, row) in enumerate(zip(LABELS, confusion, strict=True))
    }
    print(f"{title}: {right}/{len(truth)} = {right / max(len(truth), 1):.4f}", flush=True)
    print("  " + ", ".join(f"{k} {a}/{b}" for k, (a, b) in by_label.items()), flush=True)
    return {"right": right, "of": len(truth), "by_label": by_label, "confusion": confusion.tolist()}


def measure_special(model: Model) -> dict[str, Any]:
    """Clips that have no scene or hardly a move: label and probability of each."""
    rng = np.random.default_rng(8)
    still = np.repeat(make_scene("street", 11, 320)[None, 40:280], 64, axis=0)
    noise = rng.integers(0, 256, (64, 240, 320, 3)).astype(np.uint8)
    pixel = np.full((64, 240, 320, 3), rng.integers(0, 256, 3), np.uint8)
    clips = {"still": still, "black": np.zeros_like(still), "noise": noise, "one pixel": pixel}
    for label in LABELS:
        image = make_scene(HELD_OUT_FAMILIES[0], 12)
        clips[f"9 frames, {label}"] = render_move(image, label, 9, seed=2)
    found = {}
    for name, frames in clips.items():
        probabilities = model.probabilities(frames)
        best = int(np.argmax(probabilities))
        found[name] = [LABELS[best], round(float(probabilities[best]), 4)]
        print(f"{name}: {found[name]}", flush=True)
    return found


def through_codec(model: Model, image: Image, label: str, speed: float, seed: int) -> int:
    """Renders a 64-frame move at 320x240, takes it through a video file, predicts."""
    wobble = Wobble(speed, seed) if label == "static" else Wobble()
    motion = Motion(1.1 if label == "static" else speed, wobble=wobble)
    frames = render_move(image, label, 64, (320, 240), seed=seed, motion=motion)
    return model.label(encode_and_decode(frames, ("mp4v", "MJPG")[seed % 2]))


def measure_speeds(model: Model, seed: int, num_scenes: int) -> dict[str, Any]:
    """Plain 64-frame moves over held-out scenes, at eight speeds a kind of move."""
    table: dict[str, Any] = {}
    for kind, speeds in SPEED_STEPS.items():
        labels = [name for name in LABELS if name.startswith(kind)]
        for speed in speeds:
            right = 0
            for scene in range(num_scenes):
                family = HELD_OUT_FAMILIES[scene % len(HELD_OUT_FAMILIES)]
                image = make_scene(family, [seed, 4, scene])
                for label in labels:
                    found = through_codec(model, image, label, speed, scene)
                    right += LABELS[found] == label
            table.setdefault(kind, []).append([speed, right, num_scenes * len(labels)])
        print(f"speeds, {kind}: {table[kind]}", flush=True)
    return table


def measure_footage(model: Model, folder: Path, per_video: int) -> dict[str, Any]:
    """Moves over frames of real videos: every label at three speeds over each frame."""
    truth: list[int] = []
    predicted: list[int] = []
    by_speed = {name: [0, 0] for name in ("slow", "medium", "fast")}
    by_video = []
    paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for path in paths:
        frames = read_frames(str(path))
        chosen = np.linspace(0, len(frames) - 1, per_video + 2).astype(int)[1:-1]
        first = len(truth)
        for seed, position in enumerate(chosen):
            for index, label in enumerate(LABELS):
                for pace, speed in zip(by_speed, FOOTAGE_SPEEDS[label.split()[0]], strict=True):
                    found = through_codec(model, frames[position], label, speed, seed)
                    truth.append(index)
                    predicted.append(found)
                    by_speed[pace][0] += found == index
                    by_speed[pace][1] += 1
        hits = sum(a == b for a, b in zip(truth[first:], predicted[first:], strict=True))
        by_video.append([hits, len(truth) - first])
    result = summarize("moves over real footage", truth, predicted)
    result |= {"by_speed": by_speed, "by_video": by_video}
    print(f"  by speed: {by_speed}; by video: {by_video}", flush=True)
    return result


# ---------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    package = Path(__file__).resolve().parent.parent / "src" / "i3d" / "data"
    parser = argparse.ArgumentParser(
        description="Train, export and measure the embedded model camera-motion.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="every random choice follows from it")
    parser.add_argument(
        "--output", type=Path, default=package / "camera-motion", help="folder of the module"
    )
    parser.add_argument("--clips", type=int, default=3000, help="training clips to render")
    parser.add_argument("--steps", type=int, default=700, help="optimizer steps")
    parser.add_argument("--batch", type=int, default=24, help="clips a step")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--jobs", type=int, default=2, help="rendering processes")
    parser.add_argument("--validation", type=int, default=400, help="clips a held-out set")
    parser.add_argument("--scenes", type=int, default=4, help="scenes of the per-speed table")
    parser.add_argument(
        "--evaluate-only", action="store_true", help="measure --output, no training"
    )
    parser.add_argument(
        "--real-videos", type=Path, help="folder of videos: also measure moves over their frames"
    )
    parser.add_argument("--per-video", type=int, default=3, help="frames used of each real video")
    parser.add_argument("--report", type=Path, help="write the measured numbers here, as JSON")
    parser.add_argument(
        "--keep",
        type=Path,
        help="keep rendered clips in this folder, and use those of an earlier run (15 GB)",
    )
    return parser.parse_args()


def exported_weights(model: Model) -> dict[str, npt.NDArray[np.float32]]:
    """Reads the weights back from an exported module."""
    return {
        variable.name.removeprefix("camera_motion/").removesuffix(":0"): variable.numpy()
        for variable in model.module.variables
    }


def main() -> None:
    """Runs what the command line asks for."""
    args = parse_arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        shared = (args.validation, args.jobs)
        seen = render_set(folder, "held-out-seeds", TRAIN_FAMILIES, [args.seed, 1], *shared)
        unseen = render_set(folder, "held-out-families", HELD_OUT_FAMILIES, [args.seed, 2], *shared)
        if not args.evaluate_only:
            clips = render_set(
                folder, "training", TRAIN_FAMILIES, [args.seed, 0], args.clips, args.jobs
            )
            tf.config.experimental.enable_op_determinism()
            tf.keras.utils.set_random_seed(args.seed)
            export(train(clips, [args.seed], args), args.output)
            labels = args.output.parent / "camera-motion-labels.txt"
            labels.write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
        model = Model(args.output)
        weights = exported_weights(model)
        numbers = {
            "held_out_seeds": report_set("held-out seeds", weights, seen),
            "held_out_families": report_set("held-out families", weights, unseen),
        }
    numbers["special"] = measure_special(model)
    numbers["speeds"] = measure_speeds(model, args.seed, args.scenes)
    if args.real_videos:
        numbers["footage"] = measure_footage(model, args.real_videos, args.per_video)
    numbers["wall_seconds"] = {"all": round(time.monotonic() - began)}
    print(f"all: {time.monotonic() - began:.0f} s")
    if args.report:
        args.report.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
