"""Servers' answers: what they say about a file, and bodies that must keep flowing.

Imports `urllib3`, so it is itself imported only where something is downloaded.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

from urllib3.exceptions import HTTPError, ReadTimeoutError

from i3d.files.download.attempts import AttemptError, closed_early, stalled, status_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from requests import Response

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request may succeed (RFC 9110, 6585 and 8470)."""

SLOWEST_BYTES_PER_SECOND = 1024
"""A slower server is as good as silent: a model of 50 MB would take 14 hours."""

_MISSING_STATUSES = frozenset({404, 410})

_CHUNK_BYTES = 2**18


class ContentRange(NamedTuple):
    """Which part of a file an answer brings."""

    first: int
    """Its first byte, counted from 0."""
    last: int
    """Its last byte."""
    total: int | None
    """Size of the file, None where the server does not say it."""


class Answer:
    """A server's answer whose body is still to be read. Close it, or use it as a context.

    Args:
        response: What `requests` gave.
        url: The address that answered.
        patience_seconds: How long the server may be silent.
        at_end: Called when the body was read to its end: the way to the host may be used again.
    """

    def __init__(
        self, response: Response, url: str, patience_seconds: float, at_end: Callable[[], None]
    ) -> None:
        self._response = response
        self._patience_seconds = patience_seconds
        self._at_end = at_end
        self.url = url
        """The address that answered, after redirects."""
        self.status: int = response.status_code
        self.body_bytes: int | None = response.raw.length_remaining
        """Length of the body, None where the server did not say it."""

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up what was not read of the body, and with it the way to the host."""
        self._response.close()

    @property
    def etag(self) -> str | None:
        """The strong entity tag, if there is one: a weak one does not promise the same bytes."""
        etag = self._response.headers.get("ETag", "").strip()
        return etag if etag.startswith('"') else None

    @property
    def last_modified(self) -> str | None:
        """The date of the last change, as the server wrote it."""
        return self._response.headers.get("Last-Modified", "").strip() or None

    @property
    def content_range(self) -> ContentRange | None:
        """Which part a partial answer brings; None if that is not said, or makes no sense."""
        header = self._response.headers.get("Content-Range", "")
        match = re.fullmatch(
            r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", header, re.ASCII | re.I
        )
        if match is None:
            return None
        first, last, total = match.groups()
        found = ContentRange(int(first), int(last), None if total == "*" else int(total))
        is_sound = found.first <= found.last and (found.total is None or found.last < found.total)
        return found if is_sound else None

    @property
    def total_of_refused_range(self) -> int | None:
        """Size of the file, as an answer 416 says it; None where it does not."""
        header = self._response.headers.get("Content-Range", "")
        match = re.fullmatch(r"\s*bytes\s+\*/(\d{1,18})\s*", header, re.ASCII | re.I)
        return None if match is None else int(match[1])

    def refusal(self) -> AttemptError:
        """Make the error for an answer that is not the file."""
        return AttemptError(
            f"the server answered {status_text(self.status)}",
            kind="missing" if self.status in _MISSING_STATUSES else "other",
            is_transient=self.status in TRANSIENT_STATUSES,
            wait_seconds=_retry_after(self._response.headers.get("Retry-After")),
        )

    def body(self, offset: int, total: int | None) -> Iterator[bytes]:
        """Read the body as it was sent, not decompressed, in pieces as they arrive.

        Args:
            offset: How many bytes of the file come before this body.
            total: Size of the whole file, where it is known.

        Raises:
            AttemptError: The body ended too early, or its flow dried up: no byte within the
                patience, or less than 1 KiB a second over so long.
        """
        received = window_bytes = 0
        window_start = time.monotonic()
        while True:
            try:
                # read1: what has arrived, at most; `read` would wait for the whole chunk
                chunk = self._response.raw.read1(_CHUNK_BYTES, decode_content=False)
            except (ReadTimeoutError, TimeoutError) as error:
                raise stalled("nothing", self._patience_seconds) from error
            except (HTTPError, HTTPException, OSError) as error:
                raise closed_early(offset + received, total) from error
            if not chunk:
                break
            received += len(chunk)
            window_bytes += len(chunk)
            yield chunk
            elapsed = time.monotonic() - window_start
            if elapsed >= self._patience_seconds:
                if window_bytes < SLOWEST_BYTES_PER_SECOND * elapsed:
                    raise stalled(f"only {window_bytes} bytes", self._patience_seconds)
                window_start, window_bytes = time.monotonic(), 0
        self._at_end()
        if total is not None and offset + received < total:
            raise closed_early(offset + received, total)


def _retry_after(header: str | None) -> float | None:
    if not header:
        return None
    if re.fullmatch(r"\d{1,9}", header.strip(), re.ASCII):
        return float(header)
    try:
        moment = parsedate_to_datetime(header).replace(tzinfo=timezone.utc)  # RFC 9110: always GMT
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
