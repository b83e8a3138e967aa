"""Test that the benchmark of recording writes every layer of every step and uses the nets of the budgets."""

from __future__ import annotations

from gradtui.experiment import net_shape
from gradtui.runs.folder import record_dtype
from tests.benchmarks.recorded_steps import DENSE_50, RESIDUAL_1000, cost_of
from tests.support.trainings import small


def test_the_recorded_steps_hold_a_row_of_all_layers_each() -> None:
    experiment = small(run__steps=10_000)
    cost = cost_of(experiment, rounds=2, steps=2)
    layers = len(net_shape(experiment).layers)
    assert cost.bytes >= record_dtype(layers).itemsize


def test_its_nets_are_those_of_the_budgets() -> None:
    assert len(net_shape(DENSE_50).layers) == 50
    assert net_shape(RESIDUAL_1000).depth == 1000
