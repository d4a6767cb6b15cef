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
import sys
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
    """Unpack an archive that must not be; return the reason, having seen that nothing stays."""
    around = sorted(target.parent.rglob("*"))
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, target, **limits)
    assert sorted(target.parent.rglob("*")) == around, "something was left behind"
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
    assert unpack(archive, target) == [target / name for name in FILES]
    assert found(target) == FILES


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_archive_comes_out_whole(saved: Saved, target: Path, compression: int) -> None:
    archive = saved(zip_of(("variables/", b""), *FILES.items(), compression=compression))
    assert unpack(archive, target) == [target / name for name in FILES]
    assert found(target) == FILES


def test_long_names_and_empty_folders_come_out(saved: Saved, target: Path) -> None:
    long_name = "/".join(["folder" * 10] * 4) + "/file"
    archive = saved(tar_of((header("empty/", tarfile.DIRTYPE), b""), (long_name, b"x")))
    assert unpack(archive, target) == [target / long_name]
    assert (target / "empty").is_dir()


@pytest.mark.parametrize(
    "content", [tar_of(), zip_of(), gzip.compress(tar_of())], ids=["tar", "zip", "tar.gz"]
)
def test_an_archive_of_nothing_gives_nothing(saved: Saved, target: Path, content: bytes) -> None:
    assert unpack(saved(content), target) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o000, 0o6777])
def test_files_get_our_permissions_not_the_archives(saved: Saved, target: Path, mode: int) -> None:
    info = zipfile.ZipInfo("zipped")
    info.external_attr = (stat.S_IFREG | mode) << 16
    reference = target.parent / "made here"
    reference.touch()
    for content in (tar_of((header("tarred", mode=mode), b"x")), zip_of((info, b"x"))):
        (file,) = unpack(saved(content), target)
        assert file.stat().st_mode == reference.stat().st_mode


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/x", "//server/share/x", "C:x", "c:/x", "a\\..\\x", "\\\\server\\x"],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_outside_the_folder_are_refused(
    saved: Saved, target: Path, name: str, pack: Callable[..., bytes]
) -> None:
    archive = saved(pack(("good", b"good"), (name, b"evil")))
    assert refused(archive, target) == f"it holds a file outside its folder ({name})"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_archive_are_refused(saved: Saved, target: Path, kind: bytes) -> None:
    archive = saved(tar_of(("a/good", b""), (header("a/b", kind, linkname="../../etc"), b"")))
    assert refused(archive, target) == "it holds a link (a/b)"


def test_a_name_with_a_zero_byte_is_refused(saved: Saved, target: Path) -> None:
    archive = saved(zip_of(("good#evil", b"x")).replace(b"good#evil", b"good\0evil"))
    assert refused(archive, target) == "it holds a name that no file can have (good?evil)"


def test_links_in_a_zip_archive_are_refused(saved: Saved, target: Path) -> None:
    info = zipfile.ZipInfo("a/b")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refused(saved(zip_of((info, b"/etc/passwd"))), target) == "it holds a link (a/b)"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(saved: Saved, target: Path, kind: bytes) -> None:
    reason = refused(saved(tar_of((header("x", kind), b""))), target)
    assert reason == "it holds something that is no file and no folder (x)"


def test_devices_in_a_zip_archive_are_refused(saved: Saved, target: Path) -> None:
    info = zipfile.ZipInfo("x")
    info.external_attr = stat.S_IFIFO << 16
    reason = refused(saved(zip_of((info, b""))), target)
    assert reason == "it holds something that is no file and no folder (x)"


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "./a"), ("Model.pb", "model.PB"), ("a/", "A"), ("é", "e\u0301")]
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(
    saved: Saved, target: Path, names: tuple[str, str], pack: Callable[..., bytes]
) -> None:
    first = header(names[0], tarfile.DIRTYPE) if names[0].endswith("/") else names[0]
    members = [(names[0] if pack is zip_of else first, b""), (names[1], b"2")]
    assert refused(saved(pack(*members)), target).startswith("it holds two members of one name (")


def test_a_file_that_is_also_a_folder_is_refused(saved: Saved, target: Path) -> None:
    reason = refused(saved(tar_of(("A", b"1"), ("a/b", b"2"))), target)
    assert reason == "it holds a file and a folder of one name (a/b)"


def test_an_encrypted_zip_archive_is_refused(saved: Saved, target: Path) -> None:
    content = bytearray(zip_of(("secret", b"x")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flags of both headers
        content[content.index(signature) + offset] |= 1
    assert refused(saved(bytes(content)), target) == "it is encrypted (secret)"


def test_an_unknown_zip_compression_is_refused(saved: Saved, target: Path) -> None:
    content = bytearray(zip_of(("x", b"x")))
    for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        struct.pack_into("<H", content, content.index(signature) + offset, 98)  # PPMd
    assert "compressed in a way that cannot be read here" in refused(saved(bytes(content)), target)


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


def test_a_bomb_behind_the_end_of_an_archive_is_refused(saved: Saved, target: Path) -> None:
    content = gzip.compress(tar_of(("x", b"x")) + bytes(70_000_000), 1)
    assert refused(saved(content), target) == "it is damaged or cut off"


def test_a_giant_name_is_not_read_into_memory(saved: Saved, target: Path) -> None:
    bomb = header("x", tarfile.GNUTYPE_LONGNAME, size=2_000_000)
    content = gzip.compress(bomb.tobuf() + bytes(2_000_384) + tar_of(("x", b"x")))
    assert refused(saved(content), target) == "it is damaged or cut off"


def test_thousands_of_long_names_in_a_row_are_damage(saved: Saved, target: Path) -> None:
    long_name = header("x", tarfile.GNUTYPE_LONGNAME, size=2).tobuf() + b"x".ljust(512, b"\0")
    content = gzip.compress(long_name * 3000 + tar_of(("x", b"x")))
    assert refused(saved(content), target) == "it is damaged or cut off"


def test_an_archive_that_needs_more_memory_than_there_is_is_damaged(
    saved: Saved, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(zipfile.ZipFile, "infolist", fail)
    assert refused(saved(zip_of(("x", b"x"))), target) == "it is damaged or cut off"


def test_a_long_list_of_contents_is_refused_before_it_is_read(
    saved: Saved, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = saved(zip_of(*[(str(number), b"") for number in range(30_000)]))
    monkeypatch.setattr(zipfile, "ZipFile", None)  # whoever opens it fails
    assert refused(archive, target) == "it holds more than 10000 files"


@pytest.mark.skipif(sys.platform != "linux", reason="the longest path differs")
def test_a_name_that_the_disk_refuses_is_the_archives_fault(saved: Saved, target: Path) -> None:
    name = "/".join(["\N{GRINNING FACE}" * 63] * 16)  # 1023 characters, 4047 bytes
    archive = saved(tar_of((name, b"x")))
    assert refused(archive, target) == "it holds a name that this disk refuses"


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_too_many_members_are_refused(
    saved: Saved, target: Path, pack: Callable[..., bytes]
) -> None:
    archive = saved(pack(*[(str(number), b"") for number in range(11)]))
    assert refused(archive, target, max_members=10) == "it holds more than 10 files"
    assert len(unpack(archive, target, max_members=11)) == 11


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_an_archive_that_is_cut_off_is_refused(
    saved: Saved, target: Path, compress: Compress, part: float
) -> None:
    content = compress(tar_of(*FILES.items()))
    archive = saved(content[: int(len(content) * part)])
    assert refused(archive, target) == "it is damaged or cut off"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("num_missing", [1, 4, 8])
def test_a_missing_checksum_at_the_end_is_noticed(
    saved: Saved, target: Path, compress: Compress, num_missing: int
) -> None:
    archive = saved(compress(tar_of(*FILES.items()))[:-num_missing])
    assert refused(archive, target) == "it is damaged or cut off"


def test_a_wrong_gzip_checksum_is_noticed(saved: Saved, target: Path) -> None:
    content = bytearray(gzip.compress(tar_of(*FILES.items())))
    content[-8] ^= 0xFF
    assert refused(saved(bytes(content)), target) == "it is damaged or cut off"


def test_a_plain_tar_archive_cut_off_between_two_files_is_refused(
    saved: Saved, target: Path
) -> None:
    content = tar_of(("first", bytes(512)), ("second", bytes(512)))
    assert refused(saved(content[:1024]), target) == "it is damaged or cut off"


def test_a_damaged_header_is_not_taken_for_the_end(saved: Saved, target: Path) -> None:
    content = bytearray(tar_of(("first", bytes(512)), ("second", bytes(512))))
    content[1024] ^= 1
    assert refused(saved(bytes(content)), target) == "it is damaged or cut off"


def test_a_cut_off_or_damaged_zip_archive_is_refused(saved: Saved, target: Path) -> None:
    content = zip_of(*FILES.items(), compression=zipfile.ZIP_STORED)
    assert refused(saved(content[: len(content) // 2]), target) == "it is damaged or cut off"
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    assert refused(saved(bytes(damaged)), target) == "it is damaged or cut off"


def test_something_after_the_end_of_a_tar_archive_does_no_harm(saved: Saved, target: Path) -> None:
    archive = saved(gzip.compress(tar_of(*FILES.items()) + b"a signature"))
    unpack(archive, target)
    assert found(target) == FILES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (gzip.compress(b""), "it is empty"),
        (b"hello", "it is no tar or zip archive"),
        (os.urandom(2000), "it is no tar or zip archive"),
        (gzip.compress(b"hello" * 1000), "it is no tar or zip archive"),
        (
            b"\n<!DOCTYPE html><html><title>403</title>",
            "it is no tar or zip archive (it looks like a web page)",
        ),
        (
            gzip.compress(b"<html>" + b"<p>403</p>" * 1000),
            "it is no tar or zip archive (it looks like a web page)",
        ),
    ],
    ids=["empty", "empty gzip", "short", "noise", "gzip text", "page", "gzip page"],
)
def test_what_is_no_archive_is_named(
    saved: Saved, target: Path, content: bytes, reason: str
) -> None:
    if content.startswith((b"\x1f\x8b", b"BZh", b"PK")) and len(content) == 2000:
        content = b"\0" + content[1:]
    assert refused(saved(content), target) == reason


def test_names_are_shown_so_that_a_terminal_does_not_obey_them(saved: Saved, target: Path) -> None:
    reason = refused(saved(tar_of(("../\x1b[2J" + "x" * 200, b""))), target)
    assert "\x1b" not in reason
    assert "../?[2J" in reason
    assert len(reason) < 130


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 600 + "x"])
def test_names_that_no_file_can_have_are_refused(saved: Saved, target: Path, name: str) -> None:
    reason = refused(saved(tar_of((name, b""))), target)
    assert reason.startswith("it holds a name that no file can have (")


def test_a_full_disk_is_told_from_a_bad_archive(
    saved: Saved, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = saved(tar_of(*FILES.items()))
    open_really = Path.open

    @contextmanager
    def open_on_a_full_disk(path: Path, mode: str) -> Iterator[object]:
        with open_really(path, mode) as file:
            if "x" in mode and path.name == "variables.index":
                raise OSError(errno.ENOSPC, "No space left on device")
            yield file

    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    with pytest.raises(CacheError, match="is full") as caught:
        unpack(archive, target)
    assert str(target) in str(caught.value)
    assert list(target.iterdir()) == []


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


def test_an_interrupted_unpacking_leaves_nothing(
    saved: Saved, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = saved(tar_of(*FILES.items()))
    make_folder = Path.mkdir

    def mkdir(path: Path, **options: bool) -> None:
        if path.name == "variables":
            raise KeyboardInterrupt
        make_folder(path, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, target)
    assert list(target.iterdir()) == []
