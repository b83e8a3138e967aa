"""Find a loss that swings, that has jumped and not recovered, or that has risen again after the net had learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.diagnosis import cures
from gradtui.diagnosis.evidence import Floats
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.loss import LowestLevel, roughness_of, scatter_of
from gradtui.diagnosis.profile import median_of_known
from gradtui.diagnosis.rules.case import Case, number
from gradtui.diagnosis.rules.units import dead_layers
from gradtui.diagnosis.thresholds import (
    FEWEST_LOSSES,
    FEWEST_UNSTABLE_STEPS,
    JUMP_SCATTER,
    JUMPED_LOSS,
    LASTING_STEPS,
    LEARNED_LOSS,
    LOST_ACCURACY,
    LOST_LOSS,
    RAISED_RATE,
    SMOOTH_SHARE,
    SMOOTHED_STEPS,
    TARGET_RISE,
    TERM_RISE,
    UNSTABLE_END_SHARE,
    UNSTABLE_LOSS,
    UNSTABLE_SHARE,
)
from gradtui.words import setting

JUMP_STEPS = 3
"""A loss has jumped if the median of this many losses is high, so that one odd batch does not count."""
MEDIANS_A_SPAN = 16
"""The number of running medians within the length of one span; one at every value of a long series would cost the
square of its length."""


def unstable_loss(case: Case) -> Finding | None:
    """Find a loss that is above chance again and again (RECIPES.md, rule 2), or that jumped and has not recovered."""
    swinging = swings(case)
    offers = cures.for_unstable_loss(case.evidence.experiment, case.measured())
    if swinging is not None:
        step, share = swinging
        highest = float(np.nanmax(case.evidence.loss.highest))
        words = (
            f"The loss was above {UNSTABLE_LOSS}× {_origin(case)} in {share:.0%} of the steps after "
            f"the first quarter, and its highest value was {number(highest)}."
        )
        return Finding.of("unstable-loss", step, (), words, offers, mild=case.learned)
    jump = _jump(case)
    if jump is None:
        return None
    step, highest = jump
    words = f"The loss jumped to {number(highest)} at step {step:,} ({case.reference_text()}); {case.progress_text()}."
    return Finding.of("unstable-loss", step, (), words, offers, mild=case.started_learning)


def risen_again(case: Case) -> Finding | None:
    """Find the loss of an experiment that had learned and has lost much of it again, below the loss of guessing.

    A script's loss may rise for good reasons (other data, another weight of a term), and its answers are not known.
    """
    lowest = case.loss.lowest
    if not case.evidence.chance_loss > 0 or lowest is None:
        return None
    guessing = case.chance_loss
    if not (lowest.level <= LEARNED_LOSS * guessing and lowest.rise >= LOST_LOSS * guessing):
        return None
    steps = case.evidence.loss.steps[np.isfinite(case.evidence.loss.values)]
    answers = ""
    if len(case.evidence.accuracy):
        best, now = (
            _accuracy_in(case, steps[rows]) for rows in (lowest.rows, slice(-len(steps[lowest.rows]), None))
        )
        if not best - now >= LOST_ACCURACY:
            return None
        answers = f"; the accuracy of the batches fell from {best:.0%} to {now:.0%}"
    step = int(steps[_row_of_rise(case.loss.values, lowest)])
    raised = _raised_rate(case, step)
    # A loss that falls again without a change of the rate is left time to come back.
    passing = case.evidence.step - step < LASTING_STEPS or (not raised and case.loss_is_falling)
    if passing and not case.evidence.finished:
        return None
    words = (
        f"The loss had fallen to {number(lowest.level)} and has risen to {number(lowest.now)} since step {step:,} "
        f"({case.reference_text()}){answers}{raised}."
    )
    offers = cures.for_unstable_loss(case.evidence.experiment, case.measured())
    return Finding.of("unstable-loss", step, (), words, offers, mild=case.started_learning)


def _row_of_rise(losses: Floats, lowest: LowestLevel) -> int:
    """Return the row from which the loss is above the middle between its lowest and its present level.

    The first long stretch whose median is that high is found first, since single losses are that high before.
    """
    first, middle = lowest.rows.start, lowest.level + 0.5 * lowest.rise
    span = lowest.rows.stop - first
    first += int(np.argmax(running_median(losses[first:], span) > middle))
    first += int(np.argmax(running_median(losses[first:], SMOOTHED_STEPS) > middle))
    return int(first + np.argmax(losses[first:] > middle))


def _accuracy_in(case: Case, steps: NDArray[np.int64]) -> float:
    """Return the median accuracy of the batches of these steps; NaN where it was not recorded."""
    accuracy = case.evidence.accuracy
    return median_of_known(accuracy.values[(accuracy.steps >= steps[0]) & (accuracy.steps <= steps[-1])])


def _raised_rate(case: Case, step: int) -> str:
    """Return in words that the learning rate was raised before this step; empty where it was not."""
    rate = case.evidence.rate
    before, after = rate.values[:-1], rate.values[1:]
    raised = np.flatnonzero((after > RAISED_RATE * before) & (rate.steps[1:] <= step))
    if not len(raised):
        return ""
    row = int(raised[-1])
    return (
        f". The learning rate was raised from {setting(float(before[row]))} to {setting(float(after[row]))} "
        f"at step {int(rate.steps[row + 1]):,}"
    )


def swings(case: Case) -> tuple[int, float] | None:
    """Return the first step at which the loss swings, and the share of the steps in which it does; else None."""
    loss = case.evidence.loss
    enough = case.evidence.step >= FEWEST_UNSTABLE_STEPS and len(loss) >= FEWEST_UNSTABLE_STEPS
    reference = reference_loss(case)
    if not enough or not case.past_warmup or not reference > 0:
        return None
    if dead_layers(case, at_start=True):
        # Only the biases behind the dead layer move, and their loss says nothing about the rest.
        return None
    if explained_rise(case) is not None:
        return None
    values = np.where(np.isfinite(loss.values), loss.values, np.inf)
    span = max(SMOOTHED_STEPS, len(values) // 20)
    lowest = np.minimum.accumulate(running_median(values, span))
    lowest = np.concatenate([np.full(span - 1, lowest[0]), lowest])
    factor = UNSTABLE_LOSS
    if case.loss.scatters_widely and not np.isfinite(case.evidence.chance_loss):
        # Single losses can be high by chance, so their median counts. Where the scale of a loss follows the data
        # (returns, the targets of a Q-function), it grows by some factor in healthy trainings too.
        values, factor = np.concatenate([values[: span - 1], running_median(values, span)]), JUMPED_LOSS
    high = values > factor * np.maximum(reference, lowest)
    weights = np.diff(loss.steps, append=loss.steps[-1] + 1).astype(np.float64)
    length = loss.steps[-1] - loss.steps[0]

    def share_after(part: float) -> float:
        later = loss.steps > loss.steps[0] + part * length
        return float((weights * high)[later].sum() / weights[later].sum())

    share = share_after(0.25)
    if share < UNSTABLE_SHARE or (case.learned and share_after(1.0 - UNSTABLE_END_SHARE) < UNSTABLE_SHARE):
        return None
    return int(loss.steps[np.flatnonzero(high)[0]]), share


def _jump(case: Case) -> tuple[int, float] | None:
    """Return the step at which a script's loss jumped to many times that of guessing, and how high it came.

    Return None if the net learned well afterwards, or if the loss began that high. A jump at step 2 counts even if the
    loss falls back to that of guessing, since dead or saturated layers have that loss.
    """
    loss = case.evidence.loss
    if (
        case.evidence.experiment is not None
        or explained_rise(case) is not None
        or case.learns_anyway
        or case.loss_is_falling
        or not case.past_warmup
    ):
        return None
    reference = reference_loss(case)
    if not reference > 0 or len(loss) < FEWEST_LOSSES:
        return None
    values = np.where(np.isfinite(loss.values), loss.values, np.inf)
    usual = running_median(values, JUMP_STEPS)
    begun = case.chance_loss if np.isfinite(case.chance_loss) else case.loss.first
    level = max(JUMPED_LOSS * begun, reference + JUMP_SCATTER * case.loss.scatter)
    high = np.flatnonzero(usual > level)
    if not len(high) or not values[: high[0] + 1].min() < UNSTABLE_LOSS * reference:
        return None
    row = int(np.flatnonzero(values > UNSTABLE_LOSS * reference)[0])
    return int(loss.steps[row]), float(np.nanmax(loss.highest))


@dataclass(frozen=True)
class ExplainedRise:
    """An ExplainedRise is a rise of the loss that healthy trainings have too, with its highest point and its reason."""

    step: int
    level: float
    reason: str


def explained_rise(case: Case) -> ExplainedRise | None:
    """Return the rise of a script's loss if one of its terms or its targets explain it; else None."""
    loss = case.loss
    if case.evidence.experiment is not None or len(loss.values) < FEWEST_UNSTABLE_STEPS:
        return None
    if len(loss.values) < len(loss.series) or not loss.first > 0:
        return None
    usual = running_median(loss.values, SMOOTHED_STEPS)
    peak = int(np.argmax(usual))
    level = float(usual[peak])
    high = loss.values[loss.values > UNSTABLE_LOSS * loss.first]
    if not level > UNSTABLE_LOSS * loss.first or not len(high):
        return None
    reason = _risen_term(case, peak, level) or _grown_targets(case, level)
    return ExplainedRise(int(loss.series.steps[peak]), level, reason) if reason else None


def _risen_term(case: Case, peak: int, level: float) -> str:
    """Return why a loss of several terms rose, if it did not swing; empty where it is no such rise.

    A term that begins near 0 grows in healthy trainings to several times the whole of the start: the distance of codes,
    a divergence whose weight is raised, the disagreement with a teacher, an adversary that gets better. So the sum says
    nothing about what is learned. A loss that swings, or that has gone to far above every term, is no such rise.
    """
    loss = case.loss
    rough = roughness_of(loss.values[max(0, peak - SMOOTHED_STEPS) : peak + 2 * SMOOTHED_STEPS])
    if loss.terms < 2 or not level < TERM_RISE * loss.first or not rough <= SMOOTH_SHARE * level:
        return ""
    return (
        f"It is the sum of {loss.terms} terms, and one of them may grow in a healthy training, so the "
        "sum does not show what is learned: log each term under its own name."
    )


def _grown_targets(case: Case, level: float) -> str:
    """Return why the error of numbers rose, if its targets have grown; empty where that is not a reason.

    The targets of a Q-function are its own later values, which grow with the returns while it learns. A squared error
    grows with the square of its targets at most. Values that run away grow by the same factor again and again, so
    their error rises until the end, by more each time. Answers that are no better than a constant have learned nothing.
    """
    growth = case.evidence.target_growth
    third, fourth = np.array_split(case.loss.values, 4)[2:]
    runs_away = median_of_known(fourth) > TARGET_RISE * median_of_known(third)
    if (
        case.loss.only_constant
        or not growth > 1.0
        or runs_away
        or not level < UNSTABLE_LOSS * growth * case.loss.first
    ):
        return ""
    return (
        f"Its targets have moved by {number(float(np.sqrt(growth)))} times their spread at the start, "
        "as those of a Q-function do while its returns grow. So the loss does not show what is "
        "learned: log the return as the metric."
    )


def remark_on_rise(case: Case) -> Finding | None:
    """Remark on a loss that rose although nothing need be wrong, with the reason."""
    risen = explained_rise(case)
    if risen is None:
        return None
    words = (
        f"The loss rose to {number(risen.level)} at step {risen.step:,} ({number(case.loss.first)} at "
        f"the start). {risen.reason}"
    )
    return Finding("unstable-loss", "info", risen.step, (), words)


def reference_loss(case: Case) -> float:
    """Return the loss that multiples refer to: that of guessing, or that of the start; NaN if neither has a meaning.

    The loss of trained weights scatters near its floor; its reference is above that scatter.
    """
    if np.isfinite(case.chance_loss):
        return case.chance_loss
    loss = case.loss
    if not loss.in_multiples or not len(loss.values):
        return float("nan")
    return loss.first + JUMP_SCATTER * scatter_of(loss.values[:FEWEST_LOSSES])


def _origin(case: Case) -> str:
    known = np.isfinite(case.evidence.chance_loss)
    return f"{'guessing' if known else 'the start'} ({number(reference_loss(case))})"


def running_median(values: Floats, span: int) -> Floats:
    """Return the median of every `span` values in a row, (n - span + 1,) of (n,).

    For a long span only MEDIANS_A_SPAN are computed within its length, and the values between two of them repeat the
    earlier one, so that the cost depends only on the length of the series.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, span)
    stride = max(1, span // MEDIANS_A_SPAN)
    medians = np.median(windows[::stride], axis=1)
    return np.asarray(np.repeat(medians, stride)[: len(windows)], np.float64)
