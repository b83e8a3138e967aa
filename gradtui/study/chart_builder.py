"""Build the charts of a study from its rows: means and spreads over the seeds, and borders from theory.

Mean-field theory (Poole et al. 2016; Schoenholz et al. 2017, who drew over such maps how deep a net can be trained)
predicts, before a step is taken, the gradient at the first hidden layer relative to the last. A border lies where that
crosses a threshold of the diagnosis; the middle one lies where the gradient keeps its size, chi = 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import EXPLODING_DECADES, VANISHING_DECADES
from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.toml import field_at
from gradtui.study.chart_data import (
    OUTCOMES,
    Bar,
    BarChart,
    Chart,
    LineChart,
    MapChart,
    StudyCurve,
    TheoryBorder,
    range_of,
)
from gradtui.study.plan import Member, axes_of
from gradtui.study.spec import CHANGE, DEPTH, Quantity, StudySpec
from gradtui.study.state import Ranked, StudyRow

LABELS: dict[Quantity, str] = {
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
    "loss": "training loss",
    "drop": "log10 of the gradient, input ÷ output, at the start",
    "lag_drop": "log10 of the gradient, longest lag ÷ lag 0, at the start",
    "step_time": "seconds per step",
    "outcome": "outcome",
}
LOGARITHMS = ("drop", "lag_drop")
"""Quantities that are logarithms already."""
LOGARITHM_OF = "log10 of the "
"""The beginning of their labels."""

THEORY_SAMPLES = 65
"""The number of values along the vertical axis at which theory is evaluated in each column."""
LEAST_DROP_RANGE = 1e-6
"""In decades. A prediction that varies by less does not depend on the vertical axis, which may be a learning rate."""
BORDER_LEVELS = (
    ("theory: keeps its size", 0.0),
    ("theory: vanishes below", VANISHING_DECADES),
    ("theory: explodes above", EXPLODING_DECADES),
)
"""The name of each border, and log10 of the first hidden layer's gradient ÷ the last's where it lies."""


class ChartBuilder:
    """A ChartBuilder builds the charts of one study each time that a run ends, and evaluates theory only once."""

    def __init__(self, spec: StudySpec, members: Sequence[Member]) -> None:
        self._spec = spec
        self._members = members
        self._borders: tuple[TheoryBorder, ...] | None = None

    def build(self, rows: Sequence[StudyRow], ranked: Sequence[Ranked] = ()) -> tuple[Chart, ...]:
        """Return a chart for each of `compare.y`; rows that are not completed are left out of the means."""
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
            groups.setdefault(row.member.label(*beside), []).append(row)
        lines = []
        for name, group in groups.items():
            places = sorted({row.member.on(compare.x) for row in group})
            points = [[row for row in group if row.member.on(compare.x) == place] for place in places]
            spreads = [spread(point, quantity) for point in points]
            mean, low, high = np.array(spreads, np.float64).T
            keys = tuple(tuple(row.key for row in point) for point in points)
            lines.append(StudyCurve(name, np.array(places, np.float64), mean, low, high, keys))
        return LineChart(
            self._title(quantity),
            axis_label(compare.x),
            LABELS[quantity],
            tuple(lines),
            compare.log_x,
            compare.log_y and quantity not in LOGARITHMS,
            range_of(quantity),
        )

    def _bars(self, quantity: Quantity, rows: Sequence[StudyRow], ranked: Sequence[Ranked]) -> BarChart:
        groups: dict[str, list[StudyRow]] = {}
        for row in rows:
            groups.setdefault(row.member.label() or row.member.name, []).append(row)
        bars = [
            Bar(name, *spread(group, quantity), _note(group), tuple(row.key for row in group))
            for name, group in groups.items()
        ]
        place = {one.change: index for index, one in enumerate(ranked)}
        # The baseline is first; changes that have not ended follow the ranked ones, in the study's order.
        bars = [*bars[:1], *sorted(bars[1:], key=lambda bar: place.get(bar.name, len(place)))]
        span = range_of(quantity)
        log = self._spec.compare.log_y and quantity not in LOGARITHMS
        # The numbers of bars are written as in tables, not as logarithms.
        title = self._title(quantity).replace(LOGARITHM_OF, "")
        return BarChart(title, LABELS[quantity], tuple(bars), log, span, decades=quantity in LOGARITHMS)

    def _map(self, quantity: Quantity, rows: Sequence[StudyRow]) -> MapChart:
        compare = self._spec.compare
        x, y = (
            _ordered([member.on(axis) for member in self._members]) for axis in (compare.x, compare.series)
        )
        cells: dict[tuple[Any, Any], list[StudyRow]] = {}
        for row in rows:
            cells.setdefault((row.member.on(compare.series), row.member.on(compare.x)), []).append(row)
        value = most_common_outcome if quantity == "outcome" else lambda group: spread(group, quantity)[0]
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
            range_of(quantity),
        )

    def _theory(self, x: Sequence[Any], y: Sequence[Any]) -> tuple[TheoryBorder, ...]:
        if self._borders is None:
            compare = self._spec.compare
            columns = {member.on(compare.x): member.experiment for member in self._members}
            numbers = all(isinstance(value, int | float) for value in (*x, *y))
            self._borders = (
                theory_borders(
                    [(place, columns[place]) for place in x],
                    compare.series,
                    min(y),
                    max(y),
                    log=compare.log_y,
                )
                if numbers
                else ()
            )
        return self._borders


def axis_label(axis: str) -> str:
    """Return the label of an axis."""
    if axis == DEPTH:
        return "weight layers"
    return "" if axis == CHANGE else axis


def spread(rows: Sequence[StudyRow], quantity: Quantity) -> tuple[float, float, float]:
    """Return the mean, least and greatest value of the completed rows; NaN if there are none or one lacks it."""
    values = [row.result.value(quantity) for row in rows if row.completed and row.result is not None]
    if not values or any(map(math.isnan, values)):
        return math.nan, math.nan, math.nan
    return sum(values) / len(values), min(values), max(values)


def most_common_outcome(rows: Sequence[StudyRow]) -> float:
    """Return the most common outcome of the seeds; of two equally common ones the worse. NaN if none has ended."""
    values = [row.result.outcome for row in rows if row.result is not None and row.completed]
    values += [float(OUTCOMES.index("failed")) for row in rows if row.state in ("failed", "died")]
    return max(set(values), key=lambda value: (values.count(value), value)) if values else math.nan


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Return each value once: numbers in ascending order, words in the study's order."""
    known = list(dict.fromkeys(values))
    return sorted(known) if all(isinstance(value, int | float) for value in known) else known


def _note(rows: Sequence[StudyRow]) -> str:
    return ", ".join(dict.fromkeys(code for row in rows for code in row.codes))


# -- borders from theory


def theory_borders(
    columns: Sequence[tuple[float, Experiment]], path: str, low: float, high: float, *, log: bool
) -> tuple[TheoryBorder, ...]:
    """Return the borders on a map whose vertical axis is the field at `path`, from low to high.

    Returns no borders if the field is not a number that theory knows, or if theory applies to none of these nets.

    Args:
        columns: for each column its position on the horizontal axis, and any experiment of it.
        log: whether the vertical axis is logarithmic.
    """
    info = field_at(tuple(path.split(".")))
    if info is None or info.kind != "float" or not low < high:
        return ()
    log = log and low > 0
    values = np.geomspace(low, high, THEORY_SAMPLES) if log else np.linspace(low, high, THEORY_SAMPLES)
    drops = np.array(
        [[_predicted_drop(experiment, path, float(value)) for value in values] for _, experiment in columns]
    )
    x = np.array([place for place, _ in columns], np.float64)
    borders = (TheoryBorder(name, x, _crossings(drops, level, values)) for name, level in BORDER_LEVELS)
    return tuple(border for border in borders if np.isfinite(border.y).any())


def _predicted_drop(experiment: Experiment, path: str, value: float) -> float:
    try:
        prediction = predict(set_fields(experiment, {path: value}))
    except ExperimentError:
        return math.nan
    return prediction.log10_profile[0] if prediction.applies and prediction.log10_profile else math.nan


def _crossings(drops: np.ndarray, level: float, values: np.ndarray) -> np.ndarray:
    """Return where each column first crosses the level in either direction, (columns,); NaN where it never does."""
    return np.array([_crossing(column - level, values) for column in drops])


def _crossing(away: np.ndarray, values: np.ndarray) -> float:
    if not np.nanmax(away, initial=-np.inf) - np.nanmin(away, initial=np.inf) > LEAST_DROP_RANGE:
        return math.nan
    signs = np.sign(away)
    at = np.flatnonzero(np.isfinite(away[:-1]) & np.isfinite(away[1:]) & (signs[:-1] * signs[1:] <= 0))
    if not len(at):
        return math.nan
    first = int(at[0])
    span = away[first + 1] - away[first]
    share = -away[first] / span if span else 0.0
    return float(values[first] + share * (values[first + 1] - values[first]))
