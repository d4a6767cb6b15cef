r"""A timeline as subtitles: WebVTT (https://www.w3.org/TR/webvtt1/) and SubRip.

A cue for each segment, so that any player shows what is seen when. A name can't break a file or
be taken for markup: control characters and line breaks become escapes such as `\n`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from i3d import __version__
from i3d.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.analysis.results import Segment, Timeline

_VTT_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

_SRT_TEXT = str.maketrans({"<": "\u2039", ">": "\u203a", "{": "(", "}": ")"})
"""SubRip has no escapes, and players take `<b>` and `{...}` for markup: characters that look like
them stand for them (single angle quotation marks, round brackets)."""


def timeline_as_vtt(timeline: Timeline) -> str:
    """A WebVTT file; a note in it says what made it. Times count from the video's first frame."""
    note = "\n".join(_vtt_text(line) for line in _made_by(timeline))
    cues = "".join(
        f"\n{_clock(start, '.')} --> {_clock(end, '.')}\n{_vtt_text(text)}\n"
        for start, end, text in _cues(timeline)
    )
    return f"WEBVTT\n\nNOTE\n{note}\n{cues}"


def timeline_as_srt(timeline: Timeline) -> str:
    """A SubRip file: numbered cues, and nothing else; an empty line where there are none.

    Times count from the video's first frame.
    """
    cues = (
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_srt_text(text)}\n"
        for number, (start, end, text) in enumerate(_cues(timeline), start=1)
    )
    return "\n".join(cues) or "\n"


def _cues(timeline: Timeline) -> Iterator[tuple[int, int, str]]:
    """Start and end in milliseconds, and the text, by start; none has a length of zero."""
    for segment in timeline.segments:
        start = round(1000 * segment.start_seconds)
        end = round(1000 * segment.end_seconds)
        yield start, max(end, start + 1), f"{segment.label} ({_percent(segment)})"


def _percent(segment: Segment) -> str:
    """The mean score in whole percent; 0 and 100 only where it is that."""
    score = segment.mean_score
    return f"{round(100 * score) if score in (0, 1) else min(max(round(100 * score), 1), 99)} %"


def _made_by(timeline: Timeline) -> list[str]:
    settings, model = timeline.settings, timeline.model
    return [
        f"i3d {__version__} on {timeline.video.path}",
        f"model {model.title}, {model.fingerprint}",
        f"recipe {timeline.recipe.name}, engine {timeline.engine.text}",
        f"min_score {settings.min_score:g}, smooth_seconds {settings.smooth_seconds:g}",
        f"min_duration_seconds {settings.min_duration_seconds:g}",
    ]


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def _vtt_text(text: str) -> str:
    return printable(text).translate(_VTT_TEXT)


def _srt_text(text: str) -> str:
    return printable(text).translate(_SRT_TEXT)
