"""The benchmark measures what it says; how fast this machine is, is no test's business."""

from __future__ import annotations

from gradtui.experiment import net_shape
from gradtui.training.bench import DENSE_50, RESIDUAL_1000, cost_of
from tests.support.trainings import small


def test_it_measures_three_kinds_of_steps() -> None:
    cost = cost_of(small(run__steps=10_000), rounds=2, steps=2)
    assert min(cost.bare, cost.own, cost.recorded) > 0
    assert cost.ratio == cost.recorded / cost.bare


def test_its_nets_are_those_of_the_budgets() -> None:
    assert len(net_shape(DENSE_50).layers) == 50
    assert net_shape(RESIDUAL_1000).depth == 1000
