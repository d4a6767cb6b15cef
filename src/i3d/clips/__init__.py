"""Videos as the clips that a model sees: decoded beside the engine, a part at a time."""

from i3d.clips.files import NotWantedError, describe_file, glance, looks_like
from i3d.clips.reader import ClipReader

__all__ = ["ClipReader", "NotWantedError", "describe_file", "glance", "looks_like"]
