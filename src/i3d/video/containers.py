"""Says what kind of file it is that does not decode, from its first bytes, for error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_VIDEO = (
    (b"ID3", "an MP3 sound file"),
    (b"\xff\xfb", "an MP3 sound file"),
    (b"fLaC", "a FLAC sound file"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"<!DOCTYPE", "a web page, perhaps what a server sent in place of the video"),
    (b"<!doctype", "a web page, perhaps what a server sent in place of the video"),
    (b"<html", "a web page, perhaps what a server sent in place of the video"),
)


def explain_undecodable(path: Path) -> str:
    """Say why a file that could not be opened as a video may have failed.

    Args:
        path: A readable, regular, non-empty file.

    Returns:
        The end of a sentence that starts with the file's name, without a full stop. If the
        file's bytes show nothing, a list of the usual reasons.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        if head[4:8] == b"ftyp":
            return _explain_mp4(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "is a WAV sound file, it has no pictures"
    for magic, kind in _NOT_VIDEO:
        if head.startswith(magic):
            return f"is {kind}, not a video"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "starts like an AVI file but no video can be read from it; it is cut off or damaged"
    if is_text(head):
        return "is a text file, not a video"
    return (
        "is not a video that can be decoded: it holds no pictures, is damaged, or uses a codec "
        "that OpenCV's FFmpeg does not have"
    )


def is_cut_off_gif(path: Path) -> bool:
    """Tell whether a file is a GIF whose end is missing.

    A GIF does not say how many frames it has, but it ends on a byte of its own: 0x3B (GIF89a
    specification, section 27). Padding with zeros after it is accepted.

    Args:
        path: A readable, regular file.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GIF8":
            return False
        size = file.seek(0, 2)
        file.seek(max(size - 4096, 0))
        return not file.read().rstrip(b"\0").endswith(b"\x3b")


def mp4_seconds(path: Path) -> float | None:
    """Read how long an MP4 or MOV file says it is, edit lists applied (ISO/IEC 14496-12, mvhd).

    Args:
        path: A readable, regular file.

    Returns:
        Seconds; None for other files, and if the header does not say.
    """
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return None
        for name, start, end in _boxes(file, 0, file.seek(0, 2)):
            for child, position, _ in _boxes(file, start, end) if name == b"moov" else ():
                if child == b"mvhd":
                    file.seek(position)
                    data = file.read(32)
                    wide = data[:1] == b"\1"  # 64-bit times
                    scale = int.from_bytes(data[20:24] if wide else data[12:16], "big")
                    units = int.from_bytes(data[24:32] if wide else data[16:20], "big")
                    return units / scale if scale and units else None
    return None


def _boxes(file: BinaryIO, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the name of each box between two positions, and the range of its contents."""
    for _ in range(10_000):  # a file may consist of tiny boxes
        if position + 8 > end:
            return
        file.seek(position)
        header = file.read(16)
        size, head = int.from_bytes(header[:4], "big"), 8
        if size == 1:  # the size is in the next eight bytes
            size, head = int.from_bytes(header[8:16], "big"), 16
        yield header[4:8], position + head, min(position + size, end)
        if size < head:  # 0: up to the end of the file
            return
        position += size


def is_text(head: bytes) -> bool:
    """Tell whether a file is text, from its first bytes.

    Args:
        head: The first bytes of a file, at least one.

    Returns:
        True for UTF-8 without control characters other than white space and escape.
    """
    for end in range(len(head), max(len(head) - 4, 0), -1):  # a character may be cut in two
        try:
            text = head[:end].decode()
        except UnicodeDecodeError:
            continue
        return all(char.isprintable() or char in "\t\n\r\f\x1b\ufeff" for char in text)
    return False


def _explain_mp4(file: BinaryIO) -> str:
    """Walk the boxes of an MP4 or MOV file and say what is missing."""
    boxes = {name for name, _, _ in _boxes(file, 0, file.seek(0, 2))}
    if b"moov" not in boxes and b"moof" not in boxes:
        return (
            "is an MP4 or MOV file without its index (the moov box): an interrupted download, "
            "copy or recording"
        )
    return (
        "is an MP4 or MOV file, but it holds no pictures (only sound?), is damaged, or uses a "
        "codec that OpenCV's FFmpeg does not have"
    )
