"""Several layers in one column: their extremes and median, and what is not a number among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.ui.charts.axis import LayerAxis

Floats = NDArray[np.floating]

FINITE, ZERO, INFINITE, NAN, ABSENT = range(5)
"""Kinds of a value on a chart: a number; log10 of zero; infinity; not a number; nothing was recorded."""


@dataclass(frozen=True)
class Folded:
    """Shape (…, bins) each. Low, middle and high are over the finite layers of a bin (NaN where there are none);
    kind is the worst of a bin: one NaN among a hundred layers of a column must be seen."""

    low: Floats
    middle: Floats
    high: Floats
    kind: NDArray[np.uint8]


def kind_of(values: Floats) -> NDArray[np.uint8]:
    """FINITE, ZERO (-inf), INFINITE (+inf) or NAN of each value; any shape."""
    kind = np.zeros(values.shape, np.uint8)
    kind[np.isneginf(values)] = ZERO
    kind[np.isposinf(values)] = INFINITE
    kind[np.isnan(values)] = NAN
    return kind


def fold(values: Floats, axis: LayerAxis) -> Folded:
    """Reduce the layers (the last dimension, one for each layer of the axis) to the axis' bins.

    A bin is ZERO only when no layer of it is finite; NAN or INFINITE as soon as one layer is.
    """
    window = values[..., axis.first : axis.last + 1]
    kind = kind_of(window)
    if not axis.bins:
        none = np.zeros((*window.shape[:-1], 0))
        return Folded(none, none, none, none.astype(np.uint8))
    if not axis.folded:
        finite = np.where(kind == FINITE, window, np.nan)
        return Folded(finite, finite, finite, kind)
    starts = axis.folds[:-1] - axis.first
    sizes = np.diff(axis.folds)
    # Bins differ by one layer at most, so that all of them fit one rectangle with one column to spare.
    offsets = np.arange(sizes.max())
    spare = offsets >= sizes[:, None]
    members = np.where(spare, 0, starts[:, None] + np.minimum(offsets, sizes[:, None] - 1))
    kinds = kind[..., members]
    numbers = np.where(spare | (kinds != FINITE), np.nan, window[..., members])
    # NaN sorts last: the finite ones stand in front.
    numbers.sort(axis=-1)
    count = (~np.isnan(numbers)).sum(axis=-1, keepdims=True)
    last = np.maximum(count - 1, 0)

    def nth(index: NDArray[np.intp]) -> Floats:
        return np.take_along_axis(numbers, index, axis=-1)[..., 0]

    middle = nth(last // 2) / 2 + nth((last + 1) // 2) / 2
    bad = np.where(spare, 0, np.where(kinds == ZERO, FINITE, kinds)).max(axis=-1)
    worst = np.where((bad == FINITE) & (count[..., 0] == 0), ZERO, bad).astype(np.uint8)
    return Folded(numbers[..., 0], middle, nth(last), worst)
