"""Test what is drawn over curves (cursor, marks, legend) and the other ways to show them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradtui.charts.cells import Cells
from gradtui.charts.curves import CurveLayer, CurveView, draw_layer, draw_over
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.marks import Clipped, CurveMark, CurveMarks
from gradtui.charts.palette import ALERT, CURSOR, SERIES, WEAK, Palette
from gradtui.charts.series import LEVELS, CurveData, smoothed, smoothing_steps
from tests.support.drawn import ALL, ASCII, MONO, PLAIN, TRUE, lines

nan = np.nan
STEPS = np.arange(1, 501)
NOISE = np.random.default_rng(0).normal(0, 0.2, 500)
LOSS = 2 * np.exp(-STEPS / 100) + 0.1
BATCH = CurveData("batch", STEPS, LOSS * (1 + NOISE))
TEST = CurveData("test", STEPS[49::50], LOSS[49::50], noisy=False)


def layer_of(
    *series: CurveData, palette: Palette = TRUE, size: tuple[int, int] = (14, 90), **view: object
) -> CurveLayer:
    marked = bool(view.pop("marked", False))
    layer = draw_layer(*size, series, palette, CurveView(**view), marked=marked)  # type: ignore[arg-type]
    assert layer is not None
    return layer


def text_of(layer: CurveLayer, palette: Palette = TRUE, **over: object) -> list[str]:
    return lines(draw_over(layer, palette, **over)[0])  # type: ignore[arg-type]


def inked(cells: Cells, ink: int) -> np.ndarray:
    """(rows, columns) of the curves' area that have this ink."""
    found: np.ndarray = cells.ink[:-1, GUTTER:] == ink
    return found


# -- the cursor


def test_the_legend_has_the_values_at_the_cursor() -> None:
    layer = layer_of(BATCH, TEST)
    text = "\n".join(text_of(layer, cursor=237.0))
    assert "step 237" in text
    assert f"━ batch {BATCH.y[236]:.4g} " in text  # type: ignore[index]
    # What was evaluated last at that step, not what is nearest.
    assert f"━ test {LOSS[199]:.4g} " in text
    text = "\n".join(text_of(layer))
    assert "step" not in text
    assert f"━ batch {BATCH.y[499]:.4g} " in text  # type: ignore[index]


def test_before_the_first_value_the_legend_shows_none() -> None:
    assert "━ test – " in "\n".join(text_of(layer_of(BATCH, TEST), cursor=20.0))
    assert "+ test - " in "\n".join(text_of(layer_of(BATCH, TEST, palette=PLAIN), PLAIN, cursor=20.0))


def test_the_legend_shows_a_gap_at_the_cursor_in_red() -> None:
    y = LOSS.copy()
    y[200:220] = nan
    cells, _ = draw_over(layer_of(CurveData("batch", STEPS, y)), TRUE, cursor=210.0)
    row = next(row for row, text in enumerate(lines(cells)) if "batch NaN" in text)
    assert cells.ink[row, lines(cells)[row].index("NaN")] == ALERT


def test_the_cursor_is_a_thin_line_that_hides_no_curve() -> None:
    layer = layer_of(BATCH, TEST)
    cells, _ = draw_over(layer, TRUE, cursor=250.0)
    place = layer.frame.place(250.0)
    assert place is not None
    column = "".join(line[GUTTER + place] for line in lines(cells)[:-1])
    assert column.count("│") >= 8
    assert set(np.flatnonzero(inked(cells, SERIES)[:, place])) == set(
        np.flatnonzero(inked(layer.cells, SERIES)[:, place])
    )
    assert (cells.fill[:-1, GUTTER + place] == CURSOR).all()
    assert lines(cells)[-1][GUTTER + place] == "▲"


def test_the_legend_shows_the_values_at_a_cursor_out_of_view() -> None:
    text = text_of(layer_of(BATCH, window=(300, 400)), cursor=237.0)
    assert "▲" not in text[-1]
    assert any("step 237" in line for line in text)


def test_the_legend_stays_in_its_place_while_the_cursor_moves() -> None:
    layer = layer_of(BATCH, TEST)
    places = set()
    for step in range(1, 501, 7):
        text = text_of(layer, cursor=float(step))
        places |= {(row, line.index("batch")) for row, line in enumerate(text) if "batch" in line}
    assert len(places) == 1


def test_draw_over_leaves_the_layer_unchanged() -> None:
    layer = layer_of(BATCH)
    before = layer.cells.copy()
    draw_over(
        layer, TRUE, cursor=100.0, marks=CurveMarks((CurveMark(3, "lr", ""),), Clipped(STEPS, NOISE > 0))
    )
    assert not layer.cells.changed(before)


def test_a_low_chart_shows_the_values_at_the_cursor() -> None:
    text = "\n".join(text_of(layer_of(BATCH, TEST, size=(5, 40), marked=True), cursor=237.0))
    assert "batch" in text
    assert "test" in text


# -- marks


def test_marks_have_a_row_of_their_own_where_there_is_room() -> None:
    marks = CurveMarks((CurveMark(250, "lr", "lr 0.01"),))
    high = layer_of(BATCH, marked=True)
    assert high.frame.top == 1
    assert not inked(high.cells, SERIES)[0].any()
    assert text_of(high, marks=marks)[0].strip("│ ") == "η"
    low = layer_of(BATCH, marked=True, size=(6, 90))
    assert low.frame.top == 0
    text = text_of(low, marks=marks)
    assert "η" in text[0]
    assert "batch" not in text[0], "the legend leaves them their row"


# -- smoothing


@pytest.mark.parametrize("level", ["light", "strong"])
def test_the_legend_names_the_smoothed_curves_and_the_steps(level: str) -> None:
    over = smoothing_steps(level, 500)
    text = "\n".join(text_of(layer_of(BATCH, TEST, smoothing=level)))
    assert f"batch smoothed over {over:g} steps" in text
    assert f"━ batch {smoothed(STEPS.astype(float), np.asarray(BATCH.y), over)[-1]:.4g} " in text
    assert f"━ test {LOSS[499]:.4g} " in text, "what was evaluated is no noise"
    assert "smoothed" not in "\n".join(text_of(layer_of(BATCH, TEST)))
    assert " smoothed over" in "\n".join(text_of(layer_of(BATCH, smoothing=level)))


@pytest.mark.parametrize("palette", ALL)
def test_the_unsmoothed_curve_lies_behind_in_a_weaker_tone(palette: Palette) -> None:
    plain, smooth = (layer_of(BATCH, smoothing=level, palette=palette).cells for level in ("off", "strong"))
    assert not inked(plain, WEAK).any()
    assert inked(smooth, WEAK).sum() > 50
    assert (inked(smooth, WEAK) | inked(smooth, SERIES)).sum() >= inked(plain, SERIES).sum()
    if palette.depth == "none" or palette.ascii:
        signs = {chr(code) for code in smooth.codes[:-1, GUTTER:][inked(smooth, WEAK)]}
        assert signs == {":" if palette.ascii else "·"}


def test_smoothing_keeps_a_gap_and_its_red_sign() -> None:
    y = np.asarray(BATCH.y).copy()
    y[200:260] = nan
    for level in LEVELS:
        layer = layer_of(CurveData("batch", STEPS, y), smoothing=level)
        seen = np.flatnonzero((inked(layer.cells, SERIES) | inked(layer.cells, WEAK)).any(axis=0))
        assert not set(seen) & set(layer.breaks[1:-1].tolist())
        assert layer.breaks.tolist() == list(range(33, 44))
        assert "×" * 11 in text_of(layer)[-1]


# -- ranges of the steps that a point stands for


def test_a_range_lies_behind_its_curve() -> None:
    series = CurveData("batch", STEPS, LOSS, LOSS * 0.5, LOSS * 1.5)
    layer = layer_of(series)
    assert inked(layer.cells, WEAK).sum() > 80
    assert inked(layer.cells, SERIES).any(axis=0)[1:83].all(), "the curve is whole on top of it"
    assert not inked(layer_of(CurveData("batch", STEPS, LOSS, LOSS, LOSS)).cells, WEAK).any()


def test_the_axis_has_room_for_the_range() -> None:
    layer = layer_of(CurveData("batch", [0, 1, 2], [1.0, 1.0, 1.0], [1.0, 0.5, 1.0], [1.0, 900.0, 1.0]))
    assert layer.frame.scale.high >= 900


# -- the logarithmic axis


def test_an_error_of_exactly_0_lies_on_the_floor_of_a_log_axis() -> None:
    accuracy = CurveData("test", [0, 100, 200, 300], [0.0, 0.9, 1.0, 0.99])
    layer = layer_of(accuracy, log=True, complement=True, y_range=(0, 1))
    text = text_of(layer)
    assert [line[:6] for line in text if line[5] == "┤"][-1] == "    0┤"
    assert text[0].startswith("  1e0┤")
    assert not layer.breaks.size, "0 is a number"
    floor = np.flatnonzero(inked(layer.cells, SERIES)[-1])
    place = layer.frame.place(200)
    assert place is not None
    assert place in floor
    assert "━ test 0.01" in "\n".join(text)
    assert "━ test 0 " in "\n".join(text_of(layer, cursor=250.0))


def test_complement_applies_to_log_axes_only() -> None:
    accuracy = CurveData("test", [0, 100, 200, 300], [0.0, 0.9, 1.0, 0.99])
    text = text_of(layer_of(accuracy, complement=True, y_range=(0, 1)))
    assert "━ test 99.0%" in "\n".join(text)
    assert text[0].startswith(" 100%┤")


def test_complement_swaps_the_ends_of_the_range() -> None:
    series = CurveData("batch", [0.0, 1, 2], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1], [0.8, 0.8, 0.8])
    curve = layer_of(series, log=True, complement=True).curves[0]
    assert curve.low is not None
    assert curve.high is not None
    np.testing.assert_allclose(10.0 ** np.array([curve.low, curve.high]), [[0.2] * 3, [0.9] * 3])


def test_without_a_zero_there_is_no_floor() -> None:
    text = text_of(layer_of(CurveData("loss", [0, 1, 2], [1e-3, 1.0, 1e2]), log=True))
    assert "    0┤" not in {line[:6] for line in text}


def test_a_curve_of_zeros_lies_on_the_floor() -> None:
    layer = layer_of(CurveData("loss", [0, 1, 2], [0.0, 0.0, 0.0]), log=True)
    assert inked(layer.cells, SERIES)[-1].all()


# -- a stretch of time


def test_a_window_shows_its_stretch_on_an_axis_of_its_own() -> None:
    layer = layer_of(BATCH, TEST, window=(300, 400))
    text = text_of(layer)
    assert text[-1].strip().startswith("└300")
    assert text[-1].endswith("400")
    assert layer.frame.scale.high < 0.5
    drawn = inked(layer.cells, SERIES).any(axis=0)
    assert drawn[0], "a line comes in from what was before"
    assert drawn[-1]


def test_a_line_between_two_points_crosses_the_window() -> None:
    layer = layer_of(CurveData("test", [0, 100], [1.0, 0.0]), window=(40, 60))
    assert inked(layer.cells, SERIES).any(axis=0).all()


def test_smoothing_means_the_same_in_every_window() -> None:
    whole, part = (layer_of(BATCH, smoothing="light", window=window) for window in (None, (300, 400)))
    assert whole.over == part.over
    np.testing.assert_array_equal(whole.curves[0].y, part.curves[0].y)


def test_a_window_without_anything_has_the_axis_of_the_whole() -> None:
    layer = layer_of(BATCH, window=(900, 950))
    assert not inked(layer.cells, SERIES).any()
    assert text_of(layer)[-1].strip().startswith("└900")


@pytest.mark.parametrize("width", [1e-3, 1e-7, 1e-9])
def test_a_window_between_two_points_shows_the_line_that_joins_them(width: float) -> None:
    """Walked along cell by cell from point to point it would be a billion cells long: no memory holds that."""
    layer = draw_layer(
        12, 60, [CurveData("loss", [0, 1, 2], [0, 1, nan])], TRUE, CurveView(window=(0.5, 0.5 + width))
    )
    assert layer is not None
    inked = (layer.cells.ink[:11, GUTTER:] == SERIES).sum(axis=0)
    assert (inked > 0).all()
    gap = draw_layer(
        12, 60, [CurveData("loss", [0, 1, 2], [0, 1, nan])], TRUE, CurveView(window=(1.5, 1.5 + width))
    )
    assert gap is None or not (gap.cells.ink[:11, GUTTER:] == SERIES).any()


# -- whatever comes

values = st.floats(width=64) | st.sampled_from([nan, np.inf, -np.inf, 0.0])


@pytest.mark.parametrize("palette", ALL)
@settings(max_examples=30)
@given(
    ys=st.lists(arrays(np.float64, st.integers(0, 60), elements=values), max_size=5),
    width=st.integers(0, 60),
    height=st.integers(0, 14),
    log=st.booleans(),
    complement=st.booleans(),
    smoothing=st.sampled_from(LEVELS),
    window=st.none() | st.tuples(st.floats(0, 60), st.floats(0, 60)),
    cursor=st.none() | st.floats(-1e9, 1e9),
    marked=st.booleans(),
)
def test_any_curves_are_drawn_in_allowed_characters(
    palette: Palette,
    ys: list[np.ndarray],
    width: int,
    height: int,
    log: bool,
    complement: bool,
    smoothing: str,
    window: tuple[float, float] | None,
    cursor: float | None,
    marked: bool,
) -> None:
    series = [CurveData(f"s{i}", np.arange(len(y)), y, y - 1, y + 1) for i, y in enumerate(ys)]
    view = CurveView(log=log, complement=complement, smoothing=smoothing, window=window)
    layer = draw_layer(height, width, series, palette, view, marked=marked)
    if layer is None:
        return
    marks = (
        CurveMarks((CurveMark(3, "lr", ""), CurveMark(9, "finding", "")), Clipped([0, 5], [0.3, 0]))
        if marked
        else CurveMarks()
    )
    text = text_of(layer, palette, cursor=cursor, marks=marks)
    assert [len(line) for line in text] == [width] * height
    if palette in (PLAIN, ASCII):
        assert "".join(text).isascii()


def test_a_range_without_colour_uses_one_shade() -> None:
    layer = layer_of(
        CurveData("batch", STEPS, BATCH.y, LOSS * 0.5, LOSS * 1.5),
        TEST,
        palette=MONO,
        smoothing="light",
        marked=True,
    )
    marks = CurveMarks((CurveMark(250, "lr", ""),), Clipped(STEPS, NOISE > 0))
    area = [line[GUTTER:] for line in text_of(layer, MONO, cursor=300.0, marks=marks)]
    signs = {
        sign for line in area for sign in line if not sign.isalnum() and not 0x2800 <= ord(sign) <= 0x28FF
    }
    assert signs <= set(" .·░+│▲─━▁▂▃▄η")
