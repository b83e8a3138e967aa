"""Draw one factor per layer as a bar up or down from 1, in two parts, with the product of the factors over the bars."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import ABSENT, FINITE, GUTTER, INFINITE, NAN, ZERO, Floats, LayerAxis, fold
from gradtui.charts.palette import AXIS, CURSOR, NONE, SERIES, TEXT, THEORY, TYPICAL, Palette
from gradtui.words import as_factor

SLOPE_INK, WEIGHTS_INK, WHOLE_INK, PRODUCT_INK = SERIES, SERIES + 1, SERIES + 2, TEXT
"""The colours of the two parts, of a factor without parts, and of the product."""

LEAST_DECADES = 0.35
"""The least number of decades on each side of 1, so that a factor of 1.02 does not look like one of 10."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FactorBars:
    """A FactorBars holds log10 of the factors, of their two parts, of the running product and of theory, (layers,)."""

    total: Floats
    slope: Floats
    weights: Floats
    running: Floats
    theory: Floats


@dataclass(frozen=True)
class _Heights:
    """A _Heights maps decades to half rows: `up` rows lie above 1, and each row stands for 2 × `unit` decades."""

    rows: int
    up: int
    unit: float
    squeeze: float
    """The product's scale is compressed by this factor."""

    def halves(self, decades: Floats) -> Ints:
        """Return the height over 1 in half rows; 0 for what is not finite."""
        finite = np.where(np.isfinite(decades), decades, 0.0)
        limit = np.clip(np.rint(finite / self.unit), 2 * (self.up - self.rows), 2 * self.up)
        return np.asarray(limit, np.int64)

    def row(self, halves: int) -> int:
        """Return the row in which a height lies; the factor 1 lies in the last row of the upper half."""
        if halves == 0:
            return self.up - 1
        return max(
            0, min(self.rows - 1, self.up - (halves + 1) // 2 if halves > 0 else self.up + (-halves - 1) // 2)
        )


def draw_factors(
    cells: Cells, bars: FactorBars, axis: LayerAxis, palette: Palette, rows: int, cursor: int | None
) -> None:
    """Draw axis, bars and overlays into the first `rows` rows."""
    if rows < 2:
        return
    total, slope, weights, theory = (
        fold(part, axis).middle for part in (bars.total, bars.slope, bars.weights, bars.theory)
    )
    product = fold(bars.running, axis).middle
    heights = _heights(np.concatenate([total, slope, weights, theory]), product, rows)
    _draw_axis(cells, heights, palette)
    if not axis.bins:
        return
    area = (slice(0, rows), slice(GUTTER, GUTTER + axis.used))
    bin_of, bar_of = axis.bin_of_column[: axis.used], axis.bar_of_column[: axis.used]
    halves = _halves(heights, total, slope, weights)
    upper, lower = halves[0::2][:, bin_of], halves[1::2][:, bin_of]
    upper, lower = (np.where(bar_of < 0, NONE, half) for half in (upper, lower))
    _paint(cells, area, upper, lower, palette)
    base = cells.codes[area][heights.up - 1] == ord(" ")
    cells.codes[area][heights.up - 1][base] = ord(palette.glyphs.bars[1])
    cells.ink[area][heights.up - 1][base] = AXIS
    if cursor is not None and (columns := axis.columns_of(cursor)) is not None:
        there = (slice(0, rows), slice(GUTTER + columns[0], GUTTER + columns[1] + 1))
        if palette.depth == "true":
            cells.fill[there] = np.where(cells.fill[there] == NONE, CURSOR, cells.fill[there])
    _line(cells, heights, theory, bin_of, palette.glyphs.floor, THEORY, palette)
    opposite = np.where((slope > 0) != (weights > 0), total, np.nan)
    _line(cells, heights, opposite, bar_of, palette.glyphs.line, TYPICAL, palette)
    _draw_product(cells, heights, product, axis, palette)
    _draw_signs(cells, fold(bars.total, axis).kind, bar_of, palette, rows)


def _heights(parts: Floats, product: Floats, rows: int) -> _Heights:
    """Return heights at which all parts fit, and the product too, compressed by a whole number."""
    finite = parts[np.isfinite(parts)]
    high, low = (
        max(LEAST_DECADES, float(finite.max(initial=0.0))),
        max(LEAST_DECADES, -float(finite.min(initial=0.0))),
    )
    ends = product[np.isfinite(product)]
    top, bottom = max(0.0, float(ends.max(initial=0.0))), max(0.0, -float(ends.min(initial=0.0)))
    squeeze = float(max(1, math.ceil(max(top, bottom) / max(high, low))))
    high, low = max(high, top / squeeze), max(low, bottom / squeeze)
    up = min(range(1, rows), key=lambda above: max(high / above, low / (rows - above)))
    return _Heights(rows, up, max(high / (2 * up), low / (2 * (rows - up))), squeeze)


def _halves(heights: _Heights, total: Floats, slope: Floats, weights: Floats) -> Ints:
    """Return the ink of every half row, top first, (2 · rows, bins)."""
    split = np.isfinite(slope) & np.isfinite(weights)
    first = np.where(split, slope, total)
    inks = np.where(split, SLOPE_INK, WHOLE_INK)
    ends = [heights.halves(first), heights.halves(np.where(split, weights, np.nan))]
    same = (ends[0] > 0) == (ends[1] > 0)
    # Parts on the same side of 1 are stacked, and the stack ends where the whole factor does.
    whole = heights.halves(np.where(split, slope + weights, np.nan))
    ends[1] = np.where(same & (ends[1] != 0), whole, ends[1])
    row = np.arange(2 * heights.rows)[:, None]
    middle = 2 * heights.up
    paint = np.zeros((2 * heights.rows, len(total)), np.int64)
    for end, ink in ((ends[1], np.full(len(total), WEIGHTS_INK)), (ends[0], inks)):
        inside = ((row < middle) & (row >= middle - end)) | ((row >= middle) & (row < middle - end))
        paint = np.where(inside, ink, paint)
    return paint


def bar_sign(slot: int, palette: Palette) -> str:
    """Return the character that fills a part of a bar; without colours, each part has one of its own."""
    shades = palette.glyphs.shades
    signs = {WEIGHTS_INK: shades[2], WHOLE_INK: shades[3]} if _told_by_signs(palette) else {}
    return signs.get(slot, shades[4])


def _told_by_signs(palette: Palette) -> bool:
    """Return whether the parts of a bar are told apart by their characters and not by colours."""
    return palette.depth == "none" or palette.ascii


def _part_signs(palette: Palette) -> str:
    return "".join(bar_sign(slot, palette) for slot in (SLOPE_INK, WEIGHTS_INK, WHOLE_INK))


def _paint(cells: Cells, area: tuple[slice, slice], upper: Ints, lower: Ints, palette: Palette) -> None:
    """Paint two half rows into each cell: by colours, or by characters where there are none."""
    if _told_by_signs(palette):
        ink = np.where(upper != NONE, upper, lower)
        codes = np.full(ink.shape, ord(" "))
        for slot in (SLOPE_INK, WEIGHTS_INK, WHOLE_INK):
            codes[ink == slot] = ord(bar_sign(slot, palette))
        cells.codes[area], cells.ink[area] = codes, ink
        return
    both, only_lower = upper == lower, upper == NONE
    codes = np.select([both & (upper == NONE), both, only_lower], [ord(" "), ord("█"), ord("▄")], ord("▀"))
    cells.codes[area] = codes
    cells.ink[area] = np.where(only_lower, lower, upper)
    cells.fill[area] = np.where(both | only_lower, NONE, lower)


def _mark(cells: Cells, row: int, column: int, sign: str, slot: int, palette: Palette) -> None:
    """Write a sign; where there are colours, a bar stays visible behind it."""
    fill = int(cells.fill[row, column])
    if not _told_by_signs(palette) and chr(int(cells.codes[row, column])) in "█▀▄":
        fill = int(cells.ink[row, column])
    cells.write(row, column, sign, slot, fill)


def _line(
    cells: Cells,
    heights: _Heights,
    values: Floats,
    bin_of: NDArray[np.intp],
    sign: str,
    slot: int,
    palette: Palette,
) -> None:
    """Draw a short line at the height of each value, where it is finite.

    Without colours it replaces what it crosses, so it leaves out a cell that is all there is of a part of a bar.
    """
    parts = _part_signs(palette) if _told_by_signs(palette) else ()
    for column in np.flatnonzero((bin_of >= 0) & np.isfinite(values[bin_of])).tolist():
        row = heights.row(int(heights.halves(values[bin_of[column] : bin_of[column] + 1])[0]))
        there = cells.codes[: heights.rows, GUTTER + column]
        if chr(int(there[row])) in parts and np.count_nonzero(there == there[row]) == 1:
            continue
        _mark(cells, row, GUTTER + column, sign, slot, palette)


def _draw_product(
    cells: Cells, heights: _Heights, product: Floats, axis: LayerAxis, palette: Palette
) -> None:
    """Draw a dot at the running product of each layer, and its value beside the last one at the input's side."""
    known = np.flatnonzero(np.isfinite(product)).tolist()
    halves = heights.halves(product / heights.squeeze)
    dot = "o" if palette.ascii else "•"
    for at in known:
        column = GUTTER + (int(axis.edges[at]) + int(axis.edges[at + 1]) - 1) // 2
        row = heights.row(int(halves[at]))
        _mark(cells, row, column, dot, PRODUCT_INK, palette)
    if known:
        far = max(known, key=lambda at: abs(product[at]))
        text = as_factor(float(product[far]))
        row = heights.row(int(halves[far]))
        column = GUTTER + int(axis.edges[far + 1]) + 1
        column = min(column, GUTTER + axis.width - len(text))
        free = row + 1 if row + 1 < heights.rows else row - 1
        cells.write(free if _is_taken(cells, row, column, len(text)) else row, column, text, PRODUCT_INK)


def _is_taken(cells: Cells, row: int, column: int, length: int) -> bool:
    return any(code != ord(" ") for code in cells.codes[row, column : column + length].tolist())


def _draw_signs(
    cells: Cells, kind: NDArray[np.uint8], bar_of: NDArray[np.intp], palette: Palette, rows: int
) -> None:
    """Draw the signs of zero, infinite, NaN and absent factors on the bottom row."""
    for what in (ZERO, INFINITE, NAN, ABSENT):
        columns = GUTTER + np.flatnonzero((kind[bar_of] == what) & (bar_of >= 0))
        if what != FINITE and columns.size:
            sign, ink, fill = palette.mark(what)
            cells.codes[rows - 1, columns] = ord(sign)
            cells.ink[rows - 1, columns] = ink
            cells.fill[rows - 1, columns] = fill


def _draw_axis(cells: Cells, heights: _Heights, palette: Palette) -> None:
    """Draw the axis of factors into the gutter: 1, and round factors where there is room."""
    for row in range(heights.rows):
        cells.write(row, GUTTER - 1, palette.glyphs.rule, AXIS)
    taken: set[int] = set()
    span = heights.unit * 2 * heights.rows
    steps = [math.log10(number) for number in (1, 2, 5)] if span < 4 else [0.0]
    decades = range(-math.ceil(span) - 1, math.ceil(span) + 2)
    ticks = sorted((k + step for k in decades for step in steps), key=abs)
    for value in ticks:
        position = value / heights.unit
        if not -2 * (heights.rows - heights.up) <= position <= 2 * heights.up:
            continue
        row = heights.row(round(position))
        if not taken.intersection((row - 1, row, row + 1)):
            taken.add(row)
            text = f"{10**value:.2g}" if abs(value) <= 3 else f"1e{round(value)}"
            cells.write(row, 0, text.rjust(GUTTER - 1)[: GUTTER - 1] + palette.glyphs.tick, AXIS)
