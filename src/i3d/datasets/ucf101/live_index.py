"""The index host's own list of its clips, read when the user asks for it, and kept."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from i3d.datasets.ucf101.data import Index, load_index
from i3d.datasets.ucf101.names import Clip
from i3d.errors import DownloadError
from i3d.files.cache import ucf101_dir
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.files.trust import Trust
    from i3d.progress import Progress

_MAX_PAGE_BYTES = 32 * 2**20
"""An Apache index of 13,320 files takes about 3 MB."""

_MAX_KEPT_BYTES = 16 * 2**20
"""What is kept of the longest list: `MOST_CLIPS` names of 75 characters and our own take 5 MB."""

MOST_CLIPS = 50_000
"""A page that lists more is not UCF101's, which has 13,320: what is kept is read by each
`i3d ucf list`."""


@dataclass(frozen=True)
class LiveIndex:
    """What the index host listed, set beside the index that ships with i3d."""

    url: str
    """Its address."""
    fetched_at: str
    """When it was read: ISO 8601, UTC."""
    num_listed: int
    """Number of clips in it."""
    added: tuple[str, ...]
    """Names of the clips that only the host has."""
    missing: tuple[str, ...]
    """Names of the clips that the host does not list."""


def refresh_index(
    url: str, *, trust: Trust | None = None, progress: Progress = NO_PROGRESS
) -> LiveIndex:
    """Read the index host's page, compare it with the embedded index, and keep the result.

    Args:
        url: Its address.
        trust: Which certificates are trusted; those of the system by default.
        progress: Who wants to know.

    Raises:
        DownloadError: It can't be read, or lists no clips, or more than `MOST_CLIPS`; what was
            kept before stays.
        CacheError: It can't be kept.
    """
    # Here, not above: `i3d ucf list` reads what was kept, and must be fast.
    import json
    from datetime import datetime, timezone

    from i3d.datasets.ucf101.clips import explained
    from i3d.datasets.ucf101.live import compare_index, parse_index_page
    from i3d.files.addresses import shown
    from i3d.files.download import download
    from i3d.files.session import open_session
    from i3d.files.trust import SYSTEM_TRUST
    from i3d.files.whole import private_folder, write_whole

    root = ucf101_dir()
    with explained(root), private_folder(root) as folder:
        page = folder / "index.html"
        with open_session(trust or SYSTEM_TRUST) as connection:
            download(
                url,
                page,
                max_bytes=_MAX_PAGE_BYTES,
                session=connection,
                description="reading the index of UCF101",
                progress=progress,
            )
        names = parse_index_page(page.read_text(encoding="utf-8", errors="replace"))
        if not names:
            raise DownloadError(
                f"{shown(url)} lists no clips of UCF101: it is another page.",
                reason="the page lists no clips",
                hint="The index that ships with i3d goes on to be used.",
            )
        if len(names) > MOST_CLIPS:
            raise DownloadError(
                f"{shown(url)} lists {len(names)} clips, and UCF101 has {len(load_index().clips)}: "
                "it is another page.",
                reason="the page lists too many clips",
                hint="The index that ships with i3d goes on to be used.",
            )
        difference = compare_index(load_index(), names)
        live = LiveIndex(
            url=shown(url),
            fetched_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            num_listed=difference.num_listed,
            added=tuple(difference.added),
            missing=tuple(difference.missing),
        )
        write_whole(_kept_file(), json.dumps(asdict(live)).encode())
    return live


def kept_index() -> LiveIndex | None:
    """Give what the last `refresh_index` found; None where there is none that can be read."""
    path = _kept_file()
    if not os.path.isfile(path):  # noqa: PTH113  (of a pipe no end would come; no error)
        return None
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        with path.open("rb") as file:
            text = file.read(_MAX_KEPT_BYTES)
        import json  # here, for most machines have kept none

        kept = json.loads(text)
        live = LiveIndex(**kept | {name: tuple(kept[name]) for name in ("added", "missing")})
        is_whole = all(isinstance(name, str) for name in (*live.added, *live.missing))
        if is_whole and len(live.added) <= MOST_CLIPS:
            return live
    return None


def current_index() -> Index:
    """The embedded index, with the clips that the host was seen to have beside them."""
    live = kept_index()
    if live is None or not live.added:
        return load_index()
    return load_index().with_clips(
        [clip for name in live.added if (clip := Clip.parse(name)) is not None]
    )


def _kept_file() -> Path:
    return ucf101_dir() / "index.json"
