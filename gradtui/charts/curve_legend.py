"""Draw the names and values of curves in the corner that the curves leave free, and the signs of runs at their ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradtui.charts.cells import Cells
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER
from gradtui.charts.palette import (
    ALERT,
    AXIS,
    CURVES,
    NONE,
    OTHER,
    RUN,
    RUN_WEAK,
    RUNS,
    SERIES,
    TEXT,
    WEAK,
    Palette,
)
from gradtui.charts.series import Curve, CurveData
from gradtui.words import plain_exponents

MARKERS = "*+xo#"
"""The characters that tell curves apart where there are no colours."""

VALUE_COLUMNS = len("1.234e-05")
"""The most columns that a value takes, without its minus sign."""


@dataclass(frozen=True)
class _LegendLine:
    """A _LegendLine is one line of the legend: the sign of a curve (a heading has none) and the text beside it."""

    text: str
    ink: int
    sign: str = ""
    sign_ink: int = NONE

    @property
    def width(self) -> int:
        """Return the number of columns, with a blank before and after."""
        return len(self.sign) + len(self.text) + 2


def draw_curve_legend(
    cells: Cells,
    bare: Cells,
    frame: CurveFrame,
    curves: Sequence[Curve],
    palette: Palette,
    *,
    cursor: float | None,
    over: float,
    top: int,
) -> bool:
    """Write the longest legend that hides nothing, or else the shortest where it hides least and no end of a curve.

    Nothing is written where no legend fits. Where there is no room for all curves of one run, its first is named.
    Return whether all curves are named.

    Args:
        cells: the chart.
        bare: the curves alone, without marks and cursor.
        frame: the area of the curves.
        curves: what the legend names.
        palette: colours and characters.
        cursor: the step whose values are shown; None shows the newest.
        over: the steps that the curves are smoothed over.
        top: the first row of the legend.
    """
    rows, width = frame.top + frame.rows - top, cells.shape[1]
    ends = [end for curve in curves if (end := _end_of(frame, curve)) is not None]
    found: tuple[list[_LegendLine], int, int, int] | None = None
    choices = _choices(curves, palette, cursor, over, percent=frame.scale.percent)
    alone = choices[-1][:1]
    for lines in (*choices, alone):
        if lines is alone and (found is not None or len(curves) < 2 or any(curve.sign for curve in curves)):
            break
        wide = max(line.width for line in lines)
        # The user asks for values by moving the cursor: they may take more room, and must not move with their length.
        most = rows if cursor is not None else int(rows * 0.6)
        if cursor is not None:
            wide = max(wide, max(len(curve.name) for curve in curves) + VALUE_COLUMNS + 4)
        if wide > frame.columns * 0.6 or len(lines) > most:
            continue
        # The end of a curve matters most, and is mostly at the right: so in the middle too, and left of all ends.
        before_ends = max(GUTTER, min((x for _, x in ends), default=width) - wide)
        columns = (width - wide, GUTTER, GUTTER + max(0, width - GUTTER - wide) // 2, before_ends)
        last = top + rows - len(lines)
        places = [
            (row, column)
            # The corners come first, since the first of several places that hide equally much is taken.
            for row in (top, last, *range(top + 1, last))
            for column in columns
            if not _hides(ends, row, column, len(lines), wide)
        ]
        if not places:
            continue
        hidden = [
            np.count_nonzero(bare.codes[row : row + len(lines), column : column + wide] != ord(" "))
            for row, column in places
        ]
        row, column = places[int(np.argmin(hidden))]
        found = (lines, wide, row, column)
        if not min(hidden):
            break
    if found is None:
        return False
    lines, wide, row, column = found
    for index, line in enumerate(lines):
        cells.write(row + index, column, " " + (line.sign + line.text).ljust(wide - 1), line.ink)
        cells.write(row + index, column + 1, line.sign, line.sign_ink)
    return lines is not alone


def _end_of(frame: CurveFrame, curve: Curve) -> tuple[int, int] | None:
    """Return the row and column of the last point of a curve in view; None where it has none."""
    known = np.flatnonzero(np.isfinite(curve.y) & (curve.x >= frame.low) & (curve.x <= frame.high))
    if not len(known):
        return None
    share = min(1.0, max(0.0, float(frame.scale.share(curve.y[known[-1]]))))
    column = int(frame.places(curve.x[known[-1] : known[-1] + 1])[0])
    return frame.top + round((1 - share) * (frame.rows - 1)), GUTTER + column


def _hides(ends: Sequence[tuple[int, int]], row: int, column: int, lines: int, wide: int) -> bool:
    """Return whether a legend at a place would hide the end of a curve."""
    return any(row <= y < row + lines and column <= x < column + wide for y, x in ends)


def _choices(
    curves: Sequence[Curve], palette: Palette, cursor: float | None, over: float, *, percent: bool
) -> list[list[_LegendLine]]:
    """Return legends to choose from, the longest first. percent: whether the values are fractions."""
    values = []
    for index, curve in enumerate(curves):
        value = curve.at(cursor)
        text = (
            "–"
            if value is None and not palette.ascii
            else "-"
            if value is None
            else plain_exponents(f"{value:.1%}" if percent else f"{value:.4g}")
        )
        broken = value is not None and not math.isfinite(value)
        values.append(
            _LegendLine(
                " ".join(("", *filter(None, (curve.name,)), text)),
                ALERT if broken else TEXT,
                curve.sign or legend_sign(index, palette),
                curve_ink(index, curve),
            )
        )
    at = [] if cursor is None else [_LegendLine(f"step {cursor:,.0f}", TEXT)]
    names = [curve.name for curve in curves if curve.smooth]
    if not names:
        return [[*at, *values], values]
    who = "" if len(names) == len(curves) else ", ".join(names) + " "
    said = [_LegendLine(f"{who}smoothed{more}", AXIS) for more in (f" over {over:,g} steps", "")]
    return [[*at, said[0], *values], [*at, said[1], *values], [said[1], *values], [*at, *values], values]


def legend_sign(index: int, palette: Palette) -> str:
    """Return the sign of a curve in the legend."""
    plain = palette.ascii or (palette.depth == "none" and index > 0)
    return MARKERS[index % CURVES] if plain else palette.glyphs.line


def curve_ink(index: int, curve: Curve | CurveData) -> int:
    """Return the slot of the curve of that index; a run keeps its colour where another run has no such curve.

    The run without the cure has the colour that it has over the bars.
    """
    if curve.sign:
        return RUN + (ord(curve.sign) - ord("A")) % RUNS
    return OTHER if curve.only_compared else SERIES + index % CURVES


def weak_curve_ink(index: int, curve: Curve) -> int:
    """Return the slot of the range behind the curve of that index."""
    if curve.only_compared and not curve.sign:
        return OTHER
    return curve_ink(index, curve) + (RUN_WEAK - RUN if curve.sign else WEAK - SERIES)


def draw_ends(cells: Cells, frame: CurveFrame, curves: Sequence[Curve]) -> None:
    """Write each sign where its curve ends, or on the nearest free row above or below."""
    taken: set[tuple[int, int]] = set()
    for index, curve in enumerate(curves):
        end = _end_of(frame, curve) if curve.sign else None
        if end is None:
            continue
        middle, column = end
        rows = range(frame.top, frame.top + frame.rows)
        near = sorted(rows, key=lambda row, middle=middle: abs(row - middle))  # type: ignore[misc]
        row = next((row for row in near if (row, column) not in taken), middle)
        taken.add((row, column))
        cells.write(row, column, curve.sign, curve_ink(index, curve))
