"""Find weights that barely change because steps are too short, or are rounded away by a coarse number format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.rules.case import Case, number
from gradtui.diagnosis.thresholds import LEAST_TOTAL_UPDATE
from gradtui.experiment.optimizers import usual_rate_of

SPACING = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
"""The least distance of two neighbouring numbers of a format, as a share of their size; the largest is twice that."""
WIDE_WEIGHTS = CureOffer(
    "keep the weights in float32",
    {},
    "Keep the parameters in float32 and compute under torch.autocast in the smaller format. Then even "
    "a short step changes them.",
)
LARGER_RATE = CureOffer(
    "larger learning rate",
    {},
    "In healthy training a step changes the weights by 1e-4 to 1e-2 of their size. Check the learning "
    "rate, its schedule and its warm-up.",
)


def standstill(case: Case) -> Finding | None:
    """Find a run in which the weights have moved too little for anything to be learned.

    The sum of all steps, even if all went in one direction, is a small share of the weights; in every net that learned
    it was some percent. Without a logged loss this is the only sign of such a run.
    """
    evidence = case.evidence
    ratios = evidence.update_ratio
    if evidence.experiment is not None or not len(ratios) or not case.nearly_done or case.started_learning:
        return None
    usual = [median_of_known(ratios.values[:, layer]) for layer in range(len(evidence.layers))]
    known = [moved for moved in usual if not np.isnan(moved)]
    steps = max(evidence.step, evidence.facts.step if evidence.facts is not None else 0)
    if not known or case.too_short or not max(known) * steps < LEAST_TOTAL_UPDATE:
        return None
    moved = (
        "do not change at all"
        if max(known) == 0
        else f"change by {number(max(known))} of their size in a step"
    )
    words = f"The weights {moved}, too little to learn anything in {steps:,} steps; {case.progress_text()}."
    return with_cause(case, Finding.of("not-learning", 1, (), words, (LARGER_RATE,)))


def with_cause(case: Case, finding: Finding | None) -> Finding | None:
    """Return a finding of a run that learns nothing; if rounding is the cause, its text begins with that."""
    spacing = SPACING.get(case.evidence.number_format)
    if finding is None or spacing is None:
        return finding
    wanted = _wanted_update(case)
    if not wanted < spacing / 2:
        return finding
    kind = case.evidence.number_format
    words = (
        f"The updates are too small for {kind}: a step would change the weights by {number(wanted)} of "
        f"their size, but {kind} rounds changes below {number(spacing / 2)} to nothing. "
        f"{finding.evidence}"
    )
    return replace(finding, evidence=words, cures=(WIDE_WEIGHTS, *finding.cures))


def _wanted_update(case: Case) -> float:
    """Return how far a step would move the weights without rounding, as a share of their size; NaN if unknown.

    A rule like Adam moves each number by the rate at most, plain descent by the rate times its gradient.
    """
    evidence = case.evidence
    weights, gradients = evidence.weight_norm, evidence.grad_norm
    if not len(weights) or not len(evidence.rate) or not len(gradients):
        return float("nan")
    rate = median_of_known(evidence.rate.values)
    size = np.nanmedian(weights.values, axis=0)
    if usual_rate_of(evidence.optimizer) is not None:
        length = rate * np.sqrt(np.asarray(evidence.parameters, np.float64))
    else:
        length = rate * np.nanmedian(gradients.values, axis=0)
    return median_of_known(np.asarray(length / size, np.float64))
