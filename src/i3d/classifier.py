"""A video file to a prediction: loader, recipe, transforms, engine and predictor wired together."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import numpy as np

from i3d.catalog import DEFAULT_MODEL
from i3d.engines import load_engine
from i3d.errors import CheckpointError, VideoTooLongError
from i3d.labels import load_labels, read_labels
from i3d.loader import VideoReader
from i3d.predictor import Predictor
from i3d.progress import NO_PROGRESS
from i3d.recipes import DEFAULT_RECIPE, LOW_FPS, MIN_FRAMES, get_recipe, with_overrides
from i3d.results import (
    ClipInfo,
    EngineInfo,
    ModelInfo,
    Prediction,
    RecipeInfo,
    TrueLabel,
    Truth,
)
from i3d.sampling import ASSUMED_FPS
from i3d.sources import find_model, fingerprint, read_weights, record_files
from i3d.transforms import to_clip_frame
from i3d.ucf101 import clip_of, load_index

if TYPE_CHECKING:
    import os

    from i3d.engines.base import Clip, ModelContract
    from i3d.predictor import ClipScores
    from i3d.progress import Progress
    from i3d.recipes import Recipe
    from i3d.results import VideoInfo
    from i3d.sources import LocalModel


MAX_FRAMES = 1500
"""Most frames that one pass may hold, one minute at 25 fps. All of them go through the network at
once, and I3D takes 4 to 5 MB a frame in TensorFlow (measured on 79 to 632 frames): 7 GB."""


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
        model: str = DEFAULT_MODEL,
        *,
        labels: str | os.PathLike[str] | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> Classifier:
        """Find a model, fetch it where it is not on this machine yet, and load it.

        Args:
            model: A name in the catalogue (`i3d-kinetics-400`, `i3d-kinetics-600`,
                `camera-motion`), a SavedModel directory, an archive of one, or an address; see
                `i3d.sources.find_model`.
            labels: A text file that names the model's outputs, one a line. Without it, a model
                outside the catalogue that has 400 or 600 outputs is taken to speak Kinetics-400
                or Kinetics-600, and any other gets bare numbers.
            progress: Who wants to know.

        Returns:
            The loaded classifier.

        Raises:
            UnknownNameError: There is no model of that name.
            UsageError: The label file is unusable, or does not fit the model.
            TransferError: The model could not be fetched.
            EngineError: The model could not be loaded.
        """
        own_labels = None if labels is None else read_labels(labels)
        local = find_model(model, progress=progress)
        with progress.task(f"loading {local.name}"):
            engine = load_engine(local.directory)
        num_labels = engine.contract.num_labels
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
        return cls(Predictor(engine, names), _describe_model(local, num_labels, label_list), notes)

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
        recipe_info = describe_recipe(
            chosen, self.predictor.engine.contract, is_overridden=input_range is not None
        )
        with VideoReader(
            path,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            fps=chosen.fps,
            max_frames=max_frames,
            image_fps=image_fps,
        ) as reader:
            clip, times = _read_clip(reader, chosen, recipe_info.size, progress)
            video = reader.info
        with progress.task(f"running {self.model.name} on {len(clip)} frames"):
            scores = self.predictor.score(clip, recipe_info.input_range)
        clip_info = _describe_clip(times, scores.num_frames_fed, video, end_seconds)
        engine = self.predictor.engine
        return Prediction(
            video=video,
            clip=clip_info,
            scores=self.predictor.best(scores, top),
            num_steps=scores.num_steps,
            recipe=recipe_info,
            model=self.model,
            engine=EngineInfo(engine.name, engine.version),
            warnings=_warnings(video, clip_info),
            truth=self._truth(path, scores),
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


def _describe_model(local: LocalModel, num_labels: int, label_list: str) -> ModelInfo:
    if local.record is not None:
        files, weights, checkpoint = (
            local.record.files,
            local.record.weights,
            local.record.checkpoint,
        )
    else:
        files, weights, checkpoint = record_files(local.directory), None, None
        with suppress(CheckpointError):  # a checkpoint that TensorFlow reads, and i3d does not
            found = read_weights(local.directory)
            if found is not None:
                weights, checkpoint = found.fingerprint, found.identification.checkpoint
    return ModelInfo(
        name=local.name,
        fingerprint=fingerprint(files),
        num_labels=num_labels,
        label_list=label_list,
        source=local.source,
        weights=weights,
        checkpoint=checkpoint,
    )


def _read_clip(
    reader: VideoReader, recipe: Recipe, size: int, progress: Progress
) -> tuple[Clip, list[float]]:
    """Decode the clip, (T, size, size, 3) uint8 RGB, and the time of each frame in seconds."""
    frames: list[Clip] = []
    times: list[float] = []
    total = reader.info.num_frames_from_header
    with progress.task(f"decoding {reader.path}", total) as advance:
        decoded = 0
        for frame in reader:
            if len(frames) == MAX_FRAMES:
                raise VideoTooLongError(
                    f"{reader.path} has more than the {MAX_FRAMES} frames that i3d can classify "
                    f"at once: they reach {frame.seconds:.0f} seconds into it.",
                    hint="Choose a part of it with --start and --end, or fewer frames with "
                    "--max-frames or a lower --fps.",
                )
            frames.append(to_clip_frame(frame.image, size=size, crop=recipe.crop))
            times.append(frame.seconds)
            advance(frame.index + 1 - decoded)
            decoded = frame.index + 1
    return np.stack(frames), times


def _describe_clip(
    times: list[float], num_frames_fed: int, video: VideoInfo, end_seconds: float | None
) -> ClipInfo:
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else video.fps
    return ClipInfo(
        num_frames=len(times),
        num_frames_fed=num_frames_fed,
        start_seconds=times[0],
        # A thinned clip's last frame stands for no time after the video, or after the span.
        end_seconds=min(
            times[-1] + 1.0 / fps,
            video.duration_seconds,
            math.inf if end_seconds is None else end_seconds,
        ),
        fps=fps,
    )


def describe_recipe(
    recipe: Recipe, contract: ModelContract, *, is_overridden: bool = False
) -> RecipeInfo:
    """Say what a recipe does to the videos that a model is given.

    Args:
        recipe: The recipe, with every override in it.
        contract: What the model wants; the recipe decides where it says something itself.
        is_overridden: The recipe's range is one that was asked for.
    """
    if recipe.input_range is None:
        input_range, reason = contract.input_range, contract.input_range_reason
    else:
        input_range, reason = recipe.input_range, f"the {recipe.name} recipe's"
    return RecipeInfo(
        name=recipe.name,
        fps=recipe.fps,
        crop=recipe.crop,
        size=contract.size or recipe.size,
        input_range=input_range,
        input_range_reason="asked for" if is_overridden else reason,
    )


def _warnings(video: VideoInfo, clip: ClipInfo) -> tuple[str, ...]:
    """What a user should know before trusting a result, as sentences without the file's name."""
    sentences = []
    if video.ended_early:
        declared, decoded = video.num_frames_from_header, video.num_frames_decoded
        if declared is not None and decoded < declared:
            share = f"decoded {decoded} of the {declared} frames that the header declares "
            share += f"({100 * decoded / declared:.0f} %): "
        else:
            share = f"decoded {decoded} frames: "
        sentences.append(
            f"{share}the file is cut off or damaged, and what could be decoded was classified"
        )
    if video.num_frames_damaged:
        sentences.append(
            f"{video.num_frames_damaged} of {video.num_frames_from_header} images could not be "
            "read and were left out"
        )
    if clip.num_frames < MIN_FRAMES:
        several = f"{clip.num_frames} frames"
        frames = "1 frame, which shows no motion" if clip.num_frames == 1 else several
        sentences.append(
            f"the clip has {frames}; it was repeated until there were the {clip.num_frames_fed} "
            "that the network needs"
        )
    elif clip.fps < LOW_FPS:
        sentences.append(f"{clip.fps:.1f} frames per second are few: I3D was trained on 25")
    return tuple(sentences)
