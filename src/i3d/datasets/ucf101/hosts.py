"""Where clips come from: the index host, one file a clip, and the zip, one member a clip.

Both are used from several threads, each with a connection of its own.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from i3d.datasets.ucf101.checks import MAX_CLIP_BYTES, damage, decoding_damage
from i3d.datasets.ucf101.clips import explained
from i3d.datasets.ucf101.zip_archive import ZipArchive
from i3d.errors import DownloadError, UsageError
from i3d.files.addresses import is_web_address, place, shown
from i3d.files.download import download
from i3d.files.whole import write_whole
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    from requests import Session

    from i3d.datasets.ucf101.names import Clip
    from i3d.progress import Progress

INDEX_URL = "https://www.crcv.ucf.edu/THUMOS14/UCF101/UCF101/"
"""The folder that the TensorFlow Hub tutorial fetches from. Its certificate has been refused by
common trust stores since 2020 (tensorflow/datasets#2498), and it has answered 403 at times."""

ZIP_URL = "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip"
"""All clips in one zip of 6,960,400,115 bytes; newer TensorFlow tutorials read single members."""

SOURCE_NAMES = ("index", "zip")
"""In the order in which they are tried."""


class Host(Protocol):
    """A place that clips come from."""

    name: str
    """One of `SOURCE_NAMES`."""
    url: str
    """Its address, mirrors in place of what they replace."""
    variable: str
    """The environment variable that names a mirror."""

    def fetch(
        self, clip: Clip, target: Path, connection: Session, progress: Progress = NO_PROGRESS
    ) -> None:
        """Fetch a clip and check it.

        Args:
            clip: Which one.
            target: The file to make, in a private folder.
            connection: The calling thread's.
            progress: Who wants to know.

        Raises:
            DownloadError: It is not there, or what came is not a whole clip.
            CacheError: It can't be written.
        """


def open_hosts(source: str | None = None) -> tuple[Host, ...]:
    """Give the hosts to try, in their order.

    Args:
        source: One of `SOURCE_NAMES` for that one alone, else None.

    Raises:
        UsageError: A variable that names a mirror holds no web address.
    """
    hosts: tuple[Host, ...] = (IndexHost(index_url()), ZipHost(zip_url()))
    return tuple(host for host in hosts if source in (None, host.name))


def index_url() -> str:
    """The address of the folder of single clips, with a slash at its end.

    Returns:
        `$I3D_UCF101_URL` where it is set, else `INDEX_URL`.

    Raises:
        UsageError: The variable holds no web address.
    """
    return _address(IndexHost.variable, INDEX_URL).rstrip("/") + "/"


def zip_url() -> str:
    """The address of the zip.

    Returns:
        `$I3D_UCF101_ZIP_URL` where it is set, else `ZIP_URL`.

    Raises:
        UsageError: The variable holds no web address.
    """
    return _address(ZipHost.variable, ZIP_URL)


def _address(variable: str, default: str) -> str:
    address = os.environ.get(variable) or default
    if not (
        is_web_address(address) and _has_host_name(address)
    ):  # it may hold a password: it is not shown
        raise UsageError(
            f"{variable} holds no web address.", hint=f"It must begin as {default} does."
        )
    return address


def _has_host_name(address: str) -> bool:
    """Whether what stands in the place of a host could be one."""
    name = urlsplit(address).hostname or ""
    try:
        return ":" in name or re.fullmatch(rb"[\w.-]+", name.encode("idna")) is not None
    except UnicodeError:
        return False


class IndexHost:
    """One file a clip. HandStandPushups is asked for in both of its spellings."""

    name = "index"
    variable = "I3D_UCF101_URL"

    def __init__(self, url: str) -> None:
        self.url = url

    def fetch(
        self, clip: Clip, target: Path, connection: Session, progress: Progress = NO_PROGRESS
    ) -> None:
        """See `Host.fetch`."""
        *others, last = clip.remote_names
        for file_name in others:
            try:
                return self._fetch(file_name, target, connection, progress)
            except DownloadError as error:
                if error.kind != "missing":
                    raise
        return self._fetch(last, target, connection, progress)

    def _fetch(self, file_name: str, target: Path, connection: Session, progress: Progress) -> None:
        url = self.url + file_name
        download(
            url,
            target,
            max_bytes=MAX_CLIP_BYTES,
            session=connection,
            partial_dir=target.parent,
            description=f"fetching {file_name}",
            progress=progress,
        )
        # The length that the server announced came. What it sent may still be an error page, or a
        # file that was cut off before it got there.
        problem = damage(target) or decoding_damage(target)
        if problem is not None:
            raise DownloadError(
                f"{shown(url)} gives no clip: what came {problem}.", reason=f"what came {problem}"
            )


class ZipHost:
    """One member a clip, whose CRC-32 is in the zip's directory."""

    name = "zip"
    variable = "I3D_UCF101_ZIP_URL"

    def __init__(self, url: str) -> None:
        self.url = url
        self._archive = ZipArchive(url)

    def fetch(
        self, clip: Clip, target: Path, connection: Session, progress: Progress = NO_PROGRESS
    ) -> None:
        """See `Host.fetch`."""
        content = self._archive.read(clip, connection, progress)
        with explained(target.parent):
            write_whole(target, content)
        # Its CRC-32 proves that it is what was packed: its own claim about its size may be wrong.
        problem = decoding_damage(target)
        if problem is not None:
            raise DownloadError(
                f"{clip.file_name} in {shown(self.url)} is no clip: it {problem}.",
                reason=f"what it holds {problem}",
            )


def host_name(host: Host) -> str:
    """The name of the machine behind a host, for messages."""
    return place(host.url)
