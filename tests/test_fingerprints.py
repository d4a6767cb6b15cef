"""Published checkpoints are known by their tensors, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from i3d.errors import CheckpointError, ModelLoadError
from i3d.models.checkpoints import Checkpoint, num_parameters, open_checkpoint
from i3d.models.deepmind import published, repository, sample_outputs
from i3d.models.labels import load_labels
from i3d.models.published import (
    canonical_name,
    canonical_shape,
    git_blob_sha1,
    identify,
    network_tensors,
    weights_fingerprint,
)

from checkpoint_files import (
    Entry,
    index_entries,
    index_table,
    random_weights,
    write_bundle,
    write_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPMINDS_INDEX = Path(__file__).parent / "data" / "rgb_imagenet.model.ckpt.index"
NAMES = ["rgb_imagenet", "rgb_scratch", "rgb_scratch_kin600", "flow_imagenet", "flow_scratch"]
FIRST = "Conv3d_1a_7x7/conv_3d/w"
BIAS = "Logits/Conv3d_0c_1x1/conv_3d/b"


@pytest.fixture(scope="module")
def rgb_imagenet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoint]:
    """A checkpoint with other numbers than rgb_imagenet, but with its checksums."""
    folder = tmp_path_factory.mktemp("rgb_imagenet")
    yield open_checkpoint(write_checkpoint(folder, "rgb_imagenet", published_checksums=True))
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _leave_nothing_large(tmp_path: Path) -> Iterator[None]:
    """Pytest keeps the folders of the last runs, and a checkpoint takes 50 MB."""
    yield
    shutil.rmtree(tmp_path)


def small(numbers: dict[str, np.ndarray], directory: Path, scope: str = "") -> Checkpoint:
    """A checkpoint of a few tensors."""
    tensors = {scope + name: array for name, array in numbers.items()}
    return open_checkpoint(write_bundle(directory / "small", tensors))


@pytest.mark.parametrize("name", NAMES)
def test_the_published_data_is_whole(name: str) -> None:
    checkpoint = published()[name]
    assert list(published()) == NAMES
    assert checkpoint.name == name
    assert len(checkpoint.tensors) == 230
    assert checkpoint.tensors.keys() == published()["rgb_imagenet"].tensors.keys()
    assert checkpoint.num_labels == (600 if name == "rgb_scratch_kin600" else 400)
    assert checkpoint.tensors[BIAS][1] == (checkpoint.num_labels,)
    channels = 2 if name.startswith("flow") else 3
    assert checkpoint.tensors[FIRST][1] == (7, 7, 7, channels, 64)
    assert f"Kinetics-{checkpoint.num_labels}" in checkpoint.title
    assert ("optical-flow" in checkpoint.title) == name.startswith("flow")
    assert ("ImageNet" in checkpoint.title) == name.endswith("imagenet")
    assert set(checkpoint.files) == {
        f"data/checkpoints/{name}/{file}"
        for file in (
            "checkpoint",
            "model.ckpt.data-00000-of-00001",
            "model.ckpt.index",
            "model.ckpt.meta",
        )
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rgb_scratch_kin600"])
def test_names_shapes_and_checksums_give_the_published_index(name: str, tmp_path: Path) -> None:
    # That of Kinetics-600 lists an optimizer's tensors, too, whose checksums are not known here.
    checkpoint = published()[name]
    entries = []
    offset = 0
    for tensor, (crc32c, shape) in checkpoint.tensors.items():
        num_bytes = 4 * math.prod(shape)
        entries.append(Entry(checkpoint.prefix + tensor, 1, shape, 0, offset, num_bytes, crc32c))
        offset += num_bytes
    index = tmp_path / "model.ckpt.index"
    index.write_bytes(index_table(index_entries(entries)))
    assert git_blob_sha1(index) == checkpoint.files[f"data/checkpoints/{name}/model.ckpt.index"]


def test_the_repository_is_named_with_its_files() -> None:
    assert repository().name == "google-deepmind/kinetics-i3d"
    assert repository().licence == "Apache-2.0"
    assert len(repository().commit) == 40
    files = repository().files
    assert all(len(blob) == 40 for blob in files.values())
    assert all(checkpoint.files.items() <= files.items() for checkpoint in published().values())
    for file, name in [("label_map.txt", "kinetics-400"), ("label_map_600.txt", "kinetics-600")]:
        content = "".join(f"{label}\n" for label in load_labels(name)).encode()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert files[f"data/{file}"] == blob


def test_the_published_outputs_agree_with_themselves() -> None:
    outputs = sample_outputs()
    assert outputs.norm_of_logits == 87.108871
    assert outputs.checkpoint in published()
    assert repository().files[outputs.clip] == outputs.clip_git_sha1
    assert len(outputs.top) == 20
    assert outputs.top[0] == (0.9999968, 25.856646, "playing cricket")
    assert {label for _, _, label in outputs.top} <= set(load_labels("kinetics-400"))
    # Probabilities are a softmax: their ratios are those of the logits.
    best_probability, best_logit, _ = outputs.top[0]
    for probability, logit, _ in outputs.top:
        expected = best_probability * math.exp(logit - best_logit)
        assert probability == pytest.approx(expected, rel=1e-4)
    assert math.sqrt(sum(logit**2 for _, logit, _ in outputs.top)) < outputs.norm_of_logits


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w", FIRST),
        ("module/RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w", FIRST),
        (FIRST, FIRST),
        ("Flow/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b", BIAS),
        (
            "RGB/inception_i3d/Mixed_5b/Branch_2/Conv3d_0a_3x3/batch_norm/beta",
            "Mixed_5b/Branch_2/Conv3d_0a_3x3/batch_norm/beta",
        ),
        ("RGB/Logits_2/w", "RGB/Logits_2/w"),
        ("global_step", "global_step"),
    ],
)
def test_scopes_around_the_network_do_not_count(name: str, expected: str) -> None:
    assert canonical_name(name) == expected


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("Mixed_3b/batch_norm/beta", (1, 1, 1, 1, 8), (8,)),
        ("Mixed_3b/batch_norm/beta", (8,), (8,)),
        ("Mixed_3b/batch_norm/beta", (1, 1, 1, 2, 8), (1, 1, 1, 2, 8)),
        ("Mixed_3b/conv_3d/w", (1, 1, 1, 1, 8), (1, 1, 1, 1, 8)),
    ],
)
def test_batch_norm_is_one_number_a_channel(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert canonical_shape(name, shape) == expected


def test_a_published_checkpoint_is_identified(rgb_imagenet: Checkpoint) -> None:
    found = identify(rgb_imagenet)
    assert found.checkpoint == found.closest == "rgb_imagenet"
    assert found.num_equal == found.num_expected == 230
    assert found.architecture_matches
    assert found.different == found.missing == found.wrong_shape == found.damaged == ()
    index = rgb_imagenet.prefix.with_name("model.ckpt.index")
    assert index.read_bytes() == DEEPMINDS_INDEX.read_bytes()


def test_the_kinetics_600_checkpoint_is_identified_in_either_form(tmp_path: Path) -> None:
    like = "rgb_scratch_kin600"
    original = open_checkpoint(write_checkpoint(tmp_path / "a", like, published_checksums=True))
    assert original.read("Conv3d_1a_7x7/batch_norm/beta").shape == (1, 1, 1, 1, 64)
    assert "Conv3d_1a_7x7/conv_3d/w/Momentum" in original.tensors
    assert identify(original).checkpoint == like
    # As in a Hub module: with a scope, batch norm's tensors as vectors, no optimizer.
    weights = {
        f"module/RGB/inception_i3d/{canonical}": np.squeeze(original.read(name))
        if "batch_norm" in name
        else original.read(name)
        for canonical, name in network_tensors(original).items()
    }
    module = open_checkpoint(write_bundle(tmp_path / "module", weights))
    assert identify(module).checkpoint == like
    assert weights_fingerprint(module) == weights_fingerprint(original)
    assert num_parameters(module) == 12_909_544


def test_other_weights_of_the_same_network_are_told_of(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path, "rgb_scratch"))
    found = identify(checkpoint)
    assert found.checkpoint is None
    assert found.closest == "rgb_imagenet"  # the first of those that are equally alike
    assert found.num_equal == 0
    assert found.architecture_matches
    assert len(found.different) == 230


def test_other_weights_are_closest_to_those_of_the_same_shapes(tmp_path: Path) -> None:
    found = identify(open_checkpoint(write_checkpoint(tmp_path, "flow_scratch", seed=1)))
    assert found.closest == "flow_imagenet"
    assert found.architecture_matches


@pytest.mark.parametrize(
    ("bias", "what"), [(None, "missing"), (np.zeros(101, np.float32), "wrong_shape")]
)
def test_one_tensor_that_does_not_fit_makes_another_architecture(
    tmp_path: Path, bias: np.ndarray | None, what: str
) -> None:
    found = identify(open_checkpoint(write_checkpoint(tmp_path, changes={BIAS: bias})))
    assert found.closest == "rgb_imagenet"
    assert getattr(found, what) == (BIAS,)
    assert not found.architecture_matches


def test_a_published_checkpoint_with_changes_is_told_from_it(
    rgb_imagenet: Checkpoint, tmp_path: Path
) -> None:
    missing = "Mixed_4c/Branch_1/Conv3d_0a_1x1/batch_norm/moving_mean"
    halved = "Mixed_3b/Branch_0/Conv3d_0a_1x1/conv_3d/w"
    weights = {name: rgb_imagenet.read(name) for name in rgb_imagenet.tensors}
    scope = published()["rgb_imagenet"].prefix
    weights[scope + FIRST] = weights[scope + FIRST] + np.float32(1)
    weights[scope + BIAS] = np.zeros(101, np.float32)
    weights[scope + halved] = weights[scope + halved].astype(np.float16)
    del weights[scope + missing]
    found = identify(open_checkpoint(write_bundle(tmp_path / "changed", weights)))
    assert found.checkpoint is None
    assert found.closest == "rgb_imagenet"
    assert found.num_equal == 226
    assert found.different == (FIRST,)
    assert found.wrong_shape == (BIAS, halved)
    assert found.missing == (missing,)
    assert not found.architecture_matches
    assert found.damaged == ()


def test_most_equal_tensors_make_the_closest(rgb_imagenet: Checkpoint, tmp_path: Path) -> None:
    # Shapes of Kinetics-600, but one tensor of rgb_imagenet.
    name = published()["rgb_imagenet"].prefix + FIRST
    changes = {FIRST: rgb_imagenet.read(name)}
    other = write_checkpoint(tmp_path, "rgb_scratch_kin600", changes=changes, momentum=False)
    found = identify(open_checkpoint(other))
    assert (found.closest, found.num_equal) == ("rgb_imagenet", 1)
    assert len(found.wrong_shape) == 2  # the logits


def test_what_the_index_claims_does_not_count(tmp_path: Path) -> None:
    prefix = write_checkpoint(tmp_path)
    (tmp_path / "model.ckpt.index").write_bytes(DEEPMINDS_INDEX.read_bytes())
    found = identify(open_checkpoint(prefix))
    assert found.checkpoint is None
    assert found.num_equal == 0
    assert len(found.damaged) == 230


def test_one_wrong_byte_is_one_damaged_tensor(rgb_imagenet: Checkpoint, tmp_path: Path) -> None:
    prefix = tmp_path / "model.ckpt"
    for suffix in (".index", ".data-00000-of-00001"):
        source = rgb_imagenet.prefix.with_name(f"model.ckpt{suffix}")
        prefix.with_name(f"model.ckpt{suffix}").write_bytes(source.read_bytes())
    scope = published()["rgb_imagenet"].prefix
    tensor = rgb_imagenet.tensors[scope + BIAS]
    with (tmp_path / "model.ckpt.data-00000-of-00001").open("r+b") as file:
        file.seek(tensor.offset + tensor.num_bytes - 1)
        last = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([last ^ 1]))
    checkpoint = open_checkpoint(prefix)
    found = identify(checkpoint)
    assert found.checkpoint is None
    assert found.num_equal == 229
    assert found.different == (BIAS,)
    assert found.damaged == (scope + BIAS,)
    assert weights_fingerprint(checkpoint) != weights_fingerprint(rgb_imagenet)


def test_another_network_is_like_none(tmp_path: Path) -> None:
    checkpoint = small({"dense/kernel": np.ones((3, 4), np.float32)}, tmp_path)
    found = identify(checkpoint)
    assert found.checkpoint is found.closest is None
    assert found.num_expected == 230
    assert found.num_equal == 0
    assert not found.architecture_matches
    few = {name: np.zeros(1, np.float32) for name in list(published()["rgb_imagenet"].tensors)}
    assert identify(small(few, tmp_path)).closest == "rgb_imagenet"
    fewer = dict(list(few.items())[:114])
    assert identify(small(fewer, tmp_path)).closest is None


def test_of_several_networks_the_whole_one_in_the_shortest_scope_counts(tmp_path: Path) -> None:
    names = list(published()["rgb_imagenet"].tensors)
    numbers = np.zeros(1, np.float32)
    tensors = {f"A/{name}": numbers for name in names[1:]}
    for scope in ("Flow/inception_i3d/", "RGB/inception_i3d/", "Average/RGB/inception_i3d/"):
        tensors |= {scope + name: numbers for name in names}
    checkpoint = small(tensors, tmp_path)
    assert network_tensors(checkpoint) == {name: f"RGB/inception_i3d/{name}" for name in names}
    assert network_tensors(small({"x": numbers}, tmp_path)) == {}


def test_the_fingerprint_is_of_the_network_alone(rgb_imagenet: Checkpoint, tmp_path: Path) -> None:
    lines = [
        f"{crc32c:08x} {'x'.join(map(str, shape))} {name}\n"
        for name, (crc32c, shape) in published()["rgb_imagenet"].tensors.items()
    ]
    expected = f"sha256:{hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()}"
    assert weights_fingerprint(rgb_imagenet) == expected
    weights = {canonical_name(name): rgb_imagenet.read(name) for name in rgb_imagenet.tensors}
    extra = {"global_step": np.array(3, np.int64), f"{FIRST}/Momentum": weights[FIRST]}
    checkpoint = small(weights | extra, tmp_path, scope="module/")
    assert weights_fingerprint(checkpoint) == expected


def test_the_fingerprint_of_another_network_is_of_its_float_tensors(tmp_path: Path) -> None:
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    base = weights_fingerprint(small({"a": kernel, "step": np.array(1)}, tmp_path))
    assert base.startswith("sha256:")
    assert len(base) == 7 + 64
    assert weights_fingerprint(small({"a": kernel, "step": np.array(2)}, tmp_path)) == base
    for changed in (
        {"a": kernel + 1},
        {"b": kernel},
        {"a": kernel.T.copy()},
        {"a": kernel.ravel()},
    ):
        assert weights_fingerprint(small(changed, tmp_path)) != base


def test_no_fingerprint_without_the_bytes(tmp_path: Path) -> None:
    checkpoint = small({"a": np.ones(100, np.float32)}, tmp_path)
    (tmp_path / "small.data-00000-of-00001").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="a is missing"):
        weights_fingerprint(checkpoint)


def test_git_blob_ids_are_gits(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert git_blob_sha1(file) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    file.write_bytes(b"what is up, doc?")  # the example in the book Pro Git, section 10.2
    assert git_blob_sha1(file) == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
    file.write_bytes(bytes(3 * 2**20))
    content = b"blob 3145728\0" + bytes(3 * 2**20)
    assert git_blob_sha1(file) == hashlib.sha1(content).hexdigest()
    expected = published()["rgb_imagenet"].files["data/checkpoints/rgb_imagenet/model.ckpt.index"]
    assert git_blob_sha1(DEEPMINDS_INDEX) == expected
    with pytest.raises(ModelLoadError, match="cannot be read"):
        git_blob_sha1(tmp_path / "missing")


def test_what_is_no_file_has_no_git_blob_id(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="cannot be read: it is not a regular file"):
        git_blob_sha1(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # reading it would wait for somebody who writes
        for path in (tmp_path / "pipe", Path("/dev/zero")):
            with pytest.raises(ModelLoadError, match="cannot be read: it is not a regular file"):
                git_blob_sha1(path)


def test_random_weights_are_the_same_for_the_same_seed() -> None:
    first, second, other = (random_weights("rgb_imagenet", seed) for seed in (0, 0, 1))
    for name in (FIRST, BIAS):
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.array_equal(first[name], other[name])
