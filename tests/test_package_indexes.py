"""Which package indexes are asked: what pip and uv are configured with."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from i3d.files import indexes
from i3d.files.indexes import package_indexes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the files have other names there")

MAIN, EXTRA, OTHER = (f"https://{name}.example/simple" for name in ("main", "extra", "other"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings on a machine without settings."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc/xdg"))
    monkeypatch.setattr(indexes, "_SYSTEM", tmp_path / "etc")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path / "home"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_settings_it_is_the_public_index() -> None:
    assert package_indexes() == (PYPI_SIMPLE_ENDPOINT,)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PIP_INDEX_URL": MAIN}, (MAIN,)),
        ({"PIP_INDEX_URL": f" {MAIN} ", "PIP_EXTRA_INDEX_URL": f"{EXTRA} {OTHER}"},
         (MAIN, EXTRA, OTHER)),
        ({"PIP_EXTRA_INDEX_URL": EXTRA}, (PYPI_SIMPLE_ENDPOINT, EXTRA)),
        ({"PIP_INDEX_URL": "", "PIP_NO_INDEX": "0"}, (PYPI_SIMPLE_ENDPOINT,)),
        ({"PIP_INDEX_URL": MAIN, "PIP_NO_INDEX": "1"}, ()),
        ({"PIP_INDEX_URL": MAIN, "UV_NO_INDEX": "true"}, ()),
        ({"PIP_INDEX_URL": "file:///srv/simple"}, ()),
        ({"PIP_INDEX_URL": "/srv/simple", "PIP_EXTRA_INDEX_URL": EXTRA}, (EXTRA,)),
        ({"UV_DEFAULT_INDEX": MAIN, "UV_INDEX_URL": OTHER}, (MAIN,)),
        ({"UV_INDEX_URL": MAIN, "UV_INDEX": f"extra={EXTRA} {OTHER}"}, (MAIN, EXTRA, OTHER)),
        ({"UV_DEFAULT_INDEX": OTHER, "PIP_INDEX_URL": MAIN}, (MAIN, OTHER)),
        ({"PIP_INDEX_URL": MAIN, "PIP_EXTRA_INDEX_URL": MAIN}, (MAIN,)),
    ],
)  # fmt: skip
def test_variables(
    variables: dict[str, str], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert package_indexes() == expected


@pytest.mark.parametrize(
    "place",
    [
        "etc/xdg/pip/pip.conf",
        "etc/pip.conf",
        "home/.pip/pip.conf",
        "home/.config/pip/pip.conf",
        "venv/pip.conf",
        "named.conf",
    ],
)
def test_each_of_pips_files_wins_over_those_before_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named.conf"))
    write(tmp_path / "etc/xdg/pip/pip.conf", f"[global]\nindex-url = {OTHER}\n")
    write(tmp_path / place, f"[global]\nindex-url = {MAIN}\nextra-index-url =\n  {EXTRA}\n")
    assert package_indexes() == (MAIN, EXTRA)
    monkeypatch.setenv("PIP_INDEX_URL", OTHER)
    assert package_indexes() == (OTHER, EXTRA), "variables win over files"


def test_the_section_of_a_command_wins_over_the_global_one(home: Path) -> None:
    write(
        home / ".config/pip/pip.conf",
        f"[install]\nindex_url = {MAIN}\n[global]\nindex-url = {OTHER}\n[list]\nno-index = 1\n",
    )
    assert package_indexes() == (MAIN,)
    write(home / ".config/pip/pip.conf", "[global]\nno-index = yes\n")
    assert package_indexes() == ()


def test_a_named_file_stands_for_the_users_and_devnull_for_all(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".config/pip/pip.conf", f"[global]\nextra-index-url = {OTHER}\n")
    write(tmp_path / "etc/pip.conf", f"[global]\nindex-url = {MAIN}\n")
    write(tmp_path / "named.conf", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named.conf"))
    assert package_indexes() == (MAIN,)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert package_indexes() == (PYPI_SIMPLE_ENDPOINT,)


UV = f"""
[[index]]
name = "pinned"
url = "{OTHER}"
explicit = true
[[index]]
name = "more"
url = "{EXTRA}"
[[index]]
url = "{MAIN}"
default = true
"""


@pytest.mark.parametrize(
    "place", ["home/.config/uv/uv.toml", "etc/xdg/uv/uv.toml", "etc/uv/uv.toml", "named.toml"]
)
@pytest.mark.parametrize(
    "text", [UV, f'index-url = "{MAIN}"\nextra-index-url = ["{EXTRA}"]\n'], ids=["new", "old"]
)
def test_uvs_files(place: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / place, text)
    if place == "named.toml":
        monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / place))
    assert package_indexes() == (MAIN, EXTRA)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert package_indexes() == (PYPI_SIMPLE_ENDPOINT,)


def test_the_users_uv_settings_win_over_the_machines(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "etc/uv/uv.toml", f'index-url = "{OTHER}"\n')
    write(home / ".config/uv/uv.toml", f'index-url = "{MAIN}"\n')
    assert package_indexes() == (MAIN,)
    write(home / ".config/uv/uv.toml", "no-index = true\n")
    assert package_indexes() == ()


@pytest.mark.parametrize(
    "text", ["[global", "\0", "é\udc80", "index-url", "[[index]]\n", "index=3"]
)
def test_settings_that_cannot_be_read_say_nothing(text: str, home: Path, tmp_path: Path) -> None:
    for path in (home / ".config/pip/pip.conf", home / ".config/uv/uv.toml"):
        write(path, "")
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "etc/pip.conf").mkdir(parents=True)
    assert package_indexes() == (PYPI_SIMPLE_ENDPOINT,)
