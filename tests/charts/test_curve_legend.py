"""Test the letters of runs at the ends of their curves, and their colours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual.color import Color

from gradtui.charts.cells import Cells
from gradtui.charts.curve_legend import _end_of
from gradtui.charts.curves import CurveView, draw_layer, draw_over
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.palette import CURVES, RUN, RUNS, SERIES, Palette, palette_on, text_palette
from gradtui.charts.series import CurveData
from gradtui.ui.theme import DARK, LIGHT

COLOURS, NONE = text_palette(True, False), text_palette(False, False)


def runs(*ends: float) -> list[CurveData]:
    return [
        CurveData("", [0, 50, 100], [0, end, end], sign=letter)
        for letter, end in zip("ABCDEFGH", ends, strict=False)
    ]


def drawn(series: list[CurveData], palette: object = COLOURS) -> Cells:
    layer = draw_layer(12, 60, series, palette, CurveView())  # type: ignore[arg-type]
    assert layer is not None
    return draw_over(layer, palette, legend=False)[0]  # type: ignore[arg-type]


def rows_of(cells: Cells, letter: str) -> list[int]:
    return np.flatnonzero(cells.codes[:-1, -1] == ord(letter)).tolist()


def test_the_letter_stands_where_its_curve_ends_in_its_own_colour() -> None:
    cells = drawn(runs(1.0, 0.5, 0.0))
    assert [rows_of(cells, letter) for letter in "ABC"] == [[0], [5], [10]]
    assert [int(cells.ink[row, -1]) for row in (0, 5, 10)] == [RUN, RUN + 1, RUN + 2]


def test_letters_that_would_hide_each_other_stand_above_each_other() -> None:
    cells = drawn(runs(*[0.5] * 4))
    found = [rows_of(cells, letter) for letter in "ABCD"]
    assert all(len(rows) == 1 for rows in found)
    assert len({rows[0] for rows in found}) == 4


def test_a_run_keeps_its_colour_where_another_has_no_curve() -> None:
    series = runs(1.0, 0.5, 0.0)
    cells = drawn([series[2]])
    (row,) = rows_of(cells, "C")
    assert cells.ink[row, -1] == RUN + 2


def test_without_colour_a_curve_is_made_of_its_letter() -> None:
    cells = drawn(runs(1.0, 0.0), NONE)
    text = "".join(cells.text(row)[GUTTER:] for row in range(11))
    assert text.count("A") > 20
    assert text.count("B") > 20


def test_the_letter_of_a_curve_that_ends_in_nan_stands_at_its_last_number() -> None:
    series = [
        CurveData("", [0, 50, 100], [1, 1, np.nan], sign="A"),
        *runs(0.5)[:0],
        CurveData("", [0, 100], [0, 0], sign="B"),
    ]
    cells = drawn(series)
    assert rows_of(cells, "A") == []
    assert (cells.codes[:-1] == ord("A")).sum() == 1


@pytest.mark.parametrize("dark", [True, False])
def test_colours_of_runs_and_of_curves_differ_for_red_and_green_blind_eyes(dark: bool) -> None:
    """Simulated after Machado, Oliveira and Fernandes (2009), severity 1; CIELAB distances of ten and more are seen
    at a glance."""
    ground = (17, 20, 27) if dark else (250, 250, 247)
    theme = DARK if dark else LIGHT
    series = tuple(Color.parse(name or "").rgb for name in (theme.primary, theme.accent, theme.success))
    palette = palette_on("true", False, dark, ground, (200, 200, 200), Style(), series)
    for matrix in (np.eye(3), PROTANOPIA, DEUTERANOPIA):
        apart = _apart(palette, range(RUN, RUN + RUNS), matrix)
        assert apart[:5, :5].min() > 14
        assert apart.min() > 11
        # The curves of one chart, such as spread and saturated on the page of a layer.
        assert _apart(palette, range(SERIES, SERIES + CURVES), matrix).min() > 11


def _apart(palette: Palette, slots: range, matrix: np.ndarray) -> np.ndarray:
    """Return the distances of colours in CIELAB, as eyes see them that mix red, green and blue by a matrix."""
    colours = np.array([palette._rgb[slot] for slot in slots], float) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    lab = _lab(np.clip(linear @ matrix.T, 0, 1))
    apart: np.ndarray = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return apart


PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)


def _lab(linear: np.ndarray) -> np.ndarray:
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    scaled = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)


def test_a_chart_without_room_for_all_curves_names_the_first() -> None:
    """As beneath the charts of a small terminal when a lesson takes a part of it."""
    falling = np.linspace(1.0, 0.0, 50)
    series = [
        CurveData(name, np.arange(50), falling + at) for at, name in enumerate(("batch", "train", "test"))
    ]
    layer = draw_layer(5, 70, series, NONE, CurveView())
    assert layer is not None
    cells, named = draw_over(layer, NONE)
    text = "\n".join(map(cells.text, range(5)))
    assert not named
    assert "batch 0" in text
    assert "train" not in text
    layer = draw_layer(12, 70, series, NONE, CurveView())
    assert layer is not None
    cells, named = draw_over(layer, NONE)
    text = "\n".join(map(cells.text, range(12)))
    assert named
    assert all(f"{name} {at}" in text for at, name in enumerate(("batch", "train", "test")))


@pytest.mark.parametrize("width", [30, 60, 100])
@settings(max_examples=20)
@given(
    ends=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    lengths=st.lists(st.integers(10, 100), min_size=4, max_size=4),
)
def test_no_legend_lies_over_the_end_of_a_curve(width: int, ends: list[float], lengths: list[int]) -> None:
    names = ("batch", "train", "test", "without")
    series = [
        CurveData(name, [0, length], [0.5, end], noisy=False)
        for name, end, length in zip(names, ends, lengths, strict=False)
    ]
    layer = draw_layer(12, width, series, COLOURS, CurveView())
    assert layer is not None
    bare, told = (draw_over(layer, COLOURS, legend=legend)[0] for legend in (False, True))
    for curve in layer.curves:
        row, column = _end_of(layer.frame, curve) or (0, 0)
        assert told.codes[row, column] == bare.codes[row, column]
