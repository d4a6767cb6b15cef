"""Renders the pictures in the README and in docs/pictures.md, from clips that are nobody's footage.

    python scripts/render_pictures.py [--output DIR]

What is shown is what the commands write, photographed in a browser where it is a page. Needs the
extra `test` (Playwright) and Chromium; `I3D_CHROMIUM` names it where it is not on the path.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from i3d.loader import VideoReader

from camera_moves import make_scene, render_move

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme: TypeAlias = Literal["light", "dark"]

DOCS = Path(__file__).parent.parent / "docs"
MODEL = ("--model", "camera-motion")
CHROMIUM = os.environ.get("I3D_CHROMIUM") or shutil.which("chromium") or "chromium"
MOVES = ("static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out")
SCENES = ("street", "room")
"""Of the clips in the index."""
MOMENT = 7.6
"""The second of docs/moves.avi that is shown: a segment is at its middle there."""


def i3d(*arguments: str | Path, folder: Path = DOCS) -> None:
    """Runs a command in a folder, so that pages name no machine's paths."""
    command = [sys.executable, "-m", "i3d", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode not in (0, 7):
        sys.exit(done.returncode)


def photograph(browser: Browser, page: Path, target: Path, scheme: Scheme, *, hover: bool) -> None:
    """Opens a page and takes its picture; with the mouse over a moment of the chart."""
    context = browser.new_context(viewport={"width": 960, "height": 860}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(page.resolve().as_uri())
    if hover:
        point_at(opened, MOMENT)
    opened.wait_for_timeout(300)
    opened.screenshot(path=target)
    context.close()


def point_at(page: Page, seconds: float) -> None:
    """Clicks on a moment, and leaves the mouse there."""
    box = page.locator("#chart .u-over").bounding_box()
    if box is None:
        sys.exit("the page has no chart")
    page.mouse.click(box["x"] + box["width"] * seconds / 13.0, box["y"] + 100)
    page.wait_for_timeout(500)


def render_clips(folder: Path) -> None:
    """Renders what is in the index: camera moves, and a file that is none."""
    folder.mkdir()
    for scene_name in SCENES:
        scene = make_scene(scene_name, seed=[7, 11])
        for move in MOVES:
            frames = render_move(scene, move, 64, (192, 144), seed=5, fps=25)
            path = folder / f"{scene_name}-{move.replace(' ', '-')}.avi"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (192, 144))
            for frame in frames:
                writer.write(np.ascontiguousarray(frame))
            writer.release()
    (folder / "broken-download.mp4").write_bytes(b"\0" * 4096)


def frame_at(path: Path, seconds: float, target: Path) -> None:
    """Saves a frame of a video."""
    with VideoReader(path, start_seconds=seconds, max_frames=1) as reader:
        for frame in reader:
            cv2.imwrite(str(target), frame.image)


def main() -> None:
    """Renders them all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=DOCS, help="folder (docs)")
    output = parser.parse_args().output.resolve()
    i3d("preview", "moves.avi", "--every", "3", "-o", output / "preview.gif")
    i3d("preview", "moves.avi", "-o", output / "preview.png")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        i3d("annotate", "moves.avi", *MODEL, "--top", "3", "-o", folder / "marked.mp4")
        frame_at(folder / "marked.mp4", MOMENT, output / "annotated.png")
        i3d("report", "moves.avi", *MODEL, "--video", "embed", "-o", folder / "report.html")
        render_clips(folder / "clips")
        i3d("classify", "clips", *MODEL, "-o", "results.jsonl", folder=folder)
        i3d("report", "results.jsonl", "-o", "index.html", folder=folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for scheme in schemes:
            for name, hover in (("report", True), ("index", False)):
                target = output / f"{name}-{scheme}.png"
                photograph(browser, folder / f"{name}.html", target, scheme, hover=hover)
        browser.close()


if __name__ == "__main__":
    main()
