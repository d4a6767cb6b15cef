"""HTTP requests: passwords, redirects, and bodies that must keep flowing.

Imports `requests`, so it is itself imported only where something is downloaded.
"""

from __future__ import annotations

import base64
import re
import time
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from i3d.download.attempts import (
    AttemptError,
    closed_early,
    shown,
    stalled,
    status_text,
)
from i3d.download.proxies import check_proxy
from i3d.download.reasons import connect_seconds, explain
from i3d.download.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from requests import PreparedRequest, Response

MAX_REDIRECTS = 10

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request may succeed (RFC 9110, 6585 and 8470)."""

SLOWEST_BYTES_PER_SECOND = 1024
"""A slower server is as good as silent: a model of 50 MB would take 14 hours."""

_CHUNK_BYTES = 2**18

_SECRET_HEADERS = frozenset({"authorization", "cookie"})


class Answer:
    """A server's answer whose body is still to be read. Close it, or use it as a context."""

    def __init__(self, response: Response, url: str, patience_seconds: float) -> None:
        self._response = response
        self._patience_seconds = patience_seconds
        self.url = url
        """The address that answered, after redirects."""
        self.status: int = response.status_code
        self.body_bytes: int | None = response.raw.length_remaining
        """Length of the body, None where the server did not say it."""

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, without reading the rest of the body."""
        self._response.close()

    @property
    def etag(self) -> str | None:
        """The strong entity tag, if there is one: a weak one does not promise the same bytes."""
        etag = self._response.headers.get("ETag", "").strip()
        return etag if etag.startswith('"') else None

    @property
    def last_modified(self) -> str | None:
        """The date of the last change, as the server wrote it."""
        return self._response.headers.get("Last-Modified", "").strip() or None

    @property
    def content_range(self) -> tuple[int, int | None] | None:
        """First byte and total size (None: unknown) of a partial answer; None if unreadable."""
        header = self._response.headers.get("Content-Range", "")
        match = re.fullmatch(r"\s*bytes\s+(\d+)-\d+/(\d+|\*)\s*", header, re.ASCII | re.I)
        if match is None:
            return None
        first, total = match.groups()
        return int(first), None if total == "*" else int(total)

    def refusal(self) -> AttemptError:
        """Make the error for an answer that is not the file."""
        return AttemptError(
            f"the server answered {status_text(self.status)}",
            is_transient=self.status in TRANSIENT_STATUSES,
            wait_seconds=_retry_after(self._response.headers.get("Retry-After")),
        )

    def body(self, offset: int, total: int | None) -> Iterator[bytes]:
        """Read the body as it was sent, not decompressed, in pieces as they arrive.

        Args:
            offset: How many bytes of the file come before this body.
            total: Size of the whole file, where it is known.

        Raises:
            AttemptError: The body ended too early, or its flow dried up: no byte within the
                patience, or less than 1 KiB a second over so long.
        """
        received = window_bytes = 0
        window_start = time.monotonic()
        while True:
            try:
                # read1: what has arrived, at most; `read` would wait for the whole chunk
                chunk = self._response.raw.read1(_CHUNK_BYTES, decode_content=False)
            except (ReadTimeoutError, TimeoutError) as error:
                raise stalled("nothing", self._patience_seconds) from error
            except (HTTPError, HTTPException, OSError) as error:
                raise closed_early(offset + received, total) from error
            if not chunk:
                break
            received += len(chunk)
            window_bytes += len(chunk)
            yield chunk
            elapsed = time.monotonic() - window_start
            if elapsed >= self._patience_seconds:
                if window_bytes < SLOWEST_BYTES_PER_SECOND * elapsed:
                    raise stalled(f"only {window_bytes} bytes", self._patience_seconds)
                window_start, window_bytes = time.monotonic(), 0
        if total is not None and offset + received < total:
            raise closed_early(offset + received, total)


class Connection:
    """A series of requests for one address, from one user. Use it as a context.

    Args:
        auth: (user, password) for Basic, or a Bearer token.
        headers: More request headers.
        patience_seconds: How long a server may be silent.
    """

    def __init__(
        self,
        *,
        auth: tuple[str, str] | str | None,
        headers: Mapping[str, str] | None,
        patience_seconds: float,
    ) -> None:
        from i3d import __version__

        self._auth = auth
        self._headers = {
            "User-Agent": f"i3d/{__version__}",
            "Accept": "*/*",
            # The bytes as they are: lengths, ranges and digests are about those.
            "Accept-Encoding": "identity",
            **(headers or {}),
        }
        self._patience_seconds = patience_seconds
        self._session = open_session()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()

    def get(self, url: str, conditions: Mapping[str, str]) -> Answer:
        """Ask for an address, and follow where the server sends us.

        Args:
            url: `http://` or `https://`.
            conditions: Headers of this request (`Range`).

        Returns:
            The answer, whatever its status is; not a redirect.

        Raises:
            AttemptError: There was no answer, or only redirects that must not be followed.
        """
        headers = {**self._headers, **_authorization(self._auth, url), **conditions}
        visited = []
        for _ in range(MAX_REDIRECTS + 1):
            visited.append(url)
            response = self._send(url, headers)
            location = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or location is None:
                return Answer(response, url, self._patience_seconds)
            response.close()
            next_url = _redirect_target(url, location)
            if not _is_same_host(url, next_url):
                headers = {
                    name: value
                    for name, value in headers.items()
                    if name.lower() not in _SECRET_HEADERS
                }
            url = next_url
        if len(set(visited)) < len(visited):
            raise AttemptError("the server redirects in a circle")
        raise AttemptError(f"the server redirects more than {MAX_REDIRECTS} times")

    def _send(self, url: str, headers: Mapping[str, str]) -> Response:
        check_proxy(url)
        try:
            return self._session.get(
                url,
                headers=headers,
                auth=_unchanged,
                stream=True,
                allow_redirects=False,
                timeout=(connect_seconds(self._patience_seconds), self._patience_seconds),
            )
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            raise explain(error, url, self._patience_seconds) from error


def _unchanged(request: PreparedRequest) -> PreparedRequest:
    """Keep requests from taking a password from ~/.netrc over the one that was given."""
    return request


def _authorization(auth: tuple[str, str] | str | None, url: str) -> dict[str, str]:
    if auth is None:
        parts = urlsplit(url)
        if not parts.username:
            return {}
        auth = (unquote(parts.username), unquote(parts.password or ""))
    if not isinstance(auth, tuple):
        if not auth.isascii() or not auth.isprintable():
            raise AttemptError("the key for it holds a character that cannot be sent")
        return {"Authorization": f"Bearer {auth}"}
    pair = base64.b64encode(":".join(auth).encode()).decode("ascii")
    return {"Authorization": f"Basic {pair}"}


def _redirect_target(url: str, location: str) -> str:
    with suppress(UnicodeError):  # http.client reads headers as Latin-1, servers write UTF-8
        location = location.encode("latin-1").decode("utf-8")
    try:
        target = urldefrag(urljoin(url, location)).url
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise AttemptError("the server redirects to something that is no address") from error
    if scheme not in ("http", "https"):
        raise AttemptError(f"the server redirects to {shown(target)}, which is no web address")
    if scheme == "http" and urlsplit(url).scheme.lower() == "https":
        raise AttemptError(
            f"the server redirects from https to {shown(target)}, which anybody on the way can read"
        )
    return target


def _is_same_host(first: str, second: str) -> bool:
    """Whether a password for one address may go to the other."""
    one, other = _host_and_port(first), _host_and_port(second)
    return one == other or (one[0] == other[0] and (one[1], other[1]) == (80, 443))


def _host_and_port(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme.lower())


def _retry_after(header: str | None) -> float | None:
    if not header:
        return None
    if re.fullmatch(r"\d{1,9}", header.strip(), re.ASCII):
        return float(header)
    try:
        moment = parsedate_to_datetime(header).replace(tzinfo=timezone.utc)  # RFC 9110: always GMT
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
