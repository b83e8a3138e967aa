"""Test the digits that ship: published counts, scaling, and a split that follows the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gradtui.data import Dataset, files, load
from gradtui.data.files import DIGITS_FILE
from gradtui.experiment.spec import Data

SHIPPED = Path(files.__file__).parent / DIGITS_FILE


def all_images(dataset: Dataset) -> torch.Tensor:
    return torch.cat([dataset.train_x, dataset.test_x]).flatten(1)


def test_the_file_holds_the_published_images() -> None:
    """Counts by digit as the UCI repository's test part has them; the first image's first rows as printed in
    scikit-learn's documentation of the data set."""
    with np.load(SHIPPED, allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    assert x.shape == (1797, 8, 8)
    assert x.dtype == np.uint8
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x[0, :2].tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert y[:10].tolist() == list(range(10))
    assert x.max() == 16


def test_its_licence_lies_beside_it() -> None:
    text = SHIPPED.with_name("digits.LICENSE.txt").read_text(encoding="utf-8")
    for needed in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "Changed"):
        assert needed in text


def test_digits_have_published_sizes_and_chance_levels() -> None:
    dataset = load(Data(), seed=0)
    assert dataset.train_x.shape == (1437, 1, 8, 8)
    assert dataset.test_x.shape == (360, 1, 8, 8)
    assert dataset.train_x.dtype == torch.float32
    assert dataset.train_y.dtype == torch.int64
    assert dataset.chance_loss == pytest.approx(2.302585)
    assert dataset.chance_accuracy == pytest.approx(0.1)


def test_standard_scaling_takes_one_mean_and_deviation_from_the_training_set() -> None:
    standard, raw = load(Data(), seed=3), load(Data(scaling="none"), seed=3)
    numbers = raw.train_x.numpy().astype(np.float64)
    for scaled, plain in ((standard.train_x, raw.train_x), (standard.test_x, raw.test_x)):
        expected = (plain.numpy() - numbers.mean()) / numbers.std()
        np.testing.assert_allclose(scaled.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_unit_scaling_divides_by_16() -> None:
    unit, raw = load(Data(scaling="unit"), seed=3), load(Data(scaling="none"), seed=3)
    assert torch.equal(unit.train_x, raw.train_x / 16)
    assert float(unit.train_x.max()) == 1.0
    assert float(raw.train_x.max()) == 16.0


def test_the_split_follows_the_seed_and_loses_no_image() -> None:
    raw = Data(scaling="none")
    one, again, other = load(raw, seed=5), load(raw, seed=5), load(raw, seed=6)
    assert torch.equal(one.train_x, again.train_x)
    assert torch.equal(one.test_y, again.test_y)
    assert not torch.equal(one.test_y, other.test_y)
    with np.load(SHIPPED) as file:
        stored = torch.from_numpy(file["x"]).flatten(1).float()
    for dataset in (one, other):
        assert sorted(all_images(dataset).tolist()) == sorted(stored.tolist())


def test_moving_the_data_moves_all_of_it() -> None:
    moved = load(Data(), seed=0).to("meta")
    assert {t.device.type for t in (moved.train_x, moved.train_y, moved.test_x, moved.test_y)} == {"meta"}
    assert moved.chance_accuracy == pytest.approx(0.1)
