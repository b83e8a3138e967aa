"""Test that sampling stays within its share of the time for any cost of steps and samples."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gradtui.probe.sampling_budget import SamplePlan, SamplingBudget


def train(budget: SamplingBudget, steps: int, training: float, every_step: float, sample: float) -> list[int]:
    taken = []
    for step in range(1, steps + 1):
        due = budget.due()
        if due:
            taken.append(step)
        budget.add(training, every_step, sample if due else None)
    return taken


def test_the_first_step_is_always_sampled() -> None:
    assert train(SamplingBudget(0.03), 1, 1e-3, 0.0, 1.0) == [1]


@pytest.mark.parametrize("sample", [1e-5, 1e-3, 0.02, 0.3])
def test_all_costs_together_fill_the_share_and_do_not_pass_it(sample: float) -> None:
    budget = SamplingBudget(0.03)
    taken = train(budget, 20_000, 2e-3, 2e-5, sample)
    assert budget.overhead <= 0.03 + sample / budget.training
    if len(taken) < 20_000:
        assert budget.overhead > 0.03 - 2 * sample / budget.training


def test_cheap_samples_are_taken_at_every_step() -> None:
    assert len(train(SamplingBudget(0.03), 1000, 1e-2, 0.0, 1e-4)) == 1000


def test_samples_are_spread_evenly() -> None:
    taken = train(SamplingBudget(0.03), 10_000, 1e-3, 0.0, 6e-3)
    gaps = [b - a for a, b in pairwise(taken[1:])]
    assert max(gaps) - min(gaps) <= 2
    assert gaps[5] == pytest.approx(200, abs=1)


def test_samples_get_a_third_of_the_budget_at_least() -> None:
    budget = SamplingBudget(0.03)
    train(budget, 10_000, 1e-3, 1e-4, 2e-3)
    assert budget.samples / budget.training == pytest.approx(0.01, rel=0.05)


def test_one_slow_sample_does_not_end_sampling() -> None:
    budget = SamplingBudget(0.03)
    budget.add(1e-3, 0.0, 1e-3)
    budget.add(1e-3, 0.0, 0.1)
    assert len(train(budget, 10_000, 1e-3, 0.0, 1e-3)) > 150


def train_planned(steps: int, training: float, sample: float) -> tuple[list[int], SamplingBudget]:
    budget = SamplingBudget(0.03)
    plan = SamplePlan(steps, budget)
    taken = []
    for step in range(steps):
        due = budget.due() or plan.due(step)
        budget.add(training, 0.0, sample if due else None)
        if due:
            taken.append(step)
            plan.taken(step)
    return taken, budget


def test_a_short_run_has_samples_all_along_most_of_them_early() -> None:
    taken, budget = train_planned(500, 3e-3, 4e-3)
    assert 4 <= len(taken) <= 13
    assert taken[0] == 0
    assert taken[3] < 500 / 8 < 250 < taken[-1], "close at the beginning, and not only there"
    assert budget.overhead <= 0.03 + 4e-3 / 1.5


def test_a_few_steps_have_four_samples_while_they_are_cheap() -> None:
    assert 4 <= len(train_planned(100, 3e-3, 4e-3)[0]) <= 5
    assert len(train_planned(60, 1.0, 0.5)[0]) <= 5, "half a second each"
    assert len(train_planned(23, 3e-3, 4e-3)[0]) == 2
    assert len(train_planned(1, 3e-3, 4e-3)[0]) == 1


def test_a_run_that_is_resumed_continues_with_the_plan() -> None:
    budget = SamplingBudget(0.03)
    plan = SamplePlan(500, budget)
    budget.add(3e-3, 0.0, 4e-3)
    plan.taken(300)
    assert not any(plan.due(step) for step in range(301, 310))
    assert any(plan.due(step) for step in range(310, 500))
