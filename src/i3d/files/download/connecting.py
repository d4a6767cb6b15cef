"""Connections that are made, or given up, within one time limit.

urllib3 gives each address of a host the whole limit, and the search for its name none: a network
that drops packets would cost a host with 16 addresses a minute or more.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time
from itertools import zip_longest
from typing import TYPE_CHECKING

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

if TYPE_CHECKING:
    from typing import Any


class PunctualConnection(HTTPConnection):
    """Put before urllib3's class of connections: its time limit is that of all addresses."""

    def connect(self) -> None:
        """Connect; a host that is silent before the first request counts as one not reached."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no secure connection in time") from error

    def _new_conn(self) -> socket.socket:
        try:
            connection = self._connected()
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return connection

    def _connected(self) -> socket.socket:
        assert self.timeout is not None
        deadline = time.monotonic() + self.timeout
        addresses = _addresses(self._dns_host, self.port, self.timeout)
        problem: OSError = TimeoutError()
        for i, address in enumerate(addresses, 1):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                connection = create_connection(
                    (address, self.port),
                    remaining if i == len(addresses) else remaining / 2,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                problem = error
            else:
                connection.settimeout(self.timeout)
                return connection
        raise problem


def _addresses(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a host, the families in turn: where IPv6 leads nowhere, IPv4 is second.

    Raises:
        OSError: There are none, or none was found in time. (The system's own limit can't be set,
            so the search goes on in a thread that nothing waits for.)
        UnicodeError: It is not a host name.
    """
    answers: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            family = allowed_gai_family()
            answers.put(socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # the second: a part is empty, or too long
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if not isinstance(answer, list):
        raise answer
    first = [entry[4][0] for entry in answer if entry[0] == answer[0][0]]
    other = [entry[4][0] for entry in answer if entry[0] != answer[0][0]]
    return [address for pair in zip_longest(first, other) for address in pair if address]
