"""Downloads against real servers on this machine, good and bad ones."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest
import trustme

from i3d import __version__
from i3d.errors import CacheError, DownloadError, UsageError
from i3d.files import session
from i3d.files.addresses import is_offline, patience_seconds, place, shown
from i3d.files.download import Download, download, reach

from conftest import SOURCE
from web_server import (
    Certificate,
    Fault,
    Framing,
    Resource,
    WebServer,
    basic,
    serve,
    serve_proxy,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = os.urandom(300_000)
OTHER_CONTENT = os.urandom(300_000)
ETAG = '"first"'
BUNDLE_VARIABLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
LAST_MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1_of(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture(autouse=True)
def _short_waits_and_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BUNDLE_VARIABLES, "SSL_CERT_DIR", "NO_PROXY", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "BACKOFF_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serve({"/file": Resource(CONTENT, etag=ETAG)}) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.4")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


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


def fails(url: str, target: Path, **options: object) -> DownloadError:
    """Download what cannot be; return the error, having seen that nothing stays."""
    with pytest.raises(DownloadError) as caught:
        download(url, target, **options)
    error = caught.value
    assert not target.exists()
    assert error.clause == error.reason
    assert str(error).endswith(f" cannot be downloaded: {error.reason}.")
    return error


def left_over(target: Path) -> list[str]:
    """Names of all files beside the target."""
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def ranges(server: WebServer) -> list[str | None]:
    return [request.headers.get("range") for request in server.requests]


def leave_partial(
    server: WebServer, target: Path, *, num_bytes: int = 100_000, **options: object
) -> None:
    """Do what a killed run does: leave the first bytes of /file, fetched from the real server."""
    resource = server.resources["/file"]
    resource.faults = [Fault(cut_after=num_bytes), 404]
    with pytest.raises(DownloadError, match="404"):
        download(server.url + "/file", target, **options)
    server.requests.clear()


# --- the plain case


def test_a_file_arrives_whole_and_is_described(server: WebServer, target: Path) -> None:
    result = download(server.url + "/file", target)
    assert result == Download(target, server.url + "/file", len(CONTENT), sha256_of(CONTENT))
    assert target.read_bytes() == CONTENT
    assert left_over(target) == []


def test_an_empty_file_arrives(server: WebServer, target: Path) -> None:
    server.resources["/empty"] = Resource(b"")
    assert download(server.url + "/empty", target).num_bytes == 0
    assert target.read_bytes() == b""


def test_the_request_says_who_asks_and_wants_the_bytes_as_they_are(
    server: WebServer, target: Path
) -> None:
    download(server.url + "/file", target, headers={"X-Wish": "please"})
    headers = server.requests[0].headers
    assert headers["user-agent"] == f"i3d/{__version__}"
    assert headers["accept-encoding"] == "identity"
    assert headers["x-wish"] == "please"
    assert "authorization" not in headers


@pytest.mark.parametrize("framing", list(Framing))
def test_every_kind_of_body_arrives(server: WebServer, target: Path, framing: Framing) -> None:
    server.resources["/file"].framing = framing
    assert download(server.url + "/file", target).num_bytes == len(CONTENT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("framing", list(Framing))
def test_a_body_labelled_as_compressed_is_kept_as_it_is(
    server: WebServer, target: Path, framing: Framing
) -> None:
    archive = gzip.compress(CONTENT)
    server.resources["/a.tar.gz"] = Resource(
        archive, headers={"Content-Encoding": "gzip"}, framing=framing
    )
    download(server.url + "/a.tar.gz", target, sha256=sha256_of(archive))
    assert target.read_bytes() == archive


def test_an_older_file_is_replaced_only_by_a_whole_one(server: WebServer, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"older")
    with pytest.raises(DownloadError):
        download(server.url + "/missing", target)
    assert target.read_bytes() == b"older"
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_the_file_gets_the_permissions_of_files_made_here(server: WebServer, target: Path) -> None:
    before = os.umask(0o027)
    try:
        download(server.url + "/file", target)
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640


def test_progress_counts_bytes(server: WebServer, target: Path) -> None:
    watcher = Watcher()
    download(server.url + "/file", target, description="fetching a model", progress=watcher)
    assert watcher.tasks == [("fetching a model", len(CONTENT), "bytes")]
    assert sum(watcher.steps[0]) == len(CONTENT)


def test_progress_without_a_known_size_has_no_total(server: WebServer, target: Path) -> None:
    server.resources["/file"].framing = Framing.CHUNKED
    watcher = Watcher()
    download(server.url + "/file", target, progress=watcher)
    assert watcher.tasks == [(f"fetching {server.url}/file", None, "bytes")]


def test_importing_the_module_is_cheap() -> None:
    program = (
        "import sys, i3d.files.download; "
        "assert not {'requests', 'urllib3', 'truststore', 'filelock', 'ssl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=SOURCE)


# --- settings


@pytest.mark.parametrize("value", ["1", "yes"])
def test_offline_opens_no_socket(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("I3D_OFFLINE", value)
    assert is_offline()
    error = fails(server.url + "/file", target)
    assert error.reason == "offline: I3D_OFFLINE is set"
    assert error.hint
    with pytest.raises(DownloadError, match="offline"):
        reach(server.url + "/file")
    assert server.requests == []
    assert not target.parent.exists()


@pytest.mark.parametrize(("value", "seconds"), [("", 30), ("5", 5), ("0.5", 0.5), ("86400", 86400)])
def test_the_patience_can_be_set(
    monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", value)
    assert patience_seconds() == seconds
    monkeypatch.delenv("I3D_TIMEOUT")
    assert patience_seconds() == 30


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "1e12"])
def test_a_patience_that_makes_no_sense_is_refused(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", value)
    with pytest.raises(UsageError, match="I3D_TIMEOUT") as caught:
        download(server.url + "/file", target)
    assert value in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host/file", "only http:// and https:// addresses can be downloaded"),
        ("file:///etc/passwd", "only http:// and https:// addresses can be downloaded"),
        ("model", "only http:// and https:// addresses can be downloaded"),
        ("http://", "it is not a web address"),
        ("http:///path", "it is not a web address"),
        ("http://[::1/file", "it is not a web address"),
        ("http://host:port/file", "it is not a web address"),
        ("http://a..b/file", "it is not a web address"),
        (f"http://{'a' * 70}.example/file", "it is not a web address"),
    ],
)
def test_what_is_no_web_address_is_told(target: Path, url: str, reason: str) -> None:
    assert fails(url, target).reason == reason


# --- digests and sizes


def test_the_right_digests_pass(server: WebServer, target: Path) -> None:
    url = server.url + "/file"
    download(url, target, git_sha1=git_sha1_of(CONTENT), sha256=sha256_of(CONTENT).upper())
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"git_sha1": git_sha1_of(b"other")}, "git blob id"),
        ({"sha256": sha256_of(b"other")}, "SHA-256"),
        ({"git_sha1": git_sha1_of(CONTENT), "sha256": sha256_of(b"other")}, "SHA-256"),
    ],
)
def test_a_wrong_digest_is_told_and_not_tried_again(
    server: WebServer, target: Path, options: dict[str, str], name: str
) -> None:
    error = fails(server.url + "/file", target, **options)
    digests = {"git blob id": git_sha1_of, "SHA-256": sha256_of}
    came, wanted = (digests[name](content)[:8] for content in (CONTENT, b"other"))
    assert error.reason == (
        f"what came is not the expected file ({name} {came}..., expected {wanted}...)"
    )
    assert len(server.requests) == 1
    assert left_over(target) == []


def test_half_a_file_with_a_length_that_agrees_is_found_out(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"].always = Fault(content=CONTENT[: len(CONTENT) // 2])
    error = fails(server.url + "/file", target, sha256=sha256_of(CONTENT))
    assert "not the expected file" in error.reason


@pytest.mark.parametrize("framing", list(Framing))
def test_a_file_that_is_too_large_is_given_up(
    server: WebServer, target: Path, framing: Framing
) -> None:
    content = CONTENT * 10
    server.resources["/file"] = Resource(content, framing=framing)
    watcher = Watcher()
    error = fails(server.url + "/file", target, max_bytes=300_000, progress=watcher)
    # Where the server says how large it is, not a byte is fetched.
    assert (watcher.tasks == []) == (framing is Framing.LENGTH)
    assert sum(map(sum, watcher.steps)) < 1_000_000, "no more than is needed to see it"
    assert error.reason == "the file is larger than 300.0 kB"
    assert len(server.requests) == 1
    assert left_over(target) == []
    download(server.url + "/file", target, max_bytes=len(content))


# --- answers that are no file


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (206, "206 Partial Content"),
        (302, "302 Found"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (599, "599"),
    ],
)
def test_an_answer_that_will_stay_the_same_is_not_asked_for_again(
    server: WebServer, target: Path, status: int, text: str | None
) -> None:
    server.resources["/file"].always = status
    error = fails(server.url + "/file", target)
    assert error.reason.startswith(f"the server answered {text or status}")
    assert len(server.requests) == 1
    assert left_over(target) == []


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_that_may_change_is_asked_for_again(
    server: WebServer, target: Path, status: int
) -> None:
    server.resources["/file"].faults = [status] * 4
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 5


def test_five_attempts_are_enough(server: WebServer, target: Path) -> None:
    server.resources["/file"].faults = [503] * 5
    error = fails(server.url + "/file", target)
    assert error.reason == "the server answered 503 Service Unavailable (tried 5 times)"
    assert len(server.requests) == 5


def test_waits_between_attempts_become_longer(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.resources["/file"].faults = [503] * 4
    download(server.url + "/file", target)
    assert waits == [1, 2, 4]  # the first wait is 0
    server.resources["/file"].faults = [Fault(cut_after=2)] * 3
    download(server.url + "/file", target)
    assert waits[3:] == [0.5, 1]


def test_a_server_that_asks_for_a_pause_gets_it(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    moment = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    server.resources["/file"].faults = [
        Fault(status=503, headers={"Retry-After": value}) for value in ("7", moment, "presently")
    ]
    download(server.url + "/file", target)
    assert waits[0] == 7
    assert 20 < waits[1] <= 40
    assert len(waits) == 2


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    server.resources["/file"].always = Fault(status=429, headers={"Retry-After": "3600"})
    error = fails(server.url + "/file", target)
    assert error.reason == (
        "the server answered 429 Too Many Requests and asks to come back in 3600 seconds"
    )
    assert error.hint == "Try again later."
    assert len(server.requests) == 1


# --- redirects


@pytest.mark.parametrize("status", [302, 308])
def test_redirects_are_followed(server: WebServer, target: Path, status: int) -> None:
    server.resources["/old"] = Resource(redirect="new?key=1#part", redirect_status=status)
    server.resources["/new"] = Resource(redirect=f"{server.url}/file", redirect_status=status)
    result = download(server.url + "/old", target)
    assert result.url == server.url + "/file"
    assert [request.path for request in server.requests] == ["/old", "/new?key=1", "/file"]
    assert target.read_bytes() == CONTENT


def test_ten_redirects_are_followed_and_eleven_are_not(server: WebServer, target: Path) -> None:
    for number in range(11):
        server.resources[f"/{number}"] = Resource(redirect=f"/{number + 1}")
    server.resources["/11"] = Resource(CONTENT)
    assert fails(server.url + "/0", target).reason == "the server redirects more than 10 times"
    download(server.url + "/1", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://host/file", "the server redirects to ftp://host/file, which is not a web address"),
        ("file:///etc/passwd", "the server redirects to file:///etc/passwd, which is not"),
    ],
)
def test_redirects_to_elsewhere_are_refused(
    server: WebServer, target: Path, location: str, reason: str
) -> None:
    server.resources["/old"] = Resource(redirect=location)
    assert fails(server.url + "/old", target).reason.startswith(reason)
    assert len(server.requests) == 1


# --- passwords


@pytest.mark.parametrize("auth", [("jürgen", "p:w"), "a-token"])
def test_a_password_or_token_is_sent(
    server: WebServer, target: Path, auth: tuple[str, str] | str
) -> None:
    expected = basic(*auth) if isinstance(auth, tuple) else f"Bearer {auth}"
    server.resources["/file"].authorization = expected
    assert fails(server.url + "/file", target).reason == "the server answered 401 Unauthorized"
    download(server.url + "/file", target, auth=auth)
    assert target.read_bytes() == CONTENT


def test_a_password_in_the_address_is_used_and_never_shown(server: WebServer, target: Path) -> None:
    server.resources["/file"].authorization = basic("me", "se cret")
    url = server.url.replace("//", "//me:se%20cret@")
    watcher = Watcher()
    result = download(url + "/file", target, progress=watcher)
    target.unlink()
    error = fails(url + "/missing", target)
    for text in (result.url, str(error), watcher.tasks[0][0]):
        assert "me:" not in text
        assert "cret" not in text
        assert server.url in text


@pytest.mark.parametrize(
    ("url", "text", "host"),
    [
        ("https://user:pass@host:81/x", "https://host:81/x", "host:81"),
        ("https://user:p@ss@host/x", "https://host/x", "host"),
        ("https://user:pa/ss@host/x", "https://host/x", "host"),
        ("https://user:pa?ss@host/x", "https://host/x", "host"),
        ("https://user:pa#s@s@host/x", "https://host/x", "host"),
        ("http://user:pass@[::1]:81/x", "http://[::1]:81/x", "[::1]:81"),
        # What looks alike and is no password.
        ("https://host:81/@scope/x", "https://host:81/@scope/x", "host:81"),
        ("https://host/x?mail=a@b", "https://host/x?mail=a@b", "host"),
        ("https://user:pass@host/@scope/x", "https://host/@scope/x", "host"),
        ("http://[::1]/a@b", "http://[::1]/a@b", "[::1]"),
        ("http://[bad", "http://[bad", "[bad"),
        ("folder/a@b", "folder/a@b", "folder/a@b"),
    ],
)
def test_addresses_are_shown_without_user_and_password(url: str, text: str, host: str) -> None:
    assert shown(url) == text
    assert place(url) == host


def test_a_slash_in_a_password_is_told_of_without_the_password(target: Path) -> None:
    error = fails("http://user:pa/ss@127.0.0.1:9/x", target)
    assert str(error) == "http://127.0.0.1:9/x cannot be downloaded: it is not a web address."
    assert error.hint == "In a user name or password write / as %2F and @ as %40."


def test_a_token_that_cannot_be_sent_is_not_shown(server: WebServer, target: Path) -> None:
    for token in ("secret\n", "sécret"):
        error = fails(server.url + "/file", target, auth=token)
        assert error.reason == "the key for it holds a character that cannot be sent"


def test_a_password_stays_with_its_host(server: WebServer, target: Path) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.resources["/start"] = Resource(redirect="/here")
    server.resources["/here"] = Resource(redirect=f"{elsewhere}/there")
    server.resources["/there"] = Resource(redirect=f"{server.url}/file")
    secrets = {"Authorization": "Bearer x", "Cookie": "y", "X-Wish": "please"}
    for options in ({"auth": ("user", "key")}, {"headers": secrets}):
        server.requests.clear()
        download(server.url + "/start", target, **options)
        sent = {request.path: set(request.headers) for request in server.requests}
        for path in ("/start", "/here"):
            assert "authorization" in sent[path]
        for path in ("/there", "/file"):
            assert not {"authorization", "cookie"} & sent[path]
            assert ("x-wish" in sent[path]) == ("headers" in options)


def test_a_password_stays_with_its_port(server: WebServer, target: Path) -> None:
    with serve({"/file": CONTENT}) as other:
        server.resources["/start"] = Resource(redirect=f"{other.url}/file")
        download(server.url + "/start", target, auth="token")
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers


def test_the_users_password_file_is_used_where_no_key_is_given(
    server: WebServer, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    download(server.url + "/file", target, auth="token")
    assert server.requests[0].headers["authorization"] == "Bearer token"
    download(server.url + "/file", target)
    assert server.requests[1].headers["authorization"] == basic("me", "secret")


# --- broken connections


@pytest.mark.parametrize(
    "fault",
    [Fault(cut_after=100_000), Fault(reset_after=100_000), Fault(drop=True)],
    ids=["cut", "reset", "dropped"],
)
def test_a_broken_connection_is_taken_up_again(
    server: WebServer, target: Path, fault: Fault
) -> None:
    server.resources["/file"].faults = [fault, fault]
    download(server.url + "/file", target, sha256=sha256_of(CONTENT))
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 3
    assert left_over(target) == []


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_connection_that_always_breaks_is_given_up(
    server: WebServer, target: Path, has_ranges: bool
) -> None:
    server.resources["/file"].has_ranges = has_ranges
    server.resources["/file"].always = Fault(cut_after=25_000)
    error = fails(server.url + "/file", target)
    got = 5 * 25 if has_ranges else 25
    assert error.reason == (
        f"the connection was closed after {got}.0 kB of 300.0 kB (tried 5 times)"
    )
    assert len(server.requests) == 9  # once, and four times for the size and the rest


def test_no_answer_at_all_is_told(server: WebServer, target: Path) -> None:
    server.resources["/file"].always = Fault(drop=True)
    reason = fails(server.url + "/file", target).reason
    assert reason == "the server closed the connection without an answer"
    assert len(server.requests) == 5
    assert left_over(target) == []


def test_a_megabyte_gives_new_attempts(server: WebServer, target: Path) -> None:
    content = os.urandom(8 * 2**20)
    whole = Fault()
    faults = [Fault(cut_after=2**20), *[whole, Fault(cut_after=2**20)] * 6]
    server.resources["/file"] = Resource(content, faults=faults, etag=ETAG)
    download(server.url + "/file", target)
    assert target.read_bytes() == content
    assert ranges(server)[-1] == f"bytes={7 * 2**20}-"


def test_the_same_megabyte_again_gives_no_new_attempts(server: WebServer, target: Path) -> None:
    content = bytes(3 * 2**20)
    server.resources["/file"] = Resource(
        content, faults=[Fault(cut_after=2 * 2**20)] * 12, has_ranges=False
    )
    assert "(tried " in fails(server.url + "/file", target).reason
    assert len(server.requests) <= 12


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("num_bytes", [-1, 0, 100_000])
def test_a_server_that_falls_silent_is_asked_once_more(
    server: WebServer, target: Path, num_bytes: int
) -> None:
    server.resources["/file"].faults = [Fault(stall_after=num_bytes)]
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) <= 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("num_bytes", [-1, 0, 100_000])
def test_a_server_that_is_silent_again_is_given_up(
    server: WebServer, target: Path, num_bytes: int
) -> None:
    server.resources["/file"].always = Fault(stall_after=num_bytes)
    error = fails(server.url + "/file", target)
    assert error.reason.startswith("the server sent nothing for 0.4 seconds")
    assert error.kind == "silent"
    assert "I3D_TIMEOUT" in (error.hint or "")
    assert len(server.requests) <= 3


@pytest.mark.usefixtures("impatient")
def test_a_slow_server_that_keeps_sending_is_waited_for(server: WebServer, target: Path) -> None:
    pieces = Fault(piece_bytes=10_000, piece_seconds=0.03)  # takes twice the patience
    server.resources["/file"].always = pieces
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.usefixtures("impatient")
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"].always = Fault(piece_bytes=1, piece_seconds=0.03)
    error = fails(server.url + "/file", target)
    assert error.reason.startswith("the server sent only ")
    assert error.kind == "silent"


def test_a_refused_connection_is_not_tried_again(target: Path) -> None:
    with serve() as server:
        url = server.url
    error = fails(url + "/file", target)
    assert error.reason == f"{url.removeprefix('http://')} refuses the connection"
    assert error.hint


def test_a_host_that_does_not_exist_is_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    error = fails("http://models.example/file", target)
    assert error.reason == "the name models.example cannot be found (no network?)"
    assert error.hint
    assert waits == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse instead of being silent")
@pytest.mark.usefixtures("impatient")
def test_a_host_that_does_not_answer_is_told(target: Path) -> None:
    with socket.socket() as full:  # accepts nobody: its queue is full from the start
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        error = fails(f"http://127.0.0.1:{port}/file", target)
        for client in waiting:
            client.close()
    assert error.reason == f"127.0.0.1:{port} does not answer (waited 0.4 seconds)"


def test_what_is_no_web_server_is_told(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def greet() -> None:
            for _ in range(5):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert fails(f"http://127.0.0.1:{port}/", target).reason == (
            f"127.0.0.1:{port} does not speak HTTP"
        )
        thread.join()


# --- continuing what an earlier run left


def test_the_next_run_continues(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    assert len(left_over(target)) == 1
    watcher = Watcher()
    download(server.url + "/file", target, progress=watcher)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert server.requests[1].headers["if-range"] == ETAG
    assert watcher.tasks[0][1] == len(CONTENT)
    assert watcher.steps[0][0] == 100_000
    assert sum(watcher.steps[0]) == len(CONTENT)
    assert left_over(target) == []


def test_the_date_of_the_last_change_serves_as_well(server: WebServer, target: Path) -> None:
    server.resources["/file"] = Resource(CONTENT, etag='W/"weak"', last_modified=LAST_MODIFIED)
    leave_partial(server, target)
    download(server.url + "/file", target)
    assert ranges(server) == [None, "bytes=100000-"]
    assert server.requests[1].headers["if-range"] == LAST_MODIFIED


def test_a_partial_file_may_be_kept_elsewhere(
    server: WebServer, target: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept" / "here"
    leave_partial(server, target, partial_dir=kept)
    assert not target.parent.exists()
    download(server.url + "/file", target, partial_dir=kept)
    assert ranges(server) == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT
    assert list(kept.iterdir()) == []


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/file"] = Resource(OTHER_CONTENT, etag='"second"')
    watcher = Watcher()
    download(server.url + "/file", target, progress=watcher)
    assert target.read_bytes() == OTHER_CONTENT
    assert len(server.requests) == 1
    assert sum(watcher.steps[0]) == len(OTHER_CONTENT)


def test_a_server_that_sends_another_range_is_found_out(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/file"].always = Fault(wrong_range=True)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server)[-1] is None


def test_a_server_without_ranges_starts_again(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/file"].has_ranges = False
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


def test_a_partial_file_that_nothing_identifies_is_not_continued(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"] = Resource(CONTENT)
    leave_partial(server, target)
    assert left_over(target) == []
    download(server.url + "/file", target)
    assert ranges(server) == [None]


def test_a_digest_identifies_a_partial_file(server: WebServer, target: Path) -> None:
    server.resources["/file"] = Resource(CONTENT)
    leave_partial(server, target, sha256=sha256_of(CONTENT))
    download(server.url + "/file", target, sha256=sha256_of(CONTENT))
    assert ranges(server) == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_pieces_of_two_versions_are_fetched_again_from_the_start(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"] = Resource(CONTENT)
    leave_partial(server, target, sha256=sha256_of(OTHER_CONTENT))
    server.resources["/file"] = Resource(OTHER_CONTENT)
    download(server.url + "/file", target, sha256=sha256_of(OTHER_CONTENT))
    assert ranges(server) == [None, "bytes=100000-", None]
    assert target.read_bytes() == OTHER_CONTENT


def test_a_file_that_was_all_there_but_its_name_is_finished(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    (part,) = target.parent.glob("*.part")
    part.write_bytes(CONTENT)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None]
    assert left_over(target) == []


def test_other_addresses_have_other_partial_files(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/other"] = Resource(OTHER_CONTENT, etag=ETAG)
    download(server.url + "/other", target)
    assert target.read_bytes() == OTHER_CONTENT
    assert ranges(server) == [None]


def test_partial_files_that_nobody_continued_for_a_week_are_removed(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    (target.parent / ".i3d-0123.lock").touch()
    (target.parent / ".i3d-0123-abc.part").touch()
    (target.parent / "mine.part").touch()
    download(server.url + "/file", target.parent / "another")
    assert len(left_over(target)) == 3 + 1
    leave_partial(server, target)
    for path in target.parent.iterdir():
        os.utime(path, (time.time() - 8 * 86_400,) * 2)
    server.resources["/other"] = Resource(OTHER_CONTENT)
    download(server.url + "/other", target)
    assert left_over(target) == ["another", "mine.part"]


# --- several processes


PROGRAM = """
import signal
import sys
from pathlib import Path
from i3d.files.download import download
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
download(sys.argv[1], Path(sys.argv[2]))
"""


@contextmanager
def child_with_half_a_file(server: WebServer, target: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is downloading /file and has got the first 200000 bytes."""
    server.resources["/file"].faults = [Fault(stall_after=200_000)]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url + "/file", str(target)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(1000):
            parts = list(target.parent.glob("*.part"))
            if parts and parts[0].stat().st_size > 190_000:
                break
            assert child.poll() is None
            time.sleep(0.02)
        else:
            pytest.fail("the child got nothing")
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stderr is not None
        child.stderr.close()


def test_a_killed_run_is_continued_by_the_next(server: WebServer, target: Path) -> None:
    with child_with_half_a_file(server, target) as child:
        child.kill()
        child.wait()
        assert not target.exists()
        server.requests.clear()
        download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    _, asked = ranges(server)
    assert asked is not None
    assert int(asked.removeprefix("bytes=").removesuffix("-")) > 190_000
    assert left_over(target) == []


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent in another way there")
def test_an_interrupted_run_is_continued_by_the_next(server: WebServer, target: Path) -> None:
    with child_with_half_a_file(server, target) as child:
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        errors = child.stderr.read()
        child.wait()
        assert b"KeyboardInterrupt" in errors
        assert child.returncode != 0
        assert not target.exists()
        server.requests.clear()
        download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=200000-"]
    assert left_over(target) == []


def test_two_processes_do_not_wait_for_each_other(server: WebServer, target: Path) -> None:
    with child_with_half_a_file(server, target) as child:
        server.requests.clear()
        download(server.url + "/file", target)
        assert ranges(server) == [None]
        assert target.read_bytes() == CONTENT
        assert child.poll() is None
        # Its own file is untouched, and a third run can continue it when it is gone.
        child.kill()
        child.wait()
        server.requests.clear()
        download(server.url + "/file", target)
    assert ranges(server) != [None]
    assert target.read_bytes() == CONTENT
    assert left_over(target) == []


def test_many_at_once_all_get_the_file(server: WebServer, target: Path) -> None:
    server.resources["/file"].faults = [Fault(cut_after=1000 * number) for number in range(8)]
    results: list[Download] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(download(server.url + "/file", target)), daemon=True
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {result.sha256 for result in results} == {sha256_of(CONTENT)}
    assert len(results) == 8
    assert target.read_bytes() == CONTENT
    assert left_over(target) == []


@pytest.mark.parametrize("problem", [NotImplementedError("no flock"), OSError(errno.ENOLCK, "no")])
def test_a_drive_without_locks_will_do(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    server.resources["/file"].faults = [Fault(cut_after=1000)]
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, None, "bytes=1000-"]
    assert left_over(target) == []


# --- disks


class FullDisk:
    """A file on a disk that has room for some bytes only."""

    def __init__(self, file: object, room: int, code: int) -> None:
        self._file = file
        self._room = room
        self._code = code

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(self._code, os.strerror(self._code))
        return self._file.write(data)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("code", [errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)])
def test_a_disk_that_becomes_full_is_told_and_left_clean(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    open_really = Path.open

    def open_on_a_full_disk(path: Path, mode: str = "r", **options: object) -> object:
        file = open_really(path, mode, **options)
        return FullDisk(file, 100_000, code) if path.suffix == ".part" else file

    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    with pytest.raises(CacheError, match="is full") as caught:
        download(server.url + "/file", target)
    assert str(target.parent) in str(caught.value)
    assert "I3D_CACHE_DIR" in (caught.value.hint or "")
    assert len(server.requests) == 1
    assert left_over(target) == []
    assert not target.exists()


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be moved from one folder to another, as between filesystems."""
    replace_really = Path.replace

    def replace_on_one_disk(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace_really(path, target)

    monkeypatch.setattr(Path, "replace", replace_on_one_disk)


@pytest.mark.usefixtures("two_disks")
def test_an_unfinished_file_may_be_on_another_disk_than_the_finished_one(
    server: WebServer, target: Path, tmp_path: Path
) -> None:
    partial_dir = tmp_path / "elsewhere"
    leave_partial(server, target, partial_dir=partial_dir)
    target.parent.mkdir()
    target.write_bytes(b"older")
    result = download(server.url + "/file", target, partial_dir=partial_dir)
    assert result == Download(target, server.url + "/file", len(CONTENT), sha256_of(CONTENT))
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert left_over(target) == []
    assert list(partial_dir.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    with pytest.raises(CacheError, match="cannot be written") as caught:
        download(server.url + "/file", folder / "target")
    assert str(folder) in str(caught.value)
    assert caught.value.hint == "Choose another one in I3D_CACHE_DIR."
    assert server.requests == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(server: WebServer, target: Path) -> None:
    target.parent.mkdir(mode=0o555)
    with pytest.raises(CacheError, match="Permission denied") as caught:
        download(server.url + "/file", target)
    assert str(target.parent) in str(caught.value)


def test_a_target_that_is_a_folder_is_told(server: WebServer, target: Path) -> None:
    (target / "full").mkdir(parents=True)
    with pytest.raises(CacheError, match="cannot be written"):
        download(server.url + "/file", target)
    assert left_over(target) == []


# --- HTTPS


@pytest.mark.parametrize("variable", BUNDLE_VARIABLES)
def test_a_certificate_that_the_user_names_is_trusted(
    authority: trustme.CA,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    with serve({"/file": CONTENT}, tls=tls_context(authority)) as server:
        error = fails(server.url + "/file", target)
        place = server.url.removeprefix("https://")
        assert error.reason.startswith(
            f"the certificate of {place} is signed by somebody that this machine does not trust"
        )
        assert "REQUESTS_CA_BUNDLE" in (error.hint or "")
        assert server.requests == []
        monkeypatch.setenv(variable, str(bundle))
        download(server.url + "/file", target)
        assert target.read_bytes() == CONTENT
        assert reach(server.url + "/file") == "answers 206 Partial Content"


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="those have no such folder")
def test_the_systems_certificates_are_trusted(
    authority: trustme.CA, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "system.pem"
    authority.cert_pem.write_to_path(bundle)
    # truststore asks Python where the system keeps its certificates
    paths = ssl.get_default_verify_paths()
    monkeypatch.setattr(
        ssl, "get_default_verify_paths", lambda: paths._replace(cafile=None, capath=None)
    )
    monkeypatch.setattr("truststore._openssl._CA_FILE_CANDIDATES", [str(bundle)])
    with serve({"/file": CONTENT}, tls=tls_context(authority)) as server:
        download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("certificate", "problem"),
    [
        (Certificate.WRONG_NAME, "is for another host (IP address mismatch, certificate"),
        (Certificate.EXPIRED, "has expired"),
        (Certificate.SELF_SIGNED, "is self-signed"),
        (Certificate.OTHER_AUTHORITY, "is signed by somebody that this machine does not trust"),
    ],
)
def test_a_bad_certificate_is_told_and_not_tried_again(
    authority: trustme.CA,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Certificate,
    problem: str,
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with serve({"/file": CONTENT}, tls=tls_context(authority, certificate)) as server:
        error = fails(server.url + "/file", target, auth="secret")
        place = server.url.removeprefix("https://")
        assert error.reason.startswith(f"the certificate of {place} {problem}")
        assert error.hint
        assert waits == server.requests == []
        assert left_over(target) == []


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_file_that_cannot_be_used_is_named(
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    bundle = tmp_path / "authority.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    with pytest.raises(UsageError, match="cannot be used: ") as caught:
        download("https://models.example/file", target)
    assert str(bundle) in str(caught.value)
    assert caught.value.hint == "Correct or unset CURL_CA_BUNDLE."


def test_a_server_that_speaks_no_tls_is_told(server: WebServer, target: Path) -> None:
    url = server.url.replace("http", "https")
    place = url.removeprefix("https://")
    assert fails(url + "/file", target).reason.startswith(
        f"no secure connection to {place} can be made ("
    )


def test_https_never_leads_to_http(
    authority: trustme.CA,
    server: WebServer,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with serve(tls=tls_context(authority)) as secure:
        secure.resources["/start"] = Resource(redirect=server.url + "/file")
        secure.resources["/file"] = Resource(CONTENT)
        server.resources["/up"] = Resource(redirect=secure.url + "/file")
        error = fails(secure.url + "/start", target)
        assert error.reason == (
            f"the server redirects from https to {server.url}/file, "
            "which anybody on the way can read"
        )
        assert server.requests == []
        download(server.url + "/up", target)
        assert target.read_bytes() == CONTENT


# --- proxies


def test_the_proxy_of_the_environment_is_used(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_proxy(leads_to=server) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        download("http://models.example/file", target)
        assert target.read_bytes() == CONTENT
        assert [request.path for request in proxy.requests] == ["http://models.example/file"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        download(server.url + "/file", target)
        assert len(proxy.requests) == 1


def test_https_goes_through_a_proxy_with_its_certificate_checked(
    authority: trustme.CA, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    with (
        serve({"/file": CONTENT}, tls=tls_context(authority)) as server,
        serve_proxy(leads_to=server) as proxy,
    ):
        monkeypatch.setenv("https_proxy", proxy.url)
        error = fails(f"https://localhost:{server.port}/file", target)
        assert "does not trust" in error.reason
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        download(f"https://localhost:{server.port}/file", target)
        assert target.read_bytes() == CONTENT
        assert {request.method for request in proxy.requests} == {"CONNECT"}
        error = fails("https://models.example/file", target.with_name("other"))
        assert error.reason.startswith("the certificate of models.example is for another host")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(
    target: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with serve_proxy() as proxy:
        pass
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, proxy.url.replace("//", "//me:secret@"))
    error = fails(f"{scheme}://models.example/file", target)
    assert error.reason == f"the proxy 127.0.0.1:{proxy.port} refuses the connection"
    assert "HTTPS_PROXY" in (error.hint or "")


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_named(
    target: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with serve_proxy(refuses_with=status) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        reason = fails("https://models.example/file", target).reason
    assert reason.startswith(f"the proxy 127.0.0.1:{proxy.port} answered {status} ")


@pytest.mark.parametrize(
    "value",
    ["http://[bad", "ftp://x:1", "http://user:s3/cret@127.0.0.1:1", "http://host:port", "http://"],
)
def test_a_proxy_without_a_usable_address_is_told_without_its_password(
    target: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("http_proxy", value)
    error = fails("http://models.example/file", target)
    assert error.reason == "the address of its proxy cannot be used"
    assert error.kind == "unreachable"
    assert "cret" not in str(error)
    assert "HTTPS_PROXY=http://proxy.example:3128" in (error.hint or "")


def test_a_slash_in_the_password_of_a_proxy_is_told_without_the_password(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:12/cret@127.0.0.1:1")
    error = fails("http://models.example/file", target)
    assert "user" not in str(error)
    assert "12" not in str(error).replace("127.0.0.1", "")


def test_a_proxy_of_a_kind_that_cannot_be_used_is_told(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    assert "SOCKS" in fails("http://models.example/file", target).reason


# --- diagnosis


def test_reach_asks_for_one_byte_only(server: WebServer) -> None:
    assert reach(server.url + "/file") == "answers 206 Partial Content"
    server.resources["/file"].has_ranges = False
    server.resources["/file"].always = Fault(stall_after=10)
    assert reach(server.url + "/file", auth=("me", "key")) == "answers 200 OK"
    assert [request.method for request in server.requests] == ["GET", "GET"]
    assert ranges(server) == ["bytes=0-0", "bytes=0-0"]
    assert server.requests[1].headers["authorization"] == basic("me", "key")


def test_reach_follows_redirects_and_knows_empty_files(server: WebServer) -> None:
    server.resources["/start"] = Resource(redirect="/empty")
    server.resources["/empty"] = Resource(b"")
    assert reach(server.url + "/start").startswith("answers 416 ")


def test_reach_tells_what_is_wrong_at_once(server: WebServer) -> None:
    server.resources["/file"].always = 503
    with pytest.raises(DownloadError) as caught:
        reach(server.url + "/file")
    assert caught.value.reason == "the server answered 503 Service Unavailable"
    assert len(server.requests) == 1
    server.resources["/file"].always = Fault(stall_after=-1)
    with pytest.raises(DownloadError) as caught:
        reach(server.url + "/file", timeout_seconds=0.1)
    assert caught.value.reason == "the server sent nothing for 0.1 seconds"
