"""Hosts that can't be reached cost one time limit, however many addresses they have."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from i3d.errors import DownloadError
from i3d.files import session
from i3d.files.download import download
from i3d.files.session import connect_seconds

from web_server import serve

if TYPE_CHECKING:
    from pathlib import Path


class Network:
    """Firewalls that drop everything for some addresses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
        self.asked: list[tuple[str, float]] = []
        self.answers: dict[str, int] = {}
        """Address -> port on this machine that it stands for."""
        found = [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 0, 0, "", (address, 0))
            for address in addresses
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        monkeypatch.setattr(session, "create_connection", self.connect)

    def connect(self, where: tuple[str, int], seconds: float, **_: object) -> socket.socket:
        self.asked.append((where[0], seconds))
        if where[0] not in self.answers:
            time.sleep(seconds)
            raise TimeoutError
        connection = socket.socket()
        connection.connect(("127.0.0.1", self.answers[where[0]]))
        return connection


def reason(url: str, folder: Path) -> str:
    with pytest.raises(DownloadError) as caught:
        download(url, folder / "file")
    assert caught.value.kind == "unreachable"
    return caught.value.reason


def test_a_host_of_many_silent_addresses_costs_one_time_limit_and_one_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.2")
    network = Network(monkeypatch, [f"192.0.2.{i}" for i in range(16)])
    assert reason("http://dropped.example/", tmp_path) == (
        "dropped.example does not answer (waited 0.2 seconds)"
    )
    assert len(network.asked) <= 3


def test_one_address_has_the_whole_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.2")
    network = Network(monkeypatch, ["192.0.2.1"])
    reason("http://dropped.example/", tmp_path)
    assert network.asked == [("192.0.2.1", 0.2)]


def test_where_one_family_of_addresses_leads_nowhere_the_other_is_asked_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.4")
    with serve({"/file": b"here"}) as server:
        network = Network(monkeypatch, ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"])
        network.answers["192.0.2.1"] = server.port
        download(f"http://both.example:{server.port}/file", tmp_path / "file")
    assert network.asked == [("2001:db8::1", 0.2), ("192.0.2.1", 0.2)]


def test_a_name_that_nobody_resolves_costs_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setenv("I3D_TIMEOUT", "0.2")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: over.wait())
    assert reason("http://dropped.example/", tmp_path) == (
        "dropped.example does not answer (waited 0.2 seconds)"
    )
    over.set()


def test_a_host_that_accepts_and_never_greets_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert "does not answer" in reason(f"https://127.0.0.1:{port}/", tmp_path)
        listener.settimeout(0.01)
        listener.accept()[0].close()
        with pytest.raises(TimeoutError):
            listener.accept()


def test_who_is_patient_with_servers_is_so_with_connections() -> None:
    assert [connect_seconds(patience) for patience in (1, 30, 120)] == [1, 5, 20]
