"""From a web address to a verified file. Knows no model and no dataset.

The file appears under its name only when all of it is there and is the right one. What a run that
was stopped has fetched is used by the next one.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.files.download.attempts import (
    NETWORK_HINT,
    AttemptError,
    OtherHostError,
    download_error,
    place,
    shown,
    status_text,
)
from i3d.files.download.ranges import RemoteIdentity, RemotePiece, fetch_range
from i3d.files.download.settings import (
    is_offline,
    is_web_address,
    patience_seconds,
    refuse_what_cannot_work,
)
from i3d.files.download.trust import SYSTEM_TRUST, Trust
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from i3d.files.download.connection import Connection
    from i3d.progress import Progress

__all__ = [
    "NETWORK_HINT",
    "SYSTEM_TRUST",
    "Connection",
    "Download",
    "OtherHostError",
    "RemoteIdentity",
    "RemotePiece",
    "Trust",
    "download",
    "fetch_range",
    "is_offline",
    "is_web_address",
    "open_connection",
    "patience_seconds",
    "place",
    "reach",
    "shown",
]


def __getattr__(name: str) -> object:
    """Import the one public name whose module imports `requests` when it is first used."""
    if name == "Connection":
        from i3d.files.download.connection import Connection

        return Connection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class Download:
    """A file that was downloaded."""

    path: Path
    """Where it is now."""
    url: str
    """The address that it came from, after all redirects, without a user name or password."""
    num_bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""


@contextmanager
def open_connection(*, trust: Trust = SYSTEM_TRUST) -> Iterator[Connection]:
    """Open what several downloads of one thread can use after each other.

    The way to a host is kept open from one download to the next, which saves the time that TCP and
    TLS take to begin. One that the host has closed meanwhile is opened anew.

    Args:
        trust: Whose certificates are trusted, of hosts and of proxies. A file that can't be read
            is told of by the first download that needs it.

    Returns:
        A context manager that gives the connection, for `download` and `fetch_range`.

    Raises:
        UsageError: I3D_TIMEOUT makes no sense.
    """
    patience = patience_seconds()

    from i3d.files.download.connection import Connection

    with Connection(auth=None, headers=None, patience_seconds=patience, trust=trust) as connection:
        yield connection


def download(
    url: str,
    target: Path,
    *,
    git_sha1: str | None = None,
    sha256: str | None = None,
    max_bytes: int = 4 * 2**30,
    auth: tuple[str, str] | str | None = None,
    headers: Mapping[str, str] | None = None,
    partial_dir: Path | None = None,
    connection: Connection | None = None,
    description: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Download:
    """Download a file.

    A connection that breaks is taken up again where it broke, up to five times without 1 MiB of
    progress. A run that was killed or interrupted leaves a hidden `.i3d-*.part` file, and the next
    download of the same address continues it where the server can. Of two processes that download
    the same address at once, each makes its own file, and neither waits.

    Proxies are taken from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, certificates from the system, or
    from the first of REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE that is set.

    Args:
        url: An `http://` or `https://` address.
        target: The file to make. Missing folders are made; a file of that name is replaced.
        git_sha1: The git blob id that the file must have: SHA-1, in hexadecimal, of
            `blob `, the size, a zero byte, and the content.
        sha256: SHA-256 that the content must have, in hexadecimal.
        max_bytes: A larger file is refused. The default is 4 GiB, forty times the largest model.
        auth: (user, password) for Basic, or a Bearer token. Sent to the address's own host only.
        headers: More request headers. `Authorization` and `Cookie` go to the first host only.
        partial_dir: Where the unfinished file is kept; the folder of `target` by default. On
            another filesystem the whole file is copied from there. Unfinished files there that
            are older than a week are removed.
        connection: The calling thread's (see `open_connection`), with its trust; `auth` and
            `headers` cannot be given with it. A new one by default.
        description: What the progress display says, "fetching URL" by default.
        progress: Who wants to know. Counts bytes, also those that an earlier run left.

    Returns:
        The file's place, final address, size and SHA-256.

    Raises:
        DownloadError: The file cannot be had, or is not the expected one. `reason` says why.
        CacheError: A folder cannot be written, or the disk is full.
        UsageError: I3D_TIMEOUT makes no sense.
        ValueError: `auth` or `headers` are given with a connection.
    """
    if connection is not None and not (auth is None and headers is None):
        raise ValueError("a connection has its own headers: auth and headers must be None")
    refuse_what_cannot_work(url)
    patience = patience_seconds()

    from i3d.files.download.connection import Connection
    from i3d.files.download.partial import open_partial
    from i3d.files.download.transfer import Transfer

    has_digest = git_sha1 is not None or sha256 is not None
    folder = partial_dir or target.parent
    new_or_given = (
        Connection(auth=auth, headers=headers, patience_seconds=patience)
        if connection is None
        else nullcontext(connection)
    )
    try:
        with (
            open_partial(folder, url, resumes_unvalidated=has_digest) as partial,
            new_or_given as used,
        ):
            what = description or f"fetching {shown(url)}"
            transfer = Transfer(url, partial, used, max_bytes, what, progress)
            verified = transfer.run(git_sha1, sha256)
            partial.become(target)
            return Download(target, shown(verified.url), partial.num_bytes, verified.sha256)
    except AttemptError as error:
        raise download_error(url, error) from error


def reach(
    url: str, *, auth: tuple[str, str] | str | None = None, timeout_seconds: float = 10
) -> str:
    """Ask a server for the first byte of a file, to see whether the file could be downloaded.

    Args:
        url: An `http://` or `https://` address.
        auth: As in `download`.
        timeout_seconds: How long the server may be silent, above 0.

    Returns:
        A clause: "answers 200 OK".

    Raises:
        DownloadError: The file cannot be had. `reason` says why.
    """
    refuse_what_cannot_work(url)
    from i3d.files.download.connection import Connection

    try:
        with (
            Connection(auth=auth, headers=None, patience_seconds=timeout_seconds) as connection,
            connection.get(url, {"Range": "bytes=0-0"}) as answer,
        ):
            # 416: there is such a file, but it is empty
            if answer.status not in (200, 206, 416):
                raise answer.refusal()
            return f"answers {status_text(answer.status)}"
    except AttemptError as error:
        raise download_error(url, error) from error
