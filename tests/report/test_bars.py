"""Bars of text: heights against log10 by hand, and what is sick among many layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradtui.report.bars import EIGHTHS, MARGIN, axis_line, bar_chart, scale_of


def chart(norms: list[float] | np.ndarray, width: int = 100, height: int = 8) -> list[str]:
    """The bars without their labels."""
    row = np.asarray(norms, float)
    lines = bar_chart(row, width=width, height=height, scale=scale_of(row))
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    return [line[MARGIN:].ljust(width - MARGIN) for line in lines]


def heights(lines: list[str]) -> np.ndarray:
    """Of each column, in eighths of a line."""
    return np.array([[EIGHTHS.index(cell) for cell in line] for line in lines]).sum(axis=0)


def test_a_decade_is_as_high_wherever_it_lies() -> None:
    # From 1e-8 to 1e0 over 8 lines: one line a decade.
    tall = heights(chart([1e-8, 1e-6, 1e-4, 1e-2, 1.0], width=MARGIN + 5))
    assert tall.tolist() == [1, 16, 32, 48, 64]


def test_labels_stand_at_their_decades() -> None:
    row = np.array([1e-8, 1.0])
    lines = bar_chart(row, width=40, height=9, scale=scale_of(row))
    labelled = {number: line[:MARGIN].strip(" ┤") for number, line in enumerate(lines) if "┤" in line}
    assert labelled == {0: "1e0", 3: "1e-3", 6: "1e-6"}


def test_even_gradients_do_not_look_vanishing() -> None:
    tall = heights(chart([0.5, 0.3, 0.4], width=MARGIN + 3))
    assert tall.min() > tall.max() * 0.8


@pytest.mark.parametrize(("value", "mark"), [(math.nan, "✖"), (math.inf, "∞"), (0.0, "0")])
def test_what_is_no_number_is_marked(value: float, mark: str) -> None:
    lines = chart([1.0, value, 1.0], width=MARGIN + 3)
    assert lines[-1] == f"█{mark}█"


def test_one_nan_among_a_thousand_layers_is_seen() -> None:
    norms = np.logspace(-12, 0, 1000)
    norms[432] = math.nan
    lines = chart(norms)
    columns = 100 - MARGIN
    assert lines[-1].count("✖") == 1
    assert abs(lines[-1].index("✖") - 432 * columns / 1000) <= 1


def test_a_thousand_layers_fold_without_losing_the_slope() -> None:
    tall = heights(chart(np.logspace(-12, 0, 1000)))
    assert (np.diff(tall) >= 0).all()
    assert (tall[0], tall[-1]) == (1, 64)


def test_all_zero_and_all_nan_are_drawn_too() -> None:
    assert set(chart([0.0, 0.0])[-1].strip()) <= {"0", " "}
    assert set(chart([math.nan])[-1].strip()) == {"✖"}


@pytest.mark.parametrize("width", [20, 60, 100])
def test_the_axis_names_both_ends(width: int) -> None:
    line = axis_line("dense1", "output", layers=21, width=width)
    assert "dense1" in line
    assert "output" in line
    assert "21 layers" in line
    assert len(line) <= max(width, 40)
