"""Find what is wrong with nets that have healthy gradients: clipping, updates that are too small or too large, and
depth."""

from __future__ import annotations

import math
import re

import numpy as np

from gradtui.diagnosis import cures
from gradtui.diagnosis.evidence import Evidence, Floats
from gradtui.diagnosis.findings import CureOffer, Finding, Severity
from gradtui.diagnosis.loss import loss_fall
from gradtui.diagnosis.profile import head_strengths, median_of_known
from gradtui.diagnosis.rules.case import Case, number, times
from gradtui.diagnosis.rules.unstable import explained_rise
from gradtui.diagnosis.thresholds import (
    CLIPPED_RATIO,
    CLIPPED_SHARE,
    CONSTANT_SCATTER,
    FALLEN_BACK_RATIO,
    FALLING_RATIO,
    FAR_UNEQUAL_HEADS,
    FEWEST_LOSS_STEPS,
    FEWEST_LOSSES,
    HALVES_TO_GO,
    HALVES_TO_GO_LIVE,
    LARGEST_UPDATE,
    ROUGHLY_EVEN_DECADES,
    SMALLEST_UPDATE,
    UNEQUAL_HEADS,
    UNLEARNED_LOSS,
    WARMUP_STEPS,
    WORSE_ACCURACY,
    WORSE_LOSS,
)


def overclipped(case: Case) -> Finding | None:
    """Find a clipping threshold so far below the gradient's usual norm that nothing moves."""
    total, clipped = case.evidence.total_norm, case.evidence.clipped_norm
    if case.started_learning or not case.has_enough_steps or not _is_even(case):
        return None
    if len(total) != len(clipped) or not len(total):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = clipped.values / total.values
    share = float(np.mean(kept < 0.999))
    ratio = median_of_known(kept)
    moved = case.recent_update
    if share < CLIPPED_SHARE or not ratio <= CLIPPED_RATIO or moved >= SMALLEST_UPDATE:
        return None
    usual = median_of_known(total.values)
    words = (
        f"Clipping shortens the gradient in {share:.0%} of the steps, to {number(ratio)} of its norm "
        f"({number(usual)} before clipping). {_moved_text(moved)}; {case.progress_text()}."
    )
    offers = cures.for_overclipped(case.evidence.experiment, usual, case.measured())
    return Finding.of("overclipped", int(total.steps[0]), (), words, offers)


def unequal_heads(case: Case) -> Finding | None:
    """Find a head that gives the body it shares with another nearly all of its gradient, as its loss is far larger.

    The body learns for that head alone. Where the whole gradient is clipped, too, the other head's share becomes next
    to nothing: that is a warning, and otherwise the difference is information.
    """
    sizes = head_strengths(case.evidence)
    if not sizes or not case.has_enough_steps:
        return None
    strong, weak = max(sizes, key=lambda head: sizes[head]), min(sizes, key=lambda head: sizes[head])
    apart = sizes[strong] - sizes[weak]
    if apart < UNEQUAL_HEADS:
        return None
    larger, smaller = case.called(strong), case.called(weak)
    words = (
        f"The gradient of the layers that {larger} and {smaller} share comes from {larger}: a weight "
        f"there has {times(apart)} the gradient of one in {smaller}. The reason is the size of its "
        "loss, not the depth of the net"
    )
    ratio = _kept_by_clipping(case)
    clipped_away = apart >= FAR_UNEQUAL_HEADS and ratio <= CLIPPED_RATIO
    if clipped_away:
        words += f". Clipping leaves {number(ratio)} of the norm, so {smaller} gets almost no gradient"
    factor = f"{10.0 ** -round(apart):.0e}"
    offer = CureOffer(
        "weight the losses",
        {},
        f"With a factor on the loss of {larger}, both heads train the layers that they share.",
        "one number to choose.",
        code=(
            "# where the two losses are added; or bring the targets of the larger one to a deviation of 1\n"
            f"loss = loss_of_{_plain(smaller)} + {factor} * loss_of_{_plain(larger)}"
        ),
    )
    code: str = "overclipped" if clipped_away else "exploding"
    severity: Severity = "warning" if clipped_away else "info"
    step = int(case.evidence.grad_norm.steps[0])
    return Finding(code, severity, step, case.names([strong, weak]), f"{words}.", (offer,))


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def _kept_by_clipping(case: Case) -> float:
    """Return the usual share of the gradient's norm that clipping leaves; NaN where it was not recorded."""
    total, clipped = case.evidence.total_norm, case.evidence.clipped_norm
    if len(total) != len(clipped) or not len(total):
        return math.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return median_of_known(clipped.values / total.values)


def degradation(case: Case, partner: Evidence | None) -> Finding | None:
    """Find a net that trains worse than a shallower one, on the training data, with even gradients (He et al. 2015)."""
    if partner is None or not case.evidence.finished or not _is_even(case):
        return None
    shallow = Case(partner)
    deep_layers, shallow_layers = len(case.evidence.hidden()), len(partner.hidden())
    if deep_layers <= shallow_layers or not shallow.started_learning:
        return None
    mine, theirs = _train_accuracy(case.evidence), _train_accuracy(partner)
    if np.isfinite(mine) and np.isfinite(theirs):
        worse = theirs - mine >= WORSE_ACCURACY
        words = f"the training accuracy is {mine:.1%}, but {theirs:.1%} with {shallow_layers} hidden layers"
    else:
        worse = case.relative_loss - shallow.relative_loss >= WORSE_LOSS
        words = (
            f"the loss is {number(case.loss_now)}, but {number(shallow.loss_now)} with {shallow_layers} "
            "hidden layers"
        )
    if not worse:
        return None
    even = (
        f"those of the first and last of {deep_layers} hidden layers differ by a factor of "
        f"{10 ** abs(case.depth.start):.2g}"
    )
    return Finding.of(
        "degradation",
        case.evidence.step,
        (),
        f"The gradients are even ({even}), yet the deeper net is worse: {words}.",
        cures.for_degradation(case.evidence.experiment, case.measured()),
        mild=case.learned,
    )


def not_learning(case: Case) -> Finding | None:
    """Find a loss that stays at that of guessing, with even gradients; the last rule, if no cause was found."""
    # A run that ended before the end of the warm-up had no chance to learn.
    enough = case.nearly_done and case.evidence.step >= WARMUP_STEPS
    if case.started_learning or not enough or not _is_stuck(case):
        return None
    moved = case.recent_update
    size = _moved_text(moved)
    if moved < SMALLEST_UPDATE:
        reason = f"{size}, so the learning rate is too small"
    elif moved > LARGEST_UPDATE:
        reason = f"{size}, so the learning rate is too large"
    else:
        reason = f"Gradients and updates look healthy{_where_to_look(case)}"
    if case.stands_still:
        reason = "The loss is the same in every batch, as if the answers did not depend on the input"
    words = f"Nothing is learned: {case.progress_text()}. {reason}."
    offers = cures.for_not_learning(case.evidence.experiment, case.measured())
    return Finding.of("not-learning", case.evidence.step, (), words, offers, mild=not case.evidence.finished)


def _moved_text(moved: float) -> str:
    if moved == 0:
        return "No step moves the weights"
    return f"A step changes the weights by {number(moved)} of their size (healthy: 1e-4 to 1e-2)"


def _is_stuck(case: Case) -> bool:
    """Return whether the loss stays where it began.

    A loss without a floor that moves may mean anything: it is stuck only if it has not fallen and has stopped moving,
    or if the weights have. A loss that scatters by its own size, or on both sides of 0, has no level to compare. With
    few losses the answer is no.
    """
    loss = case.loss
    script = case.evidence.experiment is None
    if case.stands_still:
        return True
    if explained_rise(case) is not None and not case.nothing_moves:
        return False
    if script and (len(loss.values) < FEWEST_LOSSES or loss.around_zero):
        return False
    if np.isfinite(case.relative_loss):
        if script and loss.scatters_widely and not case.nothing_moves:
            return False
        return not _on_its_way(case)
    if loss.in_multiples or case.evidence.trained_before:
        return False
    late = loss.values[-len(loss.values) // 3 :]
    span = float(loss.values.max() - loss.values.min())
    return case.nothing_moves or bool(np.ptp(late) <= CONSTANT_SCATTER * span)


def _where_to_look(case: Case) -> str:
    """Return in words what stands out in the experiment; this names the data only if nothing stands out."""
    parts = cures.what_stands_out(case.evidence.experiment) if case.evidence.experiment else []
    return f", but {'; '.join(parts)}" if parts else ": check the data, the labels and the learning rate"


def _on_its_way(case: Case) -> bool:
    """Return whether the loss has fallen since the second quarter: clearly, even if from far above chance, or so fast
    that it will leave chance behind. A plateau may have ended only a few steps ago."""
    over = case.evidence.finished and _halves_left(case) == 0.0
    if case.nothing_moves or over or _has_fallen_back(case):
        return False
    loss = case.evidence.loss.values
    quarter = len(loss) // 4
    if not quarter:
        return False
    before = loss[quarter : 2 * quarter]
    return any(
        _falls(case, before, loss[-span:]) for span in (quarter, max(FEWEST_LOSS_STEPS, len(loss) // 10))
    )


def _has_fallen_back(case: Case) -> bool:
    """Return whether a finished run's loss has risen again from its lowest level to near that of guessing."""
    lowest = case.loss.lowest
    return (
        case.evidence.finished
        and lowest is not None
        and lowest.rise > 0
        and lowest.now > FALLEN_BACK_RATIO * lowest.level
    )


def _falls(case: Case, before: Floats, now: Floats) -> bool:
    fallen = loss_fall(before, now)
    if fallen > (1.0 - FALLING_RATIO) * median_of_known(before):
        return True
    unlearned = UNLEARNED_LOSS * float(np.fmin(case.chance_loss, case.loss.constant))
    if case.evidence.finished:
        return median_of_known(now) - min(HALVES_TO_GO, _halves_left(case)) * fallen < unlearned
    # A live run may still learn, so even a fall that may be chance counts.
    fall = median_of_known(before) - median_of_known(now)
    return median_of_known(now) - min(HALVES_TO_GO_LIVE, _halves_left(case)) * fall < unlearned


def _halves_left(case: Case) -> float:
    """Return how many more half-lengths of the run the learning rate lasts; infinite where it does not decay."""
    experiment = case.evidence.experiment
    if experiment is None or experiment.optimizer.schedule == "constant":
        return math.inf
    half = max(1.0, 0.5 * case.evidence.step)
    return max(0.0, case.evidence.steps_planned - case.evidence.step) / half


def _is_even(case: Case) -> bool:
    return len(case.depth) > 0 and abs(case.depth.start) < ROUGHLY_EVEN_DECADES


def _train_accuracy(evidence: Evidence) -> float:
    """Return the training accuracy of the last evaluation, or else of the last batches."""
    for evaluation in reversed(evidence.evaluations):
        if np.isfinite(evaluation.train_accuracy):
            return evaluation.train_accuracy
    return median_of_known(evidence.accuracy.values[-10:])
