"""I3D: what is happening in this video?

The library behind the `i3d` command. Its public names are loaded on first use, so that
`import i3d` costs nothing and imports neither TensorFlow nor OpenCV:

    >>> import i3d
    >>> clip = i3d.load_video("clip.avi")          # (T, 224, 224, 3) float32 RGB in [0, 1]
    >>> classifier = i3d.Classifier.load("i3d-kinetics-400")
    >>> prediction = classifier.classify("clip.avi", top=5)
    >>> prediction.scores[0].label
    'juggling balls'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i3d.analysis.classifier import Classifier
    from i3d.analysis.results import Prediction, Score, Segment, Timeline
    from i3d.analysis.scores import VideoScores
    from i3d.analysis.timeline import make_timeline
    from i3d.errors import I3DError
    from i3d.models.labels import load_labels
    from i3d.video.info import VideoInfo
    from i3d.video.reader import VideoReader, load_video

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "I3DError",
    "Prediction",
    "Score",
    "Segment",
    "Timeline",
    "VideoInfo",
    "VideoReader",
    "VideoScores",
    "__version__",
    "load_labels",
    "load_video",
    "make_timeline",
]

_HOME_OF = {
    "Classifier": "i3d.analysis.classifier",
    "I3DError": "i3d.errors",
    "Prediction": "i3d.analysis.results",
    "Score": "i3d.analysis.results",
    "Segment": "i3d.analysis.results",
    "Timeline": "i3d.analysis.results",
    "VideoInfo": "i3d.video.info",
    "VideoReader": "i3d.video.reader",
    "VideoScores": "i3d.analysis.scores",
    "load_labels": "i3d.models.labels",
    "load_video": "i3d.video.reader",
    "make_timeline": "i3d.analysis.timeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'i3d' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
