"""Define the charts over the layers of a net, which share cursor, zoom and mouse: their base, the profile, a legend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from textual import events
from textual.reactive import var

from gradtui.charts.bars import LayerProfile, draw_bars, draw_ruler, draw_value_axis
from gradtui.charts.cells import Cells
from gradtui.charts.heat import draw_scale_legend
from gradtui.charts.layer_axis import GUTTER, Floats, LayerAxis
from gradtui.charts.palette import Palette
from gradtui.charts.scale import Scale
from gradtui.ui.widgets.cell_chart import CellChart, ChartMessage


@dataclass
class LayerHovered(ChartMessage):
    """The mouse is over other layers, or over none."""

    chart: LayerChart
    layers: tuple[int, int] | None
    """The first and last layer, from 0; a folded column has several."""


@dataclass
class LayerSelected(ChartMessage):
    """A layer was clicked, or the cursor moved to it."""

    chart: LayerChart
    layer: int
    """The layer's index, from 0."""


class LayerChart(CellChart):
    """A LayerChart has the layers of a net across, a cursor on one of them, and a zoom.

    It binds no keys: the screen does, and calls `move_cursor` and `zoom`.
    """

    cursor: var[int | None] = var(None, init=False)
    """The layer pointed at, from 0."""
    window: var[tuple[int, int] | None] = var(None, init=False)
    """The first and last layer shown, from 0; None shows all."""

    def __init__(
        self,
        *,
        of: str = "layer",
        start: int = 1,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """of: what is numbered beneath a chart, at most five characters; start: the number of the first."""
        super().__init__(name=name, id=id, classes=classes)
        self.of = of
        self.start = start
        self._layers = 0
        self._hovered: tuple[int, int] | None = None
        self._axis = LayerAxis(0, 0)

    @property
    def axis(self) -> LayerAxis:
        """Return the axis for the present size and window."""
        first, last = self.window or (0, -1)
        axis = LayerAxis(self._layers, max(0, self.size.width - GUTTER), first, last)
        if axis != self._axis:
            self._axis = axis
        # The same one again, since it keeps what it has computed.
        return self._axis

    def watch_cursor(self) -> None:
        """Draw the pointer and the column behind it."""
        self.repaint()

    def watch_window(self) -> None:
        """Draw other layers of the same data."""
        self._hovered = None
        self.repaint()

    def validate_cursor(self, cursor: int | None) -> int | None:
        """Keep the cursor within the layers."""
        if cursor is None or not self._layers:
            return cursor
        return max(0, min(self._layers - 1, cursor))

    def move_cursor(self, delta: int) -> None:
        """Move the cursor by columns, and the window with it; post LayerSelected.

        The first call points at the first layer in view, or backwards at the last.
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
        """Show all layers."""
        self.window = None

    def _layers_under(self, event: events.MouseEvent) -> tuple[int, int] | None:
        offset = event.get_content_offset(self)
        return None if offset is None else self.axis.layers_at(offset.x - GUTTER)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Post LayerHovered when other layers are under the mouse."""
        self._hover(self._layers_under(event))

    def on_leave(self) -> None:
        """Post LayerHovered when the mouse has left."""
        self._hover(None)

    def _hover(self, layers: tuple[int, int] | None) -> None:
        if layers != self._hovered:
            self._hovered = layers
            self.post_message(LayerHovered(self, layers))

    def on_click(self, event: events.Click) -> None:
        """Point at the layer, in a folded column at its first."""
        if (layers := self._layers_under(event)) is not None:
            self.cursor = layers[0]
            self.post_message(LayerSelected(self, layers[0]))


RULER_FROM = 5
"""Rows from which on one of them holds the numbers of the layers."""


class ProfileChart(LayerChart):
    """A ProfileChart shows one bar a layer, from input to output, in the colours of the waterfall beneath.

    It shows how a metric runs over depth: level is healthy. Folded columns are solid to the median of their layers,
    weaker between it and the highest, and darker above the lowest; signs on the bottom row (0, ×, ∞) are layers
    whose value is zero, not a number or infinite. Two charts with the same `Scale` can be compared.
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
        super().__init__(of=of, start=start, name=name, id=id, classes=classes)
        self.scale = scale or Scale()
        self._profile: LayerProfile | None = None
        self._around: tuple[tuple[object, ...], Cells] | None = None

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
        """Show values in units of the scale: for a log scale log10 (`scale.log10_of`).

        Args:
            values: (layers,); None empties the chart.
            spread, typical, theory, other, healthy: overlays, as in `bars.LayerProfile`; theory may hold None.

        Raises:
            ValueError: an overlay has another number of layers.
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
        # The run that it is compared with is in view too.
        self.scale.include(
            numbers if self._profile.other is None else np.append(numbers, self._profile.other)
        )
        self.repaint()

    def stale(self) -> object:
        """Return the scale, which another chart may change."""
        return self.scale, self.scale.version

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw bars, the axis of values at the left and the layers' numbers beneath."""
        rows = height - 1 if height >= RULER_FROM else height
        cells = self._drawn_around(height, width, palette, rows).copy()
        if self._profile is not None:
            draw_bars(cells, self._profile, self.axis, self.scale, palette, rows, self.cursor)
        return cells

    def _drawn_around(self, height: int, width: int, palette: Palette, rows: int) -> Cells:
        """Return the chart without its bars, drawn again only where an axis or the cursor changed."""
        key = (height, width, palette, self.scale, self.scale.version, self.axis, self.cursor)
        if self._around is None or self._around[0] != key:
            cells = Cells(height, width)
            draw_value_axis(cells, self.scale, palette, rows)
            if rows < height:
                draw_ruler(cells, self.axis, palette, rows, self.cursor, self.of, self.start)
            self._around = key, cells
        return self._around[1]


def _floats(values: ArrayLike) -> Floats:
    return np.array(values, np.float64)


def _same(values: Floats, other: ArrayLike) -> Floats:
    numbers = _floats(other)
    if numbers.shape != values.shape:
        raise ValueError(f"an overlay of shape {numbers.shape} on a profile of shape {values.shape}")
    return numbers


class ScaleLegend(CellChart):
    """A ScaleLegend explains in one line the colours of the charts that share a scale."""

    DEFAULT_CSS = "ScaleLegend { height: 1; }"

    def __init__(
        self, scale: Scale, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.scale = scale

    def update(self) -> None:
        """Paint again if the charts have changed the scale."""
        if self._drawn_for[3:] != (self.stale(),):
            self.repaint()

    def stale(self) -> object:
        """Return the version of the scale."""
        return self.scale.version

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Draw the legend on the first line."""
        cells = Cells(height, width)
        draw_scale_legend(cells, self.scale, palette)
        return cells
