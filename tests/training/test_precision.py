"""Half precision: the loss's scale against torch's GradScaler, and the gradients that fp16 loses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from gradtui.experiment import Run, from_dict
from gradtui.training.optimizers import LossScale
from gradtui.training.session import build
from gradtui.training.step import Stepper


def test_the_scale_adapts_as_torchs_does() -> None:
    ours = LossScale(Run(precision="fp16"))
    theirs = torch.amp.GradScaler("cpu")
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    for step in range(2300):
        finite = step not in (3, 4, 50, 2200)
        assert ours.value == theirs.get_scale()
        before = parameter.item()
        theirs.scale((parameter * (1.0 if finite else math.inf)).sum()).backward()
        theirs.step(optimizer)
        theirs.update()
        optimizer.zero_grad()
        assert ours.accept(finite) == (parameter.item() != before)


@pytest.mark.parametrize(
    ("run", "value"),
    [(Run(precision="fp16", loss_scale=1024.0), 1024.0), (Run(precision="bf16"), 1.0), (Run(), 1.0)],
)
def test_fixed_scale_never_skips_a_step(run: Run, value: float) -> None:
    scale = LossScale(run)
    assert scale.accept(False)
    assert scale.value == value


def test_loss_scale_can_be_restored() -> None:
    first = LossScale(Run(precision="fp16"))
    for finite in [True] * 1500 + [False] + [True] * 1990:
        first.accept(finite)
    second = LossScale(Run(precision="fp16"))
    second.restore(first.state())
    for _ in range(20):
        first.accept(True)
        second.accept(True)
    assert first.value == second.value == 65536.0


def norms(**run: Any) -> np.ndarray:
    """Gradient norms of SCIENCE's recipe: sigmoid, 10 layers, torch's own initialisation."""
    session = build(
        from_dict(
            {
                "net": [{"repeat": 10, "init": "torch"}],
                "data": {"batch_size": 128},
                "run": {"device": "cpu", **run},
            }
        )
    )
    stepper = Stepper(session)
    loss, _ = stepper.forward()
    stepper.backward(loss)
    stepper.measure()
    return session.flat.layer_norms()


def test_fp16_underflows_without_enough_loss_scale() -> None:
    exact = norms()
    unscaled = norms(precision="fp16", loss_scale=1.0)
    assert (unscaled[:4] == 0).all()
    assert unscaled[-1] == pytest.approx(exact[-1], rel=0.02)
    assert norms(precision="fp16", loss_scale=1024.0)[0] == 0
    np.testing.assert_allclose(norms(precision="fp16", loss_scale=65536.0), exact, rtol=0.2)
    np.testing.assert_allclose(norms(precision="fp16"), exact, rtol=0.2)


def test_bf16_keeps_the_magnitudes() -> None:
    np.testing.assert_allclose(norms(precision="bf16"), norms(), rtol=0.2)
