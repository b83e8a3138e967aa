"""Test the layer axis: columns of layers, windows, zoom, and several layers in one column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.charts.layer_axis import FINITE, INFINITE, NAN, WIDEST_CELL, ZERO, LayerAxis, fold, kind_of

axes = st.builds(
    LayerAxis, st.integers(0, 3000), st.integers(0, 250), st.integers(0, 3000), st.integers(-1, 3000)
)


def test_cells_of_layers_fill_the_width() -> None:
    axis = LayerAxis(3, 10)
    assert axis.edges.tolist() == [0, 3, 6, 10]
    assert axis.bin_of_column.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_bars_are_equally_wide_and_the_rest_is_gap() -> None:
    axis = LayerAxis(3, 10)
    assert axis.bar_of_column.tolist() == [0, 0, -1, 1, 1, -1, 2, 2, -1, -1]


def test_narrow_cells_have_no_gap() -> None:
    assert LayerAxis(4, 8).bar_of_column.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_layer_has_at_most_so_many_columns() -> None:
    assert LayerAxis(2, 300).used == 2 * WIDEST_CELL


def test_too_many_layers_are_folded_evenly() -> None:
    axis = LayerAxis(10, 4)
    assert axis.folded
    assert axis.folds.tolist() == [0, 2, 5, 7, 10]
    assert [axis.layers_at(column) for column in range(4)] == [(0, 1), (2, 4), (5, 6), (7, 9)]


def test_axis_shows_only_the_layers_in_its_window() -> None:
    axis = LayerAxis(100, 5, 10, 14)
    assert [axis.layers_at(column) for column in range(5)] == [(n, n) for n in range(10, 15)]
    assert axis.columns_of(12) == (2, 2)
    assert axis.columns_of(15) is None
    assert axis.columns_of(9) is None


@given(axes)
def test_every_layer_in_view_has_columns_that_lead_back_to_it(axis: LayerAxis) -> None:
    if axis.width == 0:
        return
    for layer in np.linspace(axis.first, axis.last, min(axis.shown, 40)).astype(int).tolist():
        columns = axis.columns_of(layer)
        assert columns is not None
        for column in columns:
            first, last = axis.layers_at(column) or (-1, -1)
            assert first <= layer <= last


@given(axes)
def test_the_columns_in_order_cover_every_layer_once(axis: LayerAxis) -> None:
    seen = [axis.layers_at(column) for column in range(axis.used)]
    distinct = [span for i, span in enumerate(seen) if span and (not i or span != seen[i - 1])]
    layers = [layer for first, last in distinct for layer in range(first, last + 1)]
    assert layers == (list(range(axis.first, axis.last + 1)) if axis.width and axis.layers else [])
    assert axis.layers_at(axis.used) is None
    assert axis.layers_at(-1) is None


@given(axes)
def test_cells_and_folds_differ_by_one_at_most(axis: LayerAxis) -> None:
    for parts in (np.diff(axis.edges), np.diff(axis.folds)):
        if parts.size:
            assert parts.min() >= 1
            assert parts.max() - parts.min() <= 1


@given(st.integers(1, 3000), st.sampled_from([0.25, 0.5, 0.9, 1.1, 2.0, 4.0]), st.data())
def test_zooming_keeps_the_layer_in_view(layers: int, factor: float, data: st.DataObject) -> None:
    around = data.draw(st.integers(0, layers - 1))
    axis = LayerAxis(layers, 80)
    for _ in range(6):
        first, last = axis.zoomed(factor, around)
        assert 0 <= first <= around <= last < layers
        assert (last - first + 1 < axis.shown) == (factor < 1 < axis.shown)
        axis = LayerAxis(layers, 80, first, last)


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 columns"):
        LayerAxis(3, -1)


numbers = st.floats(-300, 300) | st.sampled_from([np.nan, np.inf, -np.inf])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 3), st.data())
def test_fold_gives_extremes_and_median_of_the_finite_layers(
    layers: int, width: int, rows: int, data: st.DataObject
) -> None:
    values = data.draw(arrays(np.float64, (rows, layers), elements=numbers))
    axis = LayerAxis(layers, width)
    folded = fold(values, axis)
    for row in range(rows):
        for at in range(axis.bins):
            part = values[row, axis.folds[at] : axis.folds[at + 1]]
            finite = part[np.isfinite(part)]
            if finite.size:
                assert folded.low[row, at] == finite.min()
                assert folded.high[row, at] == finite.max()
                assert folded.middle[row, at] == pytest.approx(np.median(finite))
            else:
                assert np.isnan([folded.low[row, at], folded.middle[row, at], folded.high[row, at]]).all()
            kind = folded.kind[row, at]
            if np.isnan(part).any():
                assert kind == NAN
            elif np.isposinf(part).any():
                assert kind == INFINITE
            else:
                assert kind == (FINITE if finite.size else ZERO)


def test_finite_zero_infinite_and_nan_are_distinguished() -> None:
    assert kind_of(np.array([1.0, -np.inf, np.inf, np.nan])).tolist() == [FINITE, ZERO, INFINITE, NAN]


def test_one_nan_among_a_thousand_layers_is_seen() -> None:
    values = np.zeros(1000)
    values[123] = np.nan
    kinds = fold(values, LayerAxis(1000, 50)).kind
    assert kinds.tolist().count(NAN) == 1
    assert kinds[123 // 20] == NAN


def test_fold_reduces_the_window_only() -> None:
    values = np.arange(10.0)
    assert fold(values, LayerAxis(10, 50, 3, 5)).middle.tolist() == [3, 4, 5]
