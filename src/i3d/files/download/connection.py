"""HTTP requests: passwords, redirects, and ways to hosts that are used again.

Imports `requests`, so it is itself imported only where something is downloaded.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from i3d.files.download.answers import Answer
from i3d.files.download.attempts import AttemptError, shown
from i3d.files.download.proxies import check_proxy
from i3d.files.download.reasons import connect_seconds, explain
from i3d.files.download.session import open_session
from i3d.files.download.trust import SYSTEM_TRUST, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from requests import PreparedRequest, Response

MAX_REDIRECTS = 10

_SECRET_HEADERS = frozenset({"authorization", "cookie"})


class Connection:
    """Requests after each other, from one user and one thread. Use it as a context.

    The way to a host is kept open after an answer that was read to its end, for the next request.

    Args:
        auth: (user, password) for Basic, or a Bearer token.
        headers: More request headers.
        patience_seconds: How long a server may be silent.
        trust: Whose certificates are trusted.
    """

    def __init__(
        self,
        *,
        auth: tuple[str, str] | str | None,
        headers: Mapping[str, str] | None,
        patience_seconds: float,
        trust: Trust = SYSTEM_TRUST,
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
        self._trust = trust
        self._session = open_session(trust)
        self._kept: set[tuple[str, str | None, int | None]] = set()

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
            try:
                response = self._send(url, headers)
            except AttemptError as error:
                error.is_elsewhere = not _is_same_host(visited[0], url)
                raise
            location = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or location is None:
                at_end = partial(self._kept.add, _origin(url))
                return Answer(response, url, self._patience_seconds, at_end)
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
        origin = _origin(url)
        is_kept = origin in self._kept
        self._kept.discard(origin)
        try:
            return self._request(url, headers)
        except AttemptError as error:
            if not is_kept or error.is_stall:
                raise
        # A server closes a way that was not used for a while, maybe just when it is used again:
        # that says nothing about the server. The next request opens a new one.
        return self._request(url, headers)

    def _request(self, url: str, headers: Mapping[str, str]) -> Response:
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
            raise explain(error, url, self._patience_seconds, self._trust) from error


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


def _origin(url: str) -> tuple[str, str | None, int | None]:
    return (urlsplit(url).scheme.lower(), *_host_and_port(url))


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
