"""Parts of a file on a web server: read into memory, without the rest of it."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import DownloadError, RemoteFileChangedError
from i3d.files.addresses import check_address, credentials, failure, refusal, shown
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from requests import Session

    from i3d.progress import Progress

_NUM_ATTEMPTS = 3
"""For answers that break off."""


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
    offset: int
    """Where in the file its first byte is."""
    identity: RemoteIdentity
    """Which file it is of."""


def fetch_range(
    url: str,
    start: int,
    num_bytes: int,
    *,
    identity: RemoteIdentity | None = None,
    session: Session | None = None,
    description: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> RemotePiece:
    """Read a part of a file into memory.

    Args:
        url: An `http://` or `https://` address.
        start: The first byte, counted from 0. Below 0: the last `-start` bytes of the file.
        num_bytes: How many bytes. Where the file ends before, the piece is shorter.
        identity: The file must still be this one.
        session: From `open_session`; a new one by default.
        description: What the progress display says, "fetching a part of URL" by default.
        progress: Receives the number of bytes.

    Raises:
        RemoteFileChangedError: The file is not the one of `identity`.
        DownloadError: The part can't be had, or the server sends no parts.
        UsageError: I3D_TIMEOUT, or the certificates that the user named, make no sense.
    """
    check_address(url)
    from i3d.files.session import FAILURES, explain, open_session

    span = f"bytes={start}" if start < 0 else f"bytes={start}-{start + num_bytes - 1}"
    what = description or f"fetching a part of {shown(url)}"
    with nullcontext(session) if session is not None else open_session() as used:
        for num_left in reversed(range(_NUM_ATTEMPTS)):
            try:
                answer = used.get(
                    url, headers={"Range": span}, auth=credentials(url, None), stream=True
                )
                if answer.status_code not in (200, 206, 416):
                    raise refusal(url, answer)
                found = re.fullmatch(
                    r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", "")
                )
                if answer.status_code != 206 or found is None:
                    answer.close()
                    raise failure(url, "the server cannot send this part of the file")
                first, last, total = map(int, found.groups())
                etag = answer.headers.get("ETag", "")
                now = RemoteIdentity(
                    total,
                    etag if etag.startswith('"') else None,
                    answer.headers.get("Last-Modified"),
                )
                if identity not in (None, now):
                    reason = "the file is not the one any more that parts were read of before"
                    raise RemoteFileChangedError(
                        f"{shown(url)} cannot be downloaded: {reason}.", reason=reason
                    )
                with answer, progress.task(what, last + 1 - first, "bytes") as advance:
                    content = bytearray()
                    while chunk := answer.raw.read1(2**18, decode_content=False):
                        content += chunk
                        advance(len(chunk))
                if len(content) == last + 1 - first <= num_bytes:
                    return RemotePiece(bytes(content), first, now)
                raise failure(url, "the server sent another part than the one that was asked for")
            except FAILURES as error:
                if isinstance(error, DownloadError):
                    raise
                if not num_left:
                    raise explain(error, url) from error
        raise AssertionError
