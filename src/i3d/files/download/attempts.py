"""Why an attempt to download failed, in words, and whether another one may help."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from i3d.errors import DownloadError, RemoteFileChangedError

if TYPE_CHECKING:
    from i3d.errors import DownloadFailure

NETWORK_HINT = "Check the network, or its proxy in HTTPS_PROXY."
QUOTING_HINT = "In a user name or password write / as %2F and @ as %40."


class AttemptError(Exception):
    """An attempt to download failed.

    Args:
        reason: A clause for people: "the server answered 403 Forbidden".
        hint: What the user can do, or None.
        kind: As in `DownloadError`.
        is_transient: Another attempt may succeed.
        is_stall: The server was silent.
        wait_seconds: How long the server asks us to wait before another attempt, or None.
    """

    def __init__(
        self,
        reason: str,
        *,
        hint: str | None = None,
        kind: DownloadFailure = "other",
        is_transient: bool = False,
        is_stall: bool = False,
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.kind: DownloadFailure = kind
        self.is_transient = is_transient
        self.is_stall = is_stall
        self.wait_seconds = wait_seconds
        self.is_elsewhere = False
        """Whether it is another host's failure, to which the address's own has sent us."""


class FileChangedError(AttemptError):
    """The file is not the one any more that parts were read of before."""

    def __init__(self) -> None:
        super().__init__("the file is not the one any more that parts were read of before")


class OtherHostError(DownloadError):
    """An address leads to another host, which can't be trusted or reached. Its own host works."""


def download_error(url: str, error: AttemptError) -> DownloadError:
    """Make the error that callers of this package get."""
    kind = DownloadError
    if isinstance(error, FileChangedError):
        kind = RemoteFileChangedError
    elif error.is_elsewhere:
        kind = OtherHostError
    return kind(
        f"{shown(url)} cannot be downloaded: {error.reason}.",
        reason=error.reason,
        hint=error.hint,
        kind=error.kind,
    )


def shown(url: str, *, mark: str = "", is_proxy: bool = False) -> str:
    """Give an address as it may be shown: without a user name and password.

    Args:
        url: An address, or anything else, which stays as it is.
        mark: What stands in their place.
        is_proxy: It is an address also without a scheme (`user:password@host:3128`), and it has
            no path: whatever stands before an `@` is secret.

    Returns:
        The address without what is before the last `@` of its host. Where no host can be read (a
        password may hold a `/` by mistake: `https://user:pa/ss@host`), without what is before the
        last `@` of all.
    """
    match = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", url)
    if match is None and not is_proxy:
        return url
    scheme = "" if match is None else match[0]
    rest = url[len(scheme) :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    is_readable = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]+)(:\d*)?", host) is not None
    start = authority.rfind("@") + 1 if is_readable and not is_proxy else rest.rfind("@") + 1
    return f"{scheme}{mark if start else ''}{rest[start:]}"


def place(url: str) -> str:
    """Give the host of an address, with its port where it has one: "example.org:8080"."""
    address = shown(url)
    return re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0] or address


def size_text(num_bytes: int) -> str:
    """Give a size for people, in decimal units: "47.6 MB"."""
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    for factor, unit in ((1e3, "kB"), (1e6, "MB")):
        if num_bytes < 999.95 * factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes / 1e9:.1f} GB"


def seconds_text(seconds: float) -> str:
    """Give a time for people: "30 seconds", "1 second", "0.3 seconds"."""
    number = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1g}"
    return f"{number} second" if number == "1" else f"{number} seconds"


def status_text(status: int) -> str:
    """Give an HTTP status with its standard phrase: "404 Not Found"; a server's own is not used."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def closed_early(num_bytes: int, total: int | None) -> AttemptError:
    """Make the error for a body that ended before its end.

    Args:
        num_bytes: How much of the file there is, with what earlier attempts brought.
        total: How much there should be, where the server said it.
    """
    of_total = "" if total is None else f" of {size_text(total)}"
    return AttemptError(
        f"the connection was closed after {size_text(num_bytes)}{of_total}",
        hint=NETWORK_HINT,
        is_transient=True,
    )


def stalled(amount: str, patience_seconds: float) -> AttemptError:
    """Make the error for a server that was silent.

    Args:
        amount: What it sent: "nothing", "only 5 bytes".
        patience_seconds: In which time.
    """
    return AttemptError(
        f"the server sent {amount} for {seconds_text(patience_seconds)}",
        hint="Try again later, or give the server more time with I3D_TIMEOUT (seconds).",
        is_transient=True,
        kind="silent",
        is_stall=True,
    )
