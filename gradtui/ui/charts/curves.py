"""Curves as cells: plotext draws the lines, the axes are in the manner of the other charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gradtui.ui.charts.axis import GUTTER
from gradtui.ui.charts.cells import Cells, codes_of
from gradtui.ui.charts.folding import Floats
from gradtui.ui.charts.heat import step_label
from gradtui.ui.charts.palette import AXIS, NAN_FILL, NAN_INK, NONE, SERIES, SICK, SLOTS, TEXT, Palette
from gradtui.ui.charts.scale import Scale, log10_of

LEAST = (GUTTER + 8, 3)
"""Columns and rows below which there is nothing to see in a curve."""

_HUGE = 1e100
"""Values are cut here: the differences of larger ones are no longer finite."""


@dataclass(frozen=True)
class Series:
    """One curve. x: (n,) finite and rising, y: (n,); what is not finite is a gap, marked on the axis."""

    name: str
    x: ArrayLike
    y: ArrayLike


@dataclass(frozen=True)
class _Curve:
    name: str
    x: Floats
    y: Floats
    last: float
    """The last value as it was given, for the legend."""


def bucketed(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """At most two points of each of `columns` equal stretches of x: its lowest and its highest, in their order.

    What is drawn is the same, and plotext's cost grows with its points (LIMITS.md). A stretch with something that
    is not finite gives one NaN besides.
    """
    if len(x) <= 2 * columns or x[-1] <= x[0]:
        return x, y
    bucket = np.minimum(((x - x[0]) / (x[-1] - x[0]) * columns).astype(np.intp), columns - 1)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    bad = ~np.isfinite(y)
    keep = set()
    for sign in (1, -1):
        # The first index of each bucket at which y is lowest (highest), by a stable sort within buckets.
        order = np.lexsort((np.where(bad, np.inf, sign * y), bucket))
        keep.update(order[starts].tolist())
    first_bad = np.flatnonzero(bad)
    keep.update(first_bad[np.unique(bucket[first_bad], return_index=True)[1]].tolist())
    chosen = np.array(sorted(keep))
    return x[chosen], y[chosen]


def draw_curves(
    cells: Cells,
    series: Sequence[Series],
    palette: Palette,
    *,
    log: bool = False,
    x_end: float | None = None,
    y_range: tuple[float, float] | None = None,
) -> bool:
    """Fill the cells; False, and nothing drawn, where no series has a finite value or there is no room.

    log: the y axis shows log10. x_end: how far the x axis reaches at least (the planned steps); y_range: values
    that the linear y axis holds at least.
    """
    height, width = cells.shape
    curves = [_curve(one, log) for one in series]
    finite = [curve.y[np.isfinite(curve.y)] for curve in curves]
    if width < LEAST[0] or height < LEAST[1] or not any(part.size for part in finite):
        return False
    scale = Scale("log", least=1) if log else Scale("linear", *(y_range or (None, None)))
    scale.include(np.concatenate(finite))
    columns, rows = width - GUTTER, height - 1
    low = min(float(curve.x[0]) for curve in curves if curve.x.size)
    high = max([float(curve.x[-1]) for curve in curves if curve.x.size] + ([x_end] if x_end else []))
    # Runs count their steps from 1; an axis from 0 has rounder numbers.
    low = 0.0 if 0 < low <= 0.1 * high else low
    high = high if high > low else low + 1
    for index, curve in enumerate(curves):
        x, y = bucketed(curve.x, curve.y, columns)
        _draw_line(cells, x, y, (low, high), scale, palette, index % (SLOTS - SERIES), (columns, rows))
    _draw_axes(cells, scale, (low, high), palette)
    _draw_breaks(cells, curves, (low, high), palette)
    _draw_legend(cells, curves, palette, rows)
    return True


def _curve(series: Series, log: bool) -> _Curve:
    x, given = np.asarray(series.x, np.float64).ravel(), np.asarray(series.y, np.float64).ravel()
    if len(x) != len(given):
        raise ValueError(f"series {series.name!r}: {len(x)} x and {len(given)} y")
    y = log10_of(given) if log else np.where(np.isfinite(given), np.clip(given, -_HUGE, _HUGE), given)
    return _Curve(series.name, x, y, float(given[-1]) if len(given) else math.nan)


def _draw_line(
    cells: Cells,
    x: Floats,
    y: Floats,
    x_range: tuple[float, float],
    scale: Scale,
    palette: Palette,
    index: int,
    size: tuple[int, int],
) -> None:
    """One curve on top of what is there: braille, or a character of its own where colour cannot tell curves apart."""
    columns, rows = size
    dots = palette.depth != "none" and not palette.ascii
    marker = "braille" if dots or (index == 0 and not palette.ascii) else "*+xo"[index]
    figure = _figure(columns, rows)
    figure.ruler(0).lim(*x_range)
    figure.ruler(1).lim(scale.low, scale.high)
    ends = np.flatnonzero(np.diff(np.isfinite(y), prepend=False, append=False))
    for start, end in zip(ends[0::2].tolist(), ends[1::2].tolist(), strict=True):
        figure.draw(figure.signal(x[start:end].tolist(), y[start:end].tolist(), marker=marker).lines())
    if not ends.size:
        return
    lines = figure.build().string(colorless=True).split("\n")[:rows]
    drawn = np.full((rows, columns), ord(" "), np.uint32)
    for row, line in enumerate(lines):
        drawn[row, : len(line)] = codes_of(line[:columns])
    there = drawn != ord(" ")
    area = (slice(0, rows), slice(GUTTER, GUTTER + columns))
    # Dots of two curves are not joined in a cell: all of them would take the colour of the upper one.
    cells.codes[area][there] = drawn[there]
    cells.ink[area][there] = SERIES + index


def _figure(width: int, height: int) -> Any:
    """A bare plotext figure of its own: the module's `figure` belongs to whoever else plots in this process."""
    import plotext

    terminal = type(plotext.terminal)().limit(False, False)
    figure = type(plotext.figure)(terminal)
    figure.plot_size(width, height)
    figure.canvas("default")
    figure.axes(False)
    figure.legend(False)
    for axis in (0, 1):
        figure.ruler(axis).frequency(0)
    return figure


def _draw_axes(cells: Cells, scale: Scale, x_range: tuple[float, float], palette: Palette) -> None:
    height, width = cells.shape
    rows, columns, glyphs = height - 1, width - GUTTER, palette.glyphs
    for row in range(rows):
        cells.write(row, GUTTER - 1, glyphs.rule, AXIS)
    for value in scale.ticks(max(2, (rows + 1) // 3)):
        row = round((1 - float(scale.share(np.array(value)))) * (rows - 1))
        cells.write(row, 0, scale.label(value).rjust(GUTTER - 1) + glyphs.tick, AXIS)
    low, high = x_range
    cells.write(rows, GUTTER - 1, glyphs.corner + glyphs.floor * columns, AXIS)
    ruler = Scale("linear", low, high)
    free = GUTTER
    for value in ruler.ticks(max(3, columns // 10)):
        text = step_label(round(value)) if value >= 0 and high - low >= 2 else f"{value:.3g}"
        column = GUTTER + round((value - low) / (high - low) * (columns - 1)) - len(text) // 2
        column = max(GUTTER, min(width - len(text), column))
        if column >= free:
            cells.write(rows, column, text, AXIS)
            free = column + len(text) + 2


def _draw_breaks(cells: Cells, curves: list[_Curve], x_range: tuple[float, float], palette: Palette) -> None:
    """A red sign on the axis wherever a value is not finite."""
    height, width = cells.shape
    low, high = x_range
    for curve in curves:
        bad = curve.x[~np.isfinite(curve.y)]
        columns = (
            np.unique(np.rint((bad - low) / (high - low) * (width - GUTTER - 1)).astype(np.intp)) + GUTTER
        )
        cells.codes[height - 1, columns] = ord(palette.glyphs.nan)
        cells.ink[height - 1, columns] = NAN_INK
        cells.fill[height - 1, columns] = NAN_FILL


def _draw_legend(cells: Cells, curves: list[_Curve], palette: Palette, rows: int) -> None:
    """Names and last values, in the corner that the curves leave free."""
    entries = []
    for index, curve in enumerate(curves):
        plain = palette.ascii or (palette.depth == "none" and index > 0)
        sign = "*+xo"[index % 4] if plain else palette.glyphs.line
        entries.append(
            (sign, f" {curve.name} {curve.last:.4g} ", TEXT if math.isfinite(curve.last) else SICK)
        )
    wide = 1 + max(len(text) for _, text, _ in entries)
    _, width = cells.shape
    if wide > (width - GUTTER) // 2 or len(entries) > rows // 2:
        return
    places = [
        (row, column)
        for row in (0, rows - len(entries))
        for column in (width - wide, GUTTER + 1)
    ]  # fmt: skip
    row, column = min(
        places,
        key=lambda at: np.count_nonzero(cells.codes[at[0] : at[0] + len(entries), at[1] :][:, :wide] != 32),
    )
    for index, (sign, text, ink) in enumerate(entries):
        cells.write(row + index, column, sign, SERIES + index % (SLOTS - SERIES), NONE)
        cells.write(row + index, column + 1, text.ljust(wide - 1), ink)
