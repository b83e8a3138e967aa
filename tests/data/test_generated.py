"""Test generated data: each answer follows from its input, and all data follow the seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.data import load
from gradtui.experiment.spec import Data


@pytest.mark.parametrize("source", ["spirals", "circle", "xor", "gauss", "adding", "copy"])
def test_the_seed_decides_everything(source: str) -> None:
    data = Data(source=source, samples=100, length=6)
    one, again, other = load(data, 1), load(data, 1), load(data, 2)
    assert torch.equal(one.train_x, again.train_x)
    assert torch.equal(one.test_y, again.test_y)
    assert not torch.equal(one.train_x, other.train_x)
    assert (len(one.train_x), len(one.test_x)) == (80, 20)
    assert len(one.train_y) == 80


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_adding_marks_one_number_in_each_half(length: int, seed: int) -> None:
    dataset = load(Data(source="adding", samples=50, length=length), seed)
    values, marks = dataset.train_x[..., 0], dataset.train_x[..., 1]
    assert dataset.shape.input == (length, 2)
    assert bool(((values >= 0) & (values < 1)).all())
    if length > 1:
        assert bool((marks[:, : length // 2].sum(1) == 1).all())
        assert bool((marks[:, length // 2 :].sum(1) == 1).all())
        torch.testing.assert_close(dataset.train_y[:, 0], (values * marks).sum(1))
    else:
        torch.testing.assert_close(dataset.train_y[:, 0], 2 * values[:, 0])


def test_chance_on_adding_is_the_variance_of_two_uniform_numbers() -> None:
    dataset = load(Data(source="adding", samples=50_000, length=8), 0)
    assert dataset.chance_loss == pytest.approx(1 / 6, rel=0.02)
    # The sum of two has a triangular density of height 1 at its mean.
    assert dataset.chance_accuracy == pytest.approx(1 - (1 - 0.04) ** 2, rel=0.05)


@settings(max_examples=30, deadline=None)
@given(delay=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_copy_asks_for_the_first_symbols_at_the_end(delay: int, seed: int) -> None:
    dataset = load(Data(source="copy", samples=20, length=delay), seed)
    x, y = dataset.train_x, dataset.train_y
    assert x.shape == y.shape == (16, delay + 20)
    symbols = x[:, :10]
    assert bool(((symbols >= 0) & (symbols < 8)).all())
    assert bool((x[:, 10 : 9 + delay] == 8).all())
    assert bool((x[:, 9 + delay] == 9).all())
    assert bool((x[:, 10 + delay :] == 8).all())
    assert torch.equal(y[:, -10:], symbols)
    assert bool((y[:, :-10] == -100).all())


def test_chance_on_copy_is_one_of_eight_symbols() -> None:
    dataset = load(Data(source="copy", samples=500), 0)
    assert dataset.chance_loss == pytest.approx(math.log(8))
    assert dataset.chance_accuracy == pytest.approx(1 / 8)


def test_spirals_turn_once_and_differ_by_a_third() -> None:
    dataset = load(Data(source="spirals", samples=3000), 0)
    x = torch.cat([dataset.train_x, dataset.test_x]).double().numpy()
    y = torch.cat([dataset.train_y, dataset.test_y]).numpy()
    assert np.bincount(y).tolist() == [1000, 1000, 1000]
    radius, angle = np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])
    assert radius.min() >= 0.0499
    assert radius.max() <= 1.0001
    rest = np.angle(np.exp(1j * (angle - 2 * np.pi * (radius + y / 3))))
    assert abs(rest.mean()) < 0.01
    assert rest.std() == pytest.approx(0.1, rel=0.05)


def points(source: str, samples: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    dataset = load(Data(source=source, samples=samples), 3)
    x = torch.cat([dataset.train_x, dataset.test_x]).double().numpy()
    assert dataset.shape.input == (2,)
    assert dataset.shape.outputs == 2
    assert dataset.chance_loss == pytest.approx(math.log(2))
    return x, torch.cat([dataset.train_y, dataset.test_y]).numpy()


def test_circle_is_a_disc_in_a_ring_both_filled_evenly() -> None:
    x, y = points("circle")
    radius = np.hypot(x[:, 0], x[:, 1])
    assert radius[y == 0].max() <= 0.5001
    assert radius[y == 1].min() >= 0.6499
    assert radius[y == 1].max() <= 1.0001
    assert (y == 0).sum() == 2000
    # Half of a disc's area lies within 0.71 of its radius.
    assert (radius[y == 0] < 0.5 / math.sqrt(2)).mean() == pytest.approx(0.5, abs=0.04)


def test_xor_is_told_by_the_signs_of_both_coordinates() -> None:
    x, y = points("xor")
    assert np.array_equal(y, (x[:, 0] * x[:, 1] < 0).astype(np.int64))
    assert np.abs(x).min() >= 0.0499
    assert np.abs(x).max() <= 1.0
    quarters, counts = np.unique(np.sign(x), axis=0, return_counts=True)
    assert len(quarters) == 4
    assert counts.tolist() == [1000] * 4


def test_gauss_is_two_clouds_that_a_line_parts() -> None:
    x, y = points("gauss")
    assert ((x.sum(1) > 0) == y).mean() > 0.995
    for cloud, centre in ((0, -0.45), (1, 0.45)):
        assert np.allclose(x[y == cloud].mean(0), centre, atol=0.02)
        assert np.allclose(x[y == cloud].std(0), 0.2, atol=0.01)
