"""Recipes: preprocessing as data.

I3D was trained on 25 frames per second, on pixels in [-1, 1] (arXiv:1705.07750, section 2.4;
the README of google-deepmind/kinetics-i3d). Which frames of a video are used, how they are cut
and which range they are fed in decide what the network says, so the choice has a name and
every result carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from i3d.errors import UsageError, unknown_name
from i3d.video.timing import MAX_SANE_FPS

Crop = Literal["centre-square", "short-side-256"]

CLIP_SIZE = 224
"""Height and width of I3D's input in pixels. Its last pooling window covers 7x7 positions of
stride 32, so that only 193 to 224 pixels give one output; 224 is what it was trained on."""

MIN_FRAMES = 9
"""Fewest frames that I3D can see: temporal strides 2, 2, 2 with SAME padding, then a pooling
window of 2 steps without padding, so that 8 frames would leave nothing."""

LOW_FPS = 10.0
"""Below this frame rate a result carries a warning. The network was trained at 25; its authors
expect trouble below about 5 (google-deepmind/kinetics-i3d#59)."""


@dataclass(frozen=True)
class Recipe:
    """How a video becomes the clip that the model sees."""

    name: str
    fps: float | None
    """Videos with more frames per second are thinned to this rate by timestamp. Frames are never
    duplicated: slower videos are used as they are. None: every frame is used."""
    crop: Crop
    """`centre-square`: the largest centred square, resized to `size`. `short-side-256`: the short
    side is resized to 256 * size / 224, then the centre is cut out."""
    input_range: tuple[float, float] | None
    """Values to feed for black and white. None: what the model wants."""
    summary: str
    size: int = CLIP_SIZE
    """Height and width of the clip in pixels."""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="standard",
            fps=25.0,
            crop="centre-square",
            input_range=None,
            summary="25 frames per second, centre square, the range that the model wants",
        ),
        Recipe(
            name="tutorial",
            fps=None,
            crop="centre-square",
            input_range=(0.0, 1.0),
            summary="every frame, centre square, [0, 1]: as the TensorFlow Hub tutorial does",
        ),
        Recipe(
            name="deepmind",
            fps=25.0,
            crop="short-side-256",
            input_range=None,
            summary="25 frames per second, short side to 256, centre 224: as DeepMind did",
        ),
    )
}

DEFAULT_RECIPE = "standard"


def get_recipe(name: str = DEFAULT_RECIPE) -> Recipe:
    """Look a recipe up by its name.

    Raises:
        UnknownNameError: The recipe does not exist.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]


def with_overrides(
    recipe: Recipe,
    *,
    fps: float | Literal["native"] | None = None,
    input_range: tuple[float, float] | None = None,
) -> Recipe:
    """Change single settings of a recipe.

    Args:
        recipe: Where to start from.
        fps: Frames per second to thin to, above 0 and at most 1000; `native` for every frame; None
            to keep the recipe's.
        input_range: Values to feed for black and white; None to keep the recipe's.

    Returns:
        The changed recipe. It keeps its name: results list every setting beside the name.

    Raises:
        UsageError: `fps` is out of its range, or `input_range` is empty.
    """
    if fps == "native":
        recipe = replace(recipe, fps=None)
    elif fps is not None:
        if not 0 < fps <= MAX_SANE_FPS:
            raise UsageError(f"The frame rate must be above 0 and at most 1000, not {fps:g}.")
        recipe = replace(recipe, fps=float(fps))
    if input_range is not None:
        low, high = input_range
        if not (-float("inf") < low < high < float("inf")):
            raise UsageError(f"The input range must run from low to high, not {low:g} to {high:g}.")
        recipe = replace(recipe, input_range=(float(low), float(high)))
    return recipe
