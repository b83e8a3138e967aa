"""Mean-field theory of a net without shortcuts (Poole et al. 2016, Schoenholz et al. 2017).

Pre-activations h^l = W^l a^(l−1) + b^l of a wide net are normal over its units, of the variance
q_l = sigma_w² E[φ(√q_(l−1) z)²] + sigma_b². Going back through layer l the mean square gradient is multiplied by
chi_l = sigma_w² E[φ′(√q_l z)²], where sigma_w is that of the weights above. The whole recursion of q is followed, not
only its fixed point: shallow nets are not there yet (tanh at sigma_w = 1 has chi = 1 at q = 0 only, and 20 layers
lose 0.71 decades).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradtui.diagnosis.activations import moments, value_and_slope
from gradtui.diagnosis.norms import after_norm
from gradtui.diagnosis.plan import Dense, Normed, Step
from gradtui.diagnosis.quadrature import normal_nodes

LEAST, MOST = 1e-280, 1e280
"""Variances are kept between these; beyond, every activation is its asymptote and chi no longer changes."""
EQUAL_DIGITS = 12
"""Variances that agree so far are one, so that a fixed point is computed once."""


class Signal(NamedTuple):
    """Numbers between two weight layers, over the units of one layer."""

    mean: float
    square: float
    spread: float
    """Variance that a unit has over a batch: what batch norm divides by."""


class Passage(NamedTuple):
    """What comes out of an activation, and what the mean square gradient is multiplied by on its way back."""

    signal: Signal
    factor: float


def gains(steps: Sequence[Step], start: Signal) -> list[float]:
    """log10 of what the mean square gradient with respect to the pre-activations gains from layer l + 1 to layer l,
    for every layer l of a chain; for the last one as if another such layer followed."""
    signal = start
    if steps[0].before is not None:
        signal = through(signal, (steps[0].before,)).signal
    result = []
    for step, above in zip(steps, [*steps[1:], None], strict=True):
        hidden = weigh(step.dense, signal)
        between = tuple(around for around in (step.after, above.before if above else None) if around)
        if above is None:
            around = step.after or step.before
            factor = through(hidden, (around,) if around else ()).factor
            result.append(_log10(step.dense.sigma2 * factor))
            break
        signal, factor = through(hidden, between)
        ratio = above.dense.fan_out / above.dense.fan_in
        result.append(_log10(above.dense.sigma2 * ratio * factor))
    return result


def weigh(dense: Dense, signal: Signal) -> Signal:
    """The pre-activations of a weight layer that reads `signal`."""
    variance = _rounded(dense.sigma2 * signal.square + dense.bias2)
    square = dense.bias_mean**2 + variance
    return Signal(dense.bias_mean, square, _rounded(dense.sigma2 * signal.spread))


def through(signal: Signal, arounds: tuple[Normed, ...]) -> Passage:
    """A normal signal through normalisation and activation; mostly one pair, none or two where orders change."""
    if not arounds:
        return Passage(signal, 1.0)
    if len(arounds) > 1:
        return _through_several(signal, arounds)
    (around,) = arounds
    variance = max(signal.square - signal.mean**2, 0.0)
    if around.norm == "none":
        made = moments(around.activation, around.slope, signal.mean, variance)
        return Passage(Signal(made.mean, made.square, made.variance), made.slope_square)
    if around.norm == "rms" and signal.mean:
        size = math.sqrt(signal.square)
        made = moments(around.activation, around.slope, signal.mean / size, variance / signal.square)
        return Passage(Signal(made.mean, made.square, made.variance), made.slope_square / signal.square)
    behind = after_norm(around.norm, around.numbers, around.activation, around.slope)
    divisor = signal.spread if around.norm == "batch" else variance
    mean = math.sqrt(max(behind.square - behind.spread, 0.0))
    return Passage(Signal(mean, behind.square, behind.spread), behind.slope_square / max(divisor, LEAST))


def _through_several(signal: Signal, arounds: tuple[Normed, ...]) -> Passage:
    """Where a group of order "post" meets one of order "pre": on the nodes of the quadrature themselves."""
    x, weights = normal_nodes(signal.mean, math.sqrt(max(signal.square - signal.mean**2, 0.0)))
    slope = np.ones_like(x)
    for around in arounds:
        if around.norm != "none":
            mean = 0.0 if around.norm == "rms" else float(weights @ x)
            scale = math.sqrt(max(float(weights @ (x - mean) ** 2), LEAST))
            x, slope = (x - mean) / scale, slope / scale
        x, rise = value_and_slope(around.activation, x, around.slope)
        slope = slope * rise
    mean, square = float(weights @ x), float(weights @ (x * x))
    return Passage(Signal(mean, square, max(square - mean * mean, 0.0)), float(weights @ (slope * slope)))


def _rounded(variance: float) -> float:
    variance = min(max(variance, LEAST), MOST)
    return float(f"{variance:.{EQUAL_DIGITS}g}")


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf
