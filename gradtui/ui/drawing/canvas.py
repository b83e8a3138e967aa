"""Draw text and boxes on a sheet of characters, and turn it into lines of content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap

from textual.content import Content, Span

_BETWEEN = " · "


class Canvas:
    """A Canvas is a sheet of characters with a fixed width; rows are added when something is drawn on them.

    Text beyond the width is cut. All characters must be single-width.
    """

    def __init__(self, width: int) -> None:
        self.width = max(0, width)
        self._rows: list[tuple[list[str], list[str]]] = []

    @property
    def height(self) -> int:
        """Return the number of rows so far."""
        return len(self._rows)

    def put(self, row: int, column: int, text: str, style: str = "") -> None:
        """Write text, cut at both ends of the row."""
        while row >= len(self._rows):
            self._rows.append(([" "] * self.width, [""] * self.width))
        text = text[max(0, -column) : max(0, self.width - column)]
        column = max(0, column)
        characters, styles = self._rows[row]
        characters[column : column + len(text)] = text
        styles[column : column + len(text)] = [style] * len(text)

    def line(self, column: int, top: int, bottom: int, character: str, style: str = "") -> None:
        """Draw the same character from row `top` to row `bottom`, both included."""
        for row in range(top, bottom + 1):
            self.put(row, column, character, style)

    def paste(self, other: Canvas, row: int, column: int) -> None:
        """Copy another sheet here; `row` and `column` are its upper left corner."""
        for below, (characters, styles) in enumerate(other._rows):
            across = column
            for style, run in groupby(zip(styles, characters, strict=True), key=lambda cell: cell[0]):
                text = "".join(character for _, character in run)
                self.put(row + below, across, text, style)
                across += len(text)

    def text(self) -> list[str]:
        """Return the rows without their styles."""
        return ["".join(characters).rstrip() for characters, _ in self._rows]

    def lines(self) -> list[Content]:
        """Return the rows, one span for each run of an equal style."""
        return [_content(characters, styles) for characters, styles in self._rows]


def _content(characters: list[str], styles: list[str]) -> Content:
    text = "".join(characters).rstrip()
    spans, start = [], 0
    for style, run in groupby(styles[: len(text)]):
        end = start + len(list(run))
        if style:
            spans.append(Span(start, end, style))
        start = end
    return Content(text, spans)


def cut(text: str, width: int) -> str:
    """Return the text cut to a width, with an ellipsis if some of it is missing."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…" if width > 0 else ""


def in_lines(parts: Sequence[str], aside: str, width: int, most: int) -> list[str]:
    """Arrange parts in as many lines as they need, at most `most`; the aside follows if it fits into the last."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(_BETWEEN + part) <= width:
            lines[-1] += _BETWEEN + part
        elif len(lines) < most:
            lines.append(cut(part, width))
        else:
            break
    if aside and lines and len(lines[-1]) + len(_BETWEEN + aside) <= width:
        lines[-1] += _BETWEEN + aside
    return lines or [cut(aside, width)] * bool(aside)


@dataclass(frozen=True)
class Border:
    """A Border holds the characters of a border, and its style."""

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
"""The border of the chosen box, which is different even without colours."""


class Frame:
    """A Frame draws a box from above to below, from column 0 to `width`, with a title in its upper border."""

    def __init__(self, canvas: Canvas, row: int, width: int, border: Border) -> None:
        self.canvas, self.width, self.border = canvas, width, border
        self._row = row

    @property
    def room(self) -> int:
        """Return the columns within."""
        return max(1, self.width - 4)

    def top(self, title: str) -> None:
        """Draw the upper border with a title."""
        border = self.border
        edge = border.top_left + border.level * (self.width - 2) + border.top_right
        self.canvas.put(self._row, 0, edge, border.style)
        self.canvas.put(self._row, 2, f" {cut(title, self.width - 6)} ", self._ink)
        self._row += 1

    def row(self, parts: Iterable[tuple[str, str]]) -> None:
        """Draw a line of text within."""
        self._sides(self._row)
        column = 2
        for text, style in parts:
            self.canvas.put(self._row, column, cut(text, self.width - 2 - column), style)
            column += len(text)
        self._row += 1

    def paste(self, inner: Canvas) -> None:
        """Draw another sheet within."""
        for row in range(self._row, self._row + inner.height):
            self._sides(row)
        self.canvas.paste(inner, self._row, 2)
        self._row += inner.height

    def wrapped(self, text: str) -> list[str]:
        """Return text in lines that fit."""
        return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrap(text, self.room)]

    def bottom(self, figure: str = "", wire: int | None = None) -> None:
        """Draw the lower border with a figure at its right end, and a wire that leaves it at a column."""
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
