"""Several layers in a column, against numpy's own reductions of each slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.charts.layer_axis import FINITE, INFINITE, NAN, ZERO, LayerAxis, fold, kind_of

numbers = st.floats(-300, 300) | st.sampled_from([np.nan, np.inf, -np.inf])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 3), st.data())
def test_extremes_and_median_of_the_finite_layers(
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


def test_kinds() -> None:
    assert kind_of(np.array([1.0, -np.inf, np.inf, np.nan])).tolist() == [FINITE, ZERO, INFINITE, NAN]


def test_one_nan_among_a_thousand_layers_is_seen() -> None:
    values = np.zeros(1000)
    values[123] = np.nan
    kinds = fold(values, LayerAxis(1000, 50)).kind
    assert kinds.tolist().count(NAN) == 1
    assert kinds[123 // 20] == NAN


def test_the_window_only() -> None:
    values = np.arange(10.0)
    assert fold(values, LayerAxis(10, 50, 3, 5)).middle.tolist() == [3, 4, 5]
