"""Find numbers that are not finite, with the step and the layer at which the first appeared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis import cures
from gradtui.diagnosis.evidence import Series
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.rules.case import Case
from gradtui.diagnosis.thresholds import LOSS_SCALING_BROKEN, LOSS_SCALING_ROWS


class FirstNonfinite(NamedTuple):
    """A FirstNonfinite says where the first number that is not finite appeared."""

    step: int
    layers: tuple[str, ...]
    """The layers with such a number at that step, in forward order; empty where only the loss shows it."""
    words: str


def nonfinite(case: Case) -> Finding | None:
    """Find NaN or infinity in loss, gradients or activations."""
    broken = first_broken(case)
    if broken is None:
        return None
    offers = cures.for_nonfinite(case.evidence.experiment, case.measured())
    return Finding.of("nonfinite", broken.step, broken.layers, f"{broken.words}.", offers)


def first_broken(case: Case) -> FirstNonfinite | None:
    """Return where the run broke; None if it did not, or if loss scaling handles it."""
    evidence = case.evidence
    loss = _first_step(evidence.loss, _broken_losses(case))
    gradient = _first_step(evidence.grad_norm, _broken_rows(case))
    if loss is None and (gradient is None or _loss_scaling_copes(case)):
        return None
    begin = min(step for step in (loss, gradient) if step is not None)
    return (
        _in_outputs(case, begin)
        or (_in_gradients(case, begin) if begin != loss else None)
        or _in_the_loss(case, begin)
    )


def _first_step(series: Series, bad: NDArray[np.bool_]) -> int | None:
    where = np.flatnonzero(bad.any(axis=1) if bad.ndim > 1 else bad)
    return int(series.steps[where[0]]) if len(where) else None


def _broken_losses(case: Case) -> NDArray[np.bool_]:
    """Return the steps with a loss that is not finite, but for those that a script's gradient scaler left out and after
    which the training continued: the loss times the scale may overflow, too."""
    loss, skipped = case.evidence.loss, case.evidence.skipped
    broken = ~np.isfinite(loss.values)
    if case.evidence.experiment is None and len(skipped) and len(finite := np.flatnonzero(~broken)):
        left_out = np.isin(loss.steps, skipped.steps[skipped.highest > 0])
        left_out[finite[-1] :] = False
        broken &= ~left_out
    return broken


def _broken_rows(case: Case) -> NDArray[np.bool_]:
    """Return the steps with a gradient that is not finite, but for those that a script's gradient scaler left out."""
    norms, skipped = case.evidence.grad_norm, case.evidence.skipped
    broken = ~np.isfinite(norms.values)
    if case.evidence.experiment is None and len(skipped):
        broken &= ~np.isin(norms.steps, skipped.steps[skipped.highest > 0])[:, None]
    return broken


def _loss_scaling_copes(case: Case) -> bool:
    """Return whether only single steps are not finite; loss scaling in fp16 skips such steps by design."""
    experiment = case.evidence.experiment
    if experiment is None:
        if len(case.evidence.skipped):
            return False
    elif experiment.run.precision != "fp16":
        return False
    newest = ~np.isfinite(case.evidence.grad_norm.values[-LOSS_SCALING_ROWS:])
    return int(newest.any(axis=1).sum()) < LOSS_SCALING_BROKEN


def _in_outputs(case: Case, begin: int) -> FirstNonfinite | None:
    """Find the layers by their outputs, if these were sampled in that very step: later, all weights are broken."""
    series = case.evidence.nonfinite
    counts = np.nan_to_num(series.values)
    for step, row in zip(series.steps, counts, strict=True):
        if step > begin:
            break
        if row.any():
            layers = case.names(np.flatnonzero(row).tolist())
            first = case.called(int(np.flatnonzero(row)[0]))
            words = f"At step {step:,}, {first} is the first layer whose output is NaN or infinite"
            return FirstNonfinite(int(step), layers, words)
    return None


def _in_gradients(case: Case, begin: int) -> FirstNonfinite | None:
    """Find the layer by the gradients of a finite loss: they come from the output, so they broke in the last layer, in
    forward order, whose gradient is not finite."""
    series = case.evidence.grad_norm
    rows = np.flatnonzero(series.steps == begin)
    if not len(rows):
        return None
    bad = np.flatnonzero(~np.isfinite(series.values[rows[0]])).tolist()
    if not bad:
        return None
    layers = case.names(bad)
    first = case.called(bad[-1])
    words = f"At step {begin:,}, counted from the output, {first} is the first layer whose gradient is NaN or infinite"
    return FirstNonfinite(begin, layers, words)


def _in_the_loss(case: Case, begin: int) -> FirstNonfinite:
    """Name the loss alone: if it is not finite, all gradients are not, so they do not show the layer."""
    sampled = begin in case.evidence.nonfinite.steps
    though = ", although the output of every layer is finite" if sampled else ""
    return FirstNonfinite(begin, (), f"The loss has been NaN or infinite since step {begin:,}{though}")
