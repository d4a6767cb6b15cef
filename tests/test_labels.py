"""Label lists: the packaged ones are the published ones, and one's own are read with care."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from i3d.errors import UnknownNameError, UsageError
from i3d.models.labels import LABEL_LISTS, find_labels, load_labels, read_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_kinetics_400_is_deepminds_list_in_its_order() -> None:
    labels = load_labels("kinetics-400")
    assert len(labels) == len(set(labels)) == 400
    # Positions that DeepMind's own published output for the cricket sample names.
    assert (labels[0], labels[227], labels[399]) == ("abseiling", "playing cricket", "zumba")
    assert list(labels) == sorted(labels)
    digest = hashlib.sha256("".join(f"{label}\n" for label in labels).encode()).hexdigest()
    assert digest == "e9f2806fe9109b851a80a74841244f6f8c9d10917fa0229cd82bab67f2f8e28f"


def test_kinetics_600_is_deepminds_list_in_its_order() -> None:
    labels = load_labels("kinetics-600")
    assert len(labels) == len(set(labels)) == 600
    assert (labels[0], labels[336], labels[599]) == ("abseiling", "playing cricket", "zumba")
    assert list(labels) == sorted(labels)
    # Git's id of data/label_map_600.txt in google-deepmind/kinetics-i3d.
    content = "".join(f"{label}\n" for label in labels).encode()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert blob == "639e9c91fa8a941ea57942872fae55628d590b42"


def test_camera_motion_has_its_nine_moves() -> None:
    assert load_labels("camera-motion") == (
        "static",
        "pan left",
        "pan right",
        "tilt up",
        "tilt down",
        "zoom in",
        "zoom out",
        "roll left",
        "roll right",
    )


@pytest.mark.parametrize("name", list(LABEL_LISTS))
def test_every_packaged_list_is_whole(name: str) -> None:
    labels = load_labels(name)
    assert len(labels) == LABEL_LISTS[name]
    assert all(label == label.strip() and label for label in labels)


def test_an_unknown_list_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_labels("kinetics-40")
    assert caught.value.hint == "Did you mean kinetics-400 or kinetics-600?"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("SWIM", ["swimming backstroke", "swimming breast stroke", "swimming butterfly stroke"]),
        ("playing c*", ["playing cards", "playing cello", "playing chess", "playing clarinet"]),
        ("yoga", ["yoga"]),
        ("xyz", []),
    ],
)
def test_find_labels(pattern: str, expected: list[str]) -> None:
    labels = load_labels()
    found = find_labels(labels, pattern)
    names = [label for _, label in found]
    assert names[: len(expected)] == expected
    assert bool(names) == bool(expected)
    assert all(labels[index] == label for index, label in found)


def test_a_shell_pattern_is_for_the_whole_label() -> None:
    labels = ("playing cards", "cards", "Cards on a table")
    assert find_labels(labels, "cards") == list(enumerate(labels))
    assert [index for index, _ in find_labels(labels, "cards*")] == [1, 2]


def test_find_labels_without_a_pattern_gives_all() -> None:
    assert find_labels(("b", "a"), None) == [(0, "b"), (1, "a")]


@pytest.mark.parametrize(
    "content",
    [
        b"one\ntwo words\nthree\n",
        b"one\r\ntwo words\r\nthree\n\n",
        b"\xef\xbb\xbfone\ntwo words\nthree",
    ],
)
def test_read_labels_takes_any_line_end_and_a_byte_order_mark(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(content)
    assert read_labels(file) == ("one", "two words", "three")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"one\n\nthree\n", "Line 2 .* is blank"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_read_labels_refuses_what_would_name_outputs_wrongly(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "labels.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=problem) as caught:
        read_labels(file)
    assert str(file) in str(caught.value)
    assert caught.value.hint
