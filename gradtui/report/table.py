"""Rows of text in columns that line up."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells as lines; columns two spaces apart, the last as long as it likes.

    Plain lines, not a drawn grid: they survive grep, cut and a narrow window.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(cells).rstrip() for cells in padded]


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print them to stdout."""
    for line in aligned(rows):
        print(line)
