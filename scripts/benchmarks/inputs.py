"""Makes what the benchmark feeds: a full-size I3D with random weights, and videos.

    python -m benchmarks.inputs model FOLDER
    python -m benchmarks.inputs video FILE NUM_FRAMES

Started by the benchmark as a process of its own: on Linux a child's peak memory is never less than
what its parent had when it started it, so the benchmark itself imports neither TensorFlow nor
OpenCV.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path

FPS = 25.0
SIZE = (320, 240)
"""Width and height in pixels: with 25 frames per second, what UCF101's clips have."""

SEED = 5


def write_model(directory: Path) -> None:
    """Write the network as a Hub module; `directory` appears when it is whole."""
    from inception_i3d import write_i3d_module

    unfinished = directory.with_name(f".{directory.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    write_i3d_module(unfinished)
    unfinished.rename(directory)


def write_video(path: Path, num_frames: int) -> None:
    """Render a camera that wanders over a painted street, as MPEG-4 part 2 in AVI (UCF101's).

    A frame is there for a moment only, so that videos of any length can be rendered.

    Raises:
        OSError: OpenCV can't write it.
    """
    import cv2
    import numpy as np

    from camera_moves import make_scene

    random = np.random.default_rng(SEED)
    scene = make_scene("street", SEED)
    width, height = SIZE
    room = (scene.shape[1] - width, scene.shape[0] - height)
    unfinished = path.with_name(f".{path.name}")
    writer = cv2.VideoWriter(str(unfinished), cv2.VideoWriter.fourcc(*"XVID"), FPS, SIZE)
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}.")
    for number in range(num_frames):
        seconds = number / FPS
        left = round(room[0] * (0.5 + 0.5 * math.sin(0.9 * seconds)))
        top = round(room[1] * (0.5 + 0.5 * math.sin(0.7 * seconds + 1)))
        frame = scene[top : top + height, left : left + width].astype(np.int16)
        frame += random.integers(-6, 7, (height, width, 1), dtype=np.int16)  # a sensor's grain
        writer.write(np.clip(frame, 0, 255).astype(np.uint8))
    writer.release()
    unfinished.rename(path)


def main() -> None:
    """Make what the command line names."""
    parser = argparse.ArgumentParser(description="Make what the benchmark feeds.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("model").add_argument("path", type=Path)
    video = kinds.add_parser("video")
    video.add_argument("path", type=Path)
    video.add_argument("num_frames", type=int)
    args = parser.parse_args()
    args.path.parent.mkdir(parents=True, exist_ok=True)
    if args.kind == "model":
        write_model(args.path)
    else:
        write_video(args.path, args.num_frames)


if __name__ == "__main__":
    from i3d.errors import I3DError

    try:
        main()
    except (I3DError, OSError) as problem:
        sys.exit(str(problem))
