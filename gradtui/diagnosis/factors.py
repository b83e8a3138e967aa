"""Collect the factors that backpropagation multiplies, one per layer or time step, and their product.

The backward gain of a layer is the factor by which it multiplies the gradient on its way back. In a chain of layers it
is the RMS of the activation's derivative times what the weights (and a norm) contribute. The factor of a block with a
shortcut is shared evenly among its layers and is not divided into these two parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gradtui.absent import ABSENT, absent_in, log10_of
from gradtui.diagnosis.evidence import Floats
from gradtui.diagnosis.theory import predicted
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.layers import BESIDE_THE_PATH
from gradtui.experiment.net_plan import net_plan
from gradtui.experiment.spec import Experiment
from gradtui.headlines import HeadlineText, gain_headline
from gradtui.runs.reader import Run
from gradtui.runs.table import recent_rows

OFF_THE_PATH = BESIDE_THE_PATH - {"input"}
"""Kinds of layers that are not on the gradient's main path. The input projection of a recurrent block is on it."""


@dataclass(frozen=True, eq=False)
class Factors:
    """A Factors holds the factors of a net at one step; all arrays have one number per layer (or time lag).

    ABSENT stands for a layer that has no factor, such as the first one: no gradient leaves it towards the data.
    """

    names: tuple[str, ...]
    total: Floats
    """log10 of the factors; layers that share one have an even part of it."""
    slope: Floats
    """log10 of the part of the activation's derivative; ABSENT where there are no two parts."""
    running: Floats
    """log10 of the product from the output to each layer, or from lag 0 to each lag."""
    theory: Floats
    """log10 of the factor that theory expects at initialisation; ABSENT where it says nothing."""
    note: str = ""
    """Why some factors are not divided into two parts, in a few words; "" if those of all hidden layers are."""
    over_time: bool = False
    """Whether these are the factors of a recurrent layer's time steps."""
    step: int = 0
    """The recorded step at which they were measured; 0 where that is not known."""

    @property
    def weights(self) -> Floats:
        """Return log10 of the part of the weights and norms; ABSENT where there are no two parts."""
        part = np.full(len(self.total), ABSENT)
        known = ~absent_in(self.slope) & ~absent_in(self.total)
        with np.errstate(invalid="ignore"):
            part[known] = self.total[known] - self.slope[known]
        return part

    @property
    def headline(self) -> HeadlineText:
        """Return the product in one sentence."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            gains = np.where(absent_in(self.total), ABSENT, 10.0**self.total)
        if self.over_time:
            # The sentence begins at the output, where the time lags begin too.
            return gain_headline(self.names[::-1], gains[::-1].tolist(), "step back", "steps back")
        return gain_headline(self.names, gains.tolist())


def layer_factors(
    names: Sequence[str],
    kinds: Sequence[str],
    gains: Floats,
    slopes: Floats | None,
    experiment: Experiment | None,
) -> Factors:
    """Return the factors of the layers from their backward gains and the RMS of their activations' derivatives.

    Args:
        names, kinds: all layers from input to output.
        gains, slopes: what was measured, (layers,); slopes may be None.
        experiment: says which layers lie in a block with a shortcut, and what theory expects.
    """
    total = log10_of(gains)
    total[[kind in OFF_THE_PATH for kind in kinds]] = ABSENT
    block_of = _shortcut_blocks(experiment) if experiment is not None else {}
    slope = np.full(len(total), ABSENT) if slopes is None else log10_of(slopes)
    for block in sorted(set(block_of.values())):
        inside = [
            i for i, name in enumerate(names) if block_of.get(name) == block and kinds[i] not in OFF_THE_PATH
        ]
        slope[inside] = ABSENT
        # The first layer of the net has no factor; so a block that begins with it has none either.
        shared = total[inside]
        with np.errstate(invalid="ignore"):
            total[inside] = ABSENT if absent_in(shared).any() else shared.mean()
    slope[absent_in(total)] = ABSENT
    expected = _expected(experiment) if experiment is not None else {}
    theory = np.array([expected.get(name, ABSENT) for name in names], np.float64)
    return Factors(
        tuple(names), total, slope, _running(total[::-1])[::-1], theory, _note(slope, total, block_of)
    )


def lag_factors(names: Sequence[str], gradients: Floats, experiment: Experiment | None) -> Factors:
    """Return the factors of the time steps from the RMS gradient of the hidden state by time lag, (lags,)."""
    decades = log10_of(gradients)
    total = np.full(len(decades), ABSENT)
    theory = np.full(len(decades), ABSENT)
    with np.errstate(invalid="ignore"):
        total[1:] = np.diff(decades)
        running = decades - decades[:1]
    if experiment is not None:
        expected = np.array(predicted(experiment).log10_lags)[: len(theory)]
        theory[1 : len(expected)] = np.diff(expected)
    running[:1] = ABSENT
    absent = np.full(len(total), ABSENT)
    note = "a cell's weights and derivative act together"
    return Factors(tuple(names), total, absent, running, theory, note, over_time=True)


def factors_of_run(run: Run, at: int | None) -> Factors | None:
    """Return the factors of a run at a step (None is the newest), over time if its net is recurrent.

    Return None if the run has recorded none.
    """
    metric = next((name for name in ("hidden_grad", "backward_gain") if name in run.metrics), None)
    if metric is None or run.meta is None:
        return None
    table = run.table(metric)
    values = recent_rows(table, at, 1)
    if not len(values.rows):
        return None
    row = np.asarray(values.rows[-1], np.float64)
    if metric == "hidden_grad":
        return replace(lag_factors(table.columns, row, run.experiment), step=values.step)
    slopes = None
    if "activation_slope" in run.metrics:
        rows = recent_rows(run.table("activation_slope"), values.step, 1).rows
        slopes = np.asarray(rows[-1], np.float64) if len(rows) else None
    kinds = [layer.kind for layer in run.meta.layers]
    if len(kinds) != len(row):
        return None
    return replace(layer_factors(table.columns, kinds, row, slopes, run.experiment), step=values.step)


def _running(total: Floats) -> Floats:
    """Return the running sum of decades; layers beside the path do not change it, and get ABSENT."""
    absent = absent_in(total)
    with np.errstate(invalid="ignore"):
        running = np.cumsum(np.where(absent, 0.0, total))
    running[absent] = ABSENT
    return np.asarray(running, np.float64)


def _note(slope: Floats, total: Floats, block_of: dict[str, str]) -> str:
    if block_of:
        return "beside a shortcut a factor has no two parts"
    return "derivatives are not known here" if absent_in(slope).all() and not absent_in(total).all() else ""


@lru_cache(maxsize=8)
def _shortcut_blocks(experiment: Experiment) -> dict[str, str]:
    """Return the block of each layer that lies in a block with a shortcut, by name."""
    try:
        shape = net_plan(experiment).shape()
    except ExperimentError:
        return {}
    return {
        layer.name: f"{layer.group}/{layer.block}"
        for layer in shape.layers
        if layer.group >= 0 and experiment.net[layer.group].shortcut != "none"
    }


@lru_cache(maxsize=8)
def _expected(experiment: Experiment) -> dict[str, float]:
    """Return log10 of theory's factor of each layer, by name.

    Theory's chi is the factor from the pre-activation above to the layer's own: it has the weights above and the
    layer's own derivative. Where the activation comes first, that is the factor of the layer above.
    """
    expected = predicted(experiment)
    if not expected.applies or expected.log10_lags:
        return {}
    decades = [0.5 * math.log10(chi) if 0 < chi < math.inf else math.nan for chi in expected.chi]
    names = expected.layers
    plan = net_plan(experiment)
    if plan.shortcut_blocks:
        return dict(zip(names, decades, strict=True))
    orders = {group.order for group in experiment.net}
    if len(orders) > 1:
        return {}
    if orders == {"pre"}:
        return dict(zip(names[1:], decades, strict=False))
    layers = [layer.weights for group in plan.groups for block in group.blocks for layer in block.layers]
    size = [0.5 * math.log10(one.sigma2 * one.fan_out / one.fan_in) for one in layers]
    # Theory assumes that another layer of the same kind and width follows the last one.
    above = [*size[1:], 0.5 * math.log10(layers[-1].sigma2)]
    return {
        name: chi + own - next_ for name, chi, own, next_ in zip(names, decades, size, above, strict=True)
    }
