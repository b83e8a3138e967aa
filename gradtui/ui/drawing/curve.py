"""A nonlinearity as a small curve of braille dots: where it is flat, it passes no gradient."""

from __future__ import annotations

from gradtui.experiment.activations import ACTIVATIONS

REACH = 3.0
"""The curve is drawn from -REACH to REACH."""
_ROWS = 4
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character: left column and right column, from above."""


def curve(kind: str, slope: float, cells: int = 5) -> str:
    """The curve in so many characters, over its own range of values."""
    count = 2 * cells
    function = ACTIVATIONS[kind].value
    values = [function(REACH * (2 * k / (count - 1) - 1), slope) for k in range(count)]
    low, high = min(values), max(values)
    rows = [round((_ROWS - 1) * (high - v) / ((high - low) or 1.0)) for v in values]
    return "".join(
        chr(0x2800 + _DOTS[0][left] + _DOTS[1][right])
        for left, right in zip(rows[::2], rows[1::2], strict=True)
    )
