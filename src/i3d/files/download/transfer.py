"""Attempts at one file, until it is there or there is no hope."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from i3d.files.download.attempts import AttemptError, size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from i3d.files.download.answers import Answer
    from i3d.files.download.connection import Connection
    from i3d.files.download.partial import Partial
    from i3d.progress import Progress

BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Waits between attempts, each twice the one before, as servers ask their clients to. There is one
attempt more than waits: five."""

LONGEST_WAIT_SECONDS = 60.0
"""A server that asks for a longer pause (`Retry-After`) is not waited for."""

GOOD_PROGRESS_BYTES = 2**20
"""An attempt that brings so much (1 MiB) proves that the server works: the count starts again."""

_NUM_STALLS = 2
"""A server that says nothing twice is given up: each time costs the user the whole patience."""


_Result = TypeVar("_Result")


def persist(attempt: Callable[[], _Result], num_bytes: Callable[[], int]) -> _Result:
    """Make attempts until one succeeds, or there is no hope.

    Args:
        attempt: One of them; it goes on where the one before it broke, where it can.
        num_bytes: Tells how much there is by now.

    Returns:
        What the attempt gave that succeeded.

    Raises:
        AttemptError: None did.
    """
    num_attempts = num_stalls = 0
    furthest = num_bytes()
    while True:
        try:
            return attempt()
        except AttemptError as error:
            # Measured from the furthest point so far: a server that cannot continue a file and
            # breaks at the same point each time must not be asked for ever.
            if num_bytes() >= furthest + GOOD_PROGRESS_BYTES:
                num_attempts = num_stalls = 0
            furthest = max(furthest, num_bytes())
            num_attempts += 1
            num_stalls += error.is_stall
            if not error.is_transient:
                raise
            if num_attempts > len(BACKOFF_SECONDS) or num_stalls >= _NUM_STALLS:
                raise AttemptError(
                    f"{error.reason} (tried {num_attempts} times)", hint=error.hint, kind=error.kind
                ) from error
            wait = error.wait_seconds
            if wait is not None and wait > LONGEST_WAIT_SECONDS:
                raise AttemptError(
                    f"{error.reason} and asks to come back in {wait:.0f} seconds",
                    hint="Try again later.",
                    kind=error.kind,
                ) from error
        time.sleep(BACKOFF_SECONDS[num_attempts - 1] if wait is None else wait)


@dataclass(frozen=True)
class Verified:
    """What a partial file was filled with."""

    url: str
    """The address that its content came from, after redirects."""
    sha256: str
    """SHA-256 of the content, in hexadecimal."""


class Transfer:
    """Brings an address's content into a partial file, in as many attempts as it takes."""

    def __init__(
        self,
        url: str,
        partial: Partial,
        connection: Connection,
        max_bytes: int,
        description: str,
        progress: Progress,
    ) -> None:
        self._url = url
        self._partial = partial
        self._connection = connection
        self._max_bytes = max_bytes
        self._description = description
        self._progress = progress

    def run(self, git_sha1: str | None, sha256: str | None) -> Verified:
        """Fill the partial file with the right content.

        Args:
            git_sha1: The git blob id that it must have, or None.
            sha256: The SHA-256 that it must have, or None.

        Returns:
            Where the content came from, and its SHA-256.

        Raises:
            AttemptError: It cannot be had.
            CacheError: It cannot be written.
        """
        expected = {"git blob id": git_sha1, "SHA-256": sha256}
        is_second = False
        while True:
            url = persist(self._attempt, lambda: self._partial.num_bytes)
            found = _digests(self._partial)
            wrong = _difference(found, expected)
            if wrong is None:
                return Verified(url, found["SHA-256"])
            # Pieces of two versions of a file make neither: one more time, from the start.
            is_final = is_second or not self._partial.was_resumed
            self._partial.restart()
            if is_final:
                raise AttemptError(wrong)
            is_second = True

    def _attempt(self) -> str:
        partial = self._partial
        with self._ask() as answer:
            offset = partial.num_bytes
            total = partial.total
            if total is not None:
                self._check_size(total)
                partial.check_room(total - offset)
            with self._progress.task(self._description, total, "bytes") as advance:
                if offset:
                    advance(offset)
                for chunk in answer.body(offset, total):
                    partial.write(chunk)
                    self._check_size(partial.num_bytes)
                    advance(len(chunk))
            if total is not None and partial.num_bytes > total:
                partial.restart()
                raise AttemptError("the server sent more than it had announced", is_transient=True)
            return answer.url

    def _ask(self) -> Answer:
        """Ask for what is missing; leave in the partial file what the answer continues."""
        partial = self._partial
        conditions = partial.conditions()
        if conditions:
            answer = self._connection.get(self._url, conditions)
            if answer.status == 206 and partial.is_continued_by(answer):
                return answer
            if answer.status not in (200, 206, 416):
                with answer:
                    raise answer.refusal()
            if answer.status == 200:
                partial.restart(answer)
                return answer
            answer.close()
        answer = self._connection.get(self._url, {})
        if answer.status != 200:
            with answer:
                raise answer.refusal()
        partial.restart(answer)
        return answer

    def _check_size(self, num_bytes: int) -> None:
        if num_bytes > self._max_bytes:
            self._partial.restart()
            raise AttemptError(f"the file is larger than {size_text(self._max_bytes)}")


def _digests(partial: Partial) -> dict[str, str]:
    """Digests of what is on the disk, which may have been written by two runs."""
    git = hashlib.sha1(b"blob %d\0" % partial.num_bytes, usedforsecurity=False)
    sha256 = hashlib.sha256()
    for chunk in partial.read():
        git.update(chunk)
        sha256.update(chunk)
    return {"git blob id": git.hexdigest(), "SHA-256": sha256.hexdigest()}


def _difference(found: Mapping[str, str], expected: Mapping[str, str | None]) -> str | None:
    for name, digest in expected.items():
        if digest is not None and found[name] != digest.lower():
            return (
                f"what came is not the expected file ({name} {found[name][:8]}..., "
                f"expected {digest.lower()[:8]}...)"
            )
    return None
