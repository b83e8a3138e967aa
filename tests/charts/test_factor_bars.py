"""Test factors as bars up and down from 1: the place of each factor, and the line of their product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradtui.absent import ABSENT
from gradtui.charts.cells import Cells
from gradtui.charts.factor_bars import (
    PRODUCT_INK,
    SLOPE_INK,
    WEIGHTS_INK,
    WHOLE_INK,
    FactorBars,
    bar_sign,
    draw_factors,
)
from gradtui.charts.layer_axis import GUTTER, LayerAxis
from gradtui.charts.palette import THEORY, Palette, text_palette
from tests.support.drawn import ASCII, MONO, PLAIN

ROWS = 12


def bars(
    total: list[float], slope: list[float] | None = None, theory: list[float] | None = None
) -> FactorBars:
    whole = np.array(total)
    first = np.full(len(total), ABSENT) if slope is None else np.array(slope)
    known = np.where(np.isnan(whole), 0.0, whole)
    product = np.cumsum(known[::-1])[::-1].copy()
    product[np.isnan(whole)] = ABSENT
    expected = np.full(len(total), ABSENT) if theory is None else np.array(theory)
    return FactorBars(whole, first, whole - first, product, expected)


def drawn(shown: FactorBars, *, ascii: bool = False, width: int = 60) -> Cells:
    cells = Cells(ROWS, width)
    axis = LayerAxis(len(shown.total), width - GUTTER)
    draw_factors(cells, shown, axis, text_palette(True, ascii), ROWS, None)
    return cells


def rows_of(cells: Cells, layer: int, layers: int, ink: int) -> list[int]:
    axis = LayerAxis(layers, cells.shape[1] - GUTTER)
    column = GUTTER + int(axis.edges[layer])
    shown = (cells.ink[:, column] == ink) & (cells.codes[:, column] != ord(" "))
    return np.flatnonzero(shown | (cells.fill[:, column] == ink)).tolist()


def one(cells: Cells) -> int:
    """Return the row of the tick of 1."""
    return next(row for row in range(ROWS) if cells.text(row)[:GUTTER].strip() == "1┤")


def test_opposite_parts_stand_on_both_sides_of_one_and_the_mark_is_their_sum() -> None:
    cells = drawn(bars([0.0, 0.0], [-0.3, 0.3]))
    base = one(cells)
    assert min(rows_of(cells, 0, 2, SLOPE_INK)) > base
    assert max(rows_of(cells, 0, 2, WEIGHTS_INK)) <= base
    assert max(rows_of(cells, 1, 2, SLOPE_INK)) <= base
    assert min(rows_of(cells, 1, 2, WEIGHTS_INK)) > base


def test_parts_of_one_side_stand_on_one_another() -> None:
    cells = drawn(bars([-0.6, -0.6], [-0.3, ABSENT]))
    slope, weights = rows_of(cells, 0, 2, SLOPE_INK), rows_of(cells, 0, 2, WEIGHTS_INK)
    assert slope
    assert weights
    assert max(slope) <= min(weights)
    whole = rows_of(cells, 1, 2, WHOLE_INK)
    assert max(whole) == max(weights), "both end at the same factor"
    assert min(whole) == min(slope)


def test_the_product_falls_from_the_output_to_the_input_and_its_end_is_written() -> None:
    cells = drawn(bars([ABSENT, *[-0.6] * 20]))
    dots = [
        int(np.flatnonzero((cells.codes[:, column] == ord("•")) & (cells.ink[:, column] == PRODUCT_INK))[0])
        for column in range(GUTTER, 60)
        if (cells.codes[:, column] == ord("•")).any()
    ]
    assert dots == sorted(dots, reverse=True)
    assert dots[0] > dots[-1]
    assert any("1e-12" in cells.text(row) for row in range(ROWS))
    assert "–" in cells.text(ROWS - 1), "the first layer has no factor"


def test_theory_is_a_line_at_its_height() -> None:
    cells = drawn(bars([-0.6, -0.6], theory=[-0.6, ABSENT]))
    rows = np.flatnonzero((cells.ink == THEORY).any(axis=1))
    assert rows.tolist() == [max(rows_of(cells, 1, 2, WHOLE_INK))]


@pytest.mark.parametrize("palette", [MONO, PLAIN, ASCII])
def test_no_line_hides_a_part_where_characters_tell_the_parts(palette: Palette) -> None:
    # Opposite parts that nearly cancel: of each there is one cell, and both lines lie in the row of one of them.
    count = 8
    shown = bars([0.01] * count, [-0.03] * count, theory=[0.01] * count)
    shown = replace(shown, running=np.full(count, ABSENT))
    cells, axis = Cells(ROWS, 60), LayerAxis(count, 60 - GUTTER)
    draw_factors(cells, shown, axis, palette, ROWS, None)
    for column in GUTTER + np.flatnonzero(axis.bar_of_column[: axis.used] >= 0):
        signs = {chr(code) for code in cells.codes[:, column]}
        assert {bar_sign(SLOPE_INK, palette), bar_sign(WEIGHTS_INK, palette)} <= signs
    between = GUTTER + np.flatnonzero(axis.bar_of_column[: axis.used] < 0)
    assert (cells.ink[:, between] == THEORY).any(axis=0).all(), "theory is seen between the bars"


@pytest.mark.parametrize(
    "values", [[0.0, -np.inf], [np.nan, 1.0], [np.inf, -np.inf], [ABSENT, ABSENT], [300.0, -300.0]]
)
@pytest.mark.parametrize("ascii", [False, True])
def test_any_factor_can_be_drawn_at_any_size(values: list[float], ascii: bool) -> None:
    for width in (7, 8, 20, 60):
        cells = drawn(bars(values), ascii=ascii, width=width)
        assert cells.shape == (ROWS, width)
        if ascii:
            text = "".join(cells.text(row) for row in range(ROWS))
            assert text.isascii()


def test_a_thousand_layers_fold_into_the_columns() -> None:
    cells = drawn(bars([ABSENT, *[-0.01] * 1000]))
    assert any("e-10" in cells.text(row) for row in range(ROWS))
