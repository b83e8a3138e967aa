"""Compute the numbers of one run that studies compare, chart and export."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradtui.diagnosis.evidence import Evidence
from gradtui.diagnosis.findings import Finding, codes_with
from gradtui.diagnosis.outcome import Outcome
from gradtui.diagnosis.profile import over_depth, over_lags
from gradtui.diagnosis.rules.case import Case
from gradtui.study.chart_data import OUTCOMES
from gradtui.study.spec import Quantity

_VANISHING = codes_with("vanishes")
_EXPLODING = codes_with("explodes")
_DEAD = codes_with("dead")


@dataclass(frozen=True)
class RunResult:
    """A RunResult holds the results of one run; a value that the run does not have is NaN."""

    train_accuracy: float
    test_accuracy: float
    loss: float
    """The mean loss of the batches of the last 20 steps."""
    drop: float
    """log10 of the first hidden layer's gradient ÷ the last hidden layer's at the start; D0 of RECIPES.md."""
    lag_drop: float
    """log10 of the hidden gradient at the longest time lag ÷ the one at lag 0, at the start."""
    step_time: float
    """The median time of a step plus its share of a pretraining, in seconds."""
    outcome: float
    """The index of the outcome in chart_data.OUTCOMES."""

    def value(self, quantity: Quantity) -> float:
        """Return the value of the quantity of that name."""
        value: float = getattr(self, quantity)
        return value


def result_of(evidence: Evidence, findings: Sequence[Finding], outcome: Outcome) -> RunResult:
    """Return the result of a run from its evidence, and from the findings and outcome made of it."""
    lags = over_lags(evidence.hidden_grad)
    return RunResult(
        train_accuracy=outcome.accuracy,
        test_accuracy=outcome.test_accuracy,
        loss=outcome.loss,
        drop=over_depth(evidence).start if len(evidence.layers) > 2 else math.nan,
        lag_drop=lags.start if len(lags) else math.nan,
        step_time=outcome.seconds,
        outcome=float(OUTCOMES.index(_outcome(evidence, {finding.code for finding in findings}))),
    )


def _outcome(evidence: Evidence, codes: set[str]) -> str:
    if codes & _EXPLODING:
        return "exploding"
    if codes & _VANISHING:
        return "vanishing"
    if codes & _DEAD:
        return "dead"
    return "learned" if Case(evidence).learned else "slow"
