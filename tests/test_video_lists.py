"""Folders, patterns and lists: which videos they mean, and in which order."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from i3d.errors import UsageError, VideoDecodeError, VideoError, VideoNotFoundError
from i3d.video import listing as video_lists
from i3d.video.decoding import open_decoder
from i3d.video.listing import VIDEO_SUFFIXES, Listed, list_videos, read_list

from conftest import SOURCE
from damage import closed

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMES = ("img1.jpg", "img2.jpg", "img10.jpg")


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path, **patterns: Sequence[str]) -> list[str]:
    """What is found in a folder, from there, with `/` in between."""
    listed = list_videos([str(folder)], **patterns)
    assert [one for one in listed if one.error is not None] == []
    return [Path(one.path).relative_to(folder).as_posix() for one in listed]


def test_a_folder_means_its_videos_with_those_of_its_folders(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a/deep/er.MKV", "a/x.avi", "notes.txt", "c.jpg", "none/notes.txt")
    assert found(tmp_path) == ["a/deep/er.MKV", "a/x.avi", "b.mp4"]


def test_every_suffix_counts_whatever_its_case(tmp_path: Path) -> None:
    videos = [f"{start}{suffix}" for suffix in VIDEO_SUFFIXES for start in ("clip", "2")]
    videos = [name.upper() if name.startswith("2") else name for name in videos]
    make(tmp_path, *videos, *(f"other{suffix}.txt" for suffix in VIDEO_SUFFIXES))
    assert sorted(found(tmp_path)) == sorted(videos)


def test_names_come_in_natural_order_files_and_folders_mixed(tmp_path: Path) -> None:
    in_order = [
        "1.mp4",
        "2/b.mp4",
        "2/a/10.mp4",
        "03.mp4",
        "10.mp4",
        "a1²2.mp4",
        "B.mp4",
        "c/x.mp4",
    ]
    make(tmp_path, *in_order)
    assert found(tmp_path) == [
        *("1.mp4", "2/a/10.mp4", "2/b.mp4", "03.mp4", "10.mp4", "a1²2.mp4", "B.mp4", "c/x.mp4"),
    ]


def test_paths_are_the_folder_as_it_was_given_and_the_way_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "videos/a/x.mp4")
    monkeypatch.chdir(tmp_path)
    for given in ("videos", f".{os.sep}videos", str(tmp_path / "videos")):
        assert list_videos([given]) == [Listed(f"{given}{os.sep}a{os.sep}x.mp4")]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "._a.mp4", ".hidden/b.mp4", "c/.d.mp4")
    assert found(tmp_path, include=["*"]) == ["a.mp4"]


def test_what_is_no_folder_is_passed_on_as_it_is(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt")
    given = [str(tmp_path / "notes.txt"), "no such.mp4", "ucf:v_Archery_g01_c01", "", "-"]
    assert list_videos(given, exclude=["*"]) == [Listed(path) for path in given]


def test_a_path_that_comes_twice_is_there_once(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    first, second = str(tmp_path / "b.mp4"), f"{tmp_path}{os.sep}.{os.sep}a.mp4"
    assert [one.path for one in list_videos([first, str(tmp_path), second, first])] == [
        first,
        str(tmp_path / "a.mp4"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="needs the right to make links")
def test_dots_behind_a_link_are_another_place(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "far/a.mp4", "far/folder/x")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "folder")
    given = [str(tmp_path / "a.mp4"), f"{tmp_path}/link/../a.mp4"]
    assert [one.path for one in list_videos(given)] == given


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ["*.dat"]}, ["b.dat", "sub/c.DAT"]),
        ({"include": ["*.DAT", "a.*"]}, ["a.mp4", "b.dat", "sub/c.DAT"]),
        ({"include": ["sub/*.dat"]}, ["sub/c.DAT"]),
        ({"include": ["*/*"]}, ["sub/c.DAT", "sub/d.mp4"]),
        ({"include": ["[ab].*"]}, ["a.mp4", "b.dat"]),
        ({"exclude": ["a.*"]}, ["sub/d.mp4"]),
        ({"exclude": ["sub"]}, ["a.mp4"]),
        ({"exclude": ["SUB/"]}, ["a.mp4"]),
        ({"exclude": ["sub/d*"]}, ["a.mp4"]),
        ({"exclude": ["*/d*"]}, ["a.mp4"]),
        ({"exclude": ["d*"]}, ["a.mp4"]),
        ({"exclude": [""]}, ["a.mp4", "sub/d.mp4"]),
        ({"include": ["*.dat"], "exclude": ["c.*"]}, ["b.dat"]),
    ],
)
def test_patterns(tmp_path: Path, patterns: dict[str, list[str]], expected: list[str]) -> None:
    make(tmp_path, "a.mp4", "b.dat", "sub/c.DAT", "sub/d.mp4")
    assert found(tmp_path, **patterns) == expected


def test_the_folder_that_was_given_is_not_left_out_itself(tmp_path: Path) -> None:
    make(tmp_path, "thumbs/a.mp4", "thumbs/thumbs/b.mp4")
    assert found(tmp_path / "thumbs", exclude=["thumbs"]) == ["a.mp4"]


def test_a_folder_of_images_is_one_video(tmp_path: Path) -> None:
    make(tmp_path, *FRAMES, "notes.txt", "masks/1.png", "masks/2.png")
    assert list_videos([str(tmp_path)]) == [Listed(str(tmp_path))]


def test_a_folder_with_one_image_is_one_video_where_there_is_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, "cover.jpg", "notes.txt")
    assert list_videos([str(tmp_path)]) == [Listed(str(tmp_path))]
    make(tmp_path, *(f"shot/{name}" for name in FRAMES))
    assert found(tmp_path) == ["shot"]


def test_folders_of_images_in_a_folder_are_a_video_each(tmp_path: Path) -> None:
    make(tmp_path, *(f"{folder}/{name}" for folder in ("v10", "v2", "a/b") for name in FRAMES))
    make(tmp_path, "notes.txt", "v2/Thumbs.db", "v2/.DS_Store", "v2/masks/1.png", "v2/masks/2.png")
    make(tmp_path, "one/1.jpg", "mixed/1.jpg", "mixed/2.jpg", "mixed/notes.txt")
    assert found(tmp_path) == ["a/b", "v2", "v10"]
    assert found(tmp_path, exclude=["a", "v2"]) == ["v10"]


@pytest.mark.parametrize("video", ["clip.mp4", "videos/clip.mp4", "thumbs/deep/clip.gif"])
def test_pictures_beside_videos_are_no_video(tmp_path: Path, video: str) -> None:
    make(tmp_path, video, *(f"thumbs/{name}" for name in FRAMES), "1.jpg", "2.jpg")
    assert found(tmp_path) == [video]
    named = list_videos([str(tmp_path), str(tmp_path / "thumbs")], exclude=["deep"])
    if "deep" not in video:
        assert Listed(str(tmp_path / "thumbs")) in named


def test_images_can_be_asked_for_one_by_one(tmp_path: Path) -> None:
    make(tmp_path, *FRAMES)
    assert found(tmp_path, include=["*.jpg"]) == list(FRAMES)


def test_a_folder_without_videos_says_what_was_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "empty/notes.txt", "a.mp4")
    first, second = list_videos([str(tmp_path / "empty"), str(tmp_path / "a.mp4")])
    assert isinstance(first.error, VideoNotFoundError)
    assert first.error.message == f"The folder {tmp_path / 'empty'} holds no videos."
    assert "--include" in (first.error.hint or "")
    assert "mp4" in (first.error.hint or "")
    assert second == Listed(str(tmp_path / "a.mp4"))


def test_where_no_name_matches_images_are_no_answer(tmp_path: Path) -> None:
    make(tmp_path, *FRAMES, "a.mp4")
    (only,) = list_videos([str(tmp_path)], include=["*_front.mp4"])
    assert isinstance(only.error, VideoNotFoundError)
    assert "no files of the names that were asked for" in only.error.message


def test_a_folder_that_cannot_be_read_does_not_stop_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.mp4", "b/x.mp4", "c.mp4")
    scan = os.scandir

    def refuse(folder: str) -> object:
        if folder == str(tmp_path / "b"):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    first, second, third = list_videos([str(tmp_path)])
    assert (first.path, third.path) == (str(tmp_path / "a.mp4"), str(tmp_path / "c.mp4"))
    assert second.path == str(tmp_path / "b")
    assert isinstance(second.error, VideoDecodeError)
    assert second.error.message == f"The folder {second.path} cannot be read: Permission denied."


def test_a_given_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    make(tmp_path, "locked/a.mp4")
    tmp_path.chmod(0o755)
    with closed(tmp_path / "locked"):
        (only,) = list_videos([str(tmp_path / "locked")])
    if only.error is not None:  # else not even its kind could be seen: opening it tells
        assert isinstance(only.error, VideoError)
        assert "cannot be read: Permission denied." in only.error.message


@pytest.mark.skipif(os.name == "nt", reason="needs the right to make links")
def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    make(tmp_path, "in/a.mp4", "far/b.mp4")
    folder = tmp_path / "in"
    (folder / "loop").symlink_to(folder)
    (folder / "self.mp4").symlink_to("self.mp4")
    (folder / "far").symlink_to(tmp_path / "far")
    (folder / "link.mp4").symlink_to(tmp_path / "far" / "b.mp4")
    (folder / "gone.mp4").symlink_to("nowhere.mp4")
    (folder / "folder.mp4").mkdir()
    assert found(folder) == ["a.mp4", "gone.mp4", "link.mp4", "self.mp4"]
    (tmp_path / "way").symlink_to(folder)
    assert len(list_videos([str(tmp_path / "way")])) == 4  # but the one that was given
    with pytest.raises(VideoNotFoundError, match=r"is a link to nowhere\.mp4"):
        open_decoder(str(folder / "gone.mp4"), image_fps=25)


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are any bytes")
def test_odd_names(tmp_path: Path) -> None:
    names = [
        "a\nb.mp4",
        "\udce9.mp4",
        "[x].mp4",
        "-y.mp4",
        " .mp4",
        "東京.mp4",
        "a*b.mp4",
        "²/²³.mp4",
    ]
    make(tmp_path, *names)
    assert sorted(found(tmp_path)) == sorted(names)
    assert found(tmp_path, exclude=["[[]x*"]) == [n for n in found(tmp_path) if n != "[x].mp4"]


def test_importing_it_does_not_import_opencv() -> None:
    program = "import sys, i3d.video.listing; assert not {'cv2', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=SOURCE)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.mp4\nb.mp4\n", ["a.mp4", "b.mp4"]),
        (b"a.mp4", ["a.mp4"]),
        (b"\xef\xbb\xbfa.mp4\r\n\r\n\r\nb.mp4\r\n", ["a.mp4", "b.mp4"]),
        (b"# a.mp4\n b \n\t\n", ["# a.mp4", " b ", "\t"]),
        (b"\xe9.mp4\n", ["\udce9.mp4"]),
        ("東京\u2028.mp4\x0b\n".encode(), ["東京\u2028.mp4\x0b"]),
        (b"a\nb.mp4\0c.mp4\r\0", ["a\nb.mp4", "c.mp4\r"]),
        (b"a.mp4\0b.mp4", ["a.mp4", "b.mp4"]),
        ("a.mp4\r\né.mp4\r\n".encode("utf-16"), ["a.mp4", "é.mp4"]),
        ("a.mp4\né.mp4".encode("utf-16-be").join([b"\xfe\xff", b""]), ["a.mp4", "é.mp4"]),
        (b"x" * 3000 + b"\n" + b"name\n" * 50_000, ["x" * 3000, *["name"] * 50_000]),
    ],
)
def test_lists(
    tmp_path: Path, content: bytes, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    assert read_list(str(path)) == names
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert read_list("-") == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The list {} names no videos."),
        (b"\n\r\n", "The list {} names no videos."),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "{} is not a list of names."),
        (b"RIFF\x10\x20\0\0AVI LIST", "{} is not a list of names."),
        (b"\x1aE\xdf\xa3" * 20_000, "{} is not a list of names."),
        (b"a\n" + b"\x1aE\xdf\xa3" * 20_000, "{} is not a list of names."),
        (b"\xff\xfea", "{} is not a list of names."),
    ],
)
def test_what_is_no_list_is_refused(
    tmp_path: Path, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_list(str(path))
    assert caught.value.message == sentence.format(path)
    assert caught.value.hint
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    with pytest.raises(UsageError) as caught:
        read_list("-")
    shown = "Standard input" if sentence.startswith("{}") else "standard input"
    assert caught.value.message == sentence.format(shown)


def test_what_is_longer_than_any_list_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_lists, "_MAX_LIST", 1000)
    (tmp_path / "list").write_text("a.mp4\n" * 1000)
    with pytest.raises(UsageError, match="is not a list of names"):
        read_list(str(tmp_path / "list"))


def test_a_list_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"The list .*none cannot be read: No such file"):
        read_list(str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"The list .* cannot be read: "):
        read_list(str(tmp_path))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        read_list("-")
