"""Test that a short run is covered to its last step, and that a gradient that breaks or grows is recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import gradtui
from gradtui.runs.reader import Run, open_run


def trained(
    steps: int, factor_at: dict[int, float] | None = None, rate: float = 1e-3, clip: float = 0.0
) -> tuple[Run, list[float]]:
    """Train a small net with the default budget; return its run and the true norms, by step.

    Args:
        factor_at: factors of the loss at single steps.
        clip: the norm to which gradients are clipped; 0 clips nothing.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        *[part for _ in range(4) for part in (nn.Linear(32, 32), nn.ReLU())], nn.Linear(32, 4)
    )
    optimizer = torch.optim.Adam(model.parameters(), rate)
    norms = []
    with gradtui.watch(model, optimizer) as probe:
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            loss = model(torch.randn(64, 32)).square().mean() * (factor_at or {}).get(step, 1.0)
            loss.backward()
            norms.append(
                math.sqrt(
                    sum(
                        float(p.grad.double().square().sum())
                        for p in model.parameters()
                        if p.grad is not None
                    )
                )
            )
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
    assert probe.run is not None
    return open_run(probe.run), norms


# A machine that is busy with other tests at the wrong moment spends the budget: this one runs with the long tests.
@pytest.mark.long
def test_rows_lie_over_the_whole_run_and_hold_the_true_norms() -> None:
    run, norms = trained(1500)
    steps, values = run.scalars("grad_norm")
    assert steps[0] == 1
    assert steps[-1] == 1500
    # How many lie in between differs with the machine.
    assert ((steps > 100) & (steps < 1500)).sum() >= 5
    assert values == pytest.approx(np.array(norms)[steps.astype(int) - 1], rel=1e-5)


def test_the_step_at_which_the_gradient_breaks_is_found() -> None:
    run, _ = trained(900, {600: math.nan})
    steps, values = run.scalars("grad_norm")
    broken = steps[~np.isfinite(values)]
    # Between two looks lie a few steps, as the looks have to be cheap.
    assert 600 <= broken[0] < 620
    assert len(broken) >= 8


def test_a_gradient_that_has_grown_a_thousandfold_is_recorded_with_the_steps_after_it() -> None:
    run, norms = trained(900, dict.fromkeys(range(500, 520), 10000.0), rate=0.0)
    steps, values = run.scalars("grad_norm")
    high = steps[values > 100 * norms[0]]
    assert len(high) >= 8
    assert values[steps == high[0]] == pytest.approx(norms[int(high[0]) - 1], rel=1e-5)


@pytest.mark.long
def test_of_a_script_that_clips_no_row_claims_a_norm_that_is_not_known() -> None:
    run, norms = trained(700, clip=1e-3)
    steps, values = run.scalars("grad_norm")
    assert values == pytest.approx(np.array(norms)[steps.astype(int) - 1], rel=1e-4)


def test_an_optimizer_that_steps_within_the_backward_pass_has_a_row_for_each_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    norms = []

    def step(_: torch.Tensor) -> None:
        norms.append(
            math.sqrt(
                sum(float(p.grad.double().square().sum()) for p in model.parameters() if p.grad is not None)
            )
        )
        optimizer.step()
        optimizer.zero_grad()

    with gradtui.watch(model, optimizer, budget=None) as probe:
        # The first layer's weight is the last to get its gradient.
        model[0].weight.register_post_accumulate_grad_hook(step)  # type: ignore[union-attr,operator]
        for _ in range(12):
            model(torch.randn(8, 6)).square().mean().backward()
    assert probe.run is not None
    steps, values = open_run(probe.run).scalars("grad_norm")
    assert steps.tolist() == list(range(1, len(norms) + 1))
    assert values == pytest.approx(norms, rel=1e-5)
