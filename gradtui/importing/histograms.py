"""The L2 norm of numbers of which only a histogram is left."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

LEAST = 1e-36
"""A sum of float32 squares below this has lost digits to underflow, or all."""


def from_bins(edges: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    """As if each bin's numbers lay evenly in it: their mean square is (a² + ab + b²) / 3 between a and b.

    `edges` (bins + 1,), `counts` (bins,). Right to a few percent where bins are narrow beside the numbers' spread;
    too large where most numbers crowd in the middle of one bin, around 0.
    """
    ends = np.asarray(edges, np.float64)
    left, right = ends[:-1], ends[1:]
    squares = (left * left + left * right + right * right) / 3
    numbers = np.asarray(counts, np.float64)
    filled = numbers > 0
    return math.sqrt(float((numbers[filled] * squares[filled]).sum()))


def from_squares(sum_squares: float, edges: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[float, bool]:
    """(norm, whether it is only an estimate), from the sum of the squares where that can be trusted, else by the
    bins."""
    if sum_squares >= LEAST or math.isnan(sum_squares):
        return math.sqrt(sum_squares), False
    norm = from_bins(edges, counts)
    return norm, norm > 0
