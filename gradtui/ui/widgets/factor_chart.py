"""Show the factors that backpropagation multiplies as bars up or down from 1, with their product, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from gradtui.charts.bars import draw_ruler
from gradtui.charts.cells import Cells
from gradtui.charts.factor_bars import (
    PRODUCT_INK,
    SLOPE_INK,
    WEIGHTS_INK,
    WHOLE_INK,
    FactorBars,
    bar_sign,
    draw_factors,
)
from gradtui.charts.palette import THEORY, Palette
from gradtui.ui.widgets.layer_charts import RULER_FROM, LayerChart
from gradtui.words import as_factor

if TYPE_CHECKING:
    from gradtui.diagnosis.factors import Factors


def factor_signs(factors: Factors, palette: Palette) -> Content:
    """Return the title of the chart of factors, with the meaning of its signs, which look as they are drawn."""
    expected = bool((factors.theory == factors.theory).any())
    parted = factors.slope == factors.slope
    whole = bool(((factors.total == factors.total) & ~parted).any())
    signs = (
        (bool(parted.any()), bar_sign(SLOPE_INK, palette), SLOPE_INK, "derivative ×"),
        (bool(parted.any()), bar_sign(WEIGHTS_INK, palette), WEIGHTS_INK, "weights"),
        (whole, bar_sign(WHOLE_INK, palette), WHOLE_INK, "whole"),
        (True, "•", PRODUCT_INK, "product"),
        (expected, "─", THEORY, "theory"),
    )
    parts = [
        Content.assemble((sign, palette.name_of(ink)), f" {text}")
        for there, sign, ink, text in signs
        if there
    ]
    return Content("  ").join([Content("Factors"), *parts])


def factor_readout(factors: Factors, at: int, palette: Palette) -> Content:
    """Return a layer's factor with its parts, the product up to it and theory's factor."""
    name = Content.styled(
        f"lag {factors.names[at]}" if factors.over_time else factors.names[at], "bold $accent"
    )
    total, slope, running, theory = (
        float(values[at]) for values in (factors.total, factors.slope, factors.running, factors.theory)
    )
    if total != total:
        return name + Content.styled("  no factor: the gradient ends here", "$secondary")
    value = name + Content(f"  {as_factor(total)}")
    if slope == slope:
        value += Content.assemble(
            " = ",
            (as_factor(slope), palette.name_of(SLOPE_INK)),
            " × ",
            (as_factor(total - slope), palette.name_of(WEIGHTS_INK)),
        )
    product = Content.assemble(("  • ", palette.name_of(PRODUCT_INK)), f"product {as_factor(running)}")
    expected = Content("")
    if theory == theory:
        expected = Content.assemble(("  ─", palette.name_of(THEORY)), f" theory {as_factor(theory)}")
    return value + product + expected


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
