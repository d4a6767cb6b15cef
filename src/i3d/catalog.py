"""The models that i3d knows by name, as data."""

from __future__ import annotations

from dataclasses import dataclass

from i3d.names import unknown_name


@dataclass(frozen=True)
class ModelSpec:
    """A model: where it comes from, what its labels are, and whose work it is."""

    name: str
    summary: str
    label_list: str
    """Name of a packaged label list, see `i3d.labels`."""
    licence: str
    citation: str
    packaged_dir: str | None = None
    """Folder in `i3d/data` that holds the model, for one that ships with i3d."""
    tfhub_path: str | None = None
    """Path of the model below the TensorFlow Hub base URL, for one that is fetched."""


CATALOG = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="i3d-kinetics-400",
            summary="DeepMind's I3D (Inception-v1, RGB): 400 human actions",
            label_list="kinetics-400",
            licence="Apache-2.0",
            citation="J. Carreira and A. Zisserman, Quo Vadis, Action Recognition? A New Model and "
            "the Kinetics Dataset, CVPR 2017, arXiv:1705.07750",
            tfhub_path="deepmind/i3d-kinetics-400/1",
        ),
        ModelSpec(
            name="camera-motion",
            summary="what the camera does: nine moves; ships with i3d, needs no network",
            label_list="camera-motion",
            licence="Apache-2.0",
            citation="this project, see docs/camera-motion.md",
            packaged_dir="camera-motion",
        ),
    )
}

DEFAULT_MODEL = "i3d-kinetics-400"


def get_model(name: str) -> ModelSpec:
    """Look a model up by its name.

    Raises:
        UnknownNameError: There is no such model.
    """
    if name not in CATALOG:
        raise unknown_name("model", name, CATALOG)
    return CATALOG[name]
