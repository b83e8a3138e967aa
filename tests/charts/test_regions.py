"""Test the picture of the plane cell by cell, for outputs and points that are written down here."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from gradtui.charts.cells import Cells
from gradtui.charts.palette import NAN_FILL, RAMP, RUN, RUN_FAINT, RUN_WEAK, STEPS, Palette
from gradtui.charts.regions import (
    UPPER_HALF_BLOCK,
    draw_legend,
    draw_plane,
    draw_units,
    pattern_of,
    resampled,
)
from tests.support.drawn import ALL, ANSI, MONO, PLAIN, TRUE, lines
from tests.support.planes import PLANE, SIDE, plane, split_at

HALVES = SIDE // 2


def drawn(outputs: np.ndarray, palette: Palette, rows: int = HALVES, about: object = PLANE) -> Cells:
    cells = Cells(rows, 2 * rows)
    draw_plane(cells, plane(outputs, about), palette, rows, 0)  # type: ignore[arg-type]
    return cells


def places(cells: Cells) -> np.ndarray:
    """Return the slot of each place of half a cell, (2 × rows, columns)."""
    assert (cells.codes == ord(UPPER_HALF_BLOCK)).all()
    return np.stack([cells.ink, cells.fill], axis=1).reshape(-1, cells.shape[1])


def test_each_place_has_the_tone_of_its_class_and_each_point_its_own() -> None:
    found = places(drawn(split_at(5), TRUE))
    expected = np.where(np.arange(SIDE) < 5, RUN_WEAK, RUN_WEAK + 1) + np.zeros((SIDE, 1), int)
    expected[0, 0] = RUN
    expected[0, SIDE - 1] = expected[SIDE - 1, SIDE - 1] = RUN + 1
    assert np.array_equal(found, expected)


def test_a_net_that_is_not_sure_has_the_faint_tone() -> None:
    found = places(drawn(split_at(5, sure=0.6), TRUE))
    assert found[3].tolist() == [RUN_FAINT] * 5 + [RUN_FAINT + 1] * 7


@pytest.mark.parametrize("palette", [ANSI, MONO, PLAIN])
def test_where_colours_are_few_each_class_has_a_character(palette: Palette) -> None:
    cells = drawn(split_at(6), palette)
    one, other = pattern_of(0, palette), pattern_of(1, palette)
    text = [cells.text(row) for row in range(HALVES)]
    assert text[0] == "0" + one * 5 + other * 5 + "1"
    assert text[2] == one * 6 + other * 6
    assert text[-1] == one * 6 + other * 5 + "1"
    assert len({pattern_of(number, palette) for number in range(8)}) == 8
    if palette.ascii:
        assert "".join(text).isascii()


@pytest.mark.parametrize("palette", ALL)
@pytest.mark.parametrize("rows", [0, 1, 2, 5, 6, 9, 40])
def test_every_size_is_drawn_and_what_has_no_room_is_cut(palette: Palette, rows: int) -> None:
    for height, width in ((rows, 2 * rows), (max(0, rows - 1), rows)):
        cells = Cells(height, width)
        draw_plane(cells, plane(split_at(6)), palette, rows, 0)
        draw_legend(cells, plane(split_at(6)), palette, width)
    wide = drawn(split_at(6), palette, rows)
    if rows > 2 and palette is TRUE:
        middle = places(wide)[rows]
        assert {RUN_WEAK, RUN_WEAK + 1} <= set(middle.tolist())
        assert (middle[: rows - 1] % 2 == middle[0] % 2).all()


def test_outputs_that_are_not_finite_are_marked() -> None:
    outputs = split_at(6)
    outputs[:, 5, :] = np.nan
    outputs[0, 6, 2] = np.inf
    found = places(drawn(outputs, TRUE))
    assert (found[5] == NAN_FILL).all()
    assert found[6, 2] == NAN_FILL
    assert (found == NAN_FILL).sum() == SIDE + 1
    assert "×" in drawn(outputs, MONO).text(2) or "×" in drawn(outputs, MONO).text(3)
    assert (plane(outputs).classes == -1).sum() == SIDE + 1


def test_numbers_have_the_ramp_and_points_their_own_number() -> None:
    about = replace(PLANE, classes=0, answers=(0.0, 1.0, 1.0))
    outputs = np.linspace(-3, 5, SIDE) + np.zeros((1, SIDE, SIDE))
    found = places(drawn(outputs, TRUE, about=about))
    assert (np.diff(found[3].astype(int)) >= 0).all()
    assert found[3, -1] - found[3, 0] == STEPS - 1
    assert (found[0, 0], found[0, -1]) == (RAMP, RAMP + STEPS - 1)
    assert "o" in drawn(outputs, PLAIN, about=about).text(0)


def test_larger_pictures_are_interpolated_between_the_centres() -> None:
    values = np.arange(4.0)[None, None] + np.zeros((1, 4, 1))
    assert resampled(values, 4, 4) == pytest.approx(values)
    assert resampled(values, 1, 8)[0, 0] == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    broken = values.copy()
    broken[0, :, 3] = np.inf
    assert np.isfinite(resampled(broken, 4, 4)[0, :, :3]).all()


def test_the_legend_says_the_share_of_each_class() -> None:
    for palette in ALL:
        cells = Cells(3, 40)
        draw_legend(cells, plane(split_at(3)), palette, 0)
        assert "class 0: 25% of the plane" in cells.text(0)
        assert "class 1: 75% of the plane" in cells.text(1)


@pytest.mark.parametrize("palette", ALL)
def test_units_are_as_large_as_fit_on_one_scale(palette: Palette) -> None:
    units = np.zeros((3, 4, 4))
    units[1], units[2, :, 2:] = 1.0, np.nan
    cells = Cells(14, 26)
    assert draw_units(cells, units, palette, ["one", "two", "three"]) == 3
    text = lines(cells) if palette is not TRUE else [cells.text(row) for row in range(14)]
    assert text[6].split() == ["one", "two"], "12 columns each, two in a line"
    assert text[13].split() == ["three"]
    if palette is TRUE:
        assert (cells.ink[:6, :12] == RAMP).all()
        assert (cells.fill[:6, 13:25] == RAMP + STEPS - 1).all()
        assert (cells.ink[7:13, 11] == NAN_FILL).all()
    else:
        looks = [(chr(cells.codes[0, at]), cells.ink[0, at], cells.fill[0, at]) for at in (0, 13)]
        assert looks == [palette.shade(0), palette.shade(STEPS - 1)], "the tones of the waterfall"
        assert chr(cells.codes[7, 11]) == palette.glyphs.nan
        edges = [line[12] for line in text[:6]] + [line[25] for line in text[:6]]
        assert edges == [palette.glyphs.rule] * 12, "an edge between pictures and after the last"
    small = Cells(3, 10)
    assert draw_units(small, units, palette, ["one", "two", "three"]) == 2
