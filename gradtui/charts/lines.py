"""Draw one curve as cells with plotext, from as few points as give the same picture, and a range as a mesh."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gradtui.charts.cells import Cells, codes_of
from gradtui.charts.frame import CurveFrame
from gradtui.charts.layer_axis import GUTTER, Floats
from gradtui.charts.palette import Palette


def bucketed(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return the lowest and the highest point of each of `columns` equal intervals of x, in their order.

    The picture stays the same and plotext, whose cost grows with the points, is faster. An interval with a value that
    is not finite also gives one such value.
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


def _between(x: Floats, y: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Return the part of a line between two x, cut off exactly there.

    plotext computes every cell of a line, also those outside the canvas: two points a million widths apart would take
    all memory.
    """
    inside = (x >= low) & (x <= high)
    before, after = np.flatnonzero(x < low)[-1:], np.flatnonzero(x > high)[:1]
    if not (before.size or after.size):
        return x, y
    edges = np.array([*([low] if before.size else []), *([high] if after.size else [])])
    # A neighbour that is not finite leaves a gap on its side.
    at = [_on_line(x, y, edge) for edge in edges.tolist()]
    first, last = int(before.size), len(at) - int(after.size)
    return (
        np.concatenate([edges[:first], x[inside], edges[last:]]),
        np.concatenate([at[:first], y[inside], at[last:]]),
    )


def _on_line(x: Floats, y: Floats, edge: float) -> float:
    """Return the height of a line at x = edge; NaN beyond its ends and beside a gap."""
    right = int(np.searchsorted(x, edge, side="left"))
    if not 0 < right < len(x):
        return float(y[right]) if right < len(x) and x[right] == edge else float("nan")
    share = (edge - x[right - 1]) / (x[right] - x[right - 1])
    return float(y[right - 1] + share * (y[right] - y[right - 1]))


def draw_line(cells: Cells, frame: CurveFrame, x: Floats, y: Floats, marker: str, ink: int) -> None:
    """Draw a curve over the cells; y is in units of the scale, with gaps where it is not finite."""
    x, y = bucketed(*_between(x, y, frame.low, frame.high), frame.columns)
    ends = np.flatnonzero(np.diff(np.isfinite(y), prepend=False, append=False))
    if not ends.size:
        return
    figure = _figure(frame.columns, frame.rows)
    figure.ruler(0).lim(frame.low, frame.high)
    figure.ruler(1).lim(frame.scale.low, frame.scale.high)
    for start, end in zip(ends[0::2].tolist(), ends[1::2].tolist(), strict=True):
        figure.draw(figure.signal(x[start:end].tolist(), y[start:end].tolist(), marker=marker).lines())
    lines = figure.build().string(colorless=True).split("\n")[: frame.rows]
    drawn = np.full((frame.rows, frame.columns), ord(" "), np.uint32)
    for row, line in enumerate(lines):
        drawn[row, : len(line)] = codes_of(line[: frame.columns])
    there = drawn != ord(" ")
    area = (slice(frame.top, frame.top + frame.rows), slice(GUTTER, GUTTER + frame.columns))
    # The dots of two curves are not merged in a cell, since all would take the colour of the upper one.
    cells.codes[area][there] = drawn[there]
    cells.ink[area][there] = ink


def _figure(width: int, height: int) -> Any:
    """Return a new plotext figure, because other code of this process may use the `figure` of the plotext module."""
    import plotext

    figure = type(plotext.figure)(_terminal())
    figure.plot_size(width, height)
    figure.canvas("default")
    figure.axes(False)
    figure.legend(False)
    for axis in (0, 1):
        figure.ruler(axis).frequency(0)
    return figure


@lru_cache(maxsize=1)
def _terminal() -> Any:
    """Return a terminal for all figures, which limits no size; a new one makes a figure of its own each time."""
    import plotext

    return type(plotext.terminal)().limit(False, False)


_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""The bits of the dots of a braille cell, (4 rows, 2 columns)."""

_MESH = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.uint32)
"""Every other dot of a cell; a curve over the band has all dots, so it is visible without colours."""


def draw_band(
    cells: Cells, frame: CurveFrame, x: Floats, low: Floats, high: Floats, palette: Palette, ink: int
) -> None:
    """Fill the range between low and high, each (n,) in units of the scale, from each x until the next."""
    dots = palette.depth != "none" and not palette.ascii
    across, down = (2, 4) if dots else (1, 1)
    known = np.isfinite(low) & np.isfinite(high)
    first, last = frame.stretches(x, across)
    there = np.flatnonzero(first < last)
    if not len(there) or not known.any():
        return
    # Pairs of (first, last) for reduceat, which also reduces the gaps between them; an added point ends the last pair.
    pairs = np.column_stack([first[there], last[there]]).ravel()
    bottom = np.minimum.reduceat(np.append(np.where(known, low, np.inf), np.inf), pairs)[::2]
    top = np.maximum.reduceat(np.append(np.where(known, high, -np.inf), -np.inf), pairs)[::2]
    some = bottom <= top
    there, bottom, top = there[some], bottom[some], top[some]
    height = frame.rows * down
    filled = np.zeros((height, frame.columns * across), bool)
    lines = np.arange(height)[:, None]
    upper, lower = (
        np.rint((1 - frame.scale.share(bound)) * (height - 1)).astype(np.intp) for bound in (top, bottom)
    )
    filled[:, there] = (lines >= upper) & (lines <= lower)
    area = (slice(frame.top, frame.top + frame.rows), slice(GUTTER, GUTTER + frame.columns))
    if dots:
        blocks = filled.reshape(frame.rows, 4, frame.columns, 2).transpose(0, 2, 1, 3)
        bits = (blocks * (_DOTS * _MESH)).sum(axis=(2, 3), dtype=np.uint32)
        shown, codes = bits > 0, bits + 0x2800
    else:
        shown, codes = filled, np.full(filled.shape, ord("." if palette.ascii else "░"), np.uint32)
    cells.codes[area][shown] = codes[shown]
    cells.ink[area][shown] = ink
