"""Web addresses: which may be asked, how they are shown, what is said where they give no file."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from i3d.errors import DownloadError, UsageError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from i3d.errors import DownloadFailure

NETWORK_HINT = "Check the network, or its proxy in HTTPS_PROXY."


def is_offline() -> bool:
    """Tell whether the user forbade the network: I3D_OFFLINE is set, and neither empty nor `0`."""
    return os.environ.get("I3D_OFFLINE", "") not in ("", "0")


def is_web_address(url: str) -> bool:
    """Tell whether an address is a complete one that begins with `http://` or `https://`."""
    if not url.lower().startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that makes no sense
        return False


def patience_seconds() -> float:
    """Tell how long a server may send nothing before it is given up.

    Returns:
        `$I3D_TIMEOUT` in seconds, else 30.

    Raises:
        UsageError: I3D_TIMEOUT is not a number of seconds above 0, and one day at most.
    """
    value = os.environ.get("I3D_TIMEOUT") or "30"
    with suppress(ValueError):
        seconds = float(value)
        if 0 < seconds <= 86_400:  # operating systems refuse much longer timeouts
            return seconds
    raise UsageError(
        f"I3D_TIMEOUT is {value!r}, which is not a number of seconds between 0 and 86400.",
        hint="Set it to how long a server may be silent, such as I3D_TIMEOUT=30, or unset it.",
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


def failure(
    url: str, reason: str, *, hint: str | None = None, kind: DownloadFailure = "other"
) -> DownloadError:
    """Make the error for an address that gave no file.

    Args:
        url: The address; it is shown without a password.
        reason: A clause: "the server answered 403 Forbidden".
        hint: One action that helps.
        kind: What sort of failure it is.
    """
    return DownloadError(
        f"{shown(url)} cannot be downloaded: {reason}.", reason=reason, hint=hint, kind=kind
    )


def refusal(url: str, answer: Response) -> DownloadError:
    """Make the error for an answer that is not a file."""
    status = answer.status_code
    answer.close()
    reason = f"the server answered {status_text(status)}"
    if num_retries := len(answer.raw.retries.history):
        reason += f" (tried {num_retries + 1} times)"
    pause = answer.raw.retries.get_retry_after(answer.raw)
    if pause:
        reason += f" and asks to come back in {pause:.0f} seconds"
    return failure(
        url,
        reason,
        hint="Try again later." if pause else None,
        kind="missing" if status in (404, 410) else "other",
    )


def check_address(url: str) -> None:
    """Raise DownloadError where I3D_OFFLINE is set, or where an address is not a web address."""
    if is_offline():
        hint = "Unset I3D_OFFLINE to allow downloads."
        raise failure(url, "offline: I3D_OFFLINE is set", hint=hint, kind="unreachable")
    if not url.lower().startswith(("http://", "https://")):
        raise failure(url, "only http:// and https:// addresses can be downloaded")
    if not is_web_address(url):
        quoting = "In a user name or password write / as %2F and @ as %40."
        raise failure(url, "it is not a web address", hint=quoting if "@" in url else None)


def credentials(url: str, auth: tuple[str, str] | str | None) -> Any:
    """Give credentials as requests takes them: those that were given, else those in the address.

    Args:
        url: The address.
        auth: As in `download`.

    Returns:
        None where there are neither: then requests looks into the user's netrc file.
    """
    if auth is None:
        parts = urlsplit(url)
        if not parts.username:
            return None
        auth = (unquote(parts.username), unquote(parts.password or ""))
    if isinstance(auth, tuple):
        return auth[0].encode(), auth[1].encode()
    token = auth
    if not token.isascii() or not token.isprintable():
        raise failure(url, "the key for it holds a character that cannot be sent")

    def authorize(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def size_text(num_bytes: int) -> str:
    """Give a size for people, in decimal units: "47.6 MB"."""
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    for factor, unit in ((1e3, "kB"), (1e6, "MB")):
        if num_bytes < 999.95 * factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes / 1e9:.1f} GB"


def status_text(status: int) -> str:
    """Give an HTTP status with its standard phrase: "404 Not Found"; a server's own is not used."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


SLOWEST_BYTES_PER_SECOND = 1024
"""At this rate a model of 50 MB takes 14 hours."""


class Pace:
    """Notices a server that sends next to nothing: a single byte now and then is not silence.

    Args:
        url: The address that is downloaded.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._patience = patience_seconds()
        self._since, self._num_bytes = time.monotonic(), 0

    def count(self, num_bytes: int) -> None:
        """Count bytes that came.

        Raises:
            DownloadError: It was less than 1 KiB a second for as long as a server may be silent.
        """
        self._num_bytes += num_bytes
        seconds = time.monotonic() - self._since
        if seconds < self._patience:
            return
        if self._num_bytes < SLOWEST_BYTES_PER_SECOND * seconds:
            raise failure(
                self._url,
                f"the server sent only {size_text(self._num_bytes)} in {seconds:.2g} seconds",
                hint="Try again later, or give the server more time with I3D_TIMEOUT (seconds).",
                kind="silent",
            )
        self._since, self._num_bytes = time.monotonic(), 0
