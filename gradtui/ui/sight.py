"""What is looked at of a run, and what is seen there: one measure of the layers at a step and over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gradtui import metrics
from gradtui.diagnosis.evidence import last_hidden_layer
from gradtui.diagnosis.profile import healthy_range
from gradtui.diagnosis.theory import Prediction, predict
from gradtui.experiment import Experiment
from gradtui.runs.follower import CURVE_BUCKETS, Snapshot
from gradtui.runs.summary import Floats, Steps, Summary
from gradtui.runs.table import RecentRows, Table, recent_rows
from gradtui.ui.look import Look

Wide = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sight:
    """What a look at a run has found. Every array of layers has shape (layers,), in the measure's own units."""

    look: Look
    names: tuple[str, ...]
    """Layers from input to output, or time lags."""
    moment: RecentRows
    """The rows up to the step looked at."""
    low: Floats
    middle: Floats
    high: Floats
    """Least, median and largest over the moment's rows; NaN where one of them is."""
    corridor: tuple[Wide, Wide] | None
    """The healthy range."""
    theory: Wide | None
    """What theory expects at initialisation, at the level of the last hidden layer; NaN where it is silent."""
    matrix: Floats
    """(rows, layers): means over stretches of time, for the waterfall."""
    steps: Steps
    """(rows,): the step at which each of them begins."""
    last: int
    """The last step of the last of them."""
    curves: Mapping[str, Summary]
    """Each scalar over the same stretch of time."""

    @property
    def values(self) -> Floats:
        """The row at the step looked at."""
        rows: Floats = self.moment.rows
        return rows[-1] if len(rows) else np.zeros(0, np.float32)

    @property
    def step(self) -> int:
        """The step of these values; 0 before the first."""
        return self.moment.step


def see(
    snapshot: Snapshot,
    scalars: Sequence[Table],
    look: Look,
    experiment: Experiment | None,
    before: Sight | None,
) -> Sight:
    """Look at a run's state. `before` is the last sight of the same run: what still holds of it is not read again.

    scalars: the run's tables of them, for a closer look than the snapshot's at a stretch of time.
    """
    table = snapshot.timeline.table
    moment = recent_rows(table, look.at)
    if look.window is None:
        matrix, steps, _ = snapshot.timeline.fold(look.rows)
        last, curves = snapshot.latest_step, snapshot.curves
    else:
        first, last = look.window
        if before is not None and before.look == replace(look, at=before.look.at) and before.step > last:
            matrix, steps, curves = before.matrix, before.steps, before.curves
        else:
            window = snapshot.timeline.window(first, last, look.rows)
            matrix, steps, curves = window.mean, window.step, _curves(scalars, first, last)
    values = moment.rows[-1] if len(moment.rows) else np.zeros(0, np.float32)
    layers = snapshot.meta.layers if snapshot.meta else ()
    level = last_hidden_layer([layer.kind for layer in layers]) if len(layers) == len(values) else -1
    names = snapshot.layer_names
    return Sight(
        look=look,
        names=names,
        moment=moment,
        low=np.fmin.reduce(moment.rows) if len(moment.rows) else values,
        middle=np.median(moment.rows, axis=0) if len(moment.rows) else values,
        high=np.fmax.reduce(moment.rows) if len(moment.rows) else values,
        corridor=healthy_range(look.measure, values, [layer.parameters for layer in layers], level),
        theory=_theory(look.measure, names, values, experiment),
        matrix=matrix,
        steps=steps,
        last=last,
        curves=curves,
    )


def _curves(scalars: Sequence[Table], first: int, last: int) -> Mapping[str, Summary]:
    """Each scalar between two steps, as closely as a follower shows the whole run."""
    curves: dict[str, Summary] = {}
    for table in scalars:
        summary = table.summary(table.row_of(first), table.row_of(last + 1), CURVE_BUCKETS)
        curves |= {name: summary.column(index) for index, name in enumerate(table.columns)}
    return curves


def _theory(
    measure: str, names: tuple[str, ...], values: Floats, experiment: Experiment | None
) -> Wide | None:
    """The predicted profile at the level of the layer (or lag) that theory starts from; None where it is silent."""
    metric = metrics.find(measure)
    if experiment is None or metric is None or not metric.predicted or not len(values):
        return None
    expected = _predicted(experiment)
    found = np.full(len(values), np.nan)
    if metric.axis == "lag":
        count = min(len(found), len(expected.log10_lags))
        found[:count] = expected.log10_lags[:count]
        start = 0
    else:
        at = {name: index for index, name in enumerate(names)}
        for name, level in zip(expected.layers, expected.log10_profile, strict=False):
            if name in at:
                found[at[name]] = level
        start = at.get(expected.layers[-1], -1) if expected.layers else -1
    if start < 0 or np.isnan(found).all() or not (np.isfinite(values[start]) and values[start] > 0):
        return None
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(float(values[start]) * 10.0**found, np.float64)


@lru_cache(maxsize=8)
def _predicted(experiment: Experiment) -> Prediction:
    return predict(experiment)
