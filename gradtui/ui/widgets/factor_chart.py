"""A FactorChart shows the factors that backpropagation multiplies as bars up or down from 1, and their product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradtui.charts.bars import draw_ruler
from gradtui.charts.cells import Cells
from gradtui.charts.factor_bars import FactorBars, draw_factors
from gradtui.charts.palette import Palette
from gradtui.ui.widgets.layer_charts import RULER_FROM, LayerChart

if TYPE_CHECKING:
    from gradtui.diagnosis.factors import Factors


class FactorChart(LayerChart):
    """A FactorChart draws each factor in two parts where it has them, theory's beside it, and the product over all."""

    _factors: Factors | None = None

    def update(self, factors: Factors | None) -> None:
        """Show factors; None empties the chart."""
        self._factors = factors
        self._layers = len(factors.names) if factors is not None else 0
        self.repaint()

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw the bars, the axis of factors at the left and the layers' numbers beneath."""
        cells, factors = Cells(height, width), self._factors
        if factors is None:
            return cells
        rows = height - 1 if height >= RULER_FROM else height
        bars = FactorBars(factors.total, factors.slope, factors.weights, factors.running, factors.theory)
        draw_factors(cells, bars, self.axis, palette, rows, self.cursor)
        if rows < height:
            draw_ruler(cells, self.axis, palette, rows, self.cursor, self.of, self.start)
        return cells
