"""Whose weights a checkpoint holds: one of DeepMind's published checkpoints of I3D, or others.

The checksums of its tensors tell which of them a TensorFlow Hub module holds, or that its bytes
are not what they should be.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from i3d.errors import CheckpointError, ModelLoadError
from i3d.models.deepmind import network_names, published

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from i3d.models.checkpoints import Checkpoint
    from i3d.models.deepmind import PublishedCheckpoint, Shape


@dataclass(frozen=True)
class Identification:
    """Which published checkpoint a checkpoint's tensors are. Extra tensors do not count."""

    num_expected: int
    """Number of tensors of the network: 230."""
    checkpoint: str | None
    """The published checkpoint that all of the network's tensors equal."""
    closest: str | None
    """The published checkpoint that is most alike; None for another network."""
    num_equal: int
    """Number of tensors that equal the closest's, byte for byte."""
    different: tuple[str, ...]
    """Canonical names of tensors that have the closest's shape and other numbers."""
    missing: tuple[str, ...]
    """Canonical names of the closest's tensors that are not there."""
    wrong_shape: tuple[str, ...]
    """Canonical names of tensors that have another shape than the closest's, or that do not hold
    float32 numbers."""
    architecture_matches: bool
    """All names and shapes are the closest's, whatever the numbers are."""
    damaged: tuple[str, ...]
    """Names (as in the checkpoint, also of extra tensors) of tensors whose bytes are not those
    that the checkpoint's own index describes."""

    @property
    def is_unofficial(self) -> bool:
        """It is the network of a published checkpoint, with unpublished weights."""
        return self.architecture_matches and self.checkpoint is None

    def is_network_of(self, checkpoint: str | None) -> bool:
        """Tell whether all names and shapes are those of a published checkpoint; None has none."""
        if checkpoint is None or self.closest is None or not self.architecture_matches:
            return False
        return _shapes(self.closest) == _shapes(checkpoint)


def canonical_name(name: str) -> str:
    """Leave out the scopes around the network from a variable's name.

    Returns:
        The name from its first part on that is one of I3D's units (`Conv3d_...`, `Mixed_...`,
        `Logits`); the name as it is where it has none.
    """
    parts = name.split("/")
    for i, part in enumerate(parts):
        if part.startswith(("Conv3d_", "Mixed_")) or part == "Logits":
            return "/".join(parts[i:])
    return name


def canonical_shape(name: str, shape: Shape) -> Shape:
    """Write batch norm's (1, 1, 1, 1, C), as the Kinetics-600 checkpoint has it, as (C,)."""
    if len(shape) == 5 and shape[:4] == (1, 1, 1, 1) and "batch_norm" in name.split("/"):
        return shape[4:]
    return shape


def network_tensors(checkpoint: Checkpoint) -> dict[str, str]:
    """Find the tensors of I3D in a checkpoint.

    Returns:
        Canonical name -> name in the checkpoint, for those of the 230 that are there. Where two
        networks are in it (RGB and flow), or a second set of the same names (running averages),
        those of the set with more of them; of two equal sets, the one in the shorter scope.

    """
    expected = network_names()
    by_scope: dict[str, dict[str, str]] = {}
    for name in checkpoint.tensors:
        canonical = canonical_name(name)
        if canonical in expected:
            scope = name.removesuffix(canonical)
            by_scope.setdefault(scope, {})[canonical] = name
    if not by_scope:
        return {}
    return min(by_scope.items(), key=lambda item: (-len(item[1]), len(item[0]), item[0]))[1]


def identify(checkpoint: Checkpoint) -> Identification:
    """Compare a checkpoint's tensors with those of the published ones.

    What counts are the bytes themselves, not the checksums that the checkpoint's index claims.
    CRC-32C tells damage and mix-ups, not forgery.

    Args:
        checkpoint: Any checkpoint.

    Returns:
        What was found. Closest is the one with the most equal tensors; where none is equal, the one
        with the most equal shapes; where fewer than half of the names are there, none.

    Raises:
        CheckpointError: A data file cannot be read.
    """
    checksums = checkpoint.checksums()
    damaged = tuple(
        sorted(name for name, crc in checksums.items() if crc != checkpoint.tensors[name].crc32c)
    )
    found: dict[str, tuple[int | None, Shape | None]] = {}
    for canonical, name in network_tensors(checkpoint).items():
        tensor = checkpoint.tensors[name]
        is_comparable = tensor.dtype == "float32"
        shape = canonical_shape(name, tensor.shape) if is_comparable else None
        found[canonical] = (checksums.get(name), shape)
    candidates = [_compare(found, candidate, damaged) for candidate in published().values()]
    best = max(candidates, key=lambda one: (one.num_equal, one.num_equal + len(one.different)))
    if 2 * len(found) < best.num_expected:
        num_expected = len(network_names())
        return Identification(num_expected, None, None, 0, (), (), (), False, damaged)
    return best


def _shapes(checkpoint: str) -> dict[str, Shape]:
    """Canonical names and shapes of a published checkpoint's tensors."""
    tensors = published()[checkpoint].tensors
    return {name: canonical_shape(name, shape) for name, (_, shape) in tensors.items()}


def _compare(
    found: Mapping[str, tuple[int | None, Shape | None]],
    candidate: PublishedCheckpoint,
    damaged: tuple[str, ...],
) -> Identification:
    different, missing, wrong_shape = [], [], []
    for name, (crc32c, shape) in candidate.tensors.items():
        if name not in found:
            missing.append(name)
        elif found[name][1] != canonical_shape(name, shape):
            wrong_shape.append(name)
        elif found[name][0] != crc32c:
            different.append(name)
    num_expected = len(candidate.tensors)
    num_equal = num_expected - len(different) - len(missing) - len(wrong_shape)
    return Identification(
        num_expected=num_expected,
        checkpoint=candidate.name if num_equal == num_expected else None,
        closest=candidate.name,
        num_equal=num_equal,
        different=tuple(different),
        missing=tuple(missing),
        wrong_shape=tuple(wrong_shape),
        architecture_matches=not missing and not wrong_shape,
        damaged=damaged,
    )


def weights_fingerprint(checkpoint: Checkpoint) -> str:
    """Give the weights one short name, whatever file they are in and whatever is beside them.

    Returns:
        `sha256:` and the hexadecimal SHA-256 over the sorted lines "CRC32C SHAPE NAME" (each ends
        with a line feed; `d73dd4a3 64 Conv3d_1a_7x7/batch_norm/beta`) of the float tensors, with
        canonical names and shapes. Of a checkpoint that has all of I3D's 230 tensors, only those
        count, so that a Hub module, DeepMind's checkpoint and what i3d converts from it
        are the same.

    Raises:
        CheckpointError: Bytes of a tensor are missing, or a data file cannot be read.
    """
    network = network_tensors(checkpoint)
    if len(network) == len(network_names()):
        names = list(network.values())
    else:
        names = [name for name, tensor in checkpoint.tensors.items() if tensor.is_float]
    lines = []
    for name, crc32c in checkpoint.checksums(names).items():
        if crc32c is None:
            raise CheckpointError(
                f"The checkpoint {checkpoint.prefix} is cut off: {name} is missing.",
                hint="Fetch the model again.",
            )
        shape = canonical_shape(name, checkpoint.tensors[name].shape)
        lines.append(f"{crc32c:08x} {'x'.join(map(str, shape))} {canonical_name(name)}\n")
    return f"sha256:{hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()}"


def git_blob_sha1(path: Path) -> str:
    """Compute git's id of a file's content, reading it a piece at a time.

    Returns:
        Hexadecimal SHA-1 over "blob SIZE", a zero byte and the content.

    Raises:
        ModelLoadError: The file cannot be read, or is not a regular one: a pipe would be waited
            for, and a device may have no end.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelLoadError(f"{path} cannot be read: it is not a regular file.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()
