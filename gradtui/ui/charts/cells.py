"""A rectangle of characters with their inks, and how it becomes the lines of a widget."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.strip import Strip

from gradtui.ui.charts.palette import SLOTS, Palette


class Cells:
    """`codes` (height, width) are Unicode code points, `ink` and `fill` (height, width) palette slots.

    Numpy writes them whole; only the lines that differ from the ones before become text again.
    """

    def __init__(self, height: int, width: int) -> None:
        self.codes = np.full((height, width), ord(" "), np.uint32)
        self.ink = np.zeros((height, width), np.uint8)
        self.fill = np.zeros((height, width), np.uint8)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.codes.shape
        return height, width

    def copy(self) -> Cells:
        """A rectangle of its own with the same contents."""
        other = Cells(0, 0)
        other.codes, other.ink, other.fill = self.codes.copy(), self.ink.copy(), self.fill.copy()
        return other

    def write(self, row: int, column: int, text: str, ink: int = 0, fill: int = 0) -> None:
        """Put text on a row, cut at both ends of it."""
        height, width = self.shape
        text = text[max(0, -column) : max(0, width - column)]
        column = max(0, column)
        if 0 <= row < height and text:
            span = slice(column, column + len(text))
            self.codes[row, span] = [ord(character) for character in text]
            self.ink[row, span] = ink
            self.fill[row, span] = fill

    def changed(self, before: Cells | None) -> list[int]:
        """The rows that differ from those of `before`; all of them where the shape differs."""
        height, _ = self.shape
        if before is None or before.shape != self.shape:
            return list(range(height))
        same = (self.codes == before.codes) & (self.ink == before.ink) & (self.fill == before.fill)
        return [int(row) for row in np.flatnonzero(~same.all(axis=1))]

    def text(self, row: int) -> str:
        """The characters of a row."""
        return str(self.codes[row].tobytes(), "utf-32-le" if _LITTLE else "utf-32-be")

    def strip(self, row: int, palette: Palette) -> Strip:
        """A row as a line of a widget: one segment for each run of equal inks."""
        return strip_of(self.text(row), self.ink[row], self.fill[row], palette)


def strip_of(text: str, ink: NDArray[np.uint8], fill: NDArray[np.uint8], palette: Palette) -> Strip:
    """A line from its text and the slots of each of its characters, all single-width."""
    if not text:
        return Strip([], 0)
    key = ink.astype(np.int32) * SLOTS + fill
    ends = np.flatnonzero(key[1:] != key[:-1]) + 1
    style = palette.style
    segments = []
    start = 0
    for end in [*ends.tolist(), len(text)]:
        segments.append(Segment(text[start:end], style(*divmod(int(key[start]), SLOTS))))
        start = end
    return Strip(segments, len(text))


_LITTLE = sys.byteorder == "little"
