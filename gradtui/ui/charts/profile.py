"""The profile: one bar a layer, input to output. What it shows at a glance is the slope: level is healthy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gradtui.ui.charts.bars import Profile, draw_bars
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.folding import Floats
from gradtui.ui.charts.layer_chart import LayerChart
from gradtui.ui.charts.palette import Palette
from gradtui.ui.charts.rulers import draw_ruler, draw_value_axis
from gradtui.ui.charts.scale import Scale

RULER_FROM = 5
"""Rows from which one is given to the numbers of the layers."""


class ProfileChart(LayerChart):
    """Bars of one value a layer on a log or linear scale, in the colours of the waterfall beneath.

    A reader may conclude how a measure runs over depth. Folded columns are solid to the median of their layers,
    weaker between it and the highest, and darker above the lowest; signs on the bottom row (0, ×, ∞) are layers
    whose value is zero, not a number or infinite. Give two charts the same `Scale` to make them comparable.
    """

    def __init__(
        self,
        scale: Scale | None = None,
        *,
        of: str = "layer",
        start: int = 1,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """of, start: what is numbered beneath the bars (at most five characters), and the number of the first."""
        super().__init__(name=name, id=id, classes=classes)
        self.scale = scale or Scale()
        self.of = of
        self.start = start
        self._profile: Profile | None = None

    def update(
        self,
        values: ArrayLike | None,
        *,
        spread: tuple[ArrayLike, ArrayLike] | None = None,
        typical: ArrayLike | None = None,
        theory: ArrayLike | None = None,
        other: ArrayLike | None = None,
        corridor: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        """Show these values, in units of the scale: log10 for a log scale (see `scale.log10_of`).

        values: (layers,), None for an empty chart. The others as in `bars.Profile`; theory may hold None for
        layers that theory says nothing of. Raises ValueError where an overlay has another number of layers.
        """
        if values is None:
            self._profile, self._layers = None, 0
            self.repaint()
            return
        numbers = _floats(values)
        self._profile = Profile(
            numbers,
            None if spread is None else (_same(numbers, spread[0]), _same(numbers, spread[1])),
            None if typical is None else _same(numbers, typical),
            None if theory is None else _same(numbers, theory),
            None if corridor is None else (_floats(corridor[0]), _floats(corridor[1])),
            None if other is None else _same(numbers, other),
        )
        self._layers = len(numbers)
        # What one is held against is in view too.
        self.scale.include(
            numbers if self._profile.other is None else np.append(numbers, self._profile.other)
        )
        self.repaint()

    def stale(self) -> object:
        """A scale that another chart changed."""
        return self.scale, self.scale.version

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Bars, the axis of values at the left and the layers' numbers beneath."""
        cells = Cells(height, width)
        rows = height - 1 if height >= RULER_FROM else height
        draw_value_axis(cells, self.scale, palette, rows)
        if self._profile is not None:
            draw_bars(cells, self._profile, self.axis, self.scale, palette, rows, self.cursor)
        if rows < height:
            draw_ruler(cells, self.axis, palette, rows, self.cursor, self.of, self.start)
        return cells


def _floats(values: ArrayLike) -> Floats:
    return np.array(values, np.float64)


def _same(values: Floats, other: ArrayLike) -> Floats:
    numbers = _floats(other)
    if numbers.shape != values.shape:
        raise ValueError(f"an overlay of shape {numbers.shape} on a profile of shape {values.shape}")
    return numbers
