"""Downloads against real servers on this machine, good and bad ones."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import filelock
import pytest
import trustme

from i3d import __version__
from i3d.errors import CacheError, DownloadError, UsageError
from i3d.files.download import transfer
from i3d.files.download.attempts import place, shown
from i3d.files.download.fetch import Download, download, reach
from i3d.files.download.settings import is_offline, patience_seconds

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
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", (0.0, 0.0, 0.0, 0.0))


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
        "import sys, i3d.files.download.fetch; "
        "assert not {'requests', 'urllib3', 'truststore', 'filelock', 'ssl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=SOURCE)


# --- settings


@pytest.mark.parametrize("value", ["1", "yes", "true", " "])
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


@pytest.mark.parametrize("value", ["", "0"])
def test_offline_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("I3D_OFFLINE", value)
    assert not is_offline()


@pytest.mark.parametrize(("value", "seconds"), [("", 30), ("5", 5), ("0.5", 0.5), ("86400", 86400)])
def test_the_patience_can_be_set(
    monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", value)
    assert patience_seconds() == seconds
    monkeypatch.delenv("I3D_TIMEOUT")
    assert patience_seconds() == 30


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1e12", "5s"])
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
    server.resources["/file"].framing = framing
    watcher = Watcher()
    error = fails(server.url + "/file", target, max_bytes=len(CONTENT) - 1, progress=watcher)
    # Where the server says how large it is, not a byte is fetched.
    assert (watcher.tasks == []) == (framing is Framing.LENGTH)
    assert error.reason == "the file is larger than 300.0 kB"
    assert len(server.requests) == 1
    assert left_over(target) == []
    download(server.url + "/file", target, max_bytes=len(CONTENT))


# --- answers that are no file


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (204, "204 No Content"),
        (206, "206 Partial Content"),
        (304, "304 Not Modified"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (410, "410 Gone"),
        (416, None),
        (501, "501 Not Implemented"),
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


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
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
    assert transfer.BACKOFF_SECONDS == (0.5, 1, 2, 4)
    waits: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
    server.resources["/file"].faults = [503] * 4
    download(server.url + "/file", target)
    assert waits == [0.5, 1, 2, 4]


def test_a_server_that_asks_for_a_pause_gets_it(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
    moment = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    server.resources["/file"].faults = [
        Fault(status=503, headers={"Retry-After": value})
        for value in ("7", moment, "Sat, 01 Jan 2022 00:00:00 GMT", "presently")
    ]
    download(server.url + "/file", target)
    assert waits[0] == 7
    assert 20 < waits[1] <= 40
    assert waits[2:] == [0, 0]  # a moment that has passed; and our own wait, which is 0 here


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.time, "sleep", lambda _: pytest.fail("it waited"))
    server.resources["/file"].always = Fault(status=429, headers={"Retry-After": "3600"})
    error = fails(server.url + "/file", target)
    assert error.reason == (
        "the server answered 429 Too Many Requests and asks to come back in 3600 seconds"
    )
    assert len(server.requests) == 1


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: WebServer, target: Path, status: int) -> None:
    server.resources["/old"] = Resource(redirect="new?key=1#part", redirect_status=status)
    server.resources["/new"] = Resource(redirect=f"{server.url}/file", redirect_status=status)
    result = download(server.url + "/old", target)
    assert result.url == server.url + "/file"
    assert [request.path for request in server.requests] == ["/old", "/new?key=1", "/file"]
    assert target.read_bytes() == CONTENT


def test_a_circle_of_redirects_is_left(server: WebServer, target: Path) -> None:
    server.resources["/a"] = Resource(redirect="/b")
    server.resources["/b"] = Resource(redirect="/a")
    assert fails(server.url + "/a", target).reason == "the server redirects in a circle"
    assert len(server.requests) == 11


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
        ("ftp://host/file", "the server redirects to ftp://host/file, which is no web address"),
        ("file:///etc/passwd", "the server redirects to file:///etc/passwd, which is no web"),
        ("http://[bad/", "the server redirects to something that is no address"),
    ],
)
def test_redirects_to_elsewhere_are_refused(
    server: WebServer, target: Path, location: str, reason: str
) -> None:
    server.resources["/old"] = Resource(redirect=location)
    assert fails(server.url + "/old", target).reason.startswith(reason)
    assert len(server.requests) == 1


def test_a_redirect_without_an_address_is_an_answer(server: WebServer, target: Path) -> None:
    server.resources["/old"] = Resource(always=302)
    assert fails(server.url + "/old", target).reason == "the server answered 302 Found"


def test_the_body_of_a_redirect_is_not_read(server: WebServer, target: Path) -> None:
    server.resources["/old"] = Resource(
        bytes(100),
        always=Fault(status=302, headers={"Location": "/file", "Content-Length": "999999"}),
    )
    download(server.url + "/old", target)
    assert target.read_bytes() == CONTENT


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
    ("userinfo", "query"), [("me:secret@", ""), ("", "?signature=secret")], ids=["password", "key"]
)
def test_a_password_or_a_key_is_not_written_to_the_disk(
    server: WebServer, target: Path, userinfo: str, query: str
) -> None:
    server.resources["/file"].faults = [Fault(cut_after=100_000), 404]
    url = server.url.replace("//", f"//{userinfo}") + f"/file{query}"
    fails(url, target)
    (notes,) = target.parent.glob("*.json")
    assert "secret" not in notes.read_text()
    server.requests.clear()
    download(url, target)
    assert ranges(server) == ["bytes=100000-"]


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


def test_a_password_file_of_the_user_is_left_alone(
    server: WebServer, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    download(server.url + "/file", target, auth="token")
    assert server.requests[0].headers["authorization"] == "Bearer token"


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
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
def test_a_connection_that_always_breaks_is_given_up(
    server: WebServer, target: Path, framing: Framing, has_ranges: bool
) -> None:
    resource = server.resources["/file"]
    resource.framing, resource.has_ranges = framing, has_ranges
    resource.always = Fault(cut_after=25_000)
    error = fails(server.url + "/file", target)
    got = 5 * 25 if has_ranges else 25
    total = " of 300.0 kB" if has_ranges or framing is Framing.LENGTH else ""
    assert error.reason == (f"the connection was closed after {got}.0 kB{total} (tried 5 times)")
    assert len(server.requests) == 5


def test_no_answer_at_all_is_told(server: WebServer, target: Path) -> None:
    server.resources["/file"].always = Fault(drop=True)
    reason = fails(server.url + "/file", target).reason
    assert reason == "the server closed the connection without an answer (tried 5 times)"
    assert left_over(target) == []


def test_a_megabyte_gives_new_attempts(server: WebServer, target: Path) -> None:
    content = os.urandom(8 * 2**20)
    server.resources["/file"] = Resource(content, faults=[Fault(cut_after=2**20)] * 7, etag=ETAG)
    download(server.url + "/file", target)
    assert target.read_bytes() == content
    assert len(server.requests) == 8


def test_the_same_megabyte_again_gives_no_new_attempts(server: WebServer, target: Path) -> None:
    content = bytes(3 * 2**20)
    server.resources["/file"] = Resource(
        content, faults=[Fault(cut_after=2 * 2**20)] * 12, has_ranges=False
    )
    assert "(tried " in fails(server.url + "/file", target).reason
    assert len(server.requests) <= 6


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("num_bytes", [-1, 0, 100_000])
def test_a_server_that_falls_silent_is_asked_once_more(
    server: WebServer, target: Path, num_bytes: int
) -> None:
    server.resources["/file"].faults = [Fault(stall_after=num_bytes)]
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("num_bytes", [-1, 0, 100_000])
def test_a_server_that_is_silent_again_is_given_up(
    server: WebServer, target: Path, num_bytes: int
) -> None:
    server.resources["/file"].always = Fault(stall_after=num_bytes)
    error = fails(server.url + "/file", target)
    assert error.reason == "the server sent nothing for 0.4 seconds (tried 2 times)"
    assert "I3D_TIMEOUT" in (error.hint or "")
    assert len(server.requests) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("framing", list(Framing))
def test_a_server_that_only_trickles_is_given_up(
    server: WebServer, target: Path, framing: Framing
) -> None:
    trickle = Fault(piece_seconds=0.02)
    server.resources["/file"] = Resource(CONTENT[:150], framing=framing, always=trickle)
    reason = fails(server.url + "/file", target).reason
    assert re.fullmatch(r"the server sent only \d+ bytes for 0.4 seconds \(tried 2 times\)", reason)


@pytest.mark.usefixtures("impatient")
def test_a_slow_server_that_keeps_sending_is_waited_for(server: WebServer, target: Path) -> None:
    pieces = Fault(piece_bytes=10_000, piece_seconds=0.03)  # takes twice the patience
    server.resources["/file"].always = pieces
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


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
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
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
    assert len(left_over(target)) == 2  # the bytes, and whose they are
    watcher = Watcher()
    download(server.url + "/file", target, progress=watcher)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == ["bytes=100000-"]
    assert server.requests[0].headers["if-range"] == ETAG
    assert watcher.tasks[0][1] == len(CONTENT)
    assert watcher.steps[0][0] == 100_000
    assert sum(watcher.steps[0]) == len(CONTENT)
    assert left_over(target) == []


def test_the_date_of_the_last_change_serves_as_well(server: WebServer, target: Path) -> None:
    server.resources["/file"] = Resource(CONTENT, etag='W/"weak"', last_modified=LAST_MODIFIED)
    leave_partial(server, target)
    download(server.url + "/file", target)
    assert ranges(server) == ["bytes=100000-"]
    assert server.requests[0].headers["if-range"] == LAST_MODIFIED


def test_a_partial_file_may_be_kept_elsewhere(
    server: WebServer, target: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept" / "here"
    leave_partial(server, target, partial_dir=kept)
    assert not target.parent.exists()
    download(server.url + "/file", target, partial_dir=kept)
    assert ranges(server) == ["bytes=100000-"]
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


@pytest.mark.parametrize("content", [OTHER_CONTENT, OTHER_CONTENT[:200_000]])
def test_a_server_that_continues_another_file_is_found_out(
    server: WebServer, target: Path, content: bytes
) -> None:
    leave_partial(server, target)
    server.resources["/file"] = Resource(content, etag='"second"', honours_if_range=False)
    download(server.url + "/file", target)
    assert target.read_bytes() == content
    assert ranges(server) == ["bytes=100000-", None]


def test_a_server_that_continues_a_file_of_another_size_is_found_out(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    server.resources["/file"] = Resource(OTHER_CONTENT[:200_000], honours_if_range=False)
    download(server.url + "/file", target)
    assert target.read_bytes() == OTHER_CONTENT[:200_000]
    assert ranges(server) == ["bytes=100000-", None]


def test_a_server_that_continues_a_file_of_another_date_is_found_out(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"] = Resource(CONTENT, last_modified=LAST_MODIFIED)
    leave_partial(server, target)
    server.resources["/file"] = Resource(
        OTHER_CONTENT, last_modified="Sun, 02 Jan 2022 00:00:00 GMT", honours_if_range=False
    )
    download(server.url + "/file", target)
    assert target.read_bytes() == OTHER_CONTENT


def test_a_server_that_sends_another_range_is_found_out(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/file"].always = Fault(wrong_range=True)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server)[-1] is None


def test_a_server_that_sends_less_than_it_announced_is_asked_for_the_rest(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    announced = Fault(headers={"Content-Range": "bytes 100000-199999/300000"})
    server.resources["/file"] = Resource(CONTENT[:200_000], etag=ETAG, faults=[announced])
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT[:200_000]
    assert ranges(server) == ["bytes=100000-", "bytes=200000-", None]


def test_a_server_that_sends_more_than_it_announced_is_asked_again(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    longer = CONTENT + b"more"
    announced = Fault(headers={"Content-Range": "bytes 100000-299999/300000"})
    server.resources["/file"] = Resource(
        longer, etag=ETAG, framing=Framing.CHUNKED, faults=[announced]
    )
    download(server.url + "/file", target)
    assert target.read_bytes() == longer
    assert ranges(server) == ["bytes=100000-", None]


def test_a_server_that_has_no_such_range_is_asked_for_the_whole(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target, num_bytes=250_000)
    server.resources["/file"].content = CONTENT[:1000]
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT[:1000]
    assert ranges(server) == ["bytes=250000-", None]


def test_a_server_without_ranges_starts_again(server: WebServer, target: Path) -> None:
    leave_partial(server, target)
    server.resources["/file"].has_ranges = False
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


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
    assert ranges(server) == ["bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_pieces_of_two_versions_are_fetched_again_from_the_start(
    server: WebServer, target: Path
) -> None:
    server.resources["/file"] = Resource(CONTENT)
    leave_partial(server, target, sha256=sha256_of(OTHER_CONTENT))
    server.resources["/file"] = Resource(OTHER_CONTENT)
    download(server.url + "/file", target, sha256=sha256_of(OTHER_CONTENT))
    assert ranges(server) == ["bytes=100000-", None]
    assert target.read_bytes() == OTHER_CONTENT


def test_pieces_that_are_wrong_again_are_given_up(server: WebServer, target: Path) -> None:
    digest = sha256_of(b"another file")
    leave_partial(server, target, sha256=digest)
    server.resources["/file"].faults = [Fault(), Fault(cut_after=10_000)]
    error = fails(server.url + "/file", target, sha256=digest)
    assert "not the expected file" in error.reason
    assert ranges(server) == ["bytes=100000-", None, "bytes=10000-"]
    assert left_over(target) == []


def test_a_file_that_was_all_there_but_its_name_is_finished(
    server: WebServer, target: Path
) -> None:
    leave_partial(server, target)
    (part,) = target.parent.glob("*.part")
    part.write_bytes(CONTENT)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == ["bytes=299999-"]


@pytest.mark.parametrize(
    "notes",
    [
        None,
        "",
        "[]",
        "{",
        '{"address": "of another", "etag": "\\"first\\"", "total": 300000}',
        '{"address": "ITS OWN", "etag": "\\"first\\"", "total": "many"}',
        '{"address": "ITS OWN", "etag": "\\"first\\"", "total": 5}',
        '{"address": "ITS OWN", "etag": 5, "last_modified": [], "total": 300000}',
    ],
)
def test_damaged_notes_beside_a_partial_file_are_not_believed(
    server: WebServer, target: Path, notes: str | None
) -> None:
    leave_partial(server, target)
    (path,) = target.parent.glob("*.json")
    if notes is None:
        path.unlink()
    else:
        own = json.loads(path.read_text())["address"]
        path.write_text(notes.replace("ITS OWN", own))
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None]


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
    assert len(left_over(target)) == 4
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
from i3d.files.download.fetch import download
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
    (asked,) = ranges(server)
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
    assert ranges(server) == ["bytes=200000-"]
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


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is open")
def test_a_lock_that_was_removed_meanwhile_is_none(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_partial(server, target)
    acquire_really = filelock.FileLock.acquire

    def acquire(lock: filelock.FileLock, *args: object, **options: object) -> object:
        proxy = acquire_really(lock, *args, **options)
        Path(lock.lock_file).unlink()
        return proxy

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None]
    assert len(left_over(target)) == 2  # for another run


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
    assert ranges(server) == [None, "bytes=1000-"]
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


def test_a_disk_without_room_for_the_file_is_told_before(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 299_999, 299_999))
    watcher = Watcher()
    with pytest.raises(CacheError, match=r"takes 300\.0 kB, and 300\.0 kB are free"):
        download(server.url + "/file", target, progress=watcher)
    assert watcher.tasks == []
    assert left_over(target) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 300_000, 300_000))
    download(server.url + "/file", target)


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
    assert ranges(server) == ["bytes=100000-"]
    assert left_over(target) == []
    assert list(partial_dir.iterdir()) == []


@pytest.mark.usefixtures("two_disks")
def test_a_disk_that_is_full_when_the_file_is_copied_to_it_is_left_clean(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_half(reader: IO[bytes], writer: IO[bytes], _: int) -> None:
        writer.write(reader.read(100_000))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", copy_half)
    cache = tmp_path / "cache"
    target = cache / "models" / ".private-3f9a" / "file"
    with pytest.raises(CacheError) as caught:
        download(server.url + "/file", target, partial_dir=cache / "downloads")
    # A private folder is gone when the sentence is read.
    assert str(caught.value) == f"The disk of the folder {cache} is full."
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_only_the_missing_part_needs_room(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_partial(server, target, num_bytes=250_000)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 0, 50_000))
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


def test_a_drive_that_does_not_tell_its_room_will_do(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_usage(_: Path) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    download(server.url + "/file", target)
    assert target.read_bytes() == CONTENT


def test_a_file_that_does_not_reach_the_disk_is_told(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    code = errno.EINVAL  # a drive that has no such function
    download(server.url + "/file", target)
    target.unlink()
    code = errno.EIO
    with pytest.raises(CacheError, match="cannot be written"):
        download(server.url + "/file", target)
    assert not target.exists()
    assert left_over(target) == []


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


def test_a_read_only_disk_is_named(
    server: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_really = Path.open

    def open_read_only(path: Path, mode: str = "r", **options: object) -> object:
        if "r" not in mode:
            raise OSError(errno.EROFS, "Read-only file system")
        return open_really(path, mode, **options)

    monkeypatch.setattr(Path, "open", open_read_only)
    with pytest.raises(CacheError, match="Read-only file system") as caught:
        download(server.url + "/file", target)
    assert str(target.parent) in str(caught.value)
    assert server.requests == []


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


def test_certificates_that_come_with_a_package_are_not_trusted(
    authority: trustme.CA, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "certifi.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(bundle))
    with serve({"/file": CONTENT}, tls=tls_context(authority)) as server:
        assert "does not trust" in fails(server.url + "/file", target).reason


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
    monkeypatch.setattr(transfer.time, "sleep", waits.append)
    with serve({"/file": CONTENT}, tls=tls_context(authority, certificate)) as server:
        error = fails(server.url + "/file", target, auth="secret")
        place = server.url.removeprefix("https://")
        assert error.reason.startswith(f"the certificate of {place} {problem}")
        assert error.hint
        assert waits == server.requests == []
        assert left_over(target) == []


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_file_that_cannot_be_used_is_named(
    authority: trustme.CA,
    server: WebServer,
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    bundle = tmp_path / "authority.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    with serve({"/file": CONTENT}, tls=tls_context(authority)) as secure:
        error = fails(secure.url + "/file", target)
    assert error.reason.startswith(f"the file of trusted certificates {bundle} cannot be used: ")
    assert error.hint == "Correct or unset CURL_CA_BUNDLE."
    download(server.url + "/file", target)  # without TLS it does not matter


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
    ("variable", "value", "seen"),
    [
        ("http_proxy", "http://[bad", "http://[bad"),
        ("http_proxy", "ftp://x:1", "ftp://x:1"),
        ("ALL_PROXY", "http://user:s3/cret@127.0.0.1:1", "http://***@127.0.0.1:1"),
        ("all_proxy", "http://user:12/cret@127.0.0.1:1", "http://***@127.0.0.1:1"),
        ("http_proxy", "user:s3/cret@127.0.0.1:1", "http://***@127.0.0.1:1"),
        ("http_proxy", "http://host:port", "http://host:port"),
        ("http_proxy", "http://", "http://"),
    ],
)
def test_a_proxy_whose_address_is_none_is_told_by_its_variable(
    target: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, seen: str
) -> None:
    monkeypatch.setenv(variable, value)
    error = fails("http://models.example/file", target)
    assert error.reason == f"{variable} is {seen}, which is not the address of a proxy"
    assert f"{variable}=http://proxy.example:3128" in (error.hint or "")


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
