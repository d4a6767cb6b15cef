"""Single members of a large zip on a web server, read by range requests.

`zipfile` of the standard library reads the format (ZIP64 too: the zip is larger than 4 GiB) and
checks the CRC-32 of what it unpacks; here it is given the parts of the file that it asks for. The
zip's directory, one megabyte, is kept in the cache, so that a later run needs one request for a
clip.
"""

from __future__ import annotations

import json
import struct
import threading
import zipfile
import zlib
from bisect import bisect_right
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from i3d.datasets.ucf101.checks import MAX_CLIP_BYTES
from i3d.datasets.ucf101.clips import is_file
from i3d.datasets.ucf101.zip_parts import Parts
from i3d.errors import DownloadError, RemoteFileChangedError
from i3d.files.addresses import shown
from i3d.files.cache import ucf101_dir
from i3d.files.ranges import RemoteIdentity, fetch_range
from i3d.files.whole import write_whole
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    from requests import Session

    from i3d.datasets.ucf101.names import Clip
    from i3d.progress import Progress

_TAIL_BYTES = 2**16
"""What is asked for first: the end of a zip, which says where its directory is. An archive comment
takes at most 64 KiB."""

_MAX_DIRECTORY_BYTES = 8 * 2**20
"""A zip of 13,320 clips has a directory of one to two megabytes."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What single members may be packed with. Others are not used for clips, and of little that is
packed with them much may come out before anybody can count it."""

_ENCRYPTED = 0x1
"""The flag of a member that needs a password."""

_MAX_HEADER_BYTES = 30 + 2 * (2**16 - 1) + 24
"""A member's local header with the longest name and extra field, and its data descriptor."""

_NO_ZIP = "it is not a zip, or a damaged one"

_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,  # of several disks, or of a later version of the format
    RuntimeError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    IndexError,
)
"""What `zipfile` raises on a zip that is damaged or hostile."""


class ZipArchive:
    """A zip on a web server.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._directory: _Directory | None = None
        self._failures: list[DownloadError] = []
        """Why it could not be opened, each time that it was tried."""

    def read(self, clip: Clip, connection: Session, progress: Progress = NO_PROGRESS) -> bytes:
        """Fetch and unpack one clip.

        Args:
            clip: Which one; found in any folder of the zip, in any case and spelling.
            connection: The calling thread's.
            progress: Who wants to know.

        Returns:
            The file's content, which has the CRC-32 that the zip says.

        Raises:
            DownloadError: The zip can't be read, or holds no such clip, or not a whole one.
        """
        num_failures = len(self._failures)
        directory = self._open(num_failures, connection, progress)
        try:
            return directory.read(clip, connection, progress)
        except DownloadError as error:
            if error.kind not in ("missing", "other"):  # the network's fault
                raise
            # The zip may have been changed, or mended, since an earlier run kept its directory.
            if directory.is_of_this_run and not isinstance(error, RemoteFileChangedError):
                raise
            with self._lock:
                if self._directory is directory:
                    self._directory = None
                    directory.forget()
            directory = self._open(num_failures, connection, progress)
            return directory.read(clip, connection, progress)

    def _open(self, num_failures: int, connection: Session, progress: Progress) -> _Directory:
        """Give the directory, which one thread at a time reads while the others wait.

        Args:
            num_failures: How many there had been when the caller began. Where there is one more by
                now, it is the caller's, too: of ten threads not each waits for a silent server.
            connection: The calling thread's.
            progress: Who wants to know.
        """
        with self._lock:
            if self._directory is None:
                self._directory = _Directory.from_cache(self._url)
            if self._directory is None:
                if len(self._failures) > num_failures:
                    raise self._failures[-1]
                try:
                    self._directory = _Directory.from_server(self._url, connection, progress)
                except DownloadError as error:
                    self._failures.append(error)
                    raise
            return self._directory


class _Directory:
    """What a zip holds, and where."""

    def __init__(self, url: str, parts: Parts, identity: RemoteIdentity) -> None:
        self.is_of_this_run = False
        """Whether it was read from the server, not from what an earlier run kept."""
        self._url = url
        self._identity = identity
        self._parts = parts
        self._lock = threading.Lock()
        try:
            self._zip = zipfile.ZipFile(parts)
        except DownloadError:
            raise
        except _UNREADABLE as error:
            raise _unreadable(url, _NO_ZIP) from error
        if not all(0 <= info.header_offset < self._zip.start_dir for info in self._zip.infolist()):
            raise _unreadable(url, _NO_ZIP)
        self._members = {
            info.filename.rpartition("/")[2].casefold(): info
            for info in self._zip.infolist()
            if not info.is_dir()
        }
        self._starts = sorted(info.header_offset for info in self._zip.infolist())

    @classmethod
    def from_server(cls, url: str, connection: Session, progress: Progress) -> _Directory:
        """Read a zip's directory, in two requests, and keep it in the cache."""
        with progress.task("reading the directory of UCF101's zip"):
            tail = fetch_range(url, -_TAIL_BYTES, _TAIL_BYTES, session=connection)
            identity = tail.identity

            def fetch(start: int, num_bytes: int) -> bytes:
                if num_bytes > _MAX_DIRECTORY_BYTES:
                    raise _unreadable(url, "its directory is too large")
                piece = fetch_range(url, start, num_bytes, identity=identity, session=connection)
                return piece.content

            parts = Parts(identity.num_bytes, {tail.offset: tail.content}, fetch)
            directory = cls(url, parts, identity)
        parts.fetch = None
        directory.is_of_this_run = True
        directory._keep()
        return directory

    @classmethod
    def from_cache(cls, url: str) -> _Directory | None:
        """Read the directory that an earlier run kept; None where there is none, or no good one."""
        if not is_file(_kept_file()):  # of a pipe no end would come
            return None
        try:
            with _kept_file().open("rb") as file:
                head = json.loads(file.readline(65536))
                if head["url"] != shown(url) or not _is_sane(head):
                    return None
                parts = {start: file.read(num_bytes) for start, num_bytes in head["parts"]}
                if zlib.crc32(b"".join(parts.values())) != head["crc32"]:
                    return None
            identity = RemoteIdentity(**head["identity"])
            return cls(url, Parts(identity.num_bytes, parts, None), identity)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):  # DownloadError is one
            return None

    def read(self, clip: Clip, connection: Session, progress: Progress) -> bytes:
        """Fetch and unpack a clip."""
        names = [name for name in clip.remote_names if name.casefold() in self._members]
        if not names:
            raise DownloadError(
                f"{shown(self._url)} holds no {clip.file_name}.",
                reason="the zip holds no such clip",
                kind="missing",
            )
        info = self._members[names[0].casefold()]
        if max(info.file_size, info.compress_size) > MAX_CLIP_BYTES:
            raise _unreadable(self._url, f"its member {info.filename} is too large for a clip")
        if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
            raise _unreadable(
                self._url, f"its member {info.filename} is packed in a way that i3d does not read"
            )
        start = info.header_offset
        piece = fetch_range(
            self._url,
            start,
            self._end_of(info) - start,
            identity=self._identity,
            session=connection,
            description=f"fetching {clip.file_name}",
            progress=progress,
        )
        with self._lock:  # one position in the file for all threads
            self._parts.parts[start] = piece.content
            try:
                with self._zip.open(info) as member:
                    # Not more than it claims, whatever is packed in it. When all of that came,
                    # zipfile compares the CRC-32.
                    return member.read(info.file_size)
            except _UNREADABLE as error:
                raise _unreadable(self._url, f"its member {info.filename} is damaged") from error
            finally:
                del self._parts.parts[start]

    def forget(self) -> None:
        """Remove it from the cache."""
        with suppress(OSError):
            _kept_file().unlink()

    def _end_of(self, info: zipfile.ZipInfo) -> int:
        """Where the next member starts, but not much further than this one can reach."""
        following = bisect_right(self._starts, info.header_offset)
        end = self._starts[following] if following < len(self._starts) else self._zip.start_dir
        return max(
            info.header_offset + 1,
            min(end, info.header_offset + _MAX_HEADER_BYTES + info.compress_size),
        )

    def _keep(self) -> None:
        parts = sorted(self._parts.parts.items())
        content = b"".join(part for _, part in parts)
        head = {
            "url": shown(self._url),
            "identity": asdict(self._identity),
            "parts": [(start, len(part)) for start, part in parts],
            "crc32": zlib.crc32(content),
        }
        with suppress(OSError):  # it only saves time
            write_whole(_kept_file(), json.dumps(head).encode() + b"\n" + content)


def _kept_file() -> Path:
    return ucf101_dir() / "zip-directory"


def _is_sane(head: dict[str, Any]) -> bool:
    """Whether the numbers of a kept directory can be those of one: what follows is that long."""
    numbers = [
        head["identity"]["num_bytes"],
        *(number for part in head["parts"] for number in part),
    ]
    sizes = [num_bytes for _, num_bytes in head["parts"]]
    return (
        all(type(number) is int and 0 <= number < 2**63 for number in numbers)
        and sum(sizes) <= _MAX_DIRECTORY_BYTES + _TAIL_BYTES
    )


def _unreadable(url: str, reason: str) -> DownloadError:
    return DownloadError(f"{shown(url)} cannot be read: {reason}.", reason=reason)
