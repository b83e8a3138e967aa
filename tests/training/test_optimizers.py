"""Test the optimizers over one flat tensor against torch's over every parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gradtui.experiment import ExperimentError, Optimizer, set_fields
from gradtui.experiment.memory import memory_of
from gradtui.experiment.optimizers import OPTIMIZERS, OptimizerKind, register
from gradtui.probe.flat_gradients import FlatGradients
from gradtui.training import optimizers
from tests.support.trainings import small, trained

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


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_table_says_how_many_numbers_torch_keeps_for_each_weight(kind: str, momentum: float) -> None:
    weights = torch.randn(5)
    made = optimizers.build(Optimizer(kind=kind, momentum=momentum), weights, torch.randn(5))
    made.step()
    states = [value for state in made.state.values() for value in state.values() if value is not None]
    kept = sum(value.shape == weights.shape for value in states)
    assert kept == OPTIMIZERS[kind].states(momentum)


def test_an_unknown_optimizer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ExperimentError) as refused:
        set_fields(small(), {"optimizer.kind": "adagrad"})
    expected = 'optimizer.kind: "adagrad" is not allowed; expected one of sgd, adam, adamw, rmsprop'
    assert str(refused.value) == expected


def test_a_registered_optimizer_is_counted_and_trains(tmp_path: Path) -> None:
    register(OptimizerKind(name="adagrad", state_tensors=1))
    try:
        optimizers.register("adagrad", lambda weights, spec, fused: torch.optim.Adagrad(weights, spec.lr))
        exp = set_fields(small(), {"optimizer.kind": "adagrad", "run.steps": 40})
        memory = memory_of(exp)
        assert memory.optimizer == memory.weights
        run, _ = trained(tmp_path / "run", exp)
        _, losses = run.scalars("loss")
        assert losses[-5:].mean() < losses[:5].mean()
    finally:
        del OPTIMIZERS["adagrad"], optimizers.FACTORIES["adagrad"]
