"""What a run came to, in the figures that studies compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import Finding, codes_with
from gradtui.diagnosis.outcome import Outcome
from gradtui.diagnosis.profile import over_depth, over_lags
from gradtui.diagnosis.rules.case import Case
from gradtui.study.chart import OUTCOMES
from gradtui.study.spec import Quantity

_STARVES = codes_with("starves")
_EXPLODES = codes_with("explodes")
_DEAD = codes_with("dead")


@dataclass(frozen=True)
class Measures:
    """The figures of one run at its end; NaN where there is no such figure."""

    train_accuracy: float
    test_accuracy: float
    loss: float
    """Mean over the last 20 steps, of batches."""
    drop: float
    """log10 of the gradient at the first hidden layer ÷ the last, at the start: D0 of SCIENCE.md."""
    lag_drop: float
    """The same over time lags: of the longest lag ÷ lag 0."""
    step_time: float
    """Seconds, by the median; a pretraining is shared out to the steps."""
    outcome: float
    """Index in chart.OUTCOMES."""

    def of(self, quantity: Quantity) -> float:
        """The figure of that name."""
        value: float = getattr(self, quantity)
        return value


def measures_of(evidence: Evidence, findings: Sequence[Finding], outcome: Outcome) -> Measures:
    """The figures of a run by its evidence and what was made of it already."""
    lags = over_lags(evidence.hidden_grad)
    return Measures(
        train_accuracy=outcome.accuracy,
        test_accuracy=outcome.test_accuracy,
        loss=outcome.loss,
        drop=over_depth(evidence).start if len(evidence.layers) > 2 else math.nan,
        lag_drop=lags.start if len(lags) else math.nan,
        step_time=outcome.seconds,
        outcome=float(OUTCOMES.index(_outcome(evidence, {finding.code for finding in findings}))),
    )


def _outcome(evidence: Evidence, codes: set[str]) -> str:
    if codes & _EXPLODES:
        return "exploding"
    if codes & _STARVES:
        return "vanishing"
    if codes & _DEAD:
        return "dead"
    return "learned" if Case(evidence).learned else "slow"
