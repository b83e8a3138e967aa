"""Test which cure a repair trains next, and how trials rank the cures."""

from __future__ import annotations

import math

import pytest

from gradtui.diagnosis.findings import CureOffer, Finding
from gradtui.diagnosis.outcome import Outcome
from gradtui.experiment import resolve, set_fields
from gradtui.study.fixing import Attempt, best_of, needs_more, next_cures
from gradtui.study.trials import CureTrial, ranked, trial_experiment

FAILING = Finding("vanishing", "critical", 1, (), "made up")
RATE = CureOffer("a rate", {"optimizer.lr": 0.02}, "why", "none.")
OTHER = CureOffer("another rate", {"optimizer.lr": 0.03}, "why", "none.")


def attempt(accuracy: float, *, failing: bool = False, learned: bool = False, lr: float = 0.01) -> Attempt:
    exp = set_fields(resolve("sigmoid-20"), {"optimizer.lr": lr})
    findings = (FAILING,) if failing else ()
    outcome = Outcome(
        tuple(found.code for found in findings), 100, 2.3, accuracy, math.nan, math.nan, math.nan
    )
    return Attempt(exp, None, findings, (RATE, OTHER), accuracy > 0.2, learned, outcome)


def trial(name: str, last: float, start: float = 0.0, steps: int = 40) -> CureTrial:
    return CureTrial(CureOffer(name, {}, "", ""), steps, 2.3, last, start)


def test_a_net_that_has_begun_to_learn_as_it_is_is_left_alone_and_a_cured_one_is_not() -> None:
    assert not needs_more([attempt(0.5)])
    assert needs_more([attempt(0.1)])
    assert needs_more([attempt(0.1, failing=True), attempt(0.5, lr=0.02)])
    assert not needs_more([attempt(0.1, failing=True), attempt(0.95, learned=True, lr=0.02)])


def test_no_experiment_is_trained_twice() -> None:
    origin, offers = next_cures([attempt(0.1, failing=True), attempt(0.15, failing=True, lr=0.02)])
    assert origin.experiment.optimizer.lr == 0.02
    assert offers == (OTHER,)


def test_where_a_cure_made_it_worse_the_next_one_starts_from_the_best() -> None:
    better, worse = attempt(0.6, lr=0.005), attempt(0.2, failing=True, lr=0.02)
    made = [attempt(0.1, failing=True), better, worse]
    assert best_of(made) is better
    origin, offers = next_cures(made)
    assert origin is better
    assert offers == (OTHER,)


def test_a_training_without_findings_is_better_than_one_with_them() -> None:
    failing, clean = attempt(0.5, failing=True), attempt(0.4, lr=0.02)
    assert best_of([failing, clean]) is clean


@pytest.mark.parametrize(
    ("trials", "first"),
    [
        ([trial("advised", 1.0), trial("a bit lower", 0.9)], "advised"),
        ([trial("advised", 2.0), trial("far lower", 1.0)], "far lower"),
        ([trial("advised", 1.0, start=-4.0), trial("even", 2.0)], "even"),
        ([trial("advised", math.inf), trial("finite", 2.3)], "finite"),
        ([trial("advised", 2.0, start=-4.0), trial("steep", 1.0, start=3.0)], "advised"),
        ([trial("advised", math.nan, steps=0), trial("tried", 2.0)], "tried"),
        ([trial("advised", 2.0), trial("cut short", 0.5, steps=10)], "advised"),
    ],
)
def test_trials_rank_a_sick_start_last_and_give_way_to_a_clearly_lower_loss(
    trials: list[CureTrial], first: str
) -> None:
    order = ranked(trials)
    assert order[0].cure.name == first
    assert len(order) == len(trials)


def test_a_trial_is_short_and_at_the_full_rate() -> None:
    exp = set_fields(resolve("sigmoid-20"), {"optimizer.schedule": "cosine", "optimizer.warmup_steps": 100})
    short = trial_experiment(exp)
    assert short.run.steps == 40
    assert short.optimizer.schedule == "constant"
    assert short.optimizer.warmup_steps == 10
    assert short.net == exp.net
