"""A video file to a prediction: loader, recipe, transforms, engine and predictor wired together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from i3d.analysis.descriptions import (
    describe_clip,
    describe_model,
    describe_recipe,
    edge_times,
    known_weights,
    warnings_of,
)
from i3d.analysis.prediction import Predictor, predict
from i3d.analysis.scores import VideoScores
from i3d.analysis.steps import DEFAULT_MAX_MEMORY, stream
from i3d.engines.base import describe_engine
from i3d.engines.choose import DEFAULT_ENGINE, load_engine
from i3d.engines.saved_model import read_signature
from i3d.models.catalog import DEFAULT_MODEL
from i3d.models.find import LocalModel, find_model, unofficial
from i3d.models.labelling import NamedLabels, name_labels
from i3d.models.labels import read_labels
from i3d.progress import NO_PROGRESS
from i3d.video.ahead import ClipReader
from i3d.video.recipes import DEFAULT_RECIPE, get_recipe, with_overrides
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    import os

    from i3d.analysis.results import Prediction
    from i3d.engines.base import Precision
    from i3d.models.records import ModelInfo
    from i3d.progress import Progress
    from i3d.video.recipes import Recipe

__all__ = [
    "DEFAULT_MAX_MEMORY",
    "Classifier",
    "clip_size",
    "describe_engine",
    "describe_recipe",
    "predict",
]


def clip_size(model: LocalModel, recipe: Recipe) -> int:
    """Tell the size of a model's clips before it is loaded.

    Args:
        model: What `i3d.models.find.find_model` gave.
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
        labels: str | os.PathLike[str] | NamedLabels | None = None,
        engine: str = DEFAULT_ENGINE,
        precision: Precision = "float32",
        progress: Progress = NO_PROGRESS,
    ) -> Classifier:
        """Find a model, fetch it where it is not on this machine yet, and load it.

        Args:
            model: A name in the catalogue (`i3d-kinetics-400`, `i3d-kinetics-600`,
                `camera-motion`), a SavedModel directory, an archive of one, or an address; see
                `i3d.models.find.find_model`. Or what that gave.
            labels: A text file that names the model's outputs, one a line. Without it, a model
                outside the catalogue that has 400 or 600 outputs is taken to speak Kinetics-400
                or Kinetics-600, and any other gets bare numbers. Or the names themselves.
            engine: `auto`, `openvino` or `tensorflow`; see `i3d.engines.choose.load_engine`.
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
        given, own_labels = None, None
        if isinstance(labels, NamedLabels):
            given = labels
        elif labels is not None:
            own_labels = read_labels(labels)
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
        named = given or name_labels(local, own_labels, labels, num_labels)
        about = describe_model(local, weights.result(), num_labels, named.label_list)
        notes = (*local.notes, *named.notes)
        if about.unofficial and local.spec is None:
            kept_as = local.name if local.record is None else local.record.name
            notes = (unofficial(local.name, kept_as), *notes)
        return cls(Predictor(loaded, named.labels), about, notes)

    def classify(
        self,
        path: str | os.PathLike[str],
        *,
        top: int = 5,
        **options: Any,
    ) -> Prediction:
        """Classify one video.

        Args:
            path: A video file, an animated GIF, or a folder of images.
            top: How many labels to give; more than there are gives all.
            **options: Those of `score`.

        Returns:
            The prediction, which says what made it.

        Raises:
            UsageError: An option is out of its range.
            UnknownNameError: There is no such recipe.
            VideoError: The video is missing, can't be decoded, or its span holds no frame.
            EngineError: The model failed on it.
        """
        return predict(self.score(path, **options), top)

    def score(
        self,
        path: str | os.PathLike[str],
        *,
        recipe: str = DEFAULT_RECIPE,
        fps: float | Literal["native"] | None = None,
        input_range: tuple[float, float] | None = None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        max_frames: int = 0,
        image_fps: float = ASSUMED_FPS,
        in_windows: bool = False,
        max_memory: int = DEFAULT_MAX_MEMORY,
        progress: Progress = NO_PROGRESS,
    ) -> VideoScores:
        """Run the model on one video, of any length, and give what it says step by step.

        Args:
            path: A video file, an animated GIF, or a folder of images.
            recipe: Name of the preprocessing, see `i3d.video.recipes`.
            fps: Thin denser videos to this rate, `native` for every frame, None for the recipe's.
            input_range: What black and white are fed as; None for the recipe's.
            start_seconds: First moment wanted.
            end_seconds: First moment not wanted any more; None for the end of the video.
            max_frames: Use at most this many frames (after thinning); 0 for all.
            image_fps: Frame rate of a folder of images.
            in_windows: A model without steps sees windows, however short the video is, so that
                there are several; see `i3d.analysis.steps`.
            max_memory: Memory that frames and engine may take, in bytes. It does not change the
                result by more than the last bits of a float32.
            progress: Who wants to know.

        Returns:
            The logits of each step, and what made them: for `i3d.analysis.prediction.predict` and
            `i3d.analysis.timeline.make_timeline`.

        Raises:
            UsageError: An option is out of its range.
            UnknownNameError: There is no such recipe.
            VideoError: The video is missing, can't be decoded, or its span holds no frame.
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
            reader.wait()
            return self.score_clip(
                reader, in_windows=in_windows, max_memory=max_memory, progress=progress
            )

    def score_clip(
        self,
        reader: ClipReader,
        *,
        in_windows: bool = False,
        max_memory: int = DEFAULT_MAX_MEMORY,
        progress: Progress = NO_PROGRESS,
    ) -> VideoScores:
        """Run the model on a video that is being decoded.

        Args:
            reader: Gives the frames, of the size that the model wants (`clip_size`).
            in_windows: As in `score`.
            max_memory: As in `score`.
            progress: Who wants to know.

        Returns:
            As `score`.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video can't be decoded, or its span holds no frame.
            EngineError: The model failed on it.
        """
        reader.wait()
        engine = self.predictor.engine
        recipe = describe_recipe(reader.recipe, engine.contract)
        steps = stream(
            reader,
            self.predictor,
            recipe.input_range,
            in_windows=in_windows,
            max_memory=max_memory,
            name=self.model.name,
            progress=progress,
        )
        video = reader.video
        clip = describe_clip(steps.times, steps.num_frames_fed, video, reader.end_seconds)
        return VideoScores(
            step_logits=steps.step_logits,
            edges_seconds=edge_times(steps.edges, steps.times, clip.end_seconds),
            labels=self.predictor.labels,
            video=video,
            clip=clip,
            recipe=recipe,
            model=self.model,
            engine=describe_engine(engine),
            warnings=warnings_of(video, clip),
        )
