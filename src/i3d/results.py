"""The values that i3d hands out. All of them are frozen, and none of them holds pixels.

A result says what made it: the file, the frames that were used, the preprocessing, the model
with the fingerprint of its weights, and the engine. Times are seconds from the video's first
frame; spans are half-open, [start, end).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i3d.errors import I3DError


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video: what its container claims, and what was decoded."""

    path: str
    """The path as it was given."""
    width: int
    """Width of a frame in pixels as a person sees it, that is after rotation."""
    height: int
    """Height of a frame in pixels as a person sees it, that is after rotation."""
    rotation_degrees: int
    """Clockwise rotation that the container asks for and the loader applied: 0, 90, 180, 270."""
    fps: float
    """Frames per second, measured on the timestamps of the decoded frames; for a video of one
    frame, and before decoding, what the header claims, or 25 where it claims nothing sane."""
    fps_from_header: float | None
    """Frames per second that the container claims; None where it claims nothing sane."""
    num_frames_from_header: int | None
    """Number of frames that the container claims; None where it claims nothing sane."""
    num_frames_decoded: int
    """Number of frames decoded so far, those outside the requested span included."""
    duration_seconds: float
    """End of the last frame. Where decoding was stopped before the end of the video, because no
    more was asked for, what the header claims, but not less than what was decoded."""
    ended_early: bool
    """The file ended, or could not be read on, well before the number of frames that its header
    claims: it is truncated or damaged, or its header lies."""
    num_frames_damaged: int = 0
    """Number of frames that could not be read and were left out."""


@dataclass(frozen=True)
class ClipInfo:
    """Which part of a video the model saw."""

    num_frames: int
    """Number of different frames in the clip."""
    num_frames_fed: int
    """Number of frames that the model was fed: more than `num_frames` where a short clip was
    repeated (looped) until it was long enough; up to 7 fewer where the video has more than 1500,
    see `i3d.classifier.streaming`."""
    start_seconds: float
    """Time of the first frame."""
    end_seconds: float
    """End of the last frame."""
    fps: float
    """Frames per second of the clip, after sampling."""


@dataclass(frozen=True)
class RecipeInfo:
    """The preprocessing that was applied, with every override in it."""

    name: str
    """Name of the recipe (`standard`, `tutorial`, `deepmind`)."""
    fps: float | None
    """Frame rate that denser videos were thinned to; None: every frame was used."""
    crop: str
    """`centre-square` or `short-side-256`, see `i3d.recipes`."""
    size: int
    """Height and width of the clip in pixels."""
    input_range: tuple[float, float]
    """Values that black (0) and white (255) were fed as."""
    input_range_reason: str
    """Why this range, in words."""


@dataclass(frozen=True)
class ModelInfo:
    """The model that made a result."""

    name: str
    """Name in the catalogue, or the path or URL that was given."""
    fingerprint: str
    """`sha256:` and 64 hexadecimal digits over the names and contents of the model's files."""
    num_labels: int
    """Length of the model's output."""
    label_list: str
    """Where the labels come from: a packaged list, a file, or `index` for bare numbers."""
    source: str = "folder"
    """Where it came from: a source of the catalogue (`tfhub`, `deepmind`), `url`, `archive`,
    `import`, `packaged`, or `folder` for one of the user's own."""
    weights: str | None = None
    """`sha256:` over the names, shapes and CRC-32C of the model's tensors: equal for equal weights,
    in whatever format they are stored. None where they can't be read."""
    checkpoint: str | None = None
    """Which of DeepMind's published checkpoints the weights are, tensor by tensor
    (`rgb_scratch`); None for none of them."""
    unofficial: bool = False
    """It has the layers of a published checkpoint, and weights that nobody published."""

    @property
    def title(self) -> str:
        """Its name, with ` (unofficial)` where it is that."""
        return f"{self.name} (unofficial)" if self.unofficial else self.name


@dataclass(frozen=True)
class EngineInfo:
    """The engine that ran the model."""

    name: str
    """`openvino` or `tensorflow`."""
    version: str
    """Version of the engine's package."""
    precision: str = "float32"
    """The arithmetic that it computed in."""
    fallback_reason: str | None = None
    """Why it ran and not the faster engine; None where it was asked for, or is the faster one."""

    @property
    def text(self) -> str:
        """`openvino 2026.4.1`, with the precision behind it where that is not float32."""
        precision = "" if self.precision == "float32" else f" {self.precision}"
        return f"{self.name} {self.version}{precision}"


@dataclass(frozen=True)
class Score:
    """What the model thinks of one label."""

    rank: int
    """1 is the best."""
    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    probability: float
    """Softmax over all labels of the mean logits, in [0, 1]."""
    logit: float
    """The mean of the step logits, before the softmax."""


@dataclass(frozen=True)
class TrueLabel:
    """A label that fits what is known to happen in a video, and what the model thinks of it."""

    label: str
    """Name of the label."""
    relation: str
    """`exact`: the label is the category. `broader`: the category is a part of the label. `near`:
    something alike."""
    rank: int
    """Place of the label among all labels of the model, 1 is the best."""
    probability: float
    """As in `Score`."""


@dataclass(frozen=True)
class Truth:
    """What is known to happen in a video, because it is a clip of a data set."""

    dataset: str
    """`UCF101`."""
    clip: str
    """Name of the clip, without a suffix."""
    category: str
    """Its category in the data set."""
    labels: tuple[TrueLabel, ...]
    """The labels of the model that fit the category, `exact` ones first; empty where none does."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one video."""

    video: VideoInfo
    clip: ClipInfo
    scores: tuple[Score, ...]
    """The best labels, best first; equal probabilities are in the order of the label list."""
    num_steps: int
    """Number of steps of the network's output that were averaged."""
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting this result."""
    truth: Truth | None = None
    """What is known to happen in the video, where it is a clip of UCF101 by its name."""


@dataclass(frozen=True)
class Track:
    """What the model thinks of one label, step by step."""

    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    scores: tuple[float, ...]
    """(S,) probabilities, smoothed as the timeline says, in [0, 1]."""


@dataclass(frozen=True)
class Segment:
    """A span of a video in which one thing happens."""

    start_seconds: float
    """Its first moment."""
    end_seconds: float
    """The first moment behind it."""
    label: str
    """Name of the label."""
    label_index: int
    """Position in the model's output."""
    mean_score: float
    """Mean of the label's score over the segment's steps, in [0, 1]."""
    peak_score: float
    """Highest of them."""
    peak_seconds: float
    """The middle of the step that it is reached in."""


@dataclass(frozen=True)
class TimelineSettings:
    """How step logits become segments."""

    labels: tuple[str, ...] | None = None
    """Labels to follow, each for itself; None for the best of all at each moment."""
    min_score: float = 0.5
    """A segment's score reaches this somewhere, and does not fall below half of it."""
    min_duration_seconds: float = 1.0
    """Nothing shorter is a segment; of a video that is shorter itself, what lasts from its start to
    its end."""
    smooth_seconds: float = 1.0
    """The logits of each step are averaged over so much time around it."""


@dataclass(frozen=True)
class Timeline:
    """When what happens in one video."""

    video: VideoInfo
    clip: ClipInfo
    edges_seconds: tuple[float, ...]
    """(S + 1,) step i of the network's output stands for the time from edge i to edge i + 1."""
    tracks: tuple[Track, ...]
    """The labels that are followed; or those of segments, longest in total first, then those with
    the highest scores."""
    segments: tuple[Segment, ...]
    """By their start. Empty where nothing was confident."""
    settings: TimelineSettings
    recipe: RecipeInfo
    model: ModelInfo
    engine: EngineInfo
    warnings: tuple[str, ...]
    """Sentences about what a user should know before trusting this result."""


@dataclass(frozen=True)
class FileInfo:
    """Which file it was: what a later run needs in order to know it again."""

    sha256: str
    """Of its bytes, in hexadecimal; of a folder of images, over their names and bytes."""
    num_bytes: int
    """Its size; of a folder of images, the sum of theirs."""
    modified: str
    """When it was last written, in UTC: `2026-11-22T10:20:30.123456789Z`; of a folder of images,
    the latest of theirs."""


@dataclass(frozen=True)
class Outcome:
    """What became of one video out of several: either a prediction or an error is set."""

    path: str
    prediction: Prediction | None = None
    error: I3DError | None = None
    file: FileInfo | None = None
    """Which file it was; None where nobody asked, or it can't be read."""
    settings: str | None = None
    """SHA-256 over all that decides the result besides the file, in hexadecimal; None where nobody
    asked."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What a file of results says of one video, as far as a list of videos shows it."""

    path: str
    r"""The path as the file holds it: bytes that are not UTF-8 are `\udc..` escapes."""
    scores: tuple[tuple[str, float], ...]
    """(label, probability in [0, 1]) of the best labels, best first; empty where it failed."""
    error_message: str | None = None
    """Why there is no answer; None where there is one."""
    error_kind: str | None = None
    """Name of the error's class; None for an answer, and where the file does not tell."""
    model: str | None = None
    """Name of the model; None where it failed, or the file does not tell."""
    start_seconds: float | None = None
    """Start of the span that was classified; None where that is not known."""
    end_seconds: float | None = None
    """End of that span."""
    warnings: tuple[str, ...] = ()
    """What a user should know before trusting the result; CSV and Parquet hold all as one text."""


@dataclass(frozen=True)
class FoundResults:
    """What a file of results holds."""

    rows: tuple[ResultRow, ...]
    """The videos in the order of the file; of two results of one video the last one is here."""
    num_torn: int = 0
    """Results at the end of the file that are cut off, and left out here: 0 or 1."""
    stopped: str | None = None
    """What stopped the run that wrote the file, where the file says so."""
