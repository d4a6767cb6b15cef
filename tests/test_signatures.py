"""Signatures are read from saved_model.pb as TensorFlow reads them, and garbage only refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from i3d.engines.choose import ENGINES, load_engine
from i3d.engines.graphs import read_model
from i3d.engines.saved_model import VideoSignature, read_signature
from i3d.engines.wire_format import (
    GarbledMessageError,
    as_bytes,
    as_number,
    as_text,
    fields,
    varint,
)
from i3d.errors import ModelLoadError

import module_forms as forms

if TYPE_CHECKING:
    from pathlib import Path


FLOAT, UINT8, BFLOAT16, HALF = 1, 4, 14, 19


# The wire format


def number(value: int) -> bytes:
    """As a varint; negative ones in two's complement."""
    value %= 2**64
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(index: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return number(index << 3) + number(value)
    content = value.encode() if isinstance(value, str) else value
    return number(index << 3 | 2) + number(len(content)) + content


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_numbers_of_any_length_are_read(value: int) -> None:
    assert varint(b"x" + number(value) + b"y", 1) == (value, 1 + len(number(value)))


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10, b"\x80" * 10 + b"\x01", b"\xff" * 9 + b"\x02"]
)
def test_a_number_that_is_cut_off_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(GarbledMessageError, match="cut off or too large"):
        varint(data, 0)


def test_fields_of_every_type_are_read_in_their_order() -> None:
    message = (
        field(1, 300)
        + field(2, "text")
        + number(3 << 3 | 1)
        + bytes([1, 0, 0, 0, 0, 0, 0, 0])
        + number(4 << 3 | 5)
        + bytes([0, 1, 0, 0])
        + field(2, b"")
        + field(1000, -1)
    )
    assert list(fields(message)) == [
        *((1, 300), (2, b"text"), (3, 1), (4, 256), (2, b"")),
        (1000, 2**64 - 1),
    ]
    assert list(fields(b"")) == []


@pytest.mark.parametrize(
    "message",
    [
        number(1 << 3 | 2) + number(5) + b"four",
        number(1 << 3 | 2) + number(2**64 - 1),
        number(1 << 3 | 2),
        number(1 << 3 | 1) + bytes(7),
        number(1 << 3 | 5) + bytes(3),
        number(1 << 3),
        *(number(1 << 3 | kind) + bytes(20) for kind in (3, 4, 6, 7)),
    ],
)
def test_a_field_that_is_cut_off_or_of_no_type_is_refused(message: bytes) -> None:
    with pytest.raises(GarbledMessageError):
        list(fields(message))


def test_a_field_of_another_type_than_expected_is_refused() -> None:
    assert (as_number(7), as_bytes(b"x"), as_text("ü".encode())) == (7, b"x", "ü")
    for read, value in ((as_number, b"x"), (as_bytes, 7), (as_text, 7), (as_text, b"\xff")):
        with pytest.raises(GarbledMessageError):
            read(value)


# TensorFlow's own reading


@pytest.mark.parametrize("form", forms.FORMS)
def test_a_signature_is_what_tensorflow_says_it_is(form: str, tmp_path: Path) -> None:
    import tensorflow_hub

    forms.FORMS[form](tmp_path / "module")
    found = read_signature(tmp_path / "module")

    module = tensorflow_hub.load(str(tmp_path / "module"))
    assert found.key in module.signatures
    signature = module.signatures[found.key]
    ((name, pixels),) = signature.structured_input_signature[1].items()
    assert found.input_name == name
    assert found.size == pixels.shape[2] == pixels.shape[3]
    assert found.num_labels == signature.structured_outputs[found.output_name].shape[1]
    assert found.is_tf1 == hasattr(signature, "prune")


# Files made by hand


VIDEO = (-1, -1, 16, 16, 3)


def shape_of(sizes: tuple[int, ...] | None) -> bytes:
    """A TensorShapeProto; None for an unknown number of dimensions."""
    if sizes is None:
        return field(3, 1)
    return b"".join(field(2, field(1, size) if size else b"") for size in sizes)


def tensor(
    sizes: tuple[int, ...] | None = VIDEO, dtype: int = FLOAT, *, name: str = "x:0"
) -> bytes:
    return field(1, name) + field(2, dtype) + field(3, shape_of(sizes))


def entry(name: str, value: bytes) -> bytes:
    return field(1, name) + field(2, value)


def signature(inputs: dict[str, bytes], outputs: dict[str, bytes]) -> bytes:
    return b"".join(
        field(index, entry(name, value))
        for index, tensors in ((1, inputs), (2, outputs))
        for name, value in tensors.items()
    )


PLAIN = signature({"video": tensor()}, {"default": tensor((-1, 400))})


def meta_graph(
    signatures: dict[str, bytes], *, tags: tuple[str, ...] = (), is_tf2: bool = False
) -> bytes:
    return (
        field(1, b"".join(field(4, tag) for tag in tags))
        + field(2, b"a graph, which nobody reads")
        + b"".join(field(5, entry(key, value)) for key, value in signatures.items())
        + (field(7, b"objects") if is_tf2 else b"")
    )


def write(folder: Path, *meta_graphs: bytes, is_hub_module: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    content = field(1, 1) + b"".join(field(2, graph) for graph in meta_graphs)
    (folder / "saved_model.pb").write_bytes(content)
    if is_hub_module:
        (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder


def one(folder: Path, inputs: dict[str, bytes], outputs: dict[str, bytes]) -> Path:
    return write(folder, meta_graph({"default": signature(inputs, outputs)}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelLoadError) as caught:
        read_signature(folder)
    message = caught.value.message
    assert str(folder) in message
    assert message.endswith(".")
    assert caught.value.hint
    return message


def test_a_file_made_by_hand_is_read(tmp_path: Path) -> None:
    plain = signature({"video": tensor()}, {"default": tensor((-1, 400), name="y:0")})
    assert read_signature(write(tmp_path, meta_graph({"default": plain}))) == VideoSignature(
        key="default",
        input_name="video",
        input_tensor="x:0",
        output_name="default",
        output_tensor="y:0",
        num_labels=400,
        size=16,
        is_tf1=True,
    )


def test_the_objects_of_tensorflow_2_are_seen(tmp_path: Path) -> None:
    graph = meta_graph({"serving_default": PLAIN}, is_tf2=True)
    assert not read_signature(write(tmp_path, graph)).is_tf1


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (("b", "a"), "a"),
        (("a", "serving_default"), "serving_default"),
        (("serving_default", "default", "a"), "default"),
        (("__saved_model_init_op", "z"), "z"),
        (("__saved_model_train_op", "default"), "default"),
    ],
)
def test_of_several_signatures_the_usual_one_is_taken(
    keys: tuple[str, ...], chosen: str, tmp_path: Path
) -> None:
    found = read_signature(write(tmp_path, meta_graph(dict.fromkeys(keys, PLAIN))))
    assert found.key == chosen


def test_a_signature_that_takes_no_video_is_passed_over(tmp_path: Path) -> None:
    image = signature({"image": tensor((-1, 16, 16, 3))}, {"default": tensor((-1, 4))})
    watch = signature({"video": tensor()}, {"logits": tensor((-1, 400))})
    found = read_signature(write(tmp_path, meta_graph({"default": image, "watch": watch})))
    assert (found.key, found.num_labels) == ("watch", 400)


@pytest.mark.parametrize(
    ("outputs", "chosen"),
    [
        ({"scores": (-1, 5)}, "scores"),
        ({"a": (-1, 5), "logits": (-1, 6)}, "logits"),
        ({"logits": (-1, 6), "default": (-1, 7)}, "default"),
        ({"default": (-1, 3, 4), "scores": (-1, 5)}, "scores"),
        ({"default": None, "scores": (1, 5)}, "scores"),
    ],
)
def test_the_output_is_the_flat_one_or_the_one_with_the_usual_name(
    outputs: dict[str, Any], chosen: str, tmp_path: Path
) -> None:
    named = {name: tensor(sizes) for name, sizes in outputs.items()}
    assert read_signature(one(tmp_path, {"video": tensor()}, named)).output_name == chosen


@pytest.mark.parametrize("dtype", [FLOAT, BFLOAT16, HALF, 2])
def test_logits_may_be_floats_of_any_size(dtype: int, tmp_path: Path) -> None:
    folder = one(tmp_path, {"video": tensor()}, {"default": tensor((-1, 400), dtype)})
    assert read_signature(folder).num_labels == 400


@pytest.mark.parametrize(
    ("video", "size"),
    [((-1, -1, 224, 224, 3), 224), ((1, -1, -1, -1, 3), None), ((-1, -1, -1, -1, -1), None)],
)
def test_sizes_may_be_free(video: tuple[int, ...], size: int | None, tmp_path: Path) -> None:
    folder = one(tmp_path, {"video": tensor(video)}, {"default": tensor((-1, 400))})
    assert read_signature(folder).size == size


@pytest.mark.parametrize(
    ("video", "reason"),
    [
        (tensor(None), "default takes video None"),
        (tensor(()), "default takes video ()"),
        (tensor((-1, -1, 16, 16)), "(None, None, 16, 16)"),
        (tensor((-1, 16, 16, 16, 3)), "any number of frames"),
        (tensor((-1, -1, 16, 24, 3)), "(None, None, 16, 24, 3)"),
        (tensor((-1, -1, 16, -1, 3)), "(None, None, 16, None, 3)"),
        (tensor((2, -1, 16, 16, 3)), "(2, None, 16, 16, 3)"),
        (tensor((-1, -1, 16, 16, 4)), "(None, None, 16, 16, 4)"),
        (tensor(dtype=UINT8), "uint8"),
        (tensor(dtype=999), "type 999"),
    ],
    ids=str,
)
def test_an_input_of_another_kind_is_refused(video: bytes, reason: str, tmp_path: Path) -> None:
    folder = one(tmp_path, {"video": video}, {"default": tensor((-1, 400))})
    assert reason in refusal(folder)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({}, "it has no output of shape (batch, labels) (nothing)"),
        ({"default": tensor(None)}, "no output of shape (batch, labels) (default None)"),
        ({"default": tensor((-1, 4), UINT8)}, "no output of shape"),
        ({"default": tensor((-1, -1))}, "does not say how many labels"),
        ({"default": tensor((-1, 0))}, "does not say how many labels"),
        ({"a": tensor((-1, 4)), "b": tensor((-1, 5))}, "more than one output of shape"),
    ],
    ids=["none", "unknown-rank", "integers", "free", "zero", "two"],
)
def test_an_output_of_another_kind_is_refused(
    outputs: dict[str, bytes], reason: str, tmp_path: Path
) -> None:
    assert reason in refusal(one(tmp_path, {"video": tensor()}, outputs))


def test_the_graph_is_the_only_one_or_the_hub_modules_without_tags(tmp_path: Path) -> None:
    plain, training = (
        meta_graph({"default": PLAIN}),
        meta_graph({"default": PLAIN}, tags=("train",)),
    )
    assert read_signature(write(tmp_path / "a", training)).num_labels == 400
    assert read_signature(write(tmp_path / "b", training, plain, is_hub_module=True)).size == 16
    assert "holds 2 graphs" in refusal(write(tmp_path / "c", plain, training))
    assert "holds 0 graphs" in refusal(write(tmp_path / "d"))
    assert "holds 0 graphs" in refusal(write(tmp_path / "e", training, is_hub_module=True))


def test_a_folder_without_the_file_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    assert "it has no saved_model.pb" in refusal(tmp_path)
    assert "it has no saved_model.pb" in refusal(tmp_path / "gone")
    (tmp_path / "saved_model.pb").mkdir()
    assert "it has no saved_model.pb" in refusal(tmp_path)


# Garbage


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a small module, as TensorFlow wrote it."""
    folder = tmp_path_factory.mktemp("real") / "module"
    forms.FORMS["without-a-convolution"](folder)
    return (folder / "saved_model.pb").read_bytes()


def read_or_refuse(folder: Path, content: bytes) -> VideoSignature | None:
    (folder / "saved_model.pb").write_bytes(content)
    try:
        return read_signature(folder)
    except ModelLoadError:
        return None


def test_a_file_that_is_cut_off_anywhere_is_refused(real: bytes, tmp_path: Path) -> None:
    whole = read_or_refuse(tmp_path, real)
    assert whole is not None
    assert [size for size in range(len(real)) if read_or_refuse(tmp_path, real[:size])] == []


def test_a_file_with_a_wrong_bit_is_read_or_refused(real: bytes, tmp_path: Path) -> None:
    chosen = random.Random(0)
    places = chosen.sample(range(len(real)), min(len(real), 1500))
    refused = 0
    for place in places:
        changed = bytearray(real)
        changed[place] ^= 1 << chosen.randrange(8)
        refused += read_or_refuse(tmp_path, bytes(changed)) is None
    assert 0 < refused < len(places)


def test_every_wrong_byte_in_a_small_file_is_read_or_refused(tmp_path: Path) -> None:
    content = field(2, meta_graph({"default": PLAIN}))
    for place in range(len(content)):
        for value in (0, 1, 0x7F, 0x80, 0xFF, content[place] ^ 0x10, content[place] ^ 2):
            changed = bytearray(content)
            changed[place] = value
            read_or_refuse(tmp_path, bytes(changed))


def test_noise_is_refused(tmp_path: Path) -> None:
    noise = random.Random(1)
    for size in (0, 1, 2, 10, 100, 1000):
        for _ in range(20):
            assert read_or_refuse(tmp_path, noise.randbytes(size)) is None


def test_what_is_damaged_is_told_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"<html>" * 100)
    assert "its saved_model.pb is damaged" in refusal(tmp_path)


# Graphs


def test_a_graph_that_is_damaged_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, meta_graph({"default": PLAIN}))
    assert read_signature(folder).num_labels == 400
    for graph in (b"garbage", b"", field(1, field(1, "y") + field(3, "gone:0"))):
        content = field(2, graph) + field(5, entry("default", PLAIN))
        with pytest.raises(ModelLoadError, match=r"saved_model\.pb is damaged"):
            read_model(write(tmp_path, content))


def test_a_graph_without_the_shapes_of_its_tensors_has_one_step(tmp_path: Path) -> None:
    """TensorFlow's writers put them in; a model from elsewhere still runs."""
    from tensorflow.core.protobuf import saved_model_pb2

    forms.FORMS["plain"](tmp_path / "module")
    assert read_model(tmp_path / "module").contract.has_steps
    file = tmp_path / "module" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for node in saved.meta_graphs[0].graph_def.node:
        node.attr.pop("_output_shapes", None)
    file.write_bytes(saved.SerializeToString())
    for name in ENGINES:
        engine = load_engine(tmp_path / "module", name)
        assert not engine.contract.has_steps
        assert engine.contract.input_range == (-1.0, 1.0)
        assert engine.step_logits(forms.make_clip(17), (-1.0, 1.0)).shape == (1, 5)
