"""Where a measure of the layers lies in a net that is well: what the charts shade behind the bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gradtui import metrics
from gradtui.diagnosis.evidence import Floats


def corridor_of(
    measure: str, values: ArrayLike, parameters: Sequence[int], level: int
) -> tuple[Floats, Floats] | None:
    """Lowest and highest healthy value of each layer, (layers,) both; None where health has no such bounds.

    Gradients have no healthy size, only a healthy shape: within metrics.EVEN_DECADES of the last hidden layer's. A
    layer's norm also grows with the root of its number of parameters, which is no illness.

    Args:
        measure: the table's name.
        values: (layers,), at one step.
        parameters: how many each layer has.
        level: index of the last hidden layer, which the others are held against.
    """
    numbers = np.asarray(values, np.float64)
    metric = metrics.find(measure)
    if metric is None or metric.healthy is None:
        return None
    lowest, highest = metric.healthy
    if metric.baseline is None:
        return np.full(numbers.shape, lowest), np.full(numbers.shape, highest)
    if not 0 <= level < len(numbers) or len(parameters) != len(numbers):
        return None
    size = float(numbers[level])
    if not (math.isfinite(size) and size > 0):
        return None
    shares = np.ones(numbers.shape)
    if metric.grows_with_parameters:
        counts = np.maximum(np.asarray(parameters, np.float64), 1.0)
        shares = np.sqrt(counts / counts[level])
    middle = size * shares
    return middle * lowest, middle * highest
