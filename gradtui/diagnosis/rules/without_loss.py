"""Judge the norm of the whole gradient over time in a script whose loss is not known."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.rules.case import Case, number
from gradtui.diagnosis.thresholds import (
    COLLAPSED_NORM,
    FEWEST_NORMS,
    RUNAWAY_NORM,
    WARMUP_STEPS,
)


def runaway_norm(case: Case) -> Finding | None:
    """Find a norm that has grown by decades and has not come back, as in no training that goes well.

    Without a loss the harm is unknown, so this is never critical.
    """
    ends = _ends(case)
    if ends is None or not ends[1] >= RUNAWAY_NORM * ends[0]:
        return None
    total = case.evidence.total_norm
    step = int(total.steps[np.flatnonzero(total.values >= RUNAWAY_NORM * ends[0])[0]])
    words = (
        f"The norm of the whole gradient grew from {number(ends[0])} to {number(ends[1])} in "
        f"{case.evidence.step:,} steps and has not come back. No loss was recorded, so it is not known whether "
        "this does harm."
    )
    offers = cures.for_exploding(case.evidence.experiment, case.measured())
    return Finding.of("exploding", step, (), words, offers, mild=True)


def collapsed_norm(case: Case) -> Finding | None:
    """Remark on a norm that is almost 0: everything is learned, or no gradient reaches the weights any more."""
    ends = _ends(case)
    if ends is None or not 0 < ends[1] <= COLLAPSED_NORM * ends[0]:
        return None
    words = (
        f"The norm of the whole gradient fell from {number(ends[0])} to {number(ends[1])} in "
        f"{case.evidence.step:,} steps: either everything is learned, or the output is stuck. No loss "
        "was recorded that could show which."
    )
    return Finding("vanishing", "info", case.evidence.step, (), words)


def _ends(case: Case) -> tuple[float, float] | None:
    """Return the norm at the beginning and at the end; None if there is a loss or too few norms."""
    evidence = case.evidence
    values = evidence.total_norm.values[np.isfinite(evidence.total_norm.values)]
    known = evidence.experiment is None and not len(evidence.loss) and not len(evidence.progress)
    if not known or len(values) < FEWEST_NORMS or evidence.step < WARMUP_STEPS:
        return None
    part = max(FEWEST_NORMS // 4, len(values) // 8)
    first, last = median_of_known(values[:part]), median_of_known(values[-part:])
    return (first, last) if first > 0 else None
