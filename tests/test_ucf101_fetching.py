"""Clips of UCF101 arrive whole, from whichever host gives them, or a sentence says why not."""

from __future__ import annotations

import errno
import io
import os
import struct
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from i3d.datasets.ucf101.choose import select_clips
from i3d.datasets.ucf101.clips import clips_dir, find_clip, local_clips, local_path
from i3d.datasets.ucf101.data import load_index
from i3d.datasets.ucf101.fetch import MANY_CLIPS, fetch_clips
from i3d.datasets.ucf101.hosts import MOST_FAILURES
from i3d.errors import CacheError, ClipNotFetchedError, UsageError
from i3d.files.cache import ucf101_dir
from i3d.files.trust import Trust
from i3d.progress import NoProgress

from ucf101_hosts import (
    CRICKET,
    FOLDER,
    HANDSTAND,
    OTHERS,
    Hosts,
    clip_content,
    content_of,
    point_to,
    serve_hosts,
    ucf101,
    zip_content,
)
from web_server import Certificate, Fault, Resource, serve, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.datasets.ucf101.data import Clip
    from i3d.datasets.ucf101.fetch import FetchedClip

__all__ = ["ucf101"]

ONE = CRICKET[1]


class Notes(NoProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def clips_named(*names: str) -> tuple[Clip, ...]:
    return select_clips(names)


def fetch(*names: str, **options: object) -> list[FetchedClip]:
    return list(fetch_clips(clips_named(*names), **options))


def fetch_one(name: str = ONE, **options: object) -> FetchedClip:
    (fetched,) = fetch(name, **options)
    return fetched


def sentence(fetched: FetchedClip) -> str:
    """All that a user is told of a failure."""
    error = fetched.error
    assert error is not None
    assert fetched.path is None
    return "\n".join([error.message, *error.details, error.hint or ""])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Attempts follow each other at once; and nothing unfinished is left behind by any test."""
    monkeypatch.setattr("i3d.files.session.BACKOFF_SECONDS", 0.0)
    yield
    for folder in (clips_dir(), ucf101_dir()):
        hidden = [path.name for path in folder.glob(".*")] if folder.is_dir() else []
        assert hidden == []


def test_a_clip_comes_from_the_index_host_and_is_kept(ucf101: Hosts) -> None:
    fetched = fetch_one()
    assert fetched.path == clips_dir() / ONE
    assert fetched.source == "index"
    assert fetched.path.read_bytes() == content_of(ONE)
    assert ucf101.zip.requests == []

    again = fetch_one()
    assert (again.path, again.source) == (fetched.path, None)
    assert ucf101.asked_for == [ONE]


def test_a_clip_that_the_index_host_does_not_give_comes_from_the_zip(ucf101: Hosts) -> None:
    ucf101.clip(ONE).always = 403
    fetched = fetch_one()
    assert fetched.source == "zip"
    assert fetched.path is not None
    assert fetched.path.read_bytes() == content_of(ONE)


@pytest.mark.parametrize("source", ["index", "zip"])
def test_one_source_alone(ucf101: Hosts, source: str) -> None:
    other = ucf101.zip if source == "index" else ucf101.index
    assert fetch_one(source=source).source == source
    assert other.requests == []


def test_the_zip_costs_two_requests_for_its_directory_and_one_for_a_clip(ucf101: Hosts) -> None:
    fetch(*CRICKET[:3], source="zip", jobs=1)
    ranges = [request.headers["range"] for request in ucf101.zip.requests]
    assert ranges[0].startswith("bytes=-")
    assert len(ranges) <= 2 + 3

    del ucf101.zip.requests[:]
    fetch(*CRICKET[3:], source="zip", jobs=3)
    directories = [
        request for request in ucf101.zip.requests if "bytes=-" in request.headers["range"]
    ]
    assert len(directories) == 1  # for all threads


@pytest.mark.parametrize("source", ["index", "zip"])
def test_both_spellings_of_handstand_pushups(ucf101: Hosts, source: str) -> None:
    for name in ("v_HandstandPushups_g01_c01", "v_HandStandPushups_g01_c01"):
        fetched = fetch_one(name, source=source)
        assert fetched.path is not None
        assert fetched.path.name == "v_HandStandPushups_g01_c01.avi"
        assert fetched.path.read_bytes() == content_of(HANDSTAND)


def test_several_come_in_the_order_in_which_they_were_named(ucf101: Hosts) -> None:
    ucf101.clip(CRICKET[1]).faults = [Fault(piece_seconds=0.02, piece_bytes=50_000)]
    names = [OTHERS[1], *CRICKET, OTHERS[0]]
    fetched = fetch(*names, jobs=4)
    assert [result.clip.file_name for result in fetched] == names
    assert all(result.path is not None for result in fetched)
    assert sorted(ucf101.asked_for) == sorted(names)


def test_some_fail_and_the_rest_arrives(ucf101: Hosts) -> None:
    for name in CRICKET[2:4]:
        ucf101.clip(name).always = 404
    results = fetch(*CRICKET, source="index")
    failed = [result.clip.file_name for result in results if result.error is not None]
    assert failed == list(CRICKET[2:4])
    assert "404" in sentence(results[2])
    assert len(list(clips_dir().iterdir())) == 5


# What is not a whole clip never gets its name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><title>Moved</title>", "web page"),
        (b"", "empty"),
        (clip_content()[:20_000], "cut off"),
    ],
)
def test_what_is_no_whole_clip_is_refused(ucf101: Hosts, content: bytes, reason: str) -> None:
    ucf101.clip(ONE).content = content
    fetched = fetch_one(source="index")
    assert "what came " in sentence(fetched)
    assert reason in sentence(fetched)
    assert list(clips_dir().iterdir()) == []
    # and the zip has the right one
    assert fetch_one().source == "zip"


def test_a_clip_whose_frames_do_not_decode_is_refused(ucf101: Hosts) -> None:
    content = clip_content()
    half = len(content) // 2
    ucf101.clip(ONE).content = content[:half] + bytes(len(content) - half)  # its size is right
    fetched = fetch_one(source="index")
    assert "frames" in sentence(fetched)
    assert list(clips_dir().iterdir()) == []


def test_a_body_that_is_cut_off_is_asked_for_again(ucf101: Hosts) -> None:
    resource = ucf101.clip(ONE)
    resource.faults = [Fault(cut_after=30_000)]
    assert fetch_one(source="index").source == "index"
    resource.always = Fault(cut_after=30_000)
    (clips_dir() / ONE).unlink()
    assert "closed before the whole clip came" in sentence(fetch_one(source="index"))


def test_a_server_that_hangs_is_left(ucf101: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.2")
    ucf101.clip(ONE).always = Fault(stall_after=1000)
    assert fetch_one().source == "zip"


def test_a_damaged_clip_on_this_machine_is_fetched_again(ucf101: Hosts) -> None:
    path = fetch_one().path
    assert path is not None
    path.write_bytes(content_of(ONE)[:10_000])
    (clip,) = clips_named(ONE)
    assert find_clip(clip) is None
    assert local_clips([clip]) == {}
    notes = Notes()
    assert fetch_one(progress=notes).source == "index"
    assert "cut off" in notes.notes[0]
    assert path.read_bytes() == content_of(ONE)
    assert local_path(clip) == path
    assert local_clips([clip])[clip].num_frames_from_header == 12


# The zip


def test_a_member_with_a_wrong_checksum_is_refused(ucf101: Hosts) -> None:
    content = bytearray(zip_content())
    where = content.find(content_of(CRICKET[0])) + 20_000  # a stored one
    content[where] ^= 1
    ucf101.archive.content = bytes(content)
    fetched = fetch_one(CRICKET[0], source="zip")
    assert "damaged" in sentence(fetched)
    assert list(clips_dir().iterdir()) == []
    assert fetch_one(CRICKET[1], source="zip").path is not None


@pytest.mark.parametrize("content", [b"<html>no zip</html>" * 100, b"", b"PK\x05\x06" + bytes(18)])
def test_a_zip_that_is_none(ucf101: Hosts, content: bytes) -> None:
    ucf101.archive.content = content
    assert fetch_one(source="zip").error is not None


def test_a_zip_whose_server_cannot_send_parts(ucf101: Hosts) -> None:
    ucf101.archive.has_ranges = False
    assert "part" in sentence(fetch_one(source="zip"))


def packed(**members: bytes) -> bytes:
    """A zip of clips with content of one's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"UCF101/{name}.avi", content)
    return file.getvalue()


def test_a_file_that_is_too_large_for_a_clip_is_not_fetched(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i3d.datasets.ucf101.hosts.MAX_CLIP_BYTES", 1000)
    assert "larger than 1.0 kB" in sentence(fetch_one(source="index"))


def patched(content: bytes, place: int, form: str, *values: int) -> bytes:
    """A zip with some numbers changed, counted from its central directory, or below 0 its end."""
    changed = bytearray(content)
    end = changed.rfind(b"PK\5\6")
    (directory,) = struct.unpack_from("<I", changed, end + 16)
    struct.pack_into(form, changed, directory + place if place >= 0 else end - place, *values)
    return bytes(changed)


@pytest.mark.parametrize(
    ("place", "form", "values"),
    [
        (-16, "<I", (9_000_000,)),  # the directory lies elsewhere: members before the start
        (42, "<I", (2**32 - 2,)),  # a member behind the end
        (8, "<H", (1,)),  # encrypted
        (10, "<H", (zipfile.ZIP_LZMA,)),
        (16, "<I", (1234,)),  # another CRC-32
        (20, "<I", (0,)),  # no compressed bytes
    ],
)
def test_a_zip_that_lies_is_refused(
    ucf101: Hosts, place: int, form: str, values: tuple[int, ...]
) -> None:
    good = packed(v_CricketShot_g04_c02=content_of(ONE))
    ucf101.archive.content = patched(good, place, form, *values)
    assert "cannot be fetched" in sentence(fetch_one(source="zip"))
    assert list(clips_dir().iterdir()) == []


def test_a_clip_that_the_zip_does_not_hold(ucf101: Hosts) -> None:
    text = sentence(fetch_one("v_Biking_g01_c01", source="zip"))
    assert "holds no such clip" in text
    assert text.endswith("Try --source index.")
    assert sentence(fetch_one("v_Biking_g01_c01", source="index")).endswith("--source zip.")


# Hosts that can't be used


def test_a_host_that_cannot_be_reached_is_left_for_the_rest_of_the_run(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_UCF101_URL", "http://127.0.0.1:9/")
    notes = Notes()
    assert fetch_one("v_Biking_g01_c01", progress=notes).error is not None
    assert notes.notes == []  # nothing came from the other one either
    results = fetch(*CRICKET, progress=notes)
    assert {result.source for result in results} == {"zip"}
    (note,) = notes.notes
    assert note.startswith("127.0.0.1:9 cannot be used: ")
    assert ucf101.zip.url.removeprefix("http://") in note


def test_where_no_host_can_be_used_the_first_clip_says_why_and_the_rest_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *rest = fetch(*CRICKET)
    text = sentence(first)
    assert not isinstance(first.error, ClipNotFetchedError)
    assert "index (127.0.0.1:9): 127.0.0.1:9 refuses the connection" in text
    assert "zip (127.0.0.1:9)" in text
    assert [type(result.error) for result in rest] == [ClipNotFetchedError] * 6


def test_offline_nothing_is_asked_and_what_is_here_is_given(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_one()
    del ucf101.index.requests[:]
    monkeypatch.setenv("I3D_OFFLINE", "1")
    notes = Notes()
    missing, here = fetch(CRICKET[0], ONE, progress=notes)
    assert notes.notes == []
    assert here.path == clips_dir() / ONE
    assert "offline" in sentence(missing)
    assert ucf101.index.requests + ucf101.zip.requests == []


def test_a_host_that_fails_again_and_again_is_left(ucf101: Hosts) -> None:
    for name in CRICKET:
        ucf101.clip(name).always = 500
    results = fetch(*CRICKET, OTHERS[0], OTHERS[1], HANDSTAND, jobs=1)
    assert {result.source for result in results} == {"zip", "index"}
    assert results[7].source == "index"  # seven failures are not enough
    names = [*CRICKET, *OTHERS]
    for name in names:
        ucf101.clip(name).always = 403
        (clips_dir() / name).unlink()
    del ucf101.index.requests[:]
    notes = Notes()
    results = fetch(*names, jobs=1, progress=notes)
    assert {result.source for result in results} == {"zip"}
    assert len(ucf101.index.requests) == MOST_FAILURES
    assert len(notes.notes) == 1


def test_failures_count_only_in_a_row(ucf101: Hosts) -> None:
    for name in (*CRICKET[:4], *OTHERS, HANDSTAND, CRICKET[5]):
        ucf101.clip(name).always = 403
    order = [*CRICKET[:5], *OTHERS, HANDSTAND, CRICKET[5], CRICKET[6]]
    results = fetch(*order, jobs=1)
    assert [result.source for result in results].count("index") == 2
    assert results[-1].source == "index"


def test_a_clip_that_a_host_does_not_have_is_no_failure_of_the_host(ucf101: Hosts) -> None:
    strangers = [f"v_Biking_g01_c{number:02}" for number in range(1, 5)]
    strangers += [f"v_Biking_g02_c{number:02}" for number in range(1, 5)]
    strangers += [f"v_Biking_g03_c{number:02}" for number in range(1, 5)]
    notes = Notes()
    results = fetch(*strangers, ONE, jobs=1, progress=notes)
    assert [result.source for result in results] == [None] * 12 + ["index"]
    assert notes.notes == []


# Certificates


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (Certificate.SELF_SIGNED, "self-signed"),
        (Certificate.EXPIRED, "expired"),
        (Certificate.WRONG_NAME, "another host"),
        (Certificate.OTHER_AUTHORITY, "not trust"),
    ],
)
def test_a_refused_certificate(
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
    words: str,
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    trust = Trust(cafile=bundle)
    with serve_hosts(
        index_tls=tls_context(authority, certificate), zip_tls=tls_context(authority)
    ) as hosts:
        point_to(hosts, monkeypatch)
        host = hosts.index.url.removeprefix("https://")
        # alone: a sentence with the host and the ways on
        text = sentence(fetch_one(source="index", trust=trust))
        assert host in text
        assert words in text
        for way in ("--cafile FILE", "--source zip", "--insecure"):
            assert way in text
        # the other source is tried by itself
        notes = Notes()
        results = fetch(*CRICKET[:3], trust=trust, progress=notes)
        assert {result.source for result in results} == {"zip"}
        (note,) = notes.notes
        assert host in note
        # only when asked to, it is not verified
        for path in clips_dir().iterdir():
            path.unlink()
        assert fetch_one(source="index", trust=Trust(verify=False)).source == "index"
        assert [request.path for request in hosts.index.requests] == [FOLDER + ONE]


def test_one_clip_that_lies_on_a_host_with_a_refused_certificate_costs_that_clip_alone(
    ucf101: Hosts, authority: trustme.CA
) -> None:
    with serve({}, tls=tls_context(authority, Certificate.SELF_SIGNED)) as other:
        ucf101.clip(CRICKET[1]).redirect = other.url + "/clip.avi"
        results = fetch(*CRICKET, source="index", jobs=1)
        assert [result.path is None for result in results] == [False, True, *[False] * 5]
        assert "is self-signed" in sentence(results[1])
        assert "--insecure" in sentence(results[1])


def test_good_certificates_are_taken_and_the_systems_are_the_default(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with ExitStack() as stack:
        context = tls_context(authority)
        hosts = stack.enter_context(serve_hosts(index_tls=context, zip_tls=context))
        point_to(hosts, monkeypatch)
        both_refused = sentence(fetch_one())
        assert both_refused.count("not trust") == 2
        assert hosts.index.requests + hosts.zip.requests == []
        assert fetch_one(trust=Trust(cafile=bundle)).source == "index"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert fetch_one(CRICKET[0], source="zip").source == "zip"


# Disks and interrupts


def test_a_disk_that_is_too_full_for_many_clips(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 700_000

    monkeypatch.setattr("i3d.datasets.ucf101.fetch.shutil.disk_usage", lambda _: Usage)
    assert fetch_one().path is not None  # one is simply tried
    del ucf101.index.requests[:]
    clips = load_index().clips[:MANY_CLIPS]
    with pytest.raises(CacheError, match=r"too full: 20 clips take about 0\.0 GB"):
        list(fetch_clips(clips))
    assert ucf101.index.requests == []


def test_a_disk_that_gets_full_stops_the_run(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CacheError, match="full") as caught:
        fetch(*CRICKET)
    assert str(clips_dir()) in caught.value.message
    assert ".fetching" not in caught.value.message


@pytest.mark.parametrize("name", ["file", "file/below", "n" * 300])
def test_a_folder_that_cannot_be_made(ucf101: Hosts, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot be made or written"):
        fetch_one(directory=tmp_path / name)


@pytest.mark.parametrize("jobs", [1, 4])
def test_what_stands_in_the_place_of_a_clip_costs_that_clip_alone(ucf101: Hosts, jobs: int) -> None:
    (clips_dir() / ONE / "something").mkdir(parents=True)
    results = fetch(*CRICKET, jobs=jobs)
    failed = [result for result in results if result.error is not None]
    assert [result.clip.file_name for result in failed] == [ONE]
    assert str(clips_dir() / ONE) in sentence(failed[0])
    (clips_dir() / ONE / "something").rmdir()


def test_a_folder_that_became_unwritable_stops_the_run(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        if target.parent != clips_dir():
            return replace(self, target)
        raise PermissionError(13, "Permission denied")

    replace = type(clips_dir()).replace
    monkeypatch.setattr(type(clips_dir()), "replace", refuse)
    with pytest.raises(CacheError, match="cannot be made or written: Permission denied") as caught:
        fetch(*CRICKET, source="index", jobs=1)
    assert str(clips_dir()) in caught.value.message
    assert ucf101.asked_for == [CRICKET[0]]


def test_a_clip_that_another_process_has_just_put_there_is_taken(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = type(clips_dir()).replace

    def in_use(self: Path, target: Path) -> Path:
        """As on Windows, where a file that somebody reads can't be replaced."""
        if target.name != ONE:
            return replace(self, target)
        target.write_bytes(content_of(ONE))
        raise PermissionError(13, "in use")

    monkeypatch.setattr(type(clips_dir()), "replace", in_use)
    assert fetch_one(source="index").path == clips_dir() / ONE


def test_a_mistake_in_the_settings_is_told_by_the_run(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "soon")
    with pytest.raises(UsageError, match="I3D_TIMEOUT"):
        fetch(*CRICKET)


@pytest.mark.parametrize("variable", ["I3D_UCF101_URL", "I3D_UCF101_ZIP_URL"])
def test_a_mirror_that_is_no_address_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "bob:secret@mirror.example/ucf")
    with pytest.raises(UsageError, match=variable) as caught:
        fetch_one()
    assert "secret" not in str(caught.value) + str(caught.value.hint)


def test_a_mirror_that_cannot_be_reached_is_named_by_its_variable(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_UCF101_URL", ucf101.index.url.replace("http:", "https:"))
    hint = "Check I3D_UCF101_URL. Check the network"
    assert hint in sentence(fetch_one(source="index"))
    monkeypatch.setenv("I3D_OFFLINE", "1")
    assert sentence(fetch_one(source="index")).endswith("\nUnset I3D_OFFLINE to allow downloads.")


def test_a_file_of_certificates_that_cannot_be_used_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("I3D_UCF101_URL", "https://127.0.0.1:9/")
    with pytest.raises(UsageError, match=r"none\.pem cannot be used") as caught:
        fetch(*CRICKET)
    assert caught.value.hint == "Correct or unset REQUESTS_CA_BUNDLE."
    assert "refuses the connection" in sentence(fetch_one(trust=Trust(verify=False)))


def test_a_host_that_is_silent_at_first_is_left_after_one_clip(
    ucf101: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.1")
    for name in CRICKET:
        ucf101.clip(name).always = Fault(stall_after=-1)
    results = fetch(*CRICKET, jobs=1)
    assert {result.source for result in results} == {"zip"}
    assert set(ucf101.asked_for) == {CRICKET[0]}


def test_a_run_that_is_closed_asks_for_no_more(ucf101: Hosts) -> None:
    for name in CRICKET[1:]:
        ucf101.clip(name).always = Fault(piece_seconds=0.05, piece_bytes=100_000)
    fetched = fetch_clips(clips_named(*CRICKET), jobs=2, source="index")
    assert next(fetched).path is not None
    assert next(fetched).path is not None
    fetched.close()
    assert len(ucf101.asked_for) < len(CRICKET)
    assert {path.name for path in clips_dir().iterdir()} <= set(CRICKET)


def test_no_redirect_leads_from_https_to_http(
    ucf101: Hosts, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ucf101.index.url + FOLDER + ONE
    with serve({FOLDER + ONE: Resource(redirect=there)}, tls=tls_context(authority)) as secure:
        monkeypatch.setenv("I3D_UCF101_URL", secure.url + FOLDER)
        failed = fetch_one(source="index", trust=Trust(verify=False))
    assert "redirects from https" in sentence(failed)
    assert ucf101.index.requests == []
