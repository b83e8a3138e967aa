"""From the rows of a study to what is drawn of it: means and spreads over the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradtui.study.chart import OUTCOMES, Bar, BarChart, Chart, Edge, Line, LineChart, MapChart
from gradtui.study.edges import edges
from gradtui.study.plan import Member, axes_of
from gradtui.study.spec import CHANGE, DEPTH, Quantity, StudySpec
from gradtui.study.study_state import Ranked, StudyRow

LABELS: dict[Quantity, str] = {
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
    "loss": "training loss",
    "drop": "log10 of the gradient at the first hidden layer ÷ the last",
    "lag_drop": "log10 of the gradient at the longest time lag ÷ lag 0",
    "step_time": "seconds a step",
    "outcome": "outcome",
}
_SHARES = ("train_accuracy", "test_accuracy")
_POWERS = ("drop", "lag_drop")
"""Logarithms already."""


class Charts:
    """Draws a study again and again; what theory says is asked once."""

    def __init__(self, spec: StudySpec, members: Sequence[Member]) -> None:
        self._spec = spec
        self._members = members
        self._edges: tuple[Edge, ...] | None = None

    def of(self, rows: Sequence[StudyRow], ranked: Sequence[Ranked] = ()) -> tuple[Chart, ...]:
        """A chart for each of `compare.y`. Rows that have not ended, or not well, are left out of the means."""
        return tuple(self._chart(quantity, rows, ranked) for quantity in self._spec.compare.y)

    def _chart(self, quantity: Quantity, rows: Sequence[StudyRow], ranked: Sequence[Ranked]) -> Chart:
        match self._spec.compare.kind:
            case "lines":
                return self._lines(quantity, rows)
            case "bars":
                return self._bars(quantity, rows, ranked)
            case "map":
                return self._map(quantity, rows)

    def _title(self, quantity: Quantity) -> str:
        return f"{self._spec.name}: {LABELS[quantity]}"

    def _lines(self, quantity: Quantity, rows: Sequence[StudyRow]) -> LineChart:
        compare = self._spec.compare
        beside = axes_of(compare.x, self._spec)
        groups: dict[str, list[StudyRow]] = {}
        for row in rows:
            groups.setdefault(row.member.said(*beside), []).append(row)
        lines = []
        for name, group in groups.items():
            places = sorted({row.member.on(compare.x) for row in group})
            points = [[row for row in group if row.member.on(compare.x) == place] for place in places]
            spreads = [spread(point, quantity) for point in points]
            mean, low, high = np.array(spreads, np.float64).T
            keys = tuple(tuple(row.key for row in point) for point in points)
            lines.append(Line(name, np.array(places, np.float64), mean, low, high, keys))
        return LineChart(
            self._title(quantity),
            axis_label(compare.x),
            LABELS[quantity],
            tuple(lines),
            compare.log_x,
            compare.log_y and quantity not in _POWERS,
            (0.0, 1.0) if quantity in _SHARES else None,
        )

    def _bars(self, quantity: Quantity, rows: Sequence[StudyRow], ranked: Sequence[Ranked]) -> BarChart:
        groups: dict[str, list[StudyRow]] = {}
        for row in rows:
            groups.setdefault(row.member.said() or row.member.name, []).append(row)
        bars = [
            Bar(name, *spread(group, quantity), _note(group), tuple(row.key for row in group))
            for name, group in groups.items()
        ]
        place = {one.change: index for index, one in enumerate(ranked)}
        # The first is the one to beat; behind the ranked, those that have not ended, as the study has them.
        bars = [*bars[:1], *sorted(bars[1:], key=lambda bar: place.get(bar.name, len(place)))]
        span = (0.0, 1.0) if quantity in _SHARES else None
        log = self._spec.compare.log_y and quantity not in _POWERS
        return BarChart(self._title(quantity), LABELS[quantity], tuple(bars), log, span)

    def _map(self, quantity: Quantity, rows: Sequence[StudyRow]) -> MapChart:
        compare = self._spec.compare
        x, y = (
            _ordered([member.on(axis) for member in self._members]) for axis in (compare.x, compare.series)
        )
        cells: dict[tuple[Any, Any], list[StudyRow]] = {}
        for row in rows:
            cells.setdefault((row.member.on(compare.series), row.member.on(compare.x)), []).append(row)
        value = commonest if quantity == "outcome" else lambda group: spread(group, quantity)[0]
        return MapChart(
            self._title(quantity),
            axis_label(compare.x),
            axis_label(compare.series),
            tuple(x),
            tuple(y),
            np.array([[value(cells.get((up, right), [])) for right in x] for up in y], np.float64),
            tuple(tuple(tuple(row.key for row in cells.get((up, right), [])) for right in x) for up in y),
            quantity == "outcome",
            self._theory(x, y) if quantity == "outcome" else (),
            compare.log_x,
            compare.log_y,
        )

    def _theory(self, x: Sequence[Any], y: Sequence[Any]) -> tuple[Edge, ...]:
        if self._edges is None:
            compare = self._spec.compare
            columns = {member.on(compare.x): member.experiment for member in self._members}
            numbers = all(isinstance(value, int | float) for value in (*x, *y))
            self._edges = (
                edges(
                    [(place, columns[place]) for place in x],
                    compare.series,
                    min(y),
                    max(y),
                    log=compare.log_y,
                )
                if numbers
                else ()
            )
        return self._edges


def axis_label(axis: str) -> str:
    """An axis in words."""
    if axis == DEPTH:
        return "weight layers"
    return "" if axis == CHANGE else axis


def spread(rows: Sequence[StudyRow], quantity: Quantity) -> tuple[float, float, float]:
    """Mean, least and greatest over those that have ended; NaN where none has, or one has no number."""
    values = [row.measures.of(quantity) for row in rows if row.judged and row.measures is not None]
    if not values or any(map(math.isnan, values)):
        return math.nan, math.nan, math.nan
    return sum(values) / len(values), min(values), max(values)


def commonest(rows: Sequence[StudyRow]) -> float:
    """The outcome that most seeds came to, of equals the worse; NaN where none has ended."""
    values = [row.measures.outcome for row in rows if row.measures is not None and row.judged]
    values += [float(OUTCOMES.index("failed")) for row in rows if row.state in ("failed", "died")]
    return max(set(values), key=lambda value: (values.count(value), value)) if values else math.nan


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Numbers ascending, words as the study has them."""
    known = list(dict.fromkeys(values))
    return sorted(known) if all(isinstance(value, int | float) for value in known) else known


def _note(rows: Sequence[StudyRow]) -> str:
    return ", ".join(dict.fromkeys(code for row in rows for code in row.codes))
