"""The cache: what is installed is whole, or is mended; one process at a time; nothing is left."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.errors import (
    CacheError,
    ModelLoadError,
    ModelNotInstalledError,
    TransferError,
    UnknownNameError,
)
from i3d.files.cache import models_dir
from i3d.files.whole import ABANDONED_SECONDS
from i3d.models import folders as cache
from i3d.models import store as installed
from i3d.models.catalog import CATALOG
from i3d.models.find import fetch_again, find_installed, find_model
from i3d.models.folders import folder_of, lock, scratch_folder
from i3d.models.info import list_models
from i3d.models.local_caches import copy_model
from i3d.models.records import ModelRecord, fingerprint, record_files
from i3d.models.store import install, open_installed, remove
from i3d.progress import NO_PROGRESS

from conftest import SOURCE
from damage import closed, entries_of_the_cache, flip_byte
from model_hosts import pack
from web_server import Resource, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_hosts import ModelFiles, ModelHosts
    from web_server import WebServer

pytest_plugins = ["model_hosts"]

NAME = "i3d-kinetics-400"
DATA = "variables/variables.data-00000-of-00001"
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

RECORD = ModelRecord(
    name=NAME,
    source="gcs",
    location="https://storage.googleapis.com/1.tar.gz",
    installed_at="2026-01-02T03:04:05Z",
    i3d_version="0.1.0",
    converted=False,
    num_labels=400,
    num_parameters=12_704_544,
    input_range=(-1.0, 1.0),
    input_range_reason="the test says so",
    receptive_field=107,
    stride=8,
    weights="sha256:00",
    checkpoint="rgb_scratch",
    files={},
)


def put(folder: Path, name: str = NAME) -> Path:
    """Install a model's folder under a name, whatever it is; give its place."""
    with scratch_folder() as scratch:
        copy_model(folder, scratch)
        checkpoint = CATALOG[name].checkpoint if name in CATALOG else None
        record = replace(RECORD, name=name, checkpoint=checkpoint, files=record_files(folder))
        return install(scratch, record).directory


def put_as_before(folder: Path) -> Path:
    """Install rgb_imagenet as i3d-kinetics-400, as i3d did when it came from GitHub."""
    directory = put(folder)
    record = json.loads((directory / "model.json").read_text())
    (directory / "model.json").write_text(json.dumps(record | {"checkpoint": "rgb_imagenet"}))
    return directory


@pytest.fixture
def server(models: ModelFiles) -> Iterator[WebServer]:
    """A server with a small model."""
    with serve({"/small.tar.gz": models.small_archive()}) as running:
        yield running


@pytest.fixture
def address(server: WebServer) -> str:
    """Where the small model is."""
    return f"{server.url}/small.tar.gz"


@pytest.fixture
def open_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache below folders that all users can look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("I3D_CACHE_DIR", f"{folder}/cache")
        yield Path(folder)


# Damage, found and mended


def test_what_was_installed_is_read_back(models: ModelFiles) -> None:
    directory = put(models.small_module())
    model = open_installed(NAME)
    assert model is not None
    assert model.directory == directory == models_dir() / NAME
    assert model.damage() == ()
    assert replace(model.record, files={}, folder="") == RECORD
    assert model.record.folder == NAME
    assert model.num_bytes == sum(
        path.stat().st_size for path in models.small_module().rglob("*") if path.is_file()
    )


def remove_data(folder: Path) -> None:
    (folder / DATA).unlink()


def change_data(folder: Path) -> None:
    flip_byte(folder / DATA, 100)


def cut_graph(folder: Path) -> None:
    os.truncate(folder / "saved_model.pb", 10)


def replace_by_a_folder(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pb").mkdir()


@pytest.mark.parametrize(
    ("damage", "clause"),
    [
        (remove_data, f"{DATA} is missing"),
        (change_data, f"{DATA} has changed"),
        (cut_graph, "saved_model.pb has 10 bytes instead of "),
        (replace_by_a_folder, "saved_model.pb is missing"),
    ],
)
def test_a_damaged_model_is_told_of_and_fetched_again(
    damage: Callable[[Path], None], clause: str, server: WebServer, address: str
) -> None:
    whole = find_model(address)
    damage(whole.directory)
    (state,) = [state for state in list_models() if state.name == address]
    assert state.state == "damaged"
    assert state.problems[0].startswith(clause)

    mended = find_model(address)
    assert len(server.requests) == 2
    assert mended.directory == whole.directory
    (note,) = mended.notes
    assert note.startswith(f"{address} was damaged ({clause}")
    assert note.endswith(") and was fetched again.")
    assert find_model(address).notes == ()
    assert len(server.requests) == 2
    assert entries_of_the_cache() == {whole.directory.name}


def record_with(**changes: object) -> Callable[[dict[str, object]], bytes]:
    """Make a record with other values."""
    return lambda record: json.dumps(record | changes).encode()


FILE = {"num_bytes": 1, "sha256": "00"}


@pytest.mark.parametrize(
    "content",
    [
        lambda _: b"",
        lambda _: b"{",
        lambda _: b"[]",
        lambda _: b'"text"',
        lambda _: b"\xff\xfe",
        lambda _: b"{}",
        record_with(schema="i3d.model/2"),
        record_with(files={}),
        record_with(files={"variables/variables.index": FILE}),
        record_with(files=["saved_model.pb"]),
        record_with(files={"saved_model.pb": "00"}),
        record_with(files={"saved_model.pb": FILE, "../../secret": FILE}),
        record_with(files={"saved_model.pb": FILE, "/etc/passwd": FILE}),
        record_with(files={"saved_model.pb": {"num_bytes": "1", "sha256": "00"}}),
        record_with(files={"saved_model.pb": {"num_bytes": True, "sha256": "00"}}),
        record_with(input_range=[0]),
        record_with(input_range=["0", "1"]),
        record_with(input_range=[0, float("nan")]),
        record_with(input_range=[0, 10**400]),
        record_with(name=5),
        record_with(num_labels="400"),
        record_with(num_labels=True),
        record_with(converted=0),
        record_with(stride=8.5),
        record_with(location=None),
        record_with(folder="i3d-kinetics-400"),
        lambda _: b"[" * 200_000,
        lambda record: json.dumps(record).encode() + b" " * 1_000_000,
    ],
    ids=[
        "empty",
        "cut off",
        "a list",
        "a text",
        "not UTF-8",
        "no fields",
        "another schema",
        "no files",
        "no graph",
        "a list of files",
        "files without sizes",
        "a file in another folder",
        "an absolute file",
        "a size that is a text",
        "a size that is a truth",
        "half a range",
        "a range of texts",
        "a range without an end",
        "a range beyond all",
        "a number for a name",
        "a text for a number",
        "a truth for a number",
        "a number for a truth",
        "a fraction for a whole number",
        "nothing for a text",
        "another folder's",
        "too deep",
        "too large",
    ],
)
def test_a_record_that_is_damaged_or_foreign_is_as_good_as_none(
    content: Callable[[dict[str, object]], bytes], server: WebServer, address: str
) -> None:
    directory = find_model(address).directory
    file = directory / "model.json"
    before = json.loads(file.read_bytes())
    file.write_bytes(content(before))
    assert open_installed(address) is None
    assert address not in {state.name for state in list_models()}
    with pytest.raises(ModelNotInstalledError):
        find_installed(address)
    assert find_model(address).directory == directory
    assert len(server.requests) == 2
    assert json.loads(file.read_bytes())["files"] == before["files"]


def test_a_newer_record_with_more_fields_is_read(models: ModelFiles) -> None:
    file = put(models.small_module()) / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"something": "new"}))
    assert open_installed(NAME) is not None


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_i3d_did_not_make_is_neither_used_nor_replaced(
    kind: str, server: WebServer, address: str, models: ModelFiles
) -> None:
    place = folder_of(address)
    place.parent.mkdir(parents=True)
    if kind == "folder":
        shutil.copytree(models.small_module(), place)
    else:
        place.write_bytes(b"a file")
    for work in (find_model, fetch_again, lambda _: put(models.small_module(), address)):
        with pytest.raises(CacheError, match="i3d did not make") as caught:
            work(address)
        assert str(place) in caught.value.message
        assert "i3d model import DIR" in str(caught.value.hint)
    assert server.requests == [], "told before anything is fetched"
    assert entries_of_the_cache() == {place.name}
    assert (place / "saved_model.pb").is_file() or place.read_bytes() == b"a file"
    remove(address)
    assert entries_of_the_cache() == set(), "whoever says so gets rid of it"


def test_a_model_that_has_the_name_of_other_weights_is_renamed_by_them(models: ModelFiles) -> None:
    directory = put_as_before(models.small_module())
    local = find_model(f"{NAME}-imagenet")
    assert local.directory == models_dir() / f"{NAME}-imagenet"
    assert local.record is not None
    assert (local.record.name, local.record.checkpoint) == (local.name, "rgb_imagenet")
    assert f"is called {local.name} now" in local.notes[0]
    assert not directory.exists()
    assert open_installed(NAME) is None, "nothing is used under the old name"
    assert find_model(f"{NAME}-imagenet").notes == ()


def test_a_renamed_model_gives_way_to_the_one_of_that_name(models: ModelFiles) -> None:
    right = put(models.small_module(), f"{NAME}-imagenet")
    put_as_before(models.small_module())
    assert find_model(f"{NAME}-imagenet").directory == right
    assert entries_of_the_cache() == {right.name}


@posix_only
def test_a_model_that_cannot_be_renamed_is_not_used_under_its_old_name(
    models: ModelFiles, open_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_as_before(models.small_module())

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("i3d.models.store.write_whole", refuse)
    assert open_installed(NAME) is None
    assert (NAME, "not installed") in [(state.name, state.state) for state in list_models()]
    assert find_model(f"{NAME}-imagenet").directory == folder_of(NAME), "it is used where it lies"


def test_a_model_that_was_renamed_is_told_of_where_the_right_one_cannot_be_had(
    models: ModelFiles,
) -> None:
    put_as_before(models.small_module())
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert f"is called {NAME}-imagenet now" in caught.value.details[0]
    for _ in range(2):
        assert f"--model {NAME}-imagenet" in caught.value.details[-1]
        with pytest.raises(TransferError) as caught:
            find_model(NAME)


def test_a_damaged_model_does_not_replace_a_whole_one_of_its_weights(models: ModelFiles) -> None:
    damaged = put(models.small_module(), f"{NAME}-imagenet")
    (damaged / DATA).unlink()
    put_as_before(models.small_module())
    local = find_model(f"{NAME}-imagenet")
    assert (local.directory / DATA).exists()


def test_a_copy_of_a_models_folder_is_not_that_model(models: ModelFiles) -> None:
    directory = put(models.small_module(), "i3d-kinetics-600")
    shutil.copytree(directory, models_dir() / NAME)
    shutil.copytree(directory, models_dir() / "backup of 600")
    assert open_installed(NAME) is None
    states = [(state.name, state.state) for state in list_models()]
    assert (NAME, "not installed") in states
    assert [state for state in states if state[1] == "installed"] == [
        ("i3d-kinetics-600", "installed")
    ]


@posix_only
def test_a_pipe_for_a_record_is_not_waited_for(models: ModelFiles) -> None:
    file = put(models.small_module()) / "model.json"
    file.unlink()
    os.mkfifo(file)
    assert open_installed(NAME) is None
    assert all(state.state != "installed" for state in list_models())


@posix_only
def test_a_folder_that_cannot_be_read_does_not_keep_the_others_from_the_list(
    models: ModelFiles, open_cache: Path
) -> None:
    address = "https://example.org/1.tar.gz"
    for name in (NAME, "i3d-kinetics-600", address):
        put(models.small_module(), name)
    with closed(folder_of(NAME)):
        states = {state.name: state for state in list_models()}
    assert states[NAME].state == "damaged"
    assert "cannot be read" in states[NAME].problems[0]
    assert states["i3d-kinetics-600"].state == states[address].state == "installed"
    with closed(folder_of(address)):
        assert address not in {state.name for state in list_models()}


def test_where_mending_fails_the_error_says_what_was_damaged(
    models: ModelFiles, hosts: ModelHosts
) -> None:
    directory = put(models.small_module())
    (directory / DATA).unlink()
    hosts.refuse()
    with pytest.raises(TransferError) as caught:
        find_model(NAME)
    assert caught.value.details[0] == f"The one in {directory} is damaged: {DATA} is missing."
    assert len(caught.value.details) == 8
    assert find_installed(NAME).directory == directory, "it is left as it was"


@pytest.mark.parametrize("content", [None, b"\xff" * 1000])
def test_where_mending_an_own_model_fails_the_error_says_what_was_damaged(
    content: bytes | None, server: WebServer, address: str, tmp_path: Path
) -> None:
    directory = find_model(address).directory
    (directory / DATA).unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "saved_model.pb").write_bytes(b"\xff" * 1000)
    server.resources.clear()
    if content is not None:  # an archive of what is no model any more
        archive = pack(tmp_path / "new", tmp_path / "new.tar.gz")
        server.resources["/small.tar.gz"] = Resource(archive)
    with pytest.raises((TransferError, ModelLoadError)) as caught:
        find_model(address)
    assert caught.value.details[0] == f"The one in {directory} is damaged: {DATA} is missing."


@pytest.mark.slow
def test_a_damaged_model_of_the_catalogue_is_mended(models: ModelFiles, hosts: ModelHosts) -> None:
    flip_byte(put(models.module()) / DATA, 1_000_000)
    hosts.only("gcs")
    local = find_model(NAME)
    assert local.notes == (f"{NAME} was damaged ({DATA} has changed) and was fetched again.",)
    assert find_model(NAME).notes == ()


@posix_only
def test_a_record_that_cannot_be_read_is_the_caches_matter(
    models: ModelFiles, open_cache: Path
) -> None:
    directory = put(models.small_module())
    with closed(directory / "model.json"):
        for look in (find_model, find_installed):
            with pytest.raises(CacheError, match="cannot be read") as caught:
                look(NAME)
            assert "I3D_CACHE_DIR" in str(caught.value.hint)


def test_a_model_that_is_whole_is_used_without_a_write(address: str) -> None:
    find_model(address)
    shutil.rmtree(models_dir() / ".locks")
    before = everything_in_the_cache()
    find_model(address)
    assert everything_in_the_cache() == before, "so the cache may be read-only"


def everything_in_the_cache() -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in models_dir().parent.rglob("*")}


# Installing


@posix_only
def test_installed_files_have_the_umasks_mode(
    models: ModelFiles, server: WebServer, address: str, tmp_path: Path
) -> None:
    module = shutil.copytree(models.small_module(), tmp_path / "module")
    for path in module.rglob("*"):
        path.chmod(0o700)
    server.resources["/small.tar.gz"].content = pack(module, tmp_path / "odd.tar.gz")
    mask = os.umask(0o027)
    try:
        directory = find_model(address).directory
    finally:
        os.umask(mask)
    for path in [directory, *directory.rglob("*")]:
        expected = 0o750 if path.is_dir() else 0o640
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_another_process_may_install_the_same_model_just_now(
    models: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where locks don't work: it appears after the way was cleared."""
    take_away = installed.take_away
    num_times = 0

    def take_away_and_be_overtaken(directory: Path) -> Path | None:
        nonlocal num_times
        grave = take_away(directory)
        num_times += 1
        if num_times <= 3:
            directory.mkdir()
            (directory / "saved_model.pb").write_bytes(b"theirs")
        return grave

    monkeypatch.setattr(installed, "take_away", take_away_and_be_overtaken)
    directory = put(models.small_module())
    assert (directory / "saved_model.pb").read_bytes() != b"theirs"
    assert entries_of_the_cache() == {NAME}


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O error"), KeyboardInterrupt()])
def test_where_the_new_model_cannot_be_put_the_old_one_is_put_back(
    error: BaseException, models: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(models.small_module())
    before = open_installed(NAME)
    new = shutil.copytree(models.small_module(), tmp_path / "new")
    (new / "more").write_bytes(b"new")
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == "model":
            raise error
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises((CacheError, KeyboardInterrupt)):
            put(new)
    assert before is not None
    assert open_installed(NAME) == before
    assert before.damage() == ()
    assert entries_of_the_cache() == {NAME}
    put(new)
    assert (before.directory / "more").is_file()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_model_may_hold_a_file_or_folder_of_the_records_name(
    kind: str, models: ModelFiles, server: WebServer, address: str, tmp_path: Path
) -> None:
    module = shutil.copytree(models.small_module(), tmp_path / "module")
    if kind == "folder":
        (module / "model.json").mkdir()
        (module / "model.json" / "x").write_bytes(b"theirs")
    else:
        (module / "model.json").write_bytes(b"theirs")
    server.resources["/small.tar.gz"].content = pack(module, tmp_path / "odd.tar.gz")
    local = find_model(address)
    assert local.record is not None
    assert not [name for name in local.record.files if name.startswith("model.json")]
    assert find_model(address).notes == ()
    assert len(server.requests) == 1
    with scratch_folder() as scratch:
        copy_model(module, scratch)
        assert not (scratch / "model" / "model.json").exists()


def test_what_a_killed_run_on_this_machine_left_is_removed_at_once(
    models: ModelFiles, tmp_path: Path
) -> None:
    program = (
        "import sys; from i3d.models.folders import scratch_folder\n"
        "with scratch_folder() as scratch: print(scratch, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        (theirs / "half a model").write_bytes(b"...")
        with scratch_folder() as ours:
            with scratch_folder():
                assert ours.is_dir(), "what is in use here"
            assert theirs.is_dir(), "and there"
        process.kill()
        process.wait()
        assert theirs.is_dir()
    elsewhere = shutil.copytree(theirs, theirs.with_name(".fetching-another-machine"))
    with scratch_folder():
        assert not theirs.exists()
        assert elsewhere.is_dir(), "its lock may not reach us"


def test_what_a_killed_run_left_is_removed_when_it_is_a_day_old(address: str) -> None:
    old, young = ABANDONED_SECONDS + 60, ABANDONED_SECONDS - 600
    for kind in (".fetching-", ".removed-"):
        for name, age in (("old", old), ("young", young)):
            folder = models_dir() / f"{kind}{name}"
            folder.mkdir(parents=True)
            (folder / "half a model").write_bytes(b"...")
            os.utime(folder, (time.time() - age,) * 2)
    find_model(address)
    left = {path.name for path in models_dir().glob(".[fr]e*")}
    assert left == {".fetching-young", ".removed-young"}, "young ones may be at work"
    assert ABANDONED_SECONDS == 24 * 3600


# One process at a time


class Watcher:
    """Somebody who is told of each task, and may hold it up."""

    def __init__(self, until: dict[str, threading.Event] | None = None) -> None:
        self.tasks: list[str] = []
        self.notes: list[str] = []
        self.waiting = threading.Event()
        """Set when it waits for another i3d."""
        self._until = until or {}

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    @contextmanager
    def task(
        self, description: str, total: int | None = None, unit: str = "items"
    ) -> Iterator[Callable[[int], None]]:
        self.tasks.append(description)
        if description.startswith("waiting for another i3d"):
            self.waiting.set()
        for start, event in self._until.items():
            if description.startswith(start):
                assert event.wait(60)
        yield lambda _: None


def in_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start work in a thread; its result appears in the list."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_of_two_that_need_the_same_model_one_fetches_and_the_other_waits(
    server: WebServer, address: str
) -> None:
    second = Watcher()
    first = Watcher({"fetching": second.waiting})
    one, found = in_a_thread(lambda: find_model(address, progress=first))
    while one.is_alive() and not first.tasks:
        time.sleep(0.01)
    other, found_too = in_a_thread(lambda: find_model(address, progress=second))
    for thread in (one, other):
        thread.join(60)
    assert found == found_too != []
    assert [request.path for request in server.requests] == ["/small.tar.gz"]
    assert second.tasks == [f"waiting for another i3d that fetches {address}"]
    assert second.notes == [f"Waiting for another i3d that fetches {address}. (Ctrl-C to stop.)"], (
        "told also where no progress is shown"
    )
    assert first.notes == []


@pytest.fixture
def lock_holder(address: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the small model."""
    program = (
        "import sys; from i3d.progress import NO_PROGRESS; from i3d.models.folders import lock\n"
        "with lock(sys.argv[1], NO_PROGRESS): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_another_process_is_waited_for_until_it_is_killed(
    lock_holder: subprocess.Popen[str], server: WebServer, address: str
) -> None:
    watcher = Watcher()
    thread, found = in_a_thread(lambda: find_model(address, progress=watcher))
    assert watcher.waiting.wait(60)
    thread.join(0.5)  # what it does not wait for, it does at once
    assert server.requests == []
    lock_holder.kill()
    thread.join(60)
    assert found, "the lock of a process that died does not block"
    assert len(server.requests) == 1


def test_what_the_other_process_fetched_is_not_fetched_again(
    lock_holder: subprocess.Popen[str], models: ModelFiles, server: WebServer, address: str
) -> None:
    watcher = Watcher()
    thread, found = in_a_thread(lambda: find_model(address, progress=watcher))
    assert watcher.waiting.wait(60)
    put(models.small_module(), address)
    assert lock_holder.stdin is not None
    lock_holder.stdin.close()  # it is done
    thread.join(60)
    assert found
    assert server.requests == []


def test_a_process_that_takes_too_long_is_not_waited_for_any_longer(
    lock_holder: subprocess.Popen[str],
    server: WebServer,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cache.LOCK_SECONDS == 600
    monkeypatch.setattr(cache, "LOCK_SECONDS", 0.01)
    assert find_model(address).directory.is_dir()
    assert len(server.requests) == 1
    assert lock_holder.poll() is None


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks")])
def test_a_disk_without_locks_does_without(
    error: Exception, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import filelock

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    assert find_model(address).directory.is_dir()


def test_another_model_is_not_waited_for(address: str, server: WebServer) -> None:
    with lock(NAME, NO_PROGRESS):
        assert find_model(address, progress=Watcher())


# Removing, listing


def test_a_removed_model_is_gone(address: str, models: ModelFiles) -> None:
    find_model(address)
    directory = put(models.small_module())
    flip_byte(directory / DATA, 0)
    for name in (address, NAME):
        remove(name)
        with pytest.raises(ModelNotInstalledError, match="is not on this machine") as caught:
            find_installed(name)
        assert caught.value.hint == f"Fetch it: i3d model fetch {name}"
    assert entries_of_the_cache() == set()
    with pytest.raises(ModelNotInstalledError, match="is not in the cache") as caught:
        remove(NAME)
    assert caught.value.hint == "See what is: i3d model list"


def test_no_name_removes_anything_outside_the_models_folder(
    models: ModelFiles, tmp_path: Path
) -> None:
    put(models.small_module())
    beside = models_dir().parent / "samples"
    beside.mkdir()
    mine = shutil.copytree(models_dir() / NAME, models_dir() / "mine")
    names = ("../samples", "..", ".", "", str(beside), ".locks", f"../models/{NAME}", "mine")
    for name in names:
        with pytest.raises(ModelNotInstalledError):
            remove(name)
    assert mine.is_dir()
    assert beside.is_dir()
    assert open_installed(NAME) is not None


def test_the_list_has_the_catalogue_then_the_others(
    address: str, models: ModelFiles, hosts: ModelHosts
) -> None:
    assert [(state.name, state.state) for state in list_models()] == [
        ("i3d-kinetics-400", "not installed"),
        ("i3d-kinetics-400-imagenet", "not installed"),
        ("i3d-kinetics-600", "not installed"),
        ("camera-motion", "packaged"),
    ]
    put(models.small_module(), "i3d-kinetics-600")
    (put(models.small_module()) / DATA).unlink()
    find_model(address)
    (models_dir() / "a folder of somebody's").mkdir()
    shutil.copytree(folder_of(address), models_dir() / ".hidden")
    (models_dir() / "a file").write_bytes(b"")
    states = list_models()
    assert [(state.name, state.state) for state in states] == [
        ("i3d-kinetics-400", "damaged"),
        ("i3d-kinetics-400-imagenet", "not installed"),
        ("i3d-kinetics-600", "installed"),
        ("camera-motion", "packaged"),
        (address, "installed"),
    ]
    damaged, _, whole, packaged, own = states
    assert damaged.problems == (f"{DATA} is missing",)
    size = sum(file.num_bytes for file in record_files(models.small_module()).values())
    assert whole.num_bytes == damaged.num_bytes == own.num_bytes == size
    assert packaged.num_bytes is not None
    assert packaged.num_bytes > 1_000_000
    assert (whole.directory, packaged.record) == (models_dir() / "i3d-kinetics-600", None)
    assert (own.spec, own.directory) == (None, folder_of(address))


def test_a_model_that_is_here_is_found_without_a_network(
    address: str,
    server: WebServer,
    models: ModelFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_installed("camera-motion").source == "packaged"
    assert find_installed(str(tmp_path)).directory == tmp_path
    with pytest.raises(ModelNotInstalledError):
        find_installed(address)
    assert server.requests == []
    directory = find_model(address).directory
    (directory / DATA).unlink()
    assert find_installed(address).directory == directory, "damaged or not"
    put(models.small_module(), "sha256:00")
    assert find_installed("sha256:00").source == "gcs"
    with pytest.raises(ModelNotInstalledError) as not_there:
        find_installed("sha256:01")
    assert not_there.value.hint == "See what is: i3d model list"
    (tmp_path / "archive").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(UnknownNameError, match="is a file"):
        find_installed("~/archive")
    with pytest.raises(UnknownNameError, match="is a file") as caught:
        find_installed(__file__)
    assert "i3d model import" in str(caught.value.hint)
    with pytest.raises(UnknownNameError, match="no model named"):
        find_installed("i3d-kinetics-40")


def test_folders_are_named_by_the_model_or_the_sha1_of_its_address() -> None:
    assert folder_of(NAME) == models_dir() / NAME
    address = "https://tfhub.dev/me/model/1"
    expected = models_dir() / hashlib.sha1(address.encode()).hexdigest()
    assert folder_of(address) == expected
    assert folder_of("https://me:secret@tfhub.dev/me/model/1") == expected
    assert folder_of(f"{address}?version=2") != expected


# Fingerprints


def test_the_fingerprint_is_what_the_docs_say(models: ModelFiles, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    (model / "variables.txt").write_bytes(b"text")
    (model / "model.json").write_bytes(b"does not count")
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in [
            ("saved_model.pb", b"graph"),
            ("variables.txt", b"text"),
            ("variables/variables.index", b"index"),
        ]
    )
    expected = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert fingerprint(record_files(model)) == expected
    copy = shutil.copytree(model, tmp_path / "copy")
    assert fingerprint(record_files(copy)) == expected
    (copy / "saved_model.pb").write_bytes(b"grapH")
    assert fingerprint(record_files(copy)) != expected
    (copy / "saved_model.pb").write_bytes(b"graph")
    (copy / "variables" / "variables.index").rename(copy / "variables.index")
    assert fingerprint(record_files(copy)) != expected


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_command_in_the_docs_gives_the_fingerprint(address: str) -> None:
    local = find_model(address)
    assert local.record is not None
    documented = (SOURCE.parent / "docs" / "json.md").read_text(encoding="utf-8")
    command = "find * -type f ! -path model.json | LC_ALL=C sort | xargs sha256sum | sha256sum"
    assert command in documented.replace("\\|", "|")
    printed = subprocess.run(
        ["sh", "-c", command], cwd=local.directory, check=True, capture_output=True, text=True
    ).stdout
    assert fingerprint(local.record.files) == f"sha256:{printed.split()[0]}"
