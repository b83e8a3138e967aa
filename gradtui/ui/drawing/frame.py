"""A box with a title in its upper border and a figure in its lower one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import wrap

from gradtui.ui.drawing.canvas import Canvas, cut


@dataclass(frozen=True)
class Border:
    """The characters of a border, and its colour."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    level: str
    upright: str
    left_tee: str
    bottom_tee: str
    style: str


LIGHT = Border("╭", "╮", "╰", "╯", "─", "│", "├", "┬", "$secondary 50%")
HEAVY = Border("┏", "┓", "┗", "┛", "━", "┃", "┣", "┳", "bold $accent")
"""Of what is chosen: seen without colours too."""


class Frame:
    """Draws a box from above to below, from column 0 to `width`."""

    def __init__(self, canvas: Canvas, row: int, width: int, border: Border) -> None:
        self.canvas, self.width, self.border = canvas, width, border
        self._row = row

    @property
    def room(self) -> int:
        """Columns within."""
        return max(1, self.width - 4)

    def top(self, title: str) -> None:
        """The upper border with a title."""
        border = self.border
        edge = border.top_left + border.level * (self.width - 2) + border.top_right
        self.canvas.put(self._row, 0, edge, border.style)
        self.canvas.put(self._row, 2, f" {cut(title, self.width - 6)} ", self._ink)
        self._row += 1

    def row(self, parts: Iterable[tuple[str, str]]) -> None:
        """A line of text within."""
        self._sides(self._row)
        column = 2
        for text, style in parts:
            self.canvas.put(self._row, column, cut(text, self.width - 2 - column), style)
            column += len(text)
        self._row += 1

    def paste(self, inner: Canvas) -> None:
        """A drawing within."""
        for row in range(self._row, self._row + inner.height):
            self._sides(row)
        self.canvas.paste(inner, self._row, 2)
        self._row += inner.height

    def wrapped(self, text: str) -> list[str]:
        """Text in lines that fit."""
        return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrap(text, self.room)]

    def bottom(self, figure: str = "", wire: int | None = None) -> None:
        """The lower border with a figure at its right end, and a wire that leaves it at a column."""
        border = self.border
        edge = border.bottom_left + border.level * (self.width - 2) + border.bottom_right
        self.canvas.put(self._row, 0, edge, border.style)
        if wire is not None:
            self.canvas.put(self._row, wire, border.bottom_tee, border.style)
        if figure:
            text = f" {cut(figure, self.width - 10)} "
            self.canvas.put(self._row, self.width - 2 - len(text), text, "$secondary")
        self._row += 1

    @property
    def _ink(self) -> str:
        return self.border.style if self.border is HEAVY else "bold"

    def _sides(self, row: int) -> None:
        self.canvas.put(row, 0, self.border.upright, self.border.style)
        self.canvas.put(row, self.width - 1, self.border.upright, self.border.style)
