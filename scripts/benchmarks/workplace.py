"""Where the benchmark works: the model, the videos, and children that take turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.processes import Finished, Run, check, clean_environment, run

SCRIPTS = Path(__file__).resolve().parent.parent
SOURCE = SCRIPTS.parent / "src"

CACHE = "cache"
"""Name of the folder that i3d keeps its things in."""

NUM_FRAMES = 79
"""Of the clip that is compared: about the shortest of UCF101's CricketShot clips, 3.2 seconds."""
FPS = 25

FEW_REPEATS = 3
"""How often what takes minutes is run at most."""

IMPORTS = {
    "openvino": "import numpy, cv2, openvino",
    "tensorflow": "import numpy, cv2, tensorflow, tensorflow_hub",
}
"""By engine: the packages that a run imports."""

Tell: TypeAlias = Callable[[str], None]
"""Takes one line on what is going on."""


def script(name: str, *arguments: object) -> list[str]:
    """What Python is given to run a module of this package."""
    return ["-m", f"benchmarks.{name}", *map(str, arguments)]


@dataclass(frozen=True)
class Workplace:
    """Where the inputs are, and how children are started."""

    folder: Path
    """Of the model and the videos; kept by who made it."""
    scratch: Path
    """Of caches; goes away with the run."""
    repeats: int
    limit_seconds: float
    """For each process."""
    tell: Tell

    @property
    def model(self) -> Path:
        """The SavedModel's folder."""
        return self.folder / "i3d-random-weights"

    def run(self, command: list[str], *, threads: int | None = None) -> Finished:
        """Run Python with these arguments; see `benchmarks.processes.run`."""
        environment = clean_environment((SOURCE, SCRIPTS), self.scratch / CACHE, threads)
        return run(
            [sys.executable, *command],
            environment=environment,
            folder=self.scratch,
            limit_seconds=self.limit_seconds,
        )

    def must_run(self, command: list[str], **options: Any) -> Finished:
        """The same for a command that must end with exit code 0.

        Raises:
            BenchmarkError: It did not.
        """
        return check(self.run(command, **options), [sys.executable, *command])

    def video(self, num_frames: int) -> Path:
        """A video of that length, rendered where it is not there yet."""
        path = self.folder / f"street-{num_frames}.avi"
        if not path.exists():
            self.tell(f"Rendering a video of {num_frames} frames")
            self.must_run(script("inputs", "video", path, num_frames))
        return path

    def new_folder(self, name: str) -> Path:
        """An empty folder that goes away with the run."""
        path = self.scratch / name
        path.mkdir()
        return path

    def make_model(self) -> None:
        """Write the model where it is not there yet, and install it in the cache."""
        if not self.model.exists():
            self.tell("Writing a full-size I3D with random weights")
            self.must_run(script("inputs", "model", self.model))
        if not (self.scratch / CACHE / "models").exists():
            self.tell("Installing it")
            self.must_run(["-m", "i3d", "model", "import", str(self.model)])

    def classify(self, video: Path, *options: str) -> list[str]:
        """The command `i3d classify`, with all probabilities in its result."""
        result = ["--top", "400", "--format", "json"]
        return ["-m", "i3d", "classify", str(video), *result, *options]


def take_turns(
    contestants: Mapping[str, Callable[[], Finished]], rounds: int, tell: Tell
) -> dict[str, list[Run]]:
    """Run all contestants once a round, in the opposite order in every other one.

    So what changes slowly (other work, the processor's heat) meets all of them alike.

    Returns:
        By name, the runs in the order of the rounds.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(1, rounds + 1):
        for name in order:
            done = contestants[name]().run
            runs[name].append(done)
            tell(f"{number} of {rounds}: {name}: {done.seconds:.2f} s")
        order.reverse()
    return runs
