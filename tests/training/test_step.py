"""Test a training step against a plain loop in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gradtui import data, nets
from gradtui.experiment import Experiment, from_dict, set_fields
from gradtui.training.session import Session, build
from gradtui.training.step import Stepper
from tests.support.trainings import plain_step, small


def plain_losses(exp: Experiment, steps: int) -> list[float]:
    """torch used the plain way: parameters one by one, loss.backward(), clip_grad_norm_, plain_step()."""
    dataset = data.load(exp.data, exp.seed)
    net = nets.build(exp, dataset.shape, generator_seed=exp.seed)
    optimizer = torch.optim.SGD(net.parameters(), exp.optimizer.lr, momentum=exp.optimizer.momentum)
    batches = data.batches(dataset, exp.data.batch_size, exp.seed)
    losses = []
    for _ in range(steps):
        x, y = next(batches)
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        losses.append(loss.item())
        total = loss * len(x) if exp.optimizer.loss == "sum" else loss
        for name, p in net.named_parameters():
            if name.endswith("weight"):
                total = total + exp.cures.l2 / 2 * p.square().sum()
        total.backward()
        if exp.cures.clip_norm:
            torch.nn.utils.clip_grad_norm_(net.parameters(), exp.cures.clip_norm)
        optimizer.step()
    return losses


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer.momentum": 0.9, "cures.clip_norm": 0.3},
        {"cures.l2": 0.05},
        {"optimizer.loss": "sum", "optimizer.lr": 0.01},
    ],
)
def test_the_losses_are_those_of_a_plain_loop(changes: dict[str, Any]) -> None:
    exp = set_fields(small(), changes)
    stepper = Stepper(build(exp))
    ours = [float(plain_step(stepper).loss) for _ in range(25)]
    assert ours == pytest.approx(plain_losses(exp, 25), rel=1e-4)
    # That the net moved at all: by far more than what the two loops may differ by.
    assert ours[-1] != pytest.approx(ours[0], rel=1e-3)


def test_the_same_experiment_gives_the_same_bits() -> None:
    exp = small(optimizer__kind="adam", optimizer__lr=0.01, net__0__norm="batch")
    runs = []
    for _ in range(2):
        stepper = Stepper(build(exp))
        torch.rand(7)  # whatever else draws random numbers
        runs.append([float(plain_step(stepper).loss) for _ in range(30)])
    assert runs[0] == runs[1]
    other = Stepper(build(set_fields(exp, {"seed": 1})))
    assert float(plain_step(other).loss) != runs[0][0]


def test_the_norms_recorded_are_those_before_clipping_with_the_penalties_in() -> None:
    exp = small(cures__clip_norm=0.01, cures__l2=0.5)
    session = build(exp)
    copy = nets.build(exp, session.dataset.shape, generator_seed=exp.seed)
    outcome = plain_step(Stepper(session))
    x, y = next(data.batches(session.dataset, 16, exp.seed))
    loss = F.cross_entropy(copy(x), y)
    weights = [p for p in copy.parameters() if p.dim() > 1]
    (loss + sum(0.25 * w.square().sum() for w in weights)).backward()
    expected = [
        torch.cat([p.grad.reshape(-1) for p in layer.parameters if p.grad is not None]).norm().item()
        for layer in copy.layers
    ]
    assert isinstance(outcome.norms, np.ndarray)
    np.testing.assert_allclose(session.flat.fold(outcome.norms), expected, rtol=1e-5)
    assert float(outcome.penalty) == pytest.approx(0.25 * sum(w.square().sum().item() for w in weights))
    assert outcome.clipped == pytest.approx(0.01)


def test_the_rate_follows_schedule_and_change() -> None:
    session = build(small(optimizer__schedule="step", optimizer__warmup_steps=2, run__steps=8))
    stepper = Stepper(session)
    rates = []
    for number in range(8):
        if number == 5:
            session.change({"optimizer.lr": 1.0})
        rates.append(plain_step(stepper).lr)
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.01, 0.1, 0.01, 0.01])


def overflowing() -> Session:
    """In fp16 at the adapting scale's start, whose gradient overflows."""
    exp = from_dict(
        {
            "data": {"batch_size": 64},
            "net": [{"width": 64, "repeat": 2, "activation": "relu", "init": "he", "gain": 8.0}],
            "optimizer": {"lr": 1e-5},
            "run": {"precision": "fp16", "device": "cpu"},
        }
    )
    return build(exp)


def test_fp16_overflow_skips_the_step_and_halves_the_scale() -> None:
    session = overflowing()
    before = session.flat.weights.clone()
    outcome = plain_step(Stepper(session))
    assert outcome.skipped
    assert torch.equal(session.flat.weights, before)
    assert session.scale.value == outcome.scale / 2
    assert not np.isfinite(session.flat.layer_norms()).all()
    stepper = Stepper(session)
    outcomes = [plain_step(stepper) for _ in range(12)]
    assert not outcomes[-1].skipped
    assert session.flat.weights.isfinite().all()


def test_frozen_layers_do_not_move_but_have_gradients() -> None:
    session = build(set_fields(small(), {"cures.pretrain.kind": "autoencoder", "cures.pretrain.freeze": 1}))
    before = [p.detach().clone() for p in session.net.layers[0].parameters]
    stepper = Stepper(session)
    for _ in range(3):
        plain_step(stepper)
    for p, old in zip(session.net.layers[0].parameters, before, strict=True):
        assert torch.equal(p, old)
    assert (session.flat.layer_norms() > 0).all()
