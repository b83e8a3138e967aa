"""Signs of what happened: folded, in their order, and told apart by more than colour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradtui.charts.cells import Cells
from gradtui.charts.frame import Frame
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.marks import KINDS, Clipped, Mark, Marks, draw_marks, legend_of, said_at
from gradtui.charts.palette import SICK, Palette
from gradtui.charts.scale import Scale
from tests.support.drawn import ALL, ASCII, MONO, PLAIN, TRUE, lines


def frame(low: float = 0, high: float = 100, columns: int = 101) -> Frame:
    return Frame(low, high, Scale("linear"), columns, 8, 1)


def row(marks: Marks, palette: Palette = TRUE, at: Frame | None = None) -> str:
    at = at or frame()
    cells = Cells(2, GUTTER + at.columns)
    draw_marks(cells, at, marks, palette)
    return lines(cells)[0][GUTTER:]


def one(kind: str, *steps: float) -> tuple[Mark, ...]:
    return tuple(Mark(step, kind, f"{kind} at {step:g}") for step in steps)


def test_each_stands_at_its_step() -> None:
    text = row(Marks((*one("lr", 10), *one("checkpoint", 50, 100), *one("finding", 0))))
    assert {column: sign for column, sign in enumerate(text) if sign != " "} == {
        0: "!", 10: "η", 50: "◆", 100: "◆",
    }  # fmt: skip


def test_outside_the_window_is_not_drawn_and_not_in_the_legend() -> None:
    marks = Marks((*one("lr", 10), *one("paused", 60)))
    at = frame(50, 80, 31)
    assert row(marks, at=at).split() == ["‖"]
    assert legend_of(at, marks, TRUE) == [("‖", "paused")]


@pytest.mark.parametrize("palette", [TRUE, PLAIN])
def test_every_kind_has_a_sign_of_its_own(palette: Palette) -> None:
    marks = Marks(tuple(Mark(10 * i, kind, "") for i, kind in enumerate(KINDS)))
    signs = row(marks, palette).split()
    assert len(set(signs)) == len(KINDS)
    legend = legend_of(frame(), marks, palette)
    assert [sign for sign, _ in legend] == signs
    assert len({words for _, words in legend}) == len(KINDS)


def test_of_several_in_one_column_the_weightiest_is_seen_and_all_are_named() -> None:
    marks = Marks((*one("checkpoint", 500), *one("finding", 504), *one("lr", 496), *one("lr", 530)))
    at = frame(0, 10_000)
    assert row(marks, at=at).split() == ["!"]
    assert said_at(at, marks, 500) == ["lr at 496", "checkpoint at 500", "finding at 504", "lr at 530"]
    assert [words for _, words in legend_of(at, marks, TRUE)] == ["finding", "lr", "saved"]
    assert said_at(at, marks, 700) == []
    assert said_at(at, marks, 20_000) == []


def test_the_same_several_times_is_said_once() -> None:
    marks = Marks(tuple(Mark(step, "checkpoint", "checkpoint") for step in range(40, 45)))
    assert said_at(frame(0, 10_000), marks, 42) == ["5 × checkpoint"]


def test_many_clipped_steps_are_a_band_whose_height_is_their_share() -> None:
    steps = np.arange(1, 1011)
    share = np.where(steps <= 200, 1.0, np.where(steps <= 500, steps % 2, steps == 800))
    marks = Marks((), Clipped(steps, share))
    at = frame(0, 1010)
    text = row(marks, at=at)
    assert set(text[:19]) == {"▄"}
    assert set(text[22:49]) <= set("▂▃")
    assert [column for column in range(52, 101) if text[column] != " "] == [79]
    assert text[79] == "▁"
    assert legend_of(at, marks, TRUE) == [("▃", "clipped")]
    assert said_at(at, marks, 100) == ["clipped"]
    assert said_at(at, marks, 798) == ["clipped 10% of steps"]
    assert said_at(at, marks, 600) == []


def test_a_point_that_stands_for_several_columns_clips_them_all() -> None:
    marks = Marks((), Clipped([0, 50, 100], [0.0, 0.001, 0.0]))
    text = row(marks)
    assert text == " " * 50 + "▁" * 50 + " "
    assert said_at(frame(), marks, 75) == ["clipped under 1% of steps"]


def test_no_share_is_no_band() -> None:
    assert row(Marks((), Clipped([0, 50], [np.nan, 0.0]))).strip() == ""
    assert row(Marks((), Clipped([], []))).strip() == ""


def test_a_finding_is_red_and_not_only_red() -> None:
    cells = Cells(2, GUTTER + 101)
    draw_marks(cells, frame(), Marks(one("finding", 10)), TRUE)
    assert cells.ink[0, GUTTER + 10] == SICK
    assert cells.text(0)[GUTTER + 10] == "!"


def test_the_same_marks_are_known_as_such() -> None:
    def marks(share: float) -> Marks:
        return Marks(one("lr", 3), Clipped(np.arange(2), np.array([np.nan, share])))

    assert marks(0.5).same_as(marks(0.5))
    assert not marks(0.5).same_as(marks(0.6))
    assert not marks(0.5).same_as(Marks(one("lr", 3)))
    assert not Marks(one("lr", 3)).same_as(Marks(one("lr", 4)))
    assert not Marks()
    assert marks(0.0)


@pytest.mark.parametrize("palette", ALL)
@settings(max_examples=40)
@given(
    signs=st.lists(st.tuples(st.floats(-1e9, 1e9), st.sampled_from(list(KINDS))), max_size=20),
    shares=st.lists(st.floats(0, 1), max_size=20),
)
def test_any_marks_in_characters_that_are_allowed(
    palette: Palette, signs: list[tuple[float, str]], shares: list[float]
) -> None:
    marks = Marks(
        tuple(Mark(step, kind, kind) for step, kind in signs), Clipped(np.arange(len(shares)) * 7, shares)
    )
    text = row(marks, palette)
    assert len(text) == 101
    if palette in (ASCII, PLAIN):
        assert text.isascii()
    if palette is MONO:
        assert set(text) <= {" ", *"▁▂▃▄", *(kind.sign for kind in KINDS.values())}
