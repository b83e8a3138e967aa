"""Where theory draws the borders on a map of outcomes: at which gain, say, a net of each depth begins to starve.

Mean-field theory (Poole et al. 2016; Schoenholz et al. 2017, who drew over such maps how deep a net can be trained)
says what the gradient at the first hidden layer is relative to the last, before a step is taken. A border is where that
crosses a bound of the diagnosis; the middle one is where it keeps its size, chi = 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gradtui.diagnosis.theory import predict
from gradtui.diagnosis.thresholds import EXPLODING_DECADES, VANISHING_DECADES
from gradtui.experiment import Experiment, ExperimentError, set_fields
from gradtui.experiment.parse import field_at
from gradtui.study.chart import Edge

SAMPLES = 65
"""Values along the upright axis at which theory is asked, for each column."""

FLAT = 1e-6
"""Decades: what varies by less does not depend on the upright axis, a learning rate, say."""

LEVELS = (
    ("theory: keeps its size", 0.0),
    ("theory: vanishes below", VANISHING_DECADES),
    ("theory: explodes above", EXPLODING_DECADES),
)
"""log10 of the first hidden layer's gradient ÷ the last's."""


def edges(
    columns: Sequence[tuple[float, Experiment]], path: str, low: float, high: float, *, log: bool
) -> tuple[Edge, ...]:
    """The borders over a map whose upright axis is the field at `path`, from low to high.

    columns: place on the other axis, and any experiment of that column. Nothing where the field is no number that
    theory knows, or it speaks of none of these nets.
    """
    info = field_at(tuple(path.split(".")))
    if info is None or info.kind != "float" or not low < high:
        return ()
    log = log and low > 0
    values = np.geomspace(low, high, SAMPLES) if log else np.linspace(low, high, SAMPLES)
    drops = np.array(
        [[_drop(experiment, path, float(value)) for value in values] for _, experiment in columns]
    )
    x = np.array([place for place, _ in columns], np.float64)
    made = (Edge(name, x, _crossings(drops, level, values)) for name, level in LEVELS)
    return tuple(edge for edge in made if np.isfinite(edge.y).any())


def _drop(experiment: Experiment, path: str, value: float) -> float:
    try:
        prediction = predict(set_fields(experiment, {path: value}))
    except ExperimentError:
        return math.nan
    return prediction.log10_profile[0] if prediction.applies and prediction.log10_profile else math.nan


def _crossings(drops: np.ndarray, level: float, values: np.ndarray) -> np.ndarray:
    """(columns,): where each column first crosses the level, upwards or downwards; NaN where it never does."""
    return np.array([_crossing(column - level, values) for column in drops])


def _crossing(away: np.ndarray, values: np.ndarray) -> float:
    if not np.nanmax(away, initial=-np.inf) - np.nanmin(away, initial=np.inf) > FLAT:
        return math.nan
    signs = np.sign(away)
    at = np.flatnonzero(np.isfinite(away[:-1]) & np.isfinite(away[1:]) & (signs[:-1] * signs[1:] <= 0))
    if not len(at):
        return math.nan
    first = int(at[0])
    span = away[first + 1] - away[first]
    share = -away[first] / span if span else 0.0
    return float(values[first] + share * (values[first + 1] - values[first]))
