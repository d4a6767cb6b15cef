"""Models that OpenVINO has converted, kept in the cache so that the next run starts faster.

A graph in OpenVINO's own format is read in a tenth of the time of a SavedModel. What is kept only
saves time: it is made again where it is missing, damaged, or of another version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from i3d.engines.base import ModelContract  # noqa: TC001  (msgspec reads it)
from i3d.files.cache import prepared_models_dir
from i3d.files.checksums import crc32c
from i3d.files.whole import private_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 3
"""Raised when what is kept changes its meaning."""

MOST_KEPT = 8
"""The least recently used ones go. I3D takes 51 MB."""

GRAPH = "model.xml"
_NUMBERS = "model.bin"
_CONTRACT = "contract.json"
_AGREES = "agrees.json"


@dataclass(frozen=True)
class Prepared:
    """A kept model."""

    graph: Path
    """Its graph in OpenVINO's format; the numbers lie beside it."""
    contract: ModelContract
    agrees: bool | None
    """Whether OpenVINO's numbers are TensorFlow's; None where they were not compared yet."""


@dataclass(frozen=True)
class _Description:
    contract: ModelContract
    crc32c: dict[str, int]
    """Of the files, by their names."""


def open_prepared(fingerprint: str, engine_version: str) -> Prepared | None:
    """Find a kept model.

    Args:
        fingerprint: The SHA-256 over the model's files.
        engine_version: The version of OpenVINO that reads it.

    Returns:
        The model; None where there is none, or a damaged one.
    """
    folder = _folder(fingerprint, engine_version)
    agrees = None
    try:
        kept = msgspec.json.decode((folder / _CONTRACT).read_bytes(), type=_Description)
        if kept.crc32c != _checksums(folder):
            return None
        os.utime(folder)  # it was used now
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    with suppress(OSError, msgspec.MsgspecError):
        agrees = msgspec.json.decode((folder / _AGREES).read_bytes(), type=bool)
    return Prepared(folder / GRAPH, kept.contract, agrees)


def keep_prepared(
    fingerprint: str, engine_version: str, contract: ModelContract, write: Callable[[Path], None]
) -> None:
    """Keep a model, if the cache can be written.

    Args:
        fingerprint: The SHA-256 over the model's files.
        engine_version: The version of OpenVINO that reads it.
        contract: What its graph says.
        write: Writes the graph to the path that it is given, and its numbers beside it.
    """
    target = _folder(fingerprint, engine_version)
    with suppress(OSError), private_folder(target.parent) as folder:
        made = folder / target.name
        made.mkdir()
        write(made / GRAPH)
        description = _Description(contract, _checksums(made))
        (made / _CONTRACT).write_bytes(msgspec.json.encode(description))
        shutil.rmtree(target, ignore_errors=True)  # a damaged one
        made.rename(target)
        by_age = sorted(target.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        _forget(by_age[:-MOST_KEPT])


def keep_verdict(fingerprint: str, engine_version: str, *, agrees: bool) -> None:
    """Keep whether OpenVINO's numbers are TensorFlow's beside a kept model, if there is one."""
    folder = _folder(fingerprint, engine_version)
    with suppress(OSError):
        if folder.is_dir():
            write_whole(folder / _AGREES, msgspec.json.encode(agrees))


def forget_prepared(fingerprint: str) -> None:
    """Remove what was kept of a model, of all versions."""
    with suppress(OSError):
        _forget(list(prepared_models_dir().glob(f"{_digest(fingerprint)}-*")))


def _forget(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(fingerprint: str, engine_version: str) -> Path:
    version = hashlib.sha256(f"{FORMAT} {engine_version}".encode()).hexdigest()[:16]
    return prepared_models_dir() / f"{_digest(fingerprint)}-{version}"


def _digest(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:32]


def _checksums(folder: Path) -> dict[str, int]:
    return {name: crc32c((folder / name).read_bytes()) for name in (GRAPH, _NUMBERS)}
