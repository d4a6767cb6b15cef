"""DeepMind's own sample clip, and the logits that DeepMind published for it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from i3d.engines.base import softmax
from i3d.errors import ModelLoadError, UsageError
from i3d.files.cache import downloads_dir, samples_dir
from i3d.files.download import download
from i3d.models.catalog import deepmind_source
from i3d.models.deepmind import sample_outputs
from i3d.models.folders import cannot_write
from i3d.models.known_answers import mean_logits
from i3d.models.labels import load_labels
from i3d.models.published import git_blob_sha1
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from i3d.engines.base import Engine
    from i3d.progress import Progress

LOGIT_TOLERANCE = 0.01
"""Largest difference from a published logit that still counts as equal. Implementations in float32
differ by less than 0.0001 (tests/test_converter.py); a hundred times as much is allowed, because
the published logits come from another TensorFlow on another machine, and could not be tried."""


@dataclass(frozen=True)
class SampleRow:
    """A label's published result and ours."""

    label: str
    published_logit: float
    logit: float
    published_probability: float
    probability: float


@dataclass(frozen=True)
class SampleComparison:
    """DeepMind's sample, run here."""

    path: str
    """The file; its git blob id is the published one."""
    published_norm: float
    norm: float
    """Euclidean norm of all logits."""
    rows: tuple[SampleRow, ...]
    """The published best labels, best first."""

    @property
    def largest_difference(self) -> float:
        """Between a published logit, or the norm, and ours."""
        return max(
            abs(self.norm - self.published_norm),
            *(abs(row.logit - row.published_logit) for row in self.rows),
        )

    @property
    def agrees(self) -> bool:
        """Whether all differences are within `LOGIT_TOLERANCE`."""
        return self.largest_difference <= LOGIT_TOLERANCE


def fetch_sample(progress: Progress = NO_PROGRESS) -> Path:
    """Fetch DeepMind's sample input, 47.6 MB, once; its git blob id is checked each time.

    Returns:
        The file: (1, 79, 224, 224, 3) float32 RGB in [-1, 1].

    Raises:
        DownloadError: It can't be fetched.
        CacheError: Our cache can't be written.
    """
    published_sample = sample_outputs()
    expected = published_sample.clip_git_sha1
    path = samples_dir() / published_sample.clip.rpartition("/")[2]
    with suppress(ModelLoadError):  # what can't be read is fetched again
        if path.is_file() and git_blob_sha1(path) == expected:
            return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    download(
        deepmind_source(published_sample.clip).url,
        path,
        git_sha1=expected,
        partial_dir=downloads_dir(),
        description=f"fetching {path.name}",
        progress=progress,
    )
    return path


def compare_sample(engine: Engine, path: Path, progress: Progress) -> SampleComparison:
    """Run the sample through a model and set its logits beside the published ones.

    Args:
        engine: I3D with the 400 labels of Kinetics-400.
        path: The sample.
        progress: Receives progress updates.

    Raises:
        UsageError: The sample can't be read, or is not DeepMind's.
        EngineError: The model can't be run, or gives outputs that are not finite.
    """
    check_sample(path)
    pixels = np.load(path, allow_pickle=False)[0]
    labels = load_labels("kinetics-400")
    low, high = engine.contract.input_range
    with progress.task(f"running {path.name}"):
        logits = mean_logits(engine.run(_in_range(pixels, low, high)))
    probabilities = softmax(logits)
    expected = sample_outputs()
    rows = [
        SampleRow(
            label=label,
            published_logit=logit,
            logit=float(logits[labels.index(label)]),
            published_probability=probability,
            probability=float(probabilities[labels.index(label)]),
        )
        for probability, logit, label in expected.top
    ]
    return SampleComparison(
        path=str(path),
        published_norm=expected.norm_of_logits,
        norm=math.sqrt(float((logits**2).sum())),
        rows=tuple(rows),
    )


def check_sample(path: Path) -> None:
    """Raise UsageError for any file but DeepMind's sample."""
    name = sample_outputs().clip
    hint = f"Give DeepMind's: {deepmind_source(name).url}"
    try:
        is_published = git_blob_sha1(path) == sample_outputs().clip_git_sha1
    except ModelLoadError as error:
        raise UsageError(f"The sample {error.message}", hint=hint) from error
    if not is_published:  # the published logits belong to that one alone
        raise UsageError(
            f"{path} is not DeepMind's sample: its git blob id is another one.", hint=hint
        )


def _in_range(pixels: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.float32]:
    """Pixels in [-1, 1] as a model wants them; where that is [-1, 1], the same bits."""
    if (low, high) == (-1.0, 1.0):
        return pixels
    return ((pixels + np.float32(1)) * np.float32((high - low) / 2) + np.float32(low)).astype(
        np.float32
    )
