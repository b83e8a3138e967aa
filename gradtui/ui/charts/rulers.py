"""The two axes of a chart over layers: values in the gutter, numbers of layers beneath."""

from __future__ import annotations

import numpy as np

from gradtui.ui.charts.axis import GUTTER, LayerAxis
from gradtui.ui.charts.bars import eighths
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.palette import AXIS, TEXT, Palette
from gradtui.ui.charts.scale import Scale


def draw_value_axis(cells: Cells, scale: Scale, palette: Palette, rows: int) -> None:
    """The gutter: labels of decades and the axis."""
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
    """The numbers of the layers beneath them; the layer under the cursor is pointed at.

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
    """Layers between two numbers: 1, 2, 5 × 10^k, with room for a few digits and air."""
    least = 6 * axis.shown / max(1, axis.used)
    step, factors = 1, (2, 2.5, 2)
    for i in range(60):
        if step >= least:
            break
        step = int(step * factors[i % 3])
    return step
