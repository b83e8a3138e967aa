"""Test verdicts on cures, from made-up outcomes and from evidence in the shapes of RECIPES.md."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradtui.diagnosis import Series, diagnose
from gradtui.diagnosis.evidence import Evaluation
from gradtui.diagnosis.outcome import Outcome, outcome_of, rank, verdict
from gradtui.judgement import VERDICT_MARKS
from tests.support.evidence import CHANCE, curve, evidence

FAILING = Outcome(("vanishing",), 500, 2.3, 0.104, 0.1, -11.8, 0.001)
WELL = Outcome((), 500, 0.05, 0.99, 0.96, 0.3, 0.0011)


def test_a_cure_that_takes_the_finding_away_and_learns_is_fixed() -> None:
    found = verdict(FAILING, WELL)
    assert (found.gone, found.left, found.new) == (("vanishing",), (), ())
    assert found.fixed
    assert found.better
    assert found.price == pytest.approx(1.1)
    said = found.lines()
    assert said[0] == "fixed: vanishing gone"
    assert verdict(FAILING, WELL).lines(ended=False)[0] == "so far: vanishing gone", (
        "a verdict needs the end of both"
    )
    assert "training accuracy 10.4% → 99.0%" in said
    assert "step time: 1.10×" in said
    batches = verdict(replace(FAILING, test_accuracy=math.nan, step=23), WELL).lines()
    assert "accuracy 10.4% → 99.0%" in batches, "of the last batches, where a run was not evaluated"
    assert not any("step time" in line for line in batches), "the first steps are slower than the others"
    assert "input ÷ output gradient: 2e-12 → 2" in said


@pytest.mark.parametrize(
    ("after", "head"),
    [
        (replace(WELL, codes=("dead-units",)), "better, not fixed: vanishing gone; dead-units new"),
        (replace(FAILING, accuracy=0.11), "not fixed: vanishing still there"),
        (
            replace(FAILING, codes=("exploding",), accuracy=0.02, loss=math.nan),
            "worse: vanishing gone; exploding new",
        ),
        (replace(WELL, accuracy=0.05), "worse: vanishing gone"),
    ],
)
def test_a_run_that_is_not_fixed_is_not_called_fixed(after: Outcome, head: str) -> None:
    found = verdict(FAILING, after)
    assert found.lines()[0] == head
    assert found.word in VERDICT_MARKS


def test_without_accuracies_the_loss_decides_and_nan_is_the_worst() -> None:
    regression = replace(FAILING, accuracy=math.nan)
    assert verdict(regression, replace(WELL, accuracy=math.nan)).better
    assert verdict(replace(regression, loss=math.nan), regression).better
    assert verdict(regression, replace(regression, loss=math.nan)).worse


@pytest.mark.parametrize(
    ("first", "before", "after", "better"),
    [
        # A likelihood, a cosine: a tenth of the way that the other one came decides.
        (0.5, -1.0, -3.0, True),
        (0.5, -1.0, -1.1, False),
        (-0.01, -0.02, -0.9, True),
        (3.0, 0.5, -0.5, True),
        (3.0, -0.4, -0.5, False),
    ],
)
def test_a_loss_below_zero_is_compared_by_how_far_it_came(
    first: float, before: float, after: float, better: bool
) -> None:
    one = replace(FAILING, accuracy=math.nan, loss=before, first_loss=first)
    other = replace(one, loss=after)
    assert verdict(one, other).better is better
    assert verdict(other, one).worse is better
    assert not verdict(one, other).worse


def test_a_change_of_a_healthy_training_is_better_or_no_better() -> None:
    healthy = replace(WELL, accuracy=math.nan)
    assert verdict(healthy, replace(healthy, loss=0.01)).word == "better"
    assert verdict(healthy, healthy).word == "no better"
    assert verdict(healthy, replace(healthy, loss=1.0)).word == "worse"
    assert verdict(healthy, replace(healthy, codes=("spikes",))).word == "not fixed"


def test_the_best_cure_ranks_first_and_the_cheaper_of_equals_before_the_dearer() -> None:
    dear, cheap = replace(WELL, seconds=0.005), replace(WELL, accuracy=0.985)
    order = rank(
        [
            ("none", FAILING),
            ("dear", dear),
            ("other problem", replace(WELL, codes=("saturated",))),
            ("cheap", cheap),
        ],
        FAILING,
    )
    assert [key for key, _ in order] == ["cheap", "dear", "other problem", "none"]


def test_the_outcome_follows_from_the_evidence() -> None:
    run = evidence(
        drop=-6.0,
        loss=curve(CHANCE, CHANCE),
        accuracy_series=Series.of(range(1, 121), [0.1] * 120),
        evaluations=(Evaluation(120, 2.3, 0.104, 2.31, 0.09),),
    )
    found = outcome_of(run, diagnose(run), 0.002)
    assert "vanishing" in found.codes
    assert found.accuracy == 0.104
    assert found.test_accuracy == 0.09
    assert found.drop == pytest.approx(-6.0, abs=0.2)
    assert found.loss == pytest.approx(CHANCE)
    before_any_evaluation = outcome_of(replace(run, evaluations=()), [], 0.002)
    assert before_any_evaluation.accuracy == pytest.approx(0.1)
