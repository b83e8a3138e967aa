"""Numbers that are none: when, and in which layer, the first appeared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis import cures
from gradtui.diagnosis.case import Case
from gradtui.diagnosis.evidence import Series
from gradtui.diagnosis.findings import Finding

SCALER_ROWS, SCALER_BAD = 20, 10
"""Adaptive loss scaling skips a step now and then by design: where it may be at work, so many of the newest rows
must be broken before gradients alone are a finding."""


class Broken(NamedTuple):
    """The first number that is none."""

    step: int
    layers: tuple[str, ...]
    """Those that had one at that step, in forward order; empty where only the loss tells."""
    words: str


def nonfinite(case: Case) -> Finding | None:
    """NaN or infinity in loss, gradients or activations."""
    broken = first_broken(case)
    if broken is None:
        return None
    offers = cures.for_nonfinite(case.evidence.experiment)
    return Finding("nonfinite", "critical", broken.step, broken.layers, f"{broken.words}.", offers)


def first_broken(case: Case) -> Broken | None:
    """Where the run broke; None where it did not, or where loss scaling copes with it."""
    evidence = case.evidence
    loss = _first(evidence.loss, ~np.isfinite(evidence.loss.values))
    gradient = _first(evidence.grad_norm, ~np.isfinite(evidence.grad_norm.values))
    if loss is None and (gradient is None or _scaler_copes(case)):
        return None
    begin = min(step for step in (loss, gradient) if step is not None)
    return (
        _forward_origin(case, begin)
        or (_backward_origin(case, begin) if begin != loss else None)
        or _only_the_loss(case, begin)
    )


def _first(series: Series, bad: NDArray[np.bool_]) -> int | None:
    where = np.flatnonzero(bad.any(axis=1) if bad.ndim > 1 else bad)
    return int(series.steps[where[0]]) if len(where) else None


def _scaler_copes(case: Case) -> bool:
    experiment = case.evidence.experiment
    if experiment is not None and experiment.run.precision != "fp16":
        return False
    newest = ~np.isfinite(case.evidence.grad_norm.values[-SCALER_ROWS:])
    return int(newest.any(axis=1).sum()) < SCALER_BAD


def _forward_origin(case: Case, begin: int) -> Broken | None:
    """By the activations, where they were looked at in that very step: later, all weights are broken."""
    series = case.evidence.nonfinite
    counts = np.nan_to_num(series.values)
    for step, row in zip(series.steps, counts, strict=True):
        if step > begin:
            break
        if row.any():
            layers = case.names(np.flatnonzero(row).tolist())
            return Broken(
                int(step), layers, f"At step {step} {layers[0]} is the first layer whose output is not finite"
            )
    return None


def _backward_origin(case: Case, begin: int) -> Broken | None:
    """By the gradients of a finite loss: coming from the output, they broke in the last layer, in forward order, that
    has it."""
    series = case.evidence.grad_norm
    rows = np.flatnonzero(series.steps == begin)
    if not len(rows):
        return None
    bad = np.flatnonzero(~np.isfinite(series.values[rows[0]])).tolist()
    if not bad:
        return None
    layers = case.names(bad)
    return Broken(
        begin,
        layers,
        f"At step {begin} {layers[-1]} is the first layer, from the output on, whose gradient is not finite",
    )


def _only_the_loss(case: Case, begin: int) -> Broken:
    """Where no layer's output tells: behind a loss that is no number all gradients are none, and tell nothing."""
    looked = begin in case.evidence.nonfinite.steps
    though = ", though the output of every layer is" if looked else ""
    return Broken(begin, (), f"The loss is not a finite number from step {begin} on{though}")
