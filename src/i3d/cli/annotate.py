"""`i3d annotate`: a copy of the video with what happens drawn on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_note, show_warnings
from i3d.cli.model_options import model_options
from i3d.cli.options import GroupedCommand, offline_option, output_option, verbose_option
from i3d.cli.output import check_target, written_beside
from i3d.cli.question import TimelineQuestion, timeline_options
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.video_options import check_names, video_options
from i3d.errors import UsageError

if TYPE_CHECKING:
    from i3d.pictures.annotate import Annotated

EPILOG = """\
\b
Examples:
  i3d annotate match.mp4 -o annotated.mp4
  i3d annotate match.mp4 --top 5 --start 60 --end 90 -o minute.mp4
  i3d annotate clip.avi --model camera-motion -o moves.mp4
  i3d annotate match.mp4 --label-file names.txt --font NotoSansCJK.ttc -o annotated.mp4
"""


@click.command("annotate", cls=GroupedCommand, epilog=EPILOG)
@click.argument("video", metavar="VIDEO", shell_complete=complete_files)
@output_option("The new video, an .mp4 file.")
@timeline_options
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="From 2 on, also list the K most likely labels of each moment.",
)
@click.option(
    "--font",
    metavar="FILE",
    shell_complete=complete_files,
    help="A TrueType font, for labels with other characters than ASCII.",
)
@model_options
@video_options
@offline_option
@verbose_option
def annotate_command(
    output: str, top: int, font: str | None, verbose: bool, **options: Any
) -> None:
    """Write a copy of the video with the labels drawn on it.

    A banner shows the label of the segment, as in i3d timeline, and its score at that moment. The
    strip at the bottom shows all segments. Frames keep their times, and the sound is kept. With
    --start, --end or --max-frames, only that part is written.
    """
    check_names(output=output, font=font)
    if Path(output).suffix.lower() != ".mp4":
        raise UsageError(f"The video {output} does not end in .mp4.", hint="Add it to the name.")
    question = TimelineQuestion(options)
    span = question.span
    with libraries_silenced(verbose=verbose):
        from i3d.pictures.annotate import annotate, check_font

        check_font(font)
        # Report a folder that can't be written before the model runs, which may take hours.
        with written_beside(output, [question.video]) as private:
            answer = question.answer()
            check_target(Path(output), [answer.video])  # of a clip of UCF101: known only now
            timeline = answer.timeline(top=top)
            end = span["end_seconds"]
            if span["max_frames"]:
                end = timeline.clip.end_seconds
            annotated = annotate(
                answer.video,
                timeline,
                private,
                top=top,
                font=font,
                start_seconds=span["start_seconds"],
                end_seconds=end,
                image_fps=span["image_fps"],
                progress=progress_on_terminal(),
            )
    show_warnings(answer.video, (*timeline.warnings, *annotated.warnings))
    show_note(
        f"{annotated.duration_seconds:.1f} s, {annotated.num_frames} "
        f"{'frame' if annotated.num_frames == 1 else 'frames'}, {_sound(annotated)}: {output}"
    )


def _sound(annotated: Annotated) -> str:
    if annotated.audio_codec is None:
        return "no audio"
    if annotated.is_audio_copied:
        return f"audio kept ({annotated.audio_codec})"
    return f"audio kept ({annotated.audio_codec}, now aac)"
