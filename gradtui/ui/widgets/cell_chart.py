"""Define the base of all charts: a widget that is drawn as cells and paints only the lines that changed."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.message import Message
from textual.reactive import var
from textual.strip import Strip
from textual.widget import Widget

from gradtui.charts.cells import Cells
from gradtui.charts.palette import ColourDepth, Palette, palette_on


@dataclass
class ChartMessage(Message):
    """A ChartMessage is what a chart posts about itself."""

    chart: CellChart

    @property
    def control(self) -> CellChart:
        """Return the chart, so that `@on(LayerHovered, "#profile")` works."""
        return self.chart


class CellChart(Widget):
    """A CellChart draws into cells for its size, theme and data, and tells Textual which lines changed.

    Textual paints what is declared dirty without comparing, and every byte may have to cross an SSH line. So the
    settings of a chart are `var`s: a `reactive` would paint all of it.
    """

    ascii: var[bool] = var(False, init=False)
    """Draw with ASCII characters only."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._cells: Cells | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._palette: tuple[object, Palette] | None = None
        self._paint: Palette | None = None

    @property
    def palette(self) -> Palette:
        """Return the colours and characters for this widget in its place.

        They are kept until a style of the widget or of one around it changes: to mix them anew takes as long as to draw
        a chart.
        """
        key = _look_of(self)
        if self._palette is None or self._palette[0] != key:
            self._palette = key, palette_of(self, self.ascii)
        return self._palette[1]

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Return the whole chart as it is now. A subclass draws here; without one the chart is blank."""
        return Cells(height, width)

    def stale(self) -> object:
        """Return a value on which the cells depend besides size and palette; if it changes, they are drawn again."""
        return None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render all lines with one palette, for which the styles are looked at only once."""
        self._paint = self.palette
        try:
            return super().render_lines(crop)
        finally:
            self._paint = None

    def render_line(self, y: int) -> Strip:
        """Render one line of the cells, which are drawn again where size, theme or data changed."""
        width, height = self.size
        palette = self._paint or self.palette
        key = (width, height, palette, self.stale())
        if self._cells is None or key != self._drawn_for:
            self._cells = self.draw(height, width, palette)
            self._drawn_for = key
        return (
            Strip(self._cells.segments(y, palette), width)
            if y < height
            else Strip.blank(width, palette.plain)
        )

    def repaint(self) -> None:
        """Draw again, and paint the lines that changed."""
        width, height = self.size
        if not width or not height or self._cells is None:
            self.refresh()
            return
        palette = self.palette
        before, known = self._cells, self._drawn_for
        self._cells = self.draw(height, width, palette)
        self._drawn_for = (width, height, palette, self.stale())
        if known[:3] != (width, height, palette):
            self.refresh()
            return
        self.refresh_spans(self._cells.changed(before))

    def refresh_spans(self, spans: list[tuple[int, int, int]]) -> None:
        """Declare spans (row, first column, last column) dirty: Textual stops painting a line at its last one."""
        if spans:
            self.refresh(*(Region(first, row, last - first + 1, 1) for row, first, last in spans))

    def notify_style_update(self) -> None:
        """Draw again in the colours of another theme."""
        super().notify_style_update()
        self._drawn_for = ()

    def watch_ascii(self) -> None:
        """Draw again with other characters."""
        self.repaint()


def _look_of(widget: CellChart) -> tuple[object, ...]:
    """Return a value that changes whenever the palette of a widget may."""
    app = widget.app
    # Private: a number that grows with each change of a style.
    styles = [node.styles._cache_key for node in widget.ancestors_with_self]
    ascii = widget.ascii or getattr(app, "ascii", False)
    return (app.theme, app.no_color, app.native_ansi_color, ascii, *styles)


def palette_of(widget: Widget, ascii: bool = False) -> Palette:
    """Return the palette for a widget in its place: its app's theme, NO_COLOR, its own background."""
    app = widget.app
    ascii = ascii or getattr(app, "ascii", False)
    depth: ColourDepth = "none" if app.no_color else "ansi" if app.native_ansi_color else "true"
    theme = app.current_theme
    style = widget.rich_style
    plain = Style(bgcolor=style.bgcolor, color=style.color)
    if depth != "true":
        return palette_on(depth, ascii, theme.dark, (0, 0, 0), (255, 255, 255), plain)
    ground: Color = widget.background_colors[1]
    text: Color = widget.colors[3]
    series = (theme.primary, theme.accent, theme.success, theme.warning)
    colours = tuple(Color.parse(name or theme.primary).rgb for name in series)
    return palette_on(depth, ascii, theme.dark, ground.rgb, text.rgb, plain, colours)
