"""Test CIFAR-10's binary batches, with small batches instead of those of 30 MB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gradtui.data import DataError, files, load
from gradtui.experiment.spec import Data

FEW = 3
NAMES = [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert files.CIFAR10_RECORDS == 10_000
    monkeypatch.setattr(files, "CIFAR10_RECORDS", FEW)
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(b"".join(record(number, place) for place in range(FEW)))
    return tmp_path


def record(number: int, place: int) -> bytes:
    """A label, then 1,024 bytes each of red, green, blue."""
    return bytes([(number + place) % 10]) + b"".join(
        bytes([number * 30 + colour]) * 1024 for colour in range(3)
    )


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(Data(source="cifar10", path=str(path)), 0)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_five_batches_and_a_test(folder: Path) -> None:
    dataset = load(Data(source="cifar10", path=str(folder), scaling="none"), 0)
    assert dataset.train_x.shape == (5 * FEW, 3, 32, 32)
    assert dataset.test_x.shape == (FEW, 3, 32, 32)
    assert dataset.train_y.tolist() == [(number + place) % 10 for number in range(5) for place in range(FEW)]
    for colour in range(3):
        assert dataset.train_x[-1, colour].unique().tolist() == [120 + colour]
        assert dataset.test_x[0, colour].unique().tolist() == [150 + colour]
    unit = load(Data(source="cifar10", path=str(folder), scaling="unit"), 0)
    assert torch.equal(unit.test_x, dataset.test_x / 255)


def test_the_folder_that_its_archive_makes_may_be_inside(folder: Path) -> None:
    inner = folder / "outer" / "cifar-10-batches-bin"
    inner.mkdir(parents=True)
    for name in NAMES:
        (folder / name).rename(inner / name)
    assert len(load(Data(source="cifar10", path=str(folder / "outer")), 0).train_x) == 5 * FEW


@pytest.mark.parametrize("name", NAMES)
def test_missing_cut_short_or_too_long(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for wrong in (content[:-1], content[:3073], content + b"\0"):
        path.write_bytes(wrong)
        line = refused(folder)
        assert f"{path} has {len(wrong)} bytes; expected {FEW * 3073}" in line
    path.unlink()
    assert f"{path} does not exist" in refused(folder)


def test_label_above_9_is_refused(folder: Path) -> None:
    path = folder / "data_batch_3.bin"
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    content[3073] = 10
    path.write_bytes(content.tobytes())
    assert f"{path} holds the label 10; expected labels from 0 to 9" in refused(folder)


def test_missing_cifar_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'} is not a folder" in refused(tmp_path / "none")
