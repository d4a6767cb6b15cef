"""What DeepMind published, as data: google-deepmind/kinetics-i3d on GitHub (Apache-2.0)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from i3d.errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape: TypeAlias = "tuple[int, ...]"

_CHECKPOINTS = "checkpoints.json"
_SAMPLE_OUTPUTS = "kinetics-i3d-sample-outputs.json"
_SHA256 = {
    # With LF line ends.
    _CHECKPOINTS: "1fd90b4e4137388e4cbe48bc2ddd233ed802244798686ee36f6dcb156b0a2586",
    _SAMPLE_OUTPUTS: "3cfd1e76c673c28c227fd3c87ab01b325a10b7de86001870ab32f48e07c49206",
}


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
    """The repository of the published checkpoints.

    Raises:
        ModelLoadError: The packaged data is damaged.
    """
    data = _load(_CHECKPOINTS)
    return Repository(
        data["repository"], data["commit"], data["licence"], MappingProxyType(data["files"])
    )


def network_names() -> frozenset[str]:
    """Canonical names of the network's 230 tensors: the same in all published checkpoints.

    Raises:
        ModelLoadError: The packaged data is damaged.
    """
    return frozenset(next(iter(published().values())).tensors)


@cache
def published() -> Mapping[str, PublishedCheckpoint]:
    """All published checkpoints, by name; RGB first, and those started from ImageNet before others.

    Raises:
        ModelLoadError: The packaged data is damaged.
    """
    files = repository().files
    return MappingProxyType(
        {
            name: PublishedCheckpoint(
                name=name,
                title=data["title"],
                num_labels=data["num_labels"],
                prefix=data["prefix"],
                files=MappingProxyType(
                    {
                        path: blob
                        for path, blob in files.items()
                        if path.startswith(f"data/checkpoints/{name}/")
                    }
                ),
                tensors=MappingProxyType(
                    {
                        tensor: (int(crc32c, 16), tuple(shape))
                        for tensor, (crc32c, shape) in data["tensors"].items()
                    }
                ),
            )
            for name, data in _load(_CHECKPOINTS)["checkpoints"].items()
        }
    )


@cache
def sample_outputs() -> SampleOutputs:
    """DeepMind's own results for its sample clip.

    Raises:
        ModelLoadError: The packaged data is damaged.
    """
    data = _load(_SAMPLE_OUTPUTS)
    return SampleOutputs(
        source=data["source"],
        checkpoint=data["checkpoint"],
        clip=data["clip"],
        clip_git_sha1=data["clip_git_sha1"],
        norm_of_logits=data["norm_of_logits"],
        top=tuple((probability, logit, label) for probability, logit, label in data["top"]),
    )


@cache
def _load(file: str) -> dict[str, Any]:
    """Read packaged data."""
    try:
        text = (resources.files("i3d") / "data" / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    if hashlib.sha256(text.encode()).hexdigest() != _SHA256[file]:
        raise ModelLoadError(
            f"The file {file} of this installation is damaged: its content changed.",
            hint="Install i3d again: pip install --force-reinstall --no-deps i3d",
        )
    data: dict[str, Any] = json.loads(text)
    return data
