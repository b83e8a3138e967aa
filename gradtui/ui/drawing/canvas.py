"""A sheet of characters that is drawn upon, and becomes lines of content."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.content import Content, Span

_BETWEEN = " · "


class Canvas:
    """Rows come as they are drawn upon; what lies beyond the width is cut. All characters are single-width."""

    def __init__(self, width: int) -> None:
        self.width = max(0, width)
        self._rows: list[tuple[list[str], list[str]]] = []

    @property
    def height(self) -> int:
        """Rows so far."""
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
        """The same character from row `top` to row `bottom`, both included."""
        for row in range(top, bottom + 1):
            self.put(row, column, character, style)

    def paste(self, other: Canvas, row: int, column: int) -> None:
        """Another sheet, with its upper left corner here."""
        for below, (characters, styles) in enumerate(other._rows):
            across = column
            for style, run in groupby(zip(styles, characters, strict=True), key=lambda cell: cell[0]):
                text = "".join(character for _, character in run)
                self.put(row + below, across, text, style)
                across += len(text)

    def text(self) -> list[str]:
        """The rows without their styles."""
        return ["".join(characters).rstrip() for characters, _ in self._rows]

    def lines(self) -> list[Content]:
        """The rows, one span for each run of an equal style."""
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
    """Text that fits, with a mark where some of it is missing."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…" if width > 0 else ""


def in_lines(parts: Sequence[str], aside: str, width: int, most: int) -> list[str]:
    """Parts in as many lines as they need, at most so many; the aside follows where it fits into the last."""
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
