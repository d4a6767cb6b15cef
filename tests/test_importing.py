"""Models that were fetched by hand: imported under their name, or used as `--model FILE`."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from i3d.errors import CacheError, ModelLoadError, UnknownNameError, UsageError
from i3d.files.cache import models_dir, package_data_dir
from i3d.models import importing
from i3d.models.catalog import CATALOG
from i3d.models.find import find_model
from i3d.models.folders import folder_of, lock
from i3d.models.importing import import_model
from i3d.models.records import ModelRecord
from i3d.models.store import install, open_installed
from i3d.progress import NO_PROGRESS, NoProgress

from checkpoint_files import write_checkpoint
from damage import closed, entries_of_the_cache, flip_byte, largest_file
from model_hosts import pack
from small_modules import write_tf2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_hosts import ModelFiles

pytest_plugins = ["model_hosts"]
pytestmark = pytest.mark.usefixtures("engines_agree")

NAME = "i3d-kinetics-400"
DATA = "model.ckpt.data-00000-of-00001"
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


RECORD = ModelRecord(
    name=NAME,
    source="import",
    location="/somewhere",
    installed_at="2026-01-02T03:04:05Z",
    i3d_version="0.1.0",
    converted=False,
    num_labels=400,
    num_parameters=None,
    input_range=(-1.0, 1.0),
    input_range_reason="the test says so",
    receptive_field=None,
    stride=None,
    weights=None,
    checkpoint=None,
    files={},
)


@pytest.fixture
def copy(models: ModelFiles, tmp_path: Path) -> Path:
    """A copy of a checkpoint's folder, to be damaged."""
    return shutil.copytree(models.checkpoint(), tmp_path / "rgb_scratch")


# Imports


@pytest.mark.slow
@pytest.mark.parametrize("form", ["archive", "folder", "checkpoint"])
def test_each_form_is_imported_under_the_name_that_its_tensors_tell(
    form: str, models: ModelFiles
) -> None:
    path = {
        "archive": models.archive,
        "folder": models.module,
        "checkpoint": models.checkpoint,
    }[form]()
    installed = import_model(path)
    record = installed.record
    assert installed.directory == models_dir() / NAME
    assert (record.name, record.source, record.location) == (NAME, "import", str(path))
    assert record.converted == (form == "checkpoint")
    assert (record.checkpoint, record.num_labels) == ("rgb_scratch", 400)
    assert entries_of_the_cache() == {NAME}
    local = find_model(NAME)
    assert (local.source, local.directory, local.notes) == ("import", installed.directory, ())


@pytest.mark.slow
def test_the_folder_that_i3d_model_path_prints_can_be_imported_elsewhere(
    models: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = import_model(models.archive("unknown"), name=NAME)
    assert first.record.checkpoint is None
    assert "is unofficial" in find_model(NAME).notes[0]
    carried = shutil.copytree(first.directory, tmp_path / "stick")
    monkeypatch.setenv("I3D_CACHE_DIR", str(tmp_path / "other machine"))
    second = import_model(carried)
    assert second.directory == tmp_path / "other machine" / "models" / NAME
    assert second.record.location == str(carried)
    assert second.record.files == first.record.files
    assert "model.json" not in second.record.files


@pytest.mark.slow
@pytest.mark.parametrize(
    ("checkpoint", "name", "num_labels"),
    [("rgb_scratch", NAME, 400), ("rgb_scratch_kin600", "i3d-kinetics-600", 600)],
)
def test_deepminds_other_rgb_checkpoints_are_known(
    checkpoint: str, name: str, num_labels: int, models: ModelFiles
) -> None:
    record = import_model(models.checkpoint(checkpoint)).record
    assert (record.name, record.checkpoint) == (name, checkpoint)
    assert record.num_labels == num_labels


@pytest.mark.slow
@posix_only
def test_a_read_only_folder_gives_files_of_the_umasks_mode(
    models: ModelFiles, tmp_path: Path
) -> None:
    source = shutil.copytree(models.module(), tmp_path / "source")
    paths = [source, *source.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o400)
    mask = os.umask(0o027)
    try:
        installed = import_model(source)
    finally:
        os.umask(mask)
        for path in paths:
            path.chmod(0o755)
    assert modes_below(installed.directory) == {"folder": {0o750}, "file": {0o640}}


def modes_below(folder: Path) -> dict[str, set[int]]:
    """Permissions of a folder and all folders in it, and of all files in it."""
    paths = [folder, *folder.rglob("*")]
    return {
        "folder": {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()},
        "file": {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()},
    }


@pytest.mark.slow
@posix_only
def test_a_converted_checkpoint_has_the_umasks_mode(models: ModelFiles) -> None:
    mask = os.umask(0o027)
    try:
        installed = import_model(models.checkpoint())
    finally:
        os.umask(mask)
    assert modes_below(installed.directory) == {"folder": {0o750}, "file": {0o640}}


# What is refused


def refusal(path: Path, name: str | None = None) -> ModelLoadError:
    """The error with which a path is refused."""
    with pytest.raises(ModelLoadError) as caught:
        import_model(path, name=name)
    assert caught.value.message.startswith(f"The model {path} cannot be used: ")
    assert caught.value.hint
    assert ".fetching-" not in caught.value.message
    assert entries_of_the_cache() == set()
    return caught.value


def reason(error: ModelLoadError) -> str:
    """What comes behind the path."""
    return error.message.partition(" cannot be used: ")[2]


def test_an_empty_path_is_told() -> None:
    with pytest.raises(UsageError, match="without a name"):
        import_model("")


@posix_only
def test_a_pipe_or_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert reason(refusal(path)) == "it is neither a file nor a folder."


def test_a_folder_that_holds_the_cache_is_refused(
    models: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = shutil.copytree(models.small_module(), tmp_path / "module")
    monkeypatch.setenv("I3D_CACHE_DIR", str(module / "cache"))
    assert "i3d's cache lies in it" in reason(refusal(module))


class Impatient(NoProgress):
    """Somebody who must not be told to wait."""

    def note(self, sentence: str) -> None:
        raise AssertionError(sentence)


def test_an_import_waits_for_nobody(models: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_which", lambda _: CATALOG[NAME])
    monkeypatch.setattr(
        importing, "check_and_install", lambda scratch, *_, **__: install(scratch, RECORD)
    )
    with lock(NAME, NO_PROGRESS):
        installed = import_model(models.small_module(), progress=Impatient())
    assert installed.directory == models_dir() / NAME


def test_what_is_not_there_or_no_model(tmp_path: Path) -> None:
    assert reason(refusal(tmp_path / "gone")) == "there is no such file or folder."
    assert reason(refusal(Path(__file__) / "x")) == "there is no such file or folder."
    (tmp_path / "empty").mkdir()
    error = refusal(tmp_path / "empty")
    assert "it holds neither saved_model.pb nor a TensorFlow checkpoint" in reason(error)
    assert "the folder of a checkpoint" in str(error.hint)
    refusal(Path("x" * 5000))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty."),
        (b"noise" * 1000, "it is not a whole tar or zip archive."),
        (
            b"<!doctype html><p>Sign in",
            "it is not a whole tar or zip archive (it looks like a web page).",
        ),
    ],
)
def test_a_file_that_is_no_archive(content: bytes, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "1.tar.gz"
    file.write_bytes(content * (512 // len(content) + 1) if content else b"")
    assert reason(refusal(file)) == expected


@pytest.mark.parametrize("missing", [DATA, "model.ckpt.index"])
def test_half_a_checkpoint_is_told(missing: str, copy: Path) -> None:
    (copy / missing).unlink()
    assert "nor a TensorFlow checkpoint" in reason(refusal(copy))


def test_a_damaged_checkpoint_is_refused(copy: Path) -> None:
    flip_byte(copy / DATA, 123_456)
    assert reason(refusal(copy)).endswith("is damaged (CRC-32C).")
    os.truncate(copy / DATA, 123_456)
    assert "is cut off: it has 123456 of 50818176 bytes." in reason(refusal(copy))


def test_a_flow_checkpoint_is_refused(models: ModelFiles) -> None:
    assert reason(refusal(models.checkpoint("flow_imagenet"))) == (
        "it is flow_imagenet, which sees optical flow, and i3d feeds RGB frames."
    )


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "other", changes={"Logits/Conv3d_0c_1x1/conv_3d/b": None})
    assert reason(refusal(tmp_path / "other")) == (
        "it is not a checkpoint of DeepMind's I3D: its tensors have other names or shapes."
    )


def test_the_name_that_was_given_must_be_right(models: ModelFiles) -> None:
    error = refusal(models.module(), "i3d-kinetics-600")
    assert reason(error) == (
        "it is rgb_scratch, which i3d calls i3d-kinetics-400, not i3d-kinetics-600."
    )


def test_a_model_that_has_no_name_is_to_be_used_where_it_lies(
    models: ModelFiles, tmp_path: Path
) -> None:
    others = [models.small_module(), package_data_dir() / "camera-motion"]
    for path in (*others, write_tf2(tmp_path / "tf2")):
        error = refusal(path)
        assert reason(error) == "it is none of the models that i3d knows by name."
        assert error.hint == "Use it where it lies: --model DIR"


def test_a_packaged_or_unknown_name_is_refused(models: ModelFiles) -> None:
    with pytest.raises(ModelLoadError, match="camera-motion ships with i3d"):
        import_model(models.small_module(), name="camera-motion")
    with pytest.raises(UnknownNameError, match="no model named 'i3d'"):
        import_model(models.small_module(), name="i3d")


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder, open to all users, with the cache in it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        monkeypatch.setenv("I3D_CACHE_DIR", f"{folder}/cache")
        models_dir().mkdir(parents=True)
        models_dir().chmod(0o777)
        yield Path(folder)


@posix_only
def test_what_cannot_be_read_is_told(models: ModelFiles, open_folder: Path) -> None:
    module = shutil.copytree(models.small_module(), open_folder / "module")
    with closed(module):
        assert reason(refusal(module)) == "it cannot be read: Permission denied."
    with closed(module / "saved_model.pb"):
        assert reason(refusal(module)) == "saved_model.pb cannot be read: Permission denied."
    with closed(module / "variables"):
        assert reason(refusal(module)) == "variables cannot be read: Permission denied."
    archive = pack(module, open_folder / "1.tar.gz")
    with closed(archive), pytest.raises(CacheError, match=r"1\.tar\.gz cannot be read"):
        import_model(archive)
    with closed(archive), pytest.raises(ModelLoadError, match="cannot be read: Permission"):
        find_model(str(archive))


def test_a_full_disk_leaves_nothing(models: ModelFiles) -> None:
    for path in (models.archive(), models.module()):
        with (
            largest_file(10_000_000),
            pytest.raises(CacheError, match="cannot be written") as (caught),
        ):
            import_model(path)
        assert "I3D_CACHE_DIR" in str(caught.value.hint)
        assert entries_of_the_cache() == set()


@pytest.mark.slow
def test_a_full_disk_in_a_conversion_leaves_nothing(models: ModelFiles) -> None:
    with largest_file(10_000_000), pytest.raises(CacheError, match="cannot be written") as caught:
        import_model(models.checkpoint())
    assert "I3D_CACHE_DIR" in str(caught.value.hint)
    assert entries_of_the_cache() == set()


@pytest.mark.slow
def test_a_failed_import_leaves_the_model_that_was_there(
    models: ModelFiles, tmp_path: Path
) -> None:
    import_model(models.archive())
    before = find_model(NAME)
    broken = shutil.copytree(models.module(), tmp_path / "broken")
    flip_byte(broken / "variables" / "variables.data-00000-of-00001", 1)
    with pytest.raises(ModelLoadError, match="is damaged"):
        import_model(broken)
    assert find_model(NAME) == before


# --model FILE


def test_an_archive_is_unpacked_once_and_known_again_by_its_content(
    models: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = models.small_archive()
    local = find_model(str(archive))
    assert (local.name, local.spec, local.source) == (str(archive), None, "archive")
    assert local.directory.parent == models_dir()
    assert local.record is not None
    assert local.record.name.startswith("sha256:")
    assert local.record.location == str(archive)
    assert local.record.num_labels == 5

    def fail(*_: object) -> None:
        raise AssertionError("unpacked again")

    with monkeypatch.context() as patch:
        patch.setattr(importing, "unpack_model", fail)
        assert find_model(str(archive)) == local
        renamed = shutil.copy(archive, tmp_path / "other name")
        assert find_model(str(renamed)).directory == local.directory

    (local.directory / "saved_model.pb").unlink()
    assert (find_model(str(archive)).directory / "saved_model.pb").is_file(), "it heals"
    assert open_installed(local.record.name) is not None
    assert entries_of_the_cache() == {folder_of(local.record.name).name}


def test_a_file_that_is_no_archive_of_a_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(b"noise" * 1000)
    with pytest.raises(ModelLoadError) as caught:
        find_model(str(file))
    assert caught.value.message == (
        f"The model {file} cannot be used: it is not a whole tar or zip archive."
    )
    assert caught.value.hint == (
        "Give a folder that holds saved_model.pb and variables/, or an archive of one."
    )
    assert entries_of_the_cache() == set()
