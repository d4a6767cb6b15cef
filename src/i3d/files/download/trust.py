"""Whose certificates are trusted. Light to import, so that commands can have it as an option."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from i3d.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


_MAX_BYTES = 16 * 2**20
"""A larger file is refused: those of all authorities that browsers know take a quarter of a MiB."""

_CERTIFICATE = rb"-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*-----END (?:X509 )?CERTIFICATE-----"
"""Of a file only these parts are read: what stands between them may be in any encoding."""


@dataclass(frozen=True)
class Trust:
    """Which hosts are believed to be who they say they are, in TLS."""

    cafile: Path | None = None
    """A file of trusted certificates (PEM), in the place of the system's and of those that
    variables name. It may hold authorities, or the very certificates of hosts."""
    verify: bool = True
    """False: any certificate will do, of any host, and `cafile` does not matter. Whoever is on the
    way can then read and change what is sent. Nothing here warns of it: the caller must."""

    @cached_property
    def certificates(self) -> str:
        """What `cafile` holds: certificates (PEM) without what stands between them.

        It is read once, so that it may be a pipe; `check` does so.

        Raises:
            OSError: It can't be read.
            ValueError: It is too large, or holds none.
        """
        assert self.cafile is not None, "there is no file"
        with self.cafile.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES // 2**20} MiB")
        found = re.findall(_CERTIFICATE, content)
        if not found and b"-----BEGIN TRUSTED CERTIFICATE-----" in content:
            raise ValueError("its certificates are in OpenSSL's own form (TRUSTED CERTIFICATE)")
        if not found:
            raise ValueError("it holds no certificate")
        return b"\n".join(found).decode("ascii", "backslashreplace")

    def check(self) -> None:
        """Read the certificates that the user named, in `cafile` or in a variable.

        A pipe that a variable names is left for who needs it, for it can be read only once.

        Raises:
            UsageError: They can't be read, or there is none.
        """
        from i3d.files.download.attempts import AttemptError
        from i3d.files.download.session import check_trust

        try:
            check_trust(self)
        except AttemptError as error:
            reason = error.reason[:1].upper() + error.reason[1:]
            raise UsageError(f"{reason}.", hint=error.hint) from error


SYSTEM_TRUST = Trust()
"""The system's certificates, or those that REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE
names."""
