"""An optimizer that is given other parameters is followed, or the recording stops and says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import gradtui
from gradtui.monitor.guard import WatchWarning


def _step(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad()
    model(torch.randn(16, 8)).pow(2).mean().backward()
    held = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    optimizer.step()
    return float(torch.stack([grad.norm() for grad in held]).norm())


def test_weights_assigned_anew_stop_the_recording_with_its_reason(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(4)]
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()}, assign=True)
    optimizer.param_groups[0]["params"] = [p.requires_grad_() for p in model.parameters()]
    with pytest.warns(WatchWarning, match="parameters that it did not have"):
        _step(model, optimizer)
    for _ in range(3):
        _step(model, optimizer)
    probe.close()
    run = gradtui.open_run(probe.run)
    assert run.scalars("grad_norm")[1].tolist() == pytest.approx(want)
    assert (run.status.state, "parameters" in run.status.reason) == ("stopped", True)


def test_groups_exchanged_for_equally_many_others_are_followed(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None, runs=tmp_path)
    want = [_step(model, optimizer) for _ in range(4)]
    optimizer.param_groups[0]["params"] = list(model[1].parameters())
    want += [_step(model, optimizer) for _ in range(4)]
    probe.close()
    assert gradtui.open_run(probe.run).scalars("grad_norm")[1].tolist() == pytest.approx(want)
