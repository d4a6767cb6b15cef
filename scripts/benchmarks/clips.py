"""Runs the engine alone on one clip, again and again.

    python -m benchmarks.clips VIDEO NUM_CLIPS

Started by the benchmark as a process of its own. The model is found and loaded as `i3d classify`
does it, and the video is decoded before the clock runs. Prints one JSON object: the fields of
`benchmarks.measurements.EngineRun`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i3d.engines.base import Engine


def main() -> dict[str, Any]:
    """Measure what the command line names."""
    begun = time.perf_counter()  # before anything large is imported
    parser = argparse.ArgumentParser(description="Run the engine alone on one clip.")
    parser.add_argument("video", type=Path)
    parser.add_argument("num_clips", type=int)
    args = parser.parse_args()

    from i3d.analysis.classifier import Classifier

    engine = Classifier.load().engine
    load_seconds = time.perf_counter() - begun
    return {
        "load_seconds": load_seconds,
        "clip_seconds": clip_seconds(engine, args.video, args.num_clips),
    }


def clip_seconds(engine: Engine, video: Path, num_clips: int) -> list[float]:
    """Decode a video with the default recipe, then run an engine on it again and again.

    Returns:
        The wall time of each run alone.
    """
    import numpy as np

    from i3d.video.ahead import ClipReader
    from i3d.video.recipes import get_recipe

    recipe = get_recipe()
    with ClipReader(video, recipe, engine.contract.size or recipe.size) as reader:
        clip = np.stack([image for image, _, _ in reader.frames()])
    input_range = recipe.input_range or engine.contract.input_range
    seconds = []
    for _ in range(num_clips):
        start = time.perf_counter()
        engine.step_logits(clip, input_range)
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    from i3d.errors import I3DError

    try:
        print(json.dumps(main()))
    except I3DError as problem:
        sys.exit(str(problem))
