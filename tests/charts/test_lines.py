"""Test the range that is drawn behind a curve."""

from __future__ import annotations

import numpy as np
import pytest

from gradtui.charts.cells import Cells
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.lines import draw_band
from gradtui.charts.palette import WEAK, Palette
from gradtui.charts.scale import Scale
from tests.support.drawn import ALL, MONO, PLAIN, TRUE, lines

nan = np.nan


def drawn(x: list[float], low: list[float], high: list[float], palette: Palette = TRUE) -> Cells:
    cells = Cells(10, GUTTER + 21)
    frame = CurveFrame(0, 20, Scale("linear", 0, 9), 21, 10)
    draw_band(cells, frame, np.array(x), np.array(low), np.array(high), palette, WEAK)
    return cells


@pytest.mark.parametrize("palette", ALL)
def test_a_range_reaches_from_its_lowest_to_its_highest_value(palette: Palette) -> None:
    cells = drawn([0, 10, 20], [2, 4, 4], [7, 5, 5], palette)
    filled = cells.ink[:, GUTTER:] == WEAK
    assert np.flatnonzero(filled[:, 2]).tolist() == [2, 3, 4, 5, 6, 7]
    assert np.flatnonzero(filled[:, 15]).tolist() == [4, 5]
    assert filled.any(axis=0).all()
    assert (cells.codes[:, GUTTER:] != ord(" ")).tolist() == filled.tolist()


def test_a_range_is_a_mesh_unlike_any_curve() -> None:
    assert set("".join(lines(drawn([0, 20], [0, 0], [9, 9])))) <= {" ", "⢕", "⢐"}
    assert set("".join(lines(drawn([0, 20], [0, 0], [9, 9], MONO)))) == {" ", "░"}
    assert set("".join(lines(drawn([0, 20], [0, 0], [9, 9], PLAIN)))) == {" ", "."}


def test_several_points_in_a_column_give_a_range_of_their_extremes() -> None:
    x = np.linspace(0, 20, 2001)
    low = np.where(np.arange(2001) == 1000, 0.0, 4.0)
    cells = drawn(x.tolist(), low.tolist(), (low + 1).tolist())
    filled = cells.ink[:, GUTTER:] == WEAK
    assert filled[9].nonzero()[0].tolist() == [10]


def test_values_that_are_not_finite_are_gaps() -> None:
    filled = drawn([0, 5, 10, 15, 20], [1, nan, 1, 1, 1], [2, 3, np.inf, 2, 2]).ink[:, GUTTER:] == WEAK
    # Half a column before, for a cell has two columns of dots.
    assert np.flatnonzero(~filled.any(axis=0)).tolist() == list(range(6, 15))
    for x, low in (([], []), ([3.0], [nan])):
        assert set("".join(lines(drawn(x, low, low)))) == {" "}
