"""Unpacks archives that came from the network, and trusts nothing that they say."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from i3d.errors import ArchiveError, CacheError
from i3d.files.whole import FULL_DISK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_CHUNK_BYTES = 2**20

_TAR_BLOCK = 512
"""Header size of the tar format; the magic number stands at byte 257 of it."""

_MAX_NAME_LENGTH = 1024
"""Longer paths do not fit most systems' file functions, and no model needs them."""

_MAX_REST_BYTES = 2**26
"""Programs fill tar archives up with zeros, to 10 KiB or a tape's block; 64 MiB is beyond all."""

_MAX_EXTRA_HEADER_BYTES = 2**20
"""Tar keeps long names in headers of any size, and tarfile reads those into memory."""

_DAMAGED = "it is damaged or cut off"

_DAMAGE = (
    EOFError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    UnicodeError,
    ValueError,  # impossible numbers in headers: negative, beyond the system's dates
    OverflowError,
    RecursionError,  # tarfile calls itself for each of many long names in a row
    MemoryError,
)

_COMPRESSIONS: dict[bytes, Callable[[Path], BinaryIO]] = {
    b"\x1f\x8b": lambda path: cast("BinaryIO", gzip.GzipFile(path)),
    b"BZh": lambda path: cast("BinaryIO", bz2.BZ2File(path)),
    b"\xfd7zXZ\0": lambda path: cast("BinaryIO", lzma.LZMAFile(path)),  # noqa: SIM115  (closed by who calls)
}
"""First bytes of a compressed file, and what reads it."""

_REFUSED_NAMES = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
"""What systems say to names that they cannot have: too long, not in their encoding, reserved."""

_ZIP_ENTRY = b"PK\1\2"
"""Stands before each entry of a zip archive's list of contents."""


def unpack(
    archive: Path, target: Path, *, max_bytes: int = 4 * 2**30, max_members: int = 10_000
) -> list[Path]:
    """Unpack a tar archive (plain, gzip, bzip2, xz) or a zip archive, whatever its name is.

    Only folders and plain files come out of it, below `target`, with the permissions of files made
    here, not those in the archive. The archive is read to its end, so that its checksums hold.

    Args:
        archive: The archive.
        target: An empty folder.
        max_bytes: How much it may unpack to in all: bytes that come out, not what headers claim.
            The default is 4 GiB.
        max_members: How many files and folders it may hold.

    Returns:
        The files (not the folders), in the order of the archive.

    Raises:
        ArchiveError: It is no archive, is damaged, holds more than allowed, or holds something
            that must not be unpacked: a link, a device, a name outside the folder, a name that
            the disk refuses, two files of one name (also where only upper and lower case differ).
            The message is a clause.
        CacheError: The archive cannot be read, `target` cannot be written, or the disk is full.

    After an error `target` is empty.
    """
    unpacker = _Unpacker(target, max_bytes, max_members)
    try:
        for name, content in _members(archive, max_members):
            unpacker.add(name, content)
    except BaseException as error:
        _empty(target)
        if isinstance(error, (ArchiveError, CacheError)):
            raise
        if isinstance(error, OSError) and error.errno in _REFUSED_NAMES:
            raise ArchiveError("it holds a name that this disk refuses") from error
        if isinstance(error, OSError) and error.errno is not None:
            raise _cannot_write(target, error) from error
        # gzip and bz2 report damage as an OSError without a number
        if isinstance(error, (*_DAMAGE, OSError)):
            raise ArchiveError(_DAMAGED) from error
        raise
    return unpacker.files


def read_member(archive: Path, name: str, num_bytes: int) -> bytes:
    """Read one file out of an archive whose content is known; nothing is written.

    Args:
        archive: A tar or zip archive.
        name: The member's name, as it is in the archive.
        num_bytes: The size that it must have.

    Raises:
        ArchiveError: It is damaged, or has no such file of that size. The message is a clause.
        CacheError: The archive cannot be read.
    """
    members = _members(archive, max_members=10_000)
    try:
        data = next((it.read(num_bytes + 1) for path, it in members if it and path == name), b"")
    except (ArchiveError, CacheError):
        raise
    except (*_DAMAGE, OSError) as error:
        raise ArchiveError(_DAMAGED) from error
    if len(data) != num_bytes:
        raise ArchiveError(f"it has no {name} of {num_bytes} bytes")
    return data


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Unpacker:
    """Writes members below a folder, and counts."""

    def __init__(self, target: Path, max_bytes: int, max_members: int) -> None:
        self.files: list[Path] = []
        self._target = target
        self._room = max_bytes
        self._max_bytes = max_bytes
        self._max_members = max_members
        self._num_members = 0
        self._seen: dict[str, bool] = {}
        """Names without case, and whether each is a file."""

    def add(self, name: str, content: _Readable | None) -> None:
        """Write a member; content None makes a folder."""
        self._num_members += 1
        if self._num_members > self._max_members:
            raise _too_many(self._max_members)
        parts = _checked_parts(name)
        if not parts:  # the folder itself
            if content is not None:
                raise ArchiveError("it holds a file without a name")
            return
        path = self._target.joinpath(*parts)
        self._claim(name, parts, is_file=content is not None)
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := content.read(_CHUNK_BYTES):
                self._room -= len(chunk)
                if self._room < 0:
                    raise ArchiveError(f"it unpacks to more than {_size_text(self._max_bytes)}")
                file.write(chunk)
        self.files.append(path)

    def _claim(self, name: str, parts: tuple[str, ...], *, is_file: bool) -> None:
        """See that no name is used twice, nor as a file and as a folder."""
        key = ""
        for part in parts[:-1]:
            key += _folded(part)
            if self._seen.setdefault(key, False):
                raise ArchiveError(f"it holds a file and a folder of one name ({_shown(name)})")
        key += _folded(parts[-1])
        if key in self._seen and (is_file or self._seen[key]):
            raise ArchiveError(f"it holds two members of one name ({_shown(name)})")
        self._seen[key] = is_file


def _members(archive: Path, max_members: int) -> Iterator[tuple[str, _Readable | None]]:
    """Names and contents (None: a folder) of an archive's members, one after the other."""
    try:
        with archive.open("rb") as file:
            start = file.read(_TAR_BLOCK)
    except OSError as error:
        raise CacheError(
            f"The file {archive} cannot be read: {error.strerror or error}.",
            hint="Check its permissions.",
        ) from error
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        _bound_zip_list(archive, max_members)
        yield from _zip_members(archive)
        return
    for magic, open_compressed in _COMPRESSIONS.items():
        if start.startswith(magic):
            with open_compressed(archive) as stream:
                yield from _tar_members(stream)
            return
    with archive.open("rb") as stream:
        yield from _tar_members(stream)


def _tar_members(stream: BinaryIO) -> Iterator[tuple[str, _Readable | None]]:
    first = stream.read(_TAR_BLOCK)
    if not _is_tar_header(first):
        raise ArchiveError(_what_else(first))
    # Mode "r|" reads from the first to the last byte and never goes back, so that a compressed
    # stream is unpacked once, and no member is read that was not checked.
    with tarfile.open(
        fileobj=cast("BinaryIO", _Rejoined(first, stream)), mode="r|", tarinfo=_Header
    ) as archive:
        for member in archive:
            if member.issym() or member.islnk():
                raise ArchiveError(f"it holds a link ({_shown(member.name)})")
            if member.isdir():
                yield member.name, None
            elif member.isreg() and not member.issparse():
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                yield member.name, content
            else:
                raise ArchiveError(
                    f"it holds something that is no file and no folder ({_shown(member.name)})"
                )
    # The checksum of a compressed stream stands at its end. What may come before it is of no use.
    rest = 0
    while piece := stream.read(_CHUNK_BYTES):
        rest += len(piece)
        if rest > _MAX_REST_BYTES:
            raise ArchiveError(_DAMAGED)


def _bound_zip_list(path: Path, max_members: int) -> None:
    """Refuse a zip archive whose list of contents is too long: zipfile reads it at once."""
    num_entries = 0
    before = b""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            num_entries += (before + piece).count(_ZIP_ENTRY)
            before = piece[-len(_ZIP_ENTRY) + 1 :]
            if num_entries > max_members:
                raise _too_many(max_members)


def _zip_members(path: Path) -> Iterator[tuple[str, _Readable | None]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            # orig_filename: zipfile itself cuts names at a zero byte and turns backslashes
            name = info.orig_filename
            if info.flag_bits & 0x1:
                raise ArchiveError(f"it is encrypted ({_shown(name)})")
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                raise ArchiveError(f"it holds a link ({_shown(name)})")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(
                    f"it holds something that is no file and no folder ({_shown(name)})"
                )
            if info.is_dir():
                yield name, None
                continue
            try:
                content = archive.open(info)
            except NotImplementedError as error:  # zipfile: a compression that it lacks
                raise ArchiveError(
                    f"it is compressed in a way that cannot be read here ({_shown(name)})"
                ) from error
            with content:
                yield name, content


class _Rejoined:
    """A stream whose first bytes were already read."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = first
        self._rest = rest

    def read(self, size: int) -> bytes:
        """Read up to so many bytes."""
        if self._first:
            piece, self._first = self._first[:size], self._first[size:]
            return piece
        return self._rest.read(size)


class _Header(tarfile.TarInfo):
    """A tar header. tarfile itself takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Read a header, and refuse what tarfile would pass over."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == tarfile.NUL * tarfile.BLOCKSIZE:  # the real end
                raise
            raise ArchiveError(_DAMAGED) from error
        if not (header.isreg() or header.isdir()) and header.size > _MAX_EXTRA_HEADER_BYTES:
            raise ArchiveError(_DAMAGED)
        return header


def _is_tar_header(block: bytes) -> bool:
    if len(block) < _TAR_BLOCK:
        return False
    if not block.strip(b"\0"):  # an archive without members is a block of zeros
        return True
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")  # checks the header's checksum
    except tarfile.HeaderError:
        return False
    return True


def _what_else(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "it is empty"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "it is no tar or zip archive (it looks like a web page)"
    return "it is no tar or zip archive"


def _checked_parts(name: str) -> tuple[str, ...]:
    """Split a member's name; ArchiveError if it leads, or may lead, out of the folder."""
    if "\0" in name or len(name) > _MAX_NAME_LENGTH:
        raise ArchiveError(f"it holds a name that no file can have ({_shown(name)})")
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise ArchiveError(f"it holds a file outside its folder ({_shown(name)})")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ArchiveError(f"it holds a file outside its folder ({_shown(name)})")
    # Windows: NAME:STREAM is a hidden part of the file NAME.
    if any(len(os.fsencode(part)) > 255 or (os.name == "nt" and ":" in part) for part in parts):
        raise ArchiveError(f"it holds a name that no file can have ({_shown(name)})")
    return parts


def _too_many(max_members: int) -> ArchiveError:
    return ArchiveError(f"it holds more than {max_members} files")


def _folded(part: str) -> str:
    """Give what filesystems that do not tell upper from lower case go by."""
    return unicodedata.normalize("NFC", part).casefold() + "/"


def _shown(name: str) -> str:
    """Give a name for a message: short, and without what a terminal would obey."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _size_text(num_bytes: int) -> str:
    if num_bytes < 1_000_000:
        return f"{num_bytes} bytes"
    if num_bytes < 1_000_000_000:
        return f"{num_bytes / 1e6:.1f} MB"
    return f"{num_bytes / 1e9:.1f} GB"


def _empty(folder: Path) -> None:
    entries: Iterable[Path] = ()
    with suppress(OSError):
        entries = list(folder.iterdir())
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()


def _cannot_write(folder: Path, error: OSError) -> CacheError:
    if error.errno in FULL_DISK:
        return CacheError(
            f"The disk of the folder {folder} is full.",
            hint="Make room, or choose a folder on another disk in I3D_CACHE_DIR.",
        )
    return CacheError(
        f"The folder {folder} cannot be written: {error.strerror or error}.",
        hint="Choose another one in I3D_CACHE_DIR.",
    )
