"""Choose what a repair of an experiment trains next: the best advice on its last training, or on its best one.

`gradtui fix` and the lab train the experiments; this module only reads the results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.monitor import RunDiagnosis
from gradtui.diagnosis.outcome import Outcome, outcome_of, verdict
from gradtui.experiment import Experiment, set_fields

MOST_CANDIDATES = 4
"""The most cures that are compared between two trainings."""


@dataclass(frozen=True)
class Attempt:
    """An Attempt is one training within a repair: of the experiment as it was given, then with one more cure each."""

    experiment: Experiment
    cure: CureOffer | None
    """The change before this training; None for the first."""
    findings: tuple[Finding, ...]
    advice: tuple[CureOffer, ...]
    """The cures to try next, the best first."""
    begun: bool
    """Whether the net has begun to learn."""
    learned: bool
    """Whether the net has learned most of what the data allow."""
    outcome: Outcome

    @property
    def clean(self) -> bool:
        """Return whether nothing was found and the net has begun to learn."""
        return self.begun and not self.findings

    @property
    def fixed(self) -> bool:
        """Return whether nothing was found and the net has learned, so that the repair is done."""
        return self.learned and not self.findings


def attempt_of(experiment: Experiment, cure: CureOffer | None, diagnosis: RunDiagnosis) -> Attempt:
    """Return the attempt whose training has this diagnosis."""
    advice = tuple(offer for finding in diagnosis.findings for offer in finding.cures)
    return Attempt(
        experiment,
        cure,
        diagnosis.findings,
        advice or diagnosis.advice,
        diagnosis.learns,
        diagnosis.learned,
        outcome_of(diagnosis.evidence, diagnosis.findings, math.nan),
    )


def best_of(attempts: Sequence[Attempt]) -> Attempt:
    """Return the best attempt: a fixed one, else a clean one, else any; then by what it learned, then the earliest."""
    best = attempts[0]
    for attempt in attempts[1:]:
        place, before = _place(attempt), _place(best)
        if place > before or (place == before and verdict(best.outcome, attempt.outcome).better):
            best = attempt
    return best


def _place(attempt: Attempt) -> int:
    return 2 * attempt.fixed + attempt.clean


def needs_more(attempts: Sequence[Attempt]) -> bool:
    """Return whether another cure should be tried: the last attempt is not fixed, and the first was not clean.

    A net is left unchanged if nothing was found in its first training and it began to learn.
    """
    return not attempts[-1].fixed and not attempts[0].clean


def next_cures(attempts: Sequence[Attempt]) -> tuple[Attempt, tuple[CureOffer, ...]]:
    """Return the attempt that the next one changes, and its cures that lead to new experiments, the best first.

    It is the last attempt, or the best one if the last was worse than an earlier one; then the others follow.
    """
    last, best = attempts[-1], best_of(attempts)
    went_worse = last is not best and verdict(best.outcome, last.outcome).worse
    order = [best, last] if went_worse else [last, best]
    for attempt in (*order, *reversed(attempts)):
        offers = tuple(_untried(attempt, attempts))
        if offers:
            return attempt, offers[:MOST_CANDIDATES]
    return last, ()


def _untried(attempt: Attempt, attempts: Sequence[Attempt]) -> Iterator[CureOffer]:
    tried = [made.experiment for made in attempts]
    for offer in attempt.advice:
        if offer.set and (cured := set_fields(attempt.experiment, offer.set)) not in tried:
            tried.append(cured)
            yield offer
