"""What the colours mean, in one line: the ramp between labels of decades, and the signs of what is no number."""

from __future__ import annotations

from gradtui.ui.charts.cell_chart import CellChart
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.folding import INFINITE, NAN, ZERO
from gradtui.ui.charts.palette import AXIS, STEPS, Palette
from gradtui.ui.charts.scale import Scale

_SIGNS = ((NAN, "NaN"), (INFINITE, "infinite"), (ZERO, "zero"))


class ScaleLegend(CellChart):
    """One line for the charts that share a scale. Call `update` when they were updated: it paints if they changed."""

    DEFAULT_CSS = "ScaleLegend { height: 1; }"

    def __init__(
        self, scale: Scale, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.scale = scale

    def update(self) -> None:
        """Look at the scale again."""
        self.repaint()

    def stale(self) -> object:
        """A scale that a chart changed."""
        return self.scale.version

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """The legend on the first line."""
        cells = Cells(height, width)
        draw_legend(cells, self.scale, palette)
        return cells


def draw_legend(cells: Cells, scale: Scale, palette: Palette) -> None:
    """Fill row 0: `1e-12 ▒▒▒ 1e-6 ▓▓▓ 1e0   × NaN  ∞ infinite  0 zero`, the signs where there is room for them."""
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
    """Returns the column after the last label."""
    ticks = scale.ticks(max(2, min(7, width // 12)))
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
