"""Video files, animated GIFs, images and folders of images to frames: the only decoder in i3d.

Decoding is OpenCV's, with the FFmpeg that its wheels bring along. What a container claims is
reported as a claim. The rotation that phones write into a file is applied here, once.
"""

from __future__ import annotations

import math
import os
import re
import stat
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from i3d.errors import VideoDecodeError, VideoError, VideoNotFoundError
from i3d.video.containers import explain_undecodable, is_cut_off_gif, is_text, mp4_seconds
from i3d.video.frames import rotate
from i3d.video.listing import IMAGE_SUFFIXES, natural_order, unreadable
from i3d.video.timing import MAX_SANE_FPS

if TYPE_CHECKING:
    from i3d.video.frames import Frame


REENCODE_HINT = (
    "Copy or download it again; if it plays elsewhere, re-encode it: "
    "ffmpeg -i FILE -c:v libx264 fixed.mp4"
)


class Decoder(Protocol):
    """Something that gives frames one after the other."""

    width: int
    """Pixels, upright."""
    height: int
    """Pixels, upright."""
    rotation_degrees: int
    """Clockwise rotation that the container asks for, and that is applied."""
    fps_from_header: float | None
    """What the container claims; None if it claims nothing sane."""
    nominal_fps: float | None
    """The rate to use without timestamps; None if unknown."""
    num_frames_from_header: int | None
    """What the container claims; None if it claims nothing sane."""
    num_frames_damaged: int
    """Frames that could not be read and were left out, so far."""
    is_cut_off: bool
    """The file's last bytes show that its end is missing."""

    def skip(self) -> float | None:
        """Advance to the next frame; its container timestamp in seconds, None at the end."""

    def image(self) -> Frame | None:
        """The frame that `skip` reached.

        Returns:
            (height, width, 3) uint8 BGR, upright; None if its pixels can't be decoded.
        """

    def close(self) -> None:
        """Release the file. Safe to call twice."""


def ffmpeg_version() -> str | None:
    """The version of libavcodec in this OpenCV, such as `59.37.100`; None if it has none."""
    found = re.search(r"avcodec:\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    return None if found is None else found[1]


def open_decoder(path: str, *, image_fps: float) -> Decoder:
    """Open a video.

    Args:
        path: A video file, an animated GIF, an image, or a folder of images.
        image_fps: Frame rate of a folder of images.

    Returns:
        The opened decoder, before its first frame.

    Raises:
        VideoNotFoundError: There is no such file or folder.
        VideoDecodeError: It is not a regular file, may not be read, is empty, or holds no video
            that can be decoded; a folder holds no images.
    """
    if not path:
        raise VideoNotFoundError("The name of the video is empty.", hint="Give a file's name.")
    if path.lower().startswith("file://"):
        raise VideoNotFoundError(
            f"{path} is an address, and i3d reads plain paths.", hint="Leave the file:// out."
        )
    if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE):
        raise VideoNotFoundError(
            f"{path} is a web address, and i3d reads local files only.",
            hint="Download the video first, then give the file.",
        )
    location = Path(path)
    try:
        mode = location.stat().st_mode
        if stat.S_ISDIR(mode):
            return ImageDecoder(images_in(location, path), path, image_fps)
        if not stat.S_ISREG(mode):
            kind = "a named pipe" if stat.S_ISFIFO(mode) else "a socket or a device"
            raise VideoDecodeError(
                f"{path} is {kind}, not a video file.",
                hint="Write the video to a file first, then give that file.",
            )
        with location.open("rb") as file:
            head = file.read(4096)
    except VideoError:
        raise
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(path, error) from error
    if not head:
        raise VideoDecodeError(
            f"{path} is empty (0 bytes).", hint="Copy or download the video again."
        )
    if is_text(head):
        # FFmpeg would show some texts as a picture of themselves (.nfo, .ans), and follow others
        # to other files and servers (.m3u8, .ffconcat).
        raise VideoDecodeError(f"{path} is a text file, not a video.", hint="Give a video file.")
    if _has_image_suffix(location.name):
        # Not FFmpeg's: it would take `shot_%03d.png` for a pattern and read other files.
        return ImageDecoder([location], path, image_fps)
    return FileDecoder(location, path)


class FileDecoder:
    """A video file, through OpenCV's FFmpeg; see `Decoder`.

    Args:
        path: A readable, regular, non-empty file.
        shown_path: Its name in error messages.

    Raises:
        VideoDecodeError: It can't be decoded.
    """

    def __init__(self, path: Path, shown_path: str) -> None:
        self.num_frames_damaged = 0
        self._handle: int | None = None
        self.is_cut_off = is_cut_off_gif(path)
        # An absolute path is never taken for a protocol ("concat:") or an option. Only FFmpeg is
        # asked: OpenCV's other backends differ by platform, and one reads image sequences.
        self._capture = cv2.VideoCapture(self._name_for_opencv(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            self.close()
            raise VideoDecodeError(f"{shown_path} {explain_undecodable(path)}.", hint=REENCODE_HINT)
        # OpenCV turned frames the wrong way in 4.6 and ignored the rotation in 4.11
        # (opencv/opencv#22088, #26876): take the angle from it and turn the frames here.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        angle = round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.rotation_degrees = angle if angle in (90, 180, 270) else 0
        size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.width, self.height = size[::-1] if self.rotation_degrees in (90, 270) else size
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps_from_header: float | None = fps if 0 < fps <= MAX_SANE_FPS else None
        self.nominal_fps = self.fps_from_header
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # OpenCV works out a missing count as duration times rate, so it is no better than the rate.
        sane_count = self.fps_from_header is not None and 0 < count < 2**53
        self.num_frames_from_header: int | None = int(count) if sane_count else None
        # A cut without re-encoding leaves the frames before it in the file and hides them.
        shown_seconds = mp4_seconds(path) if sane_count else None
        if shown_seconds is not None:
            self.num_frames_from_header = min(int(count), math.ceil(shown_seconds * fps))

    def skip(self) -> float | None:
        """Advance to the next frame; see `Decoder.skip`."""
        try:
            if not self._capture.grab():
                return None
        except cv2.error:  # what OpenCV does not expect of a file ends it
            return None
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def image(self) -> Frame | None:
        """The frame that `skip` reached; see `Decoder.image`."""
        try:
            ok, image = self._capture.retrieve()
        except cv2.error:  # as of a frame that is narrower than the header says
            ok, image = False, None
        if not ok or image is None:
            self.num_frames_damaged += 1
            return None
        return rotate(np.asarray(image, dtype=np.uint8), self.rotation_degrees)

    def close(self) -> None:
        """Release the file."""
        self._capture.release()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _name_for_opencv(self, path: Path) -> str:
        name = str(path.absolute())
        try:
            name.encode()
        except UnicodeEncodeError:  # OpenCV takes the process down on a name that is not Unicode
            self._handle = os.open(path, os.O_RDONLY)
            return f"/dev/fd/{self._handle}"
        return name


class ImageDecoder:
    """Images in the order that is given, at a frame rate that is given; see `Decoder`.

    Args:
        paths: The images, at least one.
        shown_path: Their folder's name, or the single image's, in error messages.
        fps: The frame rate.

    Raises:
        VideoDecodeError: None of the images can be read.
    """

    is_cut_off = False
    rotation_degrees = 0  # OpenCV applies the EXIF orientation of a photo as it decodes it

    def __init__(self, paths: list[Path], shown_path: str, fps: float) -> None:
        self._paths = paths
        self._next = 0
        self.fps_from_header: float | None = None
        self.nominal_fps: float | None = fps
        self.num_frames_from_header: int | None = len(paths)
        self.num_frames_damaged = 0
        first = next((image for image in map(_read_image, paths) if image is not None), None)
        if first is None:
            problem = (
                f"{shown_path} is not an image that can be decoded."
                if len(paths) == 1
                else f"None of the {len(paths)} images in {shown_path} can be decoded."
            )
            raise VideoDecodeError(problem, hint="Check that it opens in an image viewer.")
        self.height, self.width = first.shape[:2]

    def skip(self) -> float | None:
        """Advance to the next image; see `Decoder.skip`."""
        if self._next >= len(self._paths):
            return None
        self._next += 1
        return (self._next - 1) / (self.nominal_fps or 1.0)

    def image(self) -> Frame | None:
        """The image that `skip` reached; see `Decoder.image`."""
        image = _read_image(self._paths[self._next - 1])
        if image is None:
            self.num_frames_damaged += 1
        return image

    def close(self) -> None:
        """Give no more images."""
        self._next = len(self._paths)


def images_in(folder: Path, shown_path: str) -> list[Path]:
    """Find the images in a folder.

    Args:
        folder: The folder.
        shown_path: Its name in error messages.

    Returns:
        The images, in natural order of their names; hidden files are left out.

    Raises:
        VideoDecodeError: There are none.
    """
    images = [
        entry
        for entry in folder.iterdir()
        if _has_image_suffix(entry.name) and not entry.name.startswith(".") and entry.is_file()
    ]
    if not images:
        raise VideoDecodeError(
            f"The folder {shown_path} contains no images.",
            hint="Give a video file, a folder of numbered images "
            f"({', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES)}), or the videos in the folder: "
            f"{Path(shown_path) / '*.mp4'}",
        )
    return sorted(images, key=lambda entry: natural_order(entry.name))


def _has_image_suffix(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def _read_image(path: Path) -> Frame | None:
    """Decode an image to (height, width, 3) uint8 BGR; None if it can't be read."""
    try:
        data = np.fromfile(path, dtype=np.uint8)  # cv2.imread can't open every name on Windows
    except OSError:
        return None
    if data.size == 0:
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # larger than OpenCV's limit of 2**30 pixels
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _not_found(path: str) -> VideoNotFoundError:
    location = Path(path)
    if location.is_symlink():
        return VideoNotFoundError(
            f"{path} is a link to {location.readlink()}, which does not exist.",
            hint="Mend the link, or give the file itself.",
        )
    if not location.parent.is_dir():
        return VideoNotFoundError(
            f"There is no video {path}: its folder does not exist.", hint="Check the path."
        )
    try:
        names = {entry.name.casefold(): entry.name for entry in location.parent.iterdir()}
    except OSError:
        names = {}
    matches = get_close_matches(location.name.casefold(), names, n=1, cutoff=0.75)
    hint = f"Did you mean {location.parent / names[matches[0]]}?" if matches else "Check the path."
    return VideoNotFoundError(f"There is no video {path}.", hint=hint)
