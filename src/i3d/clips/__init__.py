"""Videos as the clips that a model sees: decoded beside the engine, a part at a time."""

from i3d.clips.files import describe_file, looks_like
from i3d.clips.reader import ClipReader

__all__ = ["ClipReader", "describe_file", "looks_like"]
