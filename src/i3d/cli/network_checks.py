"""Settings that steer the network, and the sources of the default model."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from i3d.cli.check import Check, guarded, without_password
from i3d.errors import DownloadError, ExitCode, UsageError
from i3d.models.catalog import CATALOG, DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.models.catalog import Source
    from i3d.progress import Progress

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OTHERS = (
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "KAGGLEHUB_CACHE",
)


def show_settings() -> Iterator[Check]:
    """Tell the environment variables that change what i3d does, without passwords."""
    proxies = [*_PROXIES, *map(str.lower, _PROXIES)]
    names = sorted(name for name in os.environ if name.startswith(("I3D_", "TFHUB_")))
    names += [name for name in (*proxies, *_OTHERS) if name in os.environ]
    for name in names:
        value = without_password(os.environ[name], is_proxy=name in proxies)
        yield Check(name, "info", value or "(empty)")


def check_sources(model_state: str, *, is_in_cache: bool, progress: Progress) -> Iterator[Check]:
    """Ask each source of the default model for its first byte.

    Args:
        model_state: "here", "damaged" or "missing".
        is_in_cache: Another program's cache on this machine holds the model.
        progress: Who wants to know.
    """
    from i3d.files.addresses import is_offline

    if is_offline():
        checks = [Check("network", "info", "not asked: I3D_OFFLINE is set")]
    else:
        checks = _ask_all(progress)
    yield from checks
    yield from _check_patience(model_state)
    if any(check.status == "ok" for check in checks):
        return
    none = "I3D_OFFLINE is set" if is_offline() else "no source answers"
    if model_state == "here":
        if not is_offline():
            yield Check("sources", "info", f"none answers, and {DEFAULT_MODEL} is here already")
    elif not is_in_cache:
        state = "is damaged" if model_state == "damaged" else "is not on this machine"
        unset = "Unset I3D_OFFLINE, if it was not meant; or fetch" if is_offline() else "Fetch"
        yield Check(
            "sources",
            "failed",
            f"{DEFAULT_MODEL} {state}, and {none}",
            f"{unset} it on another machine and run: i3d model import FILE; or name a mirror "
            "(I3D_PYPI_URL, I3D_GCS_URL, I3D_DEEPMIND_URL); or use --model camera-motion",
            ExitCode.TRANSFER,
        )


def _ask_all(progress: Progress) -> list[Check]:
    client = guarded("network", _import_client)
    if client.status == "failed":
        return [client]
    sources = CATALOG[DEFAULT_MODEL].sources
    with (
        progress.task(f"asking {len(sources)} sources"),
        ThreadPoolExecutor(len(sources)) as pool,
    ):
        return list(
            pool.map(
                lambda source: guarded(f"source {source.name}", partial(_ask, source)), sources
            )
        )


def _import_client() -> Check:
    """Import what the threads need: of several that meet a broken package, one says why."""
    import_module("i3d.files.session")
    import_module("i3d.models.remote")
    return Check("network", "ok", "the client can be imported")


def _check_patience(model_state: str) -> Iterator[Check]:
    from i3d.files.addresses import patience_seconds

    try:
        patience_seconds()
    except UsageError as error:
        yield Check(
            "I3D_TIMEOUT",
            "warning" if model_state == "here" else "failed",
            error.message.removesuffix("."),
            error.hint,
            error.exit_code,
        )


def _ask(source: Source) -> Check:
    from i3d.files.addresses import is_web_address, place
    from i3d.files.download import reach
    from i3d.models.remote import kaggle_auth

    name = f"source {source.name}"
    if source.kind == "package":
        return _ask_indexes(name, source)
    url = source.url
    if not is_web_address(url):
        value = without_password(os.environ.get(source.base_variable, url))
        detail = f"{source.base_variable} is {value}, which is not a web address"
        hint = f"Correct or unset {source.base_variable}."
        return Check(name, "warning", detail, hint)
    if source.kind == "checkpoint":
        url += "/model.ckpt.index"
    try:
        answer = reach(url, auth=kaggle_auth(url))
    except DownloadError as error:
        return Check(name, "warning", f"{place(url)}: {error.reason}")
    return Check(name, "ok", f"{place(url)} {answer}")


def _ask_indexes(name: str, source: Source) -> Check:
    """Ask the package indexes for the package's page, as fetching it does."""
    from i3d.errors import TransferError
    from i3d.files.addresses import place
    from i3d.models.package_index import NO_INDEX, find_file
    from i3d.progress import NO_PROGRESS

    assert source.package is not None
    problems = []
    for page in source.urls:
        try:
            with tempfile.TemporaryDirectory() as folder:
                find_file(page, source.package, Path(folder, "page"), NO_PROGRESS)
        except TransferError as error:
            problems.append(f"{place(page)}: {error.clause}")
        except OSError as error:  # no folder for temporary files
            return Check(name, "warning", f"not asked: {error.strerror or error}")
        else:
            return Check(name, "ok", f"{place(page)} has {source.package.file}")
    detail = "; ".join(problems) or NO_INDEX
    return Check(name, "warning", detail, f"Name an index in {source.base_variable}.")
