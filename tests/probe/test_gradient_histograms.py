"""Test counts by powers of two against numpy's logarithms, over every kind of float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradtui.probe import flat_gradients
from gradtui.probe.flat_gradients import FlatGradients, GradientHistograms
from gradtui.probe.gradient_sizes import HISTOGRAM_PLACES, count_sizes
from gradtui.runs.histograms import HIGHEST, LOWEST

AWKWARD = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, 1.1754944e-38, 1, -2, 3.4028235e38, np.inf, -np.inf, np.nan],
    np.float32,
)


def plain(numbers: np.ndarray) -> np.ndarray:
    """Return the counts of one layer: zeros, powers of two upward, not finite."""
    with np.errstate(invalid="ignore"):  # some bits are a NaN that complains
        sizes = np.abs(numbers.astype(np.float64))
    counts = np.zeros(HISTOGRAM_PLACES, np.int64)
    counts[0], counts[-1] = (sizes == 0).sum(), (~np.isfinite(sizes)).sum()
    powers = np.floor(np.log2(sizes[np.isfinite(sizes) & (sizes > 0)])).astype(np.int64)
    counts[1:-1] = np.bincount(powers - LOWEST, minlength=HIGHEST - LOWEST + 1)
    return counts


def filled(layers: list[np.ndarray]) -> FlatGradients:
    """Each layer a weight and a bias, so that there is padding between and behind them."""
    parts = [np.array_split(layer, 2) for layer in layers]
    parameters = [[nn.Parameter(torch.zeros(len(part))) for part in layer] for layer in parts]
    flat = FlatGradients(parameters)
    for layer, numbers in zip(parameters, parts, strict=True):
        for parameter, part in zip(layer, numbers, strict=True):
            assert parameter.grad is not None
            parameter.grad.copy_(torch.from_numpy(part))
    return flat


@st.composite
def layers(draw: st.DrawFn) -> list[np.ndarray]:
    """Any bits at all, or numbers of one size as trainings make them, with some awkward ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = []
    for size in draw(st.lists(st.integers(1, 3000), min_size=1, max_size=8)):
        if draw(st.booleans()):
            numbers = rng.integers(0, 2**32, size, dtype=np.uint32).view(np.float32)
        else:
            numbers = (rng.normal(size=size) * 10.0 ** draw(st.integers(-46, 38))).astype(np.float32)
        some = rng.random(size) < draw(st.sampled_from([0.0, 0.1, 1.0]))
        numbers[some] = rng.choice(AWKWARD, int(some.sum()))
        made.append(numbers)
    return made


@settings(max_examples=60, deadline=None)
@given(layers())
def test_counts_equal_numpys_logarithms(layers: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(GradientHistograms(filled(layers)).count(), [plain(one) for one in layers])


def test_power_of_two_belongs_to_its_own_place() -> None:
    """2^p and the last float32 below 2^(p + 1), for every p; the subnormal ones are powers like others."""
    powers = np.arange(LOWEST, HIGHEST + 1)
    first = np.ldexp(np.float32(1), powers)
    last = np.nextafter(np.append(first[1:], np.float32(np.inf)), np.float32(0))
    counts = GradientHistograms(filled([first, -last])).count()
    np.testing.assert_array_equal(counts[:, 1:-1], 1)
    assert not counts[:, [0, -1]].any()


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_layers_larger_than_a_block_are_counted_once(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of part of a layer, and of several layers."""
    rng = np.random.default_rng(1)
    layers = [rng.normal(size=size).astype(np.float32) for size in (9000, 3, 70, 5000, 1, 1, 640)]
    flat = filled(layers)
    monkeypatch.setattr(flat_gradients, "BLOCK", rows * flat.row_length)
    np.testing.assert_array_equal(GradientHistograms(flat).count(), [plain(one) for one in layers])


def test_subnormals_are_counted_when_flushed_to_zero() -> None:
    numbers = np.array([1e-45, 1e-40, 1e-38, 0, 1e-30], np.float32)
    flat = filled([numbers])
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    try:
        counts = GradientHistograms(flat).count()
    finally:
        torch.set_flush_denormal(False)
    np.testing.assert_array_equal(counts, [plain(numbers)])


def test_a_layer_without_parameters_of_its_own_has_no_numbers() -> None:
    shared = nn.Parameter(torch.ones(10))
    flat = FlatGradients([[shared], [shared]])
    flat.gradients[:10] = 3.0
    counts = GradientHistograms(flat).count()
    assert counts[0].sum() == counts[0, 1 - LOWEST + 1] == 10
    assert not counts[1].any()


def test_padding_that_became_nan_is_not_counted() -> None:
    flat = FlatGradients([[nn.Parameter(torch.ones(5))], [nn.Parameter(torch.ones(70))]])
    flat.gradients.fill_(torch.nan)
    counts = GradientHistograms(flat).count()
    assert counts[:, -1].tolist() == counts.sum(axis=1).tolist() == [5, 70]


def test_counting_does_not_change_the_gradients() -> None:
    flat = filled([AWKWARD])
    before = flat.gradients.numpy().tobytes()
    GradientHistograms(flat).count()
    assert flat.gradients.numpy().tobytes() == before


def test_any_tensors_are_counted_by_layer() -> None:
    """Half precision, the factor of a gradient scaler, an empty parameter, and a layer of several kinds."""
    rng = np.random.default_rng(0)
    first = (rng.normal(size=(30, 20)) * 1e-3).astype(np.float16)
    second = rng.normal(size=500).astype(np.float32)
    second[:7], second[7:10] = 0.0, np.inf
    parts = [[torch.from_numpy(first), torch.from_numpy(second)], [torch.zeros(0), torch.ones(3)]]
    counts = count_sizes(parts, 1000, torch.tensor(2.0**10)).numpy()
    numbers = np.concatenate([first.astype(np.float32).ravel(), second]) / 2.0**10
    np.testing.assert_array_equal(counts, [plain(numbers), plain(np.full(3, 2.0**-10))])


@pytest.mark.parametrize("shape", [(512, 512), (300, 768), (64, 96, 3, 3)])
def test_share_of_numbers_holds_where_few_are_counted(shape: tuple[int, ...]) -> None:
    """Columns and rows that have no gradient count for as many numbers as they are, and small tensors count whole."""
    numbers = torch.ones(shape)
    numbers[:, : shape[1] // 4] = 0.0
    numbers[: shape[0] // 8] = 4.0
    counts = count_sizes([[numbers, torch.full((10,), 2.0)]], 4096)[0]
    assert counts.sum().item() == pytest.approx(numbers.numel() + 10)
    assert counts[1 + 1 - LOWEST] == 10
    for place, wanted in ((0, 0.25 * 0.875), (1 - LOWEST, 0.75 * 0.875), (3 - LOWEST, 0.125)):
        assert counts[place].item() / numbers.numel() == pytest.approx(wanted, abs=0.02)
