"""The charts of a study are drawn here as SVG, for papers, slides and web pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradtui.charts.scale import Scale, log10_of
from gradtui.charts.svg import COLOURS, GRID, TEXT, WEAK, Point, Svg
from gradtui.study.chart_data import OUTCOMES, BarChart, Chart, Floats, LineChart, MapChart, StudyCurve

WIDTH = 720.0
LEFT, RIGHT, TOP = 64.0, 24.0, 44.0
CURVES_HEIGHT = 300.0
BAR_HEIGHT, CELL_HEIGHT = 22.0, 34.0
"""Height of a bar with its gap, and of a row of a map."""
LETTER_WIDTH = 6.6
"""About the width of a letter; the font that a viewer will use is not known."""
FILLS = {
    "learned": "#009e73",
    "slow": "#e6d79a",
    "vanishing": "#3b5ba5",
    "exploding": "#d55e00",
    "dead": "#8c6bb1",
    "failed": "#444444",
}
DASHES = ("", "6 4", "2 3")


def svg_of(charts: Sequence[Chart]) -> str:
    """Return an SVG file with all charts, one below the other."""
    svg, top = Svg(WIDTH), 0.0
    for chart in charts:
        svg.text((LEFT, top + 26), chart.title, size=15, bold=True)
        if isinstance(chart, LineChart):
            top = _lines(svg, chart, top + TOP)
        elif isinstance(chart, BarChart):
            top = _bars(svg, chart, top + TOP)
        else:
            top = _map(svg, chart, top + TOP)
    return svg.whole(top)


@dataclass(frozen=True)
class Axis:
    """An Axis maps values, or their logarithms, to pixels."""

    scale: Scale
    start: float
    length: float
    log: bool

    def at(self, values: Floats) -> Floats:
        """Return the pixels of values; NaN stays NaN."""
        numbers = log10_of(values) if self.log else np.asarray(values, np.float64)
        span = self.scale.high - self.scale.low
        return np.asarray(self.start + (numbers - self.scale.low) / span * self.length, np.float64)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return the pixel and the label of each tick, at most so many."""
        span = self.scale.high - self.scale.low
        return [
            (self.start + (tick - self.scale.low) / span * self.length, self.scale.label(tick))
            for tick in self.scale.ticks(most)
        ]


def _axis(
    values: Floats, log: bool, start: float, length: float, held: tuple[float, float] | None = None
) -> Axis:
    numbers = log10_of(values) if log else np.asarray(values, np.float64)
    scale = Scale("log", least=1) if log else Scale("linear", *(held or (None, None)))
    scale.include(numbers)
    return Axis(scale, start, length, log)


def _lines(svg: Svg, chart: LineChart, top: float) -> float:
    width, bottom = WIDTH - LEFT - RIGHT, top + CURVES_HEIGHT
    every = [np.concatenate([getattr(line, name) for line in chart.lines]) for name in ("x", "low", "high")]
    x = _axis(every[0], chart.log_x, LEFT, width)
    y = _axis(np.concatenate(every[1:]), chart.log_y, bottom, -CURVES_HEIGHT, chart.y_range)
    for place, label in y.ticks(7):
        svg.line((LEFT, place), (LEFT + width, place), GRID)
        svg.text((LEFT - 8, place + 4), label, anchor="end", colour=WEAK)
    for place, label in x.ticks(9):
        svg.line((place, bottom), (place, bottom + 5), WEAK)
        svg.text((place, bottom + 19), label, anchor="middle", colour=WEAK)
    svg.line((LEFT, bottom), (LEFT + width, bottom), WEAK)
    svg.text((LEFT + width / 2, bottom + 38), chart.x_label, anchor="middle")
    for index, line in enumerate(chart.lines):
        _line(svg, line, x, y, COLOURS[index % len(COLOURS)])
    return _keys(
        svg,
        [(line.name or chart.y_label, COLOURS[i % len(COLOURS)]) for i, line in enumerate(chart.lines)],
        bottom + 58,
    )


def _line(svg: Svg, line: StudyCurve, x: Axis, y: Axis, colour: str) -> None:
    across = x.at(line.x)
    known = np.isfinite(across) & np.isfinite(y.at(line.mean))
    low, high = y.at(line.low), y.at(line.high)
    spread = known & np.isfinite(low) & np.isfinite(high)
    if spread.sum() > 1 and (high != low)[spread].any():
        there = [*_points(across[spread], low[spread]), *_points(across[spread], high[spread])[::-1]]
        svg.area(there, colour, 0.15)
    points = _points(across[known], y.at(line.mean)[known])
    if points:
        svg.path(points, colour)
    for point in points:
        svg.dot(point, colour)


def _points(x: Floats, y: Floats) -> list[Point]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _bars(svg: Svg, chart: BarChart, top: float) -> float:
    gutter = 20 + LETTER_WIDTH * max((len(bar.name) for bar in chart.bars), default=0)
    note = 60 + LETTER_WIDTH * max((len(bar.note) for bar in chart.bars), default=0)
    bottom = top + BAR_HEIGHT * len(chart.bars)
    known = np.array([[0.0, bar.low, bar.high] for bar in chart.bars], np.float64)
    axis = _axis(known[np.isfinite(known)], False, gutter, WIDTH - gutter - note, chart.range)
    for place, label in axis.ticks(6):
        svg.line((place, top), (place, bottom), GRID)
        svg.text((place, bottom + 18), label, anchor="middle", colour=WEAK)
    zero = float(axis.at(np.array(0.0)))
    for index, bar in enumerate(chart.bars):
        middle = top + BAR_HEIGHT * (index + 0.5)
        svg.text((gutter - 10, middle + 4), bar.name, anchor="end", size=12)
        if math.isnan(bar.mean):
            continue
        ends = axis.at(np.array([bar.mean, bar.low, bar.high])).tolist()
        left, right = sorted((zero, ends[0]))
        svg.rectangle((left, middle - 7), (right - left, 14), COLOURS[3 if bar.note else 2])
        if bar.low != bar.high:
            svg.line((ends[1], middle), (ends[2], middle), TEXT, 1.5)
        svg.text(
            (WIDTH - note + 10, middle + 4), f"{bar.mean:.3g}  {bar.note}".rstrip(), colour=WEAK, size=11
        )
    svg.line((zero, top), (zero, bottom), WEAK)
    svg.text((gutter + (WIDTH - gutter - note) / 2, bottom + 38), chart.label, anchor="middle")
    return bottom + 58


def _map(svg: Svg, chart: MapChart, top: float) -> float:
    left = LEFT + 30
    width, bottom = (WIDTH - left - RIGHT) / len(chart.x), top + CELL_HEIGHT * len(chart.y)
    numbers = chart.cells[np.isfinite(chart.cells)]
    for row, up in enumerate(chart.y):
        corner = bottom - CELL_HEIGHT * (row + 1)
        svg.text((left - 10, corner + CELL_HEIGHT / 2 + 4), _in_words(up), anchor="end", colour=WEAK)
        for column, value in enumerate(chart.cells[row].tolist()):
            if not math.isnan(value):
                colour = FILLS[OUTCOMES[int(value)]] if chart.outcomes else _shade(value, numbers)
                svg.rectangle((left + width * column + 1, corner + 1), (width - 2, CELL_HEIGHT - 2), colour)
    for column, right in enumerate(chart.x):
        svg.text((left + width * (column + 0.5), bottom + 18), _in_words(right), anchor="middle", colour=WEAK)
    svg.text((left + (WIDTH - left - RIGHT) / 2, bottom + 38), chart.x_label, anchor="middle")
    svg.text((22, (top + bottom) / 2), chart.y_label, anchor="middle", upright=True)
    for index, border in enumerate(chart.borders):
        places = _rows(border.y, np.array(chart.y, np.float64), chart.log_y)
        points = [
            (left + width * (column + 0.5), bottom - CELL_HEIGHT * (place + 0.5))
            for column, place in enumerate(places.tolist())
            if not math.isnan(place)
        ]
        if len(points) > 1:
            svg.path(points, "#ffffff", 5)
            svg.path(points, TEXT, 2.5, DASHES[index % len(DASHES)])
    return _legend(svg, chart, bottom + 58)


def _rows(values: Floats, rows: Floats, log: bool) -> Floats:
    """Return where values lie among the rows of a map, which are at whole numbers; NaN outside."""
    if log:
        values, rows = log10_of(values), log10_of(rows)
    places = np.interp(values, rows, np.arange(len(rows)), left=np.nan, right=np.nan)
    return np.where(np.isnan(values), np.nan, places)


def _legend(svg: Svg, chart: MapChart, top: float) -> float:
    there = sorted({int(value) for value in chart.cells.ravel() if not math.isnan(value)})
    if chart.outcomes:
        top = _keys(svg, [(OUTCOMES[index], FILLS[OUTCOMES[index]]) for index in there], top)
    x = LEFT
    for index, border in enumerate(chart.borders):
        svg.line((x, top - 4), (x + 28, top - 4), TEXT, 2.5, DASHES[index % len(DASHES)])
        svg.text((x + 34, top), border.name, size=12)
        x += 54 + LETTER_WIDTH * len(border.name)
    return top + 24 if chart.borders else top


def _keys(svg: Svg, names: Sequence[tuple[str, str]], top: float) -> float:
    """Draw colours and what they stand for, side by side, and return the top of what follows."""
    x = LEFT
    for name, colour in names:
        if x > LEFT and x + 30 + LETTER_WIDTH * len(name) > WIDTH - RIGHT:
            x, top = LEFT, top + 20
        svg.rectangle((x, top - 10), (12, 12), colour)
        svg.text((x + 18, top), name, size=12)
        x += 38 + LETTER_WIDTH * len(name)
    return top + 24


def _shade(value: float, numbers: Floats) -> str:
    """Return a colour from light to dark blue."""
    low, high = float(numbers.min()), float(numbers.max())
    share = (value - low) / (high - low) if high > low else 0.5
    ends = ((222, 235, 247), (8, 48, 107))
    mixed = (round(first + share * (last - first)) for first, last in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _in_words(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
