"""From a web address to a verified file. Knows no model and no dataset.

The file appears under its name only when all of it is there and is the right one. What a run that
was stopped has fetched is used by the next one.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from i3d.download.attempts import QUOTING_HINT, AttemptError, place, shown, status_text
from i3d.errors import DownloadError, UsageError
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from i3d.progress import Progress

__all__ = [
    "Download",
    "download",
    "is_offline",
    "is_web_address",
    "patience_seconds",
    "place",
    "reach",
    "shown",
]

_DEFAULT_PATIENCE_SECONDS = 30.0
_MAX_PATIENCE_SECONDS = 86_400.0
"""One day. Operating systems refuse timeouts that are very much longer."""


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


def is_offline() -> bool:
    """Tell whether the user forbade the network.

    Returns:
        True where I3D_OFFLINE is set to anything but nothing or `0`.
    """
    return os.environ.get("I3D_OFFLINE", "") not in ("", "0")


def is_web_address(url: str) -> bool:
    """Tell whether an address is a complete one that begins with `http://` or `https://`."""
    if not url.lower().startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that is none
        return False


def patience_seconds() -> float:
    """Tell how long a server may send nothing, or almost nothing, before it is given up.

    Returns:
        `$I3D_TIMEOUT` in seconds, else 30.

    Raises:
        UsageError: I3D_TIMEOUT is not a number of seconds above 0, and one day at most.
    """
    value = os.environ.get("I3D_TIMEOUT")
    if not value:
        return _DEFAULT_PATIENCE_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MAX_PATIENCE_SECONDS:
        raise UsageError(
            f"I3D_TIMEOUT is {value!r}, which is not a number of seconds between 0 and 86400.",
            hint="Set it to how long a server may be silent, such as I3D_TIMEOUT=30, or unset it.",
        )
    return seconds


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
        description: What the progress display says, "fetching URL" by default.
        progress: Who wants to know. Counts bytes, also those that an earlier run left.

    Returns:
        The file's place, final address, size and SHA-256.

    Raises:
        DownloadError: The file cannot be had, or is not the expected one. `reason` says why.
        CacheError: A folder cannot be written, or the disk is full.
        UsageError: I3D_TIMEOUT makes no sense.
    """
    _refuse_what_cannot_work(url)
    patience = patience_seconds()

    from i3d.download.connection import Connection
    from i3d.download.partial import open_partial
    from i3d.download.transfer import Transfer

    has_digest = git_sha1 is not None or sha256 is not None
    folder = partial_dir or target.parent
    try:
        with (
            open_partial(folder, url, resumes_unvalidated=has_digest) as partial,
            Connection(auth=auth, headers=headers, patience_seconds=patience) as connection,
        ):
            what = description or f"fetching {shown(url)}"
            transfer = Transfer(url, partial, connection, max_bytes, what, progress)
            verified = transfer.run(git_sha1, sha256)
            partial.become(target)
            return Download(target, shown(verified.url), partial.num_bytes, verified.sha256)
    except AttemptError as error:
        raise _download_error(url, error) from error


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
    _refuse_what_cannot_work(url)
    from i3d.download.connection import Connection

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
        raise _download_error(url, error) from error


def _refuse_what_cannot_work(url: str) -> None:
    if is_offline():
        raise _download_error(
            url,
            AttemptError(
                "offline: I3D_OFFLINE is set", hint="Unset I3D_OFFLINE to allow downloads."
            ),
        )
    if not url.lower().startswith(("http://", "https://")):
        raise _download_error(
            url, AttemptError("only http:// and https:// addresses can be downloaded")
        )
    if not is_web_address(url):
        hint = QUOTING_HINT if "@" in url else None
        raise _download_error(url, AttemptError("it is not a web address", hint=hint))


def _download_error(url: str, error: AttemptError) -> DownloadError:
    return DownloadError(
        f"{shown(url)} cannot be downloaded: {error.reason}.",
        reason=error.reason,
        hint=error.hint,
    )
