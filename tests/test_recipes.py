"""Recipes are data; overrides are checked."""

from __future__ import annotations

from math import inf, nan

import pytest

from i3d.errors import UnknownNameError, UsageError
from i3d.video.recipes import RECIPES, get_recipe, with_overrides


def test_the_three_recipes_are_what_the_docs_say() -> None:
    rows = {name: (r.fps, r.crop, r.input_range, r.size) for name, r in RECIPES.items()}
    assert rows == {
        "standard": (25, "centre-square", None, 224),
        "tutorial": (None, "centre-square", (0, 1), 224),
        "deepmind": (25, "short-side-256", None, 224),
    }


def test_an_unknown_recipe_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="no recipe named 'tutorail'") as caught:
        get_recipe("tutorail")
    assert caught.value.hint == "Did you mean tutorial?"


def test_overrides_replace_only_what_is_given() -> None:
    standard = get_recipe()
    assert with_overrides(standard) == standard
    assert with_overrides(standard, fps=10).fps == 10
    assert with_overrides(standard, fps="native").fps is None
    assert with_overrides(standard, input_range=(0, 255)).input_range == (0, 255)
    assert with_overrides(standard, fps=10).crop == standard.crop


@pytest.mark.parametrize("fps", [0, -1, inf, nan])
def test_a_frame_rate_must_be_above_zero(fps: float) -> None:
    with pytest.raises(UsageError, match="frame rate"):
        with_overrides(get_recipe(), fps=fps)


@pytest.mark.parametrize("input_range", [(1, 1), (1, 0), (0, inf), (nan, 1)])
def test_an_input_range_must_run_upwards(input_range: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="input range"):
        with_overrides(get_recipe(), input_range=input_range)
