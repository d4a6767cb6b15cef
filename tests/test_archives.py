"""Archives: good ones come out whole, whatever they are called, and bad ones leave nothing."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.errors import ArchiveError, CacheError
from i3d.files.archives import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Compress = Callable[[bytes], bytes]

FILES = {
    "saved_model.pb": b"graph" * 1000,
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": os.urandom(300_000),
}


def tar_of(*members: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    """A tar archive of (name or header, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            header = tarfile.TarInfo(name) if isinstance(name, str) else name
            if header.isreg():
                header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def header(name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def zip_of(
    *members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[bytes], Path]:
    def save(content: bytes) -> Path:
        path = tmp_path / "archive.bin"  # a name that says nothing
        path.write_bytes(content)
        return path

    return save


Saved = "Callable[[bytes], Path]"


def refused(archive: Path, target: Path, **limits: int) -> str:
    """Unpack an archive that must not be; return the reason, having seen that nothing got out."""
    around = sorted(target.parent.iterdir())
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, target, **limits)
    assert sorted(target.parent.iterdir()) == around
    return str(caught.value)


def found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)
def test_a_tar_archive_comes_out_whole_whatever_it_is_called(
    saved: Saved, target: Path, compress: Compress
) -> None:
    archive = saved(compress(tar_of((header("./", tarfile.DIRTYPE), b""), *FILES.items())))
    unpack(archive, target)
    assert found(target) == FILES


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_archive_comes_out_whole(saved: Saved, target: Path, compression: int) -> None:
    archive = saved(zip_of(("variables/", b""), *FILES.items(), compression=compression))
    unpack(archive, target)
    assert found(target) == FILES


@pytest.mark.parametrize(
    "content", [tar_of(), zip_of(), gzip.compress(tar_of())], ids=["tar", "zip", "tar.gz"]
)
def test_an_archive_of_nothing_gives_nothing(saved: Saved, target: Path, content: bytes) -> None:
    unpack(saved(content), target)
    assert list(target.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o000, 0o6777])
def test_files_get_our_permissions_not_the_archives(saved: Saved, target: Path, mode: int) -> None:
    info = zipfile.ZipInfo("zipped")
    info.external_attr = (stat.S_IFREG | mode) << 16
    reference = target.parent / "made here"
    reference.touch()
    for content in (tar_of((header("tarred", mode=mode), b"x")), zip_of((info, b"x"))):
        unpack(saved(content), target)
    for name in ("tarred", "zipped"):
        assert (target / name).stat().st_mode == reference.stat().st_mode


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/x", "//server/share/x"],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_outside_the_folder_are_refused(
    saved: Saved, target: Path, name: str, pack: Callable[..., bytes]
) -> None:
    archive = saved(pack(("good", b"good"), (name, b"evil")))
    assert refused(archive, target) == f"it holds a file outside its folder ({name!r})"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_are_refused(saved: Saved, target: Path, kind: bytes) -> None:
    archive = saved(tar_of(("a/good", b""), (header("a/b", kind, linkname="../../etc"), b"")))
    assert refused(archive, target).startswith("it holds a link, or something that is not a file")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("a", "a/b"), "a file and a folder"),
        (("a/b", "a"), "a file and a folder"),
        (("x" * 300,), "a name that is too long"),
    ],
)
def test_names_that_no_folder_can_have_are_the_archives_fault(
    saved: Saved, target: Path, names: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ArchiveError, match=reason):
        unpack(saved(tar_of(*((name, b"") for name in names))), target)


def test_a_header_that_is_too_long_is_not_read(saved: Saved, target: Path) -> None:
    bomb = header("x", tarfile.XHDTYPE, size=3 * 2**30).tobuf() + bytes(2**20)
    with pytest.raises(ArchiveError):
        unpack(saved(bomb), target)


def test_a_link_in_a_zip_archive_becomes_a_file(saved: Saved, target: Path) -> None:
    info = zipfile.ZipInfo("a/b")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    unpack(saved(zip_of((info, b"/etc/passwd"))), target)
    assert not (target / "a" / "b").is_symlink()
    assert found(target) == {"a/b": b"/etc/passwd"}


def test_an_encrypted_zip_archive_is_refused(saved: Saved, target: Path) -> None:
    content = bytearray(zip_of(("secret", b"x")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flags of both headers
        content[content.index(signature) + offset] |= 1
    assert "encrypted" in refused(saved(bytes(content)), target)


def test_an_unknown_zip_compression_is_refused(saved: Saved, target: Path) -> None:
    content = bytearray(zip_of(("x", b"x")))
    for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        struct.pack_into("<H", content, content.index(signature) + offset, 98)  # PPMd
    assert "it cannot be read (" in refused(saved(bytes(content)), target)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(tar_of(("zeros", bytes(3_000_000)))),
        gzip.compress(tar_of(*[(str(number), bytes(300_000)) for number in range(10)])),
        zip_of(("zeros", bytes(3_000_000))),
    ],
    ids=["one file", "many files", "zip"],
)
def test_an_archive_that_unpacks_to_too_much_is_refused(
    saved: Saved, target: Path, content: bytes
) -> None:
    assert len(content) < 30_000
    archive = saved(content)
    assert refused(archive, target, max_bytes=2_000_000) == "it unpacks to more than 2.0 MB"
    assert refused(archive, target, max_bytes=2_999_999) == "it unpacks to more than 3.0 MB"
    unpack(archive, target, max_bytes=3_000_000)


def test_a_zip_archive_that_understates_its_size_is_refused(saved: Saved, target: Path) -> None:
    content = bytearray(zip_of(("zeros", bytes(3_000_000))))
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    assert refused(saved(bytes(content)), target) == "it is damaged or cut off"


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_too_many_members_are_refused(
    saved: Saved, target: Path, pack: Callable[..., bytes]
) -> None:
    archive = saved(pack(*[(str(number), b"") for number in range(11)]))
    assert refused(archive, target, max_members=10) == "it holds more than 10 files"
    unpack(archive, target, max_members=11)
    assert len(found(target)) == 11


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_an_archive_that_is_cut_off_is_refused(
    saved: Saved, target: Path, compress: Compress, part: float
) -> None:
    content = compress(tar_of(*FILES.items()))
    archive = saved(content[: int(len(content) * part)])
    reason = refused(archive, target)
    assert reason in ("it is damaged or cut off", "it is not a whole tar or zip archive")


def test_a_wrong_gzip_checksum_is_noticed(saved: Saved, target: Path) -> None:
    content = bytearray(gzip.compress(tar_of(*FILES.items())))
    content[-8] ^= 0xFF
    assert refused(saved(bytes(content)), target) == "it is damaged or cut off"


def test_a_cut_off_or_damaged_zip_archive_is_refused(saved: Saved, target: Path) -> None:
    content = zip_of(*FILES.items(), compression=zipfile.ZIP_STORED)
    assert refused(saved(content[: len(content) // 2]), target) == "it is damaged or cut off"
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    assert refused(saved(bytes(damaged)), target) == "it is damaged or cut off"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it is not a whole tar or zip archive"),
        (gzip.compress(b"hello" * 1000), "it is not a whole tar or zip archive"),
        (
            b"\n<!DOCTYPE html><html><title>403</title>",
            "it is not a whole tar or zip archive (it looks like a web page)",
        ),
    ],
    ids=["empty", "short", "gzip text", "page"],
)
def test_what_is_no_archive_is_named(
    saved: Saved, target: Path, content: bytes, reason: str
) -> None:
    assert refused(saved(content), target) == reason


def test_names_are_shown_so_that_a_terminal_does_not_obey_them(saved: Saved, target: Path) -> None:
    assert "\x1b" not in refused(saved(tar_of(("../\x1b[2J", b""))), target)


def test_a_full_disk_is_told_from_a_bad_archive(
    saved: Saved, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = saved(tar_of(*FILES.items()))
    open_really = Path.open

    @contextmanager
    def open_on_a_full_disk(path: Path, mode: str) -> Iterator[object]:
        with open_really(path, mode) as file:
            if "w" in mode and path.name == "variables.index":
                raise OSError(errno.ENOSPC, "No space left on device")
            yield file

    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    with pytest.raises(CacheError, match="is full") as caught:
        unpack(archive, target)
    assert str(target) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(saved: Saved, tmp_path: Path) -> None:
    nowhere = tmp_path / "file" / "folder"
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be written") as caught:
        unpack(saved(tar_of(*FILES.items())), nowhere)
    assert str(nowhere) in str(caught.value)
    assert caught.value.hint


def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, target: Path) -> None:
    with pytest.raises(CacheError, match="cannot be read") as caught:
        unpack(tmp_path / "missing", target)
    assert str(tmp_path / "missing") in str(caught.value)
