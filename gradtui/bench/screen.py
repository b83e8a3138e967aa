"""What stands on a terminal's screen, cell by cell, and when each cell last changed.

As much of a terminal as is needed to know what a person would see of a Textual app: it addresses the cursor, sets
styles, erases and writes; it does not scroll and it does not wrap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from rich.cells import get_character_cell_size

Style = tuple[str, ...]
"""What the SGR parameters come to: ink, ground, then the attributes that are on."""

PLAIN: Style = ("39", "49")
BLANK = (" ", PLAIN)

_TOKEN = re.compile(
    r"\x1b\[([<-?]*[0-9;:]*[ -/]*[@-~])"  # control sequences
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07)"  # strings: titles, clipboard
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"  # other escapes
    r"|([^\x00-\x1f\x7f]+)"  # text
    r"|([\x00-\x1a\x1c-\x1f\x7f])",  # control characters
    re.DOTALL,
)


class Screen:
    """The cells of a terminal of one size."""

    def __init__(self, width: int, height: int, answer: Callable[[str], None] | None = None) -> None:
        """`answer` is told what the terminal would send back when it is asked something."""
        self.width, self.height = width, height
        self.cells = [BLANK] * (width * height)
        self.changes = [0.0] * (width * height)
        """When each cell last changed."""
        self.changed_at = 0.0
        """When any cell last changed."""
        self._answer = answer or (lambda reply: None)
        self._style = PLAIN
        self._x = self._y = 0
        self._rest = ""

    def line(self, y: int) -> str:
        """The text of a line, without its styles."""
        return "".join(character for character, _ in self.cells[y * self.width : (y + 1) * self.width])

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.line(y) for y in range(self.height))

    def feed(self, text: str, moment: float) -> None:
        """Take what the program wrote; a sequence that is not whole waits for its rest."""
        text, at = self._rest + text, 0
        while found := _TOKEN.match(text, at):
            at = found.end()
            sequence, written, control = found.groups()
            if sequence is not None:
                self._control(sequence, moment)
            elif written is not None:
                self._write(written, moment)
            elif control is not None:
                self._move(control)
        self._rest = text[at:]

    def _write(self, text: str, moment: float) -> None:
        start, style = self._y * self.width, self._style
        for character in text:
            size = get_character_cell_size(character)
            if size and self._x + size <= self.width:
                self._put(start + self._x, (character, style), moment)
                if size > 1:
                    self._put(start + self._x + 1, ("", style), moment)
            self._x += size

    def _put(self, index: int, cell: tuple[str, Style], moment: float) -> None:
        if self.cells[index] != cell:
            self.cells[index] = cell
            self.changes[index] = self.changed_at = moment

    def _move(self, control: str) -> None:
        if control == "\r":
            self._x = 0
        elif control == "\n":
            self._y = min(self._y + 1, self.height - 1)
        elif control == "\b":
            self._x = max(0, self._x - 1)

    def _control(self, sequence: str, moment: float) -> None:
        parameters, final = sequence[:-1], sequence[-1]
        if final == "m":
            self._style = styled(self._style, parameters)
        elif final in "Hf":
            y, x = _numbers(parameters, 2)
            self._y, self._x = min(y, self.height) - 1, min(x, self.width) - 1
        elif final == "G":
            self._x = min(_numbers(parameters, 1)[0], self.width) - 1
        elif final in "JK":
            self._erase(final, parameters, moment)
        elif final in "hl" and parameters == "?1049":
            self._clear(0, len(self.cells), moment)
        else:
            self._asked(parameters, final)

    def _erase(self, final: str, parameters: str, moment: float) -> None:
        here, line = self._y * self.width + self._x, self._y * self.width
        first, last = (0, len(self.cells)) if final == "J" else (line, line + self.width)
        start, stop = {"1": (first, here + 1), "2": (first, last)}.get(parameters, (here, last))
        self._clear(start, stop, moment)

    def _clear(self, start: int, stop: int, moment: float) -> None:
        for index in range(start, stop):
            self._put(index, BLANK, moment)

    def _asked(self, parameters: str, final: str) -> None:
        if (parameters, final) == ("6", "n"):
            # Where the cursor is does not matter to who asks: that it is answered says that all before was taken.
            self._answer("\x1b[1;1R")
        elif final == "p" and parameters.startswith("?") and parameters.endswith("$"):
            # Synchronised output is known, and off; no other mode is.
            mode = parameters[1:-1]
            self._answer(f"\x1b[?{mode};{2 if mode == '2026' else 0}$y")
        elif (parameters, final) in (("", "c"), ("0", "c")):
            self._answer("\x1b[?62c")


def _numbers(parameters: str, count: int) -> list[int]:
    """So many parameters; those that are left out are 1, and so is 0."""
    given = [int(number or 1) or 1 for number in parameters.split(";") if number.isdigit() or not number]
    return (given + [1] * count)[:count]


@cache
def styled(style: Style, parameters: str) -> Style:
    """The style after the parameters of an SGR sequence: the same looks are the same tuple."""
    ink, ground, *more = style
    attributes = set(more)
    numbers = iter(parameters.split(";"))
    for number in numbers:
        code = int(number or 0) if number.isdigit() or not number else -1
        if code == 0:
            ink, ground, attributes = "39", "49", set()
        elif code in (38, 48):
            kind = next(numbers, "")
            colour = ";".join([number, kind, *(next(numbers, "") for _ in range(3 if kind == "2" else 1))])
            ink, ground = (colour, ground) if code == 38 else (ink, colour)
        elif 30 <= code <= 39 or 90 <= code <= 97:
            ink = number
        elif 40 <= code <= 49 or 100 <= code <= 107:
            ground = number
        elif 1 <= code <= 9:
            attributes.add(number)
        elif 21 <= code <= 29:
            attributes -= {"1", "2"} if code == 22 else {str(code - 20)}
    return (ink, ground, *sorted(attributes))
