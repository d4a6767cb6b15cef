"""What DeepMind published, as data: google-deepmind/kinetics-i3d on GitHub (Apache-2.0)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from i3d.files.cache import package_data_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True)
class PublishedCheckpoint:
    """A checkpoint that DeepMind published."""

    name: str
    """Its folder in `data/checkpoints`."""
    title: str
    """What it is, for people."""
    num_labels: int
    prefix: str
    """What its tensors' names begin with in its own files."""
    files: Mapping[str, str]
    """Path below the repository's root -> git blob id (SHA-1), of each of its four files."""
    tensors: Mapping[str, tuple[int, Shape]]
    """Canonical name -> (CRC-32C of the little-endian float32 bytes, shape as published)."""


@dataclass(frozen=True)
class Repository:
    """The repository that the checkpoints are published in."""

    name: str
    """Owner and name on GitHub."""
    commit: str
    """The commit that its files were looked at in."""
    licence: str
    files: Mapping[str, str]
    """Path -> git blob id (SHA-1): checkpoints, label lists and the RGB sample clip."""


@dataclass(frozen=True)
class SampleOutputs:
    """What DeepMind's own code gives for its sample clip."""

    source: str
    checkpoint: str
    """The published checkpoint that was run."""
    clip: str
    """Path of the clip below the repository's root: (1, 79, 224, 224, 3), in [-1, 1]."""
    clip_git_sha1: str
    """Its git blob id."""
    norm_of_logits: float
    """Euclidean norm of all 400 logits."""
    top: tuple[tuple[float, float, str], ...]
    """(probability, logit, label) of the 20 best, best first."""


@cache
def repository() -> Repository:
    """The repository of the published checkpoints."""
    data = _load("checkpoints.json")
    return Repository(data["repository"], data["commit"], data["licence"], data["files"])


def network_names() -> frozenset[str]:
    """Canonical names of the network's 230 tensors: the same in all published checkpoints."""
    return frozenset(next(iter(published().values())).tensors)


@cache
def published() -> Mapping[str, PublishedCheckpoint]:
    """All published checkpoints by name; RGB first, and those started from ImageNet first."""
    files = repository().files
    return {
        name: PublishedCheckpoint(
            name=name,
            title=data["title"],
            num_labels=data["num_labels"],
            prefix=data["prefix"],
            files={
                path: blob
                for path, blob in files.items()
                if path.startswith(f"data/checkpoints/{name}/")
            },
            tensors={
                tensor: (int(crc32c, 16), tuple(shape))
                for tensor, (crc32c, shape) in data["tensors"].items()
            },
        )
        for name, data in _load("checkpoints.json")["checkpoints"].items()
    }


@cache
def sample_outputs() -> SampleOutputs:
    """DeepMind's own results for its sample clip."""
    return msgspec.convert(_load("kinetics-i3d-sample-outputs.json"), SampleOutputs)


@cache
def _load(file: str) -> dict[str, Any]:
    """Read packaged data."""
    content: dict[str, Any] = msgspec.json.decode((package_data_dir() / file).read_bytes())
    return content
