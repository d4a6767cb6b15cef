"""Whom downloads trust, what sort of failure each is, and several over one connection.

All over real servers on this machine, with good and bad certificates.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme
from urllib3.exceptions import InsecureRequestWarning

from i3d.errors import DownloadError, UsageError
from i3d.files import session
from i3d.files.addresses import refusal
from i3d.files.session import FAILURES, explain, open_session
from i3d.files.trust import SYSTEM_TRUST, Trust

from web_server import (
    Certificate,
    Fault,
    Resource,
    WebServer,
    serve,
    serve_proxy,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
        warnings.simplefilter("error", InsecureRequestWarning)  # the caller warns, once
        yield


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def cafile(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@contextmanager
def secure(
    authority: trustme.CA, certificate: Certificate = Certificate.GOOD
) -> Iterator[WebServer]:
    with serve({"/file": CONTENT}, tls=tls_context(authority, certificate)) as server:
        yield server


def get(url: str, trust: Trust = SYSTEM_TRUST) -> bytes:
    with open_session(trust) as session:
        try:
            answer = session.get(url)
        except FAILURES as error:
            raise explain(error, url) from error
        if answer.status_code != 200:
            raise refusal(url, answer)
        return answer.content


def fails(url: str, trust: Trust = SYSTEM_TRUST) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        get(url, trust)
    return caught.value


def place(server: WebServer) -> str:
    return f"127.0.0.1:{server.port}"


# --- certificates


@pytest.mark.parametrize("certificate", list(Certificate))
def test_no_certificate_of_a_stranger_is_trusted_by_default(
    authority: trustme.CA, certificate: Certificate
) -> None:
    problem = PROBLEMS.get(certificate, PROBLEMS[Certificate.OTHER_AUTHORITY])
    with secure(authority, certificate) as server:
        error = fails(server.url + "/file")
        assert error.kind == "certificate"
        assert f"the certificate of {place(server)} " in error.reason
        if certificate in (Certificate.GOOD, Certificate.SELF_SIGNED, Certificate.OTHER_AUTHORITY):
            assert problem in error.reason
        assert server.requests == []


def test_the_authority_of_a_file_is_trusted(authority: trustme.CA, cafile: Path) -> None:
    with secure(authority) as server:
        assert get(server.url + "/file", Trust(cafile)) == CONTENT


@pytest.mark.parametrize("certificate", BAD_CERTIFICATES)
def test_the_authority_of_a_file_makes_no_bad_certificate_good(
    authority: trustme.CA, cafile: Path, certificate: Certificate
) -> None:
    with secure(authority, certificate) as server:
        error = fails(server.url + "/file", Trust(cafile))
        assert error.reason.startswith(
            f"the certificate of {place(server)} {PROBLEMS[certificate]}"
        )
        assert error.kind == "certificate"
        assert server.requests == []


def test_a_file_stands_in_the_place_of_the_variables(
    authority: trustme.CA, cafile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cafile.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    with secure(authority) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cafile))
        assert fails(server.url + "/file", Trust(other)).kind == "certificate"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        assert get(server.url + "/file", Trust(cafile)) == CONTENT


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="those have no such folder")
def test_a_file_stands_in_the_place_of_the_system(
    authority: trustme.CA, cafile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cafile.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    paths = ssl.get_default_verify_paths()
    monkeypatch.setattr(
        ssl, "get_default_verify_paths", lambda: paths._replace(cafile=None, capath=None)
    )
    monkeypatch.setattr("truststore._openssl._CA_FILE_CANDIDATES", [str(cafile)])
    with secure(authority) as server:
        assert fails(server.url + "/file", Trust(other)).kind == "certificate"
        assert get(server.url + "/file") == CONTENT


def test_certificates_that_come_with_a_package_are_not_trusted(
    authority: trustme.CA, cafile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cafile.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(cafile))
    with secure(authority) as server:
        assert fails(server.url + "/file", Trust(other)).kind == "certificate"
        assert fails(server.url + "/file").kind == "certificate"


@pytest.mark.parametrize("what", ["the authority in between", "the host's own certificate"])
def test_a_file_may_hold_what_is_not_the_last_of_its_chain(
    authority: trustme.CA, tmp_path: Path, what: str
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
        assert get(server.url + "/file", Trust(cafile)) == CONTENT
        url = f"https://localhost:{server.port}/file"
        error = fails(url, Trust(cafile))
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
def test_a_file_may_be_a_pipe_and_is_read_once(authority: trustme.CA, cafile: Path) -> None:
    end, start = os.pipe()
    try:
        os.write(start, cafile.read_bytes())
        os.close(start)
        trust = Trust(cafile.__class__(f"/dev/fd/{end}"))
        trust.check()
    finally:
        os.close(end)
    with secure(authority) as server:
        for _ in range(2):
            assert get(server.url + "/file", trust) == CONTENT


def test_a_file_may_hold_several_certificates_and_comments(
    authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    pems = [trustme.CA().cert_pem.bytes(), authority.cert_pem.bytes()]
    bundle.write_bytes(b"".join(b"# F\xc5\x91tan\xfas\r\n-- \n" + pem * 2 for pem in pems))
    with secure(authority) as server:
        assert get(server.url + "/file", Trust(bundle)) == CONTENT


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
    authority: trustme.CA, certificate: Certificate
) -> None:
    with secure(authority, certificate) as server:
        url = server.url + "/file"
        assert get(url, Trust(verify=False)) == CONTENT
        assert fails(url).kind == "certificate"  # the others still do


def test_verifying_nothing_makes_no_plain_server_secure() -> None:
    with serve({"/file": CONTENT}) as server:
        url = server.url.replace("http", "https") + "/file"
        error = fails(url, Trust(verify=False))
        assert error.reason.startswith(f"no secure connection to {place(server)} can be made (")
        assert error.kind == "unreachable"


def test_the_host_behind_a_redirect_is_the_one_that_is_named(
    authority: trustme.CA, cafile: Path
) -> None:
    with secure(authority) as good, secure(authority, Certificate.OTHER_AUTHORITY) as bad:
        good.resources["/start"] = Resource(redirect=bad.url + "/file")
        error = fails(good.url + "/start", Trust(cafile))
        assert error.reason.startswith(f"the certificate of {place(bad)} ")
        assert error.kind == "certificate"
        assert get(good.url + "/start", Trust(verify=False)) == CONTENT


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_spoken_to_in_tls_is_trusted_alike(
    authority: trustme.CA,
    cafile: Path,
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
        error = fails(url)
        assert error.reason.startswith(f"the certificate of the proxy {place(proxy)} ")
        assert error.kind == "certificate"
        assert get(url, Trust(cafile)) == CONTENT
        assert get(url, Trust(verify=False)) == CONTENT
        assert len(proxy.requests) == 2


@pytest.mark.parametrize("verify", [True, False])
def test_a_host_behind_a_proxy_is_trusted_alike(
    authority: trustme.CA,
    cafile: Path,
    monkeypatch: pytest.MonkeyPatch,
    verify: bool,
) -> None:
    with secure(authority) as server, serve_proxy(leads_to=server) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        trust = Trust(cafile, verify)
        assert get("https://localhost/file", trust) == CONTENT
        if verify:
            error = fails("https://models.example/file", trust)
            assert error.kind == "certificate"
        else:
            assert get("https://models.example/file", trust) == CONTENT
        assert {request.method for request in proxy.requests} == {"CONNECT"}


# --- sorts of failure


def kind_of(url: str) -> str:
    return fails(url).kind


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
    fault: Fault | int, kind: str
) -> None:
    with serve({"/file": Resource(CONTENT, always=fault)}) as server:
        assert kind_of(server.url + "/file") == kind
        server.resources["/start"] = Resource(redirect="/file")
        assert kind_of(server.url + "/start") == kind


def test_a_silent_server_is_not_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.1")
    with serve({"/file": Resource(CONTENT, always=Fault(stall_after=-1))}) as server:
        assert kind_of(server.url + "/file") == "silent"


def test_a_host_that_refuses_connections_is_unreachable() -> None:
    with serve() as server:
        pass
    assert kind_of(server.url + "/file") == "unreachable"
    assert kind_of(server.url.replace("http", "https") + "/file") == "unreachable"


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
    monkeypatch: pytest.MonkeyPatch, problem: OSError
) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    assert kind_of("http://models.example/file") == "unreachable"


def test_offline_everything_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_OFFLINE", "1")
    assert kind_of("http://127.0.0.1:1/file") == "unreachable"


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_host_that_a_proxy_does_not_lead_to_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with serve_proxy(refuses_with=status) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert kind_of("https://models.example/file") == "unreachable"
