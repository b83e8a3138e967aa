"""Test the cells of the waterfall: half blocks, marks and steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.absent import ABSENT
from gradtui.charts.cells import Cells
from gradtui.charts.heat import (
    draw_heat,
    draw_histogram,
    draw_steps,
    heat_codes,
    rows_per_line,
    step_label,
    thinned,
)
from gradtui.charts.layer_axis import GUTTER, LayerAxis
from gradtui.charts.palette import INF_FILL, NAN_FILL, NONE, RAMP, STEPS, Palette
from gradtui.charts.scale import Scale
from tests.support.drawn import ALL, ANSI, MONO, PLAIN, TRUE, lines, strip_of

nan, inf = np.nan, np.inf


def drawn(values: list[list[float]], width: int, height: int, palette: Palette = TRUE) -> Cells:
    """On a scale of 1e-4 … 1e0."""
    matrix = np.array(values)
    scale = Scale("log", -4.0, 0.0)
    cells = Cells(height, GUTTER + width)
    axis = LayerAxis(matrix.shape[1], width)
    draw_heat(cells, heat_codes(matrix, axis, scale), axis, palette)
    return cells


def test_two_rows_a_line_in_true_colour() -> None:
    cells = drawn([[-4, 0], [0, -4], [-2, -2]], 2, 2)
    high, low, middle = RAMP + STEPS - 1, RAMP, RAMP + STEPS // 2
    assert [line[GUTTER:] for line in lines(cells)] == ["▀▀", "▀▀"]
    assert cells.ink[:, GUTTER:].tolist() == [[low, high], [middle, middle]]
    assert cells.fill[:, GUTTER:].tolist() == [[high, low], [NONE, NONE]]


def test_heat_uses_the_columns_of_the_profile() -> None:
    cells = drawn([[-4, 0, -4]] * 2, 10, 1)
    assert (cells.ink[0, GUTTER:] == np.repeat([RAMP, RAMP + STEPS - 1, RAMP], [3, 3, 4])).all()


def test_without_true_colour_a_line_holds_one_row() -> None:
    assert [rows_per_line(palette) for palette in ALL] == [2, 1, 1, 1, 1]
    ramp = [[-4.0, -3.2, -2.4, -1.6, -0.8, 0.0]]
    assert lines(drawn(ramp, 6, 1, MONO))[0][GUTTER:] == "··░▒▓█"
    assert lines(drawn(ramp, 6, 1, PLAIN))[0][GUTTER:] == ".:=*%@"


@pytest.mark.parametrize("palette", ALL)
def test_nan_and_infinity_show_their_sign_in_either_row_of_a_line(palette: Palette) -> None:
    glyphs = palette.glyphs
    for rows in ([[nan, inf], [0, 0]], [[0, 0], [nan, inf]]):
        cells = drawn(rows, 2, 2, palette)
        line = 0 if palette is TRUE or np.isnan(rows[0][0]) else 1
        assert lines(cells)[line][GUTTER:] == glyphs.nan + glyphs.inf
        assert cells.fill[line, GUTTER:].tolist() == [NAN_FILL, INF_FILL]


@pytest.mark.parametrize("palette", ALL)
def test_a_layer_without_a_value_and_time_to_come_are_blank(palette: Palette) -> None:
    cells = drawn([[-1, nan, ABSENT]] * 2, 3, 3, palette)
    assert [line[GUTTER + 2 :] for line in lines(cells)] == [" "] * 3
    assert lines(cells)[2][GUTTER:] == "   "
    shares = np.array([[0.0, 0.5], [0.0, 0.0]])
    histogram = Cells(2, GUTTER + 2)
    draw_histogram(histogram, shares, np.zeros(2, bool), palette)
    assert [line[GUTTER] for line in lines(histogram)] == [" ", " "]


def test_nan_is_shown_before_infinity_in_one_cell() -> None:
    assert lines(drawn([[nan], [inf]], 1, 1))[0][GUTTER:] == "×"


def test_zero_is_not_drawn_as_a_small_number() -> None:
    cells = drawn([[-inf, -4], [-inf, -4]], 2, 1)
    assert lines(cells)[0][GUTTER:] == "0▀"
    # Beside a number, the half of a zero is bare ground.
    cells = drawn([[-inf, 0.0], [0.0, -inf]], 2, 1)
    assert lines(cells)[0][GUTTER:] == "▄▀"
    assert cells.fill[0, GUTTER:].tolist() == [NONE, NONE]


def test_drawing_from_a_line_on_leaves_the_lines_above() -> None:
    matrix, axis, scale = np.zeros((8, 3)), LayerAxis(3, 3), Scale("log", -4.0, 0.0)
    cells = Cells(4, GUTTER + 3)
    draw_heat(cells, heat_codes(matrix, axis, scale), axis, TRUE, first_line=2)
    assert [line[GUTTER:] for line in lines(cells)] == ["   ", "   ", "▀▀▀", "▀▀▀"]


def test_round_steps_are_labelled_beside_the_line_that_holds_them() -> None:
    cells = Cells(20, GUTTER)
    draw_steps(cells, np.arange(18) * 8, 143, None, TRUE)
    labels = {int(line[:5]): row for row, line in enumerate(lines(cells)) if line[:5].strip()}
    assert labels == {0: 0, 50: 6, 100: 12}
    assert all(row * 8 <= step < row * 8 + 8 for step, row in labels.items())
    assert lines(cells)[18:] == [" " * GUTTER] * 2


def test_the_gutter_points_at_the_step_under_the_cursor() -> None:
    cells = Cells(10, GUTTER)
    draw_steps(cells, np.arange(10) * 8, 79, 47, TRUE)
    assert lines(cells)[5] == "   47▶"


def test_a_step_of_several_lines_is_labelled_beside_the_first() -> None:
    cells = Cells(9, GUTTER)
    draw_steps(cells, np.repeat([1, 2, 3], 3), 3, None, TRUE)
    assert [line[:5].strip() for line in lines(cells)] == ["1", "", "", "2", "", "", "3", "", ""]
    draw_steps(cells, np.repeat([1, 2, 3], 3), 3, 2, TRUE)
    assert [row for row, line in enumerate(lines(cells)) if "▶" in line] == [3]


@pytest.mark.parametrize(
    ("step", "label"),
    [(0, "0"), (99_999, "99999"), (100_000, "100k"), (120_000, "120k"), (999_999, "999k"), (1_250_000, "1.25M"),
     (12_500_000, "12.5M"), (10**10, "10G"), (10**13, "10T")],
)  # fmt: skip
def test_step_labels_have_five_characters_at_most(step: int, label: str) -> None:
    assert step_label(step) == label
    assert len(label) <= 5


def test_thinning_is_by_a_power_of_two_and_keeps_nan() -> None:
    matrix = np.zeros((100, 2))
    matrix[37, 1] = nan
    matrix[50, 0] = 3
    rows, times = thinned(matrix, 30)
    assert (len(rows), times) == (25, 4)
    assert np.argwhere(np.isnan(rows)).tolist() == [[9, 1]]
    assert rows[12, 0] == 3
    assert thinned(matrix, 100)[1] == 1


@pytest.mark.parametrize("palette", ALL)
@given(
    matrix=arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 50)),
        elements=st.floats(width=32) | st.sampled_from([nan, inf, -inf]),
    ),
    width=st.integers(0, 40),
    height=st.integers(0, 12),
    stride=st.sampled_from([1, 2, 64, 2**20]),
)
def test_never_raises_and_keeps_the_width(
    palette: Palette, matrix: np.ndarray, width: int, height: int, stride: int
) -> None:
    scale = Scale()
    scale.include(matrix)
    axis = LayerAxis(matrix.shape[1], width)
    cells = Cells(height, GUTTER + width)
    draw_heat(cells, heat_codes(matrix, axis, scale), axis, palette)
    steps = 7 + np.arange(len(matrix)) * stride
    draw_steps(cells, steps[:: rows_per_line(palette)], int(steps[-1]) + stride - 1, 100, palette)
    for row in range(height):
        strip = strip_of(cells, row, palette)
        assert strip.cell_length == GUTTER + width == len(strip.text)
    if width >= axis.bins > 0:
        shown = "".join(lines(cells))
        fits = height * rows_per_line(palette) >= len(matrix)
        if fits and np.isnan(matrix).any():
            assert palette.glyphs.nan in shown


def test_sixteen_colours_are_those_of_the_terminal() -> None:
    strip = strip_of(drawn([[-4, -2, 0, nan, inf, -inf]], 6, 1, ANSI), 0, ANSI)
    colours = [segment.style.color for segment in strip] + [segment.style.bgcolor for segment in strip]
    assert all(colour is None or colour.number < 16 for colour in colours)
