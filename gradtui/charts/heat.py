"""Draw matrices of values as colours, with time downward: two rows per line of text where half blocks are available."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.cells import Cells
from gradtui.charts.layer_axis import ABSENT, FINITE, GUTTER, INFINITE, NAN, ZERO, Floats, LayerAxis, fold
from gradtui.charts.palette import AXIS, NONE, RAMP, STEPS, TEXT, Palette, ramp_steps
from gradtui.charts.scale import Scale

LEAST_RAMP = 5
"""The fewest columns between two labels of the colours' meaning, with the blanks beside them."""

WIDEST_BIN = 6
"""The most columns that a bin of a histogram gets."""

Codes = NDArray[np.uint8]

_NAN, _INF, _ZERO, _ABSENT = range(STEPS, STEPS + 4)
_KINDS = STEPS + 4
_CODE_OF_KIND = {NAN: _NAN, INFINITE: _INF, ZERO: _ZERO, ABSENT: _ABSENT}
_KIND_OF_CODE = {code: kind for kind, code in _CODE_OF_KIND.items()}


def rows_per_line(palette: Palette) -> int:
    """Return 2 where a cell can hold two colours, else 1, because then its character shows the value."""
    return 2 if palette.depth == "true" and not palette.ascii else 1


def heat_codes(values: Floats, axis: LayerAxis, scale: Scale) -> Codes:
    """Return the ramp's step of each number, or the code of its kind; (rows, layers) → (rows, bins)."""
    folded = fold(values, axis)
    codes = ramp_steps(scale.share(folded.middle))
    for kind, code in _CODE_OF_KIND.items():
        codes[folded.kind == kind] = code
    return codes


def share_codes(shares: Floats, broken: NDArray[np.bool_]) -> Codes:
    """Return a code for each share, (rows, bins), such that small shares are visible beside large ones; 0 is blank.

    broken: (rows,), whether numbers of the row were not finite; such a row shows a sign in every cell.
    """
    largest = float(shares.max(initial=0.0)) or 1.0
    codes = np.maximum(ramp_steps(np.sqrt(shares / largest)), 1).astype(np.uint8)
    codes[shares <= 0] = _ABSENT
    codes[broken] = _NAN
    return codes


def draw_histogram(cells: Cells, shares: Floats, broken: NDArray[np.bool_], palette: Palette) -> None:
    """Fill all lines, right of the gutter, with rows of shares; (rows, bins) and (rows,), from the top down."""
    bins = shares.shape[1]
    axis = _size_axis(cells, bins)
    if axis.folded:
        shares = np.maximum.reduceat(shares, axis.folds[:-1], axis=1)
    if bins:
        draw_heat(cells, share_codes(shares, broken), axis, palette)


def draw_sizes(cells: Cells, row: int, edges: NDArray[np.float64], bins: int) -> None:
    """Write the decades beneath a histogram; edges: the edges of its bins in log10, (bins + 1,)."""
    axis = _size_axis(cells, bins)
    cells.write(row, 0, "size".rjust(GUTTER - 1), AXIS)
    if len(edges) < 2:
        return
    low, high = float(edges[0]), float(edges[-1])
    free = 0
    apart = max(1, round((high - low) * 8 / max(1, axis.used)))
    for decade in range(math.ceil(low), math.floor(high) + 1):
        column = round((decade - low) / (high - low) * axis.used)
        label = f"1e{decade}"
        if decade % apart == 0 and column >= free and column + len(label) <= axis.width:
            cells.write(row, GUTTER + column, label, AXIS)
            free = column + len(label) + 2


def _size_axis(cells: Cells, bins: int) -> LayerAxis:
    return LayerAxis(bins, min(cells.shape[1] - GUTTER, WIDEST_BIN * bins))


def thinned(values: Floats, most: int) -> tuple[Floats, int]:
    """Return at most `most` rows, and the power of two of rows that each combines by its highest value or NaN."""
    times = 1
    while math.ceil(len(values) / times) > max(1, most):
        times *= 2
    if times == 1:
        return values, 1
    return np.maximum.reduceat(values, np.arange(0, len(values), times), axis=0), times


def draw_heat(cells: Cells, codes: Codes, axis: LayerAxis, palette: Palette, first_line: int = 0) -> None:
    """Fill the lines from `first_line` on, right of the gutter; codes are (rows, bins), from the top down."""
    height = cells.shape[0] - first_line
    if not axis.bins or height < 1:
        return
    area = (slice(first_line, None), slice(GUTTER, GUTTER + axis.used))
    per_line = rows_per_line(palette)
    shown = np.full((height * per_line, codes.shape[1]), _ABSENT, np.uint8)
    rest = codes[first_line * per_line :][: len(shown)]
    shown[: len(rest)] = rest
    at = axis.bin_of_column[: axis.used]
    if per_line == 2:
        key = shown[0::2].astype(np.intp) * _KINDS + shown[1::2]
        tables = _pairs(palette)
    else:
        key = shown.astype(np.intp)
        tables = _singles(palette)
    cells.codes[area] = tables[0][key][:, at]
    cells.ink[area] = tables[1][key][:, at]
    cells.fill[area] = tables[2][key][:, at]


def draw_steps(
    cells: Cells, starts: NDArray[np.int64], last: int, cursor: int | None, palette: Palette
) -> None:
    """Draw the first step, round steps beside their lines, and the step under the cursor into the gutter.

    Several lines may show one step, which is written beside the first of them.

    starts: the step at which each line begins, (lines,); last: the last step of the last one.
    """
    glyphs = palette.glyphs
    lines = min(len(starts), cells.shape[0])
    begin, end = starts[:lines].tolist(), [last + 1] * lines
    for line in reversed(range(lines - 1)):
        end[line] = begin[line + 1] if begin[line + 1] > begin[line] else end[line + 1]
    round_to = _round_steps(max(1, 4 * (end[-1] - begin[0]) // lines)) if lines else 1
    free = 0
    for line in range(cells.shape[0]):
        if line >= lines:
            cells.write(line, 0, " " * GUTTER)
            continue
        start, stop = begin[line], end[line]
        step = start if line == 0 else -(-start // round_to) * round_to
        first = line == 0 or start > begin[line - 1]
        label = step_label(step) if first and step < stop and line >= free else ""
        if label:
            free = line + 2
        if cursor is not None and first and start <= cursor < stop:
            cells.write(line, 0, step_label(cursor).rjust(GUTTER - 1) + glyphs.right, TEXT)
        else:
            cells.write(line, 0, label.rjust(GUTTER - 1) + (glyphs.tick if label else glyphs.rule), AXIS)


def step_label(step: int) -> str:
    """Return a step in at most five characters: 99999, 120k, 1.25M."""
    if step < 100_000:
        return str(step)
    for unit, letter in ((10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T")):
        if step < 1000 * unit:
            digits = max(0, 2 - int(math.log10(step / unit)))
            # Cut, not rounded: 999,999 must not become 1000k.
            cut = math.floor(step / unit * 10**digits) / 10**digits
            return f"{cut:g}{letter}"
    return "…"


def _round_steps(least: int) -> int:
    magnitude = int(10 ** (len(str(least)) - 1))
    return next(f * magnitude for f in (1, 2, 5, 10) if f * magnitude >= least)


Tables = tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]


@lru_cache(maxsize=16)
def _singles(palette: Palette) -> Tables:
    cells = [palette.shade(step) for step in range(STEPS)]
    # A blank is a layer without a value, or time that has not come: rows of dashes would look like values.
    kinds = (FINITE if code == _ABSENT else _KIND_OF_CODE[code] for code in range(STEPS, _KINDS))
    cells += [palette.mark(kind) for kind in kinds]
    return _tables(cells)


@lru_cache(maxsize=16)
def _pairs(palette: Palette) -> Tables:
    """Return characters and colours of each pair of codes. A sign, such as that of NaN, takes the whole cell."""
    cells = []
    for upper in range(_KINDS):
        for lower in range(_KINDS):
            worst = next((code for code in (_NAN, _INF) if code in (upper, lower)), None)
            if worst is not None:
                cells.append(palette.mark(_KIND_OF_CODE[worst]))
            elif upper < STEPS:
                cells.append(("▀", RAMP + upper, RAMP + lower if lower < STEPS else NONE))
            elif lower < STEPS:
                cells.append(("▄", RAMP + lower, NONE))
            else:
                cells.append(palette.mark(ZERO if _ZERO in (upper, lower) else FINITE))
    return _tables(cells)


def _tables(cells: list[tuple[str, int, int]]) -> Tables:
    characters, ink, fill = zip(*cells, strict=True)
    return (
        np.array([ord(c) for c in characters], np.uint32),
        np.array(ink, np.uint8),
        np.array(fill, np.uint8),
    )


_SIGNS = ((NAN, "NaN"), (INFINITE, "infinite"), (ZERO, "zero"))


def draw_scale_legend(cells: Cells, scale: Scale, palette: Palette) -> None:
    """Write what colours mean into row 0, `1e-12 ▒▒▒ 1e-6 ▓▓▓ 1e0   × NaN  ∞ infinite  0 zero`, if there is room."""
    _, width = cells.shape
    signs = sum(len(text) + 4 for _, text in _SIGNS)
    ramp = width - signs if width - signs >= 30 else width
    column = _draw_ramp(cells, scale, palette, ramp)
    if ramp == width:
        return
    column += 2
    for kind, text in _SIGNS:
        sign, ink, fill = palette.mark(kind)
        cells.write(0, column, sign, ink, fill)
        cells.write(0, column + 2, text, AXIS)
        column += len(text) + 4


def _draw_ramp(cells: Cells, scale: Scale, palette: Palette, width: int) -> int:
    """Draw the ramp between labels, and return the column after the last label.

    The first and the last label are the ends of the scale, so that no colour of the charts is missing.
    """
    ticks = scale.ticks(max(2, min(7, width // 12)))
    apart = (ticks[1] - ticks[0]) / 2 if len(ticks) > 1 else math.inf
    inner = [tick for tick in ticks if scale.low + apart <= tick <= scale.high - apart]
    ticks = [scale.low, *inner, scale.high]
    if sum(len(scale.label(tick)) + LEAST_RAMP for tick in ticks) > width:
        ticks = [scale.low, scale.high]
    labels = [scale.label(tick) for tick in ticks]
    spare = width - sum(len(label) + 2 for label in labels)
    block = max(0, min(12, spare // max(1, len(ticks) - 1)))
    column = 0
    for index, (tick, label) in enumerate(zip(ticks, labels, strict=True)):
        cells.write(0, column, label, AXIS)
        column += len(label) + 1
        if index + 1 == len(ticks):
            break
        for part in range(block):
            value = tick + (ticks[index + 1] - tick) * (part + 0.5) / block
            step = int((value - scale.low) / (scale.high - scale.low) * STEPS)
            cells.write(0, column + part, *palette.shade(min(STEPS - 1, max(0, step))))
        column += block + 1
    return column
