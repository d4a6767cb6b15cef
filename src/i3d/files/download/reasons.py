"""What the errors of requests, urllib3, OpenSSL and the system mean, in words."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from http.client import HTTPException, RemoteDisconnected
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from i3d.files.download.attempts import NETWORK_HINT, AttemptError, place, seconds_text, stalled
from i3d.files.download.proxies import proxy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.files.download.trust import Trust

_CONNECT_SECONDS = 5.0
"""A machine that is there accepts a connection within a second; five allow for a poor network, and
are what each source costs where a firewall drops everything without a word."""

_CERTIFICATE_PROBLEMS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "is signed by somebody that this machine does not trust",
    20: "is signed by somebody that this machine does not trust",
    21: "is signed by somebody that this machine does not trust",
    23: "was revoked",
    62: "is for another host",
    64: "is for another host",
}
"""OpenSSL's X509_V_ERR_* codes (openssl/x509_vfy.h)."""

_TRUST_HINT = (
    "Check this machine's date. If your network reads along in encrypted connections, name the "
    "file of its certificate in REQUESTS_CA_BUNDLE."
)


def connect_seconds(patience_seconds: float) -> float:
    """How long a machine may take to be found and to accept a connection, all addresses together.

    Args:
        patience_seconds: How long it may be silent later. More than 30 stands for a slow network.
    """
    return min(max(_CONNECT_SECONDS, patience_seconds / 6), patience_seconds)


def explain(error: BaseException, url: str, patience_seconds: float, trust: Trust) -> AttemptError:
    """Say why there was no answer at all.

    Args:
        error: What `requests` raised for the request.
        url: What was asked for.
        patience_seconds: How long the server was waited for.
        trust: Whose certificates were trusted.

    Returns:
        The error to raise.
    """
    causes = list(_causes(error))
    is_proxy = any(
        isinstance(cause, (ProxyError, requests.exceptions.ProxyError)) for cause in causes
    )
    known = _reason(error, causes, url, patience_seconds, trust, is_proxy=is_proxy)
    if is_proxy and known.kind == "other":  # the host itself was not reached
        known.kind = "unreachable"
    return known


def _reason(
    error: BaseException,
    causes: list[BaseException],
    url: str,
    patience_seconds: float,
    trust: Trust,
    *,
    is_proxy: bool,
) -> AttemptError:
    host = place(url)
    if is_proxy:
        host = f"the proxy {place(proxy_of(url) or '')}"
        for cause in causes:
            match = re.match(r"Tunnel connection failed: (\d{3}[ \w-]*)", str(cause))
            if match:
                return AttemptError(
                    f"{host} answered {match[1].strip()}", hint="Check HTTPS_PROXY or NO_PROXY."
                )
    # urllib3 derives "connection refused" from "connection timed out"
    if any(
        isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError)
        for cause in causes
    ):
        return AttemptError(
            f"{host} does not answer (waited {seconds_text(connect_seconds(patience_seconds))})",
            hint=NETWORK_HINT,
            kind="unreachable",
        )
    for cause in causes:
        known = _unreachable(cause, host, trust) or _broken(cause, host, patience_seconds)
        if known is not None:
            return known
    lines = str(error).strip().splitlines()
    return AttemptError(lines[0] if lines else type(error).__name__)


def _unreachable(cause: BaseException, host: str, trust: Trust) -> AttemptError | None:
    """Reasons why no connection was made. None of them goes away within seconds."""
    reason: str | None = None
    if isinstance(cause, ssl.SSLCertVerificationError):
        problem = _CERTIFICATE_PROBLEMS.get(cause.verify_code, "is not trusted")
        details = (cause.verify_message or "").strip().rstrip(".")
        more = f" ({details})" if details else ""
        hint = _TRUST_HINT
        if trust.cafile is not None:
            hint = f"Check this machine's date, and that {trust.cafile} is the right file."
        return AttemptError(
            f"the certificate of {host} {problem}{more}", hint=hint, kind="certificate"
        )
    if isinstance(cause, ssl.SSLError):
        details = (cause.reason or "").replace("_", " ").lower() or "no details"
        reason = f"no secure connection to {host} can be made ({details})"
    elif isinstance(cause, socket.gaierror):
        reason = f"the name {host} cannot be found (no network?)"
    elif isinstance(cause, ConnectionRefusedError):
        reason = f"{host} refuses the connection"
    elif isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        reason = f"{host} cannot be reached (no network?)"
    elif isinstance(cause, requests.exceptions.InvalidSchema):  # a SOCKS proxy, without PySocks
        reason = str(cause).strip().rstrip(".") or "the proxy is of a kind that cannot be used"
    return AttemptError(reason, hint=NETWORK_HINT, kind="unreachable") if reason else None


def _broken(cause: BaseException, host: str, patience_seconds: float) -> AttemptError | None:
    """Reasons why a connection brought no answer."""
    if isinstance(cause, (ReadTimeoutError, TimeoutError)):
        return stalled("nothing", patience_seconds)
    if isinstance(
        cause, (RemoteDisconnected, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
    ):
        return AttemptError(
            "the server closed the connection without an answer",
            hint=NETWORK_HINT,
            is_transient=True,
        )
    if isinstance(cause, HTTPException):
        return AttemptError(f"{host} does not speak HTTP")
    if isinstance(cause, (requests.exceptions.InvalidURL, LocationValueError, UnicodeError)):
        return AttemptError("it is not a web address")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """All errors behind an error, the innermost first: requests hides them in several places."""
    found: list[BaseException] = []
    pending = [error]
    while pending:
        current = pending.pop(0)
        if current in found:
            continue
        found.append(current)
        behind = (current.__cause__, current.__context__, *_parts(current))
        pending += [cause for cause in behind if isinstance(cause, BaseException)]
    return reversed(found)


def _parts(error: BaseException) -> tuple[object, ...]:
    return (*error.args, getattr(error, "reason", None), getattr(error, "original_error", None))
