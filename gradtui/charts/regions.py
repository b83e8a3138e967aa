"""Draw what a net computes over the plane: the class of each place, the training points over it, and single units.

With true colours a cell holds two places, one above the other, so that places are square. With the terminal's own
colours, without colours, or in ASCII, a cell is a character: a pattern for each class, a digit for a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.cells import Cells, codes_of
from gradtui.charts.layer_axis import NAN
from gradtui.charts.palette import (
    AXIS,
    NAN_FILL,
    NAN_INK,
    NONE,
    RAMP,
    RAMP_WEAK,
    RUN,
    RUN_FAINT,
    RUN_WEAK,
    RUNS,
    STEPS,
    TEXT,
    Palette,
    ramp_steps,
)

if TYPE_CHECKING:
    from gradtui.runs.plane import Plane
    from gradtui.runs.summary import Floats

UPPER_HALF_BLOCK = "▀"
PATTERNS, ASCII_PATTERNS = "·▒+~%=#░", ".:+=*-~%"
"""The character of each class where colours cannot tell them apart."""
STRONG_TONE_FROM = 0.5
"""The certainty from which on a class has its stronger tone; 0 is guessing and 1 is certain."""

Places = NDArray[np.int64]


def pattern_of(number: int, palette: Palette) -> str:
    """Return the character with which a class is drawn where a cell is one character."""
    return (ASCII_PATTERNS if palette.ascii else PATTERNS)[number % RUNS]


def in_halves(palette: Palette) -> bool:
    """Return whether a cell holds two places, which needs true colours."""
    return palette.depth == "true" and not palette.ascii


def resampled(values: Floats, rows: int, columns: int) -> NDArray[np.float64]:
    """Return pictures (n, side, side) with other numbers of places, (n, rows, columns), by linear interpolation."""
    side = values.shape[-1]
    found = np.asarray(values, np.float64)
    for axis, count in ((1, rows), (2, columns)):
        at = np.clip((np.arange(count) + 0.5) * side / count - 0.5, 0, side - 1)
        low = at.astype(np.int64)
        high = np.minimum(low + 1, side - 1)
        shape = [1, 1, 1]
        shape[axis] = count
        part = (at - low).reshape(shape)
        with np.errstate(invalid="ignore", over="ignore"):
            one, other = found.take(low, axis), found.take(high, axis)
            # A neighbour of weight 0 is not added, because infinity times 0 is NaN.
            found = np.where(part == 0, one, one * (1 - part) + other * part)
    return found


def draw_plane(cells: Cells, plane: Plane, palette: Palette, rows: int, column: int, row: int = 0) -> None:
    """Draw a plane as a square of `rows` rows and twice as many columns; its upper left corner is at (row, column)."""
    columns = 2 * rows
    if rows < 1:
        return
    halves = in_halves(palette)
    slots = _regions(resampled(plane.outputs, columns if halves else rows, columns), plane.about.classes)
    if halves:
        points = _points(plane, columns, columns)
        _halves(cells, np.where(points >= 0, points, slots), row, column)
        return
    points = _points(plane, rows, columns)
    area = slice(row, row + rows), slice(column, column + columns)
    known = slots != NAN_FILL
    numbers = np.where(known, (slots - RUN_WEAK) % RUNS, 0)
    if plane.about.classes:
        patterns = np.array([codes_of(pattern_of(number, palette))[0] for number in range(RUNS)])
        codes = patterns[numbers]
        digits = ord("0") + np.clip(points - RUN, 0, RUNS - 1)
    else:
        dithers = codes_of(palette.glyphs.dithers[1:])
        codes = dithers[np.clip(slots - RAMP_WEAK, 0, STEPS - 1) * len(dithers) // STEPS]
        digits = np.full(points.shape, ord("o"))
    codes = np.where(known, codes, ord(palette.glyphs.nan))
    _fit(
        cells,
        area,
        np.where(points >= 0, digits, codes),
        np.where(points >= 0, points, np.where(known, _plain(slots, plane), NAN_INK)),
        NONE,
    )


def _plain(slots: Places, plane: Plane) -> Places:
    """Return the inks of regions in one tone, because with 16 colours the weaker tone is the same for all classes."""
    if not plane.about.classes:
        return slots - RAMP_WEAK + RAMP
    return RUN + (slots - RUN_WEAK) % RUNS


def _regions(outputs: NDArray[np.float64], classes: int) -> Places:
    """Return the slot of each place: of its class (weaker where the net is unsure), or of its number on the ramp."""
    known = np.isfinite(outputs).all(0)
    if not classes:
        low, high = (float(end(outputs[0][known])) if known.any() else 0.0 for end in (np.min, np.max))
        share = (outputs[0] - low) / ((high - low) or 1.0)
        return np.where(known, RAMP_WEAK + ramp_steps(share), NAN_FILL)
    best = np.nan_to_num(outputs).argmax(0)
    sure = (outputs.max(0) - 1 / classes) / (1 - 1 / classes) >= STRONG_TONE_FROM if classes > 1 else known
    return np.where(known, np.where(sure, RUN_WEAK, RUN_FAINT) + best, NAN_FILL)


def _points(plane: Plane, rows: int, columns: int) -> Places:
    """Return the slot of the last training point of each place, -1 where there is none."""
    found = np.full((rows, columns), -1, np.int64)
    down, across = plane.places(rows, columns)
    answers = np.asarray(plane.about.answers)
    if plane.about.classes:
        found[down, across] = RUN + np.clip(np.nan_to_num(answers), 0, RUNS - 1).astype(np.int64)
    elif len(answers):
        low, high = float(np.nanmin(answers)), float(np.nanmax(answers))
        found[down, across] = RAMP + ramp_steps((answers - low) / ((high - low) or 1.0))
    return found


def _halves(cells: Cells, slots: Places, row: int, column: int) -> None:
    """Write two rows of places into each row of cells."""
    area = slice(row, row + len(slots) // 2), slice(column, column + slots.shape[1])
    _fit(cells, area, np.full(slots[::2].shape, ord(UPPER_HALF_BLOCK)), slots[::2], slots[1::2])


def _fit(cells: Cells, area: tuple[slice, slice], codes: Places, inks: Places, fills: Places | int) -> None:
    """Write a picture into the cells, cut off at their edge."""
    height, width = cells.codes[area].shape
    cells.codes[area] = codes[:height, :width]
    cells.ink[area] = inks[:height, :width]
    cells.fill[area] = fills if isinstance(fills, int) else fills[:height, :width]


def draw_legend(cells: Cells, plane: Plane, palette: Palette, column: int, row: int = 0) -> None:
    """Write beside a picture what its colours or characters stand for; as many lines as fit."""
    if not plane.about.classes:
        cells.write(row, column, "colour: the net's output", TEXT)
        return
    for number, share in enumerate(plane.shares.tolist()):
        if in_halves(palette):
            cells.write(row + number, column, "   ", NONE, RUN_WEAK + number)
            cells.write(row + number, column + 1, "■", RUN + number, RUN_WEAK + number)
        else:
            cells.write(row + number, column, f"{pattern_of(number, palette) * 2}{number}", RUN + number)
        cells.write(row + number, column + 4, f"class {number}: {share:.0%} of the plane", NONE)


def draw_units(cells: Cells, units: Floats, palette: Palette, names: Sequence[str]) -> int:
    """Draw the outputs of single units as pictures (n, side, side) beside one another, on one common scale.

    They are as large as fits, but no narrower than one column per place. Return how many are drawn.
    names: the text beneath each.
    """
    height, width = cells.shape
    finite = np.isfinite(units)
    low, high = (float(end(units[finite])) if finite.any() else 0.0 for end in (np.min, np.max))
    side = _size_of(len(units), units.shape[-1], height, width)
    rows, per_line = side // 2, max(1, (width + 1) // (side + 1))
    halves = in_halves(palette)
    pictures = resampled(units, side if halves else rows, side)
    steps = ramp_steps((pictures - low) / ((high - low) or 1.0)).astype(np.int64)
    known = np.isfinite(pictures)
    for number, name in enumerate(names):
        down, across = divmod(number, per_line)
        top, left = down * (rows + 1), across * (side + 1)
        if top + rows > height:
            return number
        if halves:
            _halves(cells, np.where(known[number], RAMP + steps[number], NAN_FILL), top, left)
        else:
            area = slice(top, top + rows), slice(left, left + side)
            _fit(cells, area, *_toned(steps[number], known[number], palette))
            for row in range(top, top + rows):
                cells.write(row, left + side, palette.glyphs.rule, AXIS)
        cells.write(top + rows, left, name[:side])
    return len(names)


def _toned(steps: Places, known: NDArray[np.bool_], palette: Palette) -> tuple[Places, Places, Places]:
    """Return characters, inks and fills of a picture in the tones of the waterfall, one place a cell."""
    looks = [*(palette.shade(step) for step in range(STEPS)), palette.mark(NAN)]
    at = np.where(known, steps, STEPS)
    codes, inks, fills = (
        np.array(column, np.int64)[at]
        for column in zip(*((ord(c), *rest) for c, *rest in looks), strict=True)
    )
    return codes, inks, fills


def _size_of(count: int, least: int, height: int, width: int) -> int:
    """Return the even number of columns of each of `count` square pictures with a line of text beneath."""
    for side in range(min(width, 2 * height) // 2 * 2, least, -2):
        lines = -(-count // max(1, (width + 1) // (side + 1)))
        if lines * (side // 2 + 1) <= height:
            return side
    return least + least % 2
