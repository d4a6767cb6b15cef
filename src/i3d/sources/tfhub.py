"""Models from TensorFlow Hub, fetched by its own client into a folder of ours.

The client alone would keep models in the system's temporary folder, and take any folder that is
not empty for a complete model (tensorflow/hub#896), so both are seen to here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

from i3d.errors import CacheError, EngineNotInstalledError, TransferError
from i3d.paths import tfhub_cache_dir
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.catalog import ModelSpec
    from i3d.progress import Progress

TFHUB_URL = "https://tfhub.dev"

STALL_SECONDS = 30.0
"""A server that sends nothing for so long is given up. The client itself would wait for ever."""

_PRIVATE_PREFIX = ".fetching-"

WAYS_ON = (
    "Check the network or its proxy (HTTPS_PROXY); or name a mirror in I3D_TFHUB_URL; or give a "
    "folder that holds the model: --model DIR; or use the model that ships with i3d: "
    "--model camera-motion"
)


def handle_of(spec: ModelSpec) -> str:
    """The TensorFlow Hub handle of a model: `$I3D_TFHUB_URL`, else https://tfhub.dev, and its path.

    Args:
        spec: A model of the catalogue with a `tfhub_path`.
    """
    base = os.environ.get("I3D_TFHUB_URL") or TFHUB_URL
    return f"{base.rstrip('/')}/{spec.tfhub_path}"


def fetch_from_tfhub(handle: str, *, progress: Progress = NO_PROGRESS) -> Path:
    """Fetch a model through `tensorflow_hub`, or find it where it was fetched before.

    Args:
        handle: A TensorFlow Hub handle, `http://` or `https://`.
        progress: Who wants to know.

    Returns:
        The model's folder, which holds `saved_model.pb`.

    Raises:
        EngineNotInstalledError: `tensorflow_hub` can't be imported.
        CacheError: The cache folder can't be written.
        TransferError: The download failed, or what came is not a model.
    """
    if not handle.lower().startswith(("http://", "https://")):
        raise TransferError(
            f"{handle} cannot be fetched: only http:// and https:// addresses can.",
            hint="For a folder on this machine give its plain path: --model DIR",
        )
    cache = tfhub_cache_dir()
    # The client's own naming, so that a user's TFHUB_CACHE_DIR can be copied here as it is.
    directory = cache / hashlib.sha1(handle.encode()).hexdigest()
    if _is_complete(directory):
        return directory
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
        # A folder of our own each time. In a shared one the client leaves a lock behind where its
        # process is killed, and the next run would wait for 10 to 20 minutes without a word.
        private = Path(tempfile.mkdtemp(prefix=_PRIVATE_PREFIX, dir=cache))
    except OSError as error:
        raise _cannot_write(cache, error) from error
    try:
        with progress.task(f"fetching {handle}"):
            _download(handle, private)
        fetched = private / directory.name
        if not _is_complete(fetched):
            raise TransferError(
                f"{handle} was fetched, but what came is not a TensorFlow model: it has no "
                "saved_model.pb.",
                hint=WAYS_ON,
            )
        try:
            if directory.exists() and not _is_complete(directory):  # half deleted
                shutil.rmtree(directory)
            fetched.rename(directory)
        except OSError as error:
            if not _is_complete(directory):  # else another process was faster
                raise _cannot_write(cache, error) from error
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return directory


def _cannot_write(cache: Path, error: OSError) -> CacheError:
    return CacheError(
        f"The cache folder {cache} cannot be written: {error.strerror or error}.",
        hint="Choose another one in I3D_CACHE_DIR.",
    )


def _remove_abandoned(cache: Path) -> None:
    """Remove what killed downloads left, once it is too old to be one that still runs."""
    for folder in cache.glob(f"{_PRIVATE_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > 24 * 3600:
                shutil.rmtree(folder, ignore_errors=True)


def _is_complete(directory: Path) -> bool:
    return (directory / "saved_model.pb").is_file()


def _download(handle: str, cache: Path) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "pkg_resources is deprecated"
            import tensorflow_hub
    except ImportError as error:
        raise EngineNotInstalledError(
            f"TensorFlow Hub cannot be imported: {error}.",
            hint='Install i3d again; if pkg_resources is missing: pip install "setuptools<82"',
        ) from error
    try:
        with _cache_variable(str(cache)), _stall_timeout():
            tensorflow_hub.resolve(handle)
    except Exception as error:  # network, TLS, gzip, tar, disk: anything can fail
        if "No space left" in str(error):  # TensorFlow's file functions raise errors of their own
            raise CacheError(
                f"{handle} does not fit into the cache folder {cache.parent}: no space left.",
                hint="Make room, or choose a folder on another disk in I3D_CACHE_DIR.",
            ) from error
        raise TransferError(
            f"{handle} cannot be fetched: {_reason(error)}", hint=WAYS_ON
        ) from error


@contextmanager
def _cache_variable(value: str) -> Iterator[None]:
    before = os.environ.get("TFHUB_CACHE_DIR")
    os.environ["TFHUB_CACHE_DIR"] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ["TFHUB_CACHE_DIR"]
        else:
            os.environ["TFHUB_CACHE_DIR"] = before


@contextmanager
def _stall_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {str(error.reason).splitlines()[0]}."
    if isinstance(error, TimeoutError) or (
        isinstance(error, URLError) and isinstance(error.reason, TimeoutError)
    ):
        return f"the server was silent for {STALL_SECONDS:g} seconds."
    if isinstance(error, URLError):
        return f"{error.reason}."
    lines = str(error).strip().splitlines()
    return f"{lines[0] if lines else type(error).__name__}."
