"""All that a run knows of one layer, read from its folder: what the layer page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradtui.runs.histograms import Histogram
from gradtui.runs.meta import LayerMeta
from gradtui.runs.moment import moment_of
from gradtui.runs.reader import Run
from gradtui.runs.summary import Summary

BUCKETS = 240
"""Points of a curve."""
HISTOGRAM_ROWS = 128


@dataclass(frozen=True, eq=False)
class LayerView:
    """One layer over the whole run, and its figures at a step."""

    index: int
    count: int
    """How many layers there are."""
    layer: LayerMeta
    step: int
    """The last recorded step up to the one looked at."""
    curves: Mapping[str, Summary]
    """Of each measure its course, statistics of the shape (n,); NaN where the measure does not apply."""
    figures: Mapping[str, float]
    """The newest value of each measure up to that step."""
    histogram: Histogram


def view_layer(run: Run, index: int, at: int | None) -> LayerView | None:
    """Read one layer; None while the net is not built. `at`: the step looked at, None is the newest."""
    meta = run.meta
    if meta is None or not meta.layers:
        return None
    index = max(0, min(index, len(meta.layers) - 1))
    curves, figures, step = {}, {}, 0
    for measure in run.measures:
        table = run.table(measure)
        if len(table.columns) != len(meta.layers):
            # By time lag, not by layer.
            continue
        curves[measure] = table.summary(buckets=BUCKETS).column(index)
        moment = moment_of(table, at, 1)
        if len(moment.rows):
            figures[measure] = float(moment.rows[-1][index])
            step = max(step, moment.step)
    layer = meta.layers[index]
    return LayerView(
        index, len(meta.layers), layer, step, curves, figures, run.histogram(layer.name, HISTOGRAM_ROWS)
    )
