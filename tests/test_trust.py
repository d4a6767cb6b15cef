"""Whom downloads trust, what sort of failure each is, and several over one connection.

All over real servers on this machine, with good and bad certificates.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from i3d.errors import DownloadError, UsageError
from i3d.files import session
from i3d.files.download import download
from i3d.files.session import open_session
from i3d.files.trust import SYSTEM_TRUST, Trust

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
    from collections.abc import Iterator
    from pathlib import Path

    from requests import Session

CONTENT = os.urandom(100_000)
OTHER_CONTENT = os.urandom(100_000)
BAD_CERTIFICATES = [kind for kind in Certificate if kind is not Certificate.GOOD]
PROBLEMS = {
    Certificate.WRONG_NAME: "is for another host",
    Certificate.EXPIRED: "has expired",
    Certificate.SELF_SIGNED: "is self-signed",
    Certificate.OTHER_AUTHORITY: "is signed by somebody that this machine does not trust",
}


@pytest.fixture(autouse=True)
def _short_waits_and_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "BACKOFF_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def cafile(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file"


@contextmanager
def secure(
    authority: trustme.CA, certificate: Certificate = Certificate.GOOD
) -> Iterator[WebServer]:
    with serve({"/file": CONTENT}, tls=tls_context(authority, certificate)) as server:
        yield server


def get(url: str, target: Path, trust: Trust = SYSTEM_TRUST) -> bytes:
    with open_session(trust) as connection:
        download(url, target, session=connection)
    return target.read_bytes()


def fails(url: str, target: Path, trust: Trust = SYSTEM_TRUST) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        get(url, target, trust)
    assert not target.exists()
    return caught.value


def place(server: WebServer) -> str:
    return f"127.0.0.1:{server.port}"


# --- certificates


@pytest.mark.parametrize("certificate", list(Certificate))
def test_no_certificate_of_a_stranger_is_trusted_by_default(
    authority: trustme.CA, target: Path, certificate: Certificate
) -> None:
    problem = PROBLEMS.get(certificate, PROBLEMS[Certificate.OTHER_AUTHORITY])
    with secure(authority, certificate) as server:
        error = fails(server.url + "/file", target)
        assert error.kind == "certificate"
        assert f"the certificate of {place(server)} " in error.reason
        if certificate in (Certificate.GOOD, Certificate.SELF_SIGNED, Certificate.OTHER_AUTHORITY):
            assert problem in error.reason
        assert server.requests == []


def test_the_authority_of_a_file_is_trusted(
    authority: trustme.CA, cafile: Path, target: Path
) -> None:
    with secure(authority) as server:
        assert get(server.url + "/file", target, Trust(cafile)) == CONTENT


@pytest.mark.parametrize("certificate", BAD_CERTIFICATES)
def test_the_authority_of_a_file_makes_no_bad_certificate_good(
    authority: trustme.CA, cafile: Path, target: Path, certificate: Certificate
) -> None:
    with secure(authority, certificate) as server:
        error = fails(server.url + "/file", target, Trust(cafile))
        assert error.reason.startswith(
            f"the certificate of {place(server)} {PROBLEMS[certificate]}"
        )
        assert error.kind == "certificate"
        assert server.requests == []


def test_a_file_stands_in_the_place_of_the_variables(
    authority: trustme.CA, cafile: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cafile.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    with secure(authority) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cafile))
        assert fails(server.url + "/file", target, Trust(other)).kind == "certificate"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        assert get(server.url + "/file", target, Trust(cafile)) == CONTENT


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="those have no such folder")
def test_a_file_stands_in_the_place_of_the_system(
    authority: trustme.CA, cafile: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cafile.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    paths = ssl.get_default_verify_paths()
    monkeypatch.setattr(
        ssl, "get_default_verify_paths", lambda: paths._replace(cafile=None, capath=None)
    )
    monkeypatch.setattr("truststore._openssl._CA_FILE_CANDIDATES", [str(cafile)])
    with secure(authority) as server:
        assert fails(server.url + "/file", target, Trust(other)).kind == "certificate"
        assert get(server.url + "/file", target) == CONTENT


@pytest.mark.parametrize("what", ["the authority in between", "the host's own certificate"])
def test_a_file_may_hold_what_is_not_the_last_of_its_chain(
    authority: trustme.CA, target: Path, tmp_path: Path, what: str
) -> None:
    between = authority.create_child_ca()
    leaf = between.issue_cert("127.0.0.1")
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # a server that sends no more than its own
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as own:
        alone.load_cert_chain(own, key)
    cafile = tmp_path / "named.pem"
    named = between.cert_pem if what == "the authority in between" else leaf.cert_chain_pems[0]
    named.write_to_path(cafile)
    with serve({"/file": CONTENT}, tls=alone) as server:
        assert get(server.url + "/file", target, Trust(cafile)) == CONTENT
        url = f"https://localhost:{server.port}/file"
        error = fails(url, target.with_name("other"), Trust(cafile))
        assert "is for another host" in error.reason


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, os.strerror(errno.ENOENT)),
        (b"no certificate", "it holds no certificate"),
        (b"", "it holds no certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    cafile = tmp_path / "named.pem"
    if content is not None:
        cafile.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        Trust(cafile).check()
    assert str(caught.value) == (
        f"The file of trusted certificates {cafile} cannot be used: {why}."
    )
    assert caught.value.hint == (
        "Name a file of certificates (PEM) in --cafile, or leave --cafile out."
    )
    Trust(cafile, verify=False).check()


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs /dev/fd")  # noqa: PTH112
def test_a_file_may_be_a_pipe_and_is_read_once(
    authority: trustme.CA, cafile: Path, target: Path
) -> None:
    end, start = os.pipe()
    try:
        os.write(start, cafile.read_bytes())
        os.close(start)
        trust = Trust(cafile.__class__(f"/dev/fd/{end}"))
        trust.check()
    finally:
        os.close(end)
    with secure(authority) as server:
        for name in ("one", "two"):
            assert get(server.url + "/file", target.with_name(name), trust) == CONTENT


def test_a_file_may_hold_several_certificates_and_comments(
    authority: trustme.CA, target: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    pems = [trustme.CA().cert_pem.bytes(), authority.cert_pem.bytes()]
    bundle.write_bytes(b"".join(b"# F\xc5\x91tan\xfas\r\n-- \n" + pem * 2 for pem in pems))
    with secure(authority) as server:
        assert get(server.url + "/file", target, Trust(bundle)) == CONTENT


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_file_that_a_variable_names_can_be_looked_at_before_it_is_used(
    cafile: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    SYSTEM_TRUST.check()
    monkeypatch.setenv(variable, str(cafile))
    SYSTEM_TRUST.check()
    monkeypatch.setenv(variable, f"{cafile}.none")
    with pytest.raises(UsageError, match=r"authority\.pem\.none cannot be used") as caught:
        SYSTEM_TRUST.check()
    assert caught.value.hint == f"Correct or unset {variable}."
    Trust(verify=False).check()


@pytest.mark.parametrize("certificate", list(Certificate))
def test_any_certificate_will_do_if_none_is_verified(
    authority: trustme.CA, target: Path, certificate: Certificate
) -> None:
    with (
        secure(authority, certificate) as server,
        open_session(Trust(verify=False)) as connection,
    ):
        url = server.url + "/file"
        download(url, target, session=connection)
        assert target.read_bytes() == CONTENT
        assert server.num_connections == 1
        assert fails(url, target.with_name("other")).kind == "certificate"  # the others still do


def test_verifying_nothing_makes_no_plain_server_secure(target: Path) -> None:
    with serve({"/file": CONTENT}) as server:
        url = server.url.replace("http", "https") + "/file"
        error = fails(url, target, Trust(verify=False))
        assert error.reason.startswith(f"no secure connection to {place(server)} can be made (")
        assert error.kind == "unreachable"


def test_the_host_behind_a_redirect_is_the_one_that_is_named(
    authority: trustme.CA, cafile: Path, target: Path
) -> None:
    with secure(authority) as good, secure(authority, Certificate.OTHER_AUTHORITY) as bad:
        good.resources["/start"] = Resource(redirect=bad.url + "/file")
        error = fails(good.url + "/start", target, Trust(cafile))
        assert error.reason.startswith(f"the certificate of {place(bad)} ")
        assert error.kind == "certificate"
        assert get(good.url + "/start", target, Trust(verify=False)) == CONTENT


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_spoken_to_in_tls_is_trusted_alike(
    authority: trustme.CA,
    cafile: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    tls = tls_context(authority)
    with (
        serve({"/file": CONTENT}, tls=tls if scheme == "https" else None) as server,
        serve_proxy(leads_to=server, tls=tls) as proxy,
    ):
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
        url = f"{scheme}://localhost/file"
        error = fails(url, target)
        assert error.reason.startswith(f"the certificate of the proxy {place(proxy)} ")
        assert error.kind == "certificate"
        assert get(url, target, Trust(cafile)) == CONTENT
        assert get(url, target, Trust(verify=False)) == CONTENT
        assert len(proxy.requests) == 2


@pytest.mark.parametrize("verify", [True, False])
def test_a_host_behind_a_proxy_is_trusted_alike(
    authority: trustme.CA,
    cafile: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    verify: bool,
) -> None:
    with secure(authority) as server, serve_proxy(leads_to=server) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        trust = Trust(cafile, verify)
        assert get("https://localhost/file", target, trust) == CONTENT
        other = target.with_name("other")
        if verify:
            error = fails("https://models.example/file", other, trust)
            assert error.kind == "certificate"
        else:
            assert get("https://models.example/file", other, trust) == CONTENT
        assert {request.method for request in proxy.requests} == {"CONNECT"}


# --- sorts of failure


def kind_of(url: str, target: Path) -> str:
    return fails(url, target).kind


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (404, "missing"),
        (410, "missing"),
        (403, "other"),
        (401, "other"),
        (503, "other"),
        (Fault(drop=True), "other"),
        (Fault(cut_after=0), "other"),
    ],
)
def test_only_an_answer_that_says_so_means_that_a_file_is_missing(
    target: Path, fault: Fault | int, kind: str
) -> None:
    with serve({"/file": Resource(CONTENT, always=fault)}) as server:
        assert kind_of(server.url + "/file", target) == kind
        server.resources["/start"] = Resource(redirect="/file")
        assert kind_of(server.url + "/start", target) == kind


def test_a_silent_server_is_not_unreachable(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.1")
    with serve({"/file": Resource(CONTENT, always=Fault(stall_after=-1))}) as server:
        assert kind_of(server.url + "/file", target) == "silent"


def test_a_host_that_refuses_connections_is_unreachable(target: Path) -> None:
    with serve() as server:
        pass
    assert kind_of(server.url + "/file", target) == "unreachable"
    assert kind_of(server.url.replace("http", "https") + "/file", target) == "unreachable"


@pytest.mark.parametrize(
    "problem",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        TimeoutError("timed out"),
    ],
)
def test_a_host_without_a_way_to_it_is_unreachable(
    target: Path, monkeypatch: pytest.MonkeyPatch, problem: OSError
) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    assert kind_of("http://models.example/file", target) == "unreachable"


def test_offline_everything_is_unreachable(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_OFFLINE", "1")
    assert kind_of("http://127.0.0.1:1/file", target) == "unreachable"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_host_that_a_proxy_does_not_lead_to_is_unreachable(
    target: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with serve_proxy(refuses_with=status) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert kind_of("https://models.example/file", target) == "unreachable"


def test_what_is_no_web_address_is_neither_missing_nor_unreachable(target: Path) -> None:
    assert kind_of("ftp://example.org/file", target) == "other"
    assert kind_of("http://[bad/file", target) == "other"


# --- several downloads over one connection


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serve({"/file": CONTENT, "/other": OTHER_CONTENT}) as running:
        yield running


@pytest.fixture
def connection() -> Iterator[Session]:
    with open_session() as opened:
        yield opened


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
@pytest.mark.parametrize("is_secure", [True, False])
def test_several_files_come_over_one_connection(
    authority: trustme.CA, cafile: Path, target: Path, framing: Framing, is_secure: bool
) -> None:
    resources = {"/file": Resource(CONTENT, framing=framing), "/empty": Resource(b"")}
    with (
        serve(resources, tls=tls_context(authority) if is_secure else None) as server,
        open_session(Trust(cafile)) as connection,
    ):
        for i in range(3):
            path = target.with_name(str(i))
            download(server.url + "/file", path, session=connection)
            assert path.read_bytes() == CONTENT
            download(server.url + "/empty", path, session=connection)
        assert server.num_connections == 1


def test_a_connection_leads_to_several_hosts(
    server: WebServer, target: Path, connection: Session
) -> None:
    with serve({"/file": OTHER_CONTENT}) as second:
        for _ in range(2):
            download(server.url + "/file", target, session=connection)
            assert target.read_bytes() == CONTENT
            download(second.url + "/file", target, session=connection)
            assert target.read_bytes() == OTHER_CONTENT
        assert (server.num_connections, second.num_connections) == (1, 1)


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew(
    server: WebServer, target: Path, connection: Session, waits: list[float]
) -> None:
    server.resources["/file"].faults = [Fault(cut_after=len(CONTENT))] * 3
    for _ in range(4):
        download(server.url + "/file", target, session=connection)
        assert target.read_bytes() == CONTENT
    assert server.num_connections == 4
    assert waits == []


@pytest.mark.parametrize("is_secure", [True, False])
def test_a_connection_that_the_server_closes_when_it_is_used_again_is_opened_anew(
    authority: trustme.CA, cafile: Path, target: Path, waits: list[float], is_secure: bool
) -> None:
    with (
        serve({"/file": CONTENT}, tls=tls_context(authority) if is_secure else None) as server,
        open_session(Trust(cafile)) as connection,
    ):
        download(server.url + "/file", target, session=connection)
        server.resources["/file"].faults = [Fault(drop=True)]
        server.resources["/file"].content = OTHER_CONTENT
        download(server.url + "/file", target, session=connection)
        assert target.read_bytes() == OTHER_CONTENT
        assert (len(server.requests), server.num_connections) == (3, 2)
        assert waits == []


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("fault", [None, 404, Fault(content=OTHER_CONTENT * 20)])
def test_what_was_not_read_does_not_get_into_the_next_file(
    server: WebServer,
    target: Path,
    connection: Session,
    framing: Framing,
    fault: Fault | int | None,
) -> None:
    server.resources["/bad"] = Resource(OTHER_CONTENT, framing=framing, always=fault)
    for _ in range(2):
        with pytest.raises(DownloadError):
            download(server.url + "/bad", target, max_bytes=1000, session=connection)
        download(server.url + "/file", target, session=connection)
        assert target.read_bytes() == CONTENT


def test_a_download_that_failed_leaves_the_connection_usable(
    server: WebServer, target: Path, connection: Session
) -> None:
    server.resources["/file"].faults = [Fault(cut_after=10), 404]
    with pytest.raises(DownloadError, match="404"):
        download(server.url + "/file", target, session=connection)
    download(server.url + "/file", target, session=connection)
    assert target.read_bytes() == CONTENT


def test_a_password_in_one_address_is_not_sent_to_another(
    server: WebServer, target: Path, connection: Session
) -> None:
    server.resources["/file"].authorization = basic("me", "secret")
    download(server.url.replace("//", "//me:secret@") + "/file", target, session=connection)
    download(server.url + "/other", target, session=connection)
    assert [request.headers.get("authorization") for request in server.requests] == [
        basic("me", "secret"),
        None,
    ]
