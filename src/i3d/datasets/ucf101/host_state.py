"""Whether a host is worth asking, and what to tell where none gave a clip."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.hosts import host_name
from i3d.errors import DownloadError, TransferError
from i3d.files.addresses import NETWORK_HINT

if TYPE_CHECKING:
    from i3d.datasets.ucf101.hosts import Host
    from i3d.datasets.ucf101.names import Clip

MOST_FAILURES = 8
"""A host that fails so often in a row is not asked any more. A clip that it does not have is no
failure."""

_OTHER_SOURCE = {"index": "take it from the zip with --source zip, ", "zip": ""}
"""A way on where one source alone was asked."""

_MISSING = {
    "index": "See what the host has: i3d ucf list --refresh",
    "zip": "Try the index host, with --source index.",
}
"""A way on where the source that was asked last has no such clip."""

_LATER = "Try again later."

_HOLD = {False: "holds the right address", True: "hold the right addresses"}

_SILENCE = 4
"""How many failures it counts for that a host was silent: it was asked twice by then, and each time
costs `I3D_TIMEOUT`."""


class HostState:
    """Whether a host is worth asking."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.down: DownloadError | None = None
        """Why it is not asked any more."""
        self.has_worked = False
        self.is_told = False
        """Whether the user knows that it is down."""
        self._num_failures = 0
        self._last: DownloadError | None = None
        self._lock = threading.Lock()

    def worked(self) -> None:
        """It gave a clip."""
        with self._lock:
            self.has_worked = True
            self._num_failures = 0

    def failed(self, error: DownloadError) -> None:
        """Count a failure; the host may be down after it.

        One that several clips share, for they waited for the same answer, counts once; but silence
        counts for each of them.
        """
        with self._lock:
            is_silent = error.kind == "silent"
            is_known = error is self._last and not is_silent
            if error.kind == "missing" or is_known or self.down is not None:
                return
            self._last = error
            self._num_failures += _SILENCE if is_silent else 1
            if (
                error.kind == "certificate"
                or (error.kind == "unreachable" and not self.has_worked)
                or self._num_failures >= MOST_FAILURES
            ):
                self.down = error

    def news(self) -> DownloadError | None:
        """Why it is down, if it is and nobody asked before."""
        with self._lock:
            if self.down is None or self.is_told:
                return None
            self.is_told = True
            return self.down


def explain_failures(clip: Clip, failures: list[tuple[Host, DownloadError]]) -> TransferError:
    """Make the error for a clip that no host gave."""
    is_refused = any(error.kind == "certificate" for _, error in failures)
    hints = [error.hint for _, error in failures if error.hint]
    if is_refused:
        other = "" if len(failures) > 1 else _OTHER_SOURCE[failures[0][0].name]
        hint: str | None = (
            f"Name a certificate to trust with i3d ucf fetch --cafile FILE, {other}or go on "
            "unverified with --insecure."
        )
    elif all(error.kind == "missing" for _, error in failures):
        hint = _MISSING[failures[0][0].name if len(failures) == 1 else "index"]
    else:
        hint = hints[0] if hints else _LATER
        mirrors = [host.variable for host, _ in failures if os.environ.get(host.variable)]
        if mirrors and hint in (_LATER, NETWORK_HINT):
            hint = f"See that {' and '.join(mirrors)} {_HOLD[len(mirrors) > 1]}. {hint}"
    if len(failures) == 1:
        ((_, error),) = failures
        return TransferError(f"{clip.file_name} cannot be fetched: {error.reason}.", hint=hint)
    return TransferError(
        f"{clip.file_name} cannot be fetched from any source.",
        details=tuple(
            f"{host.name} ({host_name(host)}): {error.reason}" for host, error in failures
        ),
        hint=hint,
    )
