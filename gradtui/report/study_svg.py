"""Draw the charts of a study as SVG, for papers, slides and web pages."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradtui.absent import log10_of
from gradtui.charts.svg import (
    COLOURS,
    GRID,
    LETTER_WIDTH,
    TEXT,
    WEAK,
    Axis,
    Point,
    Svg,
    draw_keys,
    draw_value_lines,
)
from gradtui.study.chart_data import (
    OUTCOMES,
    Bar,
    BarChart,
    Chart,
    Floats,
    LineChart,
    MapChart,
    StudyCurve,
)
from gradtui.words import value_in_words

WIDTH = 720.0
LEFT, RIGHT, TOP = 64.0, 24.0, 44.0
TOP_WITHOUT_TITLE = 12.0
CURVES_HEIGHT = 300.0
BAR_HEIGHT, CELL_HEIGHT = 22.0, 34.0
"""The height of a bar with its gap, and of a row of a map."""
LEAST_BAR_WIDTH, NAME_HEIGHT = 130.0, 18.0
"""The width of bars below which their names are written above them, and the height of the names there."""
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
        top = _draw(svg, chart, top + TOP)
    return svg.whole(top)


def drawing_of(chart: Chart, width: float) -> str:
    """Return one chart as an SVG of that width, without its title."""
    svg = Svg(width)
    return svg.whole(_draw(svg, chart, TOP_WITHOUT_TITLE))


def _draw(svg: Svg, chart: Chart, top: float) -> float:
    """Draw a chart of any kind, and return the y at which the next part begins."""
    if isinstance(chart, LineChart):
        return _lines(svg, chart, top)
    return _bars(svg, chart, top) if isinstance(chart, BarChart) else _map(svg, chart, top)


def _lines(svg: Svg, chart: LineChart, top: float) -> float:
    width, bottom = svg.width - LEFT - RIGHT, top + CURVES_HEIGHT
    every = [np.concatenate([getattr(line, name) for line in chart.lines]) for name in ("x", "low", "high")]
    x = Axis.over(every[0], chart.log_x, LEFT, width)
    y = Axis.over(np.concatenate(every[1:]), chart.log_y, bottom, -CURVES_HEIGHT, chart.y_range)
    draw_value_lines(svg, y, LEFT, LEFT + width, 7)
    for place, label in x.ticks(9):
        svg.line((place, bottom), (place, bottom + 5), WEAK)
        svg.text((place, bottom + 19), label, anchor="middle", colour=WEAK)
    svg.line((LEFT, bottom), (LEFT + width, bottom), WEAK)
    svg.text((LEFT + width / 2, bottom + 38), chart.x_label, anchor="middle")
    for index, line in enumerate(chart.lines):
        _line(svg, line, x, y, COLOURS[index % len(COLOURS)])
    names = [(line.name or chart.y_label, COLOURS[i % len(COLOURS)]) for i, line in enumerate(chart.lines)]
    return draw_keys(svg, names, LEFT, svg.width - RIGHT, bottom + 58)


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
    # Where names and notes leave too little room for the bars, they are written above them.
    over = svg.width - gutter - note < LEAST_BAR_WIDTH
    if over:
        gutter, note = 12.0, 70.0
    each = BAR_HEIGHT + (NAME_HEIGHT if over else 0)
    bottom = top + each * len(chart.bars)
    known = np.array([[0.0, bar.low, bar.high] for bar in chart.bars], np.float64)
    axis = Axis.over(known[np.isfinite(known)], False, gutter, svg.width - gutter - note, chart.range)
    for place, label in axis.ticks(6):
        svg.line((place, top), (place, bottom), GRID)
        svg.text((place, bottom + 18), label, anchor="middle", colour=WEAK)
    zero = float(axis.at(np.array(0.0)))
    for index, bar in enumerate(chart.bars):
        middle = top + each * (index + 1) - BAR_HEIGHT / 2
        if over:
            svg.text((gutter, middle - 12), f"{bar.name}{bar.note and f': {bar.note}'}", size=12)
        else:
            svg.text((gutter - 10, middle + 4), bar.name, anchor="end", size=12)
        if math.isnan(bar.mean):
            continue
        ends = axis.at(np.array([bar.mean, bar.low, bar.high])).tolist()
        left, right = sorted((zero, ends[0]))
        svg.rectangle((left, middle - 7), (right - left, 14), COLOURS[3 if bar.note else 2])
        if bar.low != bar.high:
            svg.line((ends[1], middle), (ends[2], middle), TEXT, 1.5)
        svg.text((svg.width - note + 10, middle + 4), _beside(bar, chart, over), colour=WEAK, size=11)
    svg.line((zero, top), (zero, bottom), WEAK)
    svg.text((gutter + (svg.width - gutter - note) / 2, bottom + 38), chart.label, anchor="middle")
    return bottom + 58


def _beside(bar: Bar, chart: BarChart, over: bool) -> str:
    """Return the text to the right of a bar: its mean, and its note unless that is above the bar."""
    mean = chart.written(bar.mean)
    return mean if over else f"{mean}  {bar.note}".rstrip()


def _map(svg: Svg, chart: MapChart, top: float) -> float:
    left = LEFT + 30
    width, bottom = (svg.width - left - RIGHT) / len(chart.x), top + CELL_HEIGHT * len(chart.y)
    numbers = chart.cells[np.isfinite(chart.cells)]
    for row, up in enumerate(chart.y):
        corner = bottom - CELL_HEIGHT * (row + 1)
        svg.text((left - 10, corner + CELL_HEIGHT / 2 + 4), value_in_words(up), anchor="end", colour=WEAK)
        for column, value in enumerate(chart.cells[row].tolist()):
            if not math.isnan(value):
                colour = FILLS[OUTCOMES[int(value)]] if chart.outcomes else _shade(value, numbers)
                svg.rectangle((left + width * column + 1, corner + 1), (width - 2, CELL_HEIGHT - 2), colour)
    for column, right in enumerate(chart.x):
        svg.text(
            (left + width * (column + 0.5), bottom + 18), value_in_words(right), anchor="middle", colour=WEAK
        )
    svg.text((left + (svg.width - left - RIGHT) / 2, bottom + 38), chart.x_label, anchor="middle")
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
        names = [(OUTCOMES[index], FILLS[OUTCOMES[index]]) for index in there]
        top = draw_keys(svg, names, LEFT, svg.width - RIGHT, top)
    x = LEFT
    for index, border in enumerate(chart.borders):
        svg.line((x, top - 4), (x + 28, top - 4), TEXT, 2.5, DASHES[index % len(DASHES)])
        svg.text((x + 34, top), border.name, size=12)
        x += 54 + LETTER_WIDTH * len(border.name)
    return top + 24 if chart.borders else top


def _shade(value: float, numbers: Floats) -> str:
    """Return a colour from light to dark blue."""
    low, high = float(numbers.min()), float(numbers.max())
    share = (value - low) / (high - low) if high > low else 0.5
    ends = ((222, 235, 247), (8, 48, 107))
    mixed = (round(first + share * (last - first)) for first, last in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
