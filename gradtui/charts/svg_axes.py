"""Lay values out along the axes of an SVG drawing, and draw the legend of its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.charts.scale import Scale, log10_of
from gradtui.charts.svg import GRID, WEAK, Svg

Floats = NDArray[np.floating]

LETTER_WIDTH = 6.6
"""The estimated width of a letter in pixels; the viewer's font is not known."""


@dataclass(frozen=True)
class Axis:
    """An Axis maps values, or their logarithms, to pixels."""

    scale: Scale
    start: float
    length: float
    log: bool

    @classmethod
    def over(
        cls,
        values: Floats,
        log: bool,
        start: float,
        length: float,
        ends: tuple[float, float] | None = None,
    ) -> Axis:
        """Return an axis that holds all finite values; ends: the values that a linear one holds in any case."""
        numbers = log10_of(values) if log else np.asarray(values, np.float64)
        scale = Scale("log", least=1) if log else Scale("linear", *(ends or (None, None)))
        scale.include(numbers)
        return cls(scale, start, length, log)

    def at(self, values: Floats) -> NDArray[np.float64]:
        """Return the pixels of values; NaN stays NaN."""
        numbers = log10_of(values) if self.log else np.asarray(values, np.float64)
        span = self.scale.high - self.scale.low
        return np.asarray(self.start + (numbers - self.scale.low) / span * self.length, np.float64)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return the pixel and the label of each tick, at most `most` of them."""
        span = self.scale.high - self.scale.low
        return [
            (self.start + (tick - self.scale.low) / span * self.length, self.scale.label(tick))
            for tick in self.scale.ticks(most)
        ]


def draw_value_lines(svg: Svg, axis: Axis, left: float, right: float, most: int) -> None:
    """Draw a horizontal line for each tick of a vertical axis, with its label to the left."""
    for place, label in axis.ticks(most):
        svg.line((left, place), (right, place), GRID)
        svg.text((left - 8, place + 4), label, anchor="end", colour=WEAK)


def draw_keys(svg: Svg, names: Sequence[tuple[str, str]], left: float, right: float, top: float) -> float:
    """Draw the legend of colours, entry beside entry, and return the y at which the next part begins."""
    x = left
    for name, colour in names:
        if x > left and x + 30 + LETTER_WIDTH * len(name) > right:
            x, top = left, top + 20
        svg.rectangle((x, top - 10), (12, 12), colour)
        svg.text((x + 18, top), name, size=12)
        x += 38 + LETTER_WIDTH * len(name)
    return top + 24
