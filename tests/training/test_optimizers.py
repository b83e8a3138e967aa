"""The optimizers over one flat tensor against torch's over every parameter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradtui.experiment import Optimizer
from gradtui.probe.flat_gradients import FlatGradients
from gradtui.training import optimizers

THEIRS: dict[str, Any] = {
    "sgd": lambda p, s: torch.optim.SGD(p, s.lr, momentum=s.momentum),
    "adam": lambda p, s: torch.optim.Adam(p, s.lr),
    "adamw": lambda p, s: torch.optim.AdamW(p, s.lr, weight_decay=s.weight_decay),
    "rmsprop": lambda p, s: torch.optim.RMSprop(p, s.lr, momentum=s.momentum),
}


def nets() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    ours, theirs = (nn.Sequential(nn.Linear(5, 7), nn.PReLU(), nn.Linear(7, 3)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weights_move_as_with_torchs_optimizer(kind: Any, momentum: float) -> None:
    spec = Optimizer(kind=kind, lr=0.05, momentum=momentum, weight_decay=0.1)
    ours, theirs = nets()
    flat = FlatGradients([list(ours.parameters())])
    mine = optimizers.build(spec, flat.weights, flat.gradients)
    other = THEIRS[kind](theirs.parameters(), spec)
    x = torch.randn(6, 5)
    for step in range(8):
        flat.zero_()
        other.zero_grad()
        if step == 4:
            optimizers.set_rate(mine, 0.01)
            optimizers.set_rate(other, 0.01)
            optimizers.set_momentum(mine, 0.5)
            optimizers.set_momentum(other, 0.5)
        for net in (ours, theirs):
            net(x).square().sum().backward()
        mine.step()
        other.step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=2e-5, atol=1e-6)


def test_weight_decay_belongs_to_adamw_alone() -> None:
    for kind, moves in (("sgd", False), ("adam", False), ("rmsprop", False), ("adamw", True)):
        weights, gradients = torch.ones(64), torch.zeros(64)
        spec = Optimizer(kind=kind, lr=0.1, weight_decay=0.5)  # type: ignore[arg-type]
        optimizers.build(spec, weights, gradients).step()
        assert bool((weights != 1).any()) == moves
