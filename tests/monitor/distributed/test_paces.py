"""Periods that all processes keep."""

from __future__ import annotations

import pytest

from gradtui.monitor.distributed.paces import next_period
from gradtui.probe.sampling_budget import SamplingBudget


def costly(cost: float, training: float, steps: int, share: float = 0.01) -> SamplingBudget:
    """Of steps that took `training` seconds each, of which samples took `cost`."""
    thinning = SamplingBudget(share)
    for _ in range(steps):
        thinning.add(training, 0.0, cost)
    return thinning


@pytest.mark.parametrize(
    ("cost", "period"),
    [(0.00005, 1), (0.0001, 1), (0.00011, 2), (0.0003, 4), (0.001, 16), (0.0064, 64)],
)
def test_the_least_power_of_two_within_the_share(cost: float, period: int) -> None:
    # A hundredth of 10 ms is 0.1 ms.
    assert next_period(1, costly(cost, 0.01, 20), 20) == period


def test_it_is_halved_when_half_would_do_with_something_to_spare() -> None:
    assert next_period(16, costly(0.00079, 0.01, 20), 20) == 16
    assert next_period(16, costly(0.0006, 0.01, 20), 20) == 8
    assert next_period(1, costly(0.00001, 0.01, 20), 20) == 1


def test_nothing_is_changed_before_anything_is_known() -> None:
    assert next_period(1, SamplingBudget(0.01), 0) == 1


def test_a_short_training_is_recorded_from_the_beginning() -> None:
    thinning = SamplingBudget(0.01, free=0.02)
    thinning.add(0.001, 0.0, 0.001)
    assert next_period(1, thinning, 1) == 1
