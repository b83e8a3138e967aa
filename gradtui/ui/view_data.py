"""Read the data of a view: one metric of the layers at a step and over time, with its healthy range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gradtui import metrics
from gradtui.diagnosis.evidence import last_hidden_layer
from gradtui.diagnosis.factors import Factors, lag_factors, layer_factors
from gradtui.diagnosis.profile import growth, healthy_range
from gradtui.diagnosis.theory import predicted
from gradtui.experiment import Experiment
from gradtui.runs.follower import CURVE_BUCKETS, Snapshot
from gradtui.runs.plane import Plane
from gradtui.runs.summary import Floats, Steps, Summary, mean_of_two
from gradtui.runs.table import RecentRows, Table, recent_rows
from gradtui.ui.view import ViewRequest

Wide = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ViewData:
    """A ViewData is what a run has for a ViewRequest.

    Every array of layers has shape (layers,), in the metric's own units.
    """

    request: ViewRequest
    names: tuple[str, ...]
    """Layers from input to output, or time lags."""
    moment: RecentRows
    """The last rows up to the step that is shown."""
    low: Floats
    middle: Floats
    high: Floats
    """Least, median and largest value of these rows; NaN where one of them is."""
    healthy: tuple[Wide, Wide] | None
    """The lowest and highest healthy value; None if the metric has no healthy range."""
    theory: Wide | None
    """The values that theory expects at initialisation, at the level of the last hidden layer; NaN where it says
    nothing."""
    matrix: Floats
    """(rows, layers): means over stretches of time, for the waterfall."""
    steps: Steps
    """(rows,): the step at which each of these stretches begins."""
    last: int
    """The last step of the last stretch."""
    curves: Mapping[str, Summary]
    """Each scalar over the same stretch of time."""
    factors: Factors | None = None
    """The factors that backpropagation multiplies, where the request asks for them."""
    plane: Plane | None = None
    """What the net computes over the plane, where the request asks for it and the run has recorded it."""

    @property
    def values(self) -> Floats:
        """Return the row at the step that is shown."""
        rows: Floats = self.moment.rows
        return rows[-1] if len(rows) else np.zeros(0, np.float32)

    @property
    def step(self) -> int:
        """Return the step of these values; 0 before the first."""
        return self.moment.step


def read_view(
    snapshot: Snapshot,
    scalars: Sequence[Table],
    request: ViewRequest,
    experiment: Experiment | None,
    before: ViewData | None,
    slopes: Table | None = None,
    plane: Plane | None = None,
) -> ViewData:
    """Read what a run has for a request.

    Args:
        snapshot: the state of the run; it must have the metric of the request.
        scalars: the run's tables of scalars, which show a stretch of time closer than the snapshot does.
        request: the view.
        experiment: what theory predicts from; None for a script.
        before: the last data of the same run; those parts that are still valid are not read again.
        slopes: the table of the activations' derivatives, which are a part of the layers' factors.
        plane: what the net computes over the plane.
    """
    table = snapshot.timeline.table
    moment = recent_rows(table, request.at)
    if request.window is None:
        matrix, steps, _ = snapshot.timeline.fold(request.rows)
        last, curves = snapshot.latest_step, snapshot.curves
    else:
        first, last = request.window
        if (
            before is not None
            and before.request == replace(request, at=before.request.at)
            and before.step > last
        ):
            matrix, steps, curves = before.matrix, before.steps, before.curves
        else:
            window = snapshot.timeline.window(first, last, request.rows)
            matrix, steps, curves = window.mean, window.step, _curves(scalars, first, last)
    values = moment.rows[-1] if len(moment.rows) else np.zeros(0, np.float32)
    layers = snapshot.meta.layers if snapshot.meta else ()
    level = last_hidden_layer([layer.kind for layer in layers]) if len(layers) == len(values) else -1
    names = snapshot.layer_names
    return ViewData(
        request=request,
        names=names,
        moment=moment,
        low=np.fmin.reduce(moment.rows) if len(moment.rows) else values,
        middle=median_of(moment.rows) if len(moment.rows) else values,
        high=np.fmax.reduce(moment.rows) if len(moment.rows) else values,
        healthy=healthy_range(
            request.metric,
            values,
            [layer.parameters for layer in layers],
            level,
            growth(snapshot.curves.get("grad_norm"), request.at),
        ),
        theory=_theory(request.metric, names, values, experiment),
        matrix=matrix,
        steps=steps,
        last=last,
        curves=curves,
        factors=_factors(request, snapshot, values, experiment, slopes, moment.step),
        plane=plane,
    )


def median_of(rows: Floats) -> Floats:
    """Return the median of each column of some rows, at least one; NaN where one of them is.

    `np.median` imports numpy.ma at its first call, which takes as long as to read the whole run.
    """
    half = len(rows) // 2
    # Sorting would lose which NaN stands for a value that is absent.
    ordered = np.partition(rows, sorted({max(0, half - 1), half, len(rows) - 1}), axis=0)
    middle = ordered[half] if len(rows) % 2 else mean_of_two(ordered[half - 1], ordered[half])
    median: Floats = np.where(np.isnan(ordered[-1]), ordered[-1], middle)
    return median


def _factors(
    request: ViewRequest,
    snapshot: Snapshot,
    values: Floats,
    experiment: Experiment | None,
    slopes: Table | None,
    step: int,
) -> Factors | None:
    """Return the factors of the layers, or of the steps of time, at the step of some values."""
    metric = metrics.find(request.metric)
    if not request.draws_factors or metric is None or not len(values):
        return None
    gains = np.asarray(values, np.float64)
    if metric.axis == "lag":
        return lag_factors(snapshot.layer_names, gains, experiment)
    kinds = [layer.kind for layer in snapshot.meta.layers] if snapshot.meta else []
    if len(kinds) != len(values):
        return None
    rows = np.zeros((0, 0)) if slopes is None else np.asarray(recent_rows(slopes, step, 1).rows, np.float64)
    return layer_factors(snapshot.layer_names, kinds, gains, rows[-1] if len(rows) else None, experiment)


def _curves(scalars: Sequence[Table], first: int, last: int) -> Mapping[str, Summary]:
    """Return each scalar between two steps, in as many buckets as a follower uses for the whole run."""
    curves: dict[str, Summary] = {}
    for table in scalars:
        summary = table.summary(table.row_of(first), table.row_of(last + 1), CURVE_BUCKETS)
        curves |= {name: summary.column(index) for index, name in enumerate(table.columns)}
    return curves


def _theory(
    metric: str, names: tuple[str, ...], values: Floats, experiment: Experiment | None
) -> Wide | None:
    """Return the predicted profile at the level of the layer (or lag) where theory starts; None if there is none."""
    row = metrics.find(metric)
    if experiment is None or row is None or not row.predicted or not len(values):
        return None
    expected = predicted(experiment)
    found = np.full(len(values), np.nan)
    if row.axis == "lag":
        count = min(len(found), len(expected.log10_lags))
        found[:count] = expected.log10_lags[:count]
        start = 0
    else:
        found, start = expected.decades_of(names)
    if start < 0 or np.isnan(found).all() or not (np.isfinite(values[start]) and values[start] > 0):
        return None
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(float(values[start]) * 10.0**found, np.float64)


def values_beside(data: ViewData, other: ViewData | None) -> Wide | None:
    """Return another run's values in the order of this one's layers, (layers,); NaN where it has no such layer.

    A layer is compared with that of the same name. Where most have none, because a cure has made other blocks of the
    net, it is compared with the layer at the same share of the depth.
    """
    if other is None or other.request.metric != data.request.metric or not len(other.values):
        return None
    known = dict(zip(other.names, other.values.tolist(), strict=False))
    if 2 * sum(name in known for name in data.names) < len(data.names):
        depths = np.linspace(0, len(other.values) - 1, len(data.names))
        nearest: Wide = other.values[np.rint(depths).astype(int)].astype(np.float64)
        return nearest
    values = np.array([known.get(name, np.nan) for name in data.names], np.float64)
    return None if np.isnan(values).all() else values
