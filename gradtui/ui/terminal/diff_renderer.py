"""Send the terminal only the cells that changed.

Textual sends every line that a widget declares dirty, from the widget's left edge on, whether it changed or not. Over
an SSH line that is ten times the bytes: if a bar grows by one cell, Textual sends its line of eighty.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from textual.app import App
from textual.strip import Strip

try:
    # Private classes of Textual: without them everything is sent as Textual would send it.
    from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
except ImportError:  # pragma: no cover
    CompositorUpdate = object  # type: ignore[assignment, misc]
    ChopsUpdate = LayoutUpdate = None  # type: ignore[assignment, misc]

JOINED_GAP = 4
"""The most unchanged cells between two changed ones that are sent too, since moving over them costs as many bytes."""

RESET = "\x1b[0m"

StyleCodes = dict[Style, tuple[object, str, str]]
"""Of each style: all but the letters' colour, the codes of that colour, and the codes of the whole style."""
MOST_STYLES = 4096
"""The most styles of which the codes are kept: a theme and its charts have some hundreds."""

Row = tuple[list[str], list[Style | None]]
"""The characters of a line and their styles; an empty string follows a character that is two cells wide."""


class DiffRenderer:
    """A DiffRenderer remembers the cells on the terminal of one app, and reduces updates to those that differ."""

    def __init__(self) -> None:
        self.cells = TerminalCells()

    def reduced(self, app: App[Any], update: Any) -> Any:
        """Return the update with only its changed cells, or the update itself where it is of another kind."""
        if ChopsUpdate is None or not isinstance(update, ChopsUpdate | LayoutUpdate) or app.is_inline:
            return update
        return DiffUpdate(update, self.cells, app.console._color_system or ColorSystem.TRUECOLOR)

    def forget(self) -> None:
        """Send everything next time, because another program has written on the terminal."""
        self.cells.forget()


class DiffUpdate(CompositorUpdate):
    """A DiffUpdate is an update of the screen without the cells that stand on the terminal already."""

    def __init__(self, update: Any, cells: TerminalCells, system: ColorSystem) -> None:
        self.update = update
        self.cells = cells
        self.system = system

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render as the update itself."""
        yield from self.update.__rich_console__(console, options)

    def render_segments(self, console: Console) -> str:
        """Return the text to send; Textual calls this at the moment of sending."""
        update, cells = self.update, self.cells
        if isinstance(update, LayoutUpdate):
            width, height = update.region.size
            lines = [list(line) for line in update.strips]
            if (cells.width, cells.height) != (width, height):
                cells.replace(lines, width)
                return str(update.render_segments(console))
            pieces: Iterable[tuple[int, int, list[Strip]]] = ((y, 0, line) for y, line in enumerate(lines))
        elif not cells.height:
            return str(update.render_segments(console))
        else:
            pieces = _pieces(update)
        pen = cells.pen(self.system)
        sent = "".join(
            cells.changes(y, x, Strip.join(strips) if len(strips) != 1 else strips[0], pen)
            for y, x, strips in pieces
        )
        return sent + pen.reset()


def _pieces(update: Any) -> Iterable[tuple[int, int, list[Strip]]]:
    """Yield line, first column and strips of what a partial update would send."""
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= right and end > left:
                yield y, x, [strip.crop(0, min(end, right) - x) if end > right else strip]


class TerminalCells:
    """A TerminalCells knows the character and style of each cell of a terminal of one size."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self.width = 0
        self._codes: dict[ColorSystem, StyleCodes] = {}

    def pen(self, system: ColorSystem) -> Pen:
        """Return a plain pen; what it learns of styles is kept for the next one."""
        codes = self._codes.setdefault(system, {})
        if len(codes) > MOST_STYLES:
            codes.clear()
        return Pen(system, codes)

    @property
    def height(self) -> int:
        """Return the number of lines; 0 while nothing is known of the terminal."""
        return len(self._rows)

    def forget(self) -> None:
        """Forget all cells, because another program has written on the terminal."""
        self._rows, self.width = [], 0

    def replace(self, lines: Iterable[Iterable[Strip]], width: int) -> None:
        """Record that these lines are on the terminal; each is given as strips side by side."""
        self._rows = [cells_of(line) for line in lines]
        self.width = width
        if any(len(row[0]) != width for row in self._rows):
            # A line that is shorter than the screen leaves unknown cells.
            self.forget()

    def changes(self, y: int, x: int, strip: Strip, pen: Pen) -> str:
        """Return what to send so that the cells from (x, y) on show the strip, and count them as sent."""
        if not 0 <= y < len(self._rows):
            return ""
        characters, styles = cells_of([strip])
        old_characters, old_styles = self._rows[y]
        count = min(len(characters), self.width - x)
        here = slice(x, x + count)
        characters, styles = characters[:count], styles[:count]
        if characters == old_characters[here] and styles == old_styles[here]:
            return ""
        before = list(zip(old_characters[here], old_styles[here], strict=True))
        after = list(zip(characters, styles, strict=True))
        old_characters[here], old_styles[here] = characters, styles
        changed = [i for i in range(count) if before[i] != after[i]]
        sent = []
        start = stop = changed[0]
        for index in changed[1:]:
            if index - stop > JOINED_GAP:
                sent.append(_stretch(y, x, start, stop, (characters, styles), pen))
                start = index
            stop = index
        sent.append(_stretch(y, x, start, stop, (characters, styles), pen))
        return "".join(sent)


def _stretch(y: int, x: int, start: int, stop: int, row: Row, pen: Pen) -> str:
    """Return the text that writes the cells start … stop of a row that begins at (x, y)."""
    characters, styles = row
    while start > 0 and not characters[start]:
        start -= 1
    parts = [f"\x1b[{y + 1};{x + start + 1}H"]
    for index in range(start, stop + 1):
        parts.append(pen.to(styles[index]))
        parts.append(characters[index])
    return "".join(parts)


def cells_of(line: Iterable[Strip]) -> Row:
    """Return the cells of strips that stand side by side."""
    characters: list[str] = []
    styles: list[Style | None] = []
    for strip in line:
        for text, style, control in strip:
            if control:
                continue
            if text.isascii() or cell_len(text) == len(text):
                characters.extend(text)
            else:
                _put_wide(characters, text)
            styles.extend([style] * (len(characters) - len(styles)))
    return characters, styles


def _put_wide(characters: list[str], text: str) -> None:
    for character in text:
        size = get_character_cell_size(character)
        if size:
            characters.append(character)
            characters.extend([""] * (size - 1))
        elif characters:
            # A combining mark belongs to the letter before it, which may be two cells wide.
            letter = -1 if characters[-1] or len(characters) == 1 else -2
            characters[letter] += character


class Pen:
    """A Pen gives the shortest escape sequences that change the terminal from one style to another.

    It starts plain, and is plain after `reset`.
    """

    def __init__(self, system: ColorSystem, codes: StyleCodes | None = None) -> None:
        """codes: of the styles that an earlier pen for the same system has sent."""
        self._system = system
        self._style: Style | None = None
        self._codes: StyleCodes = {} if codes is None else codes

    def to(self, style: Style | None) -> str:
        """Return the sequence that changes to a style; where only the letters' colour differs, to that colour."""
        if style is self._style:
            return ""
        before, self._style = self._style, style
        if style is None:
            return RESET
        rest, colour, whole = self._codes_of(style)
        if before is not None:
            old_rest, old_colour, _ = self._codes_of(before)
            if rest == old_rest:
                return "" if colour == old_colour else f"\x1b[{colour}m"
        return f"\x1b[0;{whole}m" if whole else RESET

    def reset(self) -> str:
        """Return the sequence that changes back to plain."""
        return self.to(None)

    def _codes_of(self, style: Style) -> tuple[object, str, str]:
        found = self._codes.get(style)
        if found is None:
            colour = ";".join(style.color.downgrade(self._system).get_ansi_codes()) if style.color else "39"
            # Private, because Rich's public rendering leaves out a style that has no colour.
            whole = style._make_ansi_codes(self._system)
            attributes = (style.bold, style.dim, style.italic, style.underline, style.blink, style.blink2)
            more = (style.reverse, style.conceal, style.strike, style.underline2, style.frame, style.overline)
            found = self._codes[style] = ((style.bgcolor, attributes, more), colour, whole)
        return found
