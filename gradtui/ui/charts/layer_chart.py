"""What profile and waterfall have in common: the axis of layers, its cursor and zoom, and the mouse on it."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.reactive import var

from gradtui.ui.charts.axis import GUTTER, LayerAxis
from gradtui.ui.charts.cell_chart import CellChart


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
