"""Hold a rectangle of characters with their colours, into which every chart is drawn."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment

from gradtui.charts.palette import SLOTS, Palette

_UTF32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"


class Cells:
    """A Cells holds the characters of a chart: `codes` are Unicode code points, `ink` and `fill` slots of a palette.

    All three have the shape (height, width). Drawing writes whole arrays; only lines that changed are made into text.
    """

    def __init__(self, height: int, width: int) -> None:
        self.codes = np.full((height, width), ord(" "), np.uint32)
        self.ink = np.zeros((height, width), np.uint8)
        self.fill = np.zeros((height, width), np.uint8)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the height and the width."""
        height, width = self.codes.shape
        return height, width

    def copy(self) -> Cells:
        """Return an independent copy."""
        other = Cells(0, 0)
        other.codes, other.ink, other.fill = self.codes.copy(), self.ink.copy(), self.fill.copy()
        return other

    def write(self, row: int, column: int, text: str, ink: int = 0, fill: int = 0) -> None:
        """Write text on a row, cut at both ends of the row."""
        height, width = self.shape
        text = text[max(0, -column) : max(0, width - column)]
        column = max(0, column)
        if 0 <= row < height and text:
            span = slice(column, column + len(text))
            self.codes[row, span] = codes_of(text)
            self.ink[row, span] = ink
            self.fill[row, span] = fill

    def changed(self, before: Cells | None) -> list[tuple[int, int, int]]:
        """Return (row, first column, last column) of each row that differs; all rows where the shape differs."""
        height, width = self.shape
        if before is None or before.shape != self.shape:
            return [(row, 0, width - 1) for row in range(height)]
        other = (self.codes != before.codes) | (self.ink != before.ink) | (self.fill != before.fill)
        rows = np.flatnonzero(other.any(axis=1))
        first = other[rows].argmax(axis=1)
        last = width - 1 - other[rows, ::-1].argmax(axis=1)
        return list(zip(rows.tolist(), first.tolist(), last.tolist(), strict=True))

    def text(self, row: int) -> str:
        """Return the characters of a row."""
        return str(self.codes[row].tobytes(), _UTF32)

    def content(self, row: int) -> tuple[bytes, bytes, bytes]:
        """Return a row as a value that is equal where the row is."""
        return self.codes[row].tobytes(), self.ink[row].tobytes(), self.fill[row].tobytes()

    def segments(self, row: int, palette: Palette) -> list[Segment]:
        """Return a row as segments, one for each stretch of cells with the same colours."""
        text = self.text(row)
        if not text:
            return []
        key = self.ink[row].astype(np.int32) * SLOTS + self.fill[row]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        ends = [*starts[1:].tolist(), len(text)]
        styles = palette.styles
        runs = zip(starts.tolist(), ends, key[starts].tolist(), strict=True)
        return [Segment(text[start:end], styles[at]) for start, end, at in runs]


def codes_of(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text, of shape (len(text),)."""
    return np.frombuffer(text.encode(_UTF32), np.uint32)
