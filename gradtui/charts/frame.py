"""Map steps and values to places in the area of a chart of curves, and draw its two axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import GUTTER, Floats
from gradtui.charts.palette import AXIS, NAN_FILL, NAN_INK, TEXT, Palette
from gradtui.charts.scale import Scale
from gradtui.charts.x_axis import STEPS, XAxis

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CurveFrame:
    """A CurveFrame is `columns` wide from the gutter on and `rows` high from row `top` on.

    x runs from low to high; it is the place that the axis gives to a step.
    """

    low: float
    high: float
    scale: Scale
    columns: int
    rows: int
    top: int = 0
    floor: bool = False
    """This is true if the lowest row of a log axis stands for exactly 0."""
    axis: XAxis = STEPS
    """The axis of the cursor and of the marks, which are at steps."""

    def places(self, x: Floats, parts: int = 1) -> Places:
        """Return the columns of x, in any shape, counted from the gutter in units of 1 / `parts` column.

        An x outside the frame gets a number outside the columns.
        """
        share = (np.asarray(x, np.float64) - self.low) / (self.high - self.low)
        # Numbers far outside would overflow an integer, so they are clipped.
        column = np.clip(share, -2, 3) * (self.columns - 1) + 0.5
        return np.floor(column * parts).astype(np.intp)

    def seen(self, x: Floats) -> Places:
        """Return the columns of the x that lie inside the frame."""
        places = self.places(x)
        return places[(places >= 0) & (places < self.columns)]

    def place(self, step: float) -> int | None:
        """Return the column of one step, or None outside."""
        found = self.seen(self.axis.nearest(np.array([step]))).tolist()
        return found[0] if found else None

    def x_at(self, column: float) -> float:
        """Return the x that the middle of a column stands for."""
        return self.low + column / max(1, self.columns - 1) * (self.high - self.low)

    def step_at(self, column: float) -> float:
        """Return the step that the middle of a column stands for."""
        return self.axis.step_at(self.x_at(column))

    def step_beside(self, step: float, by: int) -> int:
        """Return the step that is `by` columns away, and at least one step away."""
        share = (float(self.axis.nearest(step)) - self.low) / (self.high - self.low)
        there = round(self.step_at(round(share * (self.columns - 1)) + by))
        return max(there, round(step) + 1) if by > 0 else min(there, round(step) - 1)

    def stretches(self, x: Floats, parts: int = 1) -> tuple[Places, Places]:
        """Return which points (first, one after the last) each of the `parts` of each column shows.

        Both arrays have the shape (columns × parts,). A point counts until the next one, so a part that contains no
        point shows the one before. Both are equal, and the part empty, before the first point and after the last.
        """
        at = np.searchsorted(self.places(x, parts), np.arange(self.columns * parts + 1), side="left")
        first, last = at[:-1], at[1:]
        held = (first == last) & (first > 0) & (first < len(x))
        return np.where(held, first - 1, first), last


def draw_y_axis(cells: Cells, frame: CurveFrame, palette: Palette) -> None:
    """Draw the axis of values into the gutter, with its labels."""
    glyphs, scale, rows = palette.glyphs, frame.scale, frame.rows
    for row in range(frame.top + rows):
        cells.write(row, GUTTER - 1, glyphs.rule, AXIS)
    labels = {value: scale.label(value) for value in scale.ticks(max(2, (rows + 1) // 3))}
    if frame.floor:
        labels[scale.low] = "0"
    for value, text in labels.items():
        row = frame.top + round((1 - float(scale.share(np.array(value)))) * (rows - 1))
        cells.write(row, 0, text.rjust(GUTTER - 1) + glyphs.tick, AXIS)


def draw_x_axis(
    cells: Cells, frame: CurveFrame, palette: Palette, cursor: float | None, breaks: Places
) -> None:
    """Draw the horizontal axis, with a red sign in the columns `breaks`, where a value is not finite.

    A pointer and a label mark the step under the cursor. Other labels are left out where they would overlap them.
    """
    height, width = cells.shape
    row, glyphs = height - 1, palette.glyphs
    cells.write(row, GUTTER - 1, glyphs.corner + glyphs.floor * frame.columns, AXIS)
    taken = np.zeros(width, bool)
    taken[GUTTER + breaks] = True
    place = None if cursor is None else frame.place(cursor)
    if cursor is not None and place is not None:
        at = float(frame.axis.nearest(cursor))
        label, column = frame.axis.label(at, frame.high - frame.low), GUTTER + place
        cells.write(row, column, glyphs.pointer, TEXT)
        for first in (column + 1, column - len(label)):
            last = first + len(label)
            if first >= GUTTER and last <= width and not taken[first:last].any():
                cells.write(row, first, label, TEXT)
                taken[max(0, first - 1) : last + 1] = True
                break
        taken[column - 1 : column + 2] = True
    for value in frame.axis.ticks(frame.low, frame.high, max(3, frame.columns // 10)):
        text = frame.axis.label(value, frame.high - frame.low)
        column = GUTTER + int(frame.places(np.array(value))) - len(text) // 2
        column = max(GUTTER, min(width - len(text), column))
        if not taken[column : column + len(text)].any():
            cells.write(row, column, text, AXIS)
            taken[column : column + len(text) + 2] = True
    cells.codes[row, GUTTER + breaks] = ord(glyphs.nan)
    cells.ink[row, GUTTER + breaks] = NAN_INK
    cells.fill[row, GUTTER + breaks] = NAN_FILL
