"""`i3d doctor`: what it finds on good and bad machines, and that it only looks."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import i3d.cli.checks
from i3d.cli.checks import exit_code, run_checks
from i3d.cli.doctor import Check, guarded
from i3d.errors import EngineNotInstalledError, ExitCode
from i3d.models.catalog import DEFAULT_MODEL
from i3d.models.local_caches import tfhub_cache_folder
from i3d.progress import NO_PROGRESS

from engines import FakeEngine
from installed_models import change_byte, install_copy, write_module, write_small_module
from web_server import Resource, basic, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import RunI3D
    from model_hosts import ModelFiles
    from web_server import WebServer

pytest_plugins = ["model_hosts"]

GCS_PATH = "/tfhub-modules/deepmind/i3d-kinetics-400/1.tar.gz"


@pytest.fixture
def one_source(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A mirror of the bucket that has something; the other sources refuse the connection."""
    with serve({GCS_PATH: b"an archive"}) as server:
        monkeypatch.setenv("I3D_GCS_URL", server.url)
        yield server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the checks that import engines."""
    fine = Check("fine", "ok", "left out")
    monkeypatch.setattr(i3d.cli.checks, "_check_engine", lambda name, progress: fine)
    monkeypatch.setattr(i3d.cli.checks, "_check_model_engine", lambda progress: fine)
    monkeypatch.setattr(i3d.cli.checks, "_check_sample", lambda progress: fine)


def broken_package(folder: Path, name: str, line: str) -> dict[str, str | None]:
    """The environment of a process in which importing a package does this."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(f"{line}\n")
    source = Path(i3d.cli.checks.__file__).parents[2]
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(source)])}


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# As a process


def test_a_machine_on_which_the_main_job_works(
    run_i3d: RunI3D, tmp_path: Path, one_source: WebServer
) -> None:
    process = run_i3d("doctor", environment={"TMPDIR": str(tmp_path)})
    assert process.returncode == 0, process.stdout
    assert process.stderr == ""
    lines = process.stdout.splitlines()
    assert lines[-1] == "i3d classify works here."
    for pattern in [
        r"info +i3d +[\d.]+ in ",
        r"ok +python +CPython 3\.",
        r"info +machine +.*CPUs",
        r"ok +tensorflow +2\.",
        r"ok +engine openvino +20\d\d\.[\d.]+ can be imported",
        r"ok +engine tensorflow +2\.[\d.]+ can be imported",
        r"ok +decoder +OpenCV's FFmpeg \(libavcodec [\d.]+\)",
        r"ok +cache +.*GB free",
        r"info +model i3d-kinetics-400 +not on this machine",
        r"warning +source tfhub +127.0.0.1:9: .*refuses",
        r"ok +source gcs +127.0.0.1:\d+ answers 206 Partial Content",
        r"ok +sample clip +camera-motion says static, [\d.]+ %",
    ]:
        assert any(re.match(pattern, line) for line in lines), pattern
    assert {request.headers.get("range") for request in one_source.requests} == {"bytes=0-0"}
    assert entries(tmp_path) == [], "nothing is fetched and nothing left behind"


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("raise ImportError('libcuda.so: no such file')", "libcuda.so: no such file"),
        (
            "raise TypeError('Descriptors cannot be created directly.')",
            "TensorFlow cannot be imported: Descriptors cannot be created directly",
        ),
    ],
    ids=["ImportError", "TypeError"],
)
def test_a_tensorflow_that_cannot_be_imported_is_a_finding(
    run_i3d: RunI3D, tmp_path: Path, one_source: WebServer, line: str, detail: str
) -> None:
    environment = broken_package(tmp_path / "broken", "tensorflow", line)
    process = run_i3d("doctor", "--format", "json", environment=environment)
    assert process.returncode == 6, process.stderr
    assert process.stderr == ""
    document = json.loads(process.stdout)
    assert document["works"] is False
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["engine tensorflow"]["status"] == "failed"
    assert detail in checks["engine tensorflow"]["detail"]
    assert "pip install" in checks["engine tensorflow"]["hint"]
    assert checks["engine openvino"]["status"] == "ok"
    assert checks["source gcs"]["status"] == "ok", "the other checks are done all the same"
    assert checks["decoder"]["status"] == "ok"
    assert checks["sample clip"]["status"] == "ok", "OpenVINO runs it"


def test_an_openvino_that_cannot_be_imported_is_worth_a_warning(
    run_i3d: RunI3D, tmp_path: Path, one_source: WebServer
) -> None:
    line = "raise ImportError('libtbb.so: no such file')"
    environment = broken_package(tmp_path / "broken", "openvino", line)
    process = run_i3d("doctor", "--format", "json", environment=environment)
    assert process.returncode == 0, process.stdout
    document = json.loads(process.stdout)
    assert document["works"] is True
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["engine openvino"]["status"] == "warning"
    assert "libtbb.so: no such file" in checks["engine openvino"]["detail"]
    assert "pip install" in checks["engine openvino"]["hint"]
    assert checks["engine tensorflow"]["status"] == "ok"
    assert checks["sample clip"]["status"] == "ok", "TensorFlow runs it"


@pytest.mark.parametrize(
    ("package", "failing"), [("cv2", "decoder"), ("numpy", "engine"), ("requests", "network")]
)
def test_any_package_that_cannot_be_imported_is_a_finding(
    run_i3d: RunI3D, tmp_path: Path, package: str, failing: str
) -> None:
    line = f"raise ImportError('no module named {package}', name='{package}')"
    broken_package(tmp_path / "broken", package, line)
    environment = broken_package(tmp_path / "broken", "tensorflow", "raise ImportError('no')")
    process = run_i3d("doctor", environment=environment)
    assert process.returncode == 6, process.stderr
    assert "Traceback" not in process.stderr
    pattern = rf"^failed +{failing} +.*cannot be imported: no module named {package}$"
    assert re.search(pattern, process.stdout, re.M), process.stdout
    assert process.stdout.endswith("\ni3d classify does not work here.\n")


def test_a_closed_pipe_ends_it(
    i3d_command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in broken_package(tmp_path, "tensorflow", "raise ImportError('no')").items():
        monkeypatch.setenv(name, str(value))
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as pipe:
        process = subprocess.run(
            [*i3d_command, "doctor"], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (process.returncode, process.stderr) == (141, "")


# What makes it fail


@pytest.mark.usefixtures("quick")
def test_without_a_model_and_a_source_it_fails_with_the_ways_on() -> None:
    checks = list(run_checks())
    assert exit_code(checks) is ExitCode.TRANSFER
    check = by_name(checks)["sources"]
    assert check.detail == f"{DEFAULT_MODEL} is not on this machine, and no source answers"
    assert check.hint is not None
    for way in ["i3d model import FILE", "I3D_GCS_URL", "--model camera-motion"]:
        assert way in check.hint


@pytest.mark.usefixtures("quick")
def test_with_a_model_no_source_is_needed(tmp_path: Path) -> None:
    install_copy(write_small_module(tmp_path / "model"))
    checks = list(run_checks())
    assert exit_code(checks) is ExitCode.OK
    found = by_name(checks)
    assert found[f"model {DEFAULT_MODEL}"] == Check(
        f"model {DEFAULT_MODEL}", "ok", "whole, from gcs, unofficial weights"
    )
    assert found["sources"].status == "info"


def test_the_slower_engine_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_copy(write_small_module(tmp_path / "model"))
    slower = FakeEngine([[0.0]])
    slower.fallback_reason = "OpenVINO cannot run this model: it has no translation of Lgamma"
    monkeypatch.setattr("i3d.engines.choose.load_engine", lambda *_, **__: slower)
    check = i3d.cli.checks._check_model_engine(NO_PROGRESS)
    assert (check.name, check.status) == (f"engine of {DEFAULT_MODEL}", "warning")
    assert check.detail == f"fake, which takes longer: {slower.fallback_reason}"


@pytest.mark.usefixtures("quick")
def test_a_damaged_model_is_named_and_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = install_copy(write_small_module(tmp_path / "model"))
    change_byte(installed.directory / "saved_model.pb")
    checks = list(run_checks())
    found = by_name(checks)
    model = found[f"model {DEFAULT_MODEL}"]
    assert (model.status, model.detail) == ("warning", "damaged: saved_model.pb has changed")
    assert model.hint == f"i3d model fetch {DEFAULT_MODEL}"
    assert found["sources"].detail == f"{DEFAULT_MODEL} is damaged, and no source answers"
    assert exit_code(checks) is ExitCode.TRANSFER
    with serve({GCS_PATH: b"an archive"}) as server:
        monkeypatch.setenv("I3D_GCS_URL", server.url)
        assert exit_code(list(run_checks())) is ExitCode.OK


@pytest.mark.usefixtures("quick")
def test_a_whole_model_in_the_cache_of_tensorflow_hub_is_enough(
    models: ModelFiles, tmp_path: Path
) -> None:
    folder = tfhub_cache_folder(f"https://tfhub.dev/deepmind/{DEFAULT_MODEL}/1")
    write_module(models.checkpoint(), folder)
    checks = list(run_checks())
    assert by_name(checks)["tfhub-cache"].status == "ok"
    assert exit_code(checks) is ExitCode.OK
    change_byte(folder / "variables" / "variables.data-00000-of-00001")
    checks = list(run_checks())
    assert by_name(checks)["tfhub-cache"].detail.endswith("is damaged (CRC-32C)")
    assert exit_code(checks) is ExitCode.TRANSFER
    (folder / "saved_model.pb").unlink()
    (folder / "variables" / "variables.index").unlink()
    checks = list(run_checks())
    assert "half deleted: saved_model.pb, variables/variables.index missing" in (
        by_name(checks)["tfhub-cache"].detail
    )
    assert exit_code(checks) is ExitCode.TRANSFER


@pytest.mark.usefixtures("quick")
def test_offline_it_opens_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("I3D_OFFLINE", "1")
    checks = list(run_checks())
    found = by_name(checks)
    assert found["network"].detail == "not asked: I3D_OFFLINE is set"
    assert (
        found["sources"].detail == f"{DEFAULT_MODEL} is not on this machine, and I3D_OFFLINE is set"
    )
    assert found["sources"].hint is not None
    assert found["sources"].hint.startswith("Unset I3D_OFFLINE")
    assert exit_code(checks) is ExitCode.TRANSFER
    install_copy(write_small_module(tmp_path / "model"))
    assert exit_code(list(run_checks())) is ExitCode.OK


@pytest.mark.usefixtures("quick", "one_source")
def test_a_cache_that_cannot_be_made_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "file" / "cache"))
    checks = list(run_checks())
    check = by_name(checks)["cache"]
    assert check.status == "failed"
    assert "cannot be written" in check.detail
    assert "I3D_CACHE_DIR" in str(check.hint)
    assert exit_code(checks) is ExitCode.TRANSFER


@pytest.mark.usefixtures("quick")
def test_a_cache_that_cannot_be_written_is_no_failure_where_the_model_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_copy(write_small_module(tmp_path / "model"))

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    checks = list(run_checks())
    assert by_name(checks)["cache"].status == "warning"
    assert "cannot be written: Permission denied" in by_name(checks)["cache"].detail
    assert exit_code(checks) is ExitCode.OK


@pytest.mark.usefixtures("quick", "one_source")
def test_a_disk_that_is_nearly_full_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=299_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    check = by_name(list(run_checks()))["cache"]
    assert check.status == "warning"
    assert check.detail.endswith(", 0.3 GB free")
    assert "Make room" in str(check.hint)


@pytest.mark.usefixtures("quick", "one_source")
def test_a_timeout_that_makes_no_sense_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "soon")
    checks = list(run_checks())
    assert exit_code(checks) is ExitCode.USAGE
    assert "'soon', which is not a number of seconds" in checks[-2].detail


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("value", ["http://[bad", "http://host:port", "mirror.example"])
def test_a_mirror_whose_address_is_none_is_told_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    install_copy(write_small_module(tmp_path / "model"))
    monkeypatch.setenv("I3D_GCS_URL", value)
    checks = list(run_checks())
    assert "tfhub-cache" not in by_name(checks), "what is not there is not worth a line"
    check = by_name(checks)["source gcs"]
    assert check.status == "warning"
    assert check.detail == f"I3D_GCS_URL is {value}, which is not a web address"
    assert check.hint == "Correct or unset I3D_GCS_URL."
    assert exit_code(checks) is ExitCode.OK, "the model is here"


@pytest.mark.usefixtures("quick", "one_source")
def test_a_cache_of_another_user_is_not_counted_on(
    models: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no such owners")
    folder = tfhub_cache_folder(f"https://tfhub.dev/deepmind/{DEFAULT_MODEL}/1")
    write_module(models.checkpoint(), folder)
    if os.geteuid() == 0:  # whose files everybody trusts
        os.chown(folder, 12345, -1)
    else:
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
    check = by_name(list(run_checks()))["tfhub-cache"]
    assert check.status == "warning"
    assert check.detail == f"{folder}: it belongs to another user, so it is not trusted"


# A system without a folder for temporary files

NO_TEMPORARY_FOLDER = FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/']")


@pytest.mark.usefixtures("quick", "one_source")
def test_without_a_folder_for_temporary_files_the_report_comes_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> str:
        raise NO_TEMPORARY_FOLDER

    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    checks = list(run_checks())
    assert exit_code(checks) is ExitCode.OK
    hints = [str(check.hint) for check in checks]
    assert not any("--force-reinstall" in hint for hint in hints)


@pytest.mark.parametrize(
    "error",
    [NO_TEMPORARY_FOLDER, EngineNotInstalledError("TensorFlow ...", hint="Set TMPDIR.")],
    ids=["found by us", "found by TensorFlow"],
)
def test_a_package_that_lacks_a_folder_for_temporary_files_is_not_to_be_reinstalled(
    error: Exception,
) -> None:
    def refuse() -> Check:
        raise error

    check = guarded("engine", refuse)
    assert check.status == "failed"
    assert "TMPDIR" in str(check.hint)
    assert "reinstall" not in str(check.hint)


# Packages


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Check]]:
    """Check the packages of a machine where these versions are installed (None: not at all)."""
    real = importlib.metadata.version

    def check(**versions: str | None) -> dict[str, Check]:
        other = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name: str) -> str:
            found = other[name] if name in other else real(name)
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setenv("I3D_OFFLINE", "1")
        return by_name(list(run_checks()))

    return check


@pytest.mark.usefixtures("quick")
def test_versions_that_are_too_new_are_told_of(
    pretend: Callable[..., dict[str, Check]],
) -> None:
    checks = pretend(setuptools="82.0.0", opencv_python_headless="4.13.0.90", numpy="1.20.0")
    assert checks["setuptools"].status == "failed"
    assert checks["setuptools"].exit_code is ExitCode.ENGINE
    assert "82.0.0, and i3d needs <82: newer ones lack pkg_resources" in checks["setuptools"].detail
    assert checks["setuptools"].hint == 'pip install "setuptools<82"'
    assert checks["opencv-python-headless"].status == "warning"
    assert "interlaced video" in checks["opencv-python-headless"].detail
    assert "<4.13" in str(checks["opencv-python-headless"].hint)
    assert checks["numpy"].status == "warning"


@pytest.mark.usefixtures("quick")
def test_a_package_that_is_missing_is_a_failure(
    pretend: Callable[..., dict[str, Check]],
) -> None:
    checks = pretend(truststore=None, opencv_python_headless=None)
    for name in ["truststore", "opencv-python-headless"]:
        assert (checks[name].status, checks[name].detail) == ("failed", "not installed")
        assert checks[name].exit_code is ExitCode.ENGINE
        assert str(checks[name].hint).startswith(f'pip install "{name}')


@pytest.mark.usefixtures("quick")
def test_two_opencvs_overwrite_each_other(pretend: Callable[..., dict[str, Check]]) -> None:
    checks = pretend(opencv_python="4.11.0", opencv_contrib_python="4.10.0")
    assert checks["opencv"].status == "warning"
    assert "opencv-python and opencv-contrib-python are installed, too" in checks["opencv"].detail
    assert "pip uninstall -y opencv-python opencv-contrib-python;" in str(checks["opencv"].hint)


@pytest.mark.usefixtures("quick")
def test_another_opencv_in_the_place_of_ours_is_no_failure(
    pretend: Callable[..., dict[str, Check]],
) -> None:
    checks = pretend(opencv_python_headless=None, opencv_python="4.11.0")
    check = checks["opencv-python-headless"]
    assert check.status == "warning"
    assert check.detail.startswith("not installed, but opencv-python 4.11.0 is")
    assert "opencv" not in checks


@pytest.mark.usefixtures("quick")
def test_packages_that_tensorflow_brings_are_listed(
    pretend: Callable[..., dict[str, Check]],
) -> None:
    checks = pretend(keras="3.1", tf_keras=None, protobuf="5.0")
    assert (checks["keras"].status, checks["protobuf"].detail) == ("info", "5.0")
    assert "tf-keras" not in checks


@pytest.mark.usefixtures("quick")
def test_i3d_that_was_never_installed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", refuse)
    check = by_name(list(run_checks()))["packages"]
    assert (check.status, check.detail) == ("warning", "i3d is not installed as a package")


# What is shown of the user


@pytest.mark.usefixtures("quick")
def test_passwords_and_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({GCS_PATH: Resource(b"x", authorization=basic("me", "sec@ret"))}) as server:
        mirror = server.url.replace("://", "://me:sec%40ret@")
        monkeypatch.setenv("I3D_GCS_URL", mirror)
        monkeypatch.setenv("I3D_TFHUB_URL", "http://127.0.0.1:9/?token=sec%40ret")
        monkeypatch.setenv("I3D_KAGGLE_URL", "https://me:sec/ret@mirror.example/x")
        monkeypatch.setenv("https_proxy", "me:sec@ret@proxy.example:3128")
        monkeypatch.setenv("ALL_PROXY", "socks5://me:sec@ret@proxy.example")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("KAGGLE_API_TOKEN", "sec@ret")
        checks = list(run_checks())
    found = by_name(checks)
    shown = "\n".join(f"{check.name} {check.detail} {check.hint}" for check in checks)
    assert "ret@" not in shown
    assert "sec" not in shown.replace("seconds", "")
    assert found["https_proxy"].detail == "***@proxy.example:3128"
    assert found["ALL_PROXY"].detail == "socks5://***@proxy.example"
    assert found["NO_PROXY"].detail == "127.0.0.1"
    assert found["I3D_KAGGLE_URL"].detail == "https://***@mirror.example/x"
    assert found["source kaggle"].detail == (
        "I3D_KAGGLE_URL is https://***@mirror.example/x, which is not a web address"
    )
    assert found["source gcs"].status == "ok", "the password is used all the same"
    assert "KAGGLE_API_TOKEN" not in found


@pytest.mark.usefixtures("quick")
def test_the_home_folder_is_shown_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "rose"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("I3D_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("SSL_CERT_FILE", f"{home}-marie/ca.pem")
    checks = list(run_checks())
    found = by_name(checks)
    assert found["I3D_CACHE_DIR"].detail == f"~{os.sep}cache"
    assert found["cache"].detail.startswith(f"~{os.sep}cache, ")
    assert found["SSL_CERT_FILE"].detail == f"{home}-marie/ca.pem", "that is another folder"


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_it_needs_nothing_to_show_its_progress_with() -> None:
    program = (
        "import sys; sys.modules['rich'] = None; sys.modules['tensorflow'] = None\n"
        "sys.argv = ['i3d', 'doctor']\n"
        "from i3d.__main__ import main; main()"
    )
    screen, terminal = os.openpty()
    process = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        check=False,
    )
    os.close(terminal)
    try:
        shown = os.read(screen, 10_000)
    except OSError:  # Linux: nobody ever wrote to it
        shown = b""
    os.close(screen)
    assert shown == b""
    assert process.returncode == 6
    assert "i3d classify does not work here." in process.stdout
