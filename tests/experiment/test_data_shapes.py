"""Test the shapes of data, and files of data as numpy and others write them."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.experiment import Data, DataShape, ExperimentError, data_shape
from gradtui.experiment.data_shapes import idx_files, sequence_of, vocabulary


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (Data(), DataShape((1, 8, 8), 10, "classify")),
        (Data(source="spirals"), DataShape((2,), 3, "classify")),
        (Data(source="adding", length=50), DataShape((50, 2), 1, "regress")),
        (Data(source="copy", length=50), DataShape((70,), 10, "sequence")),
        (Data(source="cifar10", path="x"), DataShape((3, 32, 32), 10, "classify")),
    ],
)
def test_shape_of_generated_data_is_known(data: Data, shape: DataShape) -> None:
    assert data_shape(data) == shape


def test_a_text_has_a_class_for_every_character(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("größe\r\nor so".encode())
    data = Data(source="text", path=str(path), length=5)
    assert vocabulary(data) == "\n egorsßö"
    assert data_shape(data) == DataShape((5,), 9, "sequence")
    with pytest.raises(
        ExperimentError, match=r"^data\.length: 11 is not allowed; expected fewer than the 11 char"
    ):
        data_shape(Data(source="text", path=str(path), length=11))


def test_the_poem_that_ships_is_the_default_text() -> None:
    assert "a" in vocabulary(Data(source="text"))


def test_images_are_read_as_sequences_by_row_or_pixel() -> None:
    images = DataShape((3, 5, 7), 2, "classify")
    assert sequence_of(Data(sequence="rows"), images) == (5, 21)
    assert sequence_of(Data(sequence="pixels"), images) == (35, 3)
    assert sequence_of(Data(), images) is None
    assert sequence_of(Data(source="adding"), DataShape((9, 2), 1, "regress")) == (9, 2)
    assert sequence_of(Data(source="copy"), DataShape((9,), 10, "sequence")) is None


def idx(path: Path, array: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    # Python 3.13 writes nothing of a GzipFile that is not closed.
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.write(head + array.tobytes())


IMAGES = np.zeros((6, 5, 4), np.uint8)
LABELS = np.array([0, 3, 1, 6, 2, 2], np.uint8)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_shape_of_idx_files_is_found_by_their_names(tmp_path: Path, end: str) -> None:
    idx(tmp_path / f"train-images-idx3-ubyte{end}", IMAGES)
    idx(tmp_path / f"train-labels-idx1-ubyte{end}", LABELS)
    assert data_shape(Data(source="idx", path=str(tmp_path))) == DataShape((1, 5, 4), 7, "classify")
    assert idx_files(tmp_path).test_images is None
    idx(tmp_path / f"t10k-images-idx3-ubyte{end}", IMAGES)
    idx(tmp_path / f"t10k-labels-idx1-ubyte{end}", LABELS)
    assert idx_files(tmp_path).test_labels == tmp_path / f"t10k-labels-idx1-ubyte{end}"


def test_a_file_of_images_finds_its_labels(tmp_path: Path) -> None:
    idx(tmp_path / "my-images.idx3", IMAGES)
    idx(tmp_path / "my-labels.idx1", LABELS)
    assert data_shape(Data(source="idx", path=str(tmp_path / "my-images.idx3"))).outputs == 7


def broken_idx(folder: Path, kind: str) -> tuple[Path, str]:
    images, labels = folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte"
    idx(images, IMAGES)
    idx(labels, LABELS)
    match kind:
        case "empty folder":
            images.unlink()
            return folder, f"{folder} holds no train-images-idx3-ubyte"
        case "no such file":
            return folder / "none", f"{folder / 'none'} does not exist"
        case "no labels":
            labels.unlink()
            return folder, f"{images} has no file of labels beside it"
        case "not idx":
            images.write_text("hello, this is a text")
            return folder, f"{images} is not an idx file of bytes"
        case "torn header":
            images.write_bytes(images.read_bytes()[:9])
            return folder, f"{images} ends in its header"
        case "torn labels":
            labels.write_bytes(labels.read_bytes()[:-2])
            return folder, f"{labels} ends after 4 of 6 labels"
        case "other count":
            idx(labels, LABELS[:4])
            return folder, f"{labels} has dimensions (4,); expected one label for each of 6 images"
        case "flat labels as images":
            idx(images, LABELS)
            return folder, f"{images} has dimensions (6,)"
        case _:
            packed = folder / "train-images-idx3-ubyte.gz"
            images.unlink()
            packed.write_bytes(b"\x1f\x8b not gzip")
            return folder, f"{packed} cannot be read"


@pytest.mark.parametrize(
    "kind",
    [
        "empty folder",
        "no such file",
        "no labels",
        "not idx",
        "torn header",
        "torn labels",
        "other count",
        "flat labels as images",
        "not gzip",
    ],
)
def test_a_broken_idx_file_is_named(tmp_path: Path, kind: str) -> None:
    path, line = broken_idx(tmp_path, kind)
    with pytest.raises(ExperimentError) as caught:
        data_shape(Data(source="idx", path=str(path)))
    assert str(caught.value).startswith(f"data.path: {line}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", "i2", "?", "<u8"])
def test_classes_of_an_npz_file(tmp_path: Path, save: Any, dtype: str) -> None:
    save(tmp_path / "a.npz", x=np.zeros((4, 3, 5, 6), np.float32), y=np.array([0, 1, 1, 0]).astype(dtype))
    assert data_shape(Data(source="npz", path=str(tmp_path / "a.npz"))) == DataShape((3, 5, 6), 2, "classify")


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        ((4, 9), (4,), DataShape((9,), 1, "regress")),
        ((4, 9), (4, 3), DataShape((9,), 3, "regress")),
        ((4, 5, 6), (4, 1), DataShape((1, 5, 6), 1, "regress")),
    ],
)
def test_values_of_an_npz_file(
    tmp_path: Path, x: tuple[int, ...], y: tuple[int, ...], shape: DataShape
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(x), y=np.zeros(y))
    assert data_shape(Data(source="npz", path=str(tmp_path / "a.npz"))) == shape


X, Y = np.zeros((4, 9)), np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, "has no array y"),
        ({"y": Y}, "has no array x"),
        ({"x": X, "y": Y[:3]}, "y has dimensions (3,); expected one row for each of 4 examples"),
        ({"x": X, "y": -Y}, "y holds the class -2"),
        ({"x": X, "y": Y * 10**9}, "y holds the class 2000000000"),
        (
            {"x": X, "y": Y[:, None]},
            "y has dimensions (4, 1) of whole numbers; expected one class an example",
        ),
        ({"x": X[0], "y": Y}, "x has dimensions (9,)"),
        ({"x": X[:0], "y": Y[:0]}, "y has dimensions (0,)"),
        ({"x": X, "y": np.array(list("abca"))}, "array y holds no plain numbers (dtype <U1)"),
        ({"x": X, "y": np.array([{}, 1, 2, 3], object)}, "array y holds no plain numbers (dtype |O)"),
        ({"x": X.astype(complex), "y": Y}, "array x holds no plain numbers (dtype <c16)"),
        ({"x": np.zeros(4, [("a", "f4")]), "y": Y}, "array x has an unreadable header"),
    ],
)
def test_a_wrong_npz_file_is_named(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(ExperimentError) as caught:
        data_shape(Data(source="npz", path=str(path)))
    assert str(caught.value).startswith(f"data.path: {path} {words}")


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_torn_npz_file_gives_one_line(tmp_path: Path, keep: float) -> None:
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, x=X, y=Y)
    path = tmp_path / "torn.npz"
    content = whole.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ExperimentError) as caught:
        data_shape(Data(source="npz", path=str(path)))
    assert str(caught.value).startswith(f"data.path: {path} ")
    assert "\n" not in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_file_with_wrong_bytes_gives_a_shape_or_one_line(flips: list[tuple[int, int]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        np.savez(path, x=X, y=Y)
        content = bytearray(path.read_bytes())
        for place, byte in flips:
            content[place % len(content)] = byte
        path.write_bytes(content)
        try:
            shape = data_shape(Data(source="npz", path=str(path)))
        except ExperimentError as error:
            shape = None
            line = str(error)
        assert shape is not None or (line.startswith(f"data.path: {path} ") and "\n" not in line)


@pytest.mark.parametrize("source", ["text", "npz", "idx"])
@pytest.mark.parametrize(
    "path", ["/nowhere/at/all", "~nobody-here/x", "x" * 5000], ids=["file", "home", "long"]
)
def test_a_missing_file_is_named(source: Any, path: str) -> None:
    with pytest.raises(ExperimentError, match=r"^data\.path: "):
        data_shape(Data(source=source, path=path))
