"""A page about the results of many videos: to search, to sort, to go to the videos."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from i3d.report.pages.documents import render_document
from i3d.report.text import encodable, percent, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from i3d.report.reading import FoundResults, ResultRow

MAX_VIDEOS = 200_000
"""Videos in a page. With five labels each they make 16 MB, which Chromium opens in 1.3 s on the
machine that i3d was written on; a search takes 0.4 s there, the first one 1.2 s."""

MAX_SCORES = 2_000_000
"""Scores of all videos together in a page, each in about ten bytes."""

MAX_TEXT = 2_000
"""Characters of a reason or a warning in a page; more is cut off, and ends on three dots."""

NUM_FIRST_LABELS = 12
"""Labels that are shown before a click on "all"."""

_MICRO = 1_000_000
"""Probabilities are whole numbers of millionths: a page shows tenths of a percent."""

_ESCAPED_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")
"""How results write a byte of a name that is not UTF-8, see `i3d.report.text.encodable`."""


def render_index(found: FoundResults, *, source: str, folder: Path | None) -> str:
    """Render the page.

    It links to each video. Paths that are not absolute are taken from the current folder, as when
    the results were made.

    Args:
        found: The results.
        source: The file that they come from, as it was given.
        folder: Where the page will lie; None where that is not known: links are absolute then.

    Returns:
        The page, which ends with a line end and needs no other file.
    """
    rows = found.rows[:MAX_VIDEOS]
    num_failed = sum(row.error_message is not None for row in found.rows)
    most = max((len(row.scores) for row in rows), default=0)
    kept = max(1, min(most, MAX_SCORES // max(1, len(rows))))
    models = Counter(row.title for row in found.rows if row.title is not None)
    name = printable(PurePath(source).name or source)
    best = Counter(row.scores[0][0] for row in found.rows if row.scores)
    data = _Data(folder)
    for row in rows:
        data.add(row, kept)
    num_ok = len(found.rows) - num_failed
    return render_document(
        "index.html",
        title=f"{name} - i3d",
        styles=("index.css",),
        scripts=("index.js",),
        data=data.as_dict(has_models=len(models) > 1),
        name=name,
        verdict=_verdict(len(found.rows), num_ok),
        facts=_facts(models, best, most),
        warnings=_warnings(found, len(rows), most, kept),
        best=_bars(best, data.labels),
        num_first=NUM_FIRST_LABELS,
        labels=sorted(
            ((number, printable(label)) for label, number in data.labels.items()),
            key=lambda item: item[1].casefold(),
        ),
        most=kept if most else 0,
        num_failed=num_failed,
        num_ok=num_ok,
        num_videos=f"{len(rows):,}",
    )


class _Data:
    """What the page's script gets: a column for each property, a table for what comes often."""

    def __init__(self, folder: Path | None) -> None:
        self.labels: dict[str, int] = {}
        self._url_of = lru_cache(maxsize=None)(lambda text: _folder_url(text, folder))
        self._models: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._folders: dict[str, int] = {}
        names = ("names", "folder_of", "scores", "tenths", "model_of")
        self._of_all: dict[str, list[Any]] = {name: [] for name in names}
        names = ("starts", "failed", "warnings", "links", "paths")
        self._of_some: dict[str, dict[int, Any]] = {name: {} for name in names}

    def add(self, row: ResultRow, kept: int) -> None:
        """Add a video with its best labels."""
        folder, name = _parted(row.path)
        shown = printable(name)
        start, end = row.start_seconds or 0, row.end_seconds
        values = {
            "names": shown,
            "folder_of": _number(self._folders, folder),
            "scores": [
                value
                for label, probability in row.scores[:kept]
                for value in (_number(self.labels, label), _millionths(probability))
            ],
            "tenths": None if end is None or end < start else round(10 * (end - start)),
            "model_of": -1 if row.title is None else _number(self._models, row.title),
        }
        number = len(self._of_all["names"])
        for key, value in values.items():
            self._of_all[key].append(value)
        some = self._of_some
        if shown != name or "\\" in name or "/" in name:  # a folder may end in a slash
            some["links"][number] = self._url_of(folder) + _quoted(name)
        if row.error_kind == "VideoNotFoundError":
            some["links"][number] = None
        if not _is_plain(row.path):
            some["paths"][number] = _for_list(row.path)
        if start:
            some["starts"][number] = round(start, 1)
        if row.error_message is not None:
            kind = _number(self._kinds, row.error_kind or "")
            some["failed"][number] = (kind, _short(row.error_message))
        if row.warnings:
            some["warnings"][number] = [_number(self._texts, _short(one)) for one in row.warnings]

    def as_dict(self, *, has_models: bool) -> dict[str, Any]:
        """All of it, with texts that can be shown."""
        models: dict[str, list[int]] = {} if has_models else {"model_of": []}
        return {
            "labels": [printable(label) for label in self.labels],
            "models": [printable(model) for model in self._models] if has_models else [],
            "kinds": [printable(kind) for kind in self._kinds],
            "texts": list(self._texts),
            "folders": [[printable(text), self._url_of(text)] for text in self._folders],
            **self._of_all,
            **self._of_some,
            **models,
        }


def _number(table: dict[str, int], text: str) -> int:
    return table.setdefault(text, len(table))


def _millionths(probability: float) -> int:
    """Never a false 0 or 1."""
    number = round(_MICRO * probability)
    if 0 < probability < 1:
        return min(max(number, 1), _MICRO - 1)
    return number


def _short(text: str) -> str:
    shown = printable(text[:MAX_TEXT])
    return shown if len(text) <= MAX_TEXT else f"{shown}..."


def _parted(path: str) -> tuple[str, str]:
    """The folder of a path, with its last slash, and the name in it."""
    slashes = "/\\" if os.name == "nt" else "/"
    at = max(path.rstrip(slashes).rfind(slash) for slash in slashes) + 1
    return path[:at], path[at:]


def _is_plain(path: str) -> bool:
    """Tell whether a path can be copied as it is shown."""
    return printable(path) == path and not _ESCAPED_BYTE.search(path)


def _for_list(path: str) -> str | None:
    """The path itself, for a list of names; None where none can hold it."""
    is_text = encodable(path) == path and not _ESCAPED_BYTE.search(path)
    return path if is_text and not {"\n", "\r", "\0"} & set(path) else None


def _with_bytes(path: str) -> str:
    r"""Put the bytes back that results write as `\udc..`.

    A name that has these six characters in it would be taken for one with the byte; that is rarer.
    """
    if os.name == "nt":
        return path
    return _ESCAPED_BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), path)


def _quoted(path: str) -> str:
    """A path as a part of an address, percent-encoded from its bytes."""
    path = path.replace("\\", "/") if os.name == "nt" else _with_bytes(path)
    try:
        return quote(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a surrogate that stands for no byte: no file has such a name
        return quote(path.encode("utf-8", "replace"))


def _folder_url(text: str, page_folder: Path | None) -> str:
    """The address of a folder, as seen from the page; it ends with a slash."""
    try:
        real = Path(os.path.realpath(_with_bytes(text) or "."))
        absolute = real.as_uri().rstrip("/") + "/"
    except ValueError:  # no file has such a name
        return "./"
    if page_folder is None:
        return absolute
    try:
        relative = os.path.relpath(real, os.path.realpath(page_folder))
    except ValueError:  # another drive of Windows
        return absolute
    # With a dot before it, a name with a colon is not taken for a scheme.
    return "./" if relative == "." else f"./{_quoted(relative)}/"


def _verdict(num_videos: int, num_ok: int) -> str:
    if num_videos == 1:
        return f"1 video, {'classified' if num_ok else 'failed'}."
    if num_ok in (0, num_videos):
        return f"{num_videos:,} videos, all of them {'classified' if num_ok else 'failed'}."
    return f"{num_videos:,} videos: {num_ok:,} classified, {num_videos - num_ok:,} failed."


def _facts(models: Counter[str], best: Counter[str], most: int) -> list[str]:
    facts = []
    if models:
        names = [
            printable(name) if len(models) == 1 else f"{printable(name)} ({count:,})"
            for name, count in models.most_common(5)
        ]
        others = [] if len(models) <= 5 else [f"{len(models) - 5:,} others"]
        facts.append(f"{'Model' if len(models) == 1 else 'Models'}: {', '.join(names + others)}")
    if best:
        facts.append(f"{len(best):,} different best {'label' if len(best) == 1 else 'labels'}")
        facts.append("1 label a video" if most == 1 else f"up to {most:,} labels a video")
    return facts


def _warnings(found: FoundResults, num_shown: int, most: int, kept: int) -> list[str]:
    warnings = []
    if found.stopped is not None:
        reason = _short(found.stopped).removesuffix(".")
        warnings.append(f"The run stopped early: {reason}.")
    if found.num_torn:
        warnings.append(
            "The last result in the file is cut off and not shown: the run is still going on, "
            "or was killed."
        )
    if num_shown < len(found.rows):
        warnings.append(
            f"The list shows the first {num_shown:,} of {len(found.rows):,} videos, because more "
            "would be too slow; the numbers above count all of them."
        )
    if kept < most:
        warnings.append(
            f"The list shows the best {kept:,} of up to {most:,} labels of each video, because "
            "more would be too slow."
        )
    return warnings


def _bars(best: Counter[str], labels: dict[str, int]) -> Sequence[dict[str, object]]:
    """The labels that come first most often, as bars."""
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0].casefold()))
    total = sum(best.values())
    return [
        {
            "number": labels[label],
            "label": printable(label),
            "count": f"{count:,}",
            "percent": percent(count / total),
            "width": math.ceil(1000 * count / ranked[0][1]) / 10,
        }
        for label, count in ranked
        if label in labels
    ]
