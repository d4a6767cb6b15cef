"""From a web address to a verified file. Quick to import: `requests` is imported when it is used.

The file appears under its name only when all of it is there and its digest is right. The next
download of the same address continues what a run that was stopped has left.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from i3d.errors import CacheError, DownloadError
from i3d.files.addresses import (
    NETWORK_HINT,
    Pace,
    check_address,
    credentials,
    failure,
    refusal,
    shown,
    size_text,
    status_text,
)
from i3d.files.whole import write_through, writing
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from requests import Response

    from i3d.progress import Progress

GOOD_PROGRESS_BYTES = 2**20
"""An attempt that brings so much (1 MiB) proves that the server works: the count starts again."""

_NUM_ATTEMPTS = 5
_NUM_STALLS = 2
"""A server that falls silent twice is given up: each time costs the user the whole patience."""

_PREFIX = ".i3d-"
"""How the names of unfinished files start: hidden, and told from a user's own."""

_ABANDONED_SECONDS = 7 * 86_400.0
"""Unfinished files of this age are removed."""

_CHUNK_BYTES = 2**18


@dataclass(frozen=True)
class Download:
    """A file that was downloaded."""

    path: Path
    """Where it is now."""
    url: str
    """The address that it came from, after all redirects, without a user name or password."""
    num_bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""


def download(
    url: str,
    target: Path,
    *,
    git_sha1: str | None = None,
    sha256: str | None = None,
    max_bytes: int = 4 * 2**30,
    auth: tuple[str, str] | str | None = None,
    headers: Mapping[str, str] | None = None,
    partial_dir: Path | None = None,
    description: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Download:
    """Download a file.

    A connection that breaks is continued where it broke, up to five times without 1 MiB of
    progress. A run that was killed or interrupted leaves a hidden `.i3d-*.part` file, and the next
    download of the same address continues it, if the server (by its entity tag or date) or a digest
    tells that it is still the same file. If two processes download the same address at once, each
    makes its own file, and neither waits.

    Args:
        url: An `http://` or `https://` address.
        target: The file to make. Missing folders are made; a file of that name is replaced.
        git_sha1: The git blob id that the file must have: SHA-1, in hexadecimal, of
            `blob `, the size, a zero byte, and the content.
        sha256: SHA-256 that the content must have, in hexadecimal.
        max_bytes: A larger file is refused. The default is 4 GiB, forty times the largest model.
        auth: (user, password) for Basic, or a Bearer token; by default those in the address or in
            the user's netrc file. Sent to the address's own host only.
        headers: More request headers.
        partial_dir: Where the unfinished file is kept; the folder of `target` by default.
            Unfinished files there that are older than a week are removed.
        description: What the progress display says, "fetching URL" by default.
        progress: Receives the number of bytes, also of those that an earlier run left.

    Returns:
        The file's place, final address, size and SHA-256.

    Raises:
        DownloadError: The file can't be had, or is not the expected one. `reason` says why.
        CacheError: A folder can't be written, or the disk is full.
        UsageError: I3D_TIMEOUT, or the certificates that the user named, make no sense.
    """
    check_address(url)
    from i3d.files.session import open_session

    folder = partial_dir or target.parent
    with open_session() as session:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
        transfer = _Transfer(
            url,
            folder,
            target,
            {"git blob id": git_sha1, "SHA-256": sha256},
            max_bytes,
            partial(session.get, url, auth=credentials(url, auth), stream=True),
            headers or {},
            description or f"fetching {shown(url)}",
            progress,
        )
        try:
            return transfer.run()
        finally:
            for path in folder.glob(f"{_PREFIX}*{transfer.token}.part"):
                path.unlink(missing_ok=True)


def reach(
    url: str, *, auth: tuple[str, str] | str | None = None, timeout_seconds: float = 10
) -> str:
    """Ask a server once for the first byte of a file, to see whether it could be downloaded.

    Args:
        url: An `http://` or `https://` address.
        auth: As in `download`.
        timeout_seconds: How long the server may be silent, above 0.

    Returns:
        A clause: "answers 200 OK".

    Raises:
        DownloadError: The file can't be had. `reason` says why.
        UsageError: The certificates that the user named make no sense.
    """
    check_address(url)
    from i3d.files.session import FAILURES, explain, open_session

    with open_session(patience=timeout_seconds, num_retries=0) as session:
        try:
            answer = session.get(
                url, headers={"Range": "bytes=0-0"}, auth=credentials(url, auth), stream=True
            )
        except FAILURES as error:
            raise explain(error, url, timeout_seconds) from error
        # 416: there is such a file, but it is empty
        if answer.status_code not in (200, 206, 416):
            raise refusal(url, answer)
        return f"answers {status_text(answer.status_code)}"


@dataclass(frozen=True)
class _Transfer:
    """Brings the content of an address into a file, in as many attempts as it takes."""

    url: str
    folder: Path
    target: Path
    digests: Mapping[str, str | None]
    max_bytes: int
    get: partial[Response]
    headers: Mapping[str, str]
    description: str
    progress: Progress
    token: str = field(default_factory=partial(secrets.token_hex, 8))
    """In the name of a file that no other process continues."""

    def run(self) -> Download:
        num_attempts = num_stalls = furthest = 0
        while True:
            try:
                return self._attempt()
            except _BrokenError as broken:
                # Measured from the furthest point so far: a server that always breaks at the same
                # point must not be asked for ever.
                if broken.num_bytes >= furthest + GOOD_PROGRESS_BYTES:
                    num_attempts = num_stalls = 0
                furthest = max(furthest, broken.num_bytes)
                num_attempts += 1
                num_stalls += broken.error.kind == "silent"
                if num_attempts == _NUM_ATTEMPTS or num_stalls == _NUM_STALLS:
                    reason = f"{broken.error.reason} (tried {num_attempts} times)"
                    hint, kind = broken.error.hint, broken.error.kind
                    raise failure(self.url, reason, hint=hint, kind=kind) from broken
            from i3d.files.session import BACKOFF_SECONDS

            time.sleep(BACKOFF_SECONDS * 2 ** (num_attempts - 1))

    def _attempt(self) -> Download:
        answer = self._ask({})
        etag = answer.headers.get("ETag", "").strip()
        # A weak tag does not promise the same bytes.
        validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified")
        digest = self.digests["SHA-256"] or self.digests["git blob id"]
        total: int | None = answer.raw.length_remaining
        if total is not None and total > self.max_bytes:
            answer.close()
            self._check_size(total)
        with _partial_file(self.folder, self.url, validator or digest, self.token) as part:
            size = part.stat().st_size if part.exists() else 0
            is_continued = (validator or digest) is not None and 0 < size <= (total or 0)
            if not is_continued:
                size = 0
            elif size != total:
                answer.close()
                answer, size = self._rest(size, validator)
            if size != total or not total:
                size = self._write(part, answer, size, total)
            answer.close()
            found = _digests(part)
            for name, expected in self.digests.items():
                if expected and found[name] != expected.lower():
                    part.unlink()
                    reason = (
                        f"what came is not the expected file ({name} {found[name][:8]}..., "
                        f"expected {expected.lower()[:8]}...)"
                    )
                    error = failure(self.url, reason)
                    # The pieces may be of two versions: once more, from the start.
                    raise _BrokenError(error, 0) if is_continued else error
            with writing(self.target.parent):
                self.target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    part.replace(self.target)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    shutil.move(part, self.target)  # to another disk
        return Download(self.target, shown(answer.url).partition("#")[0], size, found["SHA-256"])

    def _ask(self, conditions: Mapping[str, str], *others: int) -> Response:
        """Ask for the file; raises DownloadError for any answer but 200 and `others`."""
        from i3d.files.session import FAILURES, explain

        try:
            answer = self.get(headers={**self.headers, **conditions})
        except FAILURES as error:
            raise explain(error, self.url) from error
        if answer.status_code not in (200, *others):
            raise refusal(self.url, answer)
        return answer

    def _rest(self, size: int, validator: str | None) -> tuple[Response, int]:
        """Ask for what comes after `size` bytes; give the answer, and where it starts."""
        conditions = {"Range": f"bytes={size}-"}
        if validator:
            conditions["If-Range"] = validator
        answer = self._ask(conditions, 206, 416)
        if answer.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
            return answer, size
        if answer.status_code != 200:
            answer.close()
            answer = self._ask({})
        return answer, 0

    def _write(self, part: Path, answer: Response, size: int, total: int | None) -> int:
        """Append a body to the `size` bytes of it that a file has; give the file's size then."""
        from i3d.files.session import FAILURES, explain

        # read1: what has arrived, not decompressed; `read` would wait for the whole chunk
        read = partial(answer.raw.read1, _CHUNK_BYTES, decode_content=False)
        broken = None
        pace = Pace(self.url)
        with (
            answer,
            self.progress.task(self.description, total, "bytes") as advance,
            writing(self.folder),
            part.open("r+b" if size else "wb") as file,
        ):
            file.truncate(size)
            file.seek(size)
            advance(size)
            while size <= self.max_bytes:
                try:
                    chunk = read()
                except FAILURES as error:
                    broken = explain(error, self.url)
                    break
                if not chunk:
                    break
                file.write(chunk)
                size += len(chunk)
                advance(len(chunk))
                try:
                    pace.count(len(chunk))
                except DownloadError as error:
                    broken = error
                    break
            write_through(file)
        if size > self.max_bytes:
            part.unlink()
            self._check_size(size)
        if broken is not None and broken.kind == "silent":
            raise _BrokenError(broken, size)
        if broken is not None or size != (total or size):
            of_total = "" if total is None else f" of {size_text(total)}"
            reason = f"the connection was closed after {size_text(size)}{of_total}"
            raise _BrokenError(failure(self.url, reason, hint=NETWORK_HINT), size)
        return size

    def _check_size(self, num_bytes: int) -> None:
        if num_bytes > self.max_bytes:
            raise failure(self.url, f"the file is larger than {size_text(self.max_bytes)}")


class _BrokenError(Exception):
    """A body broke off: another attempt may succeed."""

    def __init__(self, error: DownloadError, num_bytes: int) -> None:
        super().__init__(error.reason)
        self.error = error
        self.num_bytes = num_bytes
        """How much of the file there is."""


def _digests(path: Path) -> dict[str, str]:
    """Digests of what is on the disk, which may have been written by two runs."""
    git = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            git.update(chunk)
            sha256.update(chunk)
    return {"git blob id": git.hexdigest(), "SHA-256": sha256.hexdigest()}


@contextmanager
def _partial_file(folder: Path, url: str, identity: str | None, token: str) -> Iterator[Path]:
    """Give the unfinished file of an address, or a private one where another process has that.

    Args:
        folder: Where it is, or will be.
        url: The address. It may hold a password: only its digest is written down.
        identity: What tells this version of the file; None for a file that can't be continued.
        token: Makes the name of a private file.
    """
    import filelock

    key = hashlib.sha256(f"{url}\n{identity}".encode("utf-8", "surrogateescape")).hexdigest()
    part = folder / f"{_PREFIX}{key[:32]}.part"
    lock = filelock.FileLock(part.with_suffix(".lock"), timeout=0)
    is_shared = False
    if identity is not None:
        with suppress(OSError, NotImplementedError):  # busy, or a drive without locks
            lock.acquire()
            # A process that ends removes its lock file. Where that happened after we opened it,
            # our lock excludes nobody.
            is_shared = part.with_suffix(".lock").exists()
    if not is_shared:
        part = part.with_name(f"{part.stem}-{token}.part")
    try:
        yield part
    except CacheError:
        part.unlink(missing_ok=True)
        raise
    finally:
        if lock.is_locked:
            if is_shared and os.name != "nt":  # Windows removes it when it is released
                part.with_suffix(".lock").unlink(missing_ok=True)
            lock.release()


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()
