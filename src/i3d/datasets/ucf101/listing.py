"""Lists of UCF101's clips as text: tables for people, names, JSON, CSV.

The JSON schema is described in docs/json.md.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.datasets.ucf101.data import SPLITS, load_index
from i3d.report.text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from i3d.datasets.ucf101.clips import LocalClip
    from i3d.datasets.ucf101.data import Clip

LIST_SCHEMA = "i3d.ucf101/1"

CSV_COLUMNS = (
    "name",
    "category",
    "category_number",
    "group",
    "number",
    "split1",
    "split2",
    "split3",
    "kinetics_label",
    "relation",
    "path",
    "num_frames_from_header",
)

_NUM_SAMPLES = 2
"""File names shown for each category, where the terminal is wide enough; as in the tutorial."""


def clips_as_table(
    clips: Sequence[Clip], local: Mapping[Clip, LocalClip], *, width: int = 80
) -> str:
    """Lay clips out for people: a line for each clip, or for each category if they are of several.

    Args:
        clips: The clips.
        local: Those that are on this machine.
        width: Columns of the terminal. Names are not cut: narrow ones get fewer samples.
    """
    by_category = _by_category(clips)
    if len(by_category) == 1:
        (members,) = by_category.values()
        text = f"{_clip_rows(members, local)}\n{_labels_sentence(members[0])}\n"
    else:
        text = _category_rows(by_category, width)
    found = f"{len(clips)} video{'' if len(clips) == 1 else 's'}"
    categories = f"{len(by_category)} categor{'y' if len(by_category) == 1 else 'ies'}"
    return f"{text}Found {found} in {categories}.\n"


def names_as_text(clips: Iterable[Clip]) -> str:
    """File names (`v_..._g01_c01.avi`), one a line."""
    return "".join(f"{clip.file_name}\n" for clip in clips)


def clips_as_json(clips: Sequence[Clip], local: Mapping[Clip, LocalClip]) -> str:
    """A JSON document of the clips and their categories, each clip on one line.

    Args:
        clips: The clips.
        local: Those that are on this machine.
    """
    import json

    head: dict[str, Any] = {
        "schema": LIST_SCHEMA,
        "i3d_version": __version__,
        "num_clips": len(clips),
        "categories": [_category_as_dict(members) for members in _by_category(clips).values()],
    }
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    rows = ",\n    ".join(encode(_clip_as_dict(clip, local.get(clip))) for clip in clips)
    # Put together by hand, for a clip on one line: indented by `json`, all clips take three times
    # as long, and 173,000 lines.
    opened = json.dumps(head, indent=2, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    return f'{opened},\n  "clips": [{f"{chr(10)}    {rows}{chr(10)}  " if rows else ""}]\n}}\n'


def clips_as_csv(clips: Iterable[Clip], local: Mapping[Clip, LocalClip]) -> str:
    """A header and a row for each clip (RFC 4180 quoting, LF line ends).

    Args:
        clips: The clips.
        local: Those that are on this machine.
    """
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for clip in clips:
        category, here = load_index().category_of(clip), local.get(clip)
        best = category.labels[0] if category.labels else None
        writer.writerow(
            (
                clip.name,
                clip.category,
                category.number,
                clip.group,
                clip.number,
                *clip.subsets,
                None if best is None else best.label,
                None if best is None else best.relation,
                None if here is None else encodable(str(here.path)),
                None if here is None else here.num_frames_from_header,
            )
        )
    return text.getvalue()


def _by_category(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """The clips of each category, in the order in which the categories come first."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        found.setdefault(clip.category, []).append(clip)
    return found


def _category_rows(by_category: Mapping[str, Sequence[Clip]], width: int) -> str:
    name_width = max(map(len, by_category), default=0)
    digits = max((len(str(len(members))) for members in by_category.values()), default=0)
    text = ""
    for name, members in by_category.items():
        number = len(members)
        start = f"{name:<{name_width}}  {number:>{digits}} video{'' if number == 1 else 's'}"
        text += f"{start}{_samples(members, width - len(start))}\n"
    return text


def _samples(clips: Sequence[Clip], width: int) -> str:
    """The first file names of a category in brackets, as many as there is room for."""
    for shown in range(min(_NUM_SAMPLES, len(clips)), 0, -1):
        names = [clip.file_name for clip in clips[:shown]]
        text = f" ({', '.join(names + ['...'] * (shown < len(clips)))})"
        if len(text) <= width:
            return text
    return ""


def _clip_rows(clips: Sequence[Clip], local: Mapping[Clip, LocalClip]) -> str:
    width = max(len(clip.name) for clip in clips)
    splits = "".join(f"  split {split}" for split in SPLITS)
    text = f"{'clip':<{width}}  group{splits}  frames  fetched\n"
    for clip in clips:
        here = local.get(clip)
        subsets = "".join(f"  {subset:<7}" for subset in clip.subsets)
        frames = (here and here.num_frames_from_header) or "-"
        fetched = "no" if here is None else "yes"
        text += f"{clip.name:<{width}}  {clip.group:>5}{subsets}  {frames:>6}  {fetched}\n"
    return text


def _labels_sentence(clip: Clip) -> str:
    category = load_index().category_of(clip)
    if not category.labels:
        return "Kinetics-400 has no label for it."
    labels = ", ".join(f"{fitting.label} ({fitting.relation})" for fitting in category.labels)
    return f"Kinetics-400: {labels}"


def _category_as_dict(clips: Sequence[Clip]) -> dict[str, Any]:
    category = load_index().category_of(clips[0])
    return {
        "name": category.name,
        "number": category.number,
        "num_clips": len(clips),
        "labels": [asdict(fitting) for fitting in category.labels],
    }


def _clip_as_dict(clip: Clip, here: LocalClip | None) -> dict[str, Any]:
    return {
        "name": clip.name,
        "category": clip.category,
        "group": clip.group,
        "number": clip.number,
        "splits": dict(zip(map(str, SPLITS), clip.subsets, strict=True)),
        "path": None if here is None else encodable(str(here.path)),
        "num_frames_from_header": None if here is None else here.num_frames_from_header,
    }
