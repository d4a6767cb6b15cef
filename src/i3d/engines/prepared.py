"""Models that OpenVINO has read once, kept in the cache so that the next run need not convert them.

A graph in OpenVINO's own format is read in a tenth of the time of a SavedModel. What is kept only
saves time: it is made again where it is missing, damaged, or of another version.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from i3d.engines.base import ModelContract
from i3d.files.cache import prepared_models_dir
from i3d.files.checksums import crc32c
from i3d.files.whole import private_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 2
"""Raised when what is kept changes its meaning."""

MOST_KEPT = 8
"""Least recently used ones go. I3D takes 51 MB."""

GRAPH = "model.xml"
_NUMBERS = "model.bin"
_CONTRACT = "contract.json"


@dataclass(frozen=True)
class Prepared:
    """What is known of a kept model."""

    contract: ModelContract
    """What its graph says."""
    agrees: bool | None
    """Whether OpenVINO's numbers are TensorFlow's; None where nobody has looked yet."""


def open_prepared(fingerprint: str, engine_version: str) -> tuple[Path, Prepared] | None:
    """Find a kept model.

    Args:
        fingerprint: The SHA-256 over the model's files.
        engine_version: The version of OpenVINO that reads it.

    Returns:
        Its graph (`model.xml`, the numbers beside it), and what is known of it; None where there
        is none, or a damaged one.
    """
    folder = _folder(fingerprint, engine_version)
    try:
        kept = json.loads((folder / _CONTRACT).read_text(encoding="utf-8"))
        if kept["crc32c"] != _checksums(folder):
            return None
        values = kept["contract"]
        contract = ModelContract(**(values | {"input_range": tuple(values["input_range"])}))
        agrees = kept["agrees"] if isinstance(kept["agrees"], bool) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    with suppress(OSError):
        os.utime(folder)  # it was used now
    return folder / GRAPH, Prepared(contract, agrees)


def keep_prepared(
    fingerprint: str,
    engine_version: str,
    prepared: Prepared,
    write: Callable[[Path], None],
) -> None:
    """Keep a model, if the cache can be written.

    Args:
        fingerprint: The SHA-256 over the model's files.
        engine_version: The version of OpenVINO that reads it.
        prepared: What is known of it.
        write: Writes the graph to the path that it is given, and its numbers beside it.
    """
    target = _folder(fingerprint, engine_version)
    with suppress(OSError), private_folder(target.parent) as folder:
        made = folder / target.name
        made.mkdir()
        write(made / GRAPH)
        kept: dict[str, Any] = {**asdict(prepared), "crc32c": _checksums(made)}
        (made / _CONTRACT).write_text(json.dumps(kept), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)  # a damaged one
        made.rename(target)
        _forget(_by_age(target.parent)[MOST_KEPT:])


def keep_verdict(fingerprint: str, engine_version: str, prepared: Prepared) -> None:
    """Keep what is known of a model by now, beside its graph, if the cache can be written.

    Args:
        fingerprint: The SHA-256 over the model's files.
        engine_version: The version of OpenVINO that reads it.
        prepared: What is known of it.
    """
    file = _folder(fingerprint, engine_version) / _CONTRACT
    with suppress(OSError, ValueError, TypeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        write_whole(file, json.dumps(kept | asdict(prepared)).encode())


def forget_prepared(fingerprint: str) -> None:
    """Remove what was kept of a model, of all versions."""
    with suppress(OSError):
        _forget(list(prepared_models_dir().glob(f"{_digest(fingerprint)}-*")))


def _forget(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _by_age(root: Path) -> list[Path]:
    """The kept models, the youngest first."""
    ages = {}
    for folder in root.iterdir():
        if not folder.name.startswith("."):
            with suppress(OSError):
                ages[folder] = folder.stat().st_mtime
    return sorted(ages, key=lambda folder: -ages[folder])


def _folder(fingerprint: str, engine_version: str) -> Path:
    version = hashlib.sha256(f"{FORMAT} {engine_version}".encode()).hexdigest()[:16]
    return prepared_models_dir() / f"{_digest(fingerprint)}-{version}"


def _digest(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:32]


def _checksums(folder: Path) -> dict[str, int]:
    checksums = {}
    for name in (GRAPH, _NUMBERS):
        crc = 0
        with (folder / name).open("rb") as file:
            while chunk := file.read(2**20):
                crc = crc32c(chunk, crc)
        checksums[name] = crc
    return checksums
