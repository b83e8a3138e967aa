"""Keep the screen of a terminal in memory: what a person sees of a program, and when each cell changed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pyte
from pyte.screens import Char

Style = tuple[str | bool, ...]
"""Ink, ground and attributes of a cell."""
Cell = tuple[str, Style]
"""A character and its style; the second cell of a wide character has an empty one."""

_UNKNOWN_TO_PYTE = re.compile(r"\x1b\[(?:\?(?P<mode>\d+)\$p|[<>=][0-9;]*u)")
"""The question for a mode, and the keyboard protocol: pyte takes their ends for text."""
_INCOMPLETE = re.compile(r"\x1b(?:\[[?<>=]?[0-9;]*\$?)?\Z")


class TerminalScreen:
    """The cells of a terminal of one size, drawn by pyte.

    Args:
        width, height: columns and lines.
        answer: receives what the terminal would send back to the program.
    """

    def __init__(self, width: int, height: int, answer: Callable[[str], None] | None = None) -> None:
        self.width, self.height = width, height
        self.changes = [0.0] * (width * height)
        """The moment at which each cell last changed."""
        self.changed_at = 0.0
        """The moment at which any cell last changed."""
        self._answer = answer or (lambda reply: None)
        self._screen = _Screen(width, height)
        self._screen.write_process_input = self._answer
        self._stream = pyte.Stream(self._screen)
        self._rest = ""
        self.cells: list[Cell] = [(" ", _style(self._screen.default_char))] * (width * height)

    def line(self, y: int) -> str:
        """Return the text of a line, without styles."""
        return "".join(character for character, _ in self.cells[y * self.width : (y + 1) * self.width])

    def lines(self) -> list[str]:
        """Return the text of every line."""
        return [self.line(y) for y in range(self.height)]

    @property
    def text(self) -> str:
        """Return the text of all lines."""
        return "\n".join(self.lines())

    @property
    def plain(self) -> bool:
        """Return whether text that is written next has no style."""
        return bool(self._screen.cursor.attrs == self._screen.default_char)

    def feed(self, text: str, moment: float = 0.0) -> None:
        """Take what the program wrote at a moment; an incomplete sequence waits for its rest."""
        text = self._rest + text
        cut = found.start() if (found := _INCOMPLETE.search(text)) else len(text)
        text, self._rest = text[:cut], text[cut:]
        at = 0
        for found in _UNKNOWN_TO_PYTE.finditer(text):
            self._stream.feed(text[at : found.start()])
            at = found.end()
            if mode := found["mode"]:
                # Synchronised output is known, and off; no other mode is.
                self._answer(f"\x1b[?{mode};{2 if mode == '2026' else 0}$y")
        self._stream.feed(text[at:])
        for y in self._screen.dirty:
            self._take_line(y, moment)
        self._screen.dirty.clear()

    def _take_line(self, y: int, moment: float) -> None:
        row, start = self._screen.buffer[y], y * self.width
        for x in range(self.width):
            char = row[x]
            cell = (char.data, _style(char))
            if self.cells[start + x] != cell:
                self.cells[start + x] = cell
                self.changes[start + x] = self.changed_at = moment


class _Screen(pyte.Screen):
    def draw(self, data: str) -> None:
        # pyte wraps the line before it sees that a combining mark belongs to the character in the last column.
        for part in [data] if data.isascii() else data:
            if unicodedata.combining(part[0]) and self.cursor.x == self.columns:
                row, column = self.buffer[self.cursor.y], self.columns - 1
                column -= row[column].data == ""
                joined = unicodedata.normalize("NFC", row[column].data + part)
                row[column] = row[column]._replace(data=joined)
                self.dirty.add(self.cursor.y)
            else:
                super().draw(part)

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        # pyte knows no dim; blinking, which no program here uses, stands in for it.
        translated: list[int] = []
        numbers = iter(attributes)
        for number in numbers:
            if number in (38, 48):
                kind = next(numbers, 5)
                translated += [number, kind, *(next(numbers, 0) for _ in range(3 if kind == 2 else 1))]
            else:
                translated += {2: [5], 22: [22, 25]}.get(number, [number])
        super().select_graphic_rendition(*translated)


def _style(char: Char) -> Style:
    return (
        char.fg,
        char.bg,
        char.bold,
        char.italics,
        char.underscore,
        char.strikethrough,
        char.reverse,
        char.blink,
    )
