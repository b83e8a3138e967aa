"""Draw the charts of a study as lines of text, for the terminal, for files and for the study's screen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.text import Text

from gradtui.charts.palette import CURVES
from gradtui.charts.series import CurveData
from gradtui.charts.text import text_chart
from gradtui.report.output import Paper
from gradtui.study.chart_data import (
    OUTCOMES,
    BarChart,
    Chart,
    LineChart,
    MapChart,
    StudyCurve,
    TheoryBorder,
)
from gradtui.words import FRACTION, value_in_words

CURVES_HEIGHT = 16
MOST_NAME_WIDTH = 34
"""The columns for the names of bars."""
MOST_BAR_LINES = 4
"""The most lines of a bar, with the empty one after it."""
LEAST_BAR = 10
"""The least columns of the longest bar."""
SIGNS = {"learned": "■", "slow": "·", "vanishing": "v", "exploding": "x", "dead": "o", "failed": "!"}
ASCII_SIGNS = {**SIGNS, "learned": "#", "slow": "."}
STYLES = {
    "learned": "green",
    "slow": "yellow",
    "vanishing": "bright_blue",
    "exploding": "bright_red",
    "dead": "magenta",
    "failed": "bold bright_red",
}
CURVE_POINTS = 400
"""The number of points of a curve, as many as a wide terminal has dots across."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_CELL_WIDTH = 6
"""The least columns of a map's cell."""
_CELL_EDGE = 3
"""The blank columns between the signs of two cells."""


def study_chart(chart: Chart, paper: Paper, height: int = 0) -> Iterator[Text]:
    """Yield the lines of a chart of any kind, its title first.

    height: the lines that a map or bars may fill; their cells or bars then grow alike. 0 keeps them small.
    """
    if isinstance(chart, LineChart):
        yield from _lines(chart, paper)
    elif isinstance(chart, BarChart):
        yield from _bars(chart, paper, height)
    else:
        yield from _map(chart, paper, height)


def _lines(chart: LineChart, paper: Paper) -> Iterator[Text]:
    # A chart holds at most as many curves as there are colours and markers to tell them apart.
    for first in range(0, len(chart.lines), CURVES):
        yield Text(chart.title, "bold")
        curves = (series(line, chart) for line in chart.lines[first : first + CURVES])
        drawn = text_chart(
            [curve for curve in curves if curve is not None],
            width=paper.width,
            height=CURVES_HEIGHT,
            log=chart.log_y,
            y_range=chart.y_range,
            colour=paper.colour,
            ascii=paper.ascii,
        )
        yield from (Text.from_ansi(line) for line in drawn.split("\n"))
        label = f"log10 of {chart.x_label}" if chart.log_x else chart.x_label
        yield Text(f"{label}; shaded: all seeds".center(paper.width).rstrip(), "dim")


def series(line: StudyCurve, chart: LineChart, sign: str = "") -> CurveData | None:
    """Return a curve with its spread over the runs that have ended, or None before any has ended."""
    known = np.isfinite(line.mean)
    if not known.any():
        return None
    x = (np.log10(line.x) if chart.log_x else line.x)[known]
    # Between two points the band is interpolated like the line.
    between = np.union1d(x, np.linspace(x[0], x[-1], CURVE_POINTS))
    there, back = (np.log10, lambda y: 10.0**y) if chart.log_y else (np.asarray, np.asarray)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, low, high = (
            back(np.interp(between, x, there(values[known]))) for values in (line.mean, line.low, line.high)
        )
    name = line.name or chart.y_label
    return CurveData(name, between, mean, low=low, high=high, noisy=False, sign=sign)


def _bars(chart: BarChart, paper: Paper, height: int) -> Iterator[Text]:
    yield Text(chart.title, "bold")
    known = [value for bar in chart.bars for value in (bar.low, bar.high) if math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known, *(chart.range or ())])
    gutter = min(MOST_NAME_WIDTH, max((len(bar.name) for bar in chart.bars), default=0))
    drawn = [bar for bar in chart.bars if not math.isnan(bar.mean)]
    # Two blanks part the numbers, which may begin with a minus sign.
    told = {bar.name: [chart.written(one) for one in (bar.mean, bar.low, bar.high)] for bar in drawn}
    means = {name: f"{mean}  " for name, (mean, _, _) in told.items()}
    spans = {name: f"{low} … {high}  " if low != high else "" for name, (_, low, high) in told.items()}
    notes = {bar.name: bar.note for bar in drawn}
    columns = [max(map(len, texts.values()), default=0) for texts in (means, spans, notes)]
    room = paper.width - gutter - 2 - sum(columns)
    if room < LEAST_BAR:
        # The spread over the seeds has no room.
        room, columns[1], spans = max(LEAST_BAR, room + columns[1]), 0, dict.fromkeys(spans, "")
    # Where each has room for more than one line, an empty one parts the bars.
    each = max(1, min(MOST_BAR_LINES, (height - 1) // max(1, len(chart.bars))))
    tall = max(1, each - 1)
    for number, bar in enumerate(chart.bars):
        if number:
            yield from [Text()] * (each - tall)
        for part in range(tall):
            middle = part == (tall - 1) // 2
            line = Text(f"{bar.name[:gutter] if middle else '':>{gutter}} ")
            if math.isnan(bar.mean):
                yield line.append("not yet" if middle else "", "dim")
                continue
            line.append(_bar(bar.mean, low, high, room, paper), "cyan")
            if middle:
                line.append(f" {means[bar.name]:<{columns[0]}}{spans[bar.name]:<{columns[1]}}")
                line.append(bar.note, "yellow")
            yield line


def _bar(value: float, low: float, high: float, room: int, paper: Paper) -> str:
    """Return a bar from 0 to the value, to either side, `room` columns wide."""
    span = (high - low) or 1.0
    first, last = sorted(((0.0 - low) / span, (min(max(value, low), high) - low) / span))
    start, end = round(first * room), last * room
    if paper.ascii or value < 0:
        return (" " * start + ("#" if paper.ascii else "█") * (round(end) - start)).ljust(room)
    full, part = divmod(round(end * 8), 8)
    return (" " * start + "█" * (full - start) + (_EIGHTHS[part] if part else "")).ljust(room)


def _map(chart: MapChart, paper: Paper, height: int) -> Iterator[Text]:
    gutter = max(8, *(len(value_in_words(value)) for value in chart.y))
    legend = list(_legend(chart, paper))
    # Around the cells are the title, two labels, the axis and its values, and between them the borders.
    between = len(chart.y) - 1 if chart.borders else 0
    tall = max(1, (height - 5 - len(legend) - between) // len(chart.y))
    wide = max(_CELL_WIDTH, (paper.width - gutter - 2) // len(chart.x)) if height else _CELL_WIDTH
    corner, dash = ("+", "-") if paper.ascii else ("└", "─")
    yield Text(chart.title, "bold")
    yield Text(f"{chart.y_label}", "dim")
    for row in range(len(chart.y) - 1, -1, -1):
        for part in range(tall):
            # The value stands in the middle of its cells.
            value = value_in_words(chart.y[row]) if part == (tall - 1) // 2 else ""
            line = Text(f"{value:>{gutter}} {_rule(paper)}")
            for cell in chart.cells[row].tolist():
                line.append_text(_cell(cell, wide, chart, paper, middle=bool(value)))
            yield line
        if row and chart.borders:
            yield _between(chart, row - 1, gutter, wide, paper)
    yield Text(f"{'':>{gutter}} {corner}{dash * wide * len(chart.x)}")
    yield Text(
        f"{'':>{gutter}}  " + "".join(f"{value_in_words(value):^{wide}}" for value in chart.x).rstrip()
    )
    yield Text(f"{'':>{gutter}}  " + chart.x_label.center(wide * len(chart.x)).rstrip(), "dim")
    yield from legend


def _cell(value: float, wide: int, chart: MapChart, paper: Paper, *, middle: bool) -> Text:
    if math.isnan(value):
        return Text(" " * wide)
    if not chart.outcomes:
        told = f"{value:.0%}" if chart.range == FRACTION else f"{value:.2g}"
        return Text(f"{told if middle else '':^{wide}}")
    outcome = OUTCOMES[int(value)]
    sign = (ASCII_SIGNS if paper.ascii else SIGNS)[outcome]
    return Text(f"{sign * (wide - _CELL_EDGE):^{wide}}", STYLES[outcome])


def _between(chart: MapChart, below: int, gutter: int, wide: int, paper: Paper) -> Text:
    """Return the line between two rows of cells, with the borders of theory that lie there."""
    line = Text(f"{'':>{gutter}} {_rule(paper)}")
    for column in range(len(chart.x)):
        border = _border_at(chart, below, column)
        line.append(" " * wide if border is None else _stroke(border, paper) * wide)
    return line


def _border_at(chart: MapChart, below: int, column: int) -> int | None:
    """Return the index of the border that is drawn over a cell; None where none lies there."""
    low, high = float(str(chart.y[below])), float(str(chart.y[below + 1]))
    return next((i for i, border in enumerate(chart.borders) if low <= border.y[column] < high), None)


def _stroke(border: int, paper: Paper) -> str:
    return ("=-~" if paper.ascii else "═─┈")[border % 3]


def _rule(paper: Paper) -> str:
    return "|" if paper.ascii else "│"


def _legend(chart: MapChart, paper: Paper) -> Iterator[Text]:
    if chart.outcomes:
        signs = ASCII_SIGNS if paper.ascii else SIGNS
        there = sorted({int(value) for value in chart.cells.ravel() if not math.isnan(value)})
        yield Text("   ").join(
            Text(f"{signs[OUTCOMES[i]]} {OUTCOMES[i]}", STYLES[OUTCOMES[i]]) for i in there
        )
    line = ""
    places = itertools.product(range(len(chart.y) - 1), range(len(chart.x)))
    drawn = {_border_at(chart, below, column) for below, column in places}
    for index, border in enumerate(chart.borders):
        if index not in drawn:
            continue
        name = _border_name(index, border, paper)
        if line and len(line) + 3 + len(name) > paper.width:
            yield Text(line, "dim")
            line = ""
        line += f"   {name}" if line else name
    if line:
        yield Text(line, "dim")


def _border_name(index: int, border: TheoryBorder, paper: Paper) -> str:
    return f"{_stroke(index, paper) * 3} {border.name}"


def chart_lines(charts: Sequence[Chart], paper: Paper) -> Iterator[Text]:
    """Yield the lines of all charts, with an empty line between two of them."""
    for number, chart in enumerate(charts):
        if number:
            yield Text()
        yield from study_chart(chart, paper)
