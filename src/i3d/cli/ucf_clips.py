"""Clips of UCF101 on the command line: `ucf:NAME` for a file, options, and what failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_error, show_note, show_warning
from i3d.errors import ClipNotFetchedError, I3DError, PartialFailureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from i3d.datasets.measures import ClipFailure
    from i3d.datasets.ucf101.data import Clip
    from i3d.datasets.ucf101.fetch import FetchedClip
    from i3d.files.trust import Trust
    from i3d.progress import Progress

    Command = TypeVar("Command", bound=Callable[..., Any])

_PREFIX = "ucf:"
"""What stands before the name of a clip of UCF101 in the place of a file."""


def is_clip_name(video: str) -> bool:
    """Whether a video is a clip of UCF101, not a file."""
    return video.startswith(_PREFIX)


def find_clips(names: Sequence[str]) -> dict[str, tuple[Clip, ...]]:
    """The clips that each `ucf:...` means; an unknown one stops the run."""
    if not names:
        return {}
    from i3d.datasets.ucf101.choose import select_clips

    return {name: select_clips([name.removeprefix(_PREFIX)]) for name in names}


def fetch_named_clips(
    clips: dict[str, tuple[Clip, ...]], progress: Progress
) -> dict[str, list[tuple[str, I3DError | None]]]:
    """Fetch clips; the paths of each name's, or what stands for them and why they are not there."""
    if not clips:
        return {}
    from i3d.datasets.ucf101.fetch import fetch_clips

    wanted = [clip for several in clips.values() for clip in several]
    fetched = {result.clip: result for result in fetch_clips(wanted, progress=progress)}
    return {
        name: [
            (str(fetched[clip].path or f"{_PREFIX}{clip.name}"), fetched[clip].error)
            for clip in several
        ]
        for name, several in clips.items()
    }


def split_options(command: Command) -> Command:
    """`--split` and `--subset`: the official lists."""
    command = click.option(
        "--subset",
        type=click.Choice(["train", "test"]),
        help="Only this part of the --split.",
    )(command)
    return click.option(
        "--split",
        type=click.IntRange(1, 3),
        help="Only clips of this official split into train and test.",
    )(command)


def transfer_options(command: Command) -> Command:
    """`--source`, `--jobs`, `--cafile` and `--insecure`: how clips are fetched; see `trust_of`."""
    command = click.option(
        "--insecure",
        is_flag=True,
        help="Accept any certificate. Others on the network can then change what you download.",
    )(command)
    command = click.option(
        "--cafile",
        type=click.Path(),
        callback=_parse_cafile,
        shell_complete=complete_files,
        metavar="FILE",
        help="Trust the certificates in FILE (PEM) instead of the system's.",
    )(command)
    command = click.option(
        "--jobs",
        type=click.IntRange(1, 16),
        default=4,
        show_default=True,
        metavar="N",
        help="Number of clips to fetch at a time.",
    )(command)
    return click.option(
        "--source",
        type=click.Choice(["index", "zip"]),
        help="Fetch only from the index host, or only from the zip. Default: the index host, and "
        "the zip if that fails.",
    )(command)


def _parse_cafile(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """Turn the text of --cafile into its value; an empty one would be the folder here."""
    if value == "":
        raise click.BadParameter("is empty.", ctx, param)
    return None if value is None else Path(value)


def trust_of(cafile: Path | None, *, insecure: bool) -> Trust:
    """What --cafile and --insecure ask for; --insecure warns each time."""
    from i3d.files.trust import Trust

    if cafile is not None and insecure:
        raise UsageError("--cafile and --insecure contradict each other.", hint="Give one.")
    if insecure:
        show_warning(
            "Certificates are not checked (--insecure): others on the network can change what you "
            "download."
        )
    trust = Trust(cafile=cafile, verify=not insecure)
    if cafile is not None:
        trust.check()
    return trust


class ClipFailures:
    """Collects the failures of a command on several clips.

    Errors are shown as they come, each once. If only one clip was wanted, the command ends with its
    error. Clips that were not tried, because no source can be used, are only counted.

    Args:
        outcome: What failed: "fetched", "evaluated".
        num_wanted: How many clips were wanted; can be set later.

    Attributes:
        num_wanted: The same.
    """

    def __init__(self, outcome: str, num_wanted: int = 0) -> None:
        self.num_wanted = num_wanted
        self._outcome = outcome
        self._errors: dict[tuple[str, str], I3DError] = {}

    def add(self, failure: ClipFailure | FetchedClip) -> None:
        """Take a failure of a clip, and say it now, unless it is kept back or counted."""
        error = failure.error
        assert error is not None, "it failed"
        key = (failure.clip.name, error.message)
        if key in self._errors:
            return
        self._errors[key] = error
        is_kept_back = self.num_wanted == 1 and len(self._errors) == 1
        if not is_kept_back and not isinstance(error, ClipNotFetchedError):
            show_error(error)

    def finish(self, stopped_by: I3DError | None = None) -> None:
        """Raise what the command ends with, if anything stopped it or failed.

        Args:
            stopped_by: What ended the run early, if anything did.
        """
        errors = list(self._errors.values())
        failed = {clip for clip, _ in self._errors}
        untried = failed - {
            clip
            for (clip, _), error in self._errors.items()
            if not isinstance(error, ClipNotFetchedError)
        }
        show_untried(len(untried))
        if stopped_by is not None:
            if errors and self.num_wanted == 1:
                show_error(errors[0])
            raise stopped_by
        if not errors:
            return
        if self.num_wanted == 1:
            raise errors[0]
        raise PartialFailureError(
            f"{len(failed)} of {self.num_wanted} clips could not be {self._outcome}.",
            hint="Run it again when a source can be used."
            if untried
            else "See the errors above. Run it again for those alone.",
        )


def show_untried(num_clips: int) -> None:
    """Say how many clips, if any, were not tried any more beside those that have an error."""
    if num_clips:
        were = "was" if num_clips == 1 else "were"
        show_note(f"{num_clips} more {were} not tried, for no source can be used.")
