"""A terminal of a few lines of code: it obeys what the apps here send, and knows what a person would see."""

from __future__ import annotations

import re

from rich.cells import get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<private>\??)(?P<numbers>[\d;]*)(?P<what>[A-Za-z])|\x1b\].*?(?:\x07|\x1b\\)|\x1b[^\[].?|(?P<text>[^\x1b])",
    re.S,
)

Look = tuple[str, str, frozenset[int]]
"""Letters' colour, ground's colour, attributes."""
PLAIN: Look = ("", "", frozenset())


class Terminal:
    """Cells of a character and how it looks."""

    def __init__(self, width: int, height: int) -> None:
        self.cells = [[(" ", PLAIN)] * width for _ in range(height)]
        self.x = self.y = 0
        self.look = PLAIN

    def feed(self, data: str) -> None:
        """Obey."""
        for token in _TOKEN.finditer(data):
            if token["text"] is not None:
                self._put(token["text"])
            elif token["what"] == "H":
                y, x = ([int(n) for n in token["numbers"].split(";")] + [1, 1])[:2]
                self.x, self.y = x - 1, y - 1
            elif token["what"] == "m":
                self._ink([int(n or 0) for n in token["numbers"].split(";")])

    def _put(self, character: str) -> None:
        if character == "\n":
            self.x, self.y = 0, min(self.y + 1, len(self.cells) - 1)
            return
        size = get_character_cell_size(character)
        row = self.cells[self.y]
        if size == 0:
            at = self.x - 1 if self.x and row[min(self.x, len(row)) - 1][0] else self.x - 2
            if 0 <= at < len(row):
                row[at] = (row[at][0] + character, row[at][1])
            return
        for i in range(size):
            if self.x + i < len(row):
                row[self.x + i] = (character if i == 0 else "", self.look)
        self.x += size

    def _ink(self, numbers: list[int]) -> None:
        letters, ground, attributes = self.look
        codes = iter(numbers)
        for code in codes:
            if code == 0:
                letters, ground, attributes = PLAIN
            elif code in (38, 48):
                kind = next(codes)
                colour = f"{kind}:" + ",".join(str(next(codes)) for _ in range(3 if kind == 2 else 1))
                letters, ground = (colour, ground) if code == 38 else (letters, colour)
            elif code == 39:
                letters = ""
            elif code == 49:
                ground = ""
            elif 30 <= code <= 37 or 90 <= code <= 97:
                letters = str(code)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                ground = str(code - 10)
            else:
                attributes = attributes | {code}
        self.look = (letters, ground, attributes)

    def text(self) -> list[str]:
        """The lines."""
        return ["".join(character for character, _ in row) for row in self.cells]
