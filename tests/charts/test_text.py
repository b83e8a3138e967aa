"""Test the charts of text reports."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.text import Text

from gradtui.charts.series import CurveData
from gradtui.charts.text import text_chart, text_profile

nan, inf = np.nan, np.inf
LOSS = [
    CurveData("train", np.arange(100), np.linspace(2, 1, 100)),
    CurveData("test", [0, 50, 99], [2.5, 2, 1.5]),
]


def test_curves_as_lines_of_text() -> None:
    text = text_chart(LOSS, width=60, height=10)
    assert "\x1b" not in text
    rows = text.split("\n")
    assert len(rows) == 10
    assert max(map(len, rows)) <= 60
    assert "train 1" in text
    assert "+ test 1.5" in text


def test_text_has_colours_only_if_asked() -> None:
    coloured = text_chart(LOSS, width=60, height=10, colour=True)
    assert "\x1b[94m" in coloured
    assert "38;2" not in coloured
    assert {len(line) for line in Text.from_ansi(coloured).plain.split("\n")} == {60}


def test_a_text_chart_without_finite_values_says_so() -> None:
    assert text_chart([CurveData("loss", [1, 2], [nan, nan])]) == "no finite values"


def test_text_profile_draws_upright_bars() -> None:
    rows = text_profile(np.linspace(-12, 0, 21), width=90, height=14).split("\n")
    assert len(rows) == 14
    assert rows[-1].split()[0] == "layer"
    assert rows[-1].split()[-1] == "21"
    assert [row[:6] for row in rows if "┤" in row][-1] == "1e-12┤"
    filled = [row.count("█") + row.count("▄") for row in rows[:-1]]
    assert filled == sorted(filled)


def test_text_profile_draws_theory_over_the_bars() -> None:
    values = np.linspace(-12, 0, 21)
    assert "─" in text_profile(values, theory=np.full(21, -6.0))
    assert "+" in text_profile(values, theory=np.full(21, -6.0), ascii=True)


numbers = st.floats(-320, 310) | st.sampled_from([nan, inf, -inf])


@settings(max_examples=50)
@given(
    arrays(np.float64, st.integers(0, 60), elements=numbers),
    st.integers(0, 60),
    st.integers(0, 14),
    st.booleans(),
    st.booleans(),
)
def test_any_text_profile_fits_its_width_and_height(
    values: np.ndarray, width: int, height: int, ascii: bool, colour: bool
) -> None:
    text = text_profile(values, width=width, height=height, ascii=ascii, colour=colour)
    rows = Text.from_ansi(text).plain.split("\n")
    assert max(map(len, rows)) <= width
    assert len(rows) <= max(1, height)
