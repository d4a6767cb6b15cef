"""The user's Python package indexes, read from the settings of pip and uv.

pip's are described in its documentation, "Configuration", uv's in "Configuration files" and
"Package indexes".
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import platformdirs

from i3d.files.addresses import is_web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SYSTEM = Path("/etc")


@dataclass(frozen=True)
class _Settings:
    """What one of the tools is told."""

    main: str | None
    extra: tuple[str, ...]
    uses_none: bool


def package_indexes() -> tuple[str, ...]:
    """Find the package indexes that the user has pip or uv ask.

    Returns:
        Web addresses of "simple" indexes (PEP 503), maybe with a password, in the order in which to
        ask them: the main ones, pip's first, or the public index if neither tool names one; then
        the extra ones. Empty if a tool is told to use no index, or if all of them are folders. A
        file of settings that can't be read is ignored.
    """
    tools = (_pip(), _uv())
    if any(tool.uses_none for tool in tools):
        return ()
    indexes = [tool.main for tool in tools if tool.main]
    if not indexes:
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        indexes.append(PYPI_SIMPLE_ENDPOINT)
    indexes += [index for tool in tools for index in tool.extra]
    return tuple(dict.fromkeys(filter(is_web_address, indexes)))


def index_auth(url: str, page: str) -> tuple[str, str] | None:
    """Find the user name and password for a package index, where they may be sent.

    Args:
        url: What is to be asked.
        page: A page of the index.

    Returns:
        Those in the page's address, else those for its host in the user's netrc file, as for pip
        and uv. None for a host other than the page's.
    """
    from requests.utils import get_netrc_auth

    if not (is_web_address(url) and is_web_address(page)):
        return None
    asked, known = urlsplit(url), urlsplit(page)
    if (asked.scheme, asked.hostname, asked.port) != (known.scheme, known.hostname, known.port):
        return None
    if known.username:
        return unquote(known.username), unquote(known.password or "")
    return get_netrc_auth(page)


def _pip() -> _Settings:
    settings: dict[str, str] = {}
    parser = configparser.RawConfigParser()
    for file in _pip_files():  # one that comes later wins
        with suppress(OSError, UnicodeError, configparser.Error):
            parser.read(file, encoding="utf-8")
    for section in ("global", "install", "download"):
        if parser.has_section(section):
            settings |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    settings |= _environment("PIP_")
    return _Settings(
        settings.get("index-url", "").strip() or None,
        tuple(settings.get("extra-index-url", "").split()),
        _is_on(settings.get("no-index", "")),
    )


def _pip_files() -> Iterable[Path]:
    """Files of settings, there or not: the machine's, the user's, those of this Python."""
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    for folder in platformdirs.site_config_dir("pip", False, multipath=True).split(os.pathsep):
        yield Path(folder, name)
    if sys.platform not in ("win32", "darwin"):
        yield _SYSTEM / name
    if not (named and os.path.exists(named)):  # noqa: PTH110  (no error on a name that is too long)
        home = os.path.expanduser("~")  # noqa: PTH111  (no error where there is no home)
        yield Path(home, "pip" if os.name == "nt" else ".pip", name)
        folder = platformdirs.user_config_dir("pip", False, roaming=True)
        if sys.platform == "darwin" and not Path(folder).is_dir():
            folder = str(Path(home, ".config", "pip"))
        yield Path(folder, name)
    yield Path(sys.prefix, name)
    if named:
        yield Path(named)


def _uv() -> _Settings:
    variables = _environment("UV_")
    mains = [variables[key] for key in ("default-index", "index-url") if key in variables]
    extras = f"{variables.get('index', '')} {variables.get('extra-index-url', '')}".split()
    uses_none = _is_on(variables.get("no-index", ""))
    for file in _uv_files():
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
            for index in settings.get("index", []):
                if not index.get("explicit"):  # those are for single packages
                    (mains if index.get("default") else extras).append(str(index["url"]))
            if "index-url" in settings:
                mains.append(str(settings["index-url"]))
            extras += map(str, settings.get("extra-index-url", []))
            uses_none |= settings.get("no-index") is True
    # uv writes NAME=URL, too.
    mains, extras = ([re.sub(r"\A[\w.-]+=", "", index) for index in of] for of in (mains, extras))
    return _Settings(mains[0] if mains else None, tuple(extras), uses_none)


def _uv_files() -> Iterable[Path]:
    """Files of settings, there or not, nearest first: the user's, the machine's; or a named one.

    Not those of a project, which are about the folder that a user happens to be in.
    """
    if _is_on(os.environ.get("UV_NO_CONFIG", "")):
        return
    if named := os.environ.get("UV_CONFIG_FILE"):
        yield Path(named)
    elif os.name == "nt":
        yield Path(platformdirs.user_config_dir("uv", False, roaming=True), "uv.toml")
        yield Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "uv", "uv.toml")
    else:
        home = os.path.expanduser("~")  # noqa: PTH111
        yield Path(os.environ.get("XDG_CONFIG_HOME") or Path(home, ".config"), "uv", "uv.toml")
        folders = os.environ.get("XDG_CONFIG_DIRS") or str(_SYSTEM / "xdg")
        yield from (Path(folder, "uv", "uv.toml") for folder in folders.split(os.pathsep))
        yield _SYSTEM / "uv" / "uv.toml"


def _environment(prefix: str) -> Mapping[str, str]:
    """Settings in variables: PIP_INDEX_URL is `index-url`. Empty ones say nothing."""
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): value.strip()
        for name, value in os.environ.items()
        if name.startswith(prefix) and value.strip()
    }


def _is_on(value: str) -> bool:
    return value.strip().lower() in ("1", "true", "yes", "on", "t", "y")
