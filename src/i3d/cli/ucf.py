"""`i3d ucf`: browse UCF101, fetch its clips, measure a model on them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from i3d.cli.completion import complete_clips
from i3d.cli.errors import show_warning
from i3d.cli.lazy import LazyCommand, LazyGroup
from i3d.cli.options import offline_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_clips import ClipFailures, split_options, transfer_options, trust_of
from i3d.errors import CacheError, UsageError

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

    UCF101 is a data set of 13,320 YouTube clips of 101 human actions. Their list ships with i3d;
    the clips are fetched from the University of Central Florida, or from a copy.
    """


@ucf_group.command("list")
@click.argument(
    "terms", nargs=-1, metavar="[CLIP|CATEGORY|PATTERN]...", shell_complete=complete_clips
)
@split_options
@click.option("--cached", is_flag=True, help="Only clips that are on this machine.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="A table for people, file names one a line, JSON (its fields: docs/json.md), or CSV.",
)
@offline_option
def list_command(
    terms: tuple[str, ...],
    split: int | None,
    subset: str | None,
    cached: bool,
    format_name: str,
) -> None:
    """List categories, or the clips of one, without a network.

    Lists everything, or what matches a clip (v_CricketShot_g04_c02), a category (CricketShot) or a
    pattern ("*Shot*"). Case does not matter.
    """
    from i3d.datasets.ucf101 import listing as report
    from i3d.datasets.ucf101.choose import select_clips

    clips = select_clips(terms, split=split, subset=subset)
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
            output.write(report.clips_as_json(clips, local))
        elif format_name == "csv":
            output.write(report.clips_as_csv(clips, local))
        else:
            output.write(report.clips_as_table(clips, local, width=_width()))


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
    help="Put the files here instead of in the cache.",
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

    Name clips (v_CricketShot_g04_c02, with or without .avi), categories (CricketShot) or patterns
    ("*Shot*"), or give a --split. Clips that are already there and whole are not fetched again. If
    one fails, the others are still fetched.
    """
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.fetch import fetch_clips

    if directory == "":
        raise click.BadParameter("is empty.", param_hint="--to")
    if not terms and split is None:
        raise UsageError(
            "Which clips? None was named.",
            hint="Name clips, categories or patterns, or a --split. List them with: i3d ucf list",
        )
    clips = select_clips(terms, split=split, subset=subset)
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
                    failures.add(fetched)
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

    You can delete clips from the folder at any time.
    """
    from i3d.datasets.ucf101.choose import select_clips
    from i3d.datasets.ucf101.clips import clips_dir, local_path

    with Output(None, utf8=False) as output:
        if not terms:
            output.write(f"{clips_dir()}\n")
            return
        paths = [local_path(clip) for clip in select_clips(terms)]
        output.write("".join(f"{path}\n" for path in paths))


def _width() -> int:
    """Columns of the terminal; wide where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns
