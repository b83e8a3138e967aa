"""A nonlinearity as a small curve of braille dots: where it is flat, it passes no gradient."""

from __future__ import annotations

import math
from collections.abc import Callable

REACH = 3.0
"""The curve is drawn from -REACH to REACH."""
SELU = (1.0507009873554805, 1.6732632423543772)
_ROWS = 4
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character: left column and right column, from above."""

_FUNCTIONS: dict[str, Callable[[float, float], float]] = {
    "identity": lambda x, _: x,
    "sigmoid": lambda x, _: 1 / (1 + math.exp(-x)),
    "tanh": lambda x, _: math.tanh(x),
    "relu": lambda x, _: max(0.0, x),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "prelu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, _: x if x > 0 else math.expm1(x),
    "selu": lambda x, _: SELU[0] * (x if x > 0 else SELU[1] * math.expm1(x)),
    "gelu": lambda x, _: x / 2 * (1 + math.erf(x / math.sqrt(2))),
    "silu": lambda x, _: x / (1 + math.exp(-x)),
}


def value(kind: str, slope: float, x: float) -> float:
    """What the nonlinearity makes of a number."""
    return _FUNCTIONS[kind](x, slope)


def curve(kind: str, slope: float, cells: int = 5) -> str:
    """The curve in so many characters, over its own range of values."""
    count = 2 * cells
    values = [value(kind, slope, REACH * (2 * k / (count - 1) - 1)) for k in range(count)]
    low, high = min(values), max(values)
    rows = [round((_ROWS - 1) * (high - v) / ((high - low) or 1.0)) for v in values]
    return "".join(
        chr(0x2800 + _DOTS[0][left] + _DOTS[1][right])
        for left, right in zip(rows[::2], rows[1::2], strict=True)
    )
