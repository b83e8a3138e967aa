"""What is drawn of a study, as data: whoever paints it, on a screen, as text or as SVG, decides nothing more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OUTCOMES = ("learned", "slow", "vanishing", "exploding", "dead", "failed")
"""What a cell of an outcome map may say, by its number in `Map.cells`: it learned; nothing was found, and it has not
learned yet; its gradient starves; it explodes or is no number; its units died or saturated; its trainer failed."""


@dataclass(frozen=True, eq=False)
class Line:
    """One curve with its spread over the seeds. Arrays of the shape (points,), x ascending."""

    name: str
    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    """The least and the greatest of the seeds. NaN where no run has ended yet."""
    runs: tuple[tuple[str, ...], ...]
    """Of each point, the keys of its runs."""


@dataclass(frozen=True, eq=False)
class LineChart:
    """Curves over one axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    """What the y axis holds at least."""


@dataclass(frozen=True)
class Bar:
    """One change with its spread over the seeds. NaN where no run has ended yet."""

    name: str
    mean: float
    low: float
    high: float
    note: str = ""
    """What is said beside it: what was found in it, say."""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class BarChart:
    """Lying bars, in the order in which one reads them."""

    title: str
    label: str
    """Of the values."""
    bars: tuple[Bar, ...]
    log: bool = False
    range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Edge:
    """A border that theory draws over a map: at each x, the y at which it lies, in the units of the axes."""

    name: str
    x: Floats
    y: Floats
    """(points,); NaN where it lies outside of the map."""


@dataclass(frozen=True, eq=False)
class MapChart:
    """A grid of cells, the first row at the bottom."""

    title: str
    x_label: str
    y_label: str
    x: tuple[object, ...]
    """Values of the columns, ascending where they are numbers."""
    y: tuple[object, ...]
    """Of the rows, upwards."""
    cells: Floats
    """(rows, columns): of outcomes, the mean number is meaningless, so the commonest over the seeds, as an index of
    OUTCOMES; of a quantity its mean. NaN where no run has ended yet."""
    runs: tuple[tuple[tuple[str, ...], ...], ...]
    """Keys of the runs by row and column."""
    outcomes: bool
    """Whether cells are indices of OUTCOMES."""
    edges: tuple[Edge, ...] = ()
    log_x: bool = False
    log_y: bool = False


Chart = LineChart | BarChart | MapChart
