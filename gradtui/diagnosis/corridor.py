"""Where a measure of the layers lies in a net that is well: what the charts shade behind the bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gradtui.diagnosis.contrast import EVEN_WITHIN
from gradtui.diagnosis.evidence import Floats

UPDATES = (1e-4, 1e-2)
"""Update ÷ weight of a step in healthy nets (SCIENCE.md)."""

_RELATIVE = ("grad_norm", "output_grad_rms")


def corridor_of(
    measure: str, values: ArrayLike, parameters: Sequence[int], level: int
) -> tuple[Floats, Floats] | None:
    """Lowest and highest healthy value of each layer, (layers,) both; None where health has no such bounds.

    Gradients have no healthy size, only a healthy shape: within EVEN_WITHIN decades of the last hidden layer's. A
    layer's norm also grows with the root of its number of parameters, which is no illness.

    Args:
        measure: the table's name.
        values: (layers,), at one step.
        parameters: how many each layer has.
        level: index of the last hidden layer, which the others are held against.
    """
    numbers = np.asarray(values, np.float64)
    if measure == "update_ratio":
        return np.full(numbers.shape, UPDATES[0]), np.full(numbers.shape, UPDATES[1])
    if measure not in _RELATIVE or not 0 <= level < len(numbers) or len(parameters) != len(numbers):
        return None
    size = float(numbers[level])
    if not (math.isfinite(size) and size > 0):
        return None
    shares = np.ones(numbers.shape)
    if measure == "grad_norm":
        counts = np.maximum(np.asarray(parameters, np.float64), 1.0)
        shares = np.sqrt(counts / counts[level])
    middle = size * shares
    return middle * 10.0**-EVEN_WITHIN, middle * 10.0**EVEN_WITHIN
