"""Gradients that a script multiplies by a number of its own are not clipped; those that it cuts by hand are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradtui
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run

Opened = Callable[[Probe], Run]
Change = Callable[[list[Tensor], int], None]
STEPS = 12


def divide(gradients: list[Tensor], step: int) -> None:
    for one in gradients:
        one /= 64


def divide_by_tokens(gradients: list[Tensor], step: int) -> None:
    for one in gradients:
        one.mul_(1 / (40 + 7 * (step % 5)))


def divide_and_clip(gradients: list[Tensor], step: int) -> None:
    divide(gradients, step)
    nn.utils.clip_grad_norm_(PARAMETERS, 0.05)


def cut_norm(gradients: list[Tensor], step: int) -> None:
    norm = torch.stack([one.norm() for one in gradients]).norm()
    for one in gradients:
        one.mul_(min(1.0, 0.5 / float(norm)))


def cut_late(gradients: list[Tensor], step: int) -> None:
    if step > 6:
        divide_by_tokens(gradients, step)


def cut_values(gradients: list[Tensor], step: int) -> None:
    for one in gradients:
        one.clamp_(-0.05, 0.05)


def share_of(gradients: list[Tensor], step: int) -> None:
    for one in gradients:
        one.mul_(1 / max(1.0, 20 * float(one.norm())))


PARAMETERS: list[nn.Parameter] = []


@pytest.mark.parametrize(
    ("change", "scales", "clipped"),
    [
        (divide, True, 0),
        (divide_by_tokens, True, 0),
        (divide_and_clip, True, STEPS),
        (cut_norm, False, STEPS),
        (cut_late, False, STEPS - 7),
        (cut_values, False, STEPS),
        (share_of, False, STEPS),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_only_what_depends_on_the_gradient_is_clipping(
    home: Path, opened: Opened, change: Change, scales: bool, clipped: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)).to(dtype)
    PARAMETERS[:] = list(model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
    wanted: list[float] = []
    for step in range(STEPS):
        optimizer.zero_grad()
        (40 * model(torch.randn(16, 8).to(dtype)).float().square().mean()).backward()
        gradients = [p.grad for p in PARAMETERS if p.grad is not None]
        before = float(torch.cat([one.double().flatten() for one in gradients]).norm())
        change(gradients, step)
        after = float(torch.cat([one.double().flatten() for one in gradients]).norm())
        wanted.append(before / 64 if change is divide_and_clip else after if scales else before)
        optimizer.step()
    run = opened(probe)
    steps, norms = run.scalars("grad_norm")
    assert steps.tolist() == list(range(1, STEPS + 1))
    near = 1e-5 if dtype == torch.float32 else 1e-2
    np.testing.assert_allclose(norms, wanted, rtol=near)
    np.testing.assert_allclose(np.sqrt(np.square(run.layers("grad_norm")[1]).sum(axis=1)), wanted, rtol=near)
    assert run.scalars("clipped")[1].sum() == clipped
    if not clipped:
        assert "overclipped" not in [one.code for one in diagnose_run(run).findings]


def test_a_single_step_is_written_at_the_end(home: Path, opened: Opened) -> None:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
    model(torch.ones(3, 4)).sum().backward()
    divide([p.grad for p in model.parameters() if p.grad is not None], 0)
    optimizer.step()
    assert len(opened(probe).scalars("grad_norm")[0]) == 1
