"""Whose certificates are trusted. Light to import, so that commands can have it as an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Trust:
    """Which hosts are believed to be who they say they are, in TLS."""

    cafile: Path | None = None
    """A file of trusted certificates (PEM), in the place of the system's and of those that
    variables name. It may hold authorities, or the very certificates of hosts."""
    verify: bool = True
    """False: any certificate will do, of any host, and `cafile` does not matter. Whoever is on the
    way can then read and change what is sent. Nothing here warns of it: the caller must."""

    def check(self) -> None:
        """Raise UsageError where `cafile` can't be read, or holds no certificate."""
        if self.cafile is None:
            return
        from i3d.download.attempts import AttemptError
        from i3d.download.session import check_trust

        try:
            check_trust(self)
        except AttemptError as error:
            reason = error.reason[:1].upper() + error.reason[1:]
            raise UsageError(f"{reason}.", hint=error.hint) from error


SYSTEM_TRUST = Trust()
"""The system's certificates, or those that REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE
names."""
