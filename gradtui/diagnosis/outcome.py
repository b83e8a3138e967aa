"""Define the outcome of a run, and the verdict on a cure: whether a run with it is better than the one without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradtui.diagnosis.evidence import Evidence, Floats
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.profile import over_depth
from gradtui.diagnosis.thresholds import DIFFERENT_ACCURACY, DIFFERENT_LOSS
from gradtui.words import number, ratio

AVERAGED_STEPS = 20
"""Steps over which a batch's loss and accuracy are averaged: a single batch says little."""

FEWEST_TIMED_STEPS = 50
"""Steps below which the time of a step is not compared in words: a run's first steps are slower than the others."""


@dataclass(frozen=True)
class Outcome:
    """An Outcome holds the figures of a run by which cures are compared."""

    codes: tuple[str, ...]
    """The codes of its findings that are critical or warnings."""
    step: int
    loss: float
    """The mean over the last AVERAGED_STEPS steps."""
    accuracy: float
    """The accuracy on the training set if it was evaluated, or else of the last batches; NaN where there is none."""
    test_accuracy: float
    drop: float
    """log10 of the first hidden layer's gradient over the last layer's, at present."""
    seconds: float
    """The time of a step, as `monitor.step_seconds` has it."""
    first_loss: float = math.nan
    """The loss of the first step."""

    @property
    def failing(self) -> bool:
        """Return whether anything was found."""
        return bool(self.codes)


def outcome_of(evidence: Evidence, findings: Sequence[Finding], seconds: float) -> Outcome:
    """Return the outcome of a run so far; `seconds` is what a step takes."""
    loss, accuracy = (_recent(series.values) for series in (evidence.loss, evidence.accuracy))
    last = evidence.evaluations[-1] if evidence.evaluations else None
    if last is not None and not math.isnan(last.train_accuracy):
        accuracy = last.train_accuracy
    return Outcome(
        codes=tuple(found.code for found in findings if found.severity != "info"),
        step=evidence.step,
        loss=loss,
        accuracy=accuracy,
        test_accuracy=last.test_accuracy if last is not None else math.nan,
        drop=over_depth(evidence).now if len(evidence.layers) > 2 else math.nan,
        seconds=seconds,
        first_loss=float(evidence.loss.values[0]) if len(evidence.loss) else math.nan,
    )


def _recent(values: Floats) -> float:
    recent = [float(value) for value in values[-AVERAGED_STEPS:]]
    return sum(recent) / len(recent) if recent else math.nan


@dataclass(frozen=True)
class Verdict:
    """A Verdict says which findings a cure has removed, and at what price."""

    gone: tuple[str, ...]
    left: tuple[str, ...]
    new: tuple[str, ...]
    before: Outcome
    after: Outcome

    @property
    def fixed(self) -> bool:
        """Return whether the findings are gone, no other one appeared, and the net learns no worse."""
        return bool(self.gone) and not self.left and not self.new and not self.worse

    @property
    def better(self) -> bool:
        """Return whether the net learns better than without the cure."""
        return _clearly_above(self.after, self.before)

    @property
    def worse(self) -> bool:
        """Return whether the net learns worse than without the cure."""
        return _clearly_above(self.before, self.after)

    @property
    def price(self) -> float:
        """Return the time of a step divided by that without the cure; NaN where one is unknown."""
        if not (self.before.seconds > 0 and self.after.seconds > 0):
            return math.nan
        return self.after.seconds / self.before.seconds

    @property
    def word(self) -> str:
        """Return the verdict in a word or two."""
        if self.fixed:
            return "fixed"
        if not self.before.failing and not self.new:
            return "better" if self.better else "worse" if self.worse else "no better"
        return "better, not fixed" if self.better else "worse" if self.worse else "not fixed"

    def lines(self, *, ended: bool = True) -> list[str]:
        """Return the verdict and its figures in words, a line each; before both runs have ended there is no verdict."""
        after, before = self.after, self.before
        changes = ((self.gone, "gone"), (self.left, "still there"), (self.new, "new"))
        parts = [f"{', '.join(codes)} {what}" for codes, what in changes if codes]
        lines = [(self.word if ended else "so far") + (": " + "; ".join(parts) if parts else "")]
        if not math.isnan(after.accuracy) and not math.isnan(before.accuracy):
            evaluated = not (math.isnan(before.test_accuracy) or math.isnan(after.test_accuracy))
            which = "training accuracy" if evaluated else "accuracy"
            lines.append(f"{which} {before.accuracy:.1%} → {after.accuracy:.1%}")
        # The charts show single batches and the finding the last step, so this figure says what it is.
        lines.append(f"loss {number(before.loss)} → {number(after.loss)}, mean of {AVERAGED_STEPS} steps")
        if math.isfinite(before.drop) and math.isfinite(after.drop):
            lines.append(f"input ÷ output gradient: {ratio(before.drop)} → {ratio(after.drop)}")
        if not math.isnan(self.price) and min(before.step, after.step) >= FEWEST_TIMED_STEPS:
            lines.append(f"step time: {self.price:.2f}×")
        return lines


def verdict(before: Outcome, after: Outcome) -> Verdict:
    """Return the verdict on a run with a cure, compared with the one without."""
    return Verdict(
        gone=tuple(code for code in before.codes if code not in after.codes),
        left=tuple(code for code in before.codes if code in after.codes),
        new=tuple(code for code in after.codes if code not in before.codes),
        before=before,
        after=after,
    )


def _clearly_above(one: Outcome, other: Outcome) -> bool:
    """Return whether one learned clearly more: by accuracy if both have one, else by the loss."""
    if not (math.isnan(one.accuracy) or math.isnan(other.accuracy)):
        return one.accuracy > other.accuracy + DIFFERENT_ACCURACY
    if not math.isfinite(other.loss):
        return math.isfinite(one.loss)
    if one.loss >= 0 and other.loss >= 0:
        return one.loss < DIFFERENT_LOSS * other.loss
    # A loss that goes below 0 has no zero point: the difference is measured by how far the losses have moved.
    way = max(abs(loss - first) for loss in (one.loss, other.loss) for first in _first_losses(one, other))
    return other.loss - one.loss > (1 - DIFFERENT_LOSS) * way


def _first_losses(one: Outcome, other: Outcome) -> list[float]:
    known = [outcome.first_loss for outcome in (one, other) if math.isfinite(outcome.first_loss)]
    return known or [0.0]


def rank(outcomes: Sequence[tuple[str, Outcome]], before: Outcome) -> list[tuple[str, Verdict]]:
    """Return cures by their key with their verdicts, best first: those that fix it, then by what the net learned.

    Among cures that differ by no more than two seeds would, the cheaper one comes first.

    Args:
        outcomes: the cures' keys and the outcomes of the runs with them.
        before: the outcome of the run without a cure.
    """
    left = sorted(((key, verdict(before, after)) for key, after in outcomes), key=_place)
    ranked: list[tuple[str, Verdict]] = []
    while left:
        best = left[0][1]
        equals = [
            entry
            for entry in left
            if entry[1].fixed == best.fixed and not _clearly_above(best.after, entry[1].after)
        ]
        ranked += sorted(equals, key=lambda entry: entry[1].price if entry[1].price > 0 else math.inf)
        left = [entry for entry in left if entry not in equals]
    return ranked


def _place(entry: tuple[str, Verdict]) -> tuple[bool, float, float]:
    after = entry[1].after
    accuracy = 0.0 if math.isnan(after.accuracy) else after.accuracy
    return (not entry[1].fixed, -accuracy, after.loss if math.isfinite(after.loss) else math.inf)
