"""Apply mean-field theory to normalisation: its effect on the gradient on its way back, also over few numbers.

Normalising n numbers takes the mean (not RMS) and the scale out of the gradient: it is multiplied by 1/s and loses the
directions of the numbers themselves and of their mean. For n → ∞ only 1/s² remains of the mean square. For small n,
with x normal and the gradient independent of it, the numbers y = (x − mean)/s lie on a sphere; to first order in 1/n

    batch      n/(n−3) · [n·E d² − E d² − E d²y² − Var d + (E d·y)²] / (n−1)
    layer      n/(n−3) · [(n−1)·E d² − E d²y²] / n
    rms        n/(n−2) · [n·E d² − E d²y²] / n

where d is the slope of what follows. The batch's gradient already has mean 0, coming from the batch norm above. A
linear net makes it (n−2)/(n−3), exactly Yang et al. 2019, and ReLU's n → ∞ is their π/(π−1).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from gradtui.diagnosis.theory.activations import value_and_derivative
from gradtui.diagnosis.theory.quadrature import normal_nodes
from gradtui.experiment.layers import Activate, Norm, Operation

FEWEST_NORMED_NUMBERS = 4
"""The fewest numbers over which the mean square of 1/s exists."""


class Normalisation(NamedTuple):
    """A Normalisation is a norm over `numbers` numbers with the activation after it; "none" means no norm."""

    norm: str
    numbers: int
    activation: str
    slope: float


class NormedMoments(NamedTuple):
    """A NormedMoments holds the moments of f(y), where y ~ N(0, 1) is a normalised number and f an activation."""

    square: float
    """E[f(y)²]."""
    spread: float
    """The mean square deviation of f(y) among the n numbers of a batch: its variance, and a little more for small
    n, whose numbers repel each other."""
    slope_square: float
    """The factor of the mean square gradient from f(y) back to x/s."""


@lru_cache(maxsize=256)
def after_norm(norm: str, count: int, activation: str, slope: float) -> NormedMoments:
    """Return the moments after a norm over `count` numbers, at least FEWEST_NORMED_NUMBERS, and an activation."""
    y, weights = normal_nodes(0.0, 1.0)
    value, d = value_and_derivative(activation, y, slope)
    mean, square = float(weights @ value), float(weights @ (value * value))
    n = float(count)
    d2, d2y2 = float(weights @ (d * d)), float(weights @ (d * d * y * y))
    # Hermite coefficients: the sums of y and of y² are fixed on the sphere, so two numbers' h1 and h2
    # correlate by −1/(n−1).
    first = float(weights @ (value * y))
    second = float(weights @ (value * (y * y - 1.0))) / math.sqrt(2.0)
    spread = square - mean * mean + (first * first + second * second) / (n - 1.0)
    if norm == "batch":
        d1, dy = float(weights @ d), float(weights @ (d * y))
        kept = (n * d2 - d2 - d2y2 - (d2 - d1 * d1) + dy * dy) / (n - 1.0)
        return NormedMoments(square, spread, n / (n - 3.0) * kept)
    if norm == "rms":
        return NormedMoments(square, spread, n / (n - 2.0) * (d2 - d2y2 / n))
    return NormedMoments(square, spread, n / (n - 3.0) * (d2 - d2 / n - d2y2 / n))


@lru_cache(maxsize=256)
def normed(operations: tuple[Operation, ...], batch: int, positions: int) -> tuple[Normalisation, ...]:
    """Return operations as pairs of a normalisation and the activation behind it.

    `batch` is the number of examples in a batch, `positions` that of the steps of an example.
    """
    found: list[Normalisation] = []
    for operation in operations:
        if isinstance(operation, Norm):
            width = operation.width
            numbers = {"batch": batch * positions, "group": width // operation.groups}.get(
                operation.kind, width
            )
            found.append(Normalisation(operation.kind, numbers, "identity", 0.0))
        elif isinstance(operation, Activate):
            bare = found and found[-1].norm != "none" and found[-1].activation == "identity"
            norm = found.pop() if bare else Normalisation("none", 0, "identity", 0.0)
            found.append(norm._replace(activation=operation.name, slope=operation.slope))
    return tuple(found)
