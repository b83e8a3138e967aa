"""Test that evaluations are right and do not change the training."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from gradtui.experiment import from_dict
from gradtui.training import loop
from gradtui.training.loop import evaluate
from gradtui.training.session import build
from gradtui.training.step import Stepper
from tests.support.trainings import plain_step, small


def test_loss_and_accuracy_over_all_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EVALUATION_CHUNK", 37)
    session = build(small(net__0__norm="batch"))
    session.net(session.dataset.train_x)  # so that running statistics are not those of the start
    result = evaluate(session, whole=True, cancelled=lambda: False)
    assert result is not None
    plain = copy.deepcopy(session.net).eval()
    d = session.dataset
    for x, y, loss, accuracy in (
        (d.train_x, d.train_y, result.train_loss, result.train_accuracy),
        (d.test_x, d.test_y, result.test_loss, result.test_accuracy),
    ):
        with torch.no_grad():
            outputs = plain(x)
        assert loss == pytest.approx(F.cross_entropy(outputs, y).item(), rel=1e-5)
        assert accuracy == pytest.approx((outputs.argmax(1) == y).float().mean().item())
    assert result.examples == len(d.train_x) + len(d.test_x)


def test_evaluating_changes_no_bit_of_the_training() -> None:
    losses = []
    for evaluating in (False, True):
        session = build(small(net__0__norm="batch"))
        stepper = Stepper(session)
        for _ in range(10):
            mean = plain_step(stepper).loss
            state = torch.get_rng_state()
            if evaluating:
                evaluate(session, whole=False, cancelled=lambda: False)
            assert torch.equal(torch.get_rng_state(), state)
            assert session.net.training
            losses.append(mean.item())
    assert losses[:10] == losses[10:]


def test_midway_evaluation_uses_the_first_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MIDWAY_EXAMPLES", 20)
    session = build(small())
    result = evaluate(session, whole=False, cancelled=lambda: False)
    assert result is not None
    assert result.examples == 40


def test_evaluation_can_be_cancelled() -> None:
    session = build(small())
    assert evaluate(session, whole=True, cancelled=lambda: True) is None
    assert session.net.training


def test_sums_are_evaluated_as_means() -> None:
    exp = {"data": {"source": "adding", "length": 5, "samples": 40}, "net": [{"block": "gru", "width": 4}]}
    mean = build(from_dict(exp))
    summed = build(from_dict({**exp, "optimizer": {"loss": "sum"}}))
    results = [evaluate(s, whole=True, cancelled=lambda: False) for s in (mean, summed)]
    assert results[0] == results[1]
