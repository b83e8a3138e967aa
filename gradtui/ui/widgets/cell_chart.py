"""Define the base of all charts: a widget that is drawn as cells and paints only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
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
        self._look: _Look | None = None
        self._paint: Palette | None = None
        self._lines: dict[int, tuple[object, Strip]] = {}
        self._lines_for: tuple[object, ...] = ()

    @property
    def palette(self) -> Palette:
        """Return the colours and characters for this widget in its place."""
        return self._look_now().palette

    def _look_now(self) -> _Look:
        """Return what the styles make of this widget.

        It is kept until a style of the widget or of one around it changes: to mix the colours anew takes as long as to
        draw a chart.
        """
        key = _key_of_look(self)
        if self._look is None or self._look.key != key:
            self._look = _Look(key, palette_of(self, self.ascii), self.background_colors[1], _is_bare(self))
        return self._look

    def draw(self, height: int, width: int, palette: Palette) -> Cells:
        """Return the whole chart as it is now. A subclass draws here; without one the chart is blank."""
        return Cells(height, width)

    def stale(self) -> object:
        """Return a value on which the cells depend besides size and palette; if it changes, they are drawn again."""
        return None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render lines; those whose cells are the same as before are the same strips.

        Textual's way to a line, which adds borders and effects, takes longer than to draw it. A chart that has none of
        them does without it.
        """
        look = self._look_now()
        self._paint = look.palette
        try:
            if not look.bare:
                return super().render_lines(crop)
            filters = self.get_line_filters()
            lines_for = (look, *filters)
            if lines_for != self._lines_for:
                self._lines_for, self._lines = lines_for, {}
            strips = [self._finished_line(y, look, filters) for y in crop.line_range]
        finally:
            self._paint = None
        first, end = crop.column_span
        return (
            strips if (first, end) == (0, self.size.width) else [strip.crop(first, end) for strip in strips]
        )

    def _finished_line(self, y: int, look: _Look, filters: Sequence[LineFilter]) -> Strip:
        """Return a line as it is sent to the terminal."""
        cells = self._drawn()
        content = cells.content(y) if y < cells.shape[0] else None
        known, strip = self._lines.get(y, (None, None))
        if strip is None or known != content:
            strip = self.render_line(y)
            for filter in filters:
                strip = strip.apply_filter(filter, look.ground)
            self._lines[y] = content, strip
        return strip

    def render_line(self, y: int) -> Strip:
        """Render one line of the cells."""
        width, height = self.size
        palette = self._paint or self.palette
        cells = self._drawn()
        return Strip(cells.segments(y, palette), width) if y < height else Strip.blank(width, palette.plain)

    def _drawn(self) -> Cells:
        """Return the cells, which are drawn again where size, theme or data changed."""
        width, height = self.size
        palette = self._paint or self.palette
        key = (width, height, palette, self.stale())
        if self._cells is None or key != self._drawn_for:
            self._cells = self.draw(height, width, palette)
            self._drawn_for = key
        return self._cells

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


@dataclass(frozen=True, eq=False)
class _Look:
    """A _Look is what the styles make of a chart."""

    key: tuple[object, ...]
    """The value by which a change of the styles is noticed."""
    palette: Palette
    ground: Color
    bare: bool
    """Whether its lines are its cells and nothing else: no border, no padding, no effect on the colours."""


def _is_bare(widget: Widget) -> bool:
    styles = widget.styles
    return not (
        any(styles.gutter)
        or any(kind for kind, _ in styles.outline)
        or styles.tint.a
        or widget.opacity != 1.0
        or (styles.has_rule("hatch") and styles.hatch != "none")
    )


def _key_of_look(widget: CellChart) -> tuple[object, ...]:
    """Return a value that changes whenever the look of a widget may."""
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
    series = (theme.primary, theme.accent, theme.success)
    colours = tuple(Color.parse(name or theme.primary).rgb for name in series)
    return palette_on(depth, ascii, theme.dark, ground.rgb, text.rgb, plain, colours)
