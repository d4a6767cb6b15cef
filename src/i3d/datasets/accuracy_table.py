"""Accuracy on UCF101 for people: overall, by category, and what was taken for what."""

from __future__ import annotations

from io import StringIO
from statistics import fmean
from textwrap import wrap
from typing import TYPE_CHECKING

from i3d.datasets.measures import compare
from i3d.report.table import BAR_WIDTH, bar, percent
from i3d.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.datasets.measures import Accuracy, Evaluation
    from i3d.errors import I3DError
    from i3d.report.table import TableStyle
    from i3d.video.info import RecipeInfo

_ENDLESS = 10_000
"""Columns of a page, for Rich: a row that is wider than the terminal is wrapped by the terminal."""

_NUMBERS_WIDTH = 31
"""Columns that the margin and the numbers of a row in the table of categories take."""

_NARROWEST = 40
"""Columns that names are wrapped to at least, as in the tables of `i3d classify`."""

MAX_CONFUSIONS = 20
"""How many rows of confusions are shown; JSON and CSV hold all of them."""


def render(
    evaluations: Sequence[Evaluation], style: TableStyle, error: I3DError | None = None
) -> str:
    """Lay evaluations out.

    Args:
        evaluations: At least one. Several, of one model and the same clips with different
            recipes, are set side by side.
        style: How it looks.
        error: What stopped the run early, if anything did.
    """
    page = _Page(style)
    if len(evaluations) == 1:
        _one(page, evaluations[0])
    else:
        _side_by_side(page, evaluations)
    for evaluation, title in zip(evaluations, _titles(evaluations), strict=True):
        of = f" with {title}" if len(evaluations) > 1 else ""
        _confusions(page, evaluation, of)
        _failures(page, evaluation, of)
    _left_out(page, evaluations[0])
    _resumed(page, evaluations)
    if error is not None:
        page.gap()
        page.line(f"Stopped here: {error.message}")
    return page.text()


class _Page:
    """Text in a terminal's width, by Rich, which measures wide characters and knows terminals."""

    def __init__(self, style: TableStyle) -> None:
        from rich.console import Console

        self.style = style
        self._stream = StringIO()
        self._console = Console(
            file=self._stream,
            width=_ENDLESS,
            force_terminal=style.color,
            color_system="standard" if style.color else None,
            legacy_windows=False,
            highlight=False,
        )

    def line(self, text: str, look: str = "") -> None:
        """A paragraph, which the terminal wraps."""
        from rich.text import Text

        self._console.print(Text(printable(text), style=look), soft_wrap=True)

    def gap(self) -> None:
        """An empty line."""
        self._console.print()

    def table(
        self,
        rows: Iterable[Sequence[str]],
        columns: str,
        *,
        look: Sequence[str] = (),
        head: Sequence[str] | None = None,
    ) -> None:
        """Columns below each other, with a margin.

        Args:
            rows: The texts of the cells.
            columns: A letter a column: `l` to the left, `r` to the right.
            look: Rich's style of each column.
            head: A row of names above.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column()  # the margin
        looks = [*look, *[""] * (len(columns) - len(look))]
        for letter in columns:
            table.add_column(justify="right" if letter == "r" else "left", no_wrap=True)
        if head is not None:
            table.add_row("", *(Text(printable(name), style="dim") for name in head))
        for row in rows:
            cells = zip(row, looks, strict=True)
            table.add_row("", *(Text(printable(cell), style=look) for cell, look in cells))
        self._console.print(table)

    def text(self) -> str:
        lines = [line.rstrip() for line in self._stream.getvalue().splitlines()]
        return "\n".join(lines) + "\n"


def _one(page: _Page, evaluation: Evaluation) -> None:
    settings, dot = evaluation.settings, " · " if page.style.unicode else ", "
    page.line(f"{settings.model.name} on UCF101, recipe {settings.recipe.name}", "bold")
    facts = [
        _frames(settings.recipe),
        _cut(settings.recipe),
        f"fed {_range(settings.recipe)} ({settings.recipe.input_range_reason})",
        settings.engine.text,
        f"{' and '.join(settings.relations)} labels",
    ]
    page.line(dot.join(facts), "dim")
    page.gap()
    if evaluation.top1 is None or evaluation.top5 is None:
        page.line("No clip was classified.")
        return
    categories = evaluation.categories
    page.table(
        [
            ("top-1", percent(evaluation.top1.fraction), _margin_of(evaluation.top1)),
            ("top-5", percent(evaluation.top5.fraction), _margin_of(evaluation.top5)),
        ],
        "lrl",
        look=("", "bold green"),
    )
    if len(categories) == 1:
        return
    means = (_mean(evaluation.mean_category_top1), _mean(evaluation.mean_category_top5))
    page.line("  mean of {} categories: top-1 {}, top-5 {}".format(len(categories), *means), "dim")
    page.gap()
    head = ("category", "clips", "top-1", "top-5", "")
    longest = max(len(head[0]), *(len(row.category) for row in categories))
    width = max(min(BAR_WIDTH, page.style.width - longest - _NUMBERS_WIDTH), 0)
    page.table(
        (
            (
                row.category,
                str(row.top1.num_clips),
                percent(row.top1.fraction),
                percent(row.top5.fraction),
                bar(row.top1.fraction, width, unicode=page.style.unicode),
            )
            for row in sorted(categories, key=lambda row: (row.top1.fraction, row.top5.fraction))
        ),
        "lrrrl",
        look=("", "dim", "", "dim", "green"),
        head=head,
    )


def _side_by_side(page: _Page, evaluations: Sequence[Evaluation]) -> None:
    first, titles = evaluations[0].settings, _titles(evaluations)
    relations = " and ".join(first.relations)
    page.line(f"{first.model.name} on UCF101, {len(evaluations)} recipes", "bold")
    page.line(f"{first.engine.text}, {relations} labels", "dim")
    page.gap()
    recipes = [evaluation.settings.recipe for evaluation in evaluations]
    top1 = [evaluation.top1 for evaluation in evaluations]
    top5 = [evaluation.top5 for evaluation in evaluations]
    means = [evaluation.mean_category_top1 for evaluation in evaluations]
    page.table(
        [
            ("frames", *map(_frames, recipes)),
            ("cut", *map(_cut, recipes)),
            ("fed", *map(_range, recipes)),
            ("clips", *(str(evaluation.num_clips) for evaluation in evaluations)),
            ("failed", *(str(len(evaluation.failures)) for evaluation in evaluations)),
            ("top-1", *map(_share, top1)),
            ("  95 % between", *map(_interval, top1)),
            ("top-5", *map(_share, top5)),
            ("  95 % between", *map(_interval, top5)),
            ("mean of categories", *map(_mean, means)),
        ],
        "l" + "r" * len(evaluations),
        head=("", *titles),
    )
    page.gap()
    difference = compare(evaluations)
    page.line(
        f"They disagree about the most likely label of {difference.num_different} of "
        f"{_clips(difference.num_clips)}."
    )
    by_category = [
        {row.category: row.top1 for row in evaluation.categories} for evaluation in evaluations
    ]
    found = {category: None for rows in by_category for category in rows}

    def mean_share(category: str) -> float:
        return fmean(rows[category].fraction for rows in by_category if category in rows)

    page.gap()
    page.table(
        (
            (category, *(_share(rows.get(category)) for rows in by_category))
            for category in sorted(found, key=lambda name: (mean_share(name), name.casefold()))
        ),
        "l" + "r" * len(evaluations),
        head=("top-1", *titles),
    )


def _confusions(page: _Page, evaluation: Evaluation, of: str) -> None:
    confusions = evaluation.confusions
    if not confusions:
        return
    page.gap()
    page.line(f"Taken for something else{of}:")
    page.table(
        (
            (f"{row.category} -> {row.predicted}", str(row.count))
            for row in confusions[:MAX_CONFUSIONS]
        ),
        "lr",
    )
    if len(confusions) > MAX_CONFUSIONS:
        page.line(f"  and {len(confusions) - MAX_CONFUSIONS} more")


def _failures(page: _Page, evaluation: Evaluation, of: str) -> None:
    if not evaluation.failures:
        return
    page.gap()
    page.line(f"Failed{of}, and in no number ({_clips(len(evaluation.failures))}):", "bold")
    for failure in evaluation.failures:
        page.line(f"  {failure.clip.name}: {failure.error.message}")


def _left_out(page: _Page, evaluation: Evaluation) -> None:
    """Count the categories first: with exact labels alone there are 54 of them."""
    left_out = evaluation.left_out
    if not left_out:
        return
    page.gap()
    count = f"{len(left_out)} categor{'y' if len(left_out) == 1 else 'ies'}"
    num_clips = sum(row.num_clips for row in left_out)
    kinds = " or ".join(evaluation.settings.relations)
    page.line(f"Left out, as the model has no {kinds} label: {count} ({_clips(num_clips)})")
    for line in wrap(
        ", ".join(row.category for row in left_out),
        max(page.style.width, _NARROWEST),
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    ):
        page.line(line)


def _resumed(page: _Page, evaluations: Sequence[Evaluation]) -> None:
    several = len(evaluations) > 1
    found = [
        row for row in zip(evaluations, _titles(evaluations), strict=True) if row[0].num_resumed
    ]
    if found:
        page.gap()
    for evaluation, title in found:
        was = "was" if evaluation.num_resumed == 1 else "were"
        page.line(
            f"{f'{title}: ' if several else ''}{evaluation.num_resumed} of "
            f"{_clips(evaluation.num_clips)} {was} taken from an earlier run."
        )


def _titles(evaluations: Sequence[Evaluation]) -> list[str]:
    """What to call evaluations where there are several."""
    return [evaluation.settings.recipe.name for evaluation in evaluations]


def _frames(recipe: RecipeInfo) -> str:
    return "every frame" if recipe.fps is None else f"{recipe.fps:g} fps"


def _cut(recipe: RecipeInfo) -> str:
    return f"{recipe.crop} {recipe.size}"


def _range(recipe: RecipeInfo) -> str:
    return "[{:g}, {:g}]".format(*recipe.input_range)


def _share(accuracy: Accuracy | None) -> str:
    return "-" if accuracy is None else percent(accuracy.fraction)


def _mean(fraction: float | None) -> str:
    return "-" if fraction is None else percent(fraction)


def _interval(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "-"
    low, high = accuracy.interval
    return f"{100 * low:.1f} and {100 * high:.1f} %"


def _margin_of(accuracy: Accuracy) -> str:
    return f"({accuracy.num_right} of {accuracy.num_clips}; 95 % between {_interval(accuracy)})"


def _clips(count: int) -> str:
    return f"{count} clip{'' if count == 1 else 's'}"
