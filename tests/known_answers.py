"""A classifier whose answers are known, and a folder of clips that it is asked about."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i3d.analysis.scores import VideoScores
from i3d.datasets.evaluate import Evaluator
from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.fetch import FetchedClip
from i3d.engines.base import EngineInfo
from i3d.models.labels import load_labels
from i3d.models.records import ModelInfo
from i3d.video.info import ClipInfo, RecipeInfo, VideoInfo
from i3d.video.recipes import get_recipe

from engines import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from i3d.datasets.measures import Evaluation
    from i3d.datasets.ucf101.data import Clip
    from i3d.errors import I3DError

KINETICS = load_labels("kinetics-400")


def clip(name: str) -> Clip:
    """The clip of a short name: `Archery 1 2` for v_Archery_g01_c02."""
    category, group, number = name.split()
    found = load_index().find(f"v_{category}_g{int(group):02}_c{int(number):02}")
    assert found is not None
    return found


class Clips:
    """Files of clips in a folder, and whoever fetches them.

    Args:
        folder: Where the files are to be.
        failures: Name of a clip -> why it can't be fetched.
    """

    def __init__(self, folder: Path, failures: dict[str, I3DError] | None = None) -> None:
        self.folder = folder
        self.failures = failures or {}
        self.fetched: list[str] = []
        """Names of all clips that were asked for."""

    def fetch(self, clips: Sequence[Clip]) -> Iterator[FetchedClip]:
        """Make a file for each clip that has none."""
        for clip in clips:
            self.fetched.append(clip.name)
            if clip.name in self.failures:
                yield FetchedClip(clip, None, self.failures[clip.name], None)
                continue
            path = self.folder / clip.file_name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"the file of {clip.name}")
            yield FetchedClip(clip, path, None, "index")

    def local(self, clip: Clip) -> Path | None:
        """Where a clip is."""
        path = self.folder / clip.file_name
        return path if path.exists() else None


class KnownAnswers:
    """Stands where a `Classifier` does; looks at a file's name alone.

    Args:
        answers: Name of a clip -> the labels to hold most likely, best first, or what to raise.
            The rest follows in the order of the list; without an answer all of it.
        labels: The labels of the model.
        name: The name of the model.
    """

    def __init__(
        self,
        answers: dict[str, Sequence[str] | BaseException] | None = None,
        labels: Sequence[str] = KINETICS,
        name: str = "i3d-kinetics-400",
        fingerprint: str = "sha256:" + "f" * 64,
    ) -> None:
        self.answers = answers or {}
        self.engine = FakeEngine(np.zeros((1, len(labels))))
        self.labels = tuple(labels)
        lines = "".join(f"{label}\n" for label in labels)
        self.labels_sha256 = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        self.model = ModelInfo(name, fingerprint, len(labels), "kinetics-400")
        self.calls: list[str] = []
        """Names of the clips that it was asked about, with the recipe: `NAME standard`."""
        self.warnings: tuple[str, ...] = ()

    def score(self, path: Path, *, recipe: str) -> VideoScores:
        """Answer as told."""
        name = Path(path).stem
        self.calls.append(f"{name} {recipe}")
        answer = self.answers.get(name, ())
        if isinstance(answer, BaseException):
            raise answer
        labels = self.labels
        order = [*answer, *(label for label in labels if label not in answer)]
        chosen, contract = get_recipe(recipe), self.engine.contract
        return VideoScores(
            step_logits=np.array([[-order.index(label) for label in labels]], np.float32),
            edges_seconds=np.array([0.0, 2.0]),
            labels=labels,
            video=VideoInfo(str(path), 320, 240, 0, 25.0, 25.0, 50, 50, 2.0, ended_early=False),
            clip=ClipInfo(50, 50, 0.0, 2.0, 25.0),
            recipe=RecipeInfo(
                chosen.name, chosen.fps, chosen.crop, 224, contract.input_range, "because"
            ),
            model=self.model,
            engine=EngineInfo("fake", "1.2.3"),
            warnings=self.warnings,
        )


def evaluate_in(
    folder: Path, names: Sequence[str], model: KnownAnswers, **options: object
) -> Evaluation:
    """Evaluate clips of short names, with their files and journals below a folder."""
    clips = Clips(folder / "clips")
    options = {
        "fetch": clips.fetch,
        "local": clips.local,
        "journal_dir": folder / "journals",
        **options,
    }
    return Evaluator([clip(name) for name in names], model, **options).run()
