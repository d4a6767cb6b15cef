"""What the user's variables say about downloads, and the addresses that none is tried for."""

from __future__ import annotations

import math
import os
from urllib.parse import urlsplit

from i3d.errors import UsageError
from i3d.files.download.attempts import QUOTING_HINT, AttemptError, download_error

_DEFAULT_PATIENCE_SECONDS = 30.0
_MAX_PATIENCE_SECONDS = 86_400.0
"""One day. Operating systems refuse timeouts that are very much longer."""


def is_offline() -> bool:
    """Tell whether the user forbade the network.

    Returns:
        True where I3D_OFFLINE is set to anything but nothing or `0`.
    """
    return os.environ.get("I3D_OFFLINE", "") not in ("", "0")


def is_web_address(url: str) -> bool:
    """Tell whether an address is a complete one that begins with `http://` or `https://`."""
    if not url.lower().startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that is none
        return False


def patience_seconds() -> float:
    """Tell how long a server may send nothing, or almost nothing, before it is given up.

    Returns:
        `$I3D_TIMEOUT` in seconds, else 30.

    Raises:
        UsageError: I3D_TIMEOUT is not a number of seconds above 0, and one day at most.
    """
    value = os.environ.get("I3D_TIMEOUT")
    if not value:
        return _DEFAULT_PATIENCE_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MAX_PATIENCE_SECONDS:
        raise UsageError(
            f"I3D_TIMEOUT is {value!r}, which is not a number of seconds between 0 and 86400.",
            hint="Set it to how long a server may be silent, such as I3D_TIMEOUT=30, or unset it.",
        )
    return seconds


def refuse_what_cannot_work(url: str) -> None:
    """Raise DownloadError where I3D_OFFLINE is set, or where an address is no web address."""
    if is_offline():
        raise download_error(
            url,
            AttemptError(
                "offline: I3D_OFFLINE is set",
                hint="Unset I3D_OFFLINE to allow downloads.",
                kind="unreachable",
            ),
        )
    if not url.lower().startswith(("http://", "https://")):
        raise download_error(
            url, AttemptError("only http:// and https:// addresses can be downloaded")
        )
    if not is_web_address(url):
        hint = QUOTING_HINT if "@" in url else None
        raise download_error(url, AttemptError("it is not a web address", hint=hint))
