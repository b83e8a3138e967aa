"""Test L1 and L2 against autograd of the penalised loss."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradtui.experiment import Cures
from gradtui.probe.flat_gradients import FlatGradients
from gradtui.training.step import Penalties


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_gradients_and_value_are_those_of_the_penalised_loss(l1: float, l2: float) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.PReLU(), nn.Flatten(), nn.Linear(12, 2))
    plain = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.PReLU(), nn.Flatten(), nn.Linear(12, 2))
    plain.load_state_dict(net.state_dict())
    flat = FlatGradients([list(net.parameters())])
    x = torch.randn(4, 1, 4, 4)
    net(x).square().mean().backward()
    value = Penalties(flat).add(Cures(l1=l1, l2=l2))
    weights = [plain[0].weight, plain[4].weight]
    penalty = sum(l1 * w.abs().sum() + l2 / 2 * w.square().sum() for w in weights)
    (plain(x).square().mean() + penalty).backward()
    assert float(value) == pytest.approx(torch.as_tensor(penalty).item(), rel=1e-6)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)


def test_gradients_are_unchanged_without_penalties() -> None:
    flat = FlatGradients([[nn.Parameter(torch.ones(3, 3))]])
    assert Penalties(flat).add(Cures()) == 0.0
    assert bool((flat.gradients == 0).all())
