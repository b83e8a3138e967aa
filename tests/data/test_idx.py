"""Test MNIST's format, plain and .gz, and one line for each way in which a file can be wrong."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from gradtui.data import load
from gradtui.experiment import ExperimentError
from gradtui.experiment.spec import Data


def idx_bytes(array: np.ndarray) -> bytes:
    """http://yann.lecun.com/exdb/mnist: 0, 0, 8 (bytes), dimensions, their sizes big-endian, the numbers."""
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def numbers(*shape: int, most: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, shape, dtype=np.uint8)


TRAIN_X, TRAIN_Y = numbers(20, 5, 4), np.arange(20, dtype=np.uint8) % 7
TEST_X, TEST_Y = numbers(6, 5, 4, seed=1), np.arange(6, dtype=np.uint8)
NAMES = {
    "train-images-idx3-ubyte": TRAIN_X,
    "train-labels-idx1-ubyte": TRAIN_Y,
    "t10k-images-idx3-ubyte": TEST_X,
    "t10k-labels-idx1-ubyte": TEST_Y,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, array in NAMES.items():
        (tmp_path / name).write_bytes(idx_bytes(array))
    return tmp_path


def loaded(path: Path, seed: int = 0):  # type: ignore[no-untyped-def]
    return load(Data(source="idx", path=str(path), scaling="none"), seed)


def refused(path: Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        loaded(path)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_folder_of_four_files_is_read(folder: Path) -> None:
    dataset = loaded(folder)
    assert dataset.shape.input == (1, 5, 4)
    assert dataset.shape.outputs == 7
    assert torch.equal(dataset.train_x[:, 0], torch.from_numpy(TRAIN_X).float())
    assert torch.equal(dataset.train_y, torch.from_numpy(TRAIN_Y).long())
    assert torch.equal(dataset.test_x[:, 0], torch.from_numpy(TEST_X).float())
    assert torch.equal(dataset.test_y, torch.from_numpy(TEST_Y).long())


def test_gzipped_files_give_the_same_data(folder: Path) -> None:
    plain = loaded(folder)
    for name in NAMES:
        path = folder / name
        path.with_name(name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = loaded(folder)
    assert torch.equal(plain.train_x, packed.train_x)
    assert torch.equal(plain.test_y, packed.test_y)


def test_without_test_files_a_fifth_is_the_test_set(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").unlink()
    dataset = loaded(folder, seed=4)
    assert (len(dataset.train_x), len(dataset.test_x)) == (16, 4)
    everything = torch.cat([dataset.train_x, dataset.test_x]).flatten(1)
    assert sorted(everything.tolist()) == sorted(TRAIN_X.reshape(20, -1).astype(float).tolist())
    assert not torch.equal(dataset.test_x, loaded(folder, seed=5).test_x)


def test_bytes_are_scaled_by_255(folder: Path) -> None:
    unit = load(Data(source="idx", path=str(folder), scaling="unit"), 0)
    assert torch.equal(unit.train_x[:, 0], torch.from_numpy(TRAIN_X).float() / 255)


@pytest.mark.parametrize("name", list(NAMES))
def test_truncated_file_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-3])
    line = refused(folder)
    assert str(path) in line
    wanted = NAMES[name].size
    assert str(wanted) in line
    assert str(wanted - 3) in line


def test_file_with_extra_bytes_is_refused(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes() + b"\0")
    line = refused(folder)
    assert str(path) in line
    assert "400" in line


def test_truncated_gzip_is_refused(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-60])
    path.unlink()
    assert str(packed) in refused(folder)


def test_damaged_gzip_is_refused(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    packed = path.with_name(path.name + ".gz")
    content = bytearray(gzip.compress(path.read_bytes()))
    for place in range(60, 90):
        content[place] ^= 0x5A
    packed.write_bytes(bytes(content))
    path.unlink()
    assert str(packed) in refused(folder)


@pytest.mark.parametrize("name", list(NAMES))
def test_wrong_magic_number_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(b"\x89PNG" + path.read_bytes()[4:])
    line = refused(folder)
    assert str(path) in line
    assert "00 00 08" in line


def test_different_numbers_of_labels_and_images_are_refused(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(TEST_Y[:5]))
    line = refused(folder)
    assert str(path) in line
    assert "6 images" in line


def test_test_label_absent_from_training_is_refused(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(TEST_Y + 4))
    line = refused(folder)
    assert str(path) in line
    assert "label 9" in line


def test_test_images_of_another_size_are_refused(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(idx_bytes(numbers(6, 4, 4)))
    line = refused(folder)
    assert str(path) in line
    assert "(5, 4)" in line


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in refused(tmp_path / "none")
    assert "train-images-idx3-ubyte" in refused(tmp_path)


def test_one_image_cannot_be_split(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(numbers(1, 4, 4)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.ones(1, np.uint8)))
    assert "at least two" in refused(tmp_path)
