"""Renders the pictures in the README and in docs/pictures.md, from clips that are drawn.

    i3d model fetch
    python scripts/render_pictures.py [--output DIR]

What is shown is what the commands write with the default model, `i3d-kinetics-400`, which must be
on this machine. Pages are photographed in a browser: needs the extra `test` (Playwright) and
Chromium; `I3D_CHROMIUM` names it where it is not on the path.
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
from playwright.sync_api import sync_playwright

from i3d.video.reader import VideoReader

from render_sample import FILM, FPS, SHOT_FRAMES, Shot, write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme: TypeAlias = Literal["light", "dark"]

DOCS = Path(__file__).parent.parent / "docs"
CHROMIUM = os.environ.get("I3D_CHROMIUM") or shutil.which("chromium") or "chromium"
CLIPS = (
    *FILM,
    ("juggling", "gym", "sports"),
    ("juggling", "morning", "silk"),
    ("pull-ups", "park", "casual"),
    ("pull-ups", "morning", "sports"),
    ("tai-chi", "park", "silk"),
    ("tai-chi", "gym", "casual"),
)
"""In the index: action, place, outfit."""
MOMENT = 2.2
"""The second of docs/film.avi that is shown: a segment is at its middle there."""
FILM_SECONDS = len(FILM) * SHOT_FRAMES / FPS


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
    page.mouse.click(box["x"] + box["width"] * seconds / FILM_SECONDS, box["y"] + 100)
    page.wait_for_function("() => !document.querySelector('video')?.seeking")
    page.wait_for_timeout(2000)  # until the sign of seeking has faded


def render_clips(folder: Path) -> None:
    """Renders what is in the index: small clips, and a file that is none."""
    folder.mkdir()
    for action, place, outfit in CLIPS:
        frames = Shot(action, place, outfit, (192, 144)).render(64)
        write_video(folder / f"{action}-{place}-{outfit}.avi", frames)
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
    i3d("preview", "film.avi", "--every", "3", "-o", output / "preview.gif")
    i3d("preview", "film.avi", "-o", output / "preview.png")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        i3d("annotate", "film.avi", "-o", folder / "marked.mp4")
        frame_at(folder / "marked.mp4", MOMENT, output / "annotated.png")
        i3d("report", "film.avi", "--video", "embed", "-o", folder / "report.html")
        render_clips(folder / "clips")
        i3d("classify", "clips", "-o", "results.jsonl", folder=folder)
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
