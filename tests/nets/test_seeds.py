"""Test that an experiment gives the same numbers for any state of torch's global generator, which stays unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradtui.data import batches, load, loss_and_accuracy
from gradtui.experiment.spec import Data, Experiment, Group
from gradtui.nets import build

EXPERIMENTS = [
    Experiment(net=(Group(repeat=3, layers=2, shortcut="identity", norm="batch", activation="prelu"),)),
    Experiment(net=(Group(block="conv", width=4, init="orthogonal", bias_std=0.1), Group(init="torch"))),
    Experiment(
        data=Data(source="adding", length=8, samples=300),
        net=(Group(block="lstm", width=8, init="torch", recurrent_init="normal"),),
    ),
    Experiment(
        data=Data(source="text", length=8),
        net=(Group(block="attention", width=8, norm="layer", shortcut="identity"),),
    ),
    Experiment(data=Data(source="copy", length=3, samples=200), net=(Group(block="gru", width=8),)),
    Experiment(data=Data(source="spirals"), net=(Group(width=8, shortcut="highway"),)),
]


def trained(exp: Experiment) -> list[torch.Tensor]:
    dataset = load(exp.data, exp.seed)
    net = build(exp, dataset.shape, generator_seed=exp.seed)
    measure = loss_and_accuracy(dataset.shape.task)
    source = batches(dataset, exp.data.batch_size, exp.seed)
    for _ in range(5):
        x, y = next(source)
        loss, _ = measure(net(x), y)
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                assert p.grad is not None
                p -= 0.1 * p.grad
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("exp", EXPERIMENTS)
def test_the_same_experiment_trains_to_the_same_bits(exp: Experiment) -> None:
    torch.manual_seed(1)
    first = trained(exp)
    torch.manual_seed(2)
    np.random.seed(3)
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    second = trained(exp)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpys)


def test_another_seed_is_another_net() -> None:
    exp = EXPERIMENTS[0]
    shape = load(exp.data, 0).shape
    one, other = (build(exp, shape, generator_seed=seed).layers[0].parameters[0] for seed in (0, 1))
    assert not torch.equal(one, other)
