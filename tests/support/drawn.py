"""Turn cells into text, and provide a palette of each kind, for the tests of charts."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from gradtui.charts.cells import Cells
from gradtui.charts.palette import Palette, palette_on

TRUE = palette_on("true", False, True, (17, 20, 27), (213, 217, 226), Style.parse("#d5d9e2 on #11141b"))
ANSI = palette_on("ansi", False, True, (0, 0, 0), (255, 255, 255), Style())
MONO = palette_on("none", False, True, (0, 0, 0), (255, 255, 255), Style())
PLAIN = palette_on("none", True, True, (0, 0, 0), (255, 255, 255), Style())
ASCII = palette_on("true", True, False, (250, 250, 247), (0, 0, 0), Style())
ALL: tuple[Palette, ...] = (TRUE, ANSI, MONO, PLAIN, ASCII)


def lines(cells: Cells) -> list[str]:
    """Return every row as text."""
    return [cells.text(row) for row in range(cells.shape[0])]


def strip_of(cells: Cells, row: int, palette: Palette) -> Strip:
    """Return a row as a line of a widget, whose width is measured from its text."""
    return Strip(cells.segments(row, palette))
