"""Whether a host is worth asking, and what to tell where none gave a clip."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from i3d.errors import DownloadError, TransferError
from i3d.ucf101_files.hosts import host_name

if TYPE_CHECKING:
    from i3d.ucf101 import Clip
    from i3d.ucf101_files.hosts import Host

MOST_FAILURES = 8
"""A host that fails so often in a row is not asked any more. A clip that it does not have is no
failure."""


class HostState:
    """Whether a host is worth asking."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.down: DownloadError | None = None
        """Why it is not asked any more."""
        self.has_worked = False
        self._num_failures = 0
        self._lock = threading.Lock()

    def worked(self) -> None:
        """It gave a clip."""
        with self._lock:
            self.has_worked = True
            self._num_failures = 0

    def failed(self, error: DownloadError) -> bool:
        """Count a failure; tell whether it is this one for which the host is given up."""
        with self._lock:
            if error.kind == "missing" or self.down is not None:
                return False
            self._num_failures += 1
            if (
                error.kind == "certificate"
                or (error.kind == "unreachable" and not self.has_worked)
                or self._num_failures >= MOST_FAILURES
            ):
                self.down = error
            return self.down is not None


def explain_failures(clip: Clip, failures: list[tuple[Host, DownloadError]]) -> TransferError:
    """Make the error for a clip that no host gave."""
    refused = [host_name(host) for host, error in failures if error.kind == "certificate"]
    hints = [error.hint for _, error in failures if error.hint]
    if refused:
        hint: str | None = (
            f"If you trust the way to {refused[0]}, name its certificate with i3d ucf fetch "
            "--cafile FILE, or go on unverified with --insecure."
        )
    elif all(error.kind == "missing" for _, error in failures):
        hint = "See what the host has: i3d ucf list --refresh"
    else:
        hint = hints[0] if hints else "Try again later."
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
