"""Checkpoints are read as TensorFlow reads them, and damaged ones give an error."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import i3d
from i3d.errors import CheckpointError
from i3d.models.checkpoint_index import MAX_INDEX_BYTES, MAX_NAME_BYTES, decompress
from i3d.models.checkpoints import Checkpoint, checkpoint_prefix, num_parameters, open_checkpoint
from i3d.models.deepmind import published
from i3d.models.published import canonical_name

from checkpoint_files import (
    TYPE_NUMBERS,
    Entry,
    block_of,
    index_entries,
    index_table,
    table_of_blocks,
    varint,
    write_bundle,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEEPMINDS_INDEX = Path(__file__).parent / "data" / "rgb_imagenet.model.ckpt.index"

TENSORS: dict[str, NDArray[Any]] = {
    "a/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a/kernel/Momentum": np.full((2, 3, 4), 0.5, np.float32),
    "b/empty": np.zeros((0, 5), np.float32),
    "b/wide": np.linspace(0, 1, 1000),
    "global_step": np.array(115_000, np.int64),
}


def damaged(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The tensors whose bytes are not those that the index describes."""
    found = checkpoint.checksums().items()
    return tuple(sorted(name for name, crc in found if crc != checkpoint.tensors[name].crc32c))


def write_index(directory: Path, index: bytes, data: bytes = b"") -> Path:
    prefix = directory / "model.ckpt"
    prefix.with_name("model.ckpt.index").write_bytes(index)
    prefix.with_name("model.ckpt.data-00000-of-00001").write_bytes(data)
    return prefix


def one_entry(
    type_number: int = 1,
    shape: tuple[int, ...] = (4,),
    num_bytes: int = 16,
    *,
    name: str = "x",
    offset: int = 0,
    shard: int = 0,
) -> Entry:
    return Entry(name, type_number, shape, shard, offset, num_bytes, 0)


def test_deepminds_index_is_read(tmp_path: Path) -> None:
    expected = published()["rgb_imagenet"]
    prefix = write_index(tmp_path, DEEPMINDS_INDEX.read_bytes())
    with prefix.with_name("model.ckpt.data-00000-of-00001").open("r+b") as file:
        file.truncate(50_818_176)
    checkpoint = open_checkpoint(prefix)
    assert checkpoint.num_shards == 1
    assert {name: (tensor.crc32c, tensor.shape) for name, tensor in checkpoint.tensors.items()} == {
        expected.prefix + name: described for name, described in expected.tensors.items()
    }
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {"float32"}
    assert sum(tensor.num_bytes for tensor in checkpoint.tensors.values()) == 50_818_176
    assert num_parameters(checkpoint) == 50_818_176 // 4
    assert all(tensor.name == name for name, tensor in checkpoint.tensors.items())


def test_the_packaged_models_checkpoint_is_whole() -> None:
    prefix = checkpoint_prefix(Path(i3d.__file__).parent / "data" / "camera-motion")
    assert prefix is not None
    checkpoint = open_checkpoint(prefix)
    assert num_parameters(checkpoint) > 10_000
    assert damaged(checkpoint) == ()


@pytest.mark.parametrize("num_shards", [1, 3])
@pytest.mark.parametrize("block_bytes", [2**18, 40])
def test_what_was_written_is_read(tmp_path: Path, num_shards: int, block_bytes: int) -> None:
    prefix = write_bundle(tmp_path / "x", TENSORS, num_shards=num_shards, block_bytes=block_bytes)
    checkpoint = open_checkpoint(prefix)
    assert list(checkpoint.tensors) == list(TENSORS)
    assert checkpoint.num_shards == num_shards
    for name, expected in TENSORS.items():
        found = checkpoint.read(name)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape == checkpoint.tensors[name].shape
        np.testing.assert_array_equal(found, expected)
    assert damaged(checkpoint) == ()


@pytest.mark.parametrize("tag", [0, 1, 2, 3])
@pytest.mark.parametrize("block_bytes", [2**18, 400])
def test_an_index_that_is_compressed_is_read(tmp_path: Path, tag: int, block_bytes: int) -> None:
    tensors = {f"layer/{i:03d}/weights": np.full(i, i, np.float32) for i in range(200)}
    plain = write_bundle(tmp_path / "plain", tensors, block_bytes=block_bytes)
    prefix = write_bundle(tmp_path / "x", tensors, block_bytes=block_bytes, snappy_tag=tag)
    sizes = [path.with_name(f"{path.name}.index").stat().st_size for path in (prefix, plain)]
    assert sizes[0] < sizes[1] or tag == 0, "it is compressed"
    checkpoint = open_checkpoint(prefix)
    assert checkpoint.tensors == open_checkpoint(plain).tensors
    assert damaged(checkpoint) == ()


@pytest.mark.parametrize(
    ("packed", "unpacked"),
    [
        (b"\x0c\x04ab\x19\x02", b"ab" * 6),  # a copy that overlaps what it makes
        (b"\x07\x00a\x16\x01\x00", b"a" * 7),
        (b"\x07\x00a\x17\x01\x00\x00\x00", b"a" * 7),
        (b"\x00", b""),
        (b"\x46\xf0\x45" + b"z" * 70, b"z" * 70),
        (b"\x02\xfc\x01\x00\x00\x00zz", b"zz"),
    ],
)
def test_snappy_as_its_description_has_it(packed: bytes, unpacked: bytes) -> None:
    assert decompress(packed, 100) == unpacked


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\x80\x80\x80\x80\x08", "declares 2147483648 bytes"),
        (b"\x04\x0cab", "is cut off"),
        (b"\x04\xfc\xff\xff\xff\xffab", "is cut off"),
        (b"\x08\x00a\x01", "is cut off"),
        (b"\x08\x00a\x16\x01", "is cut off"),
        (b"\x08\x00a\x16\x00\x00", "copies what it does not hold"),
        (b"\x08\x00a\x16\x02\x00", "copies what it does not hold"),
        (b"\x03\x00a\x16\x01\x00", "holds more than it declares"),
        (b"\x08\x00a\x16\x01\x00", "holds less than it declares"),
        (b"", "cut off or too large"),
    ],
)
def test_a_compressed_block_that_makes_no_sense_is_refused(
    tmp_path: Path, packed: bytes, reason: str
) -> None:
    prefix = write_index(tmp_path, table_of_blocks([packed], [b"x"], 1))
    with pytest.raises(CheckpointError, match=reason):
        open_checkpoint(prefix)


def test_blocks_that_grow_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{'x' * 900}/{i}" for i in range(20)]
    prefix = write_bundle(
        tmp_path / "x", {name: np.zeros(1) for name in names}, block_bytes=1000, snappy_tag=2
    )
    monkeypatch.setattr("i3d.models.checkpoint_index.MAX_INDEX_BYTES", 8000)
    assert prefix.with_name("x.index").stat().st_size < 8000
    with pytest.raises(CheckpointError, match="a compressed block declares"):
        open_checkpoint(prefix)


@pytest.mark.parametrize("dtype", list(TYPE_NUMBERS))
def test_every_type_of_numpy_is_read(tmp_path: Path, dtype: str) -> None:
    numbers = np.array([[0, 1, 100]]).astype(dtype)
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", {"a": numbers}))
    assert checkpoint.tensors["a"].dtype == dtype
    assert checkpoint.read("a").dtype == np.dtype(dtype)
    np.testing.assert_array_equal(checkpoint.read("a"), numbers)


def test_an_array_that_was_read_may_be_changed(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", TENSORS))
    checkpoint.read("a/kernel")[:] = -1
    np.testing.assert_array_equal(checkpoint.read("a/kernel"), TENSORS["a/kernel"])


def test_parameters_are_the_numbers_in_float_tensors(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", TENSORS))
    assert num_parameters(checkpoint) == 24 + 24 + 0 + 1000


@pytest.mark.parametrize("name", ["a/kernel", "a/kernel/Momentum", "b/wide", "global_step"])
@pytest.mark.parametrize("last", [False, True])
def test_one_wrong_byte_is_found_in_its_tensor_and_no_other(
    tmp_path: Path, name: str, last: bool
) -> None:
    prefix = write_bundle(tmp_path / "x", TENSORS, num_shards=2)
    checkpoint = open_checkpoint(prefix)
    tensor = checkpoint.tensors[name]
    path = tmp_path / f"x.data-0000{tensor.shard}-of-00002"
    data = bytearray(path.read_bytes())
    data[tensor.offset + (tensor.num_bytes - 1 if last else 0)] ^= 0x10
    path.write_bytes(data)
    assert damaged(checkpoint) == (name,)
    with pytest.raises(CheckpointError, match=f"tensor {name} .* is damaged") as caught:
        checkpoint.read(name)
    assert str(prefix) in str(caught.value)
    for other in set(TENSORS) - {name}:
        checkpoint.read(other)


def test_tensors_longer_than_a_chunk_are_checked_to_their_end(tmp_path: Path) -> None:
    numbers = {"a": np.arange(700_000, dtype=np.float32), "b": np.ones(3, np.float32)}
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", numbers))
    assert damaged(checkpoint) == ()
    np.testing.assert_array_equal(checkpoint.read("a"), numbers["a"])
    path = tmp_path / "x.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[2_700_000] ^= 1
    path.write_bytes(data)
    assert damaged(checkpoint) == ("a",)


def test_a_data_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    prefix = write_bundle(tmp_path / "x", TENSORS)
    path = tmp_path / "x.data-00000-of-00001"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match=r"is cut off: it has 8199 of 8200 bytes") as caught:
        open_checkpoint(prefix)
    assert str(path) in str(caught.value)


def test_bytes_that_vanish_after_opening_are_told_of(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", TENSORS))
    path = tmp_path / "x.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:200])
    assert damaged(checkpoint) == ("b/wide", "global_step")
    assert checkpoint.checksums(["b/wide"]) == {"b/wide": None}
    with pytest.raises(CheckpointError, match=r"tensor b/wide .* is damaged"):
        checkpoint.read("b/wide")
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.read("a/kernel")
    with pytest.raises(CheckpointError, match="cannot be read"):
        damaged(checkpoint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.ckpt\.index is missing") as caught:
        open_checkpoint(tmp_path / "model.ckpt")
    assert caught.value.hint
    prefix = write_bundle(tmp_path / "x", TENSORS, num_shards=2)
    (tmp_path / "x.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match=r"x\.data-00001-of-00002 is missing"):
        open_checkpoint(prefix)
    (tmp_path / "x.index").unlink()
    (tmp_path / "x.index").mkdir()
    with pytest.raises(CheckpointError, match=r"x\.index is missing"):
        open_checkpoint(prefix)


def test_a_tensor_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_bundle(tmp_path / "x", TENSORS))
    with pytest.raises(CheckpointError, match="no tensor named 'a/kernle'"):
        checkpoint.read("a/kernle")


@pytest.mark.parametrize(
    ("type_number", "dtype"), [(14, "bfloat16"), (7, "string"), (11, "type 11"), (21, "variant")]
)
def test_types_that_numpy_lacks_are_listed_and_not_read(
    tmp_path: Path, type_number: int, dtype: str
) -> None:
    entry = one_entry(type_number, (2,), 4)
    prefix = write_index(tmp_path, index_table(index_entries([entry])), bytes(4))
    checkpoint = open_checkpoint(prefix)
    assert checkpoint.tensors["x"].dtype == dtype
    with pytest.raises(CheckpointError, match=f"of type {dtype.removeprefix('type ')}, which"):
        checkpoint.read("x")
    # Their checksums are wrong here; those of strings are not known to be.
    assert damaged(checkpoint) == (() if dtype in ("string", "variant") else ("x",))


def test_an_index_of_another_kind_is_refused_with_its_reason(tmp_path: Path) -> None:
    entries = index_entries([one_entry()])
    sliced = [entries[0], (b"x", one_entry().message() + b"\x3a\x02\x0a\x00")]
    slices = [entries[0], (b"\0\x01x\0\x01", one_entry().message())]
    big = index_entries([one_entry()], big_endian=True)
    for index, reason in [
        (index_table(entries, compression=2), "has an index that is compressed in another way"),
        (index_table(big), "holds big-endian numbers"),
        (index_table(sliced), "stores variables in slices"),
        (index_table(slices), "stores variables in slices"),
    ]:
        prefix = write_index(tmp_path, index, bytes(16))
        with pytest.raises(CheckpointError, match=f"{reason}.*, which i3d does not read") as caught:
            open_checkpoint(prefix)
        assert str(prefix) in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([one_entry(shape=(5,))], "size of 'x' does not fit its shape"),
        ([one_entry(shape=(-1 % 2**64,))], "shape of a tensor is unknown"),
        ([one_entry(shard=1)], "place of 'x' makes no sense"),
        ([one_entry(offset=-16 % 2**64)], "place of 'x' makes no sense"),
        ([one_entry(name="x" * (MAX_NAME_BYTES + 1))], "length of an entry makes no sense"),
        ([one_entry(offset=2**62)], "is cut off"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(
    tmp_path: Path, entries: list[Entry], reason: str
) -> None:
    prefix = write_index(tmp_path, index_table(index_entries(entries)), bytes(64))
    with pytest.raises(CheckpointError, match=reason):
        open_checkpoint(prefix)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs", b"<html>" * 100])
def test_a_file_that_is_no_index_is_told_from_one(tmp_path: Path, content: bytes) -> None:
    prefix = write_index(tmp_path, content)
    with pytest.raises(CheckpointError, match="does not end as an index does") as caught:
        open_checkpoint(prefix)
    assert caught.value.hint == "Fetch the model again."


def test_an_index_without_a_header_is_refused(tmp_path: Path) -> None:
    assert opens(write_index(tmp_path, index_table(index_entries([one_entry()])), bytes(16)))
    with pytest.raises(CheckpointError, match="it is empty"):
        open_checkpoint(write_index(tmp_path, table_of_blocks([], [])))
    for entries, reason in [
        (index_entries([one_entry()])[1:], "its header is missing"),
        ([(b"", b"")], "counts 0 data files"),
        ([(b"", b"\x08\x01"), (b"\xff", one_entry().message())], "is not text"),
    ]:
        prefix = write_index(tmp_path, index_table(entries), bytes(16))
        with pytest.raises(CheckpointError, match=reason):
            open_checkpoint(prefix)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x0a\x01\x01", "is garbled"),  # bytes where the type's number should be
        (b"\x10\x01", "is garbled"),  # a number where the shape should be
        (b"\x0b\x0c", "is garbled"),  # a group, which no message here has
        (b"\x12\x7f\x12\x00", "is cut off"),  # a shape longer than the message
        (b"\x35\x00\x00", "is cut off"),  # half a checksum
        (b"\x28", "a number in it is cut off"),  # a size without its value
        (b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "or too large"),  # 65 bits
        (b"\x28" + b"\x80" * 10 + b"\x00", "or too large"),  # eleven bytes
        (b"\x12\x02\x18\x01", "shape of a tensor is unknown"),
    ],
)
def test_a_garbled_description_is_refused(tmp_path: Path, message: bytes, reason: str) -> None:
    table = index_table([(b"", b"\x08\x01"), (b"x", message)])
    with pytest.raises(CheckpointError, match=reason):
        open_checkpoint(write_index(tmp_path, table, bytes(64)))


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"\x01\x00\x00" + bytes(4), "length of an entry"),  # shares a byte of no key
        (b"\x00\x00\x05\x08\x01" + bytes(4), "length of an entry"),  # its value is cut off
        (b"\x00\x00\x02\x08\x01" + b"\x02\x00\x00\x00", "block is too short"),
        (b"", "block is too short"),
        (b"\x00\x00", "block is too short"),
    ],
)
def test_a_garbled_block_is_refused(tmp_path: Path, block: bytes, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        open_checkpoint(write_index(tmp_path, table_of_blocks([block], [b"z"])))


@pytest.mark.parametrize("offset", [0, 30, 2**40])
def test_a_block_outside_the_file_is_refused(tmp_path: Path, offset: int) -> None:
    table = table_of_blocks([block_of([])], [b"z"])
    footer = b"\x00\x08" + varint(offset) + varint(2**20)
    table = table[:-48] + footer.ljust(40, b"\0") + table[-8:]
    with pytest.raises(CheckpointError, match="a block lies outside the file"):
        open_checkpoint(write_index(tmp_path, table))


def test_an_index_that_is_too_long_is_refused(tmp_path: Path) -> None:
    prefix = write_index(tmp_path, b"")
    with (tmp_path / "model.ckpt.index").open("r+b") as file:
        file.truncate(MAX_INDEX_BYTES + 1)
    with pytest.raises(CheckpointError, match="longer than 8 MB"):
        open_checkpoint(prefix)


def test_an_index_with_too_many_tensors_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i3d.models.checkpoint_index.MAX_TENSORS", 4)
    with pytest.raises(CheckpointError, match="more than 4 tensors"):
        open_checkpoint(write_bundle(tmp_path / "x", TENSORS))


def small_index() -> tuple[bytes, bytes]:
    """An index with two blocks, and the data that it describes."""
    entries = [one_entry(), one_entry(3, (2, 2), name="xyz", offset=16)]
    return index_table(index_entries(entries), block_bytes=20), bytes(32)


def opens(prefix: Path) -> bool:
    """Whether a checkpoint opens; anything but an error of i3d's is passed on."""
    try:
        checkpoint = open_checkpoint(prefix)
        damaged(checkpoint)
    except CheckpointError as error:
        return str(prefix.parent) not in error.message
    return True


def test_an_index_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    index, data = small_index()
    assert opens(write_index(tmp_path, index, data))
    for length in range(len(index)):
        assert not opens(write_index(tmp_path, index[:length], data)), length


def test_a_wrong_byte_anywhere_in_the_index_is_found_or_harmless(tmp_path: Path) -> None:
    index, data = small_index()
    expected = dict(open_checkpoint(write_index(tmp_path, index, data)).tensors)
    num_harmless = 0
    for i in range(len(index)):
        for flips in (0x01, 0x80, 0xFF):
            wrong = bytearray(index)
            wrong[i] ^= flips
            prefix = write_index(tmp_path, bytes(wrong), data)
            if opens(prefix):
                assert dict(open_checkpoint(prefix).tensors) == expected
                num_harmless += 1
    # The block of statistics, its handle and the footer's padding are not looked at.
    assert num_harmless < 3 * (8 + 5 + 40)


def test_rubbish_with_right_checksums_gives_no_other_error(tmp_path: Path) -> None:
    chance = random.Random(0)
    entries = index_entries([one_entry(), one_entry(3, (2, 2), name="xyz", offset=16)])
    block = block_of(entries)
    num_opened = 0
    for _ in range(600):
        mutated = bytearray(block)
        for _ in range(chance.choice([1, 1, 2, 8])):
            mutated[chance.randrange(len(mutated))] = chance.choice(
                [0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)]
            )
        if chance.random() < 0.2:
            del mutated[chance.randrange(len(mutated)) :]
        table = table_of_blocks([bytes(mutated)], [b"z"])
        num_opened += opens(write_index(tmp_path, table, bytes(32)))
    assert 0 < num_opened < 600


def test_the_checkpoint_of_a_folder_is_found(tmp_path: Path) -> None:
    assert checkpoint_prefix(tmp_path / "missing") is None
    assert checkpoint_prefix(tmp_path) is None
    (tmp_path / "alone.index").write_bytes(b"")
    assert checkpoint_prefix(tmp_path) is None
    write_bundle(tmp_path / "model.ckpt", TENSORS, num_shards=2)
    write_bundle(tmp_path / "._model.ckpt", TENSORS)
    assert checkpoint_prefix(tmp_path) == tmp_path / "model.ckpt"
    write_bundle(tmp_path / "model.ckpt-2", TENSORS)
    assert checkpoint_prefix(tmp_path) is None
    (tmp_path / "variables").mkdir()
    variables = write_bundle(tmp_path / "variables" / "variables", TENSORS)
    assert checkpoint_prefix(tmp_path) == variables
    assert checkpoint_prefix(tmp_path / "variables") == variables


def test_importing_the_reader_imports_nothing_heavy() -> None:
    program = (
        "import sys, i3d.models.checkpoints, i3d.models.published; "
        "assert not {'tensorflow', 'numpy', 'google_crc32c'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


def same_as_tensorflow(tf: Any, prefix: Path) -> dict[str, str]:
    """Compare a whole checkpoint with what TensorFlow reads; give its names and types."""
    reader = tf.train.load_checkpoint(str(prefix))
    checkpoint = open_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    assert {name: list(tensor.shape) for name, tensor in checkpoint.tensors.items()} == shapes
    for name, tensor in checkpoint.tensors.items():
        dtype = reader.get_variable_to_dtype_map()[name]
        assert tensor.dtype == dtype.name
        if tensor.dtype != "string":
            np.testing.assert_array_equal(checkpoint.read(name), reader.get_tensor(name))
    assert damaged(checkpoint) == ()
    return {name: tensor.dtype for name, tensor in checkpoint.tensors.items()}


@pytest.mark.slow
def test_a_tensorflow_1_checkpoint_is_read_as_tensorflow_reads_it(tf: Any, tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        chance = np.random.default_rng(0)
        for i in range(200):
            v1.get_variable(f"layer_{i}/w", initializer=chance.normal(size=(3, i + 1)))
        v1.get_variable("global_step", initializer=np.int64(7))
        v1.get_variable("names", initializer=np.array([b"one", b"three" * 100]))
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
        assert len(same_as_tensorflow(tf, Path(prefix))) == 202
        assert checkpoint_prefix(tmp_path) == Path(prefix)


@pytest.mark.slow
def test_a_saved_model_of_tensorflow_2_is_read_as_tensorflow_reads_it(
    tf: Any, tmp_path: Path
) -> None:
    module = tf.Module()
    module.weights = [tf.Variable(tf.random.stateless_normal((4, i), (1, 2))) for i in range(3)]
    module.step = tf.Variable(3, dtype=tf.int64)
    tf.saved_model.save(module, str(tmp_path))
    prefix = checkpoint_prefix(tmp_path)
    assert prefix is not None
    dtypes = same_as_tensorflow(tf, prefix)
    assert dtypes["_CHECKPOINTABLE_OBJECT_GRAPH"] == "string"


@pytest.mark.slow
def test_a_checkpoint_in_several_files_is_read_as_tensorflow_reads_it(
    tf: Any, tmp_path: Path
) -> None:
    parts = [str(tmp_path / "part_a"), str(tmp_path / "part_b")]
    for part, names in zip(parts, (["a/kernel", "b/wide"], ["global_step"]), strict=True):
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[TENSORS[name] for name in names],
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(tmp_path / "whole")
    )
    assert len(list(tmp_path.glob("whole.data-*"))) == 2
    assert len(same_as_tensorflow(tf, tmp_path / "whole")) == 3


@pytest.mark.slow
def test_variables_that_tensorflow_stored_in_slices_are_refused(tf: Any, tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("w", (10, 4), partitioner=v1.fixed_size_partitioner(2))
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    with pytest.raises(CheckpointError, match="stores variables in slices"):
        open_checkpoint(Path(prefix))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"block_bytes": 40}, *({"snappy_tag": i} for i in range(4))]
)
def test_tensorflow_reads_what_the_tests_write(
    tf: Any, tmp_path: Path, options: dict[str, int]
) -> None:
    prefix = write_bundle(tmp_path / "x", TENSORS, num_shards=2, **options)
    assert len(same_as_tensorflow(tf, prefix)) == len(TENSORS)


def test_the_tests_write_deepminds_index_byte_for_byte() -> None:
    expected = published()["rgb_imagenet"]
    offset = 0
    entries = []
    for name, (crc32c, shape) in expected.tensors.items():
        assert canonical_name(expected.prefix + name) == name
        num_bytes = 4 * int(np.prod(shape))
        entries.append(Entry(expected.prefix + name, 1, shape, 0, offset, num_bytes, crc32c))
        offset += num_bytes
    assert index_table(index_entries(entries)) == DEEPMINDS_INDEX.read_bytes()
