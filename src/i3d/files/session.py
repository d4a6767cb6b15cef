"""Sessions of `requests`: certificates, time limits, retries, and what their errors mean.

Imports `requests`, so it is itself imported only where something is downloaded.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from http.client import HTTPException, RemoteDisconnected
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, TooManyRedirects
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from urllib3.util import Retry
from urllib3.util.connection import allowed_gai_family, create_connection

from i3d.files.addresses import NETWORK_HINT, failure, patience_seconds, place, shown
from i3d.files.trust import SYSTEM_TRUST, Trust

if TYPE_CHECKING:
    from typing_extensions import Self

    from i3d.errors import DownloadError, DownloadFailure

FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
"""What requests of a session, and reading their answers, may raise: give them to `explain`."""

BACKOFF_SECONDS = 0.5
"""Repeated requests wait 0, 1, 2 and 4 seconds."""

LONGEST_PAUSE_SECONDS = 60.0
"""A server that asks for a longer pause (`Retry-After`) is not waited for."""

TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which the same request may succeed (RFC 9110, 6585 and 8470)."""

MAX_REDIRECTS = 10

_CONNECT_SECONDS = 5.0
"""A machine that is there accepts a connection within a second; five allow for a poor network, and
are what each source costs where a firewall drops everything."""

_UNTRUSTED = "is signed by somebody that this machine does not trust"

_CERTIFICATE_PROBLEMS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    23: "was revoked",
    62: "is for another host",
    64: "is for another host",
}
"""OpenSSL's X509_V_ERR_* codes (openssl/x509_vfy.h)."""


def open_session(
    trust: Trust = SYSTEM_TRUST, *, patience: float | None = None, num_retries: int = 4
) -> requests.Session:
    """Open a session: with our certificates and time limits, and retries until an answer begins.

    A host that can't be reached costs 5 seconds and is not asked again. A server that is silent is
    asked twice. Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Redirects are followed, but
    never from https to http; passwords stay with their host.

    Args:
        trust: Whose certificates are trusted, of hosts and proxies.
        patience: How many seconds a server may be silent; `$I3D_TIMEOUT` by default.
        num_retries: How often to repeat a request that got no answer, or a transient one.

    Returns:
        Use it as a context, in one thread. Its errors are for `explain`.

    Raises:
        UsageError: I3D_TIMEOUT or the certificates that the user named make no sense.
    """
    from i3d import __version__

    seconds = patience_seconds() if patience is None else patience
    session = _Session()
    session.max_redirects = MAX_REDIRECTS
    # identity: lengths, ranges and digests are about the bytes as they are.
    session.headers.update({"User-Agent": f"i3d/{__version__}", "Accept-Encoding": "identity"})
    adapter = _Adapter(trust, seconds, num_retries)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def explain(error: Exception, url: str, patience: float | None = None) -> DownloadError:
    """Say why there was no answer at all, or why it broke off.

    Args:
        error: One of `FAILURES`.
        url: What was asked for.
        patience: How many seconds the server was waited for; `$I3D_TIMEOUT` by default.
    """
    seconds = patience_seconds() if patience is None else patience
    request = getattr(error, "request", None)
    asked = getattr(request, "url", None) or url  # after redirects
    causes = _causes(error)
    proxy = select_proxy(asked, get_environ_proxies(asked))
    is_proxy = any(isinstance(cause, ProxyError) for cause in causes)
    host = place(asked)
    if is_proxy:
        host = f"the proxy {place(shown(proxy or '', is_proxy=True))}"
    lines = str(error).strip().rstrip(".").splitlines() or [type(error).__name__]
    known = _Meaning(lines[0])
    if any(type(cause) is ConnectTimeoutError for cause in causes):
        reason = f"{host} does not answer (waited {connect_seconds(seconds):g} seconds)"
        known = _Meaning(reason, NETWORK_HINT, "unreachable")
    else:
        for cause in causes:
            if found := _meaning(cause, host, seconds):
                known = found
                break
    if proxy and any(isinstance(cause, InvalidURL) for cause in causes):
        reason = "the address of its proxy cannot be used"
        hint = "Correct it, as in HTTPS_PROXY=http://proxy.example:3128, or remove it."
        known = _Meaning(reason, hint, "unreachable")
    kind = "unreachable" if is_proxy and known.kind == "other" else known.kind
    return failure(url, known.reason, hint=known.hint, kind=kind)


def connect_seconds(patience: float) -> float:
    """Tell how long to wait for a connection, with all addresses of a host together.

    Args:
        patience: How many seconds a server may be silent. More than 30 means a slow network.
    """
    return min(max(_CONNECT_SECONDS, patience / 6), patience)


class _Meaning(NamedTuple):
    reason: str
    hint: str | None = None
    kind: DownloadFailure = "other"


def _meaning(cause: BaseException, host: str, patience: float) -> _Meaning | None:
    """Say what one of the causes of an error means; None for those that say little."""
    found: _Meaning | None = None
    match cause:
        case ssl.SSLCertVerificationError():
            problem = _CERTIFICATE_PROBLEMS.get(cause.verify_code, "is not trusted")
            details = (cause.verify_message or "").strip().rstrip(".")
            found = _Meaning(
                f"the certificate of {host} {problem}{f' ({details})' if details else ''}",
                "Check this machine's date. If your network reads along in encrypted connections, "
                "name the file of its certificate in REQUESTS_CA_BUNDLE.",
                "certificate",
            )
        case ssl.SSLError():
            details = (cause.reason or "").replace("_", " ").lower() or "no details"
            reason = f"no secure connection to {host} can be made ({details})"
            found = _Meaning(reason, NETWORK_HINT, "unreachable")
        case socket.gaierror():
            reason = f"the name {host} cannot be found (no network?)"
            found = _Meaning(reason, NETWORK_HINT, "unreachable")
        case ConnectionRefusedError():
            found = _Meaning(f"{host} refuses the connection", NETWORK_HINT, "unreachable")
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
            reason = f"{host} cannot be reached (no network?)"
            found = _Meaning(reason, NETWORK_HINT, "unreachable")
        case ReadTimeoutError() | TimeoutError():
            found = _Meaning(
                f"the server sent nothing for {patience:g} seconds",
                "Try again later, or give the server more time with I3D_TIMEOUT (seconds).",
                "silent",
            )
        case RemoteDisconnected() | ConnectionError():
            reason = "the server closed the connection without an answer"
            found = _Meaning(reason, NETWORK_HINT)
        case HTTPException():
            found = _Meaning(f"{host} does not speak HTTP")
        case OSError() if "Tunnel connection failed" in str(cause):
            status = str(cause).partition(": ")[2]
            reason = f"{host} answered {status}"
            found = _Meaning(reason, "Check HTTPS_PROXY or NO_PROXY.", "unreachable")
        case TooManyRedirects():
            found = _Meaning(f"the server redirects more than {MAX_REDIRECTS} times")
        case InvalidURL() | UnicodeError():
            found = _Meaning("it is not a web address")
        case InvalidSchema() if "SOCKS" in str(cause):  # without PySocks
            found = _Meaning(str(cause).rstrip("."), NETWORK_HINT, "unreachable")
    return found


def _causes(error: BaseException) -> list[BaseException]:
    """List an error and all that led to it, the innermost first."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        current = pending.pop(0)
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            reason = getattr(current, "reason", None)
            pending += [current.__cause__, current.__context__, *current.args, reason]
    return found[::-1]


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Refuse to go from https to http, and from the web to anything else."""
        target = super().get_redirect_target(resp)
        if target is not None:
            address = urljoin(resp.url, target)
            if not address.lower().startswith(("http:", "https:")):
                raise requests.RequestException(
                    f"the server redirects to {shown(address)}, which is not a web address"
                )
            if resp.url.lower().startswith("https:") and not address.lower().startswith("https:"):
                raise requests.RequestException(
                    f"the server redirects from https to {shown(address)}, which anybody on the "
                    "way can read"
                )
        return target


class _Adapter(HTTPAdapter):
    """Uses our certificates in place of requests', and connects in time."""

    def __init__(self, trust: Trust, patience: float, num_retries: int) -> None:
        self._verify = trust.verify
        self._context = trust.context()
        self._timeout = (connect_seconds(patience), patience)
        retry = _Retry(
            total=num_retries,
            connect=0,
            other=0,
            status_forcelist=TRANSIENT_STATUSES,
            backoff_factor=BACKOFF_SECONDS,
            raise_on_status=False,
        )
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("https:"):
            options["proxy_ssl_context"] = self._context
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        if not proxy.lower().startswith("socks"):  # those have connections of their own
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or self._timeout
        options["verify"] = self._verify
        return super().send(*arguments, **options)

    def cert_verify(self, *_arguments: Any) -> None:
        """Add no certificates to those of our context."""


class _Retry(Retry):
    """Asks no server again that was silent twice, or that asks for a long pause."""

    def get_retry_after(self, response: Any) -> float | None:
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        was_silent = any(isinstance(past.error, ReadTimeoutError) for past in self.history)
        pause = (response and self.get_retry_after(response)) or 0
        if (was_silent and isinstance(error, ReadTimeoutError)) or pause > LONGEST_PAUSE_SECONDS:
            raise MaxRetryError(_pool, url or "", error)
        return super().increment(method, url, response, error, _pool, _stacktrace)


class _Punctual(HTTPConnection):
    """One time limit for all addresses of a host.

    urllib3 gives each address the whole limit, and the search for the host's name none: a network
    that drops packets would cost a host with 16 addresses a minute or more.
    """

    def connect(self) -> None:
        """Connect; a host that is silent in the TLS handshake counts as not reached."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no secure connection in time") from error
        self.is_verified = True  # else urllib3 warns at each request; our caller has warned once

    def _new_conn(self) -> socket.socket:
        connection: Future[socket.socket] = Future()

        def connect() -> None:
            try:
                connection.set_result(self._connected())
            except Exception as error:  # noqa: BLE001  (raised in the other thread)
                connection.set_exception(error)

        # The system's time limit for names can't be set: nothing waits for this thread.
        threading.Thread(target=connect, daemon=True).start()
        try:
            return connection.result(self.timeout)
        except (TimeoutError, FutureTimeoutError) as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def _connected(self) -> socket.socket:
        host, family = self._dns_host.strip("[]"), allowed_gai_family()
        entries = socket.getaddrinfo(host, self.port, family, socket.SOCK_STREAM)
        # The families in turn: where IPv6 leads nowhere, IPv4 is second.
        first = [entry[4][0] for entry in entries if entry[0] == entries[0][0]]
        other = [entry[4][0] for entry in entries if entry[0] != entries[0][0]]
        addresses = [each for pair in zip_longest(first, other) for each in pair if each]
        assert self.timeout is not None
        problem: OSError = TimeoutError()
        deadline = time.monotonic() + self.timeout
        for address in addresses:
            if time.monotonic() > deadline:
                break
            try:
                connection = create_connection(
                    (str(address), self.port),
                    self.timeout if len(addresses) == 1 else self.timeout / 2,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                problem = error
            else:
                connection.settimeout(self.timeout)
                return connection
        raise problem


class _HttpConnection(_Punctual):
    pass


class _HttpsConnection(_Punctual, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS: Any = {"http": _HttpPool, "https": _HttpsPool}
