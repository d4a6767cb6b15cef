"""What every test gets: a cache of its own, no real network, and the `i3d` command."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    RunI3D = Callable[..., subprocess.CompletedProcess[str]]
    OpenPage = Callable[..., Page]

REQUIRES_BROWSER = bool(os.environ.get("I3D_REQUIRE_BROWSER"))
"""Whether tests in a browser must run; read before tests get surroundings of their own."""

REQUIRES_REAL_WEIGHTS = bool(os.environ.get("I3D_REQUIRE_REAL_WEIGHTS"))
"""Whether tests of DeepMind's real weights must run; read then, too."""

SOURCE = Path(__file__).parent.parent / "src"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser or the real weights as slow."""
    for item in items:
        if {"chromium", "real_module"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's cache or settings, and none reaches further than this machine."""
    for name in list(os.environ):
        is_ours = name.startswith(("I3D_", "TFHUB_", "KAGGLE", "PIP_", "UV_"))
        if is_ours and not name.startswith(("I3D_REAL_", "I3D_CASES")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub-cache"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub-cache"))
    for name in ("TFHUB", "PYPI", "GCS", "KAGGLE", "DEEPMIND", "UCF101", "UCF101_ZIP"):
        monkeypatch.setenv(f"I3D_{name}_URL", "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONUTF8", "1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    connect = socket.socket.connect

    def connect_nearby(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_nearby)


@pytest.fixture
def i3d_command() -> list[str]:
    """The command line that starts `i3d` as a process of its own."""
    return [sys.executable, "-m", "i3d"]


@pytest.fixture
def run_i3d(i3d_command: list[str]) -> RunI3D:
    """Run `i3d ARGUMENTS...` as a real process and return what it did.

    Keyword arguments: `environment` is added to the surroundings (a value of None removes a
    variable), `prefix` stands before the command, the rest goes to `subprocess.run`.
    """

    def run(
        *arguments: str | Path,
        environment: dict[str, str | None] | None = None,
        prefix: list[str] | None = None,
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        surroundings = {**os.environ, "PYTHONPATH": str(SOURCE), **(environment or {})}
        return subprocess.run(
            [*(prefix or []), *i3d_command, *map(str, arguments)],
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=240,
            env={name: value for name, value in surroundings.items() if value is not None},
            **options,
        )

    return run


@pytest.fixture
def invoke_i3d(monkeypatch: pytest.MonkeyPatch) -> RunI3D:
    """Run `i3d ARGUMENTS...` in this process, which is quicker, and return what it did.

    Keyword arguments: `cwd`, and `environment`, which is added to the surroundings.
    """
    from i3d.cli.main import cli

    def invoke(
        *arguments: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            if cwd is not None:
                patch.chdir(cwd)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            result = CliRunner().invoke(cli, [*map(str, arguments)], prog_name="i3d")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return subprocess.CompletedProcess(
            arguments, result.exit_code, result.stdout, result.stderr
        )

    return invoke


@pytest.fixture
def engines_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take it for granted that OpenVINO gives TensorFlow's numbers; see test_auto_engine.py.

    Each model that is installed would be run on both.
    """
    monkeypatch.setattr("i3d.engines.choose._agrees", lambda *_: True)


@pytest.fixture(scope="session")
def real_module() -> Path:
    """The folder of a SavedModel with the real weights of i3d-kinetics-400.

    `I3D_REAL_MODULE` names it; `I3D_REQUIRE_REAL_WEIGHTS` makes it an error that it does not.
    """
    path = os.environ.get("I3D_REAL_MODULE")
    if path is None:
        reason = (
            "needs DeepMind's weights: run `i3d model fetch` and then scripts/test, or name the "
            "model's folder in I3D_REAL_MODULE"
        )
        (pytest.fail if REQUIRES_REAL_WEIGHTS else pytest.skip)(reason)
    return Path(path)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser without a window; `I3D_REQUIRE_BROWSER` makes it an error that there is none.

    `I3D_CHROMIUM` names the program, else it is searched for.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = [os.environ.get("I3D_CHROMIUM"), *map(shutil.which, names)]
    program = next((path for path in found if path), None)
    if program is None:
        if REQUIRES_BROWSER:
            pytest.fail("there is no Chromium on this machine, and I3D_REQUIRE_BROWSER is set")
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its sandbox, for in containers tests run as root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Open a page from a file in a fresh profile.

    Keyword arguments are those of Playwright's contexts (`color_scheme`, `viewport`). When the test
    is over, no page may have had an error on its console, nor asked for anything but files and
    what is in it.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    requests: list[str] = []

    def open_it(path: Path, **options: Any) -> Page:
        contexts.append(chromium.new_context(**options))
        contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"])
        page = contexts[-1].new_page()
        page.on("console", lambda message: _keep_error(message, errors))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.resolve().as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def _keep_error(message: ConsoleMessage, errors: list[str]) -> None:
    if message.type in ("error", "warning"):
        errors.append(message.text)
