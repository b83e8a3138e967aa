"""What is left when gradients are healthy: updates too small or too large, and depth itself."""

from __future__ import annotations

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.case import DEVELOPED, FALLING, NOT_BEGUN, Case, fall, number
from gradtui.diagnosis.evidence import Evidence, Floats
from gradtui.diagnosis.findings import Finding, Severity
from gradtui.diagnosis.profile import EVEN, middle
from gradtui.diagnosis.updates import nothing_moves, usual_update

CLIPPED_SHARE = 0.95
"""Of the steps: clipping is no longer the exception."""
CLIPPED_TO = 0.1
"""Median of the norm after clipping over the norm before."""
PACE, LIVE_PACE = 2.0, 4.0
"""Halves of a run more that a falling loss is allowed until it leaves chance behind; and of a live one."""
FEWEST = 20
"""Steps whose median says where the loss is now; of a long run a tenth of it."""
WORSE = 0.1
"""Difference of the training accuracies from which on a deeper net counts as degraded; between seeds of one net of
SCIENCE.md it is 0.06."""
WORSE_LOSS = 0.1
"""Of the chance loss, for tasks without accuracy."""


def overclipped(case: Case) -> Finding | None:
    """A clipping threshold so far below the gradient's usual norm that nothing moves."""
    total, clipped = case.evidence.total_norm, case.evidence.clipped_norm
    if case.begun or not case.ripe or len(total) != len(clipped) or not len(total) or not _even(case):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = clipped.values / total.values
    share = float(np.mean(kept < 0.999))
    ratio = middle(kept)
    moved = usual_update(case)
    if share < CLIPPED_SHARE or not ratio <= CLIPPED_TO or moved >= cures.SMALLEST_UPDATE:
        return None
    words = (
        f"{share:.0%} of the steps are clipped, to {number(ratio)} of their norm ({number(middle(total.values))} "
        f"before); a step moves the weights by {number(moved)} of their size, healthy is 1e-4 to 1e-2; "
        f"{case.progress()}."
    )
    offers = cures.for_overclipped(case.evidence.experiment, middle(total.values))
    return Finding("overclipped", "warning", int(total.steps[0]), (), words, offers)


def degradation(case: Case, partner: Evidence | None) -> Finding | None:
    """A net that trains worse than a shallower one, on the training data, with even gradients (He et al. 2015)."""
    if partner is None or not case.evidence.finished or not _even(case):
        return None
    shallow = Case(partner)
    deep_layers, shallow_layers = len(case.evidence.hidden()), len(partner.hidden())
    if deep_layers <= shallow_layers or not shallow.begun:
        return None
    mine, theirs = _train_accuracy(case.evidence), _train_accuracy(partner)
    if np.isfinite(mine) and np.isfinite(theirs):
        worse = theirs - mine >= WORSE
        words = f"training accuracy {mine:.3f}, and {theirs:.3f} with {shallow_layers} hidden layers"
    else:
        worse = case.relative_loss - shallow.relative_loss >= WORSE_LOSS
        words = f"loss {number(case.loss_now)}, and {number(shallow.loss_now)} with {shallow_layers} hidden layers"
    if not worse:
        return None
    even = f"first and last of {deep_layers} hidden layers differ by a factor of {10 ** abs(case.depth.start):.2g}"
    return Finding(
        "degradation",
        "warning" if case.learned else "critical",
        case.evidence.step,
        (),
        f"The gradients are even ({even}), yet deeper is worse: {words}.",
        cures.for_degradation(case.evidence.experiment),
    )


def not_learning(case: Case) -> Finding | None:
    """Even gradients, and the loss stays where guessing would put it. Asked last, when no cause was found."""
    if case.begun or not np.isfinite(case.relative_loss) or not _time_enough(case) or _on_its_way(case):
        return None
    moved = usual_update(case)
    size = f"a step moves the weights by {number(moved)} of their size, healthy is 1e-4 to 1e-2"
    if moved < cures.SMALLEST_UPDATE:
        reason = f"{size}: the rate is too small"
    elif moved > cures.LARGEST_UPDATE:
        reason = f"{size}: the rate is too large"
    else:
        reason = "gradients and updates look healthy: look at the data, its labels and the rate"
    words = f"Nothing is learned: {case.progress()}; {reason}."
    severity: Severity = "critical" if case.evidence.finished else "warning"
    offers = cures.for_not_learning(case.evidence.experiment, moved)
    return Finding("not-learning", severity, case.evidence.step, (), words, offers)


def _on_its_way(case: Case) -> bool:
    """Whether the loss has fallen since the second quarter: clearly, perhaps from far above chance; or so that, at this
    pace, it will leave chance behind. A plateau may have ended only a few steps ago."""
    if nothing_moves(case):
        return False
    loss = case.evidence.loss.values
    quarter = len(loss) // 4
    before = loss[quarter : 2 * quarter]
    return any(_falls(case, before, loss[-span:]) for span in (quarter, max(FEWEST, len(loss) // 10)))


def _falls(case: Case, before: Floats, now: Floats) -> bool:
    fallen = fall(before, now)
    if fallen > (1.0 - FALLING) * middle(before):
        return True
    if case.evidence.finished:
        return middle(now) - PACE * fallen < NOT_BEGUN * case.chance
    # Of a live one the end is yet to come: even what may be chance is waited for.
    return middle(now) - LIVE_PACE * (middle(before) - middle(now)) < NOT_BEGUN * case.chance


def _even(case: Case) -> bool:
    return len(case.depth) > 0 and abs(case.depth.start) < EVEN


def _time_enough(case: Case) -> bool:
    """A run that is over after fewer steps than DEVELOPED is not blamed for not learning."""
    return case.nearly_done and case.evidence.step >= DEVELOPED


def _train_accuracy(evidence: Evidence) -> float:
    """Of the last evaluation, else of the last batches."""
    for evaluation in reversed(evidence.evaluations):
        if np.isfinite(evaluation.train_accuracy):
            return evaluation.train_accuracy
    return middle(evidence.accuracy.values[-10:])
