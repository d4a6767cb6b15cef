"""What an undecodable file is said to be."""

from __future__ import annotations

import struct

import pytest

from i3d.video.containers import explain_undecodable

from videos import (
    noise_image,
    not_a_video,
    sound_only,
    text_file,
    truncated,
    write_avi,
    write_mp4,
)


def explain(path, data: bytes) -> str:
    path.write_bytes(data)
    return explain_undecodable(path)


def box(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


FTYP = box(b"ftyp", b"isom\0\0\0\0")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        pytest.param(b"ID3\x04\0\0", "MP3", id="mp3-with-tags"),
        pytest.param(b"\xff\xfb\x90\x44", "MP3", id="mp3"),
        pytest.param(b"fLaC\0\0\0\x22", "FLAC", id="flac"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3", "PDF", id="pdf"),
        pytest.param(b"PK\x03\x04\x14\0", "ZIP", id="zip"),
        pytest.param(b"\x1f\x8b\x08\0", "gzip", id="gzip"),
        pytest.param(b"Rar!\x1a\x07\x01\0", "RAR", id="rar"),
        pytest.param(b"<!DOCTYPE html><title>404</title>", "web page", id="html"),
        pytest.param(b"<!doctype html>", "web page", id="html-lower-case"),
        pytest.param(b"<html lang=en>", "web page", id="html-without-doctype"),
        pytest.param(b"RIFF\0\0\0\0AVI LIST", "cut off or damaged", id="avi"),
        pytest.param(b"RIFF\0\0\0\0WAVEfmt ", "WAV sound", id="wav"),
        pytest.param(b"x", "text file", id="one-letter"),
        pytest.param(b"\0", "not a video", id="one-byte"),
        pytest.param(b"RIFF", "text file", id="shorter-than-a-header"),
    ],
)
def test_well_known_files_are_called_by_their_name(tmp_path, head, words):
    assert words in explain(tmp_path / "file", head)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("plain\tand\r\nsimple\n", id="ascii"),
        pytest.param("naïve 日本 🎬\n", id="utf-8"),
        pytest.param("\ufeffsaved by an editor on Windows\n", id="byte-order-mark"),
        pytest.param("\x1b[31mred\x1b[0m", id="terminal-colours"),
        *(
            pytest.param("a" * shift + "é日🎬" * 2000, id=f"character-cut-in-two-{shift}")
            for shift in range(9)
        ),
    ],
)
def test_text_is_recognised(tmp_path, text):
    assert explain_undecodable(text_file(tmp_path / "file", text)) == "is a text file, not a video"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"text\0with\0zeros", id="zeros"),
        pytest.param(b"\xff\xfe\xfd\xfc" * 50, id="bytes"),
        pytest.param(b"good text, then \xff\xff\xff\xff\xff\xff more", id="bytes-in-text"),
    ],
)
def test_binary_is_not_called_text(tmp_path, data):
    assert "text" not in explain(tmp_path / "file", data)


def test_an_mp4_that_lost_its_end_lacks_its_index(tmp_path):
    path = truncated(write_mp4(tmp_path / "clip.mp4", [noise_image(i) for i in range(4)]))

    assert "without its index (the moov box)" in explain_undecodable(path)


@pytest.mark.parametrize(
    ("boxes", "has_index"),
    [
        pytest.param(box(b"moov") + box(b"mdat", b"12345"), True, id="index-first"),
        pytest.param(box(b"mdat", b"12345") + box(b"moov"), True, id="index-last"),
        pytest.param(box(b"mdat", b"12345") + box(b"moof"), True, id="fragments"),
        pytest.param(
            struct.pack(">I4sQ", 1, b"mdat", 16 + 5000) + bytes(5000) + box(b"moov"),
            True,
            id="64-bit-size",
        ),
        pytest.param(struct.pack(">I4s", 0, b"mdat") + box(b"moov"), False, id="up-to-the-end"),
        pytest.param(struct.pack(">I4s", 2**32 - 1, b"mdat") + box(b"moov"), False, id="too-long"),
        pytest.param(struct.pack(">I4s", 3, b"mdat") + box(b"moov"), False, id="too-short"),
        pytest.param(struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), False, id="64-bit-too-long"),
        pytest.param(struct.pack(">I4sI", 1, b"mdat", 0), False, id="64-bit-cut-off"),
        pytest.param(box(b"mdat", b"moov" * 20), False, id="moov-inside-the-data"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"\0\0\0", False, id="half-a-size"),
    ],
)
def test_the_index_of_an_mp4_is_found_wherever_it_is(tmp_path, boxes, has_index):
    reason = explain(tmp_path / "clip.mp4", FTYP + boxes)

    assert ("without its index" in reason) is not has_index
    assert "MP4" in reason


def test_an_mp4_of_sound_is_not_said_to_be_cut_off(tmp_path):
    reason = explain_undecodable(sound_only(tmp_path / "song.mp4"))

    assert "holds no pictures" in reason
    assert "index" not in reason


def test_a_wav_says_that_it_is_sound(tmp_path):
    assert "WAV sound" in explain_undecodable(sound_only(tmp_path / "song.wav"))


def test_where_nothing_shows_the_usual_reasons_are_listed(tmp_path):
    reason = explain_undecodable(not_a_video(tmp_path / "file"))

    assert "no pictures" in reason
    assert "damaged" in reason
    assert "codec" in reason


def test_every_reason_ends_a_sentence(tmp_path):
    paths = [
        not_a_video(tmp_path / "random"),
        sound_only(tmp_path / "song.wav"),
        sound_only(tmp_path / "song.mp4"),
        text_file(tmp_path / "text"),
        truncated(write_mp4(tmp_path / "clip.mp4", [noise_image(0)])),
        truncated(write_avi(tmp_path / "clip.avi", [noise_image(0)]), keep=0.01),
    ]
    for path in paths:
        reason = explain_undecodable(path)

        assert reason.startswith(("is ", "starts "))
        assert not reason.endswith((".", " "))
        assert "\n" not in reason
