"""Test npz files: x and y without pickle, and one line for each way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.data import DataError, load
from gradtui.experiment import ExperimentError
from gradtui.experiment.spec import Data

NUMBERS = np.random.default_rng(0)


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def loaded(path: Path, **fields: Any):  # type: ignore[no-untyped-def]
    return load(Data(source="npz", path=str(path), **fields), 0)


def refused(path: Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        loaded(path)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line


def test_features_are_left_as_they_are(tmp_path: Path) -> None:
    x, y = NUMBERS.normal(3, 9, (20, 5)), NUMBERS.integers(0, 4, 20)
    y[0] = 3
    dataset = loaded(write(tmp_path, x=x, y=y))
    assert (dataset.shape.input, dataset.shape.outputs, dataset.shape.task) == ((5,), 4, "classify")
    assert (len(dataset.train_x), len(dataset.test_x)) == (16, 4)
    everything = torch.cat([dataset.train_x, dataset.test_x])
    assert sorted(everything.tolist()) == sorted(x.astype(np.float32).tolist())


def test_pairs_stay_together(tmp_path: Path) -> None:
    x = np.arange(50)[:, None].astype(">f8")
    dataset = loaded(write(tmp_path, x=x, y=np.arange(50, dtype=">i2")))
    assert torch.equal(dataset.train_x[:, 0].long(), dataset.train_y)
    assert torch.equal(dataset.test_x[:, 0].long(), dataset.test_y)


def test_images_are_scaled(tmp_path: Path) -> None:
    x = NUMBERS.integers(0, 200, (30, 6, 5), dtype=np.uint8)
    path = write(tmp_path, x=x, y=NUMBERS.integers(0, 3, 30))
    raw = loaded(path, scaling="none")
    assert raw.train_x.shape == (24, 1, 6, 5)
    assert torch.equal(loaded(path, scaling="unit").train_x, raw.train_x / 255)
    standard = loaded(path).train_x
    assert float(standard.mean()) == pytest.approx(0, abs=1e-5)
    assert float(standard.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_images_of_no_known_range_are_scaled_by_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, x=NUMBERS.normal(5, 2, (30, 3, 4, 4)), y=NUMBERS.integers(0, 3, 30))
    unit = loaded(path, scaling="unit").train_x
    assert float(unit.min()) == 0.0
    assert float(unit.max()) == pytest.approx(1.0)


def test_an_image_of_one_grey_does_not_divide_by_zero(tmp_path: Path) -> None:
    path = write(tmp_path, x=np.full((10, 3, 3), 7.0), y=np.arange(10) % 2)
    assert torch.all(loaded(path).train_x == 0)
    assert torch.all(loaded(path, scaling="unit").train_x == 0)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_real_answers_are_numbers_to_predict(tmp_path: Path, columns: int | None) -> None:
    y = NUMBERS.normal(2, 3, (40,) if columns is None else (40, columns))
    dataset = loaded(write(tmp_path, x=NUMBERS.normal(size=(40, 2)), y=y))
    assert dataset.shape.task == "regress"
    assert dataset.train_y.shape == (32, columns or 1)
    assert dataset.train_y.dtype == torch.float32
    assert dataset.chance_loss == pytest.approx(float(dataset.train_y.var(0, correction=0).mean()), rel=1e-5)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    x = np.empty(4, dtype=object)
    x[:] = [{"a": 1}] * 4
    refused(write(tmp_path, x=x, y=np.arange(4)))
    refused(write(tmp_path, x=np.ones((4, 2)), y=x))


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.ones((4, 2))},
        {"y": np.arange(4)},
        {"x": np.ones((4, 2)), "y": np.arange(5)},
        {"x": np.ones((4, 2)), "y": np.array(list("abcd"))},
        {"x": np.ones((4, 2)), "y": np.arange(4) - 1},
        {"x": np.ones((4, 2), complex), "y": np.arange(4)},
        {"x": np.ones(4), "y": np.arange(4)},
        {"x": np.ones((1, 2)), "y": np.zeros(1, int)},
    ],
)
def test_unsuitable_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    refused(write(tmp_path, **arrays))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e39])
def test_nonfinite_numbers_are_refused(tmp_path: Path, wrong: float) -> None:
    x, y = np.ones((6, 2)), np.ones(6)
    x[3, 1] = wrong
    assert "array x" in refused(write(tmp_path, x=x, y=np.arange(6)))
    y[2] = wrong
    assert "array y" in refused(write(tmp_path, x=np.ones((6, 2)), y=y))


def test_truncated_or_damaged_npz_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=NUMBERS.normal(size=(100, 8)), y=np.arange(100))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path)
    damaged = bytearray(whole)
    for place in range(600, 700):
        damaged[place] ^= 0x5A
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataError):
        loaded(path)
    refused(path)
    path.write_bytes(b"no archive")
    refused(path)
    path.unlink()
    refused(path)
