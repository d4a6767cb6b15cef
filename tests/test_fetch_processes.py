"""`i3d` as real processes, against real servers that misbehave and disks that are full."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from i3d.files.cache import cache_dir, downloads_dir, models_dir, package_data_dir
from i3d.models.catalog import DEFAULT_MODEL
from i3d.models.store import open_installed

import videos
from conftest import SOURCE
from damage import small_filesystem
from installed_models import install_copy, write_module, write_small_module
from model_hosts import pack
from web_server import Certificate, Fault, Framing, Resource, WebServer, serve, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import RunI3D
    from model_hosts import ModelFiles, ModelHosts

pytest_plugins = ["model_hosts"]

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

GCS_PATH = "/tfhub-modules/deepmind/i3d-kinetics-400/1.tar.gz"
FETCH = ["model", "fetch", "--source", "gcs"]
ARRIVED = "what came is not a TensorFlow model: it has no saved_model.pb"
"""What i3d says of an archive that holds something else: all of it has come by then."""


def archive_of(name: str, size: int) -> bytes:
    """A tar.gz that holds one file of zeros."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo(name)
        member.size = size
        tar.addfile(member, io.BytesIO(bytes(size)))
    return packed.getvalue()


NO_MODEL = archive_of("notes.txt", 5000)


def start(command: list[str], *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_for_bytes(num_bytes: int) -> None:
    """Wait until so much of a download lies on the disk, for at most a minute."""
    for _ in range(1200):
        if bytes_so_far() >= num_bytes:
            return
        time.sleep(0.05)
    raise AssertionError(f"only {bytes_so_far()} of {num_bytes} bytes came")


def assert_refused(process: subprocess.CompletedProcess[str], *sentences: str) -> None:
    """It could not be fetched, for a reason in words, and nothing is left that could be used."""
    assert process.returncode == 5, process.stderr
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    for sentence in sentences:
        assert sentence in process.stderr, process.stderr
    assert visible_models() == []
    assert scratch_folders() == []


def visible_models() -> list[str]:
    root = models_dir()
    return [path.name for path in root.glob("*") if not path.name.startswith(".")]


def scratch_folders() -> list[Path]:
    return [path for path in models_dir().glob(".*") if path.name != ".locks"]


def bytes_so_far() -> int:
    """How much of the unfinished download lies on the disk."""
    return max((path.stat().st_size for path in downloads_dir().glob(".i3d-*.part")), default=0)


# Stopped half-way

PAGE = "https://www.kaggle.com/models/me/video/tensorFlow2/big/3"

WITHOUT_TENSORFLOW = """
import time, types
import i3d.engines.choose
from i3d.engines.base import ModelContract

def load(directory, **options):
    assert (directory / "saved_model.pb").is_file()
    time.sleep(1)
    contract = ModelContract("x", "x", "x", 9, None, (0.0, 1.0), "", False, None, None, None)
    return types.SimpleNamespace(contract=contract)

i3d.engines.choose.load_engine = load
from i3d.__main__ import main
main()
"""
"""`i3d` with an engine that takes a second to load any model, where TensorFlow takes ten."""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Resource, WebServer]]:
    """The file behind `PAGE`, and the server that Kaggle redirects to. It is a small model, with
    two megabytes beside it."""
    module = shutil.copytree(package_data_dir() / "camera-motion", tmp_path / "module")
    (module / "assets.extra").write_bytes(os.urandom(2 * 10**6))
    resource = Resource(pack(module, tmp_path / "1.tar.gz"), etag='"one"')
    signed = "/bundle/archive.tar.gz?X-Goog-Signature=5afe"
    with serve({signed: resource}) as storage:
        download = "/api/v1/models/me/video/tensorFlow2/big/3/download"
        with serve({download: Resource(redirect=storage.url + signed)}) as host:
            monkeypatch.setenv("I3D_KAGGLE_URL", host.url)
            yield resource, storage


@posix_only
@pytest.mark.slow
def test_a_stopped_download_is_taken_up_and_of_two_processes_one_fetches(
    kaggle: tuple[Resource, WebServer], run_i3d: RunI3D
) -> None:
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW]
    resource, storage = kaggle
    size = len(resource.read())
    codes = {"SIGKILL": -9, "SIGINT": 130, "SIGTERM": 143}
    for quarter, (number, code) in enumerate(codes.items(), start=1):
        # Each run gets a quarter more, hears nothing then, and is stopped.
        before, goal = bytes_so_far(), size * quarter // 4
        # What there is is asked for once before the rest is.
        resource.faults += [*[Fault()] * bool(before), Fault(stall_after=goal - before)]
        process = start(command, "model", "fetch", PAGE)
        wait_for_bytes(goal - 2**16)
        process.send_signal(getattr(signal, number))
        done = finish(process)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert done.stderr == ("Interrupted.\n" if number == "SIGINT" else "")
        assert visible_models() == []
        assert len(scratch_folders()) <= 1, "what the killed one left, which is hidden"
        assert bytes_so_far() > before
    assert PAGE not in run_i3d("model", "list").stdout

    # Now two at once. The model must not be seen before it is whole.
    offset = bytes_so_far()
    del storage.requests[:-1]
    processes = [start(command, "model", "fetch", PAGE) for _ in range(2)]
    while not visible_models() and any(process.poll() is None for process in processes):
        time.sleep(0.02)
    installed = open_installed(PAGE)
    assert installed is not None
    assert installed.damage() == (), "whole at the moment at which it is seen"
    both = list(map(finish, processes))
    for done in both:
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{installed.directory}\n"
    notes = sorted(done.stderr.partition(" that ")[0] for done in both)
    assert notes == ["", "Note: Waiting for another i3d"], "one of them fetches"
    *_, request = storage.requests
    assert request.headers["range"] == f"bytes={offset}-"
    assert bytes_so_far() == 0
    assert len(scratch_folders()) <= 1


def assert_classified(process: subprocess.CompletedProcess[str], source: str) -> None:
    """It named five actions, with the published weights from this source."""
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    (result,) = json.loads(process.stdout)["results"]
    model = result["model"]
    assert (model["name"], model["source"]) == (DEFAULT_MODEL, source)
    assert model["checkpoint"] == "rgb_scratch"
    assert len({score["label"] for score in result["scores"]}) == 5


# The main job, with one source alone


@pytest.mark.slow
def test_deepminds_checkpoint_is_enough_for_the_main_job(hosts: ModelHosts, tmp_path: Path) -> None:
    hosts.only("deepmind")
    clip = videos.write_video(tmp_path / "clip.avi", num_frames=10)
    done = finish(start(hosts.command, "classify", clip, "--top", "5", "--format", "json"))
    assert_classified(done, "deepmind")
    assert visible_models() == [DEFAULT_MODEL]
    assert scratch_folders() == []


def test_when_no_source_works_each_is_named_with_its_reason(
    run_i3d: RunI3D, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.avi")
    with serve() as server:
        server.resources[GCS_PATH] = Resource(always=403)
        server.resources["/api/v1/models/deepmind/i3d-kinetics/tensorFlow1/400/1/download"] = (
            Resource(NO_MODEL)
        )
        path = "/data/checkpoints/rgb_scratch/model.ckpt.index"
        server.resources[path] = Resource(b"not DeepMind's")
        environment = {
            f"I3D_{name}_URL": server.url for name in ("TFHUB", "GCS", "KAGGLE", "DEEPMIND")
        }
        process = run_i3d("classify", clip, "--top", "5", environment=environment)
    assert_refused(
        process, "Error: i3d-kinetics-400 cannot be fetched: none of its 7 sources works"
    )
    reasons = {
        "tfhub-cache": "not there",
        "kagglehub-cache": "not there",
        "tfhub": "the server answered 404 Not Found",
        "pypi": "127.0.0.1:9 refuses the connection",
        "gcs": "the server answered 403 Forbidden",
        "kaggle": ARRIVED,
        "deepmind": "what came is not the expected file",
    }
    for source, reason in reasons.items():
        assert re.search(rf"^  {source} .*{re.escape(reason)}", process.stderr, re.M), source
    for way in ["i3d model import FILE", "mirror", "--model camera-motion"]:
        assert way in process.stderr


# Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path) -> dict[str, str | None]:
    """The environment of a process that trusts the authority, and nobody else."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return {
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "REQUESTS_CA_BUNDLE": None,
        "CURL_CA_BUNDLE": None,
    }


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (Certificate.WRONG_NAME, "is for another host"),
        (Certificate.SELF_SIGNED, "certificate of 127.0.0.1"),
        (Certificate.EXPIRED, "expired"),
        (Certificate.OTHER_AUTHORITY, "certificate of 127.0.0.1"),
        (Certificate.GOOD, ARRIVED),
    ],
    ids=lambda value: value.name if isinstance(value, Certificate) else "",
)
def test_certificates(
    run_i3d: RunI3D,
    authority: trustme.CA,
    trust: dict[str, str | None],
    certificate: Certificate,
    reason: str,
) -> None:
    with serve({GCS_PATH: NO_MODEL}, tls=tls_context(authority, certificate)) as server:
        process = run_i3d(*FETCH, environment={**trust, "I3D_GCS_URL": server.url})
    assert_refused(process, reason)
    is_good = certificate is Certificate.GOOD
    assert ("certificate" in process.stderr) is not is_good
    assert bool(server.requests) is is_good, "who is not trusted is asked for nothing"


def test_https_never_turns_into_http(
    run_i3d: RunI3D, authority: trustme.CA, trust: dict[str, str | None]
) -> None:
    with (
        serve({GCS_PATH: NO_MODEL}) as plain,
        serve(
            {GCS_PATH: Resource(redirect=plain.url + GCS_PATH)}, tls=tls_context(authority)
        ) as secure,
    ):
        process = run_i3d(*FETCH, environment={**trust, "I3D_GCS_URL": secure.url})
    assert_refused(process, "the server redirects from https to http://127.0.0.1")
    assert plain.requests == []


# Servers that misbehave


@pytest.mark.parametrize(
    ("resource", "reason", "num_requests"),
    [
        (Resource(always=Fault(stall_after=-1)), "the server sent nothing for 0.5 seconds", 2),
        (Resource(redirect=GCS_PATH), "the server redirects more than 10 times", 11),
        (Resource(NO_MODEL, faults=[500, Fault(drop=True)]), ARRIVED, 3),
        (Resource(NO_MODEL, framing=Framing.CLOSE), ARRIVED, 1),
        (Resource(NO_MODEL, framing=Framing.CHUNKED), ARRIVED, 1),
        (Resource(NO_MODEL, faults=[Fault(reset_after=60)], etag='"1"'), ARRIVED, 3),
        (Resource(NO_MODEL[:-20]), "it is damaged or cut off", 1),
        (Resource(b"<!doctype html><title>Sign in</title>"), "archive", 1),
        (Resource(b""), "it is empty", 1),
    ],
    ids=[
        "silent", "redirect-loop", "500-then-fine", "no-length", "chunked",
        "reset-then-fine", "truncated", "web-page", "nothing",
    ],
)  # fmt: skip
def test_servers_that_misbehave(
    run_i3d: RunI3D, resource: Resource, reason: str, num_requests: int
) -> None:
    with serve({GCS_PATH: resource}) as server:
        environment = {"I3D_GCS_URL": server.url, "I3D_TIMEOUT": "0.5"}
        process = run_i3d(*FETCH, environment=environment)
        assert_refused(process, reason)
        assert len(server.requests) == num_requests
    assert bytes_so_far() == 0


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 1 MB."""
    with small_filesystem(tmp_path / "disk", 1) as folder:
        yield folder


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        (Resource(os.urandom(2 * 10**6)), "is full"),
        (Resource(os.urandom(2 * 10**6), framing=Framing.CHUNKED), "is full"),
        (Resource(archive_of("saved_model.pb", 2 * 10**6)), "is full"),
    ],
    ids=["length-known", "length-unknown", "while-unpacking"],
)
def test_a_full_disk(
    run_i3d: RunI3D,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    resource: Resource,
    sentence: str,
) -> None:
    monkeypatch.setenv("I3D_CACHE_DIR", str(small_disk))
    with serve({GCS_PATH: resource}) as server:
        # What does not fit may be what a bad source sends: the next one is asked, and has nothing.
        environment = {"I3D_GCS_URL": server.url, "I3D_KAGGLE_URL": server.url}
        process = run_i3d("model", "fetch", environment=environment)
    assert_refused(process, sentence, "I3D_CACHE_DIR")
    assert len(server.requests) == 2
    assert ".fetching-" not in process.stderr
    assert [
        path for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".lock"
    ] == []


@posix_only
def test_a_limit_on_the_size_of_files(run_i3d: RunI3D) -> None:
    prefix = ["sh", "-c", 'ulimit -f 200 && exec "$0" "$@"']
    with serve({GCS_PATH: os.urandom(10**6)}) as server:
        process = run_i3d(*FETCH, environment={"I3D_GCS_URL": server.url}, prefix=prefix)
    assert_refused(process, "cannot be written: File too large", "I3D_CACHE_DIR")
    assert bytes_so_far() == 0


@contextmanager
def read_only(folder: Path) -> Iterator[list[str]]:
    """Take the right to write away; gives what must stand before a command of root's."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        if os.geteuid() != 0:
            yield []
        elif shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and there is no setpriv")
        else:
            yield ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)


@posix_only
def test_a_cache_that_may_only_be_read(run_i3d: RunI3D, tmp_path: Path) -> None:
    cache_dir().mkdir()
    with read_only(cache_dir()) as prefix, serve({GCS_PATH: NO_MODEL}) as server:
        environment = {"I3D_GCS_URL": server.url}
        process = run_i3d("model", "fetch", environment=environment, prefix=prefix)
        assert_refused(process, "cannot be written: Permission denied", "I3D_CACHE_DIR")
        assert server.requests == []
    installed = install_copy(write_small_module(tmp_path / "model"))
    with read_only(cache_dir()) as prefix:
        process = run_i3d("model", "fetch", prefix=prefix)
        assert process.returncode == 0, process.stderr
        assert process.stdout == f"{installed.directory}\n"


@posix_only
def test_a_closed_pipe(
    i3d_command: list[str], models: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_copy(write_module(models.checkpoint(), tmp_path / "model"))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    for command in ["fetch", "list", "path", "info"]:
        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "w") as pipe:
            done = subprocess.run(
                [*i3d_command, "model", command],
                stdout=pipe,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (141, ""), command
