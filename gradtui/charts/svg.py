"""Write the few shapes and texts of SVG that the charts need, placed in pixels from the left and from the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from gradtui.absent import log10_of
from gradtui.charts.scale import Scale
from gradtui.plain_text import plain

Floats = NDArray[np.floating]

LETTER_WIDTH = 6.6
"""The estimated width of a letter in pixels; the viewer's font is not known."""

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
GROUND, TEXT, WEAK, GRID = "#ffffff", "#1f2328", "#656d76", "#e6e8eb"

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")
"""Colours that colour-blind people can tell apart (Okabe and Ito, 2008, "Color Universal Design"), without yellow."""

Point = tuple[float, float]


def markup(text: str) -> str:
    """Return a text escaped for SVG and HTML, without line breaks and invisible characters."""
    return escape(plain(text))


class Svg:
    """An Svg is a drawing that grows shape by shape; later shapes lie over earlier ones."""

    def __init__(self, width: float) -> None:
        self.width = width
        self._shapes: list[str] = []

    def line(self, start: Point, end: Point, colour: str = TEXT, width: float = 1, dash: str = "") -> None:
        """Draw a straight line."""
        self.path([start, end], colour, width, dash)

    def path(self, points: Sequence[Point], colour: str, width: float = 2, dash: str = "") -> None:
        """Draw a line through points."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(
            f'<polyline points="{_places(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}"'
            f' stroke-linejoin="round"{dashes}/>'
        )

    def area(self, points: Sequence[Point], colour: str, opacity: float) -> None:
        """Draw a filled shape."""
        self._shapes.append(
            f'<polygon points="{_places(points)}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def rectangle(self, corner: Point, size: Point, colour: str) -> None:
        """Draw a filled rectangle, given its upper left corner."""
        (x, y), (width, height) = corner, size
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
        )

    def cells(self, places: Sequence[tuple[float, float, float]], height: float, colour: str) -> None:
        """Fill many rectangles of one height, given by left, top and width, without seams between neighbours."""
        drawn = "".join(f"M{x:.5g} {y:.5g}h{width:.5g}v{height:.5g}h-{width:.5g}z" for x, y, width in places)
        self._shapes.append(f'<path d="{drawn}" fill="{colour}" shape-rendering="crispEdges"/>')

    def dot(self, place: Point, colour: str, radius: float = 3.5) -> None:
        """Draw a filled circle."""
        self._shapes.append(
            f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:g}" fill="{colour}"/>'
        )

    def text(
        self,
        place: Point,
        said: str,
        *,
        anchor: str = "start",
        colour: str = TEXT,
        size: float = 12,
        bold: bool = False,
        upright: bool = False,
    ) -> None:
        """Write text at a place. anchor: start, middle or end; upright: whether it reads upwards."""
        x, y = place
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" fill="{colour}"'
            f"{weight}{turn}>{markup(said)}</text>"
        )

    def whole(self, height: float) -> str:
        """Return the drawing as the text of an SVG file."""
        frame = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:g}"'
        head = f'<svg {frame} width="{self.width:g}" height="{height:g}" font-family="{FONT}">'
        ground = f'<rect width="100%" height="100%" fill="{GROUND}"/>'
        return "\n".join([head, ground, *self._shapes, "</svg>"]) + "\n"


def _places(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


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
