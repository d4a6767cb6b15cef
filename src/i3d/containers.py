"""What kind of file is it that does not decode? Read from its first bytes, for error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
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
        The end of a sentence that starts with the file's name, without a full stop. Only what
        the file's bytes show: where they show nothing, a list of the usual reasons.
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
    if _is_text(head):
        return "is a text file, not a video"
    return (
        "is not a video that can be decoded: it holds no pictures, is damaged, or uses a codec "
        "that OpenCV's FFmpeg does not have"
    )


def _is_text(head: bytes) -> bool:
    for end in range(len(head), max(len(head) - 4, 0), -1):  # a character may be cut in two
        try:
            text = head[:end].decode()
        except UnicodeDecodeError:
            continue
        return all(char.isprintable() or char in "\t\n\r\f\x1b" for char in text)
    return False


def _explain_mp4(file: BinaryIO) -> str:
    """Walk the boxes of an MP4 or MOV file and say what is missing."""
    boxes: set[bytes] = set()
    position = 0
    size_of_file = file.seek(0, 2)
    while position + 8 <= size_of_file and len(boxes) < 100:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        boxes.add(header[4:8])
        if size == 1:  # the size is in the next eight bytes
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # 0: up to the end of the file
            break
        position += size
    if b"moov" not in boxes and b"moof" not in boxes:
        return (
            "is an MP4 or MOV file without its index (the moov box): an interrupted download, "
            "copy or recording"
        )
    return (
        "is an MP4 or MOV file, but it holds no pictures (only sound?), is damaged, or uses a "
        "codec that OpenCV's FFmpeg does not have"
    )
