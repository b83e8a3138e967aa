"""Return the curves of runs as a chart draws them, over the horizontal axis that the person chose."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from gradtui.charts.series import CurveData
from gradtui.charts.x_axis import STEP, STEPS, TIME, XAxis, rising_axis
from gradtui.runs.follower import Snapshot
from gradtui.runs.summary import Summary

LOG_FROM = 1e3
"""The loss is drawn on a log axis by itself where it spans more than this factor."""

LEAST_AXIS = 50
"""Steps that the x axis of a run that trains spans at least, unless it is planned for fewer."""

OUTCOMES = frozenset(
    {"loss", "accuracy", "grad_norm", "grad_norm_clipped", "clipped", "penalty", "loss_scale", "skipped", STEP, TIME}
)  # fmt: skip
"""The scalars that are no axis, though one of them may rise: they are what curves show."""

LOG = ", log"
"""The end of the name of a logarithmic axis."""


# -- the horizontal axis


def axis_of(curves: Mapping[str, Summary], choice: str) -> XAxis | None:
    """Return the axis of a choice for a run with these scalars; None where the run has no such number that rises.

    choice: "step", "time" or the name of a scalar, with `LOG` at its end for a logarithmic axis.
    """
    what, log = choice.removesuffix(LOG), choice.endswith(LOG)
    if what == STEP:
        return XAxis(log=True) if log else STEPS
    if what == TIME:
        known = [curve for curve in curves.values() if len(curve)]
        if not known:
            return None
        clock = max(known, key=lambda curve: (int(curve.step[-1]), len(curve)))
        began = min(float(curve.time[0]) for curve in known)
        # A clock that was set back must not fold the curve back.
        return rising_axis(TIME, clock.step, np.maximum.accumulate(clock.time - began), log=log)
    found = curves.get(what)
    if found is None or what in OUTCOMES or (found.max[:-1] > found.min[1:]).any():
        return None
    # The bucket begins with its least value, for the number rises.
    return rising_axis(what, found.step, found.min, log=log)


def shared_axes(
    curves: Mapping[str, Summary], other: Mapping[str, Summary] | None, choice: str
) -> tuple[XAxis, XAxis]:
    """Return the axis of a choice for a run and for the one it is compared with; the steps where one lacks it."""
    axis = axis_of(curves, choice)
    other_axis = STEPS if other is None else axis_of(other, choice)
    return (STEPS, STEPS) if axis is None or other_axis is None else (axis, other_axis)


def axis_choices(runs: Iterable[Mapping[str, Summary]]) -> list[str]:
    """Return the axes that any of the runs has: by step, by time, and by each number that rises, linear and log."""
    numbers: dict[str, None] = {}
    for curves in runs:
        numbers.update(dict.fromkeys(name for name in curves if axis_of(curves, name) is not None))
    return [kind for name in (STEP, TIME, *numbers) for kind in (name, name + LOG)]


def common_choices(curves: Mapping[str, Summary], other: Mapping[str, Summary] | None) -> list[str]:
    """Return the axes that a run has, and with it the run that it is compared with, if there is one."""
    return [one for one in axis_choices([curves]) if other is None or axis_of(other, one) is not None]


def next_choice(choice: str, choices: Sequence[str]) -> str:
    """Return the choice after this one, or the first where it is none of them."""
    return choices[(choices.index(choice) + 1) % len(choices)] if choice in choices else choices[0]


def by_axis(series: Iterable[CurveData], axis: XAxis | None) -> list[CurveData]:
    """Return the curves over another axis; none where there is no such axis."""
    return [] if axis is None else [replace(one, axis=axis) for one in series]


def finer(whole: Mapping[str, Summary], stretch: Mapping[str, Summary]) -> Mapping[str, Summary]:
    """Return the scalars of a whole run with those of a stretch of time, which are closer, in their place."""
    if whole is stretch:
        return whole
    return {name: _inserted(curve, stretch.get(name)) for name, curve in whole.items()}


def _inserted(whole: Summary, part: Summary | None) -> Summary:
    if part is None or not len(part):
        return whole
    first, last = np.searchsorted(whole.step, [part.step[0], part.step[-1] + 1]).tolist()
    names = ("step", "time", "min", "mean", "max")
    pieces = {name: [getattr(one, name) for one in (whole[:first], part, whole[last:])] for name in names}
    return Summary(**{name: np.concatenate(arrays) for name, arrays in pieces.items()})


# -- the curves of one run


def curves_of_run(snapshot: Snapshot, curves: Mapping[str, Summary], what: str) -> list[CurveData]:
    """Return the curve of the batches, and those of the evaluations on the training and test set."""
    if what not in curves:
        return []
    batch = curves[what]
    if not len(batch):
        # The net is built, and its first step has not ended.
        return []
    if what == "grad_norm":
        return _norms(batch, curves)
    if what == "lr":
        return [CurveData("rate", batch.step, batch.mean, noisy=False)]
    series = [CurveData("batch", batch.step, batch.mean, batch.min, batch.max)]
    for part in ("train", "test"):
        key = f"{part}_{what}"
        known = [event for event in snapshot.evaluations if event.get(key) is not None]
        if len(known) > 1:
            steps = [event["step"] for event in known]
            series.append(CurveData(part, steps, [event[key] for event in known], noisy=False))
    return series


def _norms(norm: Summary, curves: Mapping[str, Summary]) -> list[CurveData]:
    """Return the norm of the whole gradient, and beside it what clipping left of it where it clipped at all."""
    clipped, cut = curves.get("grad_norm_clipped"), curves.get("clipped")
    if clipped is None or cut is None or not (cut.max > 0).any():
        return [CurveData("norm", norm.step, norm.mean, norm.min, norm.max)]
    return [
        CurveData("unclipped", norm.step, norm.mean, norm.min, norm.max),
        CurveData("clipped", clipped.step, clipped.mean),
    ]


def spans_decades(loss: Summary) -> bool:
    """Return whether the largest finite loss is so many times the smallest that a linear axis shows only it."""
    known = loss.mean[np.isfinite(loss.mean) & (loss.mean > 0)]
    return len(known) > 1 and float(known.max()) > LOG_FROM * float(known.min())


def end_of_axis(snapshots: Sequence[Snapshot]) -> float | None:
    """Return the end of the x axis: the planned steps, halved as often as all steps still fit, so that it moves seldom.

    None is the last step of all: where no run trains any more, or how long is not known.
    """
    end = float(max((snapshot.steps for snapshot in snapshots if snapshot.status.live), default=0))
    if not end:
        return None
    newest = max(LEAST_AXIS, *(snapshot.step for snapshot in snapshots))
    while end / 2 >= newest:
        end /= 2
    return end


def partner_curve(snapshot: Snapshot, what: str) -> list[CurveData]:
    """Return the curve of the batches of the run that this one is compared with."""
    curve = snapshot.curves.get(what)
    return (
        []
        if curve is None or not len(curve)
        else [CurveData("without", curve.step, curve.mean, only_compared=True)]
    )


def pretraining_curve(snapshot: Snapshot) -> list[CurveData]:
    """Return the reconstruction error of layer-wise pretraining: one curve over the epochs of all layers."""
    # A run that was resumed in the middle of pretraining has begun the pretraining again.
    resumed_at = max(
        (i for i, event in enumerate(snapshot.events) if event.get("event") == "rewound"), default=0
    )
    epochs = [event for event in snapshot.events[resumed_at:] if event.get("event") == "pretrain"]
    if len(epochs) < 2:
        return []
    errors = [event["reconstruction_error"] for event in epochs]
    return [CurveData(str(epochs[-1].get("name", "layer")), list(range(1, len(errors) + 1)), errors)]


# -- several runs as one


def mean_curve(
    curves: Sequence[tuple[ArrayLike, ArrayLike]], *, sign: str = "", noisy: bool = True
) -> CurveData:
    """Return the mean of several curves, with a band of one standard deviation around it.

    Curves with the same x are taken as they are. Otherwise they are read, by lines between their points, at those of
    the longest; where a curve has ended or has no number, it does not count.

    Args:
        curves: x and y of at least one curve, each (n,), x rising.
        sign: the character at the end of the curve.
        noisy: whether it can be smoothed.
    """
    known = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in curves]
    x = max((one for one, _ in known), key=lambda one: (float(one[-1]), len(one)))
    values = np.array(
        [y if np.array_equal(one, x) else np.interp(x, one, y, left=np.nan, right=np.nan) for one, y in known]
    )
    values[~np.isfinite(values)] = np.nan
    with warnings.catch_warnings():
        # A place at which no curve has a number is a gap.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        least = np.nanmin(values, axis=0)
    # On a logarithmic axis a band has no place at 0 or below, so there it ends at the least value.
    low = np.where((mean - spread <= 0) & (least > 0), np.minimum(least, mean), mean - spread)
    return CurveData("", x, mean, low, mean + spread, noisy=noisy, sign=sign)
