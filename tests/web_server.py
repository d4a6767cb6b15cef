"""A web server on this machine that behaves as badly as a test wants it to.

with serve({"/model.tar.gz": b"..."}) as server:
    server.resources["/flaky"] = Resource(b"...", faults=[503, Fault(cut_after=100)])
    fetch(server.url + "/flaky")
    assert server.requests[-1].headers["range"] == "bytes=100-"
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import re
import select
import socket
import ssl
import struct
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Framing(Enum):
    """How the client learns where a body ends."""

    LENGTH = auto()
    """Content-Length."""
    CHUNKED = auto()
    """Transfer-Encoding: chunked."""
    CLOSE = auto()
    """The connection ends, as in HTTP/1.0."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer."""

    status: int | None = None
    """Answer with this status and a page."""
    cut_after: int | None = None
    """Close the connection, in order, after so many bytes of the body."""
    reset_after: int | None = None
    """Break the connection (RST) after so many bytes of the body."""
    stall_after: int | None = None
    """Send nothing more after so many bytes of the body; -1: not even the headers."""
    piece_seconds: float | None = None
    """Send the body in pieces, so far apart."""
    piece_bytes: int = 1
    """Size of those pieces."""
    content: bytes | None = None
    """Send something else, with a length that agrees."""
    drop: bool = False
    """Close the connection without an answer."""
    wrong_range: bool = False
    """Answer to a range request with the same number of bytes from one byte before."""
    max_range: int | None = None
    """Answer to a range request with so many bytes at most."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers, or others in the place of those of the resource."""


@dataclass
class Resource:
    """What the server has at one path."""

    content: bytes | Path = b""
    faults: list[Fault | int] = field(default_factory=list)
    """What is wrong with the first answers; a number is a status. Each is used up by one request
    whose method is GET; then all is well."""
    always: Fault | int | None = None
    """What is wrong with every further answer."""
    redirect: str | None = None
    """Answer 302 to this address: a path on this server, or a whole URL."""
    redirect_status: int = 302
    etag: str | None = None
    """With its quotes."""
    last_modified: str | None = None
    has_ranges: bool = True
    """Answer 206 to `Range`; False: ignore it."""
    honours_if_range: bool = True
    framing: Framing = Framing.LENGTH
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None
    """Answer 401 unless the client sends this header: see `basic`."""

    def read(self) -> bytes:
        """The content."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    """With the query; at a proxy the whole address."""
    headers: Mapping[str, str]
    """Names in small letters."""


@dataclass
class WebServer:
    """A running server."""

    resources: dict[str, Resource]
    """By path, with the query or without it. May be changed while the server runs."""
    url: str = ""
    """`http://127.0.0.1:PORT`, without a slash at the end."""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    """All so far."""
    num_connections: int = 0
    """How many were accepted so far; several requests may come over one."""
    stopping: threading.Event = field(default_factory=threading.Event)


def basic(user: str, password: str) -> str:
    """The Authorization header of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Certificate(Enum):
    """What kind of certificate a server has."""

    GOOD = auto()
    WRONG_NAME = auto()
    EXPIRED = auto()
    SELF_SIGNED = auto()
    OTHER_AUTHORITY = auto()
    """From an authority that nobody trusts."""


def tls_context(
    authority: trustme.CA, certificate: Certificate = Certificate.GOOD
) -> ssl.SSLContext:
    """What `serve` needs to speak TLS as 127.0.0.1 and localhost.

    Args:
        authority: Who signs. A client trusts it through `authority.cert_pem.write_to_path(FILE)`.
        certificate: What kind of certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is Certificate.SELF_SIGNED:
        alone = trustme.CA()
        with alone.private_key_pem.tempfile() as key, alone.cert_pem.tempfile() as chain:
            context.load_cert_chain(chain, key)
        return context
    names = (
        ["elsewhere.example"]
        if certificate is Certificate.WRONG_NAME
        else ["127.0.0.1", "localhost"]
    )
    yesterday = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    issuer = trustme.CA() if certificate is Certificate.OTHER_AUTHORITY else authority
    if certificate is Certificate.EXPIRED:
        before = yesterday - dt.timedelta(days=1)
        leaf = issuer.issue_cert(*names, not_before=before, not_after=yesterday)
    else:
        leaf = issuer.issue_cert(*names)
    leaf.configure_cert(context)
    return context


@contextmanager
def serve(
    resources: Mapping[str, Resource | bytes | Path] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> Iterator[WebServer]:
    """Serve on a free port of 127.0.0.1 until the end of the `with` block.

    Args:
        resources: Path -> what is there; bytes and files are served as they are. Everything else
            is answered 404.
        tls: Speak HTTPS with this certificate.
    """
    server = WebServer(
        {
            path: resource if isinstance(resource, Resource) else Resource(resource)
            for path, resource in (resources or {}).items()
        }
    )

    class Handler(_Handler):
        state = server

    with _running(Handler, tls) as port:
        server.port = port
        server.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
        try:
            yield server
        finally:
            server.stopping.set()


@contextmanager
def serve_proxy(
    *,
    leads_to: WebServer | None = None,
    refuses_with: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[WebServer]:
    """Run an HTTP proxy (forwarding, and CONNECT) on a free port of 127.0.0.1.

    Args:
        leads_to: Where all requests end up, whatever host they name; by default where they should.
        refuses_with: Answer everything with this status.
        tls: Be spoken to in TLS, with this certificate.
    """
    proxy = WebServer({})

    class Handler(_ProxyHandler):
        state = proxy
        destination = leads_to
        refusal = refuses_with

    with _running(Handler, tls) as port:
        proxy.port = port
        proxy.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
        try:
            yield proxy
        finally:
            proxy.stopping.set()


@contextmanager
def _running(handler: type[_QuietHandler], tls: ssl.SSLContext | None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as http_server:
        http_server.tls = tls
        http_server.state = handler.state
        thread = threading.Thread(
            target=http_server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield http_server.server_address[1]
        finally:
            http_server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None
    state: WebServer

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.state.num_connections += 1
        if self.tls is not None:
            # The handshake happens at the first read, in the connection's own thread.
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Be quiet: clients that go away are what is tested."""


class _QuietHandler(BaseHTTPRequestHandler):
    state: WebServer
    protocol_version = "HTTP/1.1"
    # Otherwise a body waits for the client to confirm the headers, on a connection that is reused.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def note_request(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.state.requests.append(Request(self.command, self.path, headers))


class _Handler(_QuietHandler):
    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.note_request()
        resources = self.state.resources
        resource = resources.get(self.path) or resources.get(urlsplit(self.path).path)
        if resource is None:
            self._send_page(404)
            return
        fault = resource.always
        if self.command == "GET" and resource.faults:
            fault = resource.faults.pop(0)
        if not isinstance(fault, Fault):
            fault = Fault(status=fault)
        if fault.drop:
            self.close_connection = True
        elif fault.stall_after == -1:
            self._stall()
        elif fault.status is not None:
            self._send_page(fault.status, fault.headers)
        elif resource.redirect is not None:
            self._send_page(resource.redirect_status, {"Location": resource.redirect})
        elif resource.authorization not in (None, self.headers["Authorization"]):
            self._send_page(401, {"WWW-Authenticate": "Basic"})
        else:
            self._send_resource(resource, fault)

    def _send_page(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        page = f"<!doctype html><title>{status}</title>".encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html",
            "Content-Length": str(len(page)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    def _send_resource(self, resource: Resource, fault: Fault) -> None:
        content = resource.content if fault.content is None else fault.content
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        headers = {"Content-Type": "application/octet-stream", **resource.headers}
        if resource.etag is not None:
            headers["ETag"] = resource.etag
        if resource.last_modified is not None:
            headers["Last-Modified"] = resource.last_modified
        status, start, end = 200, 0, size
        wanted = self._wanted_range(resource, size)
        if wanted is not None and wanted[0] >= size:
            headers["Content-Range"] = f"bytes */{size}"
            status, end = 416, 0
        elif wanted is not None:
            start, end = wanted
            if fault.max_range is not None:
                end = min(end, start + fault.max_range)
            if fault.wrong_range:
                start, end = start - 1, end - 1
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            status = 206
        if resource.framing is Framing.LENGTH:
            headers["Content-Length"] = str(end - start)
        elif resource.framing is Framing.CHUNKED:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Connection"] = "close"
            self.close_connection = True
        self.send_response(status)
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(content, start, end, resource.framing, fault)

    def _wanted_range(self, resource: Resource, size: int) -> tuple[int, int] | None:
        """The first byte, and the one after the last: `bytes=a-`, `bytes=a-b` or `bytes=-n`."""
        match = re.fullmatch(r"bytes=(?:(\d+)-(\d*)|-(\d+))", self.headers.get("Range", ""))
        if match is None or not resource.has_ranges:
            return None
        condition = self.headers.get("If-Range")
        validators = (None, resource.etag, resource.last_modified)
        if resource.honours_if_range and condition not in validators:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            return (max(0, size - int(suffix)) if int(suffix) else size), size
        if last and int(last) < int(first):
            return None
        return int(first), min(size, int(last) + 1) if last else size

    def _send_body(
        self, content: bytes | Path, start: int, end: int, framing: Framing, fault: Fault
    ) -> None:
        limits = [
            limit
            for limit in (fault.cut_after, fault.reset_after, fault.stall_after)
            if limit is not None
        ]
        if limits:
            end = min(end, start + limits[0])
        size = 65536 if fault.piece_seconds is None else fault.piece_bytes
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
            file.seek(start)
            for i in range(start, end, size):
                piece = file.read(min(size, end - i))
                is_chunk = framing is Framing.CHUNKED
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunk else piece)
                if fault.piece_seconds and self.state.stopping.wait(fault.piece_seconds):
                    return
        if fault.stall_after is not None:
            self._stall()
        elif fault.reset_after is not None:
            self._reset()
        elif fault.cut_after is not None:
            self.close_connection = True
        elif framing is Framing.CHUNKED:
            self.wfile.write(b"0\r\n\r\n")

    def _stall(self) -> None:
        """Say nothing until the client has gone away or the test is over."""
        self.close_connection = True
        while not self.state.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self._has_client():
                return

    def _has_client(self) -> bool:
        try:
            return bool(self.connection.recv(1))
        except OSError:
            return False

    def _reset(self) -> None:
        self.close_connection = True
        # on, for 0 seconds: what is not sent yet is dropped, and the client told so
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        socket.close(self.connection.detach())


class _ProxyHandler(_QuietHandler):
    destination: WebServer | None = None
    refusal: int | None = None

    def do_CONNECT(self) -> None:
        self.note_request()
        self.close_connection = True
        if self.refusal is not None:
            self.send_error(self.refusal)
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection(self._destination(host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            self._pump(far)

    def do_GET(self) -> None:
        self.note_request()
        if self.refusal is not None:
            self.send_error(self.refusal)
            return
        self.close_connection = True
        url = urlsplit(self.path)
        assert url.hostname is not None
        host, port = self._destination(url.hostname, url.port or 80)
        far = HTTPConnection(host, port)
        path = url.path + (f"?{url.query}" if url.query else "")
        far.request("GET", path, headers=dict(self.headers))
        answer = far.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        far.close()

    def _destination(self, host: str, port: int) -> tuple[str, int]:
        return (host, port) if self.destination is None else ("127.0.0.1", self.destination.port)

    def _pump(self, far: socket.socket) -> None:
        near = self.connection
        with suppress(OSError):
            while not self.state.stopping.is_set():
                # what TLS has already decrypted is no news to `select`
                readable = [near] if isinstance(near, ssl.SSLSocket) and near.pending() else []
                for end in readable or select.select([near, far], [], [], 0.05)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    (far if end is near else near).sendall(data)
