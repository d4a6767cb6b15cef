"""Standard error: progress on a terminal, and silence for libraries that write to it."""

from __future__ import annotations

import faulthandler
import os
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from i3d.cli.errors import show_note
from i3d.progress import NoProgress
from i3d.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from i3d.progress import Progress, Unit


@contextmanager
def libraries_silenced(*, verbose: bool) -> Iterator[None]:
    """Keep what native libraries write to file descriptor 2 away from the user.

    TensorFlow's and FFmpeg's libraries write there whatever their log levels are
    (tensorflow/tensorflow#100442). Python's own `sys.stderr` keeps working: it gets a duplicate.

    Args:
        verbose: Let everything through.
    """
    if verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        yield
        return
    if sys.stderr is None:  # closed by the shell: `2>&-`
        yield
        return
    try:
        sys.stderr.flush()
        is_real = sys.stderr.fileno() == 2
        duplicate = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed, or replaced by something in memory
        yield
        return
    python_stderr = sys.stderr
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    if is_real:
        sys.stderr = os.fdopen(
            duplicate,
            "w",
            buffering=1,
            encoding=python_stderr.encoding,
            errors="backslashreplace",
            closefd=False,
        )
        faulthandler.enable(duplicate)  # a crash inside a library still says where
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = python_stderr
        os.dup2(duplicate, 2)
        if is_real:
            faulthandler.disable()
        os.close(duplicate)


def progress_on_terminal() -> Progress:
    """Give a progress display on standard error; where that is no terminal, only notes."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return _TerminalProgress() if is_terminal else _Notes()


class _Notes(NoProgress):
    """Says what should be known now, and shows no progress."""

    def note(self, sentence: str) -> None:
        show_note(sentence)


class _TerminalProgress(_Notes):
    """`i3d.progress.Progress` on Rich.

    A display lives as long as its outermost task and leaves no trace: results are written between
    tasks, often to the same terminal. A task within a task gets a line of its own below.
    """

    def __init__(self) -> None:
        self._display: Any = None

    @contextmanager
    def task(
        self, description: str, total: int | None = None, unit: Unit = "items"
    ) -> Iterator[Callable[[int], None]]:
        with ExitStack() as stack:
            if self._display is None:
                self._display = stack.enter_context(_new_display())
                stack.callback(setattr, self, "_display", None)
            display = self._display
            task_id = display.add_task(printable(description), total=total, unit=unit)
            try:
                yield lambda num_units: display.advance(task_id, num_units)
            finally:
                if len(display.task_ids) > 1:  # the outermost goes with the display
                    display.remove_task(task_id)


def _new_display() -> AbstractContextManager[Any]:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Amount(progress.ProgressColumn):
        """Size and speed of a transfer, or how many are done; time left, else time taken."""

        def __init__(self) -> None:
            super().__init__()
            self._of_transfer = (
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(compact=True),
            )
            self._of_items = (
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(compact=True),
            )
            self._of_work = progress.TimeElapsedColumn()

        def render(self, task: progress.Task) -> Text:
            if task.fields["unit"] == "bytes":
                return Text("  ").join(column.render(task) for column in self._of_transfer)
            if task.fields["unit"] == "videos":
                rate = f"{60 * task.speed:.1f} a minute" if task.speed else ""
                parts = (column.render(task) for column in self._of_items)
                return Text("  ").join([*parts, Text(rate)])
            if task.total is not None:
                return Text("  ").join(column.render(task) for column in self._of_items)
            return self._of_work.render(task)

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=20),
        Amount(),
        console=Console(file=sys.stderr),
        transient=True,
        speed_estimate_period=300,  # seconds: a video may take one of its own
    )
