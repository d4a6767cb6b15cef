"""A name, a folder or an address to a model on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.catalog import CATALOG
from i3d.errors import CacheError, ModelLoadError, TransferError, UnknownNameError
from i3d.labels import LABEL_LISTS
from i3d.paths import cache_dir
from i3d.sources import find_model, fingerprint

import hub_server
from conftest import SOURCE
from hub_server import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_server import HubServer


def fake_model(directory: Path) -> Path:
    """Files with the names of a model's; nobody loads it here."""
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"graph")
    (directory / "variables" / "variables.index").write_bytes(b"index")
    return directory


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with hub_server.serve(fake_model(tmp_path / "served")) as server:
        yield server


def test_every_model_of_the_catalogue_has_labels_and_one_source() -> None:
    for spec in CATALOG.values():
        assert spec.label_list in LABEL_LISTS
        assert (spec.packaged_dir is None) != (spec.tfhub_path is None)


def test_the_packaged_model_is_there_without_a_network() -> None:
    local = find_model("camera-motion")
    assert (local.directory / "saved_model.pb").is_file()
    assert local.spec is CATALOG["camera-motion"]


def test_a_folder_is_a_model_and_a_name_wins_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_model(tmp_path / "camera-motion")
    fake_model(tmp_path / "mine")
    assert find_model("mine").directory == Path("mine")
    assert find_model("./camera-motion").spec is None
    assert find_model("camera-motion").spec is not None


def test_what_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(b"")
    with pytest.raises(ModelLoadError, match="is a file"):
        find_model(str(file))
    with pytest.raises(UnknownNameError, match="no model folder"):
        find_model(str(tmp_path / "gone"))
    with pytest.raises(UnknownNameError, match="no model named") as caught:
        find_model("i3d-kinetics-40")
    assert "i3d-kinetics-400" in str(caught.value.hint)


def test_the_fingerprint_is_what_the_docs_say(tmp_path: Path) -> None:
    model = fake_model(tmp_path / "model")
    (model / "assets").mkdir()
    (model / "assets" / "labels.txt").write_bytes(b"labels")
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in [
            ("assets/labels.txt", b"labels"),
            ("saved_model.pb", b"graph"),
            ("variables/variables.index", b"index"),
        ]
    )
    expected = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert fingerprint(model) == expected
    copy = shutil.copytree(model, tmp_path / "copy")
    assert fingerprint(copy) == expected
    (copy / "variables" / "variables.index").write_bytes(b"iNdex")
    assert fingerprint(copy) != expected
    (copy / "variables" / "variables.index").write_bytes(b"index")
    (copy / "variables" / "variables.index").rename(copy / "variables.index")
    assert fingerprint(copy) != expected


# TensorFlow Hub, over real HTTP


def cached_models(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("saved_model.pb"))


def test_a_model_is_fetched_once_and_found_ever_after(hub: HubServer, tmp_path: Path) -> None:
    local = find_model(hub.module_url)
    assert (local.directory / "saved_model.pb").read_bytes() == b"graph"
    assert (local.directory / "variables" / "variables.index").read_bytes() == b"index"
    assert tmp_path / "cache" in local.directory.parents
    assert hub.requests == [f"GET {hub_server.MODULE_PATH}?tf-hub-format=compressed"]
    hub.behaviour = Behaviour.FORBIDDEN
    assert find_model(hub.module_url) == local
    assert len(hub.requests) == 1


def test_redirects_are_followed(hub: HubServer) -> None:
    hub.behaviour = Behaviour.REDIRECT
    assert (find_model(hub.module_url).directory / "saved_model.pb").is_file()


def test_the_catalogues_model_comes_from_the_replaceable_hub(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TFHUB_URL", f"{hub.url}/")
    local = find_model("i3d-kinetics-400")
    assert (local.directory / "saved_model.pb").is_file()
    assert local.spec is CATALOG["i3d-kinetics-400"]


def test_a_half_deleted_model_is_fetched_again(hub: HubServer) -> None:
    directory = find_model(hub.module_url).directory
    (directory / "saved_model.pb").unlink()  # as cleaners of temporary folders do
    assert (find_model(hub.module_url).directory / "saved_model.pb").is_file()
    assert len(hub.requests) == 2


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour.FORBIDDEN, "the server answered 403 Forbidden"),
        (Behaviour.ERROR, "the server answered 500 Internal Server Error"),
        (Behaviour.WRONG_BYTES, "cannot be fetched"),
        (Behaviour.SHORT, "cannot be fetched|it has no saved_model.pb"),
        (Behaviour.TRUNCATED, "cannot be fetched|it has no saved_model.pb"),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_says_why(
    hub: HubServer, tmp_path: Path, behaviour: Behaviour, reason: str
) -> None:
    hub.behaviour = behaviour
    with pytest.raises(TransferError, match=reason) as caught:
        find_model(hub.module_url)
    assert hub.module_url in caught.value.message
    assert "--model camera-motion" in str(caught.value.hint)
    assert cached_models(tmp_path) == []
    hub.behaviour = Behaviour.SERVE  # and it heals
    assert (find_model(hub.module_url).directory / "saved_model.pb").is_file()


def test_an_archive_without_a_model_is_refused(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "readme.txt").write_text("nothing here")
    with (
        hub_server.serve(served) as server,
        pytest.raises(TransferError, match="not a TensorFlow model"),
    ):
        find_model(server.module_url)
    assert not list((tmp_path / "cache").rglob("readme.txt"))


def test_what_a_killed_fetch_left_is_not_waited_for_and_removed_in_time(
    hub: HubServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache" / "tfhub"
    fresh, old = cache / ".fetching-fresh", cache / ".fetching-old"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
        (folder / "half a model").write_bytes(b"...")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    assert (find_model(hub.module_url).directory / "saved_model.pb").is_file()
    assert fresh.exists(), "its process may still be at it"
    assert not old.exists()


def test_two_that_fetch_at_once_both_get_the_model(hub: HubServer) -> None:
    program = (
        "import sys; from i3d.sources import find_model; "
        "print((find_model(sys.argv[1]).directory / 'saved_model.pb').is_file())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, hub.module_url],
            stdout=subprocess.PIPE,
            text=True,
            cwd=SOURCE,
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in processes] == ["True\n", "True\n"]
    assert find_model(hub.module_url)


def test_a_full_disk_is_told_from_a_bad_network(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf
    import tensorflow_hub

    def fill_the_disk(handle: str) -> None:
        folder = Path(os.environ["TFHUB_CACHE_DIR"]) / "half a model"
        folder.mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{folder}; No space left on device")

    monkeypatch.setattr(tensorflow_hub, "resolve", fill_the_disk)
    with pytest.raises(CacheError, match="does not fit into the cache folder") as caught:
        find_model(hub.module_url)
    assert "I3D_CACHE_DIR" in str(caught.value.hint)
    assert not any((tmp_path / "cache" / "tfhub").iterdir())


@pytest.mark.parametrize("handle", ["file:///models/i3d", "gs://bucket/i3d", "ftp://host/i3d"])
def test_only_the_webs_addresses_are_fetched(handle: str) -> None:
    with pytest.raises(TransferError, match="only http:// and https://"):
        find_model(handle)


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "x" * 5000])
def test_names_that_no_folder_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no model named"):
        find_model(name)
    monkeypatch.setenv("I3D_CACHE_DIR", name)
    assert str(cache_dir()) == name


def test_the_users_own_hub_settings_are_left_alone(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    find_model(hub.module_url)
    assert os.environ["TFHUB_CACHE_DIR"] == str(tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
    assert socket.getdefaulttimeout() is None


def test_a_cache_that_cannot_be_written(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I3D_CACHE_DIR", __file__)
    with pytest.raises(CacheError, match="cannot be written") as caught:
        find_model(hub.module_url)
    assert "I3D_CACHE_DIR" in str(caught.value.hint)
