"""The sound of one video into another, at the same moments, a little at a time."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np
import numpy.typing as npt

from i3d.pictures.source import first_picture_seconds, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

COPIED_CODECS = ("aac", "mp3", "mp3float")
"""What every browser and player takes in an MP4. Chromium plays Opus and FLAC there, too, but not
all that people send videos to does: these become AAC."""

_AAC_RATES = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
)
"""Samples per second that AAC knows (ISO/IEC 14496-3, table 1.18)."""

_BITS_PER_CHANNEL = 96_000
"""Bits per second of each channel: FFmpeg's encoder is transparent to most ears at 192k stereo."""

_BLOCK = 1024
"""Samples in a packet of AAC."""

_LEAD_SECONDS = 0.1
"""Packets so long before the first moment are kept, hidden: a decoder needs some to get going,
most of all one of MP3, whose packets use bits of those before them."""

_SLACK_SECONDS = 0.04
"""Times that are off by less are rounded ones: containers store milliseconds, and nobody hears it
(ITU-R BT.1359: sound may lead by 45 ms)."""

_RESTART_SECONDS = 1.0
"""Sound that jumps back by more has timestamps that started anew: it follows what was there."""

_MAX_FAILURES = 200
"""So many packets in a row that do not decode, from the start on: the track can't be decoded."""

Samples = npt.NDArray[np.float32]
"""(channels, samples)"""


class _Track(Protocol):
    """What becomes of a sound track."""

    def write_until(self, seconds: float) -> None:
        """Write what sounds before a moment of the new video."""

    def finish(self, seconds: float) -> None:
        """Write the rest of what sounds before a moment, and nothing behind it."""


class Sound:
    """A sound track on its way into a new video; made by `open_sound`.

    Args:
        track: What becomes of it.
        codec: FFmpeg's name of the source's codec.
        is_copied: Whether it is copied as it is; else it is encoded as AAC.
        until: The moment of the new video behind which nothing is kept.
        close: Releases the source.
    """

    def __init__(
        self,
        track: _Track,
        codec: str,
        *,
        is_copied: bool,
        until: float,
        close: Callable[[], None],
    ) -> None:
        self._track = track
        self.codec = codec
        self.is_copied = is_copied
        self._until = until
        self._close = close

    def write_until(self, seconds: float) -> None:
        """Write what sounds before a moment of the new video.

        Raises:
            av.FFmpegError: It can't be written.
        """
        self._track.write_until(min(seconds, self._until))

    def finish(self, seconds: float) -> None:
        """Write the rest of what sounds before a moment, and nothing behind it.

        Raises:
            av.FFmpegError: It can't be written.
        """
        self._track.finish(min(seconds, self._until))
        self.close()

    def close(self) -> None:
        """Release the source. Safe to call twice."""
        self._close()


def open_sound(
    path: str, target: OutputContainer, start_seconds: float, end_seconds: float | None
) -> tuple[Sound | None, str | None]:
    """Find the first sound track of a video, and add one to a new video for it.

    Args:
        path: The video.
        target: The new video, before its first packet.
        start_seconds: The moment of the video that is the new video's 0, since its first picture.
        end_seconds: The moment behind which nothing is kept; None for none.

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
            return None, None  # a track without sound, as screen recorders make it
        until = math.inf if end_seconds is None else end_seconds - start_seconds
        track: _Track | None = None
        if _can_be_copied(container, source):
            with suppress(ValueError):  # PyAV before 16 copies no MP3
                track = _Copied(first, packets, source, target, origin)
        is_copied = track is not None
        if track is None:
            frames = _frames(first, packets)
            sample = next(frames, None)
            if sample is None:
                return None, f"it cannot be decoded ({codec})"
            track = _Encoded(sample, frames, target, origin)
        close = stack.pop_all().close
        return Sound(track, codec, is_copied=is_copied, until=until, close=close), None


def _can_be_copied(container: InputContainer, source: Any) -> bool:
    context = source.codec_context
    if context.name == "aac":
        # Its settings are in the container, or in each packet (ADTS) and FFmpeg collects them.
        return bool(context.extradata) or container.format.name in ("mpegts", "aac")
    return context.name in COPIED_CODECS and context.sample_rate >= 16000  # what MP4 has room for


def _packets(container: InputContainer, source: Any) -> Iterator[Packet[Any]]:
    """The packets of a track, up to where the file ends or breaks off."""
    demuxed = container.demux(source)
    while True:
        try:
            packet = next(demuxed)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size:
            yield packet


def _frames(first: Packet[Any], packets: Iterator[Packet[Any]]) -> Iterator[AudioFrame]:
    """Decode what can be decoded; none at all where nothing at the start can."""
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


class _Copied:
    """Packets as they are, at new times.

    What sounds before 0 gets a time below 0, which the MP4 hides to the sample (an edit list).
    """

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
        """Write the packet before, for the last one may have to be shortened."""
        if (packet.pts or 0) + (packet.duration or 0) <= -_LEAD_SECONDS * self._rate:
            return
        packet.stream = self._stream
        if self._waiting is not None:
            if (packet.pts or 0) <= (self._waiting.pts or 0):
                return  # MP4 has no way back
            self._target.mux(self._waiting)
        self._waiting = packet


class _Encoded:
    """Sound decoded and encoded as AAC, mono or stereo, each sample at its time.

    What is missing is silence, so that the track starts at 0 and has no holes.
    """

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
        """What was added to all times, in samples, since timestamps started anew."""
        self._block: Samples = np.zeros((self._channels, _BLOCK), np.float32)

    def write_until(self, seconds: float) -> None:
        border = math.inf if math.isinf(seconds) else round(seconds * self._rate)
        while self._position < border:
            while not self._samples.shape[1]:
                if self._frame is None:
                    return
                self._decode(self._frame)
                self._frame = next(self._frames, None)
            silence = self._samples_at - self._position
            if silence > 0:
                num = int(min(silence, border - self._position, _BLOCK))
                self._put(np.zeros((self._channels, num), np.float32))
                continue
            num = int(min(self._samples.shape[1], border - self._position))
            self._put(self._samples[:, :num])
            self._samples = self._samples[:, num:]
            self._samples_at += num

    def finish(self, seconds: float) -> None:
        self.write_until(seconds)
        left = self._position % _BLOCK
        if left:
            self._encode(self._block[:, :left], self._position - left)
        for packet in self._stream.encode(None):
            self._target.mux(packet)

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler("fltp", self._layout, self._rate)

    def _decode(self, frame: AudioFrame) -> None:
        """Set `_samples` and where they belong; to none where they come too late."""
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
        start = 0
        while start < samples.shape[1]:
            filled = self._position % _BLOCK
            num = min(samples.shape[1] - start, _BLOCK - filled)
            self._block[:, filled : filled + num] = samples[:, start : start + num]
            start += num
            self._position += num
            if filled + num == _BLOCK:
                self._encode(self._block, self._position - _BLOCK)

    def _encode(self, block: Samples, at: int) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), format="fltp", layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts = at
        frame.time_base = Fraction(1, self._rate)
        for packet in self._stream.encode(frame):
            self._target.mux(packet)
