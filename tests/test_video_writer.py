"""What `i3d.pictures.mp4` writes is played by browsers: same times, same colours, same sound."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from i3d.errors import OutputError
from i3d.pictures.mp4 import VideoWriter
from i3d.video.frames import to_rgb
from i3d.video.reader import VideoReader

import sounds
import videos
from conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import OpenPage

RED, GREEN, BLUE, SKIN = (255, 0, 0), (0, 255, 0), (0, 0, 255), (224, 172, 105)

Picture = npt.NDArray[np.uint8]


def plain(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Picture:
    return np.full((height, width, 3), colour, np.uint8)


def write(
    path: Path, pictures: Sequence[Picture], times: Sequence[float], end: float, **options: Any
) -> VideoWriter:
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, width, height, **options) as writer:
        for picture, seconds in zip(pictures, times, strict=True):
            writer.write(picture, seconds)
        writer.finish(end)
    return writer


def write_with_sound(path: Path, source: Path, seconds: float = 3.0, **options: Any) -> VideoWriter:
    count = round(seconds * 25)
    times = [i / 25 for i in range(count)]
    return write(path, [plain(RED)] * count, times, seconds, source=str(source), **options)


def facts(path: Path) -> dict[str, Any]:
    """What the file says, and the time and the end of each picture."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        pictures = list(container.decode(stream))
        assert stream.duration is not None
        return {
            "codec": context.name,
            "profile": context.profile,
            "format": context.pix_fmt,
            "size": (stream.width, stream.height),
            "matrix": int(context.colorspace),
            "times": [round(float(picture.time or 0), 4) for picture in pictures],
            "seconds": float(stream.duration * stream.time_base),
            "yuv": [picture.to_ndarray() for picture in pictures],
            "keys": [bool(picture.key_frame) for picture in pictures],
        }


def rgb(yuv: Picture, width: int) -> npt.NDArray[np.float64]:
    """The first pixel of a picture in limited-range BT.709, written down from ITU-R BT.709."""
    height = yuv.shape[0] * 2 // 3
    chroma = yuv[height:].ravel()
    y = (float(yuv[0, 0]) - 16) / 219
    u, v = ((float(chroma[i]) - 128) / 224 for i in (0, len(chroma) // 2))
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    return 255 * np.array([red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue])


# Pictures


def test_it_is_h264_that_browsers_play(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", [plain(RED)] * 3, [0, 0.04, 0.08], 0.12)
    found = facts(tmp_path / "v.mp4")
    assert found["codec"] == "h264"
    assert found["profile"] in ("High", "Main", "Constrained Baseline")
    assert found["format"] == "yuv420p"
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser would fetch all of it first"


def test_times_and_the_end_of_the_last_picture_are_kept(tmp_path: Path) -> None:
    times = [0, 0.033, 0.1, 0.5, 0.5001, 4.1]
    write(tmp_path / "v.mp4", [plain(RED)] * 6, times, 4.6)
    found = facts(tmp_path / "v.mp4")
    assert found["times"] == pytest.approx(times, abs=1e-4)
    assert found["seconds"] == pytest.approx(4.6, abs=1e-4)


def test_the_first_picture_is_shown_from_the_start_and_times_always_grow(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", [plain(RED)] * 3, [0.01, 0.04, 0.04], 0.02)
    found = facts(tmp_path / "v.mp4")
    assert found["times"] == [0, 0.04, 0.04]
    assert 0.04 < found["seconds"] < 0.041


@pytest.mark.parametrize("size", [(65, 49), (1, 1), (3, 2), (64, 47)])
def test_odd_sizes_get_a_copy_of_the_last_row_and_column(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    width, height = size
    picture = plain(BLUE, width, height)
    picture[-1] = picture[:, -1] = RED
    write(tmp_path / "v.mp4", [picture], [0], 1)
    found = facts(tmp_path / "v.mp4")
    assert found["size"] == (width + width % 2, height + height % 2)
    corner = int(found["yuv"][0][found["size"][1] - 1, -1])
    assert corner == pytest.approx(63, abs=10), "the luma of red; of blue it is 32"


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE, SKIN, (255, 255, 255), (0, 0, 0)])
def test_colours_are_those_of_high_definition(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    write(tmp_path / "v.mp4", [plain(colour)], [0], 1)
    found = facts(tmp_path / "v.mp4")
    assert found["matrix"] == 1
    assert rgb(found["yuv"][0], 64) == pytest.approx(colour, abs=4)


@pytest.mark.parametrize("matrix", [1, 6], ids=["bt709", "bt601"])
def test_what_opencv_decoded_looks_as_it_did(tmp_path: Path, matrix: int) -> None:
    source = tmp_path / "source.mp4"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = matrix
        # Skin in the one matrix or the other: OpenCV takes it for BT.601 in any case.
        yuv = np.full((72, 64), 120, np.uint8)
        yuv[48:60], yuv[60:] = 90, 170
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pictures = [to_rgb(frame.image) for frame in VideoReader(source)]
    write(tmp_path / "v.mp4", pictures, [0, 0.04, 0.08], 0.12, source=str(source))
    found = facts(tmp_path / "v.mp4")
    assert found["matrix"] == matrix
    planes = found["yuv"][0].reshape(-1)
    assert [int(planes[i]) for i in (0, 64 * 48, 64 * 60)] == pytest.approx([120, 90, 170], abs=2)


def test_colours_of_a_folder_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = videos.image_folder(tmp_path / "images")
    write(tmp_path / "v.mp4", [plain(RED)], [0], 1, source=str(folder))
    assert rgb(facts(tmp_path / "v.mp4")["yuv"][0], 64) == pytest.approx(RED, abs=4)


def test_a_player_finds_a_place_to_start_every_two_seconds(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", [plain(RED)] * 50, [i / 10 for i in range(50)], 5)
    assert np.flatnonzero(facts(tmp_path / "v.mp4")["keys"]).tolist() == [0, 20, 40]


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    with (
        VideoWriter(tmp_path / "v.mp4", 64, 48) as writer,
        pytest.raises(ValueError, match="a picture of"),
    ):
        writer.write(plain(RED, 48, 64), 0)


# Sound


@pytest.mark.parametrize(
    ("name", "codec", "pictures", "kept_as", "tolerance"),
    [
        ("s.mp4", "aac", "mpeg4", "aac", 0.001),
        ("s.ts", "aac", "mpeg2video", "aac", 0.002),
        ("s.mkv", "libmp3lame", "mpeg4", None, 0.002),
        ("s.avi", "pcm_s16le", "mjpeg", "aac", 0.001),
        ("s.mov", "pcm_s16le", "mpeg4", "aac", 0.001),
        ("s.mkv", "ac3", "mpeg4", "aac", 0.002),
        ("s.mkv", "flac", "mpeg4", "aac", 0.002),
        ("s.webm", "libopus", "libvpx", "aac", 0.002),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.54])
def test_a_beep_is_heard_when_it_was(
    tmp_path: Path,
    name: str,
    codec: str,
    pictures: str,
    kept_as: str | None,
    tolerance: float,
    start: float,
) -> None:
    source = sounds.video_with_sound(tmp_path / name, codec, pictures)
    seconds = 3 - round(start * 25) / 25
    writer = write_with_sound(tmp_path / "v.mp4", source, seconds, start_seconds=start)
    assert writer.sound is not None
    assert writer.sound_problem is None
    expected = [1 - start, 2 - start]
    assert sounds.beeps_in(tmp_path / "v.mp4") == pytest.approx(expected, abs=tolerance)
    assert sounds.sound_seconds(tmp_path / "v.mp4") == pytest.approx(seconds, abs=0.03)
    if kept_as is not None:  # PyAV 14 copies no MP3
        with av.open(str(tmp_path / "v.mp4")) as container:
            assert container.streams.audio[0].codec_context.name == kept_as


def test_aac_is_copied_bit_for_bit_and_pcm_cannot_be(tmp_path: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    source = sounds.video_with_sound(tmp_path / "s.mp4")
    writer = write_with_sound(tmp_path / "v.mp4", source)
    assert writer.sound is not None
    assert (writer.sound.codec, writer.sound.is_copied) == ("aac", True)
    kept = packets(tmp_path / "v.mp4")
    assert kept == packets(source)[: len(kept)]
    source = sounds.video_with_sound(tmp_path / "s.avi", "pcm_s16le", "mjpeg")
    writer = write_with_sound(tmp_path / "v.mp4", source)
    assert writer.sound is not None
    assert (writer.sound.codec, writer.sound.is_copied) == ("pcm_s16le", False)


@pytest.mark.parametrize(("name", "codec"), [("s.mkv", "aac"), ("s.mkv", "flac")])
@pytest.mark.parametrize(("picture_from", "sound_from"), [(0.48, 0.0), (0.0, 0.52)])
def test_sound_and_pictures_that_start_apart_stay_apart(
    tmp_path: Path, name: str, codec: str, picture_from: float, sound_from: float
) -> None:
    source = sounds.video_with_sound(
        tmp_path / name, codec, picture_from=picture_from, sound_from=sound_from
    )
    write_with_sound(tmp_path / "v.mp4", source)
    expected = [1 - picture_from, 2 - picture_from]
    assert sounds.beeps_in(tmp_path / "v.mp4") == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize(("name", "codec"), [("s.mp4", "aac"), ("s.avi", "pcm_s16le")])
def test_sound_outside_of_the_span_is_cut(tmp_path: Path, name: str, codec: str) -> None:
    source = sounds.video_with_sound(tmp_path / name, codec, beeps=(0.5, 1.0, 2.0))
    write_with_sound(tmp_path / "v.mp4", source, 1.0, start_seconds=0.8, end_seconds=1.8)
    assert sounds.beeps_in(tmp_path / "v.mp4") == pytest.approx([0.2], abs=0.001)
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
@pytest.mark.parametrize("rate", [44100, 96000, 192000])
def test_any_rate_and_number_of_channels(tmp_path: Path, layout: str, rate: int) -> None:
    source = sounds.video_with_sound(tmp_path / "s.mkv", "flac", rate=rate, layout=layout)
    write_with_sound(tmp_path / "v.mp4", source)
    assert sounds.beeps_in(tmp_path / "v.mp4") == pytest.approx([1, 2], abs=0.002)


def test_silence_has_no_end_before_the_sound_goes_on(tmp_path: Path) -> None:
    """A hole in the timestamps of the source stays a hole, of silence."""
    source = tmp_path / "s.mkv"
    whole = sounds.video_with_sound(tmp_path / "whole.mkv", "flac")
    with av.open(str(whole)) as old, av.open(str(source), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        for packet in old.demux():
            at = (packet.pts or 0) * packet.time_base
            is_left_out = packet.stream.type == "audio" and 1.3 < at < 1.7
            if packet.dts is None or is_left_out:
                continue
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    write_with_sound(tmp_path / "v.mp4", source)
    assert sounds.beeps_in(tmp_path / "v.mp4") == pytest.approx([1, 2], abs=0.002)


def test_a_video_without_sound_has_none_and_that_is_no_problem(tmp_path: Path) -> None:
    for source in (
        videos.write_avi(tmp_path / "s.avi", [videos.numbered_image(1)]),
        videos.animated_gif(tmp_path / "s.gif"),
    ):
        writer = write_with_sound(tmp_path / "v.mp4", source, 1.0)
        assert (writer.sound, writer.sound_problem) == (None, None)


@pytest.mark.parametrize(
    ("tag", "problem"),
    [(b"\x77\x77", "does not know its codec"), (b"\x70\x02", r"cannot be decoded \(atrac3\)")],
)
def test_a_track_that_cannot_be_decoded_is_told_of(
    tmp_path: Path, tag: bytes, problem: str
) -> None:
    source = sounds.video_with_sound(tmp_path / "s.avi", "pcm_s16le", "mjpeg")
    data = source.read_bytes()
    # The format of the sound: from PCM (1) to one that nobody has, and to one that it is not.
    at = data.index(b"strf", data.index(b"auds")) + 8
    source.write_bytes(data[:at] + tag + data[at + 2 :])
    writer = write_with_sound(tmp_path / "v.mp4", source, 1.0)
    assert writer.sound is None
    assert re.search(problem, writer.sound_problem or "")
    assert len(facts(tmp_path / "v.mp4")["times"]) == 25


def test_damaged_sound_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    source = videos.truncated(sounds.video_with_sound(tmp_path / "s.avi", "ac3", "mjpeg"), 0.6)
    writer = write_with_sound(tmp_path / "v.mp4", source)
    assert writer.sound_problem is None
    assert sounds.beeps_in(tmp_path / "v.mp4")[0] == pytest.approx(1, abs=0.04)


def test_a_playlist_leads_nowhere(tmp_path: Path) -> None:
    """FFmpeg would take the sound from whatever file or server a playlist names."""
    sounds.video_with_sound(tmp_path / "secret.ts", "aac", "mpeg2video")
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.ts\n#EXT-X-ENDLIST\n"
    for name in ("list.m3u8", "list.mp4"):
        (tmp_path / name).write_text(text)
        writer = write_with_sound(tmp_path / "v.mp4", tmp_path / name, 1.0)
        assert writer.sound is None
    text = f"ffconcat version 1.0\nfile {tmp_path / 'secret.ts'}\n"
    (tmp_path / "list.ffconcat").write_text(text)
    assert write_with_sound(tmp_path / "v.mp4", tmp_path / "list.ffconcat", 1.0).sound is None


@pytest.mark.skipif(os.name == "nt", reason="not in names of Windows")
def test_a_name_is_never_taken_for_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sounds.video_with_sound(tmp_path / "s.mp4")
    for name in ("concat:a|b.mp4", "-y.mp4", "pipe:1", os.fsdecode(b"\xff.mp4"), "%03d.mp4"):
        odd = Path(name)
        (tmp_path / "s.mp4").rename(odd)
        assert write_with_sound(tmp_path / "v.mp4", odd, 1.0).sound is not None
        odd.rename(tmp_path / "s.mp4")
        try:
            write_with_sound(odd, tmp_path / "s.mp4", 1.0)
        except OutputError:
            assert not odd.exists()
        else:
            assert odd.stat().st_size > 500
            odd.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.mp4", "v.mp4"]


# What goes wrong


def test_a_block_that_fails_leaves_no_file(tmp_path: Path) -> None:
    source = sounds.video_with_sound(tmp_path / "s.mp4")

    def interrupted() -> None:
        with VideoWriter(tmp_path / "v.mp4", 64, 48, source=str(source)) as writer:
            for i in range(60):
                writer.write(plain(RED), i / 25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "v.mp4").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory") as caught:
        VideoWriter(tmp_path / "none" / "v.mp4", 64, 48)
    assert str(tmp_path / "none" / "v.mp4") in caught.value.message


def test_an_ffmpeg_without_an_encoder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i3d.pictures.mp4._ENCODERS", ("no_such_encoder",))
    with pytest.raises(OutputError, match=r"no encoder of H\.264"):
        VideoWriter(tmp_path / "v.mp4", 64, 48)
    assert list(tmp_path.iterdir()) == []


def test_the_next_encoder_is_taken_where_one_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # "h264_nvenc" is in PyAV's wheels, and works with a GPU of NVIDIA only.
    monkeypatch.setattr(
        "i3d.pictures.mp4._ENCODERS", ("no_such_encoder", "h264_v4l2m2m", "libx264")
    )
    write(tmp_path / "v.mp4", [plain(RED)] * 2, [0, 0.04], 0.08)
    assert facts(tmp_path / "v.mp4")["codec"] == "h264"


def run_child(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parent)]),
        },
    )


NOISE = """
import sys
import numpy as np
from i3d.pictures.mp4 import VideoWriter

noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
def write(path, count):
    with VideoWriter(path, 320, 240) as writer:
        for i in range(count):
            writer.write(np.roll(noise, i, 1), i / 25)
        writer.finish(count / 25)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files are told by Linux")
@pytest.mark.parametrize("limit", [40_000, 400_000])
def test_a_disk_that_gets_full_is_told_and_nothing_is_left(tmp_path: Path, limit: int) -> None:
    code = f"""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    from i3d.errors import OutputError
    try:
        write(sys.argv[1], 60)
    except OutputError as error:
        print(error.message)
        print(error.strerror)
    """
    done = run_child(NOISE + textwrap.dedent(code), tmp_path / "v.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"The video {tmp_path / 'v.mp4'} cannot be written: File too large.",
        "File too large",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    code = """
    import resource
    write(sys.argv[1], 60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write(sys.argv[1], 400)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = run_child(NOISE + textwrap.dedent(code), tmp_path / "v.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 25_000, "400 pictures take 92 MB"


def test_libraries_say_nothing(tmp_path: Path) -> None:
    source = videos.truncated(sounds.video_with_sound(tmp_path / "s.avi", "ac3", "mjpeg"), 0.6)
    code = """
    import sys
    import numpy as np
    from i3d.pictures.mp4 import VideoWriter
    with VideoWriter(sys.argv[2], 65, 49, source=sys.argv[1]) as writer:
        for i in range(75):
            writer.write(np.zeros((49, 65, 3), np.uint8), i / 25)
        writer.finish(3)
    """
    done = run_child(code, source, tmp_path / "v.mp4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_a_browser_plays_it(tmp_path: Path, open_page: OpenPage, codec: str) -> None:
    source = sounds.video_with_sound(tmp_path / "s.mov", codec)
    write_with_sound(tmp_path / "v.mp4", source)
    page_file = tmp_path / "page.html"
    page_file.write_text("<video src='v.mp4' muted></video>")
    page = open_page(page_file)
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("document.querySelector('video').currentTime > 0.3")
    found = page.evaluate(
        """() => {
            const video = document.querySelector('video');
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 8;
            canvas.getContext('2d').drawImage(video, 0, 0, 8, 8);
            return {
                size: [video.videoWidth, video.videoHeight],
                seconds: video.duration,
                sound: video.webkitAudioDecodedByteCount,
                error: video.error,
            };
        }"""
    )
    assert found["size"] == [64, 48]
    assert found["seconds"] == pytest.approx(3, abs=0.03)
    assert found["sound"] > 0
    assert found["error"] is None
