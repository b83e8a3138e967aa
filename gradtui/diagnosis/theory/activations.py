"""Compute activation functions on arrays, and their moments over normal numbers.

Values and derivatives follow torch.nn's definitions (GELU is the exact one, with erf); `erf` itself is there
because mean-field theory has closed forms for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.theory.quadrature import Array, erf, normal_nodes
from gradtui.experiment.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE

STEP = 1e-5
"""The step of the finite difference for an activation whose derivative is not in this file."""

Pair = tuple[Array, Array]


class Moments(NamedTuple):
    """A Moments holds the moments of f(x) for x ~ N(mean, deviation²)."""

    mean: float
    """E[f(x)]."""
    square: float
    """E[f(x)²]."""
    slope_square: float
    """E[f′(x)²]."""

    @property
    def variance(self) -> float:
        """Return E[f(x)²] − E[f(x)]²."""
        return max(self.square - self.mean * self.mean, 0.0)


def _sigmoid(x: Array, slope: float) -> Pair:
    value = 0.5 * (1.0 + np.tanh(0.5 * x))
    return value, value * (1.0 - value)


def _tanh(x: Array, slope: float) -> Pair:
    value = np.tanh(x)
    return value, 1.0 - value * value


def _exponential(x: Array, alpha: float, scale: float) -> Pair:
    falling = alpha * np.exp(np.minimum(x, 0.0))
    return scale * np.where(x > 0, x, falling - alpha), scale * np.where(x > 0, 1.0, falling)


def _elu(x: Array, slope: float) -> Pair:
    return _exponential(x, 1.0, 1.0)


def _selu(x: Array, slope: float) -> Pair:
    return _exponential(x, SELU_ALPHA, SELU_SCALE)


def _gelu(x: Array, slope: float) -> Pair:
    below = 0.5 * (1.0 + erf(x / math.sqrt(2.0)))
    return x * below, below + x * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _silu(x: Array, slope: float) -> Pair:
    gate, rise = _sigmoid(x, slope)
    return x * gate, gate + x * rise


def _erf(x: Array, slope: float) -> Pair:
    return erf(x), 2.0 / math.sqrt(math.pi) * np.exp(-x * x)


def _bent(x: Array, slope: float) -> Pair:
    return np.where(x > 0, x, slope * x), np.where(x > 0, 1.0, slope)


_FUNCTIONS: dict[str, Callable[[Array, float], Pair]] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "erf": _erf,
}


def value_and_derivative(activation: str, x: Array, slope: float = 0.0) -> Pair:
    """Return f(x) and f′(x). `slope` is the negative side's of leaky_relu and prelu.

    An activation that only the table of activations has is evaluated number by number; its derivative is a finite
    difference.
    """
    if function := _FUNCTIONS.get(activation):
        return function(x, slope)
    row = ACTIVATIONS[activation]
    if row.piecewise_linear:
        return _bent(x, row.negative_slope(slope))
    step = STEP * np.maximum(1.0, np.abs(x))
    low, value, high = (
        np.array([row.value(float(number), slope) for number in numbers])
        for numbers in (x - step, x, x + step)
    )
    return value, (high - low) / (2.0 * step)


@lru_cache(maxsize=4096)
def moments(activation: str, slope: float, mean: float, variance: float) -> Moments:
    """Return the moments of the activation of x ~ N(mean, variance).

    They are cached, so a thousand layers at their fixed point cost one evaluation.
    """
    if mean == 0.0 and activation not in _FUNCTIONS and ACTIVATIONS[activation].piecewise_linear:
        return _bent_moments(ACTIVATIONS[activation].negative_slope(slope), variance)
    x, weights = normal_nodes(mean, math.sqrt(max(variance, 0.0)))
    value, derivative = value_and_derivative(activation, x, slope)
    weighted = weights * value
    return Moments(float(weighted.sum()), float(weighted @ value), float((weights * derivative) @ derivative))


def _bent_moments(slope: float, variance: float) -> Moments:
    """Return the closed forms of a line bent at 0 (identity, ReLU, leaky ReLU) for x ~ N(0, variance)."""
    even = (1.0 + slope * slope) / 2.0
    return Moments((1.0 - slope) * math.sqrt(variance / (2.0 * math.pi)), even * variance, even)
