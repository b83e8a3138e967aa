"""Define the charts of a study as data, which a screen, a page of text and an SVG file draw in the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradtui.words import FRACTION, percent, plain_exponents, ratio

Floats = NDArray[np.float64]

OUTCOMES = ("learned", "slow", "vanishing", "exploding", "dead", "failed")
"""The outcomes of a run by their number in `MapChart.cells`: it learned; nothing was found, but it has not learned yet;
its gradient vanishes; it explodes or is not finite; its units died or saturated; its trainer failed."""


@dataclass(frozen=True, eq=False)
class StudyCurve:
    """A StudyCurve is one curve with its spread over the seeds; arrays have the shape (points,), with x ascending."""

    name: str
    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    """The least and the greatest value of the seeds; NaN where no run has ended yet."""
    runs: tuple[tuple[str, ...], ...]
    """The keys of the runs of each point."""


@dataclass(frozen=True, eq=False)
class LineChart:
    """A LineChart draws curves over one axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[StudyCurve, ...]
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    """The range that the y axis always includes."""


@dataclass(frozen=True)
class Bar:
    """A Bar is one change with its spread over the seeds; its values are NaN where no run has ended yet."""

    name: str
    mean: float
    low: float
    high: float
    note: str = ""
    """A text beside the bar, such as the findings."""
    runs: tuple[str, ...] = ()
    """The keys of its runs."""


@dataclass(frozen=True)
class BarChart:
    """A BarChart has horizontal bars, the baseline first and the others as ranked."""

    title: str
    label: str
    """The words for the values."""
    bars: tuple[Bar, ...]
    log: bool = False
    range: tuple[float, float] | None = None
    """The range that the axis always includes."""
    decades: bool = False
    """Whether the values are log10 of what is written beside the bars."""

    def written(self, value: float) -> str:
        """Return a value as it is written beside its bar, which is as tables write it."""
        return ratio(value) if self.decades else number_in(self.range, value)


@dataclass(frozen=True, eq=False)
class TheoryBorder:
    """A TheoryBorder is a line that theory predicts on a map, as one y for each x, in the units of the axes."""

    name: str
    x: Floats
    y: Floats
    """(points,); NaN where the border lies outside the map."""


@dataclass(frozen=True, eq=False)
class MapChart:
    """A MapChart is a grid of cells, the first row at the bottom."""

    title: str
    x_label: str
    y_label: str
    x: tuple[object, ...]
    """The values of the columns; numbers ascend."""
    y: tuple[object, ...]
    """The values of the rows, from the lowest row up."""
    cells: Floats
    """(rows, columns), NaN where no run has ended yet: the most common outcome of the seeds as an index of OUTCOMES,
    because their mean would have no meaning, or the mean of a quantity."""
    runs: tuple[tuple[tuple[str, ...], ...], ...]
    """The keys of the runs by row and column."""
    outcomes: bool
    """Whether the cells are indices of OUTCOMES."""
    borders: tuple[TheoryBorder, ...] = ()
    log_x: bool = False
    log_y: bool = False
    range: tuple[float, float] | None = None
    """The range of the quantity; None where it has no ends."""


Chart = LineChart | BarChart | MapChart

SHARES = ("train_accuracy", "test_accuracy")
"""The quantities that are fractions."""


def range_of(quantity: str) -> tuple[float, float] | None:
    """Return the range of a quantity; None where it has no ends."""
    return FRACTION if quantity in SHARES else None


def number_in(range_: tuple[float, float] | None, value: float) -> str:
    """Return a value of a chart as people write it: a fraction in percent, anything else in three digits."""
    return percent(value) if range_ == FRACTION else plain_exponents(f"{value:.3g}")
