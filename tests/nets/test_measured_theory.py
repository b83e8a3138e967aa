"""Test nets against mean-field theory and published figures, in decades a layer towards the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradtui.experiment.data_shapes import DataShape
from gradtui.experiment.spec import Experiment, Group
from gradtui.nets import Net, build

DEPTH = 20
SHAPE = DataShape((64,), 10, "classify")

# Activation, sigma_w, sigma_b and the slope that theory has for 20 layers on inputs of unit variance.
THEORY = [
    ("tanh", 1.0, 0.0, 0.0302),
    ("tanh", 0.577, 0.0, 0.2411),
    ("tanh", 1.5, 0.224, -0.0161),
    ("tanh", 2.0, 0.0, -0.0655),
    ("tanh", 3.0, 0.0, -0.1340),
    ("sigmoid", 0.577, 0.0, 0.8497),
    ("sigmoid", 4.0, 0.0, 0.2013),
    ("relu", 0.577, 0.0, 0.3892),
    ("relu", 2**0.5, 0.0, 0.0),
    ("relu", 2.12, 0.0, -0.1760),
    ("leaky_relu", 2**0.5, 0.0, 0.0),
    ("elu", 0.577, 0.0, 0.2432),
    ("elu", 1.0, 0.0, 0.0412),
    ("elu", 2**0.5, 0.0, -0.0318),
]


def profile(group: Group, nets: int, batch: int = 64) -> np.ndarray:
    """log10 of the RMS gradient with respect to each pre-activation, pooled over nets."""
    exp = Experiment(net=(group,))
    built = (build(exp, SHAPE, generator_seed=seed) for seed in range(nets))
    return 0.5 * np.log10(sum(_squares(net, seed, batch) for seed, net in enumerate(built)))


def slope(group: Group, nets: int) -> float:
    """Decades a layer, fitted by least squares."""
    return float(np.polyfit(range(DEPTH), profile(group, nets), 1)[0])


def _squares(net: Net, seed: int, batch: int) -> np.ndarray:
    numbers = torch.Generator().manual_seed(1000 + seed)
    signal = torch.randn(batch, 64, generator=numbers)
    outputs = []
    for step in net.path[:-1]:
        signal = step(signal)
        if isinstance(step, torch.nn.Linear):
            signal.retain_grad()
            outputs.append(signal)
    # A cotangent of its own for each sample, at the last hidden pre-activation.
    outputs[-1].backward(torch.randn(outputs[-1].shape, generator=numbers))
    return np.array([float(h.grad.double().square().mean()) for h in outputs])


@pytest.mark.long
@pytest.mark.parametrize(("activation", "sigma_w", "sigma_b", "expected"), THEORY)
def test_measured_slope_equals_theory(
    activation: str, sigma_w: float, sigma_b: float, expected: float
) -> None:
    group = Group(
        width=512, repeat=DEPTH, activation=activation, init="normal", gain=sigma_w, bias_std=sigma_b
    )
    assert slope(group, nets=4) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("activation", "init", "expected"),
    [
        ("tanh", "torch", 0.2411),
        ("sigmoid", "torch", 0.8497),
        ("relu", "he", 0.0),
        ("elu", "lecun", 0.0412),
        ("tanh", "xavier", 0.0302),
    ],
)
def test_named_starts_have_the_slope_of_their_sigma_w(activation: str, init: str, expected: float) -> None:
    group = Group(width=256, repeat=DEPTH, activation=activation, init=init)
    # The layer that reads 64 inputs has another fan-in, so Xavier's sigma_w is not quite 1 there.
    assert slope(group, nets=2) == pytest.approx(expected, abs=0.015)


@pytest.mark.long
@pytest.mark.parametrize(
    ("activation", "batch", "squared"), [("relu", 128, 1.466), ("relu", 16, 1.572), ("identity", 32, 1.034)]
)
def test_batch_norm_multiplies_the_squared_gradient(activation: str, batch: int, squared: float) -> None:
    group = Group(width=256, repeat=DEPTH, activation=activation, init="he", norm="batch")
    logs = profile(group, nets=8, batch=batch)
    # The first step back is not between two hidden layers alike: the cotangent is not yet the net's own.
    inner = (logs[1] - logs[-2]) / (DEPTH - 3)
    assert 10 ** (2 * inner) == pytest.approx(squared, rel=0.03)
