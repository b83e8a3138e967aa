"""Compute averages over a normal number, accurate at kinks and at any scale.

Gauss-Hermite is poor here: it takes a kink (ReLU, ELU) or the narrow rise of a saturating function of a wide
argument for something smooth, and errs in the second digit. So the line is split at the point where the
argument crosses 0, and the panels shrink towards it by powers of two.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEVIATIONS = 9.0  # a standard normal leaves (-9, 9) with probability 2e-19
NODES_PER_PANEL = 16  # Gauss-Legendre nodes on one panel
LARGEST_DEVIATION = (
    1e9  # the deviation beyond which every function here is its asymptote: more panels would add nothing
)


@lru_cache(maxsize=1)
def _unit_panel() -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    return (nodes + 1.0) / 2.0, weights / 2.0


@lru_cache(maxsize=64)
def _graded(halvings: int) -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1] in panels that halve towards 0."""
    edges = np.concatenate(([0.0], 0.5 ** np.arange(halvings, -1, -1)))
    nodes, weights = _unit_panel()
    widths = np.diff(edges)
    return (edges[:-1, None] + widths[:, None] * nodes).ravel(), (widths[:, None] * weights).ravel()


@lru_cache(maxsize=64)
def _centred(halvings: int) -> tuple[Array, Array]:
    """Return standard normal nodes and weights graded towards 0 from both sides."""
    return _split_at(0.0, halvings)


def _split_at(kink: float, halvings: int) -> tuple[Array, Array]:
    nodes, weights = _graded(halvings)
    left, right = kink + DEVIATIONS, DEVIATIONS - kink
    points = np.concatenate((kink - left * nodes, kink + right * nodes))
    density = np.exp(-0.5 * points * points) / math.sqrt(2.0 * math.pi)
    return points, np.concatenate((left * weights, right * weights)) * density


def normal_nodes(mean: float, deviation: float) -> tuple[Array, Array]:
    """Return points x and weights w, such that sum(w * f(x)) is E[f(x)] for x ~ N(mean, deviation²).

    The grid is finest where x crosses 0: there its spacing is below 1 in x, so f may have a kink or a rise of
    unit width there.
    """
    deviation = min(deviation, LARGEST_DEVIATION)
    if deviation <= 0.0:
        return np.array([mean]), np.array([1.0])
    halvings = 2 + max(0, math.ceil(math.log2(deviation * DEVIATIONS)))
    if mean == 0.0:
        points, weights = _centred(halvings)
    else:
        kink = -mean / deviation
        points, weights = _split_at(kink if abs(kink) < DEVIATIONS else 0.0, halvings)
    return mean + deviation * points, weights


@lru_cache(maxsize=1)
def _erf_table() -> tuple[float, Array, Array]:
    spacing = 1.0 / 64.0
    points = np.arange(-6.0, 6.0 + spacing / 2, spacing)
    values = np.array([math.erf(point) for point in points])
    return spacing, values, 2.0 / math.sqrt(math.pi) * np.exp(-points * points)


def erf(x: Array) -> Array:
    """Return the error function of x, within 2e-9: numpy has none, and `math.erf` takes one number at a time.

    It uses cubic Hermite interpolation in a table of exact values and derivatives.
    """
    spacing, values, slopes = _erf_table()
    position = (np.clip(x, -6.0, 6.0) + 6.0) / spacing
    left = np.minimum(position.astype(np.intp), len(values) - 2)
    t = position - left
    s = 1.0 - t
    tangents = s * slopes[left] - t * slopes[left + 1]
    result: Array = (
        values[left] * s * s * (1 + 2 * t)
        + values[left + 1] * t * t * (3 - 2 * t)
        + spacing * t * s * tangents
    )
    return result


def decades(value: float) -> float:
    """Return log10 of a mean square; -inf for 0."""
    return math.log10(value) if value > 0 else -math.inf
