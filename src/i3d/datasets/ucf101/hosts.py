"""Where clips come from: the index host, one file a clip, and the zip, one member a clip.

Imports `requests`, so it is itself imported only where something is fetched. Hosts are used from
several threads.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import threading
import zipfile
import zlib
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import requests
from remotezip import (
    PartialBuffer,
    RangeNotSupported,
    RemoteFetcher,
    RemoteIOError,
    RemoteZip,
    RemoteZipError,
)
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import ProtocolError

from i3d.datasets.ucf101.clips import damage, decoding_damage, explained
from i3d.errors import DownloadError, UsageError
from i3d.files.addresses import (
    NETWORK_HINT,
    Pace,
    check_address,
    failure,
    is_web_address,
    place,
    refusal,
    size_text,
)
from i3d.files.session import FAILURES, explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from i3d.datasets.ucf101.data import Clip
    from i3d.progress import Progress

MAX_CLIP_BYTES = 64 * 2**20
"""A larger file is refused: the longest clip has 1776 frames, the mean is 0.5 MB."""

MOST_FAILURES = 8
"""A host that fails so often in a row is not asked any more. A clip that it does not have is no
failure."""

_NUM_TRIES = 3
"""How often a clip is asked for whose body breaks off."""

_CHUNK_BYTES = 2**16

_AT_ONCE = ("certificate", "unreachable", "silent")
"""Kinds of failures after which a host that gave no clip yet is not asked again."""

_DAMAGED = (
    *(RemoteZipError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, IndexError),
    *(NotImplementedError, RuntimeError),  # unknown compression, a password
)
"""What remotezip and `zipfile` raise for a zip that is damaged."""


class Host:
    """A place that clips come from.

    Args:
        session: What to ask it with; used by several threads.

    Attributes:
        url: Its address, or that of the mirror that `variable` names.
        down: Why it is not asked any more; None while it is.
        has_worked: Whether it gave a clip.

    Raises:
        UsageError: `variable` holds no web address.
    """

    name: ClassVar[str]
    """What `--source` calls it."""
    variable: ClassVar[str]
    """The environment variable that names a mirror."""
    default: ClassVar[str]
    """Its own address."""

    def __init__(self, session: requests.Session) -> None:
        self.url = _address(self.variable, self.default)
        self.down: DownloadError | None = None
        self.has_worked = False
        self._num_failures = 0
        self._session = session

    @property
    def place(self) -> str:
        """The name of its machine, for messages."""
        return place(self.url)

    def fetch(self, clip: Clip, target: Path, progress: Progress) -> None:
        """Fetch a clip and check it.

        Args:
            clip: Which one.
            target: The file to make, in a private folder.
            progress: Receives the number of bytes.

        Raises:
            DownloadError: It is not there, or what came is not a whole clip.
            CacheError: It can't be written.
        """
        check_address(self.url)
        content = self._content(clip, progress)
        with explained(target.parent):
            target.write_bytes(content)
        # An error page may have come, or a file that was cut off before it got to the host.
        problem = damage(target) or decoding_damage(target)
        if problem is not None:
            raise DownloadError(
                f"{self.place} gives no {clip.file_name}: what came {problem}.",
                reason=f"what came {problem}",
            )

    def worked(self) -> None:
        """Note that it gave a clip."""
        self.has_worked = True
        self._num_failures = 0

    def failed(self, error: DownloadError) -> None:
        """Count a failure; after some it is not asked any more."""
        self._num_failures += error.kind != "missing"
        at_once = error.kind in _AT_ONCE and not self.has_worked
        if at_once or self._num_failures >= MOST_FAILURES:
            self.down = error

    def _content(self, clip: Clip, progress: Progress) -> bytes:
        for _ in range(_NUM_TRIES):
            try:
                return self._read(clip, progress)
            except (ChunkedEncodingError, ProtocolError):  # it broke off
                continue
            except (*FAILURES, *_DAMAGED) as error:
                raise self._explain(error) from error
        reason = "the connection was closed before the whole clip came"
        raise failure(self.url, reason, hint=NETWORK_HINT)

    def _read(self, clip: Clip, progress: Progress) -> bytes:
        content, pace = io.BytesIO(), Pace(self.url)
        with (
            self._open(clip) as (total, chunks),
            progress.task(f"fetching {clip.file_name}", total, "bytes") as advance,
        ):
            for chunk in chunks:
                content.write(chunk)
                if content.tell() > MAX_CLIP_BYTES:
                    raise failure(self.url, f"it is larger than {size_text(MAX_CLIP_BYTES)}")
                advance(len(chunk))
                pace.count(len(chunk))
        return content.getvalue()

    def _open(self, clip: Clip) -> AbstractContextManager[tuple[int | None, Iterator[bytes]]]:
        """Give the size of a clip, where it is known, and its content."""
        raise NotImplementedError

    def _explain(self, error: Exception) -> DownloadError:
        cause = error.__context__ if isinstance(error, RemoteIOError) else error
        if isinstance(cause, DownloadError):
            return cause
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            return refusal(self.url, cause.response)
        if isinstance(cause, RangeNotSupported):
            return failure(self.url, "the server cannot send a part of a file")
        if isinstance(cause, _DAMAGED):
            return failure(self.url, "it is not a zip, or a damaged one")
        return explain(error, self.url)


class IndexHost(Host):
    """The folder that the TensorFlow Hub tutorial fetches from: one file a clip.

    Its certificate has been refused by common trust stores since 2020 (tensorflow/datasets#2498),
    and it has answered 403 at times.
    """

    name = "index"
    variable = "I3D_UCF101_URL"
    default = "https://www.crcv.ucf.edu/THUMOS14/UCF101/UCF101/"

    @contextmanager
    def _open(self, clip: Clip) -> Iterator[tuple[int | None, Iterator[bytes]]]:
        response = requests.Response()
        for name in clip.remote_names:
            url = f"{self.url.rstrip('/')}/{name}"
            response = self._session.get(url, stream=True)
            if response.status_code != 404:
                break
        with response:
            if not response.ok:
                raise refusal(self.url, response)
            size = response.headers.get("Content-Length", "")
            yield int(size) if size.isdecimal() else None, response.iter_content(_CHUNK_BYTES)


class ZipHost(Host):
    """All clips in one zip of 6,960,400,115 bytes; newer TensorFlow tutorials read it by members.

    `zipfile` compares the CRC-32 of what it unpacks. The zip's directory is read once, in two
    requests, and each clip takes one more.
    """

    name = "zip"
    variable = "I3D_UCF101_ZIP_URL"
    default = "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip"

    def __init__(self, session: requests.Session) -> None:
        super().__init__(session)
        self._lock = threading.Lock()
        self._pieces: dict[tuple[int, int | None], tuple[bytes, int]] = {}
        self._opened = threading.local()

    @contextmanager
    def _open(self, clip: Clip) -> Iterator[tuple[int | None, Iterator[bytes]]]:
        archive = self._archive()
        for name in clip.remote_names:
            info = archive.members.get(name.casefold())
            if info is not None:
                break
        else:
            raise failure(self.url, "the zip holds no such clip", kind="missing")
        with archive.open(info) as member:
            yield info.file_size, iter(partial(member.read, _CHUNK_BYTES), b"")

    def _archive(self) -> _Archive:
        """The calling thread's."""
        archive: _Archive | None = getattr(self._opened, "archive", None)
        if archive is None:
            with self._lock:  # the others wait for the directory, or learn that there is none
                if self.down is not None:
                    raise self.down
                try:
                    archive = _Archive(self.url, self._pieces, session=self._session)
                except Exception as error:
                    self.failed(self._explain(error))
                    raise
            self._opened.archive = archive
        return archive


class _Archive(RemoteZip):  # type: ignore[misc]  # it has no types
    """A zip whose directory may have been read by another thread."""

    def __init__(
        self, url: str, pieces: dict[tuple[int, int | None], tuple[bytes, int]], **options: object
    ) -> None:
        super().__init__(url, fetcher=partial(_Fetcher, pieces), **options)
        self.members = {
            info.filename.rpartition("/")[2].casefold(): info
            for info in self.infolist()
            if not info.is_dir()
        }


class _Fetcher(RemoteFetcher):  # type: ignore[misc]  # the same
    """Keeps the parts of a zip that make up its directory."""

    def __init__(
        self,
        pieces: dict[tuple[int, int | None], tuple[bytes, int]],
        *arguments: object,
        **options: object,
    ) -> None:
        super().__init__(*arguments, **options)
        self._pieces = pieces

    def fetch(self, data_range: tuple[int, int | None], stream: bool = False) -> PartialBuffer:
        """Fetch a part, see `remotezip.RemoteFetcher`; members are streamed, the directory not."""
        if stream:
            return super().fetch(data_range, stream=True)
        if data_range not in self._pieces:
            piece = super().fetch(data_range)
            self._pieces[data_range] = (piece.read(), piece.tell() - len(piece))
        content, start = self._pieces[data_range]
        return PartialBuffer(io.BytesIO(content), start, len(content), stream=False)


SOURCES: dict[str, type[Host]] = {host.name: host for host in (IndexHost, ZipHost)}
"""In the order in which they are tried."""


def _address(variable: str, default: str) -> str:
    address = os.environ.get(variable) or default
    name = (urlsplit(address).hostname or "") if is_web_address(address) else ""
    if not re.fullmatch(r"[\w.:-]+", name):  # the address may hold a password: it is not shown
        raise UsageError(
            f"{variable} holds no web address.", hint=f"It must begin as {default} does."
        )
    return address
