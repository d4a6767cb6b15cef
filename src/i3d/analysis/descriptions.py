"""What results say of the clip and the recipe that made them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from i3d.video.info import ClipInfo, RecipeInfo
from i3d.video.recipes import LOW_FPS, MIN_FRAMES, get_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from i3d.engines.base import ModelContract
    from i3d.video.info import VideoInfo
    from i3d.video.recipes import Recipe


def describe_clip(
    times: Sequence[float], num_frames_fed: int, video: VideoInfo, end_seconds: float | None
) -> ClipInfo:
    """Say what of a video the model saw.

    Args:
        times: Of the clip's frames, in seconds.
        num_frames_fed: Length of the clip after looping.
        video: The video, after it was decoded.
        end_seconds: The end of the span that was asked for; None for the end of the video.
    """
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else video.fps
    return ClipInfo(
        num_frames=len(times),
        num_frames_fed=num_frames_fed,
        start_seconds=times[0],
        # A thinned clip's last frame stands for no time after the video, or after the span.
        end_seconds=min(
            times[-1] + 1.0 / fps,
            video.duration_seconds,
            math.inf if end_seconds is None else end_seconds,
        ),
        fps=fps,
    )


def edge_times(
    edges: Sequence[float], times: Sequence[float], end_seconds: float
) -> npt.NDArray[np.float64]:
    """Turn places on the scale of frames into times.

    Args:
        edges: Where frame n lasts from n to n + 1.
        times: Of the frames, in seconds.
        end_seconds: When the last one ends.

    Returns:
        (len(edges),) float64, in seconds.
    """
    return np.interp(edges, np.arange(len(times) + 1), [*times, end_seconds])


def describe_recipe(recipe: Recipe, contract: ModelContract) -> RecipeInfo:
    """Say what a recipe does to the videos that a model is given.

    Args:
        recipe: The recipe, with every override in it.
        contract: What the model wants; the recipe decides where it says something itself.
    """
    if recipe.input_range is None:
        input_range, reason = contract.input_range, contract.input_range_reason
    else:
        is_its_own = recipe.input_range == get_recipe(recipe.name).input_range
        input_range = recipe.input_range
        reason = f"the {recipe.name} recipe's" if is_its_own else "asked for"
    return RecipeInfo(
        name=recipe.name,
        fps=recipe.fps,
        crop=recipe.crop,
        size=contract.size or recipe.size,
        input_range=input_range,
        input_range_reason=reason,
    )


def warnings_of(video: VideoInfo, clip: ClipInfo) -> tuple[str, ...]:
    """What a user should know before trusting a result, as sentences without the file's name."""
    sentences = []
    if video.ended_early:
        declared, decoded = video.num_frames_from_header, video.num_frames_decoded
        if declared is not None and decoded < declared:
            share = f"decoded {decoded} of the {declared} frames that the header declares "
            share += f"({100 * decoded / declared:.0f} %): "
        else:
            share = f"decoded {decoded} frames: "
        sentences.append(
            f"{share}the file is cut off or damaged, and what could be decoded was classified"
        )
    if video.num_frames_damaged:
        total = video.num_frames_decoded + video.num_frames_damaged
        sentences.append(
            f"{video.num_frames_damaged} of {total} images could not be read and were left out"
        )
    if clip.num_frames < MIN_FRAMES:
        several = f"{clip.num_frames} frames"
        frames = "1 frame, which shows no motion" if clip.num_frames == 1 else several
        sentences.append(
            f"the clip has {frames}; it was repeated until there were the {clip.num_frames_fed} "
            "that the network needs"
        )
    elif clip.fps < LOW_FPS:
        sentences.append(f"{clip.fps:.1f} frames per second are few: I3D was trained on 25")
    return tuple(sentences)
