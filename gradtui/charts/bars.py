"""Draw one value per layer as a bar, in eighths of a cell, with the two axes around the bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import ABSENT, GUTTER, INFINITE, NAN, ZERO, Floats, LayerAxis, fold
from gradtui.charts.palette import (
    ALERT,
    AXIS,
    CURSOR,
    HEALTHY,
    INF_FILL,
    LEAST_STROKE,
    NAN_FILL,
    NONE,
    OTHER,
    RAMP,
    RAMP_MIDDLE,
    RAMP_WEAK,
    TEXT,
    THEORY,
    TYPICAL,
    Palette,
    ramp_steps,
)
from gradtui.charts.scale import Scale

Bins = NDArray[np.int64]


@dataclass(frozen=True)
class LayerProfile:
    """A LayerProfile holds one value per layer in units of the scale (log10 of a log scale), and its overlays.

    Every array has the shape (layers,); NaN in an overlay leaves that layer out. spread: the lowest and the highest
    value of a layer over a window of time; typical: its median there; theory: the predicted values; healthy: the
    healthy range, as two numbers or two arrays; other: the values of another run.
    """

    values: Floats
    spread: tuple[Floats, Floats] | None = None
    typical: Floats | None = None
    theory: Floats | None = None
    healthy: tuple[Floats, Floats] | None = None
    other: Floats | None = None


def eighths(values: Floats, scale: Scale, rows: int) -> Bins:
    """Return heights in eighths of a row, in any shape: at least 1, or 0 for NaN.

    The bar of a tick's value ends in the middle of the row of its label.
    """
    share = scale.share(values)
    height = 4 + share * 8 * (rows - 1) if rows > 1 else 1 + share * 7
    return np.where(np.isnan(share), 0, np.rint(np.nan_to_num(height))).astype(np.int64)


def draw_bars(
    cells: Cells,
    profile: LayerProfile,
    axis: LayerAxis,
    scale: Scale,
    palette: Palette,
    rows: int,
    cursor: int | None,
) -> None:
    """Draw bars and overlays into the first `rows` rows right of the gutter."""
    if not axis.bins or rows < 1:
        return
    folded = fold(profile.values, axis)
    low, middle, high = (eighths(part, scale, rows) for part in (folded.low, folded.middle, folded.high))
    if profile.spread is not None:
        below, above = fold(profile.spread[0], axis).low, fold(profile.spread[1], axis).high
        low = np.where(np.isnan(below), low, np.minimum(middle, eighths(below, scale, rows)))
        high = np.where(np.isnan(above), high, np.maximum(middle, eighths(above, scale, rows)))
        low, high = np.where(middle, low, 0), np.where(middle, high, 0)
    area = (slice(0, rows), slice(GUTTER, GUTTER + axis.used))
    ground = _ground(profile, axis, scale, rows, cursor)
    upward = np.arange(rows)[::-1, None]
    # Colour depends on the row, not on the bar. The tip then has the colour of its value, the axis is also the legend
    # of the waterfall below, and the terminal receives a tenth of the bytes that a style for each bar would take.
    step = ramp_steps(upward / max(1, rows - 1)).astype(np.int64)
    if scale.low < 0 < scale.high and scale.kind == "linear":
        zero = int(eighths(np.zeros(1), scale, rows)[0])
        codes, ink, fill = _from_zero(2 * upward, zero, low, middle, high, step, palette)
    else:
        painter = _painted if palette.depth == "true" and not palette.ascii else _shaded
        codes, ink, fill = painter(8 * upward, low, middle, high, step, palette)
    at = axis.bin_of_column[: axis.used]
    gap = axis.bar_of_column[: axis.used] < 0
    cells.codes[area] = np.where(gap, ord(" "), codes[:, at])
    cells.ink[area] = np.where(gap, RAMP + step, ink[:, at])
    cells.fill[area] = fill[:, at] * ~gap
    if palette.ascii and palette.depth != "none":
        _strengthen(cells, area, palette)
    if palette.depth == "true":
        cells.fill[area] = np.where(cells.fill[area] == NONE, ground, cells.fill[area])
    else:
        # With few colours a filled background would look like bars, so characters go into the empty cells instead.
        empty = cells.codes[area] == ord(" ")
        cursor_column = np.diff(ground == CURSOR, axis=1, prepend=False) & (ground == CURSOR)
        marks = ((ground == HEALTHY, palette.glyphs.ground), (cursor_column, palette.glyphs.rule))
        for where, character in marks:
            there = empty & where
            cells.codes[area][there] = ord(character)
            cells.ink[area][there] = AXIS
    for values, slot in ((profile.typical, TYPICAL), (profile.theory, THEORY), (profile.other, OTHER)):
        _overlay(cells, values, axis, scale, palette, rows, slot, middle)
    _marks(cells, folded.kind, middle, axis, palette, rows)


def _ground(
    profile: LayerProfile, axis: LayerAxis, scale: Scale, rows: int, cursor: int | None
) -> NDArray[np.uint8]:
    """Return the fill behind the bars, (rows, used), which shows the healthy range and the layer under the cursor."""
    ground = np.zeros((rows, axis.used), np.uint8)
    if profile.healthy is not None:
        layers = profile.values.shape
        limits = [np.broadcast_to(np.asarray(limit, np.float64), layers) for limit in profile.healthy]
        bottom, top = (eighths(fold(limit, axis).middle, scale, rows) for limit in limits)
        middle = 8 * np.arange(rows)[::-1, None] + 4
        inside = (bottom <= middle) & (middle <= top) & (top > 0)
        ground[inside[:, axis.bin_of_column[: axis.used]]] = HEALTHY
    if cursor is not None and (columns := axis.columns_of(cursor)):
        ground[:, columns[0] : columns[1] + 1] = CURSOR
    return ground


Painted = tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]


def _painted(base: Bins, low: Bins, middle: Bins, high: Bins, step: Bins, palette: Palette) -> Painted:
    """Paint tones as colours: a cell can hold one edge, the lower tone as ink and the upper as fill."""
    blocks = np.array([ord(c) for c in palette.glyphs.bars], np.uint32)
    top = base + 8
    strong, half, weak = RAMP + step, RAMP_MIDDLE + step, RAMP_WEAK + step
    below_low, below_middle, below_high = top <= low, top <= middle, top <= high
    low_inside, middle_inside, high_inside = ((base < edge) & (edge < top) for edge in (low, middle, high))
    only_high = high_inside & (base >= middle)
    level = np.select(
        [below_low, below_middle & low_inside, below_middle, middle_inside, below_high, only_high],
        [8, low - base, 8, middle - base, 8, high - base],
        0,
    )
    ink = np.select(
        [below_middle & (base >= low), middle_inside & (base >= low), (high > base) & (base >= middle)],
        [half, half, weak],
        strong,
    )
    more_above = middle_inside & (high - middle > (top - middle) / 2)
    fill = np.select([below_middle & low_inside, more_above], [half, weak], NONE)
    return blocks[level], ink.astype(np.uint8), fill.astype(np.uint8)


def _shaded(base: Bins, low: Bins, middle: Bins, high: Bins, step: Bins, palette: Palette) -> Painted:
    """Paint tones as shaded blocks of whole rows, where colours cannot be mixed or are not wanted."""
    blocks = np.array([ord(c) for c in palette.glyphs.bars], np.uint32)
    full, three, _, quarter = (ord(c) for c in palette.glyphs.shades[:0:-1])
    centre = base + 4
    codes = np.select(
        [base + 8 <= low, base + 8 <= middle, base < middle, centre <= high],
        [full, np.where(low < middle, three, full), blocks[np.clip(middle - base, 0, 8)], quarter],
        ord(" "),
    )
    codes = np.where((base >= middle) & (high <= middle), ord(" "), codes)
    ink = np.broadcast_to(RAMP + step, codes.shape)
    return codes.astype(np.uint32), ink.astype(np.uint8), np.zeros(codes.shape, np.uint8)


def _strengthen(cells: Cells, area: tuple[slice, slice], palette: Palette) -> None:
    """Fill whole cells of bars with their colour, and draw characters in no fainter one than can be read.

    The low end of the ramp is close to the ground: a block of it can be seen, but the strokes of a letter cannot.
    """
    codes, ink = cells.codes[area], cells.ink[area]
    whole = codes == ord(palette.glyphs.bars[-1])
    cells.fill[area] = np.where(whole, ink, cells.fill[area])
    faint = (ink >= RAMP) & (ink < RAMP + LEAST_STROKE) & ~whole
    cells.ink[area] = np.where(faint, RAMP + LEAST_STROKE, ink)


def _from_zero(
    base: Bins, zero: int, low: Bins, middle: Bins, high: Bins, step: Bins, palette: Palette
) -> Painted:
    """Paint signed values as bars up or down from a line at 0, in half rows, since a cell has no upper eighths.

    base: the lowest half row of each row; zero: the height of 0 in eighths.
    """
    ends = [np.where(middle, np.rint((part - zero) / 4), 0) for part in (low, middle, high)]
    line = round(zero / 4)
    below, value, above = ends
    up = value >= 0
    # The part that all values have in common is strong, the rest of the way to the value is half, and what only
    # other values of the spread reach is weak.
    common = np.where(up, np.maximum(below, 0), np.minimum(above, 0))
    outer = np.where(up, above, below)

    def tone(half: Bins) -> Bins:
        over = half - line
        inside = [
            np.where(over >= 0, end > over, end <= over) & (up == (over >= 0))
            for end in (common, value, outer)
        ]
        return np.select(inside, [RAMP + step, RAMP_MIDDLE + step, RAMP_WEAK + step], NONE)

    lower, upper = tone(base), tone(base + 1)
    glyphs = palette.glyphs
    if palette.depth != "true" or palette.ascii:
        whole = np.where(upper != NONE, upper, lower)
        weak = (whole >= RAMP_WEAK) & (whole != NONE)
        codes = np.select([whole == NONE, weak], [ord(" "), ord(glyphs.shades[1])], ord(glyphs.bars[-1]))
        fill = np.zeros(codes.shape, np.uint8)
        ink = np.where(whole == NONE, AXIS, RAMP + step)
    else:
        both, only_lower = upper == lower, upper == NONE
        codes = np.select(
            [both & (upper == NONE), both, only_lower], [ord(" "), ord("█"), ord("▄")], ord("▀")
        )
        ink = np.where(only_lower, lower, upper)
        fill = np.where(both | only_lower, NONE, lower)
    # Where no bar begins, a thin line shows where 0 is.
    row = len(base) - 1 - min(zero // 8, len(base) - 1)
    free = (codes[row] == ord(" ")) & (middle > 0)
    codes[row] = np.where(free, ord(glyphs.thin[zero % 8]), codes[row])
    ink[row] = np.where(free, AXIS, ink[row])
    return codes.astype(np.uint32), ink.astype(np.uint8), fill.astype(np.uint8)


def _overlay(
    cells: Cells,
    values: Floats | None,
    axis: LayerAxis,
    scale: Scale,
    palette: Palette,
    rows: int,
    slot: int,
    tips: Bins,
) -> None:
    """Draw a line at the height of each value: THEORY over the whole width, OTHER broken, TYPICAL across each bar."""
    if values is None:
        return
    at = (axis.bar_of_column if slot == TYPICAL else axis.bin_of_column)[: axis.used]
    height = eighths(fold(values, axis).middle, scale, rows)[at]
    here = at >= 0
    if slot == TYPICAL:
        # A line in the cell of the bar's tip would leave a hole in the bar, and shows nothing that the tip does not.
        here &= (np.minimum(height, 8 * rows - 1) // 8) != (np.minimum(tips[at], 8 * rows - 1) // 8)
    if slot == OTHER:
        here &= np.arange(axis.used) % 2 == 0
    columns = np.flatnonzero((height > 0) & here)
    height = np.minimum(height[columns], 8 * rows - 1)
    where = (rows - 1 - height // 8, GUTTER + columns)
    glyphs = palette.glyphs
    marks = np.array([ord(c) for c in _line_signs(slot, palette)], np.uint32)
    if palette.depth != "none" and not palette.ascii:
        # A cell that a bar fills by more than half keeps the bar's colour behind the mark.
        bar = np.isin(cells.codes[where], [ord(c) for c in glyphs.bars[4:]])
        cells.fill[where] = np.where(bar, cells.ink[where], cells.fill[where])
    elif palette.ascii:
        # A letter cannot be read on every colour of a bar.
        cells.fill[where] = NONE
    cells.codes[where] = marks[height % 8]
    cells.ink[where] = slot


_ASCII_LINES = {TYPICAL: "~", THEORY: "+", OTHER: "x"}


def _line_signs(slot: int, palette: Palette) -> str:
    """Return the characters of a line over the bars, by the eighth of the cell at which it lies."""
    glyphs = palette.glyphs
    if palette.ascii:
        return _ASCII_LINES[slot] * len(glyphs.thin)
    # Without colours, a thick line is the median, and a thin one is theory.
    return glyphs.line * len(glyphs.thin) if palette.depth == "none" and slot == TYPICAL else glyphs.thin


def overlay_sign(slot: int, palette: Palette) -> str:
    """Return the sign of a line over the bars (TYPICAL, THEORY, OTHER) or of the HEALTHY range, for a legend."""
    if slot == HEALTHY:
        return palette.glyphs.shades[1] if palette.depth == "true" else palette.glyphs.ground
    return "╌" if slot == OTHER and not palette.ascii else _line_signs(slot, palette)[4]


def _marks(
    cells: Cells, kind: NDArray[np.uint8], middle: Bins, axis: LayerAxis, palette: Palette, rows: int
) -> None:
    """Draw signs of zero, infinite, NaN and absent values on the bottom row; shade columns without a finite value."""
    bars = axis.bar_of_column[: axis.used]
    for what, shade in ((ZERO, NONE), (INFINITE, INF_FILL), (NAN, NAN_FILL), (ABSENT, NONE)):
        columns = GUTTER + np.flatnonzero((kind[bars] == what) & (bars >= 0))
        if not columns.size:
            continue
        if shade:
            empty = columns[middle[bars[columns - GUTTER]] == 0]
            cells.codes[:rows, empty] = ord(palette.glyphs.shades[1])
            cells.ink[:rows, empty] = ALERT if what == NAN else shade
        sign, ink, fill = palette.mark(what)
        cells.codes[rows - 1, columns] = ord(sign)
        cells.ink[rows - 1, columns] = ink
        if fill:
            cells.fill[rows - 1, columns] = fill


def draw_value_axis(cells: Cells, scale: Scale, palette: Palette, rows: int) -> None:
    """Draw the axis of values into the gutter, with a label for each tick."""
    glyphs = palette.glyphs
    for row in range(rows):
        cells.write(row, GUTTER - 1, glyphs.rule, AXIS)
    room = rows if rows < 5 else (rows + 1) // 2
    for value in scale.ticks(room):
        height = int(eighths(np.array([value]), scale, rows)[0])
        row = rows - 1 - min(height, 8 * rows - 1) // 8
        cells.write(row, 0, scale.label(value).rjust(GUTTER - 1) + glyphs.tick, AXIS)


def draw_ruler(
    cells: Cells,
    axis: LayerAxis,
    palette: Palette,
    row: int,
    cursor: int | None,
    name: str = "layer",
    start: int = 1,
) -> None:
    """Draw the numbers of the layers beneath them, and a pointer at the layer under the cursor.

    name: what is numbered, at most five characters; start: the number of the first.
    """
    cells.write(row, 0, name[: GUTTER - 1].rjust(GUTTER - 1), AXIS)
    if not axis.bins:
        return
    step = _ruler_step(axis)
    round_ones = [n for n in range(axis.first, axis.last + 1) if (n + start) % step == 0]
    taken = np.zeros(axis.width + 2, bool)
    for layer in [cursor, axis.first, axis.last, *round_ones]:
        if layer is None or (columns := axis.columns_of(layer)) is None:
            continue
        text = str(layer + start)
        column = (columns[0] + columns[1] + 1 - len(text)) // 2
        if layer == cursor:
            text, column = palette.glyphs.pointer + text, sum(columns) // 2
        column = max(0, min(axis.width - len(text), column))
        if not taken[column : column + len(text) + 2].any():
            taken[column + 1 : column + len(text) + 1] = True
            cells.write(row, GUTTER + column, text, TEXT if layer == cursor else AXIS)


def _ruler_step(axis: LayerAxis) -> int:
    """Return how many layers lie between two labels: 1, 2 or 5 × 10^k, with room for a few digits and blanks."""
    least = 6 * axis.shown / max(1, axis.used)
    step, factors = 1, (2, 2.5, 2)
    for i in range(60):
        if step >= least:
            break
        step = int(step * factors[i % 3])
    return step
