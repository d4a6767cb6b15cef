"""Sessions of `requests`: which certificates are trusted.

Those of a file that the caller names, else those that the user named in a variable
(REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE, in this order), else those of the system
(`truststore`).
"""

from __future__ import annotations

import os
import ssl
import stat
from typing import TYPE_CHECKING, Any

import requests
import truststore
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from i3d.files.download.attempts import AttemptError
from i3d.files.download.connecting import PunctualConnection

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from i3d.files.download.trust import Trust

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _Session(requests.Session):
    def get_redirect_target(
        self,
        resp: Response,  # noqa: ARG002  (the overridden method's)
    ) -> str | None:
        """Never: `Connection` follows redirects. Requests would read their bodies to the end."""
        return None


class _Unverified(HTTPSConnection):
    """Put before urllib3's class of connections, where nothing is to be verified."""

    def connect(self) -> None:
        """Connect, and keep urllib3 from warning at every request: our caller has warned once.

        A filter of warnings would hold for all threads, and for others' connections.
        """
        super().connect()
        self.is_verified = True


class _Adapter(HTTPAdapter):
    """Trusts whom it is told to trust."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._tls_context: ssl.SSLContext | None = None
        super().__init__()

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Give the pool of connections for a request."""
        pool = super().get_connection_with_tls_context(*arguments, **options)
        kind: Any = pool.ConnectionCls
        before: tuple[type, ...] = ()
        if kind._new_conn is HTTPConnection._new_conn:  # SOCKS proxies have their own
            before = (PunctualConnection,)
        if not self._trust.verify and isinstance(pool, HTTPSConnectionPool):
            before = (_Unverified, *before)
        if before and not issubclass(kind, before):
            pool.ConnectionCls = type(kind.__name__, (*before, kind), {})
        return pool

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: Any,
        cert: Any = None,
    ) -> tuple[Any, Any]:
        """Put our certificates in the place of those that requests would use."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        for name in ("ca_certs", "ca_cert_dir", "ssl_context"):
            pool.pop(name, None)
        if not self._trust.verify:
            pool["cert_reqs"] = "CERT_NONE"
        if host["scheme"] == "https":
            pool["ssl_context"] = self._context()
        return host, pool

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Use our certificates also for a proxy that is itself spoken to in TLS."""
        if proxy.lower().startswith("https:"):
            # the second one where it only passes requests on, for urllib3 before 2.8
            options.setdefault("proxy_ssl_context", self._context())
            options.setdefault("ssl_context", self._context())
        return super().proxy_manager_for(proxy, **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the connection as it is: its context has the certificates."""

    def _context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = _tls_context(self._trust)
        return self._tls_context


def open_session(trust: Trust) -> requests.Session:
    """Open a session that follows no redirects.

    Args:
        trust: Whose certificates are trusted. AttemptError is raised where they can't be read,
            at the first request that needs them.
    """
    session = _Session()
    adapter = _Adapter(trust)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def check_trust(trust: Trust) -> None:
    """Raise AttemptError where the certificates that the user named can't be read."""
    named = _named_in_variable()
    if trust.cafile is not None or (named and not _is_pipe(named[0])):
        _tls_context(trust)


def _tls_context(trust: Trust) -> ssl.SSLContext:
    if not trust.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if trust.cafile is not None:
        bundle = os.fspath(trust.cafile)
        if os.path.isdir(bundle):  # noqa: PTH112  (no error on a name that is too long)
            raise _unusable(bundle, "it is a folder", "--cafile")
        context = _empty_context()
        try:
            context.load_verify_locations(cadata=trust.certificates)
        except (OSError, ValueError) as error:
            raise _unusable(bundle, _why(error), "--cafile") from error
        return context
    named = _named_in_variable()
    if named is not None:
        return _context_of(*named)
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _named_in_variable() -> tuple[str, str] | None:
    """The file or folder of certificates that a variable names, and the variable."""
    for variable in _BUNDLE_VARIABLES:
        bundle = os.environ.get(variable, "")
        if bundle:
            return bundle, variable
    return None


def _is_pipe(bundle: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(bundle).st_mode)  # noqa: PTH116  (any name will do)
    except (OSError, ValueError):
        return False


def _empty_context() -> ssl.SSLContext:
    # Not ssl.create_default_context: from Python 3.13 on it is strict in a way that the
    # certificates of many company proxies fail.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What the user names is trusted, also where it is not the last of its chain: a host's own
    # certificate, or that of an authority in between. curl does the same.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _context_of(bundle: str, setting: str) -> ssl.SSLContext:
    """Trust the certificates of a file, or of a folder that OpenSSL's `rehash` has prepared."""
    context = _empty_context()
    try:
        if os.path.isdir(bundle):  # noqa: PTH112  (no error on a name that is too long)
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(bundle, _why(error), setting) from error
    return context


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unusable(bundle: str, why: str, setting: str) -> AttemptError:
    hint = f"Correct or unset {setting}."
    if setting == "--cafile":
        hint = "Name a file of certificates (PEM) in --cafile, or leave --cafile out."
    return AttemptError(
        f"the file of trusted certificates {bundle} cannot be used: {why}", hint=hint
    )
