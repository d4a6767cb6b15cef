"""Pages about videos, which the commands write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.errors import show_warnings
from i3d.cli.terminal import progress_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from i3d.cli.question import Answer
    from i3d.pictures.stills import MediaChoice

    Command = TypeVar("Command", bound=Callable[..., Any])

media_option = click.option(
    "--video",
    "media",
    type=click.Choice(["auto", "link", "embed", "none"]),
    default="auto",
    show_default=True,
    help="What the page plays: the video itself (link), a small copy in the page (embed), or "
    "nothing. auto: a link if browsers can play the video, else a copy of up to 3 MB.",
)


def video_page(
    answer: Answer, output: str | None, *, top: int, media: MediaChoice, image_fps: float
) -> str:
    """Make the page about a video.

    Args:
        answer: What the model says of it.
        output: Where the page will be, for its links; None for standard output.
        top: How many labels to show at first.
        media: What the page plays.
        image_fps: Frame rate of a folder of images.

    Raises:
        VideoError: The video can no longer be read.
        OutputError: A copy of it was asked for and can't be made.
    """
    from i3d.datasets.ucf101.truth import predict_with_truth
    from i3d.pictures.stills import find_playable, take_stills
    from i3d.report.pages.video_page import num_tracks, render_video_page

    num_steps = len(answer.scores.step_logits)
    timeline = answer.timeline(top=num_tracks(num_steps, shown=top))
    show_warnings(answer.video, timeline.warnings)
    folder = Path() if output is None else Path(output).parent
    progress = progress_on_terminal()
    given: dict[str, Any] = {"image_fps": image_fps, "progress": progress}
    return render_video_page(
        predict_with_truth(answer.scores, top),
        timeline,
        num_shown=top,
        stills=take_stills(answer.video, timeline.clip, **given),
        playable=find_playable(answer.video, timeline.clip, media, folder, **given),
    )
