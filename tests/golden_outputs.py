"""What the commands write about ten small clips: made, masked and compared.

`scripts/golden` compares checkouts, test_golden.py compares with the files in tests/golden.
The clips are drawn with whole-pixel moves and stored without loss, so that the same pixels reach
the model on every machine.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import videos

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str], tuple[int, str]]
    """Runs `i3d COMMAND` in the folder of the clips: exit code and standard output."""

PROJECT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "golden"

CLASSIFY = "classify clips stills --model camera-motion --save-scores scores"  # run once, then kept
SOME = "classify clips/cut.avi clips/notes.avi stills --model camera-motion"
TIMELINE = "timeline clips/moves.avi --model camera-motion"
PART = "--start 0.2 --end 0.7 --recipe deepmind --fps native --input-range 0 1"
TUTORIAL = "--model camera-motion --recipe tutorial --max-frames 24 --top 2"
SPECIAL = "--labels 'pan *' --smooth 0 --min-score 0.2 --min-duration 0.3"

STDOUT = {
    "classify.json": f"{CLASSIFY} --format json",
    "classify.jsonl": f"{SOME} --format jsonl --top 2",
    "classify.csv": f"{SOME} --format csv --top 2",
    "classify.txt": CLASSIFY,
    "tutorial.json": f"classify clips/fast.avi stills {TUTORIAL} --format json",
    "part.json": f"classify clips/fast.avi --model camera-motion --format json {PART}",
    "timeline.json": f"{TIMELINE} --format json",
    "timeline.csv": f"{TIMELINE} --format csv",
    "timeline.vtt": f"{TIMELINE} --format vtt",
    "timeline.srt": f"{TIMELINE} --format srt",
    "timeline.txt": TIMELINE,
    "timeline-labels.json": f"{TIMELINE} --format json {SPECIAL}",
    "labels.txt": "labels swim",
    "scores.txt": "labels 'pan *' --model camera-motion --scores scores",
    "scores.json": "labels --model camera-motion --scores scores --format json",
    "ucf.json": "ucf list 'v_CricketShot_g04_*' --format json",
    "ucf-names.txt": "ucf list Archery --split 1 --subset test --format names",
    "ucf.csv": "ucf list 'v_*_g04_c02' --format csv",
    "ucf.txt": "ucf list '*Shot*'",
    "model-list.json": "model list --format json",
    "model-info.json": "model info camera-motion --format json",
    "model-verify.json": "model verify camera-motion --format json",
}
"""File -> the command whose standard output it holds; where `notes.avi` is among the clips,
the exit code is 7."""

RESUMED = ("results.jsonl", "results.csv")
"""Files of results that a first run starts with some of the clips, and a second one completes."""

PROSE = {"message", "hint", "input_range_reason", "summary", "sample_skipped", "graph"}
MASKED = {"i3d_version", "version", "fingerprint", "weights", "sha256", "modified", "num_bytes"}
MASKED |= {"settings"}


def make_clips(folder: Path) -> None:
    """Draw the ten clips: sizes, rates, containers, and two files that can't be read whole."""
    clips = folder / "clips"
    clips.mkdir()
    pan, zoom = _pan(40, (96, 72), 2), _zoom(36, (64, 112))
    videos.write_avi(clips / "pan.avi", pan)
    videos.write_mp4(clips / "turned.mp4", zoom, durations=20, timescale=600, angle=90)
    videos.write_avi(clips / "fast.avi", _pan(60, (64, 64), -1), fps=(60, 1))
    videos.write_avi(clips / "short.avi", _pan(6, (160, 90), 3), fps=(10, 1))
    videos.write_mp4(clips / "uneven.mp4", pan[:24], durations=[20, 60] * 12)
    videos.animated_gif(clips / "loop.gif", _zoom(20, (80, 60)), delays=8)
    videos.image_folder(folder / "stills", images=_pan(18, (70, 50), 2))
    montage = [*_pan(60, (96, 72), 2), *_zoom(60, (96, 72)), *_pan(60, (96, 72), -2)]
    videos.write_avi(clips / "moves.avi", montage)
    whole = videos.write_avi(clips / "cut.avi", pan).read_bytes()
    starts = [found.start() for found in re.finditer(b"00dc", whole)]
    (clips / "cut.avi").write_bytes(whole[: starts[25]])
    videos.text_file(clips / "notes.avi")


def _scene(width: int, height: int) -> videos.Image:
    rng = np.random.default_rng(16)
    coarse = rng.integers(0, 200, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    fine = rng.integers(0, 56, (height // 4 + 4, width // 4 + 4, 3), dtype=np.uint8)
    large, small = (
        grid.repeat(cell, 0).repeat(cell, 1)[:height, :width]
        for grid, cell in ((coarse, 16), (fine, 4))
    )
    return np.asarray(large + small, np.uint8)


def _pan(count: int, size: tuple[int, int], pixels: int) -> list[videos.Image]:
    width, height = size
    scene = _scene(width + abs(pixels) * count, height)
    lefts = [abs(pixels) * (i if pixels > 0 else count - i) for i in range(count)]
    return [np.ascontiguousarray(scene[:, left : left + width]) for left in lefts]


def _zoom(count: int, size: tuple[int, int]) -> list[videos.Image]:
    width, height = size
    scene = _scene(2 * width, 2 * height)
    images = []
    for i in range(count):
        scale = 100 + 100 * (count - i) // count  # in hundredths: 200 to 100
        rows = height + (np.arange(height) - height // 2) * scale // 100
        columns = width + (np.arange(width) - width // 2) * scale // 100
        images.append(np.ascontiguousarray(scene[rows][:, columns]))
    return images


def run_all(run: Run, folder: Path) -> dict[str, str]:
    """Run every command in a folder of clips, and return its masked outputs by file."""
    outputs = {}
    for name, command in STDOUT.items():
        code, text = run(command)
        assert code == (7 if command.startswith((CLASSIFY, SOME)) else 0), f"i3d {command}: {code}"
        outputs[name] = masked(name, text)
    for name in RESUMED:
        for choice in ("--include '[c-n]*'", ""):
            code, _ = run(f"{CLASSIFY} --top 2 -o {name} {choice}")
            assert code == 7, name
        outputs[name] = masked(name, (folder / name).read_text(encoding="utf-8"))
    return outputs


def masked(name: str, text: str) -> str:
    """Replace what differs between machines, days and wordings; JSON is laid out anew."""
    suffix = Path(name).suffix
    if suffix == ".json":
        text = _laid_out(json.loads(text))
    elif suffix == ".jsonl":
        text = "".join(_laid_out(json.loads(line)) for line in text.splitlines())
    elif suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text)))
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(rows[0])
        hidden = [name in MASKED | PROSE for name in rows[0]]
        writer.writerows(
            ["#" if mask and cell else cell for mask, cell in zip(hidden, row, strict=True)]
            for row in rows[1:]
        )
        text = table.getvalue()
    text = re.sub(r"openvino \d[\w.]*", "openvino #", text)
    return re.sub(r'[^"\s]*[/\\]i3d[/\\]data\b', "#", text)


def _laid_out(document: object) -> str:
    return json.dumps(_hidden(document), indent=1, ensure_ascii=False) + "\n"


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, part in value.items():
        if name in MASKED | PROSE and isinstance(part, (str, int)):
            result[name] = "#"
        elif name in ("warnings", "details"):
            result[name] = ["#"] * len(part)
        else:
            result[name] = _hidden(part)
    return result


NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


def differences(expected: str, found: str, tolerance: float) -> list[str]:
    """The lines that differ; numbers may differ by `tolerance`, relatively or absolutely."""
    old, new = expected.splitlines(), found.splitlines()
    if len(old) != len(new):
        return [f"{len(old)} lines before, {len(new)} now"]
    return [
        f"line {number}: {before!r} -> {after!r}"
        for number, (before, after) in enumerate(zip(old, new, strict=True), 1)
        if before != after and not _close(before, after, tolerance)
    ]


def _close(before: str, after: str, tolerance: float) -> bool:
    old, new = NUMBER.split(before), NUMBER.split(after)
    if old[::2] != new[::2]:
        return False
    first, second = np.array(old[1::2], float), np.array(new[1::2], float)
    return bool(np.allclose(first, second, rtol=tolerance, atol=tolerance))


def outputs_of(checkout: Path) -> dict[str, str]:
    """Run the commands of a checkout, each as a process of its own, on fresh clips."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_clips(folder)
        settings = {
            "PYTHONPATH": str(checkout.resolve() / "src"),
            "I3D_CACHE_DIR": str(folder / "cache"),
            "I3D_OFFLINE": "1",
            "COLUMNS": "80",
            "PYTHONUTF8": "1",
        }

        def run(command: str) -> tuple[int, str]:
            process = subprocess.run(
                [sys.executable, "-m", "i3d", *shlex.split(command)],
                cwd=folder,
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                check=False,
            )
            return process.returncode, process.stdout

        return run_all(run, folder)
