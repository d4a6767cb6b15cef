"""The proxy that an address is reached through, and whether its own address makes sense."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from i3d.files.download.attempts import QUOTING_HINT, AttemptError, shown

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
"""What requests takes; the last four where PySocks is installed."""


def proxy_of(url: str) -> str | None:
    """Give the address of the proxy for an address, with its scheme; None for no proxy."""
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def check_proxy(url: str) -> None:
    """Raise AttemptError where the proxy for an address has itself no usable address."""
    proxy = proxy_of(url)
    if proxy is None or _is_usable(proxy):
        return
    variable = _variable_of(url)
    raise AttemptError(
        f"{variable or 'the proxy of this system'} is "
        f"{shown(proxy, mark='***@', is_proxy=True)}, which is not the address of a proxy",
        hint=f"Correct it, as in {variable or 'HTTPS_PROXY'}=http://proxy.example:3128, or remove "
        f"it. {QUOTING_HINT}",
        kind="unreachable",
    )


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that is none
        return False
    # An @ behind the host: what looks like the host is the user, and the password holds a slash.
    is_whole = "@" not in parts.path + parts.query + parts.fragment
    return parts.scheme.lower() in _SCHEMES and is_complete and is_whole


def _variable_of(url: str) -> str | None:
    """The variable that names the proxy; None where the system's settings do."""
    for kind in (f"{urlsplit(url).scheme.lower()}_proxy", "all_proxy"):
        for name in (kind, kind.upper()):  # the order in which Python reads them
            if os.environ.get(name):
                return name
    return None
