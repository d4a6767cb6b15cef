"""The two hosts of UCF101 on this machine: an Apache folder of clips, and a zip with ranges."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from i3d.models.labels import load_labels

import small_modules
from videos import noise_image
from web_server import Resource, WebServer, serve

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

FOLDER = "/THUMOS14/UCF101/UCF101/"
ZIP = "/thumos14_files/UCF101_videos.zip"

CRICKET = tuple(f"v_CricketShot_g04_c{number:02}.avi" for number in range(1, 8))
HANDSTAND = "v_HandstandPushups_g01_c01.avi"
"""As the hosts spell it: the official lists say HandStandPushups."""
OTHERS = ("v_CliffDiving_g02_c03.avi", "v_PlayingCello_g11_c02.avi")
NAMES = (*CRICKET, HANDSTAND, *OTHERS)
"""The clips that the hosts have."""


@functools.cache
def clip_content(seed: int = 0, num_frames: int = 12) -> bytes:
    """A clip as UCF101 has them: AVI, MPEG-4 part 2, 320x240, 25 frames a second, noise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.avi"
        writer = cv2.VideoWriter(
            str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"XVID"), 25.0, (320, 240)
        )
        assert writer.isOpened()
        for number in range(num_frames):
            writer.write(noise_image(100 * seed + number, (320, 240)))
        writer.release()
        return path.read_bytes()


def content_of(name: str) -> bytes:
    """The content that the hosts have under a name."""
    return clip_content(sorted(NAMES).index(name) % 3)


@functools.cache
def zip_content(names: tuple[str, ...] = NAMES) -> bytes:
    """The zip: a folder, and clips that are deflated or stored."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.mkdir("UCF101") if hasattr(archive, "mkdir") else archive.writestr("UCF101/", "")
        for number, name in enumerate(names):
            method = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            archive.writestr(f"UCF101/{name}", content_of(name), compress_type=method)
    return file.getvalue()


@dataclass
class Hosts:
    """Both hosts. What they answer can be changed while they run."""

    index: WebServer
    zip: WebServer
    names: tuple[str, ...] = field(default=NAMES)

    def clip(self, name: str) -> Resource:
        """What the index host has under a clip's name."""
        return self.index.resources[FOLDER + name]

    @property
    def archive(self) -> Resource:
        """The zip."""
        return self.zip.resources[ZIP]

    @property
    def asked_for(self) -> list[str]:
        """The clips that the index host was asked for."""
        return [request.path.rpartition("/")[2] for request in self.index.requests]


@contextmanager
def serve_hosts(
    *, index_tls: ssl.SSLContext | None = None, zip_tls: ssl.SSLContext | None = None
) -> Iterator[Hosts]:
    """Run both hosts until the end of the block."""
    clips = {FOLDER + name: Resource(content_of(name)) for name in NAMES}
    archive = Resource(zip_content(), etag='"7c3b"', last_modified="Thu, 03 Oct 2013 14:04:00 GMT")
    with (
        serve(clips, tls=index_tls) as index,
        serve({ZIP: archive}, tls=zip_tls) as archive_host,
    ):
        yield Hosts(index, archive_host)


def point_to(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have i3d, and its processes, use these hosts."""
    monkeypatch.setenv("I3D_UCF101_URL", hosts.index.url + FOLDER)
    monkeypatch.setenv("I3D_UCF101_ZIP_URL", hosts.zip.url + ZIP)


@pytest.fixture
def ucf101(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Both hosts, over HTTP, in use."""
    with serve_hosts() as hosts:
        point_to(hosts, monkeypatch)
        yield hosts


KINETICS = load_labels("kinetics-400")
COLORS = {"red": "diving cliff", "green": "playing cello", "blue": "bowling"}
"""What the model that names colours says of clips of one colour."""


@pytest.fixture(scope="session")
def color_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with the labels of Kinetics-400 that names colours."""
    folder = tmp_path_factory.mktemp("models") / "colors"
    positions = {color: KINETICS.index(label) for color, label in COLORS.items()}
    return small_modules.write_color_module(folder, positions)


@pytest.fixture(scope="session")
def colored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Clips of one colour each."""
    contents = {}
    for color, bgr in {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}.items():
        path = tmp_path_factory.mktemp("clips") / "clip.avi"
        writer = cv2.VideoWriter(
            str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"XVID"), 25.0, (320, 240)
        )
        for _ in range(12):
            writer.write(np.full((240, 320, 3), bgr, np.uint8))
        writer.release()
        contents[color] = path.read_bytes()
    return contents


@pytest.fixture
def colored_hosts(ucf101: Hosts, colored: dict[str, bytes]) -> Hosts:
    """Three clips that the model names right, one that it does not, one without a label."""
    for name, color in {
        "v_CliffDiving_g02_c03": "red",
        "v_PlayingCello_g11_c02": "green",
        "v_PlayingCello_g11_c03": "green",
        "v_Bowling_g01_c01": "red",
        "v_Billiards_g01_c01": "blue",
    }.items():
        ucf101.index.resources[f"{FOLDER}{name}.avi"] = Resource(colored[color])
    return ucf101
