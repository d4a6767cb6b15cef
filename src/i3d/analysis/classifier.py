"""A video file to scores and a prediction: loader, recipe, engine and labels wired together."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from i3d.analysis.descriptions import describe_clip, describe_recipe, edge_times, warnings_of
from i3d.analysis.prediction import predict
from i3d.analysis.scores import VideoScores
from i3d.analysis.steps import DEFAULT_MAX_MEMORY, stream
from i3d.engines.base import describe_engine
from i3d.engines.choose import DEFAULT_ENGINE, load_engine
from i3d.engines.saved_model import read_signature
from i3d.errors import CheckpointError, UsageError
from i3d.models.catalog import DEFAULT_MODEL
from i3d.models.find import find_model, unofficial
from i3d.models.inspect import read_weights
from i3d.models.labels import name_labels, read_labels
from i3d.models.records import ModelInfo
from i3d.progress import NO_PROGRESS
from i3d.video.ahead import ClipReader
from i3d.video.recipes import DEFAULT_RECIPE, get_recipe, with_overrides
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    import os

    from i3d.analysis.results import Prediction
    from i3d.engines.base import Engine, Precision
    from i3d.models.find import LocalModel
    from i3d.models.labels import NamedLabels
    from i3d.progress import Progress


class Classifier:
    """Says what happens in videos, with one model.

    It costs no more than what is asked of it: the model is found, and maybe downloaded, when
    something about it is asked, and loaded when it has to run. `load` does both at once. All
    methods and attributes may raise what `load` raises.

    Args:
        model: As for `load`.
        labels: As for `load`.
        engine: As for `load`; kept as `engine_name`.
        precision: As for `load`; kept as an attribute.
        progress: Receives progress updates, and the notes about the model when it is loaded.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        labels: str | os.PathLike[str] | None = None,
        engine: str = DEFAULT_ENGINE,
        precision: Precision = "float32",
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self.engine_name = engine
        self.precision = precision
        self._model = model
        self._label_file = labels
        self._progress = progress

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        *,
        labels: str | os.PathLike[str] | None = None,
        engine: str = DEFAULT_ENGINE,
        precision: Precision = "float32",
        progress: Progress = NO_PROGRESS,
    ) -> Classifier:
        """Find a model, download it if it is not on this machine yet, and load it.

        Args:
            model: A name in the catalogue (`i3d-kinetics-400`, `i3d-kinetics-600`,
                `camera-motion`), a SavedModel directory, an archive of one, or an address; see
                `i3d.models.find.find_model`.
            labels: A text file that names the model's outputs, one a line. Without it, a model
                outside the catalogue with 400 or 600 outputs is taken to speak Kinetics-400
                or Kinetics-600, and any other gets bare numbers.
            engine: `auto`, `openvino` or `tensorflow`; see `i3d.engines.choose.load_engine`.
            precision: The engine's arithmetic.
            progress: Receives progress updates.

        Returns:
            The loaded classifier.

        Raises:
            UnknownNameError: There is no model or engine of that name.
            UsageError: The label file is unusable, or does not fit the model; the engine has no
                such precision.
            TransferError: The model could not be downloaded.
            EngineError: The model could not be loaded.
        """
        classifier = cls(
            model, labels=labels, engine=engine, precision=precision, progress=progress
        )
        _ = classifier.engine
        return classifier

    @cached_property
    def local(self) -> LocalModel:
        """The model on this machine; downloaded if necessary."""
        _ = self._own_labels  # a mistyped name is told before a model is downloaded
        return find_model(self._model, progress=self._progress)

    @cached_property
    def size(self) -> int | None:
        """Height and width of its clips in pixels; None where it takes any."""
        return read_signature(self.local.directory).size

    @cached_property
    def named(self) -> NamedLabels:
        """Its labels, and where they come from."""
        num_labels = read_signature(self.local.directory).num_labels
        named = name_labels(self.local, self._own_labels, self._label_file, num_labels)
        if len(named.labels) != num_labels:
            raise UsageError(
                f"There are {len(named.labels)} labels, but the model has {num_labels} outputs.",
                hint="Give a label file with one line for each output, in their order.",
            )
        return named

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the model's outputs, in their order."""
        return self.named.labels

    @property
    def labels_sha256(self) -> str:
        """SHA-256, in hexadecimal, over its labels, one a line."""
        lines = "".join(f"{label}\n" for label in self.labels)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

    @cached_property
    def model(self) -> ModelInfo:
        """What results say of the model. All of its files are read."""
        local = self.local
        weights, checkpoint, is_unofficial = _known_weights(local)
        return ModelInfo(
            name=local.name,
            fingerprint=local.fingerprint,
            num_labels=len(self.labels),
            label_list=self.named.label_list,
            source=local.source,
            weights=weights,
            checkpoint=checkpoint,
            unofficial=is_unofficial,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the model that a user should read."""
        local = self.local
        notes = (*local.notes, *self.named.notes)
        if self.model.unofficial and local.spec is None:
            kept_as = local.name if local.record is None else local.record.name
            return (unofficial(local.name, kept_as), *notes)
        return notes

    @cached_property
    def engine(self) -> Engine:
        """The loaded model."""
        local, progress = self.local, self._progress
        _ = self.named  # a folder without a model is told before all of its files are read
        is_packaged = local.source == "packaged"
        with progress.task(f"loading {local.name}"), ThreadPoolExecutor(1) as reader:
            # Its files are read, twice, while the engine is imported and compiles the graph.
            fingerprint = reader.submit(lambda: local.fingerprint)
            model = reader.submit(lambda: self.model)
            engine = load_engine(
                local.directory,
                self.engine_name,
                precision=self.precision,
                fingerprint=None if is_packaged else fingerprint.result,
                is_known=is_packaged,
                progress=progress,
            )
        model.result()
        for note in self.notes:
            progress.note(note)
        return engine

    @cached_property
    def _own_labels(self) -> tuple[str, ...] | None:
        return None if self._label_file is None else read_labels(self._label_file)

    def classify(self, path: str | os.PathLike[str], *, top: int = 5, **options: Any) -> Prediction:
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
            input_range: The values that pixel values 0 and 255 are scaled to; None for those of
                the recipe.
            start_seconds: First moment wanted.
            end_seconds: First moment not wanted any more; None for the end of the video.
            max_frames: Use at most this many frames (after thinning); 0 for all.
            image_fps: Frame rate of a folder of images.
            in_windows: A model without steps sees windows, however short the video is, so that
                there are several; see `i3d.analysis.steps`.
            max_memory: Memory that frames and engine may take, in bytes. It does not change the
                result by more than the last bits of a float32.
            progress: Receives progress updates.

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
            self.engine.contract.size or chosen.size,
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
            reader: Gives the frames, of the size that the model wants (`size`).
            in_windows: As in `score`.
            max_memory: As in `score`.
            progress: Receives progress updates.

        Returns:
            As `score`.

        Raises:
            UsageError: A number is out of its range.
            VideoError: The video can't be decoded, or its span holds no frame.
            EngineError: The model failed on it.
        """
        reader.wait()
        engine = self.engine
        recipe = describe_recipe(reader.recipe, engine.contract)
        steps = stream(
            reader,
            engine,
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
            labels=self.labels,
            video=video,
            clip=clip,
            recipe=recipe,
            model=self.model,
            engine=describe_engine(engine),
            warnings=warnings_of(video, clip),
        )


def _known_weights(local: LocalModel) -> tuple[str | None, str | None, bool]:
    """Tell whose weights a model has; those of a model outside the catalogue are read.

    Returns:
        Their fingerprint, None where they can't be read; the published checkpoint that they are;
        whether they are of the network of one, and not published themselves.
    """
    if local.spec is not None and local.record is not None:
        record, is_known = local.record, local.spec.checkpoint is not None
        return record.weights, record.checkpoint, is_known and record.checkpoint is None
    with suppress(CheckpointError):  # a checkpoint that engines read, and i3d does not
        found = read_weights(local.directory)
        if found is not None:
            known = found.identification
            return found.fingerprint, known.checkpoint, known.is_unofficial
    return None, None, False
