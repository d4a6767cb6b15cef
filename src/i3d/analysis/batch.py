"""Many videos through one model: each is decoded while the model is loaded, or runs on another.

A video that fails does not stop the others.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from i3d.analysis.scores import score_key
from i3d.analysis.steps import DEFAULT_MAX_MEMORY
from i3d.errors import EngineError, I3DError, VideoError
from i3d.progress import NO_PROGRESS
from i3d.video.ahead import ClipReader
from i3d.video.identity import describe_file, looks_like
from i3d.video.isolated import DECODE_TIMEOUT_SECONDS, DecodeProcess
from i3d.video.timing import ASSUMED_FPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from i3d.analysis.classifier import Classifier
    from i3d.analysis.scores import ScoreStore, VideoScores
    from i3d.progress import Progress
    from i3d.video.info import FileInfo
    from i3d.video.recipes import Recipe


@dataclass(frozen=True)
class ScoreSettings:
    """What is asked of a model about each video."""

    recipe: Recipe
    """Which frames are used, and how they are cut."""
    start_seconds: float = 0.0
    """First moment wanted."""
    end_seconds: float | None = None
    """First moment not wanted any more; None for the end of the video."""
    max_frames: int = 0
    """Use at most this many frames (after thinning); 0 for all."""
    image_fps: float = ASSUMED_FPS
    """Frame rate of a folder of images."""
    in_windows: bool = False
    """A model without steps sees windows, however short the video is."""
    max_memory: int = DEFAULT_MAX_MEMORY
    """Memory that frames and engine may take, in bytes; does not change the scores."""

    @property
    def span(self) -> dict[str, Any]:
        """Which part of a video: `ClipReader`'s options."""
        names = ("start_seconds", "end_seconds", "max_frames", "image_fps")
        return {name: getattr(self, name) for name in names}

    def key(self, file: FileInfo, model: Classifier, *, has_grid: bool) -> str:
        """Tell what the scores of a video are kept under.

        Args:
            file: The video.
            model: The model.
            has_grid: Its steps are understood: then it makes no difference who asked.
        """
        recipe = asdict(self.recipe)
        for name in ("name", "summary"):  # do not change anything
            del recipe[name]
        return score_key(
            file,
            model.local.fingerprint,
            recipe=recipe,
            span=self.span,
            in_windows=not has_grid and self.in_windows,
            has_grid=has_grid,
            precision=model.precision,
        )

    def digest(self, model: Classifier, **others: object) -> str:
        """SHA-256, in hexadecimal, over all that decides the result besides the video.

        Args:
            model: The model, its labels, its engine.
            **others: What is asked besides the scores, as plain data.
        """
        parts = {
            "model": model.local.fingerprint,
            "labels": model.labels_sha256,
            "engine": model.engine_name,
            "precision": model.precision,
            "recipe": asdict(self.recipe),
            "span": self.span,
            "in_windows": self.in_windows,
            **others,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Scored:
    """What became of one video: either scores or an error are set."""

    path: str
    scores: VideoScores | None = None
    error: I3DError | None = None
    file: FileInfo | None = None
    """Which file it was; None if not asked for, or unreadable."""


class Batch:
    """Videos, and what the model says of each, in their order.

    Iterate over it once, then call `close`, or use it as a context manager of `contextlib.closing`.

    Args:
        videos: Their paths, and why one is not there.
        model: The model; it is loaded for the first video that can be read.
        settings: What is asked of it.
        store: Where scores are kept, and looked for before the model is run; None for nowhere.
        num_ahead: So many videos are decoded ahead of the one that the model runs on.
        isolated: Decode in other processes, so that a video on which the decoder crashes or hangs
            is one that failed.
        timeout_seconds: After so long a silence another process is taken to hang.
        identify: Say which file each video was.
        progress: Receives progress updates.
    """

    def __init__(
        self,
        videos: Sequence[tuple[str, I3DError | None]],
        model: Classifier,
        settings: ScoreSettings,
        *,
        store: ScoreStore | None = None,
        num_ahead: int = 1,
        isolated: bool = False,
        timeout_seconds: float = DECODE_TIMEOUT_SECONDS,
        identify: bool = False,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        self._videos = videos
        self._model = model
        self._settings = settings
        self._store = store
        self._num_ahead = num_ahead
        self._isolated = isolated
        self._timeout_seconds = timeout_seconds
        self._idle: deque[DecodeProcess] = deque()
        """Processes that decode, each one video at a time; these none at the moment."""
        self._identify = identify
        self._progress = progress
        self._size = settings.recipe.size  # of most models: decoding need not wait for the model
        self._next = 0
        """Number of the next video to open."""
        self._open: deque[Future[_Opened]] = deque()
        self._opener = ThreadPoolExecutor(num_ahead + 1, thread_name_prefix="i3d-open")
        self._is_closed = threading.Event()

    def close(self) -> None:
        """Stop decoding. Safe to call twice."""
        self._is_closed.set()
        self._opener.shutdown(wait=True, cancel_futures=True)
        while self._open:
            opened = self._open.popleft()
            if not opened.cancelled() and opened.exception() is None:
                self._close(opened.result())
        while self._idle:
            self._idle.pop().close()

    def __iter__(self) -> Iterator[Scored]:
        """Give the videos' scores one after the other.

        Raises:
            I3DError: The model can't be found or loaded, or a setting makes no sense for it. What
                is wrong with one video is in its `Scored`.
        """
        if self._store is not None:
            self._find_model()
        for number, (path, error) in enumerate(self._videos):
            if error is not None:
                yield Scored(path, error=error)
                continue
            self._open_until(number)
            opened = _result(self._open.popleft())
            try:
                yield self._scored(number, opened)
            finally:
                self._close(opened)

    def _scored(self, number: int, opened: _Opened) -> Scored:
        path = self._videos[number][0]
        if opened.reader is None:
            return Scored(path, opened.scores, file=opened.file)
        try:
            # A model takes seconds to load: not for a video that can't be read.
            opened.reader.wait()
        except VideoError as error:
            return Scored(path, error=error, file=opened.file or opened.reader.file)
        self._find_model()
        if opened.reader.size != self._size:
            self._close(opened)
            opened.reader = self._reader(path, identified=opened.file is not None)
        self._open_until(number + self._num_ahead)
        try:
            scores = self._model.score_clip(
                opened.reader,
                in_windows=self._settings.in_windows,
                max_memory=self._settings.max_memory,
                progress=self._progress,
            )
        except (VideoError, EngineError) as error:
            return Scored(path, error=error, file=opened.file or opened.reader.file)
        file = opened.file or opened.reader.file
        if self._store is not None and file is not None and looks_like(path, file):
            has_grid = self._model.engine.contract.stride is not None
            self._store.keep(self._settings.key(file, self._model, has_grid=has_grid), scores)
        return Scored(path, scores, file=file)

    def _find_model(self) -> None:
        self._size = self._model.size or self._settings.recipe.size

    def _open_until(self, number: int) -> None:
        """Open the videos up to a number, that one included."""
        while self._next <= min(number, len(self._videos) - 1):
            path, error = self._videos[self._next]
            self._next += 1
            if error is None:
                self._open.append(self._opener.submit(self._opened, path))

    def _opened(self, path: str) -> _Opened:
        """Look for a video's scores, else begin to decode it."""
        file = None if self._store is None else self._file(path)
        if self._store is not None and file is not None:
            for has_grid in (True, False):
                found = self._store.find(self._settings.key(file, self._model, has_grid=has_grid))
                if found is not None:
                    return _Opened(file=file, scores=self._named(found, path))
        return _Opened(file=file, reader=self._reader(path, identified=file is not None))

    def _reader(self, path: str, *, identified: bool) -> ClipReader:
        return ClipReader(
            path,
            self._settings.recipe,
            self._size,
            **self._settings.span,
            process=self._process() if self._isolated else None,
            identify=self._identify and not identified,
        )

    def _process(self) -> DecodeProcess:
        with suppress(IndexError):
            return self._idle.pop()
        return DecodeProcess(timeout_seconds=self._timeout_seconds)

    def _named(self, scores: VideoScores, path: str) -> VideoScores:
        """Kept scores in the names of today: of the video, the model, and the labels."""
        named, local = self._model.named, self._model.local
        model = replace(scores.model, name=local.name, label_list=named.label_list)
        recipe = replace(scores.recipe, name=self._settings.recipe.name)
        video = replace(scores.video, path=path)
        return replace(scores, video=video, model=model, recipe=recipe, labels=named.labels)

    def _file(self, path: str) -> FileInfo | None:
        """Which file it is, if it can be read."""
        with suppress(VideoError):
            return describe_file(path, is_wanted=lambda: not self._is_closed.is_set())
        return None

    def _close(self, opened: _Opened) -> None:
        if opened.reader is not None:
            has_ended, process = opened.reader.close(), opened.reader.process
            opened.reader = None
            if process is not None and has_ended:
                self._idle.append(process)
            elif process is not None:  # it still decodes
                process.close()


@dataclass
class _Opened:
    """A video that was looked at: either its kept scores, or what decodes it."""

    file: FileInfo | None
    scores: VideoScores | None = None
    reader: ClipReader | None = None


def _result(future: Future[_Opened]) -> _Opened:
    """Wait for a result so that Ctrl-C gets through, on Windows, too."""
    while True:
        with suppress(TimeoutError):
            return future.result(timeout=0.2)
