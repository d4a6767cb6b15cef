"""Which TLS certificates are trusted. Quick to import, so that commands can offer it as an option.

Those in a file that the caller names; else those that REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or
SSL_CERT_FILE names, in this order; else the system's (`truststore`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.errors import UsageError

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Trust:
    """Which hosts and proxies are believed to be who they say they are."""

    cafile: Path | None = None
    """A file of trusted certificates (PEM): of authorities, or of the hosts themselves. Replaces
    the system's certificates and those that variables name."""
    verify: bool = True
    """False: accept any certificate of any host; `cafile` is ignored. Anybody on the way can then
    read and change what is sent. The caller must warn of it."""

    def check(self) -> None:
        """Read the certificates of `cafile`; raises UsageError where `context` does."""
        self.context()

    def context(self) -> ssl.SSLContext:
        """Make the settings of TLS connections.

        Raises:
            UsageError: The certificates that the user named can't be read, or there are none.
        """
        import ssl

        if not self.verify:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self.cafile is not None:
            return self._own
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            if bundle := os.environ.get(variable):
                return _context_of(Path(bundle), f"Correct or unset {variable}.")
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @cached_property
    def _own(self) -> ssl.SSLContext:
        """Read `cafile` once, for it may be a pipe."""
        assert self.cafile is not None
        hint = "Name a file of certificates (PEM) in --cafile, or leave --cafile out."
        return _context_of(self.cafile, hint)


SYSTEM_TRUST = Trust()
"""The system's certificates, or those that a variable names."""


def _context_of(bundle: Path, hint: str) -> ssl.SSLContext:
    """Trust the certificates in a file, or in a folder that OpenSSL's `rehash` has prepared."""
    import ssl

    # Not ssl.create_default_context: from Python 3.13 on it is strict in a way that the
    # certificates of many company proxies fail.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Trust a certificate of the file also where it is not the last of its chain: that of a host
    # itself, or of an authority in between. curl does the same.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        if bundle.is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except (OSError, ValueError) as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else str(error)
        if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
            why = error.strerror or why
        raise UsageError(
            f"The file of trusted certificates {bundle} cannot be used: {why}.", hint=hint
        ) from error
    return context
