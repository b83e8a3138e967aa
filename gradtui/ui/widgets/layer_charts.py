"""What profile and waterfall have in common: the axis of layers, its cursor and zoom, and the mouse on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from textual import events
from textual.message import Message
from textual.reactive import var

from gradtui.charts.bars import LayerProfile, draw_bars, draw_ruler, draw_value_axis
from gradtui.charts.cells import Cells
from gradtui.charts.heat import draw_scale_legend
from gradtui.charts.layer_axis import GUTTER, Floats, LayerAxis
from gradtui.charts.palette import Palette
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.cell_chart import CellChart


class LayerHovered(Message):
    """The mouse came over other layers (first … last, from 0; a folded column has several), or left: None."""

    def __init__(self, chart: LayerChart, layers: tuple[int, int] | None) -> None:
        super().__init__()
        self.chart = chart
        self.layers = layers

    @property
    def control(self) -> LayerChart:
        """The chart, so that `@on(LayerHovered, "#profile")` works."""
        return self.chart


class LayerSelected(Message):
    """A layer (from 0) was clicked, or the cursor moved to it."""

    def __init__(self, chart: LayerChart, layer: int) -> None:
        super().__init__()
        self.chart = chart
        self.layer = layer

    @property
    def control(self) -> LayerChart:
        """The chart, so that `@on(LayerSelected, "#profile")` works."""
        return self.chart


class LayerChart(CellChart):
    """A chart over the layers of a net.

    It binds no keys: what the arrows mean is the screen's business, which calls `move_cursor` and `zoom`.
    """

    cursor: var[int | None] = var(None, init=False)
    """The layer pointed at, from 0."""
    window: var[tuple[int, int] | None] = var(None, init=False)
    """The first and last layer shown, from 0; None shows all."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._layers = 0
        self._hovered: tuple[int, int] | None = None

    @property
    def axis(self) -> LayerAxis:
        """The axis as it stands now."""
        first, last = self.window or (0, -1)
        return LayerAxis(self._layers, max(0, self.size.width - GUTTER), first, last)

    def watch_cursor(self) -> None:
        """The pointer and the column's ground."""
        self.repaint()

    def watch_window(self) -> None:
        """Other layers, the same data."""
        self._hovered = None
        self.repaint()

    def validate_cursor(self, cursor: int | None) -> int | None:
        """Kept within the layers there are."""
        if cursor is None or not self._layers:
            return cursor
        return max(0, min(self._layers - 1, cursor))

    def move_cursor(self, delta: int) -> None:
        """By so many columns; the first call points at the first layer in view (or the last, backwards).

        The window follows. Posts LayerSelected.
        """
        axis = self.axis
        if not axis.bins:
            return
        if self.cursor is None:
            self.cursor = axis.first if delta >= 0 else axis.last
        else:
            per_column = max(1, -(-axis.shown // max(1, axis.bins)))
            self.cursor = self.cursor + delta * per_column
        self._into_view()
        if self.cursor is not None:
            self.post_message(LayerSelected(self, self.cursor))

    def point_at(self, layer: int | None) -> None:
        """Point at a layer, and move the window so that it is in view."""
        self.cursor = layer
        self._into_view()

    def _into_view(self) -> None:
        at, axis = self.cursor, self.axis
        if at is not None and axis.bins and not axis.first <= at <= axis.last:
            shift = at - axis.first if at < axis.first else at - axis.last
            self.window = (axis.first + shift, axis.last + shift)

    def zoom(self, factor: float) -> None:
        """Show `factor` times as many layers (0.5 zooms in), around the cursor or the middle of what is in view."""
        axis = self.axis
        if not axis.bins:
            return
        around = self.cursor if self.cursor is not None else (axis.first + axis.last) // 2
        first, last = axis.zoomed(factor, max(axis.first, min(axis.last, around)))
        self.window = None if last - first + 1 >= self._layers else (first, last)

    def reset_zoom(self) -> None:
        """All layers."""
        self.window = None

    def _layers_under(self, event: events.MouseEvent) -> tuple[int, int] | None:
        offset = event.get_content_offset(self)
        return None if offset is None else self.axis.layers_at(offset.x - GUTTER)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say so when other layers are under the mouse."""
        self._hover(self._layers_under(event))

    def on_leave(self) -> None:
        """The mouse went away."""
        self._hover(None)

    def _hover(self, layers: tuple[int, int] | None) -> None:
        if layers != self._hovered:
            self._hovered = layers
            self.post_message(LayerHovered(self, layers))

    def on_click(self, event: events.Click) -> None:
        """Point at the layer; of a folded column, its first."""
        if (layers := self._layers_under(event)) is not None:
            self.cursor = layers[0]
            self.post_message(LayerSelected(self, layers[0]))


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
        self._profile: LayerProfile | None = None

    def update(
        self,
        values: ArrayLike | None,
        *,
        spread: tuple[ArrayLike, ArrayLike] | None = None,
        typical: ArrayLike | None = None,
        theory: ArrayLike | None = None,
        other: ArrayLike | None = None,
        healthy: tuple[ArrayLike, ArrayLike] | None = None,
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
        self._profile = LayerProfile(
            numbers,
            None if spread is None else (_same(numbers, spread[0]), _same(numbers, spread[1])),
            None if typical is None else _same(numbers, typical),
            None if theory is None else _same(numbers, theory),
            None if healthy is None else (_floats(healthy[0]), _floats(healthy[1])),
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
        draw_scale_legend(cells, self.scale, palette)
        return cells
