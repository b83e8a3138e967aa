"""A widget drawn as cells: only the lines that are not as they were are painted again."""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.reactive import var
from textual.strip import Strip
from textual.widget import Widget

from gradtui.charts.cells import Cells
from gradtui.charts.palette import ColourDepth, Palette, palette_on


class CellChart(Widget):
    """What every chart does: draw into cells for its size, theme and data; tell Textual which lines changed.

    Textual paints what is declared dirty without comparing, and every byte may have to cross an SSH line. So what
    can be set on a chart is a `var`: a `reactive` would have all of it painted.
    """

    ascii: var[bool] = var(False, init=False)
    """Draw with ASCII characters only."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._cells: Cells | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._paint: Palette | None = None

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

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a paint, with one palette: to look up a widget's colours costs more than to draw a line."""
        self._paint = self.palette
        try:
            return super().render_lines(crop)
        finally:
            self._paint = None

    def render_line(self, y: int) -> Strip:
        """One line, drawn from the cells; they are made anew where size, theme or data changed."""
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
        """Draw again, and have the lines painted that are not as they were."""
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
        """Declare these (row, first column, last column) dirty: Textual stops painting a line at the last of them."""
        if spans:
            self.refresh(*(Region(first, row, last - first + 1, 1) for row, first, last in spans))

    def notify_style_update(self) -> None:
        """Another theme: the colours of every cell are another."""
        super().notify_style_update()
        self._drawn_for = ()

    def watch_ascii(self) -> None:
        """Other characters everywhere."""
        self.repaint()


def palette_of(widget: Widget, ascii: bool = False) -> Palette:
    """The palette for a widget where it stands: its app's theme, NO_COLOR, its own background."""
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
