"""Parts of a file on a web server: read into memory, without the rest of it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.files.download.attempts import (
    AttemptError,
    FileChangedError,
    download_error,
    shown,
    size_text,
)
from i3d.files.download.settings import patience_seconds, refuse_what_cannot_work
from i3d.files.download.transfer import persist
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from i3d.files.download.answers import Answer, ContentRange
    from i3d.files.download.connection import Connection
    from i3d.progress import Progress

MAX_PIECE_BYTES = 256 * 2**20
"""A piece is held in memory, for a moment twice: 256 MiB are 500 times the mean clip of UCF101."""


@dataclass(frozen=True)
class RemoteIdentity:
    """What tells a file on a server from another version of it."""

    num_bytes: int
    """Its size."""
    etag: str | None
    """Its strong entity tag, with the quotes; None where the server gives none."""
    last_modified: str | None
    """The date of its last change as the server wrote it; None where it gives none."""


@dataclass(frozen=True)
class RemotePiece:
    """A part of a file."""

    content: bytes
    """Its bytes, as they are in the file."""
    offset: int
    """Where in the file the first of them is."""
    identity: RemoteIdentity
    """Which file they are of: the one that was asked for, or that was found."""


def fetch_range(
    url: str,
    start: int,
    num_bytes: int,
    *,
    identity: RemoteIdentity | None = None,
    connection: Connection | None = None,
    description: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> RemotePiece:
    """Read a part of a file into memory.

    A connection that breaks is taken up again where it broke, as `download` does. All parts are of
    one version of the file as far as the server tells: its size, its strong entity tag and the date
    of its last change are compared. Where it gives neither of the latter two, only the size is.

    Args:
        url: An `http://` or `https://` address.
        start: The first byte, counted from 0. Below 0: the last `-start` bytes of the file.
        num_bytes: How many bytes, 1 to 256 MiB; `-start` where `start` is below 0. Where the file
            ends before, the piece is shorter.
        identity: The file must still be this one.
        connection: The calling thread's (see `open_connection`); a new one by default.
        description: What the progress display says, "fetching a part of URL" by default.
        progress: Who wants to know. Counts bytes.

    Returns:
        The bytes, where they are in the file, and which file it is.

    Raises:
        RemoteFileChangedError: The file is not the one of `identity`, or it was changed between
            two attempts.
        DownloadError: The part cannot be had, or the server sends no parts: then nothing is read.
        UsageError: I3D_TIMEOUT makes no sense.
        ValueError: `num_bytes` is out of range, or contradicts `start`.
    """
    if not 0 < num_bytes <= MAX_PIECE_BYTES:
        raise ValueError(f"num_bytes is {num_bytes}, not 1 to {MAX_PIECE_BYTES}")
    if start < 0 and num_bytes != -start:
        raise ValueError(f"the last {-start} bytes are not {num_bytes} bytes")
    refuse_what_cannot_work(url)
    patience = patience_seconds()

    from i3d.files.download.connection import Connection

    new_or_given = (
        Connection(auth=None, headers=None, patience_seconds=patience)
        if connection is None
        else nullcontext(connection)
    )
    what = description or f"fetching a part of {shown(url)}"
    try:
        with new_or_given as used:
            return _Transfer(url, start, num_bytes, identity, used, what, progress).run()
    except AttemptError as error:
        raise download_error(url, error) from error


class _Transfer:
    """Brings a part of a file into memory, in as many attempts as it takes."""

    def __init__(
        self,
        url: str,
        start: int,
        num_bytes: int,
        identity: RemoteIdentity | None,
        connection: Connection,
        description: str,
        progress: Progress,
    ) -> None:
        self._url = url
        self._start = start
        self._num_bytes = num_bytes
        self._identity = identity
        self._connection = connection
        self._description = description
        self._progress = progress
        self._content = bytearray()

    def run(self) -> RemotePiece:
        """Fetch it. AttemptError: it cannot be had."""
        identity = persist(self._attempt, lambda: len(self._content))
        first, _ = self._span(identity)
        return RemotePiece(bytes(self._content), first, identity)

    def _attempt(self) -> RemoteIdentity:
        content = self._content
        with self._connection.get(self._url, self._conditions()) as answer:
            if answer.status != 206:
                raise self._refusal(answer)
            piece = answer.content_range
            identity = self._identity = self._identify(answer, piece)
            first, end = self._span(identity)
            num_kept = len(content)
            if piece is None or piece.first != first + num_kept or piece.last >= end:
                raise AttemptError("the server sent another part than the one that was asked for")
            num_announced = piece.last + 1 - first
            with self._progress.task(self._description, end - first, "bytes") as advance:
                if num_kept:
                    advance(num_kept)
                for chunk in answer.body(num_kept, end - first):
                    content += chunk
                    if len(content) > num_announced:
                        del content[num_kept:]
                        raise AttemptError(
                            "the server sent more than it had announced", is_transient=True
                        )
                    advance(len(chunk))
        return identity

    def _conditions(self) -> dict[str, str]:
        """Give the headers that ask for what is missing, of the file that it must be."""
        identity = self._identity
        if identity is None and self._start < 0:
            return {"Range": f"bytes={self._start}"}
        first, end = (
            (self._start, self._start + self._num_bytes)
            if identity is None
            else self._span(identity)
        )
        # of an end that is no further than the start, the server is to say that it is none
        conditions = {"Range": f"bytes={first + len(self._content)}-{max(first, end - 1)}"}
        validator = identity and (identity.etag or identity.last_modified)
        if validator:
            conditions["If-Range"] = validator
        return conditions

    def _span(self, identity: RemoteIdentity) -> tuple[int, int]:
        """The first byte that is wanted of a file, and the one after the last."""
        first = self._start if self._start >= 0 else max(0, identity.num_bytes + self._start)
        return first, min(first + self._num_bytes, identity.num_bytes)

    def _identify(self, answer: Answer, piece: ContentRange | None) -> RemoteIdentity:
        """Tell which file an answer is a part of, and see that it is the right one."""
        total = None if piece is None else piece.total
        if self._identity is not None:
            if _differs(self._identity, total, answer):
                raise FileChangedError
            return self._identity
        if total is None:
            raise AttemptError("the server does not say which part of the file it sends")
        return RemoteIdentity(total, answer.etag, answer.last_modified)

    def _refusal(self, answer: Answer) -> AttemptError:
        """Make the error for an answer that is no part of a file."""
        total = {200: answer.body_bytes, 416: answer.total_of_refused_range}.get(answer.status)
        if answer.status not in (200, 416):
            return answer.refusal()
        if self._identity is not None and _differs(self._identity, total, answer):
            return FileChangedError()
        if answer.status == 200:
            return AttemptError("the server cannot send parts of a file")
        size = "" if total is None else f" (it has {size_text(total)})"
        return AttemptError(f"the file ends before the part that was asked for{size}")


def _differs(identity: RemoteIdentity, total: int | None, answer: Answer) -> bool:
    """Whether an answer is about another file, or another version of it, as far as it tells."""
    return any(
        known is not None and now is not None and known != now
        for known, now in (
            (identity.num_bytes, total),
            (identity.etag, answer.etag),
            (identity.last_modified, answer.last_modified),
        )
    )
