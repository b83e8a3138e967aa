"""Test curves: their reduction to two points a column, their axes, gaps and marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.charts.cells import Cells
from gradtui.charts.curves import SMALLEST_CHART, draw_curves
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.lines import bucketed
from gradtui.charts.palette import ALERT, NAN_FILL, OTHER, SERIES, Palette
from gradtui.charts.series import CurveData
from tests.support.drawn import ALL, MONO, PLAIN, TRUE, lines

nan = np.nan
values = st.floats(width=64) | st.sampled_from([nan, np.inf, -np.inf])


def drawn(
    series: list[CurveData], width: int = 60, height: int = 12, palette: Palette = TRUE, **extra: object
) -> Cells:
    cells = Cells(height, width)
    assert draw_curves(cells, series, palette, **extra)  # type: ignore[arg-type]
    return cells


@given(arrays(np.float64, st.integers(1, 500), elements=values), st.integers(1, 60))
def test_bucketed_keeps_the_extremes_and_the_gaps(y: np.ndarray, columns: int) -> None:
    x = np.arange(len(y), dtype=float)
    less_x, less_y = bucketed(x, y, columns)
    assert len(less_x) <= max(2 * columns, 3 * columns if not np.isfinite(y).all() else 0)
    assert (np.diff(less_x) > 0).all()
    np.testing.assert_array_equal(less_y, y[less_x.astype(int)])
    finite = y[np.isfinite(y)]
    if finite.size:
        assert less_y[np.isfinite(less_y)].min() == finite.min()
        assert less_y[np.isfinite(less_y)].max() == finite.max()
    assert np.isfinite(less_y).all() == np.isfinite(y).all()


def test_a_falling_line_falls() -> None:
    cells = drawn([CurveData("loss", np.arange(100), np.linspace(2, 0, 100))])
    drawn_rows = [np.flatnonzero(cells.ink[row, GUTTER:] == SERIES) for row in range(11)]
    firsts = [columns.min() for columns in drawn_rows if columns.size]
    assert len(firsts) == 11
    assert firsts == sorted(firsts)


def test_a_chart_has_axes_and_the_last_value() -> None:
    text = lines(drawn([CurveData("loss", np.arange(101), np.linspace(2, 0, 101))]))
    assert text[0].startswith("    2┤")
    assert text[10].startswith("    0┤")
    assert text[11].startswith("     └0")
    assert text[11].rstrip().endswith("100")
    assert "━ loss 0" in text[0]


def test_the_axis_reaches_to_the_planned_end() -> None:
    cells = drawn([CurveData("loss", np.arange(101), np.zeros(101) + 1)], x_end=1000.0)
    assert "1000" in lines(cells)[-1]
    assert np.argwhere(cells.ink[:-1, GUTTER:40] == SERIES)[:, 1].max() <= 6


def test_steps_that_begin_at_one_stand_on_an_axis_from_zero() -> None:
    assert lines(drawn([CurveData("loss", np.arange(1, 301), np.ones(300))]))[-1].startswith("     └0──")
    assert lines(drawn([CurveData("loss", np.arange(50, 101), np.ones(51))]))[-1].startswith("     └───")


def test_a_given_y_range_is_kept() -> None:
    text = lines(drawn([CurveData("accuracy", [0, 1, 2], [0.1, 0.1, 0.11])], y_range=(0.0, 1.0)))
    # A fraction is in percent on its axis and in the legend, as in the lists.
    assert text[0].startswith(" 100%┤")
    assert text[-2].startswith("   0%┤")
    assert "accuracy 11.0%" in "\n".join(text)


def test_a_log_axis_has_decades() -> None:
    text = lines(drawn([CurveData("loss", [0, 1, 2], [1e-3, 1.0, 1e2])], log=True))
    assert text[0].startswith("  1e2┤")
    assert [line[:6] for line in text if "┤" in line] == ["  1e2┤", "  1e0┤", " 1e-2┤"]


def test_what_is_not_finite_is_a_gap_and_a_red_sign_on_the_axis() -> None:
    y = np.ones(54)
    y[20:30] = nan
    y[40] = np.inf
    cells = drawn([CurveData("loss", np.arange(54), y)], width=60)
    marks = np.flatnonzero(cells.fill[-1] == NAN_FILL) - GUTTER
    assert marks.tolist() == [*range(20, 30), 40]
    assert {lines(cells)[-1][GUTTER + mark] for mark in marks} == {"×"}
    seen = set(np.argwhere(cells.ink[:-1, GUTTER:] == SERIES)[:, 1].tolist())
    assert seen.isdisjoint(range(21, 29))
    assert {5, 15, 35, 50} <= seen


def test_the_legend_shows_a_last_value_of_nan() -> None:
    cells = drawn([CurveData("loss", [0, 1, 2], [1.0, 2.0, nan])])
    at = lines(cells)[0].index("NaN")
    assert cells.ink[0, at] == ALERT


def test_without_colour_each_curve_has_its_own_marker() -> None:
    two = [CurveData("train", [0, 50, 100], [2, 1, 0]), CurveData("test", [0, 50, 100], [3, 3, 3])]
    for palette, first in ((MONO, "━"), (PLAIN, "*")):
        text = "\n".join(line[GUTTER:] for line in lines(drawn(two, palette=palette))[:-1])
        assert f"{first} train 0" in text
        assert "+ test 3" in text
        assert text.count("+") > 20


def test_the_legend_stays_clear_of_the_curve() -> None:
    # Rising to the right: the upper right corner is taken.
    text = lines(drawn([CurveData("accuracy", np.arange(50), np.linspace(0, 1, 50))]))
    row = next(i for i, line in enumerate(text) if "accuracy" in line)
    at = text[row].index("accuracy")
    assert (row, at < 30) in {(0, True), (10, False)}


@pytest.mark.parametrize("y", [[], [nan, nan], [np.inf, -np.inf]])
def test_nothing_is_drawn_where_nothing_is_finite(y: list[float]) -> None:
    cells = Cells(10, 40)
    assert not draw_curves(cells, [CurveData("loss", range(len(y)), y)], TRUE)
    assert not draw_curves(cells, [], TRUE)
    assert set("".join(lines(cells))) == {" "}


def test_unequal_lengths_raise_an_error_that_names_the_curve() -> None:
    with pytest.raises(ValueError, match="'loss': 2 x and 3 y"):
        draw_curves(Cells(10, 40), [CurveData("loss", [0, 1], [0, 1, 2])], TRUE)


@pytest.mark.parametrize("palette", ALL)
@settings(max_examples=25)
@given(
    ys=st.lists(arrays(np.float64, st.integers(0, 80), elements=values), max_size=5),
    width=st.integers(0, 50),
    height=st.integers(0, 12),
    log=st.booleans(),
)
def test_never_raises_and_keeps_the_width(
    palette: Palette, ys: list[np.ndarray], width: int, height: int, log: bool
) -> None:
    cells = Cells(height, width)
    series = [CurveData(f"s{i}", np.arange(len(y)), y) for i, y in enumerate(ys)]
    done = draw_curves(cells, series, palette, log=log)
    assert all(len(line) == width for line in lines(cells))
    assert not done or (width >= SMALLEST_CHART[0] and height >= SMALLEST_CHART[1])
    if palette.ascii:
        assert all(line.isascii() for line in lines(cells))


def test_plotext_s_own_figure_is_left_alone() -> None:
    import plotext

    before = plotext.figure.size()
    drawn([CurveData("loss", [0, 1, 2], [1.0, 2.0, 3.0])], width=33, height=7)
    assert plotext.figure.size() == before
    assert not list(plotext.figure._signals)


def test_an_exploding_guest_does_not_stretch_the_axis() -> None:
    x = np.arange(1, 101)
    own, other = CurveData("loss", x, np.linspace(2, 0, 100)), np.where(x < 50, x * 1.0, 1e13)
    text = lines(drawn([own, CurveData("without", x, other, only_compared=True)]))
    assert text[0].startswith("    4┤")
    # It lies along the upper edge, and is not lost.
    row = drawn([own, CurveData("without", x, other, only_compared=True)]).ink[0, GUTTER:]
    assert (row[10:40] == OTHER).sum() > 5
    # The axis includes a curve of the same kind, and one that is only compared if no other is finite.
    assert "e13" in lines(drawn([own, CurveData("without", x, other)]))[0]
    assert (
        "e13"
        in lines(
            drawn(
                [CurveData("loss", x, np.full(100, nan)), CurveData("without", x, other, only_compared=True)]
            )
        )[0]
    )
