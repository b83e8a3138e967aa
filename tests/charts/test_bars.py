"""Test bars: exact heights, tones of a spread, marks, and no error for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.absent import ABSENT
from gradtui.charts.bars import LayerProfile, draw_bars, draw_ruler, draw_value_axis, eighths
from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import GUTTER, LayerAxis
from gradtui.charts.palette import (
    ALERT,
    CURSOR,
    HEALTHY,
    INF_FILL,
    LEAST_STROKE,
    NAN_FILL,
    NONE,
    RAMP,
    RAMP_MIDDLE,
    RAMP_WEAK,
    STEPS,
    THEORY,
    TYPICAL,
    Palette,
)
from gradtui.charts.scale import Scale
from tests.support.drawn import ALL, ASCII, MONO, PLAIN, TRUE, lines, strip_of


def scale_of(low: float, high: float) -> Scale:
    scale = Scale()
    scale.include(np.array([low, high]))
    return scale


def drawn(
    values: list[float],
    width: int,
    rows: int,
    palette: Palette = TRUE,
    cursor: int | None = None,
    **extra: object,
) -> Cells:
    """On a scale of 1e-4 … 1e0."""
    cells = Cells(rows, GUTTER + width)
    profile = LayerProfile(np.array(values), **extra)  # type: ignore[arg-type]
    draw_bars(cells, profile, LayerAxis(len(values), width), scale_of(-4, 0), palette, rows, cursor)
    return cells


def bars(cells: Cells) -> list[str]:
    return [line[GUTTER:] for line in lines(cells)]


def test_a_tick_stands_where_the_bar_of_its_value_ends() -> None:
    scale, rows = scale_of(-8, 0), 9
    for value in range(-8, 1):
        height = int(eighths(np.array([value]), scale, rows)[0])
        assert height % 8 == 4
        cells = Cells(rows, GUTTER)
        draw_value_axis(cells, scale, TRUE, rows)
        labels = {line[:5].strip(): row for row, line in enumerate(lines(cells))}
        if (label := f"1e{value}") in labels:
            assert labels[label] == rows - 1 - height // 8
    assert {"1e0", "1e-8"} <= set(labels)


def test_low_bars_can_be_seen_in_ascii_with_colours() -> None:
    # The third row from the top is the last whole one of the second bar; the first bar is half of the bottom row.
    cells = drawn([-4, -2], 2, 5, ASCII)
    assert bars(cells) == ["  ", "  ", " -", " #", "-#"]
    low, middle = RAMP, RAMP + STEPS // 4
    assert cells.fill[3:, GUTTER + 1].tolist() == [middle, low], "whole cells are blocks of their colour"
    assert cells.ink[4, GUTTER] == RAMP + LEAST_STROKE, "a stroke is no fainter than can be read"
    assert cells.fill[4, GUTTER] == NONE
    marked = drawn([-0.5], 1, 5, ASCII, theory=np.array([-3.0]))
    assert (bars(marked)[3], marked.fill[3, GUTTER]) == ("+", NONE), "a mark stands on the plain ground"


def test_bars_have_heights_in_eighths() -> None:
    # Five rows for four decades: a decade a row, ends in the middle of rows.
    assert bars(drawn([-4, -3, -2, -1, 0], 5, 5)) == [
        "    ▄",
        "   ▄█",
        "  ▄██",
        " ▄███",
        "▄████",
    ]
    assert bars(drawn([-1.5, -1.25, -1.125], 3, 5))[1:3] == ["▔▔▔".replace("▔", " ")[:1] + "▂▃", "█" * 3]


def test_a_cell_has_the_colour_of_its_height() -> None:
    cells = drawn([0, -4], 2, 5)
    top, bottom = cells.ink[0, GUTTER], cells.ink[4, GUTTER]
    assert top == RAMP + STEPS - 1
    assert bottom == RAMP
    assert cells.ink[4, GUTTER + 1] == RAMP


def test_bars_of_three_columns_and_more_have_gaps() -> None:
    assert bars(drawn([0, 0], 6, 2)) == ["▄▄ ▄▄ ", "██ ██ "]


def test_the_bottom_row_marks_values_that_are_no_numbers() -> None:
    for palette, signs in ((TRUE, "0×∞"), (MONO, "0×∞"), (PLAIN, "0NI"), (ASCII, "0NI")):
        cells = drawn([-np.inf, np.nan, np.inf, 0], 4, 3, palette)
        assert bars(cells)[-1][:3] == signs
        assert cells.fill[-1, GUTTER : GUTTER + 3].tolist() == [0, NAN_FILL, INF_FILL]
        # Nothing else in the column of a zero; a veil over those of NaN and infinity.
        assert [line[0] for line in bars(cells)[:-1]] == [" ", " "]
        assert {line[1] for line in bars(cells)[:-1]} == {palette.glyphs.shades[1]}


def test_a_nan_among_folded_layers_keeps_the_bar_of_the_others() -> None:
    values = [0.0] * 10
    values[4] = np.nan
    assert bars(drawn(values, 2, 2)) == ["▄▄", "×█"]


def test_folded_columns_show_low_middle_and_high() -> None:
    # One column of three layers at 1e-4, 1e-2 and 1e0: solid to the lowest, half to the median, weak to the highest.
    cells = drawn([-4, -2, 0], 1, 5)
    tones = [(int(cells.ink[row, GUTTER]), int(cells.fill[row, GUTTER])) for row in range(5)]
    kinds = [((ink - RAMP) // STEPS, (fill - RAMP) // STEPS if fill else None) for ink, fill in tones]
    weak, half, strong = 2, 1, 0
    assert kinds == [(weak, None), (weak, None), (half, weak), (half, None), (strong, half)]
    assert bars(cells) == ["▄", "█", "▄", "█", "▄"]
    assert (RAMP_MIDDLE, RAMP_WEAK) == (RAMP + STEPS, RAMP + 2 * STEPS)


def test_folded_columns_without_colour_are_shaded() -> None:
    assert bars(drawn([-4, -2, 0], 1, 5, MONO)) == ["░", "░", "▄", "▓", "▓"]
    assert bars(drawn([-4, -2, 0], 1, 5, PLAIN)) == [".", ".", "-", "*", "*"]


def test_the_spread_over_time_is_drawn_like_a_fold() -> None:
    spread = (np.array([-4.0]), np.array([0.0]))
    cells, folded = drawn([-2], 1, 5, spread=spread), drawn([-4, -2, 0], 1, 5)
    assert (cells.ink == folded.ink).all()
    assert (cells.codes == folded.codes).all()


def test_theory_is_a_thin_line_with_gaps_where_it_predicts_nothing() -> None:
    cells = drawn([0, 0, 0], 3, 5, theory=np.array([np.nan, -2.0, -1.5]))
    at = np.argwhere(cells.ink == THEORY)
    assert at.tolist() == [[1, GUTTER + 2], [2, GUTTER + 1]]
    assert bars(cells)[2][1] == "─"
    assert bars(cells)[1][2] == "▁"
    # The bar behind it stays.
    assert cells.fill[2, GUTTER + 1] >= RAMP


def test_the_typical_value_is_a_line_across_its_bar() -> None:
    cells = drawn([-4, -4], 8, 5, typical=np.array([-1.0, np.nan]))
    assert np.argwhere(cells.ink == TYPICAL).tolist() == [[1, GUTTER], [1, GUTTER + 1], [1, GUTTER + 2]]
    assert bars(cells)[1][:4] == "─── "


def test_the_typical_value_bites_no_hole_into_the_tip_of_its_bar() -> None:
    plain, marked = drawn([-2.1], 4, 9), drawn([-2.1], 4, 9, typical=np.array([-2.0]))
    assert (plain.codes == marked.codes).all()


def test_none_is_a_dash_and_no_alarm() -> None:
    cells = drawn([-2.0, ABSENT], 2, 5)
    assert bars(cells)[4][1] == "–"
    assert not (cells.ink[:, GUTTER + 1] == ALERT).any()


def test_a_fraction_of_zero_stands_on_the_baseline_of_0_to_100_percent() -> None:
    scale = Scale("linear", 0.0, 1.0)
    assert not scale.include(np.zeros(5))
    assert (scale.low, scale.high) == (0.0, 1.0)
    assert (eighths(np.array([0.0, 1.0]), scale, 5) == [4, 36]).all()


def test_the_healthy_range_lies_behind_the_bars() -> None:
    cells = drawn([-4, -4, 0], 3, 5, healthy=(np.array(-2.0), np.array(-1.0)))
    rows = [(cells.fill[row, GUTTER : GUTTER + 3] == HEALTHY).all() for row in range(5)]
    assert rows == [False, True, True, False, False]
    for palette, dots in ((MONO, "··█"), (PLAIN, "''#")):
        text = bars(drawn([-4, -4, 0], 3, 5, palette, healthy=(np.array(-2.0), np.array(-1.0))))
        assert text[1:3] == [dots, dots]


def test_the_cursor_is_visible_with_and_without_colour() -> None:
    cells = drawn([-4] * 3, 3, 5, cursor=1)
    assert (cells.fill[:, GUTTER + 1] == CURSOR).all()
    assert not (cells.fill[:, GUTTER] == CURSOR).any()
    assert bars(drawn([-4] * 3, 3, 5, MONO, cursor=1))[:-1] == [" │ "] * 4
    assert bars(drawn([-4] * 3, 12, 5, MONO, cursor=1))[0] == "    │       "


def test_the_ruler_counts_from_one_and_points_at_the_cursor() -> None:
    def ruler(layers: int, width: int, cursor: int | None = None) -> str:
        cells = Cells(1, GUTTER + width)
        draw_ruler(cells, LayerAxis(layers, width), TRUE, 0, cursor)
        return cells.text(0)

    assert ruler(5, 30) == "layer   1     2     3     4     5   "
    assert ruler(1000, 40).split() == ["layer", "1", "200", "400", "600", "800", "1000"]
    assert "▲3" in ruler(5, 30, cursor=2)
    assert ruler(5, 30, cursor=2).index("▲") - GUTTER in range(12, 18)
    assert ruler(0, 30).split() == ["layer"]


def test_time_lags_are_counted_from_zero() -> None:
    cells = Cells(1, GUTTER + 40)
    draw_ruler(cells, LayerAxis(30, 40), TRUE, 0, 12, "lag", 0)
    assert cells.text(0).split() == ["lag", "0", "5", "10", "▲12", "20", "25", "29"]


floats = st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@pytest.mark.parametrize("palette", ALL)
@settings(max_examples=40)
@given(
    values=arrays(np.float64, st.integers(0, 60), elements=floats),
    width=st.integers(0, 40),
    rows=st.integers(0, 12),
    data=st.data(),
)
def test_never_raises_and_keeps_the_width(
    palette: Palette, values: np.ndarray, width: int, rows: int, data: st.DataObject
) -> None:
    overlays = st.none() | arrays(np.float64, len(values), elements=floats)
    pair = st.none() | st.tuples(
        arrays(np.float64, len(values), elements=floats), arrays(np.float64, len(values), elements=floats)
    )
    profile = LayerProfile(values, data.draw(pair), data.draw(overlays), data.draw(overlays), data.draw(pair))
    cells = Cells(rows, GUTTER + width)
    first = data.draw(st.integers(0, 60))
    axis = LayerAxis(len(values), width, first, data.draw(st.integers(-1, 60)))
    scale = Scale()
    scale.include(values)
    cursor = data.draw(st.none() | st.integers(0, 60))
    draw_bars(cells, profile, axis, scale, palette, rows, cursor)
    draw_value_axis(cells, scale, palette, rows)
    draw_ruler(cells, axis, palette, rows - 1, cursor)
    for row in range(rows):
        strip = strip_of(cells, row, palette)
        assert strip.cell_length == GUTTER + width == len(strip.text)
    if palette.ascii:
        assert all(line.isascii() for line in lines(cells))


@pytest.mark.parametrize("palette", ALL)
def test_signed_values_are_bars_up_and_down_from_zero(palette: Palette) -> None:
    scale, rows, full = Scale("linear", -1.0, 1.0), 9, "#" if palette.ascii else "█"
    cells = Cells(rows, GUTTER + 4)
    values = np.array([1.0, -0.5, 0.0, np.nan])
    draw_bars(cells, LayerProfile(values), LayerAxis(4, 4), scale, palette, rows, None)
    columns = ["".join(line[at] for line in bars(cells)) for at in range(4)]
    # Zero lies in the middle of the fifth row, and a row is a quarter.
    up, down, zero, nan = columns
    assert up[1:4] == full * 3
    assert not up[5:].strip()
    assert down[5:6] == full
    assert not down[:4].strip()
    assert not down[7:].strip()
    assert zero[4] in "─~"
    assert not (zero[:4] + zero[5:]).strip()
    assert full not in nan
    if palette is TRUE:
        assert (up[0], up[4], down[4], down[6]) == ("▄", "▀", "▄", "▀")
