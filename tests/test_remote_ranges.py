"""Parts of files on servers of this machine, good and bad ones."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from i3d.errors import DownloadError, ExitCode, RemoteFileChangedError
from i3d.files.download import ranges, transfer
from i3d.files.download.fetch import download, open_connection
from i3d.files.download.ranges import RemoteIdentity, RemotePiece, fetch_range

from web_server import Fault, Framing, Resource, WebServer, basic, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = os.urandom(300_000)
OTHER_CONTENT = os.urandom(300_000)
ETAG = '"first"'
LAST_MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"
IDENTITY = RemoteIdentity(len(CONTENT), ETAG, LAST_MODIFIED)


@pytest.fixture(autouse=True)
def _short_waits_and_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.3")


@pytest.fixture
def resource() -> Resource:
    return Resource(CONTENT, etag=ETAG, last_modified=LAST_MODIFIED)


@pytest.fixture
def server(resource: Resource) -> Iterator[WebServer]:
    with serve({"/file": resource}) as running:
        yield running


class Watcher:
    """A `Progress` that takes notes."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None, str]] = []
        self.steps: list[list[int]] = []

    @contextmanager
    def task(
        self, description: str, total: int | None = None, unit: str = "items"
    ) -> Iterator[Callable[[int], None]]:
        self.tasks.append((description, total, unit))
        self.steps.append([])
        yield self.steps[-1].append


def fails(url: str, start: int, num_bytes: int, **options: object) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        fetch_range(url, start, num_bytes, **options)
    error = caught.value
    assert str(error) == f"{url} cannot be downloaded: {error.reason}."
    assert error.exit_code is ExitCode.TRANSFER
    return error


def asked(server: WebServer, header: str = "range") -> list[str | None]:
    return [request.headers.get(header) for request in server.requests]


# --- which part


@pytest.mark.parametrize("framing", list(Framing))
def test_a_part_arrives_with_its_place_and_its_file(
    server: WebServer, resource: Resource, framing: Framing
) -> None:
    resource.framing = framing
    piece = fetch_range(server.url + "/file", 1000, 200_000)
    assert piece == RemotePiece(CONTENT[1000:201_000], 1000, IDENTITY)
    assert asked(server) == ["bytes=1000-200999"]


def test_the_end_of_a_file_arrives_without_its_size_being_known(server: WebServer) -> None:
    piece = fetch_range(server.url + "/file", -70_000, 70_000)
    assert piece == RemotePiece(CONTENT[-70_000:], 230_000, IDENTITY)
    assert asked(server) == ["bytes=-70000"]


def test_the_end_of_a_file_whose_size_is_known_is_asked_for_by_its_place(
    server: WebServer,
) -> None:
    piece = fetch_range(server.url + "/file", -70_000, 70_000, identity=IDENTITY)
    assert piece == RemotePiece(CONTENT[-70_000:], 230_000, IDENTITY)
    assert asked(server) == ["bytes=230000-299999"]


def test_an_end_that_is_longer_than_the_file_is_the_file(server: WebServer) -> None:
    piece = fetch_range(server.url + "/file", -300_001, 300_001)
    assert piece == RemotePiece(CONTENT, 0, IDENTITY)


@pytest.mark.parametrize("identity", [None, IDENTITY])
def test_a_part_ends_where_the_file_ends(
    server: WebServer, identity: RemoteIdentity | None
) -> None:
    piece = fetch_range(server.url + "/file", 299_990, 100, identity=identity)
    assert piece == RemotePiece(CONTENT[-10:], 299_990, IDENTITY)


def test_one_byte_is_a_part(server: WebServer) -> None:
    assert fetch_range(server.url + "/file", 0, 1).content == CONTENT[:1]
    assert fetch_range(server.url + "/file", -1, 1).content == CONTENT[-1:]


@pytest.mark.parametrize("identity", [None, IDENTITY])
def test_a_part_behind_the_end_is_told(server: WebServer, identity: RemoteIdentity | None) -> None:
    error = fails(server.url + "/file", 300_000, 10, identity=identity)
    assert error.reason == "the file ends before the part that was asked for (it has 300.0 kB)"
    assert type(error) is DownloadError
    assert len(server.requests) == 1


def test_an_empty_file_has_no_parts(server: WebServer) -> None:
    server.resources["/empty"] = Resource(b"")
    for start in (0, -10):
        error = fails(server.url + "/empty", start, 10)
        assert error.reason == "the file ends before the part that was asked for (it has 0 bytes)"


@pytest.mark.skipif(os.name == "nt", reason="files with holes take their whole size there")
def test_places_beyond_4_gib_are_reached(tmp_path: Path) -> None:
    path = tmp_path / "large"
    start = 4 * 2**30 + 12_345
    with path.open("wb") as file:
        file.seek(start)
        file.write(CONTENT)
        file.truncate(5 * 2**30)
    with serve({"/large": path}) as server:
        piece = fetch_range(server.url + "/large", start, len(CONTENT))
        assert (piece.content, piece.offset) == (CONTENT, start)
        assert piece.identity == RemoteIdentity(5 * 2**30, None, None)
        end = fetch_range(server.url + "/large", -10, 10, identity=piece.identity)
        assert (end.content, end.offset) == (bytes(10), 5 * 2**30 - 10)


@pytest.mark.parametrize(
    ("start", "num_bytes"), [(0, 0), (0, -1), (0, 256 * 2**20 + 1), (-5, 4), (-5, 6)]
)
def test_spans_that_make_no_sense_are_refused(
    server: WebServer, start: int, num_bytes: int
) -> None:
    with pytest.raises(ValueError, match="bytes"):
        fetch_range(server.url + "/file", start, num_bytes)
    assert server.requests == []


def test_256_mib_are_not_too_many(server: WebServer) -> None:
    assert ranges.MAX_PIECE_BYTES == 256 * 2**20
    assert fetch_range(server.url + "/file", 0, 256 * 2**20).content == CONTENT


@pytest.mark.parametrize("framing", list(Framing))
def test_a_part_labelled_as_compressed_is_kept_as_it_is(
    server: WebServer, resource: Resource, framing: Framing
) -> None:
    resource.content = gzip.compress(CONTENT)
    resource.headers = {"Content-Encoding": "gzip"}
    resource.framing = framing
    piece = fetch_range(server.url + "/file", 0, 1000)
    assert piece.content == resource.content[:1000]
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_progress_counts_the_bytes_of_the_part(server: WebServer, resource: Resource) -> None:
    watcher = Watcher()
    resource.faults = [Fault(cut_after=50_000)]
    fetch_range(server.url + "/file", 1000, 200_000, progress=watcher)
    assert watcher.tasks == [(f"fetching a part of {server.url}/file", 200_000, "bytes")] * 2
    assert [sum(steps) for steps in watcher.steps] == [50_000, 200_000]
    assert watcher.steps[1][0] == 50_000
    fetch_range(server.url + "/file", 299_000, 5000, progress=watcher, description="looking")
    assert watcher.tasks[-1] == ("looking", 1000, "bytes")


def test_redirects_are_followed_with_the_range(server: WebServer) -> None:
    server.resources["/start"] = Resource(redirect="/file")
    assert fetch_range(server.url + "/start", 10, 20).content == CONTENT[10:30]
    assert asked(server) == ["bytes=10-29"] * 2


def test_a_password_in_the_address_is_used_and_never_shown(
    server: WebServer, resource: Resource
) -> None:
    resource.authorization = basic("me", "secret")
    url = server.url.replace("//", "//me:secret@") + "/file"
    watcher = Watcher()
    assert fetch_range(url, 10, 20, progress=watcher).content == CONTENT[10:30]
    assert "secret" not in watcher.tasks[0][0]
    with pytest.raises(DownloadError) as caught:
        fetch_range(url.replace("secret", "secret2"), 10, 20)
    assert str(caught.value) == (
        f"{server.url}/file cannot be downloaded: the server answered 401 Unauthorized."
    )


# --- the same file


@pytest.mark.parametrize(
    ("identity", "validator"),
    [
        (None, None),
        (IDENTITY, ETAG),
        (RemoteIdentity(len(CONTENT), None, LAST_MODIFIED), LAST_MODIFIED),
        (RemoteIdentity(len(CONTENT), None, None), None),
    ],
)
def test_the_server_is_told_which_file_it_must_be(
    server: WebServer, identity: RemoteIdentity | None, validator: str | None
) -> None:
    piece = fetch_range(server.url + "/file", 10, 20, identity=identity)
    assert piece == RemotePiece(CONTENT[10:30], 10, identity or IDENTITY)
    assert asked(server, "if-range") == [validator]


def test_a_weak_tag_identifies_nothing(server: WebServer, resource: Resource) -> None:
    resource.etag = 'W/"weak"'
    piece = fetch_range(server.url + "/file", 10, 20)
    assert piece.identity == RemoteIdentity(len(CONTENT), None, LAST_MODIFIED)


@pytest.mark.parametrize("honours_if_range", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"etag": '"second"'},
        {"etag": None, "last_modified": "Sun, 02 Jan 2022 00:00:00 GMT"},
        {"content": CONTENT + b"more", "etag": None, "last_modified": None},
        {"content": CONTENT[:20], "etag": '"second"'},
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_file_that_changed_is_told_and_not_read(
    server: WebServer, resource: Resource, honours_if_range: bool, changes: dict[str, object]
) -> None:
    resource.honours_if_range = honours_if_range
    resource.always = Fault(stall_after=0)
    for name, value in changes.items():
        setattr(resource, name, value)
    error = fails(server.url + "/file", 10, 20, identity=IDENTITY)
    assert type(error) is RemoteFileChangedError
    assert error.reason == "the file is not the one any more that parts were read of before"
    assert error.kind == "other"
    assert len(server.requests) == 1


def test_a_file_that_became_shorter_than_the_place_is_told(
    server: WebServer, resource: Resource
) -> None:
    resource.content = CONTENT[:1000]
    error = fails(server.url + "/file", 2000, 10, identity=RemoteIdentity(len(CONTENT), None, None))
    assert type(error) is RemoteFileChangedError


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_a_file_that_changes_between_two_attempts_is_told(
    server: WebServer, resource: Resource, honours_if_range: bool
) -> None:
    resource.honours_if_range = honours_if_range
    second = {"ETag": '"second"'}
    resource.faults = [Fault(cut_after=50_000), Fault(content=OTHER_CONTENT, headers=second)]
    error = fails(server.url + "/file", 1000, 200_000)
    assert type(error) is RemoteFileChangedError


def test_pieces_of_one_file_fit_together(server: WebServer) -> None:
    end = fetch_range(server.url + "/file", -100_000, 100_000)
    start = fetch_range(server.url + "/file", 0, end.offset, identity=end.identity)
    assert start.content + end.content == CONTENT


# --- servers that can't, or answer something else


@pytest.mark.parametrize("identity", [None, IDENTITY, RemoteIdentity(len(CONTENT), None, None)])
@pytest.mark.usefixtures("impatient")
def test_a_server_without_ranges_is_told_and_the_file_is_not_read(
    server: WebServer, resource: Resource, identity: RemoteIdentity | None
) -> None:
    resource.has_ranges = False
    resource.always = Fault(stall_after=10)
    error = fails(server.url + "/file", 0, 300_000, identity=identity)
    assert type(error) is DownloadError
    assert error.reason == "the server cannot send parts of a file"
    assert error.kind == "other"
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "kind"), [(404, "missing"), (410, "missing"), (403, "other")])
def test_a_refusal_is_told(server: WebServer, resource: Resource, status: int, kind: str) -> None:
    resource.always = status
    error = fails(server.url + "/file", 0, 10)
    assert error.reason.startswith(f"the server answered {status} ")
    assert error.kind == kind
    assert len(server.requests) == 1


def test_another_part_than_the_one_asked_for_is_told(server: WebServer, resource: Resource) -> None:
    resource.always = Fault(wrong_range=True)
    reason = "the server sent another part than the one that was asked for"
    assert fails(server.url + "/file", 10, 20).reason == reason
    assert fails(server.url + "/file", -20, 20).reason == reason
    resource.always = Fault(headers={"Content-Range": "bytes 10-30/300000"})  # one byte more
    assert fails(server.url + "/file", 10, 20).reason == reason
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "header", ["bytes 10-29/*", "10-29", "bytes 10-29/25", "bytes 29-10/300000", "bytes 10-29/9e9"]
)
def test_a_part_that_the_server_does_not_describe_is_told(
    server: WebServer, resource: Resource, header: str
) -> None:
    resource.always = Fault(headers={"Content-Range": header})
    reason = fails(server.url + "/file", 10, 20).reason
    assert reason == "the server does not say which part of the file it sends"


def test_a_size_that_is_known_need_not_be_said(server: WebServer, resource: Resource) -> None:
    resource.always = Fault(headers={"Content-Range": "bytes 10-29/*"})
    piece = fetch_range(server.url + "/file", 10, 20, identity=IDENTITY)
    assert piece == RemotePiece(CONTENT[10:30], 10, IDENTITY)


def test_more_than_was_announced_is_asked_for_again(server: WebServer, resource: Resource) -> None:
    resource.faults = [
        Fault(cut_after=100),
        Fault(headers={"Content-Range": "bytes 110-119/300000"}),
    ]
    assert fetch_range(server.url + "/file", 10, 1000).content == CONTENT[10:1010]
    assert asked(server) == ["bytes=10-1009", "bytes=110-1009", "bytes=110-1009"]


def test_offline_opens_no_socket(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_OFFLINE", "1")
    with open_connection() as connection:
        error = fails(server.url + "/file", 0, 10, connection=connection)
    assert error.reason == "offline: I3D_OFFLINE is set"
    assert error.kind == "unreachable"
    assert error.hint
    assert server.requests == []


def test_what_is_no_web_address_is_told() -> None:
    assert "only http:// and https://" in fails("ftp://example.org/file", 0, 10).reason


# --- attempts


@pytest.mark.parametrize("fault", [Fault(cut_after=50_000), Fault(reset_after=50_000), 503])
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_a_broken_connection_is_taken_up_again_inside_the_part(
    server: WebServer, resource: Resource, fault: Fault | int, framing: Framing
) -> None:
    resource.framing = framing
    resource.faults = [Fault(cut_after=20_000), fault]
    piece = fetch_range(server.url + "/file", 1000, 200_000)
    assert piece == RemotePiece(CONTENT[1000:201_000], 1000, IDENTITY)
    first, second, third = asked(server)
    assert (first, second) == ("bytes=1000-200999", "bytes=21000-200999")
    if fault == Fault(cut_after=50_000):
        assert third == "bytes=71000-200999"
    assert asked(server, "if-range") == [None, ETAG, ETAG]


def test_a_broken_connection_is_taken_up_again_inside_the_end(
    server: WebServer, resource: Resource
) -> None:
    resource.faults = [Fault(cut_after=20_000)]
    piece = fetch_range(server.url + "/file", -100_000, 100_000)
    assert piece == RemotePiece(CONTENT[-100_000:], 200_000, IDENTITY)
    assert asked(server) == ["bytes=-100000", "bytes=220000-299999"]


def test_a_file_that_nothing_identifies_is_taken_up_again_by_its_size(
    server: WebServer, resource: Resource
) -> None:
    resource.etag = resource.last_modified = None
    resource.faults = [Fault(cut_after=20_000)]
    assert fetch_range(server.url + "/file", 0, 100_000).content == CONTENT[:100_000]
    resource.faults = [Fault(cut_after=20_000), Fault(content=OTHER_CONTENT[:200_000])]
    assert type(fails(server.url + "/file", 0, 100_000)) is RemoteFileChangedError


def test_a_server_that_sends_less_than_was_asked_for_is_asked_for_the_rest(
    server: WebServer, resource: Resource
) -> None:
    resource.faults = [Fault(max_range=90_000)] * 2
    assert fetch_range(server.url + "/file", 0, 200_000).content == CONTENT[:200_000]
    assert asked(server) == ["bytes=0-199999", "bytes=90000-199999", "bytes=180000-199999"]


def test_a_connection_that_always_breaks_is_given_up(server: WebServer, resource: Resource) -> None:
    resource.always = Fault(cut_after=10)
    reason = fails(server.url + "/file", 0, 100_000).reason
    assert reason == "the connection was closed after 50 bytes of 100.0 kB (tried 5 times)"
    assert len(server.requests) == 5


def test_waits_between_attempts_are_those_of_downloads(
    server: WebServer, resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", (0.5, 1.0, 2.0, 4.0))
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
    resource.always = 503
    assert "tried 5 times" in fails(server.url + "/file", 0, 10).reason
    resource.always = None
    resource.faults = [Fault(status=429, headers={"Retry-After": "7"})]
    fetch_range(server.url + "/file", 0, 10)
    assert waits == [0.5, 1, 2, 4, 7]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("num_bytes", [-1, 50_000])
def test_a_server_that_falls_silent_is_asked_once_more(
    server: WebServer, resource: Resource, num_bytes: int
) -> None:
    resource.faults = [Fault(stall_after=num_bytes)]
    assert fetch_range(server.url + "/file", 0, 100_000).content == CONTENT[:100_000]
    assert asked(server) == ["bytes=0-99999", f"bytes={max(0, num_bytes)}-99999"]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_silent_again_is_given_up(server: WebServer, resource: Resource) -> None:
    resource.always = Fault(stall_after=10)
    error = fails(server.url + "/file", 0, 100_000)
    assert error.reason == "the server sent nothing for 0.3 seconds (tried 2 times)"
    assert error.kind == "silent"


# --- one connection


def test_parts_and_whole_files_come_over_one_connection(
    server: WebServer, resource: Resource, tmp_path: Path
) -> None:
    server.resources["/small"] = Resource(OTHER_CONTENT)
    with open_connection() as connection:
        for start in (0, 100_000, -1000):
            fetch_range(server.url + "/file", start, 1000, connection=connection)
        download(server.url + "/small", tmp_path / "file", connection=connection)
        fetch_range(server.url + "/file", 0, 1000, connection=connection)
    assert server.num_connections == 1
    fetch_range(server.url + "/file", 0, 1000)
    assert server.num_connections == 2


@pytest.mark.parametrize("framing", list(Framing))
def test_a_file_that_was_not_read_does_not_get_into_the_next_part(
    server: WebServer, resource: Resource, framing: Framing
) -> None:
    server.resources["/whole"] = Resource(OTHER_CONTENT, has_ranges=False, framing=framing)
    with open_connection() as connection:
        for _ in range(2):
            fails(server.url + "/whole", 0, 1000, connection=connection)
            piece = fetch_range(server.url + "/file", 5, 1000, connection=connection)
            assert piece.content == CONTENT[5:1005]
