"""Test the marks of events: folded, in their order, and distinct without colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.charts.cells import Cells
from gradtui.charts.curve_legend import MARKERS
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.marks import (
    MARK_KINDS,
    Clipped,
    CurveMark,
    CurveMarks,
    draw_marks,
    marks_at,
    marks_legend,
)
from gradtui.charts.palette import ALERT, Palette
from gradtui.charts.scale import Scale
from tests.support.drawn import ALL, ASCII, MONO, PLAIN, TRUE, lines


def frame(low: float = 0, high: float = 100, columns: int = 101) -> CurveFrame:
    return CurveFrame(low, high, Scale("linear"), columns, 8, 1)


def row(marks: CurveMarks, palette: Palette = TRUE, at: CurveFrame | None = None) -> str:
    at = at or frame()
    cells = Cells(2, GUTTER + at.columns)
    draw_marks(cells, at, marks, palette)
    return lines(cells)[0][GUTTER:]


def one(kind: str, *steps: float) -> tuple[CurveMark, ...]:
    return tuple(CurveMark(step, kind, f"{kind} at {step:g}") for step in steps)


def test_each_mark_stands_at_its_step() -> None:
    text = row(CurveMarks((*one("lr", 10), *one("checkpoint", 50, 100), *one("finding", 0))))
    assert {column: sign for column, sign in enumerate(text) if sign != " "} == {
        0: "!", 10: "η", 50: "◆", 100: "◆",
    }  # fmt: skip


def test_marks_outside_the_window_are_neither_drawn_nor_in_the_legend() -> None:
    marks = CurveMarks((*one("lr", 10), *one("paused", 60)))
    at = frame(50, 80, 31)
    assert row(marks, at=at).split() == ["‖"]
    assert marks_legend(at, marks, TRUE) == [("‖", "paused")]


@pytest.mark.parametrize("palette", [TRUE, PLAIN])
def test_every_kind_of_mark_has_a_sign_of_its_own(palette: Palette) -> None:
    marks = CurveMarks(tuple(CurveMark(10 * i, kind, "") for i, kind in enumerate(MARK_KINDS)))
    signs = row(marks, palette).split()
    assert len(set(signs)) == len(MARK_KINDS)
    legend = marks_legend(frame(), marks, palette)
    assert [sign for sign, _ in legend] == signs
    assert len({words for _, words in legend}) == len(MARK_KINDS)
    assert not set(signs) & set(MARKERS), "the signs of curves in ASCII"


def test_the_most_important_mark_of_a_column_is_drawn_and_all_are_named() -> None:
    marks = CurveMarks((*one("checkpoint", 500), *one("finding", 504), *one("lr", 496), *one("lr", 530)))
    at = frame(0, 10_000)
    assert row(marks, at=at).split() == ["!"]
    assert marks_at(at, marks, 500) == ["lr at 496", "checkpoint at 500", "finding at 504", "lr at 530"]
    assert [words for _, words in marks_legend(at, marks, TRUE)] == ["finding", "lr", "saved"]
    assert marks_at(at, marks, 700) == []
    assert marks_at(at, marks, 20_000) == []


def test_equal_marks_in_a_column_are_named_once_with_their_number() -> None:
    marks = CurveMarks(tuple(CurveMark(step, "checkpoint", "checkpoint") for step in range(40, 45)))
    assert marks_at(frame(0, 10_000), marks, 42) == ["5 × checkpoint"]


def test_the_height_of_the_clipped_bar_is_the_share_of_steps() -> None:
    steps = np.arange(1, 1011)
    share = np.where(steps <= 200, 1.0, np.where(steps <= 500, steps % 2, steps == 800))
    marks = CurveMarks((), Clipped(steps, share))
    at = frame(0, 1010)
    text = row(marks, at=at)
    assert set(text[:19]) == {"▄"}
    assert set(text[22:49]) <= set("▂▃")
    assert [column for column in range(52, 101) if text[column] != " "] == [79]
    assert text[79] == "▁"
    assert marks_legend(at, marks, TRUE) == [("▃", "clipped")]
    assert marks_legend(at, marks, PLAIN) == [("_", "clipped")]
    assert row(marks, PLAIN, at).count("_") > row(marks, PLAIN, at).count("-") > 0
    assert marks_at(at, marks, 100) == ["clipped"]
    assert marks_at(at, marks, 798) == ["clipped 10% of steps"]
    assert marks_at(at, marks, 600) == []


def test_a_clipped_point_fills_all_columns_until_the_next() -> None:
    marks = CurveMarks((), Clipped([0, 50, 100], [0.0, 0.001, 0.0]))
    text = row(marks)
    assert text == " " * 50 + "▁" * 50 + " "
    assert marks_at(frame(), marks, 75) == ["clipped under 1% of steps"]


def test_nothing_clipped_draws_no_bar() -> None:
    assert row(CurveMarks((), Clipped([0, 50], [np.nan, 0.0]))).strip() == ""
    assert row(CurveMarks((), Clipped([], []))).strip() == ""


def test_a_finding_has_a_red_sign_of_its_own() -> None:
    cells = Cells(2, GUTTER + 101)
    draw_marks(cells, frame(), CurveMarks(one("finding", 10)), TRUE)
    assert cells.ink[0, GUTTER + 10] == ALERT
    assert cells.text(0)[GUTTER + 10] == "!"


def test_marks_with_equal_contents_are_the_same() -> None:
    def marks(share: float) -> CurveMarks:
        return CurveMarks(one("lr", 3), Clipped(np.arange(2), np.array([np.nan, share])))

    assert marks(0.5).same_as(marks(0.5))
    assert not marks(0.5).same_as(marks(0.6))
    assert not marks(0.5).same_as(CurveMarks(one("lr", 3)))
    assert not CurveMarks(one("lr", 3)).same_as(CurveMarks(one("lr", 4)))
    assert not CurveMarks()
    assert marks(0.0)


@pytest.mark.parametrize("palette", ALL)
@settings(max_examples=40)
@given(
    signs=st.lists(st.tuples(st.floats(-1e9, 1e9), st.sampled_from(list(MARK_KINDS))), max_size=20),
    shares=st.lists(st.floats(0, 1), max_size=20),
)
def test_any_marks_are_drawn_in_allowed_characters(
    palette: Palette, signs: list[tuple[float, str]], shares: list[float]
) -> None:
    marks = CurveMarks(
        tuple(CurveMark(step, kind, kind) for step, kind in signs),
        Clipped(np.arange(len(shares)) * 7, shares),
    )
    text = row(marks, palette)
    assert len(text) == 101
    if palette in (ASCII, PLAIN):
        assert text.isascii()
    if palette is MONO:
        assert set(text) <= {" ", *"▁▂▃▄", *(kind.sign for kind in MARK_KINDS.values())}
