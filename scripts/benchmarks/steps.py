"""Compares the step logits of a video that went in chunks with those of one pass.

    python -m benchmarks.steps MODEL SCORES_IN_CHUNKS SCORES_OF_ONE_PASS [--max-memory-mib N]

Started by the benchmark as a process of its own. Prints one JSON object: the fields of
`benchmarks.measurements.Cut`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i3d.analysis.scores import VideoScores
    from i3d.engines.base import Engine


def main() -> dict[str, Any]:
    """Compare what the command line names.

    Raises:
        I3DError: The scores can't be read, or the engine can't be loaded.
        ValueError: The two are not of the same video, or it was not cut.
    """
    from i3d.analysis.steps import DEFAULT_MAX_MEMORY
    from i3d.engines.choose import load_engine

    parser = argparse.ArgumentParser(description="Compare the step logits of two runs.")
    parser.add_argument("model", type=Path)
    parser.add_argument("in_chunks", type=Path)
    parser.add_argument("one_pass", type=Path)
    parser.add_argument("--max-memory-mib", type=int, default=DEFAULT_MAX_MEMORY >> 20)
    args = parser.parse_args()
    in_chunks, one_pass = _only_one(args.in_chunks), _only_one(args.one_pass)
    engine = load_engine(args.model, in_chunks.engine.name, is_known=True)
    lengths = chunk_lengths(engine, args.max_memory_mib << 20, in_chunks.clip.num_frames_fed)
    return compare_steps(in_chunks, one_pass, lengths)


def compare_steps(
    in_chunks: VideoScores, one_pass: VideoScores, lengths: list[int]
) -> dict[str, Any]:
    """Compare two answers on one video.

    Args:
        in_chunks: Of the video in pieces.
        one_pass: Of the whole at once.
        lengths: Of the pieces, in frames.

    Returns:
        The fields of `benchmarks.measurements.Cut`.

    Raises:
        ValueError: The two are not of the same frames, or there was one piece only.
    """
    import numpy as np

    steps, expected = in_chunks.step_logits, one_pass.step_logits
    num_frames = in_chunks.clip.num_frames_fed
    if steps.shape != expected.shape or num_frames != one_pass.clip.num_frames_fed:
        raise ValueError(
            f"The timeline has {len(steps)} steps of {num_frames} frames, one pass has "
            f"{len(expected)} of {one_pass.clip.num_frames_fed}."
        )
    if len(lengths) < 2:
        raise ValueError(f"The video of {num_frames} frames was not cut.")
    return {
        "num_frames": num_frames,
        "num_chunks": len(lengths),
        "num_frames_computed": sum(lengths),
        "num_steps": len(steps),
        "largest_difference": float(np.abs(steps - expected).max()),
    }


def chunk_lengths(engine: Engine, max_memory: int, num_frames: int) -> list[int]:
    """Tell in which pieces a video goes through a model.

    Args:
        engine: The model.
        max_memory: Memory that frames and engine may take, in bytes.
        num_frames: Length of the video.

    Returns:
        The number of frames of each piece.
    """
    from i3d.analysis.steps import chunk_limit

    grid, most = chunk_limit(engine, max_memory)
    if grid is None:
        return [num_frames]
    length = grid.chunk_frames(most, num_frames)
    lengths: list[int] = []
    step = 0
    while True:
        chunk = grid.chunk(step, length, num_frames)
        lengths.append(chunk.stop - chunk.start)
        if chunk.num_steps is None:
            return lengths
        step += chunk.num_steps


def _only_one(folder: Path) -> VideoScores:
    from i3d.analysis.scores import ScoreStore

    kept = [scores for _, scores in ScoreStore(folder) if scores is not None]
    if len(kept) != 1:
        raise ValueError(f"{folder} holds the scores of {len(kept)} videos, not of one.")
    return kept[0]


if __name__ == "__main__":
    from i3d.errors import I3DError

    try:
        print(json.dumps(main()))
    except (I3DError, ValueError) as problem:
        sys.exit(str(problem))
