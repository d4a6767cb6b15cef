"""Where i3d keeps what it fetched. Nothing here touches the disk."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The root of everything that i3d caches.

    Returns:
        `$I3D_CACHE_DIR` where it is set and not empty, else the platform's cache folder of the
        user (`~/.cache/i3d` on Linux). It may not exist yet.
    """
    chosen = os.environ.get("I3D_CACHE_DIR")
    if chosen:
        return Path(os.path.expanduser(chosen))  # noqa: PTH111  (leaves `~nobody` as it is)
    import platformdirs

    return Path(platformdirs.user_cache_dir("i3d", appauthor=False))


def models_dir() -> Path:
    """The folder that holds one folder for each model."""
    return cache_dir() / "models"


def prepared_models_dir() -> Path:
    """The folder of models in an engine's own format."""
    return cache_dir() / "prepared"


def downloads_dir() -> Path:
    """The folder of unfinished downloads, which a later run continues."""
    return cache_dir() / "downloads"


def samples_dir() -> Path:
    """The folder of published inputs that models are checked with."""
    return cache_dir() / "samples"


def ucf101_dir() -> Path:
    """The folder of UCF101: fetched clips, kept indexes, evaluations."""
    return cache_dir() / "ucf101"


def package_data_dir() -> Path:
    """The folder of the data that ship with i3d: labels, fingerprints, a model, a sample."""
    return Path(__file__).parent.parent / "data"
