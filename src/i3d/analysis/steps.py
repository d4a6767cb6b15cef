"""Videos of any length through a model, in bounded memory.

A video that is short enough goes through the network in one pass. A longer one goes in chunks,
whose step logits are those of one pass over the whole (`i3d.analysis.chunks`). For that the number
of its frames must be known, modulo the stride, before the first chunk is run. So up to
`EXACT_FRAMES` are decoded first. A video that has more loses the frames after the last multiple of
the stride, less than one step (0.3 s of I3D's), and may then be as long as it likes. None of this
depends on how much memory there is, so that it does not change the numbers.

A model whose steps are not found, or not understood, can't be cut so. It sees a video of up to
`ONE_PASS_FRAMES` at once, and a longer one, or any that a timeline is wanted of, in windows.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from i3d.analysis.chunks import StepGrid, even_edges
from i3d.errors import ModelOutputError, UsageError
from i3d.progress import NO_PROGRESS
from i3d.video.recipes import MIN_FRAMES
from i3d.video.timing import loop_indices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from i3d.engines.base import Clip, Engine, StepLogits
    from i3d.progress import Progress
    from i3d.video.ahead import ClipFrame, ClipReader

EXACT_FRAMES = 1500
"""Longest video of which every frame counts, one minute at 25 fps: 226 MB of decoded frames. No
clip of UCF101 and of Kinetics is longer by more than a few seconds."""

ONE_PASS_FRAMES = 512
"""Longest clip that a model without a known grid of steps is given at once."""

WINDOW_FRAMES = 64
"""Length of the windows that such a model sees of longer videos: what I3D was trained on
(arXiv:1705.07750, section 2.4)."""

DEFAULT_MAX_MEMORY = 3 * 2**29
"""Memory that frames and engine may take, in bytes: 1.5 GiB."""

_RESERVE_BYTES = 450 * 2**20
"""What they take besides the memory for each frame of a chunk: `EXACT_FRAMES` decoded frames and
those that are decoded ahead, and the weights of I3D in the form that an engine likes."""

_MEASURED_SIZE = 224
"""Height and width of the frames that `Engine.bytes_per_frame` was measured on."""


@dataclass(frozen=True)
class StreamedSteps:
    """What a model says of a video, and of which frames."""

    step_logits: StepLogits
    """(S, labels) float32, finite."""
    edges: list[float]
    """S + 1 places on the scale of frames: step i stands for what lies between edges i and i + 1,
    where frame n lasts from n to n + 1."""
    times: array[float]
    """Of each frame, in seconds since the video's first one."""
    num_frames_fed: int
    """How many frames the model was fed: more than there are where a short clip was repeated, fewer
    where the last ones of a long video were left out."""


def stream(
    reader: ClipReader,
    engine: Engine,
    input_range: tuple[float, float],
    *,
    in_windows: bool = False,
    max_memory: int = DEFAULT_MAX_MEMORY,
    name: str = "the model",
    progress: Progress = NO_PROGRESS,
) -> StreamedSteps:
    """Run a model on a video of any length.

    Args:
        reader: The video.
        engine: The model.
        input_range: The values that pixel values 0 and 255 are scaled to.
        in_windows: A model without steps sees windows, however short the video is.
        max_memory: Memory that frames and engine may take, in bytes.
        name: The model's.
        progress: Receives progress updates.

    Raises:
        UsageError: The memory is too little for any chunk.
        VideoError: The video can't be decoded.
        EngineError: The model failed on it.
    """
    grid, most = chunk_limit(engine, max_memory)
    frames = _Frames(reader.frames(), reader.size)
    at_first = ONE_PASS_FRAMES if grid is None else EXACT_FRAMES
    total = reader.video.num_frames_from_header
    with progress.task(f"decoding {reader.path}", total) as advance:
        frames.fill(at_first + 1, advance)  # one more, to know whether the video ends there
    at_once = frames.is_ended and frames.num_frames <= most
    what = f"{frames.num_frames} frames" if at_once else str(reader.path)
    with progress.task(f"running {name} on {what}", None if at_once else total) as advance:
        run = _Run(engine, input_range, frames, advance)
        if grid is None:
            return _in_windows(run, always=in_windows)
        return _in_chunks(run, grid, most)


def chunk_limit(engine: Engine, max_memory: int) -> tuple[StepGrid | None, int]:
    """Tell how many frames may go through a model at once.

    Args:
        engine: The model.
        max_memory: Memory that frames and engine may take, in bytes.

    Returns:
        The model's steps, None where they are not known; the number of frames.

    Raises:
        UsageError: The memory is too little for any chunk.
    """
    contract = engine.contract
    if contract.receptive_field is None or contract.stride is None or contract.padding is None:
        return None, ONE_PASS_FRAMES
    grid = StepGrid(contract.receptive_field, contract.stride, contract.padding)
    scale = ((contract.size or _MEASURED_SIZE) / _MEASURED_SIZE) ** 2
    most = int((max_memory - _RESERVE_BYTES) / (engine.bytes_per_frame * scale))
    least = grid.min_chunk_frames + grid.stride
    if most < least:
        needed = _RESERVE_BYTES + least * engine.bytes_per_frame * scale
        raise UsageError(
            f"{max_memory / 2**20:.0f} MiB of memory are too little for this model.",
            hint=f"Give at least --max-memory {int(needed / 2**20) + 1}M.",
        )
    return grid, most


def run_clip(engine: Engine, clip: Clip, input_range: tuple[float, float]) -> StepLogits:
    """Run a model on one clip. Clips of fewer than 9 frames are looped until they have 9.

    Args:
        engine: The model.
        clip: (T, size, size, 3) uint8 RGB, T >= 1.
        input_range: The values that pixel values 0 and 255 are scaled to.

    Returns:
        (S, labels) float32, finite, S >= 1.

    Raises:
        ModelOutputError: The model's output is not finite.
        EngineError: The engine could not run the model.
    """
    if len(clip) < MIN_FRAMES:
        clip = clip[loop_indices(len(clip), MIN_FRAMES)]
    steps = engine.step_logits(clip, input_range)
    if not np.isfinite(steps).all():
        raise ModelOutputError(
            f"The model gave {np.count_nonzero(~np.isfinite(steps))} outputs of {steps.size} "
            "that are not finite numbers.",
            hint="Its weights may be damaged, or it expects another range: --input-range.",
        )
    return steps


def _in_chunks(run: _Run, grid: StepGrid, most: int) -> StreamedSteps:
    frames = run.frames
    num_frames = frames.num_frames if frames.is_ended else None
    length = grid.chunk_frames(most, num_frames)
    steps: list[StepLogits] = []
    num_steps = 0
    while True:
        chunk = grid.chunk(num_steps, length, num_frames)
        if num_frames is None:
            # One stride more, to know whether this is the last one.
            frames.fill(chunk.stop + grid.stride)
            if frames.is_ended:
                num_frames = frames.num_frames - frames.num_frames % grid.stride
                chunk = grid.chunk(num_steps, length, num_frames)
        good = run.steps(chunk.start, chunk.stop)[chunk.skipped :][: chunk.num_steps]
        steps.append(good)
        num_steps += len(good)
        if chunk.num_steps is None:
            break
        frames.forget(grid.chunk(num_steps, length, num_frames).start)
    # The padding, and with it the grid, is that of the frames that were fed.
    edges = grid.edges(num_steps, chunk.stop)
    return run.result(steps, [*edges[:-1], float(frames.num_frames)], chunk.stop)


def _in_windows(run: _Run, *, always: bool) -> StreamedSteps:
    frames = run.frames
    at_once = frames.is_ended and (run.has_steps or not always)
    length = frames.num_frames if at_once else WINDOW_FRAMES
    steps: list[StepLogits] = []
    edges = [0.0]
    start = 0
    while True:
        frames.fill(start + length + 1)  # one more, to know whether this is the last window
        if frames.is_ended and start + length > frames.num_frames:
            start = max(frames.num_frames - length, 0)
        stop = min(start + length, frames.num_frames)
        steps.append(run.steps(start, stop))
        edges += even_edges(len(steps[-1]), round(edges[-1]), stop)[1:]
        if frames.is_ended and stop == frames.num_frames:
            return run.result(steps, edges, stop)
        start = stop
        frames.forget(start + 1 - length)  # so far may the last one reach back


class _Run:
    """A model on the parts of one video.

    Args:
        engine: The model.
        input_range: The values that pixel values 0 and 255 are scaled to.
        frames: The video.
        advance: Told how many more of the decoded frames are done with.
    """

    def __init__(
        self,
        engine: Engine,
        input_range: tuple[float, float],
        frames: _Frames,
        advance: Callable[[int], None],
    ) -> None:
        self.frames = frames
        self.has_steps = engine.contract.has_steps
        self._engine = engine
        self._range = input_range
        self._advance = advance
        self._done = 0

    def steps(self, start: int, stop: int) -> StepLogits:
        """Run the model on some of the frames."""
        steps = run_clip(self._engine, self.frames.part(start, stop), self._range)
        done = self.frames.index_before(stop) + 1
        self._advance(done - self._done)
        self._done = done
        return steps

    def result(self, steps: list[StepLogits], edges: list[float], stop: int) -> StreamedSteps:
        """Put together what was found of the frames before `stop`."""
        return StreamedSteps(np.concatenate(steps), edges, self.frames.times, max(stop, MIN_FRAMES))


class _Frames:
    """The frames of a video that are still needed, and the times of all.

    Args:
        source: Gives them.
        size: Their height and width.
    """

    def __init__(self, source: Iterator[ClipFrame], size: int) -> None:
        self._source = source
        self._held: Clip = np.empty((256, size, size, 3), np.uint8)
        self._first = 0
        """Number of the first one that is held."""
        self._indices = array("q")
        self.times = array("d")
        self.is_ended = False

    @property
    def num_frames(self) -> int:
        """How many there were so far."""
        return len(self.times)

    def index_before(self, stop: int) -> int:
        """The place among the decoded frames, those left out included, of a number of frames."""
        return self._indices[stop - 1]

    def fill(self, stop: int, advance: Callable[[int], None] = lambda _num_frames: None) -> None:
        """Take frames until there are so many, or no more; then `is_ended` says so.

        Args:
            stop: How many.
            advance: Told how many more frames were decoded.
        """
        while self.num_frames < stop and not self.is_ended:
            frame = next(self._source, None)
            if frame is None:
                self.is_ended = True
                break
            image, seconds, index = frame
            place = self.num_frames - self._first
            if place == len(self._held):
                more: Clip = np.empty((2 * place, *self._held.shape[1:]), np.uint8)
                more[:place] = self._held  # the rest takes no memory before it is used
                self._held = more
            self._held[place] = image
            advance(index - (self._indices[-1] if self._indices else -1))
            self.times.append(seconds)
            self._indices.append(index)

    def part(self, start: int, stop: int) -> Clip:
        """Some of the frames, without a copy."""
        return self._held[start - self._first : stop - self._first]

    def forget(self, before: int) -> None:
        """Let go of the frames before a number."""
        shift = before - self._first
        if shift <= 0:
            return
        num_held = self.num_frames - self._first
        for start in range(shift, num_held, shift):  # so that no part is moved onto itself
            part = self._held[start : min(start + shift, num_held)]
            self._held[start - shift : start - shift + len(part)] = part
        self._first = before
