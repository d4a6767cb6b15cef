"""A video file as FFmpeg sees it: when it starts, and its sound, which goes into a new video.

Pictures are decoded by `i3d.video.decoding`, never here. A file is opened by Python, and FFmpeg may
open nothing by itself: a playlist in disguise leads nowhere.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import av
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

COPIED_CODECS = ("aac", "mp3", "mp3float")
"""Codecs that every browser and player supports in an MP4. Chromium plays Opus and FLAC there, too,
but other software does not: these become AAC."""

_AAC_RATES = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
)
"""Samples per second that AAC knows (ISO/IEC 14496-3, table 1.18)."""

_BITS_PER_CHANNEL = 96_000
"""Bits per second of each channel: FFmpeg's encoder is transparent to most ears at 192k stereo."""

_BLOCK = 1024
"""Most samples of silence that are made at once."""

_READ_BYTES = 2**18
"""How much is read at once. PyAV's default is 32 KiB, each with a call of Python."""

_MAX_PACKETS = 500
"""The search for a first picture ends after so many packets."""

_LEAD_SECONDS = 0.1
"""Packets from so long before the start are kept, hidden: decoders need some to start with, above
all for MP3, whose packets use bits of earlier ones."""

_SLACK_SECONDS = 0.04
"""Smaller errors in times come from rounding, as containers store milliseconds. They are inaudible
(ITU-R BT.1359: sound may lead by 45 ms)."""

_RESTART_SECONDS = 1.0
"""If timestamps jump back by more, they were restarted: the sound follows what came before."""

_MAX_FAILURES = 200
"""If none of the first so many packets decodes, the track can't be decoded."""

Samples = npt.NDArray[np.float32]
"""(channels, samples)"""


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """Open a file for reading.

    Raises:
        OSError: It can't be read.
        av.FFmpegError: FFmpeg does not know such files.
    """
    with Path(path).absolute().open("rb") as file:
        # No protocol has this name: what the file's contents point to is not opened.
        container: Any = av.open(
            file, options={"protocol_whitelist": "none"}, buffer_size=_READ_BYTES
        )
        with container:
            yield container


def first_picture_seconds(path: str | os.PathLike[str]) -> float:
    """When a video's first picture is shown, on the container's clock; 0 where that is unknown.

    `i3d.video.timing.FrameClock` calls this moment 0; Chromium plays a file by the container's
    clock. Broadcasts start at any time, and some recorders start the pictures after the sound.
    """
    try:
        with opened(path) as container:
            picture = first_picture(container)
            if picture is not None and picture.time is not None:
                return float(picture.time)
            stream = container.streams.video[0] if container.streams.video else None
            if stream is None or stream.start_time is None or stream.time_base is None:
                return 0.0
            return float(stream.start_time * stream.time_base)
    except (OSError, av.FFmpegError):
        return 0.0


def first_picture(container: InputContainer) -> VideoFrame | None:
    """Decode the first picture of a file; None if it has none."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    for number, packet in enumerate(container.demux(stream)):
        try:
            pictures = packet.decode()
        except av.FFmpegError:  # damaged; OpenCV goes on to the next, too
            continue
        if pictures:
            return pictures[0]
        if number == _MAX_PACKETS:
            break
    return None


class Sound(ABC):
    """A sound track on its way into a new video; made by `open_sound`."""

    is_copied: ClassVar[bool]
    """Whether it is copied as it is; else it is encoded as AAC."""
    codec: str
    """FFmpeg's name of the source's codec."""
    source: ExitStack
    """Holds the source open."""

    @abstractmethod
    def write_until(self, seconds: float) -> None:
        """Write what sounds before a moment of the new video.

        Raises:
            av.FFmpegError: It can't be written.
        """

    @abstractmethod
    def finish(self, seconds: float) -> None:
        """Write the rest of what sounds before a moment, and nothing after it.

        Raises:
            av.FFmpegError: It can't be written.
        """

    def close(self) -> None:
        """Release the source. Safe to call twice."""
        self.source.close()


def open_sound(
    path: str, target: OutputContainer, start_seconds: float
) -> tuple[Sound | None, str | None]:
    """Find the first sound track of a video, and add one to a new video for it.

    Args:
        path: The video.
        target: The new video, before its first packet.
        start_seconds: The moment of the video that is the new video's 0, since its first picture.

    Returns:
        The sound, or None; and why there is none though the video has a track, as a clause.

    Raises:
        av.FFmpegError: The new video takes no such track.
    """
    with ExitStack() as stack:
        try:
            container = stack.enter_context(opened(path))
            if not container.streams.audio:
                return None, None
            origin = first_picture_seconds(path) + start_seconds
            source: Any = container.streams.audio[0]
            if source.codec_context is None:
                return None, "this FFmpeg does not know its codec"
            codec = source.codec_context.name.removesuffix("float")  # that of MP3, mp3float
            packets = _packets(container, source)
            first = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            return None, f"it cannot be read ({error.strerror or error})"
        if first is None:
            return None, None  # an empty track, as screen recorders write
        sound: Sound | None = None
        if _can_be_copied(container, source):
            with suppress(ValueError):  # PyAV before 16 copies no MP3
                sound = _Copied(first, packets, source, target, origin)
        if sound is None:
            frames = _frames(first, packets)
            sample = next(frames, None)
            if sample is None:
                return None, f"it cannot be decoded ({codec})"
            sound = _Encoded(sample, frames, target, origin)
        sound.codec = codec
        sound.source = stack.pop_all()
        return sound, None


def _can_be_copied(container: InputContainer, source: Any) -> bool:
    context = source.codec_context
    if context.name == "aac":
        # Its settings are in the container, or in each packet (ADTS) and FFmpeg collects them.
        return bool(context.extradata) or container.format.name in ("mpegts", "aac")
    return (
        context.name in COPIED_CODECS and context.sample_rate >= 16000
    )  # MP4 allows no lower rate


def _packets(container: InputContainer, source: Any) -> Iterator[Packet[Any]]:
    """The packets of a track, up to the end of the file or the first damage."""
    demuxed = container.demux(source)
    while True:
        try:
            packet = next(demuxed)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:
            yield packet


def _frames(first: Packet[Any], packets: Iterator[Packet[Any]]) -> Iterator[AudioFrame]:
    """Decode what can be decoded; nothing if the start can't be."""
    stream: Any = first.stream
    failures, has_begun = 0, False
    for packet in chain([first], packets):
        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError:
            frames = []
            failures += 1
            if failures == _MAX_FAILURES and not has_begun:
                return
        has_begun = has_begun or bool(frames)
        yield from frames
    try:
        yield from stream.decode(None)
    except av.FFmpegError:
        return


class _Copied(Sound):
    """Packets as they are, at new times.

    What sounds before 0 gets a time below 0, which the MP4 hides to the sample (an edit list).
    """

    is_copied = True

    def __init__(
        self,
        first: Packet[Any],
        packets: Iterator[Packet[Any]],
        source: Any,
        target: OutputContainer,
        origin: float,
    ) -> None:
        self._rate: int = source.codec_context.sample_rate
        self._origin = Fraction(origin)
        self._expected = 0
        self._stream: Any = target.add_stream_from_template(source)
        self._target = target
        self._packets = packets
        self._next: Packet[Any] | None = self._timed(first)
        self._waiting: Packet[Any] | None = None

    def write_until(self, seconds: float) -> None:
        border = seconds * self._rate
        while self._next is not None and (self._next.pts or 0) < border:
            self._take(self._next)
            packet = next(self._packets, None)
            self._next = None if packet is None else self._timed(packet)

    def finish(self, seconds: float) -> None:
        self.write_until(seconds)
        packet = self._waiting
        if packet is not None:
            left = math.ceil(seconds * self._rate) - (packet.pts or 0)
            packet.duration = max(min(left, packet.duration or left), 1)
            self._target.mux(packet)
            self._waiting = None

    def _timed(self, packet: Packet[Any]) -> Packet[Any]:
        """Give a packet its time in the new video, in samples: AVI counts in packets of MP3."""
        unit = Fraction(packet.time_base)
        duration = round((packet.duration or 0) * unit * self._rate)
        if packet.pts is not None:
            self._expected = round((packet.pts * unit - self._origin) * self._rate)
        packet.time_base = Fraction(1, self._rate)
        packet.pts = packet.dts = self._expected  # nothing is reordered in AAC and MP3
        packet.duration = duration
        self._expected += duration
        return packet

    def _take(self, packet: Packet[Any]) -> None:
        """Write the packet before this one: the last one may have to be shortened."""
        if (packet.pts or 0) + (packet.duration or 0) <= -_LEAD_SECONDS * self._rate:
            return
        packet.stream = self._stream
        if self._waiting is not None:
            if (packet.pts or 0) <= (self._waiting.pts or 0):
                return  # times in MP4 only grow
            self._target.mux(self._waiting)
        self._waiting = packet


class _Encoded(Sound):
    """Sound decoded and encoded as AAC, mono or stereo, each sample at its time.

    Gaps become silence, so that the track starts at 0 and has no holes.
    """

    is_copied = False

    def __init__(
        self,
        first: AudioFrame,
        frames: Iterator[AudioFrame],
        target: OutputContainer,
        origin: float,
    ) -> None:
        self._rate = first.sample_rate if first.sample_rate in _AAC_RATES else 48000
        self._layout = "mono" if len(first.layout.channels) == 1 else "stereo"
        stream: Any = target.add_stream("aac", rate=self._rate)
        stream.codec_context.layout = self._layout
        stream.codec_context.format = "fltp"
        self._channels = 1 if self._layout == "mono" else 2
        stream.bit_rate = _BITS_PER_CHANNEL * self._channels
        self._stream = stream
        self._target = target
        self._origin = origin
        self._resampler = self._new_resampler()
        self._frames = frames
        self._frame: AudioFrame | None = first
        self._is_first = True
        self._samples: Samples = np.zeros((self._channels, 0), np.float32)
        self._samples_at = 0
        """Where the first of `_samples` belongs, in samples since 0."""
        self._position = 0
        """Samples that are in their place so far."""
        self._jumped = 0
        """Added to all times, in samples, after timestamps were restarted."""

    def write_until(self, seconds: float) -> None:
        border = round(seconds * self._rate)
        while self._position < border:
            while not self._samples.shape[1]:
                if self._frame is None:
                    return
                self._decode(self._frame)
                self._frame = next(self._frames, None)
            silence = self._samples_at - self._position
            if silence > 0:
                num = min(silence, border - self._position, _BLOCK)
                self._put(np.zeros((self._channels, num), np.float32))
                continue
            num = min(self._samples.shape[1], border - self._position)
            self._put(self._samples[:, :num])
            self._samples = self._samples[:, num:]
            self._samples_at += num

    def finish(self, seconds: float) -> None:
        self.write_until(seconds)
        for packet in self._stream.encode(None):
            self._target.mux(packet)

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler("fltp", self._layout, self._rate)

    def _decode(self, frame: AudioFrame) -> None:
        """Set `_samples` and where they belong; samples that come too late are dropped."""
        at = self._samples_at
        if frame.time is not None:
            wanted = round((frame.time - self._origin) * self._rate) + self._jumped
            if not self._is_first and wanted < at - _RESTART_SECONDS * self._rate:
                self._jumped += at - wanted
            elif self._is_first or abs(wanted - at) > _SLACK_SECONDS * self._rate:
                at = wanted
        self._is_first = False
        try:
            frames = self._resampler.resample(frame)
        except ValueError:  # the track changed its rate or its channels
            self._resampler = self._new_resampler()
            frames = self._resampler.resample(frame)
        arrays = [part.to_ndarray() for part in frames]
        samples = np.concatenate([*arrays, np.zeros((self._channels, 0), np.float32)], axis=1)
        late = min(max(self._position - at, 0), samples.shape[1])
        self._samples = samples[:, late:].astype(np.float32, copy=False)
        self._samples_at = at + late

    def _put(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts = self._position
        frame.time_base = Fraction(1, self._rate)
        self._position += samples.shape[1]
        for packet in self._stream.encode(frame):  # which cuts it into blocks of AAC's length
            self._target.mux(packet)
