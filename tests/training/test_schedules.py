"""Test the learning rate against torch's own schedulers."""

from __future__ import annotations

import pytest
import torch

from gradtui.experiment import Optimizer
from gradtui.training.optimizers import rate_factor

STEPS = 40


def ours(spec: Optimizer) -> list[float]:
    return [rate_factor(spec, step, STEPS) for step in range(1, STEPS + 1)]


def theirs(make: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant_schedule_keeps_the_rate() -> None:
    assert ours(Optimizer()) == [1.0] * STEPS


def test_cosine_schedule_equals_torchs() -> None:
    expected = theirs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS))
    assert ours(Optimizer(schedule="cosine")) == pytest.approx(expected, abs=1e-12)


def test_step_schedule_equals_torchs() -> None:
    expected = theirs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [STEPS // 2, STEPS * 3 // 4]))
    assert ours(Optimizer(schedule="step")) == pytest.approx(expected)


def test_warm_up_climbs_linearly_and_the_cosine_begins_after_it() -> None:
    rates = ours(Optimizer(schedule="cosine", warmup_steps=10))
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_warm_up_longer_than_the_training() -> None:
    assert ours(Optimizer(warmup_steps=400))[-1] == pytest.approx(0.1)
    assert all(rate > 0 for rate in ours(Optimizer(schedule="cosine", warmup_steps=STEPS)))
