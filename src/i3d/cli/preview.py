"""`i3d preview`: exactly what the model sees of a video."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from i3d.cli.completion import complete_files
from i3d.cli.errors import show_note, show_warnings
from i3d.cli.options import GroupedCommand, offline_option, output_option, verbose_option
from i3d.cli.output import written_beside
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.cli.ucf_clips import fetch_named_clips, find_clips, is_clip_name
from i3d.cli.video_options import check_names, clip_options, clip_settings
from i3d.errors import UsageError

if TYPE_CHECKING:
    from i3d.pictures.preview import Preview, PreviewFormat
    from i3d.video.frames import Frame
    from i3d.video.info import VideoInfo

_FORMATS: tuple[PreviewFormat, ...] = ("gif", "webp", "apng", "mp4", "png")

EPILOG = """\
\b
Examples:
  i3d preview clip.avi -o clip.gif
  i3d preview clip.avi -o sheet.png                (a sheet, with the crop drawn in)
  i3d preview match.mp4 --start 60 --end 70 -o part.mp4
  i3d preview clip.avi --recipe deepmind -o exact.webp
"""


@click.command("preview", cls=GroupedCommand, epilog=EPILOG)
@click.argument("video", metavar="VIDEO", shell_complete=complete_files)
@output_option(
    "The picture: .gif; .webp or .apng, pixel by pixel what the model is fed; .mp4; .png for a "
    "sheet."
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    help="Default: by the suffix of -o.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show every Nth frame. Default: all; of more than 500, every 2nd, 4th, ..., but "
    "all in an .mp4; 20 on a sheet.",
)
@click.option(
    "--size",
    type=click.IntRange(min=1, max=512),
    metavar="N",
    help="Height and width of the frames in pixels. Default: I3D's 224.",
)
@clip_options
@offline_option
@verbose_option
def preview_command(
    video: str,
    output: str,
    format_name: PreviewFormat | None,
    every: int | None,
    size: int | None,
    verbose: bool,
    **options: Any,
) -> None:
    """Write exactly what the model sees, as an animation or a sheet of pictures.

    The frames are those that are fed to a model with the same options: thinned, turned, cut and
    resized, each shown as long as in the video. No model is needed. The video may be a folder of
    images, or a clip of UCF101 (ucf:NAME).
    """
    check_names(output=output)
    format_name = format_name or _format_of(output)
    recipe, span = clip_settings(options)
    size = size or recipe.size
    clips = find_clips([video] if is_clip_name(video) else [])
    for name, several in clips.items():
        if len(several) > 1:
            raise UsageError(
                f"{name} means {len(several)} clips, and a preview shows one.",
                hint=f"Choose one of them, such as ucf:{several[0].name}.",
            )
    _refuse_among_images(video, output)
    progress = progress_on_terminal()
    with libraries_silenced(verbose=verbose):
        for path, error in fetch_named_clips(clips, progress).get(video, ()):
            if error is not None:
                raise error
            video = path
        from i3d.pictures.preview import write_preview
        from i3d.video.ahead import ClipReader

        with ClipReader(video, recipe, size, **span) as reader:
            reader.wait()
            original = _first_frame(video, recipe.fps, span) if format_name == "png" else None
            with written_beside(output, inputs=[video]) as private:
                preview = write_preview(
                    private, reader, format_name, every=every, original=original, progress=progress
                )
                num_bytes = private.stat().st_size
            info = reader.video
        if every is None and preview.one_in > 1:
            show_note(
                f"One in {preview.one_in} of the clip's {preview.clip.num_frames} frames is shown: "
                "an .mp4 shows all, and so does --every 1 up to 1000 frames."
            )
        _tell(info, preview, output, num_bytes, format_name)


def _format_of(output: str) -> PreviewFormat:
    suffix = Path(output).suffix.lower().lstrip(".")
    for name in _FORMATS:
        if suffix == name:
            return name
    known = ", ".join(f".{name}" for name in _FORMATS)
    raise UsageError(
        f"The output {output} ends in none of {known}.",
        hint="Change its name, or choose the format: --format gif.",
    )


def _refuse_among_images(video: str, output: str) -> None:
    """A picture in the folder that is the video would be one of its frames, or replace one."""
    from i3d.video.listing import IMAGE_SUFFIXES

    folder, target = Path(video), Path(output)
    if target.suffix.lower() not in IMAGE_SUFFIXES or not folder.is_dir():
        return
    if os.path.realpath(target.parent) == os.path.realpath(folder):
        raise UsageError(
            f"The output {output} would be one of the images of the video {video}.",
            hint="Write it to another folder.",
        )


def _first_frame(video: str, fps: float | None, span: dict[str, Any]) -> Frame:
    """The clip's first frame before it is cut: (height, width, 3) uint8 BGR, upright."""
    from i3d.video.reader import VideoReader

    with VideoReader(video, fps=fps, **{**span, "max_frames": 1}) as reader:
        return next(iter(reader)).image


def _tell(
    video: VideoInfo, preview: Preview, output: str, num_bytes: int, format_name: PreviewFormat
) -> None:
    """Tell the user about the preview."""
    clip = preview.clip
    show_warnings(video.path, _warnings_of(video))
    if clip.num_frames_fed > clip.num_frames:
        show_note(
            f"The clip has {_frames(clip.num_frames)}, shown once. I3D is fed them "
            f"{clip.num_frames_fed / clip.num_frames:.2g} times over, {clip.num_frames_fed} in all."
        )
    if preview.num_left_out:
        show_note(
            f"{_frames(preview.num_left_out)} left out: .{format_name} cannot show pictures so "
            "close to each other, an .mp4 can."
        )
    seconds = clip.end_seconds - clip.start_seconds
    megabytes = num_bytes / 1e6
    size = f"{megabytes:.1f} MB" if megabytes >= 0.1 else f"{num_bytes / 1e3:.1f} kB"
    show_note(f"{_frames(preview.num_frames)}, {seconds:.1f} s, {size}: {output}")


def _warnings_of(video: VideoInfo) -> list[str]:
    warnings = []
    if video.ended_early:
        warnings.append(
            f"decoded {video.num_frames_decoded} frames: the file is cut off or damaged, and what "
            "could be decoded is shown"
        )
    if video.num_frames_damaged:
        total = video.num_frames_decoded + video.num_frames_damaged
        warnings.append(
            f"{video.num_frames_damaged} of {total} images could not be read and were left out"
        )
    return warnings


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
