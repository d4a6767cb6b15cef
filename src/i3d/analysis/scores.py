"""A video's step logits with what made them: from them every question is answered.

They are kept as one file a video: to ask another question, no model need run again.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from i3d import __version__
from i3d.engines.base import EngineInfo  # noqa: TC001  (msgspec reads these annotations)
from i3d.errors import OutputError
from i3d.files.whole import write_whole
from i3d.models.catalog import name_of_weights
from i3d.models.records import ModelInfo  # noqa: TC001  (the same)
from i3d.video.info import ClipInfo, RecipeInfo, VideoInfo  # noqa: TC001  (the same)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from i3d.engines.base import StepLogits
    from i3d.video.info import FileInfo

EdgeTimes: TypeAlias = npt.NDArray[np.float64]
"""(S + 1,) seconds since the video's first frame, growing."""


@dataclass(frozen=True)
class VideoScores:
    """What a model says of a video, step by step."""

    step_logits: StepLogits
    """(S, labels) float32, finite, S >= 1."""
    edges_seconds: EdgeTimes
    """(S + 1,) float64: step i stands for the time from edge i to edge i + 1."""
    labels: tuple[str, ...]
    """Names of the model's outputs."""
    video: VideoInfo
    clip: ClipInfo
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting them."""

    @property
    def name_now(self) -> str | None:
        """What the model is called now, where its name stands for other weights; else None."""
        return name_of_weights(self.model.name, self.model.checkpoint)


FORMAT = 1
"""Raised when what is kept changes its meaning: then none of the older ones is found."""

_SUFFIX = ".npz"


class ScoreStore:
    """A folder of kept scores, one file a video: NumPy's .npz, which other programs read, too.

    `step_logits` is (S, labels) float32, `edges_seconds` is (S + 1,) float64, and `description` is
    UTF-8 text: a JSON document with the labels and with what made the scores (docs/json.md).

    Args:
        folder: Where they are; made when the first is kept.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._files: dict[str, Path] | None = None

    def find(self, key: str) -> VideoScores | None:
        """Find what was kept under a key; None where there is nothing, or something damaged.

        Scores whose model has another name now (`VideoScores.name_now`) count for nothing.

        Raises:
            OutputError: The folder can't be read.
        """
        path = self._known().get(key)
        try:
            scores = None if path is None else _read(path)
        except _DAMAGED:
            return None
        return None if scores is None or scores.name_now is not None else scores

    def keep(self, key: str, scores: VideoScores) -> None:
        """Keep scores; they are on the disk when this returns.

        Args:
            key: What they are found by, see `score_key`.
            scores: The scores.

        Raises:
            OutputError: They can't be written.
        """
        stem = re.sub(r"[^\w.-]+", "_", Path(scores.video.path).stem, flags=re.ASCII)
        path = self.folder / f"{stem.lstrip('.')[:60] or 'video'}.{key}{_SUFFIX}"
        content = io.BytesIO()
        parts = {name: getattr(scores, name) for name in _PARTS}
        described = _Description("i3d.scores/1", __version__, **parts)
        # Paths may be no UTF-8, which only Python's encoder keeps.
        description = json.dumps(asdict(described), ensure_ascii=True, allow_nan=False)
        np.savez_compressed(
            content,
            step_logits=scores.step_logits,
            edges_seconds=scores.edges_seconds,
            description=np.frombuffer(description.encode("ascii"), np.uint8),
        )
        try:
            write_whole(path, content.getvalue())
        except OSError as error:
            raise OutputError(
                f"Scores cannot be written to {self.folder}: {error.strerror or error}.",
                hint="Make room on the disk, or give --save-scores another folder.",
            ) from error
        self._known()[key] = path

    def __iter__(self) -> Iterator[tuple[Path, VideoScores | None]]:
        """All that is kept, by name: each file, and what it holds; None for a damaged one.

        Raises:
            OutputError: The folder can't be read.
        """
        for path in sorted(self._known().values()):
            try:
                scores = _read(path)
            except _DAMAGED:
                scores = None
            yield path, scores

    def _known(self) -> dict[str, Path]:
        """Key -> file, of all files in the folder."""
        if self._files is None:
            try:
                self._files = {
                    path.name.removesuffix(_SUFFIX).rpartition(".")[2]: path
                    for path in self.folder.iterdir()
                    if path.name.endswith(_SUFFIX) and not path.name.startswith(".")
                }
            except FileNotFoundError:
                self._files = {}
            except OSError as error:
                raise OutputError(
                    f"The folder of scores {self.folder} cannot be read: "
                    f"{error.strerror or error}.",
                    hint="Give --save-scores a folder.",
                ) from error
        return self._files


def score_key(file: FileInfo, model_fingerprint: str, **settings: object) -> str:
    """Tell what kept scores are found by: equal where the same would be computed.

    Args:
        file: The video.
        model_fingerprint: The model's: its labels and its name do not matter.
        **settings: All else that decides the step logits, as plain data.

    Returns:
        32 hexadecimal digits.
    """
    parts = {"format": FORMAT, "video": file.sha256, "model": model_fingerprint, **settings}
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


_DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error),
    # Sizes that can't be, hostile depth, JSON that describes something else.
    *(ArithmeticError, MemoryError, RuntimeError, msgspec.MsgspecError),
)
"""What reading a damaged file may raise."""


@dataclass(frozen=True)
class _Description:
    """What is kept beside the numbers, as JSON."""

    schema: Literal["i3d.scores/1"]
    i3d_version: str
    labels: tuple[str, ...]
    video: VideoInfo
    clip: ClipInfo
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]


_PARTS = ("labels", "video", "clip", "recipe", "model", "engine", "warnings")


def _read(path: Path) -> VideoScores:
    with np.load(path, allow_pickle=False) as kept:
        steps, edges = kept["step_logits"], kept["edges_seconds"]
        described = msgspec.convert(json.loads(bytes(kept["description"])), _Description)
    if (
        steps.dtype != np.float32
        or steps.shape != (len(edges) - 1, len(described.labels))
        or edges.dtype != np.float64
        or edges.ndim != 1
        or not len(steps)
        or not (np.isfinite(steps).all() and np.isfinite(edges).all())
    ):
        raise ValueError("not what was kept")
    parts = {name: getattr(described, name) for name in _PARTS}
    return VideoScores(step_logits=steps, edges_seconds=edges, **parts)
