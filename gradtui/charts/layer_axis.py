"""Lay out the axis of layers that all charts share, and fold several layers into one column where needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradtui.absent import absent_in

Floats = NDArray[np.floating]

FINITE, ZERO, INFINITE, NAN, ABSENT = range(5)
"""The kinds of a value on a chart: a number; log10 of zero; infinity; NaN; absent, which is drawn as a blank."""

GUTTER = 6
"""The columns left of the layers, the same in all charts: five for a label (1e-12, or a step), one for the axis."""

WIDEST_CELL = 40
"""The most columns that a layer gets: the bars of a net of three layers must still look like bars."""

GAP_FROM = 3
"""The least number of columns of a cell that ends in a gap; in narrower ones the gap would take too much of the bar."""


@dataclass(frozen=True)
class LayerAxis:
    """A LayerAxis maps the layers `first … last` (inclusive, counted from 0) of a net of `layers` onto `width` columns.

    Where the layers fit, each has a cell of one or more columns and the cells fill the width: the remainder of
    w / n is spread over the cells (into the gaps where there are any), because 51 layers on 80 columns left
    29 columns empty when every cell had floor(w / n). Where they do not fit, each column stands for
    floor or ceil(n / w) neighbouring layers.
    """

    layers: int
    width: int
    first: int = 0
    last: int = -1

    def __post_init__(self) -> None:
        if self.layers < 0 or self.width < 0:
            raise ValueError(f"an axis of {self.layers} layers on {self.width} columns")
        last = self.layers - 1 if self.last < 0 else min(self.last, self.layers - 1)
        object.__setattr__(self, "last", last)
        object.__setattr__(self, "first", max(0, min(self.first, last)))

    @property
    def shown(self) -> int:
        """Return the number of layers in the window."""
        return self.last - self.first + 1 if self.layers else 0

    @property
    def folded(self) -> bool:
        """Return whether a column stands for more than one layer."""
        return self.shown > self.width

    @property
    def bins(self) -> int:
        """Return the number of bins side by side: cells of one layer each, or columns of several."""
        return min(self.shown, self.width)

    @property
    def used(self) -> int:
        """Return the number of columns that hold layers, from the left."""
        return self.width if self.folded else min(self.width, self.shown * WIDEST_CELL)

    @cached_property
    def edges(self) -> NDArray[np.intp]:
        """Return the columns of the bins, shape (bins + 1,): bin b covers the columns edges[b] … edges[b + 1] - 1."""
        bins = self.bins
        return np.arange(bins + 1) * self.used // bins if bins else np.zeros(1, np.intp)

    @cached_property
    def folds(self) -> NDArray[np.intp]:
        """Return the layers of the bins, shape (bins + 1,): bin b stands for the layers folds[b] … folds[b + 1] - 1."""
        bins = self.bins
        return self.first + (np.arange(bins + 1) * self.shown // bins if bins else np.zeros(1, np.intp))

    @cached_property
    def bin_of_column(self) -> NDArray[np.intp]:
        """Return the bin that each column belongs to, shape (width,); -1 beyond the last."""
        bins = np.full(self.width, -1, np.intp)
        bins[: self.used] = np.repeat(np.arange(self.bins), np.diff(self.edges))
        return bins

    @cached_property
    def bar_of_column(self) -> NDArray[np.intp]:
        """Return the bin of each column, as `bin_of_column` does, and -1 in the gaps between the bars.

        All gaps are equally wide.
        """
        bins = self.bin_of_column.copy()
        cell = self.used // self.bins if self.bins else 0
        if cell >= GAP_FROM and not self.folded:
            shown = bins >= 0
            within = np.arange(self.width)[shown] - self.edges[bins[shown]]
            bins[np.flatnonzero(shown)[within >= cell - 1]] = -1
        return bins

    def layers_at(self, column: int) -> tuple[int, int] | None:
        """Return the first and the last layer that a column stands for, or None beyond the layers."""
        if not 0 <= column < self.used or not self.bins:
            return None
        at = int(self.bin_of_column[column])
        return int(self.folds[at]), int(self.folds[at + 1]) - 1

    def columns_of(self, layer: int) -> tuple[int, int] | None:
        """Return the first and the last column of a layer, or None outside the window."""
        if not self.bins or not self.first <= layer <= self.last:
            return None
        at = int(np.searchsorted(self.folds, layer, side="right")) - 1
        return int(self.edges[at]), int(self.edges[at + 1]) - 1

    def zoomed(self, factor: float, around: int) -> tuple[int, int]:
        """Return the window (first, last) that shows `factor` times as many layers and keeps `around` in its place."""
        shown = max(1, min(self.layers, round(self.shown * factor)))
        if shown == self.shown and factor != 1:
            shown = max(1, min(self.layers, shown + (1 if factor > 1 else -1)))
        share = (around - self.first) / max(1, self.shown - 1)
        first = max(0, min(self.layers - shown, round(around - share * (shown - 1))))
        return first, first + shown - 1


@dataclass(frozen=True)
class Folded:
    """A Folded holds the combined values of each bin of layers; all arrays have the shape (…, bins).

    Low, middle (the median) and high are over the finite layers of a bin, NaN where there are none. Kind is the worst
    of a bin: one NaN among the hundred layers of a column must be visible.
    """

    low: Floats
    middle: Floats
    high: Floats
    kind: NDArray[np.uint8]


def kind_of(values: Floats) -> NDArray[np.uint8]:
    """Return FINITE, ZERO (-inf), INFINITE (+inf), NAN or ABSENT (none) for each value, in any shape."""
    kind = np.zeros(values.shape, np.uint8)
    kind[np.isneginf(values)] = ZERO
    kind[np.isposinf(values)] = INFINITE
    kind[np.isnan(values)] = NAN
    kind[absent_in(values)] = ABSENT
    return kind


def fold(values: Floats, axis: LayerAxis) -> Folded:
    """Reduce the layers (the last dimension, one for each layer of the axis) to the bins of the axis.

    A bin is ZERO only when no layer of it is finite, ABSENT when all are; NAN or INFINITE as soon as one layer is.
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
    # Bins differ by at most one layer, so all of them fit into one rectangle.
    offsets = np.arange(sizes.max())
    spare = offsets >= sizes[:, None]
    members = np.where(spare, 0, starts[:, None] + np.minimum(offsets, sizes[:, None] - 1))
    kinds = kind[..., members]
    numbers = np.where(spare | (kinds != FINITE), np.nan, window[..., members])
    # NaN sorts last, so the finite values come first.
    numbers.sort(axis=-1)
    count = (~np.isnan(numbers)).sum(axis=-1, keepdims=True)
    last = np.maximum(count - 1, 0)

    def nth(index: NDArray[np.intp]) -> Floats:
        return np.take_along_axis(numbers, index, axis=-1)[..., 0]

    middle = nth(last // 2) / 2 + nth((last + 1) // 2) / 2
    bad = np.where(spare, 0, np.where((kinds == ZERO) | (kinds == ABSENT), FINITE, kinds)).max(axis=-1)
    worst = np.where((bad == FINITE) & (count[..., 0] == 0), ZERO, bad).astype(np.uint8)
    worst[(spare | (kinds == ABSENT)).all(axis=-1)] = ABSENT
    return Folded(numbers[..., 0], middle, nth(last), worst)
