"""`i3d ucf`: browse UCF101, fetch its clips, measure a model on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from i3d.cli.completion import complete_clips
from i3d.cli.errors import show_note, show_warning
from i3d.cli.lazy import LazyCommand, LazyGroup
from i3d.cli.options import offline_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_options import split_options, transfer_options, trust_of, trust_options
from i3d.errors import CacheError, UsageError

if TYPE_CHECKING:
    from i3d.datasets.ucf101.live_index import LiveIndex
    from i3d.files.download.trust import Trust

_FORMATS = ("table", "names", "json", "csv")


@click.group(
    "ucf",
    cls=LazyGroup,
    lazy={
        "eval": LazyCommand(
            "i3d.cli.ucf_eval",
            "eval_command",
            "Measure a model on UCF101: top-1 and top-5 accuracy.",
        )
    },
)
def ucf_group() -> None:
    """List and download UCF101's clips, measure a model on them.

    UCF101 is a data set of 13,320 clips of 101 human actions, from YouTube. The list of them ships
    with i3d; the clips are fetched from the University of Central Florida, or from a copy.
    """


@ucf_group.command("list")
@click.argument(
    "terms", nargs=-1, metavar="[CLIP|CATEGORY|PATTERN]...", shell_complete=complete_clips
)
@split_options
@click.option("--cached", is_flag=True, help="Only clips that are on this machine.")
@click.option(
    "--refresh",
    is_flag=True,
    help="Read the index host's own list first, say what differs, and keep what it has more.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="A table for people, file names one a line, JSON (its fields: docs/json.md), or CSV.",
)
@trust_options
@offline_option
def list_command(
    terms: tuple[str, ...],
    split: int | None,
    subset: str | None,
    cached: bool,
    refresh: bool,
    format_name: str,
    cafile: Path | None,
    insecure: bool,
) -> None:
    """List categories, or the clips of one, without a network.

    What is listed: everything, or what matches a clip (v_CricketShot_g04_c02), a category
    (CricketShot) or a pattern ("*Shot*"); upper and lower case are the same.
    """
    from i3d.datasets.ucf101 import listing as report
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.live_index import current_index

    if refresh:
        _refresh(trust_of(cafile, insecure=insecure))
    elif cafile is not None or insecure:
        raise UsageError("--cafile and --insecure are of use with --refresh only.")
    index = current_index()
    clips = select_clips(index, terms, split=split, subset=subset)
    # Looking for 13,320 files takes a tenth of a second, which only some lists are worth.
    is_of_one_category = len({clip.category for clip in clips}) == 1
    local = {}
    if cached or format_name in ("json", "csv") or (format_name == "table" and is_of_one_category):
        from i3d.datasets.ucf101.clips import local_clips

        try:
            local = local_clips(clips)
        except CacheError as error:
            if cached:
                raise
            show_warning(error.message)
    if cached:
        clips = tuple(clip for clip in clips if clip in local)
    with Output(None, utf8=format_name != "table") as output:
        if format_name == "names":
            output.write(report.names_as_text(clips))
        elif format_name == "json":
            output.write(report.clips_as_json(index, clips, local))
        elif format_name == "csv":
            output.write(report.clips_as_csv(index, clips, local))
        else:
            output.write(report.clips_as_table(index, clips, local, width=_width()))


@ucf_group.command("fetch")
@click.argument(
    "terms", nargs=-1, metavar="CLIP|CATEGORY|PATTERN...", shell_complete=complete_clips
)
@split_options
@click.option(
    "--to",
    "directory",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Put the files here, not in the cache.",
)
@transfer_options
@offline_option
@verbose_option
def fetch_command(
    terms: tuple[str, ...],
    split: int | None,
    subset: str | None,
    directory: str | None,
    source: str | None,
    jobs: int,
    cafile: Path | None,
    insecure: bool,
    verbose: bool,
) -> None:
    """Fetch clips, check them, and print the path of each.

    What is fetched: a clip (v_CricketShot_g04_c02, with or without .avi), a category
    (CricketShot), a pattern ("*Shot*"), or all clips of a --split. What is there already, and
    whole, is not fetched again. A clip that can't be had does not stop the others.
    """
    from i3d.cli.clip_failures import ClipFailures
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.fetch import fetch_clips
    from i3d.datasets.ucf101.live_index import current_index

    if directory == "":
        raise click.BadParameter("is empty.", param_hint="--to")
    if not terms and split is None:
        raise UsageError(
            "Which clips? None was named.",
            hint="Name clips, categories or patterns, or a --split. List them with: i3d ucf list",
        )
    clips = select_clips(current_index(), terms, split=split, subset=subset)
    trust = trust_of(cafile, insecure=insecure)
    failures = ClipFailures("fetched", len(clips))
    with libraries_silenced(verbose=verbose), Output(None, utf8=False) as output:
        # A path in the middle of a progress display could not be read.
        is_terminal = sys.stdout.isatty()
        paths = []
        try:
            for fetched in fetch_clips(
                clips,
                directory=None if directory is None else Path(directory),
                source=source,
                trust=trust,
                jobs=jobs,
                progress=progress_on_terminal(),
            ):
                if fetched.error is not None:
                    failures.add(fetched.clip.name, fetched.error)
                elif is_terminal:
                    paths.append(fetched.path)
                else:
                    output.write(f"{fetched.path}\n")
        finally:
            output.write("".join(f"{path}\n" for path in paths))
    failures.finish()


@ucf_group.command("path")
@click.argument(
    "terms", nargs=-1, metavar="[CLIP|CATEGORY|PATTERN]...", shell_complete=complete_clips
)
def path_command(terms: tuple[str, ...]) -> None:
    """Print the folder of fetched clips, or the path of each.

    Clips can be removed from the folder as you like.
    """
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.clips import clips_dir, local_path
    from i3d.datasets.ucf101.live_index import current_index

    with Output(None, utf8=False) as output:
        if not terms:
            output.write(f"{clips_dir()}\n")
            return
        paths = [local_path(clip) for clip in select_clips(current_index(), terms)]
        output.write("".join(f"{path}\n" for path in paths))


def _refresh(trust: Trust) -> None:
    from i3d.datasets.ucf101.hosts import index_url
    from i3d.datasets.ucf101.live_index import refresh_index

    live = refresh_index(index_url(), trust=trust, progress=progress_on_terminal())
    show_note(_difference(live))


def _difference(live: LiveIndex) -> str:
    """How the host's list differs from ours, in a sentence."""
    if not live.added and not live.missing:
        return f"{live.url} lists the same {live.num_listed} clips as i3d."
    parts = []
    for names, what in (
        (live.added, "that i3d's list does not have"),
        (live.missing, "of i3d's list are not among them"),
    ):
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            parts.append(f"{len(names)} {what} ({shown})")
    return f"{live.url} lists {live.num_listed} clips: {'; '.join(parts)}."


def _width() -> int:
    """Columns of the terminal; wide where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns
