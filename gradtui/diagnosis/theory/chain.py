"""Apply mean-field theory to nets without shortcuts, and to a recurrent layer over time (Poole et al. 2016,
Schoenholz et al. 2017).

Pre-activations h^l = W^l a^(l−1) + b^l of a wide net are normal over its units, of the variance
q_l = sigma_w² E[φ(√q_(l−1) z)²] + sigma_b². Going back through layer l the mean square gradient is multiplied by
chi_l = sigma_w² E[φ′(√q_l z)²], where sigma_w is that of the weights above. The whole recursion of q is followed, not
only its fixed point: shallow nets are not there yet (tanh at sigma_w = 1 has chi = 1 at q = 0 only, and 20 layers
lose 0.71 decades).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.theory.activations import moments, value_and_derivative
from gradtui.diagnosis.theory.normalisation import Normalisation, after_norm, normed
from gradtui.diagnosis.theory.quadrature import decades, normal_nodes
from gradtui.experiment.layers import LayerPlan, Weights

SMALLEST_VARIANCE, LARGEST_VARIANCE = 1e-280, 1e280
"""Variances are kept between these; beyond them, every activation equals its asymptote and chi no longer changes."""
EQUAL_DIGITS = 12
"""Variances are rounded to this many digits, so that a fixed point is computed once."""


class Signal(NamedTuple):
    """A Signal holds the moments of the numbers between two layers, over the units of one layer."""

    mean: float
    square: float
    spread: float
    """The variance of a unit over a batch, by which batch norm divides."""


class ActivationGain(NamedTuple):
    """An ActivationGain holds an activation's output signal, and its factor for the mean square of the gradient."""

    signal: Signal
    factor: float


def gains(layers: Sequence[LayerPlan], start: Signal, batch: int, positions: int = 1) -> list[float]:
    """Return log10 of the factor of the mean square gradient with respect to the pre-activations from layer l + 1 to
    layer l, for every layer l of a chain; for the last one as if another such layer followed.

    `batch` is the number of examples in a batch, `positions` the number of steps of an example, over which batch norm
    averages.
    """
    signal = through(start, normed(layers[0].before, batch, positions)).signal
    result = []
    for layer, above in pairwise(layers):
        between = normed(layer.after + above.before, batch, positions)
        signal, factor = through(weigh(layer.weights, signal), between)
        weights = above.weights
        result.append(decades(weights.sigma2 * weights.fan_out / weights.fan_in * factor))
    last = layers[-1]
    factor = through(weigh(last.weights, signal), normed(last.after or last.before, batch, positions)).factor
    return [*result, decades(last.weights.sigma2 * factor)]


def lag_gains(
    activation: str,
    slope: float,
    sigma_u2: float,
    steps: int,
    *,
    drive: float = 0.0,
    mean: float = 0.0,
    start: float = 0.0,
) -> list[float]:
    """Return log10 of the factor of the mean square gradient at each step back in time, the newest first, of a plain
    recurrent layer (Chen, Pennington, Schoenholz 2018).

    h_t = φ(a_t), a_t = U h_(t−1) + W x_t + b. Over the units of a wide layer a_t is normal of variance
    q_t = sigma_u² E[φ(√q_(t−1) z)²] + sigma_w² E[x²] + sigma_b², and one step back in time multiplies the mean square
    of the total derivative with respect to the hidden state by sigma_u² E[φ′(√q_t z)²]. An orthogonal U of factor g
    counts as sigma_u = g; for a linear layer that is exact.

    `steps` is the length of the sequence, `drive` the variance that inputs and biases add at every step, `mean` that of
    the biases, `start` the mean square of the hidden state before the first step.
    """
    square = start
    gains = []
    for _ in range(steps):
        made = moments(activation, slope, mean, _rounded(sigma_u2 * square + drive))
        square = made.square
        gains.append(decades(sigma_u2 * made.slope_square))
    return gains[::-1]


def weigh(weights: Weights, signal: Signal) -> Signal:
    """Return the pre-activations of a layer that reads `signal`."""
    variance = _rounded(weights.sigma2 * signal.square + weights.bias_std**2)
    square = weights.bias_mean**2 + variance
    return Signal(weights.bias_mean, square, _rounded(weights.sigma2 * signal.spread))


def through(signal: Signal, arounds: tuple[Normalisation, ...]) -> ActivationGain:
    """Send a normal signal through pairs of normalisation and activation: usually one, but none or two where groups of
    different order meet."""
    if not arounds:
        return ActivationGain(signal, 1.0)
    if len(arounds) > 1:
        return _through_several(signal, arounds)
    (around,) = arounds
    variance = max(signal.square - signal.mean**2, 0.0)
    if around.norm == "none":
        made = moments(around.activation, around.slope, signal.mean, variance)
        return ActivationGain(Signal(made.mean, made.square, made.variance), made.slope_square)
    if around.norm == "rms" and signal.mean:
        size = math.sqrt(signal.square)
        made = moments(around.activation, around.slope, signal.mean / size, variance / signal.square)
        return ActivationGain(
            Signal(made.mean, made.square, made.variance), made.slope_square / signal.square
        )
    behind = after_norm(around.norm, around.numbers, around.activation, around.slope)
    divisor = signal.spread if around.norm == "batch" else variance
    mean = math.sqrt(max(behind.square - behind.spread, 0.0))
    return ActivationGain(
        Signal(mean, behind.square, behind.spread), behind.slope_square / max(divisor, SMALLEST_VARIANCE)
    )


def _through_several(signal: Signal, arounds: tuple[Normalisation, ...]) -> ActivationGain:
    """Send a signal through two pairs, where a group of order "post" meets one of order "pre", by evaluating them on
    the nodes of the quadrature."""
    x, weights = normal_nodes(signal.mean, math.sqrt(max(signal.square - signal.mean**2, 0.0)))
    slope = np.ones_like(x)
    for around in arounds:
        if around.norm != "none":
            mean = 0.0 if around.norm == "rms" else float(weights @ x)
            scale = math.sqrt(max(float(weights @ (x - mean) ** 2), SMALLEST_VARIANCE))
            x, slope = (x - mean) / scale, slope / scale
        x, rise = value_and_derivative(around.activation, x, around.slope)
        slope = slope * rise
    mean, square = float(weights @ x), float(weights @ (x * x))
    return ActivationGain(
        Signal(mean, square, max(square - mean * mean, 0.0)), float(weights @ (slope * slope))
    )


def _rounded(variance: float) -> float:
    variance = min(max(variance, SMALLEST_VARIANCE), LARGEST_VARIANCE)
    return float(f"{variance:.{EQUAL_DIGITS}g}")
