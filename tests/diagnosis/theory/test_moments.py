"""Test averages over normal numbers against closed forms and math.erf."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradtui.diagnosis.theory.activations import moments, value_and_derivative
from gradtui.diagnosis.theory.quadrature import erf, normal_nodes

VARIANCES = [1e-8, 0.01, 0.5, 1.0, 3.0, 100.0, 1e6]


def below(x: float) -> float:
    """Return the normal distribution function, without cancellation."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def exp_below(power: float, x: float) -> float:
    """exp(power) · below(−x) where the first factor may overflow and the second vanish (x large and positive)."""
    if x < 20:
        return math.exp(power) * below(-x)
    series = 1 - x**-2 + 3 * x**-4 - 15 * x**-6
    return math.exp(power - x * x / 2) / (x * math.sqrt(2 * math.pi)) * series


def test_erf_is_that_of_the_library() -> None:
    points = np.concatenate([np.linspace(-7, 7, 4001), [0.0, 1e-9, -1e-300]])
    assert erf(points) == pytest.approx([math.erf(x) for x in points], abs=2e-9)


@pytest.mark.parametrize("mean", [0.0, 0.3, -2.0, 40.0])
@pytest.mark.parametrize("deviation", [0.0, 1e-5, 1.0, 300.0])
def test_the_nodes_carry_the_moments_of_a_normal_number(mean: float, deviation: float) -> None:
    x, weights = normal_nodes(mean, deviation)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ x == pytest.approx(mean, abs=1e-10 * (1 + deviation))
    assert weights @ (x - mean) ** 2 == pytest.approx(deviation**2, rel=1e-10, abs=1e-20)


@pytest.mark.parametrize("variance", VARIANCES)
def test_relu_with_a_bias_is_exact_though_it_has_a_kink(variance: float) -> None:
    mean, deviation = 0.4, math.sqrt(variance)
    ratio = mean / deviation
    density = math.exp(-ratio * ratio / 2) / math.sqrt(2 * math.pi)
    made = moments("relu", 0.0, mean, variance)
    assert made.mean == pytest.approx(mean * below(ratio) + deviation * density, rel=1e-9)
    square = (mean**2 + variance) * below(ratio) + mean * deviation * density
    assert made.square == pytest.approx(square, rel=1e-9)
    assert made.slope_square == pytest.approx(below(ratio), rel=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
def test_leaky_relu_by_quadrature_and_by_its_closed_form_are_one(variance: float) -> None:
    x, weights = normal_nodes(0.0, math.sqrt(variance))
    value, slope = value_and_derivative("leaky_relu", x, 0.2)
    made = moments("leaky_relu", 0.2, 0.0, variance)
    assert weights @ value == pytest.approx(made.mean, rel=1e-9)
    assert weights @ value**2 == pytest.approx(made.square, rel=1e-9)
    assert weights @ slope**2 == pytest.approx(made.slope_square, rel=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
def test_erf_against_the_closed_forms_of_mean_field_theory(variance: float) -> None:
    # Williams 1997; the slope's as RECIPES.md has it.
    made = moments("erf", 0.0, 0.0, variance)
    assert made.square == pytest.approx(2 / math.pi * math.asin(2 * variance / (1 + 2 * variance)), rel=1e-7)
    assert made.slope_square == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * variance), rel=1e-7)


@pytest.mark.parametrize("variance", VARIANCES)
def test_elu_against_its_closed_form(variance: float) -> None:
    deviation = math.sqrt(variance)
    once, twice = exp_below(variance / 2, deviation), exp_below(2 * variance, 2 * deviation)
    made = moments("elu", 0.0, 0.0, variance)
    assert made.slope_square == pytest.approx(0.5 + twice, rel=1e-8)
    if variance >= 0.01:
        assert made.square == pytest.approx(variance / 2 + twice - 2 * once + 0.5, rel=1e-7)


@pytest.mark.parametrize(
    ("activation", "square", "slope_square"),
    # At variance 1, by mpmath: 25 digits, adaptive quadrature of the definitions.
    [
        ("tanh", 0.3942944903978412, 0.4644029024482682),
        ("sigmoid", 0.2933790358580929, 0.0448362413501944),
        ("gelu", 0.4252214825702987, 0.4558508656492871),
        ("silu", 0.3557755198173522, 0.3794823516328293),
        ("selu", 1.0, 1.0715749924557993),
    ],
)
def test_moments_of_smooth_activations_equal_quadrature(
    activation: str, square: float, slope_square: float
) -> None:
    made = moments(activation, 0.0, 0.0, 1.0)
    assert made.square == pytest.approx(square, rel=1e-8)
    assert made.slope_square == pytest.approx(slope_square, rel=1e-7)


@pytest.mark.parametrize(
    "activation",
    ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "erf"],
)
def test_slopes_are_the_derivatives(activation: str) -> None:
    x = np.linspace(-4, 4, 81) + 0.013
    small = 1e-6
    high, _ = value_and_derivative(activation, x + small, 0.1)
    low, _ = value_and_derivative(activation, x - small, 0.1)
    _, slope = value_and_derivative(activation, x, 0.1)
    assert slope == pytest.approx(
        (high - low) / (2 * small), abs=2e-4 if activation in ("erf", "gelu") else 1e-7
    )


def test_activation_formulas_equal_torchs() -> None:
    import torch

    x = np.linspace(-6, 6, 101)
    tensor = torch.from_numpy(x)
    pairs = {
        "sigmoid": torch.nn.Sigmoid(),
        "tanh": torch.nn.Tanh(),
        "relu": torch.nn.ReLU(),
        "leaky_relu": torch.nn.LeakyReLU(0.1),
        "elu": torch.nn.ELU(),
        "selu": torch.nn.SELU(),
        "gelu": torch.nn.GELU(),
        "silu": torch.nn.SiLU(),
    }
    for name, module in pairs.items():
        assert value_and_derivative(name, x, 0.1)[0] == pytest.approx(module(tensor).numpy(), abs=1e-8), name
