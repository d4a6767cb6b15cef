"""A TensorFlow Hub on this machine: serves one module the way tfhub.dev serves it."""

from __future__ import annotations

import io
import tarfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE_PATH = "/deepmind/i3d-kinetics-400/1"
STORAGE_PATH = "/tfhub-modules" + MODULE_PATH + ".tar.gz"

PAGE = b"<!doctype html><title>deepmind/i3d-kinetics-400</title><p>A page for people.</p>"


class Behaviour(Enum):
    """What the server does with a request for the module."""

    SERVE = auto()
    """200 and the archive."""
    REDIRECT = auto()
    """302 to another path on this server, as tfhub.dev does to its storage."""
    FORBIDDEN = auto()
    """403 and a page, to everything: what tfhub.dev does since 2025 (tensorflow/hub#932)."""
    ERROR = auto()
    """500, to everything."""
    TRUNCATED = auto()
    """200 and the length of the archive, but the connection ends after half of it."""
    SHORT = auto()
    """200 and half of the archive, with a length that agrees."""
    WRONG_BYTES = auto()
    """200 and a page where the archive should be."""


@dataclass
class HubServer:
    """A running server."""

    archive: bytes
    behaviour: Behaviour = Behaviour.SERVE
    """May be changed while it runs."""
    url: str = ""
    """`http://127.0.0.1:PORT`, without a slash at the end."""
    requests: list[str] = field(default_factory=list)
    """Method and path, with the query, of every request so far."""

    @property
    def module_url(self) -> str:
        """The module's handle: what stands for https://tfhub.dev/deepmind/i3d-kinetics-400/1."""
        return self.url + MODULE_PATH


@contextmanager
def serve(module_dir: Path, behaviour: Behaviour = Behaviour.SERVE) -> Iterator[HubServer]:
    """Serve a module on a free port of 127.0.0.1 until the end of the `with` block."""
    hub = HubServer(pack(module_dir), behaviour)

    class Handler(_Handler):
        server_state = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def pack(module_dir: Path) -> bytes:
    """Pack a module as TensorFlow Hub does: a tar.gz with paths relative to the module's root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path in [module_dir, *sorted(module_dir.rglob("*"))]:
            name = f"./{path.relative_to(module_dir).as_posix()}"
            archive.add(path, "./" if path == module_dir else name, recursive=False)
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    server_state: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server_state
        hub.requests.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        wants_archive = parse_qs(url.query).get("tf-hub-format") == ["compressed"]
        if hub.behaviour is Behaviour.FORBIDDEN:
            self._send(HTTPStatus.FORBIDDEN, b"<!doctype html><title>403 Forbidden</title>")
        elif hub.behaviour is Behaviour.ERROR:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"<!doctype html><title>500</title>")
        elif url.path == MODULE_PATH and not wants_archive:
            self._send(HTTPStatus.OK, PAGE)
        elif url.path == MODULE_PATH and hub.behaviour is Behaviour.REDIRECT:
            self._send(HTTPStatus.FOUND, b"", location=STORAGE_PATH)
        elif url.path in {MODULE_PATH, STORAGE_PATH}:
            self._send_archive()
        else:
            self._send(HTTPStatus.NOT_FOUND, b"<!doctype html><title>404 Not Found</title>")

    def _send_archive(self) -> None:
        hub = self.server_state
        half = hub.archive[: len(hub.archive) // 2]
        if hub.behaviour is Behaviour.WRONG_BYTES:
            self._send(HTTPStatus.OK, PAGE, content_type="application/x-tar")
        elif hub.behaviour is Behaviour.SHORT:
            self._send(HTTPStatus.OK, half, content_type="application/x-tar")
        elif hub.behaviour is Behaviour.TRUNCATED:
            self._send(
                HTTPStatus.OK, half, content_type="application/x-tar", length=len(hub.archive)
            )
            self.close_connection = True
        else:
            self._send(HTTPStatus.OK, hub.archive, content_type="application/x-tar")

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        *,
        content_type: str = "text/html; charset=utf-8",
        length: int | None = None,
        location: str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # the client may have seen enough
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""
