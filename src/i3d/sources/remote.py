"""Models on the network: one source to a folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from i3d.archives import unpack
from i3d.catalog import KAGGLE_URL
from i3d.checkpoints import checkpoint_prefix, open_checkpoint
from i3d.download import download
from i3d.download.attempts import shown
from i3d.engines.tf_converter import write_saved_model
from i3d.errors import CheckpointError, TransferError, UsageError
from i3d.fingerprints import identify, network_tensors, published
from i3d.paths import downloads_dir
from i3d.sources.cache import CHECKPOINT, MODEL, cannot_write

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.catalog import Source
    from i3d.progress import Progress

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip")

_KAGGLE_PAGE = re.compile(
    r"(?P<base>https?://[^/]+)/models/(?P<owner>[^/]+)/(?P<model>[^/]+)/(?:frameworks/)?"
    r"(?P<framework>[^/]+)/(?:variations/)?(?P<variation>[^/]+)/(?:versions/)?(?P<version>\d+)/?",
    re.IGNORECASE,
)
"""Kaggle's page of a model, in both of its forms."""


def fetch_source(source: Source, scratch: Path, progress: Progress) -> None:
    """Fetch a model of the catalogue from one of its sources, and convert it where it needs that.

    Args:
        source: Where from.
        scratch: A folder that gets the SavedModel, in `MODEL`.
        progress: Who wants to know.

    Raises:
        TransferError: The source does not give the model.
        CheckpointError: What it gave is not what DeepMind published.
        CacheError: Our cache can't be written.
        EngineNotInstalledError: A checkpoint can't be converted without TensorFlow.
    """
    if source.kind == "archive":
        auth = kaggle_credentials() if source.name == "kaggle" else None
        fetch_archive(source.url, scratch, progress, auth=auth)
    else:
        checkpoint_name = source.path.rpartition("/")[2]
        folder = scratch / CHECKPOINT
        fetch_checkpoint(source, checkpoint_name, folder, progress)
        with progress.task(f"converting {checkpoint_name}"):
            convert_checkpoint(folder, scratch, expected=checkpoint_name)


def fetch_address(address: str, scratch: Path, progress: Progress) -> None:
    """Fetch a model of the user's own choice.

    Args:
        address: An archive's URL, a TensorFlow Hub handle, or the address of a model's page on
            Kaggle.
        scratch: A folder that gets the SavedModel, in `MODEL`.
        progress: Who wants to know.

    Raises:
        UsageError: It is neither `http://` nor `https://`.
        TransferError: It does not give a model.
        CacheError: Our cache can't be written.
    """
    if not address.lower().startswith(("http://", "https://")):
        raise UsageError(
            f"{address} cannot be fetched: only http:// and https:// addresses can.",
            hint="For a folder or an archive on this machine give its plain path: --model DIR",
        )
    page = _KAGGLE_PAGE.fullmatch(address)
    if page is not None and _is_kaggle(page["base"]):
        handle = "/".join(
            page[part] for part in ("owner", "model", "framework", "variation", "version")
        )
        # https, also where the page was given as http: credentials may go with the request.
        base = (os.environ.get("I3D_KAGGLE_URL") or KAGGLE_URL).rstrip("/")
        url = f"{base}/api/v1/models/{handle}/download"
        fetch_archive(url, scratch, progress, auth=kaggle_credentials())
    elif urlsplit(address).path.lower().endswith(ARCHIVE_SUFFIXES):
        fetch_archive(address, scratch, progress)
    else:
        joint = "&" if urlsplit(address).query else "?"
        fetch_archive(f"{address}{joint}tf-hub-format=compressed", scratch, progress)


def fetch_archive(
    url: str,
    scratch: Path,
    progress: Progress,
    *,
    auth: tuple[str, str] | str | None = None,
) -> None:
    """Download an archive and unpack the SavedModel in it; see `fetch_source`."""
    archive = scratch / "download"
    download(
        url,
        archive,
        auth=auth,
        partial_dir=_make_downloads_dir(),
        description=f"fetching {_short(url)}",
        progress=progress,
    )
    unpack_model(archive, scratch)


def unpack_model(archive: Path, scratch: Path) -> None:
    """Unpack an archive that holds one SavedModel, at its top or in one of its folders.

    Raises:
        ArchiveError: It is damaged or holds something that must not be unpacked.
        TransferError: It holds no SavedModel, or several. The message is a clause.
        CacheError: Our cache can't be written.
    """
    unpacked = scratch / "unpacked"
    try:
        unpacked.mkdir()
    except OSError as error:
        raise cannot_write(scratch.parent, error) from error
    unpack(archive, unpacked)
    models = sorted(path.parent for path in unpacked.rglob("saved_model.pb"))
    if not models:
        raise TransferError("what came is not a TensorFlow model: it has no saved_model.pb")
    if len(models) > 1:
        raise TransferError(f"it holds {len(models)} models instead of one")
    models[0].rename(scratch / MODEL)


def fetch_checkpoint(source: Source, name: str, folder: Path, progress: Progress) -> None:
    """Download a published checkpoint, each file verified by its git blob id.

    Args:
        source: Where its folder lies.
        name: Its name in `i3d.fingerprints.published`.
        folder: Gets the files.
        progress: Who wants to know.

    Raises:
        DownloadError: A file can't be fetched, or is not the published one.
        CacheError: Our cache can't be written.
    """
    partial_dir = _make_downloads_dir()
    files = {path.rpartition("/")[2]: sha1 for path, sha1 in published()[name].files.items()}
    for file in sorted(files, key=lambda file: ".data-" in file):  # the small one first
        if file.endswith(".index") or ".data-" in file:
            download(
                f"{source.url}/{file}",
                folder / file,
                git_sha1=files[file],
                partial_dir=partial_dir,
                description=f"fetching {_short(source.url)}/{file}",
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
            "It is no checkpoint of DeepMind's I3D: its tensors have other names or shapes."
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


def kaggle_credentials() -> tuple[str, str] | str | None:
    """Kaggle's credentials in the environment, as its own tools name them.

    Returns:
        The token in `KAGGLE_API_TOKEN`, else (`KAGGLE_USERNAME`, `KAGGLE_KEY`), else None: public
        models need none.
    """
    token = os.environ.get("KAGGLE_API_TOKEN")
    if token:
        return token
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    return (user, key) if user and key else None


def _is_kaggle(base: str) -> bool:
    return urlsplit(base).hostname in ("kaggle.com", "www.kaggle.com")


def _make_downloads_dir() -> Path:
    folder = downloads_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _short(url: str) -> str:
    """A URL without what a person need not see."""
    return shown(url).partition("://")[2].partition("?")[0]
