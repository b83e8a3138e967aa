"""Gradient of each layer as vertical bars of plain text, on the same axes as the lab's chart.

What a reader may conclude: a bar's height is log10 of a norm, so equal differences of height are equal factors,
and a straight slope is a gradient that shrinks or grows by the same factor in every layer. The foot of the bars
is not zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradtui.ui.charts.axis import LayerAxis
from gradtui.ui.charts.folding import FINITE, INFINITE, NAN, ZERO, Floats, fold
from gradtui.ui.charts.scale import Scale, log10_of

EIGHTHS = " ▁▂▃▄▅▆▇█"
MARKS = {ZERO: "0", INFINITE: "∞", NAN: "✖"}
"""What stands at the foot instead of a bar. A column of many layers shows its sickest."""

MARGIN = 7
"""Characters of the labels at the left."""


def scale_of(*rows: Floats) -> Scale:
    """One range for several charts that are to be compared; each row holds norms."""
    scale = Scale("log")
    scale.include(np.concatenate([log10_of(row) for row in rows]))
    return scale


def bar_chart(norms: Floats, *, width: int, height: int, scale: Scale) -> list[str]:
    """`height` lines, top first, of at most `width` characters.

    norms: (layers,), input to output. A column that stands for several layers shows their median.
    """
    axis = LayerAxis(len(norms), max(1, width - MARGIN))
    folded = fold(log10_of(norms), axis)
    eighths = np.round(8 * height * np.nan_to_num(scale.share(folded.middle))).astype(int)
    # Never quite empty: a layer at the foot of the scale is there, and no gap.
    eighths = np.clip(eighths, 1, 8 * height)
    bars = axis.bar_of_column
    labels = {
        round((height - 1) * (1 - float(scale.share(np.array(tick))))): scale.label(tick)
        for tick in scale.ticks(max(2, height // 2))
    }
    lines = []
    for row in range(height):
        below = 8 * (height - 1 - row)
        cells = [_cell(int(bar), folded.kind, eighths, below) for bar in bars]
        label = f"{labels[row]:>5} ┤" if row in labels else "      │"
        lines.append((label + "".join(cells)).rstrip())
    return lines


def _cell(bar: int, kind: NDArray[np.uint8], eighths: NDArray[np.int_], below: int) -> str:
    if bar < 0:
        return " "
    if kind[bar] != FINITE:
        return MARKS[int(kind[bar])] if below == 0 else " "
    return EIGHTHS[min(8, max(0, int(eighths[bar]) - below))]


def axis_line(first: str, last: str, *, layers: int, width: int) -> str:
    """The line beneath: the names of the first and the last layer, and how many there are."""
    used = LayerAxis(layers, max(1, width - MARGIN)).used
    middle = f" {layers} layers "
    room = used - len(first) - len(last) - 3
    if room < len(middle) + 4:
        return " " * (MARGIN - 1) + f"└ {first} → {last}, {layers} layers"
    return " " * (MARGIN - 1) + f"└ {first} " + middle.center(room, "─") + f" {last}"
