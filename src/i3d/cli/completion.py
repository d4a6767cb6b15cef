"""What the shell offers on Tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Leave it to the shell, which knows files best."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_models(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names in the catalogue, else folders."""
    from click.shell_completion import CompletionItem

    from i3d.models.catalog import CATALOG

    names = [CompletionItem(name) for name in CATALOG if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="dir")]


def complete_clips(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Categories of UCF101, or, from `v_` on, clips."""
    from click.shell_completion import CompletionItem

    from i3d.datasets.ucf101.data import load_index

    index = load_index()
    names = (
        [clip.name for clip in index.clips]
        if incomplete.startswith("v_")
        else [category.name for category in index.categories]
    )
    wanted = incomplete.casefold()
    return [CompletionItem(name) for name in names if name.casefold().startswith(wanted)]
