"""`i3d.pictures.annotate`: all frames at their times, and what the timeline says of each drawn on
it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import ImageFont

from i3d.analysis.results import Timeline, TimelineSettings
from i3d.analysis.timeline import make_timeline
from i3d.errors import UsageError, VideoTooShortError
from i3d.pictures.annotate import annotate
from i3d.pictures.lettering import Lettering
from i3d.pictures.overlay import COLOURS, Overlay
from i3d.video.reader import VideoReader
from test_timeline import video_scores

import sounds
import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from i3d.pictures.annotate import Annotated
    from i3d.video.frames import Frame

PLAIN = TimelineSettings(min_duration_seconds=0, smooth_seconds=0)


def timeline(
    best: Sequence[int | None] = (0, 0, 1, 1, None, None),
    labels: Sequence[str] = ("waltz", "tango", "polka"),
    settings: TimelineSettings = PLAIN,
    top: int = 5,
) -> Timeline:
    """Steps of half a second, each of which has a best label, or none among many."""
    labels = [*labels, *(f"other {i}" for i in range(20))]
    logits = np.zeros((len(best), len(labels)))
    for step, label in enumerate(best):
        if label is not None:
            logits[step, label] = 5 + step / 10
    return make_timeline(video_scores(logits, labels), settings, top=top)


def picture(
    seconds: float,
    line: Timeline | None = None,
    size: tuple[int, int] = (640, 360),
    level: int = 128,
    **options: Any,
) -> Frame:
    """A grey picture with what is drawn on it at a moment of three seconds."""
    width, height = size
    image = np.full((height, width, 3), level, np.uint8)
    line = line or timeline()
    overlay = Overlay(line, width, height, start_seconds=0, end_seconds=3, **options)
    overlay.draw(image, seconds)
    return image


def banner(image: Frame) -> Frame:
    """The banner of a picture, without the strip below."""
    return image[: image.shape[0] * 3 // 4]


def is_same(one: Frame, other: Frame) -> bool:
    return bool(np.array_equal(banner(one), banner(other)))


def frames_of(path: Path) -> tuple[list[float], list[Frame], float]:
    with VideoReader(path) as reader:
        frames = list(reader)
    return [f.seconds for f in frames], [f.image for f in frames], reader.info.duration_seconds


def annotated(source: Path, tmp_path: Path, **options: Any) -> tuple[Annotated, Path]:
    target = tmp_path / "out.mp4"
    return annotate(str(source), timeline(), target, **options), target


# What is drawn


def test_the_banner_changes_where_segments_do_and_nowhere_else() -> None:
    line = timeline(best=(0, 0, 1, 1, None, None))
    # Scores of the two steps of a segment differ, and so do their percents.
    assert is_same(picture(0.0, line), picture(0.48, line))
    assert is_same(picture(2.0, line), picture(2.96, line))
    assert not is_same(picture(0.96, line), picture(1.0, line))
    assert not is_same(picture(1.96, line), picture(2.0, line))
    # The same label with the same score gives the same banner, but for the colour of the segment.
    again = timeline(best=(0, 1, 1, 0))
    assert not is_same(picture(0.2, again), picture(0.7, again))


def test_one_picture_after_the_other_looks_as_it_would_alone() -> None:
    overlay = Overlay(timeline(), 640, 360, start_seconds=0, end_seconds=3)
    for seconds in (0.0, 0.3, 0.6, 1.2, 2.4, 2.9):
        image = np.full((360, 640, 3), 128, np.uint8)
        overlay.draw(image, seconds)
        assert np.array_equal(image, picture(seconds))


def test_scores_are_those_of_the_moment() -> None:
    logits = np.array([[1.0, 0], [3, 0]])
    line = make_timeline(video_scores(logits, ("waltz", "tango")), PLAIN)
    assert len(line.segments) == 1
    assert not is_same(picture(0.25, line), picture(0.75, line))


def test_a_segment_has_its_colour_in_the_banner_and_in_the_strip() -> None:
    for seconds, colour in ((0.5, COLOURS[0]), (1.5, COLOURS[1])):
        image = picture(seconds)
        assert (banner(image) == colour).all(axis=2).any()
    bottom = picture(2.9)[-1]
    thirds = [bottom[i * 640 // 3 + 100] for i in range(3)]
    assert thirds[0].tolist() == list(COLOURS[0])
    assert thirds[1].tolist() == list(COLOURS[1])
    assert thirds[2].max() < 60


def test_where_nothing_is_confident_it_says_so_in_grey() -> None:
    image = banner(picture(2.5))
    assert not any((image == colour).all(axis=2).any() for colour in COLOURS)
    assert 190 < image.max() < 220
    assert is_same(picture(2.5), picture(2.5, timeline(labels=("a", "b", "c"))))


def test_the_playhead_moves_along_the_strip() -> None:
    def head(seconds: float) -> float:
        return float(np.flatnonzero((picture(seconds)[-1] == 255).all(axis=1)).mean())

    assert head(0) < 3
    assert head(1.5) == pytest.approx(320, abs=2)
    assert head(2.99) > 630


def test_more_labels_are_listed_best_first_with_bars() -> None:
    def bars(image: Frame) -> list[int]:
        """Lengths of the bars of the two labels that are no segment's."""
        rows = (image == (205, 205, 205)).all(axis=2).sum(axis=1)
        return [int(rows.max())]

    assert banner(picture(0.5, top=3)).shape == banner(picture(0.5)).shape
    dark = [(banner(picture(0.5, top=top)) < 100).any(axis=(1, 2)).sum() for top in (1, 2, 3)]
    assert dark[0] < dark[1] < dark[2]
    colour = (banner(picture(0.5, top=3)) == COLOURS[0]).all(axis=2)
    assert colour.sum(axis=1).max() > 50, "the bar of the segment's label"
    even = make_timeline(video_scores(np.log([[0.4, 0.3, 0.2, 0.1]]), "abcd"), PLAIN)
    assert bars(picture(0.2, even, top=4))[0] > 20


def test_labels_that_were_asked_for_stand_side_by_side_in_time() -> None:
    settings = TimelineSettings(("waltz", "tango"), 0.3, 0, 0)
    logits = np.log([[0.45, 0.4, 0.15], [0.4, 0.45, 0.15]])
    line = make_timeline(video_scores(logits, ("waltz", "tango", "polka")), settings)
    assert len(line.segments) == 2
    first, second = picture(0.2, line), picture(0.7, line)
    assert (banner(first) == COLOURS[0]).all(axis=2).any()
    assert (banner(second) == COLOURS[1]).all(axis=2).any()


def test_what_the_model_did_not_look_at_is_called_so() -> None:
    nothing, unseen = picture(2.5), picture(3.6)
    assert not is_same(nothing, unseen)
    assert is_same(picture(3.3), nothing), "a few frames at the end may have no step of their own"
    late = make_timeline(video_scores([[5.0, 0]] * 2, "ab", edges=(1, 1.5, 2)), PLAIN)
    assert is_same(picture(0.5, late), unseen)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_text_can_be_read_on_any_picture(level: int) -> None:
    image = picture(0.5, level=level).astype(float)
    box = image[10:30, 20:60]
    light, dark = box.max() / 255, box.min() / 255
    assert (light**2.2 + 0.05) / (dark**2.2 + 0.05) > 4.5


@pytest.mark.parametrize(
    "size", [(64, 48), (3840, 2160), (48, 640), (640, 20), (16, 16), (3, 2), (1, 1), (7, 2000)]
)
@pytest.mark.parametrize("top", [1, 5])
def test_any_size_of_picture(size: tuple[int, int], top: int) -> None:
    names = ("waltz " * 30, "tango", "polka")
    image = picture(0.5, timeline(labels=names), size, top=top)
    assert image.shape == (size[1], size[0], 3)
    if min(size) >= 48 and size != (48, 640):
        assert (banner(image) == COLOURS[0]).all(axis=2).any()
        assert (image[:, -1] == 128).mean() > 0.5, "the banner stays inside"


def test_banners_are_larger_in_larger_pictures() -> None:
    heights = [
        (banner(picture(0.5, size=size)) == COLOURS[0]).all(axis=2).sum(axis=0).max()
        for size in ((640, 360), (1280, 720), (1920, 1080))
    ]
    assert heights[2] == pytest.approx(3 * heights[0], rel=0.2)


ODD = {
    "<b>html</b> &amp;": "<b>html</b> &amp;",
    "two\nlines": r"two\nlines",
    "\u202egnirts": r"\u202egnirts",
    "dance \U0001f483": r"dance \U0001f483",
    "太極拳": r"\u592a\u6975\u62f3",
    "élan": r"\xe9lan",
    "quick “step” …": "quick “step” …",
    "\x1b[31mred": r"\x1b[31mred",
    "\udcff": r"\udcff",
    "nul\0": r"nul\x00",
}


@pytest.mark.parametrize(("label", "shown"), ODD.items(), ids=ascii)
def test_what_the_font_lacks_is_drawn_as_its_escape(label: str, shown: str) -> None:
    assert Lettering(12).showable(label) == shown
    plain = timeline(labels=(shown, "b", "c"))
    assert is_same(picture(0.5, timeline(labels=(label, "b", "c"))), picture(0.5, plain))


def test_long_labels_end_in_an_ellipsis() -> None:
    letters = Lettering(14)
    short = letters.fitting("playing the accordion", 80)
    assert short.endswith("…")
    assert "playing the accordion".startswith(short[:-1])
    assert letters.width(short) <= 80 < letters.width(letters.fitting("playing the accordion", 200))
    assert letters.fitting("tango", 200) == "tango"
    assert letters.fitting("tango", 2) == ""


def test_a_long_label_leaves_room_for_its_score() -> None:
    scores = []
    for letter in "wi":
        image = banner(picture(0.5, timeline(labels=(letter * 200, "b", "c"))))
        right = int(np.flatnonzero((image != 128).any(axis=(0, 2)))[-1])
        assert 560 < right < 634
        scores.append(image[:, right - 45 : right])
    assert np.array_equal(*scores)


def test_control_characters_are_escaped_whatever_the_font_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Lettering, "_shape", lambda _, char: ord(char))  # it has everything
    assert Lettering(12).showable("太\u202eb\n\x07") == r"太\u202eb\n\x07"


@pytest.fixture
def font_file(tmp_path: Path) -> Path:
    """Pillow's own font as a file."""
    data: Any = ImageFont.load_default(10)
    path = tmp_path / "font é.ttf"
    path.write_bytes(data.path.getvalue())
    return path


def test_a_font_of_ones_own(font_file: Path) -> None:
    image = picture(0.5, font=str(font_file))
    assert (banner(image) == COLOURS[0]).all(axis=2).any()
    assert not is_same(image, picture(1.5, font=str(font_file)))
    assert Lettering(12, str(font_file)).showable("tango 太") == r"tango \u592a"


def test_what_is_no_font_is_told(tmp_path: Path) -> None:
    text = videos.text_file(tmp_path / "no font.ttf")
    for path, message in (
        (tmp_path / "none.ttf", "There is no font"),
        (text, "it is not a TrueType"),
        (tmp_path, "cannot be used"),
        (videos.not_a_video(tmp_path / "noise.ttf"), "it is not a TrueType"),
        (videos.empty(tmp_path / "empty.ttf"), "it is not a TrueType"),
    ):
        with pytest.raises(UsageError, match=message):
            picture(0.5, font=str(path))


# All frames


SOURCES = {
    "constant": lambda folder: videos.write_video(folder / "v.avi", 30),
    "varying": lambda folder: videos.variable_rate_mp4(folder / "v.mp4", [20, 40, 333, 40, 80] * 4),
    "one frame": lambda folder: videos.write_avi(folder / "v.avi", [videos.numbered_image(1)]),
    "gif": lambda folder: videos.animated_gif(folder / "v.gif", delays=[10, 20, 10, 30, 10]),
    "folder": lambda folder: videos.image_folder(folder / "images", 7),
    "hidden": lambda folder: videos.write_mp4(
        folder / "v.mp4", [videos.numbered_image(i) for i in range(9)], hidden_frames=3
    ),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_frame_is_there_at_its_time(tmp_path: Path, make: Any) -> None:
    source = make(tmp_path)
    result, target = annotated(source, tmp_path)
    times, images, seconds = frames_of(source)
    new_times, new_images, new_seconds = frames_of(target)
    assert new_times == pytest.approx(times, abs=1e-3)
    assert len(times) == 1 or new_seconds == pytest.approx(seconds, abs=0.002)
    assert result.num_frames == len(images)
    assert result.duration_seconds == pytest.approx(seconds)
    for old, new in zip(images, new_images, strict=True):
        assert videos.read_number(new[30:44]) == videos.read_number(old[30:44])


def test_pictures_stay_as_they_are_beside_the_banner(tmp_path: Path) -> None:
    scene = np.empty((240, 320, 3), np.uint8)
    scene[:] = np.linspace(100, 255, 320)[None, :, None]
    source = videos.write_avi(tmp_path / "v.avi", [scene] * 5)
    _, target = annotated(source, tmp_path)
    for image in frames_of(target)[1]:
        difference = np.abs(image.astype(int) - scene)
        assert difference[100:230].max() <= 8
        assert difference[8:20, 8:60].mean() > 50


@pytest.mark.parametrize("colour", [videos.RED, videos.GREEN, videos.BLUE])
def test_a_colour_stays_what_it_was(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    image = np.full((48, 64, 3), colour, np.uint8)
    source = videos.write_video(tmp_path / "v.avi", 3, frame=lambda _: image)
    _, target = annotated(source, tmp_path)
    before, after = frames_of(source)[1][0], frames_of(target)[1][0]
    assert after[40, 60].tolist() == pytest.approx(before[40, 60].tolist(), abs=6)


def test_a_phones_video_is_upright(tmp_path: Path) -> None:
    source = videos.rotated_mp4(tmp_path / "v.mp4", 90, (640, 480))
    _, target = annotated(source, tmp_path)
    with VideoReader(target) as reader:
        image = next(iter(reader)).image
    assert reader.info.rotation_degrees == 0
    assert image.shape == (640, 480, 3)
    assert videos.corner_names(image) == videos.corner_names(frames_of(source)[1][0])


def test_odd_sizes_grow_by_a_copy_of_the_last_pixels(tmp_path: Path) -> None:
    images = [videos.numbered_image(i, (65, 49)) for i in range(3)]
    _, target = annotated(videos.write_avi(tmp_path / "v.avi", images), tmp_path)
    assert [image.shape for image in frames_of(target)[1]] == [(50, 66, 3)] * 3


def test_images_of_other_sizes_are_fitted_into_the_first(tmp_path: Path) -> None:
    white = [np.full((h, w, 3), 255, np.uint8) for w, h in ((64, 48), (20, 96), (300, 10))]
    folder = videos.image_folder(tmp_path / "images", images=white)
    _, target = annotated(folder, tmp_path)
    first, upright, flat = frames_of(target)[1]
    assert first[40].mean() > 240
    assert (upright[40, :20].mean(), upright[40, 28:36].mean()) == pytest.approx((0, 255), abs=15)
    assert (flat[40].mean(), flat[24].mean()) == pytest.approx((0, 255), abs=15)


def test_a_part_starts_at_0_and_has_the_frames_of_its_span(tmp_path: Path) -> None:
    source = videos.write_video(tmp_path / "v.avi", 75)
    result, target = annotated(source, tmp_path, start_seconds=1.0, end_seconds=2.0)
    times, images, seconds = frames_of(target)
    assert times == pytest.approx([i / 25 for i in range(25)], abs=1e-3)
    assert [videos.read_number(image[30:44]) for image in images] == list(range(25, 50))
    assert seconds == pytest.approx(1)
    assert (result.num_frames, result.duration_seconds) == (25, pytest.approx(1))
    with pytest.raises(VideoTooShortError):
        annotated(source, tmp_path, start_seconds=9.0)


def test_sound_stays_beside_its_pictures(tmp_path: Path) -> None:
    source = sounds.video_with_sound(tmp_path / "v.mov", "pcm_s16le", beeps=(0.5, 1.5))
    result, target = annotated(source, tmp_path, start_seconds=1.0)
    assert (result.audio_codec, result.is_audio_copied) == ("pcm_s16le", False)
    assert result.warnings == ()
    assert sounds.beeps_in(target) == pytest.approx([0.5], abs=0.001)


def test_sound_that_cannot_be_kept_is_told_of(tmp_path: Path) -> None:
    source = sounds.video_with_sound(tmp_path / "s.avi", "pcm_s16le", "mjpeg")
    data = source.read_bytes()
    at = data.index(b"strf", data.index(b"auds")) + 8
    source.write_bytes(data[:at] + b"\x77\x77" + data[at + 2 :])
    result, _ = annotated(source, tmp_path)
    assert result.audio_codec is None
    assert [warning.partition(":")[0] for warning in result.warnings] == ["its sound is not kept"]


def test_progress_counts_frames(tmp_path: Path) -> None:
    from contextlib import contextmanager

    from i3d.progress import NoProgress

    seen: list[int] = []

    class Counting(NoProgress):
        @contextmanager
        def task(self, description: str, total: int | None = None, unit: Any = "items") -> Any:
            yield seen.append

    annotated(videos.write_video(tmp_path / "v.avi", 30), tmp_path, progress=Counting())
    assert seen == [1] * 30


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's peak of memory")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    for count in (60, 500):
        videos.write_video(tmp_path / f"{count}.avi", count, size=(320, 240))
    code = """
    import resource, sys
    from i3d.pictures.annotate import annotate
    from test_annotation import timeline
    peaks = []
    for count in (60, 500):
        annotate(f"{sys.argv[1]}/{count}.avi", timeline(), f"{sys.argv[1]}/out.mp4", top=3)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(peaks[1] - peaks[0])
    """
    paths = os.pathsep.join([str(SOURCE), *(p for p in sys.path if p)])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert int(done.stdout) < 30_000, "500 frames take 115 MB"
