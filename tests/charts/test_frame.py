"""Test the places of steps and values, and the axes that label them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtui.charts.cells import Cells
from gradtui.charts.frame import CurveFrame, draw_x_axis
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.palette import NAN_FILL, TEXT
from gradtui.charts.scale import Scale
from tests.support.drawn import PLAIN, TRUE, lines

NO_BREAKS = np.zeros(0, np.intp)


def frame(low: float, high: float, columns: int) -> CurveFrame:
    return CurveFrame(low, high, Scale("linear"), columns, 5)


def axis(at: CurveFrame, cursor: float | None = None, breaks: np.ndarray = NO_BREAKS) -> Cells:
    cells = Cells(2, GUTTER + at.columns)
    draw_x_axis(cells, at, TRUE, cursor, breaks)
    return cells


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(2, 300), st.integers(0, 300))
def test_the_x_of_a_column_s_middle_lies_in_it(low: int, span: int, columns: int, column: int) -> None:
    at = frame(low, low + span, columns)
    column = min(column, columns - 1)
    assert at.place(at.x_at(column)) == column


@given(st.integers(1, 5000), st.integers(2, 300), st.integers(0, 5000), st.sampled_from([-10, -1, 1, 10]))
def test_step_beside_is_another_step_the_columns_away(span: int, columns: int, step: int, by: int) -> None:
    at = frame(0, span, columns)
    step = min(step, span)
    beside = at.step_beside(step, by)
    assert np.sign(beside - step) == np.sign(by)
    here, there = at.places(np.array([step, beside]))
    if span >= columns and 0 <= here + by < columns:
        assert abs(there - here - by) <= 1


def test_step_beside_there_and_back() -> None:
    at = frame(0, 10_000, 85)
    step = 5000
    for by in (1, 1, 10, -1, -10, -1):
        step = at.step_beside(step, by)
    assert at.place(step) == at.place(5000)


def test_x_outside_the_frame_has_no_column() -> None:
    at = frame(100, 200, 51)
    assert at.place(99) == 0, "a neighbour rounds into the first column"
    assert at.place(90) is None
    assert at.place(1e300) is None
    assert at.seen(np.array([-1e300, 100, 150, 1e300])).tolist() == [0, 25]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60, unique=True).map(sorted), st.integers(2, 60))
def test_each_point_holds_until_the_next(x: list[int], columns: int) -> None:
    at = frame(0, 500, columns)
    first, last = at.stretches(np.array(x, float))
    assert len(first) == columns
    held = [set(range(a, b)) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    assert set().union(*held) == set(range(len(x)))
    for column, points in enumerate(held):
        own = {i for i, value in enumerate(x) if at.place(value) == column}
        if own:
            assert points == own
        elif x[0] < at.x_at(column) < x[-1]:
            assert points == {int(np.searchsorted(x, at.x_at(column))) - 1}
        else:
            assert not points


def test_labels_give_way_to_the_pointer_at_the_cursor() -> None:
    cells = axis(frame(0, 500, 84), 210.0)
    text = lines(cells)[-1]
    at = text.index("▲")
    assert at == GUTTER + 35
    assert text[at : at + 4] == "▲210"
    assert "200" not in text
    assert "100" in text
    assert cells.ink[-1, at] == TEXT


def test_at_the_right_edge_the_label_stands_left_of_its_pointer() -> None:
    text = lines(axis(frame(0, 500, 84), 500.0))[-1]
    assert text.endswith("500▲")
    assert text.startswith("     └0──")


def test_a_red_sign_hides_no_part_of_a_label() -> None:
    at = frame(0, 500, 84)
    for cursor in (None, 100.0, 104.0):
        cells = axis(at, cursor, np.array([17, 18]))
        text = lines(cells)[-1]
        assert text[GUTTER + 17 : GUTTER + 19] == "××"
        assert np.flatnonzero(cells.fill[-1] == NAN_FILL).tolist() == [GUTTER + 17, GUTTER + 18]
        numbers = {"0", "200", "300", "400", "500"} | ({f"{cursor:.0f}"} if cursor else set())
        assert set(text.replace("×", "─").replace("▲", "─").strip(" └").split("─")) - {""} <= numbers
        assert "200" in text


@pytest.mark.parametrize("cursor", [None, 3.0, 250.0, 499.0, 1e6])
def test_x_axis_is_ascii_on_an_ascii_terminal(cursor: float | None) -> None:
    cells = Cells(2, 40)
    draw_x_axis(cells, frame(0, 500, 34), PLAIN, cursor, np.array([5]))
    assert lines(cells)[-1].isascii()
    assert "N" in lines(cells)[-1]
