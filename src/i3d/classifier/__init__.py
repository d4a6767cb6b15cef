"""A video file to a prediction: loader, recipe, transforms, engine and predictor wired together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from i3d.catalog import DEFAULT_MODEL
from i3d.classifier.descriptions import (
    describe_clip,
    describe_model,
    describe_recipe,
    known_weights,
    warnings_of,
)
from i3d.clips.reader import ClipReader, DecodedClip
from i3d.engines import DEFAULT_ENGINE, load_engine
from i3d.engines.signatures import read_signature
from i3d.labels import load_labels, read_labels
from i3d.predictor import Predictor
from i3d.progress import NO_PROGRESS
from i3d.recipes import DEFAULT_RECIPE, get_recipe, with_overrides
from i3d.results import EngineInfo, Prediction, TrueLabel, Truth
from i3d.sampling import ASSUMED_FPS
from i3d.sources import LocalModel, find_model
from i3d.ucf101 import clip_of, load_index

if TYPE_CHECKING:
    import os

    from i3d.engines.base import Precision
    from i3d.predictor import ClipScores
    from i3d.progress import Progress
    from i3d.recipes import Recipe
    from i3d.results import ModelInfo

__all__ = ["Classifier", "ClipReader", "DecodedClip", "clip_size", "describe_recipe"]


def clip_size(model: LocalModel, recipe: Recipe) -> int:
    """Tell the size of a model's clips before it is loaded.

    Args:
        model: What `i3d.sources.find_model` gave.
        recipe: The preprocessing.

    Returns:
        Height and width in pixels.

    Raises:
        ModelLoadError: The model's folder holds none that takes videos.
    """
    return read_signature(model.directory).size or recipe.size


class Classifier:
    """Says what happens in videos, with one model that is loaded once.

    Args:
        predictor: A loaded model and its labels.
        model: What results say of the model.
        notes: Sentences about the model that a user should read.
    """

    def __init__(self, predictor: Predictor, model: ModelInfo, notes: tuple[str, ...] = ()) -> None:
        self.predictor = predictor
        self.model = model
        self.notes = notes

    @classmethod
    def load(
        cls,
        model: str | LocalModel = DEFAULT_MODEL,
        *,
        labels: str | os.PathLike[str] | None = None,
        engine: str = DEFAULT_ENGINE,
        precision: Precision = "float32",
        progress: Progress = NO_PROGRESS,
    ) -> Classifier:
        """Find a model, fetch it where it is not on this machine yet, and load it.

        Args:
            model: A name in the catalogue (`i3d-kinetics-400`, `i3d-kinetics-600`,
                `camera-motion`), a SavedModel directory, an archive of one, or an address; see
                `i3d.sources.find_model`. Or what that gave.
            labels: A text file that names the model's outputs, one a line. Without it, a model
                outside the catalogue that has 400 or 600 outputs is taken to speak Kinetics-400
                or Kinetics-600, and any other gets bare numbers.
            engine: `auto`, `openvino` or `tensorflow`; see `i3d.engines.load_engine`.
            precision: The engine's arithmetic.
            progress: Who wants to know.

        Returns:
            The loaded classifier.

        Raises:
            UnknownNameError: There is no model or engine of that name.
            UsageError: The label file is unusable, or does not fit the model; the engine has no
                such precision.
            TransferError: The model could not be fetched.
            EngineError: The model could not be loaded.
        """
        own_labels = None if labels is None else read_labels(labels)
        local = model
        if not isinstance(local, LocalModel):
            local = find_model(local, progress=progress)
        # Of a folder that holds no model, not every file is to be read before that is told.
        is_model = (local.directory / "saved_model.pb").is_file()
        with progress.task(f"loading {local.name}"), ThreadPoolExecutor(1) as reader:
            # Its files are read, twice, while the engine is imported and compiles the graph.
            fingerprint = reader.submit(lambda: local.fingerprint) if is_model else None
            weights = reader.submit(known_weights, local)
            is_packaged = local.source == "packaged"
            loaded = load_engine(
                local.directory,
                engine,
                precision=precision,
                fingerprint=None if is_packaged or fingerprint is None else fingerprint.result,
                is_known=is_packaged,
                progress=progress,
            )
        num_labels = loaded.contract.num_labels
        notes = local.notes
        if own_labels is not None:
            names, label_list = own_labels, str(labels)
        elif local.spec is not None:
            names, label_list = load_labels(local.spec.label_list), local.spec.label_list
        elif num_labels in (400, 600):
            label_list = f"kinetics-{num_labels}"
            names = load_labels(label_list)
            note = (
                f"{local.name} has {num_labels} outputs: taken to be Kinetics-{num_labels}'s. "
                "If they are not, name them with --labels FILE."
            )
            notes = (*notes, note)
        else:
            names, label_list = tuple(str(i) for i in range(num_labels)), "index"
            notes = (*notes, f"{local.name} has {num_labels} outputs without names: --labels FILE.")
        about = describe_model(local, weights.result(), num_labels, label_list)
        return cls(Predictor(loaded, names), about, notes)

    def classify(
        self,
        path: str | os.PathLike[str],
        *,
        top: int = 5,
        recipe: str = DEFAULT_RECIPE,
        fps: float | Literal["native"] | None = None,
        input_range: tuple[float, float] | None = None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        max_frames: int = 0,
        image_fps: float = ASSUMED_FPS,
        progress: Progress = NO_PROGRESS,
    ) -> Prediction:
        """Classify one video.

        Args:
            path: A video file, an animated GIF, or a folder of images.
            top: How many labels to give; more than there are gives all.
            recipe: Name of the preprocessing, see `i3d.recipes`.
            fps: Thin denser videos to this rate, `native` for every frame, None for the recipe's.
            input_range: What black and white are fed as; None for the recipe's.
            start_seconds: First moment wanted.
            end_seconds: First moment not wanted any more; None for the end of the video.
            max_frames: Use at most this many frames (after thinning); 0 for all.
            image_fps: Frame rate of a folder of images.
            progress: Who wants to know.

        Returns:
            The prediction, which says what made it.

        Raises:
            UsageError: An option is out of its range.
            UnknownNameError: There is no such recipe.
            VideoError: The video is missing, can't be decoded, or its span holds no frame or more
                than `MAX_FRAMES`.
            EngineError: The model failed on it.
        """
        chosen = with_overrides(get_recipe(recipe), fps=fps, input_range=input_range)
        with ClipReader(
            path,
            chosen,
            self.predictor.engine.contract.size or chosen.size,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            max_frames=max_frames,
            image_fps=image_fps,
        ) as reader:
            return self.classify_clip(reader.read(progress), top=top, progress=progress)

    def classify_clip(
        self, clip: DecodedClip, *, top: int = 5, progress: Progress = NO_PROGRESS
    ) -> Prediction:
        """Classify a video that was decoded before, by a `ClipReader`.

        Args:
            clip: The clip, of the size that the model wants (`clip_size`).
            top: How many labels to give; more than there are gives all.
            progress: Who wants to know.

        Returns:
            The prediction, which says what made it.

        Raises:
            UsageError: `top` is below 1.
            EngineError: The model failed on it.
        """
        engine = self.predictor.engine
        recipe_info = describe_recipe(clip.recipe, engine.contract)
        with progress.task(f"running {self.model.name} on {len(clip.frames)} frames"):
            scores = self.predictor.score(clip.frames, recipe_info.input_range)
        clip_info = describe_clip(clip.times, scores.num_frames_fed, clip.video, clip.end_seconds)
        return Prediction(
            video=clip.video,
            clip=clip_info,
            scores=self.predictor.best(scores, top),
            num_steps=scores.num_steps,
            recipe=recipe_info,
            model=self.model,
            engine=EngineInfo(engine.name, engine.version, engine.precision),
            warnings=warnings_of(clip.video, clip_info),
            truth=self._truth(clip.path, scores),
        )

    def _truth(self, path: str | os.PathLike[str], scores: ClipScores) -> Truth | None:
        """What is known to happen in a video that has the name of a clip of UCF101."""
        clip = clip_of(path)
        if clip is None:
            return None
        known = self.predictor.labels
        return Truth(
            dataset="UCF101",
            clip=clip.name,
            category=clip.category,
            labels=tuple(
                TrueLabel(
                    label=fitting.label,
                    relation=fitting.relation,
                    rank=self.predictor.rank(scores, known.index(fitting.label)),
                    probability=float(scores.probabilities[known.index(fitting.label)]),
                )
                for fitting in load_index().category(clip.category).labels
                if fitting.label in known
            ),
        )
