"""Test a rectangle of characters and colours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradtui.charts.cells import Cells
from gradtui.charts.palette import AXIS, NAN_FILL, NAN_INK, TEXT
from tests.support.drawn import TRUE, strip_of


@given(
    st.integers(0, 6),
    st.integers(0, 20),
    st.integers(-3, 8),
    st.integers(-30, 30),
    st.text("ab×∞▁█", max_size=30),
)
def test_written_text_is_cut_at_the_edges(height: int, width: int, row: int, column: int, text: str) -> None:
    cells = Cells(height, width)
    cells.write(row, column, text, TEXT)
    assert all(len(cells.text(y)) == width for y in range(height))
    if 0 <= row < height:
        wide = " " * 40 + " " * width + " " * 40
        expected = wide[: 40 + column] + text + wide[40 + column + len(text) :]
        assert cells.text(row) == expected[40 : 40 + width]


def test_changed_gives_the_columns_that_differ() -> None:
    before = Cells(4, 10)
    after = before.copy()
    after.write(1, 3, "x")
    after.write(1, 6, "y")
    after.write(3, 0, " ", AXIS)
    assert after.changed(before) == [(1, 3, 6), (3, 0, 0)]
    assert after.changed(after.copy()) == []
    assert after.changed(None) == [(row, 0, 9) for row in range(4)]
    assert after.changed(Cells(4, 9)) == [(row, 0, 9) for row in range(4)]


def test_a_row_has_a_segment_for_each_run_of_ink() -> None:
    cells = Cells(1, 8)
    cells.write(0, 2, "ab", TEXT)
    cells.write(0, 4, "×", NAN_INK, NAN_FILL)
    strip = strip_of(cells, 0, TRUE)
    assert [segment.text for segment in strip] == ["  ", "ab", "×", "   "]
    assert strip.cell_length == 8
    assert strip.text == "  ab×   "
    styles = [segment.style for segment in strip]
    assert styles[0] == styles[3] == TRUE.plain
    assert styles[2].bgcolor != styles[1].bgcolor


def test_a_row_without_columns_has_no_segments() -> None:
    assert list(strip_of(Cells(1, 0), 0, TRUE)) == []
