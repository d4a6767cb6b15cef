"""Unpacks archives that came from the network. Links and names outside the folder are refused."""

from __future__ import annotations

import errno
import lzma
import shutil
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from i3d.errors import ArchiveError, CacheError, I3DError
from i3d.files.addresses import size_text
from i3d.files.whole import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

_LONG_HEADERS = frozenset(
    {
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    }
)
_MAX_HEADER_BYTES = 2**20

_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    ValueError,  # impossible numbers or names
    MemoryError,
)
"""What the standard library raises on archives that it can't read."""


def unpack(
    archive: Path, target: Path, *, max_bytes: int = 4 * 2**30, max_members: int = 10_000
) -> None:
    """Unpack a tar archive (plain, gzip, bzip2, xz) or a zip archive, whatever its name is.

    Only files come out of it, with the permissions of files made here, and the folders that hold
    them. `tarfile`'s filters (PEP 706) would need Python 3.10.12 or 3.11.4, and zip archives their
    own checks.

    Args:
        archive: The archive.
        target: An empty folder. After an error it may hold some of the files.
        max_bytes: How much the files may have in all. No file becomes larger than its header says.
        max_members: How many files and folders it may hold.

    Raises:
        ArchiveError: It is not an archive, is damaged, holds more than allowed, a link, or a name
            outside the folder. The message is a clause.
        CacheError: The archive can't be read, `target` can't be written, or the disk is full.
    """
    root = target.resolve()
    num_bytes = 0
    with writing(target), _explained(archive):
        for number, (name, size, content) in enumerate(_members(archive)):
            num_bytes += size
            if number >= max_members:
                raise ArchiveError(f"it holds more than {max_members} files")
            if num_bytes > max_bytes:
                raise ArchiveError(f"it unpacks to more than {size_text(max_bytes)}")
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise ArchiveError(f"it holds a file outside its folder ({name!r})")
            if content is not None:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with content, path.open("wb") as file:
                        shutil.copyfileobj(content, file)
                except (FileExistsError, IsADirectoryError) as error:
                    raise ArchiveError(f"it holds a file and a folder ({name!r})") from error
                except OSError as error:
                    if error.errno != errno.ENAMETOOLONG:
                        raise
                    raise ArchiveError("it holds a name that is too long") from error


def read_member(archive: Path, name: str, num_bytes: int) -> bytes:
    """Read one file out of a tar archive; nothing is written.

    Args:
        archive: A tar archive.
        name: The member's name, as it is in the archive.
        num_bytes: The size that it must have.

    Raises:
        ArchiveError: It is damaged, or has no such file of that size. The message is a clause.
        CacheError: The archive can't be read.
    """
    with _explained(archive):
        for found, size, content in _members(archive):
            if (found, size) == (name, num_bytes) and content is not None:
                return content.read()
    raise ArchiveError(f"it has no {name} of {num_bytes} bytes")


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """Names, sizes and contents (None: a folder) of an archive's members, one after the other."""
    with archive.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():  # a link becomes a file that holds its target
                content = None if info.is_dir() else zipped.open(info)
                yield info.filename, info.file_size, content
    elif (tar := _open_tar(archive)) is not None:
        with tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise ArchiveError(
                        f"it holds a link, or something that is not a file ({member.name!r})"
                    )
                yield member.name, member.size, tar.extractfile(member)
            assert tar.fileobj is not None
            while tar.fileobj.read(2**20):  # to the end, where gzip has its checksum
                pass
    elif start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        raise ArchiveError("it is not a whole tar or zip archive (it looks like a web page)")
    else:
        raise ArchiveError("it is not a whole tar or zip archive" if start else "it is empty")


class _Header(tarfile.TarInfo):
    """A header that is not read into memory whatever its size: long names are in one, too."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header.

        Raises:
            tarfile.ReadError: It holds a name or attributes of more than 1 MiB.
        """
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG_HEADERS and header.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError("too long a header")
        return header


def _open_tar(archive: Path) -> tarfile.TarFile | None:
    try:
        return tarfile.open(archive, tarinfo=_Header)
    except tarfile.ReadError:
        return None


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    try:
        yield
    except I3DError:
        raise
    except _DAMAGE as error:
        raise ArchiveError("it is damaged or cut off") from error
    except RuntimeError as error:  # zipfile: a password, or a compression that it lacks
        raise ArchiveError(f"it cannot be read ({error})") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 report damage so
            raise ArchiveError("it is damaged or cut off") from error
        if error.filename == str(archive):
            raise CacheError(
                f"The file {archive} cannot be read: {error.strerror}.",
                hint="Check its permissions.",
            ) from error
        raise
