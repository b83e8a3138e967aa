"""What stands on the terminal, cell by cell, so that only what differs need be sent.

Textual sends every line that a widget declares dirty, from the widget's left edge on, whether anything changed or not.
Over an SSH line that is ten times the bytes: a bar's tip is one cell, and the line that it stands in is eighty.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, get_character_cell_size
from rich.style import Style
from textual.strip import Strip

from gradtui.ui.terminal.ink import Ink

GAP = 4
"""Cells that are alike between two changes and sent all the same: to step over them costs as much."""

Row = tuple[list[str], list[Style | None]]
"""The characters of a line and their styles; behind a character of two cells stands an empty one."""


class Shadow:
    """The cells of a terminal of one size."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self.width = 0

    @property
    def height(self) -> int:
        """Lines; 0 while nothing is known of the terminal."""
        return len(self._rows)

    def forget(self) -> None:
        """Somebody else wrote on the terminal."""
        self._rows, self.width = [], 0

    def keep(self, lines: Iterable[Iterable[Strip]], width: int) -> None:
        """All lines were sent as they are."""
        self._rows = [cells_of(line) for line in lines]
        self.width = width
        if any(len(row[0]) != width for row in self._rows):
            # A line that is shorter than the screen leaves cells of which nothing is known.
            self.forget()

    def changes(self, y: int, x: int, strip: Strip, ink: Ink) -> str:
        """What to send so that the cells from (x, y) on are the strip's; from now on they count as sent."""
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
            if index - stop > GAP:
                sent.append(self._send(y, x, start, stop, characters, styles, ink))
                start = index
            stop = index
        sent.append(self._send(y, x, start, stop, characters, styles, ink))
        return "".join(sent)

    def _send(
        self,
        y: int,
        x: int,
        start: int,
        stop: int,
        characters: list[str],
        styles: list[Style | None],
        ink: Ink,
    ) -> str:
        while start > 0 and not characters[start]:
            start -= 1
        parts = [f"\x1b[{y + 1};{x + start + 1}H"]
        for index in range(start, stop + 1):
            parts.append(ink.to(styles[index]))
            parts.append(characters[index])
        return "".join(parts)


def cells_of(line: Iterable[Strip]) -> Row:
    """The cells of strips that stand side by side."""
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
