"""Engines run models. They are named by strings and imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from i3d.names import unknown_name

if TYPE_CHECKING:
    from pathlib import Path

    from i3d.engines.base import Engine

_LOADERS = {"tensorflow": "i3d.engines.tensorflow"}

DEFAULT_ENGINE = "tensorflow"


def load_engine(model_dir: Path, name: str = DEFAULT_ENGINE) -> Engine:
    """Load a model into an engine.

    Args:
        model_dir: A SavedModel directory.
        name: `tensorflow`.

    Returns:
        The loaded model.

    Raises:
        UnknownNameError: There is no such engine.
        EngineNotInstalledError: The engine's package can't be imported.
        ModelLoadError: The directory holds no model that the engine can run.
    """
    if name not in _LOADERS:
        raise unknown_name("engine", name, _LOADERS)
    engine: Engine = import_module(_LOADERS[name]).load(model_dir)
    return engine


def engine_version(name: str = DEFAULT_ENGINE) -> str:
    """Import an engine's package, and tell its version.

    Args:
        name: `tensorflow`.

    Raises:
        UnknownNameError: There is no such engine.
        EngineNotInstalledError: The engine's package can't be imported.
    """
    if name not in _LOADERS:
        raise unknown_name("engine", name, _LOADERS)
    version: str = import_module(_LOADERS[name]).version()
    return version
