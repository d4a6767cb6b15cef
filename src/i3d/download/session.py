"""Sessions of `requests`: which certificates are trusted.

Those of the system (`truststore`), or those that the user named in a variable: the ones in
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE, in this order, instead of the system's.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

import requests
import truststore
from requests.adapters import HTTPAdapter

from i3d.download.attempts import AttemptError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class _Session(requests.Session):
    def get_redirect_target(
        self,
        resp: Response,  # noqa: ARG002  (the overridden method's)
    ) -> str | None:
        """Never: `Connection` follows redirects. Requests would read their bodies to the end."""
        return None


class _Adapter(HTTPAdapter):
    """Trusts the certificates that the user's system trusts, or those that the user named."""

    _tls_context: ssl.SSLContext | None = None

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: Any,
        cert: Any = None,
    ) -> tuple[Any, Any]:
        """Put our certificates in the place of those that requests would use."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        for name in ("ca_certs", "ca_cert_dir"):
            pool.pop(name, None)
        if host["scheme"] == "https":
            pool["ssl_context"] = self._context()
        return host, pool

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Use our certificates also for a proxy that is itself spoken to in TLS."""
        if proxy.lower().startswith("https:"):
            options.setdefault("proxy_ssl_context", self._context())
        return super().proxy_manager_for(proxy, **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the connection as it is: its context has the certificates."""

    def _context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = _tls_context()
        return self._tls_context


def open_session() -> requests.Session:
    """Open a session that follows no redirects, and trusts what the user's system trusts."""
    session = _Session()
    adapter = _Adapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _tls_context() -> ssl.SSLContext:
    for variable in _BUNDLE_VARIABLES:
        bundle = os.environ.get(variable)
        if bundle:
            # Not ssl.create_default_context: from Python 3.13 on it is strict in a way that the
            # certificates of many company proxies fail.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                if os.path.isdir(bundle):  # noqa: PTH112  (no error on a name that is too long)
                    context.load_verify_locations(capath=bundle)
                else:
                    context.load_verify_locations(cafile=bundle)
            except OSError as error:  # ssl.SSLError is one
                why = (
                    "it holds no certificate"
                    if isinstance(error, ssl.SSLError)
                    else (error.strerror or str(error))
                )
                raise AttemptError(
                    f"the file of trusted certificates {bundle} cannot be used: {why}",
                    hint=f"Correct or unset {variable}.",
                ) from error
            return context
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
