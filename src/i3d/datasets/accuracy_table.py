"""Accuracy on UCF101 for people: overall, by category, and what was taken for what."""

from __future__ import annotations

from io import StringIO
from statistics import fmean
from textwrap import wrap
from typing import TYPE_CHECKING

from i3d.datasets.measures import compare
from i3d.report.table import BAR_WIDTH, bar
from i3d.report.text import percent, printable

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


def evaluations_as_text(
    evaluations: Sequence[Evaluation], style: TableStyle, error: I3DError | None = None
) -> str:
    """Accuracies, categories and confusions for people.

    Args:
        evaluations: At least one. Several, of one model and the same clips with different
            recipes, are set side by side.
        style: How it looks.
        error: What stopped the run early, if anything did.
    """
    page, several = _Page(style), len(evaluations) > 1
    if several:
        _side_by_side(page, evaluations)
    else:
        _one(page, evaluations[0])
    for evaluation in evaluations:
        of = f" with {evaluation.settings.recipe.name}" if several else ""
        _wrong(page, evaluation, of)
    _left_out(page, evaluations[0])
    resumed = [evaluation for evaluation in evaluations if evaluation.num_resumed]
    if resumed:
        page.gap()
    for evaluation in resumed:
        title = f"{evaluation.settings.recipe.name}: " if several else ""
        was = "was" if evaluation.num_resumed == 1 else "were"
        page.line(
            f"{title}{evaluation.num_resumed} of {_clips(evaluation.num_clips)} {was} taken from "
            "an earlier run."
        )
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
        self, rows: Iterable[Sequence[str]], columns: str, looks: Sequence[str] = (), head: int = 0
    ) -> None:
        """Columns below each other, with a margin.

        Args:
            rows: The texts of the cells.
            columns: A letter a column: `l` to the left, `r` to the right.
            looks: Rich's style of each column; none by default.
            head: How many of the rows are names of columns.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column()  # the margin
        for letter in columns:
            table.add_column(justify="right" if letter == "r" else "left", no_wrap=True)
        for i, row in enumerate(rows):
            styles = ["dim"] * len(row) if i < head else [*looks, *[""] * len(row)]
            table.add_row("", *map(Text, map(printable, row), styles))
        self._console.print(table)

    def text(self) -> str:
        lines = [line.rstrip() for line in self._stream.getvalue().splitlines()]
        return "\n".join(lines) + "\n"


def _one(page: _Page, evaluation: Evaluation) -> None:
    settings, recipe = evaluation.settings, evaluation.settings.recipe
    page.line(f"{settings.model.name} on UCF101, recipe {recipe.name}", "bold")
    facts = (
        *_preparation(recipe)[:2],
        f"fed {_preparation(recipe)[2]} ({recipe.input_range_reason})",
        settings.engine.text,
        f"{' and '.join(settings.relations)} labels",
    )
    page.line((" · " if page.style.unicode else ", ").join(facts), "dim")
    page.gap()
    if evaluation.top1 is None or evaluation.top5 is None:
        page.line("No clip was classified.")
        return
    categories = evaluation.categories
    accuracies = {"top-1": evaluation.top1, "top-5": evaluation.top5}
    page.table(
        (
            (
                name,
                _share(accuracy),
                f"({accuracy.num_right} of {accuracy.num_clips}; 95 % between {around})",
            )
            for name, accuracy in accuracies.items()
            for around in [_interval(accuracy)]
        ),
        "lrl",
        ("", "bold green"),
    )
    if len(categories) == 1:
        return
    page.line(
        f"  mean of {len(categories)} categories: top-1 {_mean(evaluation.mean_category_top1)}, "
        f"top-5 {_mean(evaluation.mean_category_top5)}",
        "dim",
    )
    page.gap()
    rows = [("category", "clips", "top-1", "top-5", "")]
    longest = max(len(rows[0][0]), *(len(row.category) for row in categories))
    width = max(min(BAR_WIDTH, page.style.width - longest - _NUMBERS_WIDTH), 0)
    rows += [
        (
            row.category,
            str(row.top1.num_clips),
            _share(row.top1),
            _share(row.top5),
            bar(row.top1.fraction, width, unicode=page.style.unicode),
        )
        for row in sorted(categories, key=lambda row: (row.top1.fraction, row.top5.fraction))
    ]
    page.table(rows, "lrrrl", ("", "dim", "", "dim", "green"), head=1)


def _side_by_side(page: _Page, evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0].settings
    recipes = [evaluation.settings.recipe for evaluation in evaluations]
    names = [recipe.name for recipe in recipes]
    page.line(f"{first.model.name} on UCF101, {len(evaluations)} recipes", "bold")
    page.line(f"{first.engine.text}, {' and '.join(first.relations)} labels", "dim")
    page.gap()
    labels = ("", "frames", "cut", "fed", "clips", "failed", "top-1", "  95 % between", "top-5")
    columns = [
        (
            recipe.name,
            *_preparation(recipe),
            str(evaluation.num_clips),
            str(len(evaluation.failures)),
            _share(evaluation.top1),
            _interval(evaluation.top1),
            _share(evaluation.top5),
            _interval(evaluation.top5),
            _mean(evaluation.mean_category_top1),
        )
        for evaluation, recipe in zip(evaluations, recipes, strict=True)
    ]
    alignment = "l" + "r" * len(evaluations)
    rows = zip((*labels, "  95 % between", "mean of categories"), *columns, strict=True)
    page.table(rows, alignment, head=1)
    page.gap()
    difference = compare(evaluations)
    page.line(
        f"They disagree about the most likely label of {difference.num_different} of "
        f"{_clips(difference.num_clips)}."
    )
    page.gap()
    by_category = [
        {row.category: row.top1 for row in evaluation.categories} for evaluation in evaluations
    ]

    def by_mean(category: str) -> tuple[float, str]:
        found = [rows[category].fraction for rows in by_category if category in rows]
        return fmean(found), category.casefold()

    categories = sorted({name for rows in by_category for name in rows}, key=by_mean)
    shares = [(name, *(_share(rows.get(name)) for rows in by_category)) for name in categories]
    page.table([("top-1", *names), *shares], alignment, head=1)


def _wrong(page: _Page, evaluation: Evaluation, of: str) -> None:
    """What clips were taken for, and those that failed."""
    confusions = evaluation.confusions
    if confusions:
        page.gap()
        page.line(f"Taken for something else{of}:")
        shown = confusions[:MAX_CONFUSIONS]
        page.table(((f"{row.category} -> {row.predicted}", str(row.count)) for row in shown), "lr")
    if len(confusions) > MAX_CONFUSIONS:
        page.line(f"  and {len(confusions) - MAX_CONFUSIONS} more")
    if evaluation.failures:
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
    ):
        page.line(line)


def _preparation(recipe: RecipeInfo) -> tuple[str, str, str]:
    """Which frames, which part of them, and what range a recipe feeds."""
    return (
        "every frame" if recipe.fps is None else f"{recipe.fps:g} fps",
        f"{recipe.crop} {recipe.size}",
        "[{:g}, {:g}]".format(*recipe.input_range),
    )


def _share(accuracy: Accuracy | None) -> str:
    return _mean(None if accuracy is None else accuracy.fraction)


def _mean(fraction: float | None) -> str:
    return "-" if fraction is None else percent(fraction)


def _interval(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "-"
    low, high = accuracy.interval
    return f"{100 * low:.1f} and {100 * high:.1f} %"


def _clips(count: int) -> str:
    return f"{count} clip{'' if count == 1 else 's'}"
