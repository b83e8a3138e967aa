"""Test clipping against torch's own, and where torch's own cannot."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradtui.experiment import Cures
from gradtui.probe.flat_gradients import FlatGradients
from gradtui.training.step import clip


def gradients(scale: float) -> tuple[FlatGradients, list[nn.Parameter]]:
    """Ours, and parameters of torch's with the same gradients."""
    torch.manual_seed(0)
    theirs = [nn.Parameter(torch.zeros(20, 30)), nn.Parameter(torch.zeros(17))]
    flat = FlatGradients([[nn.Parameter(p.detach().clone())] for p in theirs])
    for ours, p in zip(flat.parameters, theirs, strict=True):
        p.grad = torch.randn(p.shape) * scale
        assert ours.grad is not None
        ours.grad.copy_(p.grad)
    return flat, theirs


def clipped(flat: FlatGradients, cures: Cures) -> float:
    return float(clip(flat, flat.total(flat.row_norms()), cures))


def norm_of(flat: FlatGradients) -> float:
    return float(flat.gradients.double().norm())


@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clipping_by_norm_equals_torchs(limit: float) -> None:
    flat, theirs = gradients(1.0)
    after = clipped(flat, Cures(clip_norm=limit))
    torch.nn.utils.clip_grad_norm_(theirs, limit)
    for ours, p in zip(flat.parameters, theirs, strict=True):
        torch.testing.assert_close(ours.grad, p.grad, rtol=1e-5, atol=0)
    assert after == pytest.approx(norm_of(flat), rel=1e-6)


def test_clipping_by_value_equals_torchs() -> None:
    flat, theirs = gradients(1.0)
    after = clipped(flat, Cures(clip_value=0.7))
    torch.nn.utils.clip_grad_value_(theirs, 0.7)
    for ours, p in zip(flat.parameters, theirs, strict=True):
        torch.testing.assert_close(ours.grad, p.grad, rtol=0, atol=0)
    assert after == pytest.approx(norm_of(flat), rel=1e-6)


def test_values_are_clipped_before_the_norm() -> None:
    flat, _ = gradients(1.0)
    assert clipped(flat, Cures(clip_value=0.1, clip_norm=1.0)) == pytest.approx(1.0)
    assert norm_of(flat) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("scale", [1e25, 1e-30])
def test_clipping_by_norm_beyond_float32_sums(scale: float) -> None:
    flat, _ = gradients(scale)
    limit = scale
    assert clipped(flat, Cures(clip_norm=limit)) == pytest.approx(limit)
    assert norm_of(flat) == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nonfinite_gradients_stay_nonfinite(bad: float) -> None:
    flat, theirs = gradients(1.0)
    assert flat.parameters[0].grad is not None
    assert theirs[0].grad is not None
    flat.parameters[0].grad[2, 2] = theirs[0].grad[2, 2] = bad
    assert math.isnan(clipped(flat, Cures(clip_norm=1.0)))
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    for ours, p in zip(flat.parameters, theirs, strict=True):
        torch.testing.assert_close(ours.grad, p.grad, equal_nan=True)


def test_clipping_on_a_device_equals_that_on_the_host() -> None:
    """The norm as a tensor, as a GPU has it."""
    ours, other = gradients(1.0)[0], gradients(1.0)[0]
    for limit in (0.5, 1e3):
        total = torch.tensor(norm_of(other), dtype=torch.float64)
        after = clip(other, total, Cures(clip_norm=limit))
        assert float(after) == pytest.approx(clipped(ours, Cures(clip_norm=limit)))
        torch.testing.assert_close(ours.gradients, other.gradients)
