"""What profile and waterfall have in common: the axis of layers, its cursor and zoom, the mouse, lines that changed."""

from __future__ import annotations

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from gradtui.ui.charts.axis import GUTTER, LayerAxis
from gradtui.ui.charts.cells import Cells
from gradtui.ui.charts.palette import Palette, palette_of


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


class LayerChart(Widget):
    """A chart over the layers of a net, drawn as cells; only lines that changed are painted again.

    It binds no keys: what the arrows mean is the screen's business, which calls `move_cursor` and `zoom`.
    """

    ascii: reactive[bool] = reactive(False, init=False)
    """Draw with ASCII characters only."""
    cursor: reactive[int | None] = reactive(None, init=False)
    """The layer pointed at, from 0."""
    window: reactive[tuple[int, int] | None] = reactive(None, init=False)
    """The first and last layer shown, from 0; None shows all."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._layers = 0
        self._cells: Cells | None = None
        self._drawn_for: object = None
        self._hovered: tuple[int, int] | None = None

    @property
    def axis(self) -> LayerAxis:
        """The axis as it stands now."""
        first, last = self.window or (0, -1)
        return LayerAxis(self._layers, max(0, self.size.width - GUTTER), first, last)

    @property
    def palette(self) -> Palette:
        """Colours and characters for this widget where it stands."""
        return palette_of(self, self.ascii)

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """The whole chart as it is now."""
        raise NotImplementedError

    def stale(self) -> object:
        """What besides size and palette makes the cells that were drawn worthless, if it differs from before."""
        return None

    def render_line(self, y: int) -> Strip:
        """One line, drawn from the cells; they are made anew where size, theme or data changed."""
        width, height = self.size
        palette = self.palette
        key = (width, height, palette, self.stale())
        if self._cells is None or key != self._drawn_for:
            self._cells = self.draw(height, width, palette)
            self._drawn_for = key
        return self._cells.strip(y, palette) if y < height else Strip.blank(width, palette.plain)

    def repaint(self) -> None:
        """Draw again, and have the lines painted that are not as they were."""
        width, height = self.size
        if not width or not height or self._cells is None:
            self.refresh()
            return
        palette = self.palette
        before, known = self._cells, self._drawn_for
        self._cells = self.draw(height, width, palette)
        self._drawn_for = (width, height, palette, self.stale())
        if known is None or known[:3] != (width, height, palette):  # type: ignore[index]
            self.refresh()
            return
        self.refresh_rows(self._cells.changed(before))

    def refresh_rows(self, rows: list[int]) -> None:
        """Declare these lines dirty, neighbours as one region."""
        start = 0
        for i in range(1, len(rows) + 1):
            if i == len(rows) or rows[i] != rows[i - 1] + 1:
                self.refresh(Region(0, rows[start], self.size.width, i - start))
                start = i

    def notify_style_update(self) -> None:
        """Another theme: the colours of every cell are another."""
        super().notify_style_update()
        self._drawn_for = None

    def watch_ascii(self) -> None:
        """Other characters everywhere."""
        self.repaint()

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
        at = self.cursor
        if at is not None and not axis.first <= at <= axis.last:
            shift = at - axis.first if at < axis.first else at - axis.last
            self.window = (axis.first + shift, axis.last + shift)
        if self.cursor is not None:
            self.post_message(LayerSelected(self, self.cursor))

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
