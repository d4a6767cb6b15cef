"""UCF101 as data: its 101 categories, 13,320 clips, three splits, and the Kinetics labels that fit.

Nothing here reads a clip or opens a connection; `i3d.ucf101_files` does. Soomro, Zamir and Shah,
"UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild", arXiv:1212.0402.
"""

from __future__ import annotations

from i3d.ucf101.clips import SPLITS, SUBSETS, Clip, LocalClip, Subset
from i3d.ucf101.index import Category, Index, clip_of, load_index
from i3d.ucf101.selection import sample_clips, select_clips
from i3d.ucf101.tables import KineticsLabel, Relation

__all__ = [
    "SPLITS",
    "SUBSETS",
    "Category",
    "Clip",
    "Index",
    "KineticsLabel",
    "LocalClip",
    "Relation",
    "Subset",
    "clip_of",
    "load_index",
    "sample_clips",
    "select_clips",
]
